"""What happens to a work order, event by event: taken in once, kept for ever, taken back only by another event.

Every event names its source and the source's own id; the second delivery is answered "already handled" and moves nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from engine.act import Act
from engine.errors import Conflict, Invalid
from processes.work_order_event import COUNTED, TIMES, Event, Posted, in_hours, refuse_shapeless
from processes.work_order_material import lot_called, take_back
from processes.work_order_planning import find, refuse_other_system
from processes.work_order_pricing import price
from processes.work_order_progress import EFFECTS, uncount, work_on
from records.actual import Actual, ActualKind
from records.resource import Resource, ResourceKind
from records.work_order import (
    LOCKSTEP,
    OPEN,
    WorkOrder,
    WorkOrderOperation,
    WorkOrderStatus,
)
from rules.emergency_authority import refuse_out_of_bounds

__all__ = ["Event", "Posted", "complete_operation", "post_event", "reverse", "start_operation"]


def post_event(act: Act, event: Event) -> Posted:
    """Take in one event, once.

    Raises: Invalid naming each field that does not fit; Conflict EVENT_DIFFERS when its id came before with another content, ON_HOLD or
    ILLEGAL_TRANSITION when the work order or the operation does not stand where the event needs it; RuleViolation SOR_VIOLATION
    for a system that has no say, and what the laws refuse.
    """
    refuse_shapeless(event)
    if (known := _known(act, event.system, event.event_id)) is not None:
        return _again(known, event)
    order = find(act.session, event.work_order, system=event.system)
    # One act at a time per order; who waited here sees what the other wrote.
    act.session.refresh(order, with_for_update=True)
    if (known := _known(act, event.system, event.event_id)) is not None:
        return _again(known, event)
    refuse_other_system(order, "execution", event.system)
    try:
        with act.attempt():
            return Posted(_record(act, order, event))
    except IntegrityError:
        known = _known(act, event.system, event.event_id)
        if known is None:
            raise
        return _again(known, event)


def reverse(act: Act, actual: Actual, *, reason: str, event_id: str | None = None, system: str = LOCKSTEP) -> Posted:
    """Take an event back by a row of the opposite sign. Raises: Invalid without a reason; Conflict when it was taken back already."""
    return post_event(
        act,
        Event(
            system=system, event_id=event_id or f"reverse:{actual.id}", kind=actual.kind.value, work_order=actual.work_order.number,
            reverses=f"{actual.source_system}:{actual.source_event_id}", reason=reason, event_time=act.now,
        ),
    )  # fmt: skip


def start_operation(
    act: Act,
    operation: WorkOrderOperation,
    *,
    performer: str = "",
    equipment: str | None = None,
    event_id: str | None = None,
    system: str = LOCKSTEP,
) -> Posted:
    """Start an operation. performer, equipment: codes of resources. Raises: as ``post_event``."""
    return post_event(
        act,
        Event(
            system=system, event_id=event_id or f"start:{act.id}:{operation.id}", kind="OPERATION_STARTED",
            work_order=operation.work_order.native_id, op_no=operation.op_no, performer=performer, resource=equipment,
            event_time=act.now,
        ),
    )  # fmt: skip


def complete_operation(
    act: Act,
    operation: WorkOrderOperation,
    *,
    good: Decimal = Decimal(0),
    scrap: Decimal = Decimal(0),
    rework: Decimal = Decimal(0),
    performer: str = "",
    event_id: str | None = None,
    system: str = LOCKSTEP,
) -> Posted:
    """Complete an operation that is started or back from its supplier; the next one is ready with the good pieces.

    good, scrap, rework: what is reported now, besides what was reported before; together they account for every piece.
    Raises: RuleViolation BALANCE_OPEN when pieces are left over; as ``post_event``.
    """
    return post_event(
        act,
        Event(
            system=system, event_id=event_id or f"complete:{act.id}:{operation.id}", kind="OPERATION_COMPLETED",
            work_order=operation.work_order.native_id, op_no=operation.op_no, good=good, scrap=scrap, rework=rework,
            performer=performer, event_time=act.now,
        ),
    )  # fmt: skip


def _known(act: Act, system: str, event_id: str) -> Actual | None:
    return act.session.scalar(select(Actual).where(Actual.source_system == system, Actual.source_event_id == event_id))


def _again(known: Actual, event: Event) -> Posted:
    """Answer a second delivery. Raises: Conflict when it is not the same event under one id."""
    said: dict[str, tuple[Any, Any]] = {"kind": (known.kind.value, event.kind)}
    if not event.reverses:
        hours = in_hours(event) if known.kind in TIMES else event.quantity
        pairs = {
            "quantity": (known.quantity, hours), "lot": (known.lot_no, event.lot), "good": (known.good, event.good),
            "scrap": (known.scrap, event.scrap), "value": (known.value, event.value), "item": (known.item, event.item),
        }  # fmt: skip
        said |= {name: pair for name, pair in pairs.items() if pair[1] is not None}
        said["operation"] = (known.operation.op_no if known.operation else None, event.op_no)
    differing = [f"{name} {was} and now {now}" for name, (was, now) in said.items() if was != now]
    if differing:
        raise Conflict(
            f"Expected event {event.event_id} of {event.system} as it came before, but {', '.join(differing)}. A "
            f"correction is an event of its own.",
            code="EVENT_DIFFERS", record=(known.work_order.record_type, known.work_order_id),
        )  # fmt: skip
    return Posted(known, is_duplicate=True)


def _record(act: Act, order: WorkOrder, event: Event) -> Actual:
    if event.reverses:
        return _reversal(act, order, event)
    kind = ActualKind(event.kind)
    _refuse_state(order, kind)
    refuse_out_of_bounds(act.session, order, [each.strip() for each in event.serials.split(",") if each.strip()])
    operation = _operation(order, event)
    person, resource = _person(act, event.performer), _resource(act, event.resource)
    actual = Actual(
        work_order=order, work_order_id=order.id, operation=operation, operation_id=operation.id if operation else None, kind=kind,
        source_system=event.system, source_event_id=event.event_id, event_time=event.event_time or act.now, received_at=act.now,
        performer=event.performer, performer_id=person.id if person else None, resource_id=resource.id if resource else None,
        item=event.item, lot_no=event.lot, contract_ref=event.contract_ref, name=event.name, value=event.value,
        text_value=event.text_value, unit=event.unit, lower=event.lower, upper=event.upper, serials=event.serials,
    )  # fmt: skip
    if kind in COUNTED:
        zero = Decimal(0)
        actual.good, actual.scrap, actual.rework = event.good or zero, event.scrap or zero, event.rework or zero
    if kind is ActualKind.MATERIAL and event.lot and event.item:
        lot = lot_called(act.session, event.item, event.lot)
        actual.lot_id = lot.id if lot is not None else None
    price(act, actual, event)
    act.session.add(actual)
    act.session.flush()
    EFFECTS.get(kind, work_on)(act, actual, person, resource)
    act.session.flush()
    return actual


def _refuse_state(order: WorkOrder, kind: ActualKind) -> None:
    late = kind not in COUNTED | {ActualKind.OPERATION_STARTED} and order.status is WorkOrderStatus.COMPLETE
    if order.status in OPEN or late:
        return
    if order.status is WorkOrderStatus.ON_HOLD:
        raise Conflict(
            f"Expected {order.number} to be free, but it is on hold: {order.hold_reason}. {order.hold_owner} lifts the hold.",
            code="ON_HOLD", record=(order.record_type, order.id),
        )  # fmt: skip
    raise Conflict(
        f"Expected {order.number} to be released and open, but it is {order.status}.", code="ILLEGAL_TRANSITION",
        record=(order.record_type, order.id),
    )  # fmt: skip


def _operation(order: WorkOrder, event: Event) -> WorkOrderOperation | None:
    if event.op_no is None:
        return None
    for operation in order.operations:
        if operation.op_no == event.op_no:
            return operation
    known = ", ".join(str(operation.op_no) for operation in order.operations) or "none"
    raise Invalid(
        f"Expected an operation of {order.number} ({known}), but found {event.op_no}",
        {"op_no": f"Expected one of {known}"},
    )


def _person(act: Act, performer: str) -> Resource | None:
    """Return the person that a reported performer is: by badge, or by the login name behind a badge; None when nobody is known."""
    if not performer:
        return None
    wanted = select(Resource).where(
        Resource.kind == ResourceKind.PERSON, (Resource.code == performer) | (Resource.user_id == performer)
    )
    return act.session.scalars(wanted.order_by(Resource.code)).first()


def _resource(act: Act, code: str | None) -> Resource | None:
    if not code:
        return None
    found = act.session.scalar(select(Resource).where(Resource.code == code))
    if found is None:
        raise Invalid(f"Expected a known machine or gauge, but found {code!r:.60}", {"resource": "is unknown"})
    return found


def _reversal(act: Act, order: WorkOrder, event: Event) -> Actual:
    assert event.reverses is not None
    known = _known(act, event.system, event.reverses) or _by_prefix(act, event.reverses)
    if known is None or known.work_order_id != order.id:
        raise Invalid(
            f"Expected an event of {order.number} to take back, but {event.reverses!r:.60} is none",
            {"reverses": "is unknown"},
        )
    if known.reverses_id is not None:
        raise Invalid(
            f"Expected an event to take back, but {known.number} is a correction itself",
            {"reverses": "is a correction"},
        )
    taken = act.session.scalar(select(Actual).where(Actual.reverses_id == known.id))
    if taken is not None:
        raise Conflict(f"Expected {known.number} to stand, but {taken.number} has taken it back", code="STALE_VERSION")
    if order.status in (WorkOrderStatus.CLOSED, WorkOrderStatus.CANCELLED, WorkOrderStatus.SPLIT):
        raise Conflict(f"Expected {order.number} to be open, but it is {order.status}.", code="ILLEGAL_TRANSITION")
    actual = Actual(
        work_order=order, work_order_id=order.id, operation=known.operation, operation_id=known.operation_id, kind=known.kind,
        source_system=event.system, source_event_id=event.event_id, event_time=event.event_time or act.now, received_at=act.now,
        performer=event.performer, reverses=known, reverses_id=known.id, reason=event.reason.strip(),
        **{name: getattr(known, name) for name in _KEPT}, **{name: _minus(getattr(known, name)) for name in _NEGATED},
    )  # fmt: skip
    act.session.add(actual)
    act.session.flush()
    if known.kind is ActualKind.MATERIAL:
        take_back(act, known, actual)
    elif known.kind in COUNTED:
        uncount(act, known)
    elif known.kind is ActualKind.OPERATION_STARTED:
        raise Conflict(
            f"Expected {known.number} to be corrected by completing the operation: a start cannot be taken back.",
            code="ILLEGAL_TRANSITION",
        )
    act.session.flush()
    return actual


_KEPT = ("resource_id", "uom", "item", "lot_no", "lot_id", "unit_cost", "currency", "order_line_id", "contract_ref", "name", "value",
         "text_value", "unit", "lower", "upper", "serials")  # fmt: skip
_NEGATED = ("quantity", "amount", "good", "scrap", "rework")


def _by_prefix(act: Act, text: str) -> Actual | None:
    """Find an event by ``system:id``, the form for an event of another source."""
    system, _, event_id = text.partition(":")
    return _known(act, system, event_id)


def _minus(value: Decimal | None) -> Decimal | None:
    return None if value is None else -value
