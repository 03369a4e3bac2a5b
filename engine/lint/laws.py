"""The one list of laws of the linter, and asking them all."""

from __future__ import annotations

from typing import Final

from engine.lint.advice import Advice, Law, Material
from engine.lint.deadlines import a_message_wait_has_a_way_out, a_task_has_a_deadline
from engine.lint.names import a_decision_finds_its_inputs, a_name_that_is_read_is_given
from engine.lint.paths import (
    a_join_gets_all_it_waits_for,
    a_path_ends_at_an_end,
    a_path_runs_once,
    an_end_can_be_reached,
)
from engine.lint.people import a_role_is_known, a_signature_signs_a_document, a_task_is_for_somebody
from engine.lint.work import a_job_is_served

LAWS: Final[tuple[Law, ...]] = (
    a_name_that_is_read_is_given,
    a_decision_finds_its_inputs,
    a_task_is_for_somebody,
    a_role_is_known,
    a_signature_signs_a_document,
    a_task_has_a_deadline,
    a_message_wait_has_a_way_out,
    a_join_gets_all_it_waits_for,
    a_path_runs_once,
    a_path_ends_at_an_end,
    an_end_can_be_reached,
    a_job_is_served,
)


def advise(material: Material) -> list[Advice]:
    """Return what all laws say about all processes, by file and line."""
    found = {
        Advice(
            severity=remark.severity,
            law=law.__name__,
            file=process.file,
            line=remark.about.line,
            element_id=remark.about.id,
            message=remark.message,
            remedy=remark.remedy,
        )
        for process in material.processes
        for law in LAWS
        for remark in law(process, material)
    }
    return sorted(found, key=lambda advice: (advice.file, advice.line, advice.severity, advice.law, advice.message))
