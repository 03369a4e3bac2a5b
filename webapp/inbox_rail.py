"""The rail of the inbox: boxes, the people one stands in for, and saved views, each with what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import inbox, inbox_query
from engine.errors import Refused
from engine.inbox import Narrowing
from records import follower, inbox_view
from records.inbox_view import InboxView
from records.person import User
from webapp import inbox_asked, visit, wording
from webapp.inbox_asked import BOXES, Asked

MOST_COUNTED = 100
"""A view counts so far: beyond it says that there are more, which costs the same however many there are."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the rail. count: None where nothing is counted; owner: of a view that is somebody else's."""

    key: str
    words: str
    url: str
    is_here: bool
    icon: str = ""
    count: str | None = None
    colour: str = ""
    owner: str = ""
    has_left: bool = False


@dataclass(frozen=True, slots=True)
class Rail:
    """Everything in the rail."""

    boxes: Sequence[Entry]
    deputising: Sequence[Entry]
    views: Sequence[Entry]


def rail_of(session: Session, asked: Asked) -> Rail:
    """Return the rail with its counts."""
    return Rail(_boxes(session, asked), _deputising(session, asked), _views(session, asked))


def _boxes(session: Session, asked: Asked) -> list[Entry]:
    counted = inbox_asked.counted_tasks(session)
    watched = len(follower.followed_by(session, visit.visitor().user_id))
    counts = {
        "mine": counted.mine, "groups": counted.groups, "snoozed": len(asked.hidden) or None, "watching": watched or None,
    }  # fmt: skip
    return [
        Entry(
            key, words, url_for("inbox.show", box=key), asked.box == key and asked.view is None, icon,
            _number(counts.get(key)),
        )
        for key, words, icon in BOXES
    ]  # fmt: skip


def _number(count: int | None) -> str | None:
    return None if count is None else f"{count:,}"


def _deputising(session: Session, asked: Asked) -> list[Entry]:
    """Return a chip for each person whom the visitor stands in for now."""
    me, hidden = visit.visitor().user_id, list(asked.hidden)
    found = []
    for absent_id in inbox.deputised(session, me):
        count = inbox.count_for(session, me, absent_id, hidden=hidden)
        url = f"{url_for('inbox.show')}?{urlencode({'box': 'deputising', 'for': absent_id})}"
        is_here = asked.box == "deputising" and asked.for_whom == absent_id
        found.append(Entry(absent_id, wording.person_name(absent_id), url, is_here, count=_number(count)))
    return found


def _views(session: Session, asked: Asked) -> list[Entry]:
    me = visit.visitor()
    views = inbox_view.views_of(session, me.user_id, me.roles)
    owners = {
        one.id: one for one in session.scalars(select(User).where(User.id.in_({view.owner_id for view in views})))
    }
    return [_view(session, view, owners, asked) for view in views]


def _view(session: Session, view: InboxView, owners: dict[str, User], asked: Asked) -> Entry:
    mine = view.owner_id == visit.visitor().user_id
    owner = owners[view.owner_id]
    return Entry(
        view.id, view.name, url_for("inbox.show", view=view.id), asked.view is not None and asked.view.id == view.id,
        count=_counted(session, view, asked), colour=view.colour, owner="" if mine else owner.name,
        has_left=not owner.is_active,
    )  # fmt: skip


def _counted(session: Session, view: InboxView, asked: Asked) -> str:
    """Count what a view shows the visitor; a search that makes no sense any more counts nothing and says so when it is opened."""
    try:
        search = inbox_query.read(session, view.query, now=visit.now()).understood()
    except Refused:
        return "?"
    hidden = list(asked.hidden)
    narrowed = Narrowing(only=hidden) if view.box == "snoozed" else Narrowing(hidden=hidden)
    found = inbox.count(
        session, visit.visitor().user_id, box=view.box, query=search, most=MOST_COUNTED, narrowed=narrowed
    )
    return f"{MOST_COUNTED - 1}+" if found >= MOST_COUNTED else str(found)
