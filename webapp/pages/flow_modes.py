"""How strictly each flow is guarded, and the signed switches between observe, advise and enforce."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import NotFound, Refused
from processes import flow_modes
from processes.seats import roles_of_user, seat_for, seats_on
from records.signature import Meaning
from rules.flow_mode import Mode, ModeSwitch, SwitchStatus, switches_of
from webapp import formats
from webapp.refusals import status_of
from webapp.sheet import Sheet, offered
from webapp.signing_form import errors_of, read_reason, read_signature, signing_values
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("flow_modes", __name__)

Page = str | tuple[str, int] | Answer


@pages.route("/flow-modes", methods=["GET", "POST"])
def index() -> Page:
    """Show every flow with its mode and history; on POST propose a switch."""
    if request.method == "GET":
        return _show_all()
    given = {name: request.form.get(name, "") for name in ("flow", "mode", "reason")}
    try:
        with acting() as act:
            switch_id = flow_modes.propose(act, given).id
    except Refused as refusal:
        return _show_all(refusal), status_of(refusal)
    flash("Proposed. The mode changes with the last signature.", "good")
    return redirect(url_for("flow_modes.show", record_id=switch_id), 303)


@offered(pages, "/flow-modes")
def export() -> Sheet:
    """Hand out every flow with its mode and who signs a switch."""
    rows = (
        (flow, row.mode, ", ".join(flow_modes.signers_of(flow)), row.changed_at)
        for flow, row in flow_modes.modes(reading()).items()
    )
    return Sheet("flow-modes", ("flow", "mode", "signed_by", "since"), rows)


@pages.route("/flow-modes/<record_id>", methods=["GET", "POST"])
def show(record_id: str) -> Page:
    """Show a switch; on POST sign the seat that is open to the visitor."""
    if request.method == "GET":
        return _show(find(reading(), record_id))
    try:
        with acting() as act:
            switch = find(act.session, record_id)
            seen = request.form.get("seen_hash", "")
            flow_modes.sign(act, switch, read_signature(), seen_hash=seen, reason=read_reason())
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash("Signed. The mode changes with the last signature.", "good")
    return redirect(url_for("flow_modes.show", record_id=record_id), 303)


@pages.post("/flow-modes/<record_id>/refuse")
def refuse(record_id: str) -> Page:
    """Refuse a proposed switch, or withdraw one's own."""
    try:
        with acting() as act:
            flow_modes.refuse(act, find(act.session, record_id), reason=read_reason())
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash("Nothing changes.", "good")
    return redirect(url_for("flow_modes.index"), 303)


def find(session: Session, record_id: str) -> ModeSwitch:
    """Return a switch. Raises: NotFound."""
    found = session.get(ModeSwitch, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a switch of a flow's mode at this address, but there is none.")
    return found


def _show_all(refusal: Refused | None = None) -> str:
    session = reading()
    roles = roles_of_user(session, visitor().user_id, at=now())
    flows = [(row, flow_modes.signers_of(flow)) for flow, row in flow_modes.modes(session).items()]
    mine = [(row.flow, formats.words(row.flow)) for row, signers in flows if roles & signers.keys()]
    return render_template(
        "findings/modes.html", flows=flows, switches=switches_of(session), mine=mine, refusal=refusal, form=request.form,
        errors=errors_of(refusal), modes=[(mode.value, formats.words(mode)) for mode in Mode], tab="modes",
    )  # fmt: skip


def _show(switch: ModeSwitch, refusal: Refused | None = None) -> str:
    session = reading()
    roles = roles_of_user(session, visitor().user_id, at=now())
    is_proposed = switch.status is SwitchStatus.PROPOSED
    seat = seat_for(session, switch, visitor().user_id, roles) if is_proposed else None
    meaning = flow_modes.signers_of(switch.flow)[seat.role] if seat is not None else None
    is_mine = switch.requested_by == visitor().user_id
    if is_mine and meaning is not Meaning.AUTHORED:
        meaning = None
    return render_template(
        "findings/switch.html", document=switch, seats=seats_on(session, switch), may_sign=meaning is not None,
        may_refuse=is_proposed and (is_mine or seat is not None), refusal=refusal, form=request.form,
        errors=errors_of(refusal), content_hash=switch.approved_hash, tab="modes", **signing_values(session, meaning),
    )  # fmt: skip
