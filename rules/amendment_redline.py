"""The stored redline of an amendment, as people read it: never compared again, only told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from engine.comparison import changed
from engine.record import Operation
from engine.redline import Difference, Field, Kind, Redline, Row, Shape
from records.amendment import PurchaseOrderAmendment
from records.document_tree import ORDER, Column, called
from records.money import MINOR_UNITS
from records.part import PartRevision
from records.purchase_order import PurchaseOrderLine
from rules.amendment_words import field_of, label_of, place_of

HIDDEN = frozenset({"order_id", "line_no"})
"""Columns of a new line that say nothing to anybody."""
OF_ITSELF = HIDDEN | {
    "uom", "is_inspection_required", "amount", "match_level", "tolerance_profile", "conversion_factor", "tax_code", "status",
}  # fmt: skip
"""What a new line brings along without anybody having said so."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of an amendment's redline, stored or only asked for. path: as ``AmendmentChange`` spells it; uom: of a line yet to come."""

    path: str
    row_id: str
    operation: Operation
    old_text: str | None
    new_text: str | None
    why: str = ""
    uom: str = ""


def redline_of(session: Session, amendment: PurchaseOrderAmendment) -> Redline:
    """Return the stored changes as a redline; a new line is one difference, followed by its amount."""
    basis = f"revision {amendment.revision - 1} of {amendment.order.number}"
    stored = [
        Change(one.path, one.row_id, one.operation, one.old_text, one.new_text, one.why) for one in amendment.changes
    ]
    return Redline(tuple(differences_of(session, stored, amendment.currency)), basis)


def differences_of(session: Session, changes: Sequence[Change], currency: str) -> list[Difference]:
    """Return changes, in their order, as differences."""
    inserted: dict[str, list[Change]] = {}
    for change in changes:
        if change.operation is Operation.INSERT:
            inserted.setdefault(change.row_id, []).append(change)
    found: list[Difference] = []
    for change in changes:
        if change.operation is Operation.INSERT:
            if inserted.get(change.row_id):
                found.append(_new_line(session, inserted.pop(change.row_id), currency))
            continue
        found.append(_difference(session, change, currency))
    return found


def _new_line(session: Session, changes: Sequence[Change], currency: str) -> Difference:
    place = place_of(changes[0].path)
    units = {field_of(one.path): one.new_text or "" for one in changes} | {"^currency": currency}
    shown = [one for one in changes if field_of(one.path) not in OF_ITSELF and one.new_text]
    told = {field_of(one.path): _field(session, one, one.new_text, units) for one in shown}
    fields = {name: one for name, one in told.items() if one.text != "none"}
    row = Row(place.removeprefix("Line "), "Line", fields, identity=changes[0].row_id)
    return Difference(Kind.ADDED, (changes[0].row_id,), place, new=row.summary, row=row)


def _difference(session: Session, change: Change, currency: str) -> Difference:
    units = {"uom": _unit(session, change), "^currency": currency, "currency": currency}
    old, new = (_field(session, change, text, units) for text in (change.old_text, change.new_text))
    label = label_of(change.path)
    path = (change.row_id,) if change.path.startswith("lines.") else ()
    return changed(
        path, place_of(change.path), field_of(change.path), label=label, old=old.text, new=new.text, shape=new.shape, unit=new.unit,
        why=change.why,
    )  # fmt: skip


def _unit(session: Session, change: Change) -> str:
    if change.uom:
        return change.uom
    line = session.get(PurchaseOrderLine, change.row_id) if field_of(change.path) == "quantity" else None
    return line.uom if line is not None else ""


def _field(session: Session, change: Change, text: str | None, units: dict[str, str]) -> Field:
    name = field_of(change.path)
    column = (ORDER.columns if change.path.startswith("lines.") else ORDER.header).get(name)
    if name == "amount":
        column = Column("amount", Shape.MONEY, "^currency")
    shape, unit = (column.shape, units.get(column.unit, "")) if column is not None else (Shape.CODE, "")
    return Field(label_of(change.path), _readable(session, change, name, text), shape, unit)


def _readable(session: Session, change: Change, name: str, text: str | None) -> str | None:
    if not text:
        return None
    if name == "status":
        return _status(change, text)
    if name in ("quality_clauses", "certificates"):
        return text.strip("[]").replace('"', "").replace(",", ", ") or "none"
    if name == "is_inspection_required":
        return "required" if text == "true" else "not required"
    if name == "part_revision_id":
        return called(session, PartRevision, text)
    return text


def _status(change: Change, text: str) -> str:
    if change.path == "status":
        return text.replace("_", " ").capitalize()
    return {"CANCELLED": "cancelled"}.get(text, "as ordered")


def printed(text: str | None, shape: Shape, unit: str) -> str:
    """Return a value as it is printed for a supplier, whose habits of writing numbers nobody knows."""
    if not text:
        return ""
    if shape is Shape.NUMBER:
        return f"{f'{Decimal(text):,.6f}'.rstrip('0').rstrip('.')} {unit}".strip()
    if shape is Shape.MONEY:
        whole, _, rest = f"{Decimal(text):,.4f}".partition(".")
        fraction = rest.rstrip("0").ljust(MINOR_UNITS.get(unit, 2), "0")
        return f"{whole}.{fraction} {unit}".strip() if fraction else f"{whole} {unit}".strip()
    return text


def printed_line(row: Row) -> str:
    """Return a new line as it is printed: each value with its name."""
    return ", ".join(f"{one.label} {printed(one.text, one.shape, one.unit)}" for one in row.fields.values())
