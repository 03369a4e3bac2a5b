"""Divide a work order: each piece goes with the part that it belongs to, and the order it came from is history."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from engine.act import Act
from engine.errors import Conflict, Invalid
from processes.work_order_planning import create, need_planner
from processes.work_order_release import FROZEN
from records import work_order as records
from records.work_order import (
    OperationStatus,
    WorkOrder,
    WorkOrderStatus,
    move,
)


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
