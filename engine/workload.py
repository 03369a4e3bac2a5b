"""What waits for whom, and how long: counts of open tasks by step, by person or group and by age, and what came and went each week.

The same conditions narrow the list of tasks, so that each count is the length of a list. Ages are counted from when a task was
opened. A median is the lower one of two, a p90 the age that nine of ten do not exceed (nearest rank): both are ages of real tasks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from engine.errors import Invalid
from engine.stored.task import Task, TaskCandidate, TaskState

AGES = (
    # key, words, from and to in days; the last has no end.
    ("d1", "up to a day", 0, 1),
    ("d3", "1 to 3 days", 1, 3),
    ("d7", "3 to 7 days", 3, 7),
    ("d14", "1 to 2 weeks", 7, 14),
    ("d30", "2 weeks to 30 days", 14, 30),
    ("more", "over 30 days", 30, None),
)
WEEKS = 12
"""Weeks that came and went are counted over, this one included."""

MOST_GROUPS = 100
"""People and groups, or steps, at most; the longest queues are named."""

DUE = ("late", "none")
WAYS = ("opened", "done")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which tasks. flow: of the root instance; step: process and element, ``order_to_close/decide``; who: a principal, ``role:BUYER``.

    age: a key of ``AGES``; due: ``late``, or ``none`` for tasks without a due date; week: the Monday of a week, in which tasks were
    ``way`` (opened or done), whether they still wait or not. With no week: tasks that wait now.
    """

    flow: str = ""
    step: str = ""
    who: str = ""
    age: str = ""
    due: str = ""
    week: dt.date | None = None
    way: str = ""

    def __post_init__(self) -> None:
        """Refuse what means nothing. Raises: Invalid with the field."""
        wrong = {
            "step": bool(self.step) and self.step.count("/") != 1,
            "age": self.age not in ("", *(key for key, *_ in AGES)),
            "due": self.due not in ("", *DUE),
            "way": self.way not in ("", *WAYS),
            "week": (self.week is None) != (not self.way) or (self.week is not None and self.week.weekday() != 0),
        }
        fields = {name: "is unknown" for name, is_wrong in wrong.items() if is_wrong}
        if fields:
            raise Invalid(
                f"Expected a narrowing of the open tasks, but {', '.join(fields)} cannot be understood", fields
            )


