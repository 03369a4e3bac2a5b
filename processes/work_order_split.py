"""Divide a work order by the state of its pieces, and convert what is not begun to another revision.

What is begun goes on in one part as it was released, with its actuals; the others are planned anew. The divided order is
history: its actuals and its genealogy keep its name. Source: domain.md 2.33, 4c (WO part revision, WO quantity).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select

from engine.act import Act
from engine.canonical import canonical_json, content_hash
from engine.errors import Conflict, Invalid
from engine.instances import cancel as cancel_flow
from engine.instances import records_of
from processes import genealogy
from processes.notices import tell_role
from processes.outside_links import link, unlink
from processes.outside_undoing import call_off
from processes.outside_watch import running_for
from processes.work_order_planning import OPERATION_FIELDS, create, need_planner, steps_of
from processes.work_order_release import FROZEN, snapshot_of
from records.lot import EdgeKind, GenealogyEdge, LotSource, LotStatus, free_number, stands
from records.outside import BEFORE_SHIPPING, OutsideLink
from records.part import PartRevision
from records.requisition import Requisition
from records.signing import supersede
from records.work_order import (
    DONE,
    UNRELEASED,
    OperationStatus,
    WorkOrder,
    WorkOrderOperation,
    WorkOrderStatus,
    move,
    move_operation,
)
from rules.order_consistency import links_of_work
from rules.work_order_conversion import ChangeAuthority, begun_operation, refuse_conversion, refuse_unapproved

CARRIED = (*FROZEN, "work_centre_id", "supplier_id", "planned_start", "planned_finish", "equipment_id")
STEP = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a divided order takes.

    quantity: in the order's unit. is_started: it goes on with what is begun, and with the actuals. to_revision: it is converted.
    """

    quantity: Decimal
    is_started: bool = False
    to_revision: PartRevision | None = None


def split(
    act: Act, order: WorkOrder, parts: Sequence[Part | Decimal], *, change_order: ChangeAuthority | None = None
) -> list[WorkOrder]:
    """Divide a released order into parts that together take every piece that is left of it.

    The part that is started is released at once, as its parent was; the others are planned, from the first operation that is not
    complete. Links to order lines follow the pieces. change_order: behind the parts that are converted.
    Raises: Invalid when no part, or more than one, goes on with what is begun, or it takes fewer pieces than are done; Conflict
    UNCONTROLLED_CHANGE for a conversion without an approved change order; RuleViolation WO-SPLIT when the pieces do not add up,
    BALANCE_OPEN when some are at a supplier.
    """
    need_planner(act, order=order)
    given = [each if isinstance(each, Part) else Part(each) for each in parts]
    if len(given) < 2:
        raise Invalid("Expected at least two parts, but found fewer", {"quantities": "at least two"})
    _refuse_unfit(order, given)
    return _divide(act, order, given, change_order)


def convert(
    act: Act,
    order: WorkOrder,
    to_revision: PartRevision,
    change_order: ChangeAuthority,
    *,
    operations: Sequence[WorkOrderOperation] = (),
) -> WorkOrder:
    """Explode an order of which nothing is begun anew, by the routing of another revision; return the order that has the pieces.

    A planned or firm order is planned anew. What was released stays as it was released, and a planned successor takes its pieces.
    Links to order lines are cancelled, and the buyer is told: their orders are amended under the same change order.
    operations: those that a planned order goes by where the revision has no routing here.
    Raises: Conflict UNCONTROLLED_CHANGE unless the change order is approved, ILLEGAL_TRANSITION once work is begun; Invalid for a
    revision of another part, or one without a routing.
    """
    refuse_unapproved(order, change_order)
    refuse_conversion(order, to_revision)
    if order.status not in UNRELEASED:
        return _divide(act, order, [Part(order.quantity, to_revision=to_revision)], change_order)[0]
    if order.status is WorkOrderStatus.FIRM:
        supersede(act, order.record_type, order.id)
        act.session.flush()
        move(act, order, WorkOrderStatus.PLANNED, reason=f"Converted to {to_revision.number}")
        order.approved_hash = None
    for each in links_of_work(act.session, order):
        _unlink(act, each, f"{order.number} is converted to {to_revision.number} under {change_order.number}")
    _explode(act, order, to_revision, change_order, operations)
    return order


