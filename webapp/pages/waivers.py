"""Waivers: the list with what stands, ask for one, sign, refuse, withdraw or revoke it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import NotFound, Refused
from processes import waiving
from processes.seats import roles_of_user, seat_for, seats_on
from records.signature import Meaning
from records.waiver import Waiver, WaiverStatus
from rules.waiver import terms_of, today_of
from webapp import listing, sheet
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_reason, read_signature, signing_values
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("waivers", __name__)

Page = str | tuple[str, int] | Answer
ENDS = {"refuse": waiving.refuse, "withdraw": waiving.withdraw, "revoke": waiving.revoke}
LIMITS = ("rule", "record_type", "record_id", "starts_on", "expires_on", "quantity_limit", "reason")


@pages.get("/waivers")
def index() -> str:
    """List the waivers, newest first, with how often each was used."""
    session = reading()
    today = today_of(session, now())
    page = look_up(*listing.search())
    rows = [(row, waiving.state_of(row, on=today), waiving.uses_of(session, row)) for row in page.items]
    states = list(WaiverStatus)
    return render_template("findings/waivers.html", page=page, rows=rows, states=states, tab="waivers")


COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "rule": "rule", "document": "record_name", "state": "status", "starts_on": "starts_on",
    "expires_on": "expires_on", "quantity_limit": "quantity_limit", "requested_by": "requested_by", "reason": "reason",
}  # fmt: skip


@sheet.offered(pages, "/waivers")
def export() -> sheet.Sheet:
    """Hand out the waivers that a search finds, the newest first."""
    return sheet.of_page("waivers", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of waivers by number, rule or document, newest first."""
    wanted = select(Waiver)
    if query:
        wanted = wanted.where(listing.contains(query, Waiver.number, Waiver.rule, Waiver.record_name))
    if state:
        wanted = wanted.where(Waiver.status == state)
    return listing.newest_first(reading(), wanted, Waiver, query=query, state=state, after=after, limit=limit)


@pages.route("/waivers/new", methods=["GET", "POST"])
def add() -> Page:
    """Show the form of a waiver; on POST propose it. The address names rule and document."""
    if request.method == "GET":
        return _show_form()
    try:
        with acting() as act:
            waiver_id = waiving.propose(act, typed_waiver()).id
    except Refused as refusal:
        return _show_form(refusal), status_of(refusal)
    flash("The waiver waits for its signatures. It permits nothing before.", "good")
    return redirect(url_for("waivers.show", record_id=waiver_id), 303)


@pages.route("/waivers/<record_id>", methods=["GET", "POST"])
def show(record_id: str) -> Page:
    """Show a waiver; on POST sign the seat that is open to the visitor."""
    if request.method == "GET":
        return _show(find(reading(), record_id))
    try:
        with acting() as act:
            waiver = find(act.session, record_id)
            waiving.sign(
                act, waiver, read_signature(), seen_hash=request.form.get("seen_hash", ""), reason=read_reason()
            )
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash("Signed. A waiver stands when every seat is signed.", "good")
    return redirect(url_for("waivers.show", record_id=record_id), 303)


@pages.post("/waivers/<record_id>/<verb>")
def end(record_id: str, verb: str) -> Page:
    """Refuse, withdraw or revoke a waiver, with a reason."""
    if verb not in ENDS:
        raise NotFound("Expected refuse, withdraw or revoke at this address, but found something else.")
    try:
        with acting() as act:
            ENDS[verb](act, find(act.session, record_id), reason=read_reason())
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash("The waiver lets nothing pass any more.", "good")
    return redirect(url_for("waivers.show", record_id=record_id), 303)


def find(session: Session, record_id: str) -> Waiver:
    """Return a waiver. Raises: NotFound."""
    found = session.get(Waiver, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a waiver at this address, but there is none.")
    return found


def typed_waiver() -> dict[str, Any]:
    """Return what was typed. serials: comma separated."""
    given: dict[str, Any] = {name: request.form.get(name, "").strip() for name in LIMITS}
    given["serials"] = [one.strip()[:40] for one in request.form.get("serials", "").split(",") if one.strip()]
    return given


def _show_form(refusal: Refused | None = None) -> str:
    session = reading()
    form = request.form if request.method == "POST" else request.args
    rule, terms = form.get("rule", "").upper()[:40], terms_of(form.get("rule", "").upper()[:40])
    if not terms.roles and refusal is None:
        return render_template("findings/waiver_start.html", rule=rule, tab="waivers")
    target = waiving.target_of(session, form.get("record_type", ""), form.get("record_id", ""))
    return render_template(
        "findings/waiver_form.html", form=form, rule=rule, terms=terms, number=getattr(target, "number", target.id),
        refusal=refusal, errors=errors_of(refusal), today=today_of(session, now()), tab="waivers",
    )  # fmt: skip


def _show(waiver: Waiver, refusal: Refused | None = None) -> str:
    session = reading()
    roles = roles_of_user(session, visitor().user_id, at=now())
    seat = seat_for(session, waiver, visitor().user_id, roles)
    is_proposed = waiver.status is WaiverStatus.PROPOSED
    is_mine = waiver.requested_by == visitor().user_id
    seats = seats_on(session, waiver)
    may_sign = is_proposed and seat is not None and not is_mine
    ends = [
        *(["withdraw"] if is_proposed and is_mine else []),
        *(["refuse"] if may_sign else []),
        *(["revoke"] if waiver.status is WaiverStatus.GRANTED and roles & {each.role for each in seats} else []),
    ]
    return render_template(
        "findings/waiver.html", document=waiver, seats=seats, may_sign=may_sign, ends=ends, refusal=refusal,
        state=waiving.state_of(waiver, on=today_of(session, now())), uses=waiving.uses_of(session, waiver),
        form=request.form, errors=errors_of(refusal), content_hash=waiver.approved_hash, tab="waivers",
        **signing_values(session, Meaning.APPROVED if may_sign else None),
    )  # fmt: skip
