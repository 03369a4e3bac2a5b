"""The life of a work order: firm, sign, release, hold, split, cancel, complete, close (domain.md 2.33).

What happens on its operations is in ``work_order_events``; how one is made, in ``work_order_planning``; what it cost, in
``work_order_cost``. The names that other flows call are gathered here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.canonical import canonical_json, content_hash
from engine.errors import Conflict, Effect, Forbidden, Invalid, RuleViolation
from engine.ports import SignatureRequest
from processes.calibration import open_impact
from processes.genealogy_gaps import gaps_of
from processes.nonconformances import raise_nonconformance
from processes.notices import tell_role
from processes.work_order_cost import Cost, cost_of
from processes.work_order_events import (
    Event,
    Posted,
    complete_operation,
    post_event,
    reverse,
    skip_operation,
    start_operation,
)
from processes.work_order_planning import create, find, need_planner, refuse_other_system
from records import work_order as records
from records.approval import ApprovalSlot, slots_of
from records.external import Discrepancy, DiscrepancyKind, Severity
from records.part import Criticality
from records.roles import holds
from records.routing import released_instruction
from records.signing import PasswordSigner, supersede
from records.work_order import (
    MAINTENANCE,
    UNRELEASED,
    CalibrationResult,
    OperationStatus,
    ServiceRecord,
    WorkOrder,
    WorkOrderStatus,
    WorkOrderType,
    move,
    move_operation,
)
from rules.finding import keep_findings
from rules.flow_mode import Mode, mode_of
from rules.law import block
from rules.order_consistency import links_of_work
from rules.policy import table_called
from rules.work_order_release import judge_release, order_lines_for, warnings_of

__all__ = [
    "Cost", "Event", "Posted", "cancel", "close", "complete", "complete_operation", "cost_of", "create", "find", "firm", "hold",
    "lift_hold", "linked_lines", "observe", "post_event", "raise_nonconformance", "release", "replan", "reverse", "sign", "skip_operation",
    "snapshot_of", "split", "start_operation", "warnings_of",
]  # fmt: skip

FROZEN = (
    "op_no", "kind", "description", "process_code", "is_special", "spec", "spec_rev", "instruction", "instruction_rev", "setup_minutes",
    "run_minutes", "is_certificate_required", "is_inspected_after",
)  # fmt: skip


def snapshot_of(order: WorkOrder) -> dict[str, Any]:
    """Return what is frozen at release: the part revision with its definitions, the routing, the standard, and for how much."""
    revision = order.part_revision
    definitions = revision.definitions if revision is not None else []
    return {
        "number": order.number,
        "system": order.system,
        "type": order.type.value,
        "part_revision": revision.number if revision is not None else None,
        "resource": order.resource.code if order.resource is not None else None,
        "serial": order.serial,
        "quantity": f"{order.quantity:.6f}",
        "uom": order.uom,
        "nonconformance": order.nonconformance.number if order.nonconformance is not None else None,
        "deviation": order.deviation.number if order.deviation is not None else None,
        "definitions": [
            {"kind": each.kind.value, "id": each.native_id, "rev": each.native_rev, "hash": each.content_hash, "system": each.system}
            for each in definitions
        ],
        "operations": [
            {name: getattr(operation, name) for name in FROZEN}
            | {
                "work_centre": operation.work_centre.code if operation.work_centre is not None else None,
                "supplier": operation.supplier.supplier_no if operation.supplier is not None else None,
            }
            for operation in order.operations
        ],
        "standards": [
            {"kind": each.kind.value, "item": each.item, "quantity": f"{each.quantity:.6f}", "unit_cost": f"{each.unit_cost:.4f}"}
            for each in order.standards
        ],
        "standard_cost": f"{order.standard_cost:.4f}" if order.standard_cost is not None else None,
    }  # fmt: skip


def firm(act: Act, order: WorkOrder) -> WorkOrder:
    """Make a plan firm: instructions get the revision released today, and who must sign before the release is worked out.

    Raises: Forbidden to who plans no work; Conflict ILLEGAL_TRANSITION unless it is planned.
    """
    need_planner(act, order=order)
    move(act, order, WorkOrderStatus.FIRM)
    _take_revisions(act, order)
    act.session.flush()
    order.approved_hash = content_hash(snapshot_of(order))
    for position, (role, why) in enumerate(_signers(order), start=1):
        slot = ApprovalSlot(
            record_type=order.record_type, record_id=order.id, record_hash=order.approved_hash, stage=1, role=role,
            position=position, why=why,
        )  # fmt: skip
        act.session.add(slot)
    act.session.flush()
    return order


def _take_revisions(act: Act, order: WorkOrder) -> None:
    for operation in order.operations:
        if operation.instruction:
            released = released_instruction(act.session, operation.instruction)
            operation.instruction_rev = released.rev if released is not None else operation.instruction_rev


def _signers(order: WorkOrder) -> list[tuple[str, str]]:
    if order.type not in MAINTENANCE:
        return []
    judgement = table_called("maintenance_approval").judge(
        type=order.type.value, planned_cost=order.standard_cost or Decimal(0),
        validated_shutdown=order.is_shutdown and order.resource is not None and order.resource.is_validated,
    )  # fmt: skip
    return [(str(row.outputs["role"]), str(row.outputs["reason"])) for row in judgement.rows]


def unfirm(act: Act, order: WorkOrder, *, reason: str) -> WorkOrder:
    """Take a firm work order back to the plan; its signatures are superseded. Raises: Forbidden; Conflict ILLEGAL_TRANSITION."""
    need_planner(act, order=order)
    supersede(act, order.record_type, order.id)
    act.session.flush()
    move(act, order, WorkOrderStatus.PLANNED, reason=reason)
    order.approved_hash = None
    return order


def sign(act: Act, order: WorkOrder, role: str, request: SignatureRequest) -> ApprovalSlot:
    """Fill the acting person's seat on a firm work order.

    Raises: Forbidden to who does not hold the role; Conflict when nothing waits for it; as PasswordSigner.
    """
    if act.user_id is None or not holds(act.session, act.user_id, role, at=act.now):
        raise Forbidden(f"Expected {role} to sign {order.number}, but {act.actor} does not hold that role.")
    open_slots = [
        slot
        for slot in (
            slots_of(act.session, order.record_type, order.id, order.approved_hash) if order.approved_hash else []
        )
        if slot.role == role and not slot.is_signed
    ]
    if not open_slots:
        raise Conflict(f"Expected a signature of {role} to be missing on {order.number}, but none is", code="NOT_READY")
    assert order.approved_hash is not None
    signer = act.installation.signer
    assert isinstance(signer, PasswordSigner)
    signature = signer.sign_record(act, order, request, content_hash=order.approved_hash, principal=f"role:{role}")
    slot = open_slots[0]
    slot.signature, slot.signature_id = signature, signature.id
    act.session.flush()
    return slot


def release(act: Act, order: WorkOrder) -> WorkOrder:
    """Permit the work: the gate is judged as a whole, the routing frozen with a hash, the first operation ready.

    A planned order is made firm first. Raises: RuleViolation with every finding of the gate, which stay on its page;
    Forbidden to who plans no work; Conflict ILLEGAL_TRANSITION.
    """
    need_planner(act, order=order)
    if order.status is WorkOrderStatus.PLANNED:
        firm(act, order)
    _take_revisions(act, order)
    act.session.flush()
    if order.approved_hash != content_hash(snapshot_of(order)):
        raise Conflict(
            f"Expected {order.number} as it was made firm, but its content has changed since. Take it back to the "
            f"plan and make it firm again.",
            code="BASELINE_CONFLICT", record=(order.record_type, order.id),
        )  # fmt: skip
    found = judge_release(act.session, order, now=act.now)
    act.rescues.append(lambda second: keep_findings(second, found))
    order.snapshot, order.snapshot_hash = canonical_json(snapshot_of(order)).decode(), order.approved_hash
    stops = [finding for finding in found if finding.effect is Effect.BLOCK]
    if stops and _is_enforced(act):
        raise RuleViolation([*stops, *(finding for finding in found if finding.effect is Effect.HOLD)])
    move(act, order, WorkOrderStatus.RELEASED)
    act.session.flush()
    keep_findings(act, [finding for finding in found if finding.effect is Effect.WARN])
    first = order.operations[0] if order.operations else None
    if first is not None and first.status is OperationStatus.WAITING:
        first.quantity_in = order.quantity
        move_operation(act, first, OperationStatus.READY)
    act.session.flush()
    return order


def _is_enforced(act: Act) -> bool:
    return mode_of(act.session, "work_orders") is Mode.ENFORCE


def observe(act: Act, order: WorkOrder, native: WorkOrderStatus, *, system: str) -> WorkOrder:
    """Take in what the home system says of a mirror's status (``erp.wo.changed``, ``mes.wo.changed``).

    A release is followed when the gate is clean; otherwise the mirror stays, a discrepancy is opened and the integration owner is
    told. Raises: RuleViolation SOR_VIOLATION when the system is not the order's home.
    """
    refuse_other_system(order, "header", system)
    if native is order.status:
        return order
    try:
        with act.attempt():
            _follow(act, order, native)
    except (RuleViolation, Conflict, Invalid) as refusal:
        act.session.refresh(order)
        _disagree(act, order, native, refusal.message)
    return order


def _follow(act: Act, order: WorkOrder, native: WorkOrderStatus) -> None:
    if native is WorkOrderStatus.RELEASED and order.status in UNRELEASED:
        release(act, order)
    elif native is WorkOrderStatus.ON_HOLD:
        records.hold(act, order, reason=f"{order.system} put it on hold", owner="role:PLANNER")
    elif native is WorkOrderStatus.FIRM and order.status is WorkOrderStatus.PLANNED:
        firm(act, order)
    elif native is WorkOrderStatus.CLOSED:
        close(act, order)
    else:
        move(act, order, native, reason=f"{order.system} says so")
    act.session.flush()


def _disagree(act: Act, order: WorkOrder, native: WorkOrderStatus, why: str) -> None:
    known = act.session.scalar(
        select(Discrepancy).where(
            Discrepancy.document_id == order.id, Discrepancy.field == "status", Discrepancy.system == order.system
        )
    )
    if known is None:
        known = Discrepancy(
            document_type=order.record_type, document_id=order.id, document_number=order.number, field="status",
            system=order.system, kind=DiscrepancyKind.STATUS, severity=Severity.CRITICAL, owner="role:INTEGRATION",
            opened_at=act.now,
        )  # fmt: skip
        act.session.add(known)
    known.ours, known.theirs = order.status.value, native.value
    act.session.flush()
    tell_role(
        act, "INTEGRATION", f"{order.system} shows {order.number} as {native.value}, the gate does not permit it", body=why,
        key=f"{order.id}:{native}:{order.status}",
    )  # fmt: skip


def hold(act: Act, order: WorkOrder, *, reason: str, owner: str | None = None) -> WorkOrder:
    """Stop the work on an order. owner: whose turn it is, the acting person unless said otherwise."""
    return records.hold(act, order, reason=reason, owner=owner or act.actor)


def lift_hold(act: Act, order: WorkOrder, *, reason: str) -> WorkOrder:
    """Let a held order go on; its owner does, or a planner. Raises: Forbidden; Invalid without a reason; Conflict."""
    if not reason.strip():
        raise Invalid("Expected a reason to lift the hold, but found none", {"reason": "is missing"})
    if order.hold_owner not in (None, act.actor):
        _need_owner(act, order)
    return records.lift_hold(act, order, reason=reason)


def _need_owner(act: Act, order: WorkOrder) -> None:
    owner = order.hold_owner or ""
    directory = act.installation.directory
    holders = (
        directory.holders(act.session, owner, at=act.now) if directory is not None and owner.startswith("role:") else []
    )
    if act.user_id is not None and act.user_id not in {person.id for person in holders}:
        raise Forbidden(f"Expected {owner} to lift the hold of {order.number}, but {act.user_id} is not.")


def split(act: Act, order: WorkOrder, quantities: Sequence[Decimal]) -> list[WorkOrder]:
    """Divide a released order into planned ones that together take every piece; it is history then.

    Each part begins with the first operation that is not complete. Raises: Conflict while an operation is begun and not complete;
    RuleViolation WO-SPLIT when the pieces do not add up, BALANCE_OPEN when some are at a supplier.
    """
    need_planner(act, order=order)
    begun = [each for each in order.operations if each.status is OperationStatus.STARTED]
    if begun:
        raise Conflict(
            f"Expected {begun[0].number} to be complete before {order.number} is split, but it is begun",
            code="ILLEGAL_TRANSITION",
        )
    if len(quantities) < 2:
        raise Invalid("Expected at least two parts, but found fewer", {"quantities": "at least two"})
    children = [_part_of(act, order, quantity, turn) for turn, quantity in enumerate(quantities, start=1)]
    move(act, order, WorkOrderStatus.SPLIT, reason="Split into " + ", ".join(child.number for child in children))
    act.session.flush()
    return children


def _part_of(act: Act, order: WorkOrder, quantity: Decimal, turn: int) -> WorkOrder:
    left = [each for each in order.operations if each.status not in records.DONE]
    share = quantity / order.quantity
    return create(
        act, order.type, quantity=quantity, uom=order.uom, part_revision=order.part_revision, resource=order.resource,
        nonconformance=order.nonconformance, deviation=order.deviation, system=order.system, parent=order,
        native_id=f"{order.native_id}-{turn}", number=f"{order.number}-{turn}", crew_supplier_id=order.crew_supplier_id,
        operations=[_values(operation) for operation in left],
        standards=[
            {"kind": each.kind, "item": each.item, "uom": each.uom, "unit_cost": each.unit_cost,
             "quantity": (each.quantity * share).quantize(Decimal("0.000001"))}
            for each in order.standards
        ],
        serial=order.serial, planned_start=order.planned_start, planned_finish=order.planned_finish, priority=order.priority,
        project=order.project, due_rule=order.due_rule, customer=order.customer, service_location=order.service_location,
        contract_ref=order.contract_ref, description=order.description, currency=order.currency,
    )  # fmt: skip


def _values(operation: records.WorkOrderOperation) -> dict[str, Any]:
    names = (*FROZEN, "work_centre_id", "supplier_id", "planned_start", "planned_finish", "equipment_id")
    return {name: getattr(operation, name) for name in names}


def cancel(act: Act, order: WorkOrder, *, reason: str) -> WorkOrder:
    """Give an order up. Raises: RuleViolation BALANCE_OPEN while pieces are at a supplier; Conflict once it is complete; Invalid."""
    need_planner(act, order=order)
    if not reason.strip():
        raise Invalid("Expected a reason for the cancellation, but found none", {"reason": "is missing"})
    if order.status in UNRELEASED:
        supersede(act, order.record_type, order.id)
    move(act, order, WorkOrderStatus.CANCELLED, reason=reason)
    act.session.flush()
    if lines := linked_lines(act, order):
        tell_role(
            act, "BUYER", f"{order.number} is cancelled and {lines[0].number} is bought for it (CON-08)", key=f"{order.id}:cancelled",
            record=("purchase_order", lines[0].order_id),
        )  # fmt: skip
    return order


def replan(
    act: Act,
    order: WorkOrder,
    *,
    planned_start: dt.date | None,
    planned_finish: dt.date | None,
    priority: int,
    reason: str = "",
) -> WorkOrder:
    """Move an order in time or importance; its buyers are told when something is bought for it (4c: C0, warns the order).

    Raises: Forbidden to who plans no work; Invalid for an end before the start; RuleViolation UNCONTROLLED_CHANGE once it has ended.
    """
    need_planner(act, order=order)
    if planned_start and planned_finish and planned_finish < planned_start:
        raise Invalid(
            f"Expected a day from {planned_start} on, but found {planned_finish}",
            {"planned_finish": "is before the start"},
        )
    moved = (order.planned_start, order.planned_finish) != (planned_start, planned_finish)
    order.planned_start, order.planned_finish, order.priority = planned_start, planned_finish, priority
    act.session.flush()
    if reason.strip():
        act.note(
            order.record_type, order.id, "MOVED", field="planned_finish", new=str(planned_finish), reason=reason.strip()
        )
    for line in linked_lines(act, order) if moved else ():
        subject = f"{order.number} is planned for {planned_start or 'no day'} to {planned_finish or 'no day'}: check {line.number}"
        key = f"{order.id}:{planned_start}:{planned_finish}:{line.id}"
        tell_role(act, "BUYER", subject, key=key, record=("purchase_order", line.order_id))
    return order


def linked_lines(act: Act, order: WorkOrder) -> list[Any]:
    """Return the living order lines that name the order or one of its operations, or are linked to one."""
    numbers = [order.number, *(operation.number for operation in order.operations)]
    named = [line for number in numbers for line in order_lines_for(act.session, number)]
    linked = [link.order_line for link in links_of_work(act.session, order)]
    return list(dict.fromkeys([*named, *linked]))


def complete(act: Act, order: WorkOrder) -> WorkOrder:
    """Accept the work of an order as the acting person.

    Raises: RuleViolation CON-10, WO-COMPLETE, SOD-10; Conflict ILLEGAL_TRANSITION unless it is in process.
    """
    order.accepted_by_id = act.user_id
    move(act, order, WorkOrderStatus.COMPLETE)
    act.session.flush()
    return order


def record_service(act: Act, order: WorkOrder, **values: Any) -> ServiceRecord:
    """Write what was done at a customer's: ``udi, serviced_on, performed_by, work_done, test_data``. Raises: Invalid, Conflict."""
    if order.type is not WorkOrderType.FIELD_SERVICE:
        raise Invalid(
            f"Expected a field service order, but {order.number} is {order.type}", {"type": "is no field service"}
        )
    if order.status in records.ENDED:
        raise Conflict(f"Expected {order.number} to be open, but it is {order.status}", code="ILLEGAL_TRANSITION")
    record = order.service_record or ServiceRecord(work_order=order, work_order_id=order.id)
    for name, value in values.items():
        setattr(record, name, value)
    act.session.add(record)
    act.session.flush()
    return record


