"""The laws of work orders, judged at flush for every door."""

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
from records.nonconformance import DeviationAuthority, Nonconformance
from records.resource import Resource, ResourceKind
from records.work_order import (
    DONE,
    OPEN,
    OperationStatus,
    ServiceRecord,
    WorkOrder,
    WorkOrderOperation,
    WorkOrderStatus,
    WorkOrderType,
)
from rules.law import becomes, block, law, session_of
from rules.order_consistency import judge_completion, judge_cost, judge_start, links_of_work
from rules.work_order_release import judge_release

AWAY = (OperationStatus.AT_SUPPLIER, OperationStatus.RETURNED_PENDING)
NOT_COUNTED = (WorkOrderStatus.CANCELLED, WorkOrderStatus.SPLIT)


def _about(order: WorkOrder) -> tuple[str, str]:
    return (order.record_type, order.id)


@law("WO-TYPE", on=WorkOrder)
def a_type_has_what_defines_it(edit: Edit) -> Iterator[Finding]:
    """A calibration calibrates a gauge; maintenance is done on equipment or gauges, not on people."""
    order = edit.record
    if edit.operation is Operation.DELETE or not {"type", "resource_id"} & edit.changes.keys():
        return
    if order.resource_id is None:
        return
    resource = session_of(edit).get(Resource, order.resource_id)
    wanted = (
        {ResourceKind.GAUGE}
        if order.type is WorkOrderType.CALIBRATION
        else {ResourceKind.GAUGE, ResourceKind.EQUIPMENT}
    )
    if resource is None or resource.kind in wanted:
        return
    yield block(
        "WO-TYPE",
        f"Expected {' or '.join(sorted(wanted)).lower()} on {order.number}, but {resource.code} is {resource.kind.lower()}.",
        _about(order),
        field="resource",
        owner="role:PLANNER",
        way_out="Choose the gauge or the machine that the work is done on.",
    )


@law("NCR-LIMIT", on=WorkOrder)
def rework_stays_within_its_authority(edit: Edit) -> Iterator[Finding]:
    """Work orders against one nonconformance or deviation authority take no more pieces than it permits, together."""
    order = edit.record
    if (
        edit.operation is Operation.DELETE
        or not {"nonconformance_id", "deviation_id", "quantity", "status"} & edit.changes.keys()
    ):
        return
    if order.status in NOT_COUNTED or order.parent_id is not None:
        return
    session = session_of(edit)
    for authority, column in _authorities(session, order):
        limit = authority.quantity if isinstance(authority, DeviationAuthority) else authority.quantity_limit
        used = _used(session, order, column)
        if limit is not None and used + order.quantity > limit:
            yield block(
                "NCR-LIMIT",
                f"Expected at most {limit:f} {authority.uom} under {authority.number}, but {order.number} for "
                f"{order.quantity:f} makes it {used + order.quantity:f}.",
                _about(order),
                field="quantity",
                old=f"{limit:f}",
                new=f"{used + order.quantity:f}",
                owner="role:QA_ENG",
                way_out="Lower the quantity, or quality raises the limit.",
            )


def _authorities(session: Session, order: WorkOrder) -> Iterator[tuple[Nonconformance | DeviationAuthority, str]]:
    if order.nonconformance_id and (found := session.get(Nonconformance, order.nonconformance_id)) is not None:
        yield found, "nonconformance_id"
    if order.deviation_id and (leave := session.get(DeviationAuthority, order.deviation_id)) is not None:
        yield leave, "deviation_id"


def _used(session: Session, order: WorkOrder, column: str) -> Decimal:
    """Return the pieces that other work orders take under the same authority, those of this act included."""
    wanted = select(WorkOrder).where(
        getattr(WorkOrder, column) == getattr(order, column), WorkOrder.id != order.id, WorkOrder.parent_id.is_(None)
    )
    fresh = [
        other
        for other in session.new
        if isinstance(other, WorkOrder) and other is not order and getattr(other, column) == getattr(order, column)
    ]
    others = {other.id: other for other in (*session.scalars(wanted), *fresh) if other.parent_id is None}
    return sum((other.quantity for other in others.values() if other.status not in NOT_COUNTED), Decimal(0))


