"""Invoices: the list, the form, the match page with its holds, and what becomes of each."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload
from werkzeug.wrappers import Response as Answer

from engine.database import is_id, new_id
from engine.errors import Invalid, NotFound, Refused
from processes import invoicing, matching
from processes.goods_signature import CLERKS
from processes.invoicing import Bill, BilledLine
from records.invoice import (
    HoldStatus,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    MatchHold,
    Payable,
    holds_of,
    payable_of,
    results_of,
)
from records.purchase_order import SENT, LineStatus, PurchaseOrder, PurchaseOrderLine
from records.signature import Meaning
from records.supplier import Supplier
from rules.goods import barred_releasers
from rules.matching import NEVER_WAIVED
from webapp import ledger, listing, sheet, signing_form, typed
from webapp.pages import orders
from webapp.refusals import status_of
from webapp.typed import Unreadable
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("invoices", __name__)

Page = str | tuple[str, int] | Answer


@pages.get("/invoices")
def index() -> str:
    """List invoices, newest first."""
    page = look_up(*listing.search())
    return render_template("invoices/index.html", page=page, states=list(InvoiceStatus))


COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "supplier_no": "supplier.supplier_no", "supplier_invoice_no": "supplier_invoice_no", "kind": "kind",
    "currency": "currency", "total": "total", "invoiced_on": "invoiced_on", "due_on": "due_on", "status": "status",
}  # fmt: skip


@sheet.offered(pages, "/invoices")
def export() -> sheet.Sheet:
    """Hand out the invoices that a search finds, the newest first."""
    return sheet.of_page("invoices", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of invoices by either number or supplier, newest first."""
    wanted = select(Invoice).options(selectinload(Invoice.lines), selectinload(Invoice.supplier))
    if query:
        found = listing.contains(query, Invoice.number, Invoice.supplier_invoice_no, Supplier.name)
        wanted = wanted.join(Supplier, Invoice.supplier_id == Supplier.id).where(found)
    if state:
        wanted = wanted.where(Invoice.status == state)
    return listing.newest_first(reading(), wanted, Invoice, query=query, state=state, after=after, limit=limit)


@pages.get("/invoices/new")
def choose() -> Page:
    """Ask for the order that an invoice is for."""
    session, query = reading(), request.args.get("q", "").strip()[:100]
    wanted = select(PurchaseOrder).where(PurchaseOrder.status.in_(SENT)).options(selectinload(PurchaseOrder.supplier))
    if query:
        found = listing.contains(query, PurchaseOrder.po_no, PurchaseOrder.proposal_no, Supplier.name)
        wanted = wanted.join(Supplier, PurchaseOrder.supplier_id == Supplier.id).where(found)
    hits = list(session.scalars(wanted.order_by(PurchaseOrder.id.desc()).limit(20)))
    if query and len(hits) == 1:
        return redirect(url_for("invoices.capture", record_id=hits[0].id))
    return render_template("invoices/choose.html", hits=hits, query=query)


@pages.route("/orders/<record_id>/invoice", methods=["GET", "POST"])
def capture(record_id: str) -> Page:
    """Enter an invoice for an order; sent twice with one form it counts once."""
    orders.need(*CLERKS)
    order = orders.find(reading(), record_id)
    if request.method == "GET":
        return _show_form(order)
    try:
        with acting() as act:
            invoice = invoicing.capture_invoice(act, _bill(orders.find(act.session, record_id)))
    except Refused as refusal:
        return _show_form(orders.find(read_anew(), record_id), refusal), status_of(refusal)
    if invoice.status is InvoiceStatus.REJECTED:
        flash(f"Rejected: {invoice.refusal}.", "warn")
    else:
        said = "matches and is payable" if invoice.status is InvoiceStatus.MATCHED else "is held; see below"
        flash(f"{invoice.number} {said}.", "good" if invoice.status is InvoiceStatus.MATCHED else "warn")
    return redirect(url_for("invoices.show", record_id=invoice.id), 303)


@pages.get("/invoices/<record_id>")
def show(record_id: str) -> str:
    """Show an invoice beside what was ordered and received, its holds, and what to press."""
    return _show(find(reading(), record_id))


@pages.post("/invoices/<record_id>/<step>")
def change(record_id: str, step: str) -> Page:
    """Match again, pay a part, or reject."""
    reason = request.form.get("reason", "").strip()[:4000]
    try:
        with acting() as act:
            invoice = find(act.session, record_id)
            if step == "match":
                matching.match(act, invoice)
            elif step == "part":
                matching.pay_part(act, invoice, reason=reason)
            elif step == "rejection":
                matching.reject_invoice(act, invoice, reason=reason)
            else:
                raise NotFound("Expected a step with an invoice at this address, but there is none.")
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{find(read_anew(), record_id).number}: done.", "good")
    return redirect(url_for("invoices.show", record_id=record_id), 303)


