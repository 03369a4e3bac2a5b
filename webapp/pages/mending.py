"""Operators' pages: let a run rest and go on, move its tokens, move runs to another version, see where runs wait longest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine import choosing, definitions, migrating, modifying, suspending
from engine.canonical import is_whole
from engine.choosing import Choice
from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from engine.migrating import Came, Moved
from engine.modifying import EditKind, TokenEdit
from engine.rehearsing import Rehearsal
from engine.stored.definition import Definition, DefinitionFile, DefinitionStatus
from engine.stored.instance import Instance, InstanceMove, Relocation
from processes import operating
from webapp import diagrams, formats, rehearsals, step_waits
from webapp.pages.operations import find, need_helper
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_reason, read_signature, signing_values
from webapp.visit import acting, installation, read_anew, reading, visitor

pages = Blueprint("mending", __name__)

Page = str | tuple[str, int] | Answer


@pages.post("/operations/runs/<instance_id>/suspend")
def suspend(instance_id: str) -> Answer:
    """Let a run rest for a reason."""
    need_helper()
    with acting() as act:
        suspending.suspend(act, find(act.session, instance_id).id, request.form.get("reason", ""))
    flash("The run is suspended. Its tasks, timers and jobs wait; messages are kept for it.", "good")
    return redirect(url_for("operations.show", record_id=instance_id), 303)


@pages.post("/operations/runs/<instance_id>/resume")
def resume(instance_id: str) -> Answer:
    """Let a suspended run go on."""
    need_helper()
    with acting() as act:
        suspending.resume(act, find(act.session, instance_id).id, request.form.get("reason", ""))
    flash("The run goes on. What came and fell due meanwhile has happened, in its order.", "good")
    return redirect(url_for("operations.show", record_id=instance_id), 303)


@pages.post("/operations/runs/<instance_id>/choices")
def choose(instance_id: str) -> Answer:
    """Let an element of an open ad-hoc sub-process begin."""
    need_helper()
    token, _, element = request.form.get("choice", "").partition(":")
    if not (is_whole(token) and element):
        raise Invalid("Expected what is to begin, but nothing was chosen", {"choice": "Choose what begins"})
    with acting() as act:
        choosing.choose(act, find(act.session, instance_id).id, int(token), [Choice(element)])
    flash("It has begun.", "good")
    return redirect(url_for("operations.show", record_id=instance_id), 303)


@pages.route("/operations/runs/<instance_id>/tokens", methods=["GET", "POST"])
def tokens(instance_id: str) -> Page:
    """Move, end and add tokens: first say what would happen, then, signed, carry it out."""
    need_helper()
    if request.method == "GET":
        return _show_tokens(find(reading(), instance_id))
    edits = _edits()
    if "password" not in request.form and "signs_by" not in request.form:
        return _show_tokens(find(reading(), instance_id), edits=edits)
    try:
        with acting() as act:
            operating.modify(
                act, find(act.session, instance_id).id, edits, reason=read_reason(), values=_values(),
                seen_hash=request.form.get("seen_hash", ""), request=read_signature(operating.MEANING),
            )  # fmt: skip
    except Refused as refusal:
        return _show_tokens(find(read_anew(), instance_id), edits=edits, refusal=refusal), status_of(refusal)
    flash("Done, as it was shown.", "good")
    return redirect(url_for("operations.show", record_id=instance_id), 303)


@pages.route("/operations/moves/<move_id>/revert", methods=["GET", "POST"])
def revert(move_id: str) -> Page:
    """Take a move to another version back, signed."""
    need_helper()
    made = reading().get(InstanceMove, move_id) if is_id(move_id) else None
    if made is None:
        raise NotFound("Expected a move at this address, but there is none.")
    if request.method == "GET":
        return _show_revert(made)
    try:
        with acting() as act:
            operating.revert(act, move_id, reason=read_reason(), request=read_signature(operating.MEANING))
    except Refused as refusal:
        return _show_revert(read_anew().get_one(InstanceMove, move_id), refusal), status_of(refusal)
    flash("Taken back: the run is what it was before.", "good")
    return redirect(url_for("operations.show", record_id=made.instance_id), 303)


@pages.route("/operations/definitions/<definition_id>/rehearsal", methods=["GET", "POST"])
def rehearsal(definition_id: str) -> Page:
    """Rehearse moving the runs on other versions to this one; on POST, signed, move those that are chosen."""
    need_helper()
    target = _definition(reading(), definition_id)
    if request.method == "GET":
        return _show_rehearsal(target)
    chosen = [one for one in request.form.getlist("instance") if is_id(one)][: rehearsals.MOST]
    mapping = _mapping(request.form)
    try:
        with acting() as act:
            order = operating.order_relocation(
                act, target, chosen, reason=read_reason(), mapping=mapping, request=read_signature(operating.MEANING)
            )
    except Refused as refusal:
        return _show_rehearsal(_definition(read_anew(), definition_id), refusal), status_of(refusal)
    goes_on = request.form.get("on_failure") != rehearsals.OnFailure.STOP
    results = migrating.move_each(
        installation(),
        visitor().principal,
        chosen,
        target,
        reason=order.reason,
        mapping=mapping,
        relocation=order,
        goes_on=goes_on,
    )
    _flash(results)
    return redirect(url_for("mending.relocation", relocation_id=order.id), 303)


@pages.get("/operations/relocations/<relocation_id>")
def relocation(relocation_id: str) -> str:
    """Show which runs an order moved, and let each be taken back."""
    need_helper()
    session = reading()
    order = session.get(Relocation, relocation_id) if is_id(relocation_id) else None
    if order is None:
        raise NotFound("Expected an order at this address, but there is none.")
    wanted = select(InstanceMove, Instance).join(Instance, Instance.id == InstanceMove.instance_id)
    rows = session.execute(
        wanted.where(InstanceMove.relocation_id == order.id).order_by(InstanceMove.moved_at, InstanceMove.id)
    )
    target = session.get_one(Definition, order.definition_id)
    left = rehearsals.rehearse_all(session, target, {})
    return render_template(
        "operations/relocation.html", order=order, target=target, moves=[tuple(row) for row in rows], left=left,
        may_move=visitor().holds(operating.MOVER),
    )  # fmt: skip


@pages.get("/operations/definitions/<definition_id>/waits")
def waits(definition_id: str) -> str:
    """Show where runs of a process wait longest."""
    session = reading()
    definition = _definition(session, definition_id)
    found = step_waits.waits_of(session, definition)
    return render_template(
        "operations/waits.html", definition=definition,
        steps=[(one, step_waits.said(one), step_waits.now_words(session, one.open_since)) for one in found],
    )  # fmt: skip


@pages.get("/operations/definitions/<definition_id>/waits.json")
def wait_marks(definition_id: str) -> Response:
    """Say how long each step takes, for painting."""
    session = reading()
    definition = _definition(session, definition_id)
    drawn = {"most": diagrams.MOST_DRAWN, "sizes": diagrams.sizes_of(session, definition)}
    return jsonify(step_waits.marks_of(session, definition) | drawn)


@pages.get("/operations/definitions/<definition_id>/diagram.bpmn")
def bpmn(definition_id: str) -> Response:
    """Hand out the diagram of a version, for the viewer."""
    session = reading()
    definition = _definition(session, definition_id)
    wanted = select(DefinitionFile).where(
        DefinitionFile.definition_id == definition.id, DefinitionFile.path == definition.main_file
    )
    found = session.scalars(wanted.limit(1)).first()
    if found is None:
        raise NotFound("Expected a diagram in this version, but there is none.")
    return Response(found.content, mimetype="application/xml")


def _definition(session: Session, definition_id: str) -> Definition:
    found = session.get(Definition, definition_id) if is_id(definition_id) else None
    if found is None:
        raise NotFound("Expected a version of a process at this address, but there is none.")
    return found


def _edits() -> list[TokenEdit]:
    """Read what is to become of each token, and where a new one begins."""
    found: list[TokenEdit] = []
    for name, wish in request.form.items():
        key = name.removeprefix("token-")
        if name == key or not is_whole(key):
            continue
        kind, _, element = wish.partition(":")
        if kind == "CANCEL":
            found.append(TokenEdit(EditKind.CANCEL, int(key)))
        elif kind == "MOVE" and element:
            found.append(TokenEdit(EditKind.MOVE, int(key), element))
    if begins := request.form.get("begins", ""):
        found.append(TokenEdit(EditKind.ADD, None, begins))
    return found


def _values() -> dict[str, Any]:
    """Read variables to set: ``name = value`` a line, the value as JSON, else as text. Raises: Invalid."""
    found: dict[str, Any] = {}
    for line in request.form.get("values", "").splitlines():
        name, mark, value = (part.strip() for part in line.partition("="))
        if line.strip() and not (mark and name):
            raise Invalid(
                f"Expected name = value, but found {line[:80]!r}", {"values": "one a line, such as amount = 5000"}
            )
        if name:
            found[name] = _json(value)
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        return text


def _show_tokens(instance: Instance, *, edits: Sequence[TokenEdit] = (), refusal: Refused | None = None) -> str:
    session = reading()
    staged, nothing = None, request.method == "POST" and not edits
    if edits and (refusal is None or refusal.code not in ("NOT_LEGAL", "NOT_RUNNING")):
        try:
            staged = modifying.stage(session, instance, edits, values=_values())
        except Refused as stopped:
            refusal = refusal or stopped
    is_running = instance.status == "RUNNING"
    places = modifying.legal_places(session, instance) if is_running else []
    return render_template(
        "operations/tokens.html", instance=instance, places=places, staged=staged, nothing=nothing, refusal=refusal,
        tokens=_movable(session, instance, places) if is_running else [], form=request.form, errors=errors_of(refusal),
        may_move=visitor().holds(operating.MOVER), **signing_values(session, operating.MEANING),
        is_drawn=diagrams.is_drawn(session, session.get_one(Definition, instance.definition_id)),
    )  # fmt: skip


def _movable(
    session: Session, instance: Instance, places: Sequence[tuple[str, str]]
) -> list[tuple[modifying.Movable, str, list[tuple[str, str]]]]:
    """Return the tokens that may be ended, moved or begun anew, what each does, and what it may become."""
    found = []
    for one in modifying.movable_tokens(session, instance):
        anew = [(f"MOVE:{element}", "begins anew") for element, _name in places if element == one.element_id]
        others = [(f"MOVE:{element}", f"moves to {name}") for element, name in places if element != one.element_id]
        found.append((one, _words(one), [("CANCEL", "ends"), *anew, *others]))
    return found


def _words(token: modifying.Movable) -> str:
    if token.what == "inside":
        return f"{formats.plural(token.inside, 'token')} inside" if token.inside else "open"
    return diagrams.KINDS.get(token.what, token.what)


def _show_revert(made: InstanceMove, refusal: Refused | None = None) -> str:
    session = reading()
    return render_template(
        "operations/revert.html", move=made, instance=session.get_one(Instance, made.instance_id),
        former=session.get_one(Definition, made.from_definition_id), present=session.get_one(Definition, made.to_definition_id),
        refusal=refusal, form=request.form, errors=errors_of(refusal), may_move=visitor().holds(operating.MOVER),
        **signing_values(session, operating.MEANING),
    )  # fmt: skip


def _mapping(given: object) -> dict[str, str]:
    """Read where elements go: fields ``map.<element>``; an empty one says nothing. ``anew.<event>``: its timer begins anew."""
    items = [(str(name), str(value)) for name, value in given.items()] if hasattr(given, "items") else []
    goes = {name[4:]: value for name, value in items if name.startswith("map.") and value}
    return goes | {name[5:]: "" for name, _ in items if name.startswith("anew.")}


def _show_rehearsal(target: Definition, refusal: Refused | None = None) -> str:
    session = reading()
    mapping = _mapping(request.form if request.method == "POST" else request.args)
    try:
        found = rehearsals.rehearse_all(session, target, mapping)
    except Refused as wrong:
        refusal, mapping = refusal or wrong, {}
        found = rehearsals.rehearse_all(session, target, mapping)
    elements = definitions.parsed(session, target.id).bundle.processes[target.process_id].elements.values()
    return render_template(
        "operations/rehearsal.html", target=target, found=found, mapping=mapping,
        asked=_asked(found, {one: goal for one, goal in mapping.items() if goal}, _names(session, target) if mapping else {}),
        timers=_timers(session, target),
        places=[(one.id, f"{one.name or one.id} ({one.id})") for one in elements],
        chosen=set(request.form.getlist("instance")), is_released=target.status == DefinitionStatus.RELEASED,
        total=len(migrating.runs_on_others(session, target)), most=rehearsals.MOST, refusal=refusal, form=request.form,
        errors=errors_of(refusal), may_move=visitor().holds(operating.MOVER), **signing_values(session, operating.MEANING),
    )  # fmt: skip


def _timers(session: Session, target: Definition) -> list[tuple[str, str]]:
    """Return the timers beside steps, by id and name, that every run which could be moved has too."""
    sources = {run.definition_id for run in migrating.runs_on_others(session, target)}
    known = [definitions.parsed(session, one).bundle.processes[target.process_id].elements for one in sources]
    return [
        (one.id, one.name or one.id)
        for one in definitions.parsed(session, target.id).bundle.processes[target.process_id].elements.values()
        if one.attached_to and one.event is not None and one.event.timer and all(one.id in drawn for drawn in known)
    ]


def _names(session: Session, target: Definition) -> dict[str, str]:
    """Return the names of the elements in the versions that runs are on."""
    sources = {run.definition_id for run in migrating.runs_on_others(session, target)}
    processes = [definitions.parsed(session, one).bundle.processes.values() for one in sources]
    elements = [element for found in processes for process in found for element in process.elements.values()]
    return {element.id: element.name or element.id for element in elements}


def _asked(found: Sequence[Rehearsal], mapping: dict[str, str], names: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return (element, name, where it goes or seems to go) of every step that needs a place, or was given one."""
    asked = {one.element_id: (one.name, one.suggestion or "") for run in found for one in run.unplaced}
    given = {source: (asked.get(source, (names.get(source, source), ""))[0], goal) for source, goal in mapping.items()}
    return [(element, name, goal) for element, (name, goal) in sorted((asked | given).items())]


def _flash(results: Sequence[Moved]) -> None:
    counts = {came: sum(one.came is came for one in results) for came in Came}
    said = {
        Came.MOVED: "moved",
        Came.NOTHING_TO_DO: "there already",
        Came.NOT_TRIED: "not tried",
        Came.FAILED: "failed",
    }
    shown = [f"{counts[came]} {said[came]}" for came in said if counts[came] or came is Came.MOVED]
    flash(", ".join(shown) + ".", "bad" if counts[Came.FAILED] else "good")
    for one in [one for one in results if one.came is Came.FAILED][:10]:
        flash(f"{one.business_key}: {one.message}", "bad")
