"""Variables as bytes: JSON that keeps every digit and every kind of value, never a pickle.

A number is a plain JSON number, written with exactly its digits and read back as Decimal. Dates, times and durations are
tagged: an object whose only key is ``$`` holds ``[kind, text]``. An object of the user's that has only that key is wrapped
in the same way, so data can never turn into another kind of value.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from dmn import to_feel
from dmn.temporal import Date, DateTime, DaysTimeDuration, Time, YearsMonthsDuration

DEEPEST = 120
"""Lists and objects that may lie within each other: what shows a value puts it into some of its own, and JSON readers take 250."""

_TAG = "$"
_TAG_OPENS = b'{"$":'
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_KINDS: dict[type, str] = {
    Date: "date",
    Time: "time",
    DateTime: "datetime",
    DaysTimeDuration: "duration",
    YearsMonthsDuration: "months",
}
_READERS: dict[str, Callable[[str], Any]] = {
    "date": Date.parse,
    "time": Time.parse,
    "datetime": lru_cache(maxsize=1024)(DateTime.parse),  # The same instants are read at every move of an instance.
    "duration": DaysTimeDuration.parse,
    "months": YearsMonthsDuration.parse,
}


class NotStorable(TypeError):
    """A value is none of those that FEEL knows, or nests too deep, so it cannot be kept."""


def feel_of(name: str, value: Any) -> Any:
    """Return the value of a variable as FEEL knows it. Raises: NotStorable, with the variable named."""
    try:
        return to_feel(value)
    except ValueError as error:
        raise NotStorable(f'Expected the variable "{name}" to be a value that FEEL knows: {error}') from error


def encode(value: Any) -> bytes:
    """Return a variable's value as bytes. Raises: NotStorable for what is no FEEL value, and beyond ``DEEPEST``."""
    if type(value) is Decimal and value.is_finite():
        return str(value).encode()
    tags = 0

    def default(item: Any) -> Any:
        nonlocal tags
        if isinstance(item, Decimal):
            return _number(item)
        tags += 1
        return _tagged(item)

    data = _dumped(value, default)
    if data.count(b"[") + data.count(b"{") > DEEPEST:
        refuse_deeper(value, DEEPEST)
    if data.count(_TAG_OPENS) == tags:
        return data
    return _dumped(_wrapped(value), default)


def decode(data: bytes) -> Any:
    """Return the value that ``encode`` was given; every number is a Decimal."""
    first = data[:1]
    if first in _HOLDERS:
        return (_TAGGED if _TAG_OPENS in data else _UNTAGGED).decode(data.decode())
    return Decimal(data.decode()) if first in _NUMBERS else orjson.loads(data)


def _dumped(value: Any, default: Callable[[Any], Any]) -> bytes:
    try:
        # The writer leaves its buffer as long as it grew: a few hundred bytes would keep four thousand in memory.
        return memoryview(orjson.dumps(value, default=default, option=_OPTIONS)).tobytes()
    except TypeError as error:
        refuse_deeper(value, DEEPEST)
        raise NotStorable(f"Expected a value that FEEL knows, but {error.__cause__ or error}") from error


def refuse_deeper(value: Any, deepest: int) -> None:
    """Refuse lists and objects that nest deeper, level by level: a recursion would go as deep as they do. Raises: NotStorable."""
    level, depth = [value] if type(value) in _CONTAINERS else [], 1
    while level:
        if depth > deepest:
            raise NotStorable(f"more than {deepest} lists and objects lie within each other")
        inner = (item for one in level for item in (one.values() if type(one) is dict else one))
        level, depth = [item for item in inner if type(item) in _CONTAINERS], depth + 1


def _number(value: Decimal) -> orjson.Fragment:
    if not value.is_finite():
        raise NotStorable(f"the number is {value}")
    return orjson.Fragment(str(value).encode())


def _tagged(value: Any) -> dict[str, list[str]]:
    kind = _KINDS.get(type(value))
    if kind is None:
        raise NotStorable(f"it holds a {type(value).__name__}")
    return {_TAG: [kind, str(value)]}


def _wrapped(value: Any) -> Any:
    """Wrap each object whose only key looks like a tag. Only reached when there is such a key, so the walk is rare."""
    if isinstance(value, list | tuple):
        return [_wrapped(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {key: _wrapped(item) for key, item in value.items()}
    return {_TAG: ["object", [[key, item] for key, item in fields.items()]]} if fields.keys() == {_TAG} else fields


_CONTAINERS = frozenset((dict, list))
_NUMBERS = frozenset(b"-0123456789"[place : place + 1] for place in range(11))
_HOLDERS = frozenset((b"{", b"["))


def _untagged(fields: dict[str, Any]) -> Any:
    if len(fields) != 1 or _TAG not in fields:
        return fields
    kind, content = fields[_TAG]
    return dict(content) if kind == "object" else _READERS[kind](content)


_UNTAGGED = json.JSONDecoder(parse_int=Decimal, parse_float=Decimal)
_TAGGED = json.JSONDecoder(parse_int=Decimal, parse_float=Decimal, object_hook=_untagged)
"""What reads objects and lists; made once, which takes as long as reading a small one. Where no tag is none is looked for."""
