"""Carry an approved change out (C12-C18): tasks with their inverses, refusals, overdue effectivity, read-back, verification, close."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.act import Act
from engine.errors import Conflict
from engine.messages import publish
from engine.registry import Registry, Work
from processes import change_addenda, change_carrying, change_orders, change_tasks
from processes.change_board import roles_for
from processes.change_control import begin, tell_management
from processes.change_documents import (
    addendum_approval,
    groups_of,
    order_of,
    order_variable,
    person_of,
    proposed_addendum,
    sentences,
    task_variable,
)
from processes.change_redoing import choices_for, redo, try_again, values_for
from processes.change_requests import open_request, submit
from processes.change_waking import wake_others
from processes.documents import existing
from processes.emergencies import contain, free_all
from records.change_order import AddendumStatus, ChangeOrder, ChangeOrderStatus, EffectivityKind, move, move_addendum
from records.change_request import ChangeRequest, OrderClass, RequestSource, Urgency
from records.change_task import ChangeTask, TaskKind, TaskStatus, tasks_of
from records.change_task import move as move_task
from records.signing import supersede

registry = Registry()
S = ChangeOrderStatus
NOT_IN_TURN = frozenset({TaskKind.VERIFY})
"""Kinds that have a step of their own in the flow."""


@registry.step("plan_change_tasks")
def plan_change_tasks(act: Act, work: Work) -> Mapping[str, Any]:
    """C12: the tasks in their order, each with what undoes it; every order of the set is marked as waiting for the change."""
    order = order_of(act, work)
    if order.change_class is OrderClass.CE:
        free_all(act, order, reason=f"{order.number} is approved")
    change_tasks.plan_tasks(act, order)
    change_tasks.place_holds(act, order)
    if order.status is S.APPROVED:
        move(act, order, S.IMPLEMENTING)
    return {"work": work_variable(act, order), "order": order_variable(act, order)}


@registry.job("carry_out_change_task")
def carry_out_change_task(act: Act, work: Work) -> Mapping[str, Any]:
    """C13: do what Lockstep does itself; say in ``next`` who goes on: DONE, PERSON, WAIT for another task, or REFUSED (C14)."""
    task = _task(act, work)
    if task.status in (TaskStatus.DONE, TaskStatus.CANCELLED, TaskStatus.UNDONE):
        return _said(act, task, "DONE")
    if task.status is TaskStatus.FAILED:
        if (work.get("decision") or {}).get("verdict") != "try_again":
            return _said(act, task, "REFUSED")
        try_again(act, task)
    if task.is_ours:
        try:
            change_tasks.carry_out(act, task)
        except Conflict as waiting:
            act.note(task.record_type, task.id, "WAITS", reason=waiting.message)
    became = TaskStatus(task.status)
    if became is TaskStatus.DONE:
        wake_others(act, task)
    if became in (TaskStatus.DONE, TaskStatus.FAILED):
        return _said(act, task, "DONE" if became is TaskStatus.DONE else "REFUSED")
    return _said(act, task, "PERSON" if became is TaskStatus.OPEN and not task.is_ours else "WAIT")


@registry.step("settle_change_task")
def settle_change_task(act: Act, work: Work) -> None:
    """C13, C14: keep the evidence of what somebody did, or that it was refused."""
    task, decision = _task(act, work), work["decision"]
    if decision["verdict"] == "refused":
        move_task(act, task, TaskStatus.FAILED, reason=str(decision.get("reason") or work.get("evidence") or "Refused"))
        return
    change_tasks.carry_out(act, task, evidence=str(work.get("evidence") or ""))
    wake_others(act, task)


@registry.step("prepare_delta")
def prepare_delta(act: Act, work: Work) -> Mapping[str, Any]:
    """C14: write down what is done instead; who signs it is what the board's rows say of a difference: engineering and quality."""
    order, task = order_of(act, work), _task(act, work)
    reason = str(work.get("delta_reason") or (work.get("decision") or {}).get("reason") or task.failure or "Refused")
    wanted = str(work.get("new_disposition") or "")
    instead = f"instead: {wanted.lower().replace('_', ' ')}." if wanted else "instead, by hand:"
    words = f"{task.headline}; {instead} {reason}"[:4000]
    values = values_for(act, task, disposition=wanted, reason=reason)
    addendum = change_addenda.propose_delta(
        act, order, reason=words, seats=roles_for(act, order, "DELTA"), values=values
    )
    return {
        "delta": addendum_approval(act, addendum) | {"addendum": addendum.id, "disposition": wanted, "reason": reason}
    }


@registry.step("settle_delta")
def settle_delta(act: Act, work: Work) -> Mapping[str, Any]:
    """C14: signed, the task is people's work with the new word for it; not signed, its owner decides again."""
    task, delta = _task(act, work), work["delta"]
    addendum = proposed_addendum(act, task.change_order, delta["addendum"])
    if work.get("verdict") != "approve":
        move_addendum(act, addendum, AddendumStatus.DROPPED, reason="Engineering and quality did not sign it")
        return {"delta": None, "verdict": None}
    change_addenda.apply_addendum(act, addendum)
    instead = redo(act, task, reason=f"{addendum.number}: {delta['reason']}")
    return {"delta": None, "verdict": None, "job": _variable(act, instead or task)}


