"""The form of an amendment: the order's present values to type over, and what was typed as edits of the order."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Invalid
from engine.record import Operation
from records.amendment import PurchaseOrderAmendment
from records.part import Part, PartRevision
from records.purchase_order import IncotermCode, LineStatus, PurchaseOrder, PurchaseOrderLine
from records.quality_clause import QualityClause
from rules.amending import Edits, LineEdit
from rules.amendment_words import shown_change
from webapp import order_form, typed, wording
from webapp.formats import Custom
from webapp.typed import Unreadable

HEADER = (
    "payment_term",
    "incoterm",
    "incoterm_place",
    "incoterm_edition",
    "ship_to",
    "bill_to",
    "terms_doc",
    "terms_rev",
)
NEW = ("1", "2", "3")
"""Places for new lines on one form."""

NEW_FIELDS = ("part_revision", "quantity", "unit_price", "need_by", "description", "quality_clauses")


def typed_of(order: PurchaseOrder) -> dict[str, str]:
    """Show an order's values as one would type them."""
    shown = order_form.typed_of(order, wording.plain_number)
    revisions = {
        f"lines.{line.line_no}.part_revision": line.part_revision.number for line in order.lines if line.part_revision
    }
    return {name: value for name, value in shown.items() if name in HEADER or name.startswith("lines.")} | revisions


def like(order: PurchaseOrder, before: PurchaseOrderAmendment) -> dict[str, str]:
    """Show an order with the edits of an earlier amendment typed over it."""
    shown = typed_of(order) | _new_lines(before)
    for change in before.changes:
        if change.operation is Operation.INSERT or not change.column_name:
            continue
        if change.path.endswith(".status"):
            shown[f"{change.path.removesuffix('status')}cancelled"] = "true"
        elif change.path.endswith(".part_revision_id"):
            shown[change.path.removesuffix("_id")] = shown_change(change, change.new_text)
        elif change.path in shown:
            shown[change.path] = _as_typed(change.path, change.new_text)
    return shown | {"reason": before.reason, "reason_code": before.reason_code.value}


def _new_lines(before: PurchaseOrderAmendment) -> dict[str, str]:
    """Show the lines that an earlier amendment appended in the places for new ones."""
    shown: dict[str, str] = {}
    added = list(dict.fromkeys(one.row_id for one in before.changes if one.operation is Operation.INSERT))
    for turn, row_id in zip(NEW, added, strict=False):
        for change in before.changes:
            name = change.column_name
            if change.row_id == row_id and name == "part_revision_id":
                shown[f"new.{turn}.part_revision"] = shown_change(change, change.new_text)
            elif change.row_id == row_id and name in NEW_FIELDS:
                shown[f"new.{turn}.{name}"] = _as_typed(change.path, change.new_text)
    return shown


def edits_of(session: Session, order: PurchaseOrder, form: Mapping[str, str], how: Custom) -> Edits:
    """Read what was typed. Raises: Invalid with a sentence for every field that does not fit."""
    errors: dict[str, str] = {}
    known = {f"{clause.code}@{clause.rev}" for clause in session.scalars(select(QualityClause))}
    header = {name: _header(name, form[name], errors) for name in HEADER if name in form}
    lines = [
        _line(session, line, form, known, how, errors)
        for line in order.lines
        if line.status is not LineStatus.CANCELLED
    ]
    added = [new for turn in NEW if (new := _new(session, form, f"new.{turn}.", known, how, errors)) is not None]
    if errors:
        raise Invalid("Expected an amendment that can be read, but some fields do not fit yet", errors)
    return Edits(header, [line for line in lines if line.values or line.is_cancelled], added)


def _header(name: str, text: str, errors: dict[str, str]) -> Any:
    if name == "incoterm":
        if text and text not in IncotermCode.__members__:
            errors[name] = f"Expected an Incoterm of the list, but found “{text[:10]}”"
        return text or None
    try:
        clean = typed.words(text, longest=order_form.TEXTS[name])
    except Unreadable as error:
        errors[name] = str(error)
        return None
    return clean or (None if name in order_form.MAY_BE_NONE else "")


def _line(
    session: Session,
    line: PurchaseOrderLine,
    form: Mapping[str, str],
    known: set[str],
    how: Custom,
    errors: dict[str, str],
) -> LineEdit:
    at = f"lines.{line.line_no}."
    if form.get(f"{at}cancelled") == "true":
        return LineEdit(line.line_no, is_cancelled=True)
    given = [name for name in order_form.LINE_FIELDS if f"{at}{name}" in form]
    values = _values(form, at, given, known | set(line.quality_clauses), how, errors)
    number = form.get(f"{at}part_revision", "").strip()
    if number and line.part_revision is not None and number != line.part_revision.number:
        values["part_revision_id"] = _revision(session, number, f"{at}part_revision", errors)
    return LineEdit(line.line_no, values)


def _new(
    session: Session, form: Mapping[str, str], at: str, known: set[str], how: Custom, errors: dict[str, str]
) -> dict[str, Any] | None:
    given = [name for name in NEW_FIELDS if form.get(f"{at}{name}", "").strip()]
    if not given:
        return None
    errors |= {f"{at}{name}": "is needed for a new line" for name in ("quantity", "unit_price") if name not in given}
    values = _values(form, at, [name for name in given if name != "part_revision"], known, how, errors)
    if "part_revision" in given:
        values["part_revision_id"] = _revision(
            session, form[f"{at}part_revision"].strip(), f"{at}part_revision", errors
        )
    return values


def _revision(session: Session, number: str, name: str, errors: dict[str, str]) -> str | None:
    part_no, _, rev = number.rpartition("/")
    found = session.scalar(select(PartRevision.id).join(Part).where(Part.part_no == part_no, PartRevision.rev == rev))
    if found is None:
        errors[name] = f"Expected a part revision such as P-200/B, but found “{number[:40]}”"
    return found


def _values(
    form: Mapping[str, str], at: str, names: Iterable[str], known: set[str], how: Custom, errors: dict[str, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        try:
            found[name] = _value(name, form[f"{at}{name}"], known, how)
        except Unreadable as error:
            errors[f"{at}{name}"] = str(error)
    return found


def _value(name: str, text: str, known: set[str], how: Custom) -> Any:
    if name == "quantity":
        return typed.decimal(text, how, decimals=6, above=Decimal(0))
    if name == "unit_price":
        return typed.decimal(text, how, decimals=4, at_least=Decimal(0))
    if name == "need_by":
        found: dt.date | None = typed.day(text) if text.strip() else None
        return found
    if name == "description":
        return typed.words(text, longest=20_000)
    codes = sorted({word.strip() for word in text.replace(";", ",").split(",") if word.strip()})
    if name == "quality_clauses" and (unknown := [code for code in codes if code not in known]):
        raise Unreadable(f"Expected known clauses such as Q01@1, but found {', '.join(unknown)[:80]}")
    return tuple(codes)


def _as_typed(path: str, text: str | None) -> str:
    if text is None:
        return ""
    name = path.rpartition(".")[2]
    if name in ("quantity", "unit_price"):
        return wording.plain_number(Decimal(text))
    if name in ("quality_clauses", "certificates"):
        return ", ".join(json.loads(text))
    return text
