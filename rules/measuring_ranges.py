"""Read measuring ranges out of texts, ``0 to 150 mm`` or ``-20..80 °C``, and say whether one lies within another (SUP-14).

A laboratory's scope and what is to be calibrated are written by people; only what can be read without doubt is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

UNITS: dict[str, tuple[str, Decimal]] = {
    "nm": ("length", Decimal("1e-9")), "µm": ("length", Decimal("1e-6")), "um": ("length", Decimal("1e-6")),
    "mm": ("length", Decimal("1e-3")), "cm": ("length", Decimal("1e-2")), "m": ("length", Decimal(1)),
    "in": ("length", Decimal("0.0254")), "ft": ("length", Decimal("0.3048")),
    "mg": ("mass", Decimal("1e-6")), "g": ("mass", Decimal("1e-3")), "kg": ("mass", Decimal(1)), "t": ("mass", Decimal(1000)),
    "N": ("force", Decimal(1)), "kN": ("force", Decimal(1000)), "Nm": ("torque", Decimal(1)), "N·m": ("torque", Decimal(1)),
    "Pa": ("pressure", Decimal(1)), "kPa": ("pressure", Decimal(1000)), "MPa": ("pressure", Decimal(1_000_000)),
    "mbar": ("pressure", Decimal(100)), "bar": ("pressure", Decimal(100_000)), "psi": ("pressure", Decimal("6894.757293")),
    "mV": ("voltage", Decimal("1e-3")), "V": ("voltage", Decimal(1)), "kV": ("voltage", Decimal(1000)),
    "mA": ("current", Decimal("1e-3")), "A": ("current", Decimal(1)), "Hz": ("frequency", Decimal(1)),
    "kHz": ("frequency", Decimal(1000)), "°C": ("temperature", Decimal(1)), "HRC": ("hardness HRC", Decimal(1)),
}  # fmt: skip
"""What a unit measures, and how many of the first unit one of it is. Not a tolerance or a limit: what the units mean."""

_NUMBER = r"[-−]?\d+(?:[.,]\d+)?"
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_RANGE = re.compile(
    rf"(?<![\w.,])({_NUMBER})\s*({_UNIT})?\s*(?:to|bis|–|—|-|\.\.\.?|…)\s*({_NUMBER})\s*({_UNIT})(?![\w·])"
)


@dataclass(frozen=True, slots=True)
class Range:
    """From one value to another of one thing that is measured. low, high: in its first unit; text: as it was written."""

    measured: str
    low: Decimal
    high: Decimal
    text: str

    def is_within(self, other: Range) -> bool:
        """Whether all of it lies in another range of the same thing."""
        return self.measured == other.measured and other.low <= self.low and self.high <= other.high


def ranges_in(text: str) -> list[Range]:
    """Return the ranges that a text names with both values and a unit, in their order."""
    found = []
    for match in _RANGE.finditer(text):
        first, first_unit, last, unit = match.groups()
        measured, factor = UNITS[unit]
        begins, begin_factor = UNITS[first_unit or unit]
        low, high = _value(first) * begin_factor, _value(last) * factor
        if begins == measured and low <= high:
            found.append(Range(measured, low, high, match.group(0)))
    return found


def outside_of(asked: Iterable[Range], scope: Iterable[Range]) -> list[Range]:
    """Return the asked ranges that no range of a scope covers; none where the scope names no range that can be read."""
    known = list(scope)
    return [each for each in asked if known and not any(each.is_within(other) for other in known)]


def _value(text: str) -> Decimal:
    return Decimal(text.replace("−", "-").replace(",", "."))
