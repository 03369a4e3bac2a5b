"""The two reports of a lot: where it was bought (commercial provenance), and how it was made (transformation)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.audit import AuditEvent
from processes.genealogy_trace import DEPTH, MOST, Direction, Trace, trace
from records.actual import Actual, ActualKind, standing
from records.calendar import MAIN, site_called
from records.certificate import Certificate, certificates_of
from records.lot import Lot, LotSource
from records.receipt import Receipt
from records.supplier import ApprovalStatus, Supplier, SupplierApproval
from records.work_order import WorkOrder, WorkOrderOperation
from rules.supplier_gate import covers, subjects_of

PERMITTING = (ApprovalStatus.APPROVED, ApprovalStatus.CONDITIONAL)


@dataclass(frozen=True, slots=True)
class ApprovalThen:
    """A row of the approved supplier list as it stood at a moment. is_valid: whether it permitted the purchase then."""

    approval: SupplierApproval
    status: ApprovalStatus
    valid_from: dt.date
    valid_to: dt.date
    is_valid: bool


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where one lot was bought.

    receipt: None for another documented source, or a gap. uncovered: what the supplier was not approved for then, in words.
    """

    lot: Lot
    depth: int
    receipt: Receipt | None
    supplier: Supplier | None = None
    order_revision: int | None = None
    approvals: tuple[ApprovalThen, ...] = ()
    uncovered: str = ""
    certificates: tuple[Certificate, ...] = ()

    @property
    def is_gap(self) -> bool:
        """Whether no receipt and no other document stands behind the lot."""
        return self.receipt is None and not (self.lot.source is LotSource.ADJUSTMENT and self.lot.is_documented)

    @property
    def was_approved(self) -> bool:
        """Whether the supplier was approved for everything it needed on the day of the receipt."""
        return self.receipt is not None and not self.uncovered


@dataclass(frozen=True, slots=True)
class Measured:
    """A process value with its limits as they were judged."""

    name: str
    value: str
    unit: str
    limits: str
    is_in_limits: bool | None


@dataclass(frozen=True, slots=True)
class Performed:
    """One operation that the lot went through: who, on what, after which instruction and specification."""

    order: WorkOrder
    operation: WorkOrderOperation
    depth: int
    people: tuple[str, ...]
    equipment: tuple[str, ...]
    measured: tuple[Measured, ...]
    started_at: dt.datetime | None
    completed_at: dt.datetime | None


def provenance(session: Session, lot: Lot) -> list[Provenance]:
    """Return where everything that is in a lot was bought, nearest first; the lot itself when it was received."""
    return provenance_of(session, trace(session, lot, Direction.BACKWARD, depth=DEPTH, size=MOST))


def provenance_of(session: Session, found: Trace) -> list[Provenance]:
    """Return where everything in a backward trace was bought."""
    fed = {step.target for step in found.steps}
    known: dict[str, Provenance] = {}
    rows = []
    for node in found.nodes:
        if isinstance(node.record, Lot) and node.id not in fed:
            row = known.get(node.record.source_id or "")
            if row is None:
                row = _bought(session, node.record)
                if row.receipt is not None:
                    known[row.receipt.id] = row  # Lots of one receipt were bought alike.
            rows.append(replace(row, lot=node.record, depth=-node.depth))
    return rows


def _bought(session: Session, lot: Lot) -> Provenance:
    depth = 0
    receipt = session.get(Receipt, lot.source_id) if lot.source is LotSource.RECEIPT and lot.source_id else None
    if receipt is None:
        return Provenance(lot, depth, None)
    order = receipt.order_line.order
    at = _moment(session, receipt)
    approvals = approvals_then(session, receipt, at)
    asked = " or ".join(f"{kind} {code}" for kind, code in sorted(subjects_of(receipt.order_line)))
    uncovered = "" if any(row.is_valid for row in approvals) else asked
    return Provenance(
        lot, depth, receipt, order.supplier, receipt.order_revision, approvals, uncovered,
        tuple(certificates_of(session, receipt)),
    )  # fmt: skip


def approvals_then(session: Session, receipt: Receipt, at: dt.datetime) -> tuple[ApprovalThen, ...]:
    """Return the approvals of a receipt's supplier for its line as they stood at a moment, valid ones first.

    The status and the dates come from the audit chain, so that a later suspension does not rewrite what held then.
    """
    line = receipt.order_line
    asked = subjects_of(line)
    wanted = select(SupplierApproval).where(
        SupplierApproval.supplier_id == line.order.supplier_id,
        SupplierApproval.subject_code.in_([code for _, code in asked]),
    )
    rows = [row for row in session.scalars(wanted) if (row.subject, row.subject_code) in asked and covers(row, line)]
    found = []
    for row in rows:
        status = _then(session, row, "status", at)
        begins, ends = _then(session, row, "valid_from", at), _then(session, row, "valid_to", at)
        if status is None or begins is None or ends is None:
            continue  # It was entered later.
        valid_from, valid_to = dt.date.fromisoformat(begins), dt.date.fromisoformat(ends)
        at_site = row.supplier_site_id in (None, line.order.supplier_site_id)
        permits = ApprovalStatus(status) in PERMITTING and valid_from <= receipt.received_on <= valid_to
        found.append(ApprovalThen(row, ApprovalStatus(status), valid_from, valid_to, permits and at_site))
    return tuple(sorted(found, key=lambda then: (not then.is_valid, then.approval.number)))


