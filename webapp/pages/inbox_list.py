"""The inbox to take along: every task of a box, searched and ordered as on the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flask import Blueprint

from engine.inbox import MAX_LIMIT, Item
from webapp import inbox_asked, inboxes, listing, wording
from webapp.inbox_asked import Asked
from webapp.sheet import Sheet, offered
from webapp.visit import reading

pages = Blueprint("inbox_list", __name__)

COLUMNS = (
    "key", "document", "title", "step", "flow", "party", "project", "amount", "priority", "opened_at", "due_at", "on_behalf_of",
    "verdict", "closed_at",
)  # fmt: skip
REQUESTS = ("key", "flow", "state", "started_at", "closed_at", "ended_at")
WATCHED = ("key", "title", "state", "waits_for")


@offered(pages, "/inbox")
def export() -> Sheet:
    """Hand out a box or a saved view."""
    asked = inbox_asked.read(reading())
    if asked.box == "watching":
        return Sheet("inbox-watching", WATCHED, _watched())
    found = list(_items(asked))
    name, is_cut = f"inbox-{asked.box}", len(found) == listing.MOST_EXPORTED
    if asked.box == "requests":
        return Sheet(name, REQUESTS, (_request(item) for item in found), is_cut)
    return Sheet(name, COLUMNS, (_task(item) for item in found), is_cut)


def _items(asked: Asked) -> Iterator[Item]:
    """Yield what the box holds, at most as much as a file does."""
    after, left = None, listing.MOST_EXPORTED
    while left > 0:
        found = asked.page(reading(), limit=min(MAX_LIMIT, left), after=after)
        yield from found.items
        left -= len(found.items)
        if (after := found.next) is None:
            return


def _task(item: Item) -> list[object]:
    task = item.task
    assert task is not None  # only requests are about none
    return [
        task.business_key, task.record_number, task.title, task.name, task.flow, task.party, task.project, task.amount, task.priority,
        task.created_at, task.due_at, wording.person_name(item.on_behalf_of) if item.on_behalf_of else "", task.verdict,
        task.closed_at,
    ]  # fmt: skip


def _request(item: Item) -> list[object]:
    run = item.instance
    assert run is not None  # a request is a run that somebody started
    return [run.business_key, run.process_id, run.status, run.started_at, run.closed_at, run.ended_at]


def _watched() -> Iterator[Sequence[object]]:
    after: str | None = ""
    while after is not None:
        rows, following = inboxes.watched_rows(reading(), after=after)
        yield from ((row.key, row.title, row.state_words, row.line) for row in rows)
        after = following or None
