"""How something is signed over REST: one body everywhere, with both components, and the content that the signer read."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from engine.errors import Conflict
from engine.ports import SignatureRequest
from webapp.api.shapes import Request, Truth, text
from webapp.api.signing_ways import refuse_password_of_company
from webapp.visit import visitor


class SignatureGiven(Request):
    """Who signs and what it means. It is checked and never stored."""

    meaning = text(40, required=True)
    password = text(200, required=True, load_only=True, metadata={"format": "password"})
    user_id = text(60, load_default="", metadata={"description": "One's user name; the key's owner when left out."})
    accepts_responsibility = Truth(load_default=False, metadata={"description": "Once, before the first signature."})


class SignedContent(Request):
    """A signature on a document. content_hash: of what was read; the signature is bound to it."""

    content_hash = text(64, required=True)
    reason = text(4000, load_default="")
    signature = fields.Nested(SignatureGiven, required=True)


def signature_given(given: dict[str, Any]) -> SignatureRequest:
    """Return what a caller sent to sign with. Raises: Forbidden NO_PASSWORD for who has none that counts."""
    refuse_password_of_company()
    return SignatureRequest(
        meaning=given["meaning"], password=given["password"],
        # A key has no session, so both components are asked for each time: whose key it is, and the password.
        user_id=given["user_id"].strip().lower() or visitor().user_id,
        accepts_responsibility=given["accepts_responsibility"],
    )  # fmt: skip


def refuse_unread(document: Any, present: str | None, read: str) -> None:
    """Refuse a signature on other content than the one that is there. Raises: Conflict STALE_VERSION."""
    if present is None or read != present:
        raise Conflict(
            f"Expected a signature on {document.number} as it stands, but you read another content, or it waits for none; read it"
            " again",
            code="STALE_VERSION", record=(document.record_type, document.id),
        )  # fmt: skip
