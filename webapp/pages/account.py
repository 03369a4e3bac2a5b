"""Signing in and out, the profile with absences and deputies, notices, and the small choices about the face."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from engine.act import Act
from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from engine.stored.definition import Definition
from records import directory, lending, notice, password
from records import sign_in as sign_in_sessions
from records.person import Absence, Certification, Credential, MailWish, User, UserStatus, wish_mail
from records.roles import user_called
from records.session import SignInSession
from records.signing_policy import policy_in
from webapp import company, formats, gate, typed, wording
from webapp.listing import MOST_EXPORTED
from webapp.refusals import status_of
from webapp.sheet import Sheet, offered
from webapp.typed import Unreadable
from webapp.visit import acting, installation, now, reading, visitor

pages = Blueprint("account", __name__)

CHOICE_LASTS = 31_536_000


@pages.route("/sign-in", methods=["GET", "POST"])
@gate.public
def sign_in() -> Response | tuple[str, int] | str:
    """Sign somebody in and go where they wanted to."""
    target = own_path(request.values.get("next", ""))
    if request.method != "POST":
        if gate.visitor_or_none():
            return redirect(target)
        return render_template("account/sign_in.html", next=target, name="", refusal=None)
    name = request.form.get("sign_in_name", "")
    try:
        user_id = gate.enter(name, request.form.get("sign_in_password", ""))
    except Refused as refusal:
        return render_template("account/sign_in.html", next=target, name=name, refusal=refusal), status_of(refusal)
    if _has_to_change(user_id):
        return redirect(url_for("account.change_password", next=target), 303)
    return redirect(target, 303)


@pages.post("/sign-out")
def sign_out() -> Response:
    """End the session of this browser."""
    session_id = g.session_id
    gate.leave()
    company.end_there(session_id)
    return redirect(url_for("company.signed_out"), 303)


@pages.route("/profile/password", methods=["GET", "POST"])
def change_password() -> Response | tuple[str, int] | str:
    """Let somebody choose a password that only they know; every other session of theirs ends."""
    target = own_path(request.values.get("next", "") or url_for("account.profile"))
    if request.method != "POST":
        return _show_password(target)
    try:
        with acting() as act:
            password.change_password(act, request.form.get("present", ""), _new_password())
            sign_in_sessions.end_all(act, visitor().user_id, why="the password was changed", but=g.session_id)
    except Refused as refusal:
        return _show_password(target, refusal), status_of(refusal)
    flash("Your password is changed. Other browsers of yours are signed out.", "good")
    return redirect(target, 303)


@pages.route("/profile", methods=["GET", "POST"])
def profile() -> Response | tuple[str, int] | str:
    """Show who one is here; plan an absence with a deputy."""
    if request.method != "POST":
        return _show_profile()
    try:
        values = _read_absence()
        with acting() as act:
            _plan(act, values)
    except Refused as refusal:
        return _show_profile(refusal), status_of(refusal)
    flash("The absence is planned. Tasks also go to your deputy while it lasts.", "good")
    return redirect(url_for("account.profile"), 303)


@pages.post("/profile/absences/<absence_id>/end")
def end_absence(absence_id: str) -> Response:
    """End an absence of one's own now."""
    with acting() as act:
        absence = act.session.get(Absence, absence_id) if is_id(absence_id) else None
        if absence is None or absence.user_id != visitor().user_id:
            raise NotFound("Expected an absence of yours, but there is none with this id.")
        directory.end_absence(act, absence)
    flash("The absence has ended.", "good")
    return redirect(url_for("account.profile"), 303)


@pages.post("/profile/sessions/<session_id>/end")
def end_session(session_id: str) -> Response:
    """Sign oneself out on another device, or on all but this one."""
    with acting() as act:
        me = visitor().user_id
        if session_id == "others":
            ended = sign_in_sessions.end_all(act, me, why="signed out from another device", but=g.session_id)
        else:
            opened = act.session.get(SignInSession, session_id)
            if opened is None or opened.user_id != me:
                raise NotFound("Expected a session of yours, but there is none with this id.")
            sign_in_sessions.end(act, opened, why="signed out from another device")
            ended = 1
    flash(f"Signed out: {formats.plural(ended, 'session')}.", "good")
    return redirect(url_for("account.profile"), 303)


