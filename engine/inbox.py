"""Inboxes: a page of what is somebody's to do, and how much there is.

A page reads one page, a count reads counters.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session

from engine import eligibility, inbox_order, inbox_query, inbox_rows
from engine.clock import now_of
from engine.database import IdType
from engine.errors import Invalid
from engine.inbox_order import ROWS, SORTS
from engine.inbox_query import Search
from engine.ports import Mandate
from engine.stored.instance import Instance
from engine.stored.task import CandidateSetMember, QueueCount, Task, TaskState

__all__ = ["BOXES", "MAX_LIMIT", "SORTS", "Counts", "Item", "Page", "count", "counts", "deputised", "page"]

BOXES = ("mine", "groups", "decided", "requests")
OPEN_BOXES = ("mine", "groups", "deputising", "snoozed")
"""Boxes of open tasks; of the last two only a caller that says for whom, and which tasks, can ask."""

MAX_LIMIT = 200
MAX_PRINCIPALS = 600


@dataclass(frozen=True, slots=True)
class Item:
    """One row of an inbox. task: None in ``requests``. on_behalf_of: whose deputy one is for it; principal.

    What fits.
    """

    instance_id: str
    business_key: str
    flow: str
    task: Task | None
    instance: Instance | None = None
    principal: str | None = None
    on_behalf_of: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where to go on. next: for ``after``, None on the last page. as_of: when this was true."""

    items: Sequence[Item]
    next: str | None
    as_of: dt.datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """Open tasks by box, and within each by flow."""

    mine: int
    groups: int
    as_of: dt.datetime
    queues: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a list leaves out or keeps to, beside its box. since: only tasks that were opened later.

    hidden: ids of tasks that are put aside. only: ids that it keeps to. for_whom: whose deputy one is, in ``deputising``.
    """

    hidden: Collection[str] = ()
    only: Collection[str] | None = None
    for_whom: str | None = None
    since: dt.datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on candidate rows."""
        if self.hidden:
            yield ROWS.c.task_id.not_in(list(self.hidden))
        if self.only is not None:
            yield ROWS.c.task_id.in_(list(self.only))
        if self.since is not None:
            yield ROWS.c.created_at > self.since


EVERYTHING = Narrowing()


def page(
    session: Session,
    user_id: str,
    *,
    box: str = "mine",
    query: str | Search = "",
    sort: str = "due",
    after: str | None = None,
    limit: int = 50,
    narrowed: Narrowing = EVERYTHING,
) -> Page:
    """Return a page of somebody's tasks (or, in ``requests``, of the instances they started).

    box: ``mine`` (given to me by name, or claimed), ``groups`` (my roles, and those I deputise for), ``deputising`` (those
    of one absent person), ``snoozed`` (both, of ``narrowed.only``), ``decided``, ``requests``. query: see
    ``inbox_query``; as text it must make sense whole, read before it is taken as it was understood. sort: fields of
    ``SORTS``, separated by commas; ``decided`` and ``requests`` show the newest first. after: ``next`` of the page before.
    Raises: Invalid.
    """
    if box not in BOXES and box not in OPEN_BOXES:
        raise Invalid(f"Expected one of the boxes {', '.join(BOXES)}, but found {box[:40]}", {"box": "unknown"})
    order = inbox_order.read(sort)
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(f"Expected 1 to {MAX_LIMIT} rows, but found {limit}", {"limit": f"1 to {MAX_LIMIT}"})
    now = now_of(session)
    if box == "requests":
        return _requests(session, user_id, _text_of(query), after=after, limit=limit, now=now)
    search = query if isinstance(query, Search) else inbox_query.read(session, query, now=now).understood()
    if box == "decided":
        return _decided(session, user_id, search, after=after, limit=limit, now=now)
    mandates = _mandates(session, user_id, box, for_whom=narrowed.for_whom, now=now)
    asked = inbox_rows.Asked(box, search, order, after, narrowed)
    rows = inbox_rows.candidates(session, user_id, mandates, asked, limit=limit)
    items = _items(session, [row[0] for row in rows[:limit]], mandates)
    following = inbox_order.cursor(order.text, rows[limit - 1][1:], rows[limit - 1][0]) if len(rows) > limit else None
    return Page(items, following, now)


