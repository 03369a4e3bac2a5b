"""How values are written for a person: amounts, quantities, dates and spans in their locale and zone.

Pure functions of a value and a ``Custom``; the Jinja filters bind the visitor's.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

MINOR_UNITS: Mapping[str, int] = {"JPY": 0, "KRW": 0, "ISK": 0, "KWD": 3, "BHD": 3, "TND": 3}
"""Decimals of a currency's minor unit where it is not two (ISO 4217)."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NARROW_SPACE = "\u202f"


UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Custom:
    """How one person writes numbers and dates. day: a pattern over d, dd, mm, mon, yyyy."""

    tag: str = "en-US"
    point: str = "."
    group: str = ","
    day: str = "{mon} {d}, {yyyy}"
    short_day: str = "{mon} {d}"
    zone: ZoneInfo = UTC


CUSTOMS: Mapping[str, Custom] = {
    "en-US": Custom(),
    "en-GB": Custom("en-GB", ".", ",", "{d} {mon} {yyyy}", "{d} {mon}"),
    "de-DE": Custom("de-DE", ",", ".", "{dd}.{mm}.{yyyy}", "{dd}.{mm}."),
    "fr-FR": Custom("fr-FR", ",", NARROW_SPACE, "{dd}/{mm}/{yyyy}", "{dd}/{mm}"),
    "sv-SE": Custom("sv-SE", ",", NARROW_SPACE, "{yyyy}-{mm}-{dd}", "{mm}-{dd}"),
}
"""The customs offered in the profile, by language tag."""


def custom(tag: str | None, zone: str | None) -> Custom:
    """Return the customs of a language tag (its language decides when the region is unknown) in a zone."""
    wanted = tag or "en-US"
    found = CUSTOMS.get(wanted) or next(
        (known for key, known in CUSTOMS.items() if key.split("-")[0] == wanted.split("-")[0]), CUSTOMS["en-US"]
    )
    return Custom(found.tag, found.point, found.group, found.day, found.short_day, ZoneInfo(zone or "UTC"))


@lru_cache(maxsize=1_000)
def plain(zone: str | None) -> Custom:
    """Return the customs of machines in a zone: numbers with a point."""
    return Custom(zone=ZoneInfo(zone or "UTC"))


def number(value: Decimal | int, decimals: int | None, how: Custom) -> str:
    """Write a number; decimals None keeps what is significant and drops trailing zeros."""
    exact = Decimal(value)
    if decimals is not None:
        exact = exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    text = f"{exact:,f}"
    whole, _, fraction = text.partition(".")
    if decimals is None:
        fraction = fraction.rstrip("0")
    whole = whole.replace(",", how.group).replace("-", "\u2212")
    return f"{whole}{how.point}{fraction}" if fraction else whole


def money(value: Decimal | int | None, currency: str | None, how: Custom, *, unit_price: bool = False) -> str:
    """Write an amount with its currency, at the currency's minor unit; a unit price at two to four decimals."""
    if value is None:
        return "—"
    decimals = MINOR_UNITS.get(currency or "", 2)
    if unit_price:
        significant = -int(Decimal(value).normalize().as_tuple().exponent)
        decimals = min(max(decimals, significant), 4)
    text = number(value, decimals, how)
    return f"{text}\u00a0{currency}" if currency else text


def quantity(value: Decimal | int | None, unit: str | None, how: Custom) -> str:
    """Write a quantity with its unit, without zeros that say nothing."""
    if value is None:
        return "—"
    text = number(value, None, how)
    return f"{text}\u00a0{unit}" if unit else text


def day(value: dt.date | None, how: Custom, *, short: bool = False) -> str:
    """Write a date; short leaves the year out."""
    if value is None:
        return "—"
    pattern = how.short_day if short else how.day
    return pattern.format(
        d=value.day, dd=f"{value.day:02}", mm=f"{value.month:02}", mon=MONTHS[value.month - 1], yyyy=value.year
    )


def instant(value: dt.datetime | None, how: Custom) -> str:
    """Write an instant in the person's zone, to the minute, with the zone's name."""
    if value is None:
        return "—"
    local = value.astimezone(how.zone)
    return f"{day(local.date(), how)}, {local:%H:%M} {local:%Z}"


