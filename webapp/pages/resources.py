"""Resources: gauges and machines with their calibration, people with their qualifications, work centres with their rates."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from engine.canonical import is_whole
from engine.database import is_id
from engine.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from processes import resources
from records.resource import Qualification, Resource, ResourceKind, WorkCentre
from webapp import document_page, formats, typed, wording
from webapp.refusals import status_of
from webapp.sheet import Sheet, offered
from webapp.signing_form import errors_of
from webapp.typed import Unreadable
from webapp.visit import acting, now, read_anew, reading, visitor
from webapp.work_order_page import Page

pages = Blueprint("resources", __name__)

SOON = dt.timedelta(days=30)
TEXTS = {"name": 200, "serial": 200, "location": 200, "out_of_service": 4000, "user_id": 60}
DAYS = ("calibration_due", "last_good_on")


@pages.get("/resources")
def index() -> str:
    """List what does the work; what is due or expired stands first."""
    found = _all()
    today = _today()
    things = [each for each in found if each.kind is not ResourceKind.PERSON]
    return render_template(
        "work_orders/resources.html",
        things=sorted(things, key=lambda each: (each.calibration_due or dt.date.max, each.code)),
        people=[each for each in found if each.kind is ResourceKind.PERSON],
        centres=list(reading().scalars(select(WorkCentre).order_by(WorkCentre.code))),
        due=lambda day: due_tone(day, today),
        today=today,
        new=[kind for kind in ResourceKind if visitor().holds(*resources.keepers_of(kind))],
    )


def _all() -> list[Resource]:
    wanted = select(Resource).options(selectinload(Resource.qualifications), selectinload(Resource.work_centre))
    return list(reading().scalars(wanted.order_by(Resource.code)))


def _today() -> dt.date:
    return now().astimezone(visitor().how.zone).date()


@offered(pages, "/resources")
def export() -> Sheet:
    """Hand out machines, gauges and people; several qualifications of a person are several rows."""
    columns = (
        "code",
        "name",
        "kind",
        "work_centre",
        "in_service",
        "calibration_due",
        "last_good_on",
        "process",
        "until",
    )
    rows = [
        (
            one.code, one.name, one.kind, one.work_centre.code if one.work_centre else "", one.is_active,
            one.calibration_due or "", one.last_good_on or "", each.process_code if each else "",
            (each.expires_on or "") if each else "",
        )
        for one in _all()
        for each in (*one.qualifications, *([] if one.qualifications else [None]))
    ]  # fmt: skip
    return Sheet("resources", columns, rows)


def due_tone(day: dt.date | None, today: dt.date) -> tuple[str, str]:
    """Return words and tone of a last day: expired, ends soon, or good."""
    if day is None:
        return "", ""
    if day < today:
        return "overdue", "bad"
    return ("due soon", "warn") if day <= today + SOON else ("good", "good")


@pages.route("/resources/new", methods=["GET", "POST"])
def new() -> Page:
    """Show the form of a new machine, gauge or person; on POST make it."""
    text = request.values.get("kind", "")
    kind = ResourceKind(text) if text in set(ResourceKind) else ResourceKind.EQUIPMENT
    _need(resources.keepers_of(kind))
    if request.method != "POST":
        return _show(None, kind)
    try:
        with acting() as act:
            made = resources.add(act, kind, request.form.get("code", "")[:200], **_values(act.session, kind))
    except Refused as refusal:
        read_anew()
        return _show(None, kind, refusal), status_of(refusal)
    flash(f"{made.code} is kept.", "good")
    return redirect(url_for("resources.show", record_id=made.id), 303)


@pages.route("/resources/<record_id>", methods=["GET", "POST"])
def show(record_id: str) -> Page:
    """Show a resource with its form; on POST keep what was typed."""
    found = _find(reading(), record_id)
    if request.method != "POST":
        return _show(found, found.kind)
    _need(resources.keepers_of(found.kind))
    try:
        with acting() as act:
            resources.keep(act, _find(act.session, record_id), **_values(act.session, found.kind))
    except Refused as refusal:
        return _show(_find(read_anew(), record_id), found.kind, refusal), status_of(refusal)
    flash(f"{found.code} is kept.", "good")
    return redirect(url_for("resources.show", record_id=record_id), 303)


def _values(session: Session, kind: ResourceKind) -> dict[str, Any]:
    """Read the form. Raises: Invalid naming each field that does not fit."""
    errors: dict[str, str] = {}
    values: dict[str, Any] = {"is_active": request.form.get("is_active") == "true"}
    for name, longest in TEXTS.items():
        try:
            values[name] = typed.words(request.form.get(name, ""), longest=longest)
        except Unreadable as error:
            errors[name] = str(error)
    for name in ("serial", "out_of_service", "user_id"):
        values[name] = values.get(name) or None
    if kind is not ResourceKind.PERSON:
        values |= _of_a_thing(session, errors)
    if errors:
        raise Invalid("Expected values that fit, but " + "; ".join(errors.values()), errors)
    return values


def _of_a_thing(session: Session, errors: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {"is_validated": request.form.get("is_validated") == "true"}
    for name in DAYS:
        text = request.form.get(name, "").strip()
        try:
            values[name] = typed.day(text) if text else None
        except Unreadable as error:
            errors[name] = str(error)
    code = request.form.get("work_centre", "")
    centre = session.scalar(select(WorkCentre).where(WorkCentre.code == code)) if code else None
    if code and centre is None:
        errors["work_centre"] = "Expected a known work centre"
    values["work_centre_id"] = centre.id if centre is not None else None
    interval = request.form.get("calibration_interval_days", "").strip()
    if interval and not (is_whole(interval, digits=6)):
        errors["calibration_interval_days"] = f"Expected a number of days such as 365, but found “{interval[:20]}”"
    else:
        values["calibration_interval_days"] = int(interval) if interval else None
    return values


@pages.post("/resources/<record_id>/qualifications")
def qualify(record_id: str) -> Page:
    """Say that a person may perform a process."""
    found = _find(reading(), record_id)
    try:
        begins, ends = _day("qualified_on", needed=True), _day("expires_on")
        with acting() as act:
            assert begins is not None
            resources.qualify(
                act, _find(act.session, record_id), request.form.get("process_code", "")[:40], qualified_on=begins,
                expires_on=ends, evidence=request.form.get("evidence", "")[:200],
            )  # fmt: skip
    except Refused as refusal:
        return _show(_find(read_anew(), record_id), found.kind, refusal), status_of(refusal)
    flash(f"{found.name} is qualified.", "good")
    return redirect(url_for("resources.show", record_id=record_id), 303)


@pages.post("/resources/<record_id>/qualifications/<qualification_id>/end")
def end_qualification(record_id: str, qualification_id: str) -> Page:
    """Let a qualification end on a day."""
    found = _find(reading(), record_id)
    try:
        last = _day("ends_on", needed=True)
        with acting() as act:
            stored = act.session.get(Qualification, qualification_id) if is_id(qualification_id) else None
            if stored is None or stored.person_id != found.id:
                raise NotFound(f"Expected a qualification of {found.code}, but there is none.")
            assert last is not None
            resources.end_qualification(act, stored, last)
    except Refused as refusal:
        return _show(_find(read_anew(), record_id), found.kind, refusal), status_of(refusal)
    flash(f"The qualification ends on {last}.", "good")
    return redirect(url_for("resources.show", record_id=record_id), 303)


@pages.route("/work-centres/<record_id>", methods=["GET", "POST"])
def centre(record_id: str) -> Page:
    """Show the rates of a work centre; on POST set those from a day on."""
    found = _find_centre(reading(), record_id)
    if request.method != "POST":
        return _show_centre(found)
    try:
        begins = _day("valid_from", needed=True)
        rates = {name: _rate(name) for name in ("labour_rate", "machine_rate")}
        with acting() as act:
            assert begins is not None
            resources.set_rate(act, _find_centre(act.session, record_id), valid_from=begins, **rates)
    except Refused as refusal:
        return _show_centre(_find_centre(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{found.code} has new rates from {begins} on.", "good")
    return redirect(url_for("resources.centre", record_id=record_id), 303)


def _rate(name: str) -> Decimal:
    try:
        return typed.decimal(request.form.get(name, ""), visitor().how, decimals=4, at_least=Decimal(0))
    except Unreadable as error:
        raise Invalid(f"Expected a rate, but: {error}", {name: str(error)}) from error


def _day(name: str, *, needed: bool = False) -> dt.date | None:
    text = request.form.get(name, "").strip()
    if not text and needed:
        raise Invalid("Expected a day, but there is none", {name: "Expected a day, but there is none"})
    try:
        return typed.day(text) if text else None
    except Unreadable as error:
        raise Invalid(f"Expected a day, but: {error}", {name: str(error)}) from error


def _show(found: Resource | None, kind: ResourceKind, refusal: Refused | None = None) -> str:
    session, today = reading(), _today()
    errors = errors_of(refusal)
    if isinstance(refusal, Conflict) and refusal.code == "DUPLICATE" and found is None:
        errors = {"code": "Expected a new code, but this one is taken"}
    return render_template(
        "work_orders/resource.html", resource=found, kind=kind, refusal=refusal, form=request.form, errors=errors,
        may_keep=visitor().holds(*resources.keepers_of(kind)), due=lambda day: due_tone(day, today), today=today,
        centres=[(each.code, f"{each.code} {each.name}") for each in session.scalars(select(WorkCentre).order_by(WorkCentre.code))],
        processes=[(code, formats.words(code)) for code in resources.processes_of(session)] if kind is ResourceKind.PERSON else [],
        beside=document_page.beside(session, found, None) if found is not None else None,
    )  # fmt: skip


def _show_centre(found: WorkCentre, refusal: Refused | None = None) -> str:
    return render_template(
        "work_orders/centre.html", centre=found, refusal=refusal, form=request.form, errors=errors_of(refusal), today=_today(),
        may_keep=visitor().holds(*resources.RATES), rates_now=found.rates_on(_today()),
        beside=document_page.beside(reading(), found, None),
    )  # fmt: skip


def _need(roles: tuple[str, ...]) -> None:
    if not visitor().holds(*roles):
        names = " or ".join(wording.principal_words(f"role:{role}") for role in roles)
        raise Forbidden(f"Expected {names} to do this, but you hold none of these roles.")


def _find(session: Session, record_id: str) -> Resource:
    found = session.get(Resource, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a resource at this address, but there is none.")
    return found


def _find_centre(session: Session, record_id: str) -> WorkCentre:
    found = session.get(WorkCentre, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a work centre at this address, but there is none.")
    return found
