# mypy: allow-subclassing-any
"""Activities with something inside: sub-processes, called processes, event sub-processes, multi-instance bodies."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cached_property
from typing import Any

from SpiffWorkflow.bpmn.specs import defaults

from engine.spiff.arming import arm_again
from engine.spiff.extensions import EventInfo, Expr, Listener, Loop
from engine.spiff.host import Answer, Incident
from engine.spiff.listeners import BEFORE_ALL, tell
from engine.spiff.token import Live, Token, spawn, spawn_armed

_ITEMS = "=items"
"""Where a sequential body keeps its list; no FEEL name begins with ``=``, so no expression can see or hide it."""
_A_PATH = re.compile(r"=\s*([A-Za-z_]\w*)(\.\w+)*\s*\Z")


def result_of(output: Expr | None) -> str | None:
    """Return the variable of an output element, so that the result of each stays with it instead of overwriting the others'."""
    found = _A_PATH.match(output.text) if output is not None else None
    return found[1] if found is not None else None


class SubProcess(Live, defaults.SubWorkflowTask):
    """An embedded sub-process: STARTED while anything inside is live."""

    carries = True

    def open(self, token: Token) -> None:
        token.flow.scopes.open(token.id, token.container)

    def act(self, token: Token) -> bool:
        token.flow.check_depth(token)
        spec = self._wf_spec.subs[self.element.id]
        sub = token.flow.create_subprocess(token, spec, token.workflow.bundle, scope_id=token.id)
        sub.begin(spec.only_start, came_from=(token.id,))
        return False

    def finished(self, token: Token, sub: Any) -> None:
        """Take over what the inside leaves behind. Its variables live in this token's scope already."""


class Transaction(SubProcess, defaults.TransactionSubprocess):
    """A sub-process that can be cancelled from inside."""


class CallActivity(Live, defaults.CallActivity):
    """Runs another process of the bundle, or of another definition, in a scope with nothing around it."""

    carries = True

    def act(self, token: Token) -> bool:
        flow, called = token.flow, self.element.called
        assert called is not None, f"{self.name} calls nothing"
        flow.check_depth(token)
        process_id = called.process_id.words(token.view(), flow.host, "a process id")
        key, bundle, spec = flow.find(token.workflow, process_id, called)
        scope = flow.new_id()
        flow.scopes.open(scope, None)
        sources = flow.scopes.chain(token.scope) if called.takes_all else (token.id,) if token.id in flow.scopes else ()
        for source in reversed(sources):
            flow.scopes.copy(source, scope)
        sub = flow.create_subprocess(token, spec, bundle, scope_id=scope, key=key)
        sub.begin(spec.only_start, came_from=(token.id,))
        return False

    def finished(self, token: Token, sub: Any) -> None:
        """Take over the variables of the called process: to the output mappings, or outwards when all are wanted."""
        scopes, called = token.flow.scopes, self.element.called
        if self.element.outputs:
            scopes.copy(sub.scope_id, token.id)
        elif called is not None and called.gives_all:
            for name in scopes.names(sub.scope_id):
                # It was handed down a copy of what a multi-instance around it has collected so far; the others went on since.
                if not _is_collected(token, name):
                    token.flow.write(token.scope, Answer({name: scopes.get(sub.scope_id, name)}))


def _is_collected(token: Token, name: str) -> bool:
    """Say whether a result of this name would go into the output collection of a multi-instance around the token."""
    body = token.flow.live.get(token.flow.scopes.holder(token.scope, name))
    return body is not None and isinstance(body.task_spec, Body) and body.task_spec.loop.output_collection == name


class EventSubProcess(Live, defaults.EventSubprocess):
    """Listens while its process or sub-process is live, then runs beside it or instead of it.

    A listener is a WAITING token under the root, which keeps nothing alive.
    """

    listens = True

    @property
    def keeps_results(self) -> bool:
        return bool(self.start.element.outputs)

    @property
    def start(self) -> Any:
        """The spec of its one start event."""
        inner = self._wf_spec.subs[self.element.id]
        return inner.task_specs[inner.only_start]

    @property
    def event(self) -> EventInfo:
        found: EventInfo = self.start.event
        return found

    @cached_property
    def is_armed(self) -> bool:
        armed: bool = self.start.is_armed
        return armed

    @cached_property
    def waits_for(self) -> str | None:
        return self.event.kind if self.is_armed else None

    def open(self, token: Token) -> None:
        token.flow.scopes.open(token.id, token.container)

    def listen(self, workflow: Any, data: dict[str, Any]) -> None:
        """Put a listener under the root."""
        workflow.listeners.add(spawn_armed(workflow, self, came_from=(), parent=None, **data).id)

    def fires(self, token: Token) -> None:
        """Stop everything else in the scope, or listen again beside what runs."""
        workflow = token.workflow
        workflow.listeners.discard(token.id)
        if self.event.is_interrupting:
            token.internal_data["interrupts"] = 1
            workflow.cancel_tokens(keep=token)
            workflow.taken_over()
            return
        again = arm_again(self.event, token.internal_data, token.flow.host.now)
        if again is not None:
            self.listen(workflow, again)

    def act(self, token: Token) -> bool:
        token.flow.check_depth(token)
        spec = self._wf_spec.subs[self.element.id]
        sub = token.flow.create_subprocess(token, spec, token.workflow.bundle, scope_id=token.id)
        sub.begin(spec.only_start, came_from=(token.id,))
        return False

    def finished(self, token: Token, sub: Any) -> None:
        """Nothing to take over."""


