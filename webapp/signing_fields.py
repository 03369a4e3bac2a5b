"""What a page needs to ask for a signature outside of a task, and what was typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import g, request
from sqlalchemy.orm import Session

from engine.errors import Invalid, Refused
from engine.ports import SignatureRequest
from records import signing
from webapp import formats, reviews
from webapp.visit import visitor


def asked(session: Session, meanings: Sequence[str]) -> dict[str, Any]:
    """Return what the fields of a signature show."""
    return {
        "statement": signing.STATEMENT, "meanings": [(one, formats.words(one)) for one in meanings],
        "needs_both": reviews.needs_both(session, g.session_id),
        "must_certify": not signing.is_certified(session, visitor().user_id),
    }  # fmt: skip


def typed_signature() -> SignatureRequest:
    """Return what was typed to sign. Raises: Invalid without a meaning."""
    if not request.form.get("meaning"):
        raise Invalid("Expected a meaning, but none is chosen", {"meaning": "Choose what your signature means"})
    return SignatureRequest(
        meaning=request.form["meaning"], password=request.form.get("password", ""),
        user_id=request.form.get("user_id", "").strip().lower(), session_id=g.session_id,
        accepts_responsibility=request.form.get("accepts_responsibility") == "true",
    )  # fmt: skip


def errors_of(refusal: Refused | None) -> Mapping[str, str]:
    """Return the sentences by field; a wrong password belongs to its field too."""
    if isinstance(refusal, Invalid):
        return dict(refusal.fields)
    if refusal is not None and refusal.code == "WRONG_PASSWORD":
        return {"password": "Expected your password, but this is another one"}
    if refusal is not None and refusal.code == "CERTIFICATION_MISSING":
        return {"accepts_responsibility": "Expected this to be ticked before the first signature"}
    return {}