@dataclass(frozen=True, slots=True)
class Spread:
    """How long tasks have waited. median, p90, longest: ages; None where none waits."""

    tasks: int
    late: int
    median: dt.timedelta | None = None
    p90: dt.timedelta | None = None
    longest: dt.timedelta | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits at one step or for one principal. key: what ``Asked`` takes; name: of the step, or the principal."""

    key: str
    name: str
    flow: str
    spread: Spread


@dataclass(frozen=True, slots=True)
class Queues:
    """The longest queues. groups: how many there are in all."""

    groups: int
    rows: Sequence[Queue]


@dataclass(frozen=True, slots=True)
class Week:
    """What came and went in the seven days from a Monday (in the zone that was asked for)."""

    begins_on: dt.date
    opened: int
    done: int


def conditions(asked: Asked, *, now: dt.datetime, zone: dt.tzinfo = dt.UTC) -> Iterator[ColumnElement[bool]]:
    """Yield what a task must be. zone: where a week begins on Monday at midnight."""
    if asked.week is None:
        yield Task.state == TaskState.OPEN
    else:
        column = Task.created_at if asked.way == "opened" else Task.closed_at
        begin, end = _bounds(asked.week, zone)
        yield and_(column >= begin, column < end)
        if asked.way == "done":
            yield Task.state == TaskState.COMPLETED
    if asked.flow:
        yield Task.flow == asked.flow
    if asked.step:
        process_id, _, element_id = asked.step.partition("/")
        yield and_(Task.process_id == process_id, Task.element_id == element_id)
    if asked.who:
        # Under a name of its own: whoever counts by principal reads the same table beside it.
        held = aliased(TaskCandidate)
        yield exists().where(held.task_id == Task.id, held.principal == asked.who)
    if asked.age:
        yield _age(asked.age, now)
    if asked.due:
        yield Task.due_at < now if asked.due == "late" else Task.due_at.is_(None)


def _age(key: str, now: dt.datetime) -> ColumnElement[bool]:
    first, last = next((first, last) for name, _, first, last in AGES if name == key)
    since = Task.created_at <= now - dt.timedelta(days=first) if first else Task.created_at <= now + dt.timedelta(1)
    return since if last is None else and_(since, Task.created_at > now - dt.timedelta(days=last))


def _bounds(monday: dt.date, zone: dt.tzinfo) -> tuple[dt.datetime, dt.datetime]:
    begin, end = (
        dt.datetime.combine(monday + dt.timedelta(days=days), dt.time(), zone).astimezone(dt.UTC) for days in (0, 7)
    )
    return begin, end


def spread(session: Session, asked: Asked, *, now: dt.datetime) -> Spread:
    """Return how long tasks have waited, all together."""
    found = _spreads(session, _of_tasks(asked, (), now=now), now=now, most=1)
    return found.rows[0].spread if found.rows else Spread(0, 0)


def by_step(session: Session, asked: Asked, *, now: dt.datetime, most: int = MOST_GROUPS) -> Queues:
    """Return the steps that tasks wait at, the longest queue first."""
    return _spreads(session, _of_tasks(asked, (Task.process_id, Task.element_id), now=now), now=now, most=most)


def by_principal(session: Session, asked: Asked, *, now: dt.datetime, most: int = MOST_GROUPS) -> Queues:
    """Return whom tasks wait for, the longest queue first; one that several may take counts with each of them."""
    return _spreads(session, _of_candidates(asked, now=now), now=now, most=most)


def by_age(session: Session, asked: Asked, *, now: dt.datetime) -> list[tuple[str, str, int]]:
    """Return (key, words, tasks) of each age, the youngest first."""
    counted = [func.count(case((_age(key, now), 1))) for key, *_ in AGES]
    row = session.execute(select(*counted).where(*conditions(replace(asked, age=""), now=now))).one()
    return [(key, words, tasks) for (key, words, _, _), tasks in zip(AGES, row, strict=True)]


def by_week(session: Session, asked: Asked, *, now: dt.datetime, zone: dt.tzinfo, weeks: int = WEEKS) -> list[Week]:
    """Return what was opened and what people did in each of the last weeks, the oldest first. Of ``asked``, flow and step count."""
    today = now.astimezone(zone).date()
    this = today - dt.timedelta(days=today.weekday())
    mondays = [this - dt.timedelta(weeks=back) for back in range(weeks - 1, -1, -1)]
    counted, first = [], _bounds(mondays[0], zone)[0]
    for monday in mondays:
        for way in WAYS:
            of_week = Asked(flow=asked.flow, step=asked.step, week=monday, way=way)
            counted.append(func.count(case((and_(*conditions(of_week, now=now, zone=zone)), 1))))
    row = session.execute(select(*counted).where(or_(Task.created_at >= first, Task.closed_at >= first))).one()
    return [Week(monday, row[2 * place], row[2 * place + 1]) for place, monday in enumerate(mondays)]


def flows(session: Session) -> list[str]:
    """Return the flows that something waits in."""
    wanted = select(Task.flow).where(Task.state == TaskState.OPEN).distinct()
    return list(session.scalars(wanted.order_by(Task.flow)))


def listed(asked: Asked, *, now: dt.datetime, zone: dt.tzinfo) -> Select[Task]:
    """Return the statement that finds the tasks."""
    return select(Task).where(*conditions(asked, now=now, zone=zone))


def count(session: Session, asked: Asked, *, now: dt.datetime, zone: dt.tzinfo) -> int:
    """Return how many tasks there are."""
    wanted = select(func.count()).select_from(Task).where(*conditions(asked, now=now, zone=zone))
    return session.scalar(wanted) or 0


@dataclass(frozen=True, slots=True)
class _Source:
    """Rows to count: what they are grouped by, when each was opened and is due, and which of them count.

    words: name and flow of a group, for groups that have them.
    """

    by: Sequence[Any]
    created_at: Any
    due_at: Any
    row_id: Any
    where: Sequence[ColumnElement[bool]]
    words: Sequence[Any] = ()
    joined: bool = False


def _of_tasks(asked: Asked, by: Sequence[Any], *, now: dt.datetime) -> _Source:
    words = (func.min(Task.name), func.min(Task.flow)) if by else ()
    return _Source(by, Task.created_at, Task.due_at, Task.id, list(conditions(asked, now=now)), words)


def _of_candidates(asked: Asked, *, now: dt.datetime) -> _Source:
    """Return the rows of candidates, which are kept for open tasks alone and carry what is asked most: only a step needs the tasks."""
    row, by = TaskCandidate, (TaskCandidate.principal,)
    if asked == Asked(flow=asked.flow, who=asked.who):
        held = aliased(TaskCandidate)
        where = [row.flow == asked.flow] if asked.flow else []
        if asked.who:
            where.append(exists().where(held.task_id == row.task_id, held.principal == asked.who))
        return _Source(by, row.created_at, row.due_at, row.task_id, where)
    return _Source(by, row.created_at, row.due_at, row.task_id, list(conditions(asked, now=now)), joined=True)


def _spreads(session: Session, source: _Source, *, now: dt.datetime, most: int) -> Queues:
    """Return the longest queues, in two statements: the counts of all groups, then the ages of three ranks in the longest."""
    members = func.count()
    late = func.count(case((source.due_at < now, 1)))
    wanted = select(*source.by, members, late, *source.words).where(*source.where).order_by(members.desc(), *source.by)
    counted = [row for row in session.execute(_joined(wanted, source).group_by(*source.by)) if row[len(source.by)]]
    width = len(source.by)
    ages = _ages(session, source, {tuple(row[:width]): row[width] for row in counted[:most]}, now=now)
    rows = [
        Queue("/".join(row[:width]), row[width + 2] if source.words else "/".join(row[:width]), row[width + 3] if source.words else "",
              Spread(row[width], row[width + 1], *ages[tuple(row[:width])]))
        for row in counted[:most]
    ]  # fmt: skip
    return Queues(len(counted), rows)


def _joined(wanted: Select[Any], source: _Source) -> Select[Any]:
    return wanted.join(Task, Task.id == TaskCandidate.task_id) if source.joined else wanted


def _ages(
    session: Session, source: _Source, members: Mapping[tuple[str, ...], int], *, now: dt.datetime
) -> dict[tuple[str, ...], list[dt.timedelta]]:
    """Return median, p90 and longest age of each group. members: how many it has, by which the ranks are known."""
    if not members:
        return {}
    # The oldest stands first, and the age of the rank r from the youngest at the rank n - r + 1 from there.
    ranks = {key: [many - (many * tenths + 9) // 10 + 1 for tenths in (5, 9, 10)] for key, many in members.items()}
    names = [column.label(f"by_{place}") for place, column in enumerate(source.by)]
    rank = func.row_number().over(partition_by=list(source.by) or None, order_by=(source.created_at, source.row_id))
    where = [*source.where, *([tuple_(*source.by).in_(list(members))] if source.by else [])]
    inner = _joined(
        select(*names, source.created_at.label("opened"), rank.label("rank")).where(*where), source
    ).subquery()
    places = sorted({(*key, each) for key, each_of in ranks.items() for each in each_of})
    chosen = (
        tuple_(*inner.c[: len(names)], inner.c.rank).in_(places)
        if names
        else inner.c.rank.in_([place[0] for place in places])
    )
    found = {(*row[:-2], row.rank): now - row.opened for row in session.execute(select(inner).where(chosen))}
    return {key: [found[(*key, each)] for each in each_of] for key, each_of in ranks.items()}
