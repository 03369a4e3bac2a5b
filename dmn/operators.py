"""Arithmetic, comparison and properties of FEEL values. NullResult says why there is no answer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, DecimalException

from dmn.temporal import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Date,
    DateTime,
    DaysTimeDuration,
    Time,
    YearsMonthsDuration,
    as_moment,
    date_of,
)
from dmn.values import DECIMAL128, TEMPORAL, Function, NullResult, Range, Spender, Value, compare, describe, equal

_ONE = Decimal(1)


def add(left: Value, right: Value, run: Spender) -> Value:
    """Add numbers, texts, or durations to what they can move. Raises NullResult."""
    kind = type(left)
    if kind is Decimal and type(right) is Decimal:
        return _computed(DECIMAL128.add, left, right)
    if kind is str and type(right) is str:
        run.allow_text(len(left) + len(right))
        return left + right
    if kind in (DaysTimeDuration, YearsMonthsDuration) and type(right) in (Date, Time, DateTime):
        return _moved(right, left, 1)
    return _combined(left, right, 1, "+")


def subtract(left: Value, right: Value, run: Spender) -> Value:
    """Subtract numbers, durations, or one point in time from another. Raises NullResult."""
    if type(left) is Decimal and type(right) is Decimal:
        return _computed(DECIMAL128.subtract, left, right)
    if type(left) is Time and type(right) is Time and (left.zone is None) == (right.zone is None):
        return DaysTimeDuration(left.point - right.point)
    first, second = as_moment(left), as_moment(right)
    if first is not None and second is not None:
        if (first.zone is None) != (second.zone is None):
            raise NullResult("Expected two times with a zone or two without, but only one has a zone", "type")
        return DaysTimeDuration(first.instant - second.instant)
    return _combined(left, right, -1, "-")


def multiply(left: Value, right: Value, run: Spender) -> Value:
    """Multiply numbers, or a duration by a number. Raises NullResult."""
    if type(left) is Decimal and type(right) is Decimal:
        return _computed(DECIMAL128.multiply, left, right)
    if type(left) is Decimal and type(right) in (DaysTimeDuration, YearsMonthsDuration):
        left, right = right, left
    if type(right) is Decimal:
        if type(left) is DaysTimeDuration:
            return DaysTimeDuration(_whole(Decimal(left.nanos), right, "*"))
        if type(left) is YearsMonthsDuration:
            return YearsMonthsDuration(_whole(Decimal(left.months), right, "*"))
    raise _no_operands("*", left, right)


def divide(left: Value, right: Value, run: Spender) -> Value:
    """Divide numbers, a duration by a number, or a duration by its like. Raises NullResult."""
    kinds = (type(left), type(right))
    if kinds == (Decimal, Decimal):
        return _computed(DECIMAL128.divide, left, right)
    if kinds == (DaysTimeDuration, Decimal):
        return DaysTimeDuration(_whole(Decimal(left.nanos), right, "/"))
    if kinds == (YearsMonthsDuration, Decimal):
        return YearsMonthsDuration(_whole(Decimal(left.months), right, "/"))
    if kinds == (DaysTimeDuration, DaysTimeDuration):
        return _computed(DECIMAL128.divide, Decimal(left.nanos), Decimal(right.nanos))
    if kinds == (YearsMonthsDuration, YearsMonthsDuration):
        return _computed(DECIMAL128.divide, Decimal(left.months), Decimal(right.months))
    raise _no_operands("/", left, right)


def power(left: Value, right: Value, run: Spender) -> Value:
    """Raise a number to a power. Raises NullResult."""
    if type(left) is Decimal and type(right) is Decimal:
        return _computed(DECIMAL128.power, left, right)
    raise _no_operands("**", left, right)


ARITHMETIC: dict[str, Callable[[Value, Value, Spender], Value]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "**": power,
}


def negate(value: Value) -> Value:
    """Return the value with its sign turned. Raises NullResult."""
    if type(value) is Decimal:
        return DECIMAL128.minus(value)
    if type(value) is DaysTimeDuration:
        return DaysTimeDuration(-value.nanos)
    if type(value) is YearsMonthsDuration:
        return YearsMonthsDuration(-value.months)
    raise NullResult(f"Expected a number or a duration after -, but got {describe(value)}", "type")


def _computed(operation: Callable[[Decimal, Decimal], Decimal], left: Decimal, right: Decimal) -> Decimal:
    try:
        return operation(left, right)
    except DecimalException:
        if right == 0:
            raise NullResult("Expected a divisor other than 0, but it is 0", "arithmetic") from None
        raise NullResult("Expected a number within decimal128, but the result is none", "arithmetic") from None


def _whole(amount: Decimal, factor: Decimal, operator: str) -> int:
    operation = DECIMAL128.multiply if operator == "*" else DECIMAL128.divide
    product = _computed(operation, amount, factor)
    if abs(product) > Decimal(10) ** 30:
        raise NullResult("Expected a duration of at most 10^30 parts, but the result is longer", "arithmetic")
    # Months have no parts: DMN rounds towards zero; nanoseconds are far below what anybody compares.
    return int(product.to_integral_value(ROUND_DOWN))


def _combined(left: Value, right: Value, sign: int, operator: str) -> Value:
    kind = type(left)
    if kind is type(right) is DaysTimeDuration:
        return DaysTimeDuration(left.nanos + sign * right.nanos)
    if kind is type(right) is YearsMonthsDuration:
        return YearsMonthsDuration(left.months + sign * right.months)
    if kind in (Date, Time, DateTime) and type(right) in (DaysTimeDuration, YearsMonthsDuration):
        return _moved(left, right, sign)
    raise _no_operands(operator, left, right)


def _moved(point: Value, duration: Value, sign: int) -> Value:
    try:
        if type(duration) is YearsMonthsDuration:
            if type(point) is Time:
                raise NullResult("Expected a days and time duration to move a time, but got years and months", "type")
            return point.add_months(sign * duration.months)
        if type(point) is Date:
            # A date counts as its midnight; what is left of a day after the move is dropped.
            return date_of((point.number * DAY + sign * duration.nanos) // DAY)
        return point.add(sign * duration.nanos)
    except ValueError as error:
        raise NullResult(str(error), "arithmetic") from None


def _no_operands(operator: str, left: Value, right: Value) -> NullResult:
    return NullResult(
        f"Expected operands that {operator} can work on, but got {describe(left)} and {describe(right)}", "type"
    )


COMPARE: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def compared(operator: str, left: Value, right: Value, run: Spender) -> bool:
    """Answer ``left operator right``. Raises NullResult when the two cannot be compared."""
    if operator in ("=", "!="):
        same = equal(left, right, run)
        if same is None:
            raise NullResult(f"Expected two values of one kind, but got {describe(left)} and {describe(right)}", "type")
        return same if operator == "=" else not same
    order = compare(left, right)
    if order is None:
        raise NullResult(
            f"Expected two values that {operator} can order, but got {describe(left)} and {describe(right)}", "type"
        )
    return COMPARE[operator](order)


def make_range(low: Value, high: Value, low_included: bool, high_included: bool) -> Range:
    """Build a range of two values of one kind. Raises NullResult."""
    if low is not None and high is not None and compare(low, high) is None:
        raise NullResult(f"Expected a range of one ordered kind, but got {describe(low)} and {describe(high)}", "type")
    for bound in (low, high):
        if bound is not None and type(bound) not in (Decimal, str, *TEMPORAL):
            raise NullResult(f"Expected ends of a range that can be ordered, but got {describe(bound)}", "type")
    return Range(low, high, low_included and low is not None, high_included and high is not None)


def make_unary_range(operator: str, bound: Value) -> Range:
    """Build the range that ``(< bound)`` stands for. Raises NullResult."""
    if operator in ("<", "<="):
        made = make_range(None, bound, False, operator == "<=")
    elif operator in (">", ">="):
        made = make_range(bound, None, operator == ">=", False)
    else:
        made = Range(bound, bound, operator == "=", operator == "=")
    return Range(made.low, made.high, made.low_included, made.high_included, operator)


def property_of(value: Value, name: str) -> Value:
    """Return a property of a date, time, duration or range. Raises NullResult when it has none of that name."""
    read = _PROPERTIES.get((type(value), name))
    if read is None:
        raise NullResult(f"Expected {describe(value)} to have a property {name}, but it has none", "property")
    return read(value)


def _number(value: int) -> Decimal:
    return Decimal(value)


def _offset(value: Time | DateTime) -> Value:
    offset = value.offset
    return None if offset is None else DaysTimeDuration(offset * SECOND)


def _zone_name(value: Time | DateTime) -> str | None:
    return value.zone if isinstance(value.zone, str) else None


def _seconds(value: DaysTimeDuration) -> Decimal:
    return DECIMAL128.divide(Decimal(value.field(1, MINUTE)), Decimal(SECOND))


_PROPERTIES: dict[tuple[type, str], Callable[[Value], Value]] = {
    (Date, "year"): lambda v: _number(v.year),
    (Date, "month"): lambda v: _number(v.month),
    (Date, "day"): lambda v: _number(v.day),
    (Date, "weekday"): lambda v: _number(v.weekday),
    (DateTime, "year"): lambda v: _number(v.date.year),
    (DateTime, "month"): lambda v: _number(v.date.month),
    (DateTime, "day"): lambda v: _number(v.date.day),
    (DateTime, "weekday"): lambda v: _number(v.date.weekday),
    (DateTime, "hour"): lambda v: _number(v.time.hour),
    (DateTime, "minute"): lambda v: _number(v.time.minute),
    (DateTime, "second"): lambda v: _number(v.time.second),
    (DateTime, "time offset"): _offset,
    (DateTime, "timezone"): _zone_name,
    (Time, "hour"): lambda v: _number(v.hour),
    (Time, "minute"): lambda v: _number(v.minute),
    (Time, "second"): lambda v: _number(v.second),
    (Time, "time offset"): _offset,
    (Time, "timezone"): _zone_name,
    (DaysTimeDuration, "days"): lambda v: _number(v.field(DAY, 0)),
    (DaysTimeDuration, "hours"): lambda v: _number(v.field(HOUR, 24)),
    (DaysTimeDuration, "minutes"): lambda v: _number(v.field(MINUTE, 60)),
    (DaysTimeDuration, "seconds"): _seconds,
    (YearsMonthsDuration, "years"): lambda v: _number(int(v.months / 12) if abs(v.months) < 2**50 else v.months // 12),
    (YearsMonthsDuration, "months"): lambda v: _number((abs(v.months) % 12) * (-1 if v.months < 0 else 1)),
    (Range, "start"): lambda v: v.low,
    (Range, "end"): lambda v: v.high,
    (Range, "start included"): lambda v: v.low_included,
    (Range, "end included"): lambda v: v.high_included,
}  # fmt: skip


def integer_of(value: Value, what: str) -> int:
    """Return a whole number as int. Raises NullResult."""
    if type(value) is not Decimal:
        raise NullResult(f"Expected a number as {what}, but got {describe(value)}")
    if abs(value) > 10**18:
        raise NullResult(f"Expected a number of at most 18 digits as {what}, but it is larger")
    return int(
        value.to_integral_value(ROUND_HALF_EVEN)
        if value == value.to_integral_value()
        else value.quantize(_ONE, ROUND_DOWN)
    )


def is_function(value: Value) -> bool:
    """Tell whether a value can be called."""
    return type(value) is Function
