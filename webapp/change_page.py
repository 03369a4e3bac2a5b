"""What pages show of a change: its values as a redline, its tabs, and where other rooms hang in theirs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for
from sqlalchemy import Boolean, Date, select
from sqlalchemy.orm import Session

from engine import tasks
from engine.database import Scaled
from engine.errors import NotFound
from engine.record import Operation
from engine.redline import Difference, Field, Kind, Redline, Shape
from engine.stored.definition import Definition
from engine.stored.task import Task, TaskState
from processes.change_rows import Row, row_of
from processes.change_values import name_of, name_of_row, record_of
from records.change_order import ChangeOrder, ChangeOrderAddendum, ChangeOrderStatus
from records.change_request import ChangeRequest, ChangeRequestEdit
from records.signing import signatures_on
from rules.change_control import items_of
from rules.change_item import ChangeItem
from rules.guard import BY_TABLE
from rules.tables_in_force import TableInForce
from webapp import route, visit
from webapp.change_dossier import ADDENDUM_WORDS
from webapp.formats import words
from webapp.naming import name_of_id
from webapp.redline import View, view_of

S = ChangeOrderStatus


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of the page that another room fills. template: included with ``panel``; values: what it gets; count: on its tab."""

    template: str
    values: Callable[[Session, ChangeOrder], Mapping[str, Any]]
    count: Callable[[Session, ChangeOrder], int] = lambda session, order: 0


NOW: Mapping[ChangeOrderStatus, str] = {
    S.DRAFT: "It is being written: the revisions it affects, the values it sets, from when it counts.",
    S.IMPACT: "The areas say what it means to them; owners decide what becomes of every row on the tab Impact.",
    S.REVIEW: "Its content is sealed. The board reads exactly this, and each function signs its vote.",
    S.CONFLICT: "What it stands on has moved. Rebase it, merge it into another change, or withdraw it.",
    S.RETURNED: "It was returned to be written again; whoever signed signs the new version.",
    S.APPROVED: "It is approved. Its tasks are planned, each with what undoes it.",
    S.IMPLEMENTING: "Its tasks are carried out, stage by stage; the orders on its list wait for it.",
    S.VERIFYING: "Everything is done and read back. Quality, nobody who did a task, verifies it.",
    S.EMERGENCY_ACTIVE: "Two people signed it for a bounded reach. Nothing of it is shipped before the board approves it.",
    S.OVERDUE_HOLD: "It was not done in time: what it lists is held until somebody decides how it goes on.",
    S.REJECTED: "The board refused it. Nothing of it is applied.",
    S.WITHDRAWN: "It was taken back. What was done of it is undone.",
    S.CLOSED: "It is verified and closed. A further change needs a new change order.",
}  # fmt: skip
"""What happens to a change in each status, in one sentence."""
MOST_TURNS = 8

WORDS = frozenset({"status", "effectivity", "kind", "type", "action"})
"""Columns whose values are codes of ours."""

PANELS: dict[str, Panel] = {}
"""By tab: ``impact``, ``tasks``, ``board``; whoever fills one registers it here. A tab that nobody fills says so."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that somebody does next. url: empty where the visitor may not open it."""

    title: str
    who: str
    due_at: dt.datetime | None
    url: str


