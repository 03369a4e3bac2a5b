"""Deviation authorities: list and get; quality permits one with its signature, on the page."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy import select

from engine.database import is_id
from engine.errors import NotFound
from records.nonconformance import DeviationAuthority, DeviationStatus
from webapp import listing
from webapp.api.endpoints import reads
from webapp.api.shapes import Answer, Exact, Instant, Listed, as_page, maybe, page_of, word
from webapp.visit import reading


class DeviationAnswer(Answer):
    """Leave to depart from the definition, for a number of pieces and until a day (inclusive)."""

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
    version = fields.Integer()


class DeviationQuery(Listed):
    """What deviation authorities may be listed by. ``q`` is part of a number or the title."""

    status = word(DeviationStatus, load_default="")


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
