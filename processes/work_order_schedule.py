"""When a work order is done, in working days of its site: closed days are passed over, operations follow one another."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_CEILING, Decimal

from records.calendar import Site, closed_because, working_day
from records.routing import OperationKind
from records.work_order import WorkOrder, WorkOrderOperation
from rules.policy import table_called


def schedule(order: WorkOrder) -> None:
    """Put a new order on working days, and give each operation without days its own, one after the other from the start.

    An order without an end gets the one of its last operation; an end that was wished for stays, and ``plan_notes`` says when the
    operations do not fit before it.
    """
    order.planned_start, order.planned_finish = on_working_days(order, order.planned_start, order.planned_finish)
    if order.planned_start is None:
        return
    free = order.planned_start
    for operation in sorted(order.operations, key=lambda each: each.op_no):
        if operation.planned_start is None:
            operation.planned_start = working_day(order.site, free)
        if operation.planned_finish is None:
            days = days_of(operation, order)
            operation.planned_finish = working_day(order.site, operation.planned_start, later=days - 1)
        free = max(free, working_day(order.site, operation.planned_finish, later=1))
    ends = [each.planned_finish for each in order.operations if each.planned_finish is not None]
    if order.planned_finish is None and ends:
        order.planned_finish = max(ends)


def on_working_days(
    order: WorkOrder, start: dt.date | None, finish: dt.date | None
) -> tuple[dt.date | None, dt.date | None]:
    """Return both days, or the next working day of the site where it is closed."""
    first, last = (working_day(order.site, day) if day is not None else None for day in (start, finish))
    return first, last


def days_of(operation: WorkOrderOperation, order: WorkOrder) -> int:
    """Return the working days of an operation, at least 1: its minutes inside, the lead time of outside work."""
    if operation.kind is OperationKind.OUTSIDE:
        judgement = table_called("outside_lead_time").judge(special=bool(operation.is_special))
        return max(1, int(judgement.row.outputs["days"]))
    minutes = (operation.setup_minutes or Decimal(0)) + (operation.run_minutes or Decimal(0)) * order.quantity
    whole = (minutes / _minutes_a_day(order.site)).to_integral_value(ROUND_CEILING)
    return max(1, int(whole))


def _minutes_a_day(site: Site) -> Decimal:
    opens, closes = (time.hour * 60 + time.minute for time in (site.opens_at, site.closes_at))
    return Decimal(closes - opens)


def plan_notes(order: WorkOrder) -> list[str]:
    """Return what is wrong with the days of an open order, a sentence each: a closed day, or an end before its operations'."""
    notes = [
        f"It {verb} on {day}, but the site is closed: {why}."
        for verb, day in (("starts", order.planned_start), ("ends", order.planned_finish))
        if day is not None and (why := closed_because(order.site, day))
    ]
    ends = [(each.planned_finish, each.number) for each in order.operations if each.planned_finish is not None]
    if ends and order.planned_finish is not None and max(ends)[0] > order.planned_finish:
        last, number = max(ends)
        notes.append(f"{number} ends on {last}, after the order's end on {order.planned_finish}.")
    return notes
