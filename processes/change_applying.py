"""Apply a change order as its board signed it: every value that is due, in one act, through the guard (C13, Lockstep's side)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import definitions
from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Conflict
from engine.record import Operation
from engine.stored.definition import Definition
from processes.change_baseline import baseline_of, definition_of
from processes.change_rows import put_tables_in_force, write_rows
from processes.outside_changes import refuse_undisposed
from records import part
from records.change_order import ChangeOrder
from records.part import PartRevision, ProductDefinitionRef, RevisionStatus
from records.work_order import WorkOrderOperation
from rules.amending import value_of
from rules.change_control import items_of
from rules.change_item import ChangeItem
from rules.guard import BY_TABLE
from rules.tables_in_force import TableInForce

DEFINITION = Definition.__tablename__
TABLE = TableInForce.__tablename__
DEFINING = (PartRevision.__tablename__, ProductDefinitionRef.__tablename__, WorkOrderOperation.__tablename__)
"""What work outside is done by: a revision, its routing, an operation."""


def apply(act: Act, order: ChangeOrder) -> list[ChangeItem]:
    """Write every signed value that is due, in this one act, and return the items it used; a second call does nothing.

    Superseding waits for the day on which the order takes effect. Values of purchase orders wait for their amendments.
    Raises: Conflict when the order is not in force, a revision is no longer what was signed, or a value moved meanwhile.
    """
    if not order.is_in_force:
        raise Conflict(
            f"Expected {order.number} to be approved, but it is {order.status}: its board signs first",
            code="NOT_IN_FORCE", record=(order.record_type, order.id),
        )  # fmt: skip
    due = [item for item in items_of(act.session, order) if item.applied_at is None and _is_due(act, order, item)]
    if not due:
        return []
    _refuse_moved(order)
    if any(item.table_name in DEFINING for item in due):
        refuse_undisposed(act.session, order)
    write_items(act, order, due)
    for item in due:
        act.session.refresh(item)
    act.note(order.record_type, order.id, "APPLIED", new=f"{len(due)} items")
    _take_effect(act, order)
    return due


def write_items(act: Act, order: ChangeOrder, due: Sequence[ChangeItem]) -> None:
    """Write what signed items say, row by row, releases last: what they follow is superseded before them."""
    rows: dict[tuple[str, str], list[ChangeItem]] = {}
    for item in [one for one in due if one.table_name == DEFINITION]:
        definitions.release(act, act.session.get_one(Definition, item.row_id))
    put_tables_in_force(act, order, [one for one in due if one.table_name == TABLE])
    due = [one for one in due if one.table_name not in (DEFINITION, TABLE)]
    write_rows(act, order, [one for one in due if one.operation is not Operation.UPDATE])
    due = [one for one in due if one.operation is Operation.UPDATE]
    for item in sorted(due, key=_precedence):
        rows.setdefault((item.table_name, item.row_id), []).append(item)
    loaded = _records(act.session, rows)
    with act.session.no_autoflush:
        waiting = [key for key, items in rows.items() if not _is_release(items)]
        for key in waiting:
            _write_row(act, order, loaded[key], rows[key])
    act.session.flush()
    for key, items in rows.items():
        if _is_release(items):
            _release(act, order, loaded[key], items)
    act.session.flush()


def _write_row(act: Act, order: ChangeOrder, record: Any, items: Sequence[ChangeItem]) -> None:
    for item in items:
        setattr(record, item.column_name, value_of(type(record), item.column_name, item.new_text))


def _release(act: Act, order: ChangeOrder, revision: Any, items: Sequence[ChangeItem]) -> None:
    if revision.status is RevisionStatus.DRAFT:
        part.move(act, revision, RevisionStatus.IN_REVIEW)
        act.session.flush()
    with act.session.no_autoflush:
        revision.change_order_id = order.id
        if order.effective_on is not None:
            revision.effectivity, revision.effective_from = part.Effectivity.DATE, order.effective_on
        part.move(act, revision, RevisionStatus.RELEASED, reason=f"{order.number}: {order.title}"[:4000])
    act.session.flush()


def _take_effect(act: Act, order: ChangeOrder) -> None:
    """Note the instant from which an order counts, once its day has come and everything that waited for it is done."""
    day = order.effective_on
    if order.effective_at is None and (day is None or day <= order.site.local_day(act.now)):
        order.effective_at = act.now
        act.session.flush()


def _is_release(items: Sequence[ChangeItem]) -> bool:
    return any(
        item.table_name == PartRevision.__tablename__
        and item.column_name == "status"
        and item.new_text == RevisionStatus.RELEASED
        for item in items
    )


def _precedence(item: ChangeItem) -> tuple[str, str, str]:
    return item.table_name, item.row_id, item.column_name


def _records(session: Session, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    for table in sorted({table for table, _ in keys}):
        mapped: Any = BY_TABLE[table].mapped
        ids = [row_id for name, row_id in keys if name == table]
        for start in range(0, len(ids), 500):
            for record in session.scalars(select(mapped).where(mapped.id.in_(ids[start : start + 500]))):
                found[table, record.id] = record
    for key in keys:
        if key not in found:
            raise Conflict(f"Expected the row {key[1]} of {key[0]} to be there, but it is gone", code="BASELINE_MOVED")
    return found


def _is_due(act: Act, order: ChangeOrder, item: ChangeItem) -> bool:
    if item.table_name in ("purchase_order", "purchase_order_line"):
        return False
    superseding = item.table_name == PartRevision.__tablename__ and item.new_text == RevisionStatus.SUPERSEDED
    day = order.effective_on
    return not superseding or day is None or day <= order.site.local_day(act.now)


def _refuse_moved(order: ChangeOrder) -> None:
    """Refuse an order whose following revisions are not what the board read. Raises: Conflict BASELINE_MOVED."""
    for item in order.affected:
        if item.part_revision_to is None or item.part_revision_to.status is RevisionStatus.RELEASED:
            continue
        signed = baseline_of(item).get("becomes")
        if signed is not None and signed != content_hash(definition_of(item.part_revision_to)):
            raise Conflict(
                f"Expected {item.part_revision_to.number} as the board signed it, but it was edited since. Return {order.number} "
                "and have it signed again.",
                code="BASELINE_MOVED", record=(order.record_type, order.id), keep=True,
            )  # fmt: skip
