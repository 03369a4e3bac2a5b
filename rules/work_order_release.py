"""The release gate of work orders: what must be true before work may begin, judged as a whole so that a planner sees all of it.

Source: domain.md 1.08, 1.30, 2.33; CON-07, CON-11.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from engine.errors import Effect, Finding
from records.approval import slots_of
from records.outside import LinkStatus, OutsideLink
from records.part import RevisionStatus
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.routing import InstructionStatus, OperationKind, WorkInstruction, released_instruction
from records.work_order import OperationStatus, WorkOrder, WorkOrderOperation
from rules import change_pending
from rules.order_consistency import weigh
from rules.policy import table_called
from rules.waiting_change import waits_for, way_out

UNSOUND = (OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.SUPPLIER_REJECTED)


def judge_release(session: Session, order: WorkOrder, *, now: dt.datetime) -> list[Finding]:
    """Return everything that speaks against releasing a work order now: BLOCK refuses, HOLD waits for somebody else, WARN informs."""
    today = order.site.local_day(now)
    return [
        *_revision(order, today),
        *_authority(order, today),
        *_routing(session, order),
        *_contracts(session, order, now),
        *_signatures(session, order),
        *_resources(order, today),
        *weigh(session, order, change_pending.of_work(session, order, now=now), now=now),
    ]


def _finding(
    order: WorkOrder, rule: str, effect: Effect, sentence: str, *, owner: str, way_out: str, **more: Any
) -> Finding:
    return Finding(rule, effect, sentence, order.record_type, order.id, owner=owner, way_out=way_out, **more)


def _revision(order: WorkOrder, today: dt.date) -> Iterator[Finding]:
    revision = order.part_revision
    if revision is None:
        return
    if revision.status is not RevisionStatus.RELEASED:
        trouble = f"it is {revision.status}"
    elif not revision.is_effective_on(today):
        trouble = f"it is effective from {revision.effective_from or 'its release'} to {revision.effective_to or 'open'}, not on {today}"
    else:
        return
    change = waits_for(object_session(revision), revision)
    yield _finding(
        order, "CON-07", Effect.BLOCK,
        f"Expected a released, effective part revision on {order.number}, but {revision.number}: {trouble}{change}.",
        field="part_revision", new=revision.number, owner="role:ENG_AUTH",
        way_out=way_out(revision, "plan the work order for another one"),
    )  # fmt: skip


def _authority(order: WorkOrder, today: dt.date) -> Iterator[Finding]:
    for authority in (order.nonconformance, order.deviation):
        if authority is not None and not authority.permits_on(today):
            expiry = f", expires {authority.expires_on}" if authority.expires_on else ""
            yield _finding(
                order, "WO-AUTHORITY", Effect.BLOCK,
                f"Expected {authority.number} to permit work on {today}, but it is {authority.status}{expiry}.",
                field="nonconformance" if authority is order.nonconformance else "deviation", owner="role:QA_ENG",
                way_out="Quality extends it, or raises another.",
            )  # fmt: skip


def _routing(session: Session, order: WorkOrder) -> Iterator[Finding]:
    if not order.operations:
        yield _finding(
            order, "WO-ROUTING", Effect.BLOCK, f"Expected {order.number} to have operations, but it has none.",
            field="operations", owner="role:PLANNER", way_out="Add the operations of the routing.",
        )  # fmt: skip
    for operation in order.operations:
        if missing := list(missing_definition(session, operation)):
            yield _finding(
                order, "WO-ROUTING", Effect.BLOCK,
                f"Expected {operation.number} to be defined, but {', '.join(missing)}.",
                field=f"operations.{operation.op_no}", owner="role:PROCESS_ENGINEER",
                way_out="Complete the operation; what is released is frozen.",
            )  # fmt: skip


def missing_definition(session: Session, operation: WorkOrderOperation) -> Iterator[str]:
    """Yield what an operation lacks before it can be frozen."""
    if operation.kind is OperationKind.INTERNAL and operation.work_centre_id is None:
        yield "it has no work centre"
    if operation.kind is OperationKind.OUTSIDE and not operation.process_code:
        yield "it names no process"
    if operation.is_special and not (operation.spec and operation.spec_rev):
        yield "it is a special process without a specification and its revision"
    if (operation.spec is None) != (operation.spec_rev is None):
        yield "its specification has no revision"
    if operation.instruction and _released_or_given(session, operation) is None:
        yield f"its instruction {operation.instruction} has no released revision"


def _released_or_given(session: Session, operation: WorkOrderOperation) -> str | None:
    """Return the revision of the instruction that would be frozen."""
    assert operation.instruction is not None
    known = session.scalars(select(WorkInstruction).where(WorkInstruction.document_no == operation.instruction)).all()
    if not known:
        return operation.instruction_rev
    released = [each.rev for each in known if each.status is InstructionStatus.RELEASED]
    return released[0] if released else None


def _contracts(session: Session, order: WorkOrder, now: dt.datetime) -> Iterator[Finding]:
    if order.crew_supplier is not None and not order.contract_ref and not order_lines_for(session, order.number):
        yield _finding(
            order, "CON-11", Effect.HOLD,
            f"Expected a service order line or a frame contract for the crew of {order.crew_supplier.name} on "
            f"{order.number}, but there is none.",
            field="crew_supplier", owner="role:BUYER", way_out="Buy the service, or enter the frame contract.",
        )  # fmt: skip
    today = order.site.local_day(now)
    for operation in order.operations:
        if operation.kind is OperationKind.INTERNAL or order.contract_ref or _is_over(operation):
            continue
        if order_lines_for(session, operation.number) or _is_linked(session, operation):
            continue
        begins = operation.planned_start or order.planned_start
        judgement = table_called("outside_lead_time").judge(special=operation.is_special)
        days = int(judgement.row.outputs["days"])
        if begins is not None and begins < _after(order, today, days):
            yield _finding(
                order, "CON-11", Effect.HOLD,
                f"Expected an order line for {operation.number} or {days} working days to buy it, but it starts on "
                f"{begins} and nothing is ordered.",
                field=f"operations.{operation.op_no}", owner="role:BUYER",
                way_out="Order the process and link the line, or plan the operation later.",
                judged_by=judgement.hash, row=judgement.row.number,
            )  # fmt: skip


def _is_over(operation: WorkOrderOperation) -> bool:
    return operation.status in {OperationStatus.COMPLETE, OperationStatus.SKIPPED_BY_DEVIATION}


def _is_linked(session: Session, operation: WorkOrderOperation) -> bool:
    wanted = select(OutsideLink.id).where(
        OutsideLink.operation_id == operation.id, OutsideLink.status != LinkStatus.CANCELLED
    )
    return session.scalar(wanted.limit(1)) is not None


def order_lines_for(session: Session, number: str) -> list[PurchaseOrderLine]:
    """Return the living order lines that name a work order or an operation (``WO-7001/30``) by its number."""
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder)
        .where(PurchaseOrderLine.work_order_op == number, PurchaseOrderLine.status != LineStatus.CANCELLED)
        .where(PurchaseOrder.status.not_in(UNSOUND))
        .order_by(PurchaseOrderLine.id)
    )
    return list(session.scalars(wanted))


def _after(order: WorkOrder, today: dt.date, days: int) -> dt.date:
    """Return the day so many working days of the site later."""
    closed = {holiday.on for holiday in order.site.holidays}
    day = today
    while days:
        day += dt.timedelta(days=1)
        if f"{day:%a}".upper() in order.site.opening_days and day not in closed:
            days -= 1
    return day


def _signatures(session: Session, order: WorkOrder) -> Iterator[Finding]:
    if order.approved_hash is None:
        return
    for slot in slots_of(session, order.record_type, order.id, order.approved_hash):
        if not slot.is_signed:
            yield _finding(
                order, "WO-SIGNATURE", Effect.HOLD,
                f"Expected {slot.role} to sign {order.number} before its release, but nobody has: {slot.why.lower() or 'required'}.",
                owner=f"role:{slot.role}", way_out="Sign it on its page.",
            )  # fmt: skip


def _resources(order: WorkOrder, today: dt.date) -> Iterator[Finding]:
    for operation in order.operations:
        equipment = operation.equipment
        if equipment is not None and not equipment.is_calibrated_on(today):
            yield _finding(
                order, "WO-CALIBRATION", Effect.WARN,
                f"Expected {equipment.code} on {operation.number} to be in calibration, but it is due since "
                f"{equipment.calibration_due or 'ever'}.",
                field=f"operations.{operation.op_no}", owner="role:METROLOGY",
                way_out="Calibrate it before the operation starts, or use another.",
            )  # fmt: skip


def warnings_of(session: Session, order: WorkOrder) -> list[str]:
    """Return what has moved on since a work order was released: newer instructions, superseded revisions. Nothing changes by itself."""
    found = []
    for operation in order.operations:
        if not operation.instruction or not operation.instruction_rev:
            continue
        current = released_instruction(session, operation.instruction)
        if current is not None and current.rev != operation.instruction_rev:
            found.append(
                f"{operation.number} follows {operation.instruction} rev {operation.instruction_rev}; rev {current.rev} is released since."
            )
    revision = order.part_revision
    if revision is not None and revision.status in {RevisionStatus.SUPERSEDED, RevisionStatus.OBSOLETE}:
        found.append(f"{revision.number} is {revision.status.value.lower()} since; the work order keeps it.")
    return found
