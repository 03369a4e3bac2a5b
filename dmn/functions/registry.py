"""How built-in functions are declared: a signature in FEEL's own words, and a Python function that obeys it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from dmn.budget import Run
from dmn.temporal import Date, DateTime, DaysTimeDuration, Time, YearsMonthsDuration
from dmn.values import Function, NullResult, Parameter, Range, Value, describe

# Work on a long text costs a step for each so many characters.
_LONG = 500

Implementation = Callable[..., Value]

_TYPES: dict[str, tuple[type, ...]] = {
    "number": (Decimal,),
    "string": (str,),
    "boolean": (bool,),
    "list": (list,),
    "context": (dict,),
    "function": (Function,),
    "range": (Range,),
    "date": (Date,),
    "time": (Time,),
    "date and time": (DateTime,),
    "days and time duration": (DaysTimeDuration,),
    "years and months duration": (YearsMonthsDuration,),
    "any": (),
}


@dataclass(frozen=True, slots=True)
class Formal:
    """One formal parameter. types: the classes it takes, empty for any; optional: may be left out."""

    name: str
    words: str
    types: tuple[type, ...]
    nullable: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a built-in. variadic: one list, or its elements as separate arguments."""

    parameters: tuple[Formal, ...]
    implementation: Implementation
    variadic: bool = False

    @property
    def required(self) -> int:
        return sum(not parameter.optional for parameter in self.parameters)


@dataclass(slots=True)
class BuiltIn:
    """A built-in function with all its signatures."""

    name: str
    signatures: list[Signature] = field(default_factory=list)
    # Takes all its arguments as they come, for functions without end such as concatenate.
    open_call: Callable[[Run, list[Value]], Value] | None = None

    def call(self, run: Run, arguments: list[Value]) -> Value:
        """Call by position. Raises NullResult when no signature fits."""
        if self.open_call is not None:
            return self.open_call(run, arguments)
        problem: NullResult | None = None
        for signature in self.signatures:
            if signature.variadic:
                arguments = _gathered(arguments)
            if not signature.required <= len(arguments) <= len(signature.parameters):
                continue
            try:
                fitted = [_fit(self.name, *pair) for pair in zip(signature.parameters, arguments, strict=False)]
            except NullResult as error:
                problem = problem or error
                continue
            for value in fitted:
                if type(value) is str and len(value) > _LONG:
                    run.spend(len(value) // _LONG)
            return signature.implementation(run, *fitted)
        raise problem or NullResult(self._arity(len(arguments)))

    def call_named(self, run: Run, names: tuple[str, ...], arguments: list[Value]) -> Value:
        """Call by name. Raises NullResult when no signature has these names."""
        given = dict(zip(names, arguments, strict=True))
        problem: NullResult | None = None
        for signature in self.signatures:
            known = {parameter.name for parameter in signature.parameters}
            needed = {part.name for part in signature.parameters if not part.optional and not part.nullable}
            if not (needed <= given.keys() <= known) or len(given) != len(names):
                continue
            try:
                fitted = [
                    _fit(self.name, parameter, given[parameter.name]) if parameter.name in given else None
                    for parameter in signature.parameters
                ]
            except NullResult as error:
                problem = problem or error
                continue
            return signature.implementation(run, *fitted)
        raise problem or NullResult(f"Expected the parameters of {self.name}, but got {', '.join(names)}")

    def _arity(self, count: int) -> str:
        ways = " or ".join(
            "(" + ", ".join(parameter.name for parameter in signature.parameters) + ")" for signature in self.signatures
        )
        return f"Expected {self.name}{ways}, but got {count} argument{'' if count == 1 else 's'}"

    def as_value(self) -> Function:
        """Return the built-in as a function value."""
        parameters = tuple(Parameter(parameter.name) for parameter in self.signatures[0].parameters)
        return Function(self.name, parameters, self.call, is_built_in=True)


def _gathered(arguments: list[Value]) -> list[Value]:
    """Make ``min(1, 2)`` out of ``min([1, 2])``'s like: always one list."""
    if len(arguments) == 1 and (arguments[0] is None or type(arguments[0]) is list):
        return arguments
    return [arguments] if arguments else []


def _fit(name: str, parameter: Formal, value: Value) -> Value:
    if not parameter.types or type(value) in parameter.types:
        if value is None and not parameter.nullable:
            raise NullResult(f"Expected a value as {parameter.name} of {name}, but got null")
        return value
    if value is None and parameter.nullable:
        return None
    if type(value) is list and len(value) == 1 and type(value[0]) in parameter.types:
        return value[0]
    if value is not None and parameter.types == (list,):
        return [value]
    raise NullResult(f"Expected a {parameter.words} as {parameter.name} of {name}, but got {describe(value)}")


BUILT_INS: dict[str, BuiltIn] = {}


def built_in(signature: str, *, variadic: bool = False) -> Callable[[Implementation], Implementation]:
    """Register a built-in.

    signature: ``name(parameter: type, …)``; types may be joined by ``|``; ``?`` after a type admits null, ``= `` after
    a type makes the parameter optional (None when it is left out). The function gets the run and the values.
    """
    match = re.fullmatch(r"([^(]+)\((.*)\)", signature)
    if match is None:
        raise ValueError(f"Expected name(parameters), but got {signature}")
    parameters = tuple(_formal(text) for text in match[2].split(",") if text.strip())

    def register(implementation: Implementation) -> Implementation:
        entry = BUILT_INS.setdefault(match[1], BuiltIn(match[1]))
        # Decorators run from the function outwards: keep the order in which they are written.
        entry.signatures.insert(0, Signature(parameters, implementation, variadic))
        return implementation

    return register


def open_built_in(
    signature: str,
) -> Callable[[Callable[[Run, list[Value]], Value]], Callable[[Run, list[Value]], Value]]:
    """Register a built-in that takes any number of arguments; ``signature`` names those it may be given by name."""

    def register(implementation: Callable[[Run, list[Value]], Value]) -> Callable[[Run, list[Value]], Value]:
        built_in(signature)(lambda run, *arguments: implementation(run, list(arguments)))
        BUILT_INS[signature.partition("(")[0]].open_call = implementation
        return implementation

    return register


def _formal(text: str) -> Formal:
    name, _, words = (part.strip() for part in text.partition(":"))
    optional = words.endswith("=")
    words = words.removesuffix("=").strip()
    nullable = words.endswith("?")
    words = words.removesuffix("?").strip()
    types: tuple[type, ...] = tuple(kind for word in words.split("|") for kind in _TYPES[word.strip()])
    return Formal(name, words.replace("|", " or "), types, nullable, optional)


def no_argument(reason: str) -> Any:
    """Raise NullResult; written so that an expression can refuse."""
    raise NullResult(reason)
