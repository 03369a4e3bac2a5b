# mypy: allow-subclassing-any
"""Activities with something inside: sub-processes, called processes, event sub-processes, multi-instance bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from SpiffWorkflow.bpmn.specs import defaults

from dmn import to_feel
from engine.spiff.arming import arm_again
from engine.spiff.extensions import AdHoc, EventInfo, Expr, Listener, Loop
from engine.spiff.host import Incident, WrongChoice
from engine.spiff.tasks import hand_over
from engine.spiff.token import Live, Path, Token, spawn, spawn_armed

_ITEMS = "=items"
"""Where a sequential body keeps its list; no FEEL name begins with ``=``, so no expression can see or hide it."""
_A_PATH = re.compile(r"=\s*([A-Za-z_]\w*)(\.\w+)*\s*\Z")


def _result_of(output: Expr | None) -> str | None:
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


CHOICE = "adHocSubProcess"
"""Under this name a worker says among its variables what is done next in an ad-hoc sub-process, as Camunda 8 names it:
``{activateElements: [{elementId, variables}], isCompletionConditionFulfilled, isCancelRemainingInstances}``."""


class Said(NamedTuple):
    """What a worker said. elements: (id, variables) of what begins. is_complete: nothing more does. ends_others: what runs ends."""

    elements: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    is_complete: bool = False
    ends_others: bool = False


def _read_choice(choice: Any, known: Mapping[str, Any]) -> Said:
    """Raises: WrongChoice."""
    if choice is None:
        return Said()
    listed = choice.get("activateElements") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(listed, list | None):
        raise WrongChoice(
            f"Expected {CHOICE} to say what is done next, but it is no object with a list activateElements"
        )
    elements: list[tuple[str, Mapping[str, Any]]] = []
    for one in listed or ():
        name = one.get("elementId") if isinstance(one, Mapping) else None
        variables = (one.get("variables") or {}) if isinstance(one, Mapping) else {}
        if name not in known or not isinstance(variables, Mapping):
            raise WrongChoice(f'Expected one of {", ".join(known)} to begin, but "{name}" is none of them')
        elements.append((str(name), variables))
    is_complete = choice.get("isCompletionConditionFulfilled") is True
    if is_complete and elements:
        raise WrongChoice("Expected either further elements or the end of the whole, but there are both")
    return Said(tuple(elements), is_complete, choice.get("isCancelRemainingInstances") is True)


ELEMENTS = "adHocSubProcessElements"
"""The variable that tells what may be chosen in an ad-hoc sub-process (Camunda 8)."""


class AdHocSubProcess(SubProcess):
    """What is done in it, in which order and how often, is chosen: when it begins by its diagram, later by whoever may.

    Inside it run its event sub-processes, and one Activation for each element that was chosen. internal_data: full (nothing
    more is needed: its completion condition was true, a worker said so, or an event sub-process took its place), asks (a
    worker is to say what is done next; it is asked anew each time something has ended).
    """

    carries = False

    is_open_when_empty = True

    @property
    def plan(self) -> AdHoc:
        plan = self.element.ad_hoc
        assert plan is not None, f"{self.name} is not ad-hoc"
        return plan

    @property
    def waits_for(self) -> str:
        return "activation"

    def act(self, token: Token) -> bool:
        if token.id not in token.flow.subprocesses:
            self._begin(token)
        return self.element.task is not None and self._ask(token)

    def _begin(self, token: Token) -> None:
        flow = token.flow
        flow.check_depth(token)
        chosen = self._chosen(token)
        flow.put(token.id, ELEMENTS, self._told(token))
        if self.plan.output_collection is not None:
            flow.put(token.id, self.plan.output_collection, [])
        spec = self._wf_spec.subs[self.element.id]
        sub = flow.create_subprocess(token, spec, token.workflow.bundle, scope_id=token.id)
        try:
            sub.listen()
        except Incident:
            flow.dispose(sub)
            raise
        for name in chosen:
            self.activate(token, name)

    def _ask(self, token: Token) -> bool:
        """Ask the worker what is done next; False while it is waited for, or while something runs. Raises: Incident."""
        token.internal_data.pop("asks", None)
        results = hand_over(token)
        if results is None:
            token.internal_data["asks"] = 1
            return False
        try:
            return self.answer(token, results)
        except WrongChoice as reason:
            raise Incident(str(reason), "work") from reason

    def answer(self, token: Token, results: Mapping[str, Any]) -> bool:
        """Take what the worker said, and say whether the whole is over. Its variables stay inside. Raises: WrongChoice."""
        flow, sub = token.flow, token.flow.subprocesses[token.id]
        said = _read_choice(results.get(CHOICE), self.choices(token))
        token.internal_data.pop("asks", None)
        for name, value in results.items():
            if name != CHOICE:
                flow.put(token.id, name, value)
        if said.is_complete:
            token.internal_data["full"] = 1
        for other in sub.task_tree.children if said.ends_others else ():
            if other.id not in sub.listeners:
                other.cancel()
        for name, variables in said.elements:
            self.activate(token, name, variables)
        if not (said.is_complete and sub.is_empty):
            return False
        sub.cancel_tokens()
        sub.completed = True
        flow.dispose(sub, is_complete=True)
        return True

    def inner_ended(self, token: Token) -> None:
        is_over = not {"full", "is_shell"}.isdisjoint(token.internal_data)
        if self.element.task is not None and not is_over and token.incident is None:
            token._ready()

    def choices(self, token: Token) -> Mapping[str, Any]:
        """Return the elements that may be chosen, by id."""
        found: Mapping[str, Any] = token.workflow.bundle.processes[self.element.process_id].choices(self.element.id)
        return found

    def _chosen(self, token: Token) -> list[str]:
        if self.plan.active is None:
            return []
        names, why = self.plan.active.explained(token.view(), token.flow.host)
        shown, known = self.plan.active.text, self.choices(token)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise Incident(
                f'Expected "{shown}" to be a list of element ids, but it is none{f" ({why})" if why else ""}'
            )
        for name in names:
            if name not in known:
                raise Incident(
                    f'Expected "{shown}" to name elements that may be chosen ({", ".join(known)}), but there is "{name}"'
                )
        return [str(name) for name in names]

    def _told(self, token: Token) -> list[dict[str, Any]]:
        return [
            {
                "elementId": info.id,
                "elementName": info.name,
                "documentation": info.documentation,
                "properties": dict(info.properties),
            }
            for info in self.choices(token).values()
        ]

    def activate(self, token: Token, name: str, variables: Mapping[str, Any] | None = None) -> None:
        """Let an element begin once more, with variables of its own."""
        flow, sub = token.flow, token.flow.subprocesses[token.id]
        spec = sub.spec.task_specs[self.element.id]
        begun = spawn(sub, spec, came_from=(token.id,), begins=name)
        flow.scopes.open(begun.id, token.id)
        result = _result_of(self.plan.output_element)
        if result is not None:
            flow.put(begun.id, result, None)
        for variable, value in (variables or {}).items():
            flow.put(begun.id, variable, value)
        spec._update(begun)

    def may_end(self, token: Token) -> bool:
        is_over = not {"full", "is_shell"}.isdisjoint(token.internal_data)
        return is_over or (self.plan.completion is None and self.element.task is None)

    def taken_over(self, token: Token) -> None:
        token.internal_data["full"] = 1
        token.internal_data.pop("asks", None)

    def leave(self, token: Token) -> None:
        collected = self.plan.output_collection
        if collected is not None and "is_shell" not in token.internal_data:
            token.flow.write(token.container, {collected: token.flow.scopes.get(token.id, collected)})
        super().leave(token)


class Activation(SubProcess):
    """An element that was chosen in an ad-hoc sub-process, with what follows it; it has variables of its own.

    internal_data: begins (the element, until it has begun).
    """

    carries = False

    def act(self, token: Token) -> bool:
        token.flow.check_depth(token)
        inside = self._wf_spec.subs[self.element.id]
        sub = token.flow.create_subprocess(token, inside, token.workflow.bundle, scope_id=token.id)
        first = inside.task_specs[token.internal_data.pop("begins")]
        first._update(spawn(sub, first, came_from=(token.id,)))
        return False

    def finish(self, token: Token) -> bool:
        """Hand over its output element, and ask whether the whole is complete, both as it sees them. Raises: Incident."""
        if "is_shell" in token.internal_data:
            return True
        flow, whole = token.flow, token.workflow.owner
        plan: AdHoc = whole.task_spec.plan
        collected: dict[str, Any] = {}
        if plan.output_element is not None and plan.output_collection is not None:
            value = plan.output_element.value(token.view(), flow.host)
            held = flow.scopes.get(whole.id, plan.output_collection)
            collected[plan.output_collection] = [*held, to_feel(value)]
        if plan.completion is not None and plan.completion.truth(token.view(collected), flow.host):
            whole.internal_data["full"] = 1
            token.settles = plan.cancels
        for name, value in collected.items():
            flow.put(whole.id, name, value)
        return True

    def follow(self, token: Token) -> Sequence[Path]:
        """Nothing follows; when it made the whole complete, everything else in it ends."""
        if token.settles:
            token.workflow.cancel_tokens()
        return ()


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
                    token.flow.write(token.scope, {name: scopes.get(sub.scope_id, name)})


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

    @property
    def is_armed(self) -> bool:
        armed: bool = self.start.is_armed
        return armed

    @property
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
        """Listeners belong to the inner instances."""
        return ()

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
            flow.put(token.id, self.loop.output_collection, [None] * len(items))
        token.internal_data |= {"n": len(items), "ended": 0}
        if not items:
            return True
        if self.loop.is_sequential:
            flow.put(token.id, _ITEMS, items)
        for index, item in enumerate(items[:1] if self.loop.is_sequential else items):
            self.begin(token, index, item)
        return False

    def begin(self, token: Token, index: int, item: Any) -> None:
        """Start one inner instance. index: from 0."""
        flow = token.flow
        spec = self._wf_spec.task_specs[self.task_spec]
        child = spawn(token.workflow, spec, came_from=(token.id,), parent=token, index=index)
        flow.scopes.open(child.id, token.id)
        result = _result_of(self.loop.output_element)
        if result is not None:
            flow.put(child.id, result, None)
        if self.loop.input_element is not None:
            flow.put(child.id, self.loop.input_element, item)
        flow.put(child.id, "loopCounter", Decimal(index + 1))
        spec._update(child)

    def inner(self, token: Token) -> list[Token]:
        """Return the live inner instances."""
        return [child for child in token.children if child.task_spec.name == self.task_spec]

    def active(self, token: Token) -> int:
        """Count the live inner instances; none wakes."""
        awake = token.workflow.tasks.values()
        others = [one for one in awake if one._parent == token.id and one.task_spec.name != self.task_spec]
        return len(token._children) - len(others)

    def collect(self, token: Token, child: Token) -> None:
        """Take one instance's output element and ask whether the whole is complete, both as that instance sees it. Raises: Incident."""
        flow, loop = token.flow, self.loop
        if loop.output_element is not None and loop.output_collection is not None:
            outputs = list(flow.scopes.get(token.id, loop.output_collection))
            outputs[child.internal_data["index"]] = loop.output_element.value(child.view(), flow.host)
            flow.put(token.id, loop.output_collection, outputs)
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
            token.flow.write(token.container, {name: token.flow.scopes.get(token.id, name)})


class ParallelBody(Body, defaults.ParallelMultiInstanceTask):
    """All inner instances at once."""


class SequentialBody(Body, defaults.SequentialMultiInstanceTask):
    """One inner instance after the other."""
