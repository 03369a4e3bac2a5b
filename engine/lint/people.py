"""Laws on who does a task."""

from __future__ import annotations

from collections.abc import Iterator

from engine import dialect
from engine.lint.advice import Material, Remark, Severity
from engine.spiff.elements import ProcessInfo
from engine.spiff.extensions import Expr


def a_task_is_for_somebody(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Refuse a user task that names neither a person nor a group: it would wait where nobody looks."""
    for element in process.elements.values():
        task = element.user_task
        if task is None or task.assignee or task.candidate_users or task.candidate_groups:
            continue
        yield Remark(
            element,
            "Expected somebody to do this task, but it has no assignee, no candidate users and no candidate groups.",
            "Fill in the assignment, for example candidate groups PUR_LEAD.",
        )


def a_role_is_known(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Doubt a candidate group that is written as plain text and is no role code of this house."""
    for element in process.elements.values():
        groups = element.user_task.candidate_groups if element.user_task else None
        for code in _plain_codes(groups):
            if material.roles and code not in material.roles:
                yield Remark(
                    element,
                    f'Expected a role, but "{code}" is none of {", ".join(sorted(material.roles))}.',
                    "Correct the code, or grant the role to somebody first.",
                    Severity.WARNING,
                )


def _plain_codes(groups: Expr | None) -> Iterator[str]:
    """Yield the codes of a comma list, without what follows an @ (the scope)."""
    if groups is None or not groups.is_static:
        return
    for code in groups.text.split(","):
        yield code.strip().partition("@")[0]


def a_signature_signs_a_document(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Ask for the document that a signature is put under: without one nobody can decide the task."""
    for element in process.elements.values():
        if element.properties.get(dialect.SIGNATURE) and not element.properties.get(dialect.RECORD):
            yield Remark(
                element,
                "Expected the document that is signed, but this task has a signature and no record; nobody could decide it.",
                "Set the property record, for example ={type: document.type, id: document.id, number: document.number,"
                " hash: document.hash}.",
            )
