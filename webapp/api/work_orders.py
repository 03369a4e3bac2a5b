"""Work orders: list, get, make, release and the other acts; events, each counted once; resources."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from marshmallow import fields, validate
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Forbidden, Invalid, NotFound, Refused
from processes import work_orders
from processes.work_order_planning import SYSTEMS, revision_called
from processes.work_orders import Event
from records.actual import Actual, ActualKind, actuals_of
from records.nonconformance import DeviationAuthority, Nonconformance
from records.resource import Resource, ResourceKind, resource_called
from records.routing import OperationKind
from records.work_order import CostKind, OperationStatus, WorkOrder, WorkOrderOperation, WorkOrderStatus, WorkOrderType
from webapp import listing, visit, work_order_doors
from webapp.api import bodies, callers
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Exact, Instant, Listed, Request, Truth, Whole, as_page, maybe, page_of, text, word
from webapp.pages import work_orders as pages
from webapp.visit import reading, visitor

MOST_EVENTS = 500


class WorkOrderOperationAnswer(Answer):
    """One step. quantity_in: pieces that reached it, null until they did."""

    id = fields.UUID()
    op_no = fields.Integer()
    kind = word(OperationKind)
    description = fields.String()
    work_centre = maybe()
    supplier_no = maybe()
    process_code = maybe()
    is_special = fields.Boolean()
    spec = maybe()
    spec_rev = maybe()
    instruction = maybe()
    instruction_rev = maybe()
    status = word(OperationStatus)
    quantity_in = Exact(allow_none=True)
    good = Exact()
    scrap = Exact()
    rework = Exact()
    planned_start = fields.Date(allow_none=True)
    planned_finish = fields.Date(allow_none=True)
    started_at = Instant(allow_none=True)
    completed_at = Instant(allow_none=True)


class CostCause(Answer):
    """A part of the variance: price, usage, rate, outside or unassigned."""

    cause = fields.String()
    amount = Exact()


class CostAnswer(Answer):
    """What it cost. The causes add up to the variance exactly."""

    currency = fields.String()
    material = Exact()
    labour = Exact()
    machine = Exact()
    outside = Exact()
    total = Exact()
    standard = Exact(allow_none=True)
    variance = Exact(allow_none=True)
    percent = Exact(allow_none=True)
    causes = fields.List(fields.Nested(CostCause))


class ActualAnswer(Answer):
    """One event as it was recorded. reverses: the source's id of the event it takes back."""

    id = fields.UUID()
    kind = word(ActualKind)
    system = fields.String()
    event_id = fields.String()
    event_time = Instant()
    op_no = fields.Integer(allow_none=True)
    performer = fields.String()
    resource = maybe()
    quantity = Exact(allow_none=True)
    uom = maybe()
    item = maybe()
    lot = maybe()
    unit_cost = Exact(allow_none=True)
    amount = Exact(allow_none=True)
    name = maybe()
    value = Exact(allow_none=True)
    unit = maybe()
    lower = Exact(allow_none=True)
    upper = Exact(allow_none=True)
    good = Exact(allow_none=True)
    scrap = Exact(allow_none=True)
    rework = Exact(allow_none=True)
    reverses = maybe()
    reason = fields.String()


class WorkOrderSummary(Answer):
    """A work order in a list. system and native_id: where it lives, and what it is called there."""

    id = fields.UUID()
    number = fields.String()
    system = fields.String()
    native_id = fields.String()
    type = word(WorkOrderType)
    status = word(WorkOrderStatus)
    item = fields.String()
    quantity = Exact()
    uom = fields.String()
    planned_start = fields.Date(allow_none=True)
    planned_finish = fields.Date(allow_none=True)
    priority = fields.Integer()
    version = fields.Integer()


