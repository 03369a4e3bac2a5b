"""The page of goods that came in: what was found on them, and everything one does to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import is_id, new_id
from engine.errors import NotFound, Refused
from processes import inspecting, receiving, sorting
from records.certificate import certificates_of, missing_certificates
from records.inspection import inspections_of
from records.lot import Lot
from records.nonconformance import Disposition, Nonconformance
from records.receipt import WAITING, OverDecision, Quarantine, Receipt, ReceiptStatus, remaining_quantity
from records.signature import Meaning
from webapp import formats, ledger, signing_form
from webapp import typed_fields as fields
from webapp.refusals import status_of
from webapp.visit import acting, read_anew, reading

pages = Blueprint("goods", __name__)

Page = str | tuple[str, int] | Answer


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
    return redirect(url_for("goods.show", record_id=record_id), 303)


@pages.route("/receipts/<record_id>/inspection", methods=["GET", "POST"])
def inspect(record_id: str) -> Page:
    """Show the plan and ask for what was found; on POST sign it."""
    receipt = find(reading(), record_id)
    if request.method == "GET":
        return _show_inspection(receipt) if _may(receipt)["inspect"] else _not_now(receipt)
    try:
        with acting() as act:
            rejects = int(fields.number("rejects", decimals=0))
            inspecting.inspect(
                act,
                find(act.session, record_id),
                signing_form.read_signature(),
                rejects=rejects,
                findings=fields.words("findings"),
            )
    except Refused as refusal:
        return _show_inspection(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{receipt.number} is inspected.", "good")
    return redirect(url_for("goods.show", record_id=record_id), 303)


@pages.route("/receipts/<record_id>/sorting", methods=["GET", "POST"])
def sort(record_id: str) -> Page:
    """Ask how many of the whole lot are rejected; on POST sign it, accept the others and show what became of the goods."""
    receipt = find(reading(), record_id)
    if request.method == "GET":
        return _show_sorting(receipt) if _may(receipt)["inspect"] else _not_now(receipt)
    try:
        with acting() as act:
            done = sorting.sort_out(
                act, find(act.session, record_id), signing_form.read_signature(),
                rejected=fields.number("rejected", decimals=6), findings=fields.words("findings"),
                serials=fields.words("serials").replace(",", " ").split(),
            )  # fmt: skip
    except Refused as refusal:
        return _show_sorting(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{done.good.number} is sorted. What is rejected is {done.bad.number}.", "good")
    return redirect(url_for("goods.show", record_id=record_id), 303)


@pages.route("/receipts/<record_id>/review", methods=["GET", "POST"])
def review(record_id: str) -> Page:
    """Show what engineering signs to use rejected goods as they are; on POST accept them."""
    receipt = find(reading(), record_id)
    if request.method == "GET":
        return _show_review(receipt)
    try:
        with acting() as act:
            inspecting.dispose(
                act, find(act.session, record_id), Disposition.USE_AS_IS, reason=fields.words("reason"),
                request=signing_form.read_signature(),
            )  # fmt: skip
    except Refused as refusal:
        return _show_review(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{receipt.number} is accepted as it is.", "good")
    return redirect(url_for("goods.show", record_id=record_id), 303)


def find(session: Session, record_id: str) -> Receipt:
    """Return a receipt. Raises: NotFound."""
    found = session.get(Receipt, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a receipt at this address, but there is none.")
    return found


def _show(receipt: Receipt, refusal: Refused | None = None) -> str:
    session = reading()
    ncr = session.get(Nonconformance, receipt.nonconformance_id) if receipt.nonconformance_id else None
    lots = select(Lot).where(Lot.source_type == receipt.record_type, Lot.source_id == receipt.id).order_by(Lot.number)
    undone = select(Receipt).where(Receipt.reverses_id == receipt.id).order_by(Receipt.number)
    return render_template(
        "receiving/show.html", document=receipt, refusal=refusal, errors=signing_form.errors_of(refusal),
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


def _not_now(receipt: Receipt) -> Answer:
    """Send whoever comes with an old address to the page of the goods, which says what may be done with them."""
    state = formats.words(receipt.status).lower()
    flash(f"{receipt.number} does not wait for an inspection: it is {state}.", "warn")
    return redirect(url_for("goods.show", record_id=receipt.id), 303)


def _show_inspection(receipt: Receipt, refusal: Refused | None = None) -> str:
    left = remaining_quantity(reading(), receipt)
    return render_template(
        "receiving/inspect.html", document=receipt, refusal=refusal, form=request.form, plan=inspecting.plan_of(receipt, left),
        errors=signing_form.errors_of(refusal), **signing_form.signing_values(reading(), Meaning.VERIFIED),
    )  # fmt: skip


def _show_sorting(receipt: Receipt, refusal: Refused | None = None) -> str:
    return render_template(
        "receiving/sort.html", document=receipt, refusal=refusal, form=request.form, left=remaining_quantity(reading(), receipt),
        errors=signing_form.errors_of(refusal), **signing_form.signing_values(reading(), Meaning.VERIFIED),
    )  # fmt: skip


def _show_review(receipt: Receipt, refusal: Refused | None = None) -> str:
    return render_template(
        "receiving/review.html", document=receipt, refusal=refusal, form=request.form, content_hash=inspecting.review_hash(receipt),
        errors=signing_form.errors_of(refusal), **signing_form.signing_values(reading(), Meaning.APPROVED),
    )  # fmt: skip


def _dispose(act: Act, receipt: Receipt) -> None:
    wanted = fields.chosen(
        "disposition", ("RETURN", "REWORK", "SCRAP"), "Expected what becomes of the goods, but nothing is chosen",
        "Choose what becomes of them",
    )  # fmt: skip
    inspecting.dispose(act, receipt, Disposition(wanted), reason=fields.words("reason"))


def _excess(act: Act, receipt: Receipt) -> None:
    wanted = fields.chosen(
        "decision", set(OverDecision), "Expected a decision about the excess, but nothing is chosen",
        "Choose what becomes of it",
    )  # fmt: skip
    inspecting.decide_excess(act, receipt, OverDecision(wanted), reason=fields.words("reason"))


def _reverse(act: Act, receipt: Receipt) -> None:
    quantity = fields.optional_number("quantity", decimals=6)
    receiving.reverse(act, receipt, quantity, reason=fields.words("reason"), event_id=fields.event_id())


STEPS: dict[str, Callable[[Act, Receipt], Any]] = {
    "clear": lambda act, receipt: inspecting.clear(act, receipt, reason=fields.words("reason")),
    "reject": lambda act, receipt: inspecting.reject(act, receipt, reason=fields.words("reason")),
    "put-away": lambda act, receipt: inspecting.put_away(act, receipt, reason=fields.words("reason") or "Put away"),
    "excess": _excess,
    "disposition": _dispose,
    "reversal": _reverse,
}
