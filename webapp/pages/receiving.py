"""Receiving: one field that a scanner types into, what is expected, what waits; the goods' page with everything one does to them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import is_id, new_id
from engine.errors import Invalid, NotFound, Refused
from processes import certification, inspecting, receiving
from processes.certification import Paper
from processes.receiving import Delivery
from records.attachment import attachments_of
from records.certificate import Certificate, CertificateStatus, CertificateType, certificates_of, missing_certificates
from records.inspection import inspections_of
from records.lot import Lot
from records.nonconformance import Disposition, Nonconformance
from records.purchase_order import FINAL, SENT, LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.receipt import (
    WAITING,
    OverDecision,
    Quarantine,
    Receipt,
    ReceiptStatus,
    remaining_quantity,
)
from webapp import formats, ledger, listing, scanning, signing_fields, typed
from webapp.csv_file import csv_file
from webapp.pages import orders
from webapp.refusals import status_of
from webapp.typed import Unreadable
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("receiving", __name__)

Page = str | tuple[str, int] | Answer
FIELDS = ("line", "quantity", "packing_slip", "lot", "heat", "revision_on_label", "location", "serials", "received_on")
MOST_EXPORTED = 10_000
TO_DO = (*WAITING, ReceiptStatus.REJECTED)
"""Statuses of goods about which somebody has to decide."""

CERTIFICATES = {
    CertificateType.COC: "Certificate of conformance", CertificateType.MTR: "Material test report",
    CertificateType.HT: "Heat treatment", CertificateType.NDT: "Nondestructive test", CertificateType.FAI: "First article",
    CertificateType.CAL: "Calibration",
}  # fmt: skip

EXPECTED = SENT - {OrderStatus.RECEIVED, OrderStatus.CLOSED, OrderStatus.SUPPLIER_REJECTED}


@pages.get("/receiving")
def index() -> Page:
    """Show the field to scan into, the goods that wait for somebody, and what is expected next."""
    session = reading()
    scanned = scanning.understand(session, request.args["scan"]) if request.args.get("scan") else None
    if scanned is not None and scanned.receipt_id:
        return redirect(url_for("receiving.show", record_id=scanned.receipt_id))
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


@pages.get("/receipts")
def receipts() -> str:
    """List receipts, newest first."""
    page = look_up(*listing.search())
    return render_template("receiving/receipts.html", page=page, states=list(ReceiptStatus))


@pages.get("/receipts.csv")
def export() -> Response:
    """Download the receipts that a search finds, the newest first."""
    found = look_up(*listing.search(), limit=MOST_EXPORTED).items
    columns = (
        "number",
        "order_line",
        "item",
        "quantity",
        "uom",
        "status",
        "received_on",
        "packing_slip",
        "lot",
        "heat",
        "received_by",
    )
    rows = [
        (one.number, one.order_line.number, one.order_line.item, one.quantity, one.uom, one.status, one.received_on,
         one.packing_slip, one.lot_label, one.heat, one.received_by)
        for one in found
    ]  # fmt: skip
    return csv_file("receipts", columns, rows)


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
        return _show_form(order)
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
    return redirect(url_for("receiving.show", record_id=first.id), 303)


@pages.get("/receipts/<record_id>")
def show(record_id: str) -> str:
    """Show goods with what was found on them and what can be done now."""
    return _show(find(reading(), record_id))


@pages.post("/receipts/<record_id>/<step>")
def change(record_id: str, step: str) -> Page:
    """Do one step with the goods: clear, reject, put away, decide an excess, dispose, take back."""
    work = STEPS.get(step)
    if work is None:
        raise NotFound("Expected a step with goods at this address, but there is none.")
    try:
        with acting() as act:
            work(act, find(act.session, record_id))
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{find(read_anew(), record_id).number}: done.", "good")
    return redirect(url_for("receiving.show", record_id=record_id), 303)


@pages.route("/receipts/<record_id>/inspection", methods=["GET", "POST"])
def inspect(record_id: str) -> Page:
    """Show the plan and ask for what was found; on POST sign it."""
    receipt = find(reading(), record_id)
    if request.method == "GET":
        return _show_inspection(receipt)
    try:
        with acting() as act:
            rejects = int(_number("rejects", decimals=0))
            inspecting.inspect(
                act,
                find(act.session, record_id),
                signing_fields.typed_signature(),
                rejects=rejects,
                findings=_words("findings"),
            )
    except Refused as refusal:
        return _show_inspection(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{receipt.number} is inspected.", "good")
    return redirect(url_for("receiving.show", record_id=record_id), 303)


@pages.route("/receipts/<record_id>/review", methods=["GET", "POST"])
def review(record_id: str) -> Page:
    """Show what engineering signs to use rejected goods as they are; on POST accept them."""
    receipt = find(reading(), record_id)
    if request.method == "GET":
        return _show_review(receipt)
    try:
        with acting() as act:
            inspecting.dispose(
                act, find(act.session, record_id), Disposition.USE_AS_IS, reason=_words("reason"),
                request=signing_fields.typed_signature(),
            )  # fmt: skip
    except Refused as refusal:
        return _show_review(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{receipt.number} is accepted as it is.", "good")
    return redirect(url_for("receiving.show", record_id=record_id), 303)


@pages.route("/receipts/<record_id>/certificate", methods=["GET", "POST"])
def present(record_id: str) -> Page:
    """Enter a certificate with its file."""
    receipt = find(reading(), record_id)
    if request.method == "GET":
        return _show_certificate_form(receipt)
    try:
        with acting() as act:
            stored = find(act.session, record_id)
            made = certification.present(act, stored.order_line, _paper(), receipt=stored)
    except Refused as refusal:
        return _show_certificate_form(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{made.number} is kept. Verify it next.", "good")
    return redirect(url_for("receiving.certificate", record_id=made.id), 303)


@pages.route("/certificates/<record_id>", methods=["GET", "POST"])
def certificate(record_id: str) -> Page:
    """Show what a certificate states beside what the order asks for; on POST verify or reject it."""
    paper = find_certificate(reading(), record_id)
    if request.method == "GET":
        return _show_certificate(paper)
    try:
        with acting() as act:
            stored = find_certificate(act.session, record_id)
            if request.form.get("verdict") == "reject":
                certification.reject_certificate(act, stored, reason=_words("reason"))
            else:
                certification.verify_certificate(act, stored, signing_fields.typed_signature(), reason=_words("reason"))
    except Refused as refusal:
        return _show_certificate(find_certificate(read_anew(), record_id), refusal), status_of(refusal)
    done = find_certificate(read_anew(), record_id)
    tone = "good" if done.status is CertificateStatus.VERIFIED else "warn"
    flash(f"{done.number} is {formats.words(done.status).lower()}. {done.refusal}".strip(), tone)
    return redirect(url_for("receiving.certificate", record_id=record_id), 303)


def find(session: Session, record_id: str) -> Receipt:
    """Return a receipt. Raises: NotFound."""
    found = session.get(Receipt, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a receipt at this address, but there is none.")
    return found


def find_certificate(session: Session, record_id: str) -> Certificate:
    """Return a certificate. Raises: NotFound."""
    found = session.get(Certificate, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a certificate at this address, but there is none.")
    return found


def _expected(session: Session) -> list[PurchaseOrderLine]:
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder)
        .where(
            PurchaseOrder.status.in_(EXPECTED), PurchaseOrderLine.status.in_([LineStatus.OPEN, LineStatus.PART_RCVD])
        )
        .options(selectinload(PurchaseOrderLine.order).selectinload(PurchaseOrder.supplier))
    )
    return list(session.scalars(wanted.order_by(PurchaseOrderLine.need_by, PurchaseOrderLine.id).limit(40)))


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
        errors=signing_fields.errors_of(refusal), event_id=request.form.get("event_id") or new_id(), today=_today(),
        lines=[(line.line_no, f"{line.line_no}: {line.item}, {line.open_quantity.normalize():f} {line.uom} open") for line in lines],
        why_not="" if order.status not in FINAL else f"It is {formats.words(order.status).lower()}.",
    )  # fmt: skip


def _delivery(order: PurchaseOrder) -> tuple[PurchaseOrderLine, Delivery]:
    wanted = request.form.get("line", "")
    line = next((one for one in order.lines if str(one.line_no) == wanted), None)
    if line is None:
        raise Invalid("Expected the line that came, but none is chosen", {"line": "Choose the line that came"})
    day = request.form.get("received_on", "").strip()
    try:
        received_on = typed.day(day) if day else None
    except Unreadable as error:
        raise Invalid("Expected the day it came", {"received_on": str(error)}) from error
    return line, Delivery(
        quantity=_number("quantity", decimals=6), packing_slip=_words("packing_slip", 200), lot=_words("lot", 200),
        heat=_words("heat", 200), revision_on_label=_words("revision_on_label", 40) or None, location=_words("location", 200),
        serials=tuple(_words("serials").replace(",", " ").split()), received_on=received_on,
        event_id=request.form.get("event_id") or new_id(),
    )  # fmt: skip


def _paper() -> Paper:
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        raise Invalid("Expected the file of the certificate, but there is none", {"file": "Choose the file"})
    kind, day = request.form.get("type", ""), request.form.get("process_date", "").strip()
    if kind not in set(CertificateType):
        raise Invalid("Expected a type, but none is chosen", {"type": "Choose the type"})
    try:
        process_date = typed.day(day) if day else None
    except Unreadable as error:
        raise Invalid("Expected a process date", {"process_date": str(error)}) from error
    return Paper(
        CertificateType(kind), _words("issuer", 200), upload.read(), upload.filename, event_id=request.form.get("event_id") or new_id(),
        reference=_words("reference", 200), spec=_words("spec", 40) or None, spec_rev=_words("spec_rev", 40) or None,
        lots=tuple(_words("lots").replace(",", " ").split()), process_date=process_date,
        quantity=_number("quantity", decimals=6) if request.form.get("quantity", "").strip() else None,
    )  # fmt: skip


def _number(name: str, *, decimals: int) -> Decimal:
    try:
        return typed.decimal(request.form.get(name, ""), visitor().how, decimals=decimals)
    except Unreadable as error:
        raise Invalid(f"Expected a number for {name.replace('_', ' ')}", {name: str(error)}) from error


def _words(name: str, longest: int = 4000) -> str:
    try:
        return typed.words(request.form.get(name, ""), longest=longest)
    except Unreadable as error:
        raise Invalid(f"Expected a {name.replace('_', ' ')} that fits", {name: str(error)}) from error


def _show(receipt: Receipt, refusal: Refused | None = None) -> str:
    session = reading()
    ncr = session.get(Nonconformance, receipt.nonconformance_id) if receipt.nonconformance_id else None
    lots = select(Lot).where(Lot.source_type == receipt.record_type, Lot.source_id == receipt.id).order_by(Lot.number)
    undone = select(Receipt).where(Receipt.reverses_id == receipt.id).order_by(Receipt.number)
    return render_template(
        "receiving/show.html", document=receipt, refusal=refusal, errors=signing_fields.errors_of(refusal),
        form=request.form, inspections=inspections_of(session, receipt), papers=certificates_of(session, receipt),
        missing=missing_certificates(session, receipt), nonconformance=ncr, lots=list(session.scalars(lots)),
        reversals=list(session.scalars(undone)), left=remaining_quantity(session, receipt), may=_may(receipt),
        tab=request.args.get("tab", "summary"), ledger=ledger.ledger_of(session, receipt.record_type, receipt.id),
        event_id=new_id(),
    )  # fmt: skip


def _may(receipt: Receipt) -> dict[str, bool]:
    """Return which steps the goods' state allows; who may do them is for the step to say."""
    status, doubt = receipt.status, receipt.quarantine
    apart = status is ReceiptStatus.QUARANTINE and doubt not in (Quarantine.OVER, Quarantine.CERTIFICATE)
    return {
        "let_go": apart,
        "excess": status is ReceiptStatus.QUARANTINE and doubt is Quarantine.OVER,
        "inspect": status is ReceiptStatus.INSPECTION and receipt.order_line.is_inspection_required,
        "dispose": status is ReceiptStatus.REJECTED,
        "put_away": status is ReceiptStatus.ACCEPTED,
        "present": status in WAITING and bool(receipt.order_line.certificates),
        "reverse": receipt.reverses_id is None and status not in (ReceiptStatus.RETURNED, ReceiptStatus.SCRAPPED),
    }