@pages.route("/holds/<record_id>/release", methods=["GET", "POST"])
def release(record_id: str) -> Page:
    """Show what is released, with both values; on POST sign it."""
    hold = find_hold(reading(), record_id)
    if request.method == "GET":
        return _show_release(hold)
    try:
        with acting() as act:
            reason = request.form.get("reason", "").strip()[:4000]
            matching.release_hold(act, find_hold(act.session, record_id), signing_form.read_signature(), reason=reason)
    except Refused as refusal:
        return _show_release(find_hold(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{matching.words_of(hold.code)}: released.", "good")
    return redirect(url_for("invoices.show", record_id=hold.invoice_line.invoice_id), 303)


def find(session: Session, record_id: str) -> Invoice:
    """Return an invoice. Raises: NotFound."""
    found = session.get(Invoice, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected an invoice at this address, but there is none.")
    return found


def find_hold(session: Session, record_id: str) -> MatchHold:
    """Return a hold. Raises: NotFound."""
    found = session.get(MatchHold, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a hold at this address, but there is none.")
    return found


def _bill(order: PurchaseOrder) -> Bill:
    wrong: dict[str, str] = {}

    def number(name: str, decimals: int) -> Decimal:
        try:
            return typed.decimal(request.form.get(name, ""), visitor().how, decimals=decimals)
        except Unreadable as error:
            wrong[name] = str(error)
            return Decimal(0)

    def day(name: str) -> dt.date | None:
        given = request.form.get(name, "").strip()
        try:
            return typed.day(given) if given else None
        except Unreadable as error:
            wrong[name] = str(error)
            return None

    lines = [
        BilledLine(line, number(f"lines.{line.line_no}.quantity", 6), number(f"lines.{line.line_no}.unit_price", 4))
        for line in order.lines
        if request.form.get(f"lines.{line.line_no}.quantity", "").strip()
    ]
    total = number("total", 2) if request.form.get("total", "").strip() else None
    kind = request.form.get("kind") or InvoiceKind.INVOICE.value
    bill = Bill(
        order.supplier, request.form.get("invoice_no", "").strip()[:200], request.form.get("currency", "").strip().upper()[:3],
        day("invoiced_on") or order.site.local_day(now()), lines, event_id=request.form.get("event_id") or new_id(),
        kind=InvoiceKind(kind) if kind in (InvoiceKind.INVOICE, InvoiceKind.CREDIT_NOTE) else InvoiceKind.INVOICE,
        due_on=day("due_on"), total=total,
    )  # fmt: skip
    if wrong:
        raise Invalid(f"Expected an invoice that can be read, but {len(wrong)} of its fields cannot", wrong)
    return bill


def _show_form(order: PurchaseOrder, refusal: Refused | None = None) -> str:
    shown = [line for line in order.lines if line.status is not LineStatus.CANCELLED]
    return render_template(
        "invoices/capture.html", document=order, lines=shown, form=request.form, refusal=refusal,
        errors=_by_line(shown, refusal), event_id=request.form.get("event_id") or new_id(),
        today=order.site.local_day(now()).isoformat(),
    )  # fmt: skip


def _by_line(shown: list[PurchaseOrderLine], refusal: Refused | None) -> dict[str, str]:
    """Put the errors of billed lines by the fields they were typed into: the form names lines by their numbers."""
    found = dict(signing_form.errors_of(refusal))
    typed_lines = [line for line in shown if request.form.get(f"lines.{line.line_no}.quantity", "").strip()]
    for index, line in enumerate(typed_lines):
        for field in ("quantity", "unit_price", "uom", "order_line"):
            text = found.pop(f"lines.{index}.{field}", None)
            if text:
                found[f"lines.{line.line_no}.{'quantity' if field in ('uom', 'order_line') else field}"] = text
    return found


def _show(invoice: Invoice, refusal: Refused | None = None) -> str:
    session = reading()
    rows = [_row(session, line) for line in invoice.lines]
    paid = select(Payable).where(Payable.invoice_line_id.in_([line.id for line in invoice.lines])).order_by(Payable.id)
    return render_template(
        "invoices/show.html", document=invoice, rows=rows, refusal=refusal, payables=list(session.scalars(paid)),
        tab=request.args.get("tab", "summary"), ledger=ledger.ledger_of(session, invoice.record_type, invoice.id),
        is_clerk=visitor().holds(*CLERKS), words_of=matching.words_of,
    )  # fmt: skip


def _row(session: Session, line: InvoiceLine) -> dict[str, Any]:
    """Return one line with its figures, its holds and who may release each."""
    runs = results_of(session, line)
    barred = {person for people in barred_releasers(session, line).values() for person in people}
    holds = [
        {
            "hold": hold, "way_out": matching.way_out_of(hold.code), "releasers": matching.releasers_of(hold.code),
            "may_release": hold.status is HoldStatus.OPEN and hold.code not in NEVER_WAIVED
            and visitor().holds(*matching.releasers_of(hold.code)) and visitor().user_id not in barred,
            "is_barred": visitor().user_id in barred,
        }
        for hold in holds_of(session, line)
    ]  # fmt: skip
    return {"line": line, "result": runs[-1] if runs else None, "holds": holds, "paid": payable_of(session, line)}


def _show_release(hold: MatchHold, refusal: Refused | None = None) -> str:
    return render_template(
        "invoices/release.html", document=hold, words_of=matching.words_of, refusal=refusal, form=request.form,
        content_hash=matching.hold_hash(hold), errors=signing_form.errors_of(refusal),
        **signing_form.signing_values(reading(), Meaning.REVIEWED, Meaning.APPROVED),
    )  # fmt: skip
