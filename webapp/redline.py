"""A redline as pages show it: values as the reader writes them, prose word by word, each line with its tick and its comments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from engine import redline as engine_redline
from engine.redline import Difference, Kind, Redline, Shape, sentence_of
from engine.wording import Piece, in_words
from records.comment import Comment
from webapp import formats, visit
from webapp.formats import Custom

KIND_WORDS: Mapping[Kind, str] = {
    Kind.ADDED: "added", Kind.REMOVED: "removed", Kind.CHANGED: "changed", Kind.RENAMED: "renamed", Kind.MOVED: "moved",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """One difference for a reader. pieces: of prose that changed; delta: how much a number rose; anchor: its place on the page."""

    kind: Kind
    sign: str
    place: str
    label: str
    old: str
    new: str
    sentence: str
    anchor: str
    path: str
    delta: str = ""
    pieces: Sequence[Piece] = ()
    is_clerical: bool = False
    is_counted: bool = True
    why: str = ""

    @property
    def before(self) -> list[Piece]:
        """The pieces of the old wording."""
        return [piece for piece in self.pieces if piece.kind is not Kind.ADDED]

    @property
    def after(self) -> list[Piece]:
        """The pieces of the new wording."""
        return [piece for piece in self.pieces if piece.kind is not Kind.REMOVED]


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """The differences of one line. number: of the line on the page; hash: what a tick is bound to, empty where there is nothing to tick."""

    number: int
    path: str
    place: str
    differences: Sequence[Shown]
    hash: str = ""
    is_viewed: bool = False
    comments: Sequence[Comment] = ()

    @property
    def is_clerical(self) -> bool:
        """Whether nothing hangs on anything in it."""
        return all(one.is_clerical or not one.is_counted for one in self.differences)


@dataclass(frozen=True, slots=True)
class View:
    """A redline on a page. counts: how many of each kind, in words; prefix: of the anchors, where a page shows several."""

    groups: Sequence[ShownGroup] = ()
    basis: str = ""
    count: int = 0
    counts: str = ""
    clerical: int = 0
    differences: Sequence[Shown] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.differences)


def view_of(
    found: Redline,
    *,
    hashes: Mapping[str, str] | None = None,
    viewed: Collection[str] = (),
    comments: Sequence[Comment] = (),
    prefix: str = "difference",
) -> View:
    """Return a redline for the visitor. hashes: by path, of what can be ticked; viewed: the paths ticked; comments: on the document."""
    how, number = visit.visitor().how, 0
    groups: list[ShownGroup] = []
    for group in found.groups:
        shown = []
        # Clerical ones are folded below the others; whoever steps through meets them there.
        for one in sorted(group.differences, key=lambda found: found.is_clerical):
            number += one.is_counted
            shown.append(show(one, how, anchor=f"{prefix}-{number}" if one.is_counted else ""))
        said = [remark for remark in comments if remark.path is not None and remark.path.split("/")[0] == group.path]
        groups.append(
            ShownGroup(
                len(groups) + 1,
                group.path,
                group.place,
                shown,
                (hashes or {}).get(group.path, ""),
                group.path in viewed,
                said,
            )
        )
    counts = ", ".join(f"{count} {KIND_WORDS[kind]}" for kind, count in found.counts.items())
    flat = [one for group in groups for one in group.differences]
    return View(groups, found.basis, found.count, counts, found.clerical, flat)


def show(one: Difference, how: Custom, *, anchor: str = "") -> Shown:
    """Return one difference with its values as a person writes them."""
    old, new = value(one, one.old, one.was_unit, how), value(one, one.new, one.unit, how)
    if one.row is not None and one.kind in (Kind.ADDED, Kind.REMOVED):
        told = _summary(one.row, how) or one.row.words
        old, new = ("", told) if one.kind is Kind.ADDED else (told, "")
    is_prose = one.kind is Kind.CHANGED and one.shape is Shape.TEXT
    return Shown(
        one.kind, one.sign, one.place, one.label, old, new, sentence_of(one, old, new), anchor, one.key, _rise(one, how),
        in_words(old, new) if is_prose else (), one.is_clerical, one.is_counted, one.why,
    )  # fmt: skip


def value(one: Difference, text: str | None, unit: str, how: Custom) -> str:
    """Return a canonical text as a person reads it; one that is no number or date after all stays as it is."""
    return _value(text, one.shape, unit, how)


def _value(text: str | None, shape: Shape, unit: str, how: Custom) -> str:
    if not text:
        return ""
    try:
        if shape is Shape.NUMBER:
            return formats.quantity(Decimal(text), unit, how)
        if shape is Shape.MONEY:
            return formats.money(Decimal(text), unit, how, unit_price=True)
        if shape is Shape.DAY:
            return formats.day(dt.date.fromisoformat(text), how)
    except (InvalidOperation, ValueError):
        return text
    return engine_redline.plain(text, shape, unit)


def _summary(row: engine_redline.Row, how: Custom) -> str:
    own = [f"{one.label} {_value(one.text, one.shape, one.unit, how)}" for one in row.fields.values() if one.text]
    return ", ".join([*own, *(f"{below.words}: {_summary(below, how)}" for below in row.rows)])


def _rise(one: Difference, how: Custom) -> str:
    """Return by how much a number changed, with its sign, and in percent of what it was."""
    if not one.delta or one.old is None:
        return ""
    was, sign = Decimal(one.old), "+" if one.delta > 0 else ""
    money = one.shape is Shape.MONEY
    text = formats.money(one.delta, one.unit, how, unit_price=True) if money else formats.quantity(one.delta, "", how)
    return f"{sign}{text}" + (f", {sign}{formats.number(round(one.delta / was * 100, 2), None, how)} %" if was else "")
