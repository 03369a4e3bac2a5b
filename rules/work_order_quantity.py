"""The quantity of a work order that something is bought for: the planner's and the buyer's, and never below what is away.

The policy says C1 of a quantity (domain.md 4c); where an operation is linked to an order line the change is C2 and both sides sign
it. The law judges at flush, the doors judge whoever writes past it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Finding
from engine.record import Edit, Operation
from records.approval import slots_of
from records.outside import LinkStatus, OutsideLink
from records.work_order import WorkOrder, WorkOrderOperation, WorkOrderStatus
from rules.change_item import ChangeClass, ChangeItem
from rules.doors import Door, quoted, valid_signature, words
from rules.guarded import table_of
from rules.law import block, law, session_of
from rules.order_consistency import links_of_work

SIDES = ("BUYER", "PLANNER")
FREE = (WorkOrderStatus.PLANNED, WorkOrderStatus.FIRM)


@law("WO-QUANTITY", on=WorkOrder)
def a_linked_quantity_is_changed_by_both_sides(edit: Edit) -> Iterator[Finding]:
    """A quantity that an order line is linked to changes as planner and buyer both signed (C2), and covers what is away."""
    order = edit.record
    if edit.operation is not Operation.UPDATE or "quantity" not in edit.changes:
        return
    session = session_of(edit)
    links = links_of_work(session, order)
    yield from below_what_is_away(order, order.quantity, links)
    if not links or order.status in FREE or _is_signed_by_both(session, edit):
        return
    link = links[0]
    yield block(
        "UNCONTROLLED_CHANGE",
        f"Expected a change of class C2, signed by a planner and by a buyer, behind the quantity of {order.number}, because "
        f"{link.operation.number} is bought on {link.order_line.number} ({link.number}), but {order.quantity.normalize():f} has none.",
        (order.record_type, order.id),
        field="quantity",
        owner="role:PLANNER",
        way_out="Have planner and buyer sign the change, with an amendment of the order line; or split the work order.",
    )


@law("WO-QUANTITY", on=WorkOrder)
def a_quantity_covers_what_is_done(edit: Edit) -> Iterator[Finding]:
    """The quantity of a released work order is not lowered below what has reached an operation (domain.md 4c).

    What a supplier lost is in work no more: fewer pieces may follow a loss (domain.md 3B, B24).
    """
    order = edit.record
    if edit.operation is not Operation.UPDATE or "quantity" not in edit.changes:
        return
    most = max((operation.quantity_in or Decimal(0) for operation in order.operations), default=Decimal(0))
    most -= sum((link.lost for link in links_of_work(session_of(edit), order)), Decimal(0))
    if order.status not in (WorkOrderStatus.PLANNED, WorkOrderStatus.FIRM) and order.quantity < most:
        yield block(
            "WO-QUANTITY",
            f"Expected {order.number} to keep at least the {most:f} pieces in work, but its quantity was to become {order.quantity:f}.",
            (order.record_type, order.id),
            field="quantity",
            owner="role:PLANNER",
            way_out="Split the order, or scrap the pieces.",
        )


def below_what_is_away(order: WorkOrder, quantity: Decimal, links: Sequence[OutsideLink]) -> Iterator[Finding]:
    """Yield WO-QUANTITY when a quantity is below the pieces that one of the order's operations has at suppliers."""
    away: dict[str, Decimal] = {}
    for link in links:
        away[link.operation_id] = away.get(link.operation_id, Decimal(0)) + link.at_supplier
    most = max(away.values(), default=Decimal(0))
    if quantity < most:
        named = ", ".join(link.number for link in links if link.at_supplier > 0)
        yield block(
            "WO-QUANTITY",
            f"Expected {order.number} to keep at least the {most.normalize():f} {order.uom} at suppliers ({named}), but its quantity "
            f"was to become {quantity.normalize():f}.",
            (order.record_type, order.id),
            field="quantity",
            owner="role:PLANNER",
            way_out="Receive or recall what is away first.",
        )


def _is_signed_by_both(session: Session, edit: Edit) -> bool:
    texts = next((old, new) for name, old, new in edit.texts() if name == "quantity")
    wanted = select(ChangeItem).where(
        ChangeItem.table_name == edit.record_type, ChangeItem.row_id == edit.record.id,
        ChangeItem.operation == Operation.UPDATE, ChangeItem.column_name == "quantity", ChangeItem.applied_at.is_(None),
        ChangeItem.change_class.in_(ChangeClass.C2.sufficient),
    )  # fmt: skip
    return any(
        (item.old_text, item.new_text) == texts
        and set(SIDES)
        <= {
            slot.role
            for slot in slots_of(session, item.change_type, item.change_id, item.change_hash)
            if slot.is_signed
        }
        for item in session.scalars(wanted)
    )


def deepened(door: Door) -> Door:
    """Return the door of a work order's quantity so that a linked one opens only for a change of both sides."""
    signed = " AND ".join(
        "EXISTS (SELECT 1 FROM approval_slot b WHERE b.record_type = i.change_type AND b.record_id = i.change_id "
        f"AND b.record_hash = i.change_hash AND b.role = {quoted(side)} AND {valid_signature('b')})"
        for side in SIDES
    )
    enough = f"i.change_class IN {words(ChangeClass.C2.sufficient)} AND {signed}"
    return replace(door, item=f"{door.item} AND (NOT EXISTS ({_links('1')}) OR ({enough}))")


def quantity_covers_what_is_away() -> Door:
    """Return the door that keeps a work order's quantity from going below the pieces that one of its operations has at suppliers."""
    away = f"{_links('1')} GROUP BY l.operation_id HAVING SUM(l.at_supplier) > NEW.quantity"
    return Door(
        name="guard_work_order_quantity_away",
        table=table_of(WorkOrder),
        event="UPDATE",
        columns=("quantity",),
        refused_when=f"NEW.quantity < OLD.quantity AND EXISTS ({away})",
        sentence="WO-QUANTITY: Expected a work order to keep at least the pieces that are at suppliers, but its quantity went below",
    )


def _links(columns: str) -> str:
    link, step = table_of(OutsideLink).name, table_of(WorkOrderOperation).name
    return (
        f"SELECT {columns} FROM {link} l JOIN {step} w ON w.id = l.operation_id "
        f"WHERE w.work_order_id = OLD.id AND l.status <> {quoted(LinkStatus.CANCELLED)}"
    )


LAWS = (a_quantity_covers_what_is_done, a_linked_quantity_is_changed_by_both_sides)