class WorkOrderDetail(WorkOrderSummary):
    """A work order with its operations, cost and what has moved on since its release."""

    part_revision = maybe()
    resource = maybe()
    serial = maybe()
    project = maybe()
    customer = maybe()
    service_location = maybe()
    due_rule = fields.String()
    contract_ref = maybe()
    nonconformance = maybe()
    deviation = maybe()
    parent_id = fields.UUID(allow_none=True)
    description = fields.String()
    snapshot_hash = maybe()
    approved_hash = maybe()
    standard_cost = Exact(allow_none=True)
    currency = fields.String()
    released_at = Instant(allow_none=True)
    completed_at = Instant(allow_none=True)
    closed_at = Instant(allow_none=True)
    hold_reason = maybe()
    hold_owner = maybe()
    warnings = fields.List(fields.String())
    operations = fields.List(fields.Nested(WorkOrderOperationAnswer))
    cost = fields.Nested(CostAnswer)


class ActualList(Answer):
    """What was recorded, oldest first."""

    items = fields.List(fields.Nested(ActualAnswer))
    next = maybe()


class OperationGiven(Request):
    """One step of a new work order."""

    op_no = Whole(required=True, validate=validate.Range(1, 9999, error="Expected {min} to {max}, but found {input}"))
    description = fields.String(
        required=True, validate=validate.Length(1, 4000, error="Expected {min} to {max} characters")
    )
    kind = word(OperationKind, load_default=OperationKind.INTERNAL.value)
    work_centre = text(40, allow_none=True)
    process_code = text(40, allow_none=True)
    is_special = Truth(load_default=False)
    spec = text(40, allow_none=True)
    spec_rev = text(40, allow_none=True)
    instruction = text(40, allow_none=True)
    instruction_rev = text(40, allow_none=True)
    planned_start = fields.Date(allow_none=True)
    planned_finish = fields.Date(allow_none=True)


class StandardGiven(Request):
    """One component of the standard. item: part number, work centre or process."""

    kind = word(CostKind, required=True)
    item = fields.String(required=True, validate=validate.Length(1, 40, error="Expected {min} to {max} characters"))
    quantity = Exact(required=True)
    unit_cost = Exact(required=True)
    uom = text(40, allow_none=True)


class NewWorkOrder(Request):
    """A work order to plan. Without operations those of the part's routing are copied."""

    type = word(WorkOrderType, required=True)
    system = word(SYSTEMS, load_default="LOCKSTEP")
    native_id = text(200, allow_none=True, load_default=None)
    quantity = Exact(load_default=None, allow_none=True)
    uom = text(40, allow_none=True, load_default=None)
    part_revision = text(60, allow_none=True, load_default=None, metadata={"description": "`P-200/B`."})
    resource = text(40, allow_none=True, load_default=None)
    nonconformance = text(40, allow_none=True, load_default=None)
    deviation = text(40, allow_none=True, load_default=None)
    planned_start = fields.Date(allow_none=True)
    planned_finish = fields.Date(allow_none=True)
    priority = Whole(validate=validate.Range(1, 9, error="Expected {min} to {max}, but found {input}"))
    project = text(200, allow_none=True)
    serial = text(200, allow_none=True)
    customer = text(200, allow_none=True)
    service_location = text(200, allow_none=True)
    due_rule = text(200)
    contract_ref = text(200, allow_none=True)
    planned_order_ref = text(200, allow_none=True)
    description = text(20_000)
    operations = fields.List(
        fields.Nested(OperationGiven), allow_none=True, load_default=None, validate=validate.Length(max=200)
    )
    standards = fields.List(fields.Nested(StandardGiven), load_default=list, validate=validate.Length(max=200))


class ActGiven(Request):
    """Why. Needed to hold, lift and cancel."""

    reason = text(4000, load_default="")


class SplitGiven(Request):
    """The pieces of each part; together they are all of the order's, without what is scrap or rework."""

    quantities = fields.List(
        Exact(required=True), required=True, validate=validate.Length(2, 100, error="Expected {min} to {max} parts")
    )


class PlanGiven(Request):
    """Days and priority; what is left out stays."""

    planned_start = fields.Date(allow_none=True)
    planned_finish = fields.Date(allow_none=True)
    priority = Whole(validate=validate.Range(1, 9, error="Expected {min} to {max}, but found {input}"))
    reason = text(4000, load_default="")


class StatusSeen(Request):
    """What the home system shows."""

    system = word(SYSTEMS, required=True)
    status = word(WorkOrderStatus, required=True)


