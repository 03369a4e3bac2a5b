"""What every answer carries to keep the browser on our side: headers, and the proof that a form came from our page."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request
from werkzeug.datastructures import ImmutableMultiDict

from engine.errors import Forbidden, Invalid

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
VISIT_COOKIE = "lockstep_visit"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def protect(app: Flask) -> None:
    """Install the headers and the check of every unsafe request of the pages (the API proves itself by its keys)."""
    app.before_request(_know_the_browser)
    app.before_request(_refuse_nul)
    app.after_request(_add_headers)


def form_proof() -> str:
    """Return the token that a form of this browser must carry."""
    key = str(current_app.secret_key).encode()
    return hmac.new(key, f"form:{g.visit}".encode(), hashlib.sha256).hexdigest()


def _refuse_nul() -> None:
    """Refuse text with a NUL before it reaches a look-up: no keyboard types one, and PostgreSQL takes none.

    A form goes on to its view without the character, so that it is drawn again with what was typed; ``acting`` refuses
    to send it. Where there is no such form (an address, the name of a field, a sign-in) it is refused here.
    """
    if request.path.startswith("/api/"):
        return
    elsewhere = [request.path, *(text for pair in request.args.items(multi=True) for text in pair), *request.form]
    is_signing_in = "sign_in_name" in request.form
    typed = [name for name, text in request.form.items(multi=True) if "\0" in text]
    if any("\0" in text for text in elsewhere) or (typed and is_signing_in):
        raise Invalid("Expected plain text, but found a NUL character. Nothing was written.", code="CONTROL_CHARACTER")
    if typed:
        g.unreadable = Invalid(
            "Expected plain text, but found a NUL character. Nothing was written; it is taken out here: look at the text "
            "and send it again.",
            dict.fromkeys(typed, "Expected plain text, but found a NUL character, which is taken out here"),
            code="CONTROL_CHARACTER",
        )
        pairs = [(name, text.replace("\0", "")) for name, text in request.form.items(multi=True)]
        request.form = ImmutableMultiDict(pairs)


def _know_the_browser() -> None:
    g.visit = request.cookies.get(VISIT_COOKIE) or ""
    g.is_new_visit = len(g.visit) != 43
    if g.is_new_visit:
        g.visit = secrets.token_urlsafe(32)
    if request.method in SAFE_METHODS or request.path.startswith("/api/"):
        return
    given = request.headers.get("X-Form-Proof") or request.form.get("form_proof", "")
    if not _is_same_site() or not hmac.compare_digest(given.encode(), form_proof().encode()):
        raise Forbidden(
            "Expected a form opened in this browser, but its proof is missing or belongs to another visit. "
            "Nothing was written: open the page again and send it from there.",
            code="FORM_PROOF",
        )


def _is_same_site() -> bool:
    origin = request.headers.get("Origin")
    return not origin or urlsplit(origin).netloc == request.host


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    elif request.path.startswith("/static/dist/") and response.status_code == 200:
        # The names carry a hash of the content.
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    if g.get("is_new_visit") and request.endpoint != "static":
        response.set_cookie(
            VISIT_COOKIE, g.visit, max_age=31_536_000, httponly=True, samesite="Lax", secure=request.is_secure
        )
    return response
