"""Messages that are kept until somebody waits for them: by whom, until when, and what keeps one back."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as Answer

from engine import kept_messages
from engine.registry import PlainVariables
from engine.spiff.codec import decode
from engine.stored.wait import Message, MessageState
from processes.operating import HELPERS
from webapp import ledger, listing, sheet
from webapp.pages.operations import need_helper
from webapp.task_forms import value_words
from webapp.visit import acting, reading, visitor

pages = Blueprint("messages", __name__)


@pages.get("/operations/messages")
def index() -> str:
    """Show messages, those that are kept unless asked otherwise."""
    session = reading()
    query, state, after = listing.search()
    page = look_up(query, state, after)
    return render_template(
        "operations/messages.html", page=page, states=[one for one in MessageState if one is not MessageState.STORED],
        hearers={} if state else kept_messages.hearers_of(session, page.items),
    )  # fmt: skip


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of messages in a state, those that are kept without one, newest first. query: part of a name, a key or an id."""
    is_kept = state in ("", MessageState.STORED)
    wanted = select(Message).where(kept_messages.IS_STORED if is_kept else Message.state == state)
    if query:
        wanted = wanted.where(listing.contains(query, Message.name, Message.correlation_key, Message.message_id))
    return listing.newest_first(reading(), wanted, Message, query=query, state=state, after=after, limit=limit)


COLUMNS: dict[str, sheet.Column] = {
    "name": "name", "correlation_key": "correlation_key", "message_id": "message_id", "state": "state",
    "published_at": "published_at", "published_by": "published_by", "expires_at": "expires_at",
}  # fmt: skip


@sheet.offered(pages, "/operations/messages")
def export() -> sheet.Sheet:
    """Offer the list, filtered as on the page."""
    return sheet.of_page("messages", sheet.whole(look_up), COLUMNS)


@pages.get("/operations/messages/<message_id>")
def show(message_id: str) -> str:
    """Show one message: what it says, who waits for it, what became of it."""
    session = reading()
    message = kept_messages.find(session, message_id)
    may_help = visitor().holds(*HELPERS)
    said = PlainVariables(decode(message.variables)) if may_help else {}
    return render_template(
        "operations/message.html", message=message, may_help=may_help,
        hearers=kept_messages.hearers_of(session, [message])[message.id],
        values=[(name, value_words(value, visitor().how)[:2000]) for name, value in sorted(said.items())],
        ledger=ledger.ledger_of(session, "message", message.id),
    )  # fmt: skip


@pages.post("/operations/messages/<message_id>/delete")
def delete(message_id: str) -> Answer:
    """Throw a kept message away for a reason."""
    need_helper()
    with acting() as act:
        kept_messages.delete(act, message_id, request.form.get("reason", ""))
    flash("The message is deleted. It reaches nobody any more; its id stays known.", "good")
    return redirect(url_for("messages.show", message_id=message_id), 303)
