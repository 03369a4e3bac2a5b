"""Machines, gauges and people, with calibration and qualifications."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy import select

from records.resource import Resource, ResourceKind
from webapp import listing, visit
from webapp.api.endpoints import reads
from webapp.api.shapes import Answer, Listed, as_page, maybe, page_of, word
from webapp.visit import reading


class ResourceAnswer(Answer):
    """A machine, a gauge or a person. qualifications: process codes that hold today."""

    id = fields.UUID()
    code = fields.String()
    name = fields.String()
    kind = word(ResourceKind)
    work_centre = maybe()
    is_active = fields.Boolean()
    calibration_due = fields.Date(allow_none=True)
    last_good_on = fields.Date(allow_none=True)
    qualifications = fields.List(fields.String())


class ResourceQuery(Listed):
    """What resources may be listed by."""

    kind = word(ResourceKind, load_default="")


ResourcePage = page_of(ResourceAnswer, "ResourcePage")


@reads(
    "/resources", scope="work_orders:read", summary="List machines, gauges and people by code", query=ResourceQuery,
    answer=ResourcePage,
)  # fmt: skip
def list_resources(*, q: str, kind: str, after: str, limit: int) -> Any:
    """With calibration due and the qualifications that hold today."""
    wanted = select(Resource)
    if q:
        wanted = wanted.where(listing.contains(q, Resource.code, Resource.name))
    if kind:
        wanted = wanted.where(Resource.kind == kind)
    found = listing.by_key(reading(), wanted, Resource.code, query=q, state=kind, after=after, limit=limit)
    return as_page(found) | {"items": [_as_resource(one) for one in found.items]}


def _as_resource(one: Resource) -> dict[str, Any]:
    today = visit.now().date()
    own = {name: getattr(one, name, None) for name in ResourceAnswer().fields}
    return own | {
        "work_centre": one.work_centre.code if one.work_centre else None,
        "qualifications": [each.process_code for each in one.qualifications if each.holds_on(today)],
    }
