"""What happens to a work order, event by event: taken in once, kept for ever, taken back only by another event.

Every event names its source and the source's own id; the second delivery is answered "already handled" and moves nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from engine.act import Act
from engine.errors import Conflict, Invalid
from engine.ports import SignatureRequest
from processes.work_order_material import issue, lot_called, receipt_cost, take_back
from processes.work_order_planning import find, refuse_other_system
from records.actual import Actual, ActualKind
from records.lot import Lot
from records.money import round_money
from records.nonconformance import DeviationAuthority
from records.part import Part
from records.purchase_order import PurchaseOrderLine
from records.resource import Resource, ResourceKind
from records.routing import OperationKind
from records.signing import PasswordSigner
from records.units import UNITS, check_quantity
from records.work_order import (
    LOCKSTEP,
    OPEN,
    OperationStatus,
    WorkOrder,
    WorkOrderOperation,
    WorkOrderStatus,
    move,
    move_operation,
)
from rules.work_orders import passed

MINUTE, HOUR = "MIN", "HUR"
STEP = Decimal("0.000001")
ON_AN_OPERATION = frozenset(ActualKind) - {ActualKind.MATERIAL, ActualKind.OUTSIDE}
TIMES = frozenset({ActualKind.LABOUR, ActualKind.MACHINE})
COUNTED = frozenset({ActualKind.QUANTITY, ActualKind.OPERATION_COMPLETED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as a source sends it.

    work_order: number or native id. quantity: hours (or minutes with ``uom`` MIN) for LABOUR and MACHINE, pieces in ``uom`` else.
    item: part number; lot: of material. unit_cost: per ``uom`` in the site's currency, for material that was not
    received on an order and for outside work. reverses: the source's id of the event that this one takes back, with the
    reason. event_time: aware.
    """

    system: str
    event_id: str
    kind: str
    work_order: str
    event_time: dt.datetime | None = None
    op_no: int | None = None
    performer: str = ""
    resource: str | None = None
    quantity: Decimal | None = None
    uom: str | None = None
    item: str | None = None
    lot: str | None = None
    unit_cost: Decimal | None = None
    order_line_id: str | None = None
    contract_ref: str | None = None
    name: str | None = None
    value: Decimal | None = None
    text_value: str | None = None
    unit: str | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    good: Decimal | None = None
    scrap: Decimal | None = None
    rework: Decimal | None = None
    serials: str = ""
    reverses: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer to an event. is_duplicate: it was handled before, and nothing moved."""

    actual: Actual
    is_duplicate: bool = False

    @property
    def answer(self) -> str:
        """The answer in words."""
        return "already handled" if self.is_duplicate else "recorded"


def post_event(act: Act, event: Event) -> Posted:
    """Take in one event, once.

    Raises: Invalid naming each field that does not fit; Conflict EVENT_DIFFERS when its id came before with another content, ON_HOLD or
    ILLEGAL_TRANSITION when the work order or the operation does not stand where the event needs it; RuleViolation SOR_VIOLATION
    for a system that has no say, and what the laws refuse.
    """
    _refuse_shapeless(event)
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


def skip_operation(
    act: Act,
    operation: WorkOrderOperation,
    deviation: DeviationAuthority,
    request: SignatureRequest,
    *,
    role: str = "QA_ENG",
) -> WorkOrderOperation:
    """Leave an operation out under a deviation authority that quality signs for; its pieces go on.

    Raises: Conflict ILLEGAL_TRANSITION unless it is ready; Invalid when the authority does not permit it; as PasswordSigner.
    """
    order = operation.work_order
    today = order.site.local_day(act.now)
    pieces = operation.quantity_in or Decimal(0)
    if not deviation.permits_on(today) or deviation.quantity < pieces:
        raise Invalid(
            f"Expected {deviation.number} to permit {pieces:f} pieces on {today}, but it is {deviation.status} for "
            f"{deviation.quantity:f} until {deviation.expires_on}",
            {"deviation": "does not permit it"},
        )
    signer = act.installation.signer
    assert isinstance(signer, PasswordSigner)
    signature = signer.sign_record(
        act, order, request, content_hash=order.snapshot_hash or "0" * 64, principal=f"role:{role}",
        reason=f"{operation.number} is left out under {deviation.number}",
    )  # fmt: skip
    operation.deviation_id, operation.waiver_signature_id = deviation.id, signature.id
    move_operation(act, operation, OperationStatus.SKIPPED_BY_DEVIATION, reason=deviation.number)
    _begin(act, order)
    _open_next(act, operation)
    act.session.flush()
    return operation


def _refuse_shapeless(event: Event) -> None:
    wrong: dict[str, str] = {}
    for name in ("system", "event_id", "work_order"):
        if not str(getattr(event, name) or "").strip():
            wrong[name] = "Expected a value, but it is missing"
    if event.kind not in set(ActualKind):
        wrong["kind"] = f"Expected one of {', '.join(kind.value for kind in ActualKind)}, but found {event.kind!r:.40}"
    if event.event_time is not None and event.event_time.tzinfo is None:
        wrong["event_time"] = "Expected an instant with a time zone, but it has none"
    if event.reverses:
        if not event.reason.strip():
            wrong["reason"] = "Expected the reason of the correction, but there is none"
    elif "kind" not in wrong:
        wrong |= _wrong_values(event, ActualKind(event.kind))
    if wrong:
        raise Invalid(
            f"Expected an event that fits, but {', '.join(wrong)} of {event.event_id!r:.60} cannot be used", wrong
        )


def _wrong_values(event: Event, kind: ActualKind) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if kind in ON_AN_OPERATION and event.op_no is None:
        wrong["op_no"] = "Expected the operation, but it is missing"
    if kind in TIMES | {ActualKind.MATERIAL, ActualKind.OUTSIDE}:
        wrong |= _wrong_quantity(event, kind)
    if kind is ActualKind.PROCESS:
        if not event.name:
            wrong["name"] = "Expected what was measured, but it is missing"
        if event.value is None and not event.text_value:
            wrong["value"] = "Expected what was read, but it is missing"
        if event.lower is not None and event.upper is not None and event.lower > event.upper:
            wrong["lower"] = f"Expected limits in order, but {event.lower} is above {event.upper}"
    if kind is ActualKind.MATERIAL and not event.item:
        wrong["item"] = "Expected the part number of the material, but it is missing"
    if kind in COUNTED:
        counts = {
            name: getattr(event, name) for name in ("good", "scrap", "rework") if getattr(event, name) is not None
        }
        wrong |= {name: f"Expected 0 or more, but found {count}" for name, count in counts.items() if count < 0}
        if kind is ActualKind.QUANTITY and not wrong and not any(counts.values()):
            wrong["good"] = "Expected a number of pieces above 0, but found none"
    if event.unit_cost is not None and event.unit_cost < 0:
        wrong["unit_cost"] = f"Expected 0 or more, but found {event.unit_cost}"
    return wrong


def _wrong_quantity(event: Event, kind: ActualKind) -> dict[str, str]:
    if event.quantity is None:
        return {"quantity": "Expected a quantity, but it is missing"}
    if event.quantity.is_nan() or event.quantity <= 0:
        return {"quantity": f"Expected a quantity above 0, but found {event.quantity}; corrections reverse the event"}
    if kind in TIMES and (event.uom or HOUR) not in (HOUR, MINUTE):
        return {"uom": f"Expected hours (HUR) or minutes (MIN), but found {event.uom!r:.20} and no conversion"}
    if kind not in TIMES and event.uom is not None and event.uom not in UNITS:
        return {"uom": f"Expected a unit of measure such as EA or KGM, but found {event.uom!r:.20}"}
    return {}


def _known(act: Act, system: str, event_id: str) -> Actual | None:
    return act.session.scalar(select(Actual).where(Actual.source_system == system, Actual.source_event_id == event_id))


def _again(known: Actual, event: Event) -> Posted:
    """Answer a second delivery. Raises: Conflict when it is not the same event under one id."""
    said: dict[str, tuple[Any, Any]] = {"kind": (known.kind.value, event.kind)}
    if not event.reverses:
        hours = _in_hours(event) if known.kind in TIMES else event.quantity
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
    _price(act, actual, event)
    act.session.add(actual)
    act.session.flush()
    _EFFECTS.get(kind, _work_on)(act, actual, person, resource)
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


def _in_hours(event: Event) -> Decimal | None:
    if event.quantity is None or event.uom != MINUTE:
        return event.quantity
    return (event.quantity / 60).quantize(STEP, rounding=ROUND_HALF_UP)


def _price(act: Act, actual: Actual, event: Event) -> None:
    """Write quantity, unit cost and amount. The rate is the one of this moment: a later one changes no history."""
    kind, order = actual.kind, actual.work_order
    if kind in TIMES:
        centre = actual.operation.work_centre if actual.operation is not None else None
        if centre is None:
            raise Invalid(
                f"Expected time on an operation inside the plant, but {event.op_no} has no work centre",
                {"op_no": "has no work centre"},
            )
        actual.quantity, actual.uom, actual.item = _in_hours(event), HOUR, centre.code
        unit_cost: Decimal | None = centre.labour_rate if kind is ActualKind.LABOUR else centre.machine_rate
    elif kind is ActualKind.MATERIAL:
        actual.quantity, actual.uom = _material(act, event)
        lot = act.session.get(Lot, actual.lot_id) if actual.lot_id else None
        received = receipt_cost(act.session, lot) if lot is not None else None
        unit_cost = received if received is not None else event.unit_cost
    elif kind is ActualKind.OUTSIDE:
        actual.quantity, actual.uom = event.quantity, event.uom or order.uom
        line = act.session.get(PurchaseOrderLine, event.order_line_id) if event.order_line_id else None
        actual.order_line_id = line.id if line is not None else None
        actual.item = actual.operation.process_code if actual.operation is not None else event.item
        unit_cost = event.unit_cost if event.unit_cost is not None else line.company_price if line is not None else None
    else:
        return
    if unit_cost is not None:
        assert actual.quantity is not None
        actual.unit_cost, actual.currency = unit_cost, order.site.currency
        actual.amount = round_money(actual.quantity * unit_cost, order.site.currency)


def _material(act: Act, event: Event) -> tuple[Decimal, str]:
    assert event.quantity is not None
    part = act.session.scalar(select(Part).where(Part.part_no == event.item))
    if part is None:
        raise Invalid(f"Expected a known part number, but found {event.item!r:.60}", {"item": "is unknown"})
    uom = event.uom or part.base_uom
    if uom != part.base_uom:
        raise Invalid(
            f"Expected {part.part_no} in {part.base_uom}, but found {uom} and no conversion", {"uom": "no conversion"}
        )
    check_quantity(event.quantity, uom)
    return event.quantity, uom


def _begin(act: Act, order: WorkOrder) -> None:
    if order.status is WorkOrderStatus.RELEASED:
        move(act, order, WorkOrderStatus.IN_PROCESS)


def _work_on(act: Act, actual: Actual, person: Resource | None, resource: Resource | None) -> None:
    """Whatever is recorded begins the order; time and process data are refused on an operation that waits its turn."""
    operation = actual.operation
    if actual.kind in ON_AN_OPERATION and operation is not None and operation.status is OperationStatus.WAITING:
        raise Conflict(
            f"Expected {operation.number} to have its turn, but it waits for the operation before it.", code="ILLEGAL_TRANSITION",
            record=(actual.work_order.record_type, actual.work_order_id),
        )  # fmt: skip
    _begin(act, actual.work_order)
    if actual.kind in TIMES and operation is not None and operation.status is OperationStatus.READY:
        _start(act, operation, person, resource)


def _started(act: Act, actual: Actual, person: Resource | None, resource: Resource | None) -> None:
    assert actual.operation is not None
    _begin(act, actual.work_order)
    _start(act, actual.operation, person, resource)


def _start(act: Act, operation: WorkOrderOperation, person: Resource | None, resource: Resource | None) -> None:
    if operation.kind is OperationKind.OUTSIDE:
        raise Conflict(
            f"Expected {operation.number} to be performed outside, but it was to be started here. Shipping sends it out.",
            code="ILLEGAL_TRANSITION", record=(operation.work_order.record_type, operation.work_order_id),
        )  # fmt: skip
    # The signals of a law: who and with what, before the status says it began.
    with act.session.no_autoflush:
        if person is not None:
            operation.performer, operation.performer_id = person, person.id
        if resource is not None:
            operation.equipment, operation.equipment_id = resource, resource.id
    move_operation(act, operation, OperationStatus.STARTED)
    act.session.flush()


def _counted(act: Act, actual: Actual, person: Resource | None, resource: Resource | None) -> None:
    operation = actual.operation
    assert operation is not None
    _begin(act, actual.work_order)
    if operation.status is OperationStatus.READY:
        _start(act, operation, person, resource)
    if operation.status not in (OperationStatus.STARTED, OperationStatus.RETURNED_PENDING):
        raise Conflict(
            f"Expected {operation.number} to be started or back from its supplier, but it is {operation.status}.",
            code="ILLEGAL_TRANSITION", record=(actual.work_order.record_type, actual.work_order_id),
        )  # fmt: skip
    reported = (actual.good or 0) + (actual.scrap or 0) + (actual.rework or 0)
    if reported > operation.open_quantity:
        raise Invalid(
            f"Expected at most {operation.open_quantity:f} more pieces on {operation.number}, but {reported:f} were reported",
            {"good": f"Expected at most {operation.open_quantity:f} together with scrap and rework"},
        )
    operation.good += actual.good or Decimal(0)
    operation.scrap += actual.scrap or Decimal(0)
    operation.rework += actual.rework or Decimal(0)
    act.session.flush()


def _completed(act: Act, actual: Actual, person: Resource | None, resource: Resource | None) -> None:
    operation = actual.operation
    assert operation is not None
    _counted(act, actual, person, resource)
    move_operation(act, operation, OperationStatus.COMPLETE)
    act.session.flush()
    _open_next(act, operation)


def _following(operation: WorkOrderOperation) -> WorkOrderOperation | None:
    later = [each for each in operation.work_order.operations if each.op_no > operation.op_no]
    return min(later, key=lambda each: each.op_no, default=None)


def _open_next(act: Act, operation: WorkOrderOperation) -> None:
    following = _following(operation)
    if following is not None and following.status is OperationStatus.WAITING and passed(operation) > 0:
        following.quantity_in = passed(operation)
        move_operation(act, following, OperationStatus.READY)


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
        _uncount(act, known)
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


def _uncount(act: Act, known: Actual) -> None:
    """Take counted pieces back; the operation after must not have begun on them."""
    operation = known.operation
    assert operation is not None
    if known.work_order.status is WorkOrderStatus.COMPLETE:
        raise Conflict(
            f"Expected {known.work_order.number} to be in process, but it is accepted as complete. Raise a nonconformance instead.",
            code="ILLEGAL_TRANSITION",
        )
    following = _following(operation)
    was_complete = operation.status is OperationStatus.COMPLETE
    if (
        was_complete
        and following is not None
        and following.status not in (OperationStatus.WAITING, OperationStatus.READY)
    ):
        raise Conflict(
            f"Expected {following.number} not to have begun, but it is {following.status}; take its events back first.",
            code="ILLEGAL_TRANSITION",
        )
    if was_complete and known.kind is ActualKind.QUANTITY:
        raise Conflict(
            f"Expected the completion of {operation.number} to be taken back first, but it stands.",
            code="ILLEGAL_TRANSITION",
        )
    if following is not None and following.status is OperationStatus.READY and was_complete:
        move_operation(act, following, OperationStatus.WAITING, reason=f"{operation.number} was opened again")
        following.quantity_in = None
        act.session.flush()
    operation.good -= known.good or Decimal(0)
    operation.scrap -= known.scrap or Decimal(0)
    operation.rework -= known.rework or Decimal(0)
    if was_complete:
        move_operation(act, operation, OperationStatus.READY, reason="Its completion was taken back")


def _issued(act: Act, actual: Actual, person: Resource | None, resource: Resource | None) -> None:
    issue(act, actual)
    _work_on(act, actual, person, resource)


Effect = Callable[[Act, Actual, Resource | None, Resource | None], None]
_EFFECTS: Mapping[ActualKind, Effect] = {
    ActualKind.MATERIAL: _issued,
    ActualKind.OPERATION_STARTED: _started,
    ActualKind.QUANTITY: _counted,
    ActualKind.OPERATION_COMPLETED: _completed,
}
"""What an event does besides being kept; the rest only begins the order."""

FIELDS = tuple(field.name for field in fields(Event))
