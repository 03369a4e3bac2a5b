"""Work orders: list, get, make, release and the other acts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Forbidden, Invalid, NotFound
from processes import work_orders
from processes.work_order_planning import revision_called
from records.nonconformance import DeviationAuthority, Nonconformance
from records.resource import Resource, resource_called
from records.work_order import WorkOrder, WorkOrderOperation, WorkOrderStatus
from webapp import work_order_doors
from webapp.api import bodies, callers
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import as_page
from webapp.api.signing import SignedContent, refuse_unread, signature_given
from webapp.api.work_order_shapes import (
    ActGiven,
    CostAnswer,
    NewWorkOrder,
    PlanGiven,
    SplitGiven,
    StatusSeen,
    WorkOrderDetail,
    WorkOrderOperationAnswer,
    WorkOrderPage,
    WorkOrderQuery,
    WorkOrderSummary,
)
from webapp.document_page import marks_on
from webapp.pages import work_orders as pages
from webapp.visit import reading, visitor
from webapp.work_order_page import find


def _summary(order: WorkOrder) -> dict[str, Any]:
    return {name: getattr(order, name) for name in WorkOrderSummary().fields}


def _step(operation: WorkOrderOperation) -> dict[str, Any]:
    own = {name: getattr(operation, name, None) for name in WorkOrderOperationAnswer().fields}
    return own | {
        "work_centre": operation.work_centre.code if operation.work_centre else None,
        "supplier_no": operation.supplier.supplier_no if operation.supplier else None,
    }


def show_work_order(record_id: str) -> dict[str, Any]:
    """Return a work order as the API shows it."""
    order = find(reading(), record_id)
    cost = work_orders.cost_of(reading(), order)
    named = {name: getattr(order, name) for name in ("part_revision", "resource", "nonconformance", "deviation")}
    return {name: getattr(order, name, None) for name in WorkOrderDetail().fields} | {
        **{name: each.number if each is not None else None for name, each in named.items()},
        "warnings": work_orders.warnings_of(reading(), order),
        "operations": [_step(operation) for operation in order.operations],
        "marks": marks_on(reading(), order),
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
    return show_work_order(record_id)


@writes(
    "POST", "/work-orders", scope="work_orders:write", summary="Plan a work order", body=NewWorkOrder, answer=WorkOrderDetail,
    render=show_work_order, etag=tag_of, status=201,
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
    for name, look in found.items():
        if name in values:
            values[name] = look(session, values[name])
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
        order = find(act.session, record_id)
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
        answer=WorkOrderDetail, render=show_work_order, etag=tag_of, match=True,
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
    answer=WorkOrderDetail, render=show_work_order, etag=tag_of, match=True, person=True,
)  # fmt: skip
def split_work_order(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Divide it into planned ones named after it (``WO-7001-1``), which list it as their parent; it is history then."""
    order = find(act.session, record_id)
    bodies.seen_tag(str(order.version))
    work_order_doors.need(visitor(), "split", order)
    parts = [
        work_orders.Part(quantity, is_started=turn == body["started"])
        for turn, quantity in enumerate(body["quantities"], start=1)
    ]
    work_orders.split(act, order, parts)
    return order.id


@writes(
    "POST", "/work-orders/<record_id>/signature", scope="work_orders:write", summary="Sign the release of a work order",
    body=SignedContent, answer=WorkOrderDetail, render=show_work_order, etag=tag_of, person=True,
)  # fmt: skip
def sign_work_order(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Fill one's seat on a firm one; what is signed is its `approved_hash`. 409 STALE_VERSION on another, NOT_READY when none waits."""
    order = find(act.session, record_id)
    refuse_unread(order, order.approved_hash, body["content_hash"])
    mine = work_order_doors.open_slots(act.session, visitor(), order)
    if not mine:
        raise Forbidden(
            f"Expected a signature of yours to be missing on {order.number}, but none is.", code="NOT_AUTHORISED"
        )
    work_orders.sign(act, order, mine[0].role, signature_given(body["signature"]))
    return order.id


@writes(
    "PATCH", "/work-orders/<record_id>", scope="work_orders:write", summary="Move a work order in time or importance",
    body=PlanGiven, answer=WorkOrderDetail, render=show_work_order, etag=tag_of, match=True, person=True,
)  # fmt: skip
def replan_work_order(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Days and priority are the planner's until it has ended; everything else of a released one is frozen."""
    order = find(act.session, record_id)
    bodies.seen_tag(str(order.version))
    work_order_doors.need(visitor(), "plan", order)
    kept = {name: getattr(order, name) for name in ("planned_start", "planned_finish", "priority")}
    work_orders.replan(act, order, **{**kept, **body})
    return order.id


@writes(
    "PUT", "/work-orders/<record_id>/status", scope="work_orders:write", summary="Tell what the home system shows",
    body=StatusSeen, answer=WorkOrderDetail, render=show_work_order, etag=tag_of,
)  # fmt: skip
def observe_work_order(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Follow it when the gate permits; otherwise the mirror stays and a discrepancy is opened."""
    if not callers.is_adapter() and not visitor().holds("INTEGRATION"):
        raise Forbidden(
            "Expected an adapter or the integration owner to tell what a system shows, but you are neither."
        )
    order = find(act.session, record_id)
    work_orders.observe(act, order, WorkOrderStatus(body["status"]), system=body["system"])
    return order.id
