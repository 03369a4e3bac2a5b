"""The inbox: rail, list and the review of the chosen task beside it."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as Redirect

from engine import inbox
from engine.database import instant_text, is_id
from engine.errors import Conflict, Invalid, NotFound, Refused
from engine.stored.task import Task, TaskState
from records import follower
from webapp import inbox_asked, inbox_rail, inboxes, reviews
from webapp.beside_list import keep_list
from webapp.inbox_asked import Asked
from webapp.pages.account import own_path
from webapp.refusals import Answer, status_of
from webapp.visit import acting, is_partial, now, reading, visitor

pages = Blueprint("inbox", __name__)

MOST_WATCHED = 60
DENSITIES = ("usual", "dense", "loose")


@pages.get("/inbox")
def show() -> str | Answer:
    """Show a box or a saved view; with ``task`` also that task, and for htmx only the task."""
    task_id = request.args.get("task", "")
    if is_partial():
        return _show_task(task_id)
    try:
        asked = inbox_asked.read(reading())
        if asked.box == "watching":
            return _show_watched(asked)
        found = asked.page(reading(), limit=_limit(asked), after=request.args.get("after"))
    except Invalid as refusal:
        asked = inbox_asked.nothing()
        return _show_list(asked, inbox.Page((), None, now()), "", refusal), status_of(refusal)
    return _show_list(asked, found, task_id)


@pages.get("/inbox/news")
def news() -> Response:
    """Say how many rows are new to a list that somebody has open, and which of its rows others have decided."""
    shown = [one for one in request.args.get("shown", "").split(",") if is_id(one)][:MOST_WATCHED]
    asked = inbox_asked.read(reading())
    known = {task.id: task for task in reading().scalars(select(Task).where(Task.id.in_(shown)))}
    stale = {
        key: inboxes.closed_words(task) for key, task in known.items() if asked.is_open and task.state != TaskState.OPEN
    }
    return jsonify(news=_fresh(asked, shown), stale=stale)


@pages.post("/tasks/<task_id>/watch")
def watch(task_id: str) -> Redirect:
    """Follow a task's document from now on, or no longer."""
    task = reviews.visible(reading(), task_id)
    if not task.record_type or not task.record_id:
        raise Conflict("Expected a task about a document to watch, but this one is about none", code="NO_DOCUMENT")
    about = (task.record_type, task.record_id)
    with acting() as act:
        if request.form.get("way") == "stop":
            follower.unfollow(act, about, visitor().user_id)
        else:
            follower.follow(act, about, visitor().user_id)
    flash(
        "You watch it no longer." if request.form.get("way") == "stop" else "You watch it: it stands under Watching.",
        "good",
    )
    return redirect(keep_list(own_path(request.form.get("back_to", ""))), 303)


def _fresh(asked: Asked, shown: list[str]) -> int:
    """Count what the list does not show: where it ends on its page all of it, else only what was opened since."""
    if not asked.is_open:
        return 0
    since = _since() if request.args.get("more") else None
    found = asked.page(reading(), limit=MOST_WATCHED, newer=since)
    return len({item.task.id for item in found.items if item.task} - set(shown))


def _since() -> dt.datetime:
    """Return since when the list is open. Raises: Invalid."""
    try:
        return dt.datetime.fromisoformat(request.args.get("since", "")).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid("Expected since when the list is open, but found something else", {"since": "unknown"}) from error


def _limit(asked: Asked) -> int:
    return inboxes.LIMITS.get(asked.box, inboxes.LIMIT)


def _show_task(task_id: str) -> str:
    review = reviews.load(reading(), task_id)
    return render_template("review/part.html", review=review, refusal=None, **_way())


def _show_watched(asked: Asked) -> str:
    rows, after = inboxes.watched_rows(reading(), after=request.args.get("after", ""))
    next_url = url_for("inbox.show", box="watching", after=after) if after else None
    return _render(asked, rows, next_url=next_url, as_of=now())


def _show_list(asked: Asked, found: inbox.Page, task_id: str, refusal: Refused | None = None) -> str:
    rows = inboxes.rows(reading(), found, asked)
    first = next((row.task_id for row in rows if row.task_id), "") if visitor().opens_next else ""
    chosen = task_id or first
    review, refusal = _review(chosen, refusal)
    next_url = asked.url(after=found.next) if found.next else None
    return _render(
        asked, rows, next_url=next_url, as_of=found.as_of, selected_id=chosen, review=review, refusal=refusal,
        is_open=bool(task_id and review), is_refused=bool(refusal and not review),
    )  # fmt: skip


def _render(asked: Asked, rows: list[inboxes.Row], **values: Any) -> str:
    session = reading()
    given: dict[str, Any] = {"review": None, "refusal": None, "selected_id": "", "is_open": False} | values
    newer = {"more": "1" if given["next_url"] else "", "since": instant_text(given["as_of"])}
    news_url = f"{url_for('inbox.news')}?{urlencode(asked.place() | newer)}"
    density = request.cookies.get("density", "")
    return render_template(
        "inbox/show.html", asked=asked, rail=inbox_rail.rail_of(session, asked), box_words=_title(asked), rows=rows,
        sorts=inbox_asked.SORTS, groupings=inbox_asked.GROUPINGS, columns=inbox_asked.COLUMNS, limit=_limit(asked),
        news_url=news_url, density=density if density in DENSITIES else DENSITIES[0], densities=DENSITIES,
        empty_words=None if rows else inboxes.empty(session, asked),
        pane_words="The next one opens by itself after a decision." if asked.is_open and visitor().opens_next else "",
        **given, **_way(rows, given["selected_id"], asked),
    )  # fmt: skip


def _title(asked: Asked) -> str:
    if asked.view is not None:
        return asked.view.name
    return {key: words for key, words, _ in inbox_asked.BOXES}.get(asked.box, "Deputising")


def _review(task_id: str, refusal: Refused | None) -> tuple[reviews.Review | None, Refused | None]:
    if not task_id:
        return None, refusal
    args = request.args
    try:
        review = reviews.load(reading(), task_id, tab=args.get("tab", "summary"), since=args.get("since", ""))
    except NotFound as missing:
        if request.args.get("task") and request.args.get("next") is None:
            raise
        return None, missing
    review.is_wide = args.get("view") == "sides"
    return review, refusal


def _way(rows: Any = (), chosen: str = "", asked: Asked | None = None) -> dict[str, Any]:
    """Return where the list is and which task follows the open one."""
    place = asked.place() if asked else {}
    if request.args.get("after"):
        place["after"] = request.args["after"]
    back = request.args.get("back") or urlencode(place)
    ids = [row.task_id for row in rows if row.task_id]  # the order on the screen
    following = ids[ids.index(chosen) + 1] if chosen in ids and ids.index(chosen) + 1 < len(ids) else ""
    next_id = request.args.get("next") or following
    way: dict[str, Any] = {"back": back, "next_id": next_id, "back_url": f"{url_for('inbox.show')}?{back}"}
    return way | {"typed": {}, "errors": {}}
