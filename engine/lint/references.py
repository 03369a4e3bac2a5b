"""Laws on what a diagram names: forms, decisions, processes and job types must be there."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

from engine.lint.advice import Material, Remark, Severity
from engine.spiff.elements import ElementInfo, ProcessInfo


def a_form_exists(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Refuse a form that no file of the bundle holds."""
    for element in process.elements.values():
        form = element.form_id
        if form is not None and form.is_static and form.text not in material.form_fields:
            yield Remark(
                element,
                f'Expected the form "{form.text}", but there is no such form{_nearest(form.text, material.form_fields)}.',
                f"Add {process.id}.{form.text}.form beside the diagram.",
            )


def a_decision_exists(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Refuse a decision that no table answers."""
    for element in process.elements.values():
        called = element.decision
        if called is None or not called.decision_id.is_static or called.binding != "deployment":
            continue
        name = called.decision_id.text
        if name not in material.decisions:
            yield Remark(
                element,
                f'Expected the decision "{name}", but no table has it{_nearest(name, material.decisions)}.',
                f"Add {name}.dmn to the tables, or correct the id.",
            )


def a_process_to_call_exists(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Refuse a call of a process that no diagram draws."""
    known = {other.id for other in material.processes}
    for element in process.elements.values():
        called = element.called
        if called is None or not called.process_id.is_static or called.binding != "deployment":
            continue
        name = called.process_id.text
        if name not in known:
            yield Remark(
                element,
                f'Expected the process "{name}", but no diagram draws it{_nearest(name, known)}.',
                "Add its diagram, or correct the id.",
            )


def a_job_is_served(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Warn of a job type without a function: the job waits for a worker from outside, which may be meant."""
    for element in process.elements.values():
        kind = element.task_type
        if kind is not None and kind.is_static and kind.text not in material.handlers:
            yield _unserved(element, kind.text, material.handlers)


def _unserved(element: ElementInfo, name: str, known: Collection[str]) -> Remark:
    return Remark(
        element,
        f'Expected somebody to do the work "{name}", but no function here serves it{_nearest(name, known)}.',
        "Correct the type, register a function for it, or run an outside worker.",
        Severity.WARNING,
    )


def _nearest(name: str, known: Collection[str]) -> str:
    """Return a hint at the name that was probably meant, or nothing."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f' (did you mean "{close[0]}"?)' if close else ""
