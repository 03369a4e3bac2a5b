"""Laws on names: what an expression reads must come from somewhere.

A name comes from the start of the process (its property ``variables``, or the form of its start event), from a form, a
result variable, an output mapping, a multi-instance, what a service task's function gives back, what a called process
gives back, or from the engine itself. Where something gives back names that nobody can tell beforehand (a worker outside, a
function that builds its answer), an unknown name is doubted and not refused; ``variables`` settles it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from engine.lint.advice import Material, Remark, Severity
from engine.spiff.elements import ElementInfo, FlowInfo, ProcessInfo
from engine.spiff.extensions import Expr, NotFeel

DECLARED: Final = "variables"
"""The process's zeebe:property that lists, by comma, what a start or a message brings."""

MANY: Final = 100
"""So many unknown names of one process are told with the nearest known one; looking for it takes a while."""

OF_THE_ENGINE: Final = frozenset({"decision", "loopCounter"})
ELEMENTS: Final = "adHocSubProcessElements"
"""What may be chosen in an ad-hoc sub-process, as it tells those inside."""
OF_A_VOTE: Final = frozenset({"tally", "verdict"})


def a_name_that_is_read_is_given(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Refuse an expression that reads a name nobody gives: it would be null in silence."""
    names = Names.of(process, material)
    places: dict[tuple[str, str], list[_Read]] = {}
    for read in _reads(process):
        unknown = read.expression.reads - names.visible_at(read.scope) - set(material.functions)
        for name in unknown:
            places.setdefault((read.about.id, name), []).append(read)
    for place, ((_, name), reads) in enumerate(places.items()):
        where = ", ".join(dict.fromkeys(read.what for read in reads))
        nearest = _nearest(name, names.visible_at(reads[0].scope)) if place < MANY else ""
        yield Remark(
            reads[0].about,
            f'Expected {where} to read names that something gives, but nothing gives "{name}"{nearest}.',
            f"Correct the name, or list it in the process's property {DECLARED}.",
            names.severity,
        )


def a_decision_finds_its_inputs(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Refuse a business rule task whose table reads a name that the task does not have."""
    names = Names.of(process, material)
    for element in process.elements.values():
        called = element.decision
        if called is None or not called.decision_id.is_static:
            continue
        known = names.visible_at(element.id)
        for name in sorted(set(material.decisions.get(called.decision_id.text, ())) - known):
            yield Remark(
                element,
                f'Expected the inputs of {called.decision_id.text}, but nothing gives "{name}"{_nearest(name, known)}.',
                "Add an input mapping with that name, or correct the table.",
                names.severity,
            )


def wanted_at(process: ProcessInfo, element_id: str) -> dict[str, str]:
    """Return the names that an element reads before it begins or while it is open, each with where; not what it makes itself."""
    element = process.elements[element_id]
    own = {mapping.target[0] for mapping in element.inputs} | OF_THE_ENGINE | OF_A_VOTE
    if element.loop is not None:
        own |= {element.loop.input_element or "", element.loop.output_collection or ""}
    wanted: dict[str, str] = {}
    for read in _reads(process):
        is_later = read.what.startswith("the output") or read.what == "the completion condition"
        if read.about.id == element_id and not isinstance(read.about, FlowInfo) and not is_later:
            wanted |= {name: read.what for name in sorted(read.expression.reads - own) if name not in wanted}
    return wanted


@dataclass(frozen=True, slots=True)
class _Read:
    """One expression: where it stands, what it is, and from which scope it looks."""

    about: ElementInfo | FlowInfo
    what: str
    expression: Expr
    scope: str


@dataclass(frozen=True, eq=False)
class Names:
    """What each scope of a process knows."""

    process: ProcessInfo
    material: Material
    callers: frozenset[str] = field(default_factory=frozenset)
    _given: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, process: ProcessInfo, material: Material) -> Names:
        """Return the names of a process, with what its callers hand down."""
        return cls(process, material, frozenset(_from_callers(process, material)))

    @cached_property
    def severity(self) -> Severity:
        """Return how sure an unknown name is: an error only where everything that gives names is known."""
        types = self.process.job_types
        is_known = all(kind.is_static and self.material.handlers.get(kind.text) is not None for kind in types)
        return Severity.ERROR if is_known else Severity.WARNING

    def visible_at(self, scope: str) -> frozenset[str]:
        """Return the names that an expression in this scope may read."""
        found = set(self.everywhere)
        element = self.process.elements.get(scope)
        while element is not None:
            found |= self._local(element)
            element = self.process.elements.get(element.parent_id)
        return frozenset(found)

    @cached_property
    def everywhere(self) -> frozenset[str]:
        """Return the names that live in the process's own scope."""
        names = set(OF_THE_ENGINE | self.callers)
        names.update(word.strip() for word in self.process.properties.get(DECLARED, "").split(","))
        for element in self.process.elements.values():
            names |= self.left_behind(element)
        for listener in self.process.listeners:
            names |= set(self.material.handlers.get(listener.task.type.text) or ())
        for start in self.process.starts:
            if start.event.condition is not None:
                names |= start.event.condition.reads  # Whoever asks the condition brings what it reads.
        return frozenset(names - {""})

    def left_behind(self, element: ElementInfo) -> set[str]:
        """Return what an element writes outside itself, with what a process that it calls gives back."""
        given = set() if element.outputs else self._called(element)
        return self.written_by(element) | given

    def written_by(self, element: ElementInfo) -> set[str]:
        """Return what an element itself writes outside; with output mappings, only their targets leave it."""
        collected = [part.output_collection for part in (element.loop, element.ad_hoc) if part is not None]
        names = {name for name in collected if name}
        if element.outputs:
            return names | {mapping.target[0] for mapping in element.outputs}
        return names | self._results(element)

    def _results(self, element: ElementInfo) -> set[str]:
        names: set[str] = set()
        if element.script is not None:
            names.add(element.script.result_variable)
        if element.decision is not None:
            names |= {element.decision.result_variable, f"{element.decision.result_variable}Rows"}
        if element.form_id is not None:
            names |= set(self.material.form_fields.get(element.form_id.text, ()))
        for kind in element.job_types:
            names |= set(self.material.handlers.get(kind.text) or ())
        return names

    def _called(self, element: ElementInfo) -> frozenset[str]:
        process_id = _gives_all(element)
        if process_id is None or process_id == self.process.id:
            return frozenset()
        if process_id not in self._given:
            self._given[process_id] = _given_back(process_id, self.material)
        return self._given[process_id]

    def _local(self, element: ElementInfo) -> set[str]:
        names = {mapping.target[0] for mapping in element.inputs} | self._results(element) | self._called(element)
        if element.loop is not None:
            names |= {element.loop.input_element or "", element.loop.output_collection or ""} | OF_A_VOTE
        if "quorum" in element.properties:
            names |= OF_A_VOTE
        if element.ad_hoc is not None:
            names |= {ELEMENTS, element.ad_hoc.output_collection or ""}
        return names


