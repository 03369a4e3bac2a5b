"""The watchdog: every running instance has what can wake it, token by token, or an incident that says what is missing.

An act sees to it that this is so (``keeping``); what somebody changed in the database directly is found by looking again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import incidents, loading, motion, variables, waiting
from engine.errors import Conflict
from engine.spiff import Flow, Wait
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.job import Job, JobState
from engine.stored.task import Task, TaskState
from engine.stored.wait import Incident, IncidentState, MessageSubscription, SignalSubscription, Timer

if TYPE_CHECKING:
    from engine.act import Installation

_log = logging.getLogger(__name__)

ACTOR = "system:watchdog"
CAUSE = "watchdog"
ROUND = 1000
"""How many instances one look takes; the next look goes on behind them."""

_OPEN_JOBS = (JobState.WAITING, JobState.RUNNING, JobState.FAILED)


@dataclass(slots=True)
class Rows:
    """What the tables hold for one instance: (token, kind) of what waits, and its open tasks by token."""

    kept: set[tuple[int, str]] = field(default_factory=set)
    tasks: dict[int, Task] = field(default_factory=dict)
    stuck: set[int] = field(default_factory=set)

    def has(self, wait: Wait) -> bool:
        """Whether what a token waits for is there; an incident of the token says why it is not."""
        key = motion.key_of(wait)
        if wait.kind in ("conditional", "activation"):
            return True  # It has no row: whatever moves the instance asks its condition again, or somebody chooses.
        if wait.is_changing and (wait.token_id, "job") not in self.kept and wait.token_id not in self.stuck:
            return False  # A listener is to hear of it, and nobody would tell it.
        return key in self.kept or (wait.kind in ("task", "job", "incident") and wait.token_id in self.stuck)


def examine(session: Session, instance: Instance) -> list[str]:
    """Return what is missing so that an instance could go on, in sentences; nothing when it is whole."""
    lost = variables.lost(session, [instance]).get(instance.id, ())
    return _examined(session, instance, rows_of(session, [instance.id]).get(instance.id, Rows()), lost)


def scan(installation: Installation, *, after: str = "", limit: int = ROUND) -> tuple[str, int]:
    """Look at some running instances and open an incident for each that is not whole.

    after: the id to go on from. Returns where the next look begins (empty: at the beginning) and how many incidents were opened.
    """
    with installation.reading() as session:
        wanted = select(Instance).where(Instance.status == InstanceStatus.RUNNING, Instance.id > after)
        looked_at = (
            list(session.scalars(wanted.order_by(Instance.id).limit(limit)))
            if after
            else list(
                session.scalars(
                    select(Instance).where(Instance.status == InstanceStatus.RUNNING).order_by(Instance.id).limit(limit)
                )
            )
        )
        known = rows_of(session, [one.id for one in looked_at])
        lost = variables.lost(session, looked_at)
        broken = [
            one.id for one in looked_at if _examined(session, one, known.get(one.id, Rows()), lost.get(one.id, ()))
        ]
    opened = sum(_report(installation, instance_id) for instance_id in broken)
    return (looked_at[-1].id if len(looked_at) == limit else ""), opened


def rows_of(session: Session, instance_ids: Sequence[str]) -> dict[str, Rows]:
    """Return what the tables hold, by instance."""
    found: dict[str, Rows] = {one: Rows() for one in instance_ids}
    tables: Iterable[tuple[str, Any]] = (
        ("timer", Timer),
        ("message", MessageSubscription),
        ("signal", SignalSubscription),
    )
    for kind, table in tables:
        rows = session.execute(select(table.instance_id, table.token_id).where(table.instance_id.in_(instance_ids)))
        for instance_id, token_id in rows:
            found[instance_id].kept.add((token_id, kind))
    jobs = select(Job.instance_id, Job.token_id).where(
        Job.instance_id.in_(instance_ids), Job.token_id.is_not(None), Job.state.in_(_OPEN_JOBS)
    )
    for instance_id, token_id in session.execute(jobs):
        if instance_id is not None and token_id is not None:
            found[instance_id].kept.add((token_id, "job"))
    for task in session.scalars(select(Task).where(Task.instance_id.in_(instance_ids), Task.state == TaskState.OPEN)):
        found[task.instance_id].kept.add((task.token_id, "task"))
        found[task.instance_id].tasks[task.token_id] = task
    stuck = select(Incident.instance_id, Incident.token_id).where(
        Incident.instance_id.in_(instance_ids), Incident.state == IncidentState.OPEN
    )
    for instance_id, token_id in session.execute(stuck):
        found[instance_id].stuck.add(token_id)
    return found


def put_right(moved: motion.Motion) -> None:
    """Let what is missing be made again when the move is stored, and what belongs to no token be closed."""
    rows = rows_of(moved.act.session, [moved.instance.id])[moved.instance.id]
    moved.flow.live.wake()
    before = {key: wait for key, wait in moved.before.items() if rows.has(wait) or wait.is_changing}
    for token_id, task in rows.tasks.items():
        if (token_id, "task") not in moved.before:
            before[token_id, "task"] = Wait(token_id, "task", task.element_id, task.process_id)
    are_jobs = [wait for wait in moved.before.values() if wait.kind == "job" or wait.is_changing]
    lost_jobs = [wait for wait in are_jobs if not rows.has(wait)]
    moved.before = before
    for wait in lost_jobs:
        moved.flow.hold(wait.token_id, "the job was lost")
        moved.flow.retry(wait.token_id)


def _examined(session: Session, instance: Instance, rows: Rows, lost: Sequence[str]) -> list[str]:
    if 0 in rows.stuck:
        return []  # Somebody is told already.
    try:
        flow = waiting.look(session, instance)
        waits = flow.waits()
    except Conflict as unreadable:
        return [unreadable.message]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return [loading.unreadable(instance, error).message]
    found = [f"the value of {name} is missing or another one: set it anew" for name in lost]
    found += [f"the {_words(wait)} at {wait.element_id} is missing" for wait in waits if not rows.has(wait)]
    found += [f"a task at {task.element_id} is open that nothing waits for" for task in _orphans(flow, rows)]
    due = min((wait.due for wait in waits if wait.due is not None), default=None)
    if instance.suspended_at is None and due != instance.wake_at and not found:
        found.append(
            f"it is to be woken at {instance.wake_at or 'no time'}, but its earliest timer is due at {due or 'none'}"
        )
    return found


def _orphans(flow: Flow, rows: Rows) -> list[Task]:
    return [task for token_id, task in sorted(rows.tasks.items()) if token_id not in flow.live]


def _words(wait: Wait) -> str:
    return {"message": "wait for a message", "signal": "wait for a signal", "incident": "incident"}.get(
        wait.kind, wait.kind
    )


def _report(installation: Installation, instance_id: str) -> int:
    with installation.acting(ACTOR) as act:
        instance = motion.lock(act, instance_id)
        found = examine(act.session, instance) if instance.status == InstanceStatus.RUNNING else []
        if not found:
            return 0
        message = f"Expected {instance.business_key} to have what can wake it, but {'; '.join(found)}. Try again makes it anew."
        _log.error("instance %s is not whole: %s", instance_id, "; ".join(found))
        incidents.report(act, instance, 0, instance.process_id, cause=CAUSE, message=message)
    return 1
