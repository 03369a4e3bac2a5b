"""Amounts of documents in company currency, at the rate of the order date."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy.orm import Session

from records.money import convert
from records.purchase_order import PurchaseOrder
from records.requisition import Requisition
from records.sourcing import rate_on


def company_total(session: Session, document: Requisition | PurchaseOrder, *, on: dt.datetime) -> Decimal:
    """Return a document's total in its site's currency. on: the instant whose local day's rate counts where no rate is fixed.

    Raises: Invalid NO_EXCHANGE_RATE.
    """
    return in_company_currency(session, document, document.total, on=on)


def in_company_currency(
    session: Session, document: Requisition | PurchaseOrder, amount: Decimal, *, on: dt.datetime
) -> Decimal:
    """Return an amount of a document in its site's currency. Raises: Invalid NO_EXCHANGE_RATE."""
    return on_day(session, document, amount, day=document.site.local_day(on))


def on_day(session: Session, document: Requisition | PurchaseOrder, amount: Decimal, *, day: dt.date) -> Decimal:
    """Return an amount of a document in its site's currency, at the document's own rate or else that of a day."""
    rate = document.fx_rate if isinstance(document, PurchaseOrder) else None
    if rate is None:
        rate = rate_on(session, document.currency, company_currency=document.site.currency, on=day)
    return convert(amount, rate, currency=document.site.currency)
