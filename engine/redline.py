"""Redlines: what differs between two versions of anything that is a tree of rows with fields.

A document (header, keyed lines, lines of lines), a rule table (columns, rules), a form, a diagram: each adapter gives the two trees
in its own words, and everything that shows, counts, ticks or prints differences works on what ``compare`` returns. It stands in the
engine, below every adapter, since definitions are compared here too; it knows no database and no document.

Rows are paired by identity, else by key, else by equal content under another key. So a row that only moved is one difference
("moved"), never one removed and one added; a row whose key alone changed is one difference ("renamed"). ``apply`` is the proof:
the differences applied to the old tree give the new one, order included.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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


def compare(old: Row | None, new: Row | None, *, header: str = "Header", basis: str = "") -> Redline:
    """Return how a new version differs from an old one. header: what the top row is called; None is nothing at all."""
    before = old if old is not None else Row(new.key, new.kind) if new is not None else Row("")
    after = new if new is not None else Row(before.key, before.kind)
    return Redline(tuple(_of_row(before, after, (), header)), basis)


def _of_row(old: Row, new: Row, path: tuple[str, ...], place: str) -> Iterator[Difference]:
    yield from _of_fields(old, new, path, place)
    yield from _of_rows(old, new, path, "" if not path else place)


def _of_fields(old: Row, new: Row, path: tuple[str, ...], place: str) -> Iterator[Difference]:
    for name in dict.fromkeys((*new.fields, *old.fields)):
        was, now = old.fields.get(name), new.fields.get(name)
        before, after = was.value if was else None, now.value if now else None
        if before == after:
            continue
        told = now or was
        assert told is not None
        yield changed(
            path, place, name, label=told.label, old=was.text if was else None, new=now.text if now else None, shape=told.shape,
            unit=now.unit if now else "", was_unit=was.unit if was else "", is_clerical=told.is_clerical, field=now,
        )  # fmt: skip


def changed(
    path: tuple[str, ...],
    place: str,
    name: str,
    *,
    label: str,
    old: str | None,
    new: str | None,
    shape: Shape = Shape.CODE,
    unit: str = "",
    was_unit: str | None = None,
    is_clerical: bool = False,
    field: Field | None = None,
    why: str = "",
) -> Difference:
    """Return the difference of one field. An empty text is no value: then it was added or removed."""
    kind = Kind.CHANGED if old and new else Kind.ADDED if new else Kind.REMOVED
    return Difference(
        kind, path, place, name, label, old or None, new or None, shape, unit, unit if was_unit is None else was_unit,
        is_clerical or (shape is Shape.TEXT and _is_same_wording(old, new)), field=field, why=why,
    )  # fmt: skip


def _is_same_wording(old: str | None, new: str | None) -> bool:
    """Tell whether two texts differ in nothing but spacing and the marks at the ends of words. Case counts: mW is not MW."""
    if not old or not new:
        return False
    texts = [re.sub(r"[.,;:!?]+(?=\s|$)", "", text).split() for text in (old, new)]
    return texts[0] == texts[1]


def _of_rows(old: Row, new: Row, path: tuple[str, ...], place: str) -> Iterator[Difference]:
    pairs = _paired(old.rows, new.rows)
    moved = _moved(old, new, pairs) if new.is_ordered else set()
    before = {row.handle: index for index, row in enumerate(old.rows)}
    gone = _gone(old.rows, {was.handle for was in pairs.values()})
    for lost in gone.get("", ()):
        yield _went(lost, path, place, before[lost.handle])
    for index, row in enumerate(new.rows):
        was = pairs.get(row.handle)
        yield from _of_pair(was, row, (*path, row.handle), _within(place, row), (index, before, row.handle in moved))
        for lost in gone.get(was.handle, ()) if was is not None else ():
            yield _went(lost, path, place, before[lost.handle])


def _gone(old: Sequence[Row], kept: Collection[str]) -> dict[str, list[Row]]:
    """Return the rows that went, by the kept row that they stood behind: there they are told. Empty: before any kept one."""
    found: dict[str, list[Row]] = {}
    behind = ""
    for row in old:
        if row.handle in kept:
            behind = row.handle
        else:
            found.setdefault(behind, []).append(row)
    return found


def _of_pair(
    was: Row | None, row: Row, path: tuple[str, ...], place: str, standing: tuple[int, Mapping[str, int], bool]
) -> Iterator[Difference]:
    at, before, is_moved = standing
    if was is None:
        yield Difference(Kind.ADDED, path, place, new=row.summary or row.words, row=row, at=at)
        return
    own = [*_of_own(was, row, path, place)]
    if is_moved:
        stood = before[was.handle]
        own.append(
            Difference(
                Kind.MOVED,
                path,
                place,
                old=f"place {stood + 1}",
                new=f"place {at + 1}",
                at=at,
                was_at=stood,
                was_handle=was.handle,
            )
        )
    own += _of_fields(was, row, path, place)
    below = list(_of_rows(was, row, path, place))
    if below and not own:
        yield Difference(Kind.INDIRECT, path, place)
    yield from own
    yield from below


def _of_own(was: Row, row: Row, path: tuple[str, ...], place: str) -> Iterator[Difference]:
    if was.key != row.key or was.kind != row.kind:
        yield Difference(
            Kind.RENAMED, path, place, old=was.words, new=row.words, was_handle=was.handle, row=replace(row, fields={}, rows=())
        )  # fmt: skip


def _went(row: Row, path: tuple[str, ...], place: str, was_at: int) -> Difference:
    return Difference(
        Kind.REMOVED, (*path, row.handle), _within(place, row), old=row.summary or row.words, row=row, was_at=was_at
    )


def _within(place: str, row: Row) -> str:
    return f"{place} · {row.words}" if place else row.words


def _paired(old: Sequence[Row], new: Sequence[Row]) -> dict[str, Row]:
    """Return the handle of each new row that was there before, and what it was: by identity, by key, by equal content."""
    free = {row.handle: row for row in old}
    found: dict[str, Row] = {}
    for row in new:
        if row.handle in free:
            found[row.handle] = free.pop(row.handle)
    lost = [row for row in free.values() if row.identity is None and (row.fields or row.rows)]
    for row in new:
        if row.handle in found or row.identity is not None:
            continue
        alike = [one for one in lost if one.content == row.content]
        if alike:
            found[row.handle] = alike[0]
            lost.remove(alike[0])
    return found


def _moved(old: Row, new: Row, pairs: Mapping[str, Row]) -> set[str]:
    """Return the fewest rows that must have moved: all kept ones but a longest run that kept its order."""
    before = {row.handle: index for index, row in enumerate(old.rows)}
    kept = [row.handle for row in new.rows if row.handle in pairs]
    places = [before[pairs[handle].handle] for handle in kept]
    stayed = _longest_rise(places)
    return {handle for position, handle in enumerate(kept) if position not in stayed}


def _longest_rise(numbers: Sequence[int]) -> set[int]:
    """Return the positions of a longest increasing run (patience sorting)."""
    tails: list[int] = []
    tail_at: list[int] = []
    before: list[int | None] = []
    for position, number in enumerate(numbers):
        length = bisect_left(tails, number)
        before.append(tail_at[length - 1] if length else None)
        tails[length:] = [number, *tails[length + 1 :]]
        tail_at[length:] = [position, *tail_at[length + 1 :]]
    found: set[int] = set()
    position_now = tail_at[-1] if tail_at else None
    while position_now is not None:
        found.add(position_now)
        position_now = before[position_now]
    return found


def apply(old: Row, differences: Iterable[Difference]) -> Row:
    """Return the version that differences make of an old one. Only for those of ``compare``, which carry whole rows."""
    by_parent: dict[tuple[str, ...], list[Difference]] = {}
    by_row: dict[tuple[str, ...], list[Difference]] = {}
    for one in differences:
        if one.name:
            by_row.setdefault(one.path, []).append(one)
        elif one.path:
            by_parent.setdefault(one.path[:-1], []).append(one)
    return _rebuilt(old, (), by_parent, by_row)


_ByPath = Mapping[tuple[str, ...], Sequence[Difference]]


def _rebuilt(old: Row, path: tuple[str, ...], by_parent: _ByPath, by_row: _ByPath) -> Row:
    fields = dict(old.fields)
    for one in by_row.get(path, ()):
        if one.field is None:
            fields.pop(one.name, None)
        else:
            fields[one.name] = one.field
    told = by_parent.get(path, ())
    removed = {one.path[-1] for one in told if one.kind is Kind.REMOVED}
    renamed = {one.was_handle: one for one in told if one.kind is Kind.RENAMED}
    places = {one.path[-1]: one.at for one in told if one.kind in (Kind.ADDED, Kind.MOVED) and one.at is not None}
    added = [one.row for one in told if one.kind is Kind.ADDED and one.row is not None]
    kept: list[Row] = []
    for row in old.rows:
        if row.handle in removed:
            continue
        called = renamed[row.handle].row if row.handle in renamed else row
        assert called is not None
        whole = _rebuilt(row, (*path, called.handle), by_parent, by_row)
        kept.append(replace(whole, key=called.key, kind=called.kind, identity=called.identity))
    arriving = sorted([*added, *(row for row in kept if row.handle in places)], key=lambda row: places[row.handle] or 0)
    standing = [row for row in kept if row.handle not in places]
    for row in arriving:
        standing.insert(places[row.handle] or 0, row)
    return replace(old, fields=fields, rows=tuple(standing))
