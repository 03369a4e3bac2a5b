"""What is missing in the data that orders and work orders are linked by (domain.md 1.24): each defect with its kind and owner."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from engine.act import Act
from engine.errors import Effect, Finding
from engine.record import Record
from records.calendar import MAIN
from records.daily_stock import lock_day
from records.outside import LinkStatus, OutsideLink
from records.part import OutsideProcess, Part, PartRevision, PartType, RevisionStatus
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.routing import OperationKind
from records.supplier import Supplier, SupplierStatus
from records.work_order import DONE, ENDED, WorkOrder, WorkOrderOperation
from rules.finding import KeptFinding, keep_findings, settle
from rules.policy import table_called
from rules.waiver import today_of

RULE = "DQ"
OVER = (OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.CLOSED, OrderStatus.SUPPLIER_REJECTED)
WITH_REVISIONS = (PartType.MAKE, PartType.BUY)
ABLE = (SupplierStatus.APPROVED, SupplierStatus.CONDITIONAL)


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is missing. kind: as the table names it; number: how people call the record; found: what was found."""

    kind: str
    record_type: str
    record_id: str
    number: str
    sentence: str
    severity: str
    owner: str
    way_out: str
    judged_by: str
    row: int

    @property
    def rule(self) -> str:
        """The id under which it is kept."""
        return f"{RULE}-{self.kind}"[:40]


def defects_of(session: Session, *, now: dt.datetime) -> list[Defect]:
    """Return every defect there is now, the gravest first. now: the instant, by which scopes are valid."""
    found = [
        *_operations(session),
        *_parts(session),
        *_suppliers(session, today_of(session, now)),
        *_lines(session),
    ]
    order = {"CRITICAL": 0, "MAJOR": 1, "MINOR": 2}
    return sorted(found, key=lambda defect: (order[defect.severity], defect.kind, defect.number))


def take_stock(act: Act) -> list[Defect]:
    """Keep what is missing today as findings, and settle those that are mended: from these rows the trend is read.

    Whoever takes stock at the same moment waits for the other, so that nothing is kept twice.
    """
    lock_day(act, MAIN, today_of(act.session, act.now))
    defects = defects_of(act.session, now=act.now)
    findings = [_as_finding(defect) for defect in defects]
    keep_findings(act, findings, mode="OBSERVE")
    by_record: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        by_record.setdefault((finding.record_type, finding.record_id), []).append(finding)
    act.session.flush()
    for record in open_records(act.session):
        settle(act, *record, rules=frozenset({RULE}), found=by_record.get(record, []))
    act.session.flush()
    return defects


def open_records(session: Session) -> list[tuple[str, str]]:
    """Return the records about which a defect is kept that has not been settled."""
    wanted = (
        select(KeptFinding.record_type, KeptFinding.record_id)
        .where(KeptFinding.rule.startswith(f"{RULE}-"), KeptFinding.settled_at.is_(None))
        .distinct()
    )
    return [(row.record_type, row.record_id) for row in session.execute(wanted)]


def _as_finding(defect: Defect) -> Finding:
    return Finding(
        defect.rule, Effect.WARN, defect.sentence, defect.record_type, defect.record_id, owner=defect.owner,
        way_out=defect.way_out, judged_by=defect.judged_by, row=defect.row,
    )  # fmt: skip


def _defect(kind: str, record: Record, number: str, sentence: str) -> Defect:
    judgement = table_called("data_quality").judge(defect=kind)
    outputs = judgement.row.outputs
    return Defect(
        kind, record.record_type, record.id, number, sentence, str(outputs["severity"]), str(outputs["owner"]),
        str(outputs["way_out"]), judgement.hash, judgement.row.number,
    )  # fmt: skip


def _operations(session: Session) -> Iterator[Defect]:
    wanted = (
        select(WorkOrderOperation)
        .join(WorkOrder)
        .where(WorkOrder.status.not_in(ENDED), WorkOrderOperation.status.not_in(DONE))
        .options(selectinload(WorkOrderOperation.work_order))
    )
    linked = set(session.scalars(select(OutsideLink.operation_id).where(OutsideLink.status != LinkStatus.CANCELLED)))
    named = set(
        session.scalars(
            select(PurchaseOrderLine.work_order_op)
            .join(PurchaseOrder)
            .where(PurchaseOrderLine.work_order_op.is_not(None), PurchaseOrder.status.not_in(OVER))
        )
    )
    names = {each.code: each.name.lower() for each in session.scalars(select(OutsideProcess))}
    for operation in session.scalars(wanted):
        work, number = operation.work_order, operation.number
        is_ordered = operation.id in linked or number in named or bool(work.contract_ref)
        if operation.kind is OperationKind.OUTSIDE and not is_ordered:
            process = names.get(operation.process_code or "", operation.process_code)
            sentence = f"Expected an order line linked to {number}, {process} outside, but there is none."
            yield _defect("OUTSIDE_WITHOUT_LINK", work, number, sentence)
        if operation.is_special and not (operation.spec and operation.spec_rev):
            have = operation.spec or "none"
            sentence = f"Expected a specification with its revision on the special process {number}, but found {have}."
            yield _defect("SPECIAL_WITHOUT_SPEC", work, number, sentence)
        if operation.instruction and not operation.instruction_rev:
            sentence = f"Expected the revision of {operation.instruction} on {number}, but there is none."
            yield _defect("INSTRUCTION_WITHOUT_REVISION", work, number, sentence)


def _parts(session: Session) -> Iterator[Defect]:
    released = select(PartRevision.part_id).where(PartRevision.status == RevisionStatus.RELEASED)
    wanted = select(Part).where(Part.is_active, Part.type.in_(WITH_REVISIONS), Part.id.not_in(released))
    for part in session.scalars(wanted):
        sentence = f"Expected a released revision of {part.part_no}, but there is none."
        yield _defect("PART_WITHOUT_REVISION", part, part.part_no, sentence)


def _suppliers(session: Session, today: dt.date) -> Iterator[Defect]:
    wanted = select(Supplier).where(Supplier.is_active, Supplier.status.in_(ABLE))
    for supplier in session.scalars(wanted.options(selectinload(Supplier.approvals))):
        if not any(row.is_valid_on(today) for row in supplier.approvals):
            sentence = f"Expected a scope of {supplier.name} that is valid on {today}, but there is none."
            yield _defect("SUPPLIER_WITHOUT_SCOPE", supplier, supplier.supplier_no, sentence)


def _lines(session: Session) -> Iterator[Defect]:
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder)
        .where(PurchaseOrder.status.not_in(OVER))
        .where(PurchaseOrderLine.status.not_in([LineStatus.CANCELLED, LineStatus.CLOSED]))
        .where(PurchaseOrderLine.part_revision_id.is_(None))
        .options(selectinload(PurchaseOrderLine.order))
    )
    for line in session.scalars(wanted):
        if line.service_code is None:
            sentence = f"Expected a part revision or a service on {line.number}, but it is only a text."
            yield _defect("LINE_WITHOUT_ITEM", line.order, line.number, sentence)
        elif not (line.cost_object or line.work_order_op):
            sentence = (
                f"Expected an operation, an asset or a cost object for the service of {line.number}, but there is none."
            )
            yield _defect("SERVICE_WITHOUT_OBJECT", line.order, line.number, sentence)
