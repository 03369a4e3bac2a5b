"""Texts: DMN 1.5, 10.3.4.3, and the conversions number() and string()."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation, Overflow

from dmn.budget import Run
from dmn.functions.registry import built_in
from dmn.operators import integer_of
from dmn.regex import Match, Pattern, compile_pattern
from dmn.values import DECIMAL128, NullResult, Value, describe, text_of

_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_SEPARATORS = (" ", ",", ".")
# Pieces of a replacement: a text, or the number of a group.
Template = list[tuple[int | None, str]]


@built_in("string(from: any?)")
def string(run: Run, value: Value) -> Value:
    """Return the text of a value; null stays null."""
    return None if value is None else text_of(value, run)


@built_in("number(from: string, grouping separator: string?, decimal separator: string?)")
@built_in("number(from: string|number)")
def number(run: Run, text: Value, grouping: Value = None, point: Value = None) -> Value:
    """Read a number; separators are given as texts."""
    if type(text) is Decimal:
        return text
    if grouping is not None and grouping not in _SEPARATORS:
        raise NullResult(f'Expected a blank, a comma or a period as grouping separator, but got "{grouping}"')
    if point is not None and point not in (".", ","):
        raise NullResult(f'Expected a period or a comma as decimal separator, but got "{point}"')
    if grouping is not None and grouping == point:
        raise NullResult("Expected two different separators, but they are the same")
    plain = text.replace(grouping, "") if grouping else text
    if point is not None:
        plain = plain.replace(".", "\0") if point == "," else plain
        plain = plain.replace(point, ".")
    if not _NUMBER.match(plain):
        raise NullResult(f"Expected a text that is a number, but got {describe(text)}")
    try:
        return DECIMAL128.create_decimal(plain)
    except (Overflow, InvalidOperation):
        raise NullResult("Expected a number within decimal128, but it is beyond") from None


@built_in("string length(string: string)")
def string_length(run: Run, text: str) -> Value:
    """Count characters (code points)."""
    return Decimal(len(text))


@built_in("upper case(string: string)")
def upper_case(run: Run, text: str) -> Value:
    """Return the text in capitals."""
    return text.upper()


@built_in("lower case(string: string)")
def lower_case(run: Run, text: str) -> Value:
    """Return the text in small letters."""
    return text.lower()


@built_in("trim(string: string)")
def trim(run: Run, text: str) -> Value:
    """Return the text without blanks at its ends."""
    return text.strip()


@built_in("substring(string: string, start position: number, length: number =)")
def substring(run: Run, text: str, start: Value, length: Value = None) -> Value:
    """Return a part of a text; positions count from 1, negative ones from the end."""
    position = integer_of(start, "start position")
    if position == 0 or abs(position) > len(text):
        raise NullResult(f"Expected a start position within the text (1 to {len(text)}), but got {position}")
    begin = position - 1 if position > 0 else len(text) + position
    if length is None:
        return text[begin:]
    count = integer_of(length, "length")
    if count < 1:
        raise NullResult(f"Expected a length of at least 1, but got {count}")
    return text[begin : begin + count]


@built_in("substring before(string: string, match: string)")
def substring_before(run: Run, text: str, match: str) -> Value:
    """Return what stands before the first match; empty when there is none."""
    before, found, _ = text.partition(match) if match else ("", "", "")
    return before if found else ""


@built_in("substring after(string: string, match: string)")
def substring_after(run: Run, text: str, match: str) -> Value:
    """Return what stands after the first match; empty when there is none."""
    if not match:
        return text
    _, found, after = text.partition(match)
    return after if found else ""


@built_in("contains(string: string, match: string)")
def text_contains(run: Run, text: str, match: str) -> Value:
    """Tell whether a text contains another."""
    return match in text


@built_in("starts with(string: string, match: string)")
def starts_with(run: Run, text: str, match: str) -> Value:
    """Tell whether a text begins with another."""
    return text.startswith(match)


@built_in("ends with(string: string, match: string)")
def ends_with(run: Run, text: str, match: str) -> Value:
    """Tell whether a text ends with another."""
    return text.endswith(match)


def _pattern(run: Run, pattern: str, flags: Value, text: str) -> Pattern:
    # Compiling a pattern costs much more than a step.
    run.spend(50 + len(text) // 100)
    try:
        return compile_pattern(pattern, flags or "")
    except ValueError as error:
        raise NullResult(str(error), "pattern") from None


@built_in("matches(input: string, pattern: string, flags: string? =)")
def matches(run: Run, text: str, pattern: str, flags: Value = None) -> Value:
    """Tell whether a pattern fits anywhere in a text."""
    return _pattern(run, pattern, flags, text).search(text) is not None


@built_in("replace(input: string, pattern: string, replacement: string, flags: string? =)")
def replace(run: Run, text: str, pattern: str, replacement: str, flags: Value = None) -> Value:
    """Replace every match of a pattern; the pattern must not match an empty text."""
    found = _pattern(run, pattern, flags, text)
    if found.search("") is not None:
        raise NullResult(
            "Expected a pattern that needs at least one character, but it matches an empty text", "pattern"
        )
    pieces: Template = [(None, replacement)] if "q" in (flags or "") else _template(replacement, found.groups)
    out: list[str] = []
    size = end = 0
    for match in found.finditer(text):
        piece = text[end : match.start()] + _filled(pieces, match)
        end = match.end()
        size += len(piece)
        run.allow_text(size)
        out.append(piece)
    out.append(text[end:])
    return "".join(out)


def _template(replacement: str, groups: int) -> Template:
    """Split a replacement into texts and group references such as $1; a backslash makes $ and itself plain."""
    pieces: Template = []
    index = 0
    while index < len(replacement):
        char = replacement[index]
        if char == "\\":
            if replacement[index + 1 : index + 2] not in ("\\", "$"):
                raise NullResult("Expected \\\\ or \\$ in the replacement, but found a lone backslash", "pattern")
            pieces.append((None, replacement[index + 1]))
            index += 2
        elif char == "$":
            digits = re.match(r"[0-9]+", replacement[index + 1 :])
            if digits is None:
                raise NullResult("Expected a group number after $ in the replacement, but found none", "pattern")
            # As many digits as still name a group: $12 is group 1 and the text 2 when there are fewer than 12.
            name = digits[0]
            while len(name) > 1 and int(name) > groups:
                name = name[:-1]
            pieces.append((int(name), ""))
            index += 1 + len(name)
        else:
            pieces.append((None, char))
            index += 1
    return pieces


def _filled(pieces: Template, match: Match) -> str:
    groups = (match.group(0), *match.groups())
    return "".join(
        text if group is None else (groups[group] or "" if group < len(groups) else "") for group, text in pieces
    )


@built_in("split(string: string, delimiter: string)")
def split(run: Run, text: str, delimiter: str) -> Value:
    """Cut a text at every match of a pattern."""
    found = _pattern(run, delimiter, None, text)
    parts: list[Value] = []
    end = 0
    for match in found.finditer(text):
        if match.end() == match.start():
            continue
        parts.append(text[end : match.start()])
        end = match.end()
        run.allow_items(1)
    parts.append(text[end:])
    run.allow_items(len(parts))
    return parts


@built_in("extract(input: string, pattern: string, flags: string? =)")
def extract(run: Run, text: str, pattern: str, flags: Value = None) -> Value:
    """Return all matches of a pattern."""
    found = [match.group(0) or "" for match in _pattern(run, pattern, flags, text).finditer(text)]
    run.allow_items(len(found))
    return found


@built_in("string join(list: list, delimiter: string? =)")
@built_in("string join(list: list, delimiter: string?, prefix: string?, suffix: string?)")
def string_join(
    run: Run, items: list[Value], delimiter: Value = None, prefix: Value = None, suffix: Value = None
) -> Value:
    """Join texts; null among them is left out."""
    texts = [item for item in items if item is not None]
    for item in texts:
        if type(item) is not str:
            raise NullResult(f"Expected only texts to join, but got {describe(item)}")
    run.spend(len(texts))
    run.allow_text(sum(map(len, texts)) + len(delimiter or "") * len(texts))
    return (prefix or "") + (delimiter or "").join(texts) + (suffix or "")


@built_in("is blank(string: string)")
def is_blank(run: Run, text: str) -> Value:
    """Tell whether a text has nothing but blanks."""
    return not text.strip()


@built_in("not(negand: any?)")
def negation(run: Run, value: Value) -> Value:
    """Return the opposite of a boolean; null for anything else."""
    return (not value) if type(value) is bool else None


@built_in("is(value1: any?, value2: any?)")
def same(run: Run, one: Value, other: Value) -> Value:
    """Tell whether two values are the same: of one kind, equal, and with the same zone."""
    if type(one) is not type(other):
        return False
    return bool(one == other and str(getattr(one, "zone", "")) == str(getattr(other, "zone", "")))
