"""CHG-PENDING and CON-15: a change that is approved waits to be carried out on this order, and meanwhile nothing goes on as before.

CHG-PENDING: a mark stands; whether it warns or blocks is the disposition's to say. CON-15: the change has taken effect, and is not
carried out here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.change_order import AffectedItem, ChangeOrder, ChangeOrderStatus
from records.change_task import HoldEffect, holds_on
from records.impact import Disposition, ImpactTarget, RowDisposition, RowStatus
from records.outside import OutsideLink
from records.part import PartRevision, RevisionStatus
from records.purchase_order import PurchaseOrder
from records.requisition import Requisition, RequisitionLine
from records.work_order import WorkOrder, WorkOrderOperation
from rules.agreements import Disagreement
from rules.impact_rules import legal

CARRIED = (ChangeOrderStatus.APPROVED, ChangeOrderStatus.IMPLEMENTING, ChangeOrderStatus.OVERDUE_HOLD)
DECIDED = (*CARRIED, ChangeOrderStatus.VERIFYING, ChangeOrderStatus.CLOSED)
"""Statuses in which what the board said of planned pieces holds for every order made of them."""

PENDING = "CHG-PENDING"


def of_link(session: Session, link: OutsideLink, *, now: dt.datetime) -> Iterator[Disagreement]:
    """Yield what waits for a change on a link, its order line or its work."""
    operation = link.operation
    yield from _on(session, {link.id, link.order_line_id, operation.id, operation.work_order_id}, now)


def of_work(session: Session, order: WorkOrder, *, now: dt.datetime) -> Iterator[Disagreement]:
    """Yield what waits for a change on a work order as a whole."""
    yield from _on(session, {order.id, *(each.id for each in order.operations)}, now)


def of_operation(session: Session, operation: WorkOrderOperation, *, now: dt.datetime) -> Iterator[Disagreement]:
    """Yield what waits for a change on an operation or its work order."""
    yield from _on(session, {operation.id, operation.work_order_id}, now)


def of_line(session: Session, line_id: str, *, now: dt.datetime) -> Iterator[Disagreement]:
    """Yield what waits for a change on an order line."""
    yield from _on(session, {line_id}, now)


def of_order(session: Session, order: PurchaseOrder, *, now: dt.datetime) -> Iterator[Disagreement]:
    """Yield what waits for a change on any line of an order, or on what was planned that it buys as it was."""
    asked = [line.requisition_line for line in order.lines if line.requisition_line is not None]
    follows = planned_as(session, asked)
    planned = {
        line.requisition_line_id
        for line in order.lines
        if line.requisition_line_id is not None
        and (line.requisition_line_id not in follows or follows[line.requisition_line_id].id != line.part_revision_id)
    }
    yield from _on(session, {line.id for line in order.lines} | planned, now)


def of_requisition(session: Session, requisition: Requisition, *, now: dt.datetime) -> Iterator[Disagreement]:
    """Yield what waits for a change on what a requisition asks for; a line that asks for what follows already waits for nothing."""
    asked = {line.id: line.part_revision_id for line in requisition.lines}
    for hold in holds_on(session, *sorted(asked)):
        follows = {item.part_revision_to_id for item in hold.change_order.affected} - {None}
        if asked.get(hold.about_id) in follows:
            del asked[hold.about_id]
    yield from _on(session, set(asked), now)


def planned_as(session: Session, lines: Iterable[RequisitionLine]) -> dict[str, PartRevision]:
    """Return the released revision that what is only planned is ordered as, by line, where the board of a change said so.

    A line that asks for another revision by now than the one the change replaces is left as it is.
    """
    asked = {line.id: line for line in lines if line.part_revision_id is not None}
    wanted = (
        select(RowDisposition.target_id, AffectedItem)
        .join(ChangeOrder, ChangeOrder.id == RowDisposition.change_order_id)
        .join(AffectedItem, AffectedItem.change_order_id == ChangeOrder.id)
        .where(
            RowDisposition.target == ImpactTarget.PLANNED_ORDER, RowDisposition.disposition == Disposition.CONVERT,
            RowDisposition.target_id.in_(sorted(asked)), RowDisposition.status != RowStatus.RETURNED,
            ChangeOrder.status.in_(DECIDED),
        )
        .order_by(ChangeOrder.number)
    )  # fmt: skip
    found: dict[str, PartRevision] = {}
    for line_id, item in session.execute(wanted) if asked else ():
        after = item.part_revision_to
        is_of_it = asked[line_id].part_revision_id == item.part_revision_from_id
        if is_of_it and after is not None and after.status is RevisionStatus.RELEASED:
            found[line_id] = after
    return found


def of_ids(session: Session, ids: Iterable[str], *, now: dt.datetime) -> Iterator[Disagreement]:
    """Yield what waits for a change on any of several records."""
    yield from _on(session, set(ids), now)


def _on(session: Session, ids: set[str], now: dt.datetime) -> Iterator[Disagreement]:
    overdue = list(_overdue(session, ids, now))
    yield from overdue
    said = {each.new for each in overdue}
    for hold in holds_on(session, *sorted(ids)):
        if hold.change_order.number not in said and hold.change_order.status in CARRIED:
            yield Disagreement(
                PENDING, f"Expected {hold.about_ref} to go on after {hold.change_order.number} is carried out on it, but it waits: "
                f"{hold.reason}.", "change_order", new=hold.change_order.number, special=hold.effect is HoldEffect.BLOCK,
            )  # fmt: skip


def _overdue(session: Session, ids: set[str], now: dt.datetime) -> Iterator[Disagreement]:
    wanted = (
        select(RowDisposition, ChangeOrder)
        .join(ChangeOrder, ChangeOrder.id == RowDisposition.change_order_id)
        .where(
            RowDisposition.target_id.in_(sorted(ids)), RowDisposition.status != RowStatus.DONE, ChangeOrder.status.in_(CARRIED)
        )
        .order_by(ChangeOrder.number, RowDisposition.position)
    )  # fmt: skip
    for disposition, order in session.execute(wanted):
        day = order.effective_on
        if day is None or now.astimezone(order.site.zone).date() < day or not _is_carried_out(disposition):
            continue
        what = disposition.disposition.value.lower().replace("_", " ")
        yield Disagreement(
            "CON-15", f"Expected {order.number}, which counts since {day}, to be carried out here ({what} of "
            f"{disposition.quantity.normalize():f} {disposition.uom}), but it is not.", "change_order", new=order.number,
        )  # fmt: skip


def _is_carried_out(disposition: RowDisposition) -> bool:
    """Whether something is to be done at all: what is used as it is or finished as old waits for nothing."""
    return bool(legal(disposition.target, disposition.disposition).outputs["pending"] == HoldEffect.BLOCK.value)
