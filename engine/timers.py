"""Timers: let go off what is due, each instance in an act of its own."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine import incidents, motion, starts
from engine.database import is_away
from engine.errors import Conflict, Refused
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.wait import Timer

if TYPE_CHECKING:
    from engine.act import Act, Installation

ACTOR = "system:timer"
AGAIN = dt.timedelta(minutes=5)
"""After this long a start timer that failed is tried again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fired:
    """What a round of timers did. failed: a sentence for each instance whose timers could not be moved."""

    timers: int = 0
    instances: int = 0
    failed: tuple[str, ...] = ()


def fire_due(installation: Installation, *, now: dt.datetime | None = None, limit: int = 100) -> Fired:
    """Let the timers of at most ``limit`` instances and start events go off, the earliest first.

    An instance that is not due is not loaded. One that cannot move is reported and does not stop the others.
    """
    moment = now or installation.clock()
    due_instances = (
        select(Instance.id)
        .where(Instance.wake_at <= moment, Instance.status == InstanceStatus.RUNNING)
        .order_by(Instance.wake_at)
        .limit(limit)
    )
    due_starts = (
        select(Timer.id)
        .where(Timer.definition_id.is_not(None), Timer.due_at <= moment)
        .order_by(Timer.due_at)
        .limit(limit)
    )
    with installation.reading() as session:
        instance_ids, timer_ids = list(session.scalars(due_instances)), list(session.scalars(due_starts))
    fired, failed = 0, []
    for instance_id in instance_ids:
        try:
            fired += fire_for(installation, instance_id, now=moment)
        except Exception as error:
            if is_away(error):
                raise
            failed.append(_report(installation, instance_id, error, now=moment))
    for timer_id in timer_ids:
        try:
            fired += _start(installation, timer_id, now=moment)
        except Exception as error:
            if is_away(error):
                raise
            failed.append(_postpone(installation, timer_id, error, now=moment))
    return Fired(fired, len(instance_ids) + len(timer_ids), tuple(failed))


def fire_for(installation: Installation, instance_id: str, *, now: dt.datetime) -> int:
    """Let the overdue timers of one instance go off in an act of their own; return how many did."""
    with installation.acting(ACTOR, now=now) as act:
        return fire(act, motion.lock(act, instance_id))


def fire(act: Act, instance: Instance) -> int:
    """Let the overdue timers of a locked instance go off within this act."""
    if instance.status != InstanceStatus.RUNNING or instance.wake_at is None or instance.wake_at > act.now:
        return 0
    with motion.moving(act, instance) as moved:
        moved.fired += moved.flow.tick(act.now)
    return len(moved.fired)


def _start(installation: Installation, timer_id: str, *, now: dt.datetime) -> int:
    with installation.acting(ACTOR, now=now) as act:
        query = select(Timer).where(Timer.id == timer_id).with_for_update()
        timer = act.session.execute(query).scalar_one_or_none()
        if timer is None or timer.due_at > now:
            return 0
        starts.start_by_timer(act, timer, now)
        return 1


def _report(installation: Installation, instance_id: str, error: Exception, *, now: dt.datetime) -> str:
    """Keep why the timers of an instance could not go off, and let it rest until somebody helps; return the reason."""
    if isinstance(error, Conflict) and error.code != "UNREADABLE":
        return error.message  # Somebody else was faster or the database was busy: the next round tries again.
    why = _reason(error)
    _log.error("timers of instance %s failed", instance_id, exc_info=error)
    with installation.acting(ACTOR, now=now) as act:
        instance = motion.lock(act, instance_id)
        instance.wake_at = None
        message = f"Expected the timers of {instance.business_key} to go off, but: {why}"
        incidents.report(act, instance, 0, instance.process_id, cause="watchdog", message=message)
    return why


def _postpone(installation: Installation, timer_id: str, error: Exception, *, now: dt.datetime) -> str:
    """Let a start timer that failed try again in a while, and write down why."""
    why = _reason(error)
    _log.error("start timer %s failed", timer_id, exc_info=error)
    with installation.acting(ACTOR, now=now) as act:
        timer = act.session.get(Timer, timer_id)
        if timer is not None:
            timer.due_at = now + AGAIN
            act.note("definition", timer.definition_id or "", "START_FAILED", field=timer.element_id, new=why)
    return why


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
