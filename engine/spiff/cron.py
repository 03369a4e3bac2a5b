"""Cron, as Camunda 8 writes it: second, minute, hour, day of month, month, day of week; ``0 0 9 * * MON-FRI``.

Each field takes ``*`` or ``?``, numbers, names, ranges (``9-17``), steps (``*/15``) and lists of them. The day of month also
takes ``L`` (the last), ``L-3`` (three before it), ``15W`` (the weekday nearest to it) and ``LW``; the day of week takes
``MON#2`` (the second of the month) and ``5L`` (the last Friday). A day has to fit both. Instants are told by a zone's clock:
an hour that the clocks skip is taken an hour later; one that they repeat is taken once, but twice by what comes in every hour.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Fits = Callable[[dt.date], bool]

_MONTHS: Final = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS: Final = {"SUN": 0, "MON": 1, "TUE": 2, "WED": 3, "THU": 4, "FRI": 5, "SAT": 6}
_SHORT: Final = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
_NTH: Final = re.compile(r"([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)#([1-5])")
_LAST_DAY: Final = re.compile(r"([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)L")
_BEFORE_LAST: Final = re.compile(r"L(?:-(\d{1,2}))?")
_NEAREST: Final = re.compile(r"(\d{1,2})W")
_YEARS: Final = 30
"""A day that fits is looked for so far ahead; 29 February on a Monday comes round in 28."""


class NotCron(ValueError):
    """A text is no cron expression, or names no day that ever comes; the message says which part."""


@dataclass(frozen=True, slots=True)
class Cron:
    """When something comes round. A day must fit both ``of_month`` and ``of_week``."""

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    of_month: Fits
    of_week: Fits
    zone: dt.tzinfo

    def after(self, moment: dt.datetime) -> dt.datetime:
        """Return the next instant after this one, in UTC. Raises: NotCron when there is none."""
        local = moment.astimezone(self.zone)
        day = today = local.date()
        for _ in range(_YEARS * 366):
            if day.month in self.months and self.of_month(day) and self.of_week(day):
                for hour in self.hours:
                    if day == today and hour < local.hour:
                        continue
                    earliest = local.minute if (day, hour) == (today, local.hour) else 0
                    for told in self._hour(day, hour):
                        if told.minute < earliest and told.fold == local.fold:
                            continue
                        if (found := told.astimezone(dt.UTC)) > moment:
                            return found
            if day == dt.date.max:
                break
            day += dt.timedelta(days=1)
        raise NotCron(f'Expected a cron expression that comes round, but "{self.text}" does not within {_YEARS} years')

    def _hour(self, day: dt.date, hour: int) -> Iterator[dt.datetime]:
        """Yield the times of one hour, in order."""
        last = dt.datetime(day.year, day.month, day.day, hour, 59, 59, tzinfo=self.zone)
        is_repeated = len(self.hours) == 24 and last.utcoffset() != last.replace(fold=1).utcoffset()
        for fold in (0, 1) if is_repeated else (0,):
            for minute in self.minutes:
                for second in self.seconds:
                    yield last.replace(minute=minute, second=second, fold=fold)


@lru_cache(maxsize=512)
def read_cron(text: str, zone: str = "UTC") -> Cron:
    """Read a cron expression. zone: the name of the zone whose clock it means. Raises: NotCron."""
    words = _SHORT.get(text.strip().lower(), text.strip()).upper().split()
    if len(words) != 6:
        raise NotCron(f'Expected the six fields of a cron expression, but "{text[:60]}" has {len(words)}')
    try:
        clock: dt.tzinfo = dt.UTC if zone == "UTC" else ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise NotCron(f'Expected a time zone, but "{zone}" is none') from error
    second, minute, hour, day, month, weekday = words
    return Cron(
        text.strip(),
        _numbers(second, 0, 59, "second"),
        _numbers(minute, 0, 59, "minute"),
        _numbers(hour, 0, 23, "hour"),
        frozenset(_numbers(month, 1, 12, "month", _MONTHS)),
        _day_of_month(day),
        _day_of_week(weekday),
        clock,
    )


def _numbers(field: str, low: int, high: int, what: str, names: dict[str, int] | None = None) -> tuple[int, ...]:
    found: set[int] = set()
    for part in field.split(","):
        span, has_step, step = part.partition("/")
        if has_step and not (step.isascii() and step.isdigit() and int(step) > 0):
            raise NotCron(f'Expected a step above zero in the {what} of a cron expression, but "{part}" has none')
        if span in ("*", "?"):
            first, last = low, high
        else:
            begin, is_range, end = span.partition("-")
            first = _number(begin, low, high, what, names)
            last = _number(end, low, high, what, names) if is_range else high if has_step else first
            if last < first and what == "day of week" and last == 0:
                last = 7
        if last < first:
            raise NotCron(f'Expected a {what} range that rises in a cron expression, but "{span}" falls')
        found.update(range(first, last + 1, int(step) if has_step else 1))
    return tuple(sorted(found))


def _number(word: str, low: int, high: int, what: str, names: dict[str, int] | None) -> int:
    number = (names or {}).get(word, int(word) if word.isascii() and word.isdigit() and len(word) <= 4 else None)
    if number is None or not low <= number <= high:
        raise NotCron(f'Expected a {what} from {low} to {high} in a cron expression, but got "{word[:20]}"')
    return number


def _day_of_month(field: str) -> Fits:
    if field == "LW":
        return lambda day: day.day == _nearest_weekday(day, _last(day))
    if (match := _BEFORE_LAST.fullmatch(field)) is not None:
        back = int(match[1] or 0)
        return lambda day: day.day == _last(day) - back
    if (match := _NEAREST.fullmatch(field)) is not None:
        wanted = _number(match[1], 1, 31, "day of month", None)
        return lambda day: wanted <= _last(day) and day.day == _nearest_weekday(day, wanted)
    days = frozenset(_numbers(field, 1, 31, "day of month"))
    return lambda day: day.day in days


def _day_of_week(field: str) -> Fits:
    if (match := _NTH.fullmatch(field)) is not None:
        which, place = _weekday(match[1]), int(match[2])
        return lambda day: day.isoweekday() % 7 == which and (day.day - 1) // 7 + 1 == place
    if (match := _LAST_DAY.fullmatch(field)) is not None:
        which = _weekday(match[1])
        return lambda day: day.isoweekday() % 7 == which and day.day + 7 > _last(day)
    days = frozenset(number % 7 for number in _numbers(field, 0, 7, "day of week", _DAYS))
    return lambda day: day.isoweekday() % 7 in days


def _weekday(word: str) -> int:
    return _DAYS[word] if word in _DAYS else int(word) % 7


def _last(day: dt.date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: dt.date, wanted: int) -> int:
    """Return the working day of this month nearest to one of its days."""
    weekday = day.replace(day=wanted).isoweekday()
    if weekday == 6:
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == 7:
        return wanted + 1 if wanted < _last(day) else wanted - 2
    return wanted
