"""Requests for quotation: whom the plant asked, what they quote side by side, and what the buyer does while waiting."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from engine.stored.task import Task, TaskState
from processes import quote_answers, quoting
from records.quotation import Invitation, QuoteChannel, RequestForQuotation, RequestStatus
from records.sole_source import SoleSourceJustification
from webapp import both_sides, ledger, listing, quote_form, sheet, typed
from webapp.pages import orders
from webapp.refusals import status_of
from webapp.signing_form import errors_of
from webapp.sourcing_digest import comparison_of, request_values
from webapp.typed import Unreadable
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("quotes", __name__)

Page = str | tuple[str, int] | Answer
STEPS = ("request_quotes", "compare_quotes")


@pages.get("/requests-for-quotation")
def index() -> str:
    """List requests, newest first."""
    return render_template(
        "quotes/index.html",
        page=look_up(*listing.search()),
        states=list(RequestStatus),
        tab="quotes",
        last_day=quoting.last_day,
    )


COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "requisition": "requisition.number", "what": "title", "state": "status",
    "asked": lambda one: len(one.invitations), "answered": lambda one: sum(each.is_answered for each in one.invitations),
    "due": "due_at",
}  # fmt: skip


@sheet.offered(pages, "/requests-for-quotation")
def export() -> sheet.Sheet:
    """Hand out the requests that a search finds."""
    return sheet.of_page("requests-for-quotation", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of requests by number or supplier, newest first."""
    wanted = select(RequestForQuotation)
    if query:
        wanted = wanted.where(listing.contains(query, RequestForQuotation.number))
    if state:
        wanted = wanted.where(RequestForQuotation.status == state)
    return listing.newest_first(
        reading(), wanted, RequestForQuotation, query=query, state=state, after=after, limit=limit
    )


@pages.get("/requests-for-quotation/<record_id>")
def show(record_id: str) -> str:
    """Show a request with its quotes side by side."""
    return _show(find(reading(), record_id))


@sheet.offered(pages, "/requests-for-quotation/<record_id>/comparison")
def comparison(record_id: str) -> sheet.Sheet:
    """Hand out the comparison, a row for each supplier and line."""
    found = find(reading(), record_id)
    compared = comparison_of(reading(), found)
    rows = (
        (
            column.invitation.supplier.supplier_no, column.invitation.supplier.name, price.line.line_no, price.line.item,
            price.line.quantity, price.line.uom, price.quoted, column.quotation.currency, price.company, column.quotation.charges,
            column.rate, column.landed, column.quotation.lead_time_days, column.quotation.valid_to, column.gate,
            "; ".join(column.problems),
        )
        for column in compared.columns if column.quotation is not None for price in column.prices
    )  # fmt: skip
    return sheet.Sheet(
        f"{found.number}-comparison",
        (
            "supplier", "name", "line", "item", "quantity", "unit", "price", "currency", "price_company", "charges", "rate", "landed",
            "lead_time_days", "valid_to", "gate", "problems",
        ),
        rows,
    )  # fmt: skip


@pages.route("/requests-for-quotation/<record_id>/quotes/<invitation_id>", methods=["GET", "POST"])
def key(record_id: str, invitation_id: str) -> Page:
    """Show the form of a quote that came by letter; on POST keep it."""
    orders.need("BUYER")
    if request.method == "GET":
        return _show_key(invitation(reading(), record_id, invitation_id))
    try:
        with acting() as act:
            invited = invitation(act.session, record_id, invitation_id)
            offer = quote_form.read_offer(invited.request, visitor().how)
            quoting.take_quote(act, invited, offer, channel=QuoteChannel.BUYER)
    except NotFound:
        raise
    except Refused as refusal:
        return _show_key(invitation(read_anew(), record_id, invitation_id), refusal), status_of(refusal)
    flash("The quote is kept.", "good")
    return redirect(url_for("quotes.show", record_id=record_id), 303)