def count(
    session: Session, user_id: str, *, box: str, query: Search, most: int, narrowed: Narrowing = EVERYTHING
) -> int:
    """Return how many tasks a search finds in a box of open tasks, ``most`` when there are as many or more."""
    mandates = _mandates(session, user_id, box, for_whom=narrowed.for_whom, now=now_of(session))
    asked = inbox_rows.Asked(box, query, inbox_order.read("due"), None, narrowed)
    return len(inbox_rows.candidates(session, user_id, mandates, asked, limit=most - 1))


def counts(session: Session, user_id: str, *, hidden: Collection[str] = ()) -> Counts:
    """Return how many open tasks somebody has, from the counters of the candidate sets they belong to.

    hidden: ids of tasks that are not to be counted.
    """
    now = now_of(session)
    own = f"user:{user_id}"
    mine = select(CandidateSetMember.set_id).where(CandidateSetMember.principal == own)
    mandates = _mandates(session, user_id, "groups", now=now)
    within = or_(*_queues([own], mandates))
    rows = list(
        session.execute(
            select(QueueCount.queue, QueueCount.set_id.in_(mine), QueueCount.tasks).where(within, QueueCount.tasks != 0)
        )
    )
    if hidden:
        aside = (
            select(Task.flow, Task.set_id.in_(mine), -func.count())
            .join(QueueCount, and_(QueueCount.set_id == Task.set_id, QueueCount.queue == Task.flow))
            .where(Task.id.in_(list(hidden)), Task.state == TaskState.OPEN, within)
            .group_by(Task.flow, Task.set_id)
        )
        rows += session.execute(aside)
    queues: dict[str, dict[str, int]] = {"mine": {}, "groups": {}}
    for queue, is_mine, tasks in rows:
        counted = queues["mine" if is_mine else "groups"]
        counted[queue] = counted.get(queue, 0) + tasks
    return Counts(sum(queues["mine"].values()), sum(queues["groups"].values()), now, queues)


def deputised(session: Session, user_id: str) -> list[str]:
    """Return the ids of the people whom somebody stands in for now, in any flow."""
    held = eligibility.directory_of(session).mandates(session, user_id, at=now_of(session), flow="")
    return list(dict.fromkeys(one.on_behalf_of for one in held if one.on_behalf_of))


def count_for(session: Session, user_id: str, absent_id: str, *, hidden: Collection[str] = ()) -> int:
    """Return how many open tasks somebody may take as the deputy of another person, from the counters."""
    mandates = _mandates(session, user_id, "deputising", for_whom=absent_id, now=now_of(session))
    if not mandates:
        return 0
    mine = select(CandidateSetMember.set_id).where(CandidateSetMember.principal == f"user:{user_id}")
    within = and_(or_(*_queues([], mandates)), QueueCount.set_id.not_in(mine))
    found = session.scalar(select(func.coalesce(func.sum(QueueCount.tasks), 0)).where(within)) or 0
    if hidden:
        aside = (
            select(func.count())
            .select_from(Task)
            .join(QueueCount, and_(QueueCount.set_id == Task.set_id, QueueCount.queue == Task.flow))
            .where(Task.id.in_(list(hidden)), Task.state == TaskState.OPEN, within)
        )
        found -= session.scalar(aside) or 0
    return int(found)


def _queues(own: Sequence[str], mandates: Mapping[str, Sequence[Mandate]]) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions under which a counter is somebody's; where a deputy is limited, only of those flows."""
    everywhere = [*own]
    for principal, held in mandates.items():
        flows = inbox_rows.flows_of(held)
        if flows is None:
            everywhere.append(principal)
            continue
        limited = select(CandidateSetMember.set_id).where(CandidateSetMember.principal == principal)
        yield and_(QueueCount.set_id.in_(limited), QueueCount.queue.in_(flows))
    sets = select(CandidateSetMember.set_id).where(CandidateSetMember.principal.in_(everywhere)).distinct()
    yield QueueCount.set_id.in_(sets)


