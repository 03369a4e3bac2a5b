# mypy: allow-subclassing-any
"""Ad-hoc sub-processes: what is done inside is chosen by the diagram, by a worker, or by people while they are open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from dmn import to_feel
from engine.spiff.containers import SubProcess, result_of
from engine.spiff.extensions import AdHoc
from engine.spiff.host import Answer, Incident, WrongChoice
from engine.spiff.tasks import hand_over
from engine.spiff.token import Path, Token, spawn

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

    @cached_property
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
        result = result_of(self.plan.output_element)
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
            token.flow.write(token.container, Answer({collected: token.flow.scopes.get(token.id, collected)}))
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
