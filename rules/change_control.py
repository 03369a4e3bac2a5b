"""What a change order may set: each value with the class it needs (domain.md 4c), and which order already speaks of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, cast, inspect, select
from sqlalchemy.orm import Session, object_session

from engine.database import Base
from engine.errors import Conflict, Invalid
from engine.record import Record
from records.change_order import IN_FORCE, OVER, AffectedItem, ChangeOrder, ChangeType, ItemAction
from records.change_request import OrderClass
from records.columns import shaped
from records.part import PartRevision
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from rules.amending import AMENDABLE, Edits, LineEdit, asked_of, text_of
from rules.amending import classify as classify_amendment
from rules.change_doors import UNSEALED
from rules.change_facts import facts_of
from rules.change_item import ChangeClass, ChangeItem
from rules.controlled import Control, current_policy
from rules.guarded import DOCUMENTS, LINES, Lines
from rules.policy import table_called

RULE = "UNCONTROLLED_CHANGE"
CHANGE_ORDER = ChangeOrder.__tablename__
DEPTH: dict[OrderClass, frozenset[ChangeClass]] = {
    OrderClass.C3: frozenset({ChangeClass.C0, ChangeClass.C1, ChangeClass.C2, ChangeClass.C3}),
    OrderClass.C4: frozenset({ChangeClass.C0, ChangeClass.C1, ChangeClass.C2, ChangeClass.C3, ChangeClass.C4}),
    OrderClass.CE: frozenset(ChangeClass) - {ChangeClass.REFUSED},
}
"""Which classes of items an order of a class may carry."""

BY_TABLE = {guarded.table.name: guarded for guarded in (*DOCUMENTS, *LINES)}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One value that a change order would set. value: as its column keeps it; why: the sentence that gave the class."""

    record: Record
    column: str
    old: str | None
    new: str | None
    value: Any
    change_class: ChangeClass
    why: str
    owner: str = ""


def judge_edit(session: Session, order: ChangeOrder, record: Record, column: str, new: Any) -> Wanted:
    """Return an edit with the class it needs.

    Raises: Invalid naming the field when the column does not exist, cannot hold the value or has it already; Conflict
    UNCONTROLLED_CHANGE when 4c refuses it, when the order is not deep enough, or when the value is free and needs no order.
    """
    guarded = BY_TABLE.get(record.record_type)
    if guarded is None or record.record_type not in {kind for kind, _, _ in current_policy().controls}:
        raise Invalid(
            f"Expected a record that changes under control, but {record.record_type} is free: change it where it is kept",
            {"record": "is not controlled"},
        )
    value, old_text, new_text = _shaped(record, column, new)
    control = _control(record, guarded.document if isinstance(guarded, Lines) else None, column)
    if control is None:
        raise Invalid(
            f"Expected a controlled value, but {column.replace('_', ' ')} of {_number(record)} is free while it is "
            f"{_status(record)}: change it directly",
            {column: "is free"},
        )
    change_class, why, owner = _class(session, order, record, column, value, control)
    wanted = Wanted(record, column, old_text, new_text, value, change_class, why, owner)
    _refuse_too_deep(order, wanted)
    return wanted


def class_needed(session: Session, record: Record, column: str, new: Any) -> tuple[ChangeClass, str]:
    """Return the class that one value needs, before there is an order, and the sentence that gives it (4c).

    C0 where the value is free. Raises: Invalid naming the field when the column does not exist or cannot hold the value.
    """
    guarded = BY_TABLE.get(record.record_type)
    value, _, _ = _shaped(record, column, new)
    control = _control(record, guarded.document if isinstance(guarded, Lines) else None, column)
    if guarded is None or control is None:
        return ChangeClass.C0, f"It is free while {_number(record)} is {_status(record)}."
    any_order = ChangeOrder(type=ChangeType.PRODUCT, affected=[])
    return _class(session, any_order, record, column, value, control)[:2]


def items_of(session: Session, order: ChangeOrder) -> list[ChangeItem]:
    """Return the items of a change order as they stand: the working ones, or those of the content that was signed last."""
    wanted = select(ChangeItem).where(
        ChangeItem.change_type == CHANGE_ORDER,
        ChangeItem.change_id == order.id,
        ChangeItem.change_hash == (order.content_hash or UNSEALED),
    )
    return list(session.scalars(wanted.order_by(ChangeItem.table_name, ChangeItem.row_id, ChangeItem.column_name)))


