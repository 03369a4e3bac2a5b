"""The codec, the scopes and the calendar arithmetic by themselves."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn import Date, DateTime, DaysTimeDuration, Range, Time, YearsMonthsDuration, to_feel
from engine.spiff import NoTime, NotStorable, decode, encode, schedule
from engine.spiff.scopes import Scopes, View
from engine.spiff.timers import Interval, Schedule

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)

scalars = (
    st.none()
    | st.booleans()
    | st.text(max_size=8)
    | st.decimals(allow_nan=False, allow_infinity=False, places=None)
    | st.integers(-(10**30), 10**30).map(Decimal)
    | st.datetimes(timezones=st.just(dt.UTC)).map(to_feel)
    | st.dates().map(to_feel)
    | st.timedeltas().map(to_feel)
)
keys = st.sampled_from(["$", "typename", "a", "", "§"]) | st.text(max_size=4)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    assert decode(encode(value)) == value
    assert encode(decode(encode(value))) == encode(value)


def test_numbers_are_plain_json_and_keep_every_digit() -> None:
    assert encode([Decimal("12.50"), Decimal(7), Decimal("-0.1"), Decimal("1E+3")]) == b"[12.50,7,-0.1,1E+3]"
    assert [str(found) for found in decode(b"[12.50,7,1E+3]")] == ["12.50", "7", "1E+3"]


def test_only_what_json_cannot_say_is_tagged() -> None:
    assert encode({"on": Date(2026, 11, 22)}) == b'{"on":{"$":["date","2026-11-22"]}}'
    assert encode({"$": ["date", "2026-11-22"]}) == b'{"$":["object",[["$",["date","2026-11-22"]]]]}'


@pytest.mark.parametrize(
    "value",
    [object(), {1: 2}, {1, 2}, Decimal("NaN"), Decimal("Infinity"), 2**70, b"x", Range(None, None, False, False)],
)
def test_what_feel_does_not_know_is_not_stored(value: Any) -> None:
    with pytest.raises(NotStorable, match="Expected a value that FEEL knows, but"):
        encode([value])


def test_every_temporal_kind_survives() -> None:
    for value in (
        Date.parse("-0044-03-15"),
        Time.parse("10:30:00.5@Europe/Paris"),
        DateTime.parse("999999-01-01T00:00:00Z"),
        DaysTimeDuration.parse("-P1DT2H"),
        YearsMonthsDuration.parse("P1Y2M"),
    ):
        found = decode(encode(value))
        assert (type(found), str(found)) == (type(value), str(value))


def test_a_name_is_looked_up_from_the_inside_out_and_written_where_it_is() -> None:
    scopes = Scopes()
    scopes.open(0, None)
    scopes.open(1, 0)
    scopes.open(2, 1)
    scopes.assign(0, "a", Decimal(1))
    scopes.assign(1, "b", Decimal(2))
    scopes.propagate(2, "a", Decimal(10))
    scopes.propagate(2, "b", Decimal(20))
    scopes.propagate(2, "c", Decimal(30))
    assert (scopes.names(0), scopes.names(1), scopes.names(2)) == (["a", "c"], ["b"], [])
    view = View(scopes, 2, {"extra": 1})
    assert (view["a"], view["b"], view["c"], view["extra"]) == (10, 20, 30, 1)
    assert sorted(view) == ["a", "b", "c", "extra"]
    assert len(view) == 4
    assert "d" not in view
    with pytest.raises(KeyError):
        view["d"]


def test_a_failed_write_changes_nothing() -> None:
    scopes = Scopes()
    scopes.open(0, None)
    scopes.assign(0, "a", Decimal(1))
    with pytest.raises(NotStorable):
        scopes.assign(0, "a", object())
    assert scopes.get(0, "a") == 1


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("PT1H", NOON + dt.timedelta(hours=1)),
        ("P1M", NOON.replace(month=2, day=28)),
        ("P1Y", NOON.replace(year=2027)),
        ("P2W", NOON + 14 * DAY),
        ("P1Y1M1DT1H", dt.datetime(2027, 3, 1, 13, tzinfo=dt.UTC)),
        ("-PT1H", NOON - dt.timedelta(hours=1)),
        ("PT0S", NOON),
        ("PT0.5S", NOON + dt.timedelta(milliseconds=500)),
    ],
)
def test_a_duration_is_added_as_the_calendar_says(text: str, due: dt.datetime) -> None:
    assert schedule("duration", text, NOON) == Schedule(due)
    assert Interval.of(str(Interval.of(text))) == Interval.of(text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("duration", "P"),
        ("duration", "1h"),
        ("duration", "P99999999Y"),
        ("duration", "P999999999D"),
        ("duration", None),
        ("duration", Decimal(5)),
        ("date", "2026-02-30"),
        ("date", "99999-01-01T00:00:00Z"),
        ("date", True),
        ("cycle", "PT1H"),
        ("cycle", "R3/"),
        ("cycle", "R0/PT1H"),
        ("cycle", "R/PT0S"),
        ("cycle", "R/-PT1H"),
        ("cycle", "0 0 * * *"),
    ],
)
def test_what_names_no_time_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(NoTime, match="Expected "):
        schedule(kind, value, NOON)


def test_a_bounded_cycle_goes_off_so_many_times() -> None:
    planned: Schedule | None = schedule("cycle", "R3/PT1H", NOON)
    dues = []
    while planned is not None:
        dues.append((planned.due - NOON).total_seconds() / 3600)
        planned = planned.after(NOON + 10 * DAY)
    assert dues == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "due"),
    [("R/PT1H", NOON + DAY + dt.timedelta(hours=1)), ("R/P1M", dt.datetime(2026, 2, 28, 12, tzinfo=dt.UTC))],
)
def test_an_endless_cycle_goes_on_after_now(text: str, due: dt.datetime) -> None:
    planned = schedule("cycle", text, NOON)
    following = Schedule(NOON + dt.timedelta(minutes=0), planned.left, planned.every).after(NOON + DAY)
    assert following is not None
    assert following.due == due


def test_a_cycle_may_begin_at_an_instant() -> None:
    planned = schedule("cycle", "R2/2026-03-01T08:00:00Z/P1D", NOON)
    assert planned.due == dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
    following = planned.after(planned.due)
    assert following is not None
    assert following.due == planned.due + DAY
    assert following.after(following.due) is None


def test_a_feel_duration_may_repeat_without_end() -> None:
    assert schedule("cycle", DaysTimeDuration.parse("PT2H"), NOON) == Schedule(NOON + dt.timedelta(hours=2), -1, "PT2H")
