"""Messages: something from outside reaches the one instance that waits for it, once, or is kept until one does.

A message that is written while somebody begins to wait for it may be seen by neither of the two transactions. Each looks
again once it is committed (``meeting``), and the sweep of the runners looks for what a crash in between left.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from engine import motion, starts
from engine.database import is_id, new_id
from engine.errors import Conflict, Invalid, NotFound, Refused, Unreadable
from engine.prepared import Question, connection_of
from engine.spiff.codec import decode, encode
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.wait import Message, MessageState, MessageSubscription
from engine.variables import accepted

if TYPE_CHECKING:
    from engine.act import Act, Installation

TIME_TO_LIVE = dt.timedelta(days=30)
"""How long a message that nobody waits for yet is kept, unless its sender says otherwise."""

AMBIGUOUS = "AMBIGUOUS_MESSAGE"

TRIED = 20
"""How many kept messages of one name and key are looked at when somebody begins to wait; the others wait for the sweep."""

SWEPT = 1000
"""How many kept messages one sweep looks at."""

_log = logging.getLogger(__name__)

IS_STORED = text("message.state = 'STORED'")
"""Written out, so that both databases use the index of what is kept."""

_KEPT = (
    select(Message.id)
    .where(
        Message.name == bindparam("name"),
        Message.correlation_key == bindparam("key"),
        Message.state == MessageState.STORED,
        Message.expires_at > bindparam("now"),
    )
    .order_by(Message.published_at, Message.id)
    .limit(TRIED)
)

ASKED = 20
"""Names and keys that one statement is asked about."""


@cache
def _any_kept(count: int) -> Question:
    """Select which of so many names and keys any message is kept for. Built once: most waits for a message find none."""
    pairs = [
        and_(Message.name == bindparam(f"name{number}"), Message.correlation_key == bindparam(f"key{number}"))
        for number in range(count)
    ]
    return Question(
        select(Message.name, Message.correlation_key)
        .where(or_(*pairs), Message.state == MessageState.STORED, Message.expires_at > bindparam("now"))
        .distinct()
    )


def _kept_among(
    ask: Callable[[Question, dict[str, Any]], list[Any]], pairs: Sequence[tuple[str, str]], now: dt.datetime
) -> list[tuple[str, str]]:
    """Return the names and keys that a message is kept for, in the order in which they are asked about, twice if asked twice."""
    found: set[tuple[str, str]] = set()
    distinct = list(dict.fromkeys(pairs))
    for begin in range(0, len(distinct), ASKED):
        asked = distinct[begin : begin + ASKED]
        wanted: dict[str, Any] = {"now": now}
        for number, (name, key) in enumerate(asked):
            wanted[f"name{number}"], wanted[f"key{number}"] = name, key
        found.update((name, key) for name, key in ask(_any_kept(len(asked)), wanted))
    return [pair for pair in pairs if pair in found]


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
    publication = _correlate(act, message, why, is_aside=is_aside)
    if publication.reception is Reception.STORED:
        meeting(act, message.name, message.correlation_key)
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
    for name, key in _kept_among(lambda asked, wanted: asked.ask(act.session, wanted), awaited, act.now):
        _deliver_oldest(act, name, key)
    for name, key in awaited:
        meeting(act, name, key)


def _write_changed(act: Act) -> None:
    if any(type(row) is Message for row in act.session.dirty):
        act.session.flush()


def _deliver_oldest(act: Act, name: str, correlation_key: str) -> None:
    _write_changed(act)
    wanted = {"name": name, "key": correlation_key, "now": act.now}
    for found in connection_of(act.session).execute(_KEPT, wanted).scalars().all():
        message = _taken(act, found, skip_locked=True)
        if message is not None:
            with suppress(_OnTheMove):
                _reach(act, message, is_aside=True)
            break


def _taken(act: Act, message_id: str, *, skip_locked: bool = False) -> Message | None:
    """Lock a message that is still kept, so that it reaches one instance; None when it is not, or somebody has it."""
    wanted = select(Message).where(Message.id == message_id, Message.state == MessageState.STORED)
    locked = wanted.with_for_update(skip_locked=skip_locked).execution_options(populate_existing=True)
    return act.session.execute(locked).scalar_one_or_none()


def _correlate(act: Act, message: Message, why: str = "", *, is_aside: bool = False) -> Publication:
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
    waiting = list(act.session.execute(_waiting_for(message.name, message.correlation_key)))
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
    wanted = _waiting_for(message.name, message.correlation_key).where(Instance.suspended_at.is_not(None))
    return act.session.execute(wanted.limit(1)).first() is not None


def _waiting_for(name: str, correlation_key: str) -> Select[str | None, int, str, str]:
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


# Messages and waits that were written at the same moment


def meeting(act: Act, name: str, correlation_key: str) -> None:
    """Look once more, after the commit, whether a kept message and somebody who waits for it have met.

    On SQLite one act writes at a time: there they cannot miss each other.
    """
    if act.session.get_bind().dialect.name == "sqlite":
        return
    planned = next((work for work in act.afterwards if isinstance(work, Meeting)), None)
    if planned is None:
        planned = Meeting(act.installation)
        act.afterwards.append(planned)
    planned.pairs.add((name, correlation_key))


@dataclass(eq=False)
class Meeting:
    """Names and keys to look at once more when an act is committed."""

    installation: Installation
    pairs: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self) -> None:
        """Deliver what is kept for somebody who waits; what fails is logged and left to the sweep, for the act is committed."""
        try:
            # Each statement by itself: a transaction around one look would be two more round trips.
            with self.installation.unbound.connect() as connection:
                kept = _kept_among(
                    lambda asked, wanted: asked.ask_on(connection, wanted),
                    sorted(self.pairs),
                    self.installation.clock(),
                )
            if not kept:
                return
            with self.installation.reading() as session:
                found = [one for name, key in kept for one in _met(session, name, key)]
        except SQLAlchemyError:
            _log.exception("messages that somebody may wait for are left to the next sweep")
            return
        for message_id in found:
            deliver(self.installation, message_id)


def _met(session: Session, name: str, correlation_key: str) -> Sequence[str]:
    now = session.info["installation"].clock()
    kept = session.execute(_KEPT, {"name": name, "key": correlation_key, "now": now}).scalars().all()
    awake = _waiting_for(name, correlation_key).where(Instance.suspended_at.is_(None))
    if not kept or session.execute(awake.limit(1)).first() is None:
        return []
    return list(kept)


def deliver(installation: Installation, message_id: str) -> bool:
    """Bring a kept message to whoever waits for it by now, in an act of its own, and say whether it reached somebody.

    A flow that fails on hearing it is logged, and the message stays kept: the others must not wait for it.
    """
    try:
        with installation.acting("system:messages") as act:
            message = _taken(act, message_id)
            if message is None or message.expires_at <= act.now:
                return False
            return _correlate(act, message, is_aside=True).instance_id is not None
    except Exception:  # noqa: BLE001  a step may fail in any way; whatever it was, the next message is delivered
        _log.exception("message %s could not be delivered and stays kept", message_id)
        return False


def overlooked(session: Session, now: dt.datetime) -> list[str]:
    """Return the kept messages that exactly one instance waits for, or exactly one start event: what a crash left behind.

    Those of one that is suspended, or of several, stay where they are.
    """
    kept = and_(IS_STORED, Message.expires_at > now)
    heard = (
        select(Message.id, MessageSubscription.instance_id, Instance.suspended_at)
        .join(
            MessageSubscription,
            and_(
                MessageSubscription.name == Message.name,
                MessageSubscription.correlation_key == Message.correlation_key,
            ),
        )
        .join(Instance, Instance.id == MessageSubscription.instance_id)
        .where(kept, Instance.status == InstanceStatus.RUNNING)
    )
    waiting: dict[str, set[tuple[str | None, bool]]] = {}
    for message_id, instance_id, suspended_at in session.execute(heard.order_by(Message.id).limit(SWEPT)):
        waiting.setdefault(message_id, set()).add((instance_id, suspended_at is not None))
    found = [one for one, whom in waiting.items() if len(whom) == 1 and not any(rests for _, rests in whom)]
    beginning = select(Message.id).where(kept, Message.name.in_(_begun_once(session))).order_by(Message.id).limit(SWEPT)
    return [*found, *(one for one in session.scalars(beginning) if one not in waiting)]


def _begun_once(session: Session) -> list[str]:
    """Return the names of messages that exactly one start event begins with."""
    query = select(MessageSubscription.name).where(MessageSubscription.definition_id.is_not(None))
    return [name for name, count in Counter(session.scalars(query)).items() if count == 1]


# What is kept


def find(session: Session, message_id: str) -> Message:
    """Return a message. Raises: NotFound."""
    found = session.get(Message, message_id) if is_id(message_id) else None
    if found is None:
        raise NotFound(f"Expected a message {message_id[:40]}, but there is none")
    return found


def delete(act: Act, message_id: str, reason: str) -> Message:
    """Throw a kept message away for a reason; its id stays known. Raises: NotFound; Conflict when it is not kept; Invalid."""
    if not reason.strip():
        raise Invalid("Expected a reason to delete the message, but there is none", {"reason": "missing"})
    find(act.session, message_id)
    message = _taken(act, message_id)
    if message is None:
        known = find(act.session, message_id)
        raise Conflict(
            f"Expected a message that is still kept, but {known.name} is {known.state.lower()}", code="NOT_KEPT"
        )
    message.state = MessageState.DELETED
    act.note("message", message.id, "MESSAGE_DELETED", field=message.name, new=message.correlation_key, reason=reason)
    return message


def hearers_of(session: Session, kept: Sequence[Message]) -> dict[str, list[Instance]]:
    """Return for each message the running instances that wait for its name and key; more than one keep it from being delivered."""
    if not kept:
        return {}
    query = (
        select(MessageSubscription.name, MessageSubscription.correlation_key, Instance)
        .join(Instance, Instance.id == MessageSubscription.instance_id)
        .where(
            MessageSubscription.name.in_({one.name for one in kept}),
            MessageSubscription.correlation_key.in_({one.correlation_key for one in kept}),
            Instance.status == InstanceStatus.RUNNING,
        )
        .order_by(Instance.id)
    )
    found: dict[tuple[str, str], dict[str, Instance]] = {}
    for name, key, instance in session.execute(query):
        found.setdefault((name, key), {})[instance.id] = instance
    return {one.id: list(found.get((one.name, one.correlation_key), {}).values()) for one in kept}


def any_expired(session: Session, now: dt.datetime) -> bool:
    """Say whether ``expire`` would find a message, so that an idle house need not write."""
    return session.scalars(select(Message.id).where(_is_over(now)).limit(1)).first() is not None


def expire(act: Act) -> int:
    """Mark kept messages whose time is over; they are answered as known, but reach nobody. Return how many."""
    statement = update(Message).where(_is_over(act.now))
    return act.session.connection().execute(statement.values(state=MessageState.EXPIRED)).rowcount


def _is_over(now: dt.datetime) -> ColumnElement[bool]:
    return and_(IS_STORED, Message.expires_at <= now)