def open_orders_on(session: Session, record: Record, *, but: ChangeOrder | None = None) -> list[ChangeOrder]:
    """Return the change orders that are not over and speak of a record: as an affected revision, or in one of their items."""
    named = select(ChangeItem.change_id).where(
        ChangeItem.change_type == CHANGE_ORDER, ChangeItem.row_id == record.id, ChangeItem.applied_at.is_(None)
    )
    ids = set(session.scalars(named))
    if isinstance(record, PartRevision):
        affected = select(AffectedItem.change_order_id).where(
            (AffectedItem.part_revision_from_id == record.id) | (AffectedItem.part_revision_to_id == record.id)
        )
        ids |= set(session.scalars(affected))
    if but is not None:
        ids.discard(but.id)
    wanted = select(ChangeOrder).where(ChangeOrder.id.in_(ids), ChangeOrder.status.not_in(OVER))
    return list(session.scalars(wanted.order_by(ChangeOrder.number))) if ids else []


def open_order_on(session: Session, record: Record) -> ChangeOrder | None:
    """Return the oldest change order under way that speaks of a record, or None."""
    return next(iter(open_orders_on(session, record)), None)


def is_covered(session: Session, order_line: PurchaseOrderLine, paths: Iterable[str]) -> ChangeOrder | None:
    """Return the change order in force that allows an amendment of these columns of an order line, or None (A40.3).

    paths: columns, or paths that end with them (``lines.1.part_revision_id``). An order names a line by items on it, or by an
    affected revision that the line is for.
    """
    columns = {path.rpartition(".")[2] for path in paths}
    for order in _orders_in_force(session):
        if columns <= _covered(session, order, order_line):
            return order
    return None


def refuse_overlap(session: Session, order: ChangeOrder, wanted: Wanted) -> None:
    """Refuse a value that another open change order sets. Raises: Conflict CHANGE_OVERLAPS naming it.

    The row is locked first: of two who would change it at once the second waits, and then finds what the first wrote.
    """
    mapped = type(wanted.record)
    session.execute(select(mapped.id).where(mapped.id == wanted.record.id).with_for_update(key_share=True))
    other = session.scalars(
        select(ChangeOrder)
        .join(ChangeItem, ChangeItem.change_id == _as_text(ChangeOrder))
        .where(
            ChangeItem.change_type == CHANGE_ORDER, ChangeItem.table_name == wanted.record.record_type,
            ChangeItem.row_id == wanted.record.id, ChangeItem.column_name.in_((wanted.column, "")), ChangeItem.applied_at.is_(None),
            ChangeOrder.id != order.id, ChangeOrder.status.not_in(OVER),
        )
    ).first()  # fmt: skip
    if other is not None:
        raise Conflict(
            f"Expected {wanted.column.replace('_', ' ')} of {_number(wanted.record)} to be changed by one change order, but "
            f"{other.number} ({other.title}) already changes it. Wait for it, or merge the two.",
            code="CHANGE_OVERLAPS", record=(order.record_type, order.id), keep=True,
        )  # fmt: skip


def _shaped(record: Record, column: str, new: Any) -> tuple[Any, str | None, str | None]:
    kind = type(record)
    columns = inspect(kind).columns
    if column not in columns:
        raise Invalid(
            f"Expected a field of {record.record_type}, but there is none called {column!r:.60}", {column: "is unknown"}
        )
    try:
        value = shaped(columns[column].type, new)
    except (ValueError, TypeError) as error:  # a set of codes is told by what it is made of
        raise Invalid(f"{column}: {error}", {column: str(error)}) from error
    old_text, new_text = text_of(kind, column, getattr(record, column)), text_of(kind, column, value)
    if value is None and not columns[column].nullable:
        raise Invalid(f"Expected a value for {column}, but there is none", {column: "is required"})
    if old_text == new_text:
        raise Invalid(
            f"Expected another {column.replace('_', ' ')} of {_number(record)}, but it is {new_text} already",
            {column: "is as it was"},
        )
    return value, old_text, new_text


def _control(record: Record, parent: Any, column: str) -> Control | None:
    return current_policy().of(record.record_type, column, _status(record))


def _class(
    session: Session, order: ChangeOrder, record: Record, column: str, value: Any, control: Control
) -> tuple[ChangeClass, str, str]:
    """Return the deeper of what the controlled fields and the table of classes say, with its sentence and the field's owner."""
    if isinstance(record, (PurchaseOrder, PurchaseOrderLine)):
        return _class_on_order(session, order, record, column, value, control)
    judged = table_called("change_order_class").judge(**facts_of(session, order, record, column, value)).row
    asked, words = ChangeClass(judged.outputs["change_class"]), list(ChangeClass)
    if words.index(asked) > words.index(control.change_class):
        return asked, judged.words, control.owner
    return control.change_class, control.words, control.owner