def _refuse_unfit(order: WorkOrder, parts: Sequence[Part]) -> None:
    """Refuse parts that tear apart what is begun. Raises: Invalid."""
    begun, going_on = begun_operation(order), [each for each in parts if each.is_started]
    if len(going_on) > 1 or (begun is not None and not going_on):
        what = f"{begun.number} is begun" if begun is not None else "nothing is begun on several"
        raise Invalid(
            f"Expected one part of {order.number} to go on with what is begun, but {len(going_on)} do; {what}",
            {"started": "Choose the part that goes on"},
        )
    if going_on and going_on[0].to_revision is not None:
        raise Invalid(
            f"Expected the part of {order.number} that is begun to finish as it was released, but it was to be converted",
            {"to_revision": "not for what is begun"},
        )
    if begun is not None and going_on[0].quantity < begun.good:
        raise Invalid(
            f"Expected at least the {begun.good.normalize():f} pieces that passed {begun.number} in the part that goes on, but it "
            f"takes {going_on[0].quantity.normalize():f}",
            {"quantities": f"at least {begun.good.normalize():f}"},
        )


def _divide(act: Act, order: WorkOrder, parts: Sequence[Part], change_order: ChangeAuthority | None) -> list[WorkOrder]:
    for part in parts:
        if part.to_revision is not None:
            if change_order is None:
                raise Conflict(
                    f"Expected a change order behind the conversion to {part.to_revision.number}, which is a change of class C4, but "
                    f"none is named. Raise one.",
                    code="UNCONTROLLED_CHANGE", record=(order.record_type, order.id),
                )  # fmt: skip
            refuse_unapproved(order, change_order)
    children = [_part_of(act, order, part, turn) for turn, part in enumerate(parts, start=1)]
    was_begun = order.status is WorkOrderStatus.IN_PROCESS
    # Judged first: what is at a supplier, or does not add up, is refused before a link moves.
    move(act, order, WorkOrderStatus.SPLIT, reason="Divided into " + ", ".join(child.number for child in children))
    act.session.flush()
    _share_links(act, order, parts, children)
    _end_outside_work(act, order, children)
    _hand_over(act, order, parts, children)
    for part, child in zip(parts, children, strict=True):
        if part.is_started:
            _go_on(act, order, child, was_begun=was_begun)
        if part.to_revision is not None and change_order is not None:
            _explode(act, child, part.to_revision, change_order)
    act.session.flush()
    return children


def _part_of(act: Act, order: WorkOrder, part: Part, turn: int) -> WorkOrder:
    left = [each for each in order.operations if each.status not in DONE]
    share = part.quantity / order.quantity
    child = create(
        act, order.type, quantity=part.quantity, uom=order.uom, part_revision=order.part_revision, resource=order.resource,
        nonconformance=order.nonconformance, deviation=order.deviation, system=order.system, parent=order,
        continues_parent=part.is_started, native_id=f"{order.native_id}-{turn}", number=f"{order.number}-{turn}",
        crew_supplier_id=order.crew_supplier_id,
        operations=[{name: getattr(each, name) for name in CARRIED} for each in left if not _is_begun_in(part, each)],
        standards=[
            {"kind": each.kind, "item": each.item, "uom": each.uom, "unit_cost": each.unit_cost,
             "quantity": (each.quantity * share).quantize(STEP)}
            for each in order.standards
        ],
        serial=order.serial, planned_start=order.planned_start, planned_finish=order.planned_finish, priority=order.priority,
        project=order.project, due_rule=order.due_rule, customer=order.customer, service_location=order.service_location,
        contract_ref=order.contract_ref, description=order.description, currency=order.currency,
    )  # fmt: skip
    for each in left:
        if _is_begun_in(part, each):
            child.operations.append(_begun(each, part.quantity))
    act.session.flush()
    act.session.refresh(child, ["operations"])
    return child


def _is_begun_in(part: Part, operation: WorkOrderOperation) -> bool:
    return part.is_started and operation.status is OperationStatus.STARTED


def _begun(operation: WorkOrderOperation, pieces: Decimal) -> WorkOrderOperation:
    """Return the begun operation as it goes on: with who began it and what it has passed on; scrap stays with the parent."""
    values = {name: getattr(operation, name) for name in (*CARRIED, "performer_id", "started_at")}
    return WorkOrderOperation(**values, status=OperationStatus.STARTED, quantity_in=pieces, good=operation.good)


def _go_on(act: Act, order: WorkOrder, child: WorkOrder, *, was_begun: bool) -> None:
    """Release a part as its parent was: the same definition, frozen for its own pieces; no gate is passed twice."""
    move(act, child, WorkOrderStatus.FIRM)
    content = snapshot_of(child)
    child.approved_hash = content_hash(content)
    child.snapshot, child.snapshot_hash = canonical_json(content).decode(), child.approved_hash
    act.session.flush()
    move(act, child, WorkOrderStatus.RELEASED, reason=f"Goes on as {order.number} was released")
    act.session.flush()
    if was_begun:
        move(act, child, WorkOrderStatus.IN_PROCESS)
    first = child.operations[0] if child.operations else None
    if first is not None and first.status is OperationStatus.WAITING:
        first.quantity_in = child.quantity
        move_operation(act, first, OperationStatus.READY)
    act.session.flush()


