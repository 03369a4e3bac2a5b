"""Ranges: the algebra of DMN 1.5, 10.3.4.10 (Allen's relations between points and intervals)."""

from __future__ import annotations

import re
from decimal import DecimalException

from dmn.budget import Run
from dmn.functions.registry import built_in
from dmn.operators import make_range
from dmn.temporal import parse_temporal
from dmn.values import DECIMAL128, NullResult, Range, Value, compare, contains, describe


def _order(left: Value, right: Value, *, left_open: int = 0, right_open: int = 0) -> int:
    """Order two ends; an open end counts as infinity, in the direction that ``left_open`` / ``right_open`` give."""
    if left is None or right is None:
        if left is None and right is None:
            return (left_open > right_open) - (left_open < right_open)
        return left_open if left is None else -right_open
    order = compare(left, right)
    if order is None:
        raise NullResult(f"Expected points of one ordered kind, but got {describe(left)} and {describe(right)}", "type")
    return (order > 0) - (order < 0)


def _starts_order(one: Range, other: Range) -> int:
    return _order(one.low, other.low, left_open=-1, right_open=-1)


def _ends_order(one: Range, other: Range) -> int:
    return _order(one.high, other.high, left_open=1, right_open=1)


def _end_to_start(one: Range, other: Range) -> int:
    return _order(one.high, other.low, left_open=1, right_open=-1)


def _point(value: Value) -> Value:
    if value is None or compare(value, value) is None:
        raise NullResult(f"Expected a point that can be ordered, but got {describe(value)}")
    return value


def _before(one: Value, other: Value) -> bool:
    if type(one) is Range and type(other) is Range:
        order = _end_to_start(one, other)
        return order < 0 or (order == 0 and not (one.high_included and other.low_included))
    if type(one) is Range:
        order = _order(one.high, _point(other), left_open=1)
        return order < 0 or (order == 0 and not one.high_included)
    if type(other) is Range:
        order = _order(_point(one), other.low, right_open=-1)
        return order < 0 or (order == 0 and not other.low_included)
    return _order(_point(one), _point(other)) < 0


@built_in("before(point1: any, point2: any)")
@built_in("before(point: any, range: any)")
@built_in("before(range: any, point: any)")
@built_in("before(range1: any, range2: any)")
def before(run: Run, one: Value, other: Value) -> Value:
    """Tell whether one ends before the other begins."""
    return _before(one, other)


@built_in("after(point1: any, point2: any)")
@built_in("after(point: any, range: any)")
@built_in("after(range: any, point: any)")
@built_in("after(range1: any, range2: any)")
def after(run: Run, one: Value, other: Value) -> Value:
    """Tell whether one begins after the other ends."""
    return _before(other, one)


def _meets(one: Range, other: Range) -> bool:
    return one.high_included and other.low_included and _end_to_start(one, other) == 0


@built_in("meets(range1: range, range2: range)")
def meets(run: Run, one: Range, other: Range) -> Value:
    """Tell whether the first ends exactly where the second begins."""
    return _meets(one, other)


@built_in("met by(range1: range, range2: range)")
def met_by(run: Run, one: Range, other: Range) -> Value:
    """Tell whether the first begins exactly where the second ends."""
    return _meets(other, one)


@built_in("overlaps(range1: range, range2: range)")
def overlaps(run: Run, one: Range, other: Range) -> Value:
    """Tell whether two ranges have a point in common."""
    return not _before(one, other) and not _before(other, one)


def _overlaps_before(one: Range, other: Range) -> bool:
    starts = _starts_order(one, other)
    ends = _ends_order(one, other)
    begins_earlier = starts < 0 or (starts == 0 and one.low_included and not other.low_included)
    ends_inside = ends < 0 or (ends == 0 and (not one.high_included or other.high_included))
    return begins_earlier and not _before(one, other) and ends_inside


@built_in("overlaps before(range1: range, range2: range)")
def overlaps_before(run: Run, one: Range, other: Range) -> Value:
    """Tell whether the first begins earlier and ends within the second."""
    return _overlaps_before(one, other)


@built_in("overlaps after(range1: range, range2: range)")
def overlaps_after(run: Run, one: Range, other: Range) -> Value:
    """Tell whether the first begins within the second and ends later."""
    starts = _starts_order(one, other)
    ends = _ends_order(one, other)
    begins_inside = starts > 0 or (starts == 0 and other.low_included and not one.low_included)
    ends_later = ends > 0 or (ends == 0 and (not other.high_included or one.high_included))
    return begins_inside and not _before(other, one) and ends_later


