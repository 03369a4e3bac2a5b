"""Change a work order that is under way: its days and importance, and who must know of it (domain.md 4c)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict, Invalid, NotFound, RuleViolation
from processes.notices import tell_role
from processes.work_order_planning import need_planner
from processes.work_order_schedule import on_working_days
from records.resource import Resource, ResourceKind, WorkCentre, work_centre_called
from records.work_order import DONE, ENDED, LOCKSTEP, UNRELEASED, WorkOrder, WorkOrderOperation
from rules.law import block, subject_of
from rules.order_consistency import links_of_work
from rules.work_order_release import order_lines_for


def replan(
    act: Act,
    order: WorkOrder,
    *,
    planned_start: dt.date | None,
    planned_finish: dt.date | None,
    priority: int,
    reason: str = "",
) -> WorkOrder:
    """Move an order in time or importance; its buyers are told when something is bought for it (4c: C0, warns the order).

    A day on which the site is closed becomes the next working day, for an order that is planned here.

    Raises: Forbidden to who plans no work; Invalid for an end before the start; RuleViolation UNCONTROLLED_CHANGE once it has ended.
    """
    need_planner(act, order=order)
    if planned_start and planned_finish and planned_finish < planned_start:
        raise Invalid(
            f"Expected a day from {planned_start} on, but found {planned_finish}",
            {"planned_finish": "is before the start"},
        )
    if order.system == LOCKSTEP:
        planned_start, planned_finish = on_working_days(order, planned_start, planned_finish)
    moved = (order.planned_start, order.planned_finish) != (planned_start, planned_finish)
    order.planned_start, order.planned_finish, order.priority = planned_start, planned_finish, priority
    act.session.flush()
    if reason.strip():
        act.note(
            order.record_type, order.id, "MOVED", field="planned_finish", new=str(planned_finish), reason=reason.strip()
        )
    for line in linked_lines(act, order) if moved else ():
        subject = f"{order.number} is planned for {planned_start or 'no day'} to {planned_finish or 'no day'}: check {line.number}"
        key = f"{order.id}:{planned_start}:{planned_finish}:{line.id}"
        tell_role(act, "BUYER", subject, key=key, record=("purchase_order", line.order_id))
    return order


def assign_equipment(act: Act, operation: WorkOrderOperation, code: str) -> WorkOrderOperation:
    """Give an operation another machine of its work centre, whose machines are equally qualified (4c: C0). code: empty for none.

    Raises: Forbidden to who plans no work; RuleViolation UNCONTROLLED_CHANGE for a machine of another centre, which is class C3,
    or Conflict ILLEGAL_TRANSITION once the operation is over; Invalid for what is no machine in service.
    """
    order = operation.work_order
    need_planner(act, order=order)
    if operation.status in DONE or order.status in ENDED:
        raise Conflict(
            f"Expected {operation.number} to be open, but it is {operation.status.value.lower().replace('_', ' ')}",
            code="ILLEGAL_TRANSITION", record=(order.record_type, order.id),
        )  # fmt: skip
    machine = _machine(act, code) if code.strip() else None
    if machine is not None and machine.work_centre_id != operation.work_centre_id:
        has = machine.work_centre.code if machine.work_centre is not None else "none"
        raise _another_centre(operation, f"{machine.code} belongs to {has}", machine.work_centre)
    operation.equipment, operation.equipment_id = machine, machine.id if machine is not None else None
    act.session.flush()
    return operation


def move_to_centre(act: Act, operation: WorkOrderOperation, code: str) -> WorkOrderOperation:
    """Plan an operation at another work centre, while the order is a plan.

    Raises: RuleViolation UNCONTROLLED_CHANGE once it is released: another group is a change of class C3; Invalid for an unknown centre.
    """
    order = operation.work_order
    need_planner(act, order=order)
    try:
        centre = work_centre_called(act.session, code)
    except NotFound as refusal:
        raise Invalid(refusal.message, {"work_centre": "is unknown"}) from refusal
    if centre.id == operation.work_centre_id:
        return operation
    if order.status not in UNRELEASED:
        raise _another_centre(operation, f"it was to be done at {centre.code}", centre)
    operation.work_centre, operation.work_centre_id = centre, centre.id
    act.session.flush()
    return operation


def _machine(act: Act, code: str) -> Resource:
    found = act.session.scalar(select(Resource).where(Resource.code == code.strip()))
    if found is None or found.kind is not ResourceKind.EQUIPMENT or not found.is_active:
        raise Invalid(
            f"Expected a machine in service, but {code.strip()!r:.60} is none",
            {"equipment": "is no machine in service"},
        )
    return found


def _another_centre(operation: WorkOrderOperation, found: str, centre: WorkCentre | None) -> RuleViolation:
    planned = operation.work_centre.code if operation.work_centre is not None else "its work centre"
    sentence = (
        f"Expected {operation.number} to stay in the qualified group {planned} that it was released for, but {found}: that needs change "
        f"class C3. Choose a machine of {planned}, or raise a change order."
    )
    return RuleViolation(
        [
            block(
                "UNCONTROLLED_CHANGE", sentence, subject_of(operation), field="work_centre_id" if centre is not None else "",
                old=operation.work_centre_id,
                new=centre.id if centre is not None else None, owner="role:ENG_AUTH",
                way_out="Ask for a change with these edits.",
            )
        ]
    )  # fmt: skip


def linked_lines(act: Act, order: WorkOrder) -> list[Any]:
    """Return the living order lines that name the order or one of its operations, or are linked to one."""
    numbers = [order.number, *(operation.number for operation in order.operations)]
    named = [line for number in numbers for line in order_lines_for(act.session, number)]
    linked = [link.order_line for link in links_of_work(act.session, order)]
    return list(dict.fromkeys([*named, *linked]))
