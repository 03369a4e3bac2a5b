"""Messages: something from outside reaches the one instance that waits for it, once, or is kept until one does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite

from engine import kept_messages, missed_messages, motion, starts
from engine.database import new_id
from engine.errors import Conflict, Invalid, Refused, Unreadable
from engine.prepared import connection_of
from engine.spiff.codec import decode, encode
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.wait import Message, MessageState, MessageSubscription
from engine.variables import accepted

if TYPE_CHECKING:
    from engine.act import Act

TIME_TO_LIVE = dt.timedelta(days=30)
"""How long a message that nobody waits for yet is kept, unless its sender says otherwise."""

AMBIGUOUS = "AMBIGUOUS_MESSAGE"


class Reception(StrEnum):
    """What became of a publication."""

    CORRELATED = "CORRELATED"
    STARTED = "STARTED"
    STORED = "STORED"
    NOT_KEPT = "NOT_KEPT"
    QUEUED = "QUEUED"
    ALREADY_HANDLED = "ALREADY_HANDLED"


@dataclass(frozen=True, slots=True)
class Publication:
    """The answer to a publication. QUEUED: it is delivered in this act, when the instance that moves now has come to rest.

    NOT_KEPT: nobody waits for it, and its time to live is over. instance_id: whom it reached or started.
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
    is_aside: bool = False,
) -> Publication:
    """Deliver a message to the instance that waits for its name and key.

    Where none waits, start one that begins with it, else keep it. message_id: given by the sender; the second delivery of an
    id is answered and moves nothing. ttl: how long it is kept when nobody waits. why: read by those whose tasks it closes when
    it is delivered in this act, such as "withdrawn by Rita Okafor". is_aside: nobody asks for the answer, as when a diagram
    throws it. Raises: Invalid; Conflict AMBIGUOUS_MESSAGE with both keys when two instances wait for it or two processes begin
    with it, unless it is aside or an instance moves: then it is kept until only one does.
    """
    _refuse_shape(name, correlation_key)
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
        motion.later(act, lambda: _take_in(act, stored_id, why, is_aside=True))
        return Publication(stored_id, Reception.QUEUED)
    return _take_in(act, stored_id, why, is_aside=is_aside)


def _take_in(act: Act, stored_id: str, why: str, *, is_aside: bool) -> Publication:
    """Deliver a message that was just written; one that is kept is looked at once more after the commit."""
    message = act.session.get_one(Message, stored_id)
    publication = correlate(act, message, why, is_aside=is_aside)
    if publication.reception is Reception.STORED:
        missed_messages.meeting(act, message.name, message.correlation_key)
    return publication


def _refuse_shape(name: str, correlation_key: str) -> None:
    fields = {}
    if not name.strip() or len(name) > 200:
        fields["name"] = f"Expected 1 to 200 characters, but it has {len(name.strip())}"
    if len(correlation_key) > 500:
        fields["correlation_key"] = f"Expected at most 500 characters, but it has {len(correlation_key)}"
    if fields:
        raise Invalid("Expected a message name of 1 to 200 and a key of at most 500 characters", fields)


def deliver_stored(act: Act, awaited: Sequence[tuple[str, str]]) -> None:
    """Deliver, for each name and key, the oldest message that is kept to whoever waits for it now.

    One that somebody else is delivering at this moment is left to them.
    """
    _write_changed(act)
    for name, key in kept_messages.kept_among(lambda asked, wanted: asked.ask(act.session, wanted), awaited, act.now):
        _deliver_oldest(act, name, key)
    for name, key in awaited:
        missed_messages.meeting(act, name, key)


def _write_changed(act: Act) -> None:
    if any(type(row) is Message for row in act.session.dirty):
        act.session.flush()


def _deliver_oldest(act: Act, name: str, correlation_key: str) -> None:
    _write_changed(act)
    wanted = {"name": name, "key": correlation_key, "now": act.now}
    for found in connection_of(act.session).execute(kept_messages.OLDEST, wanted).scalars().all():
        message = kept_messages.taken(act, found, skip_locked=True)
        if message is not None:
            with suppress(_OnTheMove):
                _reach(act, message, is_aside=True)
            break