def moment(value: dt.datetime | None, now: dt.datetime, how: Custom) -> str:
    """Write an instant as briefly as it is clear beside ``now``: the time today, else the day and the time."""
    if value is None:
        return "—"
    local, today = value.astimezone(how.zone), now.astimezone(how.zone).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    return f"{day(local.date(), how, short=local.year == today.year)}, {local:%H:%M}"


def span(seconds: float) -> str:
    """Write a span in its largest sensible unit: ``3 d``, ``2 h``, ``5 min``."""
    if seconds >= 86_400:
        return f"{int(seconds // 86_400)} d"
    if seconds >= 3_600:
        return f"{int(seconds // 3_600)} h"
    return f"{max(1, math.ceil(seconds / 60))} min"


@dataclass(frozen=True, slots=True)
class Due:
    """A due date in words. tone: ``late``, ``soon`` or ``calm``."""

    words: str
    tone: str


def due(value: dt.datetime | None, now: dt.datetime, how: Custom) -> Due | None:
    """Say how much time is left: hours within a day, working days beyond, red when late."""
    if value is None:
        return None
    left = (value - now).total_seconds()
    if left < 0:
        return Due(f"{span(-left)} late", "late")
    if left < 86_400:
        return Due(span(left), "soon")
    working = weekdays_between(now.astimezone(how.zone).date(), value.astimezone(how.zone).date())
    return Due(f"{max(1, working)} wd", "calm" if working > 1 else "soon")


def weekdays_between(start: dt.date, end: dt.date) -> int:
    """Count Mondays to Fridays after ``start`` up to and with ``end``."""
    days = max(0, (end - start).days)
    return sum((start + dt.timedelta(days=offset)).weekday() < 5 for offset in range(1, days + 1))


def initials(name: str) -> str:
    """Return one or two letters for a face."""
    words = [word for word in name.replace(".", " ").split() if word[:1].isalnum()]
    letters = (words[0][0] + (words[-1][0] if len(words) > 1 else "")) if words else "?"
    return letters.upper()


def face(name: str) -> int:
    """Return which of eight quiet colours a person has, the same every time."""
    return sum(ord(letter) * place for place, letter in enumerate(name, start=1)) % 8


KEY = re.compile(r"(?<![\w/&#-])[A-Z][A-Z0-9]{0,5}-[A-Z0-9]\w*(?:[-/]\w+)*(?![\w-])")
"""``CO-000002``, ``WB-2200/B``, ``PO-5010/A1``: what people call a document."""

INITIALS = frozenset({"po", "wo", "osp", "ncr", "erp", "mes"})
"""Words that are initials, and stay so."""

SPELT_OUT = {
    "PART_RCVD": "partly received", "RCVD": "received", "DOC_ERROR": "error in a document", "SUPPLIER_NOTICE": "notice of a supplier",
    "CAPA": "corrective action", "REGULATORY": "regulation", "UPDATE_BOM": "release", "UPDATE_ROUTING": "routing and instructions",
    "AMEND_PO": "amendment", "CHANGE_WO": "work order", "MOVE_STOCK": "stock", "NOTIFY_SUPPLIER": "supplier",
    "NOTIFY_CUSTOMER": "customer", "TRAIN": "training", "FAI": "first article", "REVALIDATE": "validation", "LABEL": "labels",
    "DOC_ONLY": "documents only", "fai": "first article",
}  # fmt: skip
"""Codes whose letters are no words."""


def words(value: str) -> str:
    """Turn a code into words: ``IN_APPROVAL`` becomes ``In approval``, ``PO_LINKED`` becomes ``PO linked``."""
    text = SPELT_OUT.get(str(value)) or str(value).replace("_", " ").strip().lower()
    said = " ".join(word.upper() if word in INITIALS else word for word in text.split(" "))
    return said[:1].upper() + said[1:]


def without_key(title: str, key: str | None) -> str:
    """Return a title without the key that it begins with, for places that show the key beside it."""
    rest = title.removeprefix(key).lstrip(" :") if key and title.startswith(key) else title
    return rest[:1].upper() + rest[1:] if rest else title


def bound(text: str) -> Markup:
    """Return a text as HTML in which no key of a document breaks over two lines."""
    return Markup(KEY.sub(r'<span class="nowrap">\g<0></span>', str(escape(text))))  # noqa: S704  # escaped just before


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return the count with the right form of the noun."""
    return f"{count} {one if count == 1 else many or one + 's'}"
