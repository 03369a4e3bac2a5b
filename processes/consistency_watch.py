"""Look again, whoever wrote: what outlives its order or its work (CON-08, CON-09), drift (CON-18), moves without work (BLUR-P7, -W6).

A cancellation or an import reaches this by any door, so a chore of the runner looks after something was written. What it finds is
kept on the document, its owner is told once, and what holds no more is settled.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from engine.act import Act, Installation
from engine.audit import AuditEvent
from engine.errors import Finding, Refused
from engine.registry import Registry
from processes.notices import tell, tell_role
from processes.supplier_stock import compare_stock, judge_stock, watched_orders
from records.external import Discrepancy, DiscrepancyStatus
from records.outside import LinkStatus, OutsideLink
from records.purchase_order import LineStatus, PurchaseOrder, PurchaseOrderLine
from records.work_order import DONE, WorkOrder, WorkOrderOperation
from rules.blurred_roles import is_critical, judge_evidence, moves_without_operation
from rules.finding import KeptFinding, keep_findings, settle
from rules.flow_mode import lenient, mode_of
from rules.order_consistency import DELIVERS_NOTHING, NEEDS_NOTHING, judge_drift, judge_orphans, judge_work_order
from rules.waiver import soften, today_of

_log = logging.getLogger(__name__)

registry = Registry()

WATCHED = frozenset({"CON-08", "CON-09", "CON-18", "BLUR-P7", "BLUR-W6"})
"""The rules that this module alone keeps and settles on orders and work orders."""

FLOW = "outside_processing"
LAST_LOOK = "consistency: last look"
PAUSE = dt.timedelta(minutes=1)


@registry.chore("watch_consistency")
def watch_consistency(installation: Installation) -> int:
    """Judge what something was written about since the last look; return how many documents were looked at."""
    now, seen = installation.clock(), installation.extras.get(LAST_LOOK)
    if seen is not None and seen[0] <= now < seen[0] + PAUSE:
        return 0
    with installation.reading() as session:
        newest = session.scalar(select(AuditEvent.id).order_by(AuditEvent.id.desc()).limit(1))
        changed = seen is None or seen[1] != newest
        documents = sorted(set(_documents(session))) if changed else []
    looked = sum(_look_at(installation, *document) for document in documents)
    installation.extras[LAST_LOOK] = (now, newest)
    return looked


def look(act: Act, document: PurchaseOrder | WorkOrder) -> list[Finding]:
    """Keep what the watched rules say of an order or a work order now, tell the owner of what is new, and settle the rest."""
    if isinstance(document, WorkOrder):
        found = [*judge_work_order(act.session, document, now=act.now), *_stock(act, document)]
        compare_stock(act, document)
    else:
        found = [
            *judge_orphans(act.session, document, now=act.now),
            *judge_drift(act.session, document, now=act.now),
            *_moves(act, document),
        ]
    found = [finding for finding in found if finding.rule in WATCHED]
    for kept in keep_findings(act, found, mode=mode_of(act.session, FLOW)):
        _tell(act, document, kept)
    act.session.flush()
    settle(act, document.record_type, document.id, rules=WATCHED, found=found)
    act.session.flush()
    return found


def _moves(act: Act, order: PurchaseOrder) -> list[Finding]:
    """BLUR-P7: what comes back from a process on our own part must have gone out, and an operation says why."""
    found: list[Finding] = []
    for line in order.lines:
        if line.process_code is None or line.part_revision_id is None or line.quantity_received <= 0:
            continue
        linked = select(OutsideLink.id).where(OutsideLink.order_line_id == line.id)
        linked = linked.where(OutsideLink.status != LinkStatus.CANCELLED)
        named = bool(line.work_order_op) or act.session.scalar(linked.limit(1)) is not None
        moved = moves_without_operation(
            order, shipped=line.quantity_received, returned=line.quantity_received, has_operation=named
        )
        found += judge_evidence(order, moved, is_critical=is_critical(act.session, line))
    softened = soften(act.session, found, on=today_of(act.session, act.now)) if found else []
    return list(dict.fromkeys(lenient(act.session, softened, FLOW)))


def _stock(act: Act, order: WorkOrder) -> list[Finding]:
    """BLUR-W6: pieces that some system sees at a supplier must have gone there under a link."""
    found = judge_stock(act.session, order)
    softened = soften(act.session, found, on=today_of(act.session, act.now)) if found else []
    return lenient(act.session, softened, FLOW)


def _documents(session: Session) -> Iterator[tuple[str, str]]:
    """Yield what may hold: ends that do not meet, open drift, processed parts that came back; and what is open already."""
    work_over, order_over = WorkOrder.status.in_(NEEDS_NOTHING), PurchaseOrder.status.in_(DELIVERS_NOTHING)
    line_over = PurchaseOrderLine.status.in_([LineStatus.CANCELLED, LineStatus.CLOSED])
    operation_over = WorkOrderOperation.status.in_(DONE)
    ends = (
        select(WorkOrder.id, PurchaseOrder.id)
        .select_from(OutsideLink)
        .join(WorkOrderOperation, WorkOrderOperation.id == OutsideLink.operation_id)
        .join(WorkOrder, WorkOrder.id == WorkOrderOperation.work_order_id)
        .join(PurchaseOrderLine, PurchaseOrderLine.id == OutsideLink.order_line_id)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(OutsideLink.status != LinkStatus.CANCELLED)
        .where(or_(and_(work_over, ~order_over, ~line_over), and_(order_over, ~work_over, ~operation_over)))
    )
    for work_id, order_id in session.execute(ends):
        yield WorkOrder.record_type, work_id
        yield PurchaseOrder.record_type, order_id
    drift = select(Discrepancy.document_id).where(
        Discrepancy.document_type == PurchaseOrder.record_type, Discrepancy.status == DiscrepancyStatus.OPEN
    )
    linked = select(OutsideLink.order_line_id).where(OutsideLink.status != LinkStatus.CANCELLED)
    moved = select(PurchaseOrderLine.order_id).where(
        PurchaseOrderLine.process_code.is_not(None), PurchaseOrderLine.part_revision_id.is_not(None),
        PurchaseOrderLine.quantity_received > 0, PurchaseOrderLine.work_order_op.is_(None),
        PurchaseOrderLine.id.not_in(linked),
    )  # fmt: skip
    for order_id in (*session.scalars(drift), *session.scalars(moved)):
        yield PurchaseOrder.record_type, order_id
    for work_id in watched_orders(session):
        yield WorkOrder.record_type, work_id
    standing = select(KeptFinding.record_type, KeptFinding.record_id).where(
        KeptFinding.rule.in_(WATCHED), KeptFinding.settled_at.is_(None), KeptFinding.acknowledged_at.is_(None),
        KeptFinding.record_type.in_([PurchaseOrder.record_type, WorkOrder.record_type]),
    )  # fmt: skip
    yield from ((row.record_type, row.record_id) for row in session.execute(standing))


def _look_at(installation: Installation, kind: str, record_id: str) -> int:
    """Look at one document in an act of its own: one that is refused does not stop the others."""
    try:
        with installation.acting("system:watch") as act:
            orders = select(PurchaseOrder).where(PurchaseOrder.id == record_id).with_for_update()
            work = select(WorkOrder).where(WorkOrder.id == record_id).with_for_update()
            is_order = kind == PurchaseOrder.record_type
            document = act.session.scalars(orders).first() if is_order else act.session.scalars(work).first()
            if document is not None:
                look(act, document)
    except Refused as refusal:
        _log.error("The %s %s could not be judged: %s", kind, record_id, refusal.message)
        return 0
    return 1


def _tell(act: Act, document: PurchaseOrder | WorkOrder, kept: KeptFinding) -> None:
    subject, record = f"{kept.rule}: {kept.sentence}"[:200], (document.record_type, document.id)
    key = f"{document.id}:{kept.rule}:{kept.field}"[:200]
    if isinstance(document, PurchaseOrder) and document.buyer_id is not None and kept.owner == "role:BUYER":
        tell(act, [document.buyer_id], subject, key=key, body=kept.way_out, record=record)
    elif kept.owner.startswith("role:"):
        tell_role(act, kept.owner.removeprefix("role:"), subject, key=key, body=kept.way_out, record=record)
