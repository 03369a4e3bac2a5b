"""Suspend an instance: nothing moves it but operators until it is resumed. What came meanwhile then happens in its order."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine import jobs, motion
from engine.errors import Conflict, Invalid
from engine.spiff.codec import decode, encode
from engine.stored.instance import HeldSignal, Instance
from engine.stored.job import Job, JobState
from engine.stored.wait import Message, MessageState

if TYPE_CHECKING:
    from engine.act import Act

MAX_REASON = 4000


def suspend(act: Act, instance_id: str, reason: str) -> Instance:
    """Let an instance rest: tasks stay but are not decided, timers and jobs wait, messages and signals are kept for it.

    Raises: NotFound; Conflict when it has ended or rests already; Invalid without a reason.
    """
    reason = reason_for(reason, "suspending")
    instance = motion.running(motion.lock(act, instance_id))
    if instance.suspended_at is not None:
        raise Conflict(motion.rests(act.session, instance, "to go on"), code="SUSPENDED")
    instance.suspended_at, instance.suspended_by, instance.suspended_why = act.now, act.user_id or act.actor, reason
    instance.wake_at = None
    act.note("instance", instance.id, "SUSPENDED", reason=reason)
    return instance


def resume(act: Act, instance_id: str, reason: str = "") -> Instance:
    """Let a suspended instance go on: what came and what fell due meanwhile happens now, the earliest first.

    Raises: NotFound; Conflict when it is not suspended, or has ended.
    """
    instance = motion.running(motion.lock(act, instance_id))
    if instance.suspended_at is None:
        raise Conflict(f"Expected {instance.business_key} to be suspended, but it goes on", code="NOT_SUSPENDED")
    act.note("instance", instance.id, "RESUMED", old=instance.suspended_at, reason=reason.strip() or None)
    instance.suspended_at = instance.suspended_by = instance.suspended_why = None
    act.session.flush()
    while _catch_up(act, instance):
        act.session.flush()
    _offer_jobs(act, instance)
    return instance


def reason_for(reason: str, what: str) -> str:
    """Return a reason without the space around it. Raises: Invalid for none, or for one that is too long."""
    words = reason.strip()
    if not words or len(words) > MAX_REASON:
        raise Invalid(
            f"Expected a reason of 1 to {MAX_REASON:,} characters for {what}, but it has {len(words):,}",
            {"reason": "is required" if not words else "is too long"},
        )
    return words


def keep_signal(act: Act, instance: Instance, name: str, variables: dict[str, Any], *, sent_at: dt.datetime) -> None:
    """Keep a signal for an instance that rests."""
    act.session.add(HeldSignal(instance_id=instance.id, name=name, variables=encode(variables), sent_at=sent_at))
    act.note("instance", instance.id, "SIGNAL_HELD", field=name)


def _offer_jobs(act: Act, instance: Instance) -> None:
    """Tell workers again of the jobs that they left alone meanwhile."""
    if act.installation.carrier is not None and instance.closed_at is None:
        waiting = select(Job).where(
            Job.instance_id == instance.id, Job.token_id.is_not(None), Job.state == JobState.WAITING
        )
        for job in act.session.scalars(waiting):
            jobs.carry(act, job)


def _catch_up(act: Act, instance: Instance) -> bool:
    """Let the earliest thing that came meanwhile happen, after the timers that fell due before it; False when it was the last."""
    with motion.moving(act, instance) as moved:
        came = _earliest(act, moved)
        until = _sent_at(came) if came is not None else act.now
        moved.fired += moved.flow.tick(min(until, act.now))
        if isinstance(came, HeldSignal):
            act.session.delete(came)
            moved.why = f"the signal {came.name} came"
            moved.flow.signal(came.name, decode(came.variables))
            act.note("instance", instance.id, "SIGNAL", field=came.name)
        elif came is not None:
            _hear(act, moved, came)
    return came is not None and instance.closed_at is None


def _hear(act: Act, moved: motion.Motion, message: Message) -> None:
    """Give a message to the token that waits for it, unless a timer that was due before took it away."""
    heard = (message.name, message.correlation_key)
    for wait in moved.flow.waits():
        if wait.kind == "message" and (wait.message_name, wait.correlation_key or "") == heard:
            moved.why = f"the message {message.name} came first"
            moved.flow.deliver(wait.token_id, decode(message.variables))
            message.state, message.instance_id = MessageState.CORRELATED, moved.instance.id
            act.note("instance", moved.instance.id, "MESSAGE", field=message.name, new=message.correlation_key)
            return


def _earliest(act: Act, moved: motion.Motion) -> Message | HeldSignal | None:
    signal = act.session.scalars(
        select(HeldSignal)
        .where(HeldSignal.instance_id == moved.instance.id)
        .order_by(HeldSignal.sent_at, HeldSignal.id)
    ).first()
    found: list[Message | HeldSignal] = [signal] if signal is not None else []
    for wait in moved.flow.waits():
        if wait.kind == "message":
            kept = select(Message).where(
                Message.name == wait.message_name,
                Message.correlation_key == (wait.correlation_key or ""),
                Message.state == MessageState.STORED,
                Message.expires_at > act.now,
            )
            # Locked, so that nobody else delivers it at the same moment.
            oldest = kept.order_by(Message.published_at, Message.id).limit(1).with_for_update(skip_locked=True)
            found += list(act.session.scalars(oldest))
    return min(found, key=_sent_at, default=None)


def _sent_at(came: Message | HeldSignal) -> dt.datetime:
    return came.sent_at if isinstance(came, HeldSignal) else came.published_at
