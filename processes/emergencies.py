"""What an emergency does to the plant (C20-C22): bounded, segregated, held when its hours are over, contained when it is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.errors import Invalid
from processes.nonconformances import raise_nonconformance
from processes.notices import tell_role
from records.change_order import BoundKind, ChangeOrder, EmergencyBound
from records.lot import Lot, LotStatus
from records.lot import move as move_lot
from records.nonconformance import Nonconformance
from records.work_order import WorkOrder, WorkOrderStatus, hold, lift_hold
from rules.emergency_authority import is_within

HOLDABLE = frozenset({WorkOrderStatus.RELEASED, WorkOrderStatus.IN_PROCESS})
MOST_BOUNDS = 100


def bound(act: Act, order: ChangeOrder, bounds: Iterable[Mapping[str, Any]]) -> list[EmergencyBound]:
    """Write how far an emergency reaches. bounds: kind, first, last, max_quantity. Raises: Invalid naming what does not fit."""
    given = list(bounds)
    if not 0 < len(given) <= MOST_BOUNDS:
        raise Invalid(
            f"Expected 1 to {MOST_BOUNDS} bounds of the emergency, but found {len(given)}",
            {"bounds": "say how far it reaches"},
        )
    for position, each in enumerate(given, start=len(order.bounds) + 1):
        kind, first = _kind(each.get("kind")), str(each.get("first") or "").strip()
        last = str(each.get("last") or "").strip() or first
        if not first or last < first:
            raise Invalid(
                f"Expected a bound from one to the same or a later one, but found {first or 'nothing'} to {last or 'nothing'}",
                {"bounds": "first to last"},
            )
        record_id = _work_order(act, first).id if kind is BoundKind.WORK_ORDER and first == last else ""
        act.session.add(
            EmergencyBound(
                change_order=order, change_order_id=order.id, position=position, kind=kind, record_id=record_id, first=first[:200],
                last=last[:200], max_quantity=_quantity(each.get("max_quantity")),
            )
        )  # fmt: skip
    act.session.flush()
    act.session.refresh(order, ["bounds"])
    return list(order.bounds)


def work_orders_of(act: Act, order: ChangeOrder) -> list[WorkOrder]:
    """Return the work orders that an emergency names."""
    found: dict[str, WorkOrder] = {}
    for each in order.bounds:
        if each.kind is BoundKind.WORK_ORDER:
            wanted = select(WorkOrder).where(WorkOrder.number >= each.first, WorkOrder.number <= each.last)
            found |= {one.id: one for one in act.session.scalars(wanted)}
    return sorted(found.values(), key=lambda one: one.number)


def serials_of(act: Act, order: ChangeOrder) -> list[Lot]:
    """Return the serials, made by its work orders, that an emergency reaches."""
    made = [one.id for one in work_orders_of(act, order)]
    if not made:
        return []
    wanted = select(Lot).where(Lot.source_id.in_(made), Lot.is_serial).order_by(Lot.number)
    return [lot for lot in act.session.scalars(wanted) if is_within(order, lot.number)]


def segregate(act: Act, order: ChangeOrder) -> None:
    """Say on every document that an emergency reaches that it does; shipping refuses what it names until it is approved."""
    reach = "; ".join(each.number for each in order.bounds)
    for one in work_orders_of(act, order):
        act.note(one.record_type, one.id, "EMERGENCY", field=order.number, new=reach)
    for role in ("SHIPPING", "QA_ENG", "PLANNER"):
        tell_role(
            act, role, f"{order.number} is active: segregate and mark {reach}", key=f"{order.id}:active:{role}",
            body="Nothing of it is shipped before it is approved.", record=(order.record_type, order.id),
        )  # fmt: skip


def hold_all(act: Act, order: ChangeOrder, *, reason: str) -> list[str]:
    """Hold every work order and serial that an emergency names; return what they are called (C21)."""
    held = []
    for one in work_orders_of(act, order):
        if one.status in HOLDABLE:
            hold(act, one, reason=reason, owner="role:QA_ENG")
            held.append(one.number)
    for lot in serials_of(act, order):
        if lot.status is LotStatus.AVAILABLE:
            with act.session.no_autoflush:
                move_lot(act, lot, LotStatus.HOLD, reason=reason)
                lot.hold_reason = reason
        held.append(lot.number)
    act.session.flush()
    return held


def free_all(act: Act, order: ChangeOrder, *, reason: str) -> None:
    """Let the work orders go on that were held because the hours were over; serials wait for quality's signature."""
    for one in work_orders_of(act, order):
        if one.status is WorkOrderStatus.ON_HOLD and order.number in (one.hold_reason or ""):
            lift_hold(act, one, reason=reason)
    if any(lot.status is LotStatus.HOLD for lot in serials_of(act, order)):
        tell_role(
            act, "QA_ENG", f"{order.number} is approved: release the serials it held", key=f"{order.id}:release", body=reason,
            record=(order.record_type, order.id),
        )  # fmt: skip
    act.session.flush()


def contain(act: Act, order: ChangeOrder, *, reason: str) -> list[Nonconformance]:
    """Raise a nonconformance on what was built under an emergency that nobody approves, and hold it (C22)."""
    hold_all(act, order, reason=reason)
    raised = []
    for one in work_orders_of(act, order):
        serials = [lot.number for lot in serials_of(act, order) if lot.source_id == one.id] or _ranges(order)
        quantity = next((each.max_quantity for each in order.bounds if each.max_quantity), None) or one.quantity
        raised.append(
            raise_nonconformance(
                act, one, min(quantity, one.quantity), title=f"Built under {order.number}, which was not approved",
                description=reason, uom=one.uom, part_revision=one.part_revision, serials=", ".join(serials)[:1000],
            )
        )  # fmt: skip
    return raised


def _ranges(order: ChangeOrder) -> list[str]:
    return [f"{each.first}-{each.last}" for each in order.bounds if each.kind is BoundKind.SERIAL]


def _kind(given: Any) -> BoundKind:
    try:
        return BoundKind(given)
    except ValueError as error:
        raise Invalid(
            f"Expected one of {', '.join(BoundKind)}, but found {given!r:.40}", {"bounds": "say what it bounds"}
        ) from error


def _work_order(act: Act, number: str) -> WorkOrder:
    found = act.session.scalars(select(WorkOrder).where(WorkOrder.number == number)).first()
    if found is None:
        raise Invalid(f"Expected a work order {number:.60}, but there is none", {"bounds": "names no work order"})
    return found


def _quantity(given: Any) -> Decimal | None:
    if given in (None, ""):
        return None
    try:
        quantity = Decimal(str(given))
    except InvalidOperation as error:
        raise Invalid(f"Expected a number of pieces, but found {given!r:.40}", {"bounds": "is no number"}) from error
    if quantity <= 0:
        raise Invalid(f"Expected at least one piece, but found {given}", {"bounds": "at least 1"})
    return quantity
