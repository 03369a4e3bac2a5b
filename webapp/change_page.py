"""What pages show of a change: its values as a redline, its tabs, and where other rooms hang in theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from engine.errors import NotFound
from processes.change_values import name_of, record_of
from records.change_order import ChangeOrder
from records.change_request import ChangeRequest
from rules.change_control import items_of
from webapp.formats import words
from webapp.naming import name_of_id
from webapp.redline import Difference, compare


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of the page that another room fills. template: included with ``panel``; values: what it gets; count: on its tab."""

    template: str
    values: Callable[[Session, ChangeOrder], Mapping[str, Any]]
    count: Callable[[Session, ChangeOrder], int] = lambda session, order: 0


PANELS: dict[str, Panel] = {}
"""By tab: ``impact``, ``tasks``, ``board``; whoever fills one registers it here. A tab that nobody fills says so."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value that a change sets, as people read it. item: where it comes from; url: of the row, or empty."""

    difference: Difference
    item: Any
    record_type: str
    record_id: str


def values_of(session: Session, order: ChangeOrder) -> list[Value]:
    """Return the values that an order sets, by row and column."""
    return [_value(session, item) for item in items_of(session, order)]


def edits_of(session: Session, request: ChangeRequest) -> list[Value]:
    """Return the values that a request asks for."""
    return [_value(session, edit) for edit in request.edits]


def place(session: Session, table: str, row_id: str) -> str:
    """Return what people call a row, or its table and id where it is gone."""
    try:
        return name_of(record_of(session, table, row_id))
    except NotFound:
        return f"{words(table)} {row_id}"


def differences(values: Sequence[Value]) -> list[Difference]:
    """Return the redline alone."""
    return [value.difference for value in values]


def _value(session: Session, item: Any) -> Value:
    shown = [
        (name_of_id(session, item.table_name, item.column_name, text) or text) if text else text
        for text in (item.old_text, item.new_text)
    ]
    name = words(item.column_name.removesuffix("_id")).lower()
    difference = compare(place(session, item.table_name, item.row_id), name, *shown)
    parent = _parent(session, item.table_name, item.row_id)
    return Value(difference, item, *parent)


def _parent(session: Session, table: str, row_id: str) -> tuple[str, str]:
    """Return the document whose page shows a row."""
    if table in ("part_revision", "purchase_order_line", "product_definition_ref"):
        try:
            record: Any = record_of(session, table, row_id)
        except NotFound:
            return "", ""
        if table == "part_revision":
            return "part", record.part_id
        return (
            ("purchase_order", record.order_id)
            if table == "purchase_order_line"
            else ("part", record.part_revision.part_id)
        )
    return table, row_id
