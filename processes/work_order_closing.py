"""The end of a work order: accepted as complete, its results kept, closed without a gap."""

from __future__ import annotations

from typing import Any

from engine.act import Act
from engine.errors import Conflict, Invalid, RuleViolation
from processes.calibration import open_impact
from processes.genealogy_gaps import gaps_of
from processes.work_order_release import is_enforced
from records import work_order as records
from records.part import Criticality
from records.service_record import ServiceRecord
from records.work_order import (
    CalibrationResult,
    WorkOrder,
    WorkOrderStatus,
    WorkOrderType,
    move,
)
from rules.law import block


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
    if gaps and order.status is WorkOrderStatus.COMPLETE and is_enforced(act):
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
