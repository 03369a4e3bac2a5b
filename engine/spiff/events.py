# mypy: allow-subclassing-any
"""Events: what waits for something from outside, and what throws something outwards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from SpiffWorkflow.bpmn.specs import defaults
from SpiffWorkflow.bpmn.specs.event_definitions.base import EventDefinition

from engine.spiff.arming import ARMED, arm, arm_again
from engine.spiff.compensation import begin_compensating, go_on_compensating
from engine.spiff.extensions import EventInfo, Listener
from engine.spiff.tasks import do_work
from engine.spiff.token import Live, Path, Token, spawn_armed


class Event(EventDefinition):
    """Our one event definition: SpiffWorkflow's event manager never sees it, delivery is the flow's own."""

    def __init__(self, info: EventInfo) -> None:
        super().__init__(info.kind)
        self.info = info


class Catch(Live):
    """An event that lets a token pass once it has fired; a none start or the catching side of a link fires at once."""

    @cached_property
    def is_armed(self) -> bool:
        return self.event.kind in ARMED

    @cached_property
    def waits_for(self) -> str | None:
        return self.event.kind if self.is_armed else None

    def act(self, token: Token) -> bool:
        if not self.is_armed or "fired" in token.internal_data:
            return True
        token.internal_data |= arm(self.event, token.view(), token.flow.host)
        token.flow.watch(token)
        return False

    def fires(self, token: Token) -> None:
        """Do what the place of the event asks for when it fires."""
        parent = token.parent
        if parent is not token.workflow.task_tree:
            parent.task_spec.child_fires(parent, token)


class CatchEvent(Catch, defaults.IntermediateCatchEvent):
    """An intermediate catch event."""


class ReceiveTask(Catch, defaults.ReceiveTask):
    """A receive task."""


class StartEvent(Catch, defaults.StartEvent):
    """A start event: what started the process or sub-process has happened, and its event sub-processes begin to listen.

    of_process: the listeners that are called before a process begins; they stand before its own.
    """

    of_process: tuple[Listener, ...] = ()

    @property
    def listeners(self) -> tuple[Listener, ...]:
        return (*self.of_process, *self.element.listeners)

    def act(self, token: Token) -> bool:
        token.workflow.listen()
        return True


class BoundaryEvent(Catch, defaults.BoundaryEvent):
    """Hangs under the activity it is attached to and waits with it."""

    def fires(self, token: Token) -> None:
        activity = token.parent
        again = None if self.event.is_interrupting else arm_again(self.event, token.internal_data, token.flow.host.now)
        token.lift()
        if self.event.is_interrupting:
            activity.cancel()
        elif again is not None:
            spawn_armed(token.workflow, self, came_from=(activity.id,), parent=activity, **again)


class Throw(Live):
    """An event that throws something outwards before its token goes on."""

    @cached_property
    def waits_for(self) -> str | None:
        return "job" if self.element.task is not None else None

    def act(self, token: Token) -> bool:
        return throw(token)

    def child_done(self, token: Token, child: Token) -> None:
        if go_on_compensating(token):
            token.flow.resume(token)


class ThrowEvent(Throw, defaults.IntermediateThrowEvent):
    """An intermediate event that throws, or does nothing."""


class EndEvent(Throw, defaults.EndEvent):
    """An end event: its token goes nowhere, and what it throws is thrown first."""

    def act(self, token: Token) -> bool:
        if self.event.kind == "terminate":
            token.workflow.terminate(token)
            return True
        return throw(token)

    def _on_complete(self, my_task: Token) -> None:
        my_task.workflow.ended_at.append(self.name)
        super()._on_complete(my_task)


class ProcessEnd(Live, defaults.NoneTask):
    """Where the listeners are called that come before a process ends; nothing of it is drawn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.manual = False

    def follow(self, token: Token) -> Sequence[Path]:
        """Nothing follows: the process ends."""
        token.workflow.has_told = True
        return ()


class CancelEnd(Throw, defaults.EndEvent):
    """Stops the transaction it stands in, compensates what was done, and leaves by the cancel boundary event."""

    def act(self, token: Token) -> bool:
        token.workflow.cancel_tokens(keep=token)
        if begin_compensating(token):
            token.flow.cast(token, "cancel")
        return False

    def child_done(self, token: Token, child: Token) -> None:
        if go_on_compensating(token):
            token.flow.cast(token, "cancel")


def throw(token: Token) -> bool:
    """Throw what the event throws; return False when the token has to wait for what comes of it. Raises: Incident."""
    event: EventInfo = token.task_spec.event
    flow, view = token.flow, token.view()
    if event.kind == "message":
        return do_work(token)
    if event.kind == "signal" and event.name is not None:
        name = event.name.words(view, flow.host, "a signal name")
        flow.cast(token, "signal", code=name, variables=flow.sent_along(token))
        return False
    if event.kind in ("error", "escalation") and event.code is not None:
        code = event.code.words(view, flow.host, f"an {event.kind} code")
        flow.cast(token, event.kind, code=code, variables=flow.local(token))
        return False
    if event.kind == "compensation":
        return begin_compensating(token, event.activity)
    return True


def definition(info: EventInfo | None) -> dict[str, Any]:
    """Return the constructor argument that SpiffWorkflow's event classes want."""
    return {"event_definition": Event(info or EventInfo())}
