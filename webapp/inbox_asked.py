"""What an address asks of the inbox: box, search, order, grouping, columns, saved view; every list of it is a link one can share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import g, request, url_for
from sqlalchemy.orm import Session

from engine import inbox, inbox_order, inbox_query
from engine.errors import Invalid
from engine.inbox import Narrowing
from engine.inbox_query import Problem, Search
from records import inbox_view, snooze
from records.inbox_view import InboxView
from records.snooze import TaskSnooze
from webapp import visit

BOXES = (
    # key, words, icon
    ("mine", "Mine", "inbox"),
    ("groups", "My groups", "group"),
    ("snoozed", "Snoozed", "clock"),
    ("watching", "Watching", "eye"),
    ("decided", "Decided", "check"),
    ("requests", "My requests", "send"),
)
OPEN = frozenset({"mine", "groups", "deputising", "snoozed"})
"""Boxes of tasks that wait: they are sorted, grouped and decided together."""

SORTS = (
    ("due", "Due first"), ("priority", "Priority"), ("created", "Oldest"), ("amount", "Largest amount"),
    ("-amount", "Smallest amount"), ("party", "Supplier"), ("project", "Project"), ("flow", "Process"), ("business_key", "Key"),
)  # fmt: skip
GROUPINGS = (
    ("", "No groups"),
    ("flow", "By process"),
    ("due", "By due date"),
    ("party", "By supplier"),
    ("project", "By project"),
)
COLUMNS: Mapping[str, str] = {
    "requester": "Requester", "step": "Step", "party": "Supplier", "project": "Project", "flow": "Process", "amount": "Amount",
    "created": "Opened", "priority": "Priority",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see. hidden: what they put aside, by task id. text: the search as it was typed."""

    box: str
    text: str
    search: Search
    sort: str
    grouping: str
    columns: tuple[str, ...]
    hidden: Mapping[str, TaskSnooze]
    view: InboxView | None = None
    for_whom: str = ""
    chosen_columns: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it is a list of tasks that wait."""
        return self.box in OPEN

    @property
    def order(self) -> str:
        """The whole order: groups first, then what was chosen within them."""
        if not self.grouping or not self.is_open:
            return self.sort
        within = [one for one in self.sort.split(",") if one.removeprefix("-") != self.grouping]
        return ",".join([self.grouping, *within][: inbox_order.MOST])

    @property
    def problems(self) -> Sequence[Problem]:
        """The terms of the search that were left out."""
        return self.search.problems

    @property
    def narrowing(self) -> Narrowing:
        """What the list leaves out or keeps to."""
        if self.box == "snoozed":
            return Narrowing(only=list(self.hidden))
        return Narrowing(hidden=list(self.hidden), for_whom=self.for_whom or None)

    def place(self) -> dict[str, str]:
        """Return the address of this list as its parts, without what is usual."""
        view = self.view
        parts = {
            "box": self.box,
            "for": self.for_whom,
            "view": view.id if view else "",
            "q": self.text if view is None or self.text != view.query else "",
            "sort": self.sort if self.sort != (view.sort if view else "due") else "",
            "group": self.grouping if self.grouping != (view.grouping if view else "") else "",
            "cols": ",".join(self.columns) if self.chosen_columns else "",
        }
        return {name: value for name, value in parts.items() if value}

    def url(self, **more: str | None) -> str:
        """Return the address of this list, or of a part of it."""
        parts = self.place() | {name: value for name, value in more.items() if value}
        return f"{url_for('inbox.show')}?{urlencode(parts)}"

    @property
    def back(self) -> str:
        """The address of this list as one text, for links that lead back to it."""
        return urlencode(self.place())

    def page(
        self, session: Session, *, limit: int, after: str | None = None, newer: dt.datetime | None = None
    ) -> inbox.Page:
        """Return the page of the list. newer: only what was opened later. Raises: Invalid."""
        me = visit.visitor().user_id
        query: Any = self.text if self.box == "requests" else self.search
        return inbox.page(
            session, me, box=self.box, query=query, sort=self.order, after=after, limit=limit,
            narrowed=replace(self.narrowing, since=newer),
        )  # fmt: skip


def asleep(session: Session) -> dict[str, TaskSnooze]:
    """Return what the visitor put aside, read once a request."""
    if "asleep" not in g:
        g.asleep = snooze.asleep(session, visit.visitor().user_id, now=visit.now())
    found: dict[str, TaskSnooze] = g.asleep
    return found


def counted_tasks(session: Session) -> inbox.Counts:
    """Return the visitor's counts without what they put aside, read once a request."""
    if "counts" not in g:
        g.counts = inbox.counts(session, visit.visitor().user_id, hidden=list(asleep(session)))
    found: inbox.Counts = g.counts
    return found


def read(session: Session, given: Mapping[str, str] | None = None) -> Asked:
    """Read what an address asks. given: the address's values, those of this request when None. Raises: Invalid; NotFound."""
    values = request.values if given is None else given
    view = _view(session, values.get("view", ""))
    text = values.get("q", view.query if view else "").strip()
    box = values.get("box") or (view.box if view else _first_box(session))
    if box not in {key for key, *_ in BOXES} | {"deputising"}:
        raise Invalid(f"Expected a box of the inbox, but found {box[:40]}", {"box": "unknown"})
    ticked = request.args.getlist("col") if given is None else []
    columns = [one for one in (*values.get("cols", "").split(","), *ticked) if one]
    asked = Asked(
        box, text, Search() if box in ("requests", "watching") else inbox_query.read(session, text, now=visit.now()),
        _sort(values, view), _grouping(values, view), inbox_view.used_columns(view, columns), asleep(session), view,
        for_whom=values.get("for", "")[:60] if box == "deputising" else "", chosen_columns=bool(columns),
    )  # fmt: skip
    inbox_order.read(asked.order)
    return asked


def nothing(given: Mapping[str, str] | None = None) -> Asked:
    """Return what stands for an address that could not be read."""
    values = request.values if given is None else given
    box = values.get("box", "")
    known = box if box in {key for key, *_ in BOXES} else "mine"
    return Asked(known, values.get("q", "")[:200], Search(), "due", "", inbox_view.USUAL_COLUMNS, {})


def _view(session: Session, view_id: str) -> InboxView | None:
    if not view_id:
        return None
    return inbox_view.find_view(session, view_id, visit.visitor().user_id, visit.visitor().roles)


def _first_box(session: Session) -> str:
    """Return the first box that has something to do: one's own, then the groups'."""
    counted = counted_tasks(session)
    return "groups" if counted.groups and not counted.mine else "mine"


def _sort(values: Mapping[str, str], view: InboxView | None) -> str:
    chosen = values.get("sort") or (view.sort if view else "due")
    then = values.get("then", "")
    return f"{chosen},{then}" if then and then.removeprefix("-") != chosen.removeprefix("-") else chosen


def _grouping(values: Mapping[str, str], view: InboxView | None) -> str:
    grouping = values.get("group", view.grouping if view else "")
    return grouping if grouping in dict(GROUPINGS) else ""