def _share_links(act: Act, order: WorkOrder, parts: Sequence[Part], children: Sequence[WorkOrder]) -> None:
    """Give each link's pieces to the parts, in their order; a part that is converted takes none, and the buyer is told."""
    for one in links_of_work(act.session, order):
        if one.standing not in BEFORE_SHIPPING:
            continue
        left, line = one.allocated_quantity, one.order_line
        _unlink(act, one, f"{order.number} is divided")
        for part, child in zip(parts, children, strict=True):
            step = next((each for each in child.operations if each.op_no == one.operation.op_no), None)
            pieces = min(left, part.quantity)
            if step is None or part.to_revision is not None or pieces <= 0:
                continue
            link(act, step, line, quantity=pieces, conversion_factor=one.conversion_factor, need_by=one.need_by)
            left -= pieces


def _unlink(act: Act, one: OutsideLink, reason: str) -> None:
    line = one.order_line
    unlink(act, one, reason=reason)
    act.session.flush()
    tell_role(
        act,
        "BUYER",
        f"{reason}: check {line.number}",
        key=f"{one.id}:unlinked",
        record=("purchase_order", line.order_id),
    )


def _end_outside_work(act: Act, order: WorkOrder, children: Sequence[WorkOrder]) -> None:
    """End the flows of operations that are over with the divided order; the parts have flows of their own when they are due.

    A part takes up the link that it got here. What was still being bought for the whole is called off, and the planner is told.
    """
    reason = f"{order.number} is divided into {', '.join(child.number for child in children)}"
    for operation in order.operations:
        running = running_for(act.session, operation.record_type, operation.id)
        if running is None:
            continue
        bought = [each for each in records_of(act.session, running.id) if each[0] == Requisition.record_type]
        cancel_flow(act, running.id, reason)
        for _, requisition_id in bought:
            call_off(act, act.session.get_one(Requisition, requisition_id), reason=reason)
        tell_role(
            act, "PLANNER", f"Outside processing of {operation.number} has ended: {reason}", key=f"{running.id}:divided",
            body="Each part goes out under its own number when it is due.", record=(order.record_type, order.id),
        )  # fmt: skip


def _hand_over(act: Act, order: WorkOrder, parts: Sequence[Part], children: Sequence[WorkOrder]) -> None:
    """Let pieces that hold material of the divided order reach their part as a lot in work, so that a trace passes through.

    That is every part when an operation is complete, else the one that goes on.
    """
    wanted = select(GenealogyEdge.id).where(
        GenealogyEdge.work_order_id == order.id, GenealogyEdge.kind == EdgeKind.CONSUMED, stands()
    )
    if order.part_revision is None or act.session.scalar(wanted.limit(1)) is None:
        return
    has_passed = any(each.status in DONE for each in order.operations) or not any(each.is_started for each in parts)
    for part, child in zip(parts, children, strict=True):
        if not (part.is_started or has_passed):
            continue
        lot = genealogy.make_lot(
            act, order.part_revision, part.quantity, number=free_number(act.session, order.part_revision.id, child.number),
            source=genealogy.Source(LotSource.WORK_ORDER, (order.record_type, order.id), f"In work, from {order.number}"),
            status=LotStatus.AVAILABLE, uom=order.uom, is_in_work=True,
        )  # fmt: skip
        genealogy.consume(
            act, lot, part.quantity, work_order_id=child.id, event=genealogy.Event(f"divided:{child.id}"), uom=order.uom
        )


def _explode(
    act: Act,
    order: WorkOrder,
    to: PartRevision,
    change_order: ChangeAuthority,
    operations: Sequence[WorkOrderOperation] = (),
) -> None:
    """Replace the operations of a planned order by the routing of a revision, keeping the rows of equal numbers."""
    before = order.part_revision.number if order.part_revision is not None else None
    routing = {each["op_no"]: each for each in steps_of(act.session, to)} or {
        each.op_no: {name: getattr(each, name) for name in OPERATION_FIELDS} for each in operations
    }
    if not routing:
        raise Invalid(f"Expected a routing of {to.number}, but there is none", {"to_revision": "has no routing"})
    known = {each.op_no: each for each in order.operations}
    for op_no, values in routing.items():
        if op_no in known:
            for name in OPERATION_FIELDS:
                if name in values:
                    setattr(known[op_no], name, values[name])
        else:
            order.operations.append(WorkOrderOperation(**values))
    for op_no in known.keys() - routing.keys():
        order.operations.remove(known[op_no])
    order.part_revision, order.part_revision_id, order.change_order_id = to, to.id, change_order.id
    act.note(
        order.record_type, order.id, "CONVERTED", field="part_revision", old=before, new=to.number,
        reason=f"Converted under {change_order.number}",
    )  # fmt: skip
    act.session.flush()
    act.session.refresh(order, ["operations"])
