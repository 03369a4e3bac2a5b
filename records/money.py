"""Money: rounded per line to the currency's minor unit, half up, and only then summed (domain.md 2, conventions)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal

from engine.errors import Invalid

MINOR_UNITS = {
    **dict.fromkeys(
        [
            "AUD",
            "BRL",
            "CAD",
            "CHF",
            "CNY",
            "CZK",
            "DKK",
            "EUR",
            "GBP",
            "HKD",
            "HUF",
            "ILS",
            "INR",
            "MXN",
            "NOK",
            "NZD",
            "PLN",
            "RON",
            "SEK",
            "SGD",
            "THB",
            "TRY",
            "TWD",
            "USD",
            "ZAR",
        ],
        2,
    ),
    **dict.fromkeys(["CLP", "ISK", "JPY", "KRW", "VND"], 0),
    **dict.fromkeys(["BHD", "JOD", "KWD", "OMR", "TND"], 3),
}
"""Decimals of each currency this product knows (ISO 4217)."""

EXACT = Context(prec=60)
"""A price of 4 decimals times a quantity of 6 needs at most 34 digits."""


def minor_unit(currency: str) -> Decimal:
    """Return the smallest amount of a currency, such as 0.01. Raises Invalid for an unknown currency."""
    if currency not in MINOR_UNITS:
        raise Invalid(f"Expected an ISO 4217 currency, but found {currency!r:.40}", {"currency": "unknown currency"})
    return Decimal(1).scaleb(-MINOR_UNITS[currency])


def round_money(amount: Decimal, currency: str) -> Decimal:
    """Return the amount rounded half up to the currency's minor unit."""
    return amount.quantize(minor_unit(currency), rounding=ROUND_HALF_UP, context=EXACT)


def line_amount(quantity: Decimal, unit_price: Decimal, *, currency: str) -> Decimal:
    """Return quantity × price of one line, rounded to the minor unit."""
    return round_money(EXACT.multiply(quantity, unit_price), currency)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the sum of amounts that are already rounded."""
    return sum(amounts, Decimal(0))


def convert(amount: Decimal, rate: Decimal, *, currency: str) -> Decimal:
    """Return an amount in another currency, rounded to its minor unit.

    rate: units of ``currency`` per 1 of the amount's.
    """
    return round_money(EXACT.multiply(amount, rate), currency)