@pages.post("/requests-for-quotation/<record_id>/quotes/<invitation_id>/mail")
def mail(record_id: str, invitation_id: str) -> Page:
    """Mail the request to one supplier again, under a new link."""

    def work(act: Act, _: RequestForQuotation) -> None:
        quoting.mail_again(act, invitation(act.session, record_id, invitation_id))

    return _do(record_id, work, "Mailed again; the link before opens nothing any more.")


@pages.post("/requests-for-quotation/<record_id>/quotes/<invitation_id>/decline")
def decline(record_id: str, invitation_id: str) -> Page:
    """Note that a supplier told us it does not quote."""

    def work(act: Act, _: RequestForQuotation) -> None:
        quoting.decline(act, invitation(act.session, record_id, invitation_id), reason="Told our buyer")

    return _do(record_id, work, "Noted.")


@pages.post("/requests-for-quotation/<record_id>/due")
def extend(record_id: str) -> Page:
    """Move the due date."""

    def work(act: Act, found: RequestForQuotation) -> None:
        day = quoting.last_day(found)
        both_sides.refuse_meanwhile(request.form, {"answer_by": day.isoformat() if day else ""}, found.number)
        quoting.extend(act, found, answer_by=_day("answer_by"))

    return _do(record_id, work, "The due date is moved; who has not answered is told.")


@pages.post("/requests-for-quotation/<record_id>/close")
def stop(record_id: str) -> Page:
    """Compare what is there."""

    def work(act: Act, found: RequestForQuotation) -> None:
        quoting.stop_waiting(act, found, reason=request.form.get("reason", ""))

    return _do(record_id, work, "The quotes that are there wait to be compared.")


def find(session: Session, record_id: str) -> RequestForQuotation:
    """Return a request. Raises: NotFound."""
    found = session.get(RequestForQuotation, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a request for quotation at this address, but there is none.")
    return found


def invitation(session: Session, record_id: str, invitation_id: str) -> Invitation:
    """Return an invitation of a request. Raises: NotFound."""
    found = session.get(Invitation, invitation_id) if is_id(invitation_id) else None
    if found is None or found.request_id != record_id:
        raise NotFound("Expected a supplier who is asked at this address, but there is none.")
    return found


def _do(record_id: str, work: Callable[[Act, RequestForQuotation], None], done: str) -> Page:
    try:
        with acting() as act:
            work(act, find(act.session, record_id))
    except NotFound:
        raise
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(done, "good")
    return redirect(url_for("quotes.show", record_id=record_id), 303)


def _show(found: RequestForQuotation, refusal: Refused | None = None) -> str:
    session = reading()
    _, values = request_values(session, found)
    justified = select(SoleSourceJustification).where(SoleSourceJustification.request_id == found.id)
    open_task = select(Task).where(
        Task.record_type == found.record_type, Task.record_id == found.id, Task.state == TaskState.OPEN,
        Task.element_id.in_(STEPS),
    )  # fmt: skip
    return render_template(
        "quotes/show.html", document=found, **values, refusal=refusal,
        errors=errors_of(refusal), form=request.form, tab=request.args.get("tab", "summary"), last_day=quoting.last_day(found),
        ledger=ledger.ledger_of(session, found.record_type, found.id), is_open=found.takes_quotes(now()),
        may_work=visitor().holds("BUYER"), task=session.scalars(open_task).first() if visitor().holds("BUYER") else None,
        told=quote_answers.told(session, found), justifications=list(session.scalars(justified.order_by(SoleSourceJustification.id))),
    )  # fmt: skip


def _show_key(invited: Invitation, refusal: Refused | None = None) -> str:
    asked = invited.request
    return render_template(
        "quotes/key.html", invitation=invited, asked=asked, refusal=refusal, errors=errors_of(refusal),
        form=quote_form.shown(invited), currencies=quote_form.currencies(reading(), asked),
        holds=asked.site.local_day(now()) + dt.timedelta(days=30),
    )  # fmt: skip


def _day(name: str) -> dt.date:
    try:
        return typed.day(request.form.get(name, ""))
    except Unreadable as error:
        raise Invalid("Expected a day, but this is none", {name: str(error)}) from error
