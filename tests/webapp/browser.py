"""A browser without a screen: Flask's test client with the cookies, the proof of forms and the links that a person has."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from records.demo_people import Member
from tests.people import PASSWORD
from webapp.security import VISIT_COOKIE

PROOF = re.compile(r'name="form_proof" value="([0-9a-f]{64})"')


class Browser:
    """One person at one device."""

    def __init__(self, app: Flask, *, agent: str = "Firefox on a desk") -> None:
        self.client: FlaskClient = app.test_client()
        self.client.environ_base["HTTP_USER_AGENT"] = agent
        self.page: TestResponse | None = None
        self._proofs: dict[str, str] = {}

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page."""
        self.page = self.client.get(path, **options)
        return self.page

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form, with the proof that it came from a page of ours."""
        self.page = self.client.post(path, data={"form_proof": self.proof, **(data or {})}, **options)
        return self.page

    @property
    def proof(self) -> str:
        """The token every form of this browser carries; a page is asked for it once in a visit."""
        visit = self.client.get_cookie(VISIT_COOKIE)
        if visit is None or visit.value not in self._proofs:
            found = PROOF.search(self.client.get("/sign-in", follow_redirects=True).text) or PROOF.search(
                self.client.get("/profile").text
            )
            assert found, "Expected a form with a proof on the page"
            visit = self.client.get_cookie(VISIT_COOKIE)
            assert visit
            self._proofs[visit.value] = found[1]
        return self._proofs[visit.value]

    def sign_in(self, member: Member, password: str = PASSWORD) -> Browser:
        """Sign somebody in."""
        answer = self.post("/sign-in", {"sign_in_name": member.id, "sign_in_password": password})
        assert answer.status_code == 303, answer.text
        return self

    @property
    def text(self) -> str:
        """The words of the last page, without tags, as a reader sees them."""
        assert self.page is not None
        body = re.sub(r"<(script|style|head)\b.*?</\1>", " ", self.page.text, flags=re.DOTALL)
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body))).strip()

    def field(self, name: str) -> str:
        """The value of a field of the last page."""
        assert self.page is not None
        found = re.search(rf'<input[^>]*name="{re.escape(name)}"[^>]*value="([^"]*)"', self.page.text)
        if found is None:
            found = re.search(rf'<textarea[^>]*name="{re.escape(name)}"[^>]*>\n?([^<]*)</textarea>', self.page.text)
        assert found, f"Expected a field {name} on the page"
        return html.unescape(found[1])


def path_of(answer: TestResponse) -> str:
    """Where an answer sends the browser."""
    return urlsplit(answer.headers.get("Location") or answer.headers.get("HX-Redirect", "")).path