@registry.step("hold_overdue_change")
def hold_overdue_change(act: Act, work: Work) -> Mapping[str, Any]:
    """C15: the day is here and mandatory tasks are open: not effective, its work orders are not released, management hears of it."""
    order = order_of(act, work)
    open_tasks = _mandatory(act, order)
    if not open_tasks or order.status is not S.IMPLEMENTING:
        return {"overdue": {"late": False, "tasks": [], "day": ""}}
    words = [f"{task.headline}{f' ({task.failure})' if task.failure else ''}" for task in open_tasks]
    still = "one mandatory task is open" if len(words) == 1 else f"{len(words)} mandatory tasks are open"
    reason = f"{order.effectivity_value} is reached and {still}"
    move(act, order, S.OVERDUE_HOLD, reason=reason)
    tell_management(act, order, f"{order.number} is overdue: {reason}", key=f"overdue:{order.effectivity_value}")
    return {
        "overdue": {"late": True, "tasks": sentences(words), "day": order.effective_on}, "order": order_variable(act, order),
    }  # fmt: skip


@registry.step("propose_effectivity")
def propose_effectivity(act: Act, work: Work) -> Mapping[str, Any]:
    """C15: the effectivity moves only with the board's signature."""
    order = order_of(act, work)
    day, reason = str(work["effectivity_value"])[:10], str(work.get("effectivity_reason") or "Tasks are open")
    roles = roles_for(act, order, "EFFECTIVITY")
    addendum = change_addenda.propose_effectivity(act, order, EffectivityKind.DATE, day, reason=reason, seats=roles)
    return {"overdue": dict(work["overdue"]) | addendum_approval(act, addendum) | {"addendum": addendum.id}}


@registry.step("apply_effectivity")
def apply_effectivity(act: Act, work: Work) -> Mapping[str, Any]:
    """C15: the board signed the new day: it goes on."""
    order = order_of(act, work)
    change_addenda.apply_addendum(act, proposed_addendum(act, order, work["overdue"]["addendum"]))
    act.session.refresh(order)
    move(act, order, S.IMPLEMENTING, reason=f"The board moved the effectivity to {order.effectivity_value}")
    publish(
        act, "change.effectivity_moved", correlation_key=order.id, message_id=f"moved:{work['overdue']['addendum']}"
    )
    return {"order": order_variable(act, order), "overdue": None, "verdict": None}


@registry.step("read_change_back")
def read_change_back(act: Act, work: Work) -> Mapping[str, Any]:
    """C16: everything is read back; what differs is settled first."""
    order = order_of(act, work)
    unfit = str((work.get("work") or {}).get("unfit") or "")
    return {
        "work": work_variable(act, order, mismatches=change_tasks.read_back(act, order), unfit=unfit),
        "order": order_variable(act, order),
    }


@registry.step("reopen_differing_tasks")
def reopen_differing_tasks(act: Act, work: Work) -> Mapping[str, Any]:
    """C16: what was read back otherwise than it was done goes back to its owner, who decides anew (C14)."""
    order, decision = order_of(act, work), work["decision"]
    for task in tasks_of(act.session, order):
        if task.is_ours and task.status is TaskStatus.DONE and (differs := change_carrying.differences(act, task)):
            move_task(
                act,
                task,
                TaskStatus.FAILED,
                reason=f"{' '.join(differs)} {decision.get('reason') or ''}".strip()[:3900],
            )
    return {"work": work_variable(act, order), "decision": None}


@registry.step("begin_verification")
def begin_verification(act: Act, work: Work) -> Mapping[str, Any]:
    """C16: read back and equal: what is due is written, and quality verifies."""
    order = order_of(act, work)
    change_orders.apply(act, order)
    change_tasks.lift_holds(act, order, reason=f"{order.number} is carried out")
    move(act, order, S.VERIFYING)
    unfit = str((work.get("work") or {}).get("unfit") or "")
    return {"work": work_variable(act, order, unfit=unfit), "order": order_variable(act, order), "decision": None}


@registry.step("reopen_change_tasks")
def reopen_change_tasks(act: Act, work: Work) -> Mapping[str, Any]:
    """C17: quality found something: the tasks it names are done again, or a corrective action is asked for beside the change."""
    order, decision = order_of(act, work), work["decision"]
    reason = str(decision.get("reason") or work.get("sample") or "Verification failed")
    named, unfit = set(work.get("failed_tasks") or ()), ""
    move(act, order, S.IMPLEMENTING, reason=reason)
    if decision["verdict"] == "corrective_action":
        unfit = f"{_ask_for_correction(act, order, reason).number} asks for a corrective action."
    elif not named:
        unfit = "Expected the tasks that failed to be named, but none was."
    for task in tasks_of(act.session, order):
        if task.status is TaskStatus.DONE and task.id in named:
            move_task(act, task, TaskStatus.FAILED, reason=reason)
    return {
        "work": work_variable(act, order, unfit=unfit),
        "order": order_variable(act, order),
        "decision": None,
        "failed_tasks": None,
    }


