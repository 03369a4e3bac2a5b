"""The gate: who is signed in, and what happens to a form whose session ended while somebody typed.

The cookie carries a random token; the database knows only its digest, so that a session can be ended from here. A request
notes that the person is still there, at most once a minute; nothing else is ever written by reading.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, Response, current_app, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from engine.errors import Forbidden, Refused
from records import company_sign_in, sign_in
from records.company_sign_in import CompanyPerson
from webapp import company, people, rates, visit
from webapp.refusals import status_of
from webapp.security import SAFE_METHODS
from webapp.visit import Visitor

COOKIE = "lockstep_session"
ASKED_BY_ITSELF = frozenset({"inbox.news", "boards.tally"})
"""What an open page asks for by a timer: it is no sign that anybody sits there, and keeps no session alive."""
NEVER_CARRIED = frozenset({"form_proof", "password", "sign_in_name", "sign_in_password", "proof", "carried"})
LONGEST_CARRIED = 200_000

View = TypeVar("View", bound=Callable[..., object])


def public(view: View) -> View:
    """Mark a view as open to people who are not signed in."""
    view.is_public = True  # type: ignore[attr-defined]  # a mark on a function, read by the gate alone
    return view


def install(app: Flask) -> None:
    """Let only signed-in people through, and keep their session alive while they work."""
    app.before_request(_check)
    app.after_request(_set_cookie)


def device() -> str:
    """Return what the browser says about itself."""
    return request.user_agent.string or "unknown"


def enter(name: str, password: str) -> str:
    """Open a session for the person with this name and password, and return the user id.

    Raises: Forbidden WRONG_PASSWORD or LOCKED, counted and kept; TooMany after too many wrong ones from the same address.
    """
    rates.refuse_after("sign_in_rate", rates.address(), "wrong passwords from one place")
    try:
        return _enter(name, password)
    except Refused as refusal:
        if refusal.code == "WRONG_PASSWORD":
            rates.count("sign_in_rate", rates.address())
        raise


def _enter(name: str, password: str) -> str:
    known = company.company()
    with visit.installation().acting("system:sign_in", now=visit.now()) as act:
        token, opened = sign_in.sign_in(act, name, password, device=device(), address=request.remote_addr or "")
        user_id = opened.user_id
        if known is not None and known.only and company_sign_in.identity_of(act, known.issuer, user_id) is not None:
            raise Forbidden(
                f"Expected {user_id} to sign in at {known.name}, as everybody does who has an account there, but found a password"
            )
    g.token, g.session_id = token, sign_in.digest(token)
    return user_id


def enter_from_company(person: CompanyPerson) -> None:
    """Open a session for somebody who has signed in at the company. Raises: as ``company_sign_in.enter``."""
    with visit.installation().acting("system:sign_in", now=visit.now()) as act:
        token, _ = company_sign_in.enter(act, person, device=device(), address=request.remote_addr or "")
    g.token, g.session_id = token, sign_in.digest(token)


def leave() -> None:
    """End the visitor's session and forget it in this browser."""
    with visit.acting() as act:
        sign_in.sign_out(act, g.session_id)
    g.token, g.is_leaving = None, True


def visitor_or_none() -> Visitor | None:
    """Return the signed-in person, if there is one."""
    person: Visitor | None = g.get("visitor")
    return person


def _check() -> Answer | tuple[str, int] | None:
    g.visitor = g.token = g.session_id = None
    g.session_method = ""
    view = current_app.view_functions.get(request.endpoint or "")
    if request.endpoint == "static" or request.path.startswith("/api/"):
        return None
    recognise()
    if g.visitor is not None and "carried" in request.form:
        # Signed in again in another tab: what was carried is shown once more before it is sent.
        g.is_resumed = True
    if g.visitor is not None or view is None or getattr(view, "is_public", False):
        return None
    if request.method in SAFE_METHODS:
        return _to_sign_in()
    if "sign_in_name" in request.form:
        return _resume()
    return show_carrying_sign_in(), 401


def recognise() -> None:
    """Set the visitor from the cookie, when its session still holds."""
    token = request.cookies.get(COOKIE, "")
    if not token:
        return
    house, now = visit.installation(), visit.now()
    opened = sign_in.session_of(visit.reading(), token, device=device(), now=now)
    if opened is None:
        with house.acting("system:sign_in", now=now) as act:
            sign_in.refuse_other_device(act, token, device=device())
        return
    g.visitor = people.visitor_called(visit.reading(), opened.user_id)
    g.token, g.session_id, g.session_method = token, opened.id, opened.method
    if request.endpoint not in ASKED_BY_ITSELF and sign_in.is_due_to_touch(opened, now):
        with house.acting(f"user:{opened.user_id}", now=now) as act:
            sign_in.touch(act, opened.id)


def _to_sign_in() -> Answer:
    back = request.full_path.rstrip("?")
    target = url_for("account.sign_in", next=back if back != "/" else None)
    if visit.is_partial():
        answer = Response(status=204)
        answer.headers["HX-Redirect"] = target
        return answer
    return redirect(target)


def show_carrying_sign_in(refusal: Refused | None = None) -> str:
    """Render a sign-in that carries everything typed, except passwords, back to where it was going."""
    carried = [
        (name, value[:LONGEST_CARRIED])
        for name, values in request.form.lists()
        if name not in NEVER_CARRIED
        for value in values
    ]
    target = request.full_path.rstrip("?")
    return render_template("account/carry.html", carried=carried, target=target, refusal=refusal)


def _resume() -> tuple[str, int] | None:
    """Sign in and let the form be shown again, filled with what was typed; ``acting`` refuses to send it."""
    try:
        user_id = enter(request.form["sign_in_name"], request.form.get("sign_in_password", ""))
    except Refused as refusal:
        return show_carrying_sign_in(refusal), status_of(refusal)
    g.visitor = people.visitor_called(visit.read_anew(), user_id)
    g.is_resumed = True
    return None


def _set_cookie(response: Response) -> Response:
    if request.endpoint == "static":
        return response
    if g.get("token") and g.token != request.cookies.get(COOKIE):
        response.set_cookie(COOKIE, g.token, httponly=True, samesite="Lax", secure=request.is_secure)
    elif g.get("is_leaving"):
        response.delete_cookie(COOKIE)
    return response
