"""Who may do what to a work order from a page or the API, and why not, in one sentence each."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Forbidden
from records.approval import ApprovalSlot, slots_of
from records.resource import Resource, ResourceKind
from records.work_order import MAINTENANCE, OPEN, OperationStatus, WorkOrder, WorkOrderOperation, WorkOrderStatus
from webapp import formats, wording
from webapp.visit import Visitor

PLANNERS = ("PLANNER",)
MAINTAINERS = ("MAINT_PLANNER", "MAINT_MGR")
QUALITY = ("QA_ENG", "QA_SP", "ENG_AUTH")
SKIPPERS = ("QA_ENG", "QA_SP")
S = WorkOrderStatus
BEFORE = {
    "firm": {S.PLANNED}, "unfirm": {S.FIRM}, "release": {S.PLANNED, S.FIRM}, "hold": OPEN, "lift": {S.ON_HOLD},
    "cancel": {S.PLANNED, S.FIRM, S.RELEASED, S.IN_PROCESS, S.ON_HOLD}, "complete": {S.IN_PROCESS}, "close": {S.COMPLETE},
    "split": OPEN,
}  # fmt: skip
"""Each act on a work order with the states it begins in."""


def roles_for(verb: str, order: WorkOrder | None) -> tuple[str, ...]:
    """Return the roles that may do something."""
    planners = (*PLANNERS, *(MAINTAINERS if order is None or order.type in MAINTENANCE else ()))
    return (*planners, *QUALITY) if verb in ("hold", "lift", "complete", "close", "record") else planners


def need(visitor: Visitor, verb: str, order: WorkOrder | None) -> None:
    """Refuse a visitor who holds none of the roles. Raises: Forbidden."""
    roles = roles_for(verb, order)
    if not visitor.holds(*roles):
        names = " or ".join(wording.principal_words(f"role:{role}") for role in roles)
        raise Forbidden(f"Expected {names} to do this, but you hold none of these roles.")


def why_not(visitor: Visitor, order: WorkOrder) -> dict[str, str]:
    """Return, for each act, an empty text or why it cannot be done now."""
    state = formats.words(order.status).lower()
    found = {}
    for verb, statuses in BEFORE.items():
        roles = roles_for(verb, order)
        if order.status not in statuses:
            allowed = " or ".join(sorted(formats.words(status).lower() for status in statuses))
            found[verb] = f"Only while it is {allowed}; it is {state}."
        elif not visitor.holds(*roles):
            found[verb] = (
                "Needs the role " + " or ".join(wording.principal_words(f"role:{role}") for role in roles) + "."
            )
        else:
            found[verb] = ""
    return found | _whole(order, found)


def _whole(order: WorkOrder, found: dict[str, str]) -> dict[str, str]:
    waiting = [
        each.number
        for each in order.operations
        if each.status not in (OperationStatus.COMPLETE, OperationStatus.SKIPPED_BY_DEVIATION)
    ]
    if not found["complete"] and waiting:
        return {"complete": f"Only when every operation is complete; {waiting[0]} is not."}
    return {}


def badge_of(session: Session, user_id: str) -> Resource | None:
    """Return the badge of a person on the floor, or None."""
    wanted = select(Resource).where(Resource.kind == ResourceKind.PERSON, Resource.user_id == user_id)
    return session.scalars(wanted.order_by(Resource.code)).first()


def need_recorder(session: Session, visitor: Visitor, order: WorkOrder) -> None:
    """Refuse who neither works on the floor nor plans. Raises: Forbidden."""
    if badge_of(session, visitor.user_id) is None:
        need(visitor, "record", order)


def operation_acts(order: WorkOrder, operation: WorkOrderOperation) -> str:
    """Return what may be reported on an operation now: ``start``, ``complete`` or nothing; outside work ends by its link."""
    if order.status not in OPEN:
        return ""
    if operation.status is OperationStatus.READY and operation.kind == "INTERNAL":
        return "start"
    return "complete" if operation.status is OperationStatus.STARTED else ""


def skipper(visitor: Visitor) -> str:
    """Return the role of quality under which the visitor may leave an operation out. Raises: Forbidden."""
    for role in SKIPPERS:
        if visitor.holds(role):
            return role
    raise Forbidden("Expected quality to leave an operation out under a deviation, but you hold none of its roles.")


def may_skip(visitor: Visitor, order: WorkOrder, operation: WorkOrderOperation) -> bool:
    """Whether the visitor may leave an operation out now."""
    return order.status in OPEN and operation.status is OperationStatus.READY and visitor.holds(*SKIPPERS)


def open_slots(session: Session, visitor: Visitor, order: WorkOrder) -> list[ApprovalSlot]:
    """Return the seats of a firm work order that the visitor may fill."""
    if order.status is not WorkOrderStatus.FIRM or order.approved_hash is None:
        return []
    slots = slots_of(session, order.record_type, order.id, order.approved_hash)
    return [slot for slot in slots if not slot.is_signed and visitor.holds(slot.role)]
