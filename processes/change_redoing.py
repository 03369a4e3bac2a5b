"""Carry a refused task out another way (C14): a new disposition that engineering and quality signed becomes a task of its own."""

from __future__ import annotations

from engine.act import Act
from engine.errors import Invalid
from processes.change_tasks import rows_of_task
from records.change_task import ChangeTask, TaskKind, TaskStatus, move, tasks_of
from records.impact import Disposition, RowStatus
from rules.impact_rules import legal, legal_for, task_rule


def choices_for(act: Act, task: ChangeTask) -> list[Disposition]:
    """Return what may become of the pieces of a task instead."""
    rows = rows_of_task(act.session, task)
    allowed = [set(legal_for(row.target)) for row in rows]
    return sorted(set.intersection(*allowed), key=list(Disposition).index) if allowed else []


def redo(act: Act, task: ChangeTask, *, disposition: str, reason: str) -> ChangeTask | None:
    """Replace a failed task by one that does what was decided instead; None where nothing more is to be done.

    disposition: empty keeps it and asks people to do it by hand. Raises: Invalid for one that the table does not allow.
    """
    if disposition and disposition not in set(choices_for(act, task)):
        raise Invalid(
            f"Expected a disposition for {task.number}, but found {disposition!r:.40}",
            {"new_disposition": "is not allowed"},
        )
    kind = task.kind
    for row in rows_of_task(act.session, task):
        for each in row.dispositions:
            if each.status is not RowStatus.RETURNED:
                continue
            each.status, each.returned_reason = RowStatus.DISPOSED, ""
            each.reason = reason[:4000]
            if disposition:
                each.disposition = Disposition(disposition)
                named = legal(row.target, each.disposition).outputs["task"]
                kind = TaskKind(named) if named else TaskKind.VERIFY
    act.session.flush()
    position = max(one.position for one in tasks_of(act.session, task.change_order)) + 1
    move(act, task, TaskStatus.CANCELLED, reason=reason)
    if kind is TaskKind.VERIFY:
        return None
    rule = task_rule(kind)
    instead = ChangeTask(
        change_order=task.change_order, change_order_id=task.change_order_id, round=task.round, position=position, kind=kind,
        words=f"{task.target_ref}: {reason}"[:4000], is_ours=False, is_mandatory=task.is_mandatory, target_type=task.target_type,
        target_id=task.target_id, target_ref=task.target_ref, inverse_kind=rule.inverse, inverse_words=rule.inverse_words,
        status=TaskStatus.OPEN, owner=rule.owner, due_on=task.due_on,
    )  # fmt: skip
    act.session.add(instead)
    act.session.flush()
    return instead
