"""Changes of work orders that are under way: their quantity, and where an operation is done."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import is_id
from engine.errors import Invalid, NotFound
from processes import work_order_quantity, work_orders
from records.nonconformance import DeviationAuthority
from records.work_order import WorkOrder, WorkOrderOperation
from records.work_order_change import WorkOrderChange, WorkOrderChangeStatus, changes_of
from webapp import work_order_doors
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.signing import SignedContent, refuse_unread, signature_given
from webapp.api.work_order_shapes import (
    ActGiven,
    OperationChange,
    QuantityChangeAnswer,
    QuantityChanges,
    QuantityGiven,
    SkipGiven,
    WorkOrderDetail,
)
from webapp.api.work_orders import show_work_order, tag_of
from webapp.pages.work_order_changes import open_seat
from webapp.visit import reading, visitor
from webapp.work_order_page import find


def _as_change(change: WorkOrderChange) -> dict[str, Any]:
    session = reading()
    seats = work_order_quantity.seats_of(session, change)
    numbers = {one.id: one.number for one in work_order_quantity.amendments_of(session, change)}
    is_open = change.status is WorkOrderChangeStatus.PROPOSED
    return {name: getattr(change, name, None) for name in QuantityChangeAnswer().fields} | {
        "waits_for": [seat.role for seat in seats if is_open and not seat.is_signed],
        "links": [
            {
                "link": share.link.number, "order_line": share.link.order_line.number, "uom": share.link.uom,
                "allocated_before": share.allocated_before, "allocated_after": share.allocated_after,
                "amendment": numbers.get(share.amendment_id or ""),
            }
            for share in change.shares
        ],
    }  # fmt: skip


def _find_change(session: Session, change_id: str) -> WorkOrderChange:
    found = session.get(WorkOrderChange, change_id) if is_id(change_id) else None
    if found is None:
        raise NotFound("Expected a change of a work order with this id, but there is none.")
    return found


def _show(change_id: str) -> dict[str, Any]:
    return _as_change(_find_change(reading(), change_id))


@reads(
    "/work-orders/<record_id>/changes", scope="work_orders:read", summary="List the changes of a work order's quantity",
    answer=QuantityChanges,
)  # fmt: skip
def list_quantity_changes(record_id: str) -> dict[str, Any]:
    """Newest first, with what each link takes and whose signature is missing."""
    return {"items": [_as_change(one) for one in changes_of(reading(), find(reading(), record_id))], "next": None}


@writes(
    "POST", "/work-orders/<record_id>/changes", scope="work_orders:write", summary="Propose another quantity of a work order",
    body=QuantityGiven, answer=QuantityChangeAnswer, render=_show, etag=tag_of, status=201, match=True, person=True,
)  # fmt: skip
def propose_quantity_change(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Class C1 is the planner's to sign; C2, where something is bought, the buyer's too."""
    order = find(act.session, record_id)
    bodies.seen_tag(str(order.version))
    work_order_doors.need(visitor(), "plan", order)
    return work_order_quantity.propose_quantity(act, order, body["quantity"], reason=body["reason"]).id


@writes(
    "POST", "/work-order-changes/<record_id>/signature", scope="work_orders:write", summary="Sign one side of a change of quantity",
    body=SignedContent, answer=QuantityChangeAnswer, render=_show, etag=tag_of, person=True,
)  # fmt: skip
def sign_quantity_change(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As planner or buyer, each once; the last signature applies it. 409 STALE_VERSION on other content than the one that was read."""
    change = _find_change(act.session, record_id)
    refuse_unread(change, change.content_hash, body["content_hash"])
    seats = work_order_quantity.seats_of(act.session, change)
    seat = open_seat(change, seats)
    waits = next((one.role for one in seats if not one.is_signed), "")
    work_order_quantity.sign_change(act, change, seat.role if seat else waits, signature_given(body["signature"]))
    return change.id


@writes(
    "POST", "/work-order-changes/<record_id>/withdraw", scope="work_orders:write", summary="Withdraw or refuse a change",
    body=ActGiven, answer=QuantityChangeAnswer, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def withdraw_quantity_change(act: Act, body: dict[str, Any], record_id: str) -> str:
    """By one of its two sides, with a reason; the amendments that were proposed with it are withdrawn where they wait."""
    change = _find_change(act.session, record_id)
    bodies.seen_tag(str(change.version))
    return work_order_quantity.withdraw_change(act, change, reason=body["reason"]).id


@writes(
    "PATCH", "/work-orders/<record_id>/operations/<op_no>", scope="work_orders:write",
    summary="Change the machine or the work centre of an operation", body=OperationChange, answer=WorkOrderDetail,
    render=show_work_order, etag=tag_of, match=True, person=True,
)  # fmt: skip
def change_operation(act: Act, body: dict[str, Any], record_id: str, op_no: str) -> str:
    """Another machine of the same qualified group is clerical; another group, once released, is a change of class C3."""
    order = find(act.session, record_id)
    bodies.seen_tag(str(order.version))
    work_order_doors.need(visitor(), "plan", order)
    operation = _operation(order, op_no)
    if "work_centre" in body:
        work_orders.move_to_centre(act, operation, body["work_centre"])
    if "equipment" in body:
        work_orders.assign_equipment(act, operation, body["equipment"])
    return order.id


@writes(
    "POST", "/work-orders/<record_id>/operations/<op_no>/skip", scope="work_orders:write", summary="Leave an operation out",
    body=SkipGiven, answer=WorkOrderDetail, render=show_work_order, etag=tag_of, match=True, person=True,
)  # fmt: skip
def skip_operation(act: Act, body: dict[str, Any], record_id: str, op_no: str) -> str:
    """As quality, signed, under a deviation authority that permits all its pieces; they go on."""
    order = find(act.session, record_id)
    bodies.seen_tag(str(order.version))
    role = work_order_doors.skipper(visitor())
    wanted = select(DeviationAuthority).where(DeviationAuthority.number == body["deviation"].strip())
    deviation = act.session.scalar(wanted)
    if deviation is None:
        raise Invalid(
            f"Expected a known deviation authority, but found “{body['deviation']}”", {"deviation": "is unknown"}
        )
    signed = signature_given(body["signature"])
    work_orders.skip_operation(act, _operation(order, op_no), deviation, signed, role=role)
    return order.id


def _operation(order: WorkOrder, op_no: str) -> WorkOrderOperation:
    found = next((each for each in order.operations if str(each.op_no) == op_no), None)
    if found is None:
        raise NotFound(f"Expected operation {op_no} of {order.number}, but there is none.")
    return found