def _then(session: Session, row: SupplierApproval, field: str, at: dt.datetime) -> str | None:
    """Return a field's text at a moment, None before the row existed; a row without a chain is taken as it is."""
    events = list(
        session.execute(
            select(AuditEvent.at, AuditEvent.old, AuditEvent.new)
            .where(AuditEvent.record_type == row.record_type, AuditEvent.record_id == row.id)
            .where(AuditEvent.field == field, AuditEvent.action.in_(["INSERT", "UPDATE"]))
            .order_by(AuditEvent.seq)
        )
    )
    before = [event for event in events if event.at <= at]
    if before:
        return str(before[-1].new)
    if events:
        return None if events[0].old is None else str(events[0].old)
    value = getattr(row, field)
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _moment(session: Session, receipt: Receipt) -> dt.datetime:
    """Return when a receipt's supplier is judged: when it was booked, or the end of its day where it was booked later."""
    site = site_called(session, MAIN)
    if site.local_day(receipt.created_at) == receipt.received_on:
        return receipt.created_at
    midnight = dt.datetime.combine(receipt.received_on + dt.timedelta(days=1), dt.time(), tzinfo=site.zone)
    return midnight.astimezone(dt.UTC)


def transformation(session: Session, lot: Lot) -> list[Performed]:
    """Return every operation that a lot and what is in it went through, nearest work order first."""
    return transformation_of(session, trace(session, lot, Direction.BACKWARD, depth=DEPTH, size=MOST))


def transformation_of(session: Session, found: Trace) -> list[Performed]:
    """Return every operation behind a backward trace; work orders that only named steps tell of included."""
    depths = {node.id: -node.depth for node in found.nodes}
    orders = {order.id: (order, depths[order.id]) for order in found.work_orders}
    for step in found.steps:
        for each in step.work_orders - set(orders):
            order = session.get(WorkOrder, each)
            if order is not None:
                orders[each] = (order, depths[step.target])
    return [
        performed
        for order, depth in sorted(orders.values(), key=lambda pair: (pair[1], pair[0].number))
        for performed in _operations(session, order, depth)
    ]


def _operations(session: Session, order: WorkOrder, depth: int) -> Iterator[Performed]:
    wanted = select(Actual).where(Actual.work_order_id == order.id).order_by(Actual.event_time, Actual.id)
    actuals = standing(list(session.scalars(wanted)))
    for operation in order.operations:
        own = [each for each in actuals if each.operation_id == operation.id]
        yield Performed(
            order, operation, depth, _people(operation, own), _equipment(operation, own), tuple(_measured(own)),
            operation.started_at or min((each.event_time for each in own), default=None), operation.completed_at,
        )  # fmt: skip


def _people(operation: WorkOrderOperation, actuals: Iterable[Actual]) -> tuple[str, ...]:
    found = [f"{operation.performer.name} ({operation.performer.code})"] if operation.performer else []
    for each in actuals:
        if each.performed_by is not None:
            found.append(f"{each.performed_by.name} ({each.performed_by.code})")
        elif each.performer:
            found.append(each.performer)
    return tuple(dict.fromkeys(found))


def _equipment(operation: WorkOrderOperation, actuals: Iterable[Actual]) -> tuple[str, ...]:
    used = [operation.equipment, *(each.resource for each in actuals)]
    found = [
        f"{each.name} ({each.code})"
        + (f", calibrated until {each.calibration_due.isoformat()}" if each.calibration_due is not None else "")
        for each in used
        if each is not None and each.kind != "PERSON"
    ]
    if operation.supplier is not None:
        found.append(f"{operation.supplier.name} (outside)")
    return tuple(dict.fromkeys(found))


def _measured(actuals: Iterable[Actual]) -> Iterator[Measured]:
    for each in actuals:
        if each.kind is ActualKind.PROCESS:
            value = each.text_value or (_plain(each.value) if each.value is not None else "")
            low, high = (_plain(limit) if limit is not None else "" for limit in (each.lower, each.upper))
            limits = (
                f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}" if high else ""
            )
            yield Measured(each.name or "", value, each.unit or "", limits, each.is_in_limits)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
