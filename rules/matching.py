"""The 2-, 3- and 4-way match as a pure function: figures in, holds and the payable part out (domain.md 2.15, A38).

2-way compares with what was ordered, 3-way also with what was received, 4-way also with what was accepted. A certificate that
the order asks for holds whatever the level. Each hold names the first figure that does not cover the bill: what a lower figure
holds anyway is not said twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from records.invoice import HoldCode
from records.money import line_amount
from rules.tolerances import Profile

NONE = Decimal(0)
NEVER_WAIVED = frozenset({HoldCode.QTY_ACC})
"""A four-way line pays at most what was accepted, whoever releases."""

WHOLE = frozenset({HoldCode.PRICE, HoldCode.CURRENCY, HoldCode.DUP})
"""Holds that no part of the line escapes."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the match of one invoice line looks at.

    quantity, ordered, received, certified, accepted, invoiced_before: in the order line's unit. certified: what was received with
    every certificate. missing: types of certificates that are not there. released: holds that somebody released.
    """

    level: int
    uom: str
    currency: str
    order_currency: str
    quantity: Decimal
    price: Decimal
    order_price: Decimal
    ordered: Decimal
    received: Decimal
    certified: Decimal
    accepted: Decimal
    invoiced_before: Decimal
    missing: tuple[str, ...] = ()
    released: frozenset[HoldCode] = frozenset()


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason not to pay, with both values as people read them."""

    code: HoldCode
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the match says. payable: the part that may be paid now, in the order line's unit, tolerance aside."""

    holds: tuple[Hold, ...]
    payable: Decimal
    price_excess: Decimal
    price_allowance: Decimal

    @property
    def is_matched(self) -> bool:
        """Whether nothing holds the line."""
        return not self.holds


def judge_match(figures: Figures, profile: Profile) -> Verdict:
    """Compare one invoice line with its order line.

    The payable part never exceeds the smallest quantity that the level compares with, whatever tolerance or release; a release
    takes its own figure out of the comparison, but the accepted quantity of a 4-way match stays.
    """
    ordered_amount = line_amount(figures.quantity, figures.order_price, currency=figures.order_currency)
    excess = line_amount(figures.quantity, figures.price, currency=figures.order_currency) - ordered_amount
    allowance = profile.price_allowance(ordered_amount, currency=figures.order_currency)
    holds = [*_money_holds(figures, excess, allowance), *_quantity_holds(figures, profile)]
    standing = tuple(hold for hold in holds if hold.code not in figures.released or hold.code in NEVER_WAIVED)
    limits = [limit for code, limit in _limits(figures) if code not in figures.released or code in NEVER_WAIVED]
    left = min([figures.quantity, *(limit - figures.invoiced_before for limit in limits)])
    blocked = any(hold.code in WHOLE for hold in standing)
    return Verdict(standing, NONE if blocked else max(left, NONE), max(excess, NONE), allowance)


def _limits(figures: Figures) -> Iterator[tuple[HoldCode, Decimal]]:
    yield HoldCode.QTY_ORD, figures.ordered
    if figures.level >= 3:
        yield HoldCode.QTY_REC, figures.received
    if figures.missing:
        yield HoldCode.CERT, figures.certified
    if figures.level >= 4:
        yield HoldCode.QTY_ACC, figures.accepted


WORDS = {
    HoldCode.QTY_ORD: "ordered",
    HoldCode.QTY_REC: "received",
    HoldCode.CERT: "received with every certificate",
    HoldCode.QTY_ACC: "accepted",
}


def _quantity_holds(figures: Figures, profile: Profile) -> Iterator[Hold]:
    billed = figures.invoiced_before + figures.quantity
    lowest: Decimal | None = None
    for code, limit in _limits(figures):
        if lowest is not None and limit >= lowest:
            continue
        lowest = limit
        tolerance = NONE if code is HoldCode.CERT else profile.over_allowance(limit, figures.uom)
        if billed <= limit + tolerance:
            continue
        missing = f" ({', '.join(figures.missing)} missing)" if code is HoldCode.CERT else ""
        yield Hold(
            code,
            f"at most {_plain(limit)} {figures.uom} {WORDS[code]}{missing}",
            f"{_plain(billed)} {figures.uom} billed" + (
                f", {_plain(figures.invoiced_before)} of them before" if figures.invoiced_before else ""
            ),
        )  # fmt: skip


def _money_holds(figures: Figures, excess: Decimal, allowance: Decimal) -> Iterator[Hold]:
    if figures.currency != figures.order_currency:
        yield Hold(HoldCode.CURRENCY, figures.order_currency, figures.currency)
    elif excess > allowance:
        yield Hold(
            HoldCode.PRICE,
            f"{figures.order_price:.4f} each, at most {allowance} {figures.order_currency} over in all",
            f"{figures.price:.4f} each, {excess} {figures.order_currency} over in all",
        )


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
