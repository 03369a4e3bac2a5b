"""What people call the rows that a change order may set, and the values they type for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import InvalidOperation
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import is_id
from engine.errors import Conflict, Invalid, NotFound
from engine.record import Operation, Record
from processes.change_rows import Row, row_of
from records.columns import CodesType
from records.origin import Origin
from records.part import DefinitionKind, Part, PartRevision, ProductDefinitionRef, RevisionStatus
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.work_order import WorkOrder, WorkOrderOperation
from rules.amending import text_of, value_of
from rules.change_item import ChangeClass, ChangeItem
from rules.controlled import current_policy
from rules.guard import BY_TABLE

EXAMPLES = "P-200/B, P-200/B BOM B-1, PO-5010, PO-5010/1, WO-7001 or WO-7001/30"


def record_called(session: Session, name: str) -> Record:
    """Return the row that people call so: a part revision, an order or one of its lines, a work order or one of its operations.

    Raises: Invalid when there is none.
    """
    found = _named(session, name.strip())
    if found is None:
        raise Invalid(
            f"Expected something like {EXAMPLES}, but there is no {name.strip()[:60]!r}",
            {"record": "is unknown"},
        )
    return found


def reference_called(session: Session, name: str) -> ProductDefinitionRef:
    """Return the document of a revision that people call so. Raises: Invalid when there is none."""
    found = _reference(session, name.strip())
    if found is None:
        raise Invalid(
            f"Expected a document of a revision such as P-200/B BOM B-1, but there is no {name.strip()[:60]!r}",
            {"reference": "is unknown"},
        )
    return found


def record_of(session: Session, table: str, row_id: str) -> Record:
    """Return a row by table and id. Raises: NotFound, also for a table whose values do not change under control."""
    guarded = BY_TABLE.get(table)
    found: Any = session.get(guarded.mapped, row_id) if guarded is not None and is_id(row_id) else None
    if found is None:
        raise NotFound(f"Expected a controlled row of {table[:40]}, but there is no {row_id[:60]}")
    record: Record = found
    return record


def name_of(record: Any) -> str:
    """Return what people call a row: the inverse of ``record_called`` where there is a name for it."""
    if isinstance(record, PurchaseOrderLine):
        return f"{record.order.number}/{record.line_no}"
    if isinstance(record, WorkOrderOperation):
        return f"{record.work_order.number}/{record.op_no}"
    if isinstance(record, ProductDefinitionRef):
        return f"{record.part_revision.number} {record.kind.value} {record.native_id}"
    return str(getattr(record, "number", None) or record.id)


def rows_named(session: Session, items: Iterable[ChangeItem]) -> list[tuple[str, Operation, ChangeClass]]:
    """Return each row that items add or take away: what people call it, which of the two, and the class."""
    listed = list(items)
    called = rows_called(session, listed)
    kinds = {item.row_id: (item.operation, item.change_class) for item in listed if item.row_id in called}
    return [(name, *kinds[row_id]) for row_id, name in called.items()]


def rows_called(session: Session, items: Iterable[ChangeItem]) -> dict[str, str]:
    """Return what people call each row that items add or take away, by its id."""
    rows: dict[str, Row] = {}
    for item in items:
        if item.operation is Operation.INSERT:
            rows.setdefault(item.row_id, {})[item.column_name] = item.new_text
        elif item.operation is Operation.DELETE:
            rows[item.row_id] = row_of(item.old_text)
    return {row_id: name_of_row(session, row) for row_id, row in rows.items()}


def name_of_row(session: Session, row: Row) -> str:
    """Return what people call a document of a revision that is not there yet, or no more: ``P-200/B BOM B-1``."""
    if "part_revision_id" not in row:
        return f"Table {row.get('name') or ''}".strip()
    revision = session.get(PartRevision, row["part_revision_id"]) if row.get("part_revision_id") else None
    named = (revision.number if revision is not None else None, row.get("kind"), row.get("native_id"))
    return " ".join(part for part in named if part)


def controlled_columns(record: Record) -> tuple[str, ...]:
    """Return the columns of a row that change under control."""
    return current_policy().fields(record.record_type)


def read_value(record: Record, column: str, typed: str | None) -> Any:
    """Return what somebody typed as its column keeps it; empty text is no value. Raises: Invalid naming the column."""
    columns = inspect(type(record)).columns
    if column not in columns:
        known = ", ".join(controlled_columns(record))
        raise Invalid(f"Expected one of {known}, but found {column[:60]!r}", {"column": "is unknown"})
    text = (typed or "").strip()
    if column == "part_revision_id" and text and not is_id(text):
        return record_called_revision(record, text)
    try:
        if isinstance(columns[column].type, CodesType) and not text.startswith("["):
            text = json.dumps([code.strip() for code in text.split(",") if code.strip()])
        return value_of(type(record), column, text or None)
    except (ValueError, InvalidOperation) as error:
        raise Invalid(f"Expected a value of {column}, but found {text[:60]!r}", {"new": "cannot be read"}) from error


def record_called_revision(record: Record, name: str) -> str:
    """Return the id of a revision that somebody named, ``P-200/C``. Raises: Invalid."""
    session = inspect(record).session
    found = _named(session, name) if session is not None else None
    if not isinstance(found, PartRevision):
        raise Invalid(f"Expected a part revision such as P-200/C, but found {name[:60]!r}", {"new": "is unknown"})
    return found.id


def edit_of(record: Record, column: str, value: Any) -> Mapping[str, Any]:
    """Return an edit as a change request keeps it: word for word, with what the row is called and what it was."""
    return {
        "table_name": record.record_type,
        "row_id": record.id,
        "column_name": column,
        "about": name_of(record),
        "old_text": text_of(type(record), column, getattr(record, column)),
        "new_text": text_of(type(record), column, value),
    }


def draft_revision(act: Act, before: PartRevision, rev: str) -> PartRevision:
    """Write the draft of the revision that follows another, with its documents, to be edited until the board reads it.

    Raises: Conflict when the part has a revision of that letter; Invalid for a letter that is none.
    """
    rev = rev.strip()
    if not 1 <= len(rev) <= 4:
        raise Invalid(f"Expected a revision of 1 to 4 characters, but found {rev[:20]!r}", {"rev": "does not fit"})
    if any(one.rev == rev for one in before.part.revisions):
        raise Conflict(f"Expected a new revision of {before.part.part_no}, but {rev} is there already")
    after = PartRevision(
        part=before.part, part_id=before.part_id, rev=rev, status=RevisionStatus.DRAFT, origin=Origin.LOCKSTEP,
        drawing_doc=before.drawing_doc, drawing_rev=before.drawing_rev, specs=before.specs,
    )  # fmt: skip
    act.session.add(after)
    act.session.flush()
    for one in before.definitions:
        act.session.add(
            ProductDefinitionRef(
                part_revision=after, part_revision_id=after.id, kind=one.kind, system=one.system, native_id=one.native_id,
                native_rev=one.native_rev, content_hash=one.content_hash,
            )
        )  # fmt: skip
    act.session.flush()
    return after


def _reference(session: Session, name: str) -> ProductDefinitionRef | None:
    revision, _, rest = name.partition(" ")
    kind, _, native_id = rest.strip().partition(" ")
    part, _, rev = revision.rpartition("/")
    wanted = (
        select(ProductDefinitionRef)
        .join(PartRevision)
        .join(Part)
        .where(
            Part.part_no == part, PartRevision.rev == rev, ProductDefinitionRef.kind == kind.upper(),
            ProductDefinitionRef.native_id == native_id.strip(),
        )
    )  # fmt: skip
    return (
        session.scalars(wanted.order_by(ProductDefinitionRef.system)).first()
        if kind.upper() in set(DefinitionKind)
        else None
    )


def _named(session: Session, name: str) -> Record | None:
    if " " in name and (found := _reference(session, name)) is not None:
        return found
    head, _, tail = name.rpartition("/")
    order = session.scalar(
        select(PurchaseOrder).where((PurchaseOrder.po_no == name) | (PurchaseOrder.proposal_no == name))
    )
    work = session.scalar(select(WorkOrder).where(WorkOrder.number == name))
    if order is not None or work is not None or not head:
        return order or work
    revision = session.scalar(select(PartRevision).join(Part).where(Part.part_no == head, PartRevision.rev == tail))
    if revision is not None or not tail.isdecimal():
        return revision
    line = session.scalar(
        select(PurchaseOrderLine).join(PurchaseOrder).where(
            (PurchaseOrder.po_no == head) | (PurchaseOrder.proposal_no == head), PurchaseOrderLine.line_no == int(tail)
        )
    )  # fmt: skip
    operation = session.scalar(
        select(WorkOrderOperation)
        .join(WorkOrder)
        .where(WorkOrder.number == head, WorkOrderOperation.op_no == int(tail))
    )
    return line or operation
