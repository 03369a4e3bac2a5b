"""Inboxes: a page of what is somebody's to do, and how much there is.

A page reads one page, a count reads counters.

Every principal somebody may act under has its own run in the index of the wanted order; a page takes the first rows
of each, merges them and looks up the tasks. So the cost depends on the page and on the number of principals, not on
how many tasks are open. The principals are one parameter: the statement is the same for three of them and for three hundred.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    bindparam,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from engine import eligibility, inbox_query
from engine.canonical import canonical
from engine.clock import now_of
from engine.database import IdType, is_id
from engine.errors import Invalid
from engine.ports import Mandate
from engine.stored.instance import Instance
from engine.stored.task import CandidateSetMember, QueueCount, Task, TaskCandidate

BOXES = ("mine", "groups", "decided", "requests")
SORTS: Mapping[str, bool] = {
    "due": False,
    "priority": True,
    "created": False,
    "amount": True,
    "party": False,
    "business_key": False,
}
"""Orders by name, and whether the largest comes first."""

MAX_LIMIT = 200
MAX_PRINCIPALS = 600

_ROWS = TaskCandidate.__table__
"""The table itself: somebody may be in hundreds of groups, and mapped columns take far longer to put together."""

_COLUMNS = {
    "due": _ROWS.c.due_at,
    "priority": _ROWS.c.priority,
    "created": _ROWS.c.created_at,
    "amount": _ROWS.c.amount,
    "party": _ROWS.c.party,
    "business_key": _ROWS.c.business_key,
}
_READ: Mapping[str, Callable[[str], Any]] = {
    "due": dt.datetime.fromisoformat,
    "priority": int,
    "created": dt.datetime.fromisoformat,
    "amount": Decimal,
    "party": str,
    "business_key": str,
}


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


def page(
    session: Session,
    user_id: str,
    *,
    box: str = "mine",
    query: str = "",
    sort: str = "due",
    after: str | None = None,
    limit: int = 50,
) -> Page:
    """Return a page of somebody's tasks (or, in ``requests``, of the instances they started).

    box: ``mine`` (given to me by name, or claimed), ``groups`` (my roles, and those I deputise for), ``decided``,
    ``requests``. query: see ``inbox_query``. sort: see ``SORTS``; ``decided`` and ``requests`` show the newest first.
    after: ``next`` of the page before. Raises: Invalid.
    """
    if box not in BOXES:
        raise Invalid(f"Expected one of the boxes {', '.join(BOXES)}, but found {box}", {"box": "unknown"})
    if sort not in SORTS:
        raise Invalid(f"Expected one of the orders {', '.join(SORTS)}, but found {sort}", {"sort": "unknown"})
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(f"Expected 1 to {MAX_LIMIT} rows, but found {limit}", {"limit": f"1 to {MAX_LIMIT}"})
    now = now_of(session)
    search = inbox_query.read(query, now=now)
    if box == "decided":
        return _decided(session, user_id, search, after=after, limit=limit, now=now)
    if box == "requests":
        return _requests(session, user_id, query, after=after, limit=limit, now=now)
    mandates = _mandates(session, user_id, box, now=now)
    rows = _candidates(session, user_id, mandates, box=box, search=search, sort=sort, after=after, limit=limit)
    items = _items(session, [task_id for task_id, _ in rows[:limit]], mandates)
    return Page(items, _cursor(sort, rows[limit - 1][1], rows[limit - 1][0]) if len(rows) > limit else None, now)


def counts(session: Session, user_id: str) -> Counts:
    """Return how many open tasks somebody has, from the counters of the candidate sets they belong to."""
    now = now_of(session)
    own = f"user:{user_id}"
    mine = select(CandidateSetMember.set_id).where(CandidateSetMember.principal == own)
    rows = session.execute(
        select(QueueCount.queue, QueueCount.set_id.in_(mine), QueueCount.tasks).where(
            or_(*_queues(own, _mandates(session, user_id, "groups", now=now))), QueueCount.tasks != 0
        )
    )
    queues: dict[str, dict[str, int]] = {"mine": {}, "groups": {}}
    for queue, is_mine, tasks in rows:
        counted = queues["mine" if is_mine else "groups"]
        counted[queue] = counted.get(queue, 0) + tasks
    return Counts(sum(queues["mine"].values()), sum(queues["groups"].values()), now, queues)


def _queues(own: str, mandates: Mapping[str, Sequence[Mandate]]) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions under which a counter is somebody's; where a deputy is limited, only of those flows."""
    everywhere = [own]
    for principal, held in mandates.items():
        flows = _limit(held)
        if flows is None:
            everywhere.append(principal)
            continue
        limited = select(CandidateSetMember.set_id).where(CandidateSetMember.principal == principal)
        yield and_(QueueCount.set_id.in_(limited), QueueCount.queue.in_(flows))
    sets = select(CandidateSetMember.set_id).where(CandidateSetMember.principal.in_(everywhere)).distinct()
    yield QueueCount.set_id.in_(sets)


