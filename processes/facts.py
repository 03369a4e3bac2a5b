"""The facts that the approval matrix asks about a requisition or an order; amounts in company currency."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy.orm import Session

from engine.act import Act
from records.calendar import Site
from records.money import convert, total
from records.purchase_order import LineStatus, PurchaseOrder
from records.requisition import Requisition
from records.sourcing import rate_on
from records.supplier import Supplier, SupplierStatus
from rules.quality import is_special
from rules.supplier_facts import has_low_score
from rules.supplier_gate import Line, part_of, process_of

LABORATORIES = frozenset({"CALIBRATION", "TEST_LAB"})
"""Commodities whose results metrology answers for."""

VALIDATED = frozenset({"SOFTWARE", "GXP_SERVICE"})
"""Commodities that may touch validated systems."""

NOT_PROVEN = frozenset({SupplierStatus.PROSPECT, SupplierStatus.CONDITIONAL})


def requisition_facts(act: Act, requisition: Requisition) -> dict[str, Any]:
    """Return the inputs of the approval matrix for a requisition."""
    suppliers = [line.supplier for line in requisition.lines if line.supplier is not None]
    facts = _facts(
        act, requisition.site, requisition.currency, requisition.lines,
        advance_payment=requisition.advance_payment, project=requisition.project, suppliers=suppliers,
    )  # fmt: skip
    facts["single_source"] = any(line.is_single_source for line in requisition.lines)
    facts["capex"] = requisition.capex_no is not None
    return facts


class Asking(Protocol):
    """Who asks for facts: an act, or a page that only shows what an act would do."""

    session: Session
    now: dt.datetime


def order_facts(act: Act, order: PurchaseOrder, requisition: Requisition, *, single_source: bool) -> dict[str, Any]:
    """Return the inputs of the approval matrix for an order. single_source: as its sourcing came out."""
    facts = _facts(
        act, order.site, order.currency, order.lines,
        advance_payment=order.advance_payment, project=requisition.project, suppliers=[order.supplier],
    )  # fmt: skip
    facts["single_source"] = single_source
    facts["capex"] = requisition.capex_no is not None
    return facts


def amended_facts(asking: Asking, order: PurchaseOrder) -> dict[str, Any]:
    """Return the inputs of the approval matrix for an order as an amendment would make it; cancelled lines count nothing."""
    lines = [line for line in order.lines if line.status is not LineStatus.CANCELLED]
    asked = [line.requisition_line for line in lines if line.requisition_line is not None]
    facts = _facts(
        asking, order.site, order.currency, lines, advance_payment=order.advance_payment,
        project=next((one.requisition.project for one in asked if one.requisition.project), None), suppliers=[order.supplier],
        rate=order.fx_rate,
    )  # fmt: skip
    facts["single_source"] = any(one.is_single_source for one in asked)
    facts["capex"] = any(one.requisition.capex_no is not None for one in asked)
    return facts


def _facts(
    act: Asking,
    site: Site,
    currency: str,
    lines: Sequence[Line],
    *,
    advance_payment: Decimal,
    project: str | None,
    suppliers: Iterable[Supplier],
    rate: Decimal | None = None,
) -> dict[str, Any]:
    rate = rate or rate_on(act.session, currency, company_currency=site.currency, on=site.local_day(act.now))
    amounts = [convert(line.amount, rate, currency=site.currency) for line in lines]
    parts = [part for line in lines if (part := part_of(line)) is not None]
    # The bands are about the document's total at the day's rate; rounding each line first could carry it over an edge.
    amount = convert(total(line.amount for line in lines), rate, currency=site.currency)
    sources = list(suppliers)
    return {
        "amount": amount,
        "criticality": sorted({part.criticality.value for part in parts}),
        "special_process": any(is_special(act.session, process_of(line)) for line in lines),
        "new_supplier": any(supplier.status in NOT_PROVEN for supplier in sources),
        "low_score": any(has_low_score(act.session, supplier) for supplier in sources),
        "project_line_amount": max(amounts, default=None) if project else None,
        "export_controlled": any(part.export_class is not None for part in parts),
        "customer_directed": any(line.customer_reference for line in lines)
        or any(part.is_customer_owned for part in parts),
        "calibration": any(part.commodity in LABORATORIES for part in parts),
        "gxp_software": any(part.commodity in VALIDATED for part in parts),
        "advance_payment": convert(advance_payment, rate, currency=site.currency),
        "foreign_exposure": Decimal(0) if currency == site.currency else amount,
    }