def _from_callers(process: ProcessInfo, material: Material) -> Iterator[str]:
    """Yield what the call activities that call this process hand down to it, with what their own callers handed to them."""
    seen, waiting = {process.id}, [process.id]
    given: dict[str, frozenset[str]] = {}
    callers = {caller.id: Names(caller, material, _given=given) for caller in material.processes}
    while waiting:
        called_id = waiting.pop()
        for caller in material.processes:
            for element in caller.elements.values():
                if element.called is None or element.called.process_id.text != called_id:
                    continue
                yield from (mapping.target[0] for mapping in element.inputs)
                if element.called.takes_all:
                    yield from callers[caller.id].visible_at(element.id)
                    if caller.id not in seen:
                        seen.add(caller.id)
                        waiting.append(caller.id)


def _given_back(process_id: str, material: Material) -> frozenset[str]:
    """Return what a called process leaves behind, with what those leave behind that it calls; calls may go in circles."""
    processes = {process.id: process for process in material.processes}
    names: set[str] = set()
    seen, waiting = {process_id}, [process_id]
    while waiting:
        called = processes.get(waiting.pop())
        if called is None:
            continue
        inner = Names(called, material)
        for element in called.elements.values():
            names |= inner.written_by(element)
            further = _gives_all(element) if not element.outputs else None
            if further is not None and further not in seen:
                seen.add(further)
                waiting.append(further)
    return frozenset(names)


def _gives_all(element: ElementInfo) -> str | None:
    """Return the process that an element calls and whose variables it all takes over."""
    return element.called.process_id.text if element.called is not None and element.called.gives_all else None


def _reads(process: ProcessInfo) -> Iterator[_Read]:
    for flow in process.flows.values():
        source = process.elements.get(flow.source)
        if flow.condition is not None and source is not None:
            yield _Read(flow, "the condition", flow.condition, source.parent_id)
    for element in process.elements.values():
        for what, expression, scope in _expressions(element):
            if expression is not None:
                yield _Read(element, what, expression, scope)


def _expressions(element: ElementInfo) -> Iterator[tuple[str, Expr | None, str]]:
    """Yield what stands in an element: what it is, the expression, and the scope it looks from."""
    inside, outside = element.id, element.attached_to or element.parent_id
    if element.loop is not None:
        yield "the input collection", element.loop.input_collection, outside
        yield "the output element", element.loop.output_element, inside
        yield "the completion condition", element.loop.completion, inside
    if element.ad_hoc is not None:
        yield "the active elements", element.ad_hoc.active, inside
        yield "the output element", element.ad_hoc.output_element, inside
        yield "the completion condition", element.ad_hoc.completion, inside
    for mapping in element.inputs:
        yield f"the input {mapping.target[0]}", mapping.source, inside
    if not _catches_a_message(element):
        for mapping in element.outputs:
            yield f"the output {mapping.target[0]}", mapping.source, inside
    if element.script is not None:
        yield "the script", element.script.expression, inside
    if element.event is not None:
        at = outside if element.attached_to else inside
        yield "the correlation key", element.event.key, at
        yield "the timer", element.event.when, at
        yield "the condition", element.event.condition, at
    yield from (("the job type", kind, inside) for kind in element.job_types)
    yield from ((what, expression, inside) for what, expression in _of_people(element))
    yield from ((f"the property {name}", found, inside) for name, found in _properties(element))


def _catches_a_message(element: ElementInfo) -> bool:
    """Say whether an element's output mappings read what a message brings, which is known only when it comes."""
    is_catching = element.kind not in ("intermediateThrowEvent", "endEvent", "sendTask")
    return (
        element.event is not None and element.event.kind in ("message", "signal", "error", "escalation") and is_catching
    )


def _of_people(element: ElementInfo) -> Iterator[tuple[str, Expr | None]]:
    task = element.user_task
    if task is not None:
        yield "the assignee", task.assignee
        yield "the candidate users", task.candidate_users
        yield "the candidate groups", task.candidate_groups
        yield "the due date", task.due_date
        yield "the follow-up date", task.follow_up_date
        yield "the priority", task.priority


def _properties(element: ElementInfo) -> Iterator[tuple[str, Expr]]:
    for name, text in element.properties.items():
        try:
            yield name, Expr.read(text)
        except NotFeel:
            # Whether a property is FEEL at all is judged at deployment; here only names count.
            continue


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f' (did you mean "{close[0]}"?)' if close else ""
