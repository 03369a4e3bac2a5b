"""Calls of function values, and the elements that loops run over."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from dmn.budget import Run
from dmn.operators import integer_of
from dmn.temporal import Date, date_of
from dmn.types import coerce
from dmn.values import (
    Function,
    HostFunction,
    NullResult,
    Parameter,
    Range,
    Value,
    compare,
    describe,
    to_feel,
    to_python,
)


def invoke(function: Function, run: Run, arguments: list[Value], names: tuple[str, ...] = ()) -> Value:
    """Call a function value; arguments are converted to the types of its parameters. Raises NullResult."""
    if names:
        arguments = _ordered(function, names, arguments)
    run.enter()
    try:
        if function.is_built_in:
            return function.invoke(run, arguments)
        if len(arguments) != len(function.parameters):
            raise NullResult(
                f"Expected {len(function.parameters)} arguments for {function!r}, but got {len(arguments)}"
            )
        fitted = [
            coerce(value, parameter.type, _refuse) if parameter.type is not None else value
            for parameter, value in zip(function.parameters, arguments, strict=True)
        ]
        return function.invoke(run, fitted)
    finally:
        run.leave()


def _refuse(message: str) -> Value:
    raise NullResult(message, "coercion")


def _ordered(function: Function, names: tuple[str, ...], arguments: list[Value]) -> list[Value]:
    given = dict(zip(names, arguments, strict=True))
    wanted = [parameter.name for parameter in function.parameters]
    if set(wanted) != given.keys():
        raise NullResult(f"Expected the parameters of {function!r}, but got {', '.join(names)}")
    return [given[name] for name in wanted]


@lru_cache(maxsize=256)
def host_value(function: HostFunction) -> Function:
    """Return a host function as a function value, the same one each time; Python values go in and come out."""

    def call(run: Run, arguments: list[Value]) -> Value:
        try:
            return to_feel(function.call(*(to_python(argument) for argument in arguments)))
        except ValueError as error:
            raise NullResult(f"{function.name}: {error}", "host") from error

    return Function(function.name, tuple(Parameter(name) for name in function.parameters), call)


def elements(domain: Value, end: Value, *, is_span: bool) -> Iterator[Value]:
    """Yield what a loop runs over: a list, a range, or the numbers from ``domain`` to ``end``. Raises NullResult."""
    if is_span:
        return _span(domain, end, True, True)
    if type(domain) is list:
        return iter(domain)
    if type(domain) is Range:
        if (compare(domain.low, domain.high) or 0) > 0:
            raise NullResult("Expected a range whose start comes before its end, but it is after", "type")
        return _span(domain.low, domain.high, domain.low_included, domain.high_included)
    if domain is None:
        raise NullResult("Expected a list to loop over, but got null", "type")
    return iter([domain])


def _span(start: Value, end: Value, start_included: bool, end_included: bool) -> Iterator[Value]:
    if type(start) is Date and type(end) is Date:
        step = 1 if start.number <= end.number else -1
        numbers = range(
            start.number + (0 if start_included else step), end.number + (step if end_included else 0), step
        )
        return map(_date_at, numbers)
    if type(start) is not Decimal or type(end) is not Decimal or start % 1 or end % 1:
        raise NullResult(
            f"Expected whole numbers or dates to loop over, but got {describe(start)} to {describe(end)}", "type"
        )
    first, last = integer_of(start, "start"), integer_of(end, "end")
    step = 1 if first <= last else -1
    return map(Decimal, range(first + (0 if start_included else step), last + (step if end_included else 0), step))


def _date_at(number: int) -> Date:
    return date_of(number)
