"""Withdraw a change before it takes effect (C19): what was done is undone in reverse order, under signatures where values were written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict, Invalid, RuleViolation
from engine.registry import Registry, Work
from processes import change_addenda, change_carrying, change_tasks, change_undoing
from processes.change_board import roles_for
from processes.change_documents import (
    addendum_approval,
    groups_of,
    open_addenda,
    order_of,
    order_variable,
    proposed_addendum,
    task_variable,
)
from processes.change_orders import withdraw
from processes.documents import existing
from processes.emergencies import hold_all
from records.amendment import AmendmentStatus, PurchaseOrderAmendment
from records.change_order import AddendumStatus, ChangeOrder, ChangeOrderStatus, move_addendum
from records.change_order import move as move_order
from records.change_request import OrderClass
from records.change_task import ChangeTask, TaskStatus, tasks_of
from records.change_task import move as move_task
from records.signing import supersede
from rules.change_control import items_of

registry = Registry()
WITH_SUPPLIER = (AmendmentStatus.APPROVED, AmendmentStatus.SENT, AmendmentStatus.SUPPLIER_REFUSED)


@registry.step("stop_change")
def stop_change(act: Act, work: Work) -> Mapping[str, Any]:
    """C19: nothing more of it is begun; what was done is listed, the last first."""
    order, reason = order_of(act, work), str(work["withdrawal"]["reason"])
    for addendum in open_addenda(act, order):
        move_addendum(act, addendum, AddendumStatus.DROPPED, reason=reason)
    tasks = tasks_of(act.session, order)
    for task in tasks:
        if task.is_standing and not _is_under_way(task):
            move_task(act, task, TaskStatus.CANCELLED, reason=reason)
    done = [
        task
        for task in reversed(tasks)
        if (task.status is TaskStatus.DONE and task.inverse_kind is not None) or task.is_standing
    ]
    if order.change_class is OrderClass.CE and order.status in (
        ChangeOrderStatus.EMERGENCY_ACTIVE,
        ChangeOrderStatus.OVERDUE_HOLD,
    ):
        hold_all(act, order, reason=f"{order.number} is withdrawn: {reason}")
    jobs = [task_variable(task, groups_of(act, task.owner), [], []) for task in done]
    return {"way_back": {"tasks": jobs, "values": 0, "reason": reason}, "order": order_variable(act, order)}


@registry.job("undo_change_task")
def undo_change_task(act: Act, work: Work) -> Mapping[str, Any]:
    """C19: undo one task by its inverse; what people did, people undo; an amendment's way back is over when its supplier agreed."""
    task, reason = existing(act.session, ChangeTask, work["job"]["id"]), str(work["way_back"]["reason"])
    if not task.is_ours and task.status is TaskStatus.DONE:
        return {"next": "PERSON"}
    if _is_with_supplier(act, task):
        return {"next": "WAIT"}
    try:
        if task.is_standing:
            with act.attempt():
                change_undoing.undo(act, task, reason=reason)
                move_task(act, task, TaskStatus.CANCELLED, reason=reason)
        else:
            change_tasks.undo(act, task, reason=reason)
    except (Conflict, Invalid, RuleViolation) as refusal:
        act.note(task.record_type, task.id, "NOT_UNDONE", reason=refusal.message)
        return {"next": "PERSON", "job": dict(work["job"]) | {"failure": refusal.message}}
    return _awaited(act, work, task)


def _awaited(act: Act, work: Work, task: ChangeTask) -> Mapping[str, Any]:
    """Say whether the way back of a task is over: a further amendment is, once its supplier agreed to it."""
    back = _amendment_back(act, task)
    if back is None or back.status in change_carrying.FINISHED:
        return {"next": "DONE"}
    if back.status in change_carrying.FAILED:
        became, why = back.status.lower().replace("_", " "), back.ended_reason or "no reason was given"
        failure = f"{back.number} was to undo it, but it is {became}: {why}"
        return {"next": "PERSON", "job": dict(work["job"]) | {"failure": failure}}
    return {"next": "WAIT"}


