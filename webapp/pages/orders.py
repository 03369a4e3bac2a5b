"""Purchase orders: the list, the page of one, the buyer's form, the acknowledgement, withdrawal, the sheet; talk and files."""

from __future__ import annotations

import datetime as dt
import io
from collections import defaultdict
from decimal import Decimal
from functools import partial
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, send_file, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload
from werkzeug.wrappers import Response as Answer

from engine.canonical import is_whole
from engine.database import is_id, new_id
from engine.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from processes import order_sheet, purchasing_desk, talking, withdrawal
from processes.acknowledgement import acknowledge as take_answer
from processes.amendment import CANCELLABLE
from processes.order_closing import short_closes_of, why_not_short_close
from records.acknowledgement import AckCode, AckResult
from records.amendment import AmendmentStatus, amendments_of, open_amendment_of, refuse_second
from records.invoice import InvoiceLine
from records.purchase_order import IncotermCode, OrderStatus, PurchaseOrder, approved_hash
from records.receipt import receipts_of
from records.requisition import Requisition
from records.supplier import Supplier
from rules import redlines
from rules.amending import refuse_status
from webapp import (
    amendment_page,
    both_sides,
    document_page,
    dossiers,
    formats,
    listing,
    order_form,
    redline,
    typed,
    wording,
)
from webapp.refusals import status_of
from webapp.sheet import Column, Sheet, of_page, offered, whole
from webapp.typed import Unreadable
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("orders", __name__)

BUYERS = ("BUYER", "PUR_LEAD", "PUR_MGR")

Page = str | tuple[str, int] | Answer
STEPS = (
    OrderStatus.DRAFT, OrderStatus.PENDING_APPROVAL, OrderStatus.APPROVED, OrderStatus.APPROVED_NOT_TRANSMITTED,
    OrderStatus.TRANSMITTED, OrderStatus.ACKNOWLEDGED, OrderStatus.RECEIVED, OrderStatus.CLOSED,
)  # fmt: skip


WHAT = {"unanswered": purchasing_desk.unanswered, "late": purchasing_desk.late}
"""What may be asked of orders beside their state."""

GOODS_COME = frozenset({OrderStatus.TRANSMITTED, OrderStatus.ACKNOWLEDGED, OrderStatus.PARTIALLY_RECEIVED})


@pages.get("/orders")
def index() -> str:
    """List orders, newest first."""
    page = look_up(*listing.search(), **_narrowed())
    return render_template(
        "documents/orders.html", page=page, states=list(OrderStatus), today=_today(), only=_only_words()
    )


def _narrowed() -> dict[str, Any]:
    """Return of whose orders, and of what about them, an address asks."""
    return {name: request.args.get(name, "").strip()[:60] for name in ("buyer", "what")}


def _only_words() -> str:
    """Say what of the orders is shown beside what the search says."""
    asked = _narrowed()
    words = {"unanswered": "that the supplier should have answered", "late": "on which something is late"}
    bought = f"of {wording.person_name(asked['buyer'])}" if asked["buyer"] else ""
    return " ".join(filter(None, ["Only orders", bought, words.get(asked["what"], "")])) if any(asked.values()) else ""


def _today() -> dt.date:
    """Return the visitor's day; an order date after it is one that the ERP plans."""
    return now().astimezone(visitor().how.zone).date()


COLUMNS: dict[str, Column] = {
    "number": "number", "revision": "revision", "supplier": "supplier.name", "state": "status", "buyer": "buyer_id",
    "lines": lambda one: len(one.lines), "total": "total", "currency": "currency", "order_date": "order_date",
    "transmitted_at": "transmitted_at",
}  # fmt: skip


@offered(pages, "/orders")
def export() -> Sheet:
    """Hand out the orders that a search finds, the newest first."""
    return of_page("orders", whole(partial(look_up, **_narrowed())), COLUMNS)


def look_up(
    query: str, state: str, after: str, *, limit: int = listing.LIMIT, buyer: str = "", what: str = ""
) -> listing.Listing:
    """Return a page of orders by number or supplier, newest first.

    buyer: a user id; what: ``unanswered`` or ``late``, as the desk counts them. Raises: Invalid for another word.
    """
    wanted = select(PurchaseOrder).options(selectinload(PurchaseOrder.lines), selectinload(PurchaseOrder.supplier))
    if query:
        found = listing.contains(query, PurchaseOrder.proposal_no, PurchaseOrder.po_no, Supplier.name)
        wanted = wanted.join(Supplier, PurchaseOrder.supplier_id == Supplier.id).where(found)
    if state:
        wanted = wanted.where(PurchaseOrder.status == state)
    if buyer:
        wanted = wanted.where(PurchaseOrder.buyer_id == buyer)
    if what:
        if what not in WHAT:
            raise Invalid(f"Expected unanswered or late, but found “{what[:40]}”", {"what": "is unknown"})
        wanted = wanted.where(WHAT[what](purchasing_desk.today(reading(), now())))
    return listing.newest_first(reading(), wanted, PurchaseOrder, query=query, state=state, after=after, limit=limit)