@pages.post("/profile/mail")
def choose_mail() -> Response:
    """Choose whether one is mailed beside the notices."""
    wish = request.form.get("mail_wish", "")
    if wish not in set(MailWish):
        raise Invalid(f"Expected one of {', '.join(MailWish)}, but found “{wish[:20]}”", {"mail_wish": "is unknown"})
    with acting() as act:
        wish_mail(act, user_called(act.session, visitor().user_id), MailWish(wish))
    flash("Kept.", "good")
    return redirect(url_for("account.profile"), 303)


@pages.get("/notices")
def notices() -> str:
    """Show what the house told this person."""
    return render_template("account/notices.html", notices=notice.notices_of(reading(), visitor().user_id))


@offered(pages, "/notices")
def export_notices() -> Sheet:
    """Hand out what the house told this person."""
    found = notice.notices_of(reading(), visitor().user_id, limit=MOST_EXPORTED)
    rows = ((one.created_at, one.subject, one.body, one.read_at) for one in found)
    return Sheet("notices", ("told_at", "subject", "text", "read_at"), rows)


@pages.post("/notices/<notice_id>/read")
def read_notice(notice_id: str) -> Response:
    """Mark one notice as read."""
    with acting() as act:
        notice.read(act, notice_id)
    return redirect(url_for("account.notices"), 303)


@pages.post("/notices/read")
def read_all() -> Response:
    """Mark every notice shown as read."""
    with acting() as act:
        for one in notice.notices_of(act.session, visitor().user_id):
            notice.read(act, one.id)
    return redirect(url_for("account.notices"), 303)


@pages.post("/choices/theme")
@gate.public
def choose_theme() -> Response:
    """Choose light, dark, or as the device."""
    return _remember("theme", request.form.get("theme", ""), ("light", "dark", "auto"))


@pages.post("/choices/density")
def choose_density() -> Response:
    """Choose how close together the rows of the inbox stand."""
    return _remember("density", request.form.get("density", ""), ("usual", "dense", "loose"))


@pages.post("/choices/onward")
def choose_onward() -> Response:
    """Choose what opens after a decision: the next task, or the list alone."""
    return _remember("onward", request.form.get("onward", ""), ("next", "list"))


@pages.post("/choices/keys")
def choose_keys() -> Response:
    """Turn single-letter keys on or off."""
    return _remember("keys", request.form.get("keys", ""), ("on", "off"))


@pages.post("/choices/customs")
def choose_customs() -> Response:
    """Choose how numbers and dates are written."""
    return _remember("customs", request.form.get("customs", ""), tuple(formats.CUSTOMS))


def _has_to_change(user_id: str) -> bool:
    with installation().acting("system:sign_in", now=now()) as act:
        credential = act.session.get(Credential, user_id)
        return credential is not None and password.is_due(act, credential)


def _new_password() -> str:
    """Return the new password. Raises: Invalid unless it was typed twice alike."""
    new = request.form.get("password", "")
    if new != request.form.get("again", ""):
        raise Invalid("Expected the new password twice, but they differ", {"again": "differs from the new password"})
    return new


def _show_password(target: str, refusal: Refused | None = None) -> str:
    errors = dict(refusal.fields) if isinstance(refusal, Invalid) else {}
    if refusal is not None and refusal.code == "WRONG_PASSWORD":
        errors["present"] = "Expected your password, but this is another one"
    return render_template(
        "account/password.html", target=target, refusal=refusal, errors=errors, shortest=policy_in(reading()).password_shortest,
        is_due=_has_to_change(visitor().user_id),
    )  # fmt: skip


