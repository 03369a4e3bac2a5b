"""What a form that asks for a signature reads and shows."""

from __future__ import annotations

from typing import Any

from flask import g, request
from sqlalchemy.orm import Session

from engine.errors import Invalid, Refused
from engine.ports import SignatureRequest
from records import signing
from records.signature import Meaning
from webapp import formats, reviews, typed
from webapp.typed import Unreadable
from webapp.visit import visitor


def read_signature(meaning: Meaning | None = None) -> SignatureRequest:
    """Return what was typed to sign.

    meaning: where the page says it in its words and asks for none. Raises: Invalid without a meaning.
    """
    chosen = meaning or request.form.get("meaning")
    if not chosen:
        raise Invalid("Expected a meaning, but none is chosen", {"meaning": "Choose what your signature means"})
    return SignatureRequest(
        meaning=chosen, password=request.form.get("password", ""),
        user_id=request.form.get("user_id", "").strip().lower(), session_id=g.session_id,
        accepts_responsibility=request.form.get("accepts_responsibility") == "true",
        method=method(), proof=request.form.get("proof", ""),
    )  # fmt: skip


def method() -> str:
    """Return how the visitor proves who signs: as they signed in."""
    return str(g.get("session_method") or "PASSWORD")


def is_asked() -> bool:
    """Whether the form that was sent asked for a signature."""
    return "password" in request.form or "signs_by" in request.form


def read_reason() -> str:
    """Return the typed reason. Raises: Invalid for one that is too long or cannot be stored."""
    try:
        return typed.words(request.form.get("reason", ""), longest=4000)
    except Unreadable as error:
        raise Invalid("Expected a reason that fits", {"reason": str(error)}) from error


def signing_values(session: Session, *meanings: Meaning | None) -> dict[str, Any]:
    """Return what the template ``signature_fields.html`` needs. meanings: of the open seats; None where there is none."""
    return {
        "meanings": [(meaning.value, formats.words(meaning)) for meaning in meanings if meaning is not None],
        "needs_both": reviews.needs_both(session, g.session_id),
        "must_certify": not signing.is_certified(session, visitor().user_id),
        "statement": signing.STATEMENT,
    }


def errors_of(refusal: Refused | None) -> dict[str, str]:
    """Return the sentences by field; a wrong password belongs to its field too."""
    if isinstance(refusal, Invalid):
        return dict(refusal.fields)
    if refusal is not None and refusal.code == "WRONG_PASSWORD":
        return {"password": "Expected your password, but this is another one"}
    if refusal is not None and refusal.code == "CERTIFICATION_MISSING":
        return {"accepts_responsibility": "Expected this to be ticked before the first signature"}
    return {}
