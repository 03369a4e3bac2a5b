"""Messages and waits that missed each other: written at the same moment, each is seen by neither transaction.

Each looks again once it is committed (``meeting``), and the sweep of the runners looks for what a crash in between left.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import and_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from engine import kept_messages, messages
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.wait import Message, MessageSubscription

if TYPE_CHECKING:
    from engine.act import Act, Installation

SWEPT = 1000
"""How many kept messages one sweep looks at."""

_log = logging.getLogger(__name__)


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
                kept = kept_messages.kept_among(
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
    kept = session.execute(kept_messages.OLDEST, {"name": name, "key": correlation_key, "now": now}).scalars().all()
    awake = messages.waiting_for(name, correlation_key).where(Instance.suspended_at.is_(None))
    if not kept or session.execute(awake.limit(1)).first() is None:
        return []
    return list(kept)


def deliver(installation: Installation, message_id: str) -> bool:
    """Bring a kept message to whoever waits for it by now, in an act of its own, and say whether it reached somebody.

    A flow that fails on hearing it is logged, and the message stays kept: the others must not wait for it.
    """
    try:
        with installation.acting("system:messages") as act:
            message = kept_messages.taken(act, message_id)
            if message is None or message.expires_at <= act.now:
                return False
            return messages.correlate(act, message, is_aside=True).instance_id is not None
    except Exception:  # noqa: BLE001  a step may fail in any way; whatever it was, the next message is delivered
        _log.exception("message %s could not be delivered and stays kept", message_id)
        return False


def overlooked(session: Session, now: dt.datetime) -> list[str]:
    """Return the kept messages that exactly one instance waits for, or exactly one start event: what a crash left behind.

    Those of one that is suspended, or of several, stay where they are.
    """
    kept = and_(kept_messages.IS_STORED, Message.expires_at > now)
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