def _show_inspection(receipt: Receipt, refusal: Refused | None = None) -> str:
    left = remaining_quantity(reading(), receipt)
    return render_template(
        "receiving/inspect.html", document=receipt, refusal=refusal, form=request.form, plan=inspecting.plan_of(receipt, left),
        errors=signing_fields.errors_of(refusal), **signing_fields.asked(reading(), ["VERIFIED"]),
    )  # fmt: skip


def _show_review(receipt: Receipt, refusal: Refused | None = None) -> str:
    return render_template(
        "receiving/review.html", document=receipt, refusal=refusal, form=request.form, content_hash=inspecting.review_hash(receipt),
        errors=signing_fields.errors_of(refusal), **signing_fields.asked(reading(), ["APPROVED"]),
    )  # fmt: skip


def _show_certificate_form(receipt: Receipt, refusal: Refused | None = None) -> str:
    missing = missing_certificates(reading(), receipt)
    return render_template(
        "receiving/present.html", document=receipt, refusal=refusal, form=request.form, errors=signing_fields.errors_of(refusal),
        types=[(one.value, CERTIFICATES[one]) for one in CertificateType], missing=missing,
        event_id=request.form.get("event_id") or new_id(),
    )  # fmt: skip


def _show_certificate(paper: Certificate, refusal: Refused | None = None) -> str:
    return render_template(
        "receiving/certificate.html", document=paper, refusal=refusal, form=request.form, type_words=CERTIFICATES[paper.type],
        errors=signing_fields.errors_of(refusal), files=attachments_of(reading(), paper.record_type, paper.id),
        **signing_fields.asked(reading(), ["VERIFIED"]),
    )  # fmt: skip


