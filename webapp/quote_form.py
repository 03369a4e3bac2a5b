"""The form of a quote, as a supplier fills it in under its link and as a buyer keys a letter: read into an offer."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Invalid
from processes.quoting import Offer
from records.quotation import Invitation, RequestForQuotation
from records.sourcing import ExchangeRate
from webapp import typed
from webapp.formats import Custom
from webapp.typed import Unreadable
from webapp.wording import plain_number

MOST_FILES = 5
LONGEST = 4000


def read_offer(asked: RequestForQuotation, how: Custom) -> Offer:
    """Return what was typed. how: the customs in which numbers are read. Raises: Invalid with a sentence by field."""
    errors: dict[str, str] = {}
    prices: dict[int, Decimal] = {}
    for line in asked.lines:
        name = f"prices.{line.line_no}"
        price = _number(name, how, errors, decimals=4, missing=f"Expected a price of {line.item}, but it is empty")
        if price is not None:
            prices[line.line_no] = price
    charges = _number("charges", how, errors, decimals=2) or Decimal(0)
    days = _number("lead_time_days", how, errors, decimals=0, missing="Expected a number of days, but it is empty")
    try:
        valid_to = typed.day(request.form.get("valid_to", ""))
    except Unreadable as error:
        errors["valid_to"] = str(error)
    said = {
        name: _words(name, longest, errors)
        for name, longest in (("incoterm", 200), ("reference", 200), ("remarks", LONGEST))
    }
    files = [(one.filename or "", one.read()) for one in request.files.getlist("files") if one.filename]
    if len(files) > MOST_FILES:
        errors["files"] = f"Expected at most {MOST_FILES} files, but found {len(files)}"
    if errors:
        raise Invalid("Expected a quote that is filled in, but some fields do not fit yet", errors)
    return Offer(
        prices, request.form.get("currency", "").strip().upper(), int(days or 0), valid_to, charges=charges, files=files, **said
    )  # fmt: skip


def shown(invitation: Invitation) -> Mapping[str, Any]:
    """Return what the form shows first: what was typed, else the newest quote, else nothing."""
    if request.method == "POST":
        return request.form
    quotation = invitation.quotation
    if quotation is None:
        return {"currency": invitation.supplier.currency}
    return {
        "currency": quotation.currency, "charges": plain_number(quotation.charges) if quotation.charges else "",
        "lead_time_days": quotation.lead_time_days, "valid_to": quotation.valid_to.isoformat(), "incoterm": quotation.incoterm,
        "reference": quotation.reference, "remarks": quotation.remarks,
        **{f"prices.{line.line_no}": plain_number(line.unit_price) for line in quotation.lines},
    }  # fmt: skip


def currencies(session: Session, asked: RequestForQuotation) -> list[tuple[str, str]]:
    """Return the currencies that have a rate into the plant's, its own first."""
    own = asked.site.currency
    known = select(ExchangeRate.currency).where(ExchangeRate.company_currency == own).distinct()
    return [(code, code) for code in (own, *sorted(session.scalars(known)))]


def _number(name: str, how: Custom, errors: dict[str, str], *, decimals: int, missing: str = "") -> Decimal | None:
    text = request.form.get(name, "")
    if not text.strip():
        if missing:
            errors[name] = missing
        return None
    try:
        return typed.decimal(text, how, decimals=decimals, at_least=Decimal(0))
    except Unreadable as error:
        errors[name] = str(error)
        return None


def _words(name: str, longest: int, errors: dict[str, str]) -> str:
    try:
        return typed.words(request.form.get(name, ""), longest=longest)
    except Unreadable as error:
        errors[name] = str(error)
        return ""
