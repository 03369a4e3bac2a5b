"""The tasks of an approved change: planned with order and inverse, carried out one by one, undone in reverse, read back (C12-C19)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Conflict, Invalid, RuleViolation
from processes import change_carrying, change_undoing
from processes.change_carrying import Pairs
from processes.impact_query import find
from records.change_order import ChangeOrder, EffectivityKind
from records.change_task import (
    TITLES,
    ChangeHold,
    ChangeTask,
    HoldEffect,
    TaskKind,
    TaskStatus,
    move,
    tasks_of,
)
from records.impact import (
    AffectedOrder,
    ImpactTarget,
    RowDisposition,
    RowStatus,
    newest_snapshot,
    rows_of,
)
from records.lot import Lot
from records.outside import OutsideLink
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import RequisitionLine
from records.work_order import WorkOrder
from rules.amending import is_amended_here
from rules.impact_rules import kinds_for, legal, task_rule

OURS = frozenset({TaskKind.UPDATE_BOM, TaskKind.AMEND_PO, TaskKind.CHANGE_WO, TaskKind.MOVE_STOCK})
"""Kinds that Lockstep itself carries out, where it can."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A task before it is written. about: type, id and name of its document."""

    kind: TaskKind
    words: str
    about: tuple[str, str, str]
    is_ours: bool
    owner: str = ""
    due_on: dt.date | None = None


def plan_tasks(act: Act, order: ChangeOrder) -> list[ChangeTask]:
    """Write the tasks of a change in their order, each with what undoes it (C12); a second call returns those that are there.

    Raises: Conflict when the order is not approved.
    """
    present = tasks_of(act.session, order)
    if any(each.kind is TaskKind.VERIFY for each in present):
        return present
    if not order.is_in_force:
        raise Conflict(
            f"Expected {order.number} to be approved before its tasks are planned, but it is {order.status}",
            code="NOT_IN_FORCE", record=(order.record_type, order.id),
        )  # fmt: skip
    wanted = sorted(
        _wanted(act.session, order),
        key=lambda each: (task_rule(each.kind).stage, list(TaskKind).index(each.kind), each.about[2]),
    )
    for position, each in enumerate(wanted, start=len(present) + 1):
        rule = task_rule(each.kind)
        act.session.add(
            ChangeTask(
                change_order=order, change_order_id=order.id, round=order.round, position=position, kind=each.kind,
                words=each.words[:4000], is_ours=each.is_ours, target_type=each.about[0], target_id=each.about[1],
                target_ref=each.about[2][:200], inverse_kind=rule.inverse, inverse_words=rule.inverse_words,
                owner=each.owner or rule.owner, due_on=each.due_on, status=TaskStatus.WAITING,
            )
        )  # fmt: skip
    act.session.flush()
    _open_next(act, order)
    return tasks_of(act.session, order)


def carry_out(act: Act, task: ChangeTask, *, evidence: str = "") -> ChangeTask:
    """Carry one task out, whole or not at all; one that is done stays done.

    evidence: what proves a person's task, whose hash is kept. A task of ours whose pieces are no longer what was decided about them
    fails, and its rows go back to their owner (C14). Raises: Invalid for a person's task without evidence; Conflict when it waits for
    others.
    """
    if task.status is TaskStatus.DONE:
        return task
    if task.status is TaskStatus.FAILED:
        move(act, task, TaskStatus.OPEN)
    _refuse_waiting(act, task)
    if task.is_ours:
        return _do_ours(act, task)
    if not evidence.strip():
        raise Invalid(f"Expected evidence that {task.number} is done, but there is none", {"evidence": "is required"})
    task.evidence, task.evidence_hash = evidence.strip()[:4000], content_hash(evidence.strip())
    _finish(act, task)
    return task


def undo(act: Act, task: ChangeTask, *, reason: str = "") -> ChangeTask:
    """Undo one task that is done, by its inverse; one that is not done is cancelled, one that is undone stays so.

    Raises: Conflict OUT_OF_ORDER while a later task is still done, IRREVERSIBLE where nothing undoes it.
    """
    if task.status in (TaskStatus.UNDONE, TaskStatus.CANCELLED):
        return task
    if task.is_standing:
        return move(act, task, TaskStatus.CANCELLED, reason=reason or "The change is withdrawn")
    order = task.change_order
    stage = task_rule(task.kind).stage
    later = [each for each in tasks_of(act.session, order) if task_rule(each.kind).stage > stage]
    if blocking := next((each for each in later if each.status is TaskStatus.DONE and each.inverse_kind), None):
        raise Conflict(
            f"Expected {blocking.number} to be undone before {task.number}, but it is done: tasks are undone in reverse order",
            code="OUT_OF_ORDER", record=(order.record_type, order.id),
        )  # fmt: skip
    if task.inverse_kind is None:
        raise Conflict(
            f"Expected something that undoes {task.number}, but there is nothing: {task_rule(task.kind).words} Raise a new change.",
            code="IRREVERSIBLE", record=(order.record_type, order.id),
        )  # fmt: skip
    with act.attempt():
        if task.is_ours:
            change_undoing.undo(act, task, reason=reason or f"{order.number} is withdrawn")
        for disposition in _dispositions(act.session, task):
            if disposition.status is RowStatus.DONE:
                disposition.status, disposition.done_at, disposition.done_ref = RowStatus.DISPOSED, None, ""
        move(act, task, TaskStatus.UNDONE, reason=reason or task.inverse_words)
    return task


