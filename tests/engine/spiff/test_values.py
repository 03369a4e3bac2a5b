"""The codec, the scopes and the calendar arithmetic by themselves."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn import Date, DateTime, DaysTimeDuration, Range, Time, YearsMonthsDuration, to_feel
from engine.spiff import NoTime, NotStorable, decode, encode, schedule
from engine.spiff.codec import DEEPEST
from engine.spiff.scopes import Scopes, View
from engine.spiff.timers import Interval, Schedule
from tests.engine.spiff.proofs import proves

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


@settings(max_examples=300)
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


def test_what_nests_deeper_than_every_reader_follows_is_not_stored() -> None:
    def nested(levels: int, innermost: Any = None) -> Any:
        return [nested(levels - 1, innermost)] if levels > 1 else [innermost]

    brackets = "[{" * 500
    assert decode(encode([nested(DEEPEST - 1, brackets)] * 2)) == [nested(DEEPEST - 1, brackets)] * 2
    for levels in (DEEPEST + 1, 254, 255, 400):
        with pytest.raises(NotStorable, match=f"more than {DEEPEST} lists and objects lie within each other"):
            encode(nested(levels))


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
        ("date", "9999-12-31T23:59:59Z"),  # in some zones it is the year 10,000 by then
        ("date", "0001-01-01T00:00:00Z"),
        ("duration", "-P2000Y"),
        ("date", True),
        ("cycle", "PT1H"),
        ("cycle", "R3/"),
        ("cycle", "R0/PT1H"),
        ("cycle", "R/PT0S"),
        ("cycle", "R/PT0.5S"),
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
        planned = planned.after(planned.due)
    assert dues == [1, 2, 3]


def test_a_bounded_cycle_of_seconds_does_not_make_up_for_a_week() -> None:
    planned: Schedule | None = schedule("cycle", "R1000/PT10S", NOON)
    dues = []
    while planned is not None and len(dues) < 3:
        dues.append((planned.due - NOON, planned.left))
        planned = planned.after(max(planned.due, NOON + 7 * DAY + dt.timedelta(seconds=4)))
    week = 7 * DAY
    assert dues == [
        (dt.timedelta(seconds=10), 1000), (week + dt.timedelta(seconds=10), 999), (week + dt.timedelta(seconds=20), 998),
    ]  # fmt: skip


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


SUNDAY = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("0 0 9 * * MON-FRI", ["2026-11-23 09:00:00", "2026-11-24 09:00:00"]),
        ("*/20 * * * * *", ["2026-11-22 12:00:20", "2026-11-22 12:00:40", "2026-11-22 12:01:00"]),
        (
            "0 5/25 8-9 * * ?",
            ["2026-11-23 08:05:00", "2026-11-23 08:30:00", "2026-11-23 08:55:00", "2026-11-23 09:05:00"],
        ),
        ("0 0 0 25 DEC ?", ["2026-12-25 00:00:00", "2027-12-25 00:00:00"]),
        ("0 0 0 29 2 *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("0 0 6 L * *", ["2026-11-30 06:00:00", "2026-12-31 06:00:00", "2027-01-31 06:00:00", "2027-02-28 06:00:00"]),
        ("0 0 6 L-2 * *", ["2026-11-28 06:00:00", "2026-12-29 06:00:00"]),
        ("0 0 6 LW 1,5 *", ["2027-01-29 06:00:00", "2027-05-31 06:00:00"]),
        ("0 0 6 1W * *", ["2026-12-01 06:00:00", "2027-01-01 06:00:00", "2027-02-01 06:00:00"]),
        ("0 0 6 1W 5 *", ["2027-05-03 06:00:00"]),
        ("0 0 6 15W 8 *", ["2027-08-16 06:00:00"]),
        ("0 0 6 ? * 5L", ["2026-11-27 06:00:00", "2026-12-25 06:00:00"]),
        ("0 0 6 ? * MON#2", ["2026-12-14 06:00:00", "2027-01-11 06:00:00"]),
        ("0 0 6 ? * SAT-SUN", ["2026-11-28 06:00:00", "2026-11-29 06:00:00", "2026-12-05 06:00:00"]),
        ("@hourly", ["2026-11-22 13:00:00", "2026-11-22 14:00:00"]),
        ("@daily", ["2026-11-23 00:00:00"]),
        ("@weekly", ["2026-11-29 00:00:00"]),
        ("@monthly", ["2026-12-01 00:00:00"]),
        ("@yearly", ["2027-01-01 00:00:00"]),
    ],
)
def test_a_cron_cycle_comes_round_when_its_fields_say(text: str, times: list[str]) -> None:
    planned: Schedule | None = schedule("cycle", text, SUNDAY)
    found = []
    for _ in times:
        assert planned is not None
        found.append(f"{planned.due:%Y-%m-%d %H:%M:%S}")
        planned = planned.after(planned.due)
    assert found == times


def test_a_cron_cycle_skips_what_it_missed_and_never_ends() -> None:
    planned = schedule("cycle", "0 0 * * * *", SUNDAY)
    later = planned.after(SUNDAY + dt.timedelta(days=9, minutes=5))
    assert later is not None
    assert (later.due, later.left) == (SUNDAY + dt.timedelta(days=9, hours=1), -1)


@proves("timer: cron is told by the plant's clock")
def test_cron_means_the_clock_of_the_plant_through_summer_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    saturday = dt.datetime(2027, 3, 27, 12, tzinfo=dt.UTC)
    nine = schedule("cycle", "0 0 9 * * *", saturday, berlin)
    assert nine.due == dt.datetime(2027, 3, 28, 7, tzinfo=dt.UTC)
    skipped = schedule("cycle", "0 30 2 * * *", saturday, berlin)
    assert skipped.due == dt.datetime(2027, 3, 28, 1, 30, tzinfo=dt.UTC)
    repeated = schedule("cycle", "0 30 2 * * *", dt.datetime(2027, 10, 30, 12, tzinfo=dt.UTC), berlin)
    following = repeated.after(repeated.due)
    assert (repeated.due, following and following.due) == (
        dt.datetime(2027, 10, 31, 0, 30, tzinfo=dt.UTC),
        dt.datetime(2027, 11, 1, 1, 30, tzinfo=dt.UTC),
    )


def test_what_comes_in_every_hour_comes_in_the_repeated_one_too() -> None:
    """A look each half hour that took the repeated hour once was blind for an hour of each year."""
    warsaw = ZoneInfo("Europe/Warsaw")
    planned = schedule("cycle", "0 */30 * * * *", dt.datetime(2026, 10, 24, 23, 45, tzinfo=dt.UTC), warsaw)
    times = []
    for _ in range(6):
        times.append(f"{planned.due:%H:%M}")
        following = planned.after(planned.due)
        assert following is not None
        planned = following
    assert times == ["00:00", "00:30", "01:00", "01:30", "02:00", "02:30"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0 0 9 * *", "has 5"),
        ("@reboot", "has 1"),
        ("60 * * * * *", "second from 0 to 59"),
        ("0 0 0 30 2 *", "does not within"),
        ("0 0 17-9 * * *", "rises"),
        ("0 0/0 * * * *", "step above zero"),
        ("0 0 9 * * MOO", "day of week"),
        ("0 0 9 32 * *", "day of month from 1 to 31"),
        ("0 0 ² * * *", "hour from 0 to 23"),
    ],
)
def test_what_is_no_cron_is_refused_with_the_part_that_is_wrong(text: str, why: str) -> None:
    with pytest.raises(NoTime, match=why):
        schedule("cycle", text, SUNDAY)
