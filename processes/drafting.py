"""Draft an order from the lines of an award (A18): price, terms, clauses, certificates, inspection, match level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import or_, select

from engine.act import Act
from engine.answers import of_each, once
from processes.documents import existing
from records.numbering import next_number
from records.part import Criticality, PartRevision
from records.purchase_order import IncotermCode, PurchaseOrder, PurchaseOrderLine
from records.quality_clause import QualityClause
from records.quotation import Quotation
from records.requisition import PurchaseType, Requisition, RequisitionLine, convert
from records.sourcing import SourcingKind, SourcingRef, rate_on
from records.supplier import CataloguePrice, Supplier
from rules.change_pending import planned_as
from rules.quality import wanted_clauses
from rules.supplier_facts import first_article_report
from rules.supplier_gate import part_of

EDITION = "2020"
"""The Incoterms edition of new orders."""

INSPECTED = frozenset({Criticality.KEY, Criticality.FLIGHT_SAFETY, Criticality.IMPLANT})


@dataclass
class FlowDown:
    """What the rules put on a line."""

    clauses: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)


def draft(
    act: Act,
    requisition: Requisition,
    lines: Sequence[RequisitionLine],
    *,
    supplier: Supplier,
    award: Mapping[str, Any],
) -> PurchaseOrder:
    """Write the draft of an award's order and count its lines as ordered. award: the flow's variable."""
    site = requisition.site
    today = site.local_day(act.now)
    code = IncotermCode(supplier.incoterm) if supplier.incoterm in set(IncotermCode) else None
    currency = award.get("order_currency") or award["currency"]
    reference = existing(act.session, SourcingRef, award["sourcing_ref_id"]) if award.get("sourcing_ref_id") else None
    quotation = existing(act.session, Quotation, award["quotation_id"]) if award.get("quotation_id") else None
    order = PurchaseOrder(
        proposal_no=next_number(act, "PF", site=site), type=_type(requisition, lines, reference), site=site, site_id=site.id,
        supplier=supplier, supplier_id=supplier.id,
        supplier_site=next((place for place in supplier.sites if place.is_default), None),
        currency=currency, order_date=today, fx_rate=rate_on(act.session, currency, company_currency=site.currency, on=today),
        incoterm=code, incoterm_place=(supplier.incoterm_place or site.name) if code else None,
        incoterm_edition=EDITION if code else None, payment_term=supplier.payment_term,
        advance_payment=requisition.advance_payment if len(lines) == len(requisition.lines) else Decimal(0),
        ship_to=award["ship_to"] or site.address or site.name, bill_to=site.address or site.name,
    )  # fmt: skip
    if quotation is not None:
        order.supplier_reference, order.comment = quotation.reference, _quoted_words(quotation)
    follows = planned_as(act.session, lines)
    for number, line in enumerate(lines, start=1):
        drafted = _line(act, number, line, follows.get(line.id), order=order, reference=reference)
        if quotation is not None and (price := _quoted_price(quotation, line)) is not None:
            drafted.unit_price = price
        order.lines.append(drafted)
    act.session.add(order)
    act.session.flush()
    for line in lines:
        if line.id in follows:
            said = f"Planned as {line.item}; the change says what it is ordered as"
            act.note(
                order.record_type, order.id, "ORDERED_AS", field=line.number, new=follows[line.id].number, reason=said
            )
    for line in lines:
        convert(act, line, line.open_quantity)
    act.session.flush()
    return order


def _quoted_price(quotation: Quotation, line: RequisitionLine) -> Decimal | None:
    asked = quotation.invitation.request.lines
    numbers = [one.line_no for one in asked if one.requisition_line_id == line.id]
    return quotation.price_of(numbers[0]) if numbers else None


def _quoted_words(quotation: Quotation) -> str:
    """Return what a quote says beside its prices, for the order's comment: what else it costs is agreed with it."""
    said = [f"As quoted: {quotation.number}, {quotation.lead_time_days} days, valid until {quotation.valid_to}."]
    if quotation.charges:
        said.append(f"Freight, packing and duty: {quotation.charges:,.2f} {quotation.currency}.")
    if quotation.incoterm:
        said.append(f"Delivery: {quotation.incoterm}.")
    return " ".join(said)


