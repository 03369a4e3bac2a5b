"""What an amendment asks of the work behind its lines (domain.md A40.5): the counterpart change that is proposed, in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal

from sqlalchemy.orm import Session

from engine.record import Operation
from records.outside import OutsideLink
from records.purchase_order import LineStatus, PurchaseOrder, PurchaseOrderLine
from records.work_order import WorkOrderOperation
from rules.amending import Asked, links_of

TECHNICAL = frozenset({"part_revision_id", "spec", "spec_rev", "process_code", "supplier_id", "supplier_site_id"})
"""What changes how the work is done, or where: pieces that are away are stopped until it is decided what becomes of them (B12)."""


def proposals(
    session: Session, order: PurchaseOrder, asked: Iterable[Asked], *, is_cancelled: bool = False
) -> list[str]:
    """Return a sentence for each operation that a line is bought for: what its planner changes with the amendment.

    is_cancelled: the whole rest of the order is; then ``asked`` says nothing.
    """
    given = list(asked)
    whole = [one for one in given if one.record is order]
    found: list[str] = []
    for line in order.lines:
        own = [one for one in given if one.record is line]
        if line.status is LineStatus.CANCELLED or not (is_cancelled or own or whole):
            continue
        for link in links_of(session, line):
            said = [_cancelled(link)] if is_cancelled else list(_of_link(line, link, [*own, *whole]))
            found.append(f"{opening(link.operation)}: {' '.join(said) or NOTHING}")
    return found


def of_operation(impact: str, operation: WorkOrderOperation) -> str:
    """Return what was proposed for an operation when its amendment was written, or an empty text."""
    start = f"{opening(operation)}: "
    return " ".join(text.removeprefix(start) for text in impact.split("\n") if text.startswith(start))


def opening(operation: WorkOrderOperation) -> str:
    """Return how the sentence about an operation begins."""
    return f"Counterpart for {operation.number}"


NOTHING = "nothing changes in the work; it goes on when the amendment is applied."


def _of_link(line: PurchaseOrderLine, link: OutsideLink, asked: Iterable[Asked]) -> Iterator[str]:
    for one in asked:
        if one.operation is not Operation.UPDATE:
            continue
        if one.column == "quantity":
            yield _quantity(line, link, Decimal(one.value))
        elif one.column == "need_by" and one.value is not None:
            yield _date(link, one.value)
        elif one.column == "status":
            yield _cancelled(link)
        elif one.column == "unit_price":
            yield "its cost follows the new price when the amendment is applied."
        elif one.column in TECHNICAL:
            yield f"the operation changes under the same change order; {_plain(link.at_supplier)} {link.uom} are away and stop there."


def _quantity(line: PurchaseOrderLine, link: OutsideLink, wanted: Decimal) -> str:
    """Say what the allocation becomes: what is shipped stays, the difference is this link's to carry where it is the only one."""
    moved = (wanted - line.quantity) / link.conversion_factor
    becomes = max(link.allocated_quantity + moved, link.shipped - link.recalled, Decimal(0))
    left = link.allocated_quantity - becomes
    now = f"allocate {_plain(becomes)} {link.uom} to {link.number} instead of {_plain(link.allocated_quantity)}"
    if left > 0:
        return f"{now}; the other {_plain(left)} {link.uom} need another order, or {link.operation.work_order.number} is split."
    return f"{now}, once so many pieces reach the operation."


def _date(link: OutsideLink, day: dt.date) -> str:
    operation = link.operation
    later = [one for one in operation.work_order.operations if one.op_no > operation.op_no and one.planned_start]
    step = min(later, key=lambda one: one.op_no, default=None)
    name, begins = (
        (step.number, step.planned_start)
        if step
        else (operation.work_order.number, operation.work_order.planned_finish)
    )
    if begins is None or day <= begins:
        return f"{link.number} is needed back by {day.isoformat()}; the dates of the work stay."
    ends = "start" if step else "finish"
    return (
        f"move the {ends} of {name} from {begins.isoformat()} to {day.isoformat()} or later, and {link.number} with it."
    )


def _cancelled(link: OutsideLink) -> str:
    left = link.allocated_quantity - link.good - link.scrap - link.lost
    way = "recall what is away, then " if link.at_supplier > 0 else ""
    return f"{way}find another order for {_plain(left)} {link.uom}, do the operation in house under a change, or cancel the work."


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