def undo_all(act: Act, order: ChangeOrder, *, reason: str) -> list[ChangeTask]:
    """Undo every task of a change in reverse order (C19); those that nothing undoes are left done and returned last."""
    tasks = list(reversed(tasks_of(act.session, order)))
    stuck = [task for task in tasks if task.status is TaskStatus.DONE and task.inverse_kind is None]
    undone = [undo(act, task, reason=reason) for task in tasks if task not in stuck]
    return [*undone, *stuck]


def read_back(act: Act, order: ChangeOrder) -> list[str]:
    """Return a sentence for everything that is not what the change says: revisions, orders, work, stock, tasks (C16)."""
    found = [*_unreleased(act, order)]
    for task in tasks_of(act.session, order):
        if task.is_standing and task.is_mandatory and task.kind is not TaskKind.VERIFY:
            found.append(f"Expected {task.number} to be done, but it is {task.status}: {task.words}")
        elif task.is_ours and task.status is TaskStatus.DONE:
            found += change_carrying.differences(act, task, _pairs(act.session, task))
    return found


def place_holds(act: Act, order: ChangeOrder) -> list[ChangeHold]:
    """Mark order lines, work orders and lots on which the change waits (CHANGE_PENDING); a second call adds what is missing."""
    known = {each.about_id for each in standing_holds(act.session, order)}
    for about, effect, reason in _pending(act.session, order):
        if about[1] not in known:
            known.add(about[1])
            act.session.add(
                ChangeHold(
                    change_order=order, change_order_id=order.id, about_type=about[0], about_id=about[1], about_ref=about[2],
                    effect=effect, reason=reason, placed_at=act.now,
                )
            )  # fmt: skip
    act.session.flush()
    return standing_holds(act.session, order)


def lift_holds(act: Act, order: ChangeOrder, *, reason: str, about_id: str | None = None) -> list[ChangeHold]:
    """Take the marks of a change away, all or the one on a record; return those taken away."""
    lifted = [each for each in standing_holds(act.session, order) if about_id in (None, each.about_id)]
    for each in lifted:
        each.lifted_at, each.lifted_reason = act.now, reason
    act.session.flush()
    return lifted


def standing_holds(session: Session, order: ChangeOrder) -> list[ChangeHold]:
    """Return the marks of a change that stand."""
    wanted = select(ChangeHold).where(ChangeHold.change_order_id == order.id, ChangeHold.lifted_at.is_(None))
    return list(session.scalars(wanted.order_by(ChangeHold.about_ref, ChangeHold.id)))


def _do_ours(act: Act, task: ChangeTask) -> ChangeTask:
    """Carry out, whole or not at all; what somebody else has to answer first leaves the task open."""
    try:
        with act.attempt():
            if task.done_id is None:
                _refuse_moved(act, task)
            done = change_carrying.carry_out(
                act, task, _pairs(act.session, task), all_pairs=_all_pairs(act.session, task)
            )
            task.done_type, task.done_id, task.done_ref = done.type, done.id, done.ref[:200]
            if done.is_finished:
                _finish(act, task)
    except (Conflict, Invalid, RuleViolation) as refusal:
        # The refusal of the world is what the task becomes: its rows go back to their owner.
        move(act, task, TaskStatus.FAILED, reason=refusal.message)
        task.done_type = task.done_id = None
        _return_rows(act, task, refusal.message)
    return task


def _finish(act: Act, task: ChangeTask) -> None:
    move(act, task, TaskStatus.DONE)
    for disposition in _dispositions(act.session, task):
        if disposition.status is RowStatus.DISPOSED:
            disposition.status, disposition.done_at, disposition.done_ref = RowStatus.DONE, act.now, task.number[:200]
    _lift_for(act, task)
    act.session.flush()
    _open_next(act, task.change_order)