@pages.get("/orders/<record_id>")
def show(record_id: str) -> str:
    """Show one order with everything around it."""
    return _show(find(reading(), record_id))


@pages.route("/orders/<record_id>/edit", methods=["GET", "POST"])
def edit(record_id: str) -> Page:
    """Show the buyer's form of a draft; on POST keep it."""
    order = find(reading(), record_id)
    if order.status is not OrderStatus.DRAFT and not why_not_amend(order):
        return _amend_instead(order)
    refuse_edit(order)
    if request.method != "POST":
        return _show_form(order)
    try:
        with acting() as act:
            stored = find(act.session, record_id)
            refuse_edit(stored)
            if request.form.get("seen_hash") != approved_hash(stored):
                raise Conflict(
                    f"Expected {stored.number} as you opened it, but it was changed meanwhile. Your text is still here.",
                    code=both_sides.CODE,
                )
            order_form.fill(act.session, stored, request.form, visitor().how)
    except Refused as refusal:
        return _show_form(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{order.number} is kept.", "good")
    return redirect(url_for("orders.show", record_id=record_id), 303)


def _amend_instead(order: PurchaseOrder) -> Page:
    """Offer what was typed over a frozen order as an amendment; nothing of it is lost."""
    if request.method != "POST":
        return redirect(url_for("amendments.amend", record_id=order.id), 303)
    try:
        refuse_edit(order)
    except Conflict as refusal:
        return amendment_page.show_form(order, request.form, refusal), status_of(refusal)
    return redirect(url_for("amendments.amend", record_id=order.id), 303)


@pages.post("/orders/<record_id>/withdraw")
def withdraw(record_id: str) -> Page:
    """Take an order back to the draft before it is transmitted; every signature on it is superseded."""
    need("BUYER", "PUR_LEAD", "PUR_MGR")
    order = find(reading(), record_id)
    try:
        with acting() as act:
            withdrawal.withdraw_order(act, find(act.session, record_id), reason=request.form.get("reason", ""))
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{order.number} is a draft again. Its signatures are superseded.", "good")
    return redirect(url_for("orders.show", record_id=record_id), 303)


@pages.route("/orders/<record_id>/acknowledgement", methods=["GET", "POST"])
def acknowledge(record_id: str) -> Page:
    """Record what the supplier answered; sent twice with one form it counts once."""
    need("BUYER", "PUR_LEAD")
    order = find(reading(), record_id)
    if request.method != "POST":
        return _show_acknowledgement(order)
    try:
        lines = _answered_lines(order)
        with acting() as act:
            stored = find(act.session, record_id)
            take_answer(
                act, stored, result=request.form.get("result", ""), lines=lines, channel="PAGE",
                message_id=request.form.get("message_id", "")[:60] or act.id,
                reference=request.form.get("reference", "")[:200], note=request.form.get("note", "")[:4000],
                revision=_answered_revision(), charge=_charge(),
            )  # fmt: skip
    except Refused as refusal:
        return _show_acknowledgement(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"The answer to {order.number} is recorded.", "good")
    return redirect(url_for("orders.show", record_id=record_id), 303)


@pages.get("/orders/<record_id>/sheet.pdf")
def sheet(record_id: str) -> Response:
    """Hand out the order as the supplier gets it."""
    order = find(reading(), record_id)
    content = order_sheet.purchase_order_pdf(order)
    return send_file(io.BytesIO(content), mimetype="application/pdf", download_name=f"{order.number}.pdf", etag=False)


@pages.post("/documents/<owner_type>/<record_id>/comments")
def say(owner_type: str, record_id: str) -> Answer:
    """Say something about a document."""
    record = _document(owner_type, record_id)
    with acting() as act:
        talking.say(act, (record.record_type, record.id), request.form.get("comment", ""), number=record.number)
    return redirect(f"{dossiers.record_url(record.record_type, record.id)}?tab=discussion", 303)


def _document(owner_type: str, record_id: str, session: Session | None = None) -> Any:
    record = dossiers.find(session or reading(), owner_type, record_id) if is_id(record_id) else None
    if record is None:
        raise NotFound("Expected a document at this address, but there is none.")
    return record


def find(session: Session, record_id: str) -> PurchaseOrder:
    """Return an order. Raises: NotFound."""
    found = session.get(PurchaseOrder, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a purchase order at this address, but there is none.")
    return found


def _show(order: PurchaseOrder, refusal: Refused | None = None) -> str:
    session = reading()
    content = order.approved_hash or approved_hash(order)
    steps = [(step, _step_tone(order, step)) for step in STEPS]
    return render_template(
        "documents/order.html", document=order, beside=document_page.beside(session, order, content), steps=steps,
        content_hash=content, tab=request.args.get("tab", "summary"), refusal=refusal, may=_may(order),
        requisitions=_requisitions_of(order), today=_today(), received=_received(session, order),
        asked=redline.view_of(redlines.redline_of(session, order)) if order.status is OrderStatus.DRAFT else redline.View(),
        amendments=[
            (one, amendment_page.stored(session, one, prefix=f"amendment-{one.amend_no}"))
            for one in reversed(amendments_of(session, order))
        ],
    )  # fmt: skip


def _received(session: Session, order: PurchaseOrder) -> list[dict[str, Any]]:
    """Return each line with its receipts and the invoices on it."""
    billed: dict[str, list[InvoiceLine]] = defaultdict(list)
    wanted = select(InvoiceLine).where(InvoiceLine.order_line_id.in_([line.id for line in order.lines]))
    for each in session.scalars(wanted):
        billed[each.order_line_id].append(each)
    return [
        {
            "line": line,
            "receipts": receipts_of(session, line),
            "short_closes": short_closes_of(session, line),
            "may_short_close": visitor().holds(*BUYERS) and not why_not_short_close(session, line),
            "billed": billed[line.id],
        }
        for line in order.lines
    ]


def _requisitions_of(order: PurchaseOrder) -> list[Requisition]:
    """Return the requisitions that an order's lines were asked for in, each once."""
    asked = (line.requisition_line for line in order.lines)
    return list(dict.fromkeys(line.requisition for line in asked if line is not None))


def _step_tone(order: PurchaseOrder, step: OrderStatus) -> str:
    present = order.held_from or order.status
    if present not in STEPS:
        present = {
            OrderStatus.COUNTER_OFFER: OrderStatus.TRANSMITTED, OrderStatus.PARTIALLY_RECEIVED: OrderStatus.ACKNOWLEDGED,
            OrderStatus.APPROVAL_EXPIRED: OrderStatus.APPROVED,
        }.get(present, OrderStatus.DRAFT)  # fmt: skip
    place, here = STEPS.index(step), STEPS.index(present)
    return "done" if place < here else "now" if place == here else ""


def _may(order: PurchaseOrder) -> dict[str, str]:
    """Return, for each thing one could do here, an empty text or why not."""
    buyer = "" if visitor().holds("BUYER", "PUR_LEAD", "PUR_MGR") else "Needs the role Buyer"
    state = formats.words(order.status).lower()
    return {
        "edit": buyer or ("" if order.status is OrderStatus.DRAFT else f"Frozen: it is {state}. {_way_out(order)}"),
        "withdraw": buyer or ("" if withdrawal.may_withdraw(order) else f"Only before it is issued; it is {state}."),
        "receive": ""
        if visitor().holds("RECEIVING") and order.status in GOODS_COME
        else "Nothing is received on it now.",
        "print": ""
        if order.approved_hash == approved_hash(order)
        else "There is a sheet once the order is submitted for approval.",
        "acknowledge": buyer or ("" if _awaits_answer(order) else f"Only once it is with the supplier; it is {state}."),
        "amend": buyer or why_not_amend(order),
        "cancel": buyer
        or why_not_amend(order)
        or ("" if order.status in CANCELLABLE else f"Only while something is still to come; it is {state}."),
    }


def why_not_amend(order: PurchaseOrder) -> str:
    """Return why an order takes no amendment now, or an empty text."""
    try:
        refuse_status(order)
        refuse_second(reading(), order)
    except Conflict as refusal:
        return refusal.message
    if order.status is OrderStatus.COUNTER_OFFER:
        return f"The counter-offer on {order.number} is answered first, in its task."
    return ""


def _awaits_answer(order: PurchaseOrder) -> bool:
    """Whether the supplier still has to answer the order, or the amendment that was sent."""
    amendment = open_amendment_of(reading(), order)
    return order.status is OrderStatus.TRANSMITTED or (
        amendment is not None and amendment.status is AmendmentStatus.SENT
    )


def _way_out(order: PurchaseOrder) -> str:
    return "Withdraw it first." if withdrawal.may_withdraw(order) else "Press Amend to change it."


def need(*roles: str) -> None:
    """Refuse a visitor who holds none of these roles. Raises: Forbidden."""
    if not visitor().holds(*roles):
        names = " or ".join(wording.principal_words(f"role:{role}") for role in roles)
        raise Forbidden(f"Expected {names} to do this, but you hold none of these roles.")


def refuse_edit(order: PurchaseOrder) -> None:
    """Refuse to edit anything but a draft, and anybody but a buyer. Raises: Forbidden; Conflict UNCONTROLLED_CHANGE."""
    need("BUYER", "PUR_LEAD", "PUR_MGR")
    if order.status is not OrderStatus.DRAFT:
        state = formats.words(order.status).lower()
        raise Conflict(
            f"Expected {order.number} to be a draft, but it is {state}. Before it is issued, withdraw it; later it needs an amendment.",
            code="UNCONTROLLED_CHANGE",
        )


def _show_form(order: PurchaseOrder, refusal: Refused | None = None) -> str:
    is_stale = refusal is not None and refusal.code == both_sides.CODE
    kept = order_form.typed_of(order, wording.plain_number) if is_stale else {}
    return render_template(
        "documents/order_form.html", document=order, refusal=refusal, form=request.form,
        errors=refusal.fields if isinstance(refusal, Invalid) else {}, sides=both_sides.of_fields(request.form, kept),
        seen_hash=approved_hash(order) if is_stale else request.form.get("seen_hash") or approved_hash(order),
        incoterms=[(code.value, code.value) for code in IncotermCode],
    )  # fmt: skip


def _show_acknowledgement(order: PurchaseOrder, refusal: Refused | None = None) -> str:
    return render_template(
        "documents/acknowledgement.html", document=order, refusal=refusal, form=request.form, why_not=_may(order)["acknowledge"],
        errors=refusal.fields if isinstance(refusal, Invalid) else {}, message_id=request.form.get("message_id") or new_id(),
        results=[(one.value, formats.words(one)) for one in AckResult], codes=ACK_CODES,
        amendment=open_amendment_of(reading(), order),
    )  # fmt: skip


ACK_CODES = (
    (AckCode.IQ.value, "Another quantity"), (AckCode.IP.value, "Another price"), (AckCode.DR.value, "Another date"),
    (AckCode.IB.value, "Backordered"), (AckCode.IR.value, "Rejected"),
)  # fmt: skip


def _answered_lines(order: PurchaseOrder) -> list[dict[str, Any]]:
    """Return the lines that the supplier changed. Raises: Invalid with a sentence by field."""
    found: list[dict[str, Any]] = []
    errors: dict[str, str] = {}
    for line in order.lines:
        for turn in ("1", "2"):
            at = f"lines.{line.line_no}.{turn}."
            code = request.form.get(f"{at}code", "")
            if code:
                found.append({"line_no": line.line_no, "code": code, **_value(code, at, errors)})
    if errors:
        raise Invalid("Expected what the supplier changed, but some fields do not fit yet", errors)
    return found


def _answered_revision() -> int | None:
    text = request.form.get("revision", "").strip()
    if not text:
        return None
    if not is_whole(text):
        raise Invalid(
            "Expected the number of a revision", {"revision": f"Expected a whole number, but found “{text[:20]}”"}
        )
    return int(text)


def _charge() -> Decimal | None:
    text = request.form.get("charge", "").strip()
    try:
        return typed.decimal(text, visitor().how, decimals=2, at_least=Decimal(0)) if text else None
    except Unreadable as error:
        raise Invalid("Expected an amount as the charge, but it cannot be read", {"charge": str(error)}) from error


def _value(code: str, at: str, errors: dict[str, str]) -> dict[str, Any]:
    text, how = request.form.get(f"{at}value", ""), visitor().how
    try:
        if code == AckCode.IQ:
            return {"quantity": typed.decimal(text, how, decimals=6)}
        if code == AckCode.IP:
            return {"unit_price": typed.decimal(text, how, decimals=4)}
        if code == AckCode.DR:
            return {"promised_on": typed.day(text)}
    except Unreadable as error:
        errors[f"{at}value"] = str(error)
    return {}
