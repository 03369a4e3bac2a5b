"""Amendments of orders: the form with its preview, the page of one with its stored redline, withdrawal, cancellation, the sheet."""

from __future__ import annotations

import io
from collections.abc import Mapping

from flask import Blueprint, Response, flash, redirect, render_template, request, send_file, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import Conflict, Invalid, NotFound, Refused
from processes import amendment as amending
from processes.order_change_sheet import order_change_pdf
from records.amendment import AmendmentReason, AmendmentStatus, PurchaseOrderAmendment
from records.change_order import ChangeOrder
from records.purchase_order import PurchaseOrder
from webapp import amendment_form, amendment_page, document_page, formats
from webapp.amendment_page import Preview
from webapp.pages import orders
from webapp.refusals import status_of
from webapp.visit import acting, read_anew, reading, visitor

pages = Blueprint("amendments", __name__)

Page = str | tuple[str, int] | Answer
STEPS = (
    AmendmentStatus.DRAFT, AmendmentStatus.PENDING, AmendmentStatus.APPROVED, AmendmentStatus.SENT, AmendmentStatus.ACKED,
    AmendmentStatus.APPLIED,
)  # fmt: skip


@pages.route("/orders/<record_id>/amend", methods=["GET", "POST"])
def amend(record_id: str) -> Page:
    """Show the order's values to type over; on POST say what each change needs, or send it on its way."""
    orders.need(*orders.BUYERS)
    order = orders.find(reading(), record_id)
    if request.method != "POST":
        return _form(order, _prefilled(order))
    form = request.form
    if form.get("do") != "send":
        return _look(order, form)
    try:
        with acting() as act:
            stored = orders.find(act.session, record_id)
            _refuse_stale(stored, form)
            edits = amendment_form.edits_of(act.session, stored, form, visitor().how)
            amendment = amending.propose(
                act, stored, edits, reason=form.get("reason", ""), reason_code=_reason_code(form)
            )
            amending.start(act, amendment)
    except Refused as refusal:
        return _form(orders.find(read_anew(), record_id), form, refusal), status_of(refusal)
    flash(f"{amendment.number} waits for approval.", "good")
    return redirect(url_for("amendments.show", record_id=amendment.id), 303)


@pages.get("/amendments/<record_id>")
def show(record_id: str) -> str:
    """Show one amendment: its redline as it is stored, its way, its signatures."""
    return _show(find(reading(), record_id))


@pages.route("/amendments/<record_id>/correct", methods=["GET", "POST"])
def correct(record_id: str) -> Page:
    """Show what was sent back to type over; on POST say what each change needs, or send it to its approvers again."""
    orders.need(*orders.BUYERS)
    amendment = find(reading(), record_id)
    order = amendment.order
    if request.method != "POST":
        return _correction(amendment, amendment_form.like(order, amendment))
    form = request.form
    if form.get("do") != "send":
        return _look(order, form, amendment)
    try:
        with acting() as act:
            stored = find(act.session, record_id)
            _refuse_stale(stored.order, form)
            edits = amendment_form.edits_of(act.session, stored.order, form, visitor().how)
            amending.resubmit(act, stored, edits, reason=form.get("reason", ""), reason_code=_reason_code(form))
    except Refused as refusal:
        return _correction(find(read_anew(), record_id), form, refusal), status_of(refusal)
    flash(f"{amendment.number} is with its approvers again.", "good")
    return redirect(url_for("amendments.show", record_id=record_id), 303)


@pages.post("/amendments/<record_id>/withdraw")
def withdraw(record_id: str) -> Page:
    """Take a pending amendment back."""
    orders.need(*orders.BUYERS)
    amendment = find(reading(), record_id)
    try:
        with acting() as act:
            amending.withdraw(act, find(act.session, record_id), reason=request.form.get("reason", ""))
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{amendment.number} is withdrawn. The order stays as it is.", "good")
    return redirect(url_for("amendments.show", record_id=record_id), 303)


