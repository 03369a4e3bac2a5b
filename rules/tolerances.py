"""Tolerance profiles: where a percentage and an absolute figure stand side by side, the tighter of both counts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from records.money import EXACT, round_money
from records.purchase_order import PurchaseOrderLine
from records.units import UNITS
from rules.policy import table_called

MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Profile:
    """One tolerance profile. Percentages of 100; price_amount in the order's currency; quantities in the line's unit."""

    code: str
    price_percent: Decimal
    price_amount: Decimal
    over_percent: Decimal
    over_quantity: Decimal
    under_percent: Decimal
    under_quantity: Decimal
    early_days: int
    late_days: int
    judged_by: str

    def price_allowance(self, amount: Decimal, *, currency: str) -> Decimal:
        """Return by how much an amount may be over the ordered one, rounded to the minor unit."""
        return round_money(min(EXACT.multiply(amount, self.price_percent) / 100, self.price_amount), currency)

    def over_allowance(self, quantity: Decimal, uom: str) -> Decimal:
        """Return how much more than a quantity may come."""
        return tighter(self.over_percent, self.over_quantity, quantity, uom)

    def under_allowance(self, quantity: Decimal, uom: str) -> Decimal:
        """Return how much less than a quantity may come for the line to count as complete."""
        return tighter(self.under_percent, self.under_quantity, quantity, uom)


def profile_of(line: PurchaseOrderLine) -> Profile:
    """Return the profile that an order line names."""
    judgement = table_called("tolerance_profiles").judge(profile=line.tolerance_profile)
    found = judgement.row.outputs
    return Profile(
        code=line.tolerance_profile,
        price_percent=Decimal(found["price_percent"]),
        price_amount=Decimal(found["price_amount"]),
        over_percent=Decimal(found["over_percent"]),
        over_quantity=Decimal(found["over_quantity"]),
        under_percent=Decimal(found["under_percent"]),
        under_quantity=Decimal(found["under_quantity"]),
        early_days=int(found["early_days"]),
        late_days=int(found["late_days"]),
        judged_by=judgement.hash,
    )


def tighter(percent: Decimal, absolute: Decimal, quantity: Decimal, uom: str) -> Decimal:
    """Return the smaller of a percentage of a quantity and an absolute quantity; whole for pieces, never below 0."""
    allowed = max(min(EXACT.multiply(quantity, percent) / 100, absolute), Decimal(0))
    step = Decimal(1) if uom in UNITS and UNITS[uom].is_whole else MICRO
    return allowed.quantize(step, rounding=ROUND_FLOOR)