def correlate(act: Act, message: Message, why: str = "", *, is_aside: bool = False) -> Publication:
    """Bring a kept message to whoever waits, else start whoever begins with it. is_aside: nobody asks for the answer."""
    if message.state != MessageState.STORED:
        return Publication(message.id, Reception.CORRELATED, message.instance_id)
    try:
        reached = _reach(act, message, why, is_aside=is_aside)
    except _OnTheMove:
        return Publication(message.id, Reception.STORED)
    if reached is not None:
        return Publication(message.id, Reception.CORRELATED, reached)
    if _is_awaited_by_one_that_rests(act, message):
        # However short its time: who rests could not hear it, and hears it when it goes on.
        message.expires_at = max(message.expires_at, act.now + TIME_TO_LIVE)
        return Publication(message.id, Reception.STORED)
    started = _begin(act, message, is_aside=is_aside)
    if started is not None:
        return Publication(message.id, Reception.STARTED, started)
    if message.expires_at <= act.now:
        message.state = MessageState.EXPIRED
        return Publication(message.id, Reception.NOT_KEPT)
    return Publication(message.id, Reception.STORED)


def _begin(act: Act, message: Message, *, is_aside: bool) -> str | None:
    """Start the process that begins with a message. Where nobody asks, one that cannot start now is kept."""
    found = starts.beginning_with(act, message.name)
    if not found:
        return None
    try:
        with act.attempt() if is_aside else nullcontext():
            started = starts.start_by_message(
                act, message.name, found, message.correlation_key, decode(message.variables)
            )
    except Refused as refusal:
        if not is_aside:
            raise
        _note_wait(act, message, refusal.message)
        return None
    message.state, message.instance_id = MessageState.CORRELATED, started.id
    return started.id


def _note_wait(act: Act, message: Message, why: str) -> None:
    """Keep once, in the act that published it, why a message is not delivered although somebody waits."""
    if message.published_at == act.now:
        act.note("message", message.id, "MESSAGE_WAITS", field=message.name, new=why)


def _reach(act: Act, message: Message, why: str = "", *, is_aside: bool = False) -> str | None:
    """Deliver to the one instance that waits. Raises: Conflict when several do, unless nobody asks: then it stays kept."""
    waiting = list(act.session.execute(waiting_for(message.name, message.correlation_key)))
    keys = {found.instance_id: f"{found.business_key} ({found.process_id})" for found in waiting}
    if len(keys) > 1:
        sentence = (
            f"Expected one run to wait for {message.name} {message.correlation_key}".rstrip()
            + f", but {len(keys)} do: {' and '.join(sorted(keys.values())[:5])}"
        )
        if not is_aside:
            raise Conflict(sentence, code=AMBIGUOUS)
        _note_wait(act, message, sentence)
        return None
    try:
        for instance_id, token_id, _key, _process in waiting:
            locking = motion.lock_aside if is_aside else motion.lock
            if instance_id is not None and _deliver(
                act, message, locking(act, instance_id), token_id=token_id, why=why
            ):
                return instance_id
    except Unreadable as refusal:
        # Whoever threw it must not be held up by a run that nobody can read: it hears the message once it is mended.
        if not is_aside:
            raise
        _note_wait(act, message, refusal.message)
    return None


def _is_awaited_by_one_that_rests(act: Act, message: Message) -> bool:
    wanted = waiting_for(message.name, message.correlation_key).where(Instance.suspended_at.is_not(None))
    return act.session.execute(wanted.limit(1)).first() is not None


def waiting_for(name: str, correlation_key: str) -> Select[str | None, int, str, str]:
    """Select the tokens of running instances that wait for a message, suspended or not, whoever has waited longest first."""
    return (
        select(
            MessageSubscription.instance_id,
            MessageSubscription.token_id,
            Instance.business_key,
            Instance.process_id,
        )
        .join(Instance, Instance.id == MessageSubscription.instance_id)
        .where(
            MessageSubscription.name == name,
            MessageSubscription.correlation_key == correlation_key,
            Instance.status == InstanceStatus.RUNNING,
        )
        .order_by(MessageSubscription.id)
    )


class _OnTheMove(Exception):
    """Another act moves the instance that waits for a message: it is looked at once more after the commit."""


def _deliver(act: Act, message: Message, instance: Instance | None, *, token_id: int, why: str) -> bool:
    if instance is None:
        raise _OnTheMove
    if instance.status != InstanceStatus.RUNNING or instance.suspended_at is not None:
        return False
    with motion.moving(act, instance) as moved:
        moved.fired += moved.flow.tick(act.now)
        if not any(wait.token_id == token_id and wait.kind == "message" for wait in moved.flow.waits()):
            # It stopped waiting before its row was locked, or a timer that was overdue went first.
            return False
        moved.why = why or f"the message {message.name} came first"
        moved.flow.deliver(token_id, decode(message.variables))
        message.state, message.instance_id = MessageState.CORRELATED, instance.id
        act.note("instance", instance.id, "MESSAGE", field=message.name, new=message.correlation_key)
    return True
