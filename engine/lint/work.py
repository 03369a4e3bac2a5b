"""A law on the work behind a diagram."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from engine.lint.advice import Material, Remark, Severity
from engine.spiff.elements import ElementInfo, ProcessInfo
from engine.spiff.extensions import Expr


def a_job_is_served(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Warn of a job type without a function: the job waits for a worker from outside, which may be meant."""
    kinds: list[tuple[ElementInfo | ProcessInfo, Expr]] = [(process, one.task.type) for one in process.listeners]
    kinds += [(element, kind) for element in process.elements.values() for kind in element.job_types]
    for element, kind in kinds:
        if not kind.is_static or kind.text in material.handlers:
            continue
        close = difflib.get_close_matches(kind.text, material.handlers, n=1, cutoff=0.7)
        hint = f' (did you mean "{close[0]}"?)' if close else ""
        yield Remark(
            element,
            f'Expected somebody to do the work "{kind.text}", but no function here serves it{hint}.',
            "Correct the type, register a function for it, or run an outside worker.",
            Severity.WARNING,
        )
