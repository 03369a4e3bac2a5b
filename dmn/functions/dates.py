"""Dates, times and durations: DMN 1.5, 10.3.4.1 and 10.3.4.6 to 10.3.4.8."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from dmn.budget import Run
from dmn.functions.registry import built_in
from dmn.operators import integer_of
from dmn.temporal import (
    SECOND,
    Date,
    DateTime,
    Time,
    YearsMonthsDuration,
    as_moment,
    days_in_month,
    from_python,
    parse_duration,
)
from dmn.values import NullResult, Value


def _built(build: Callable[[], Value]) -> Value:
    try:
        return build()
    except ValueError as error:
        raise NullResult(str(error)) from None


@built_in("date(from: string|date|date and time)")
def date(run: Run, value: Value) -> Value:
    """Read or take a date."""
    if type(value) is str:
        return _built(lambda: Date.parse(value))
    return value.date if type(value) is DateTime else value


@built_in("date(year: number, month: number, day: number)")
def date_of_parts(run: Run, year: Decimal, month: Decimal, day: Decimal) -> Value:
    """Build a date."""
    parts = [integer_of(part, "part of a date") for part in (year, month, day)]
    return _built(lambda: Date(*parts))


@built_in("time(from: string|time|date|date and time)")
def time(run: Run, value: Value) -> Value:
    """Read or take a time; a date has midnight, UTC."""
    if type(value) is str:
        return _built(lambda: Time.parse(value))
    if type(value) is Date:
        return Time(0, 0)
    return value.time if type(value) is DateTime else value


@built_in("time(hour: number, minute: number, second: number, offset: days and time duration? =)")
def time_of_parts(run: Run, hour: Decimal, minute: Decimal, second: Decimal, offset: Value = None) -> Value:
    """Build a time; the offset is a duration from UTC."""
    whole = integer_of(second, "second")
    nano = int((second - whole) * SECOND)
    fields = (integer_of(hour, "hour"), integer_of(minute, "minute"), whole)
    zone = None if offset is None else offset.nanos // SECOND
    if zone is not None and abs(zone) > 18 * 3600:
        raise NullResult(f"Expected an offset of at most 18 hours, but got {offset}")
    return _built(lambda: Time.of(*fields, nano=nano, zone=zone))


@built_in("date and time(from: string|date and time|date)")
def date_and_time(run: Run, value: Value) -> Value:
    """Read or take a date and time."""
    if type(value) is str:
        return _built(lambda: DateTime.parse(value))
    return DateTime(value, Time(0, 0)) if type(value) is Date else value


@built_in("date and time(date: date|date and time, time: time)")
def date_and_time_of_parts(run: Run, day: Value, clock: Time) -> Value:
    """Put a date and a time together."""
    return DateTime(day.date if type(day) is DateTime else day, clock)


@built_in("date and time(from: date and time, timezone: string)")
def date_and_time_in_zone(run: Run, moment: DateTime, zone: str) -> Value:
    """Show the same instant in another zone."""
    if moment.zone is None:
        raise NullResult("Expected a date and time with a zone, but it has none")
    return _built(lambda: DateTime.at(moment.instant, Time.parse(f"00:00:00@{zone}").zone))


@built_in("duration(from: string|days and time duration|years and months duration)")
def duration(run: Run, value: Value) -> Value:
    """Read a duration of either kind."""
    return _built(lambda: parse_duration(value)) if type(value) is str else value


@built_in("cycle(interval: days and time duration|years and months duration)")
def cycle(run: Run, interval: Value) -> Value:
    """Name a timer that goes off again and again after an interval (Camunda 8)."""
    return cycle_of_times(run, None, interval)


@built_in("cycle(repetitions: number?, interval: days and time duration|years and months duration)")
def cycle_of_times(run: Run, repetitions: Decimal | None, interval: Value) -> Value:
    """Name a timer that goes off so many times, or without end when null (Camunda 8)."""
    times = "" if repetitions is None else str(integer_of(repetitions, "the repetitions"))
    if times.startswith("-"):
        raise NullResult(f"Expected a number of repetitions from 0, but got {times}")
    return f"R{times}/{interval}"


@built_in("years and months duration(from: date|date and time, to: date|date and time)")
def years_and_months_duration(run: Run, start: Value, end: Value) -> Value:
    """Count the whole months between two days."""
    first, last = (value.date if type(value) is DateTime else value for value in (start, end))
    months = (last.year - first.year) * 12 + last.month - first.month
    # Only whole months count, in either direction.
    if months > 0 and last.day < first.day:
        months -= 1
    elif months < 0 and last.day > first.day:
        months += 1
    return YearsMonthsDuration(months)


def _present(run: Run) -> DateTime:
    """Return the moment of this run; the same for every call within it."""
    if run.now is None:
        run.now = dt.datetime.now(dt.UTC)
    if isinstance(run.now, dt.datetime):
        run.now = from_python(run.now)
    moment = as_moment(run.now)
    if moment is None:
        raise NullResult("Expected a date and time as clock, but it is none")
    return moment


@built_in("now()")
def now(run: Run) -> Value:
    """Return the moment of this run."""
    return _present(run)


@built_in("today()")
def today(run: Run) -> Value:
    """Return the day of this run."""
    return _present(run).date


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _day(value: Value) -> Date:
    day: Date = value.date if type(value) is DateTime else value
    return day


@built_in("day of week(date: date|date and time)")
def day_of_week(run: Run, value: Value) -> Value:
    """Return the English name of the weekday."""
    return _DAYS[_day(value).weekday - 1]


@built_in("day of year(date: date|date and time)")
def day_of_year(run: Run, value: Value) -> Value:
    """Return the number of the day within its year."""
    day = _day(value)
    return Decimal(day.number - Date(day.year, 1, 1).number + 1)


@built_in("month of year(date: date|date and time)")
def month_of_year(run: Run, value: Value) -> Value:
    """Return the English name of the month."""
    return _MONTHS[_day(value).month - 1]


@built_in("week of year(date: date|date and time)")
def week_of_year(run: Run, value: Value) -> Value:
    """The week by ISO 8601: week 1 holds the year's first Thursday."""
    day = _day(value)
    thursday = day.number - day.weekday + 4
    year = day.year
    for candidate in (year - 1, year, year + 1):
        if Date(candidate, 1, 1).number <= thursday:
            year = candidate
    return Decimal((thursday - Date(year, 1, 1).number) // 7 + 1)


@built_in("last day of month(date: date|date and time)")
def last_day_of_month(run: Run, value: Value) -> Value:
    """Return the last day of a date's month."""
    day = _day(value)
    return Date(day.year, day.month, days_in_month(day.year, day.month))
