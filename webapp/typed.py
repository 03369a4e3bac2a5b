"""What people type, as values: numbers in their own customs, dates, words. Each reader refuses with one sentence."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation

from engine.database import LIMIT
from webapp.formats import Custom

LONGEST_NUMBER = 40
SPACES = re.compile(r"[\s\u00a0\u202f]")
GROUPED = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")


class Unreadable(ValueError):
    """What was typed is no such value; the message is the sentence to show by the field."""


def decimal(
    text: str, how: Custom, *, decimals: int, above: Decimal | None = None, at_least: Decimal | None = None
) -> Decimal:
    """Read a number typed in a person's customs.

    Where the comma is the decimal sign, a point parts groups of three (``1.250`` is 1250) and else is read as a decimal
    point, since many people type one.

    Raises: Unreadable for words, too many decimals, or a number outside the limits.
    """
    compact = SPACES.sub("", text).replace("\u2212", "-")
    if len(compact) > LONGEST_NUMBER:
        raise Unreadable(f"Expected a number of at most {decimals} decimals, but found {len(compact)} characters")
    if how.point == "," and ("," in compact or GROUPED.fullmatch(compact)):
        compact = compact.replace(".", "").replace(",", ".", 1)
    elif how.point == ".":
        compact = _without_groups(compact)
    if not NUMBER.fullmatch(compact):
        raise Unreadable(f"Expected a number such as 12{how.point}5, but found “{text.strip()[:40]}”")
    try:
        number = Decimal(compact)
    except InvalidOperation as error:
        raise Unreadable(f"Expected a number such as 12{how.point}5, but found “{text.strip()[:40]}”") from error
    _refuse_outside(number, above, at_least)
    return _within(number, decimals)


def _without_groups(compact: str) -> str:
    whole, point, fraction = compact.partition(".")
    if "," not in whole:
        return compact
    groups = whole.lstrip("+-").split(",")
    if not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]):
        return compact
    return whole.replace(",", "") + point + fraction


def _refuse_outside(number: Decimal, above: Decimal | None, at_least: Decimal | None) -> None:
    if above is not None and number <= above:
        raise Unreadable(f"Expected more than {above:f}, but found {number:f}")
    if at_least is not None and number < at_least:
        raise Unreadable(f"Expected {at_least:f} or more, but found {number:f}")


def _within(number: Decimal, decimals: int) -> Decimal:
    if abs(number) >= LIMIT:
        raise Unreadable("Expected a number below 1,000,000,000,000, but this one is larger")
    if number != number.quantize(Decimal(1).scaleb(-decimals)):
        raise Unreadable(f"Expected at most {decimals} decimals, but found {-int(number.as_tuple().exponent)}")
    return number


def day(text: str) -> dt.date:
    """Read an ISO date, as a date field of a browser sends it. Raises: Unreadable."""
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError as error:
        raise Unreadable(f"Expected a date such as 2026-12-01, but found “{text.strip()[:40]}”") from error


YEARS = range(1900, 3000)
"""The years in which an instant that somebody types may lie."""


def local_instant(text: str, how: Custom) -> dt.datetime:
    """Read a local date and time in the person's zone, as an aware UTC instant. Raises: Unreadable."""
    try:
        local = dt.datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise Unreadable(
            f"Expected a date and time such as 2026-12-01 14:30, but found “{text.strip()[:40]}”"
        ) from error
    # The first and the last day of the calendar have no instant in every zone, and nobody means them.
    if local.year not in YEARS:
        raise Unreadable(f"Expected a year from {YEARS[0]} to {YEARS[-1]}, but found {local.year}")
    return (local if local.tzinfo else local.replace(tzinfo=how.zone)).astimezone(dt.UTC)


def words(text: str, *, longest: int) -> str:
    """Read text of at most ``longest`` characters, line ends as LF, without control characters. Raises: Unreadable."""
    clean = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(clean) > longest:
        raise Unreadable(f"Expected at most {longest:,} characters, but found {len(clean):,}")
    if any(ord(letter) < 32 and letter not in "\n\t" for letter in clean):
        raise Unreadable("Expected plain text, but found control characters; paste it without formatting")
    return clean
