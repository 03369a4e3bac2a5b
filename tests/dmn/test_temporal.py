"""Dates, times and durations: texts, arithmetic, and the way to Python and back."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dmn
from dmn import Date, DateTime, DaysTimeDuration, Time, YearsMonthsDuration, to_feel, to_python
from dmn.temporal import MAX_YEAR, compare_points, date_of, parse_duration, parse_temporal

numbers = st.integers(-(MAX_YEAR - 1) * 365, (MAX_YEAR - 1) * 365)


def value(text):
    return dmn.compile_expression(text).evaluate({})


@given(numbers)
def test_every_day_number_is_one_date_and_its_text_reads_back(number):
    date = date_of(number)
    assert date.number == number
    assert Date.parse(str(date)) == date


@given(st.dates())
def test_dates_agree_with_python(date):
    feel = to_feel(date)
    assert (feel.number, feel.weekday) == (date.toordinal() - 719_163, date.isoweekday())
    assert to_python(feel) == date


@given(
    st.datetimes(
        timezones=st.sampled_from(
            [None, dt.UTC, ZoneInfo("Europe/Paris"), dt.timezone(dt.timedelta(hours=-7, minutes=-30))]
        )
    )
)
def test_moments_go_to_python_and_back(moment):
    # A moment that a clock skips or repeats has one text but two instants; Python tells them by fold.
    feel = to_feel(moment.replace(fold=0))
    assert to_python(feel).replace(fold=0) == moment.replace(fold=0)
    assert DateTime.parse(str(feel)) == feel


@given(st.integers(-(10**24), 10**24))
def test_durations_read_back_what_they_print(nanos):
    duration = DaysTimeDuration(nanos)
    assert parse_duration(str(duration)) == duration


@given(st.integers(-(10**9), 10**9))
def test_months_read_back_what_they_print(months):
    duration = YearsMonthsDuration(months)
    assert parse_duration(str(duration)) == duration


@given(st.timedeltas())
def test_timedeltas_go_there_and_back(delta):
    assert to_python(to_feel(delta)) == delta


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('@"2024-01-31" + @"P1M"', "2024-02-29"), ('@"2024-02-29" - @"P1Y"', "2023-02-28"), ('@"2026-11-22" + @"PT36H"', "2026-11-23"),
        ('@"2026-11-22" - @"PT1S"', "2026-11-21"), ('@"2026-11-22" - @"2026-11-20"', "P2D"), ('@"10:00:00" + @"PT15H"', "01:00:00"),
        ('@"10:00:00Z" - @"10:00:00+02:00"', "PT2H"), ('@"2026-03-29T01:30:00@Europe/Paris" + @"PT1H"', "2026-03-29T03:30:00@Europe/Paris"),
        ('@"2026-11-22T10:00:00Z" - @"2026-11-22T10:00:00"', None), ('@"P1Y" + @"P1D"', None), ('@"P1D" * 1.5', "P1DT12H"),
        ('@"P1D" / @"PT12H"', "2"), ('@"P5M" / 2', "P2M"), ('@"P1D" / 0', None), ('-@"P1Y2M"', "-P1Y2M"), ('@"2026-11-22" + 1', None),
        ('@"999999999-12-31" + @"P1D"', None), ('@"24:00:00"', "00:00:00"), ('@"2026-12-31T24:00:00"', "2027-01-01T00:00:00"),
        ('@"10:00:00" + @"P1M"', None),
    ],
)  # fmt: skip
def test_arithmetic_with_time(text, expected):
    result = value(text)
    assert (None if result is None else dmn.text_of(result)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-1-01", "026-01-01", "02026-01-01", "+2026-01-01", "2026-13-01", "2026-02-29", "9999999999-01-01", "7:00:00", "24:00:01",
        "10:60:00", "10:00:60", "10:00", "10:00:00+19:00", "10:00:00+5:00", "10:00:00@Nowhere/City", "10:00:00+01:00@Europe/Paris",
        "2026-01-01T", "P", "PT", "P1", "P1H", "PT1", "P1.5D", "P1Y1D", "1Y", "--P1D", "P" + "9" * 30 + "D", "",
    ],
)  # fmt: skip
def test_a_wrong_text_is_refused(text):
    with pytest.raises(ValueError, match="Expected"):
        parse_temporal(text)


def test_equality_looks_at_the_instant_and_at_milliseconds():
    assert DateTime.parse("2026-11-22T10:00:00+01:00") == DateTime.parse("2026-11-22T09:00:00Z")
    assert DateTime.parse("2026-11-22T10:00:00.0001") == DateTime.parse("2026-11-22T10:00:00.0002")
    assert DateTime.parse("2026-11-22T10:00:00") != DateTime.parse("2026-11-22T10:00:00Z")
    assert Time.parse("10:00:00@Europe/Paris") == Time.parse("10:00:00+01:00")
    equal = {DateTime.parse("2026-11-22T10:00:00+01:00"), DateTime.parse("2026-11-22T09:00:00Z")}
    assert len(equal) == 1
    assert YearsMonthsDuration(12) == parse_duration("P1Y")
    assert parse_duration("P0D") != parse_duration("P0M")


def test_what_cannot_be_ordered_has_no_order():
    assert compare_points(Time.parse("10:00:00"), Time.parse("10:00:00Z")) is None
    assert compare_points(parse_duration("P30D"), parse_duration("P1M")) is None
    assert compare_points(Date(2026, 11, 22), DateTime.parse("2026-11-22T00:00:00Z")) == 0
    assert compare_points(Date(2026, 11, 22), DateTime.parse("2026-11-22T00:00:00")) is None


def test_far_years_print_and_reach_python_only_where_python_can_go():
    far = Date(-123456, 7, 8)
    assert str(far) == "-123456-07-08"
    assert Date.parse(str(far)) == far
    with pytest.raises(ValueError, match="year"):
        to_python(far)
    assert str(DateTime.parse("12026-07-01T10:00:00@Europe/Paris").add(0)) == "12026-07-01T10:00:00@Europe/Paris"


def test_aware_moments_become_aware_datetimes():
    assert to_python(DateTime.parse("2026-11-22T10:00:00Z")) == dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
    assert to_python(DateTime.parse("2026-11-22T10:00:00")).tzinfo is None
    assert to_python(Time.parse("10:00:00+02:00")).utcoffset() == dt.timedelta(hours=2)
    assert to_python(YearsMonthsDuration(14)) == "P1Y2M"


def test_properties_have_signs():
    assert value('@"-P1DT2H".hours') == -2
    assert value('@"-P14M".years') == -1
    assert value('@"-P14M".months') == -2
    assert value('@"PT0.5S".seconds') == Decimal("0.5")
