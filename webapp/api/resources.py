"""Machines, gauges and people, with calibration and qualifications; work centres with their rates."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import is_id
from engine.errors import Invalid, NotFound
from processes import resources
from records.resource import Resource, ResourceKind, WorkCentre, work_centre_called
from webapp import listing, visit
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Exact, Listed, Request, Truth, Whole, as_page, maybe, page_of, text, word
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
    calibration_interval_days = fields.Integer(allow_none=True)
    qualifications = fields.List(fields.String())
    version = fields.Integer()


class ResourceGiven(Request):
    """What may be kept of a resource; what is left out stays."""

    name = text(200)
    work_centre = text(40, allow_none=True)
    user_id = text(60, allow_none=True)
    serial = text(200, allow_none=True)
    location = text(200)
    is_validated = Truth()
    is_active = Truth()
    out_of_service = text(4000, allow_none=True)
    calibration_interval_days = Whole(allow_none=True)
    calibration_due = fields.Date(allow_none=True)
    last_good_on = fields.Date(allow_none=True)


class NewResource(ResourceGiven):
    """A machine, a gauge or a person under the code of the shop floor."""

    kind = word(ResourceKind, required=True)
    code = text(40, required=True)


class QualificationGiven(Request):
    """A process that a person may perform. expires_on: the last day, null where there is none."""

    process_code = text(40, required=True)
    qualified_on = fields.Date(required=True)
    expires_on = fields.Date(allow_none=True, load_default=None)
    evidence = text(200, load_default="")


class RateGiven(Request):
    """What an hour costs from a day on, in the centre's currency."""

    valid_from = fields.Date(required=True)
    labour_rate = Exact(required=True)
    machine_rate = Exact(required=True)


class RateAnswer(Answer):
    """The rates from a day on, per hour."""

    valid_from = fields.Date()
    labour_rate = Exact()
    machine_rate = Exact()


class WorkCentreAnswer(Answer):
    """A group of equally qualified machines. labour_rate, machine_rate: per hour before the first dated rate."""

    id = fields.UUID()
    code = fields.String()
    name = fields.String()
    currency = fields.String()
    labour_rate = Exact()
    machine_rate = Exact()
    rates = fields.List(fields.Nested(RateAnswer))
    version = fields.Integer()


class ResourceQuery(Listed):
    """What resources may be listed by."""

    kind = word(ResourceKind, load_default="")


ResourcePage = page_of(ResourceAnswer, "ResourcePage")
WorkCentrePage = page_of(WorkCentreAnswer, "WorkCentrePage")


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


def tag_of(found: Any) -> str:
    """Return the ETag of what is shown."""
    return str(found["version"])


def _find(session: Session, record_id: str) -> Resource:
    found = session.get(Resource, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a resource with this id, but there is none.")
    return found


def _show(record_id: str) -> dict[str, Any]:
    return _as_resource(_find(reading(), record_id))


@reads(
    "/resources/<record_id>", scope="work_orders:read", summary="Get a machine, a gauge or a person", answer=ResourceAnswer,
    etag=tag_of,
)  # fmt: skip
def get_resource(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _show(record_id)


@writes(
    "POST", "/resources", scope="work_orders:write", summary="Keep a new machine, gauge or person", body=NewResource,
    answer=ResourceAnswer, render=_show, etag=tag_of, status=201, person=True,
)  # fmt: skip
def create_resource(act: Act, body: dict[str, Any]) -> str:
    """Metrology and maintenance keep machines and gauges, quality keeps people."""
    values = _values(act.session, body)
    kind, code = ResourceKind(values.pop("kind")), values.pop("code")
    return resources.add(act, kind, code, **values).id


@writes(
    "PATCH", "/resources/<record_id>", scope="work_orders:write", summary="Change what is known of a resource", body=ResourceGiven,
    answer=ResourceAnswer, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def change_resource(act: Act, body: dict[str, Any], record_id: str) -> str:
    """What is left out stays."""
    found = _find(act.session, record_id)
    bodies.seen_tag(str(found.version))
    return resources.keep(act, found, **_values(act.session, body)).id


def _values(session: Session, body: dict[str, Any]) -> dict[str, Any]:
    values = dict(body)
    if "work_centre" in values:
        code = values.pop("work_centre")
        try:
            values["work_centre_id"] = work_centre_called(session, code).id if code else None
        except NotFound as refusal:
            raise Invalid(refusal.message, {"work_centre": "is unknown"}) from refusal
    return values


@writes(
    "POST", "/resources/<record_id>/qualifications", scope="work_orders:write", summary="Qualify a person for a process",
    body=QualificationGiven, answer=ResourceAnswer, render=_show, etag=tag_of, status=201, person=True,
)  # fmt: skip
def qualify_person(act: Act, body: dict[str, Any], record_id: str) -> str:
    """By quality, and by somebody else than the person."""
    found = _find(act.session, record_id)
    resources.qualify(act, found, body.pop("process_code"), **body)
    return found.id


@reads(
    "/work-centres", scope="work_orders:read", summary="List work centres by code, with their rates", query=Listed,
    answer=WorkCentrePage,
)  # fmt: skip
def list_work_centres(*, q: str, after: str, limit: int) -> Any:
    """With every dated rate, those to come included."""
    wanted = select(WorkCentre)
    if q:
        wanted = wanted.where(listing.contains(q, WorkCentre.code, WorkCentre.name))
    found = listing.by_key(reading(), wanted, WorkCentre.code, query=q, state="", after=after, limit=limit)
    return as_page(found) | {"items": [_as_centre(one) for one in found.items]}


def _as_centre(one: WorkCentre) -> dict[str, Any]:
    rates = [{name: getattr(rate, name) for name in RateAnswer().fields} for rate in one.rates]
    return {name: getattr(one, name) for name in WorkCentreAnswer().fields} | {"rates": rates}


def _find_centre(session: Session, record_id: str) -> WorkCentre:
    found = session.get(WorkCentre, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a work centre with this id, but there is none.")
    return found


def _show_centre(record_id: str) -> dict[str, Any]:
    return _as_centre(_find_centre(reading(), record_id))


@writes(
    "POST", "/work-centres/<record_id>/rates", scope="work_orders:write", summary="Set the rates of a work centre from a day on",
    body=RateGiven, answer=WorkCentreAnswer, render=_show_centre, etag=tag_of, status=201, person=True,
)  # fmt: skip
def set_work_centre_rate(act: Act, body: dict[str, Any], record_id: str) -> str:
    """By the financial controller; a rate is written once, and hours that are booked keep theirs."""
    found = _find_centre(act.session, record_id)
    resources.set_rate(act, found, **body)
    return found.id