class EventGiven(Request):
    """One event of a source. event_id: the source's own; the same one again is answered and moves nothing."""

    system = fields.String(
        required=True, validate=validate.OneOf(SYSTEMS, error="Expected one of {choices}, but found “{input}”")
    )
    event_id = fields.String(
        required=True, validate=validate.Length(1, 200, error="Expected {min} to {max} characters")
    )
    kind = word(ActualKind, required=True)
    work_order = fields.String(
        required=True, validate=validate.Length(1, 200, error="Expected {min} to {max} characters")
    )
    event_time = fields.String(allow_none=True, metadata={"format": "date-time"}, validate=validate.Length(max=40))
    op_no = Whole(allow_none=True)
    performer = text(200)
    resource = text(40, allow_none=True)
    quantity = Exact(allow_none=True)
    uom = text(40, allow_none=True)
    item = text(40, allow_none=True)
    lot = text(200, allow_none=True)
    unit_cost = Exact(allow_none=True)
    order_line_id = fields.UUID(allow_none=True)
    contract_ref = text(200, allow_none=True)
    name = text(200, allow_none=True)
    value = Exact(allow_none=True)
    text_value = text(4000, allow_none=True)
    unit = text(40, allow_none=True)
    lower = Exact(allow_none=True)
    upper = Exact(allow_none=True)
    good = Exact(allow_none=True)
    scrap = Exact(allow_none=True)
    rework = Exact(allow_none=True)
    serials = text(4000)
    reverses = text(200, allow_none=True)
    reason = text(4000)


class EventBatch(Request):
    """Events in the order they happened; each stands or falls by itself."""

    events = fields.List(
        fields.Nested(EventGiven), required=True,
        validate=validate.Length(1, MOST_EVENTS, error="Expected {min} to {max} events"),
    )  # fmt: skip


class EventAnswer(Answer):
    """What became of one event: recorded, already handled, or refused with the reason."""

    event_id = fields.String()
    answer = fields.String()
    actual_id = fields.UUID(allow_none=True)
    code = maybe()
    detail = maybe()


class EventAnswers(Answer):
    """What became of each event, in their order."""

    items = fields.List(fields.Nested(EventAnswer))
    recorded = fields.Integer()
    repeated = fields.Integer()
    refused = fields.Integer()


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


class WorkOrderQuery(Listed):
    """What work orders may be listed by. ``q`` is part of a number, a part, a system, a type or a project."""

    status = word(WorkOrderStatus, load_default="")


class ResourceQuery(Listed):
    """What resources may be listed by."""

    kind = word(ResourceKind, load_default="")


WorkOrderPage = page_of(WorkOrderSummary, "WorkOrderPage")
ResourcePage = page_of(ResourceAnswer, "ResourcePage")


def _summary(order: WorkOrder) -> dict[str, Any]:
    return {name: getattr(order, name) for name in WorkOrderSummary().fields}


def _step(operation: WorkOrderOperation) -> dict[str, Any]:
    own = {name: getattr(operation, name, None) for name in WorkOrderOperationAnswer().fields}
    return own | {
        "work_centre": operation.work_centre.code if operation.work_centre else None,
        "supplier_no": operation.supplier.supplier_no if operation.supplier else None,
    }


def _show(record_id: str) -> dict[str, Any]:
    order = pages.find(reading(), record_id)
    cost = work_orders.cost_of(reading(), order)
    named = {name: getattr(order, name) for name in ("part_revision", "resource", "nonconformance", "deviation")}
    return {name: getattr(order, name, None) for name in WorkOrderDetail().fields} | {
        **{name: each.number if each is not None else None for name, each in named.items()},
        "warnings": work_orders.warnings_of(reading(), order),
        "operations": [_step(operation) for operation in order.operations],
        "cost": {name: getattr(cost, name) for name in CostAnswer().fields}
        | {"causes": [{"cause": cause, "amount": amount} for cause, amount in cost.causes.items()]},
    }


def tag_of(found: Any) -> str:
    """Return the ETag of what is shown."""
    return str(found["version"])


