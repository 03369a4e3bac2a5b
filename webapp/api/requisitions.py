"""Requisitions: list, get, write a draft, submit it, cancel it."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from engine import instances
from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Conflict, Forbidden
from engine.stored.instance import InstanceStatus
from processes import withdrawal
from records.requisition import Priority, Requisition, RequisitionLine, RequisitionStatus, move, requisition_hash
from webapp import requisition_form, wording
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.instances import Reason
from webapp.api.marks import StandingMark
from webapp.api.shapes import (
    Answer,
    Exact,
    Instant,
    Listed,
    Nothing,
    Request,
    Truth,
    as_page,
    maybe,
    page_of,
    text,
    word,
)
from webapp.document_page import marks_on
from webapp.pages import requisitions as pages
from webapp.requisition_form import HEADER, LINE, Typed
from webapp.visit import reading


class RequisitionLineAnswer(Answer):
    """One thing asked for. part: a part's or a service's number."""

    id = fields.UUID()
    line_no = fields.Integer()
    part = maybe()
    revision = maybe()
    description = fields.String()
    quantity = Exact()
    uom = fields.String()
    estimated_price = Exact(allow_none=True)
    amount = Exact()
    supplier = maybe()
    need_by = fields.Date(allow_none=True)
    process_code = maybe()
    spec = maybe()
    spec_rev = maybe()
    cost_object = maybe()
    work_order_op = maybe()
    customer_reference = maybe()
    is_single_source = fields.Boolean()
    converted_quantity = Exact()


class RequisitionSummary(Answer):
    """A requisition in a list."""

    id = fields.UUID()
    number = fields.String()
    title = fields.String()
    status = word(RequisitionStatus)
    requester = fields.String()
    cost_centre = fields.String()
    need_by = fields.Date(allow_none=True)
    currency = fields.String()
    total = Exact()
    priority = word(Priority)
    version = fields.Integer()


class OrderOf(Answer):
    """An order that something of a requisition stands on."""

    id = fields.UUID()
    number = fields.String()
    status = fields.String()


class RequisitionDetail(RequisitionSummary):
    """A requisition. wait: what its run waits for, in one sentence, empty without a run; marks: changes that wait for its lines."""

    type = fields.String()
    origin = fields.String()
    project = maybe()
    capex_no = maybe()
    advance_payment = Exact()
    justification = fields.String()
    ship_to = maybe()
    submitted_at = Instant(allow_none=True)
    submitted_hash = maybe()
    approved_hash = maybe()
    instance_id = fields.UUID(allow_none=True)
    wait = fields.String()
    lines = fields.List(fields.Nested(RequisitionLineAnswer))
    orders = fields.List(fields.Nested(OrderOf))
    marks = fields.List(fields.Nested(StandingMark))


class RequisitionLineGiven(Request):
    """A line to write. id: of a line that is there already; without one it is new. part: a part's or a service's number."""

    id = fields.UUID(load_default=None, allow_none=True)
    part = text(40, load_default=None, allow_none=True)
    revision = text(4, load_default=None, allow_none=True)
    description = text(20_000, load_default="")
    quantity = Exact(required=True)
    uom = text(40, load_default="EA")
    estimated_price = Exact(load_default=None, allow_none=True)
    supplier = text(40, load_default=None, allow_none=True)
    need_by = fields.Date(load_default=None, allow_none=True)
    process_code = text(40, load_default=None, allow_none=True)
    spec = text(40, load_default=None, allow_none=True)
    spec_rev = text(40, load_default=None, allow_none=True)
    cost_object = text(200, load_default=None, allow_none=True)
    work_order_op = text(200, load_default=None, allow_none=True)
    customer_reference = text(200, load_default=None, allow_none=True)
    is_single_source = Truth(load_default=False)


class RequisitionChange(Request):
    """What to change; what is left out stays. lines: all of them, since those left out are taken away."""

    title = text(200)
    cost_centre = text(40)
    need_by = fields.Date(allow_none=True)
    currency = text(3)
    priority = word(Priority)
    project = text(40, allow_none=True)
    capex_no = text(40, allow_none=True)
    advance_payment = Exact()
    ship_to = text(4000, allow_none=True)
    justification = text(4000)
    lines = fields.List(fields.Nested(RequisitionLineGiven))


class RequisitionDraft(RequisitionChange):
    """A new draft in the caller's name. currency: the site's when left out."""

    cost_centre = text(40, required=True)


class RequisitionQuery(Listed):
    """What requisitions may be listed by. ``q`` is part of number, title or requester's name."""

    status = word(RequisitionStatus, load_default="")


RequisitionPage = page_of(RequisitionSummary, "RequisitionPage")


def line_values(line: RequisitionLine) -> dict[str, Any]:
    """Return a line as its schema shows it."""
    own = {name: getattr(line, name) for name in RequisitionLineAnswer().fields if hasattr(line, name)}
    return own | {
        "part": line.part_revision.part.part_no if line.part_revision else line.service_code,
        "revision": line.part_revision.rev if line.part_revision else None,
        "supplier": line.supplier.supplier_no if line.supplier else None,
    }


def _summary(requisition: Requisition) -> dict[str, Any]:
    own = {name: getattr(requisition, name) for name in RequisitionSummary().fields if hasattr(requisition, name)}
    return own | {"requester": requisition.requester_id, "cost_centre": requisition.cost_centre.code}


