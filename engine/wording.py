"""Two wordings of a text, word by word: what stayed, what went, what came."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from engine.redline import Kind

WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+|\s+|[^\w\s]")
MOST_WORDS = 3_000
"""Comparing takes up to the square of the words: a longer text is compared without the part that begins and ends alike."""
SHORTEST = 5
"""Letters of a word in which one may be a slip of the pen."""
ALIKE = 0.34
"""Two texts that share less of their words than this read better whole, one after the other."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words. kind: None for what stayed."""

    kind: Kind | None
    text: str


def in_words(old: str, new: str) -> list[Piece]:
    """Return the pieces of two wordings in reading order; what went stands before what came in its place."""
    before, after = WORD.findall(old), WORD.findall(new)
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    inner = before[head : len(before) - tail], after[head : len(after) - tail]
    pieces = [(None, before[:head]), *_inner(*inner), (None, before[len(before) - tail :])]
    found = _joined([Piece(kind, "".join(words)) for kind, words in pieces if words])
    shared = sum(len(one.text.strip()) for one in found if one.kind is None)
    if shared < ALIKE * min(len(old.strip()), len(new.strip())):
        return [Piece(kind, text) for kind, text in ((Kind.REMOVED, old), (Kind.ADDED, new)) if text]
    return found


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Join what is parted by nothing but a space: two words in place of two others read as one replacement."""
    found: list[Piece] = []
    went = came = ""
    for index, piece in enumerate(pieces):
        is_gap = piece.kind is None and piece.text.isspace() and bool(went or came) and index + 1 < len(pieces)
        if piece.kind is None and not is_gap:
            found += [one for one in (Piece(Kind.REMOVED, went), Piece(Kind.ADDED, came)) if one.text]
            found.append(piece)
            went = came = ""
            continue
        went += piece.text if piece.kind is not Kind.ADDED else ""
        came += piece.text if piece.kind is not Kind.REMOVED else ""
    return [*found, *(one for one in (Piece(Kind.REMOVED, went), Piece(Kind.ADDED, came)) if one.text)]


def _common(before: Sequence[str], after: Sequence[str]) -> int:
    count = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        count += 1
    return count


def _inner(before: Sequence[str], after: Sequence[str]) -> list[tuple[Kind | None, Sequence[str]]]:
    if len(before) > MOST_WORDS or len(after) > MOST_WORDS:
        return [(Kind.REMOVED, before), (Kind.ADDED, after)]
    found: list[tuple[Kind | None, Sequence[str]]] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, first, last, start, end in matcher.get_opcodes():
        if tag == "equal":
            found.append((None, before[first:last]))
        else:
            found += [(Kind.REMOVED, before[first:last]), (Kind.ADDED, after[start:end])]
    return found


def reads_the_same(old: str, new: str) -> bool:
    """Tell whether two texts differ in nothing but spacing, marks, capitals and slips of the pen: one letter in a longer word.

    A number, a short word or another word is never a slip: "not" is not "now".
    """
    before, after = (re.findall(r"\w+", text.casefold()) for text in (old, new))
    return len(before) == len(after) and all(
        one == other or _is_slip(one, other) for one, other in zip(before, after, strict=True)
    )


def _is_slip(one: str, other: str) -> bool:
    """Whether one letter was added, left out, exchanged, or swapped with its neighbour."""
    if (
        not (one.isalpha() and other.isalpha())
        or min(len(one), len(other)) < SHORTEST
        or abs(len(one) - len(other)) > 1
    ):
        return False
    head = _common(one, other)
    rest, more = one[head:], other[head:]
    if len(rest) == len(more):
        swapped = rest[:2] == more[1::-1] and rest[2:] == more[2:]
        return swapped or rest[1:] == more[1:]
    longer, shorter = sorted((rest, more), key=len, reverse=True)
    return longer[1:] == shorter
