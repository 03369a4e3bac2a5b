"""Redlines: what differs between two versions of anything that is a tree of rows with fields.

A document (header, keyed lines, lines of lines), a rule table (columns, rules), a form, a diagram: each adapter gives the two trees
in its own words, and everything that shows, counts, ticks or prints differences works on what ``engine.comparison`` finds. It stands in the
engine, below every adapter, since definitions are compared here too; it knows no database and no document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cached_property

from engine.canonical import content_hash


class Kind(StrEnum):
    """What happened. INDIRECT: the row itself is as it was, only something below it changed; it is shown, not counted."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RENAMED = "renamed"
    MOVED = "moved"
    INDIRECT = "indirect"


SIGNS: Mapping[Kind, str] = {
    Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~", Kind.RENAMED: "~", Kind.MOVED: "↕", Kind.INDIRECT: "⇨",
}  # fmt: skip
"""The sign that says the kind without colour."""


class Shape(StrEnum):
    """How a value reads. TEXT: prose, compared word by word; NUMBER: with a unit; CODE: anything compared as a whole."""

    CODE = "code"
    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    DAY = "day"
    TRUTH = "truth"


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a row. label: its name in words; text: canonical, None or empty for no value.

    unit: of a number, or the currency of an amount. is_clerical: nothing hangs on it, whatever it says (a title, a remark).
    """

    label: str
    text: str | None
    shape: Shape = Shape.CODE
    unit: str = ""
    is_clerical: bool = False

    @property
    def value(self) -> str | None:
        """What two versions are compared by: an empty text is no value; the unit is part of a number."""
        if not self.text:
            return None
        if self.unit and self.shape in (Shape.NUMBER, Shape.MONEY):
            return f"{self.text} {self.unit}"
        return self.text


@dataclass(frozen=True)
class Row:
    """One row of a version. key: unique among its siblings, as people call it (``2``); kind: what it is (``Line``).

    identity: what stays the same when the key changes, unique among its siblings, or None where there is no such thing.
    is_ordered: whether the order of its rows means anything.
    """

    key: str
    kind: str = ""
    fields: Mapping[str, Field] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    identity: str | None = None
    is_ordered: bool = True

    def __post_init__(self) -> None:
        handles = [row.handle for row in self.rows]
        if len(set(handles)) != len(handles):
            doubled = next(handle for handle in handles if handles.count(handle) > 1)
            raise ValueError(f"Expected every row of {self.words or 'the document'} once, but {doubled} is there twice")

    @property
    def handle(self) -> str:
        """What paths call it."""
        return self.identity or self.key

    @property
    def words(self) -> str:
        """What people call it: ``Line 2``."""
        return f"{self.kind} {self.key}".strip()

    @cached_property
    def content(self) -> str:
        """The hash of everything in it but its own key."""
        return content_hash(
            [self.kind, {name: one.value for name, one in self.fields.items() if one.value is not None},
             [[row.key, row.identity, row.content] for row in self._in_order]]
        )  # fmt: skip

    @property
    def _in_order(self) -> tuple[Row, ...]:
        return self.rows if self.is_ordered else tuple(sorted(self.rows, key=lambda row: row.handle))

    @property
    def summary(self) -> str:
        """Its values in one text, for a row that came or went as a whole."""
        own = [
            f"{one.label} {plain(one.text, one.shape, one.unit)}"
            for one in self.fields.values()
            if one.value is not None
        ]
        return ", ".join([*own, *(f"{row.words}: {row.summary}" if row.summary else row.words for row in self.rows)])


@dataclass(frozen=True)
class Difference:
    """One difference. path: handles from the top to the row; name: the field, empty when it is about the row itself.

    place: the row in words; label: the field in words. old, new: texts without their unit. row: what came or went as a whole. at: the place
    among the new rows that it takes when it came or moved, from 0; was_at: where it stood. was_unit: the old unit.
    why: a sentence about it from whoever judged it.
    """

    kind: Kind
    path: tuple[str, ...]
    place: str
    name: str = ""
    label: str = ""
    old: str | None = None
    new: str | None = None
    shape: Shape = Shape.CODE
    unit: str = ""
    was_unit: str = ""
    is_clerical: bool = False
    row: Row | None = None
    at: int | None = None
    was_at: int | None = None
    was_handle: str = ""
    field: Field | None = None
    why: str = ""

    @property
    def sign(self) -> str:
        """The sign that says the kind without colour."""
        return SIGNS[self.kind]

    @property
    def is_counted(self) -> bool:
        """Whether it is a difference of its own."""
        return self.kind is not Kind.INDIRECT

    @property
    def key(self) -> str:
        """The path of the field or row as one text."""
        return "/".join((*self.path, self.name) if self.name else self.path)

    @property
    def delta(self) -> Decimal | None:
        """How much a number rose, with its sign; None for anything else or when its unit changed."""
        if self.shape not in (Shape.NUMBER, Shape.MONEY) or self.unit != self.was_unit or not self.old or not self.new:
            return None
        try:
            return Decimal(self.new) - Decimal(self.old)
        except InvalidOperation:
            return None

    @property
    def sentence(self) -> str:
        """The difference in words, with plain values."""
        return sentence_of(self, plain(self.old, self.shape, self.was_unit), plain(self.new, self.shape, self.unit))

    @property
    def hash(self) -> str:
        """What a tick is bound to: everything that the difference says."""
        said = [self.kind.value, list(self.path), self.name, self.old, self.new, self.unit, self.was_unit]
        return content_hash([*said, self.row.content if self.row else None])


def plain(text: str | None, shape: Shape, unit: str) -> str:
    """Return a value as it reads without anybody's habits of writing numbers."""
    if not text:
        return ""
    if shape is Shape.TRUTH:
        return {"true": "yes", "false": "no"}.get(text, text)
    if shape in (Shape.NUMBER, Shape.MONEY):
        return f"{_trimmed(text)} {unit}".strip()
    return text


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if re.fullmatch(r"-?\d+\.\d+", text) else text


