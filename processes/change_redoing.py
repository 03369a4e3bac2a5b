"""Carry a refused task out another way (C14): a new disposition that engineering and quality signed becomes a task of its own."""

from __future__ import annotations

from collections.abc import Mapping

from engine.act import Act
from engine.errors import Invalid
from engine.record import Operation
from processes.change_addenda import Value
from processes.change_tasks import rows_of_task
from records.change_task import ChangeTask, TaskKind, TaskStatus, move, tasks_of
from records.impact import Disposition, RowDisposition, RowStatus
from rules.amending import text_of
from rules.impact_rules import legal, legal_for, task_rule


def choices_for(act: Act, task: ChangeTask) -> list[Disposition]:
    """Return what may become of the pieces of a task instead."""
    rows = rows_of_task(act.session, task)
    allowed = [set(legal_for(row.target)) for row in rows]
    return sorted(set.intersection(*allowed), key=list(Disposition).index) if allowed else []


def values_for(act: Act, task: ChangeTask, *, disposition: str, reason: str) -> list[Value]:
    """Return what a new disposition sets on the rows that came back, for engineering and quality to sign.

    disposition: empty keeps it and asks people to do it by hand. Raises: Invalid for one that the table does not allow.
    """
    if disposition and disposition not in set(choices_for(act, task)):
        raise Invalid(
            f"Expected a disposition for {task.number}, but found {disposition!r:.40}",
            {"new_disposition": "is not allowed"},
        )
    found: list[Value] = []
    for row in rows_of_task(act.session, task):
        for each in row.dispositions:
            if each.status is RowStatus.RETURNED:
                wanted: dict[str, object] = {"reason": reason[:4000]}
                if disposition:
                    judged = legal(row.target, Disposition(disposition))
                    wanted |= {
                        "disposition": Disposition(disposition), "judged_by": judged.hash,
                        "cost_kind": str(judged.outputs["cost_kind"]),
                    }  # fmt: skip
                found += _differing(each, wanted)
    return found


def _differing(each: RowDisposition, wanted: Mapping[str, object]) -> list[Value]:
    texts = [
        (name, text_of(RowDisposition, name, getattr(each, name)), text_of(RowDisposition, name, value))
        for name, value in wanted.items()
    ]
    return [
        (each.record_type, each.id, name, old, new, Operation.UPDATE.value) for name, old, new in texts if old != new
    ]


def try_again(act: Act, task: ChangeTask) -> ChangeTask:
    """Open a failed task once more, as it was decided; its rows are no longer with their owner."""
    for row in rows_of_task(act.session, task):
        for each in row.dispositions:
            if each.status is RowStatus.RETURNED:
                each.status, each.returned_reason = RowStatus.DISPOSED, ""
    act.session.flush()
    return move(act, task, TaskStatus.OPEN, reason="Tried again")


def redo(act: Act, task: ChangeTask, *, reason: str) -> ChangeTask | None:
    """Replace a failed task by one that does what was signed instead; None where nothing more is to be done."""
    kind = task.kind
    for row in rows_of_task(act.session, task):
        for each in row.dispositions:
            if each.status is RowStatus.RETURNED:
                each.status, each.returned_reason = RowStatus.DISPOSED, ""
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
