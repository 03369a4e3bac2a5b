"""People: who is here, who covers whom in the weeks ahead, and the wizard that hands over the work of somebody who leaves."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import or_, select
from werkzeug.wrappers import Response as Answer

from engine.errors import Forbidden, Invalid, Refused
from processes import leaving
from records.coverage import coverage
from records.person import User, UserStatus
from records.roles import grants_of, user_called
from webapp import listing, sheet
from webapp.refusals import status_of
from webapp.signing_form import read_reason
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("people", __name__)

Page = str | tuple[str, int] | Answer
WEEKS = 6
"""How far ahead the coverage looks."""


@pages.get("/people")
def index() -> str:
    """List people with their roles, and who covers whom in the weeks ahead."""
    session = reading()
    query, people = _found(listing.LIMIT * 4)
    return render_template(
        "people/index.html", people=people, query=query, weeks=WEEKS,
        roles={one.id: [grant.principal for grant in grants_of(session, one.id, at=now())] for one in people},
        covers=coverage(session, now(), now() + dt.timedelta(weeks=WEEKS)), may_disable=visitor().holds("ADMIN"),
    )  # fmt: skip


@sheet.offered(pages, "/people")
def export() -> sheet.Sheet:
    """Hand out people with the roles they hold now."""
    session = reading()
    rows = (
        (one.id, one.name, one.title, one.status, ", ".join(grant.principal for grant in grants_of(session, one.id, at=now())))
        for one in _found(listing.MOST_EXPORTED)[1]
    )  # fmt: skip
    return sheet.Sheet("people", ("user_name", "name", "title", "state", "roles"), rows)


def _found(limit: int) -> tuple[str, list[User]]:
    """Return what is searched for, and whom it finds."""
    query = request.args.get("q", "").strip()[:200]
    wanted = select(User).order_by(User.status, User.name)
    if query:
        wanted = wanted.where(or_(listing.contains(query, User.name, User.id, User.title)))
    return query, list(reading().scalars(wanted.limit(limit)))


@pages.route("/people/<user_id>/leave", methods=["GET", "POST"])
def leave(user_id: str) -> Page:
    """List everything that waits for somebody, with a proposed target each; on POST disable them and hand it over in one act."""
    if not visitor().holds("ADMIN"):
        raise Forbidden("Expected an administrator here: only they end an account.", code="NOT_AUTHORISED")
    if request.method != "POST":
        return _wizard(user_id)
    targets = {
        name.removeprefix("to."): value for name, value in request.form.items() if name.startswith("to.") and value
    }
    try:
        with acting() as act:
            done = leaving.leave(act, user_id, targets, seen=request.form.get("seen", ""), reason=read_reason())
    except Refused as refusal:
        return _wizard(user_id, refusal), status_of(refusal)
    name = user_called(read_anew(), user_id).name
    count = f"{len(done)} {'piece' if len(done) == 1 else 'pieces'} of work handed over" if done else "no work was open"
    flash(f"{name} is disabled; {count}. What they signed keeps their printed name.", "good")
    return redirect(url_for("people.index"), 303)


def _wizard(user_id: str, refusal: Refused | None = None) -> str:
    session: Any = read_anew() if refusal else reading()
    user = user_called(session, user_id)
    pieces = [] if user.status is UserStatus.DISABLED else leaving.pieces_of(session, user_id)
    return render_template(
        "people/leave.html", user=user, pieces=pieces, seen=leaving.seen_hash(pieces), refusal=refusal, typed=request.form,
        errors=refusal.fields if isinstance(refusal, Invalid) else {},
        choices=[(one.id, one.name) for one in leaving.heirs(session, user_id)],
    )  # fmt: skip