@reads(
    "/work-orders", scope="work_orders:read", summary="List work orders, newest first", query=WorkOrderQuery, answer=WorkOrderPage,
)  # fmt: skip
def list_work_orders(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in numbers, parts, systems, types and projects."""
    found = pages.look_up(q, status, after, limit=limit)
    return as_page(found) | {"items": [_summary(one) for one in found.items]}


@reads(
    "/work-orders/<record_id>",
    scope="work_orders:read",
    summary="Get a work order",
    answer=WorkOrderDetail,
    etag=tag_of,
)
def get_work_order(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _show(record_id)


@reads(
    "/work-orders/<record_id>/actuals", scope="work_orders:read", summary="List what was recorded for a work order",
    answer=ActualList,
)  # fmt: skip
def list_actuals(record_id: str) -> dict[str, Any]:
    """Oldest first, all of them."""
    found = actuals_of(reading(), pages.find(reading(), record_id))
    return {"items": [_actual(one) for one in found], "next": None}


def _actual(actual: Actual) -> dict[str, Any]:
    own = {name: getattr(actual, name, None) for name in ActualAnswer().fields}
    return own | {
        "system": actual.source_system, "event_id": actual.source_event_id, "lot": actual.lot_no,
        "op_no": actual.operation.op_no if actual.operation else None,
        "resource": actual.resource.code if actual.resource else None,
        "reverses": actual.reverses.source_event_id if actual.reverses else None,
    }  # fmt: skip


@writes(
    "POST", "/work-orders", scope="work_orders:write", summary="Plan a work order", body=NewWorkOrder, answer=WorkOrderDetail,
    render=_show, etag=tag_of, status=201,
)  # fmt: skip
def create_work_order(act: Act, body: dict[str, Any]) -> str:
    """Plan it, or mirror one that another system planned; each type needs what defines it."""
    if not callers.is_adapter():
        work_order_doors.need(visitor(), "plan", None)
    values = {name: value for name, value in body.items() if name != "type" and value is not None}
    session = act.session
    found: dict[str, Callable[[Session, str], Any]] = {
        "part_revision": revision_called, "resource": _resource, "nonconformance": _nonconformance, "deviation": _deviation,
    }  # fmt: skip
    for name, find in found.items():
        if name in values:
            values[name] = find(session, values[name])
    return work_orders.create(act, body["type"], **values).id


def _resource(session: Session, code: str) -> Resource:
    try:
        return resource_called(session, code)
    except NotFound as refusal:
        raise Invalid(refusal.message, {"resource": "is unknown"}) from refusal


def _nonconformance(session: Session, number: str) -> Nonconformance:
    found = session.scalar(select(Nonconformance).where(Nonconformance.number == number))
    if found is None:
        raise Invalid(f"Expected a known nonconformance, but found “{number}”", {"nonconformance": "is unknown"})
    return found


def _deviation(session: Session, number: str) -> DeviationAuthority:
    found = session.scalar(select(DeviationAuthority).where(DeviationAuthority.number == number))
    if found is None:
        raise Invalid(f"Expected a known deviation authority, but found “{number}”", {"deviation": "is unknown"})
    return found


def _moving(verb: str, summary: str, words: str) -> Callable[..., str]:
    def carry_out(act: Act, body: dict[str, Any], record_id: str) -> str:
        order = pages.find(act.session, record_id)
        bodies.seen_tag(str(order.version))
        if callers.is_adapter():
            raise Forbidden(
                "Expected the key of a person, but an adapter tells what its system shows: PUT …/status",
                code="ADAPTER_KEY",
            )
        work_order_doors.need(visitor(), verb, order)
        pages.MOVES[verb](act, order, body["reason"])
        return order.id

    carry_out.__name__, carry_out.__doc__ = f"{verb}_work_order", words
    registered: Callable[..., str] = writes(
        "POST", f"/work-orders/<record_id>/{verb}", scope="work_orders:write", summary=summary, body=ActGiven,
        answer=WorkOrderDetail, render=_show, etag=tag_of, match=True,
    )(carry_out)  # fmt: skip
    return registered


firm_work_order = _moving("firm", "Make a work order firm", "Take today's instructions and work out who must sign.")
release_work_order = _moving("release", "Release a work order", "Judge the gate as a whole and freeze the routing.")
hold_work_order = _moving("hold", "Put a work order on hold", "Stop its events until the hold is lifted.")
lift_work_order = _moving("lift", "Lift the hold of a work order", "Let it go on where it stopped.")
cancel_work_order = _moving("cancel", "Cancel a work order", "Give it up; nothing of it may be at a supplier.")
complete_work_order = _moving(
    "complete", "Accept a work order as complete", "Every operation is complete, another accepts."
)
close_work_order = _moving("close", "Close a work order", "No gap, no actual without a cost.")


@writes(
    "POST", "/work-orders/<record_id>/split", scope="work_orders:write", summary="Split a work order", body=SplitGiven,
    answer=WorkOrderDetail, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def split_work_order(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Divide it into planned ones named after it (``WO-7001-1``), which list it as their parent; it is history then."""
    order = pages.find(act.session, record_id)
    bodies.seen_tag(str(order.version))
    work_order_doors.need(visitor(), "split", order)
    work_orders.split(act, order, body["quantities"])
    return order.id


@writes(
    "PATCH", "/work-orders/<record_id>", scope="work_orders:write", summary="Move a work order in time or importance",
    body=PlanGiven, answer=WorkOrderDetail, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def replan_work_order(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Days and priority are the planner's until it has ended; everything else of a released one is frozen."""
    order = pages.find(act.session, record_id)
    bodies.seen_tag(str(order.version))
    work_order_doors.need(visitor(), "plan", order)
    kept = {name: getattr(order, name) for name in ("planned_start", "planned_finish", "priority")}
    work_orders.replan(act, order, **{**kept, **body})
    return order.id


@writes(
    "PUT", "/work-orders/<record_id>/status", scope="work_orders:write", summary="Tell what the home system shows",
    body=StatusSeen, answer=WorkOrderDetail, render=_show, etag=tag_of,
)  # fmt: skip
def observe_work_order(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Follow it when the gate permits; otherwise the mirror stays and a discrepancy is opened."""
    if not callers.is_adapter() and not visitor().holds("INTEGRATION"):
        raise Forbidden(
            "Expected an adapter or the integration owner to tell what a system shows, but you are neither."
        )
    order = pages.find(act.session, record_id)
    work_orders.observe(act, order, WorkOrderStatus(body["status"]), system=body["system"])
    return order.id


def _as_answered(subject: dict[str, Any]) -> dict[str, Any]:
    return subject


@writes(
    "POST", "/work-orders/events", scope="work_orders:write", summary="Report what happened on work orders", body=EventBatch,
    answer=EventAnswers, render=_as_answered,
)  # fmt: skip
def post_events(act: Act, body: dict[str, Any]) -> dict[str, Any]:
    """Take in up to 500 events, each once by its system and id; a refused one leaves the others alone."""
    if not callers.is_adapter() and not visitor().holds("INTEGRATION", "PLANNER", "MAINT_PLANNER", "MAINT_MGR"):
        raise Forbidden(
            "Expected an adapter, a planner or the integration owner to report events, but you are none of them."
        )
    items = [_post(act, given) for given in body["events"]]
    answers = [item["answer"] for item in items]
    return {
        "items": items, "recorded": answers.count("recorded"), "repeated": answers.count("already handled"),
        "refused": answers.count("refused"),
    }  # fmt: skip


def _post(act: Act, given: dict[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in given.items() if value is not None}
    try:
        if "event_time" in values:
            values["event_time"] = _instant(values["event_time"])
        if "order_line_id" in values:
            values["order_line_id"] = str(values["order_line_id"])
        with act.attempt():
            posted = work_orders.post_event(act, Event(**values))
    except Refused as refusal:
        wrong = "; ".join(f"{name}: {sentence}" for name, sentence in getattr(refusal, "fields", {}).items())
        return {
            "event_id": given["event_id"], "answer": "refused", "actual_id": None, "code": refusal.code,
            "detail": f"{refusal.message} ({wrong})" if wrong else refusal.message,
        }  # fmt: skip
    return {
        "event_id": given["event_id"],
        "answer": posted.answer,
        "actual_id": posted.actual.id,
        "code": None,
        "detail": None,
    }


def _instant(given: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(given)
    except ValueError as error:
        raise Invalid(
            f"Expected an instant such as 2026-11-22T14:30:00Z, but found “{given}”", {"event_time": "is no instant"}
        ) from error


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
