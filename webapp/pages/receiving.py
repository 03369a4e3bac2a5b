"""Receiving: one field that a scanner types into, what is expected, what waits; the form that every scan fills; the receipts."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload
from werkzeug.wrappers import Response as Answer

from engine.errors import Invalid, Refused
from processes import receiving
from processes.receiving import Delivery
from records.outside import OutsideLink
from records.purchase_order import FINAL, SENT, LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.receipt import (
    WAITING,
    Receipt,
    ReceiptStatus,
)
from webapp import formats, listing, scanning, sheet, signing_form
from webapp import typed_fields as fields
from webapp.pages import orders
from webapp.refusals import status_of
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("receiving", __name__)

Page = str | tuple[str, int] | Answer
FIELDS = ("line", "quantity", "packing_slip", "lot", "heat", "revision_on_label", "location", "serials", "received_on")
TO_DO = (*WAITING, ReceiptStatus.REJECTED)
"""Statuses of goods about which somebody has to decide."""

EXPECTED = SENT - {OrderStatus.RECEIVED, OrderStatus.CLOSED, OrderStatus.SUPPLIER_REJECTED}


@pages.get("/receiving")
def index() -> Page:
    """Show the field to scan into, the goods that wait for somebody, and what is expected next."""
    session = reading()
    scanned = scanning.understand(session, request.args["scan"]) if request.args.get("scan") else None
    if scanned is not None and scanned.receipt_id:
        return redirect(url_for("goods.show", record_id=scanned.receipt_id))
    if scanned is not None and scanned.order_id:
        return redirect(url_for("receiving.receive", record_id=scanned.order_id, line=scanned.line_no or None))
    goods = list(
        session.scalars(
            select(Receipt).where(Receipt.status.in_(TO_DO)).order_by(Receipt.received_on, Receipt.id).limit(60)
        )
    )
    return render_template(
        "receiving/index.html", scanned=scanned, goods=goods, expected=_expected(session), today=_today()
    )


EXPECTED_COLUMNS: dict[str, sheet.Column] = {
    "order_line": "number", "item": "item", "supplier": "order.supplier.name", "quantity": "quantity", "open": "open_quantity",
    "unit": "uom", "need_by": "need_by", "promised_on": "promised_on", "order_state": "order.status",
}  # fmt: skip


@sheet.offered(pages, "/receiving")
def export_expected() -> sheet.Sheet:
    """Hand out the lines that are still to come, the one needed first before the others."""
    found = _expected(reading(), limit=listing.MOST_EXPORTED)
    return sheet.Sheet("expected", list(EXPECTED_COLUMNS), sheet.rows_of(found, EXPECTED_COLUMNS))


@pages.get("/receipts")
def receipts() -> str:
    """List receipts, newest first."""
    page = look_up(*listing.search())
    return render_template("receiving/receipts.html", page=page, states=list(ReceiptStatus))


COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "order_line": "order_line.number", "item": "order_line.item", "quantity": "quantity", "uom": "uom",
    "status": "status", "received_on": "received_on", "packing_slip": "packing_slip", "lot": "lot_label", "heat": "heat",
    "received_by": "received_by",
}  # fmt: skip


@sheet.offered(pages, "/receipts")
def export() -> sheet.Sheet:
    """Hand out the receipts that a search finds, the newest first."""
    return sheet.of_page("receipts", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of receipts by number, packing slip, lot or order, newest first."""
    wanted = select(Receipt).options(selectinload(Receipt.order_line).selectinload(PurchaseOrderLine.order))
    if query:
        wanted = wanted.join(PurchaseOrderLine).join(PurchaseOrder)
        wanted = wanted.where(
            listing.contains(
                query, Receipt.number, Receipt.packing_slip, Receipt.lot_label, Receipt.heat, PurchaseOrder.po_no
            )
        )
    if state:
        wanted = wanted.where(Receipt.status == state)
    return listing.newest_first(reading(), wanted, Receipt, query=query, state=state, after=after, limit=limit)