def own_path(path: str) -> str:
    """Return a path of this site to go to, or the inbox for anything that would lead elsewhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and not any(ord(c) < 33 for c in path)
    return path if is_ours else url_for("inbox.show")


def _remember(name: str, value: str, allowed: tuple[str, ...]) -> Response:
    if value not in allowed:
        raise Invalid(f"Expected one of {', '.join(allowed)}, but found “{value[:20]}”")
    back = request.form.get("back") or (request.referrer or "").removeprefix(request.host_url.rstrip("/"))
    answer = redirect(own_path(back), 303)
    answer.set_cookie(name, value, max_age=CHOICE_LASTS, httponly=True, samesite="Lax", secure=request.is_secure)
    return answer


def _show_profile(refusal: Refused | None = None) -> str:
    me, session = visitor().user_id, reading()
    absences = select(Absence).where(Absence.ends_at > now()).order_by(Absence.starts_at)
    others = select(User.id, User.name).where(
        User.status == UserStatus.ACTIVE, User.can_sign_in.is_(True), User.id != me
    )
    flows = select(Definition.process_id, Definition.name).distinct().order_by(Definition.name)
    user = session.get(User, me)
    if user is None:
        raise NotFound("Expected your account, but it is not there any more")
    return render_template(
        "account/profile.html",
        refusal=refusal,
        errors=refusal.fields if isinstance(refusal, Invalid) else {},
        form=request.form,
        absences=session.scalars(absences.where(Absence.user_id == me)).all(),
        standing_in=session.scalars(absences.where(Absence.deputy_id == me)).all(),
        people=[tuple(row) for row in session.execute(others.order_by(User.name))],
        flows=[*(tuple(row) for row in session.execute(flows)), *_roles_alone(session, me)],
        lent=lending.lent_by(session, me, at=now()),
        grants=[grant for grant in user.grants if grant.is_valid(now())],
        customs=[(tag, tag) for tag in formats.CUSTOMS],
        certified=session.scalar(select(Certification).where(Certification.user_id == me)),
        password_set_at=user.credential.set_at if user.credential else None,
        sessions=sign_in_sessions.open_sessions(session, me, now=now()),
        this_session=g.session_id,
        mail_wish=user.mail_wish,
        mail_wishes=[(MailWish.AT_ONCE.value, "At once"), (MailWish.NEVER.value, "Never, notices here are enough")],
    )


def _roles_alone(session: Session, me: str) -> list[tuple[str, str]]:
    """Return the roles that somebody may be away from alone, as choices beside the flows."""
    mine = (
        f"role:{role}@{scope}" if scope else f"role:{role}" for role, scope in lending.lendable(session, me, at=now())
    )
    return [(principal, f"Only what you do as {wording.principal_words(principal)}") for principal in mine]


def _plan(act: Act, values: dict[str, Any]) -> None:
    """Plan an absence from everything or from one flow; from one role alone, lend that role. Raises: as those."""
    role = values.pop("role")
    if not role:
        directory.plan_absence(act, visitor().user_id, **values)
        return
    code, _, scope = role.partition("@")
    try:
        lending.lend(
            act, values["deputy_id"], code, scope=scope, valid_from=values["starts_at"], valid_to=values["ends_at"]
        )
    except Invalid as refusal:
        names = {"to_user_id": "deputy_id", "valid_to": "ends_at"}
        raise Invalid(refusal.message, {names.get(one, one): said for one, said in refusal.fields.items()}) from refusal


def _read_absence() -> dict[str, Any]:
    """Return deputy, start, end, flows and role as typed. Raises: Invalid with a sentence per field."""
    errors: dict[str, str] = {}
    instants: dict[str, dt.datetime] = {}
    for name in ("starts_at", "ends_at"):
        try:
            instants[name] = typed.local_instant(request.form.get(name, ""), visitor().how)
        except Unreadable as error:
            errors[name] = str(error)
    deputy, flow = request.form.get("deputy_id", ""), request.form.get("flow", "")
    if not deputy:
        errors["deputy_id"] = "Expected somebody who stands in, but nobody is chosen"
    if not errors and instants["ends_at"] <= max(instants["starts_at"], now()):
        errors["ends_at"] = "Expected an end after the beginning and after now, but it is not"
    if errors:
        raise Invalid("Expected a deputy and two times, but something is missing or does not fit", errors)
    role = flow.removeprefix("role:") if flow.startswith("role:") else ""
    return {"deputy_id": deputy, "flows": (flow,) if flow and not role else (), "role": role, **instants}
