from __future__ import annotations

from decimal import Decimal

import pytest

from engine.errors import Invalid
from records.money import convert, line_amount, minor_unit, round_money
from records.units import check_quantity
from tests.makers import D


@pytest.mark.parametrize(
    ("quantity", "price", "currency", "amount"),
    [
        ("199", "50.0000", "USD", "9950.00"),
        ("3", "0.3350", "USD", "1.01"),
        ("1", "0.0050", "USD", "0.01"),
        ("1", "0.0049", "USD", "0.00"),
        ("7", "12.5000", "JPY", "88"),
        ("1", "1.2345", "KWD", "1.235"),
        ("999999999999.999999", "999999999999.9999", "USD", "999999999999999899000000.00"),
    ],
)
def test_a_line_is_rounded_half_up_to_the_minor_unit(quantity: str, price: str, currency: str, amount: str) -> None:
    assert str(line_amount(D(quantity), D(price), currency=currency)) == amount


def test_lines_are_rounded_before_they_are_summed() -> None:
    thirds = [line_amount(D(1), D("0.3350"), currency="USD") for _ in range(3)]
    assert sum(thirds) == D("1.02")
    assert round_money(D("0.3350") * 3, "USD") == D("1.01")


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(Invalid, match="ISO 4217"):
        minor_unit("XXX")


def test_a_conversion_rounds_to_the_target_currency() -> None:
    assert convert(D("100.00"), D("0.00912345"), currency="USD") == D("0.91")


@pytest.mark.parametrize(
    ("quantity", "uom"), [("0", "EA"), ("-1", "EA"), ("1.5", "EA"), ("1", "STONE"), ("NaN", "KGM")]
)
def test_a_quantity_that_cannot_be_bought_is_refused(quantity: str, uom: str) -> None:
    with pytest.raises(Invalid):
        check_quantity(Decimal(quantity), uom)


def test_weights_may_be_fractions() -> None:
    assert check_quantity(D("193.47"), "KGM") == D("193.47")