def _dispose(act: Act, receipt: Receipt) -> None:
    wanted = request.form.get("disposition", "")
    if wanted not in {"RETURN", "REWORK", "SCRAP"}:
        raise Invalid(
            "Expected what becomes of the goods, but nothing is chosen", {"disposition": "Choose what becomes of them"}
        )
    inspecting.dispose(act, receipt, Disposition(wanted), reason=_words("reason"))


def _excess(act: Act, receipt: Receipt) -> None:
    wanted = request.form.get("decision", "")
    if wanted not in set(OverDecision):
        raise Invalid(
            "Expected a decision about the excess, but nothing is chosen", {"decision": "Choose what becomes of it"}
        )
    inspecting.decide_excess(act, receipt, OverDecision(wanted), reason=_words("reason"))


def _reverse(act: Act, receipt: Receipt) -> None:
    quantity = _number("quantity", decimals=6) if request.form.get("quantity", "").strip() else None
    receiving.reverse(
        act, receipt, quantity, reason=_words("reason"), event_id=request.form.get("event_id") or new_id()
    )


STEPS: dict[str, Callable[[Act, Receipt], Any]] = {
    "clear": lambda act, receipt: inspecting.clear(act, receipt, reason=_words("reason")),
    "reject": lambda act, receipt: inspecting.reject(act, receipt, reason=_words("reason")),
    "put-away": lambda act, receipt: inspecting.put_away(act, receipt, reason=_words("reason") or "Put away"),
    "excess": _excess,
    "disposition": _dispose,
    "reversal": _reverse,
}
