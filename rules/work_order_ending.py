"""The laws of a work order's end: complete, closed, given up or divided, with nothing left open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.clock import now_of
from engine.errors import Effect, Finding
from engine.record import Edit, Operation
from records.actual import Actual, ActualKind, carried_actuals_of
from records.resource import Resource
from records.service_record import ServiceRecord
from records.work_order import (
    DONE,
    OperationStatus,
    WorkOrder,
    WorkOrderType,
)
from rules.law import becomes, block, law, session_of, subject_of
from rules.order_consistency import judge_completion, links_of_work

AWAY = (OperationStatus.AT_SUPPLIER, OperationStatus.RETURNED_PENDING)


@law("WO-COMPLETE", on=WorkOrder)
def a_work_order_is_complete_when_its_operations_are(edit: Edit) -> Iterator[Finding]:
    """Every operation complete or skipped under a signed deviation; CON-10: nothing is at a supplier; SOD-10: another accepts."""
    order = edit.record
    if edit.operation is not Operation.UPDATE or not becomes(edit, "COMPLETE"):
        return
    session = session_of(edit)
    found = [replace(each, effect=Effect.BLOCK) for each in judge_completion(session, order, now=now_of(session))]
    yield from found
    away = [operation for operation in order.operations if operation.status in AWAY]
    for operation in away if not found else ():
        yield block(
            "CON-10",
            f"Expected nothing of {order.number} at a supplier, but {operation.number} is {operation.status}.",
            subject_of(order),
            field=f"operations.{operation.op_no}",
            owner="role:SHIPPING",
            way_out="Return, declare lost or recall what is away, and verify its certificate.",
        )
    for operation in order.operations:
        if operation.status not in DONE and operation not in away:
            yield block(
                "WO-COMPLETE",
                f"Expected every operation of {order.number} to be complete, but {operation.number} is {operation.status}.",
                subject_of(order),
                field=f"operations.{operation.op_no}",
                owner="role:PLANNER",
                way_out="Finish it, or skip it under a signed deviation.",
            )
    yield from _accepted_by_the_performer(session, order)


def _accepted_by_the_performer(session: Session, order: WorkOrder) -> Iterator[Finding]:
    """SOD-10: who performed a special process does not accept the result."""
    for operation in order.operations:
        if not operation.is_special or order.accepted_by_id is None:
            continue
        people = {
            operation.performer_id,
            *session.scalars(select(Actual.performer_id).where(Actual.operation_id == operation.id)),
        }
        users = {person.user_id for each in people if each and (person := session.get(Resource, each)) is not None}
        if order.accepted_by_id in users:
            yield block(
                "SOD-10",
                f"Expected somebody else to accept {order.number}, but {order.accepted_by_id} performed its special "
                f"process {operation.number}.",
                subject_of(order),
                owner="role:QA_ENG",
                way_out="Somebody who did not perform it accepts it.",
            )


@law("WO-CLOSE", on=WorkOrder)
def a_work_order_closes_without_gaps(edit: Edit) -> Iterator[Finding]:
    """No genealogy gap, no unmatched actual; a service record for field service, a result for calibration."""
    order = edit.record
    if edit.operation is not Operation.UPDATE or not becomes(edit, "CLOSED"):
        return
    session = session_of(edit)
    for finding in judge_completion(session, order, now=now_of(session)):
        yield replace(finding, effect=Effect.BLOCK)
    gaps = material_without_lot(session, order)
    if gaps:
        yield block(
            "GENEALOGY_GAP",
            f"Expected every piece of material of {order.number} to come from a known lot, but {len(gaps)} "
            f"{'issue does' if len(gaps) == 1 else 'issues do'} not.",
            subject_of(order),
            field="actuals",
            new=str(len(gaps)),
            owner="role:PLANNER",
            way_out="Reverse the issue and report it again with its lot.",
        )
    unmatched = unmatched_actuals(session, order)
    if unmatched:
        yield block(
            "WO-UNMATCHED",
            f"Expected every actual of {order.number} to have a cost, but {len(unmatched)} ({unmatched[0].number}) "
            f"{'has' if len(unmatched) == 1 else 'have'} none.",
            subject_of(order),
            field="actuals",
            owner="role:FIN_CTRL",
            way_out="Reverse it and report it with its unit cost or its lot.",
        )
    if order.type is WorkOrderType.FIELD_SERVICE:
        yield from _service_record(session, order)
    if order.type is WorkOrderType.CALIBRATION and order.calibration_result is None:
        yield block(
            "WO-RESULT",
            f"Expected how {order.number} found its gauge, but nothing is recorded.",
            subject_of(order),
            field="calibration_result",
            owner="role:METROLOGY",
            way_out="Say whether it was found in or out of tolerance.",
        )


def material_without_lot(session: Session, order: WorkOrder) -> list[Actual]:
    """Return the issues of material from no known lot that were not reversed: each is a gap in the genealogy."""
    return [each for each in _standing(session, order, ActualKind.MATERIAL) if each.lot_id is None]


def unmatched_actuals(session: Session, order: WorkOrder) -> list[Actual]:
    """Return the actuals that should have cost something and have no cost."""
    kinds = (ActualKind.LABOUR, ActualKind.MACHINE, ActualKind.MATERIAL, ActualKind.OUTSIDE)
    return [each for each in _standing(session, order, *kinds) if each.amount is None]


def _standing(session: Session, order: WorkOrder, *kinds: ActualKind) -> list[Actual]:
    rows = [each for each in carried_actuals_of(session, order) if each.kind in kinds]
    undone = {row.reverses_id for row in rows}
    return [row for row in rows if row.reverses_id is None and row.id not in undone]


SERVICE_FIELDS = ("serviced_on", "performed_by", "work_done", "test_data")


def _service_record(session: Session, order: WorkOrder) -> Iterator[Finding]:
    record = session.scalar(select(ServiceRecord).where(ServiceRecord.work_order_id == order.id))
    missing = [name for name in SERVICE_FIELDS if not getattr(record, name, None)]
    if not order.serial and not getattr(record, "udi", ""):
        missing.insert(0, "udi or serial")
    if missing:
        yield block(
            "WO-SERVICE-RECORD",
            f"Expected the service record of {order.number} to be whole, but {', '.join(name.replace('_', ' ') for name in missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing (QMSR 820.35).",
            subject_of(order),
            field="service_record",
            owner="role:QA_ENG",
            way_out="Complete the service record on the page of the work order.",
        )


@law("WO-CANCEL", on=WorkOrder)
def nothing_away_is_cancelled(edit: Edit) -> Iterator[Finding]:
    """A work order with pieces at a supplier is neither cancelled nor split (domain.md 2.33)."""
    order = edit.record
    if edit.operation is not Operation.UPDATE or not becomes(edit, "CANCELLED", "SPLIT"):
        return
    linked = {link.operation_id for link in links_of_work(session_of(edit), order) if link.at_supplier > 0}
    for operation in order.operations:
        if operation.status in AWAY or operation.id in linked:
            yield block(
                "BALANCE_OPEN",
                f"Expected nothing of {order.number} at a supplier, but {operation.number} is {operation.status}.",
                subject_of(order),
                field=f"operations.{operation.op_no}",
                owner="role:SHIPPING",
                way_out="Recall or receive what is away first.",
            )
    if becomes(edit, "SPLIT"):
        yield from _split_balances(session_of(edit), order)


def _split_balances(session: Session, order: WorkOrder) -> Iterator[Finding]:
    stored = session.scalars(select(WorkOrder).where(WorkOrder.parent_id == order.id))
    fresh = [row for row in session.new if isinstance(row, WorkOrder) and row.parent_id == order.id]
    children = {row.id: row.quantity for row in (*stored, *fresh)}
    lost = sum((operation.scrap + operation.rework for operation in order.operations), Decimal(0))
    total = sum(children.values(), Decimal(0))
    if total + lost != order.quantity:
        yield block(
            "WO-SPLIT",
            f"Expected the parts of {order.number} to make up its {order.quantity - lost:f} {order.uom}, but they make {total:f}.",
            subject_of(order),
            field="quantity",
            owner="role:PLANNER",
            way_out="Give every piece to one of the parts.",
        )


LAWS = (
    a_work_order_is_complete_when_its_operations_are,
    a_work_order_closes_without_gaps,
    nothing_away_is_cancelled,
)
