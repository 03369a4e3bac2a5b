"""Lend a role of one's own for a time, with limits, and take it back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from records import lending
from records.person import Delegation, User, UserStatus
from webapp import typed, wording
from webapp.refusals import status_of
from webapp.signing_form import errors_of
from webapp.typed import Unreadable
from webapp.visit import acting, now, reading, visitor

pages = Blueprint("lending", __name__)


@pages.route("/profile/lent", methods=["GET", "POST"])
def lend() -> str | tuple[str, int] | Answer:
    """Show what one lends and was lent; on POST lend a role."""
    if request.method == "GET":
        return _show()
    try:
        given = _given()
        with acting() as act:
            lending.lend(act, given.pop("to_user_id"), given.pop("role"), **given)
    except Refused as refusal:
        return _show(refusal), status_of(refusal)
    flash("Lent. Whoever has it decides on your behalf, and it says so everywhere.", "good")
    return redirect(url_for("lending.lend"), 303)


@pages.post("/profile/lent/<record_id>/end")
def take_back(record_id: str) -> Answer:
    """Take a role back now."""
    with acting() as act:
        lending.take_back(act, find(act.session, record_id))
    flash("Taken back.", "good")
    return redirect(url_for("lending.lend"), 303)


def find(session: Session, record_id: str) -> Delegation:
    """Return a delegation. Raises: NotFound."""
    found = session.get(Delegation, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a role that was lent, but there is none at this address.")
    return found


def _show(refusal: Refused | None = None) -> str:
    session, me = reading(), visitor().user_id
    others = select(User.id, User.name).where(
        User.status == UserStatus.ACTIVE, User.can_sign_in.is_(True), User.id != me
    )
    mine = lending.lendable(session, me, at=now())
    return render_template(
        "account/lent.html", refusal=refusal, errors=errors_of(refusal), form=request.form,
        rows=lending.lent_with(session, me, at=now()), people=[tuple(row) for row in session.execute(others.order_by(User.name))],
        roles=[(f"{role}@{scope}", wording.principal_words(f"role:{role}@{scope}" if scope else f"role:{role}")) for role, scope in mine],
    )  # fmt: skip


def _given() -> dict[str, Any]:
    form, how = request.form, visitor().how
    errors: dict[str, str] = {}
    given: dict[str, Any] = {}
    for name in ("valid_from", "valid_to"):
        try:
            given[name] = typed.local_instant(form.get(name, ""), how)
        except Unreadable as error:
            errors[name] = str(error)
    try:
        given["max_amount"] = _amount(form.get("max_amount", "").strip())
    except Unreadable as error:
        errors["max_amount"] = str(error)
    role, _, scope = form.get("role", "").partition("@")
    for name, value in (("role", role), ("to_user_id", form.get("to_user_id", ""))):
        if not value:
            errors[name] = "Choose one"
    if errors:
        raise Invalid("Expected a role, somebody and two times, but something is missing or does not fit", errors)
    ticked = {name: form.get(name) == "true" for name in ("excludes_own_documents", "excludes_signed_documents")}
    return given | ticked | {"role": role, "scope": scope, "to_user_id": form["to_user_id"]}


def _amount(said: str) -> Decimal | None:
    return typed.decimal(said, visitor().how, decimals=2, at_least=Decimal(0)) if said else None
