"""Plots as figures of plain numbers: where each bar, dot and line stands, in percent of the width and pixels of the height.

The template draws them as inline SVG without any style of its own, so that text keeps its size at every width. Pure functions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

HEIGHT = 160
"""Pixels between the line that everything stands on and the top of the tallest bar."""

STEPS = (1, 2, 4, 6, 8, 10)
SHAPES = ("circle", "square", "diamond", "triangle", "cross")
"""Marks of what is told apart; every further one is a cross, and the table beside it names it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One column. x, width: in percent; y, height: in pixels from the top; url: of the list it counts, empty where nothing is."""

    label: str
    words: str
    value: int
    x: Decimal
    width: Decimal
    y: int
    height: int
    url: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A line across with its words. y: in pixels."""

    y: int
    words: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns side by side; several series stand beside each other under one label."""

    bars: Sequence[Sequence[Bar]]
    grid: Sequence[Grid]
    labels: Sequence[tuple[Decimal, str]]
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Dot:
    """One price. x: in percent; y: in pixels; shape: one of ``SHAPES``; is_hollow: of the second kind; words: all of it."""

    x: Decimal
    y: int
    shape: str
    is_hollow: bool
    is_first: bool
    words: str
    url: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line between two dots of one series."""

    x1: Decimal
    y1: int
    x2: Decimal
    y2: int
    is_first: bool


@dataclass(frozen=True, slots=True)
class Dots:
    """Dots over days."""

    dots: Sequence[Dot]
    strokes: Sequence[Stroke]
    grid: Sequence[Grid]
    labels: Sequence[tuple[Decimal, str]]
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Given:
    """What is to be dotted. series: its place among the series; the first one carries the accent."""

    on: dt.date
    value: Decimal
    series: int
    is_hollow: bool
    words: str
    url: str


def columns(labels: Sequence[str], series: Sequence[Sequence[tuple[int, str, str]]]) -> Columns:
    """Return columns. series: for each kind of bar, under every label its value, its words and the address of what it counts."""
    top = _nice(Decimal(max((value for one in series for value, _, _ in one), default=0)))
    slot = Decimal(100) / max(len(labels), 1)
    width = slot * Decimal("0.72") / max(len(series), 1)
    bars = [
        [
            _bar(labels[place], row, slot * place + slot * Decimal("0.14") + width * kind, width, top)
            for place, row in enumerate(one)
        ]
        for kind, one in enumerate(series)
    ]
    marks = [(_percent(slot * place + slot / 2), label) for place, label in enumerate(labels)]
    return Columns(bars, _grid(top), marks)


def _bar(label: str, row: tuple[int, str, str], x: Decimal, width: Decimal, top: Decimal) -> Bar:
    value, words, url = row
    # Even one of a thousand is to be seen.
    height = max(int(value * HEIGHT / top), 2) if value else 0
    return Bar(label, words, value, _percent(x), _percent(width), HEIGHT - height, height, url if value else "")


def dots(given: Sequence[Given], name: Callable[[dt.date], str] = dt.date.isoformat, *, days: int = 4) -> Dots:
    """Return dots by day and value, joined within a series and a kind. name: writes a day; days: how many are named below."""
    if not given:
        return Dots([], [], [], [])
    first, last = min(one.on for one in given), max(one.on for one in given)
    whole = max((last - first).days, 1)
    top = _nice(max(one.value for one in given))

    def across(day: dt.date) -> Decimal:
        return _percent(Decimal(2) + Decimal(96) * (day - first).days / whole) if last > first else Decimal(50)

    found = [
        (one, Dot(across(one.on), HEIGHT - int(one.value * HEIGHT / top), _shape(one.series), one.is_hollow, one.series == 0,
                  one.words, one.url))
        for one in sorted(given, key=lambda each: each.on)
    ]  # fmt: skip
    named = sorted(
        {first + dt.timedelta(days=whole * step // max(days - 1, 1)) for step in range(days)} & _between(first, last)
    )
    return Dots([dot for _, dot in found], _strokes(found), _grid(top), [(across(day), name(day)) for day in named])


def _between(first: dt.date, last: dt.date) -> set[dt.date]:
    return {first + dt.timedelta(days=step) for step in range((last - first).days + 1)}


def _strokes(found: Sequence[tuple[Given, Dot]]) -> list[Stroke]:
    """Return lines within each series; only what was ordered is joined, what was invoiced stands beside it."""
    before: dict[int, Dot] = {}
    lines = []
    for one, dot in found:
        if one.is_hollow:
            continue
        if (last := before.get(one.series)) is not None:
            lines.append(Stroke(last.x, last.y, dot.x, dot.y, one.series == 0))
        before[one.series] = dot
    return lines


def _shape(series: int) -> str:
    return SHAPES[min(series, len(SHAPES) - 1)]


def _grid(top: Decimal) -> list[Grid]:
    """Return the lines across: the half and the whole of the top."""
    return [Grid(HEIGHT - int(HEIGHT * part), _plain(top * part)) for part in (Decimal("0.5"), Decimal(1))]


def _nice(most: Decimal) -> Decimal:
    """Return a round number at least as large: a step and zeros, of which half is round, too."""
    if most <= 0:
        return Decimal(2)
    power = Decimal(1).scaleb(most.adjusted())
    step = next(step for step in STEPS if most <= step * power)
    return max(step * power, Decimal(2)) if most == most.to_integral_value() else step * power


def _percent(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_CEILING)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
