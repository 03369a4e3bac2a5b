"""Legal holds: list, place on a document, lift; each step signed."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import is_id
from engine.errors import NotFound
from processes import legal_holding
from records.legal_hold import HoldStatus, LegalHold
from webapp import listing
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Instant, Listed, Request, as_page, maybe, page_of, text, word
from webapp.api.signing import SignatureGiven, signature_given
from webapp.visit import reading


class LegalHoldAnswer(Answer):
    """Who keeps which record from being deleted, and why. placed_hash, lifted_hash: what the two signatures are on."""

    id = fields.UUID()
    number = fields.String()
    record_type = fields.String(attribute="about_type")
    record_id = fields.String(attribute="about_id")
    record_name = fields.String()
    reason = fields.String()
    status = word(HoldStatus)
    placed_at = Instant()
    placed_by = fields.String()
    placed_hash = fields.String()
    lifted_at = Instant(allow_none=True)
    lifted_by = maybe()
    lift_reason = fields.String()
    lifted_hash = maybe()
    version = fields.Integer()


class LegalHoldQuery(Listed):
    """What holds may be listed by. ``q`` is part of the number of the hold or of its record, or of the reason."""

    status = word(HoldStatus, load_default="")


class HoldSigned(Request):
    """Why, and who signs for it; the meaning is APPROVED."""

    reason = text(4000, required=True)
    signature = fields.Nested(SignatureGiven, required=True)


class HoldGiven(HoldSigned):
    """A hold to place. record: the number or id of a document."""

    record = text(200, required=True)


LegalHoldPage = page_of(LegalHoldAnswer, "LegalHoldPage")


def tag_of(hold: LegalHold) -> str:
    """Return the ETag of what is shown."""
    return str(hold.version)


def find(session: Session, record_id: str) -> LegalHold:
    """Return a hold. Raises: NotFound."""
    found = session.get(LegalHold, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a legal hold with this id, but there is none.")
    return found


def _show(record_id: str) -> LegalHold:
    return find(reading(), record_id)


@reads(
    "/legal-holds",
    scope="evidence:read",
    summary="List legal holds, newest first",
    query=LegalHoldQuery,
    answer=LegalHoldPage,
)
def list_legal_holds(*, q: str, status: str, after: str, limit: int) -> Any:
    """Filter by status."""
    wanted = select(LegalHold)
    if q:
        wanted = wanted.where(listing.contains(q, LegalHold.number, LegalHold.record_name, LegalHold.reason))
    if status:
        wanted = wanted.where(LegalHold.status == status)
    return as_page(listing.newest_first(reading(), wanted, LegalHold, query=q, state=status, after=after, limit=limit))


@reads(
    "/legal-holds/<record_id>", scope="evidence:read", summary="Get a legal hold", answer=LegalHoldAnswer, etag=tag_of
)
def get_legal_hold(record_id: str) -> LegalHold:
    """Find it by id."""
    return _show(record_id)


@writes(
    "POST", "/legal-holds", scope="evidence:hold", summary="Place a legal hold on a document", body=HoldGiven, answer=LegalHoldAnswer,
    render=_show, etag=tag_of, status=201, person=True,
)  # fmt: skip
def place_legal_hold(act: Act, body: dict[str, Any]) -> str:
    """As one of those that the table of signers names; nothing of the record is deleted until it is lifted."""
    return legal_holding.place(act, body, signature_given(body["signature"])).id


@writes(
    "POST", "/legal-holds/<record_id>/lift", scope="evidence:hold", summary="Lift a legal hold", body=HoldSigned,
    answer=LegalHoldAnswer, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def lift_legal_hold(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Once and for good, with a reason."""
    hold = find(act.session, record_id)
    bodies.seen_tag(tag_of(hold))
    return legal_holding.lift(act, hold, signature_given(body["signature"]), reason=body["reason"]).id
