"""Numbers: DMN 1.5, 10.3.4.5 and the statistics of 10.3.4.4."""

from __future__ import annotations

from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Decimal,
    DecimalException,
)

from dmn.budget import Run
from dmn.functions.registry import built_in
from dmn.operators import integer_of
from dmn.temporal import DaysTimeDuration, YearsMonthsDuration
from dmn.values import DECIMAL128, NullResult, Value, describe

_MAX_SCALE = 6176
_MIN_SCALE = -6111


def _compute(operation: Callable[[], Decimal]) -> Decimal:
    try:
        return operation()
    except DecimalException:
        raise NullResult("Expected a number within decimal128, but the result is none", "arithmetic") from None


def _rounded(value: Decimal, scale: Value, rounding: str) -> Decimal:
    digits = 0 if scale is None else integer_of(scale, "scale")
    if not _MIN_SCALE <= digits <= _MAX_SCALE:
        raise NullResult(f"Expected a scale between {_MIN_SCALE} and {_MAX_SCALE}, but got {digits}")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent <= digits:
        return value
    if value.adjusted() + digits < -40:
        # Far below the last kept digit: only directed rounding leaves anything.
        value = Decimal((int(value.is_signed()), (1,), -digits - 2)) if value else value
    quantum = Decimal((0, (1,), -digits))
    return _compute(lambda: DECIMAL128.plus(value.quantize(quantum, rounding, DECIMAL128.__class__(prec=6200))))


@built_in("decimal(n: number, scale: number)")
def decimal(run: Run, n: Decimal, scale: Decimal) -> Value:
    """Round to a scale, half to even."""
    return _rounded(n, scale, ROUND_HALF_EVEN)


@built_in("floor(n: number, scale: number =)")
def floor(run: Run, n: Decimal, scale: Value = None) -> Value:
    """Round down to a scale (0 by default)."""
    return _rounded(n, scale, ROUND_FLOOR)


@built_in("ceiling(n: number, scale: number =)")
def ceiling(run: Run, n: Decimal, scale: Value = None) -> Value:
    """Round up to a scale (0 by default)."""
    return _rounded(n, scale, ROUND_CEILING)


@built_in("round up(n: number, scale: number)")
def round_up(run: Run, n: Decimal, scale: Decimal) -> Value:
    """Round away from zero."""
    return _rounded(n, scale, ROUND_UP)


@built_in("round down(n: number, scale: number)")
def round_down(run: Run, n: Decimal, scale: Decimal) -> Value:
    """Round towards zero."""
    return _rounded(n, scale, ROUND_DOWN)


@built_in("round half up(n: number, scale: number)")
def round_half_up(run: Run, n: Decimal, scale: Decimal) -> Value:
    """Round to the nearest, halves away from zero."""
    return _rounded(n, scale, ROUND_HALF_UP)


@built_in("round half down(n: number, scale: number)")
def round_half_down(run: Run, n: Decimal, scale: Decimal) -> Value:
    """Round to the nearest, halves towards zero."""
    return _rounded(n, scale, ROUND_HALF_DOWN)


@built_in("abs(n: number|days and time duration|years and months duration)")
def absolute(run: Run, n: Value) -> Value:
    """Return the size of a number or a duration, without its sign."""
    if type(n) is DaysTimeDuration:
        return DaysTimeDuration(abs(n.nanos))
    if type(n) is YearsMonthsDuration:
        return YearsMonthsDuration(abs(n.months))
    return abs(n)


@built_in("modulo(dividend: number, divisor: number)")
def modulo(run: Run, dividend: Decimal, divisor: Decimal) -> Value:
    """Return the remainder, with the sign of the divisor."""
    if divisor == 0:
        raise NullResult("Expected a divisor other than 0, but it is 0", "arithmetic")

    def remainder() -> Decimal:
        left = DECIMAL128.remainder(dividend, divisor)
        # The result has the sign of the divisor: modulo(-12, 5) is 3.
        return DECIMAL128.add(left, divisor) if left and left.is_signed() != divisor.is_signed() else left

    return _compute(remainder)


@built_in("sqrt(number: number)")
def square_root(run: Run, number: Decimal) -> Value:
    """Return the square root; null below 0."""
    return _compute(lambda: DECIMAL128.sqrt(number))


@built_in("log(number: number)")
def logarithm(run: Run, number: Decimal) -> Value:
    """Return the natural logarithm; null at 0 and below."""
    if number <= 0:
        raise NullResult(f"Expected a number above 0 for log, but got {number}")
    return _compute(lambda: DECIMAL128.ln(number))