def _type(requisition: Requisition, lines: Sequence[RequisitionLine], reference: SourcingRef | None) -> PurchaseType:
    if requisition.type is not PurchaseType.STANDARD:
        return requisition.type
    if reference is not None and reference.kind is SourcingKind.BLANKET:
        return PurchaseType.BLANKET_RELEASE
    return PurchaseType.SERVICE if all(line.service_code for line in lines) else PurchaseType.STANDARD


def _line(
    act: Act,
    number: int,
    line: RequisitionLine,
    follows: PartRevision | None,
    *,
    order: PurchaseOrder,
    reference: SourcingRef | None,
) -> PurchaseOrderLine:
    part, revision = part_of(line), follows or line.part_revision
    flow_down = _flow_down(act, line, order)
    is_inspected = part is not None and part.criticality in INSPECTED
    return PurchaseOrderLine(
        line_no=number, part_revision=revision, part_revision_id=revision.id if revision is not None else None,
        service=part if line.service_code is not None else None, service_code=line.service_code,
        process_code=line.process_code, spec=line.spec, spec_rev=line.spec_rev,
        cost_object=line.cost_object, description=line.description, quantity=line.open_quantity, uom=line.uom,
        unit_price=_price(act, line, order=order, reference=reference), need_by=line.need_by or line.requisition.need_by,
        ship_to=line.ship_to, match_level=4 if is_inspected or line.process_code else 3 if line.part_revision_id else 2,
        is_inspection_required=is_inspected, quality_clauses=tuple(flow_down.clauses),
        certificates=tuple(flow_down.certificates), customer_reference=line.customer_reference,
        requisition_line=line, requisition_line_id=line.id, sourcing_ref_id=reference.id if reference else None,
        work_order_op=line.work_order_op,
    )  # fmt: skip


def _price(act: Act, line: RequisitionLine, *, order: PurchaseOrder, reference: SourcingRef | None) -> Decimal:
    """Return the price of the contract or quote, else the supplier's catalogue price, else the estimate."""
    if reference is not None and reference.unit_price is not None and reference.currency in (None, order.currency):
        return reference.unit_price
    asked = ("listed_price", order.supplier_id, order.currency, order.order_date)
    listed = of_each(act.session, line, asked, lambda lines: _listed_prices(act, lines, order), otherwise=None)
    return listed if listed is not None else line.estimated_price or Decimal(0)


def _listed_prices(act: Act, lines: Sequence[RequisitionLine], order: PurchaseOrder) -> dict[str, Decimal]:
    """Return the catalogue price of each line at its quantity, where the supplier has one in the order's currency."""
    revisions = sorted({line.part_revision_id for line in lines if line.part_revision_id})
    services = sorted({line.service_code for line in lines if line.service_code})
    wanted = select(CataloguePrice).where(
        CataloguePrice.supplier_id == order.supplier_id,
        CataloguePrice.is_active,
        CataloguePrice.currency == order.currency,
        or_(CataloguePrice.valid_from.is_(None), CataloguePrice.valid_from <= order.order_date),
        or_(CataloguePrice.valid_to.is_(None), CataloguePrice.valid_to >= order.order_date),
        or_(CataloguePrice.part_revision_id.in_(revisions), CataloguePrice.service_code.in_(services)),
    )
    prices: dict[tuple[str | None, str | None, str], list[CataloguePrice]] = defaultdict(list)
    for price in act.session.scalars(wanted.order_by(CataloguePrice.min_quantity)):
        prices[price.part_revision_id, price.service_code, price.uom].append(price)
    found = {}
    for line in lines:
        known = prices.get((line.part_revision_id, None if line.part_revision_id else line.service_code, line.uom), ())
        fitting = [price.unit_price for price in known if price.min_quantity <= line.quantity]
        if fitting:
            found[line.id] = fitting[-1]
    return found


def _flow_down(act: Act, line: RequisitionLine, order: PurchaseOrder) -> FlowDown:
    supplier, today = order.supplier, order.site.local_day(act.now)
    wanted = wanted_clauses(act.session, line, supplier=supplier)
    codes = frozenset(clause.code for clause in wanted if clause.code)
    active = select(QualityClause).where(QualityClause.code.in_(codes), QualityClause.is_active)
    known = once(act.session, ("clauses", codes), lambda: act.session.scalars(active.order_by(QualityClause.rev)).all())
    asked = {clause.certificate for clause in wanted if clause.certificate}
    report = first_article_report(act.session, line, supplier, on=today, site=order.supplier_site)
    return FlowDown(
        clauses=sorted({clause.code: clause.number for clause in known}.values()),
        certificates=sorted(asked | report),
    )
