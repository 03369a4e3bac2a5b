"""The API on the plant of the pages' tests: keys for whoever calls, and a client that speaks JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from engine.act import Installation
from records.api_key import PERSONAL, SCOPES, make_key
from records.demo_people import Member
from records.person import User

Calling = Callable[..., "Client"]
UNKNOWN = "01990000-0000-7000-8000-000000000000"
PROBLEM = "application/problem+json"


class Client:
    """One caller. key: None calls without one."""

    def __init__(self, app: Flask, key: str | None) -> None:
        self.client, self.key = app.test_client(), key

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        match: str | None = None,
        again: str | None = None,
        **options: Any,
    ) -> TestResponse:
        """Send one request. match: for If-Match; again: for Idempotency-Key."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= {"If-Match": match} if match is not None else {}
        headers |= {"Idempotency-Key": again} if again is not None else {}
        headers |= options.pop("headers", {})
        if body is not None:
            options["json"] = body
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.send("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self.send("POST", path, {} if body is None else body, **options)

    def put(self, path: str, body: Any, **options: Any) -> TestResponse:
        return self.send("PUT", path, body, **options)

    def patch(self, path: str, body: Any, **options: Any) -> TestResponse:
        return self.send("PATCH", path, body, **options)

    def tag(self, path: str) -> str:
        """The ETag of what is at a path."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.headers["ETag"]


@pytest.fixture
def calling(app: Flask, house: Installation) -> Calling:
    """Return a function that gives a person or an adapter a key and a client with it."""

    def call(owner: Member | str, *scopes: str) -> Client:
        principal = owner.principal if isinstance(owner, Member) else owner
        allowed = sorted(set(SCOPES) - (PERSONAL if principal.startswith("adapter:") else set()))
        with house.acting("system:arrange") as act:
            key, _row = make_key(act, principal, "for a test", scopes=scopes or allowed)
        return Client(app, key)

    return call


@pytest.fixture
def nobody(app: Flask) -> Client:
    return Client(app, None)


def problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a problem with this status and code, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == PROBLEM
    body: dict[str, Any] = answer.json
    assert body["code"] == code, body
    assert body["status"] == status
    assert "Expected " in body["detail"], body["detail"]
    return body


__all__ = ["UNKNOWN", "Calling", "Client", "User", "problem"]
