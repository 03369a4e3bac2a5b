"""Rows that come and go by a change order: written and taken away exactly as their signed items say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import inspect

from engine.act import Act
from engine.canonical import canonical_json
from engine.errors import Conflict
from engine.record import Operation, Record
from records.change_order import ChangeOrder
from rules import table_version
from rules.amending import text_of, value_of
from rules.change_item import ChangeItem
from rules.controlled import current_policy
from rules.guard import BY_TABLE
from rules.guarded import Lines
from rules.tables_in_force import TableInForce

Row = dict[str, str | None]
"""A row's controlled columns in canonical text, the key to its document included."""


def texts_of(record: Record) -> Row:
    """Return what a row says, as the item that takes it away keeps it."""
    kind = type(record)
    texts = {name: text_of(kind, name, getattr(record, name)) for name in columns_of(record.record_type)}
    return {name: text for name, text in texts.items() if text is not None}


def columns_of(table: str) -> tuple[str, ...]:
    """Return the columns that an item of a coming row needs: the key to its document, and every controlled one."""
    guarded = BY_TABLE[table]
    assert isinstance(guarded, Lines)
    return tuple(dict.fromkeys((guarded.column, *current_policy().fields(table))))


def as_text(row: Row) -> str:
    """Return a row as the item that takes it away says it: the board signs what goes, not only that something goes."""
    return canonical_json(row).decode()


def row_of(text: str | None) -> Row:
    """Return the row that ``as_text`` wrote down."""
    found: Row = json.loads(text) if text else {}
    return found


def write_rows(act: Act, order: ChangeOrder, items: Sequence[ChangeItem]) -> None:
    """Take away and add the rows of these items, each once, the goers first: what comes may take their place.

    Raises: Conflict BASELINE_MOVED when a row that is to go is not what was signed, or is gone.
    """
    for item in items:
        if item.operation is Operation.DELETE:
            act.session.delete(_as_signed(act, order, item))
    act.session.flush()
    coming: dict[tuple[str, str], Row] = {}
    for item in items:
        if item.operation is Operation.INSERT:
            coming.setdefault((item.table_name, item.row_id), {})[item.column_name] = item.new_text
    for (table, row_id), row in coming.items():
        mapped: Any = BY_TABLE[table].mapped
        act.session.add(mapped(id=row_id, **{name: value_of(mapped, name, text) for name, text in row.items()}))
    act.session.flush()
    for (table, _), row in coming.items():
        _show_to_its_document(act, table, row)


def _as_signed(act: Act, order: ChangeOrder, item: ChangeItem) -> Record:
    mapped: Any = BY_TABLE[item.table_name].mapped
    found: Record | None = act.session.get(mapped, item.row_id)
    if found is None or texts_of(found) != row_of(item.old_text):
        raise Conflict(
            f"Expected the row of {item.table_name.replace('_', ' ')} that {order.number} takes away as it was signed, but it is "
            f"{'gone' if found is None else 'another'}. Return the order and have it signed again.",
            code="BASELINE_MOVED", record=(order.record_type, order.id), keep=True,
        )  # fmt: skip
    return found


def _show_to_its_document(act: Act, table: str, row: Row) -> None:
    guarded = BY_TABLE[table]
    assert isinstance(guarded, Lines)
    document = act.session.get(guarded.document.mapped, row[guarded.column])
    if document is not None:
        lists = [one.key for one in inspect(type(document)).relationships if one.mapper.class_ is guarded.mapped]
        act.session.expire(document, lists)


def put_tables_in_force(act: Act, order: ChangeOrder, items: Sequence[ChangeItem]) -> None:
    """Put the tables of these items in force, as signed; each table's own chain says under which order."""
    rows: dict[str, dict[str, str | None]] = {}
    for item in items:
        rows.setdefault(item.row_id, {})[item.column_name] = item.new_text
    for row_id, row in rows.items():
        present = act.session.get(TableInForce, row_id)
        before = present.content_hash if present is not None else None
        if present is None:
            present = TableInForce(id=row_id, name=row["name"] or "", content_hash=row["content_hash"] or "")
            act.session.add(present)
        else:
            present.content_hash = row["content_hash"] or ""
        act.note(
            table_version.RECORD_TYPE, present.name, table_version.ADOPTED, field="content", old=before, new=present.content_hash,
            reason=f"{order.number}: {order.title}"[:4000],
        )  # fmt: skip
    act.session.flush()
