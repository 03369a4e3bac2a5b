"""The laws of a work order's operations: who starts them, with what, and that every piece is accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.clock import now_of
from engine.errors import Effect, Finding
from engine.record import Edit, Operation
from records.actual import Actual, ActualKind
from records.nonconformance import Nonconformance
from records.outside import AWAY, LinkStatus, OutsideLink
from records.part import process_words
from records.resource import Resource
from records.work_order import (
    OPEN,
    OperationStatus,
    WorkOrderOperation,
    WorkOrderStatus,
)
from rules.flow_mode import lenient
from rules.law import becomes, block, law, session_of, subject_of
from rules.order_consistency import judge_start

UNVERIFIED = (*AWAY, LinkStatus.RETURNED)
"""Where a link stands while its pieces are away, or back and not verified."""


@law("WO-STARTED", on=WorkOrderOperation)
def a_special_process_needs_the_qualified_and_the_calibrated(edit: Edit) -> Iterator[Finding]:
    """A special process is started by a person qualified for it, on equipment that is in calibration (domain.md 2.18)."""
    operation = edit.record
    if not becomes(edit, "STARTED") or edit.operation is not Operation.UPDATE:
        return
    session = session_of(edit)
    order = operation.work_order
    if order.status not in OPEN:
        yield block(
            "ON_HOLD" if order.status is WorkOrderStatus.ON_HOLD else "WO-SEQUENCE",
            f"Expected {order.number} to be released before {operation.number} starts, but it is {order.status}.",
            subject_of(order),
            owner=order.hold_owner or "role:PLANNER",
            way_out="Lift the hold." if order.status is WorkOrderStatus.ON_HOLD else "Release the work order.",
        )
    for finding in judge_start(session, operation, now=now_of(session)):
        yield replace(finding, effect=Effect.BLOCK) if finding.effect is Effect.HOLD else finding
    if not operation.is_special:
        return
    today = order.site.local_day(now_of(session))
    person = session.get(Resource, operation.performer_id) if operation.performer_id else None
    if person is None or not person.is_qualified(operation.process_code or "", today):
        who = person.name if person is not None else "nobody"
        what = process_words(operation.process_code) or "the process"
        yield block(
            "WO-QUALIFICATION",
            f"Expected a person qualified for {what} on {operation.number}, but it was to be "
            f"started by {who}{_lapsed(person, operation.process_code)}.",
            subject_of(order),
            field=f"operations.{operation.op_no}.performer",
            owner="role:QA_SP",
            way_out="A qualified person starts it, or the qualification is renewed.",
        )
    equipment = session.get(Resource, operation.equipment_id) if operation.equipment_id else None
    if equipment is None or not equipment.is_calibrated_on(today) or not equipment.is_active:
        what = f"{equipment.code} was due on {equipment.calibration_due}" if equipment is not None else "none is named"
        yield block(
            "WO-CALIBRATION",
            f"Expected equipment in calibration on {operation.number}, but {what}.",
            subject_of(order),
            field=f"operations.{operation.op_no}.equipment",
            owner="role:METROLOGY",
            way_out="Calibrate it, or use other equipment.",
        )


def _lapsed(person: Resource | None, process: str | None) -> str:
    ends = [each.expires_on for each in person.qualifications if each.process_code == process] if person else []
    known = [end for end in ends if end is not None]
    return f" (expired {max(known)})" if known else ""


@law("WO-BALANCE", on=WorkOrderOperation)
def what_reaches_an_operation_left_the_one_before(edit: Edit) -> Iterator[Finding]:
    """Pieces in = good pieces of the operation before; an operation is complete when every piece is accounted for."""
    operation = edit.record
    if edit.operation is not Operation.UPDATE:
        return
    order = operation.work_order
    before = previous(operation)
    if (
        "quantity_in" in edit.changes
        and operation.quantity_in is not None
        and before is not None
        and passed(before) != operation.quantity_in
    ):
        yield block(
            "WO-BALANCE",
            f"Expected {passed(before):f} pieces to reach {operation.number}, the good ones of {before.number}, but "
            f"found {operation.quantity_in:f}.",
            subject_of(order),
            field=f"operations.{operation.op_no}.quantity_in",
        )
    if becomes(edit, "COMPLETE") and operation.open_quantity != 0:
        yield block(
            "BALANCE_OPEN",
            f"Expected {operation.quantity_in or 0:f} pieces accounted for on {operation.number}, but "
            f"{operation.open_quantity:f} are neither good nor scrap nor rework.",
            subject_of(order),
            field=f"operations.{operation.op_no}",
            owner="role:PLANNER",
            way_out="Report the missing pieces as good, scrap or rework.",
        )
    if becomes(edit, "COMPLETE") and (finding := _out_of_limits(session_of(edit), operation)):
        yield finding


@law("WO-OUTSIDE", on=WorkOrderOperation)
def what_was_done_outside_is_complete_when_it_is_verified(edit: Edit) -> Iterator[Finding]:
    """B20 to B22: certificates and inspection come first, whoever reports the operation complete (CON-10)."""
    operation = edit.record
    if edit.operation is not Operation.UPDATE or not becomes(edit, "COMPLETE"):
        return
    session = session_of(edit)
    waiting = session.scalars(select(OutsideLink).where(OutsideLink.operation_id == operation.id)).all()
    found = [
        block(
            "CON-10",
            f"Expected {link.number} to be verified before {operation.number} is complete, but it is "
            f"{link.standing.value.lower().replace('_', ' ')}.",
            subject_of(operation.work_order),
            field=f"operations.{operation.op_no}",
            owner="role:QA_ENG",
            way_out="Verify its certificates and inspect what came back: the operation is then complete by itself.",
        )
        for link in waiting
        if link.standing in UNVERIFIED
    ]
    yield from lenient(session, found, "outside_processing")


def previous(operation: WorkOrderOperation) -> WorkOrderOperation | None:
    """Return the operation before, or None for the first."""
    earlier = [each for each in operation.work_order.operations if each.op_no < operation.op_no]
    return max(earlier, key=lambda each: each.op_no, default=None)


def passed(operation: WorkOrderOperation) -> Decimal:
    """Return the pieces that go on to the next operation; those of a skipped one go on as they came."""
    if operation.status is OperationStatus.SKIPPED_BY_DEVIATION:
        return operation.quantity_in or Decimal(0)
    return operation.good


def _out_of_limits(session: Session, operation: WorkOrderOperation) -> Finding | None:
    measured = session.scalars(
        select(Actual).where(Actual.operation_id == operation.id, Actual.kind == ActualKind.PROCESS)
    ).all()
    undone = {each.reverses_id for each in measured}
    wrong = [
        each for each in measured if each.is_in_limits is False and each.id not in undone and each.reverses_id is None
    ]
    if not wrong or _has_nonconformance(session, operation):
        return None
    worst = wrong[0]
    return block(
        "WO-LIMITS",
        f"Expected {worst.name} of {operation.number} within {_shown(worst.lower)} to {_shown(worst.upper)} "
        f"{worst.unit or ''}, but {worst.value:f} was measured.",
        subject_of(operation.work_order),
        field=f"operations.{operation.op_no}",
        owner="role:QA_ENG",
        way_out="Raise a nonconformance about the work order, or have the measurement corrected by a reversing event.",
    )


def _has_nonconformance(session: Session, operation: WorkOrderOperation) -> bool:
    ids = (operation.id, operation.work_order_id)
    return session.scalar(select(Nonconformance.id).where(Nonconformance.about_id.in_(ids)).limit(1)) is not None


def _shown(limit: Decimal | None) -> str:
    return "no limit" if limit is None else f"{limit.normalize():f}"


@law("WO-REVERSAL", on=WorkOrderOperation)
def a_complete_operation_opens_by_a_reversing_record(edit: Edit) -> Iterator[Finding]:
    """COMPLETE to READY only beside an actual that takes its completion back (domain.md 2.34)."""
    operation = edit.record
    if (
        edit.operation is not Operation.UPDATE
        or not becomes(edit, "READY")
        or edit.changes["status"][0] != OperationStatus.COMPLETE
    ):
        return
    session = session_of(edit)
    rows = [row for row in session.new if isinstance(row, Actual)]
    rows += session.scalars(select(Actual).where(Actual.operation_id == operation.id)).all()
    undone = {row.reverses_id for row in rows}
    ends = [row for row in rows if row.operation_id == operation.id and row.kind is ActualKind.OPERATION_COMPLETED]
    if any(row.reverses_id is None and row.id not in undone for row in ends) or not ends:
        yield block(
            "WO-REVERSAL",
            f"Expected a reversing record of the completion of {operation.number}, but there is none.",
            subject_of(operation.work_order),
            owner="role:PLANNER",
            way_out="Reverse the event that completed it, with a reason.",
        )


LAWS = (
    a_special_process_needs_the_qualified_and_the_calibrated,
    what_reaches_an_operation_left_the_one_before,
    what_was_done_outside_is_complete_when_it_is_verified,
    a_complete_operation_opens_by_a_reversing_record,
)