@pages.route("/orders/<record_id>/receive", methods=["GET", "POST"])
def receive(record_id: str) -> Page:
    """Book goods in against a line; every scan fills one more field. Sent twice with one form it counts once."""
    order = orders.find(reading(), record_id)
    if request.method != "POST":
        link = _link_away(reading(), order, request.args.get("line", ""))
        if link is None:
            return _show_form(order)
        flash(
            f"What comes on this line are our own pieces back from outside: count them in under {link.number}.", "warn"
        )
        return redirect(url_for("outside.take_back", record_id=link.id))
    try:
        with acting() as act:
            stored = orders.find(act.session, record_id)
            line, delivery = _delivery(stored)
            booking = receiving.book(act, line, delivery)
            first = booking.receipts[0]
    except Refused as refusal:
        return _show_form(orders.find(read_anew(), record_id), refusal), status_of(refusal)
    said = "was booked already" if booking.is_repeat else f"{formats.words(first.status).lower()}"
    flash(f"{first.number}: {first.quantity.normalize():f} {first.uom} {said}.", "good")
    for remark in booking.remarks:
        flash(remark, "warn")
    return redirect(url_for("goods.show", record_id=first.id), 303)


def _expected(session: Session, *, limit: int = 40) -> list[PurchaseOrderLine]:
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder)
        .where(
            PurchaseOrder.status.in_(EXPECTED), PurchaseOrderLine.status.in_([LineStatus.OPEN, LineStatus.PART_RCVD])
        )
        .options(selectinload(PurchaseOrderLine.order).selectinload(PurchaseOrder.supplier))
    )
    return list(session.scalars(wanted.order_by(PurchaseOrderLine.need_by, PurchaseOrderLine.id).limit(limit)))


def _link_away(session: Session, order: PurchaseOrder, line_no: str) -> OutsideLink | None:
    """Return the link under which pieces of a line, or of the only line, are at the supplier."""
    lines = [line for line in order.lines if str(line.line_no) == line_no or (not line_no and len(order.lines) == 1)]
    return next((link for line in lines if (link := receiving.link_away(session, line))), None)


def _today() -> Any:
    return now().astimezone(visitor().how.zone).date()


def _show_form(order: PurchaseOrder, refusal: Refused | None = None) -> str:
    """Show the form with what was typed, or with what the scans so far have filled."""
    session, values = reading(), {name: request.values.get(name, "") for name in FIELDS}
    complaint = ""
    if request.method == "GET" and request.args.get("scan"):
        scanned = scanning.fill(session, order, request.args["scan"])
        complaint = scanned.complaint
        for name, value in (scanned.fields or {}).items():
            values[name] = f"{values[name]} {value}".strip() if name == "serials" else value
    lines = [line for line in order.lines if line.status not in (LineStatus.CLOSED, LineStatus.CANCELLED)]
    if not values["line"] and len(lines) == 1:
        values["line"] = str(lines[0].line_no)
    chosen = next((line for line in lines if str(line.line_no) == values["line"]), None)
    return render_template(
        "receiving/receive.html", document=order, values=values, chosen=chosen, complaint=complaint, refusal=refusal,
        errors=signing_form.errors_of(refusal), event_id=fields.event_id(), today=_today(),
        lines=[(line.line_no, f"{line.line_no}: {line.item}, {line.open_quantity.normalize():f} {line.uom} open") for line in lines],
        why_not="" if order.status not in FINAL else f"It is {formats.words(order.status).lower()}.",
    )  # fmt: skip


def _delivery(order: PurchaseOrder) -> tuple[PurchaseOrderLine, Delivery]:
    wanted = request.form.get("line", "")
    line = next((one for one in order.lines if str(one.line_no) == wanted), None)
    if line is None:
        raise Invalid("Expected the line that came, but none is chosen", {"line": "Choose the line that came"})
    return line, Delivery(
        quantity=fields.number("quantity", decimals=6), packing_slip=fields.words("packing_slip", 200), lot=fields.words("lot", 200),
        heat=fields.words("heat", 200), revision_on_label=fields.words("revision_on_label", 40) or None,
        location=fields.words("location", 200),
        serials=tuple(fields.words("serials").replace(",", " ").split()), received_on=fields.day("received_on", "the day it came"),
        event_id=fields.event_id(),
    )  # fmt: skip
