"""Regular expressions in linear time: google-re2 behind a typed front.

Python's own ``re`` backtracks, so that ``matches("aaaa…!", "(a+)+$")`` would never come back.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Protocol, cast


class Match(Protocol):
    """One place where a pattern fits."""

    def start(self) -> int: ...
    def end(self) -> int: ...
    def group(self, index: int = 0) -> str | None: ...
    def groups(self) -> tuple[str | None, ...]: ...


class Pattern(Protocol):
    """A compiled pattern."""

    groups: int

    def search(self, text: str) -> Match | None: ...
    def finditer(self, text: str) -> Iterator[Match]: ...


class _Options(Protocol):
    log_errors: bool


class _Re2(Protocol):
    error: type[Exception]
    Options: Callable[[], _Options]

    def compile(self, pattern: str, options: object = None) -> Pattern: ...


# google-re2 ships no type information; this is the part of it that is used here.
_re2 = cast("_Re2", importlib.import_module("re2"))
_MAX_PATTERN = 1000


@lru_cache(maxsize=512)
def compile_pattern(pattern: str, flags: str = "") -> Pattern:
    """Compile a pattern of XPath's regular expressions. Flags: i, s, m, x, q.

    Raises ValueError for a wrong pattern, an unknown flag, or what cannot run in linear time (back references).
    """
    if len(pattern) > _MAX_PATTERN:
        raise ValueError(f"Expected a pattern of at most {_MAX_PATTERN} characters, but it has {len(pattern)}")
    if set(flags) - set("ismxq"):
        raise ValueError(f'Expected flags out of i, s, m, x and q, but got "{flags}"')
    text = re.escape(pattern) if "q" in flags else _translate(pattern, ignore_space="x" in flags)
    prefix = "".join(flag for flag in "ism" if flag in flags)
    options = _re2.Options()
    options.log_errors = False
    try:
        return _re2.compile(f"(?{prefix}){text}" if prefix else text, options)
    except _re2.error as error:
        raise ValueError(f"Expected a regular expression, but {_reason(error)}") from error


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else "it is wrong"
    return reason.decode() if isinstance(reason, bytes) else str(reason)


# XML name characters, which \i and \c stand for in XPath patterns.
_NAME_START = "_:A-Za-z\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{2FF}\\x{370}-\\x{37D}\\x{37F}-\\x{1FFF}"
_NAME_PART = _NAME_START + "\\-.0-9\\x{B7}"


def _translate(pattern: str, *, ignore_space: bool) -> str:
    """Rewrite what XPath writes differently: name characters, blanks under flag x; refuse class subtraction."""
    out: list[str] = []
    in_class = 0
    index = 0
    while index < len(pattern):
        char = pattern[index]
        if char == "\\" and index + 1 < len(pattern):
            out.append(_escape(pattern[index + 1], in_class=in_class > 0))
            index += 2
            continue
        if char == "[":
            if in_class:
                raise ValueError("Expected a plain character class, but class subtraction is not supported")
            in_class += 1
        elif char == "]" and in_class:
            in_class -= 1
        if not (ignore_space and not in_class and char in " \t\r\n"):
            out.append(char)
        index += 1
    return "".join(out)


def _escape(char: str, *, in_class: bool) -> str:
    if char in "ic":
        names = _NAME_START if char == "i" else _NAME_PART
        return names if in_class else f"[{names}]"
    if char in "IC" and not in_class:
        return f"[^{_NAME_START if char == 'I' else _NAME_PART}]"
    return "\\" + char
