"""Quotes side by side (A14): what each costs landed in company currency, when it comes, until when it holds, who may deliver."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.canonical import content_hash
from engine.errors import Invalid
from records.money import convert
from records.quotation import Invitation, Quotation, RequestForQuotation, RequestLine
from records.sourcing import rate_on
from records.supplier_knowledge import SupplierScore
from rules.supplier_gate import Point, judge

FOUR_PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one line. company: per unit in company currency; None without a quote or a rate. is_lowest: of all that count."""

    line: RequestLine
    quoted: Decimal | None
    company: Decimal | None
    is_lowest: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One supplier in the comparison.

    problems: why its quote does not count; empty when it does. landed: goods and charges in company currency at ``rate``, the rate of
    the day of the comparison; None without a quote or a rate. over: by how many percent it is above the lowest that counts.
    arrives_on: when goods ordered that day come. gate: ok or blocked, as the supplier gate says today; gate_words: why.
    """

    invitation: Invitation
    quotation: Quotation | None
    problems: tuple[str, ...]
    prices: tuple[Price, ...]
    rate: Decimal | None
    landed: Decimal | None
    over: Decimal | None
    arrives_on: dt.date | None
    is_late: bool
    gate: str
    gate_words: tuple[str, ...]
    score: SupplierScore | None
    is_lowest: bool = False
    is_fastest: bool = False

    @property
    def is_valid(self) -> bool:
        """Whether the quote counts."""
        return self.quotation is not None and not self.problems


@dataclass(frozen=True, slots=True)
class Comparison:
    """All quotes of a request on one day. columns: those that count by landed price, then the others by name."""

    request: RequestForQuotation
    on: dt.date
    columns: tuple[Column, ...]

    @property
    def valid(self) -> list[Column]:
        """The quotes that count."""
        return [column for column in self.columns if column.is_valid]

    @property
    def is_enough(self) -> bool:
        """Whether as many quotes count as the table of sourcing asks for."""
        return len(self.valid) >= self.request.quotes_needed

    @property
    def hash(self) -> str:
        """The hash of what was compared: every newest revision, and the rates."""
        return content_hash(
            [
                self.request.number,
                self.on,
                [(column.invitation.number, column.quotation.id if column.quotation else None, column.rate) for column in self.columns],
            ]
        )  # fmt: skip


def compare(session: Session, request: RequestForQuotation, *, on: dt.date) -> Comparison:
    """Return the comparison of a site-local day; it writes nothing and is the same for page, flow and API."""
    drafts = [_column(session, request, invitation, on=on) for invitation in request.invitations]
    ranked = sorted(drafts, key=lambda one: (not one.is_valid, one.landed or Decimal(0), one.invitation.supplier.name))
    valid = [one for one in ranked if one.is_valid and one.landed is not None]
    lowest = min((one.landed for one in valid if one.landed is not None), default=None)
    fastest = min((one.quotation.lead_time_days for one in valid if one.quotation is not None), default=None)
    return Comparison(request, on, tuple(_marked(one, valid, lowest, fastest) for one in ranked))


def _column(session: Session, request: RequestForQuotation, invitation: Invitation, *, on: dt.date) -> Column:
    quotation, supplier = invitation.quotation, invitation.supplier
    rate = _rate(session, quotation.currency, request.site.currency, on) if quotation is not None else None
    lines = [line.requisition_line for line in request.lines]
    site = next((place for place in supplier.sites if place.is_default), None)
    judgement = judge(session, supplier, lines, point=Point.GATE, on=on, site=site)
    arrives = on + dt.timedelta(days=quotation.lead_time_days) if quotation is not None else None
    needed = min((line.need_by for line in request.lines if line.need_by is not None), default=None)
    scored = select(SupplierScore).where(SupplierScore.supplier_id == supplier.id)
    return Column(
        invitation=invitation,
        quotation=quotation,
        problems=tuple(_problems(request, invitation, quotation, rate, on)),
        prices=tuple(_price(line, quotation, rate) for line in request.lines),
        rate=rate,
        landed=_landed(request, quotation, rate),
        over=None,
        arrives_on=arrives,
        is_late=arrives is not None and needed is not None and arrives > needed,
        gate="blocked" if judgement.stops else "ok",
        gate_words=tuple(finding.sentence for finding in (judgement.stops or judgement.findings)),
        score=session.scalars(
            scored.order_by(SupplierScore.scored_on.desc(), SupplierScore.id.desc()).limit(1)
        ).first(),
    )


def _problems(
    request: RequestForQuotation, invitation: Invitation, quotation: Quotation | None, rate: Decimal | None, on: dt.date
) -> list[str]:
    if invitation.declined_at is not None:
        return ["declined"]
    if quotation is None:
        return ["has not answered"]
    found = []
    missing = [str(line.line_no) for line in request.lines if quotation.price_of(line.line_no) is None]
    if missing:
        found.append(f"has no price of line {', '.join(missing)}")
    if quotation.valid_to < on:
        found.append(f"ended on {quotation.valid_to}")
    if rate is None:
        found.append(f"has no exchange rate from {quotation.currency} to {request.site.currency} on {on}")
    return found


def _rate(session: Session, currency: str, company_currency: str, on: dt.date) -> Decimal | None:
    try:
        return rate_on(session, currency, company_currency=company_currency, on=on)
    except Invalid as refusal:
        if refusal.code != "NO_EXCHANGE_RATE":
            raise
        return None


def _price(line: RequestLine, quotation: Quotation | None, rate: Decimal | None) -> Price:
    quoted = quotation.price_of(line.line_no) if quotation is not None else None
    company = (quoted * rate).quantize(FOUR_PLACES, ROUND_HALF_UP) if quoted is not None and rate is not None else None
    return Price(line, quoted, company)


def _landed(request: RequestForQuotation, quotation: Quotation | None, rate: Decimal | None) -> Decimal | None:
    if quotation is None or rate is None:
        return None
    return convert(quotation.goods + quotation.charges, rate, currency=request.site.currency)


def _marked(column: Column, valid: Sequence[Column], lowest: Decimal | None, fastest: int | None) -> Column:
    if not column.is_valid or column.landed is None or column.quotation is None:
        return column
    over = ((column.landed - lowest) * 100 / lowest).quantize(Decimal("0.1"), ROUND_HALF_UP) if lowest else None
    return replace(
        column, over=over, is_lowest=column.landed == lowest, is_fastest=column.quotation.lead_time_days == fastest,
        prices=tuple(_lowest(price, valid) for price in column.prices),
    )  # fmt: skip


def _lowest(price: Price, valid: Sequence[Column]) -> Price:
    all_prices = [
        other.company for column in valid for other in column.prices
        if other.line.line_no == price.line.line_no and other.company is not None
    ]  # fmt: skip
    return Price(
        price.line, price.quoted, price.company, price.company is not None and price.company == min(all_prices)
    )


def choices_of(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the quotes that count, as the form of the buyer's choice lists them."""
    site = comparison.request.site
    return [
        {
            "value": column.quotation.id,
            "label": f"{column.invitation.supplier.name}: {column.landed:,.2f} {site.currency} landed, "
            f"{column.quotation.lead_time_days} days" + ("" if column.gate == "ok" else ", stops at the supplier gate"),
        }
        for column in comparison.valid
        if column.quotation is not None
    ]