def _lift_for(act: Act, task: ChangeTask) -> None:
    """Take the marks away that waited for this task."""
    rows = _rows(act.session, task)
    ids = {task.target_id, *(row.target_id for row in rows)}
    ids |= {about[1] for row in rows for about in _marked(act.session, row) if row.status is RowStatus.DONE}
    ids -= _awaited(act, task)
    for each in standing_holds(act.session, task.change_order):
        if each.about_id in ids:
            each.lifted_at, each.lifted_reason = act.now, f"{task.number} is done"


def _awaited(act: Act, task: ChangeTask) -> set[str]:
    """Return what other tasks of the same change are about and still to be done."""
    others = [each for each in tasks_of(act.session, task.change_order) if each.id != task.id and each.is_standing]
    return {each.target_id for each in others if each.kind is not TaskKind.VERIFY}


def _open_next(act: Act, order: ChangeOrder) -> None:
    """Open the tasks whose turn it is: those of the first stage that is not over."""
    tasks = [each for each in tasks_of(act.session, order) if each.is_standing]
    if tasks:
        stage = task_rule(tasks[0].kind).stage
        for task in tasks:
            if task.status is TaskStatus.WAITING and task_rule(task.kind).stage == stage:
                move(act, task, TaskStatus.OPEN)


def _refuse_waiting(act: Act, task: ChangeTask) -> None:
    if task.status is TaskStatus.WAITING:
        _open_next(act, task.change_order)
    if task.status is not TaskStatus.OPEN:
        before = next((each for each in tasks_of(act.session, task.change_order) if each.is_standing), task)
        raise Conflict(
            f"Expected {task.number} to be open, but it is {task.status}: {before.number} comes first",
            code="ILLEGAL_TRANSITION", record=(task.record_type, task.id),
        )  # fmt: skip


def _refuse_moved(act: Act, task: ChangeTask) -> None:
    """Refuse pieces that are not as many as when they were decided about. Raises: Conflict QUANTITY_MOVED."""
    rows = _rows(act.session, task)
    if not rows:
        return
    found, _ = find(act.session, task.change_order)
    live = {(each.target, each.target_id, each.state): each.quantity for each in found}
    for row in rows:
        there = live.get((row.target, row.target_id, row.state), Decimal(0))
        if there != row.quantity:
            raise Conflict(
                f"Expected {row.quantity.normalize():f} {row.uom} of {row.native_ref} as decided, but there are "
                f"{there.normalize():f}. Its owner decides again.",
                code="QUANTITY_MOVED", record=(task.record_type, task.id),
            )  # fmt: skip


def _return_rows(act: Act, task: ChangeTask, reason: str) -> None:
    for disposition in _dispositions(act.session, task):
        if disposition.status is RowStatus.DISPOSED:
            disposition.status, disposition.returned_reason = RowStatus.RETURNED, reason[:4000]
    act.session.flush()


def _wanted(session: Session, order: ChangeOrder) -> Iterator[Planned]:
    snapshot = newest_snapshot(session, order)
    rows = rows_of(session, snapshot) if snapshot is not None else []
    about_order = (order.record_type, order.id, order.number)
    mine = {(each.target, each.disposition) for row in rows for each in row.dispositions}
    documents: dict[tuple[TaskKind, str], list[tuple[AffectedOrder, RowDisposition]]] = {}
    for row in rows:
        for each in row.dispositions:
            if kind := legal(each.target, each.disposition).outputs["task"]:
                about = _about(session, TaskKind(kind), row)[1]
                documents.setdefault((TaskKind(kind), about), []).append((row, each))
    for (kind, _), pairs in documents.items():
        yield _for_document(session, kind, pairs)
    for kind in kinds_for(order, mine) - {kind for kind, _ in documents}:
        yield Planned(kind, TITLES[kind], about_order, kind is TaskKind.UPDATE_BOM)


def _for_document(session: Session, kind: TaskKind, pairs: Sequence[tuple[AffectedOrder, RowDisposition]]) -> Planned:
    row, first = pairs[0]
    said = "; ".join(_said(at, each) for at, each in pairs)
    about_type, about_id = _about(session, kind, row)
    name = row.native_ref.partition("/")[0] if kind is TaskKind.AMEND_PO else row.native_ref
    due = min((each.due_on for _, each in pairs if each.due_on is not None), default=None)
    is_ours = kind in OURS and all(change_carrying.can(each.target, each.disposition) for _, each in pairs)
    if kind is TaskKind.AMEND_PO and not is_amended_here(session.get_one(PurchaseOrder, about_id)):
        is_ours, said = False, f"{said}. {name} was approved elsewhere: amend it there, and show its new revision"
    return Planned(kind, said, (about_type, about_id, name), is_ours, first.owner, due)


