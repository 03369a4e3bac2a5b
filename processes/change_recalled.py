"""What a change calls home unfinished is decided anew: a task of the planner, and a mark that stops the operation meanwhile (B13)."""

from __future__ import annotations

from sqlalchemy import func, select

from engine.act import Act
from engine.instances import start as start_instance
from engine.stored.definition import Definition, DefinitionStatus
from engine.stored.instance import Instance
from processes.change_documents import groups_of, order_variable
from processes.documents import plain
from processes.notices import tell_role
from records.change_order import ChangeOrder
from records.change_task import ChangeHold, ChangeTask, HoldEffect, TaskKind, TaskStatus, holds_on
from records.outside import OutsideLink
from rules.impact_rules import task_rule
from rules.policy import table_called

RECALLED_WORK = "recalled_work"
"""The process by which the planner is asked in the inbox."""


def ask_planner(act: Act, change: ChangeOrder, link: OutsideLink, *, because: str) -> ChangeTask | None:
    """Ask under a change what becomes of the pieces of a link that were called home; None where the change is over.

    The operation neither starts nor ships until the task is done, with evidence: reworked, converted, scrapped, or sent out again.
    """
    if not change.is_in_force:
        return None
    operation, away = link.operation, f"{plain(link.at_supplier)} {link.uom}"
    words = (
        f"{because}: {away} of {operation.number} come home from {link.order.supplier.name} as they were sent. Say what becomes of them: "
        "rework, convert to what follows, scrap, or send them out again."
    )
    rule = task_rule(TaskKind.CHANGE_WO)
    task = ChangeTask(
        change_order=change, change_order_id=change.id, round=change.round, position=_next_position(act, change),
        kind=TaskKind.CHANGE_WO, words=words[:4000], is_ours=False, target_type=operation.record_type, target_id=operation.id,
        target_ref=operation.number, inverse_kind=rule.inverse, inverse_words=rule.inverse_words, owner=rule.owner,
        status=TaskStatus.OPEN,
    )  # fmt: skip
    act.session.add(task)
    _mark(
        act,
        change,
        link,
        f"{change.number} calls {away} home from {link.order.supplier.name}; the planner says what becomes of them",
    )
    subject = f"{change.number}: say what becomes of {away} of {operation.number} that come home"
    tell_role(act, "PLANNER", subject, key=f"{task.id}:home", body=words, record=(change.record_type, change.id))
    _ask_in_the_inbox(act, task, link)
    return task


def _ask_in_the_inbox(act: Act, task: ChangeTask, link: OutsideLink) -> Instance | None:
    """Put the task of a recall into the planner's inbox; None where the process is not deployed, and the change's page alone asks."""
    wanted = select(Definition.id).where(
        Definition.process_id == RECALLED_WORK, Definition.status == DefinitionStatus.RELEASED
    )
    if act.session.scalars(wanted.limit(1)).first() is None:
        return None
    act.session.flush()
    change = task.change_order
    job = {
        "id": task.id, "words": task.words, "target": task.target_ref, "groups": groups_of(act, task.owner), "problem": None,
        "pieces": f"{plain(link.at_supplier)} {link.uom} of {task.target_ref}", "supplier": link.order.supplier.name,
        "days": table_called("timers").judge(priority="NORMAL").row.outputs["change_task"],
    }  # fmt: skip
    about = [(change.record_type, change.id), (task.target_type, str(task.target_id))]
    given = {"job": job, "order": order_variable(act, change)}
    return start_instance(act, RECALLED_WORK, business_key=task.number, variables=given, records=about)


def _next_position(act: Act, change: ChangeOrder) -> int:
    last = select(func.max(ChangeTask.position)).where(
        ChangeTask.change_order_id == change.id, ChangeTask.round == change.round
    )
    return (act.session.scalar(last) or 0) + 1


def _mark(act: Act, change: ChangeOrder, link: OutsideLink, reason: str) -> None:
    """Let the mark of the change on the operation block, whether it stood before or not."""
    operation = link.operation
    mine = [each for each in holds_on(act.session, operation.id) if each.change_order_id == change.id]
    for each in mine:
        each.effect, each.reason = HoldEffect.BLOCK, reason
    if not mine:
        act.session.add(
            ChangeHold(
                change_order=change, change_order_id=change.id, about_type=operation.record_type, about_id=operation.id,
                about_ref=operation.number, effect=HoldEffect.BLOCK, reason=reason, placed_at=act.now,
            )
        )  # fmt: skip
    act.session.flush()
