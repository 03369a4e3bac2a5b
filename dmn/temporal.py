"""Dates, times and durations of FEEL, for years from -999,999,999 to 999,999,999.

Python's datetime stops at year 9999 and at microseconds; FEEL's values do not (DMN 1.5, 10.3.2.3). Texts follow
ISO 8601 as XML Schema writes it, with ``@Area/City`` for a time zone. Equality looks at milliseconds, as DMN says.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MAX_YEAR = 999_999_999
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_MILLI = 1_000_000
_MAX_OFFSET = 18 * 3600

_ZONE = r"(?:(Z|[+-]\d\d:\d\d(?::\d\d)?)|@([A-Za-z][\w+\-/]*))?"
_DATE_TEXT = re.compile(r"(-?(?:[1-9]\d{4,8}|\d{4}))-(\d\d)-(\d\d)\Z", re.ASCII)
_TIME_TEXT = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d+))?" + _ZONE + r"\Z", re.ASCII)
_DAYS_TEXT = re.compile(
    r"(-)?P(?=[\dT])(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d*))?S)?)?\Z", re.ASCII
)
_YEARS_TEXT = re.compile(r"(-)?P(?=\d)(?:(\d+)Y)?(?:(\d+)M)?\Z", re.ASCII)
_MAX_DIGITS = 18

Zone = int | str | None


def days_in_month(year: int, month: int) -> int:
    """Return 28 to 31."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def day_number(year: int, month: int, day: int) -> int:
    """Count the days since 1970-01-01 in the proleptic Gregorian calendar."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def date_of(number: int) -> Date:
    """Return the date ``number`` days after 1970-01-01. Raises ValueError beyond the allowed years."""
    era, day_of_era = divmod(number + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    return Date(year, month, day_of_year - (153 * shifted + 2) // 5 + 1)


@lru_cache(maxsize=256)
def _zone_info(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _offset_text(seconds: int) -> str:
    if seconds == 0:
        return "Z"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, second = divmod(rest, 60)
    text = f"{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}"
    return f"{text}:{second:02}" if second else text


def _zone_text(zone: Zone) -> str:
    if zone is None:
        return ""
    return f"@{zone}" if isinstance(zone, str) else _offset_text(zone)


def _zone_of(offset: str | None, name: str | None) -> Zone:
    if name is not None:
        if _zone_info(name) is None:
            raise ValueError(f"Expected a time zone of the IANA list, but {name} is none")
        return name
    if offset is None:
        return None
    if offset == "Z":
        return 0
    parts = [int(part) for part in offset[1:].split(":")]
    seconds = parts[0] * 3600 + parts[1] * 60 + (parts[2] if len(parts) > 2 else 0)
    if seconds > _MAX_OFFSET or parts[1] > 59 or (len(parts) > 2 and parts[2] > 59):
        raise ValueError(f"Expected an offset of at most 18 hours, but {offset} is larger")
    return -seconds if offset[0] == "-" else seconds


def _local_offset(zone: str, date: Date, nanos: int) -> int:
    """Return the offset in seconds that ``zone`` has at a local time; the earlier one where a clock is set back."""
    info = _zone_info(zone)
    if info is None:
        return 0
    # Zone rules repeat beyond the years of datetime: move far years by whole 400-year cycles.
    year = date.year if 2 <= date.year <= 9998 else 2000 + date.year % 400
    moment = dt.datetime(year, date.month, date.day, tzinfo=info) + dt.timedelta(microseconds=nanos // 1000)
    offset = moment.utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _utc_offset(zone: str, instant: int) -> int:
    """Return the offset in seconds that ``zone`` has at an instant (nanoseconds since 1970 UTC)."""
    info = _zone_info(zone)
    if info is None:
        return 0
    days, nanos = divmod(instant, DAY)
    date = date_of(days)
    year = date.year if 2 <= date.year <= 9998 else 2000 + date.year % 400
    utc = dt.datetime(year, date.month, date.day, tzinfo=dt.UTC) + dt.timedelta(microseconds=nanos // 1000)
    offset = utc.astimezone(info).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _fraction_text(nanos: int) -> str:
    return f".{nanos:09}".rstrip("0") if nanos else ""


def _clock_text(nanos: int) -> str:
    hours, rest = divmod(nanos, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, fraction = divmod(rest, SECOND)
    return f"{hours:02}:{minutes:02}:{seconds:02}{_fraction_text(fraction)}"


@dataclass(frozen=True, slots=True)
class Date:
    """A calendar day without time or zone. Raises ValueError for a day that does not exist."""

    year: int
    month: int
    day: int

    def __post_init__(self) -> None:
        if not -MAX_YEAR <= self.year <= MAX_YEAR:
            raise ValueError(f"Expected a year between -999,999,999 and 999,999,999, but got {self.year}")
        if not 1 <= self.month <= 12 or not 1 <= self.day <= days_in_month(self.year, self.month):
            raise ValueError(f"Expected a day of the calendar, but {self.year}-{self.month}-{self.day} is none")

    @classmethod
    def parse(cls, text: str) -> Date:
        """Read ``2026-11-22``. Raises ValueError."""
        match = _DATE_TEXT.match(text)
        if match is None:
            raise ValueError(f'Expected a date such as 2026-11-22, but got "{text[:40]}"')
        return cls(int(match[1]), int(match[2]), int(match[3]))

    @property
    def number(self) -> int:
        """Days since 1970-01-01."""
        return day_number(self.year, self.month, self.day)

    @property
    def weekday(self) -> int:
        """1 for Monday to 7 for Sunday."""
        return (self.number + 3) % 7 + 1

    def add_months(self, months: int) -> Date:
        """Move by whole months; a day beyond the end of the month becomes its last day."""
        index = self.year * 12 + self.month - 1 + months
        year, month = divmod(index, 12)
        return Date(year, month + 1, min(self.day, days_in_month(year, month + 1)))

    def to_python(self) -> dt.date:
        """Return a datetime.date. Raises ValueError outside the years 1 to 9999."""
        return dt.date(self.year, self.month, self.day)

    def _key(self) -> tuple[int, int, int]:
        return (self.year, self.month, self.day)

    def __lt__(self, other: Date) -> bool:
        return self._key() < other._key()

    def __str__(self) -> str:
        sign = "-" if self.year < 0 else ""
        return f"{sign}{abs(self.year):04}-{self.month:02}-{self.day:02}"


_REFERENCE_DAY = Date(2000, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Time:
    """A time of day: nanoseconds since midnight and a zone (seconds from UTC, an IANA name, or None for local)."""

    nanos: int
    zone: Zone = None

    def __post_init__(self) -> None:
        if not 0 <= self.nanos < DAY:
            raise ValueError("Expected a time within one day, but it lies outside")

    @classmethod
    def of(cls, hour: int, minute: int, second: int, *, nano: int = 0, zone: Zone = None) -> Time:
        """Build from clock fields. Raises ValueError when a field is out of range."""
        if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
            raise ValueError(f"Expected a time between 00:00:00 and 23:59:59, but got {hour}:{minute}:{second}")
        return cls(hour * HOUR + minute * MINUTE + second * SECOND + nano, zone)

    @classmethod
    def parse(cls, text: str) -> Time:
        """Read ``10:30:00``, ``10:30:00.5+02:00``, ``10:30:00@Europe/Paris``. Raises ValueError."""
        match = _TIME_TEXT.match(text)
        if match is None:
            raise ValueError(f'Expected a time such as 10:30:00 or 10:30:00+01:00, but got "{text[:40]}"')
        nano = int(((match[4] or "") + "000000000")[:9])
        zone = _zone_of(match[5], match[6])
        hour, minute, second = int(match[1]), int(match[2]), int(match[3])
        if (hour, minute, second, nano) == (24, 0, 0, 0):
            hour = 0
        return cls.of(hour, minute, second, nano=nano, zone=zone)

    @property
    def hour(self) -> int:
        return self.nanos // HOUR

    @property
    def minute(self) -> int:
        return self.nanos // MINUTE % 60

    @property
    def second(self) -> int:
        return self.nanos // SECOND % 60

    @property
    def offset(self) -> int | None:
        """Seconds from UTC (of 2000-01-01 where the zone is a name), or None for a local time."""
        if isinstance(self.zone, str):
            return _local_offset(self.zone, _REFERENCE_DAY, self.nanos)
        return self.zone

    @property
    def point(self) -> int:
        """Nanoseconds that two times with a zone, or two local times, can be compared by."""
        return self.nanos - (self.offset or 0) * SECOND

    def add(self, nanos: int) -> Time:
        """Move around the clock."""
        return Time((self.nanos + nanos) % DAY, self.zone)

    def to_python(self) -> dt.time:
        """Return a datetime.time; parts below a microsecond are cut."""
        zone = ZoneInfo(self.zone) if isinstance(self.zone, str) else _fixed(self.zone)
        return dt.time(self.hour, self.minute, self.second, self.nanos % SECOND // 1000, tzinfo=zone)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Time) or (self.zone is None) != (other.zone is None):
            return False
        return self.point // _MILLI == other.point // _MILLI

    def __hash__(self) -> int:
        return hash((self.zone is None, self.point // _MILLI))

    def __str__(self) -> str:
        return _clock_text(self.nanos) + _zone_text(self.zone)


@dataclass(frozen=True, slots=True, eq=False)
class DateTime:
    """A day and a time of day with its zone."""

    date: Date
    time: Time

    @classmethod
    def parse(cls, text: str) -> DateTime:
        """Read ``2026-11-22T10:30:00+01:00``; a bare date means midnight, local. Raises ValueError."""
        day, mark, clock = text.partition("T")
        if not mark:
            return cls(Date.parse(day), Time(0))
        date, time = Date.parse(day), Time.parse(clock)
        if clock.startswith("24"):
            date = date_of(date.number + 1)
        return cls(date, time)

    @classmethod
    def at(cls, instant: int, zone: Zone) -> DateTime:
        """Build from nanoseconds since 1970 (UTC, or local when ``zone`` is None)."""
        offset = _utc_offset(zone, instant) if isinstance(zone, str) else zone or 0
        days, nanos = divmod(instant + offset * SECOND, DAY)
        return cls(date_of(days), Time(nanos, zone))

    @property
    def zone(self) -> Zone:
        return self.time.zone

    @property
    def offset(self) -> int | None:
        """Seconds from UTC at this moment, or None for a local value."""
        if isinstance(self.time.zone, str):
            return _local_offset(self.time.zone, self.date, self.time.nanos)
        return self.time.zone

    @property
    def instant(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00 UTC (local when there is no zone)."""
        return self.date.number * DAY + self.time.nanos - (self.offset or 0) * SECOND

    def add(self, nanos: int) -> DateTime:
        """Move along the time line; a named zone keeps its rules (an hour after 01:30 may be 03:30)."""
        return DateTime.at(self.instant + nanos, self.zone)

    def add_months(self, months: int) -> DateTime:
        """Move the day by whole months and keep the time of day."""
        return DateTime(self.date.add_months(months), self.time)

    def to_python(self) -> dt.datetime:
        """Return a datetime.datetime, aware when there is a zone. Raises ValueError outside the years 1 to 9999."""
        return dt.datetime.combine(self.date.to_python(), self.time.to_python())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DateTime) or (self.zone is None) != (other.zone is None):
            return False
        return self.instant // _MILLI == other.instant // _MILLI

    def __hash__(self) -> int:
        return hash((self.zone is None, self.instant // _MILLI))

    def __str__(self) -> str:
        return f"{self.date}T{self.time}"


@dataclass(frozen=True, slots=True)
class DaysTimeDuration:
    """A length of time in nanoseconds, negative for backwards."""

    nanos: int

    @classmethod
    def parse(cls, text: str) -> DaysTimeDuration:
        """Read ``P1DT2H3M4.5S``. Raises ValueError."""
        match = _DAYS_TEXT.match(text)
        if match is None or len(text) > 60:
            raise ValueError(f'Expected a duration such as P1DT2H, but got "{text[:40]}"')
        if max((len(group) for group in match.groups("")[1:5]), default=0) > _MAX_DIGITS:
            raise ValueError("Expected a duration of at most 18 digits, but it has more")
        day, hour, minute, second = (int(group or 0) for group in match.groups()[1:5])
        nano = int(((match[6] or "") + "000000000")[:9])
        nanos = day * DAY + hour * HOUR + minute * MINUTE + second * SECOND + nano
        return cls(-nanos if match[1] else nanos)

    @classmethod
    def of_seconds(cls, seconds: Decimal) -> DaysTimeDuration:
        """Build from seconds; parts below a nanosecond are rounded half to even."""
        return cls(int((seconds * SECOND).to_integral_value(ROUND_HALF_EVEN)))

    @property
    def seconds(self) -> Decimal:
        """The whole length in seconds."""
        return Decimal(self.nanos) / SECOND

    def field(self, unit: int, modulo: int) -> int:
        """Return one signed field, such as the hours beyond whole days."""
        value = abs(self.nanos) // unit % modulo if modulo else abs(self.nanos) // unit
        return -value if self.nanos < 0 else value

    def to_python(self) -> dt.timedelta:
        """Return a timedelta; parts below a microsecond are cut. Raises OverflowError beyond its range."""
        return dt.timedelta(microseconds=self.nanos // 1000)

    def __str__(self) -> str:
        if self.nanos == 0:
            return "PT0S"
        days, rest = divmod(abs(self.nanos), DAY)
        hours, rest = divmod(rest, HOUR)
        minutes, rest = divmod(rest, MINUTE)
        seconds, fraction = divmod(rest, SECOND)
        clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
        if seconds or fraction:
            clock += f"{seconds}{_fraction_text(fraction)}S"
        return ("-" if self.nanos < 0 else "") + "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")


@dataclass(frozen=True, slots=True)
class YearsMonthsDuration:
    """A length of time in months, negative for backwards."""

    months: int

    @classmethod
    def parse(cls, text: str) -> YearsMonthsDuration:
        """Read ``P1Y2M``. Raises ValueError."""
        match = _YEARS_TEXT.match(text)
        if match is None or len(text) > 30:
            raise ValueError(f'Expected a duration such as P1Y2M, but got "{text[:40]}"')
        months = int(match[2] or 0) * 12 + int(match[3] or 0)
        return cls(-months if match[1] else months)

    def __str__(self) -> str:
        if self.months == 0:
            return "P0M"
        years, months = divmod(abs(self.months), 12)
        sign = "-" if self.months < 0 else ""
        return f"{sign}P" + (f"{years}Y" if years else "") + (f"{months}M" if months else "")


Temporal = Date | Time | DateTime | DaysTimeDuration | YearsMonthsDuration


def parse_duration(text: str) -> DaysTimeDuration | YearsMonthsDuration:
    """Read either kind of duration. Raises ValueError."""
    if _YEARS_TEXT.match(text):
        return YearsMonthsDuration.parse(text)
    return DaysTimeDuration.parse(text)


def parse_temporal(text: str) -> Temporal:
    """Read any temporal text, as the literal @"…" does. Raises ValueError when it is none of them."""
    if text.startswith(("P", "-P")):
        return parse_duration(text)
    if "T" in text.split("@", 1)[0]:
        return DateTime.parse(text)
    return Time.parse(text) if ":" in text[:3] else Date.parse(text)


def _fixed(offset: int | None) -> dt.tzinfo | None:
    if offset is None:
        return None
    return dt.UTC if offset == 0 else dt.timezone(dt.timedelta(seconds=offset))


def _zone_from_python(value: dt.datetime | dt.time) -> Zone:
    if value.tzinfo is None:
        return None
    if isinstance(value.tzinfo, ZoneInfo) and value.tzinfo.key != "UTC":
        return value.tzinfo.key
    offset = value.utcoffset()
    return int(offset.total_seconds()) if offset is not None else None


def from_python(value: dt.datetime | dt.date | dt.time | dt.timedelta) -> Temporal:
    """Turn a value of Python's datetime module into its FEEL counterpart."""
    if isinstance(value, dt.datetime):
        return DateTime(Date(value.year, value.month, value.day), _time_from_python(value))
    if isinstance(value, dt.date):
        return Date(value.year, value.month, value.day)
    if isinstance(value, dt.time):
        return _time_from_python(value)
    micros = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    return DaysTimeDuration(micros * 1000)


def _time_from_python(value: dt.datetime | dt.time) -> Time:
    nano = value.microsecond * 1000
    return Time.of(value.hour, value.minute, value.second, nano=nano, zone=_zone_from_python(value))


def compare_points(left: Any, right: Any) -> int | None:
    """Order two temporal values: negative, 0, positive, or None where they cannot be compared.

    A date stands for its midnight in UTC beside a date and time. Equal means equal at milliseconds, except for
    durations, which are exact.
    """
    if isinstance(left, DaysTimeDuration) and isinstance(right, DaysTimeDuration):
        return left.nanos - right.nanos
    if isinstance(left, YearsMonthsDuration) and isinstance(right, YearsMonthsDuration):
        return left.months - right.months
    if isinstance(left, Date) and isinstance(right, Date):
        return left.number - right.number
    if isinstance(left, Time) and isinstance(right, Time):
        if (left.zone is None) != (right.zone is None):
            return None
        return left.point // _MILLI - right.point // _MILLI
    first, second = as_moment(left), as_moment(right)
    if first is None or second is None or (first.zone is None) != (second.zone is None):
        return None
    return first.instant // _MILLI - second.instant // _MILLI


def as_moment(value: Any) -> DateTime | None:
    """Return a date and time; a date becomes its midnight in UTC, anything else None."""
    if isinstance(value, DateTime):
        return value
    return DateTime(value, Time(0, 0)) if isinstance(value, Date) else None
