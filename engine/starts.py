"""What starts instances by itself: message, signal, timer and conditional start events of the newest released version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from dmn.errors import DmnError
from engine import instances
from engine.errors import Conflict, Invalid
from engine.functions import HOUSE, lent, zone_of
from engine.spiff import ProcessSpec, StartInfo
from engine.spiff.extensions import LONGEST_WORDS, Expr
from engine.spiff.timers import NoTime, Schedule, schedule
from engine.stored.definition import Definition
from engine.stored.instance import Instance
from engine.stored.wait import ConditionSubscription, MessageSubscription, SignalSubscription, Timer

if TYPE_CHECKING:
    from engine.act import Act


def subscribe(act: Act, definition: Definition, process: ProcessSpec) -> None:
    """Let the start events of a version wait, and those of all earlier versions wait no more. Raises: Invalid."""
    versions = select(Definition.id).where(Definition.process_id == definition.process_id)
    for table in (Timer, MessageSubscription, SignalSubscription, ConditionSubscription):
        act.session.connection().execute(delete(table).where(table.definition_id.in_(versions)))
    with lent(act.session):
        for start in process.starts:
            if start.kind != "none":
                act.session.add(_waiting(act, definition, start))


def _waiting(
    act: Act, definition: Definition, start: StartInfo
) -> Timer | MessageSubscription | SignalSubscription | ConditionSubscription:
    event = start.event
    if event.condition is not None:
        return ConditionSubscription(definition_id=definition.id, element_id=start.element_id)
    place = {"definition_id": definition.id, "token_id": 0, "element_id": start.element_id}
    if event.timer is not None and event.when is not None:
        try:
            planned = schedule(event.timer, _value(act, event.when), act.now, zone_of(act.session))
        except NoTime as error:
            raise Invalid(f"Expected the start timer {start.element_id} to name a time, but: {error}") from error
        return Timer(**place, due_at=planned.due, left=planned.left, every=planned.every)
    name = _value(act, event.name) if event.name is not None else ""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_WORDS:
        raise Invalid(
            f"Expected the start event {start.element_id} to wait for a name of 1 to {LONGEST_WORDS} characters, but it"
            f" is {str(name)[:40]}"
        )
    if start.kind == "message":
        return MessageSubscription(**place, name=name, correlation_key="")
    return SignalSubscription(**place, name=name)


def _value(act: Act, expression: Expr) -> Any:
    """Evaluate an expression of a start event: it sees no variables, for there is no instance yet. Raises: Invalid."""
    if expression.code is None:
        return expression.text
    try:
        return expression.code.explain({}, functions=HOUSE, now=act.now).value
    except DmnError as error:
        raise Invalid(f'Expected "{expression.text}" to have a value, but {error.message}') from error


@dataclass(frozen=True, slots=True)
class Beginning:
    """A start event that waits for a message."""

    element_id: str
    definition_id: str
    process_id: str


def beginning_with(act: Act, name: str) -> list[Beginning]:
    """Return the start events that begin with a message."""
    query = (
        select(MessageSubscription.element_id, Definition.id, Definition.process_id)
        .join(Definition, Definition.id == MessageSubscription.definition_id)
        .where(MessageSubscription.name == name)
    )
    return [Beginning(*row) for row in act.session.execute(query.order_by(MessageSubscription.id))]


def start_by_message(
    act: Act, name: str, found: Sequence[Beginning], correlation_key: str, values: Mapping[str, Any]
) -> Instance:
    """Start the process that begins with a message. found: its start events, at least one.

    The business key is the variable ``business_key``, else the correlation key, else made up. Raises: Conflict ALREADY_RUNNING
    when an instance with that key runs, AMBIGUOUS_MESSAGE when two start events begin with it.
    """
    if len(found) > 1:
        names = " and ".join(f"{one.element_id} of {one.process_id}" for one in found[:5])
        raise Conflict(
            f"Expected one process to begin with {name}, but {len(found)} start events do: {names}",
            code="AMBIGUOUS_MESSAGE",
        )
    return start(act, found[0].definition_id, found[0].element_id, values, key=correlation_key)


def start_by_timer(act: Act, timer: Timer, now: dt.datetime) -> Instance:
    """Start the process of a start timer that is due, and let the timer wait for its next turn."""
    assert timer.definition_id is not None
    started = start(act, timer.definition_id, timer.element_id, {}, key="")
    following = Schedule(timer.due_at, timer.left, timer.every).after(now)
    if following is None:
        act.session.delete(timer)
    else:
        timer.due_at, timer.left = following.due, following.left
    return started


def start(act: Act, definition_id: str, element_id: str, values: Mapping[str, Any], *, key: str) -> Instance:
    """Start a process by one of its start events. Raises: as ``instances.begin``."""
    definition = act.session.get_one(Definition, definition_id)
    given = values.get("business_key")
    business_key = str(given) if given else key or f"{definition.process_id}-{act.id}"
    return instances.begin(act, definition, business_key=business_key, variables=values, start_element=element_id)
