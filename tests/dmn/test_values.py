"""Values cross the border to Python and back without loss, or are refused."""

import datetime as dt
import enum
import math
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dmn
from dmn import to_feel, to_python

decimals = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20)
plain = st.recursive(
    st.none() | st.booleans() | decimals | st.text() | st.dates() | st.timedeltas(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(plain)
def test_plain_values_go_there_and_back(value):
    assert to_python(to_feel(value)) == value


@given(plain)
def test_a_value_equals_itself(value):
    assert dmn.equal(to_feel(value), to_feel(value)) is True


@given(decimals)
def test_a_number_reads_back_what_it_prints(number):
    assert dmn.compile_expression(dmn.text_of(number)).evaluate({}) == number
    assert "E" not in dmn.text_of(number)


@given(st.text())
def test_a_text_reads_back_what_it_quotes(text):
    literal = dmn.text_of([text])[1:-1]
    assert dmn.compile_expression(literal).evaluate({}) == text


@given(st.lists(st.integers(-5, 5)), st.integers(-5, 5))
def test_filters_agree_with_python(numbers, limit):
    kept = dmn.compile_expression("numbers[item > limit]").evaluate({"numbers": numbers, "limit": limit})
    assert kept == [number for number in numbers if number > limit]


class Colour(enum.StrEnum):
    RED = "red"


def test_python_values_become_feel_values():
    assert to_feel((1, 2.5, {3})) == [Decimal(1), Decimal("2.5"), [Decimal(3)]]
    assert type(to_feel(Colour.RED)) is str
    assert to_feel(uuid.UUID(int=1)) == "00000000-0000-0000-0000-000000000001"
    assert to_feel(0.1) == Decimal("0.1")
    assert type(to_feel(dt.datetime.fromisoformat("2026-11-22"))) is dmn.DateTime
    assert to_feel(True) is True


@pytest.mark.parametrize(
    "value", [object(), b"bytes", math.nan, math.inf, Decimal("NaN"), {1: 2}, Decimal("1e7000"), [object()]]
)
def test_what_is_no_value_is_refused(value):
    with pytest.raises(ValueError, match="Expected"):
        to_feel(value)


def test_ranges_and_functions_do_not_reach_python():
    for text in ("[1..2]", "function(x) x", "[[1..2]]"):
        with pytest.raises(ValueError, match="Expected a value that Python knows"):
            to_python(dmn.compile_expression(text).evaluate({}))


def test_numbers_have_34_digits_and_round_half_even():
    assert to_feel(Decimal("1." + "0" * 33 + "5")) == Decimal("1.000000000000000000000000000000000")
    assert to_feel(10**40 + 1) == Decimal("1E+40")
