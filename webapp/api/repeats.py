"""A POST sent twice counts once: what the header Idempotency-Key promises.

What was done is written with the change itself, the answer just after it. A refusal is not kept: it changed nothing, and the
same request may succeed later.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response, request
from sqlalchemy.exc import IntegrityError

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Invalid
from records.api_key import ApiAnswer, answer_to, drop_old_answers, keep_answer
from webapp import visit
from webapp.api import callers

HEADER = "Idempotency-Key"
LONGEST = 200
LONGEST_SUBJECT = 20_000
"""Characters of what an answer is about that its own column holds; what became of 200 tasks waits where the answer comes to stand."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """One request that may come again. request_hash: of method, path and body, a password in it left out."""

    owner: str
    key: str
    request_hash: str

    def answered(
        self, work: Callable[[Act], Any], render: Callable[[Any], Response], *, is_kept: bool = True
    ) -> Response:
        """Do the work and keep its answer, or answer what was done before.

        is_kept: False makes the answer again from what was done, for one that must not be written down.
        Raises: Invalid IDEMPOTENCY_KEY_REUSED when the key came with another request.
        """
        before = answer_to(visit.reading(), self.owner, self.key)
        if before is not None:
            return self._replayed(before, render)
        try:
            with callers.acting() as act:
                subject = work(act)
                self._keep(act, subject)
        except IntegrityError:
            before = answer_to(visit.read_anew(), self.owner, self.key)
            if before is None:
                raise
            return self._replayed(before, render)
        response = render(subject)
        if is_kept:
            self._complete(response)
        return response

    def _keep(self, act: Act, subject: Any) -> None:
        drop_old_answers(act)
        text = orjson.dumps(subject).decode()
        subject_text, body = (text, None) if len(text) <= LONGEST_SUBJECT else ("", text)
        kept = ApiAnswer(
            owner=self.owner, key=self.key, request_hash=self.request_hash, subject=subject_text, body=body, created_at=act.now,
        )  # fmt: skip
        act.session.add(kept)
        act.session.flush()

    def _complete(self, response: Response) -> None:
        with callers.acting() as act:
            keep_answer(
                act, self.owner, self.key, status=response.status_code, etag=response.headers.get("ETag"),
                body=response.get_data(as_text=True),
            )  # fmt: skip

    def _replayed(self, kept: ApiAnswer, render: Callable[[Any], Response]) -> Response:
        if kept.request_hash != self.request_hash:
            raise Invalid(
                f"Expected the request that {HEADER} {self.key[:40]} was used for, but this is another one; use a new key.",
                {HEADER: "was used for another request"},
                code="IDEMPOTENCY_KEY_REUSED",
            )
        if kept.status is None or kept.body is None:
            # The program ended between the change and its answer: the answer is made again from what was done.
            response = render(orjson.loads(kept.subject or kept.body or ""))
        else:
            response = Response(kept.body, kept.status, mimetype="application/json")
            if kept.etag:
                response.headers["ETag"] = kept.etag
        response.headers["Idempotency-Replayed"] = "true"
        return response


def of_request(owner: str) -> Repeat | None:
    """Return the repeatable request that this one is, or None without the header. Raises: Invalid for a key that is none."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise Invalid(f"Expected a key of 1 to {LONGEST} printable characters in {HEADER}.", {HEADER: "does not fit"})
    sent = [request.method, request.path, request.headers.get("If-Match"), _without_password(request.get_data())]
    return Repeat(owner, key, content_hash(sent))


def _without_password(data: bytes) -> str:
    """Return a body as one text however it was spaced, without the password of a signature: its digest could be guessed at."""
    body = json.loads(data, parse_float=str) if data else {}
    signature = body.get("signature") if isinstance(body, dict) else None
    if isinstance(signature, dict):
        signature.pop("password", None)
    return json.dumps(body, sort_keys=True)
