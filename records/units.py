"""Units of measure: the UN/ECE Recommendation 20 codes this plant buys and makes in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.errors import Invalid


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure. is_whole: only whole quantities make sense."""

    code: str
    name: str
    symbol: str
    is_whole: bool = False


UNITS = {
    unit.code: unit
    for unit in (
        Unit("EA", "each", "ea", is_whole=True),
        Unit("PR", "pair", "pr", is_whole=True),
        Unit("SET", "set", "set", is_whole=True),
        Unit("KGM", "kilogram", "kg"),
        Unit("GRM", "gram", "g"),
        Unit("LBR", "pound", "lb"),
        Unit("MTR", "metre", "m"),
        Unit("MMT", "millimetre", "mm"),
        Unit("FOT", "foot", "ft"),
        Unit("INH", "inch", "in"),
        Unit("MTK", "square metre", "m²"),
        Unit("LTR", "litre", "l"),
        Unit("HUR", "hour", "h"),
        Unit("DAY", "day", "d"),
    )
}


def check_quantity(quantity: Decimal, uom: str, *, field: str = "quantity") -> Decimal:
    """Return the quantity. Raises Invalid when it is not above zero, the unit is unknown, or pieces are not whole."""
    unit = UNITS.get(uom)
    if unit is None:
        raise Invalid(f"Expected a unit of measure such as EA or KGM, but found {uom!r:.40}", {"uom": "unknown unit"})
    if not quantity.is_finite() or quantity <= 0:
        raise Invalid(f"Expected a quantity above 0, but found {quantity}", {field: "must be above 0"})
    if unit.is_whole and quantity != quantity.to_integral_value():
        raise Invalid(f"Expected whole pieces ({unit.code}), but found {quantity}", {field: "must be a whole number"})
    return quantity
