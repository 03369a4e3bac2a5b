"""The redline of any document, against what somebody chooses: the last submission, the last release, one's own last look.

An amendment is told by its stored changes, a change order by the items that its board signs; everything else is compared with how it
was.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, Enum, inspect, select
from sqlalchemy.orm import Session

from engine.comparison import changed, compare
from engine.record import Operation, Record
from engine.redline import Difference, Field, Kind, Redline, Row, Shape
from records.amendment import PurchaseOrderAmendment
from records.change_order import AffectedItem
from records.document_tree import LAYOUTS, Column, called, layout_of, moments_of, requested_tree, tree_at, tree_of
from records.impact import RowDisposition, newest_snapshot, rows_of
from records.part import PartRevision
from records.part_tree import predecessor_of, revision_tree
from records.purchase_order import PurchaseOrder
from records.viewing import Look
from records.work_order import WorkOrder
from records.work_order_tree import snapshot_tree, snapshots_of
from rules import amendment_redline
from rules.change_doors import UNSEALED
from rules.change_item import ChangeItem

SUBMITTED = {"requisition": ("SUBMITTED",), "purchase_order": ("PENDING_APPROVAL",), "work_order": ("RELEASED",),
             "part_revision": ("IN_REVIEW",)}  # fmt: skip
RELEASED = {"requisition": ("APPROVED",), "purchase_order": ("APPROVED", "APPROVED_NOT_TRANSMITTED", "TRANSMITTED"),
            "work_order": ("RELEASED",), "part_revision": ("RELEASED",)}  # fmt: skip
DRAFTS = frozenset({"DRAFT", "RETURNED", "PLANNED", "FIRM"})


class Since(StrEnum):
    """What a document is compared with."""

    SUBMISSION = "submission"
    LOOK = "look"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a reviewer ticks as viewed. path: of the line, empty for the header; hash: of what is to be seen there."""

    path: str
    place: str
    hash: str


def redline_of(session: Session, record: Any, since: Since = Since.SUBMISSION, *, look: Look | None = None) -> Redline:
    """Return how a document differs from what ``since`` says; with an empty basis when there is nothing to compare with."""
    if since is Since.LOOK:
        return _since_look(session, record, look)
    if isinstance(record, PurchaseOrderAmendment):
        return amendment_redline.redline_of(session, record)
    if since is Since.RELEASE:
        return _since_release(session, record)
    if layout_of(record) is None:
        return _of_change(session, record)
    return _since_submission(session, record)


def choices(session: Session, record: Any, look: Look | None) -> list[Since]:
    """Return what a document can be compared with, the usual one first."""
    if layout_of(record) is None:
        return [Since.SUBMISSION]
    found = [Since.SUBMISSION]
    if look is not None:
        found.append(Since.LOOK)
    if _since_release(session, record).basis:
        found.append(Since.RELEASE)
    return found


def items_to_view(session: Session, record: Any, known: Redline | None = None) -> list[Item]:
    """Return what a reviewer is to view: every line that changed; of a first submission every line there is."""
    found = known if known is not None else redline_of(session, record)
    if found.basis:
        return [Item(group.path, group.place, group.hash) for group in found.groups if group.count]
    if layout_of(record) is None:
        return []
    return [Item(row.handle, row.words, row.content) for row in tree_of(session, record).rows]


def _since_submission(session: Session, record: Any) -> Redline:
    moments = moments_of(session, record, SUBMITTED[record.record_type])
    is_draft = str(record.status) in DRAFTS
    before = moments[-1:] if is_draft else moments[-2:-1]
    if before:
        return _since(session, record, before[0], "the last time it was submitted")
    if isinstance(record, PurchaseOrder) and record.lines:
        asked, ordered = requested_tree(session, record)
        return compare(asked, ordered, basis="the requisition")
    return _since_release(session, record) if isinstance(record, (WorkOrder, PartRevision)) else Redline()


def _since_release(session: Session, record: Any) -> Redline:
    if isinstance(record, PartRevision):
        before = predecessor_of(session, record)
        if before is None:
            return Redline()
        return compare(revision_tree(session, before), revision_tree(session, record), basis=f"revision {before.rev}")
    if isinstance(record, WorkOrder):
        kept = snapshots_of(session, record)
        if len(kept) < 2:
            return Redline()
        basis = f"its release as {kept[-2].number}" if kept[-2].number != record.number else "its release before"
        return compare(snapshot_tree(kept[-2].content), snapshot_tree(kept[-1].content), basis=basis)
    moments = moments_of(session, record, RELEASED.get(record.record_type, ()))
    return _since(session, record, moments[-1], "its last release") if moments and layout_of(record) else Redline()


def _since_look(session: Session, record: Any, look: Look | None) -> Redline:
    if look is None or layout_of(record) is None:
        return Redline()
    return _since(session, record, look.at, f"version {look.version}, which you saw last")


def _since(session: Session, record: Any, moment: dt.datetime, basis: str) -> Redline:
    return compare(tree_at(session, record, moment), tree_of(session, record), basis=basis)


