"""How long runs wait at each step of a process: median and nine in ten, from what was done, for finding the bottleneck."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import definitions, words
from engine.clock import now_of
from engine.stored.definition import Definition
from engine.stored.instance import Activity, Instance
from engine.stored.job import Job, JobState
from engine.stored.task import Task, TaskState

MOST = 20_000
"""Rows of each kind that are looked at, the newest first."""

_OUTSIDE = frozenset({"receiveTask", "intermediateCatchEvent"})


@dataclass(frozen=True, slots=True)
class StepWait:
    """How long one step took. open_now: how many wait there now, the longest since open_since."""

    process_id: str
    element_id: str
    name: str
    kind: str
    count: int
    median: dt.timedelta | None
    p90: dt.timedelta | None
    open_now: int
    open_since: dt.datetime | None


def waits_of(session: Session, definition: Definition) -> list[StepWait]:
    """Return the steps of a process that somebody or something waits at, the slowest first; over all its versions."""
    process = definitions.parsed(session, definition.id).bundle.processes[definition.process_id]
    done, waiting = _people(session, process.id), _open(session, process.id)
    for source in (_workers(session, process.id), _outside(session, process.id)):
        for element_id, took in source.items():
            done[element_id] += took
    found = [
        _wait(process.id, element, done.get(element.id, []), waiting.get(element.id, []))
        for element in process.elements.values()
        if element.id in done or element.id in waiting
    ]
    return sorted(found, key=lambda one: (one.median or dt.timedelta(0), one.open_now), reverse=True)


def marks_of(session: Session, definition: Definition) -> dict[str, Any]:
    """Return the steps as the viewer paints tokens: words on each, the slowest in red."""
    waits = waits_of(session, definition)
    slowest = next((one.element_id for one in waits if one.median is not None), None)
    process = {"key": "", "process": definition.process_id, "name": definition.name, "crumbs": [], "tokens": len(waits)}
    return {
        "done": [],
        "tokens": [_mark(one, is_slowest=one.element_id == slowest) for one in waits],
        "views": [process],
    }


def said(one: StepWait) -> str:
    """Return how long a step takes, in a few words."""
    if one.median is None or one.p90 is None:
        return f"{one.open_now} waiting"
    return f"{words.span(one.median)}, 9 in 10 within {words.span(one.p90)}"


def _mark(one: StepWait, *, is_slowest: bool) -> dict[str, Any]:
    return {
        "element": one.element_id, "process": one.process_id, "view": "", "token": None, "name": one.name, "where": "",
        "words": said(one), "title": f"{one.name}: {said(one)} ({one.count} done, {one.open_now} waiting)", "incident": is_slowest,
    }  # fmt: skip


def _wait(process_id: str, element: Any, took: list[dt.timedelta], since: list[dt.datetime]) -> StepWait:
    ordered = sorted(took)
    return StepWait(
        process_id, element.id, element.name or element.id, element.kind, len(ordered), _within(ordered, 5), _within(ordered, 9),
        len(since), min(since, default=None),
    )  # fmt: skip


def _within(ordered: list[dt.timedelta], tenths: int) -> dt.timedelta | None:
    """Return the shortest time within which so many of ten were done."""
    return ordered[-(-len(ordered) * tenths // 10) - 1] if ordered else None


def _grouped(rows: Iterable[Any]) -> defaultdict[str, list[dt.timedelta]]:
    found: defaultdict[str, list[dt.timedelta]] = defaultdict(list)
    for element_id, began, ended in rows:
        if element_id is not None and ended is not None and ended >= began:
            found[element_id].append(ended - began)
    return found


def _people(session: Session, process_id: str) -> defaultdict[str, list[dt.timedelta]]:
    rows = select(Task.element_id, Task.created_at, Task.closed_at).where(
        Task.process_id == process_id, Task.state == TaskState.COMPLETED
    )
    return _grouped(session.execute(rows.order_by(Task.id.desc()).limit(MOST)))


def _open(session: Session, process_id: str) -> dict[str, list[dt.datetime]]:
    found: dict[str, list[dt.datetime]] = {}
    rows = select(Task.element_id, Task.created_at).where(Task.process_id == process_id, Task.state == TaskState.OPEN)
    for element_id, since in session.execute(rows.order_by(Task.id.desc()).limit(MOST)):
        found.setdefault(element_id, []).append(since)
    return found


def _workers(session: Session, process_id: str) -> defaultdict[str, list[dt.timedelta]]:
    rows = (
        select(Job.element_id, Job.created_at, Job.finished_at)
        .join(Instance, Instance.id == Job.instance_id)
        .where(Instance.process_id == process_id, Job.token_id.is_not(None), Job.state == JobState.DONE)
    )
    return _grouped(session.execute(rows.order_by(Job.id.desc()).limit(MOST)))


def _outside(session: Session, process_id: str) -> defaultdict[str, list[dt.timedelta]]:
    """Return how long messages and times were waited for: from when what came before was left until the event."""
    rows = list(
        session.execute(
            select(
                Activity.instance_id,
                Activity.token_id,
                Activity.element_id,
                Activity.kind,
                Activity.parents,
                Activity.left_at,
            )
            .where(Activity.process_id == process_id)
            .order_by(Activity.id.desc())
            .limit(MOST)
        )
    )
    left = {(row.instance_id, row.token_id): row.left_at for row in rows}
    return _grouped(
        (row.element_id, began, row.left_at)
        for row in rows
        if row.kind in _OUTSIDE
        and (
            began := max(
                (left[row.instance_id, one] for one in row.parents if (row.instance_id, one) in left), default=None
            )
        )
    )


def now_words(session: Session, since: dt.datetime | None) -> str:
    """Return how long the longest has waited, or nothing."""
    return words.span(now_of(session) - since) if since is not None else ""
