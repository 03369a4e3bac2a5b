"""Timers: let go off what is due, each instance in an act of its own."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine import incidents, motion, starts
from engine.errors import Conflict, Refused
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.wait import Timer

if TYPE_CHECKING:
    from engine.act import Act, Installation

ACTOR = "system:timer"


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
        except Refused as refusal:
            failed.append(refusal.message)
            _report(installation, instance_id, refusal, now=moment)
    for timer_id in timer_ids:
        try:
            fired += _start(installation, timer_id, now=moment)
        except Refused as refusal:
            failed.append(refusal.message)
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


def _report(installation: Installation, instance_id: str, refusal: Refused, *, now: dt.datetime) -> None:
    """Keep why the timers of an instance could not go off, and let it rest until somebody helps."""
    if isinstance(refusal, Conflict):
        return  # Somebody else was faster or the database was busy: the next round tries again.
    with installation.acting(ACTOR, now=now) as act:
        instance = motion.lock(act, instance_id)
        instance.wake_at = None
        incidents.report(act, instance, 0, instance.process_id, cause="watchdog", message=refusal.message)
