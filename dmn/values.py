"""The values that FEEL computes with, and how Python's values become them and come back.

null is None, number Decimal, string str, boolean bool, list list, context dict; temporal values are those of
``dmn.temporal``; ranges and functions are the classes below. None of them is changed once made.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any, Protocol

from dmn.errors import BudgetExceeded
from dmn.temporal import Date, DateTime, DaysTimeDuration, Time, YearsMonthsDuration, compare_points, from_python

# FEEL values are a union that mypy cannot follow through closures; checks happen at run time, by kind_of().
Value = Any

# IEEE 754 decimal128, as DMN 1.5 10.3.2.3 asks.
DECIMAL128 = Context(
    prec=34, rounding=ROUND_HALF_EVEN, Emin=-6143, Emax=6144, traps=[InvalidOperation, DivisionByZero, Overflow]
)

TEMPORAL = (Date, Time, DateTime, DaysTimeDuration, YearsMonthsDuration)


class Spender(Protocol):
    """Whoever pays for long work: a Run."""

    def spend(self, steps: int = 1) -> None: ...
    def allow_text(self, count: int) -> None: ...


class NullResult(Exception):
    """A built-in has no answer: the call is null, for this reason."""

    def __init__(self, reason: str, code: str = "argument") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


@dataclass(frozen=True, slots=True)
class Range:
    """An interval; an end that is None is open ended.

    operator: the sign of a range written as a comparison, such as ``(< 10)``; such a range equals only its like.
    """

    low: Value
    high: Value
    low_included: bool
    high_included: bool
    operator: str = ""

    def __str__(self) -> str:
        return text_of(self)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function; ``type`` is a FeelType or None for Any."""

    name: str
    type: Any = None


