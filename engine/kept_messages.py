"""Messages that are kept until somebody waits for them: which there are, who takes one, and when their time is over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, text, update
from sqlalchemy.orm import Session

from engine.database import is_id
from engine.errors import Conflict, Invalid, NotFound
from engine.prepared import Question
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.wait import Message, MessageState, MessageSubscription

if TYPE_CHECKING:
    from engine.act import Act

TRIED = 20
"""How many kept messages of one name and key are looked at when somebody begins to wait; the others wait for the sweep."""

IS_STORED = text("message.state = 'STORED'")
"""Written out, so that both databases use the index of what is kept."""

OLDEST = (
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


def kept_among(
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


def taken(act: Act, message_id: str, *, skip_locked: bool = False) -> Message | None:
    """Lock a message that is still kept, so that it reaches one instance; None when it is not, or somebody has it."""
    wanted = select(Message).where(Message.id == message_id, Message.state == MessageState.STORED)
    locked = wanted.with_for_update(skip_locked=skip_locked).execution_options(populate_existing=True)
    return act.session.execute(locked).scalar_one_or_none()


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
    message = taken(act, message_id)
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