def _class_on_order(
    session: Session,
    change: ChangeOrder,
    record: PurchaseOrder | PurchaseOrderLine,
    column: str,
    value: Any,
    control: Control,
) -> tuple[ChangeClass, str, str]:
    order = record.order if isinstance(record, PurchaseOrderLine) else record
    if order.status not in AMENDABLE:
        return ChangeClass.REFUSED, control.words, control.owner
    if isinstance(record, PurchaseOrderLine):
        asked = asked_of(order, Edits(lines=[LineEdit(record.line_no, {column: value})]))
    else:
        asked = asked_of(order, Edits(header={column: value}))
    judged = classify_amendment(session, order, asked, is_within=True)[0]
    if column == "part_revision_id" and control.change_class is ChangeClass.C3:
        row = table_called("change_order_class").judge(**facts_of(session, change, record, column, value)).row
        return ChangeClass(row.outputs["change_class"]), row.words, control.owner
    return judged.change_class, judged.why, judged.owner or control.owner


def classify_row(session: Session, order: ChangeOrder, table: str, document: Record) -> tuple[ChangeClass, str]:
    """Return the class that a row needs to come or go under a document, with its sentence.

    Raises: Conflict UNCONTROLLED_CHANGE while the document is free: its rows are written where they are kept.
    """
    guarded, status = BY_TABLE[table], str(getattr(document, "status", ""))
    controls = [
        control for (kind, _, state), control in current_policy().controls.items() if (kind, state) == (table, status)
    ]
    if not isinstance(guarded, Lines) or not controls:
        raise Conflict(
            f"Expected a released {document.record_type.replace('_', ' ')}, but {_number(document)} is {status}: it is written directly "
            "until then",
            code=RULE, record=(order.record_type, order.id),
        )  # fmt: skip
    facts = facts_of(session, order, document, guarded.column, None) | {"record_type": table}
    judged, words = table_called("change_order_class").judge(**facts).row, list(ChangeClass)
    asked, control = (
        ChangeClass(judged.outputs["change_class"]),
        max(controls, key=lambda one: words.index(one.change_class)),
    )
    if words.index(asked) > words.index(control.change_class):
        return asked, judged.words
    return control.change_class, control.words


def refuse_too_deep(order: ChangeOrder, what: str, status: str, change_class: ChangeClass, why: str) -> None:
    """Refuse a row that no change, or not this order, may bring or take. Raises: Conflict UNCONTROLLED_CHANGE, CLASS_TOO_LOW."""
    if change_class is ChangeClass.REFUSED:
        raise Conflict(
            f"Expected no {what} while it is {status}. {why}",
            code=RULE,
            record=(order.record_type, order.id),
            keep=True,
        )
    if change_class not in DEPTH[order.change_class]:
        raise Conflict(
            f"Expected a change order of class {change_class} for {what}, but {order.number} is {order.change_class}. {why} Open one "
            f"of class {change_class}.",
            code="CLASS_TOO_LOW", record=(order.record_type, order.id), keep=True,
        )  # fmt: skip


def _refuse_too_deep(order: ChangeOrder, wanted: Wanted) -> None:
    name, number = wanted.column.replace("_", " "), _number(wanted.record)
    if wanted.change_class is ChangeClass.REFUSED:
        raise Conflict(
            f"Expected {name} of {number} to stay as it is while it is {_status(wanted.record)}, but it was to become "
            f"{_shown(wanted.new)}. {wanted.why}",
            code=RULE, record=(order.record_type, order.id), keep=True,
        )  # fmt: skip
    if wanted.change_class not in DEPTH[order.change_class]:
        raise Conflict(
            f"Expected a change order of class {wanted.change_class} for {name} of {number}, but {order.number} is "
            f"{order.change_class}. {wanted.why} Open one of class {wanted.change_class}.",
            code="CLASS_TOO_LOW", record=(order.record_type, order.id), keep=True,
        )  # fmt: skip


def _orders_in_force(session: Session) -> Sequence[ChangeOrder]:
    return session.scalars(
        select(ChangeOrder).where(ChangeOrder.status.in_(IN_FORCE)).order_by(ChangeOrder.number)
    ).all()


def _covered(session: Session, order: ChangeOrder, line: PurchaseOrderLine) -> set[str]:
    found = {item.column_name for item in items_of(session, order) if item.row_id == line.id}
    for affected in order.affected:
        if affected.part_revision_from_id == line.part_revision_id and affected.action in (
            ItemAction.REVISE,
            ItemAction.SUPERSEDE,
        ):
            found |= {"part_revision_id", "spec", "spec_rev"}
    return found


def _status(record: Any) -> str:
    guarded = BY_TABLE[record.record_type]
    if isinstance(guarded, Lines):
        session = object_session(record)
        parent = getattr(record, guarded.column.removesuffix("_id"), None)
        if parent is None and session is not None:
            parent = session.get(guarded.document.mapped, getattr(record, guarded.column))
        return str(getattr(parent, "status", ""))
    return str(record.status)


def _number(record: Any) -> str:
    return str(getattr(record, "number", None) or record.id)


def _shown(text: str | None) -> str:
    return "nothing" if text is None else text[:80] or "an empty text"


def _as_text(mapped: type[Base]) -> Any:
    return cast(mapped.__table__.columns["id"], Text)