class Body(Live):
    """The body around the inner instances of a multi-instance activity; they hang under it.

    internal_data: n (how many), ended (how many have completed).
    """

    is_body = True
    task_spec: str
    """The name of the inner spec, as SpiffWorkflow's parser sets it."""

    @property
    def loop(self) -> Loop:
        loop = self.element.loop
        assert loop is not None, f"{self.name} is no multi-instance"
        return loop

    @property
    def keeps_results(self) -> bool:
        return False

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Those of all instances; the others belong to each of them."""
        return tuple(one for one in self.element.listeners if one.moment == BEFORE_ALL)

    def tell_first(self, token: Token) -> bool:
        return tell(token, BEFORE_ALL)

    def open(self, token: Token) -> None:
        token.flow.scopes.open(token.id, token.container)

    def take_in(self, token: Token) -> None:
        """Input mappings belong to the inner instances."""

    def act(self, token: Token) -> bool:
        flow = token.flow
        items, why = self.loop.input_collection.explained(token.view(), flow.host)
        if not isinstance(items, list):
            shown = self.loop.input_collection.text
            raise Incident(
                f'Expected "{shown}" to be a list to work through, but it is none{f" ({why})" if why else ""}'
            )
        if self.loop.output_collection is not None:
            flow.scopes.assign(token.id, self.loop.output_collection, [None] * len(items))
        token.internal_data |= {"n": len(items), "ended": 0}
        if not items:
            return True
        if self.loop.is_sequential:
            flow.scopes.assign(token.id, _ITEMS, items)
        for index, item in enumerate(items[:1] if self.loop.is_sequential else items):
            self.begin(token, index, item)
        return False

    def begin(self, token: Token, index: int, item: Any) -> None:
        """Start one inner instance. index: from 0. item: a FEEL value."""
        flow = token.flow
        spec = self._wf_spec.task_specs[self.task_spec]
        child = spawn(token.workflow, spec, came_from=(token.id,), parent=token, index=index)
        flow.scopes.open(child.id, token.id)
        result = result_of(self.loop.output_element)
        if result is not None:
            flow.scopes.assign(child.id, result, None)
        if self.loop.input_element is not None:
            flow.scopes.assign(child.id, self.loop.input_element, item)
        flow.scopes.assign(child.id, "loopCounter", Decimal(index + 1))
        spec._update(child)

    def inner(self, token: Token) -> list[Token]:
        """Return the live inner instances."""
        return [child for child in token.children if child.task_spec.name == self.task_spec]

    def active(self, token: Token) -> int:
        """Count the live inner instances; none wakes."""
        if not self.boundaries:
            return len(token._children)
        awake = token.workflow.tasks.values()
        others = [one for one in awake if one._parent == token.id and one.task_spec.name != self.task_spec]
        return len(token._children) - len(others)

    def collect(self, token: Token, child: Token) -> None:
        """Take one instance's output element and ask whether the whole is complete, both as that instance sees it. Raises: Incident."""
        flow, loop = token.flow, self.loop
        if loop.output_element is not None and loop.output_collection is not None:
            output = loop.output_element.value(child.view(), flow.host)
            flow.scopes.assign_item(token.id, loop.output_collection, child.internal_data["index"], output)
        if loop.completion is not None:
            total, ended = token.internal_data["n"], token.internal_data["ended"] + 1
            numbers = {
                "numberOfInstances": Decimal(total),
                "numberOfActiveInstances": Decimal(self.active(token) - 1),
                "numberOfCompletedInstances": Decimal(ended),
                "numberOfTerminatedInstances": Decimal(0),
            }
            child.settles = loop.completion.truth(child.view(numbers), flow.host)

    def child_done(self, token: Token, child: Token) -> None:
        data = token.internal_data
        data["ended"] += 1
        if child.settles or data["ended"] == data["n"]:
            for other in self.inner(token):
                other.cancel()
            token.flow.resume(token)
        elif self.loop.is_sequential:
            self.begin(token, data["ended"], token.flow.scopes.get(token.id, _ITEMS)[data["ended"]])

    def leave(self, token: Token) -> None:
        if self.loop.output_collection is not None:
            name = self.loop.output_collection
            token.flow.write(token.container, Answer({name: token.flow.scopes.get(token.id, name)}))


class ParallelBody(Body, defaults.ParallelMultiInstanceTask):
    """All inner instances at once."""


class SequentialBody(Body, defaults.SequentialMultiInstanceTask):
    """One inner instance after the other."""
