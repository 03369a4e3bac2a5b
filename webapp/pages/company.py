"""Signing in at the company, coming back from there, signing out there, and the last look before a signature that it proves."""

from __future__ import annotations

from flask import Blueprint, current_app, g, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from engine.act import Act
from engine.database import is_id
from engine.errors import NotFound, Refused
from records import company_sign_in, stepping_up
from records.company import StepUp
from webapp import company, dossiers, formats, gate
from webapp.pages.account import own_path
from webapp.refusals import status_of
from webapp.stepping_up import SteppingUp
from webapp.visit import acting, installation, now, reading

pages = Blueprint("company", __name__)

PROOFS = "company_proofs"
SHOWN = ("verdict", "meaning", "reason", "comment")
"""What was typed that the last page before a signature shows in words."""


@pages.get("/sign-in/company")
@gate.public
def sign_in() -> Response:
    """Go to the company to sign in."""
    _refuse_without()
    return company.send({"next": own_path(request.args.get("next", ""))})


@pages.get("/sign-in/company/again")
@gate.public
def back_in() -> Response:
    """Go to the company to sign in while a page with typed text waits in another tab."""
    _refuse_without()
    return company.send({"next": url_for("company.is_back_in")})


@pages.get("/sign-in/company/is-back")
def is_back_in() -> str:
    """Say how to go on in the other tab."""
    return render_template("account/step_up_back.html")


@pages.get("/sign-in/company/return")
@gate.public
def come_back() -> Response | tuple[str, int]:
    """Come back from the company: signed in, or with the proof that a signature waits for."""
    _refuse_without()
    try:
        answer = company.received()
        if "step_up" in answer.way:
            return _prove(answer)
        gate.enter_from_company(answer.person)
    except Refused as refusal:
        return render_template("account/company_refused.html", refusal=refusal), status_of(refusal)
    return redirect(own_path(answer.way.get("next", "")), 303)


@pages.get("/sign-in/company/for-a-signature/<step_up_id>")
def step_up(step_up_id: str) -> Response:
    """Go to the company to sign in anew, bound to what is signed."""
    _refuse_without()
    with acting() as act:
        asked = _found(act, step_up_id)
        nonce = stepping_up.nonce_of(asked, secret=_secret())
    return company.send({"step_up": step_up_id}, nonce=nonce, anew=True)


@pages.get("/sign-in/company/proved/<step_up_id>")
def proved(step_up_id: str) -> str:
    """Show once more what is signed, with everything that was typed; the button signs."""
    code = session.get(PROOFS, {}).get(step_up_id)
    if code is None:
        raise NotFound("Expected a signature that this browser has just proved, but there is none; sign again")
    with acting() as act:
        asked = _found(act, step_up_id)
        return render_template(
            "account/step_up_proved.html", asked=asked, code=code, things=_things(asked),
            said=[(name, value) for name, value in asked.form if name in SHOWN and value.strip()],
        )  # fmt: skip


@pages.get("/sign-out/company")
@gate.public
def signed_out() -> str | Response:
    """Go on to sign out at the company, too; without anything to end there, to the sign-in."""
    target = session.pop(company.ENDS_AT, "")
    if not target:
        return redirect(url_for("account.sign_in"))
    return render_template("account/company_signed_out.html", target=target)


@pages.post("/api/company/logout")
def logout_there() -> tuple[str, int]:
    """Hear from the company that somebody signed out there, and end their sessions here (back-channel logout)."""
    _refuse_without()
    try:
        sid, subject = company.signed_out(request.form.get("logout_token", ""))
    except Refused as refusal:
        return refusal.message, 400
    if not sid and not subject:
        return "Expected a session or a subject, but the token names none", 400
    with installation().acting("system:sign_in", now=now()) as act:
        company_sign_in.sign_out_there(act, company.issuer(), sid=sid, subject=subject)
    return "", 200


def ask_for_proof(asked: SteppingUp) -> Response | tuple[str, int]:
    """Keep what was typed and send its signer to the company; an open dialog leaves the page for it."""
    form = [
        (name, value) for name, values in request.form.lists() if name not in gate.NEVER_CARRIED for value in values
    ]
    with acting() as act:
        kept = stepping_up.begin(
            act, g.session_id, asked.subjects, path=request.full_path.rstrip("?")[:4000], form=form
        ).id
    target = url_for("company.step_up", step_up_id=kept)
    if request.headers.get("HX-Request"):
        answer = Response(status=204)
        answer.headers["HX-Redirect"] = target
        return answer
    # A page, not a redirect: the browser lets no form be led to another site (form-action of the content policy).
    return render_template("account/step_up.html", target=target), 200


def _prove(answer: company.Answer) -> Response:
    with acting() as act:
        asked = _found(act, answer.way["step_up"])
        if answer.nonce != stepping_up.nonce_of(asked, secret=_secret()):
            raise company.NotSignedIn(
                "Expected an answer to this very signature, but it is one to another question; sign again"
            )
        code = stepping_up.prove(
            act, asked, issuer=answer.person.issuer, subject=answer.person.subject,
            authenticated_at=answer.authenticated_at,
        )  # fmt: skip
    session[PROOFS] = dict(list(session.get(PROOFS, {}).items())[-2:]) | {asked.id: code}
    return redirect(url_for("company.proved", step_up_id=answer.way["step_up"]), 303)


def _refuse_without() -> None:
    if company.company() is None:
        raise NotFound("Expected a plant whose people sign in at their company, but this one has no such sign-in.")


def _found(act: Act, step_up_id: str) -> StepUp:
    if not is_id(step_up_id):
        raise NotFound("Expected a signature that waits for your sign-in at the company, but there is none; sign again")
    return stepping_up.find(act, step_up_id)


def _secret() -> str:
    return str(current_app.secret_key)


def _things(asked: StepUp) -> list[tuple[str, str, str]]:
    """Return kind, number and content hash of each thing that is signed."""
    found = []
    for kind, record_id, content in asked.subjects:
        record = dossiers.find(reading(), kind, record_id)
        found.append((formats.words(kind), record.number if record is not None else record_id, content))
    return found
