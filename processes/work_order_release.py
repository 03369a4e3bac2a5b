"""The way of a work order from a plan to its release: firm, signed, released with its routing frozen (domain.md 2.33)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.act import Act
from engine.canonical import canonical_json, content_hash
from engine.errors import Conflict, Effect, Forbidden, RuleViolation
from engine.ports import SignatureRequest
from processes.work_order_planning import need_planner
from records.approval import ApprovalSlot, slots_of
from records.roles import holds
from records.routing import released_instruction
from records.signing import PasswordSigner, supersede
from records.work_order import (
    MAINTENANCE,
    OperationStatus,
    WorkOrder,
    WorkOrderStatus,
    move,
    move_operation,
)
from rules.finding import keep_findings
from rules.flow_mode import Mode, mode_of
from rules.policy import table_called
from rules.work_order_release import judge_release

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
    if stops and is_enforced(act):
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


def is_enforced(act: Act) -> bool:
    """Whether the findings of work orders refuse, and not only show."""
    return mode_of(act.session, "work_orders") is Mode.ENFORCE
