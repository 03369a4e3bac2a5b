"""Nonconformances and deviation authorities: what is wrong with pieces, what quality decided, and leave to depart, each signed."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import Forbidden, Invalid, NotFound, Refused
from processes import change_producers
from processes import nonconformances as desk
from records.nonconformance import (
    DeviationAuthority,
    DeviationStatus,
    Disposition,
    Nonconformance,
    NonconformanceStatus,
)
from records.signature import Meaning
from records.work_order import WorkOrder
from webapp import change_wish, dossiers, formats, ledger, listing, sheet, typed
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_reason, read_signature, signing_values
from webapp.typed import Unreadable
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("nonconformances", __name__)

Page = str | tuple[str, int] | Answer


@pages.get("/nonconformances")
def index() -> str:
    """List nonconformances, newest first."""
    return render_template(
        "nonconformances/index.html", page=look_up(*listing.search()), states=list(NonconformanceStatus),
        tab="nonconformances",
    )  # fmt: skip


COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "title": "title", "about": "about_number", "status": "status", "disposition": "disposition",
    "quantity": "quantity", "uom": "uom", "quantity_limit": "quantity_limit", "raised_at": "raised_at",
}  # fmt: skip
DEVIATION_COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "title": "title", "part_revision": "part_revision.number", "quantity": "quantity", "uom": "uom",
    "expires_on": "expires_on", "status": "status", "approved_by": "approved_by_id", "approved_at": "approved_at",
    "customer_reference": "customer_reference",
}  # fmt: skip


@sheet.offered(pages, "/nonconformances")
def export() -> sheet.Sheet:
    """Hand out the nonconformances that a search finds, the newest first."""
    return sheet.of_page("nonconformances", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of nonconformances by number, document or words, newest first."""
    wanted = select(Nonconformance)
    if query:
        wanted = wanted.where(
            listing.contains(query, Nonconformance.number, Nonconformance.about_number, Nonconformance.title)
        )
    if state:
        wanted = wanted.where(Nonconformance.status == state)
    return listing.newest_first(reading(), wanted, Nonconformance, query=query, state=state, after=after, limit=limit)


@pages.route("/nonconformances/<record_id>", methods=["GET", "POST"])
def show(record_id: str) -> Page:
    """Show a nonconformance; on POST decide what becomes of its pieces, with a signature."""
    if request.method == "GET":
        return _show(find(reading(), record_id))
    try:
        with acting() as act:
            found = find(act.session, record_id)
            desk.decide(
                act, found, _disposition(), read_signature(), reason=read_reason(),
                quantity_limit=_pieces("quantity_limit", needed=False),
            )  # fmt: skip
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash("Decided and signed.", "good")
    return redirect(url_for("nonconformances.show", record_id=record_id), 303)


@pages.get("/deviations")
def deviations() -> str:
    """List deviation authorities, newest first."""
    return render_template(
        "nonconformances/deviations.html", page=look_up_deviations(*listing.search()), states=list(DeviationStatus),
        tab="deviations", may_permit=_may_decide(),
    )  # fmt: skip


@sheet.offered(pages, "/deviations")
def export_deviations() -> sheet.Sheet:
    """Hand out the deviation authorities that a search finds, the newest first."""
    return sheet.of_page("deviations", sheet.whole(look_up_deviations), DEVIATION_COLUMNS)


def look_up_deviations(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of deviation authorities by number or title, newest first."""
    wanted = select(DeviationAuthority)
    if query:
        wanted = wanted.where(listing.contains(query, DeviationAuthority.number, DeviationAuthority.title))
    if state:
        wanted = wanted.where(DeviationAuthority.status == state)
    return listing.newest_first(
        reading(), wanted, DeviationAuthority, query=query, state=state, after=after, limit=limit
    )


@pages.route("/deviations/new", methods=["GET", "POST"])
def permit() -> Page:
    """Show the form of a deviation authority; on POST give it, with a signature."""
    if not _may_decide():
        raise Forbidden("Expected quality or engineering to permit a deviation, but you are neither.")
    if request.method == "GET":
        return _show_form()
    try:
        with acting() as act:
            pieces = _pieces("quantity", needed=True)
            assert pieces is not None
            expires = request.form.get("expires_on", "").strip()
            try:
                until = typed.day(expires)
            except Unreadable as error:
                raise Invalid("Expected the last day it holds", {"expires_on": str(error)}) from error
            given = desk.permit_deviation(
                act, pieces, until, title=_words("title", 200), description=_words("description", 4000),
                customer_reference=_words("customer_reference", 200) or None, request=read_signature(),
            )  # fmt: skip
            number = given.number
    except Refused as refusal:
        return _show_form(refusal), status_of(refusal)
    flash(f"{number} stands.", "good")
    return redirect(url_for("nonconformances.deviations"), 303)


def find(session: Session, record_id: str) -> Nonconformance:
    """Return a nonconformance. Raises: NotFound."""
    found = session.get(Nonconformance, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a nonconformance at this address, but there is none.")
    return found


def _may_decide() -> bool:
    return visitor().holds(*desk.DISPOSERS)


def _disposition() -> Disposition:
    try:
        return Disposition(request.form.get("disposition", ""))
    except ValueError as error:
        raise Invalid("Expected what becomes of the pieces", {"disposition": "Choose one"}) from error


def _pieces(name: str, *, needed: bool) -> Decimal | None:
    text = request.form.get(name, "").strip()
    if not text and not needed:
        return None
    try:
        return typed.decimal(text, visitor().how, decimals=6, above=Decimal(0))
    except Unreadable as error:
        raise Invalid("Expected a number of pieces", {name: str(error)}) from error


def _words(name: str, longest: int) -> str:
    try:
        return typed.words(request.form.get(name, ""), longest=longest)
    except Unreadable as error:
        raise Invalid("Expected words that fit", {name: str(error)}) from error


def _show(found: Nonconformance, refusal: Refused | None = None) -> str:
    session = reading()
    with_goods = found.about_type == "receipt"
    may_decide = found.status is NonconformanceStatus.OPEN and _may_decide() and not with_goods
    under = select(WorkOrder).where(WorkOrder.nonconformance_id == found.id).order_by(WorkOrder.number)
    return render_template(
        "nonconformances/show.html", document=found, refusal=refusal, errors=errors_of(refusal), form=request.form,
        tab=request.args.get("tab", "summary"), url=_url(found), with_goods=with_goods, may_decide=may_decide,
        dispositions=[(one.value, formats.words(one)) for one in Disposition], work=list(session.scalars(under)),
        ledger=ledger.ledger_of(session, found.record_type, found.id), asked=change_producers.requests_because_of(session, found),
        wish=change_wish.wish_of(found), **signing_values(session, Meaning.APPROVED if may_decide else None),
    )  # fmt: skip


def _url(found: Nonconformance) -> str:
    if found.about_type == "receipt":
        return url_for("goods.show", record_id=found.about_id)
    return dossiers.record_url(found.about_type, found.about_id)


def _show_form(refusal: Refused | None = None) -> str:
    return render_template(
        "nonconformances/permit.html", refusal=refusal, errors=errors_of(refusal), form=request.form, today=now().date(),
        **signing_values(reading(), Meaning.APPROVED),
    )  # fmt: skip