def _mandates(session: Session, user_id: str, box: str, *, now: dt.datetime) -> dict[str, list[Mandate]]:
    """Return the mandates of a box by principal, own ones first."""
    own = f"user:{user_id}"
    if box == "mine":
        return {own: [Mandate(own)]}
    found: dict[str, list[Mandate]] = {}
    for mandate in eligibility.directory_of(session).mandates(session, user_id, at=now, flow=""):
        if mandate.principal != own:
            found.setdefault(mandate.principal, []).append(mandate)
    return {name: found[name] for name in sorted(found)[:MAX_PRINCIPALS]}


def _limit(held: Sequence[Mandate]) -> list[str] | None:
    """Return the flows in which a principal is held, None when it is held in all."""
    if not all(mandate.flows for mandate in held):
        return None
    return sorted({flow for mandate in held for flow in mandate.flows})


def _candidates(
    session: Session,
    user_id: str,
    mandates: Mapping[str, Sequence[Mandate]],
    *,
    box: str,
    search: inbox_query.Search,
    sort: str,
    after: str | None,
    limit: int,
) -> list[tuple[str, Any]]:
    """Return (task id, sort value), one more than the limit if there are more."""
    if not mandates:
        return []
    column, descends = _COLUMNS[sort], SORTS[sort]
    narrowed: list[ColumnElement[bool]] = [] if box == "mine" else [_not_also_mine(user_id)]
    if after is not None:
        narrowed.append(_beyond(column, sort, after))
    branches = [
        _runs(session, principals, flows, column, narrowed, search=search, descends=descends, limit=limit)
        for flows, principals in _by_limit(mandates).items()
    ]
    merged = union_all(*branches).subquery()
    query: Select[Any] = select(merged.c.task_id, merged.c.value).distinct()
    found = session.execute(_ordered(query, merged.c.value, merged.c.task_id, descends).limit(limit + 1))
    return [(row.task_id, row.value) for row in found]


def _by_limit(mandates: Mapping[str, Sequence[Mandate]]) -> dict[tuple[str, ...] | None, list[str]]:
    """Return the principals by the flows that they are limited to, None for those that hold in all."""
    found: dict[tuple[str, ...] | None, list[str]] = {}
    for principal, held in mandates.items():
        flows = _limit(held)
        found.setdefault(None if flows is None else tuple(flows), []).append(principal)
    return found