@pages.route("/orders/<record_id>/cancel", methods=["GET", "POST"])
def cancel(record_id: str) -> Page:
    """Cancel what is still to come of an order, by an amendment."""
    orders.need(*orders.BUYERS)
    order = orders.find(reading(), record_id)
    if request.method != "POST":
        return _show_cancel(order)
    try:
        with acting() as act:
            amendment = amending.cancel_order(
                act, orders.find(act.session, record_id), reason=request.form.get("reason", "")
            )
    except Refused as refusal:
        return _show_cancel(orders.find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{amendment.number} waits for approval.", "good")
    return redirect(url_for("amendments.show", record_id=amendment.id), 303)


@pages.get("/amendments/<record_id>/change.pdf")
def sheet(record_id: str) -> Response:
    """Hand out the change as the supplier gets it."""
    amendment = find(reading(), record_id)
    name = f"{amendment.number.replace('/', ' ')}.pdf"
    return send_file(
        io.BytesIO(order_change_pdf(amendment)), mimetype="application/pdf", download_name=name, etag=False
    )


def find(session: Session, record_id: str) -> PurchaseOrderAmendment:
    """Return an amendment. Raises: NotFound."""
    found = session.get(PurchaseOrderAmendment, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected an amendment at this address, but there is none.")
    return found


def _form(
    order: PurchaseOrder, form: Mapping[str, str], refusal: Refused | None = None, preview: Preview | None = None
) -> str:
    return amendment_page.show_form(order, form, refusal, preview=preview, why_not=orders.why_not_amend(order))


def _correction(
    amendment: PurchaseOrderAmendment,
    form: Mapping[str, str],
    refusal: Refused | None = None,
    preview: Preview | None = None,
) -> str:
    why_not = "" if amendment.status is AmendmentStatus.DRAFT else f"{amendment.number} is not sent back to correct."
    return amendment_page.show_form(
        amendment.order, form, refusal, preview=preview, why_not=why_not, corrects=amendment
    )


def _prefilled(order: PurchaseOrder) -> Mapping[str, str]:
    before = request.args.get("like", "")
    if before and is_id(before):
        return amendment_form.like(order, find(reading(), before))
    return amendment_form.typed_of(order)


def _look(order: PurchaseOrder, form: Mapping[str, str], corrects: PurchaseOrderAmendment | None = None) -> Page:
    try:
        edits = amendment_form.edits_of(reading(), order, form, visitor().how)
        found = amendment_page.preview(reading(), order, edits, corrects)
    except Invalid as refusal:
        shown = _form(order, form, refusal) if corrects is None else _correction(corrects, form, refusal)
        return shown, status_of(refusal)
    return _form(order, form, preview=found) if corrects is None else _correction(corrects, form, preview=found)


def _refuse_stale(order: PurchaseOrder, form: Mapping[str, str]) -> None:
    if form.get("seen_hash") != order.approved_hash:
        raise Conflict(
            f"Expected {order.number} as you opened it, but it was changed meanwhile. Your text is still here; look at it again."
        )


def _reason_code(form: Mapping[str, str]) -> AmendmentReason:
    given = form.get("reason_code", "")
    if given not in dict(amendment_page.REASONS):
        raise Invalid("Expected the kind of reason, but none is chosen", {"reason_code": "Choose one"})
    return AmendmentReason(given)


def _show(amendment: PurchaseOrderAmendment, refusal: Refused | None = None) -> str:
    steps = [(step, _tone(amendment, step)) for step in STEPS]
    return render_template(
        "documents/amendment.html", amendment=amendment, document=amendment, order=amendment.order, refusal=refusal, steps=steps,
        beside=document_page.beside(reading(), amendment, amendment.content_hash), tab=request.args.get("tab", "summary"),
        changes=amendment_page.stored(reading(), amendment), title=amendment_page.title(amendment),
        may_withdraw=_why_not_withdraw(amendment), may_correct=visitor().holds(*orders.BUYERS),
        may_amend=orders.why_not_amend(amendment.order),
        change_order=reading().get(ChangeOrder, amendment.change_order_id) if amendment.change_order_id else None,
    )  # fmt: skip


def _why_not_withdraw(amendment: PurchaseOrderAmendment) -> str:
    if not visitor().holds(*orders.BUYERS):
        return "Needs the role Buyer"
    if amendment.status is not AmendmentStatus.PENDING:
        return f"Only while it is being approved; it is {formats.words(amendment.status).lower()}."
    return ""


def _tone(amendment: PurchaseOrderAmendment, step: AmendmentStatus) -> str:
    ended = {
        AmendmentStatus.REJECTED: AmendmentStatus.PENDING, AmendmentStatus.WITHDRAWN: AmendmentStatus.PENDING,
        AmendmentStatus.SUPPLIER_REFUSED: AmendmentStatus.SENT, AmendmentStatus.REVERTED: AmendmentStatus.SENT,
    }  # fmt: skip
    place, here = STEPS.index(step), STEPS.index(ended.get(amendment.status, amendment.status))
    return "done" if place < here else "now" if place == here else ""


def _show_cancel(order: PurchaseOrder, refusal: Refused | None = None) -> str:
    return render_template(
        "documents/order_cancel.html", document=order, refusal=refusal, form=request.form, why_not=orders.why_not_amend(order),
        errors=refusal.fields if isinstance(refusal, Invalid) else {},
    )  # fmt: skip
