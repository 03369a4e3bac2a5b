"""When a timer is due: ISO 8601 text, cron or FEEL values, instants in UTC, cycles that repeat."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from dmn import text_of
from dmn.temporal import Date, DateTime, DaysTimeDuration, YearsMonthsDuration
from engine.spiff.cron import NotCron, read_cron

_REPEAT = re.compile(r"R(\d{0,9})/(.+)\Z", re.DOTALL)
_INTERVAL = re.compile(
    r"(-)?P(?=[\dT])(?:(\d{1,9})Y)?(?:(\d{1,9})M)?(?:(\d{1,9})W)?((?:\d{1,9}D)?(?:T[\dHMS.]+)?)\Z", re.ASCII
)
_FOREVER = -1
_EARLIEST = dt.datetime(1000, 1, 1, tzinfo=dt.UTC)
_LATEST = dt.datetime(9999, 12, 30, tzinfo=dt.UTC)
"""Between these an instant can be said on the clock of every zone and in the text of every database."""

_CRON = "cron "


SHORTEST_TURN = dt.timedelta(seconds=1)
"""Between two turns of a cycle: one that comes round faster than it is carried out would keep a worker from all else."""


class NoTime(ValueError):
    """A value is no instant, no duration or no cycle; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A length of time: whole months, then exact time. ISO 8601 may mix them (``P1Y2M3DT4H``), FEEL's durations do not."""

    months: int
    exact: dt.timedelta

    @classmethod
    def of(cls, value: Any) -> Interval:
        """Read ISO text or take a FEEL duration. Raises: NoTime."""
        try:
            if isinstance(value, YearsMonthsDuration):
                return cls(value.months, dt.timedelta())
            if isinstance(value, DaysTimeDuration):
                return cls(0, value.to_python())
            if isinstance(value, str):
                return cls._parse(value.strip())
        except (ValueError, OverflowError) as error:
            raise NoTime(f"Expected a duration such as PT1H or P3D, but got {_shown(value)}") from error
        raise NoTime(f"Expected a duration such as PT1H or P3D, but got {_shown(value)}")

    @classmethod
    def _parse(cls, text: str) -> Interval:
        match = _INTERVAL.match(text)
        if match is None:
            raise ValueError(text)
        sign = -1 if match[1] else 1
        months = int(match[2] or 0) * 12 + int(match[3] or 0)
        exact = dt.timedelta(weeks=int(match[4] or 0))
        if match[5]:
            exact += DaysTimeDuration.parse("P" + match[5]).to_python()
        return cls(sign * months, sign * exact)

    def after(self, moment: dt.datetime) -> dt.datetime:
        """Return the instant this much later. Raises: NoTime beyond the year 9999."""
        try:
            if self.months:
                local = DateTime.parse(moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat())
                moment = local.add_months(self.months).to_python().replace(tzinfo=dt.UTC)
            later = moment + self.exact
        except (ValueError, OverflowError) as error:
            raise NoTime(f"Expected an instant before the year 9999, but {moment} plus {self} lies outside") from error
        return _within(later)

    def __str__(self) -> str:
        months = str(YearsMonthsDuration(self.months)) if self.months else ""
        micros = (self.exact.days * 86_400 + self.exact.seconds) * 1_000_000 + self.exact.microseconds
        exact = str(DaysTimeDuration(micros * 1000)) if micros or not months else ""
        return months + exact.replace("P", "", 1).replace("-", "") if months else exact


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a timer goes off next. left: how often it goes off, this one included, -1 without end.

    every: the interval's text, or ``cron <zone> <expression>``.
    """

    due: dt.datetime
    left: int = 1
    every: str | None = None

    def after(self, now: dt.datetime) -> Schedule | None:
        """Return the next occurrence after this one has gone off, or None when it was the last.

        Occurrences that ``now`` has passed are skipped, so that a plant that was switched off for a week is reminded once. What a
        bounded cycle skips it does not count: it goes off as often as it says, as in Camunda 8, but keeps to its beat, which
        Camunda begins anew.
        """
        if self.every is None or self.left == 1:
            return None
        if self.every.startswith(_CRON):
            return _by_cron(self.every, max(now, self.due))
        interval = Interval.of(self.every)
        left = self.left if self.left == _FOREVER else self.left - 1
        return Schedule(_first_after(interval.after(self.due), interval, now), left, self.every)


def schedule(kind: str, value: Any, now: dt.datetime, zone: dt.tzinfo = dt.UTC) -> Schedule:
    """Compute when a timer goes off. kind: ``date``, ``duration`` or ``cycle``; value: ISO text, cron or a FEEL value.

    zone: whose clock cron means. An instant without a zone is UTC. Raises: NoTime.
    """
    if kind == "date":
        return Schedule(_instant(value))
    if kind == "duration":
        return Schedule(Interval.of(value).after(now))
    return _cycle(value, now, zone)


def _instant(value: Any) -> dt.datetime:
    try:
        moment = DateTime.parse(value.strip()) if isinstance(value, str) else value
        if isinstance(moment, Date):
            moment = DateTime.parse(str(moment))
        if not isinstance(moment, DateTime):
            raise NoTime(f"Expected a date and time such as 2026-11-22T10:30:00Z, but got {_shown(value)}")
        point = moment.to_python()
        point = point.replace(tzinfo=dt.UTC) if point.tzinfo is None else point.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise NoTime(f"Expected a date and time such as 2026-11-22T10:30:00Z, but got {_shown(value)}") from error
    return _within(point)


def _within(moment: dt.datetime) -> dt.datetime:
    """Return an instant that every clock can tell. Raises: NoTime."""
    if not _EARLIEST <= moment < _LATEST:
        raise NoTime(
            f"Expected an instant from {_EARLIEST:%Y-%m-%d} to {_LATEST:%Y-%m-%d}, but got {moment.isoformat()}"
        )
    return moment


def _cycle(value: Any, now: dt.datetime, zone: dt.tzinfo) -> Schedule:
    if not isinstance(value, str):
        return _repeating(Interval.of(value), _FOREVER, None, now)
    match = _REPEAT.match(value.strip())
    if match is None and (value.strip().startswith("@") or len(value.split()) > 1):
        return _by_cron(f"{_CRON}{'UTC' if zone is dt.UTC else zone} {value.strip()}", now)
    if match is None:
        raise NoTime(f"Expected a cycle such as R3/PT10M, R/P1D or cron, but got {_shown(value)}")
    left = int(match[1]) if match[1] else _FOREVER
    if left == 0:
        raise NoTime("Expected a cycle that repeats at least once, but it repeats 0 times")
    start, _, interval = match[2].rpartition("/")
    return _repeating(Interval.of(interval), left, _instant(start) if start else None, now)


def _by_cron(every: str, now: dt.datetime) -> Schedule:
    zone, _, text = every.removeprefix(_CRON).partition(" ")
    try:
        return Schedule(read_cron(text, zone).after(now), _FOREVER, every)
    except (NotCron, OverflowError) as error:
        raise NoTime(str(error)) from error


def _repeating(interval: Interval, left: int, start: dt.datetime | None, now: dt.datetime) -> Schedule:
    first = interval.after(now)
    if first < now + SHORTEST_TURN:
        raise NoTime(f"Expected a cycle with an interval of at least a second, but got {interval}")
    return Schedule(start or first, left, str(interval))


def _first_after(due: dt.datetime, interval: Interval, now: dt.datetime) -> dt.datetime:
    if due <= now and not interval.months:
        return due + ((now - due) // interval.exact + 1) * interval.exact
    while due <= now:
        due = interval.after(due)
    return due


def _shown(value: Any) -> str:
    return "null" if value is None else f'"{text_of(value)[:60]}"'
