"""Deviation authorities: list, get, and permit, as quality or engineering and with a signature."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy import select

from engine.act import Act
from engine.database import is_id
from engine.errors import NotFound
from processes.nonconformances import permit_deviation
from records.nonconformance import DeviationAuthority, DeviationStatus
from webapp import listing
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Exact, Instant, Listed, Request, as_page, maybe, page_of, text, word
from webapp.api.signing import SignatureGiven, signature_given
from webapp.pages.changes import revision_called
from webapp.visit import reading


class DeviationAnswer(Answer):
    """Leave to depart from the definition, for a number of pieces and until a day (inclusive). change_order_id: the emergency it is of."""

    id = fields.UUID()
    number = fields.String()
    title = fields.String()
    description = fields.String()
    part_revision = maybe()
    quantity = Exact()
    uom = fields.String()
    expires_on = fields.Date()
    status = word(DeviationStatus)
    approved_by_id = maybe()
    approved_at = Instant(allow_none=True)
    customer_reference = maybe()
    change_order_id = maybe()
    closed_at = Instant(allow_none=True)
    closed_reason = maybe()
    version = fields.Integer()


class DeviationQuery(Listed):
    """What deviation authorities may be listed by. ``q`` is part of a number or the title."""

    status = word(DeviationStatus, load_default="")


class DeviationGiven(Request):
    """What may differ, for how many pieces and until which day (inclusive). part_revision: `P-200/B`."""

    title = text(200, required=True)
    description = text(4000, load_default="")
    part_revision = text(60, allow_none=True, load_default=None)
    quantity = Exact(required=True)
    uom = text(40, load_default="EA")
    expires_on = fields.Date(required=True)
    customer_reference = text(200, allow_none=True, load_default=None)
    signature = fields.Nested(SignatureGiven, required=True)


DeviationPage = page_of(DeviationAnswer, "DeviationPage")


def _as_deviation(one: DeviationAuthority) -> dict[str, Any]:
    revision = one.part_revision.number if one.part_revision is not None else None
    return {name: getattr(one, name) for name in DeviationAnswer().fields} | {"part_revision": revision}


def tag_of(found: Any) -> str:
    """Return the ETag of what is shown."""
    return str(found["version"])


@reads(
    "/deviations", scope="rules:read", summary="List deviation authorities by number", query=DeviationQuery, answer=DeviationPage,
)  # fmt: skip
def list_deviations(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in numbers and titles."""
    wanted = select(DeviationAuthority)
    if q:
        wanted = wanted.where(listing.contains(q, DeviationAuthority.number, DeviationAuthority.title))
    if status:
        wanted = wanted.where(DeviationAuthority.status == status)
    found = listing.by_key(
        reading(), wanted, DeviationAuthority.number, query=q, state=status, after=after, limit=limit
    )
    return as_page(found) | {"items": [_as_deviation(one) for one in found.items]}


@reads(
    "/deviations/<record_id>", scope="rules:read", summary="Get a deviation authority", answer=DeviationAnswer, etag=tag_of,
)  # fmt: skip
def get_deviation(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    found = reading().get(DeviationAuthority, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a deviation authority with this id, but there is none.")
    return _as_deviation(found)


@writes(
    "POST", "/deviations", scope="rules:write", summary="Permit a deviation", body=DeviationGiven, answer=DeviationAnswer,
    render=get_deviation, etag=tag_of, status=201, person=True,
)  # fmt: skip
def permit(act: Act, body: dict[str, Any]) -> str:
    """It stands at once, signed with what it permits by whoever gives it."""
    named = body.pop("part_revision")
    revision = revision_called(act.session, named, "part_revision") if named else None
    signed, pieces, until = signature_given(body.pop("signature")), body.pop("quantity"), body.pop("expires_on")
    return permit_deviation(act, pieces, until, part_revision=revision, request=signed, **body).id
