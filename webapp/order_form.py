"""The buyer's form of a draft order: terms and, line by line, price, date, text, clauses and certificates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Invalid
from records.purchase_order import IncotermCode, PurchaseOrder, PurchaseOrderLine
from records.quality_clause import QualityClause
from webapp import typed
from webapp.formats import Custom
from webapp.typed import Unreadable

TEXTS = {
    "payment_term": 200, "incoterm_place": 200, "incoterm_edition": 40, "ship_to": 4000, "bill_to": 4000, "terms_doc": 200,
    "terms_rev": 40, "supplier_reference": 200, "comment": 20_000,
}  # fmt: skip
MAY_BE_NONE = frozenset({"incoterm_place", "incoterm_edition", "terms_doc", "terms_rev"})
LINE_FIELDS = ("unit_price", "quantity", "need_by", "description", "quality_clauses", "certificates")


def fill(session: Session, order: PurchaseOrder, form: Mapping[str, str], how: Custom) -> None:
    """Set an order's values from what was typed. Raises: Invalid with a sentence for every field that does not fit."""
    errors: dict[str, str] = {}
    _fill_terms(order, form, errors)
    known = {f"{clause.code}@{clause.rev}" for clause in session.scalars(select(QualityClause))}
    for line in order.lines:
        _fill_line(line, form, f"lines.{line.line_no}.", known, how, errors)
    if errors:
        raise Invalid("Expected a complete order, but some fields do not fit yet", errors)


def typed_of(order: PurchaseOrder, write: Callable[[Decimal], str]) -> dict[str, str]:
    """Show an order as one would have typed it. write: puts a number into the visitor's customs."""
    shown = {name: getattr(order, name) or "" for name in TEXTS} | {
        "incoterm": order.incoterm.value if order.incoterm else ""
    }
    for line in order.lines:
        at = f"lines.{line.line_no}."
        shown |= {
            f"{at}unit_price": write(line.unit_price), f"{at}quantity": write(line.quantity),
            f"{at}need_by": line.need_by.isoformat() if line.need_by else "", f"{at}description": line.description,
            f"{at}quality_clauses": ", ".join(line.quality_clauses), f"{at}certificates": ", ".join(line.certificates),
        }  # fmt: skip
    return shown


def _fill_terms(order: PurchaseOrder, form: Mapping[str, str], errors: dict[str, str]) -> None:
    for name, longest in TEXTS.items():
        try:
            text = typed.words(form.get(name, ""), longest=longest)
            setattr(order, name, text or (None if name in MAY_BE_NONE else ""))
        except Unreadable as error:
            errors[name] = str(error)
    code = form.get("incoterm", "")
    if code and code not in IncotermCode.__members__:
        errors["incoterm"] = f"Expected an Incoterm of the list, but found “{code[:10]}”"
        return
    order.incoterm = IncotermCode(code) if code else None
    if code and not (order.incoterm_place and order.incoterm_edition):
        errors["incoterm_place"] = "Expected a place and an edition with the Incoterm, but one is missing"
    if not code:
        order.incoterm_place = order.incoterm_edition = None


def _fill_line(
    line: PurchaseOrderLine, form: Mapping[str, str], at: str, known: set[str], how: Custom, errors: dict[str, str]
) -> None:
    try:
        line.unit_price = typed.decimal(form.get(f"{at}unit_price", ""), how, decimals=4, at_least=Decimal(0))
    except Unreadable as error:
        errors[f"{at}unit_price"] = str(error)
    try:
        line.quantity = typed.decimal(form.get(f"{at}quantity", ""), how, decimals=6, above=Decimal(0))
    except Unreadable as error:
        errors[f"{at}quantity"] = str(error)
    _fill_texts(line, form, at, errors)
    clauses = _codes(form.get(f"{at}quality_clauses", ""))
    unknown = [one for one in clauses if one not in known and one not in line.quality_clauses]
    if unknown:
        errors[f"{at}quality_clauses"] = f"Expected known clauses such as Q01@1, but found {', '.join(unknown)[:80]}"
    else:
        line.quality_clauses = tuple(clauses)
    line.certificates = tuple(_codes(form.get(f"{at}certificates", "")))


def _fill_texts(line: PurchaseOrderLine, form: Mapping[str, str], at: str, errors: dict[str, str]) -> None:
    try:
        line.description = typed.words(form.get(f"{at}description", ""), longest=20_000)
    except Unreadable as error:
        errors[f"{at}description"] = str(error)
    text = form.get(f"{at}need_by", "").strip()
    try:
        day: dt.date | None = typed.day(text) if text else None
        line.need_by = day
    except Unreadable as error:
        errors[f"{at}need_by"] = str(error)


def _codes(text: str) -> list[str]:
    return sorted({word.strip() for word in text.replace(";", ",").split(",") if word.strip()})