def sentence_of(one: Difference, old: str, new: str) -> str:
    """Return a difference in one sentence. old, new: its values as the reader writes them."""
    old, new = (_within_sentence(text, is_prose=one.shape is Shape.TEXT and bool(one.name)) for text in (old, new))
    if one.kind is Kind.INDIRECT:
        return f"{one.place}: only something below it changed."
    if one.kind is Kind.MOVED:
        return f"{one.place} moved from {old} to {new}."
    if one.kind is Kind.RENAMED:
        return f"{one.place} was called {old} before."
    if not one.name:
        return (
            f"{one.place} was added: {new}." if one.kind is Kind.ADDED else f"{one.place} was removed; it was: {old}."
        )
    if one.kind is Kind.ADDED:
        return f"{one.place}: {one.label} was added, {new}."
    if one.kind is Kind.REMOVED:
        return f"{one.place}: {one.label} was removed; it was {old}."
    return f"{one.place}: {one.label} was {old}, and is now {new}."


def _within_sentence(text: str, *, is_prose: bool) -> str:
    words = " ".join(text.split())
    return f"“{words}”" if is_prose and words else words.removesuffix(".")


@dataclass(frozen=True)
class Group:
    """The differences of one line: what a person ticks as viewed. path: the handle of the line, empty for the header."""

    path: str
    place: str
    differences: tuple[Difference, ...]

    @property
    def hash(self) -> str:
        """What a tick is bound to: another difference, or one that says another thing, has another hash."""
        return content_hash([one.hash for one in self.differences])

    @property
    def count(self) -> int:
        """How many differences it counts for."""
        return sum(one.is_counted for one in self.differences)


@dataclass(frozen=True)
class Redline:
    """All that differs, in the order of the document. basis: what it is compared with, in words; empty for nothing."""

    differences: tuple[Difference, ...] = ()
    basis: str = ""

    @property
    def count(self) -> int:
        """How many differences there are; a row with nothing but a changed child is none."""
        return sum(one.is_counted for one in self.differences)

    @property
    def counts(self) -> dict[Kind, int]:
        """How many of each kind, those that occur."""
        found = [one.kind for one in self.differences if one.is_counted]
        return {kind: found.count(kind) for kind in Kind if kind in found}

    @property
    def clerical(self) -> int:
        """How many of them nothing hangs on."""
        return sum(one.is_clerical for one in self.differences if one.is_counted)

    @property
    def groups(self) -> list[Group]:
        """The differences by line, in the order of the document."""
        found: dict[str, list[Difference]] = {}
        for one in self.differences:
            found.setdefault(one.path[0] if one.path else "", []).append(one)
        return [Group(path, _place(ones), tuple(ones)) for path, ones in found.items()]


def _place(differences: Sequence[Difference]) -> str:
    shortest = min(differences, key=lambda one: len(one.path))
    return shortest.place.split(" · ")[0]