def record_calibration(act: Act, order: WorkOrder, result: CalibrationResult) -> WorkOrder:
    """Say how a gauge was found. Raises: Invalid for an order that calibrates nothing; Conflict once it is closed."""
    if order.type is not WorkOrderType.CALIBRATION:
        raise Invalid(
            f"Expected a calibration order, but {order.number} is {order.type}", {"type": "is no calibration"}
        )
    if order.status in records.ENDED:
        raise Conflict(f"Expected {order.number} to be open, but it is {order.status}", code="ILLEGAL_TRANSITION")
    order.calibration_result = result
    return order


def close(act: Act, order: WorkOrder) -> WorkOrder:
    """End an order: nothing open, no gap, every actual costed. A calibration moves its gauge's due date, or opens its impact.

    Raises: RuleViolation GENEALOGY_GAP, WO-UNMATCHED, WO-SERVICE-RECORD, WO-RESULT; Conflict ILLEGAL_TRANSITION unless complete.
    """
    if order.type is WorkOrderType.FIELD_SERVICE:
        _refuse_device_without_udi(order)
    _refuse_gaps(act, order)
    move(act, order, WorkOrderStatus.CLOSED)
    act.session.flush()
    if order.type is WorkOrderType.CALIBRATION and order.resource is not None:
        open_impact(act, order)
    return order


def _refuse_gaps(act: Act, order: WorkOrder) -> None:
    """Refuse to close while something it used or made cannot be traced, however far back. Raises: RuleViolation GENEALOGY_GAP."""
    gaps = gaps_of(act.session, order.id)
    if gaps and order.status is WorkOrderStatus.COMPLETE and _is_enforced(act):
        raise RuleViolation(
            block(
                "GENEALOGY_GAP", gap.sentence, (order.record_type, order.id), field="genealogy", new=str(len(gaps)), owner=gap.owner,
                way_out=gap.way_out,
            )
            for gap in gaps
        )  # fmt: skip


def _refuse_device_without_udi(order: WorkOrder) -> None:
    revision = order.part_revision
    is_device = revision is not None and revision.part.criticality is Criticality.IMPLANT
    if is_device and not (order.service_record and order.service_record.udi):
        raise RuleViolation(
            [
                block(
                    "WO-SERVICE-RECORD", f"Expected the UDI of the device on {order.number}, but it is missing (QMSR 820.35).",
                    (order.record_type, order.id), field="service_record.udi", owner="role:QA_ENG",
                    way_out="Enter the UDI in the service record.",
                )
            ]
        )  # fmt: skip
