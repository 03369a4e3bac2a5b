"""Compare two versions of a tree of rows, and make the newer one of the older and their differences.

Rows are paired by identity, else by key, else by equal content under another key. So a row that only moved is one difference
("moved"), never one removed and one added; a row whose key alone changed is one difference ("renamed"). ``apply`` is the proof:
the differences applied to the old tree give the new one, order included.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from engine.redline import Difference, Field, Kind, Redline, Row, Shape


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
