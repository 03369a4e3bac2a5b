"""Part a change from another, or join two: what the board splits off, and what is merged, goes on where it belongs (C08, C10)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Invalid
from engine.record import Operation
from processes import impact
from processes.change_orders import add_edit, add_item, open_order, take_baseline, take_up_content
from records.change_order import FREE, AffectedItem, ChangeOrder, ChangeOrderStatus
from records.change_request import OrderClass
from records.part import PartRevision
from rules.amending import value_of
from rules.change_control import items_of
from rules.change_doors import UNSEALED
from rules.change_item import ChangeClass, ChangeItem
from rules.guard import BY_TABLE

COPIED = (
    "type", "is_customer_approval_required", "regulator_notice", "fai", "is_revalidation_required", "is_training_required",
)  # fmt: skip
"""Columns that the second order takes over; from when it counts only while that lies ahead."""

DERIVED = frozenset({"status", "effectivity", "effective_to"})
"""Values of a revision that follow from its being affected, and are written anew when an order is sealed."""


def parts_of(session: Session, order: ChangeOrder) -> list[tuple[str, str]]:
    """Return what an order can be divided into: a key and its words, affected revisions first, then values that stand alone."""
    affected = [
        (f"item:{item.id}", f"{item.number} ({item.action.lower().replace('_', ' ')})") for item in order.affected
    ]
    rows = _affected_rows(order.affected)
    alone: dict[str, str] = {}
    for item in items_of(session, order):
        if item.row_id not in rows:
            alone.setdefault(_key(item), _words(item))
    return [*affected, *alone.items()]


def split_off(act: Act, order: ChangeOrder, keys: Collection[str], *, title: str = "") -> ChangeOrder:
    """Take parts out of an order that is in writing and open a second one with them; it answers the same requests.

    keys: of ``parts_of``. Raises: Invalid unless some parts are named and some are left; Conflict when the order is sealed.
    """
    known = {key for key, _ in parts_of(act.session, order)}
    chosen = set(keys) & known
    if not chosen or chosen == known:
        raise Invalid(
            f"Expected a part of {order.number} to be split off and another to stay, but found {len(chosen)} of {len(known)}",
            {"split_off": "choose some, not all"},
        )
    take_up_content(act, order)
    leaving = [item for item in order.affected if f"item:{item.id}" in chosen]
    rows = _affected_rows(leaving)
    values = [item for item in items_of(act.session, order) if item.row_id in rows or _key(item) in chosen]
    moved = [(item.part_revision_from, item.part_revision_to, item.action, item.interchangeable) for item in leaving]
    copies = [_copy(item) for item in values if not (item.row_id in rows and item.column_name in DERIVED)]
    for gone in [*values, *leaving]:
        act.session.delete(gone)
    act.session.flush()
    act.session.refresh(order, ["affected"])
    second = _second(act, order, title)
    for before, after, action, interchangeable in moved:
        add_item(act, second, before, after, action=action, interchangeable=interchangeable)
    for copy in copies:
        copy.change_id = second.id
        act.session.add(copy)
    act.session.flush()
    act.note(order.record_type, order.id, "SPLIT", new=second.number, reason=second.title)
    act.note(second.record_type, second.id, "SPLIT_FROM", new=order.number, reason=order.title)
    return second


def mergeable(session: Session, order: ChangeOrder, *, limit: int = 50) -> list[ChangeOrder]:
    """Return the change orders that are in writing and can take another one in, newest first."""
    wanted = select(ChangeOrder).where(
        ChangeOrder.status.in_(FREE), ChangeOrder.id != order.id, ChangeOrder.change_class != OrderClass.CE
    )
    return list(session.scalars(wanted.order_by(ChangeOrder.number.desc()).limit(limit)))


def merge(act: Act, order: ChangeOrder, into: ChangeOrder) -> list[ChangeItem]:
    """Write what an ended order was to change into another one that is in writing; return the values that did not fit.

    Revisions of a part that the other order is about already stay as that one has them. Its baseline and impact are taken anew
    when it had them. Raises: Conflict when the other one is sealed.
    """
    take_up_content(act, into)
    there = {item.part_revision_from.part_id for item in into.affected}
    rows = _affected_rows(order.affected)
    for each in order.affected:
        if each.part_revision_from.part_id not in there:
            add_item(
                act, into, each.part_revision_from, each.part_revision_to, action=each.action, interchangeable=each.interchangeable
            )  # fmt: skip
    left = []
    for item in items_of(act.session, order):
        if item.applied_at is not None or (item.row_id in rows and item.column_name in DERIVED):
            continue
        if item.change_class is ChangeClass.REFUSED or not _taken(act, into, item):
            left.append(item)
    act.note(into.record_type, into.id, "MERGED", new=order.number, reason=order.title)
    if into.status is ChangeOrderStatus.IMPACT:
        take_baseline(act, into)
        impact.compute(act, into)
    return left


def _taken(act: Act, into: ChangeOrder, item: ChangeItem) -> bool:
    """Write one value into another order, as a value of its own; rows that come or go are asked for instead."""
    if item.operation is not Operation.UPDATE:
        act.note(into.record_type, into.id, "NOT_CARRIED_OVER", reason=_words(item))
        return False
    record, column, value = _value(act.session, item)
    try:
        with act.attempt():
            add_edit(act, into, record, column, value)
    except (Conflict, Invalid) as refusal:
        act.note(into.record_type, into.id, "NOT_CARRIED_OVER", field=column, new=item.new_text, reason=refusal.message)
        return False
    return True


def _second(act: Act, order: ChangeOrder, title: str) -> ChangeOrder:
    lies_ahead = order.effective_on is None or order.effective_on >= order.site.local_day(act.now)
    content: dict[str, Any] = {name: getattr(order, name) for name in COPIED}
    if lies_ahead and order.effectivity_kind is not None:
        content |= {"effectivity_kind": order.effectivity_kind, "effectivity_value": order.effectivity_value}
    return open_order(
        act, change_class=OrderClass.C4 if order.change_class is OrderClass.CE else order.change_class,
        title=title.strip() or f"Split from {order.number}: {order.title}"[:200], reason=order.reason, owner=order.owner,
        requests=[link.change_request for link in order.requests], **content,
    )  # fmt: skip


def _affected_rows(items: Sequence[AffectedItem]) -> set[str]:
    return {row for item in items for row in (item.part_revision_from_id, item.part_revision_to_id) if row is not None}


def _key(item: ChangeItem) -> str:
    """Return what a value is chosen by: a row that comes or goes is one part, whatever it holds."""
    column = item.column_name if item.operation is Operation.UPDATE else item.operation.value
    return f"value:{item.table_name}:{item.row_id}:{column}"


def _words(item: ChangeItem) -> str:
    table = item.table_name.replace("_", " ")
    if item.operation is not Operation.UPDATE:
        return f"{table}: a row {'comes' if item.operation is Operation.INSERT else 'goes'}"
    return f"{table} {item.column_name.replace('_', ' ')}: {item.old_text or 'nothing'} → {item.new_text or 'nothing'}"


def _copy(item: ChangeItem) -> ChangeItem:
    return ChangeItem(
        change_type=item.change_type, change_hash=UNSEALED, table_name=item.table_name, row_id=item.row_id, operation=item.operation,
        column_name=item.column_name, old_text=item.old_text, new_text=item.new_text, change_class=item.change_class,
    )  # fmt: skip


def _value(session: Session, item: ChangeItem) -> tuple[Any, str, Any]:
    mapped: Any = BY_TABLE[item.table_name].mapped if item.table_name in BY_TABLE else PartRevision
    record = session.get_one(mapped, item.row_id)
    return record, item.column_name, value_of(type(record), item.column_name, item.new_text)
