"""Parts: the list and the page of one, with revisions, prices, who may deliver it, and where it was bought."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from engine.database import is_id
from engine.errors import NotFound
from processes import price_history
from records.change_order import AffectedItem
from records.part import Part, PartRevision, PartType, RevisionStatus
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.supplier import ApprovalSubject, CataloguePrice, SupplierApproval
from webapp import document_page, dossiers, formats, listing, plots, sheet
from webapp.visit import reading, visitor

pages = Blueprint("parts", __name__)

RECENT = 20


@pages.get("/parts")
def index() -> str:
    """List parts by number."""
    page = look_up(*listing.search())
    return render_template("documents/parts.html", page=page, states=list(PartType))


COLUMNS: dict[str, sheet.Column] = {
    "number": "part_no", "name": "name", "type": "type", "criticality": "criticality", "unit": "base_uom", "commodity": "commodity",
    "revisions": lambda one: ", ".join(each.rev for each in one.revisions),
    "released": lambda one: ", ".join(each.rev for each in one.revisions if each.status == RevisionStatus.RELEASED),
    "active": "is_active",
}  # fmt: skip


@sheet.offered(pages, "/parts")
def export() -> sheet.Sheet:
    """Hand out the parts that a search finds."""
    return sheet.of_page("parts", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of parts by number or name. state: a part type."""
    wanted = select(Part).options(selectinload(Part.revisions))
    if query:
        wanted = wanted.where(listing.contains(query, Part.part_no, Part.name))
    if state:
        wanted = wanted.where(Part.type == state)
    return listing.by_key(reading(), wanted, Part.part_no, query=query, state=state, after=after, limit=limit)


@pages.get("/parts/<record_id>")
def show(record_id: str) -> str:
    """Show one part."""
    session = reading()
    part = find(session, record_id)
    return render_template(
        "documents/part.html", document=part, beside=document_page.beside(session, part), prices=_prices(session, part),
        sources=_sources(session, part), orders=_orders(session, part),
        changes=_changes(session, part), tab=request.args.get("tab", "summary"), **prices_shown(session, part),
    )  # fmt: skip


PRICE_COLUMNS: dict[str, sheet.Column] = {
    "day": "on", "source": "source", "document": "number", "supplier": "supplier", "revision": "revision", "quantity": "quantity",
    "unit": "uom", "unit_price": "unit_price", "currency": "currency", "rate": "rate", "company_price": "company_price",
    "company_currency": "company_currency",
}  # fmt: skip


@sheet.offered(pages, "/parts/<record_id>/prices")
def export_prices(record_id: str) -> sheet.Sheet:
    """Hand out what a part cost, the newest price first."""
    part = find(reading(), record_id)
    points = price_history.prices_of(reading(), part)
    return sheet.Sheet(f"prices-{part.part_no}", list(PRICE_COLUMNS), sheet.rows_of(points, PRICE_COLUMNS))


def prices_shown(session: Session, part: Part) -> dict[str, Any]:
    """Return the price history of a part with its plot; the supplier that was ordered from last carries the accent."""
    points = price_history.prices_of(session, part)
    spans = price_history.spans(points)
    places = {span.supplier_id: place for place, span in enumerate(spans)}
    how = visitor().how
    given = [
        plots.Given(
            point.on, point.company_price, places.get(point.supplier_id, len(places)), point.source is price_history.Source.INVOICED,
            f"{formats.day(point.on, how)}: {formats.money(point.company_price, point.company_currency, how, unit_price=True)} "
            f"{point.source.lower()}, {point.supplier}, {point.number}",
            dossiers.record_url(point.record_type, point.record_id) or url_for("invoices.show", record_id=point.record_id),
        )
        for point in points
        if point.company_price is not None
    ]  # fmt: skip
    return {
        "points": points, "spans": spans, "price_plot": plots.dots(given, lambda day: formats.day(day, how)), "shapes": plots.SHAPES,
        "kinds": [(kind, words, f"{url_for('parts.show', record_id=part.id)}/prices.{kind}") for kind, words in sheet.KINDS.items()],
    }  # fmt: skip


def find(session: Session, record_id: str) -> Part:
    """Return a part. Raises: NotFound."""
    part = session.get(Part, record_id) if is_id(record_id) else None
    if part is None:
        raise NotFound("Expected a part at this address, but there is none.")
    return part


def _changes(session: Session, part: Part) -> dict[str, list[AffectedItem]]:
    """Return, by revision, how change orders touch it."""
    ids = [revision.id for revision in part.revisions]
    touched = AffectedItem.part_revision_from_id.in_(ids) | AffectedItem.part_revision_to_id.in_(ids)
    wanted = select(AffectedItem).where(touched).options(selectinload(AffectedItem.change_order))
    found: dict[str, list[AffectedItem]] = {}
    for item in session.scalars(wanted.order_by(AffectedItem.id)):
        for revision_id in filter(None, (item.part_revision_from_id, item.part_revision_to_id)):
            found.setdefault(revision_id, []).append(item)
    return found


def _prices(session: Session, part: Part) -> list[CataloguePrice]:
    wanted = select(CataloguePrice).outerjoin(PartRevision).options(selectinload(CataloguePrice.supplier))
    of_part = (PartRevision.part_id == part.id) | (CataloguePrice.service_code == part.part_no)
    return list(session.scalars(wanted.where(of_part).order_by(CataloguePrice.unit_price).limit(RECENT)))


def _sources(session: Session, part: Part) -> list[SupplierApproval]:
    """Return the rows of the approved supplier list that name the part or its commodity."""
    named = (SupplierApproval.subject == ApprovalSubject.PART) & (SupplierApproval.subject_code == part.part_no)
    commodity = (SupplierApproval.subject == ApprovalSubject.COMMODITY) & (
        SupplierApproval.subject_code == part.commodity
    )
    wanted = select(SupplierApproval).where(named | commodity).options(selectinload(SupplierApproval.supplier))
    return list(session.scalars(wanted.order_by(SupplierApproval.valid_to.desc()).limit(RECENT)))


def _orders(session: Session, part: Part) -> list[PurchaseOrderLine]:
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder)
        .outerjoin(PartRevision, PurchaseOrderLine.part_revision_id == PartRevision.id)
        .where((PartRevision.part_id == part.id) | (PurchaseOrderLine.service_code == part.part_no))
        .options(selectinload(PurchaseOrderLine.order).selectinload(PurchaseOrder.supplier))
    )
    return list(session.scalars(wanted.order_by(PurchaseOrder.id.desc()).limit(RECENT)))
