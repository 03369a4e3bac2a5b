"""Names of FEEL: the words they are made of, and books in which the longest known name is found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_START = (
    "?A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f"
    "\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_PART = _START + "0-9\u00b7\u0300-\u036f\u203f-\u2040"

WORD = re.compile(f"[{_START}][{_PART}]*")
NAME_TOKEN = re.compile(f"[{_PART}]+|\\S")
BLANK = re.compile(r"(?:[\s\u0085\u180e\u200b\ufeff]+|//[^\n]*|/\*.*?\*/)+", re.DOTALL)

KEYWORDS = frozenset(
    (
        "and", "or", "in", "between", "instance", "then", "else", "return", "satisfies", "if", "for", "some", "every",
        "function", "external", "true", "false", "null",
    )
)  # fmt: skip


class Fit(NamedTuple):
    """A known name that fits at a place: how many words it has, where it stops, whether a keyword is among them."""

    words: int
    stop: int
    name: str
    has_keyword: bool


class _Branch:
    __slots__ = ("following", "name")

    def __init__(self) -> None:
        self.following: dict[str, _Branch] = {}
        self.name: str | None = None


class Names:
    """Known names by the words they are made of, so that a look-up costs no more than the words it reads."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._root = _Branch()
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Make one more name known; a blank name is ignored."""
        branch = self._root
        for token in NAME_TOKEN.findall(name):
            branch = branch.following.setdefault(token, _Branch())
        if branch is not self._root:
            branch.name = name

    def fits(self, text: str, offset: int) -> list[Fit]:
        """Return the known names that begin at ``offset``, the shortest first. Blanks between words do not count."""
        found: list[Fit] = []
        branch: _Branch | None = self._root
        words, has_keyword = 0, False
        while True:
            token = NAME_TOKEN.match(text, offset)
            branch = branch.following.get(token[0]) if token is not None and branch is not None else None
            if branch is None or token is None:
                return found
            words += 1
            has_keyword = has_keyword or token[0] in KEYWORDS
            if branch.name is not None:
                found.append(Fit(words, token.end(), branch.name, has_keyword))
            blank = BLANK.match(text, token.end())
            offset = blank.end() if blank else token.end()
