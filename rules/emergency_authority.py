"""How far an emergency reaches (C20): what may be built under it, and what may not leave before it is approved."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.canonical import is_whole
from engine.errors import Effect, Finding, RuleViolation
from records.change_order import BoundKind, ChangeOrder, ChangeOrderStatus, EmergencyBound
from records.change_request import OrderClass
from records.work_order import WorkOrder

BOUNDS, SHIPMENT = "CE-BOUNDS", "CE-SHIPMENT"
UNDECIDED = (
    ChangeOrderStatus.EMERGENCY_ACTIVE, ChangeOrderStatus.IMPACT, ChangeOrderStatus.REVIEW, ChangeOrderStatus.RETURNED,
    ChangeOrderStatus.CONFLICT, ChangeOrderStatus.OVERDUE_HOLD, ChangeOrderStatus.REJECTED,
)  # fmt: skip
"""Statuses of an emergency that two people signed and that is not decided to its end: what is rejected is contained first (C22)."""


def emergencies_on(session: Session, order: WorkOrder) -> list[ChangeOrder]:
    """Return the emergencies that name a work order and are not decided yet, oldest first."""
    wanted = (
        select(ChangeOrder)
        .join(EmergencyBound, EmergencyBound.change_order_id == ChangeOrder.id)
        .where(
            ChangeOrder.change_class == OrderClass.CE, ChangeOrder.status.in_(UNDECIDED),
            EmergencyBound.kind == BoundKind.WORK_ORDER, EmergencyBound.first <= order.number, EmergencyBound.last >= order.number,
        )
    )  # fmt: skip
    return list(session.scalars(wanted.order_by(ChangeOrder.number).distinct()))


def is_within(change: ChangeOrder, serial: str) -> bool:
    """Whether an emergency reaches a serial number; one without serial bounds reaches every one of its work orders."""
    ranges = [bound for bound in change.bounds if bound.kind is BoundKind.SERIAL]
    return not ranges or any(_in_range(serial, bound) for bound in ranges)


def refuse_out_of_bounds(session: Session, order: WorkOrder, serials: Iterable[str]) -> None:
    """Refuse work on a serial that no emergency of its work order reaches. Raises: RuleViolation CE-BOUNDS."""
    for change in emergencies_on(session, order):
        beyond = [serial for serial in serials if not is_within(change, serial)]
        if beyond:
            reach = "; ".join(bound.number for bound in change.bounds)
            sentence = (
                f"Expected a serial number within {change.number} ({reach}), but {', '.join(beyond)} is outside of what its two "
                "signers allowed. Build it as released, or have another emergency signed."
            )
            raise RuleViolation([Finding(BOUNDS, Effect.BLOCK, sentence, owner=change.owner)])


def refuse_unapproved_shipment(session: Session, order: WorkOrder, serials: Iterable[str] = ()) -> None:
    """Refuse to let pieces leave that were built under an emergency nobody approved yet (C20). Raises: RuleViolation CE-SHIPMENT."""
    leaving = list(serials)
    for change in emergencies_on(session, order):
        if leaving and not any(is_within(change, serial) for serial in leaving):
            continue
        sentence = (
            f"Expected {change.number} to be approved before anything of {order.number} leaves, but it is {change.status}: "
            "its board decides first."
        )
        raise RuleViolation([Finding(SHIPMENT, Effect.BLOCK, sentence, owner=change.owner)])


def _in_range(serial: str, bound: EmergencyBound) -> bool:
    """Compare by number where both ends and the serial are digits, else as text of the same length."""
    if all(is_whole(one, digits=200) for one in (serial, bound.first, bound.last)):
        return int(bound.first) <= int(serial) <= int(bound.last)
    return len(serial) == len(bound.first) and bound.first <= serial <= bound.last
