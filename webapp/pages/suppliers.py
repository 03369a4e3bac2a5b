"""Suppliers: the list and the page of one, with sites, approvals, prices and orders."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from engine.database import is_id
from engine.errors import NotFound
from processes import approved_suppliers
from processes.approval_expiry import notice_days
from processes.supplier_overview import overview
from records.supplier import CataloguePrice, Supplier, SupplierStatus
from webapp import document_page, listing, sheet
from webapp.supplier_known import known_of
from webapp.visit import now, reading, visitor

pages = Blueprint("suppliers", __name__)

RECENT = 20


@pages.get("/suppliers")
def index() -> str:
    """List suppliers by number."""
    page = look_up(*listing.search())
    return render_template("documents/suppliers.html", page=page, states=list(SupplierStatus))


@sheet.offered(pages, "/suppliers")
def export() -> sheet.Sheet:
    """Hand out the suppliers that a search finds, with what each is approved for today."""
    found, today = sheet.whole(look_up), now().date()
    columns = (
        "number",
        "name",
        "status",
        "currency",
        "payment_term",
        "lead_time_days",
        "certificate",
        "expires_on",
        "approved_for",
        "active",
    )
    rows = [
        (one.supplier_no, one.name, one.status, one.currency, one.payment_term, one.lead_time_days, one.qms_certificate,
         one.qms_expires_on, "; ".join(sorted(row.subject_code for row in one.approvals if row.is_valid_on(today))), one.is_active)
        for one in found.items
    ]  # fmt: skip
    return sheet.Sheet("suppliers", columns, rows, is_cut=bool(found.after))


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of suppliers by number or name."""
    wanted = select(Supplier).options(selectinload(Supplier.approvals))
    if query:
        wanted = wanted.where(listing.contains(query, Supplier.supplier_no, Supplier.name))
    if state:
        wanted = wanted.where(Supplier.status == state)
    return listing.by_key(reading(), wanted, Supplier.supplier_no, query=query, state=state, after=after, limit=limit)


@pages.get("/suppliers/<record_id>")
def show(record_id: str) -> str:
    """Show one supplier."""
    session = reading()
    supplier = find(session, record_id)
    prices = select(CataloguePrice).where(CataloguePrice.supplier_id == supplier.id)
    return render_template(
        "documents/supplier.html", document=supplier, beside=document_page.beside(session, supplier),
        overview=overview(session, supplier, now=now()),
        prices=list(session.scalars(prices.order_by(CataloguePrice.unit_price).limit(RECENT))),
        today=now().astimezone(visitor().how.zone).date(), tab=request.args.get("tab", "summary"),
        keeps_list=visitor().holds(*approved_suppliers.KEEPERS), approvable=approved_suppliers.APPROVABLE,
        suspendable=approved_suppliers.SUSPENDABLE, soon=max(notice_days(session)), known=known_of(session, supplier),
    )  # fmt: skip


def find(session: Session, record_id: str) -> Supplier:
    """Return a supplier. Raises: NotFound."""
    supplier = session.get(Supplier, record_id) if is_id(record_id) else None
    if supplier is None:
        raise NotFound("Expected a supplier at this address, but there is none.")
    return supplier
