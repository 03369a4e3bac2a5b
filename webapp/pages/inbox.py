"""The inbox: rail, list and the review of the chosen task beside it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, render_template, request, url_for
from sqlalchemy import select

from engine import inbox
from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from engine.ports import Mandate
from engine.stored.task import Task, TaskState
from webapp import filters, inboxes, reviews
from webapp.refusals import Answer, status_of
from webapp.visit import installation, is_partial, now, reading, visitor

pages = Blueprint("inbox", __name__)

MOST_WATCHED = 60


@pages.get("/inbox")
def show() -> str | Answer:
    """Show a box; with ``task`` also that task, and for htmx only the task."""
    task_id = request.args.get("task", "")
    if is_partial():
        return _show_task(task_id)
    try:
        found = _find()
    except Invalid as refusal:
        return _show_list(inbox.Page((), None, now()), "", refusal), status_of(refusal)
    return _show_list(found, task_id)


@pages.get("/inbox/news")
def news() -> Response:
    """Say how many rows are new to a list that somebody has open, and which of its rows others have decided."""
    shown = [one for one in request.args.get("shown", "").split(",") if is_id(one)][:MOST_WATCHED]
    known = {task.id: task for task in reading().scalars(select(Task).where(Task.id.in_(shown)))}
    fresh = [item.task.id for item in _find(limit=MOST_WATCHED).items if item.task]
    stale = {
        key: inboxes.closed_words(task)
        for key, task in known.items()
        if task.state != TaskState.OPEN and request.args.get("box") in (None, "mine", "groups")
    }
    return jsonify(news=len(set(fresh) - set(shown)), stale=stale)


def _find(limit: int = inboxes.LIMIT) -> inbox.Page:
    return inbox.page(
        reading(), visitor().user_id, box=_box(), query=request.args.get("q", ""), sort=_sort(),
        after=request.args.get("after"), limit=min(limit, inboxes.LIMITS.get(_box(), limit)),
    )  # fmt: skip


def _box() -> str:
    """Return the box that is asked for, or the first that has something to do: one's own, then the groups'."""
    if box := request.args.get("box"):
        return box
    counted = inboxes.counted_tasks(reading())
    return "groups" if counted.groups and not counted.mine else "mine"


def _sort() -> str:
    return request.args.get("sort") or "due"


def _show_task(task_id: str) -> str:
    review = reviews.load(reading(), task_id)
    return render_template("review/part.html", review=review, refusal=None, **_way())


def _show_list(found: inbox.Page, task_id: str, refusal: Refused | None = None) -> str:
    session, box, query, sort = reading(), _box(), request.args.get("q", ""), _sort()
    rows = inboxes.rows(session, found, box=box, query=query, sort=sort)
    chosen = task_id or next((row.task_id for row in rows if row.task_id), "")
    review, refusal = _review(chosen, refusal)
    entries = inboxes.boxes(session)
    next_url = url_for("inbox.show", box=box, q=query or None, sort=sort, after=found.next) if found.next else None
    return render_template(
        "inbox/show.html", boxes=entries, box=box, box_words=next((one.words for one in entries if one.key == box), ""),
        query=query, sort=sort, sorts=inboxes.SORTS, rows=rows, next_url=next_url, limit=inboxes.LIMITS.get(box, inboxes.LIMIT),
        as_of=found.as_of, selected_id=chosen, is_open=bool(task_id and review), review=review, refusal=refusal,
        deputising=_deputising(), empty_words=None if rows else inboxes.empty(session, box, query),
        pane_words="The next one opens by itself after a decision.", **_way(rows, chosen),
    )  # fmt: skip


def _review(task_id: str, refusal: Refused | None) -> tuple[reviews.Review | None, Refused | None]:
    if not task_id:
        return None, refusal
    try:
        return reviews.load(reading(), task_id), refusal
    except NotFound as missing:
        if request.args.get("task") and request.args.get("next") is None:
            raise
        return None, missing


def _way(rows: Any = (), chosen: str = "") -> dict[str, Any]:
    """Return where the list is and which task follows the open one."""
    place = {name: request.args[name] for name in ("box", "q", "sort", "after") if request.args.get(name)}
    back = request.args.get("back") or urlencode(place)
    ids = [row.task_id for row in rows if row.task_id]  # the order on the screen
    following = ids[ids.index(chosen) + 1] if chosen in ids and ids.index(chosen) + 1 < len(ids) else ""
    next_id = request.args.get("next") or following
    way: dict[str, Any] = {"back": back, "next_id": next_id, "back_url": f"{url_for('inbox.show')}?{back}"}
    return way | {"typed": {}, "errors": {}}


def _deputising() -> list[str]:
    """Return the names of the people the visitor stands in for now, in any flow."""
    directory = installation().directory
    held: Any = directory.mandates(reading(), visitor().user_id, at=now(), flow="") if directory else ()
    absent = dict.fromkeys(one.on_behalf_of for one in held if isinstance(one, Mandate) and one.on_behalf_of)
    return [filters.person_name(user_id) for user_id in absent]
