"""What proves the house's records: whole histories, who changed the configuration, checkpoints, retention and legal holds."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine import checkpoints
from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from engine.stored.checkpoint import Checkpoint
from engine.stored.instance import Instance
from processes import legal_holding, retention
from processes.evidence import KINDS
from records.legal_hold import HoldStatus, LegalHold
from records.signature import Meaning
from records.signing import signatures_on
from webapp import histories
from webapp.dossiers import record_url
from webapp.histories import CONFIGURATION, Wanted
from webapp.listing import MOST_EXPORTED
from webapp.refusals import status_of
from webapp.sheet import Sheet, offered
from webapp.signing_form import errors_of, read_reason, read_signature, signing_values
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("evidence", __name__)

Page = str | tuple[str, int] | Answer

LONGEST = 200
NEWEST = 50
"""Checkpoints that the page lists."""


@pages.get("/history/<record_type>/<record_id>")
def history(record_type: str, record_id: str) -> Page:
    """Show everything that happened to a document, its lines and its runs."""
    session, wanted = reading(), _wanted()
    found = _with_history(session, record_type, record_id)
    return render_template(
        "evidence/history.html", kind=record_type, name=histories.name_of(session, record_type, record_id),
        url=record_url(record_type, record_id), wanted=wanted,
        history=histories.page_of(session, _told(session, found), wanted), tab="",
    )  # fmt: skip


@offered(pages, "/history/<record_type>/<record_id>")
def export_history(record_type: str, record_id: str) -> Sheet:
    """Hand out everything that happened to a document, as it is narrowed."""
    session = reading()
    told = _told(session, _with_history(session, record_type, record_id))
    name = histories.name_of(session, record_type, record_id)
    return Sheet(f"history-{name}", histories.COLUMNS, histories.rows_of(session, told, _wanted()))


def _with_history(session: Session, record_type: str, record_id: str) -> Any:
    """Return a document or a run. Raises: NotFound."""
    mapped: Any = {**KINDS, "instance": Instance}.get(record_type)
    found = session.get(mapped, record_id) if mapped is not None and is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a document with a history at this address, but there is none.")
    return found


def _told(session: Session, found: Any) -> ColumnElement[bool]:
    if isinstance(found, Instance):
        return histories.of_chains([("instance", found.id)])
    return histories.of_document(session, found)


@pages.get("/configuration-history")
def configuration() -> Page:
    """Show who changed tables, processes, roles, modes, accounts and keys."""
    session, wanted = reading(), _wanted()
    told = histories.of_configuration(session, wanted)
    kinds = sorted(set(CONFIGURATION.values()))
    return render_template(
        "evidence/configuration.html", wanted=wanted, history=histories.page_of(session, told, wanted, kinds=kinds),
        tab="configuration",
    )  # fmt: skip


@offered(pages, "/configuration-history")
def export_configuration() -> Sheet:
    """Hand out who changed tables, processes, roles, modes, accounts and keys."""
    session, wanted = reading(), _wanted()
    told = histories.of_configuration(session, wanted)
    rows = histories.rows_of(session, told, wanted, by_action=False)
    return Sheet("configuration-history", histories.COLUMNS, rows)


@pages.get("/checkpoints")
def sealed() -> Page:
    """Show the newest checkpoints, the keys that sign them, and what waits for the next one."""
    session = reading()
    newest = session.scalars(select(Checkpoint).order_by(Checkpoint.number.desc()).limit(NEWEST)).all()
    return render_template(
        "evidence/checkpoints.html", checkpoints=newest, waiting=checkpoints.unsealed(session),
        keys=checkpoints.known_keys(session), tab="checkpoints",
    )  # fmt: skip


@offered(pages, "/checkpoints")
def export_checkpoints() -> Sheet:
    """Hand out every checkpoint, the newest first."""
    made = reading().scalars(select(Checkpoint).order_by(Checkpoint.number.desc()).limit(MOST_EXPORTED))
    rows = ((one.number, one.made_at, one.leaves, one.root, one.key_id) for one in made)
    return Sheet("checkpoints", ("number", "made_at", "chains", "root", "signed_by_key"), rows)


@pages.get("/retention")
def kept() -> Page:
    """Show how long each kind of record is kept, and which are past that."""
    session = reading()
    past = list(retention.past_their_time(session, now=now()))
    return render_template("evidence/retention.html", classes=retention.classes(), past=past, tab="retention")


@offered(pages, "/retention")
def export_retention() -> Sheet:
    """Hand out the records that are past their time."""
    columns = ("record", "kind", "state", "last_entry_at", "kept_until", "hold")
    rows = (
        (one.number, one.record_type, one.status, one.last_entry_at, one.kept_until, one.hold)
        for one in retention.past_their_time(reading(), now=now())
    )
    return Sheet("retention", columns, rows)


@offered(pages, "/legal-holds")
def export_holds() -> Sheet:
    """Hand out the legal holds."""
    columns = ("number", "record", "kind", "state", "placed_by", "placed_at", "reason")
    rows = (
        (one.number, one.record_name, one.about_type, one.status, one.placed_by, one.placed_at, one.reason)
        for one in legal_holding.holds_of(reading())
    )
    return Sheet("legal-holds", columns, rows)


@pages.route("/legal-holds", methods=["GET", "POST"])
def holds() -> Page:
    """List the legal holds; on POST place one."""
    if request.method == "GET":
        return _show_holds()
    try:
        with acting() as act:
            given = {"record": request.form.get("record", ""), "reason": read_reason()}
            hold_id = legal_holding.place(act, given, read_signature()).id
    except Refused as refusal:
        read_anew()
        return _show_holds(refusal), status_of(refusal)
    flash("The hold stands: nothing of the record is deleted until it is lifted.", "good")
    return redirect(url_for("evidence.hold", record_id=hold_id), 303)


@pages.route("/legal-holds/<record_id>", methods=["GET", "POST"])
def hold(record_id: str) -> Page:
    """Show a hold with its signatures; on POST lift it."""
    if request.method == "GET":
        return _show_hold(record_id)
    try:
        with acting() as act:
            found = act.session.get(LegalHold, record_id) if is_id(record_id) else None
            if found is None:
                raise _no_hold()
            legal_holding.lift(act, found, read_signature(), reason=read_reason())
    except Refused as refusal:
        read_anew()
        return _show_hold(record_id, refusal), status_of(refusal)
    flash("The hold is lifted.", "good")
    return redirect(url_for("evidence.hold", record_id=record_id), 303)


def _wanted() -> Wanted:
    """Return what the visitor narrows a history to. Raises: Invalid."""
    given = {name: request.args.get(name, "").strip() for name in ("person", "field", "kind", "word", "after")}
    for name, text in given.items():
        if len(text) > LONGEST or "\x00" in text:
            raise Invalid(f"Expected {name} of at most {LONGEST} characters, but found something else")
    return Wanted(**given)


def _show_holds(refusal: Refused | None = None) -> str:
    session = reading()
    may = legal_holding.role_for(session, visitor().user_id, legal_holding.PLACE, at=now()) is not None
    return render_template(
        "evidence/holds.html", holds=legal_holding.holds_of(session), may=may, refusal=refusal, form=request.form,
        errors=errors_of(refusal), placers=legal_holding.signers_of(legal_holding.PLACE),
        lifters=legal_holding.signers_of(legal_holding.LIFT), tab="holds",
        **signing_values(session, Meaning.APPROVED if may else None),
    )  # fmt: skip


def _show_hold(record_id: str, refusal: Refused | None = None) -> str:
    session = reading()
    found = session.get(LegalHold, record_id) if is_id(record_id) else None
    if found is None:
        raise _no_hold()
    stands = found.status is HoldStatus.STANDING
    may = stands and legal_holding.role_for(session, visitor().user_id, legal_holding.LIFT, at=now()) is not None
    return render_template(
        "evidence/hold.html", hold=found, stands=stands, may=may, url=record_url(found.about_type, found.about_id),
        signatures=signatures_on(session, found.record_type, found.id), refusal=refusal, form=request.form,
        errors=errors_of(refusal), lifters=legal_holding.signers_of(legal_holding.LIFT), tab="holds",
        **signing_values(session, Meaning.APPROVED if may else None),
    )  # fmt: skip


def _no_hold() -> NotFound:
    return NotFound("Expected a legal hold at this address, but there is none.")