def items_of(session: Session, record: Any) -> list[ChangeItem]:
    """Return what a change sets, under the content that people sign, or what is drafted so far; in the order it was written."""
    content = getattr(record, "content_hash", None) or getattr(record, "approved_hash", None) or UNSEALED
    wanted = select(ChangeItem).where(
        ChangeItem.change_type == record.record_type,
        ChangeItem.change_id == record.id,
        ChangeItem.change_hash == content,
    )
    return list(session.scalars(wanted.order_by(ChangeItem.created_at, ChangeItem.id)))


def _of_change(session: Session, record: Any) -> Redline:
    """Return what a change would make: of the parts that it affects what their next revisions say, and each value that it sets."""
    affected = [one for item in getattr(record, "affected", ()) for one in _of_affected(session, item)]
    found = (*affected, *told(session, items_of(session, record)))
    return Redline(found, "what is approved now" if found else "")


def _of_affected(session: Session, item: AffectedItem) -> list[Difference]:
    before, after, path = item.part_revision_from, item.part_revision_to, f"affected:{item.id}"
    if after is None:
        action = item.action.value.replace("_", " ").lower()
        return [changed((path,), before.number, "action", label="becomes", old="released", new=action)]
    place = f"{before.number} to {after.rev}"
    found = compare(revision_tree(session, before), revision_tree(session, after), header=place)
    return [
        replace(one, path=(path, *one.path), place=one.place if one.place == place else f"{place} · {one.place}")
        for one in found.differences
    ]


def told(session: Session, items: Sequence[ChangeItem]) -> list[Difference]:
    """Return change items as differences, row by row; a new row is one difference, a deleted one too."""
    by_row: dict[tuple[str, str], list[ChangeItem]] = {}
    for item in items:
        by_row.setdefault((item.table_name, item.row_id), []).append(item)
    return [one for (table, row_id), ones in by_row.items() for one in _told_row(session, table, row_id, ones)]


def _told_row(session: Session, table: str, row_id: str, items: Sequence[ChangeItem]) -> list[Difference]:
    found = mapped(table)
    record: Any = session.get(found, row_id) if found is not None else None
    place = _place(session, table, record)
    path = (f"{table}:{row_id}",)
    if items[0].operation is Operation.DELETE:
        return [Difference(Kind.REMOVED, path, place, old=place)]
    fields = {item.column_name: _field(session, record, item, item.new_text) for item in items}
    if items[0].operation is Operation.INSERT:
        row = Row(place, "", {name: one for name, one in fields.items() if one.text}, identity=path[0])
        return [Difference(Kind.ADDED, path, place, new=row.summary, row=row)]
    return [
        changed(
            path, place, item.column_name, label=fields[item.column_name].label,
            old=_field(session, record, item, item.old_text).text, new=fields[item.column_name].text,
            shape=fields[item.column_name].shape, unit=fields[item.column_name].unit, why=f"Class {item.change_class}",
        )
        for item in items
    ]  # fmt: skip


def _place(session: Session, table: str, record: Any) -> str:
    """Return what people call the row of an item; a disposition is known by the row of the impact that it decides about."""
    if isinstance(record, RowDisposition):
        snapshot = newest_snapshot(session, record.change_order)
        rows = rows_of(session, snapshot) if snapshot is not None else ()
        about = next((row.native_ref for row in rows if (row.target, row.target_id, row.state) == record.key), "row")
        return f"{about}, {record.quantity.normalize():f} {record.uom}"
    kind = table.replace("_", " ").capitalize()
    return f"{kind} {record.number}" if record is not None and getattr(record, "number", None) else kind


def _field(session: Session, record: Any, item: ChangeItem, text: str | None) -> Field:
    known: dict[str, Column] = {}
    for layout in LAYOUTS.values():
        known |= dict(layout.header) if layout.record.record_type == item.table_name else {}
        known |= dict(layout.columns) if layout.line.record_type == item.table_name else {}
    name = item.column_name
    kind = _type(item.table_name, name)
    shape = Shape.DAY if isinstance(kind, Date) else Shape.TEXT if name == "reason" else Shape.CODE
    column = known.get(name) or Column(name.removesuffix("_id").removeprefix("is_").replace("_", " "), shape)
    shown = called(session, column.names, text) if column.names else text
    if isinstance(kind, Enum) and shown:
        shown = shown.replace("_", " ").lower()
    unit = getattr(record, column.unit, "") if column.unit and not column.unit.startswith("^") else ""
    return Field(column.label, shown, column.shape, unit or "")


def _type(table: str, name: str) -> Any:
    """Return the type of a column, or None where there is no such one."""
    found = mapped(table)
    column = inspect(found).local_table.columns.get(name) if found is not None else None
    return column.type if column is not None else None


def mapped(table: str) -> type[Record] | None:
    """Return the class of the documents of a kind, or None."""
    return next((kind for kind in Record.__subclasses__() if getattr(kind, "record_type", None) == table), None)
