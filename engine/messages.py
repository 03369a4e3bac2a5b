"""Messages and signals: something from outside reaches the instances that wait for it, or is kept until one does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from engine import motion, starts, suspending
from engine.database import new_id
from engine.errors import Invalid
from engine.prepared import connection_of
from engine.spiff.codec import decode, encode
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.wait import Message, MessageState, MessageSubscription, SignalSubscription
from engine.variables import accepted

if TYPE_CHECKING:
    from engine.act import Act

TIME_TO_LIVE = dt.timedelta(days=30)
"""How long a message that nobody waits for yet is kept, unless its sender says otherwise."""


_KEPT = (
    select(Message.id)
    .where(
        Message.name == bindparam("name"),
        Message.correlation_key == bindparam("key"),
        Message.state == MessageState.STORED,
        Message.expires_at > bindparam("now"),
    )
    .order_by(Message.published_at, Message.id)
    .limit(1)
)
"""Built once: most waits for a message find none."""


class Reception(StrEnum):
    """What became of a publication."""

    CORRELATED = "CORRELATED"
    STARTED = "STARTED"
    STORED = "STORED"
    QUEUED = "QUEUED"
    ALREADY_HANDLED = "ALREADY_HANDLED"


@dataclass(frozen=True, slots=True)
class Publication:
    """The answer to a publication. QUEUED.

    It is delivered in this act, when the instance that moves now has come to rest.

    instance_id: whom it reached or started.
    """

    id: str
    reception: Reception
    instance_id: str | None = None

    @property
    def is_duplicate(self) -> bool:
        """Whether this id was delivered before."""
        return self.reception is Reception.ALREADY_HANDLED


def publish(
    act: Act,
    name: str,
    *,
    correlation_key: str = "",
    variables: Mapping[str, Any] | None = None,
    message_id: str | None = None,
    ttl: dt.timedelta | None = None,
    why: str = "",
) -> Publication:
    """Deliver a message to the instance that waits for its name and key.

    Where none waits, start one that begins with it, else keep it. A message reaches one instance, the one that has
    waited longest. message_id: given by the sender; the second delivery of an id is answered and moves nothing.
    ttl: how long it is kept when nobody waits. why: read by those whose tasks it closes when it is delivered in this
    act, such as "withdrawn by Rita Okafor". Raises: Invalid.
    """
    if not name.strip() or len(name) > 200 or len(correlation_key) > 500:
        raise Invalid("Expected a message name of 1 to 200 and a key of at most 500 characters", {"name": "missing"})
    taken = accepted(variables)
    stored_id = new_id()
    row = {
        "id": stored_id,
        "name": name,
        "correlation_key": correlation_key,
        "message_id": message_id,
        "variables": encode(taken),
        "state": MessageState.STORED,
        "published_at": act.now,
        "published_by": act.actor,
        "expires_at": act.now + (TIME_TO_LIVE if ttl is None else ttl),
    }
    connection = act.session.connection()
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(Message).values(row).on_conflict_do_nothing(index_elements=["name", "message_id"])
    if connection.execute(statement.returning(Message.id)).first() is None:
        known = act.session.scalars(select(Message).where(Message.name == name, Message.message_id == message_id)).one()
        return Publication(known.id, Reception.ALREADY_HANDLED, known.instance_id)
    act.session.info["wrote"] = True
    act.note("message", stored_id, "MESSAGE", field=name, new=correlation_key)
    if motion.is_moving(act):
        motion.later(act, lambda: _correlate(act, act.session.get_one(Message, stored_id), why))
        return Publication(stored_id, Reception.QUEUED)
    return _correlate(act, act.session.get_one(Message, stored_id), why)


def deliver_stored(act: Act, name: str, correlation_key: str) -> None:
    """Deliver the oldest kept message with this name and key to whoever waits for it now."""
    if any(type(row) is Message for row in act.session.dirty):
        act.session.flush()
    wanted = {"name": name, "key": correlation_key, "now": act.now}
    found = connection_of(act.session).execute(_KEPT, wanted).scalar()
    if found is not None:
        _reach(act, act.session.get_one(Message, found))


def _correlate(act: Act, message: Message, why: str) -> Publication:
    if message.state != MessageState.STORED:
        return Publication(message.id, Reception.CORRELATED, message.instance_id)
    reached = _reach(act, message, why)
    if reached is not None:
        return Publication(message.id, Reception.CORRELATED, reached)
    if _is_awaited_by_one_that_rests(act, message):
        # However short its time: who rests could not hear it, and hears it when it goes on.
        message.expires_at = max(message.expires_at, act.now + TIME_TO_LIVE)
        return Publication(message.id, Reception.STORED)
    started = starts.start_by_message(act, message.name, message.correlation_key, decode(message.variables))
    if started is not None:
        message.state, message.instance_id = MessageState.CORRELATED, started.id
        return Publication(message.id, Reception.STARTED, started.id)
    if message.expires_at <= act.now:
        message.state = MessageState.EXPIRED
    return Publication(message.id, Reception.STORED)


def _reach(act: Act, message: Message, why: str = "") -> str | None:
    query = select(MessageSubscription).where(
        MessageSubscription.name == message.name,
        MessageSubscription.correlation_key == message.correlation_key,
        MessageSubscription.instance_id.is_not(None),
    )
    for waiting in list(act.session.scalars(query.order_by(MessageSubscription.id))):
        if waiting.instance_id is not None and _deliver(
            act, message, waiting.instance_id, token_id=waiting.token_id, why=why
        ):
            return waiting.instance_id
    return None


def _is_awaited_by_one_that_rests(act: Act, message: Message) -> bool:
    wanted = (
        select(Instance.id)
        .join(MessageSubscription, MessageSubscription.instance_id == Instance.id)
        .where(
            MessageSubscription.name == message.name,
            MessageSubscription.correlation_key == message.correlation_key,
            Instance.status == InstanceStatus.RUNNING,
            Instance.suspended_at.is_not(None),
        )
    )
    return act.session.scalars(wanted.limit(1)).first() is not None


def _deliver(act: Act, message: Message, instance_id: str, *, token_id: int, why: str) -> bool:
    instance = motion.lock(act, instance_id)
    if instance.status != InstanceStatus.RUNNING or instance.suspended_at is not None:
        return False
    with motion.moving(act, instance) as moved:
        moved.fired += moved.flow.tick(act.now)
        if not any(wait.token_id == token_id and wait.kind == "message" for wait in moved.flow.waits()):
            # It stopped waiting before its row was locked, or a timer that was overdue went first.
            return False
        moved.why = why or f"the message {message.name} came first"
        moved.flow.deliver(token_id, decode(message.variables))
        message.state, message.instance_id = MessageState.CORRELATED, instance_id
        act.note("instance", instance_id, "MESSAGE", field=message.name, new=message.correlation_key)
    return True


def broadcast(act: Act, name: str, variables: Mapping[str, Any] | None = None, *, besides: str | None = None) -> int:
    """Send a signal to every instance that waits for it, and start those that begin with it; return how many heard it.

    besides: an instance that has heard it already.
    """
    taken = accepted(variables)
    if motion.is_moving(act):
        motion.later(act, lambda: broadcast(act, name, taken, besides=besides))
        return 0
    query = select(SignalSubscription.instance_id).where(
        SignalSubscription.name == name, SignalSubscription.instance_id.is_not(None)
    )
    hearing = sorted({found for found in act.session.scalars(query) if found and found != besides})
    heard = 0
    for instance_id in hearing:
        instance = motion.lock(act, instance_id)
        if instance.status != InstanceStatus.RUNNING:
            continue
        if instance.suspended_at is not None:
            suspending.keep_signal(act, instance, name, taken)
            continue
        with motion.moving(act, instance) as moved:
            moved.fired += moved.flow.tick(act.now)
            moved.why = f"the signal {name} came"
            heard += moved.flow.signal(name, taken) and 1
            act.note("instance", instance_id, "SIGNAL", field=name)
    return heard + starts.start_by_signal(act, name, taken)


def any_expired(session: Session, now: dt.datetime) -> bool:
    """Say whether ``expire`` would find a message, so that an idle house need not write."""
    return session.scalars(select(Message.id).where(_is_over(now)).limit(1)).first() is not None


def expire(act: Act) -> int:
    """Mark kept messages whose time is over; they are answered as known, but reach nobody. Return how many."""
    statement = update(Message).where(_is_over(act.now))
    return act.session.connection().execute(statement.values(state=MessageState.EXPIRED)).rowcount


def _is_over(now: dt.datetime) -> ColumnElement[bool]:
    return and_(Message.state == MessageState.STORED, Message.expires_at <= now)
