"""One event on a work order as its source sends it, and whether it fits; what becomes of it is in ``work_order_events``."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal

from engine.errors import Invalid
from records.actual import Actual, ActualKind
from records.units import UNITS

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


def refuse_shapeless(event: Event) -> None:
    """Refuse an event that cannot be one. Raises: Invalid naming each field that does not fit."""
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


def in_hours(event: Event) -> Decimal | None:
    """Return a time in hours, to six decimals; any other quantity as it was sent."""
    if event.quantity is None or event.uom != MINUTE:
        return event.quantity
    return (event.quantity / 60).quantize(STEP, rounding=ROUND_HALF_UP)


FIELDS = tuple(field.name for field in fields(Event))
