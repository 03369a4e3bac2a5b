"""What an actual costs when it comes in: hours at the centre's rate, material at receipt cost, outside work at the order's price."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select

from engine.act import Act
from engine.errors import Invalid
from processes.work_order_event import HOUR, TIMES, Event, in_hours
from processes.work_order_material import receipt_cost
from records.actual import Actual, ActualKind
from records.lot import Lot
from records.money import round_money
from records.part import Part
from records.purchase_order import PurchaseOrderLine
from records.units import check_quantity


def price(act: Act, actual: Actual, event: Event) -> None:
    """Write quantity, unit cost and amount. The rate is that of the event's day; what is booked keeps it."""
    kind, order = actual.kind, actual.work_order
    if kind in TIMES:
        centre = actual.operation.work_centre if actual.operation is not None else None
        if centre is None:
            raise Invalid(
                f"Expected time on an operation inside the plant, but {event.op_no} has no work centre",
                {"op_no": "has no work centre"},
            )
        actual.quantity, actual.uom, actual.item = in_hours(event), HOUR, centre.code
        labour, machine = centre.rates_on(order.site.local_day(actual.event_time))
        unit_cost: Decimal | None = labour if kind is ActualKind.LABOUR else machine
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
