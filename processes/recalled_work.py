"""Pieces that a change called home unfinished (B13): the planner says in the inbox what becomes of them, and the operation goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict, Invalid
from engine.jobs import defer
from engine.messages import publish
from engine.record import Edit, Operation
from engine.registry import Registry, Work
from engine.stored.instance import Instance, InstanceStatus
from processes import change_tasks
from processes.change_recalled import RECALLED_WORK
from processes.change_waking import wake_others
from processes.documents import existing
from processes.outside_moving import NOT_KEPT
from records.change_task import STANDING, ChangeTask

SETTLED = "change.recalled_settled"
"""Message by which the flow hears that its task was settled on the page of the change, or that the change was withdrawn."""

registry = Registry()


@registry.step("settle_recalled")
def settle_recalled(act: Act, work: Work) -> Mapping[str, Any]:
    """Keep what the planner decided as the evidence of the change's task; what keeps it from being done is said, and asked again."""
    task, job = existing(act.session, ChangeTask, work["job"]["id"]), dict(work["job"])
    try:
        with act.attempt():
            change_tasks.carry_out(act, task, evidence=str(work.get("evidence") or ""))
    except (Conflict, Invalid) as refusal:
        return {"job": job | {"problem": refusal.message}}
    wake_others(act, task)
    return {"job": job | {"problem": None}}


@registry.follower(ChangeTask.__tablename__)
def promise_end(act: Act, edits: Sequence[Edit]) -> None:
    """Let the flow of a task go that was settled where it also stands, on the page of the change, or that was cancelled with it."""
    for edit in edits:
        task = edit.record
        if edit.operation is not Operation.UPDATE or "status" not in edit.changes or task.status in STANDING:
            continue
        running = select(Instance.id).where(
            Instance.process_id == RECALLED_WORK,
            Instance.business_key == task.number,
            Instance.status == InstanceStatus.RUNNING,
        )
        if act.session.scalars(running.limit(1)).first() is not None:
            defer(act, "end_recalled", {"task": task.id})


@registry.job("end_recalled")
def end_recalled(act: Act, work: Work) -> None:
    """Take the task out of the inbox; nobody waits any more where it was settled there."""
    publish(act, SETTLED, correlation_key=work["task"], message_id=f"settled:{work['task']}", ttl=NOT_KEPT)
