"""Look whether an order fell into a frozen impact, whoever wrote it and by whichever door: the impact is then open again (2.24).

Whatever is written of an order, a requisition, a work order, a lot or a link promises a look in the same transaction, so that nothing slips
between. What is written past the records, by statements in bulk, is seen by a chore of the runner, which looks after something was written.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from engine.act import Act, Installation
from engine.audit import AuditEvent
from engine.errors import Refused
from engine.jobs import defer
from engine.messages import publish
from engine.record import Edit, Operation
from engine.registry import Registry, Work
from engine.stored.instance import Instance, InstanceRecord, InstanceStatus
from engine.stored.wait import MessageSubscription
from processes import impact
from processes.notices import tell
from processes.outside_moving import NOT_KEPT
from records.change_order import AffectedItem, ChangeOrder
from records.impact import AffectedOrder, ImpactSnapshot, newest_snapshot
from records.lot import Lot
from records.outside import OutsideLink
from records.purchase_order import LineStatus, PurchaseOrderLine
from records.requisition import RequisitionLine
from records.signature import SignatureStatus
from records.signing import signatures_on
from records.work_order import WorkOrder

_log = logging.getLogger(__name__)

registry = Registry()

GROWN = "change.impact_grown"
"""Message by which the flow of a change hears that it goes back to its impact."""

TOLD = "IMPACT_GROWN"
LAST_LOOK = "impact: last look"
PAUSE = dt.timedelta(minutes=1)
FOLLOWED = tuple(record.__tablename__ for record in (PurchaseOrderLine, RequisitionLine, WorkOrder, Lot, OutsideLink))
AMOUNTS = frozenset({"quantity", "quantity_left"})
NAMED = 10


@registry.follower(*FOLLOWED)
def promise_look(act: Act, edits: Sequence[Edit]) -> None:
    """Promise a look at every change that is with its board or approved and about a part revision of which something was written."""
    ids = sorted({edit.record.part_revision_id for edit in edits if _adds(edit)} - {None})
    if not ids:
        return
    wanted = select(ChangeOrder.id).where(
        ChangeOrder.status.in_(impact.REOPENABLE),
        exists().where(AffectedItem.change_order_id == ChangeOrder.id, AffectedItem.part_revision_from_id.in_(ids)),
    )
    for change_id in act.session.scalars(wanted.order_by(ChangeOrder.id)):
        defer(act, "look_at_impact", {"change_order": change_id}, lock=f"impact:{change_id}")


def _adds(edit: Edit) -> bool:
    """Whether an edit may bring pieces of a part revision into a set: a new row, another revision, more of it, or open again."""
    if edit.operation is not Operation.UPDATE:
        return edit.operation is Operation.INSERT
    more = [new > old for old, new in (edit.changes[name] for name in AMOUNTS & edit.changes.keys()) if old is not None]
    return any(more) or "part_revision_id" in edit.changes or edit.changes.get("status", ("", ""))[1] == LineStatus.OPEN


@registry.job("look_at_impact")
def look_at_impact(act: Act, work: Work) -> Mapping[str, Any]:
    """Look at one change after an order of its parts was written."""
    order = act.session.get(ChangeOrder, str(work["change_order"]))
    return {"grown": len(look(act, order)) if order is not None else 0}


@registry.chore("watch_impact")
def watch_impact(installation: Installation) -> int:
    """Look at every frozen impact that can still be opened, where something was written since the last look; return how many grew."""
    now, seen = installation.clock(), installation.extras.get(LAST_LOOK)
    if seen is not None and seen[0] <= now < seen[0] + PAUSE:
        return 0
    with installation.reading() as session:
        newest = session.scalar(select(AuditEvent.id).order_by(AuditEvent.id.desc()).limit(1))
        is_new = seen is None or seen[1] != newest
        changes = list(session.scalars(_frozen())) if is_new else []
    grown = sum(_look_at(installation, change_id) for change_id in changes)
    installation.extras[LAST_LOOK] = (now, newest)
    return grown


def look(act: Act, order: ChangeOrder) -> list[AffectedOrder]:
    """Return what fell into a frozen impact; where something did, its owner and whoever signed are told, and it is open again.

    A change whose flow is under way goes back on its own way; one whose flow does not listen just now (its votes are being counted) looks
    itself before it is approved.
    """
    snapshot = newest_snapshot(act.session, order)
    if order.status not in impact.REOPENABLE or snapshot is None or snapshot.frozen_at is None:
        return []
    grown = impact.has_grown(act.session, order, others=impact.sources_of(act))
    if not grown:
        return []
    said = _said(grown)
    if not _is_told(act.session, order, snapshot):
        _tell(act, order, snapshot, said)
    if _listens(act.session, order):
        publish(
            act, GROWN, correlation_key=order.id, message_id=f"{snapshot.id}:{act.id}", ttl=NOT_KEPT,
            why=f"new orders fell into the impact: {said}",
        )  # fmt: skip
    elif not _has_flow(act.session, order):
        impact.reopen(act, order, reason=f"New orders fell into the frozen impact: {said}"[:3900])
    return grown


def _tell(act: Act, order: ChangeOrder, snapshot: ImpactSnapshot, said: str) -> None:
    act.note(order.record_type, order.id, TOLD, old=snapshot.number, new=said[:3900])
    signers = {
        each.signer_id
        for each in signatures_on(act.session, order.record_type, order.id)
        if each.status is SignatureStatus.VALID
    }
    people = {order.owner.removeprefix("user:") if order.owner.startswith("user:") else "", *signers} - {""}
    tell(
        act, sorted(people), f"{order.number}: new orders fell into its impact, which is open again", key=f"{snapshot.id}:grown",
        body=f"{said}. What was decided about the other pieces stands; the board reads it again.", record=(order.record_type, order.id),
    )  # fmt: skip


def _said(grown: Sequence[AffectedOrder]) -> str:
    named = [f"{row.native_ref} ({row.quantity.normalize():f} {row.uom})" for row in grown[:NAMED]]
    more = [f"{len(grown) - NAMED} more rows"] if len(grown) > NAMED else []
    return ", ".join([*named, *more])


def _frozen() -> Any:
    frozen = exists().where(ImpactSnapshot.change_order_id == ChangeOrder.id, ImpactSnapshot.frozen_at.is_not(None))
    return select(ChangeOrder.id).where(ChangeOrder.status.in_(impact.REOPENABLE), frozen).order_by(ChangeOrder.number)


def _look_at(installation: Installation, change_id: str) -> int:
    try:
        with installation.acting("system:impact") as act:
            return int(bool(look(act, act.session.get_one(ChangeOrder, change_id))))
    except Refused as refusal:
        # One change that somebody else moves at this moment is looked at again at the next round; the others are not held up.
        _log.warning("the impact of %s was not looked at: %s", change_id, refusal)
        return 0


def _is_told(session: Session, order: ChangeOrder, snapshot: ImpactSnapshot) -> bool:
    wanted = select(
        exists().where(
            AuditEvent.record_type == order.record_type, AuditEvent.record_id == order.id, AuditEvent.action == TOLD,
            AuditEvent.old == snapshot.number,
        )
    )  # fmt: skip
    return bool(session.scalar(wanted))


def _listens(session: Session, order: ChangeOrder) -> bool:
    heard = exists().where(MessageSubscription.name == GROWN, MessageSubscription.correlation_key == order.id)
    return bool(session.scalar(select(heard)))


def _has_flow(session: Session, order: ChangeOrder) -> bool:
    wanted = select(
        exists().where(
            InstanceRecord.instance_id == Instance.id, InstanceRecord.record_type == order.record_type,
            InstanceRecord.record_id == order.id, Instance.status == InstanceStatus.RUNNING,
        )
    )  # fmt: skip
    return bool(session.scalar(wanted))
