"""What a part cost: every price that was ordered and invoiced, in company currency at the rate of its day, with its document."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, joinedload

from records.invoice import Invoice, InvoiceKind, InvoiceLine, InvoiceStatus
from records.part import Part, PartRevision
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.sourcing import ExchangeRate

FOUR_PLACES = Decimal("0.0001")
MOST = 500
"""Prices of each kind that are looked at, the newest ones."""

UNORDERED = (
    OrderStatus.DRAFT, OrderStatus.PENDING_APPROVAL, OrderStatus.APPROVED, OrderStatus.APPROVAL_EXPIRED,
    OrderStatus.APPROVED_NOT_TRANSMITTED, OrderStatus.SUPPLIER_REJECTED, OrderStatus.CANCELLED, OrderStatus.REJECTED,
)  # fmt: skip
"""Statuses in which the supplier has no order at this price; of an order on hold, what it was held from counts."""


class Source(StrEnum):
    """Which document says the price."""

    ORDERED = "ORDERED"
    INVOICED = "INVOICED"


@dataclass(frozen=True, slots=True)
class Point:
    """One price on one day.

    unit_price: per ``uom`` in ``currency``, as the document says. company_price: per stock unit, in ``company_currency`` at the order's own
    rate, else at the dated rate of the day; None where no rate is known. record_type, record_id: the document.
    """

    on: dt.date
    source: Source
    supplier_id: str
    supplier: str
    number: str
    record_type: str
    record_id: str
    revision: str
    quantity: Decimal
    uom: str
    unit_price: Decimal
    currency: str
    rate: Decimal | None
    company_price: Decimal | None
    company_currency: str


def prices_of(session: Session, part: Part) -> list[Point]:
    """Return the prices of a part (or of a service), the newest first, at most ``MOST`` of each kind; in three statements."""
    rates = _Rates(session)
    points = [*_ordered(session, part, rates), *_invoiced(session, part, rates)]
    return sorted(points, key=lambda point: (point.on, point.number, point.source), reverse=True)


class _Rates:
    """Dated rates by pair of currencies, read at once."""

    def __init__(self, session: Session) -> None:
        self._dated: dict[tuple[str, str], list[tuple[dt.date, Decimal]]] = defaultdict(list)
        for row in session.scalars(select(ExchangeRate).order_by(ExchangeRate.valid_from)):
            self._dated[row.currency, row.company_currency].append((row.valid_from, row.rate))

    def on(self, currency: str, company_currency: str, day: dt.date) -> Decimal | None:
        """Return the rate that holds on a day, None where there is none yet."""
        if currency == company_currency:
            return Decimal(1)
        dated = self._dated.get((currency, company_currency), [])
        place = bisect_right(dated, day, key=lambda row: row[0])
        return dated[place - 1][1] if place else None


def _ordered(session: Session, part: Part, rates: _Rates) -> list[Point]:
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .outerjoin(PartRevision, PartRevision.id == PurchaseOrderLine.part_revision_id)
        .where(
            _of(part),
            func.coalesce(PurchaseOrder.held_from, PurchaseOrder.status).not_in(UNORDERED),
            PurchaseOrderLine.status != LineStatus.CANCELLED,
        )
        .options(
            joinedload(PurchaseOrderLine.order).joinedload(PurchaseOrder.supplier),
            joinedload(PurchaseOrderLine.order).joinedload(PurchaseOrder.site),
            joinedload(PurchaseOrderLine.part_revision),
        )
        .order_by(PurchaseOrderLine.id.desc())
    )
    return [_ordered_point(line, rates) for line in session.scalars(wanted.limit(MOST))]


def _ordered_point(line: PurchaseOrderLine, rates: _Rates) -> Point:
    order = line.order
    day = order.order_date or order.site.local_day(order.created_at)
    rate = order.fx_rate or rates.on(order.currency, order.site.currency, day)
    return Point(
        day, Source.ORDERED, order.supplier_id, order.supplier.name, line.number, "purchase_order", order.id,
        line.part_revision.rev if line.part_revision else "", line.quantity, line.uom, line.unit_price, order.currency,
        rate, _company(line.unit_price, rate, line.conversion_factor), order.site.currency,
    )  # fmt: skip


def _invoiced(session: Session, part: Part, rates: _Rates) -> list[Point]:
    wanted = (
        select(InvoiceLine)
        .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
        .join(PurchaseOrderLine, PurchaseOrderLine.id == InvoiceLine.order_line_id)
        .outerjoin(PartRevision, PartRevision.id == PurchaseOrderLine.part_revision_id)
        .where(
            _of(part),
            Invoice.kind == InvoiceKind.INVOICE,
            Invoice.status != InvoiceStatus.REJECTED,
        )
        .options(
            joinedload(InvoiceLine.invoice).joinedload(Invoice.supplier),
            joinedload(InvoiceLine.order_line).joinedload(PurchaseOrderLine.order).joinedload(PurchaseOrder.site),
            joinedload(InvoiceLine.order_line).joinedload(PurchaseOrderLine.part_revision),
        )
        .order_by(InvoiceLine.id.desc())
    )
    return [_invoiced_point(line, rates) for line in session.scalars(wanted.limit(MOST))]


def _invoiced_point(line: InvoiceLine, rates: _Rates) -> Point:
    invoice, bought = line.invoice, line.order_line
    company_currency = bought.order.site.currency
    rate = rates.on(invoice.currency, company_currency, invoice.invoiced_on)
    return Point(
        invoice.invoiced_on, Source.INVOICED, invoice.supplier_id, invoice.supplier.name, line.number, "invoice", invoice.id,
        bought.part_revision.rev if bought.part_revision else "", line.quantity, bought.uom, line.unit_price, invoice.currency,
        rate, _company(line.unit_price, rate, bought.conversion_factor), company_currency,
    )  # fmt: skip


def _of(part: Part) -> ColumnElement[bool]:
    """Return the condition that a line buys the part, and not a process that is done to it."""
    goods = and_(PartRevision.part_id == part.id, PurchaseOrderLine.process_code.is_(None))
    return or_(goods, PurchaseOrderLine.service_code == part.part_no)


def _company(price: Decimal, rate: Decimal | None, stock_units: Decimal) -> Decimal | None:
    """Return a price per stock unit in company currency, to four decimals."""
    return None if rate is None else (price * rate / stock_units).quantize(FOUR_PLACES, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Span:
    """What one supplier asked for over time, per stock unit in company currency. change: of a hundred, first to last ordered."""

    supplier_id: str
    supplier: str
    prices: int
    lowest: Decimal
    highest: Decimal
    last: Decimal
    last_on: dt.date
    change: Decimal | None


def spans(points: Sequence[Point]) -> list[Span]:
    """Return a line for each supplier, the one that was ordered from last before the others. points: the newest first."""
    found: Mapping[str, list[Point]] = defaultdict(list)
    for point in points:
        if point.source is Source.ORDERED and point.company_price is not None:
            found[point.supplier_id].append(point)
    return [_span(own) for own in found.values()]


def _span(own: Sequence[Point]) -> Span:
    prices = [point.company_price for point in own if point.company_price is not None]
    first, last = prices[-1], prices[0]
    change = (
        ((last - first) * 100 / first).quantize(Decimal("0.1"), ROUND_HALF_UP) if first and len(prices) > 1 else None
    )
    return Span(own[0].supplier_id, own[0].supplier, len(own), min(prices), max(prices), last, own[0].on, change)
