"""Carry an approved change out (C12-C18): tasks with their inverses, refusals, overdue effectivity, read-back, verification, close."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.act import Act
from engine.errors import Conflict
from engine.messages import publish
from engine.registry import Registry, Work
from processes import change_addenda, change_orders, change_tasks
from processes.change_board import roles_for
from processes.change_control import tell_management
from processes.change_documents import (
    TWO_PEOPLE,
    addendum_approval,
    groups_of,
    order_of,
    order_variable,
    person_of,
    proposed_addendum,
    sentences,
    task_variable,
)
from processes.change_redoing import choices_for, redo
from processes.change_waking import wake_others
from processes.documents import existing
from processes.emergencies import contain, free_all
from records.change_order import AddendumStatus, ChangeOrder, ChangeOrderStatus, EffectivityKind, move, move_addendum
from records.change_request import OrderClass
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
        return _said(act, task, "REFUSED")
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
    """C14: write down what is done instead; engineering and quality sign it, whoever the owner is."""
    order, task = order_of(act, work), _task(act, work)
    reason = str(work.get("delta_reason") or (work.get("decision") or {}).get("reason") or "")
    wanted = str(work.get("new_disposition") or "")
    words = f"{task.number}: {f'{wanted} instead. ' if wanted else ''}{reason}".strip()
    addendum = change_addenda.propose_delta(act, order, reason=words, seats=TWO_PEOPLE)
    return {
        "delta": addendum_approval(act, addendum, TWO_PEOPLE)
        | {"addendum": addendum.id, "disposition": wanted, "reason": reason}
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
    instead = redo(act, task, disposition=delta["disposition"], reason=f"{addendum.number}: {delta['reason']}")
    return {"delta": None, "verdict": None, "job": _variable(act, instead or task)}


@registry.step("hold_overdue_change")
def hold_overdue_change(act: Act, work: Work) -> Mapping[str, Any]:
    """C15: the day is here and mandatory tasks are open: not effective, its work orders are not released, management hears of it."""
    order = order_of(act, work)
    open_tasks = _mandatory(act, order)
    if not open_tasks or order.status is not S.IMPLEMENTING:
        return {"overdue": {"late": False, "tasks": [], "day": ""}}
    words = [f"{task.number}: {task.words}" for task in open_tasks]
    reason = f"{order.effectivity_value} is reached and {len(words)} mandatory tasks are open"
    move(act, order, S.OVERDUE_HOLD, reason=reason)
    tell_management(act, order, f"{order.number} is overdue: {reason}", key=f"overdue:{order.effectivity_value}")
    return {
        "overdue": {"late": True, "tasks": sentences(words), "day": order.effectivity_value}, "order": order_variable(act, order),
    }  # fmt: skip


@registry.step("propose_effectivity")
def propose_effectivity(act: Act, work: Work) -> Mapping[str, Any]:
    """C15: the effectivity moves only with the board's signature."""
    order = order_of(act, work)
    day, reason = str(work["effectivity_value"])[:10], str(work.get("effectivity_reason") or "Tasks are open")
    roles = roles_for(act, order, "EFFECTIVITY")
    addendum = change_addenda.propose_effectivity(act, order, EffectivityKind.DATE, day, reason=reason, seats=roles)
    return {"overdue": dict(work["overdue"]) | addendum_approval(act, addendum, roles) | {"addendum": addendum.id}}


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
    return {
        "work": work_variable(act, order, mismatches=change_tasks.read_back(act, order)),
        "order": order_variable(act, order),
    }


@registry.step("begin_verification")
def begin_verification(act: Act, work: Work) -> Mapping[str, Any]:
    """C16: read back and equal: what is due is written, and quality verifies."""
    order = order_of(act, work)
    change_orders.apply(act, order)
    change_tasks.lift_holds(act, order, reason=f"{order.number} is carried out")
    move(act, order, S.VERIFYING)
    return {"work": work_variable(act, order), "order": order_variable(act, order), "decision": None}


@registry.step("reopen_change_tasks")
def reopen_change_tasks(act: Act, work: Work) -> Mapping[str, Any]:
    """C17: quality found something: the tasks it names are done again."""
    order, decision = order_of(act, work), work["decision"]
    named = {each.strip() for each in str(work.get("failed_tasks") or "").split(",") if each.strip()}
    reason = str(decision.get("reason") or "Verification failed")
    move(act, order, S.IMPLEMENTING, reason=reason)
    for task in tasks_of(act.session, order):
        if task.status is TaskStatus.DONE and (task.number in named or str(task.position) in named):
            move_task(act, task, TaskStatus.FAILED, reason=reason)
    return {"work": work_variable(act, order), "order": order_variable(act, order), "decision": None}


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
    numbers = ", ".join(each.number for each in raised) or "no work order was named"
    return {
        "containment": {"sentence": f"raised on what was built: {numbers}.", "numbers": numbers}, "order": order_variable(act, order),
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


def work_variable(act: Act, order: ChangeOrder, *, mismatches: list[str] | None = None) -> dict[str, Any]:
    """Return the variable ``work``: the tasks, what is done, what differs, and who may not verify it (SOD-9)."""
    act.session.flush()
    tasks = tasks_of(act.session, order)
    done = [task for task in tasks if task.status is TaskStatus.DONE]
    doers = {person_of(task.done_by) for task in done} | {
        person_of(order.owner) if order.owner.startswith("user:") else ""
    }
    return {
        "tasks": [_variable(act, task) for task in tasks if task.kind not in NOT_IN_TURN and task.status is not TaskStatus.DONE],
        "done": sentences(f"{task.position}. {task.number}: {task.words} ({task.done_ref or task.evidence or 'done'})" for task in done),
        "implementers": sorted(each for each in doers if each and not each.startswith("system")),
        "mismatches": sentences(mismatches or []), "overdue": order.status is S.OVERDUE_HOLD,
    }  # fmt: skip


def _variable(act: Act, task: ChangeTask) -> dict[str, Any]:
    choices = [{"label": word.value.lower().replace("_", " "), "value": word.value} for word in choices_for(act, task)]
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
