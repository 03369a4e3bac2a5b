"""Change a work order that is under way: its days and importance, and who must know of it (domain.md 4c)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from engine.act import Act
from engine.errors import Invalid
from processes.notices import tell_role
from processes.work_order_planning import need_planner
from records.work_order import (
    WorkOrder,
)
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

    Raises: Forbidden to who plans no work; Invalid for an end before the start; RuleViolation UNCONTROLLED_CHANGE once it has ended.
    """
    need_planner(act, order=order)
    if planned_start and planned_finish and planned_finish < planned_start:
        raise Invalid(
            f"Expected a day from {planned_start} on, but found {planned_finish}",
            {"planned_finish": "is before the start"},
        )
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


def linked_lines(act: Act, order: WorkOrder) -> list[Any]:
    """Return the living order lines that name the order or one of its operations, or are linked to one."""
    numbers = [order.number, *(operation.number for operation in order.operations)]
    named = [line for number in numbers for line in order_lines_for(act.session, number)]
    linked = [link.order_line for link in links_of_work(act.session, order)]
    return list(dict.fromkeys([*named, *linked]))
