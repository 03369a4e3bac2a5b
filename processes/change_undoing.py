"""Undo what Lockstep did for a change: by a further amendment, by planning anew, by reversing edges of stock (C19, 3D.5)."""

from __future__ import annotations

from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict
from processes import amendment as amending
from processes import genealogy
from processes.amendment_applying import restored
from processes.genealogy import Event
from processes.work_order_split import convert
from records.amendment import AmendmentStatus, PurchaseOrderAmendment
from records.change_task import ChangeTask, TaskKind
from records.lot import EdgeKind, GenealogyEdge, Lot, LotStatus
from records.part import PartRevision
from records.work_order import WorkOrder

OVER = (AmendmentStatus.REJECTED, AmendmentStatus.WITHDRAWN, AmendmentStatus.REVERTED)


def undo(act: Act, task: ChangeTask, *, reason: str) -> None:
    """Undo what a task of ours did. Raises: Conflict IRREVERSIBLE with the sentence of what stands in the way."""
    if task.kind is TaskKind.AMEND_PO:
        _amend_back(act, task, reason)
    elif task.kind is TaskKind.CHANGE_WO:
        _plan_back(act, task)
    elif task.kind is TaskKind.MOVE_STOCK:
        _move_back(act, task, reason)


def _amend_back(act: Act, task: ChangeTask, reason: str) -> None:
    """Withdraw an amendment that waits for its approval; undo one that took effect by a further one."""
    if task.done_id is None:
        return
    amendment = act.session.get_one(PurchaseOrderAmendment, task.done_id)
    if amendment.status in OVER:
        return
    if amendment.status in (AmendmentStatus.DRAFT, AmendmentStatus.PENDING):
        amending.withdraw(act, amendment, reason=reason)
        return
    back = amending.propose(act, amendment.order, restored(amendment), reason=reason, reverts=amendment)
    back.change_order_id = task.change_order_id
    amending.start(act, back)
    act.note(task.record_type, task.id, "UNDONE_BY", new=back.number, reason=reason)


def _plan_back(act: Act, task: ChangeTask) -> None:
    """Plan converted pieces as they were before; the parts of a divided order stay parts.

    Where the former revision has no routing here, they go by the operations of the order that they were divided from; where there is none
    either, a person plans them. Raises: Invalid then.
    """
    made = act.session.get_one(WorkOrder, task.done_id)
    before = next(
        (
            item.part_revision_from
            for item in task.change_order.affected
            if item.part_revision_to_id == made.part_revision_id
        ),
        None,
    )
    if before is None:
        return
    operations = made.parent.operations if made.parent is not None and made.parent.part_revision_id == before.id else ()
    convert(act, made, act.session.get_one(PartRevision, before.id), task.change_order, operations=operations)


def _move_back(act: Act, task: ChangeTask, reason: str) -> None:
    lot = act.session.get_one(Lot, task.target_id)
    if lot.status is LotStatus.HOLD and (lot.hold_reason or "").startswith(f"{task.change_order.number}:"):
        raise Conflict(
            f"Expected quality to have released {lot.number}, which {task.change_order.number} segregated, but it is on hold. Quality "
            "releases it with a signature; then it is undone.",
            code="ON_HOLD", record=(lot.record_type, lot.id),
        )  # fmt: skip
    wanted = select(GenealogyEdge).where(
        GenealogyEdge.event_id.startswith(f"change:{task.id}:", autoescape=True), GenealogyEdge.reverses_id.is_(None)
    )
    for edge in act.session.scalars(wanted):
        if genealogy.reversal_of(act.session, edge) is not None:
            continue
        if edge.kind is EdgeKind.WITHDRAWN:
            raise Conflict(
                f"Expected the stock of {task.target_ref} to be identified as it was, but it is scrapped: nothing brings it back.",
                code="IRREVERSIBLE", record=(task.record_type, task.id),
            )  # fmt: skip
        child = act.session.get_one(Lot, edge.child_id)
        if child.quantity_left != child.quantity:
            raise Conflict(
                f"Expected all of {child.number} to be there, but some of it is used. Decide about the rest by itself.",
                code="IRREVERSIBLE", record=(task.record_type, task.id),
            )  # fmt: skip
        genealogy.withdraw(act, child, child.quantity, reason=reason, event=Event(f"change:{task.id}:back:{child.id}"))
        genealogy.reverse(act, edge, reason=reason, event=Event(f"{edge.event_id}:back"))