def _finishes(one: Value, other: Range) -> bool:
    if type(one) is not Range:
        return other.high_included and _order(_point(one), other.high, right_open=1) == 0
    if _ends_order(one, other) != 0 or one.high_included != other.high_included:
        return False
    starts = _starts_order(one, other)
    return starts > 0 or (starts == 0 and (not one.low_included or other.low_included))


@built_in("finishes(point: any, range: range)")
@built_in("finishes(range1: any, range2: range)")
def finishes(run: Run, one: Value, other: Range) -> Value:
    """Tell whether one ends the range, and begins within it."""
    return _finishes(one, other)


@built_in("finished by(range: range, point: any)")
@built_in("finished by(range1: range, range2: any)")
def finished_by(run: Run, one: Range, other: Value) -> Value:
    """Tell whether the range is ended by the other."""
    return _finishes(other, one)


def _includes(one: Range, other: Value) -> bool:
    if type(other) is not Range:
        return contains(one, _point(other)) is True
    starts, ends = _starts_order(one, other), _ends_order(one, other)
    begins = starts < 0 or (starts == 0 and (one.low_included or not other.low_included))
    return begins and (ends > 0 or (ends == 0 and (one.high_included or not other.high_included)))


@built_in("includes(range: range, point: any)")
@built_in("includes(range1: range, range2: any)")
def includes(run: Run, one: Range, other: Value) -> Value:
    """Tell whether the range holds all of the other."""
    return _includes(one, other)


@built_in("during(point: any, range: range)")
@built_in("during(range1: any, range2: range)")
def during(run: Run, one: Value, other: Range) -> Value:
    """Tell whether one lies within the range."""
    return _includes(other, one)


def _starts(one: Value, other: Range) -> bool:
    if type(one) is not Range:
        return other.low_included and _order(_point(one), other.low, right_open=-1) == 0
    if _starts_order(one, other) != 0 or one.low_included != other.low_included:
        return False
    ends = _ends_order(one, other)
    return ends < 0 or (ends == 0 and (not one.high_included or other.high_included))


@built_in("starts(point: any, range: range)")
@built_in("starts(range1: any, range2: range)")
def starts(run: Run, one: Value, other: Range) -> Value:
    """Tell whether one begins the range, and ends within it."""
    return _starts(one, other)


@built_in("started by(range: range, point: any)")
@built_in("started by(range1: range, range2: any)")
def started_by(run: Run, one: Range, other: Value) -> Value:
    """Tell whether the range is begun by the other."""
    return _starts(other, one)


@built_in("coincides(point1: any, point2: any)")
@built_in("coincides(range1: any, range2: any)")
def coincides(run: Run, one: Value, other: Value) -> Value:
    """Tell whether two points or ranges are the same."""
    if type(one) is not Range or type(other) is not Range:
        return _order(_point(one), _point(other)) == 0
    same_ends = _starts_order(one, other) == 0 and _ends_order(one, other) == 0
    return same_ends and (one.low_included, one.high_included) == (other.low_included, other.high_included)


@built_in("range(from: string)")
def range_of(run: Run, text: str) -> Value:
    """Read a range such as "[1..3)"; its ends are literals."""
    body = text.strip()
    low, mark, high = body[1:-1].partition("..")
    if len(body) < 4 or body[0] not in "[(]" or body[-1] not in ")][" or not mark:
        raise NullResult(f"Expected a text such as [1..3], but got {describe(text)}")
    first, last = _bound(low.strip()), _bound(high.strip())
    if first is None and last is None:
        raise NullResult("Expected a range with at least one end, but it has none")
    if first is not None and last is not None and (compare(first, last) or 0) > 0:
        raise NullResult("Expected the start of a range before its end, but it is after")
    return make_range(first, last, body[0] == "[", body[-1] == "]")


_CALL = re.compile(r'(date and time|date|time|duration)\s*\(\s*"([^"]*)"\s*\)\Z')


def _bound(text: str) -> Value:
    if text in ("", "null"):
        return None
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    call = _CALL.match(text)
    literal = call[2] if call else text[2:-1] if text.startswith('@"') and text.endswith('"') else None
    try:
        return parse_temporal(literal) if literal is not None else DECIMAL128.create_decimal(text)
    except (ValueError, DecimalException):
        raise NullResult(f"Expected a literal as end of a range, but got {text[:40]}") from None