def _show(record_id: str) -> dict[str, Any]:
    session = reading()
    found = pages.find(session, record_id)
    runs = instances.instances_of(session, found.record_type, found.id)
    own = {name: getattr(found, name) for name in RequisitionDetail().fields if hasattr(found, name)}
    return (
        own
        | _summary(found)
        | {
            "lines": [line_values(line) for line in found.lines],
            "orders": [
                {"id": one.id, "number": one.number, "status": one.status} for one in pages.orders_of(session, found)
            ],
            "instance_id": runs[0].id if runs else None,
            "wait": instances.wait_sentence(session, runs[0]) if runs else "",
            "marks": marks_on(session, found),
            "tag": _tag(found),
        }
    )


def _tag(requisition: Requisition) -> str:
    """Return the ETag: the version, and the content, since a line may change without its document's row."""
    return f"{requisition.version}-{content_hash([requisition_hash(requisition), [line.version for line in requisition.lines]])[:12]}"


def tag_of(found: Any) -> str:
    """Return the ETag of what is shown."""
    return str(found["tag"])


@reads(
    "/requisitions", scope="requisitions:read", summary="List requisitions, newest first", query=RequisitionQuery,
    answer=RequisitionPage,
)  # fmt: skip
def list_requisitions(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in number, title and requester."""
    found = pages.look_up(q, status, after, limit=limit)
    return as_page(found) | {"items": [_summary(one) for one in found.items]}


@reads(
    "/requisitions/<record_id>",
    scope="requisitions:read",
    summary="Get a requisition",
    answer=RequisitionDetail,
    etag=tag_of,
)
def get_requisition(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _show(record_id)


@writes(
    "POST", "/requisitions", scope="requisitions:write", summary="Write a draft", body=RequisitionDraft,
    answer=RequisitionDetail, status=201, render=_show, etag=tag_of, person=True,
)  # fmt: skip
def create_requisition(act: Act, body: dict[str, Any]) -> str:
    """Write it in the caller's name, who must be a requester."""
    pages.refuse_others()
    empty = Typed(dict.fromkeys(HEADER, "") | {"currency": pages.blank(reading()).currency}, [])
    return pages.write_new(act, _typed_over(empty, body)).id


@writes(
    "PATCH", "/requisitions/<record_id>", scope="requisitions:write", summary="Change a draft or returned requisition",
    body=RequisitionChange, answer=RequisitionDetail, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def change_requisition(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Change one's own."""
    found = pages.find(act.session, record_id)
    pages.refuse_edit(found)
    bodies.seen_tag(_tag(found))
    present = requisition_form.typed_of(found, wording.plain_number)
    return pages.rewrite(act, found, _typed_over(present, body)).id


@writes(
    "POST", "/requisitions/<record_id>/submission", scope="requisitions:write", summary="Submit a draft: start its process",
    body=Nothing, answer=RequisitionDetail, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def submit_requisition(act: Act, _body: dict[str, Any], record_id: str) -> str:
    """Submit one's own; what is missing is said at once."""
    found = pages.find(act.session, record_id)
    pages.refuse_edit(found)
    bodies.seen_tag(_tag(found))
    pages.submit(act, found)
    return found.id


@writes(
    "POST", "/requisitions/<record_id>/cancellation", scope="requisitions:write", summary="Cancel a draft", body=Reason,
    answer=RequisitionDetail, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def cancel_requisition(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Cancel one's own draft. One that is under way is withdrawn, so that approvers and budget are told."""
    found = pages.find(act.session, record_id)
    if found.requester_id != act.user_id:
        name = wording.person_name(found.requester_id)
        raise Forbidden(f"Expected {name}, who requested {found.number}, to cancel it, but you are somebody else.")
    bodies.seen_tag(_tag(found))
    running = [
        one
        for one in instances.instances_of(act.session, found.record_type, found.id)
        if one.status == InstanceStatus.RUNNING
    ]
    if running or found.status is not RequisitionStatus.DRAFT:
        raise Conflict(
            f"Expected {found.number} to be a draft that is not under way, but it is {found.status}. Withdraw it while it is"
            " undecided.",
            code="ILLEGAL_TRANSITION",
        )
    return move(act, found, RequisitionStatus.CANCELLED, reason=body["reason"]).id


@writes(
    "POST", "/requisitions/<record_id>/withdrawal", scope="requisitions:write",
    summary="Withdraw a requisition that is still undecided", body=Reason, answer=RequisitionDetail, render=_show,
    etag=tag_of, match=True, person=True,
)  # fmt: skip
def withdraw_requisition(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Take back one's own while others decide: its process ends, its signatures are superseded, whoever was asked is told."""
    found = pages.find(act.session, record_id)
    withdrawal.refuse_others(act, found)
    bodies.seen_tag(_tag(found))
    withdrawal.withdraw_requisition(act, found, reason=body["reason"])
    return found.id


def _typed_over(present: Typed, body: dict[str, Any]) -> Typed:
    """Write a body over what stands in the form, as one would type it."""
    header = present.header | {name: _as_typed(body[name]) for name in HEADER if name in body}
    if "lines" not in body:
        return Typed(header, present.lines)
    return Typed(header, [{name: _as_typed(line[name]) for name in LINE} for line in body["lines"]])


def _as_typed(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "true"
    return f"{value:f}" if hasattr(value, "as_tuple") else str(value)