def turns_of(session: Session, instance_id: str | None) -> list[Turn]:
    """Return whose turn it is in a change's flow: its open tasks, the most urgent first."""
    if instance_id is None:
        return []
    wanted = select(Task).where(Task.instance_id == instance_id, Task.state == TaskState.OPEN)
    me, found = visit.visitor().user_id, list(session.scalars(wanted.order_by(Task.due_at, Task.id).limit(MOST_TURNS)))
    return [
        Turn(
            task.title, route.waits_for(session, task), task.due_at,
            url_for("review.show", task_id=task.id) if tasks.may_see(session, task, me) else "",
        )
        for task in found
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Addendum:
    """What was decided about a change after its approval. signed: who signed it, in words."""

    number: str
    name: str
    reason: str
    status: str
    at: dt.datetime
    signed: str


def addenda_of(session: Session, order: ChangeOrder) -> list[Addendum]:
    """Return the addenda of a change order, oldest first, with who signed each."""
    wanted = select(ChangeOrderAddendum).where(ChangeOrderAddendum.change_order_id == order.id)
    return [
        Addendum(
            one.number, ADDENDUM_WORDS[one.kind][0], one.reason, one.status.value, one.approved_at or one.changed_at,
            ", ".join(signature.printed_name for signature in signatures_on(session, one.record_type, one.id)),
        )
        for one in session.scalars(wanted.order_by(ChangeOrderAddendum.addendum_no))
    ]  # fmt: skip


def values_of(session: Session, order: ChangeOrder) -> View:
    """Return the values that an order sets, row by row, each with its class and whether it is applied."""
    items = items_of(session, order)
    coming: dict[str, Row] = {}
    for item in items:
        if item.operation is Operation.INSERT:
            coming.setdefault(item.row_id, {})[item.column_name] = item.new_text
    found = [
        _difference(session, item, _standing(item)) if item.operation is Operation.UPDATE
        else _difference(session, item, _standing(item)) if item.table_name == TableInForce.__tablename__
        else _row_difference(session, item, coming.get(item.row_id) or row_of(item.old_text))
        for item in items
        if item.operation is not Operation.INSERT or (item.column_name != "part_revision_id" and item.new_text)
    ]  # fmt: skip
    return view_of(Redline(tuple(found)), prefix="value")


def edits_of(session: Session, request: ChangeRequest) -> View:
    """Return the values that a request asks for."""
    return view_of(Redline(tuple(_difference(session, edit, "") for edit in request.edits)), prefix="value")


def place(session: Session, table: str, row_id: str) -> str:
    """Return what people call a row, or its table and id where it is gone."""
    if table == Definition.__tablename__:
        definition = session.get(Definition, row_id)
        return f"{definition.process_id} version {definition.version}" if definition is not None else row_id
    if table == TableInForce.__tablename__:
        return name_of_table(session, row_id)
    try:
        return name_of(record_of(session, table, row_id))
    except NotFound:
        return f"{words(table)} {row_id}"


def name_of_table(session: Session, row_id: str) -> str:
    """Return what people call a rule table, also one that is not in force yet."""
    known = session.get(TableInForce, row_id)
    named = known.name if known is not None else session.scalar(
        select(ChangeItem.new_text).where(ChangeItem.row_id == row_id, ChangeItem.column_name == "name")
    )  # fmt: skip
    return f"Table {named or row_id}"


def _row_difference(session: Session, item: ChangeItem, row: Row) -> Difference:
    """Show a value of a row that comes, or the whole of one that goes."""
    goes = item.operation is Operation.DELETE
    label = "document" if goes else words(item.column_name).lower()
    text = ", ".join(text for name, text in sorted(row.items()) if text and name != "part_revision_id")
    said = text if goes else item.new_text or ""
    return Difference(
        Kind.REMOVED if goes else Kind.ADDED, (item.row_id,), name_of_row(session, row), item.column_name, label,
        said if goes else None, None if goes else said, Shape.CODE, why=_standing(item),
    )  # fmt: skip


def _standing(item: ChangeItem) -> str:
    return f"class {item.change_class}" + (", applied" if item.applied_at is not None else "")


def _difference(session: Session, item: ChangeItem | ChangeRequestEdit, why: str) -> Difference:
    label = words(item.column_name.removesuffix("_id")).lower()
    shape = _shape(item.table_name, item.column_name)
    old, new = (
        Field(label, _named(session, item, text), shape) if text else None for text in (item.old_text, item.new_text)
    )
    kind = Kind.ADDED if old is None else Kind.REMOVED if new is None else Kind.CHANGED
    return Difference(
        kind, (item.row_id,), place(session, item.table_name, item.row_id), item.column_name, label, old.text if old else None,
        new.text if new else None, shape, why=why,
    )  # fmt: skip


def _named(session: Session, item: ChangeItem | ChangeRequestEdit, text: str) -> str:
    named = name_of_id(session, item.table_name, item.column_name, text)
    if named is not None:
        return named
    return words(text) if item.column_name in WORDS else text


def _shape(table: str, column: str) -> Shape:
    mapped = BY_TABLE[table].mapped if table in BY_TABLE else None
    kind = mapped.__table__.columns[column].type if mapped is not None and column in mapped.__table__.columns else None
    if isinstance(kind, Boolean):
        return Shape.TRUTH
    if isinstance(kind, Scaled):
        return Shape.NUMBER
    if isinstance(kind, Date):
        return Shape.DAY
    return Shape.TEXT if column == "description" else Shape.CODE