@law("WO-RELEASE", on=WorkOrder)
def work_is_released_clean(edit: Edit) -> Iterator[Finding]:
    """CON-07, CON-11, the routing, the authority and the signatures: whatever holds a work order at its gate refuses the release."""
    order = edit.record
    if edit.operation is not Operation.UPDATE or not becomes(edit, "RELEASED"):
        return
    if edit.changes["status"][0] not in (None, WorkOrderStatus.FIRM):
        return
    session = session_of(edit)
    for finding in judge_release(session, order, now=now_of(session)):
        yield replace(finding, effect=Effect.BLOCK) if finding.effect is Effect.HOLD else finding


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
            _about(order),
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
        yield block(
            "WO-QUALIFICATION",
            f"Expected a person qualified for {operation.process_code or 'the process'} on {operation.number}, but it was to be "
            f"started by {who}{_lapsed(person, operation.process_code)}.",
            _about(order),
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
            _about(order),
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
            _about(order),
            field=f"operations.{operation.op_no}.quantity_in",
        )
    if becomes(edit, "COMPLETE") and operation.open_quantity != 0:
        yield block(
            "BALANCE_OPEN",
            f"Expected {operation.quantity_in or 0:f} pieces accounted for on {operation.number}, but "
            f"{operation.open_quantity:f} are neither good nor scrap nor rework.",
            _about(order),
            field=f"operations.{operation.op_no}",
            owner="role:PLANNER",
            way_out="Report the missing pieces as good, scrap or rework.",
        )
    if becomes(edit, "COMPLETE") and (finding := _out_of_limits(session_of(edit), operation)):
        yield finding


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
        _about(operation.work_order),
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
            _about(operation.work_order),
            owner="role:PLANNER",
            way_out="Reverse the event that completed it, with a reason.",
        )


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
            _about(order),
            field=f"operations.{operation.op_no}",
            owner="role:SHIPPING",
            way_out="Return, declare lost or recall what is away, and verify its certificate.",
        )
    for operation in order.operations:
        if operation.status not in DONE and operation not in away:
            yield block(
                "WO-COMPLETE",
                f"Expected every operation of {order.number} to be complete, but {operation.number} is {operation.status}.",
                _about(order),
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
                _about(order),
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
            _about(order),
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
            _about(order),
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
            _about(order),
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
    rows = session.scalars(select(Actual).where(Actual.work_order_id == order.id, Actual.kind.in_(kinds))).all()
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
            _about(order),
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
                _about(order),
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
            _about(order),
            field="quantity",
            owner="role:PLANNER",
            way_out="Give every piece to one of the parts.",
        )


@law("WO-QUANTITY", on=WorkOrder)
def a_quantity_covers_what_is_done(edit: Edit) -> Iterator[Finding]:
    """The quantity of a released work order is not lowered below what has reached an operation (domain.md 4c)."""
    order = edit.record
    if edit.operation is not Operation.UPDATE or "quantity" not in edit.changes:
        return
    most = max((operation.quantity_in or Decimal(0) for operation in order.operations), default=Decimal(0))
    if order.status not in (WorkOrderStatus.PLANNED, WorkOrderStatus.FIRM) and order.quantity < most:
        yield block(
            "WO-QUANTITY",
            f"Expected {order.number} to keep at least the {most:f} pieces in work, but its quantity was to become {order.quantity:f}.",
            _about(order),
            field="quantity",
            owner="role:PLANNER",
            way_out="Split the order, or scrap the pieces.",
        )


@law("BLUR-W2", on=Actual)
def outside_cost_names_its_contract(edit: Edit) -> Iterator[Finding]:
    """External cost is posted to a work order with its order line or frame contract only (domain.md 4e)."""
    actual = edit.record
    if edit.operation is not Operation.INSERT or actual.kind is not ActualKind.OUTSIDE:
        return
    if actual.order_line_id is None and not actual.contract_ref:
        yield block(
            "BLUR-W2",
            f"Expected an order line or a frame contract behind the outside cost {actual.number}, but it names none.",
            ("work_order", actual.work_order_id),
            field="order_line",
            owner="role:BUYER",
            way_out="Order the work, and accrue against the line.",
        )


@law("CON-17", on=Actual)
def outside_cost_is_the_agreed_price(edit: Edit) -> Iterator[Finding]:
    """CON-17: a cost booked at another price than the order line's accepted one is told, not refused."""
    if (
        edit.operation is Operation.INSERT
        and edit.record.kind is ActualKind.OUTSIDE
        and edit.record.reverses_id is None
    ):
        session = session_of(edit)
        yield from judge_cost(session, edit.record, now=now_of(session))


LAWS = (
    a_type_has_what_defines_it,
    rework_stays_within_its_authority,
    work_is_released_clean,
    a_special_process_needs_the_qualified_and_the_calibrated,
    what_reaches_an_operation_left_the_one_before,
    a_complete_operation_opens_by_a_reversing_record,
    a_work_order_is_complete_when_its_operations_are,
    a_work_order_closes_without_gaps,
    nothing_away_is_cancelled,
    a_quantity_covers_what_is_done,
    outside_cost_names_its_contract,
    outside_cost_is_the_agreed_price,
)
