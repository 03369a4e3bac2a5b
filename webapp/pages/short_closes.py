"""Short closes (A37): the buyer proposes to give up the rest of a line, a planner who sees what waits for it decides."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import NotFound, Refused
from processes import order_closing
from processes.goods_signature import BUYERS, PLANNERS
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import ShortClose, ShortCloseStatus
from webapp import signing_form
from webapp import typed_fields as fields
from webapp.pages import orders
from webapp.refusals import status_of
from webapp.visit import acting, read_anew, reading, visitor

pages = Blueprint("short_closes", __name__)

Page = str | tuple[str, int] | Answer


@pages.route("/orders/<record_id>/lines/<int:line_no>/short-close", methods=["GET", "POST"])
def propose(record_id: str, line_no: int) -> Page:
    """Show what would not come and who waits for it; on POST propose it to a planner."""
    orders.need(*BUYERS)
    line = line_of(orders.find(reading(), record_id), line_no)
    if request.method == "GET":
        return _show_form(line)
    try:
        with acting() as act:
            stored = line_of(orders.find(act.session, record_id), line_no)
            made = order_closing.propose_short_close(act, stored, reason=fields.words("reason"))
    except Refused as refusal:
        return _show_form(line_of(orders.find(read_anew(), record_id), line_no), refusal), status_of(refusal)
    flash(f"A planner decides whether the rest of {line.number} is given up.", "good")
    return redirect(url_for("short_closes.show", record_id=made.id), 303)


@pages.route("/short-closes/<record_id>", methods=["GET", "POST"])
def show(record_id: str) -> Page:
    """Show a proposal; on POST a planner confirms or refuses it."""
    if request.method == "GET":
        return _show(find(reading(), record_id))
    try:
        with acting() as act:
            verdict = fields.chosen(
                "verdict", ("confirm", "refuse"), "Expected a decision, but none is chosen", "Confirm or refuse"
            )
            order_closing.decide_short_close(
                act, find(act.session, record_id), confirm=verdict == "confirm", answer=fields.words("answer")
            )
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    done = find(read_anew(), record_id)
    said = "is given up and its line closed" if done.status is ShortCloseStatus.CONFIRMED else "still is to come"
    flash(f"The rest of {done.number} {said}.", "good")
    return redirect(url_for("short_closes.show", record_id=record_id), 303)


def find(session: Session, record_id: str) -> ShortClose:
    """Return a proposal. Raises: NotFound."""
    found = session.get(ShortClose, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a short close at this address, but there is none.")
    return found


def line_of(order: PurchaseOrder, line_no: int) -> PurchaseOrderLine:
    """Return a line of an order. Raises: NotFound."""
    found = next((line for line in order.lines if line.line_no == line_no), None)
    if found is None:
        raise NotFound(f"Expected a line of {order.number} at this address, but there is none.")
    return found


def _show_form(line: PurchaseOrderLine, refusal: Refused | None = None) -> str:
    session = reading()
    return render_template(
        "receiving/short_close_form.html", document=line.order, line=line, refusal=refusal, form=request.form,
        errors=signing_form.errors_of(refusal), impact=order_closing.impact_of(session, line),
        rest=order_closing.rest_of(session, line), why_not=order_closing.why_not_short_close(session, line),
    )  # fmt: skip


def _show(proposal: ShortClose, refusal: Refused | None = None) -> str:
    is_open = proposal.status is ShortCloseStatus.PROPOSED
    return render_template(
        "receiving/short_close.html", document=proposal, line=proposal.order_line, refusal=refusal, form=request.form,
        errors=signing_form.errors_of(refusal), is_open=is_open,
        may_decide=is_open and visitor().holds(*PLANNERS) and visitor().user_id != proposal.proposed_by,
    )  # fmt: skip