def _ask_for_correction(act: Act, order: ChangeOrder, finding: str) -> ChangeRequest:
    """Ask for a corrective action that is a change of its own."""
    asked = open_request(
        act, title=f"Corrective action: {order.number} {order.title}"[:200], problem=finding, source=RequestSource.CAPA,
        source_ref=order.number, urgency=Urgency.URGENT,
    )  # fmt: skip
    submit(act, asked)
    begin(act, asked)
    return asked


@registry.step("finish_change")
def finish_change(act: Act, work: Work) -> Mapping[str, Any]:
    """C18: verified by quality and closed by its specialist."""
    order = order_of(act, work)
    for task in tasks_of(act.session, order):
        if task.kind in NOT_IN_TURN and task.is_standing:
            if task.status is TaskStatus.WAITING:
                move_task(act, task, TaskStatus.OPEN)
            change_tasks.carry_out(act, task, evidence=str(work.get("sample") or "Verified"))
    move(act, order, S.CLOSED, reason=str(work.get("summary") or "Verified and closed"))
    return {"order": order_variable(act, order)}


@registry.step("contain_emergency")
def contain_emergency(act: Act, work: Work) -> Mapping[str, Any]:
    """C22: the emergency is not approved: a nonconformance on what was built, and whoever signed it signs no more."""
    order, decision = order_of(act, work), work.get("decision") or {}
    reason = str(decision.get("reason") or order.ended_reason or "It was not approved")
    raised = contain(act, order, reason=f"{order.number} is not approved: {reason}")
    if not order.is_over:
        supersede(act, order.record_type, order.id)
        act.session.flush()
        move(act, order, S.WITHDRAWN, reason=f"Contained: {reason}")
    numbers = ", ".join(each.number for each in raised)
    said = f"What was built under it is on hold, as {numbers} says." if raised else "Its bounds named no work order."
    return {
        "containment": {"sentence": said, "numbers": numbers}, "order": order_variable(act, order),
        "decision": None,
    }  # fmt: skip


@registry.step("keep_recall_assessment")
def keep_recall_assessment(act: Act, work: Work) -> None:
    """C22: whether anything is recalled."""
    order, decision = order_of(act, work), work["decision"]
    act.note(
        order.record_type,
        order.id,
        "RECALL_ASSESSED",
        new=str(decision["verdict"]),
        reason=str(work.get("conclusion") or ""),
    )
    if decision["verdict"] == "recall":
        tell_management(act, order, f"{order.number}: quality asks for a recall", key="recall")


def work_variable(
    act: Act, order: ChangeOrder, *, mismatches: list[str] | None = None, unfit: str = ""
) -> dict[str, Any]:
    """Return the variable ``work``: the tasks, what is done, what differs, and who may not verify it (SOD-9).

    unfit: why quality is asked again.
    """
    act.session.flush()
    tasks = tasks_of(act.session, order)
    done = [task for task in tasks if task.status is TaskStatus.DONE]
    doers = {person_of(task.done_by) for task in done} | {
        person_of(order.owner) if order.owner.startswith("user:") else ""
    }
    return {
        "tasks": [_variable(act, task) for task in tasks if task.kind not in NOT_IN_TURN and task.status is not TaskStatus.DONE],
        "done": sentences(f"{task.headline}: {task.done_ref or task.evidence or 'done'}" for task in done),
        "implementers": sorted(each for each in doers if each and not each.startswith("system")),
        "done_choices": [{"value": task.id, "label": task.headline[:200]} for task in done if task.is_mandatory],
        "unfit": unfit, "mismatches": sentences(mismatches or []), "overdue": order.status is S.OVERDUE_HOLD,
    }  # fmt: skip


def _variable(act: Act, task: ChangeTask) -> dict[str, Any]:
    choices = [
        {"label": word.value.replace("_", " ").capitalize(), "value": word.value} for word in choices_for(act, task)
    ]
    groups = groups_of(act, task.owner)
    return task_variable(task, groups, sorted({*groups, "CHANGE_SPECIALIST"}), choices)


def _task(act: Act, work: Work) -> ChangeTask:
    return existing(act.session, ChangeTask, work["job"]["id"])


def _said(act: Act, task: ChangeTask, what: str) -> Mapping[str, Any]:
    return {"next": what, "job": _variable(act, task), "decision": None, "evidence": None}


def _mandatory(act: Act, order: ChangeOrder) -> list[ChangeTask]:
    return [
        task
        for task in tasks_of(act.session, order)
        if task.is_standing and task.is_mandatory and task.kind not in NOT_IN_TURN
    ]
