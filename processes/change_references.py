"""What defines a released revision, added or taken away by a change order: bills of material, routings, instructions (4c)."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.database import new_id
from engine.errors import Conflict, Invalid
from engine.record import Operation
from processes.change_orders import take_up_content
from processes.change_rows import Row, as_text, texts_of
from records.change_order import OVER, ChangeOrder
from records.part import DefinitionKind, PartRevision, ProductDefinitionRef
from rules.amending import text_of
from rules.change_control import CHANGE_ORDER, classify_row, items_of, refuse_too_deep
from rules.change_doors import UNSEALED
from rules.change_item import ChangeClass, ChangeItem

TABLE = ProductDefinitionRef.__tablename__
HASHED = re.compile(r"[0-9a-f]{64}")


def add_reference(
    act: Act,
    order: ChangeOrder,
    revision: PartRevision,
    *,
    kind: DefinitionKind,
    system: str,
    native_id: str,
    content_hash: str,
    native_rev: str = "",
) -> list[ChangeItem]:
    """Say that the order adds a document to what defines a released revision: one item for each of its values.

    content_hash: SHA-256 of the document's content, as its system tells it. Raises: Conflict when the order is sealed, the revision
    is not released, it has the document already, or another open order adds it; CLASS_TOO_LOW; Invalid naming the fields.
    """
    values = {"part_revision_id": revision.id, "kind": kind, "system": system.strip(), "native_id": native_id.strip(),
              "native_rev": native_rev.strip(), "content_hash": content_hash.strip().lower()}  # fmt: skip
    _refuse_misfit(values)
    take_up_content(act, order)
    change_class = _class(act, order, revision, f"{kind} {values['native_id']} to be added")
    _refuse_known(order, revision, values)
    _refuse_added_elsewhere(act, order, revision, values)
    row: Row = {name: text_of(ProductDefinitionRef, name, value) for name, value in values.items()}
    row_id = new_id()
    made = [_item(order, row_id, Operation.INSERT, name, None, text, change_class) for name, text in row.items()]
    act.session.add_all(made)
    act.session.flush()
    return made


def remove_reference(act: Act, order: ChangeOrder, reference: ProductDefinitionRef) -> ChangeItem:
    """Say that the order takes a document away from what defines a released revision.

    Raises: Conflict when the order is sealed, the revision is not released, or another value of the row is set by an open order
    (CHANGE_OVERLAPS); CLASS_TOO_LOW.
    """
    take_up_content(act, order)
    revision = reference.part_revision
    change_class = _class(act, order, revision, f"{reference.kind} {reference.native_id} to be taken away")
    _refuse_set_elsewhere(act, order, reference)
    made = _item(order, reference.id, Operation.DELETE, "", as_text(texts_of(reference)), None, change_class)
    act.session.add(made)
    act.session.flush()
    return made


def _item(
    order: ChangeOrder,
    row_id: str,
    operation: Operation,
    column: str,
    old: str | None,
    new: str | None,
    kind: ChangeClass,
) -> ChangeItem:
    return ChangeItem(
        change_type=CHANGE_ORDER, change_id=order.id, change_hash=UNSEALED, table_name=TABLE, row_id=row_id, operation=operation,
        column_name=column, old_text=old, new_text=new, change_class=kind,
    )  # fmt: skip


def _class(act: Act, order: ChangeOrder, revision: PartRevision, what: str) -> ChangeClass:
    change_class, why = classify_row(act.session, order, TABLE, revision)
    refuse_too_deep(order, f"{what} of {revision.number}", str(revision.status), change_class, why)
    return change_class


def _refuse_misfit(values: dict[str, Any]) -> None:
    fields = {name: "is required" for name in ("system", "native_id") if not values[name]}
    fields |= {name: "is too long" for name, most in (("system", 40), ("native_rev", 40), ("native_id", 200))
               if len(values[name]) > most}  # fmt: skip
    if not HASHED.fullmatch(values["content_hash"]):
        fields["content_hash"] = "is a SHA-256 of 64 hexadecimal digits"
    if fields:
        raise Invalid("Expected a document of another system with the hash of its content, but it does not fit", fields)


def _refuse_known(order: ChangeOrder, revision: PartRevision, values: dict[str, Any]) -> None:
    key = (values["kind"], values["system"], values["native_id"])
    if any((one.kind, one.system, one.native_id) == key for one in revision.definitions):
        raise Conflict(
            f"Expected {values['kind']} {values['native_id']} once on {revision.number}, but it is there already: set its values instead",
            code="CHANGE_OVERLAPS", record=(order.record_type, order.id),
        )  # fmt: skip


def _refuse_added_elsewhere(act: Act, order: ChangeOrder, revision: PartRevision, values: dict[str, Any]) -> None:
    """Two open orders, or one order twice, would add the same document; the database would refuse the second one late."""
    named = select(ChangeItem).where(
        ChangeItem.table_name == TABLE, ChangeItem.operation == Operation.INSERT, ChangeItem.column_name == "part_revision_id",
        ChangeItem.new_text == revision.id, ChangeItem.applied_at.is_(None),
    )  # fmt: skip
    for other, row in _open_rows(act, named):
        told = {item.column_name: item.new_text for item in items_of(act.session, other) if item.row_id == row}
        if all(told.get(name) == str(values[name]) for name in ("kind", "system", "native_id")):
            _refuse_overlap(order, other, f"{values['kind']} {values['native_id']} of {revision.number}")


def _refuse_set_elsewhere(act: Act, order: ChangeOrder, reference: ProductDefinitionRef) -> None:
    named = select(ChangeItem).where(ChangeItem.row_id == reference.id, ChangeItem.applied_at.is_(None))
    for other, _ in _open_rows(act, named):
        _refuse_overlap(order, other, f"{reference.kind} {reference.native_id} of {reference.part_revision.number}")


def _open_rows(act: Act, items: Any) -> list[tuple[ChangeOrder, str]]:
    """Return the open orders whose content, as it stands, has one of these items, with the item's row."""
    asked = items.where(ChangeItem.change_type == CHANGE_ORDER)
    found = [(act.session.get_one(ChangeOrder, item.change_id), item) for item in act.session.scalars(asked)]
    return [
        (order, item.row_id)
        for order, item in found
        if order.status not in OVER and item.change_hash == (order.content_hash or UNSEALED)
    ]


def _refuse_overlap(order: ChangeOrder, other: ChangeOrder, what: str) -> None:
    raise Conflict(
        f"Expected {what} to be changed once, but {other.number} ({other.title}) already changes it. Wait for it, or merge the two.",
        code="CHANGE_OVERLAPS", record=(order.record_type, order.id), keep=True,
    )  # fmt: skip


__all__ = ["add_reference", "remove_reference"]
