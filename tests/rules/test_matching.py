"""The match as figures in, holds and the payable part out: levels, the tighter tolerance at its edges, what is never paid."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.invoice import HoldCode
from records.purchase_order import PurchaseOrderLine
from rules.matching import NEVER_WAIVED, Figures, judge_match
from rules.tolerances import profile_of, tighter

D = Decimal
STANDARD = profile_of(PurchaseOrderLine(tolerance_profile="STANDARD"))
EXACT = profile_of(PurchaseOrderLine(tolerance_profile="EXACT"))


def figures(**given: Any) -> Figures:
    """Return figures of 10 ordered, received and accepted at 10.00, all of it billed."""
    values: dict[str, Any] = {
        "level": 4, "uom": "EA", "currency": "USD", "order_currency": "USD", "quantity": D(10), "price": D("10.00"),
        "order_price": D("10.00"), "ordered": D(10), "received": D(10), "certified": D(10), "accepted": D(10),
        "invoiced_before": D(0),
    } | given  # fmt: skip
    return Figures(
        **{name: D(value) if isinstance(value, int) and name != "level" else value for name, value in values.items()}
    )


def codes(**given: Any) -> list[str]:
    return [hold.code.value for hold in judge_match(figures(**given), STANDARD).holds]


@pytest.mark.parametrize(
    ("level", "expected"),
    [(2, []), (3, ["QTY_REC"]), (4, ["QTY_REC"])],
)
def test_a_two_way_match_asks_for_no_receipt(level: int, expected: list[str]) -> None:
    assert codes(level=level, received=0, accepted=0) == expected


@pytest.mark.parametrize(("level", "expected"), [(2, []), (3, []), (4, ["QTY_ACC"])])
def test_only_a_four_way_match_asks_for_the_inspection(level: int, expected: list[str]) -> None:
    assert codes(level=level, accepted=0) == expected


@pytest.mark.parametrize("level", [2, 3, 4])
def test_a_missing_certificate_holds_at_every_level(level: int) -> None:
    verdict = judge_match(figures(level=level, certified=4, accepted=4, missing=("HT",)), STANDARD)
    assert ([hold.code for hold in verdict.holds], verdict.payable) == ([HoldCode.CERT], D(4))


@pytest.mark.parametrize(
    ("quantity", "price", "order_price", "held"),
    [
        # 2 percent of 1,000.00 is 20.00, below 50.00: the percentage is the tighter one.
        (100, "10.20", "10.00", False),
        (100, "10.2001", "10.00", True),
        # 2 percent of 10,000.00 is 200.00, above 50.00: the amount is the tighter one.
        (1000, "10.05", "10.00", False),
        (1000, "10.0501", "10.00", True),
        # Where both are the same, 2,500.00, neither lets a cent more pass.
        (250, "10.20", "10.00", False),
        (250, "10.2001", "10.00", True),
        (10, "9.00", "10.00", False),
        (10, "0.01", "0.00", True),
    ],
)
def test_the_tighter_of_percent_and_amount_decides_to_the_cent(
    quantity: int, price: str, order_price: str, held: bool
) -> None:
    found = codes(
        quantity=quantity, ordered=quantity, received=quantity, certified=quantity, accepted=quantity, price=D(price),
        order_price=D(order_price),
    )  # fmt: skip
    assert found == (["PRICE"] if held else [])


@pytest.mark.parametrize(("billed", "held"), [(100, False), (102, False), (103, True)])
def test_a_quantity_within_tolerance_is_not_held_but_only_what_was_accepted_is_paid(billed: int, held: bool) -> None:
    verdict = judge_match(figures(quantity=billed, ordered=100, received=100, certified=100, accepted=100), STANDARD)
    assert (bool(verdict.holds), verdict.payable) == (held, D(100))


@pytest.mark.parametrize(
    ("quantity", "allowed"), [(100, "2"), (249, "4"), (250, "5"), (1000, "5"), (49, "0"), (0, "0")]
)
def test_pieces_are_tolerated_whole(quantity: int, allowed: str) -> None:
    assert tighter(D(2), D(5), D(quantity), "EA") == D(allowed)


def test_an_exact_profile_tolerates_nothing() -> None:
    assert not judge_match(figures(price=D("10.00")), EXACT).holds
    assert judge_match(figures(price=D("10.01")), EXACT).holds
    assert judge_match(figures(quantity=11), EXACT).holds


def test_another_currency_holds_the_whole_line() -> None:
    verdict = judge_match(figures(currency="EUR"), STANDARD)
    assert ([hold.code for hold in verdict.holds], verdict.payable) == ([HoldCode.CURRENCY], D(0))


def test_partial_invoices_add_up() -> None:
    """D24: 100 ordered, 40 received and accepted, 60 billed: 40 payable."""
    verdict = judge_match(figures(level=3, quantity=60, ordered=100, received=40, certified=40, accepted=40), STANDARD)
    assert ([(hold.code.value, hold.found) for hold in verdict.holds], verdict.payable) == (
        [("QTY_REC", "60 EA billed")], D(40),
    )  # fmt: skip
    again = judge_match(
        figures(level=3, quantity=60, ordered=100, received=60, certified=60, accepted=60, invoiced_before=40), STANDARD
    )
    assert again.payable == D(20)


quantities = st.integers(min_value=0, max_value=500).map(Decimal)
prices = st.decimals(min_value=0, max_value=200, places=4, allow_nan=False)


@settings(max_examples=300)
@given(
    level=st.integers(2, 4), quantity=quantities.filter(bool), ordered=quantities, received=quantities, accepted=quantities,
    certified=quantities, before=quantities, price=prices, order_price=prices,
    missing=st.sampled_from([(), ("HT",), ("COC", "MTR")]), released=st.frozensets(st.sampled_from(list(HoldCode))),
)  # fmt: skip
def test_what_is_payable_never_exceeds_what_the_level_compares_with(
    level: int, quantity: Decimal, ordered: Decimal, received: Decimal, accepted: Decimal, certified: Decimal, before: Decimal,
    price: Decimal, order_price: Decimal, missing: tuple[str, ...], released: frozenset[HoldCode],
) -> None:  # fmt: skip
    """Whatever the tolerance and whatever was released: a 4-way match pays at most what was accepted."""
    given_ = figures(
        level=level, quantity=quantity, ordered=ordered, received=received, accepted=accepted, certified=certified,
        invoiced_before=before, price=price, order_price=order_price, missing=missing, released=released,
    )  # fmt: skip
    verdict = judge_match(given_, STANDARD)
    assert 0 <= verdict.payable <= quantity
    if level == 4:
        assert verdict.payable == 0 or before + verdict.payable <= accepted
    if level >= 3 and HoldCode.QTY_REC not in released:
        assert verdict.payable == 0 or before + verdict.payable <= received
    if HoldCode.QTY_ORD not in released:
        assert verdict.payable == 0 or before + verdict.payable <= ordered
    assert {hold.code for hold in verdict.holds} <= (set(HoldCode) - released) | NEVER_WAIVED