def _is_with_supplier(act: Act, task: ChangeTask) -> bool:
    """Whether the amendment of a task waits for its supplier's answer: only then it is known what there is to undo."""
    if task.done_type != PurchaseOrderAmendment.record_type or task.done_id is None:
        return False
    return act.session.get_one(PurchaseOrderAmendment, task.done_id).status in WITH_SUPPLIER


def _amendment_back(act: Act, task: ChangeTask) -> PurchaseOrderAmendment | None:
    """Return the newest amendment that undoes the one a task made, or None."""
    if task.done_type != PurchaseOrderAmendment.record_type or task.done_id is None:
        return None
    wanted = select(PurchaseOrderAmendment).where(PurchaseOrderAmendment.reverts_id == task.done_id)
    return act.session.scalars(wanted.order_by(PurchaseOrderAmendment.amend_no.desc()).limit(1)).first()


def _is_under_way(task: ChangeTask) -> bool:
    """Whether a task that is not done has begun something that others have by now: an amendment that waits for its supplier."""
    return task.is_ours and task.done_id is not None


@registry.step("keep_undo")
def keep_undo(act: Act, work: Work) -> None:
    """C19: keep what shows that people undid it."""
    task = existing(act.session, ChangeTask, work["job"]["id"])
    task.evidence = f"{task.evidence} Undone: {work.get('evidence') or ''}".strip()[:4000]
    if task.status is TaskStatus.DONE:
        move_task(act, task, TaskStatus.UNDONE, reason=str(work.get("evidence") or task.inverse_words))
    elif task.is_standing:
        move_task(act, task, TaskStatus.CANCELLED, reason=str(work.get("evidence") or task.inverse_words))


@registry.step("weigh_way_back")
def weigh_way_back(act: Act, work: Work) -> Mapping[str, Any]:
    """C19: how many values were written; they go back under signatures of their own."""
    order = order_of(act, work)
    return {"way_back": dict(work["way_back"]) | {"values": len(_applied(act, order))}}


@registry.step("prepare_way_back")
def prepare_way_back(act: Act, work: Work) -> Mapping[str, Any]:
    """C19: write the way back down for whoever signed the way there."""
    order, way_back = order_of(act, work), dict(work["way_back"])
    for addendum in open_addenda(act, order):
        move_addendum(act, addendum, AddendumStatus.DROPPED, reason="Asked again")
    roles = roles_for(act, order, "WITHDRAWAL")
    addendum = change_addenda.propose_way_back(act, order, reason=way_back["reason"], seats=roles)
    return {"way_back": way_back | addendum_approval(act, addendum) | {"addendum": addendum.id}, "verdict": None}


@registry.step("finish_withdrawal")
def finish_withdrawal(act: Act, work: Work) -> Mapping[str, Any]:
    """C19: values back, marks lifted, signatures superseded; it is withdrawn."""
    order, way_back = order_of(act, work), work["way_back"]
    if way_back.get("addendum"):
        change_addenda.apply_addendum(act, proposed_addendum(act, order, way_back["addendum"]))
        act.session.refresh(order)
    change_tasks.lift_holds(act, order, reason=f"{order.number} is withdrawn")
    if order.status is ChangeOrderStatus.REJECTED:
        return {"order": order_variable(act, order)}
    if order.status is ChangeOrderStatus.REVIEW:
        supersede(act, order.record_type, order.id)
        act.session.flush()
        move_order(act, order, ChangeOrderStatus.RETURNED, reason=way_back["reason"])
    withdraw(act, order, reason=way_back["reason"])
    return {"order": order_variable(act, order)}


def _applied(act: Act, order: ChangeOrder) -> list[Any]:
    return [item for item in items_of(act.session, order) if item.applied_at is not None]