def _said(row: AffectedOrder, said: RowDisposition) -> str:
    """Say what becomes of pieces: ``Convert 24 EA of WO-7511, not started``."""
    word, state = (str(each.value).lower().replace("_", " ") for each in (said.disposition, row.state))
    return f"{word.capitalize()}: {said.quantity.normalize():f} {said.uom} of {row.native_ref}, {state}"


def _about(session: Session, kind: TaskKind, row: AffectedOrder) -> tuple[str, str]:
    """Return the document a task is about: for an amendment the order, also of pieces that are away."""
    if kind is TaskKind.AMEND_PO and row.target is ImpactTarget.AT_SUPPLIER:
        return "purchase_order", session.get_one(OutsideLink, row.target_id).order_line.order_id
    return row.document_type, row.document_id


def _rows(session: Session, task: ChangeTask) -> list[AffectedOrder]:
    """Return the rows that a task carries out."""
    snapshot = newest_snapshot(session, task.change_order)
    if snapshot is None:
        return []
    found = []
    for row in rows_of(session, snapshot):
        kinds = {legal(each.target, each.disposition).outputs["task"] for each in row.dispositions}
        if task.kind.value in kinds and _about(session, task.kind, row)[1] == task.target_id:
            found.append(row)
    return found


def _pairs(session: Session, task: ChangeTask) -> Pairs:
    """Return the rows that a task carries out with the dispositions that are its."""
    return [
        (row, each)
        for row in _rows(session, task)
        for each in row.dispositions
        if legal(each.target, each.disposition).outputs["task"] == task.kind.value
    ]


def _all_pairs(session: Session, task: ChangeTask) -> Pairs:
    """Return every row of a task's document."""
    snapshot = newest_snapshot(session, task.change_order)
    rows = rows_of(session, snapshot) if snapshot is not None else []
    return [(row, each) for row in rows if row.document_id == task.target_id for each in row.dispositions]


def rows_of_task(session: Session, task: ChangeTask) -> list[AffectedOrder]:
    """Return the rows that a task carries out."""
    return _rows(session, task)


def _dispositions(session: Session, task: ChangeTask) -> list[RowDisposition]:
    return [each for _, each in _pairs(session, task)]


def _unreleased(act: Act, order: ChangeOrder) -> Iterable[str]:
    for item in order.affected:
        after = item.part_revision_to
        if after is not None and after.status.value != "RELEASED":
            yield f"Expected {after.number} to be released, but it is {after.status}"
        elif after is not None and after.change_order_id != order.id:
            yield f"Expected {after.number} to be released under {order.number}, but it was under another change"


def _pending(session: Session, order: ChangeOrder) -> Iterator[tuple[tuple[str, str, str], HoldEffect, str]]:
    """Yield what waits for the change: the record, what the mark does, and why; the strictest first."""
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        return
    found: list[tuple[tuple[str, str, str], HoldEffect, str]] = []
    for row in rows_of(session, snapshot):
        for each in row.dispositions:
            effect = legal(each.target, each.disposition).outputs["pending"]
            if effect and each.status is not RowStatus.DONE:
                what = each.disposition.value.lower().replace("_", " ")
                said = f"{order.number} says of {each.quantity.normalize():f} {each.uom}: {what}"
                found += [(about, HoldEffect(effect), said) for about in _marked(session, row)]
    yield from sorted(found, key=lambda each: (each[1] is not HoldEffect.BLOCK, each[0][2]))


def _marked(session: Session, row: AffectedOrder) -> list[tuple[str, str, str]]:
    """Return the records that carry the mark of a row: of pieces that are away their order line and their operation."""
    if row.target is ImpactTarget.PO_LINE:
        return [(PurchaseOrderLine.__tablename__, row.target_id, row.native_ref)]
    if row.target is ImpactTarget.AT_SUPPLIER:
        link = session.get_one(OutsideLink, row.target_id)
        line, operation = link.order_line, link.operation
        return [(line.record_type, line.id, row.native_ref), (operation.record_type, operation.id, operation.number)]
    if row.target in (ImpactTarget.WO, ImpactTarget.WO_OP):
        return [(WorkOrder.record_type, row.document_id, row.native_ref)]
    if row.target is ImpactTarget.STOCK_LOT:
        return [(Lot.__tablename__, row.target_id, row.native_ref)]
    if row.target is ImpactTarget.PLANNED_ORDER:
        return [(RequisitionLine.__tablename__, row.target_id, row.native_ref)]
    return []


def is_by_date(order: ChangeOrder) -> bool:
    """Whether a day decides from when a change counts."""
    return order.effectivity_kind is EffectivityKind.DATE


__all__ = [
    "carry_out", "lift_holds", "place_holds", "plan_tasks", "read_back", "standing_holds", "undo", "undo_all",
]  # fmt: skip