def _mandates(
    session: Session, user_id: str, box: str, *, now: dt.datetime, for_whom: str | None = None
) -> dict[str, list[Mandate]]:
    """Return the mandates of a box by principal, own ones first."""
    own = f"user:{user_id}"
    if box == "mine":
        return {own: [Mandate(own)]}
    found: dict[str, list[Mandate]] = {own: [Mandate(own)]} if box == "snoozed" else {}
    for mandate in eligibility.directory_of(session).mandates(session, user_id, at=now, flow=""):
        if mandate.principal != own and (box != "deputising" or mandate.on_behalf_of == for_whom):
            found.setdefault(mandate.principal, []).append(mandate)
    return {name: found[name] for name in sorted(found)[:MAX_PRINCIPALS]}


def _items(session: Session, task_ids: Sequence[str], mandates: Mapping[str, Sequence[Mandate]]) -> list[Item]:
    found = {task.id: task for task in session.scalars(select(Task).where(Task.id.in_(task_ids)))} if task_ids else {}
    return [_item(found[task_id], mandates) for task_id in task_ids if task_id in found]


def _item(task: Task, mandates: Mapping[str, Sequence[Mandate]]) -> Item:
    names = [f"user:{task.assignee}"] if task.assignee else task.candidates
    held = (mandate for name in names for mandate in mandates.get(name, ()))
    fitting = [mandate for mandate in held if not mandate.flows or task.flow in mandate.flows]
    fitting.sort(key=lambda mandate: mandate.on_behalf_of is not None)
    mandate = fitting[0] if fitting else None
    return Item(
        task.instance_id,
        task.business_key,
        task.flow,
        task,
        principal=mandate.principal if mandate else None,
        on_behalf_of=mandate.on_behalf_of if mandate else None,
    )


def _decided(
    session: Session, user_id: str, search: Search, *, after: str | None, limit: int, now: dt.datetime
) -> Page:
    query = select(Task).where(Task.closed_by == user_id, *search.conditions)
    if after is not None:
        query = query.where(_before(Task.closed_at, Task.id, "closed", after))
    found = list(session.scalars(query.order_by(Task.closed_at.desc(), Task.id.desc()).limit(limit + 1)))
    last = found[limit - 1] if len(found) > limit else None
    following = inbox_order.cursor("closed", [last.closed_at], last.id) if last else None
    return Page([_item(task, {}) for task in found[:limit]], following, now)


def _requests(session: Session, user_id: str, text: str, *, after: str | None, limit: int, now: dt.datetime) -> Page:
    query = select(Instance).where(Instance.started_by == user_id)
    for word in text.split():
        query = query.where(Instance.business_key.icontains(word.removeprefix("key:"), autoescape=True))
    if after is not None:
        query = query.where(_before(Instance.started_at, Instance.id, "started", after))
    found = list(session.scalars(query.order_by(Instance.started_at.desc(), Instance.id.desc()).limit(limit + 1)))
    last = found[limit - 1] if len(found) > limit else None
    following = inbox_order.cursor("started", [last.started_at], last.id) if last else None
    items = [Item(row.id, row.business_key, row.process_id, None, instance=row) for row in found[:limit]]
    return Page(items, following, now)


def _before(moment: Any, row_id: Any, text: str, after: str) -> ColumnElement[bool]:
    """Return that a row comes after a place in a list that shows the newest first. Raises: Invalid for a wrong cursor."""
    [value], found_id = inbox_order.read_cursor(after, text, [dt.datetime.fromisoformat])
    place = tuple_(literal(value, moment.type), literal(found_id, IdType()))
    before: ColumnElement[bool] = tuple_(moment, row_id) < place
    return before


def _text_of(query: str | Search) -> str:
    """Return the words of a search among requests, which are found by their keys. Raises: Invalid when they are too long."""
    if isinstance(query, Search):
        raise Invalid("Expected words to find a request by, but found a search for tasks", {"query": "unknown"})
    if len(query) > inbox_query.MAX_TEXT:
        raise Invalid(
            f"Expected a search of at most {inbox_query.MAX_TEXT} characters, but it has {len(query)}",
            {"query": "too long"},
        )
    return query
