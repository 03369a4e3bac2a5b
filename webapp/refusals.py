"""What a person reads when something is refused: expected, found, whose turn it is, what to press. Never a stack trace."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from flask import Flask, current_app, g, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from engine.database import is_away
from engine.errors import Conflict, Forbidden, Invalid, NotFound, Refused, RuleViolation

log = logging.getLogger(__name__)

Answer = tuple[str, int]

AGAIN_IN = 5
"""Seconds after which whoever met a database that was away may ask again."""


class Resumed(Refused):
    """The visitor typed while the session ended and has signed in again; nothing was sent yet."""

    status = 200
    code = "RESUMED"


@dataclass(frozen=True, slots=True)
class Advice:
    """The words around a refusal's own sentence. press: (label, URL) of what helps, most useful first."""

    title: str
    hint: str
    mark: str = "alert"


TITLES: dict[type[Refused], Advice] = {
    Resumed: Advice(
        "You are signed in again. Nothing was sent yet.", "Check what you typed and press the button again."
    ),
    Invalid: Advice("Something does not fit yet", "Go back, correct the field that is named, and send it again."),
    NotFound: Advice(
        "This is not here",
        "It may have been decided, withdrawn, or it is not yours to see. The inbox shows what is.",
        "search",
    ),
    Forbidden: Advice("This is not yours to do", "The page of the document says whose turn it is.", "lock"),
    Conflict: Advice(
        "As things stand, this cannot be",
        "Nothing was written. Open the page again to see how it stands now.",
        "clock",
    ),
    RuleViolation: Advice("A rule refuses this", "Nothing was written. The rule says what would help.", "shield"),
}
CODES: dict[str, str] = {
    "BOTH_COMPONENTS_NEEDED": "User name and password are needed",
    "CERTIFICATION_MISSING": "One more tick before your first signature",
    "CLAIMED": "Somebody has claimed it",
    "IN_TRANSITION": "It is being changed just now",
    "DENIED": "A listener denied it",
    "ESCALATED": "It has been escalated",
    "FORGED_FIELD": "A field that is not on this form",
    "LOCKED": "The account is locked",
    "MEANING_NOT_YOURS": "Not a meaning your role may give",
    "ROLE_LOST": "Your role ended meanwhile",
    "SEALED": "This is sealed to others",
    "PASSWORD_DUE": "Your password has to be changed first",
    "NOT_READY": "Not ready to be submitted",
    "TASK_CLOSED": "It has been decided already",
    "TOO_LARGE": "Too much text",
    "TOO_MANY_REQUESTS": "Too often",
    "UNSIGNED": "A signature is needed",
    "WRONG_PASSWORD": "That is not right",
    "APPROVAL_EXPIRED": "The approval has expired",
    "BUSY": "The system is busy",
    "FORM_PROOF": "This form is not from this visit",
    "ILLEGAL_TRANSITION": "Not from this state",
    "ON_HOLD": "On hold",
    "STALE_VERSION": "Somebody was faster",
    "UNCONTROLLED_CHANGE": "This value is controlled",
}


def advice_for(refusal: Refused) -> Advice:
    """Return the words that belong to a kind of refusal."""
    return next((TITLES[kind] for kind in type(refusal).__mro__ if kind in TITLES), TITLES[Forbidden])


def title_of(refusal: Refused) -> str:
    """Return the heading of a refusal."""
    return CODES.get(refusal.code) or advice_for(refusal).title


def status_of(refusal: Refused) -> int:
    """Return the HTTP status of a refusal."""
    return refusal.http_status if isinstance(refusal, RuleViolation) else refusal.status


def install(app: Flask) -> None:
    """Answer every refusal and every mistake of ours with a page in the house's words."""
    app.register_error_handler(Refused, show_refusal)
    app.register_error_handler(RequestEntityTooLarge, _show_too_large)
    app.register_error_handler(HTTPException, _show_http)
    app.register_error_handler(SQLAlchemyError, _show_trouble)
    app.register_error_handler(Exception, _show_bug)


def show_refusal(refusal: Refused) -> Answer:
    """Render the page of a refusal; inside a dialog or a pane only its notice."""
    if request.headers.get("HX-Request"):
        return render_template("refused_part.html", refusal=refusal), status_of(refusal)
    return _page(refusal, status_of(refusal))


def _page(refusal: Refused, status: int) -> Answer:
    return render_template("refused.html", refusal=refusal, advice=advice_for(refusal), status=status), status


def _show_too_large(error: RequestEntityTooLarge) -> Answer:
    refusal = Invalid(
        "Expected at most 500 kB of text in one form, but this one is larger. Nothing was written; "
        "your browser still has the text: go back, shorten it or attach it as a file.",
        code="TOO_LARGE",
    )
    return _page(refusal, 413)


def _show_http(error: HTTPException) -> Answer:
    code = error.code or 500
    if code == 404:
        return _page(NotFound(f"Expected a page at {request.path}, but there is none."), 404)
    if code == 405:
        return _page(
            Refused(f"Expected another way to ask for {request.path}, but the request was {request.method}."), 405
        )
    return _page(Refused(f"Expected a request that can be answered, but it was refused: {error.name}."), code)


def _show_trouble(error: SQLAlchemyError) -> Answer | tuple[str, int, dict[str, str]]:
    if not is_away(error):
        return _show_bug(error)
    log.warning("The database is away: %s %s: %s", request.method, request.path, error)
    text = current_app.jinja_env.get_template("away.html").render(sent=request.method != "GET")
    return text, 503, {"Retry-After": str(AGAIN_IN)}


def _show_bug(error: Exception) -> Answer:
    act_id = g.get("act_id") or g.get("request_id", "")
    log.error("A request failed; act %s, %s %s", act_id, request.method, request.path, exc_info=error)
    # Rendered without the page's context, which reads the database that may just have failed.
    return current_app.jinja_env.get_template("bug.html").render(act_id=act_id), 500
