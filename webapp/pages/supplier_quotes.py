"""The page of a supplier who is asked for a quote: reached by the link of the mail, without an account.

The link opens one invitation and nothing else; what it shows was asked of this supplier alone. After the due date it only shows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import is_id
from engine.errors import NotFound, Refused
from processes import quoting
from processes.quote_links import opens
from records.quotation import Invitation, QuoteChannel
from webapp import quote_form, rates, typed, wording
from webapp.formats import Custom
from webapp.gate import public
from webapp.refusals import status_of
from webapp.signing_form import errors_of
from webapp.typed import Unreadable
from webapp.visit import installation, now, read_anew, reading

pages = Blueprint("supplier_quotes", __name__)

Page = str | tuple[str, int] | Answer


@pages.before_request
def refuse_too_many() -> None:
    """Let nobody try links, or send forms, in a loop."""
    rates.refuse_too_many("public_rate", rates.address(), "requests without an account from one place")


@pages.get("/quotes/<invitation_id>/<proof>")
@public
def show(invitation_id: str, proof: str) -> str:
    """Show what is asked, and the form to quote or what was quoted."""
    return _show(find(reading(), invitation_id, proof), proof)


@pages.post("/quotes/<invitation_id>/<proof>")
@public
def send(invitation_id: str, proof: str) -> Page:
    """Keep the quote, or a newer revision of it."""
    try:
        with _acting(invitation_id, proof) as (act, invitation):
            offer = quote_form.read_offer(invitation.request, customs(invitation))
            quoting.take_quote(act, invitation, offer, channel=QuoteChannel.FORM)
    except NotFound:
        raise
    except Refused as refusal:
        return _show(find(read_anew(), invitation_id, proof), proof, refusal), status_of(refusal)
    flash("Thank you. Your quote is with our buyer; until the due date you may send it again with changes.", "good")
    return redirect(url_for("supplier_quotes.show", invitation_id=invitation_id, proof=proof), 303)


@pages.post("/quotes/<invitation_id>/<proof>/decline")
@public
def decline(invitation_id: str, proof: str) -> Page:
    """Note that the supplier does not quote."""
    try:
        reason = typed.words(request.form.get("reason", ""), longest=4000)
    except Unreadable:
        reason = ""
    try:
        with _acting(invitation_id, proof) as (act, invitation):
            quoting.decline(act, invitation, reason=reason, by_supplier=True)
    except NotFound:
        raise
    except Refused as refusal:
        return _show(find(read_anew(), invitation_id, proof), proof, refusal), status_of(refusal)
    flash("Thank you for telling us. Until the due date you may still quote.", "good")
    return redirect(url_for("supplier_quotes.show", invitation_id=invitation_id, proof=proof), 303)


def find(session: Session, invitation_id: str, proof: str) -> Invitation:
    """Return the invitation of a link. Raises: NotFound for any other address, whatever is wrong with it."""
    found = session.get(Invitation, invitation_id) if is_id(invitation_id) else None
    if found is None or len(proof) > 100 or not opens(installation(), found, proof):
        raise NotFound(
            "Expected the link of our mail, but this address opens nothing. Take the newest mail, or ask our buyer."
        )
    return found


def customs(invitation: Invitation) -> Custom:
    """Return how numbers are read, as the browser's language writes them, and times told: as at the plant that asks."""
    return replace(wording.customs(), zone=invitation.request.site.zone)


@contextmanager
def _acting(invitation_id: str, proof: str) -> Iterator[tuple[Act, Invitation]]:
    if g.get("unreadable") is not None:
        raise g.unreadable
    number = find(reading(), invitation_id, proof).supplier.supplier_no
    with installation().acting(f"supplier:{number}", now=now()) as act:
        yield act, find(act.session, invitation_id, proof)


def _show(invitation: Invitation, proof: str, refusal: Refused | None = None) -> str:
    asked = invitation.request
    today = asked.site.local_day(now())
    return render_template(
        "quotes/supplier.html", invitation=invitation, asked=asked, is_open=asked.takes_quotes(now()), refusal=refusal,
        errors=errors_of(refusal), form=quote_form.shown(invitation), currencies=quote_form.currencies(reading(), asked),
        last_day=quoting.last_day(asked), today=today, holds=today + dt.timedelta(days=30), proof_of_link=proof,
        how=customs(invitation),
    )  # fmt: skip