@built_in("exp(number: number)")
def exponential(run: Run, number: Decimal) -> Value:
    """Return e raised to a number."""
    return _compute(lambda: DECIMAL128.exp(number))


@built_in("odd(number: number)")
def odd(run: Run, number: Decimal) -> Value:
    """Tell whether a number is odd."""
    return _parity(number) == 1


@built_in("even(number: number)")
def even(run: Run, number: Decimal) -> Value:
    """Tell whether a number is even."""
    return _parity(number) == 0


def _parity(number: Decimal) -> Decimal:
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        return Decimal(0)
    return abs(number) % 2


# Statistics


def _numbers(values: list[Value], what: str) -> list[Decimal]:
    for value in values:
        if type(value) is not Decimal:
            raise NullResult(f"Expected only numbers in {what}, but got {describe(value)}")
    return values


@built_in("sum(list: list)", variadic=True)
def total(run: Run, values: list[Value]) -> Value:
    """Add up numbers, or durations of one kind."""
    run.spend(len(values))
    if not values:
        raise NullResult("Expected at least one number to sum, but the list is empty")
    if type(values[0]) in (DaysTimeDuration, YearsMonthsDuration):
        return _total_duration(values)

    def add_up() -> Decimal:
        result = Decimal(0)
        for number in _numbers(values, "sum"):
            result = DECIMAL128.add(result, number)
        return result

    return _compute(add_up)


def _total_duration(values: list[Value]) -> Value:
    kind = type(values[0])
    for value in values:
        if type(value) is not kind:
            raise NullResult(f"Expected durations of one kind in sum, but got {describe(value)}")
    if kind is DaysTimeDuration:
        return DaysTimeDuration(sum(value.nanos for value in values))
    return YearsMonthsDuration(sum(value.months for value in values))


def _sum(values: list[Decimal]) -> Decimal:
    result = Decimal(0)
    for number in values:
        result = DECIMAL128.add(result, number)
    return result


@built_in("mean(list: list)", variadic=True)
def mean(run: Run, values: list[Value]) -> Value:
    """Return the arithmetic mean."""
    run.spend(len(values))
    if not values:
        raise NullResult("Expected at least one number for mean, but the list is empty")
    numbers = _numbers(values, "mean")
    return _compute(lambda: DECIMAL128.divide(_sum(numbers), Decimal(len(numbers))))


@built_in("product(list: list)", variadic=True)
def product(run: Run, values: list[Value]) -> Value:
    """Multiply all numbers."""
    run.spend(len(values))
    if not values:
        raise NullResult("Expected at least one number for product, but the list is empty")

    def multiply_up() -> Decimal:
        result = Decimal(1)
        for number in _numbers(values, "product"):
            result = DECIMAL128.multiply(result, number)
        return result

    return _compute(multiply_up)


@built_in("median(list: list)", variadic=True)
def median(run: Run, values: list[Value]) -> Value:
    """Return the middle number, or the mean of the two middle ones."""
    run.spend(len(values) * 4)
    ordered = sorted(_numbers(values, "median"))
    if not ordered:
        raise NullResult("Expected at least one number for median, but the list is empty")
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return _compute(lambda: DECIMAL128.divide(DECIMAL128.add(ordered[middle - 1], ordered[middle]), Decimal(2)))


@built_in("stddev(list: list)", variadic=True)
def standard_deviation(run: Run, values: list[Value]) -> Value:
    """Return the sample standard deviation of at least two numbers."""
    run.spend(len(values) * 2)
    numbers = _numbers(values, "stddev")
    if len(numbers) < 2:
        raise NullResult(f"Expected at least two numbers for stddev, but got {len(numbers)}")

    def deviate() -> Decimal:
        average = DECIMAL128.divide(_sum(numbers), Decimal(len(numbers)))
        distances = [DECIMAL128.subtract(number, average) for number in numbers]
        squares = _sum([DECIMAL128.multiply(distance, distance) for distance in distances])
        return DECIMAL128.sqrt(DECIMAL128.divide(squares, Decimal(len(numbers) - 1)))

    return _compute(deviate)


@built_in("mode(list: list)", variadic=True)
def mode(run: Run, values: list[Value]) -> Value:
    """Return the most frequent numbers, the smallest first."""
    run.spend(len(values) * 2)
    counts: dict[Decimal, int] = {}
    for number in _numbers(values, "mode"):
        counts[number] = counts.get(number, 0) + 1
    most = max(counts.values(), default=0)
    return sorted(number for number, count in counts.items() if count == most)
