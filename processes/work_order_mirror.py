"""What the home system says of a work order that is only mirrored here: followed where the gate permits, told where it does not."""

from __future__ import annotations

from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict, Invalid, RuleViolation
from processes.notices import tell_role
from processes.work_order_closing import close
from processes.work_order_planning import refuse_other_system
from processes.work_order_release import firm, release
from records import work_order as records
from records.external import Discrepancy, DiscrepancyKind, Severity
from records.work_order import (
    UNRELEASED,
    WorkOrder,
    WorkOrderStatus,
    move,
)


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
