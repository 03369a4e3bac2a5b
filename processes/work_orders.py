"""The life of a work order: what stops it and gives it up, and every name that other flows call, gathered here.

One is made in ``work_order_planning``, released in ``work_order_release``, changed in ``work_order_change``, divided in
``work_order_split``, ended in ``work_order_closing``; what happens on its operations is in ``work_order_events``, what it cost in
``work_order_cost``.
"""

from __future__ import annotations

from engine.act import Act
from engine.errors import Forbidden, Invalid
from processes.nonconformances import raise_nonconformance
from processes.notices import tell_role
from processes.work_order_change import assign_equipment, linked_lines, move_to_centre, replan
from processes.work_order_closing import close, complete, record_calibration, record_service
from processes.work_order_cost import Cost, cost_of
from processes.work_order_events import Event, Posted, complete_operation, post_event, reverse, start_operation
from processes.work_order_mirror import observe
from processes.work_order_planning import create, find, need_planner
from processes.work_order_progress import skip_operation
from processes.work_order_release import firm, release, sign, snapshot_of, unfirm
from processes.work_order_split import Part, convert, split
from records import work_order as records
from records.signing import supersede
from records.work_order import (
    UNRELEASED,
    WorkOrder,
    WorkOrderStatus,
    move,
)
from rules.work_order_release import warnings_of

__all__ = [
    "Cost", "Event", "Part", "Posted", "assign_equipment", "cancel", "close", "complete", "complete_operation", "convert", "cost_of",
    "create", "find", "firm", "hold", "lift_hold", "linked_lines", "move_to_centre", "observe", "post_event", "raise_nonconformance",
    "record_calibration", "record_service", "release", "replan", "reverse", "sign", "skip_operation", "snapshot_of", "split",
    "start_operation", "unfirm", "warnings_of",
]  # fmt: skip


def hold(act: Act, order: WorkOrder, *, reason: str, owner: str | None = None) -> WorkOrder:
    """Stop the work on an order. owner: whose turn it is, the acting person unless said otherwise."""
    return records.hold(act, order, reason=reason, owner=owner or act.actor)


def lift_hold(act: Act, order: WorkOrder, *, reason: str) -> WorkOrder:
    """Let a held order go on; its owner does, or a planner. Raises: Forbidden; Invalid without a reason; Conflict."""
    if not reason.strip():
        raise Invalid("Expected a reason to lift the hold, but found none", {"reason": "is missing"})
    if order.hold_owner not in (None, act.actor):
        _need_owner(act, order)
    return records.lift_hold(act, order, reason=reason)


def _need_owner(act: Act, order: WorkOrder) -> None:
    owner = order.hold_owner or ""
    directory = act.installation.directory
    holders = (
        directory.holders(act.session, owner, at=act.now) if directory is not None and owner.startswith("role:") else []
    )
    if act.user_id is not None and act.user_id not in {person.id for person in holders}:
        raise Forbidden(f"Expected {owner} to lift the hold of {order.number}, but {act.user_id} is not.")


def cancel(act: Act, order: WorkOrder, *, reason: str) -> WorkOrder:
    """Give an order up. Raises: RuleViolation BALANCE_OPEN while pieces are at a supplier; Conflict once it is complete; Invalid."""
    need_planner(act, order=order)
    if not reason.strip():
        raise Invalid("Expected a reason for the cancellation, but found none", {"reason": "is missing"})
    if order.status in UNRELEASED:
        supersede(act, order.record_type, order.id)
    move(act, order, WorkOrderStatus.CANCELLED, reason=reason)
    act.session.flush()
    if lines := linked_lines(act, order):
        tell_role(
            act, "BUYER", f"{order.number} is cancelled and {lines[0].number} is bought for it (CON-08)", key=f"{order.id}:cancelled",
            record=("purchase_order", lines[0].order_id),
        )  # fmt: skip
    return order
