"""FEEL types: what ``instance of`` asks, what typeRef demands, and the implicit conversions between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dmn import syntax
from dmn.temporal import Date, DateTime, Time
from dmn.values import Function, Range, Value, describe, kind_of


@dataclass(frozen=True, slots=True)
class AnyType:
    """Any: every value."""

    def __str__(self) -> str:
        return "Any"


@dataclass(frozen=True, slots=True)
class UnknownType:
    """A type name that nothing defines; no value conforms to it."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class SimpleType:
    """number, string, boolean, date, time, date and time, or one of the durations."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ListType:
    """A list whose elements are all of one type."""

    item: FeelType

    def __str__(self) -> str:
        return f"list<{self.item}>"


@dataclass(frozen=True, slots=True)
class RangeType:
    """A range whose ends are of one type."""

    item: FeelType

    def __str__(self) -> str:
        return f"range<{self.item}>"


@dataclass(frozen=True, slots=True)
class ContextType:
    """A context with at least these entries."""

    fields: tuple[tuple[str, FeelType], ...] = ()

    def __str__(self) -> str:
        # Only the names: definitions may share parts so often that the whole text would never end.
        return "context<" + ", ".join(name for name, _ in self.fields) + ">"


@dataclass(frozen=True, slots=True)
class FunctionType:
    """A function; parameters that are None stand for any."""

    parameters: tuple[FeelType, ...] | None
    result: FeelType

    def __str__(self) -> str:
        return "function" if self.parameters is None else f"function of {len(self.parameters)} parameters"


@dataclass(frozen=True, slots=True, eq=False)
class ConstrainedType:
    """An item definition with allowed values. ``accepts`` tells whether a value of ``base`` is among them."""

    name: str
    base: FeelType
    accepts: Callable[[Value], bool]

    def __str__(self) -> str:
        return self.name


FeelType = AnyType | UnknownType | SimpleType | ListType | RangeType | ContextType | FunctionType | ConstrainedType

ANY = AnyType()
NUMBER = SimpleType("number")
STRING = SimpleType("string")
BOOLEAN = SimpleType("boolean")
_ALIASES = {
    "dateTime": "date and time",
    "dayTimeDuration": "days and time duration",
    "yearMonthDuration": "years and months duration",
    # As Camunda's modeler writes types of numbers.
    "integer": "number",
    "long": "number",
    "double": "number",
}
_SIMPLE = (
    "number", "string", "boolean", "date", "time", "date and time", "days and time duration",
    "years and months duration",
)  # fmt: skip
BUILT_IN_TYPES: dict[str, FeelType] = {
    **{name: SimpleType(name) for name in _SIMPLE},
    **{alias: SimpleType(name) for alias, name in _ALIASES.items()},
    "Any": ANY,
    "Null": SimpleType("null"),
    "context": ContextType(),
    "list": ListType(ANY),
    "range": RangeType(ANY),
    "function": FunctionType(None, ANY),
}


def resolve(node: syntax.TypeNode, named: Mapping[str, FeelType]) -> FeelType:
    """Turn a written type into a type; unknown names become UnknownType."""
    if not node.generic:
        return BUILT_IN_TYPES.get(node.name) or named.get(node.name) or UnknownType(node.name)
    parts = [resolve(part, named) for _, part in node.parts]
    if node.name == "list":
        return ListType(parts[0] if parts else ANY)
    if node.name == "range":
        return RangeType(parts[0] if parts else ANY)
    if node.name == "context":
        return ContextType(tuple((name, part) for (name, _), part in zip(node.parts, parts, strict=True)))
    return FunctionType(tuple(parts), resolve(node.result, named) if node.result else ANY)


def conforms(value: Value, kind: FeelType) -> bool:
    """Tell whether a value is of a type; null conforms to every type inside others, as DMN allows."""
    if isinstance(kind, AnyType):
        return True
    if value is None:
        return not isinstance(kind, UnknownType)
    if isinstance(kind, SimpleType):
        return kind_of(value) == kind.name
    if isinstance(kind, ListType):
        return type(value) is list and (kind.item is ANY or all(conforms(item, kind.item) for item in value))
    if isinstance(kind, ContextType):
        return type(value) is dict and all(name in value and conforms(value[name], part) for name, part in kind.fields)
    if isinstance(kind, ConstrainedType):
        return conforms(value, kind.base) and kind.accepts(value)
    if isinstance(kind, RangeType):
        return type(value) is Range and conforms(value.low, kind.item) and conforms(value.high, kind.item)
    if isinstance(kind, FunctionType):
        return type(value) is Function and _function_conforms(value, kind)
    return False


def _function_conforms(function: Function, kind: FunctionType) -> bool:
    if kind.parameters is None:
        return True
    if function.is_built_in:
        return True
    if len(function.parameters) != len(kind.parameters):
        return False
    # A function may stand for another that is asked less and promises more: parameters wider, result narrower.
    takes = all(
        is_subtype(asked, parameter.type or ANY)
        for asked, parameter in zip(kind.parameters, function.parameters, strict=True)
    )
    return takes and (function.result_type is None or is_subtype(function.result_type, kind.result))


def is_subtype(narrow: FeelType, wide: FeelType) -> bool:
    """Tell whether every value of ``narrow`` is one of ``wide``."""
    if isinstance(wide, AnyType) or narrow == wide:
        return True
    if isinstance(narrow, ConstrainedType):
        return is_subtype(narrow.base, wide)
    if isinstance(narrow, ListType) and isinstance(wide, ListType):
        return is_subtype(narrow.item, wide.item)
    if isinstance(narrow, RangeType) and isinstance(wide, RangeType):
        return is_subtype(narrow.item, wide.item)
    if isinstance(narrow, ContextType) and isinstance(wide, ContextType):
        have = dict(narrow.fields)
        return all(name in have and is_subtype(have[name], part) for name, part in wide.fields)
    if isinstance(narrow, FunctionType) and isinstance(wide, FunctionType):
        if narrow.parameters is None or wide.parameters is None or len(narrow.parameters) != len(wide.parameters):
            return False
        pairs = zip(wide.parameters, narrow.parameters, strict=True)
        return all(is_subtype(one, other) for one, other in pairs) and is_subtype(narrow.result, wide.result)
    return False


def parts_of(kind: FeelType) -> tuple[FeelType, ...]:
    """Return the types that a type is made of."""
    if isinstance(kind, (ListType, RangeType)):
        return (kind.item,)
    if isinstance(kind, ContextType):
        return tuple(part for _, part in kind.fields)
    if isinstance(kind, FunctionType):
        return (*(kind.parameters or ()), kind.result)
    return (kind.base,) if isinstance(kind, ConstrainedType) else ()


def unconstrained(kind: FeelType) -> FeelType:
    """Return a type without the allowed values in it: ``instance of`` does not look at them."""
    if isinstance(kind, ConstrainedType):
        return unconstrained(kind.base)
    if isinstance(kind, ListType):
        return ListType(unconstrained(kind.item))
    if isinstance(kind, ContextType):
        return ContextType(tuple((name, unconstrained(part)) for name, part in kind.fields))
    return kind


def is_instance(value: Value, kind: FeelType) -> bool:
    """Answer ``value instance of kind``; null is an instance of nothing but Null."""
    if value is None:
        return isinstance(kind, SimpleType) and kind.name == "null"
    return conforms(value, kind)


def coerce(value: Value, kind: FeelType | None, complain: Callable[[str], Any]) -> Value:
    """Convert a value to a type as DMN 1.5, 10.3.2.9.4 says; call ``complain`` and return None when it cannot be.

    A list of one element becomes that element, an element a list of one, a date its midnight in UTC.
    """
    if kind is None or value is None or conforms(value, kind):
        return value
    if type(value) is list and len(value) == 1 and conforms(value[0], kind):
        return value[0]
    base = kind.base if isinstance(kind, ConstrainedType) else kind
    if isinstance(base, ListType) and type(value) is not list and conforms([value], kind):
        return [value]
    converted = _as_date_and_time(value, base)
    if converted is not None and conforms(converted, kind):
        return converted
    complain(f"Expected a value of type {kind}, but got {describe(value)}")
    return None


def _as_date_and_time(value: Value, kind: FeelType) -> Value:
    if type(value) is Date and kind == SimpleType("date and time"):
        return DateTime(value, Time(0, 0))
    return None