class Function:
    """A function value: a lambda, a BKM, a decision service, a built-in or a host function."""

    __slots__ = ("invoke", "is_built_in", "name", "parameters", "result_type")

    def __init__(
        self,
        name: str,
        parameters: tuple[Parameter, ...],
        invoke: Callable[[Any, list[Value]], Value],
        *,
        result_type: Any = None,
        is_built_in: bool = False,
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.invoke = invoke
        self.result_type = result_type
        # Built-ins check their own arguments, and some take any number of them.
        self.is_built_in = is_built_in

    def __repr__(self) -> str:
        return f"function {self.name}({', '.join(parameter.name for parameter in self.parameters)})"


@dataclass(frozen=True, slots=True)
class HostFunction:
    """A function that the host program lends to expressions.

    call: receives Python values (Decimal, str, bool, None, date, datetime, time, timedelta, list, dict) in the order
    of ``parameters`` and returns such a value. It must be pure and quick. A ValueError it raises makes the call null
    with the error's text as reason. ``name`` and the parameter names may contain spaces.
    """

    name: str
    parameters: tuple[str, ...]
    call: Callable[..., Any]


_KINDS: dict[type, str] = {
    bool: "boolean",
    Decimal: "number",
    str: "string",
    list: "list",
    dict: "context",
    Date: "date",
    Time: "time",
    DateTime: "date and time",
    DaysTimeDuration: "days and time duration",
    YearsMonthsDuration: "years and months duration",
    Range: "range",
    type(None): "null",
}


def kind_of(value: Value) -> str:
    """Return the FEEL name of a value's kind, such as ``number`` or ``date and time``."""
    return _KINDS.get(type(value), "function")


def describe(value: Value) -> str:
    """Return a value for an error message: its kind and a short text."""
    if value is None:
        return "null"
    if type(value) in (list, dict, Range) or kind_of(value) == "function":
        return f"a {kind_of(value)}"
    text = text_of(value)
    return f"the {kind_of(value)} {text if len(text) <= 40 else text[:37] + '…'}"


def equal(left: Value, right: Value, run: Spender | None = None) -> bool | None:
    """Compare for equality in three-valued logic: None where the kinds differ (DMN 1.5, table 42)."""
    if left is None or right is None:
        return left is right
    kind = type(left)
    if kind is not type(right):
        if kind in (Date, DateTime) and type(right) in (Date, DateTime):
            return _same_point(left, right)
        return None
    if kind is Decimal or kind is str or kind is bool:
        return bool(left == right)
    if kind is list:
        return _equal_lists(left, right, run)
    if kind is dict:
        return _equal_contexts(left, right, run)
    if kind is Range:
        return _equal_ranges(left, right, run)
    if kind is Function:
        return None
    return _same_point(left, right)


def _same_point(left: Value, right: Value) -> bool | None:
    order = compare_points(left, right)
    if order is None:
        return False if type(left) is type(right) else None
    return order == 0


def _equal_lists(left: list[Value], right: list[Value], run: Spender | None) -> bool:
    if len(left) != len(right):
        return False
    if run is not None:
        run.spend(len(left) + 1)
    return all(equal(one, other, run) is True for one, other in zip(left, right, strict=True))


def _equal_contexts(left: dict[str, Value], right: dict[str, Value], run: Spender | None) -> bool:
    if left.keys() != right.keys():
        return False
    if run is not None:
        run.spend(len(left) + 1)
    return all(equal(value, right[key], run) is True for key, value in left.items())


def _equal_ranges(left: Range, right: Range, run: Spender | None) -> bool:
    same_shape = (left.low_included, left.high_included, left.operator) == (
        right.low_included, right.high_included, right.operator,
    )  # fmt: skip
    return same_shape and equal(left.low, right.low, run) is True and equal(left.high, right.high, run) is True


def compare(left: Value, right: Value) -> int | None:
    """Order two values: negative, 0 or positive; None where they cannot be ordered."""
    kind = type(left)
    if kind is type(right) and (kind is Decimal or kind is str):
        return int(left > right) - int(left < right)
    if kind in TEMPORAL and type(right) in TEMPORAL:
        return compare_points(left, right)
    return None


def contains(interval: Range, value: Value) -> bool | None:
    """Tell whether a range holds a value; None where they cannot be compared."""
    low, high = interval.low, interval.high
    if type(value) is Decimal and type(low) is Decimal and type(high) is Decimal and not interval.operator:
        above = value > low or (interval.low_included and value == low)
        return bool(above and (value < high or (interval.high_included and value == high)))
    if value is None:
        return None
    if interval.operator == "!=":
        same = equal(value, interval.low)
        return None if same is None else not same
    if interval.operator == "=":
        return equal(value, interval.low)
    if interval.low is None and interval.high is None:
        return None
    if interval.low is not None:
        order = compare(value, interval.low)
        if order is None:
            return None
        if order < 0 or (order == 0 and not interval.low_included):
            return False
    if interval.high is not None:
        order = compare(value, interval.high)
        if order is None:
            return None
        if order > 0 or (order == 0 and not interval.high_included):
            return False
    return True


_PLAIN_KEY = re.compile(r"[^\W\d][\w ?'+*/.-]*\Z")


def number_text(value: Decimal) -> str:
    """Return a number without exponent and without trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def quote(text: str) -> str:
    """Return a text as a FEEL string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + escaped.replace("\t", "\\t") + '"'


def text_of(value: Value, run: Spender | None = None, *, nested: bool = False) -> str:
    """Return the text of any value, as the function string() does; texts inside lists are quoted."""
    if value is None:
        return "null"
    kind = type(value)
    if kind is str:
        return quote(value) if nested else str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is Decimal:
        return number_text(value)
    if kind is Range:
        return _range_text(value, run)
    if kind is list:
        return _joined(run, "[", (text_of(item, run, nested=True) for item in value), "]")
    if kind is dict:
        parts = (f"{_key_text(key)}: {text_of(item, run, nested=True)}" for key, item in value.items())
        return _joined(run, "{", parts, "}")
    if kind is Function:
        return repr(value)
    return str(value)


def _joined(run: Spender | None, opening: str, parts: Iterable[str], closing: str) -> str:
    out: list[str] = []
    size = 0
    for part in parts:
        size += len(part) + 2
        if run is not None:
            run.spend()
            run.allow_text(size)
        out.append(part)
    return opening + ", ".join(out) + closing


def _key_text(key: str) -> str:
    return key if _PLAIN_KEY.match(key) else quote(key)


def _range_text(value: Range, run: Spender | None) -> str:
    if value.operator:
        bound = value.high if value.low is None else value.low
        return f"({value.operator} {text_of(bound, run, nested=True)})"
    low, high = text_of(value.low, run, nested=True), text_of(value.high, run, nested=True)
    return f"{'[' if value.low_included else '('}{low}..{high}{']' if value.high_included else ')'}"


def to_feel(value: Any) -> Value:
    """Turn a Python value into a FEEL value, deeply.

    Accepts None, bool, int, float, Decimal, str, UUID, date, datetime, time, timedelta, list, tuple, set, mapping
    with text keys, and FEEL values. Raises ValueError for anything else, and for numbers that are not finite or
    beyond decimal128.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is Decimal or kind is int:
        return number(value)
    if kind is dict:
        return _context_of(value)
    if kind is list:
        return [to_feel(item) for item in value]
    if kind in TEMPORAL or kind is Range or kind is Function:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (int, float, Decimal)):
        return number(Decimal(repr(float(value))) if isinstance(value, float) else value)
    if isinstance(value, (dt.date, dt.time, dt.timedelta)):
        return from_python(value)
    if isinstance(value, Mapping):
        return _context_of(value)
    if isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [to_feel(item) for item in value]
    if isinstance(value, uuid.UUID):
        return str(value)
    raise ValueError(f"Expected a number, text, date, list or mapping, but got {kind.__name__}")


def _context_of(mapping: Mapping[Any, Any]) -> dict[str, Value]:
    strange = [key for key in mapping if not isinstance(key, str)]
    if strange:
        raise ValueError(f"Expected texts as keys of a context, but got {type(strange[0]).__name__}")
    return {key if type(key) is str else str.__str__(key): to_feel(item) for key, item in mapping.items()}


def number(value: int | Decimal) -> Decimal:
    """Round to decimal128. Raises ValueError for infinities, NaN and what is too large."""
    try:
        rounded = DECIMAL128.create_decimal(value)
    except (Overflow, InvalidOperation) as error:
        raise ValueError("Expected a number within decimal128, but it is beyond") from error
    if not rounded.is_finite():
        raise ValueError(f"Expected a finite number, but got {value}")
    return rounded


def to_python(value: Value) -> Any:
    """Turn a FEEL value into plain Python, deeply.

    number → Decimal, date → datetime.date, time → datetime.time, date and time → datetime.datetime (aware when it
    has a zone), days and time duration → timedelta, years and months duration → its ISO text, list → list,
    context → dict. Raises ValueError for ranges, functions and dates outside the years 1 to 9999.
    """
    kind = type(value)
    if kind is list:
        return [to_python(item) for item in value]
    if kind is dict:
        return {key: to_python(item) for key, item in value.items()}
    if kind is YearsMonthsDuration:
        return str(value)
    if kind is Range or kind is Function:
        raise ValueError(f"Expected a value that Python knows, but got {describe(value)}")
    if kind in TEMPORAL:
        try:
            return value.to_python()
        except OverflowError as error:
            raise ValueError(f"Expected a duration within Python's range, but got {value}") from error
    return value


_CHARACTERS = 20
"""Of a text that weigh as much as one element."""


def measure(value: Value, limit: int) -> None:
    """Refuse a value whose full text would have more than ``limit`` elements. A text counts as one for each 20 characters begun.

    Lists and texts are shared, so that a few doublings, or one long text taken many times, make a value that is small in memory
    and endless when written. Raises BudgetExceeded.
    """
    if type(value) is dict or type(value) is list:
        _size(value, {}, limit)


def _size(value: Any, known: dict[int, int], limit: int) -> int:
    size = known.get(id(value))
    if size is None:
        items = value.values() if type(value) is dict else value
        size = 1 + len(items)
        for item in items:
            if type(item) is str:
                size += len(item) // _CHARACTERS
            elif type(item) is dict or type(item) is list:
                size += _size(item, known, limit) - 1
        if size > limit:
            raise BudgetExceeded(
                f"Expected a result of at most {limit:,} elements and {limit * _CHARACTERS:,} characters, but it has more",
                limit="items",
            )
        known[id(value)] = size
    return size