def _runs(
    session: Session,
    principals: Sequence[str],
    flows: Sequence[str] | None,
    column: Any,
    narrowed: Sequence[ColumnElement[bool]],
    *,
    search: inbox_query.Search,
    descends: bool,
    limit: int,
) -> Select[Any]:
    """Return the first rows of each principal's run in the index: a lateral join, or on SQLite what comes to the same."""
    is_server = session.get_bind().dialect.name == "postgresql"
    if is_server:
        listed = func.unnest(bindparam(None, list(principals), ARRAY(String)))
        held = listed.table_valued("principal", name="held").render_derived()
    else:
        held = func.json_each(orjson.dumps(principals).decode()).table_valued("value", name="held")
    run = select(_ROWS.c.task_id, column.label("value")).where(_ROWS.c.principal == next(iter(held.c)), *narrowed)
    if not search.is_empty or flows is not None:
        run = run.join(Task, Task.id == _ROWS.c.task_id).where(*search.conditions)
    if flows is not None:
        run = run.where(Task.flow.in_(flows))
    first = _ordered(run, column, _ROWS.c.task_id, descends).limit(limit + 1)
    if is_server:
        lateral = first.lateral()
        return select(lateral.c.task_id, lateral.c.value).select_from(held).join(lateral, true())
    rows: Select[Any] = first.with_only_columns(literal_column("task_candidate.rowid")).correlate(held)
    again = _ROWS.alias("candidate")
    chosen = literal_column("candidate.rowid").in_(rows.scalar_subquery())
    return select(again.c.task_id, again.c[column.key].label("value")).select_from(held).join(again, chosen)


def _ordered(query: Select[Any], column: Any, task_id: Any, descends: bool) -> Select[Any]:
    return query.order_by(column.desc(), task_id.desc()) if descends else query.order_by(column, task_id)


def _not_also_mine(user_id: str) -> ColumnElement[bool]:
    own = _ROWS.alias("own")
    mine = exists().where(own.c.principal == f"user:{user_id}", own.c.task_id == _ROWS.c.task_id).correlate(_ROWS)
    return ~mine


def _beyond(column: Any, sort: str, after: str) -> ColumnElement[bool]:
    value, task_id = _place(sort, after, _READ[sort])
    place = tuple_(literal(value, column.type), literal(task_id, IdType()))
    row = tuple_(column, _ROWS.c.task_id)
    beyond: ColumnElement[bool] = row < place if SORTS[sort] else row > place
    return beyond


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
    session: Session, user_id: str, search: inbox_query.Search, *, after: str | None, limit: int, now: dt.datetime
) -> Page:
    query = select(Task).where(Task.closed_by == user_id, *search.conditions)
    if after is not None:
        value, task_id = _place("closed", after, dt.datetime.fromisoformat)
        place = tuple_(literal(value, Task.closed_at.type), literal(task_id, IdType()))
        query = query.where(tuple_(Task.closed_at, Task.id) < place)
    found = list(session.scalars(query.order_by(Task.closed_at.desc(), Task.id.desc()).limit(limit + 1)))
    following = _cursor("closed", found[limit - 1].closed_at, found[limit - 1].id) if len(found) > limit else None
    return Page([_item(task, {}) for task in found[:limit]], following, now)


def _requests(session: Session, user_id: str, text: str, *, after: str | None, limit: int, now: dt.datetime) -> Page:
    query = select(Instance).where(Instance.started_by == user_id)
    for word in text.split():
        query = query.where(Instance.business_key.icontains(word.removeprefix("key:"), autoescape=True))
    if after is not None:
        value, instance_id = _place("started", after, dt.datetime.fromisoformat)
        place = tuple_(literal(value, Instance.started_at.type), literal(instance_id, IdType()))
        query = query.where(tuple_(Instance.started_at, Instance.id) < place)
    found = list(session.scalars(query.order_by(Instance.started_at.desc(), Instance.id.desc()).limit(limit + 1)))
    following = _cursor("started", found[limit - 1].started_at, found[limit - 1].id) if len(found) > limit else None
    items = [Item(row.id, row.business_key, row.process_id, None, instance=row) for row in found[:limit]]
    return Page(items, following, now)


def _cursor(sort: str, value: Any, row_id: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([sort, canonical(value), row_id])).decode().rstrip("=")


def _place(sort: str, after: str, read: Callable[[str], Any]) -> tuple[Any, str]:
    """Return the value and id that a cursor stands for. Raises: Invalid when it is none, or one of another order."""
    refusal = Invalid(f"Expected the cursor of a page in the order {sort}, but it is none", {"after": "unknown"})
    try:
        made_for, text, row_id = orjson.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        place = read(text), str(row_id)
    except (ValueError, TypeError, binascii.Error, InvalidOperation) as error:
        raise refusal from error
    if made_for != sort or not is_id(place[1]):
        raise refusal
    return place
