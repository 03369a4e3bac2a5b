"""Cuts the domain of a table's column into segments: points, and the open stretches between them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

from dmn import syntax
from dmn.budget import Budget, Run
from dmn.compiler import Compiler
from dmn.environment import Env
from dmn.errors import BudgetExceeded
from dmn.tables import Input
from dmn.temporal import Date, YearsMonthsDuration
from dmn.types import BOOLEAN, ConstrainedType, FeelType
from dmn.values import Range, Value, compare, equal, kind_of, text_of


class _Opaque:
    """The value of an expression that only a run can know."""

    def __repr__(self) -> str:
        return "OPAQUE"


OPAQUE = _Opaque()
Constant = Any
_MOVING = frozenset({"?", "now", "today"})
_BUDGET = Budget(steps=10_000, seconds=0.5)


@dataclass(frozen=True, slots=True)
class Segment:
    """A point, an open stretch (an end that is None is endless), ``other`` texts, or ``all``."""

    kind: str
    low: Value = None
    high: Value = None


@dataclass(frozen=True, slots=True)
class Column:
    """An input column as segments. domain: which of them can occur; masks: (certain, possible) of each rule."""

    label: str
    segments: tuple[Segment, ...]
    domain: int
    masks: tuple[tuple[int, int], ...]

    def is_other(self, mask: int) -> bool:
        """Tell whether a mask holds nothing but texts that the table does not mention."""
        return all(self.segments[index].kind == "other" for index in _bits(mask))

    def words(self, mask: int) -> str:
        """Describe a mask as FEEL: ``amount in [10..20)``, ``dept = "IT"``."""
        tests = _runs([self.segments[index] for index in _bits(mask)])
        if len(tests) == 1 and tests[0][0] not in "[(<>!":
            return f"{self.label} = {tests[0]}" if tests[0] != _OTHER else f"{self.label} = {_OTHER}"
        if len(tests) == 1 and tests[0][0] in "<>":
            return f"{self.label} {tests[0]}"
        return f"{self.label} in {tests[0]}" if len(tests) == 1 else f"{self.label} in ({', '.join(tests)})"


_OTHER = "any other text"


def constant_of(node: syntax.Node) -> Constant:
    """Return what an expression without variables stands for, or OPAQUE."""
    if isinstance(node, syntax.Literal):
        return node.value
    if any(isinstance(part, syntax.Name) and part.name in _MOVING for part in syntax.walk(node)):
        return OPAQUE
    compiler = Compiler("<analysis>")
    closure = compiler.compile(node)
    if compiler.reads or compiler.maybe_reads:
        return OPAQUE
    run = Run({}, budget=_BUDGET)
    try:
        value = closure(Env({}, None, {}, run))
    except (BudgetExceeded, RecursionError):
        return OPAQUE
    return OPAQUE if value is None or kind_of(value) == "function" else value


@dataclass(frozen=True, slots=True)
class _Cell:
    """The tests of one cell: their constants, whether some are opaque, and whether the whole is negated."""

    constants: tuple[Constant, ...]
    is_opaque: bool
    is_negated: bool
    is_any: bool


def _read(tests: syntax.UnaryTests) -> _Cell:
    constants: list[Constant] = []
    is_opaque = False
    for test in tests.tests:
        value = constant_of(test)
        if value is OPAQUE:
            is_opaque = True
        elif type(value) is list:
            constants += value
        else:
            constants.append(value)
    return _Cell(tuple(constants), is_opaque, tests.negated, not tests.tests)


def cut(column: Input, cells: list[syntax.UnaryTests]) -> Column:
    """Cut one column at every constant of its cells and of its allowed values."""
    read = [_read(tests) for tests in cells]
    allowed = _read(column.allowed) if column.allowed is not None else None
    if allowed is not None and (allowed.is_opaque or allowed.is_any):
        allowed = None
    mentioned = [constant for cell in (*read, *([allowed] if allowed else [])) for constant in cell.constants]
    segments = _segments(mentioned, column, has_domain=allowed is not None)
    full = (1 << len(segments)) - 1
    domain = _certain(allowed, segments) if allowed is not None else full
    masks = tuple((_certain(cell, segments), _possible(cell, segments, full)) for cell in read)
    return Column(column.label, tuple(segments), domain or full, masks)


def _certain(cell: _Cell, segments: list[Segment]) -> int:
    full = (1 << len(segments)) - 1
    if cell.is_any:
        return full
    if cell.is_negated:
        return 0 if cell.is_opaque else full & ~_union(cell, segments)
    return _union(cell, segments)


def _possible(cell: _Cell, segments: list[Segment], full: int) -> int:
    if not cell.is_opaque:
        return _certain(cell, segments)
    return full & ~_union(cell, segments) if cell.is_negated else full


def _union(cell: _Cell, segments: list[Segment]) -> int:
    mask = 0
    for index, segment in enumerate(segments):
        if any(_holds(constant, segment) for constant in cell.constants):
            mask |= 1 << index
    return mask


def _holds(constant: Constant, segment: Segment) -> bool:
    """Tell whether a constant test accepts all of a segment; segments are cut so that it is all or nothing."""
    if type(constant) is not Range:
        return segment.kind == "point" and equal(segment.low, constant) is True
    if segment.kind == "point":
        return _within(constant, segment.low)
    if constant.operator == "!=":
        return True
    if segment.kind != "open" or constant.operator == "=":
        return False
    from_low = constant.low is None or (segment.low is not None and (compare(constant.low, segment.low) or 0) <= 0)
    to_high = constant.high is None or (segment.high is not None and (compare(segment.high, constant.high) or 0) <= 0)
    return from_low and to_high


def _within(interval: Range, value: Value) -> bool:
    if interval.operator in ("=", "!="):
        return (equal(value, interval.low) is True) is (interval.operator == "=")
    for bound, included, sign in (
        (interval.low, interval.low_included, 1),
        (interval.high, interval.high_included, -1),
    ):
        if bound is not None:
            order = compare(value, bound)
            if order is None or order * sign < 0 or (order == 0 and not included):
                return False
    return True


def _base(kind: FeelType | None) -> FeelType | None:
    return _base(kind.base) if isinstance(kind, ConstrainedType) else kind


def _segments(mentioned: list[Constant], column: Input, *, has_domain: bool) -> list[Segment]:
    points: list[Value] = []
    has_ranges = False
    for constant in mentioned:
        bounds = (constant.low, constant.high) if type(constant) is Range else (constant,)
        has_ranges = has_ranges or (type(constant) is Range and constant.operator not in ("=", "!="))
        points += [bound for bound in bounds if bound is not None or type(constant) is not Range]
    kinds = {kind_of(point) for point in points if point is not None}
    if kinds == {"boolean"} or (not kinds and _base(column.type) == BOOLEAN):
        segments = [Segment("point", True), Segment("point", False)]
    elif len(kinds) == 1 and (has_ranges or kinds != {"string"}) and _is_ordered(points):
        segments = _ordered(points, is_whole=column.is_whole)
    elif kinds:
        # Single texts, or kinds that do not go together: each value for itself, and whatever else there is.
        segments = [Segment("point", point) for point in _distinct(points) if point is not None]
        segments += [] if has_domain and kinds == {"string"} else [Segment("other")]
    else:
        segments = [Segment("all")]
    if any(point is None for point in points):
        segments.append(Segment("point", None))
    return segments


def _is_ordered(points: list[Value]) -> bool:
    known = [point for point in points if point is not None]
    return all(compare(known[0], point) is not None for point in known)


def _distinct(points: list[Value]) -> list[Value]:
    kept: list[Value] = []
    for point in points:
        if not any(equal(point, other) is True for other in kept):
            kept.append(point)
    return kept


def _ordered(points: list[Value], *, is_whole: bool) -> list[Segment]:
    known = [point for point in points if point is not None]
    values = sorted(_distinct(known), key=cmp_to_key(lambda one, other: compare(one, other) or 0))
    segments = [Segment("open", None, values[0])]
    for low, high in zip(values, [*values[1:], None], strict=True):
        segments.append(Segment("point", low))
        stretch = Segment("open", low, high)
        if _has_members(stretch, is_whole):
            segments.append(stretch)
    return segments


def _has_members(stretch: Segment, is_whole: bool) -> bool:
    """Tell whether anything lies strictly between two neighbours: between two days in a row there is no day."""
    low, high = stretch.low, stretch.high
    if high is None:
        return True
    if type(low) is Date:
        return bool(high.number - low.number > 1)
    if type(low) is YearsMonthsDuration:
        return bool(high.months - low.months > 1)
    if is_whole and type(low) is Decimal:
        return bool(high // 1 - (1 if high % 1 == 0 else 0) > low // 1)
    return True


def _bits(mask: int) -> list[int]:
    return [index for index in range(mask.bit_length()) if mask >> index & 1]


def _runs(segments: list[Segment]) -> list[str]:
    """Describe segments as tests, neighbours joined."""
    texts: list[str] = []
    run: list[Segment] = []
    for segment in segments:
        if run and _adjoins(run[-1], segment):
            run.append(segment)
            continue
        if run:
            texts.append(_run_text(run))
        run = [segment]
    if run:
        texts.append(_run_text(run))
    return texts


def _adjoins(one: Segment, other: Segment) -> bool:
    if one.kind == "open" and other.kind == "point":
        return one.high is not None and equal(one.high, other.low) is True
    return one.kind == "point" and other.kind == "open" and other.low is not None and equal(one.low, other.low) is True


def _run_text(run: list[Segment]) -> str:
    first, last = run[0], run[-1]
    if first.kind == "other":
        return _OTHER
    if first.kind == "all":
        return "-"
    if len(run) == 1 and first.kind == "point":
        return text_of(first.low, nested=True)
    low, low_included = first.low, first.kind == "point"
    high, high_included = (last.low, True) if last.kind == "point" else (last.high, False)
    if low is None and first.kind == "open":
        return f"{'<=' if high_included else '<'} {text_of(high, nested=True)}"
    if high is None:
        return f"{'>=' if low_included else '>'} {text_of(low, nested=True)}"
    return f"{'[' if low_included else '('}{text_of(low, nested=True)}..{text_of(high, nested=True)}{']' if high_included else ')'}"
