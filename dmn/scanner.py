"""Reads FEEL text without tokens: characters, words, and names that may contain blanks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Iterator as Generates
from contextlib import contextmanager
from typing import TypeVar

from dmn.errors import FeelSyntaxError, Position
from dmn.names import BLANK, KEYWORDS, NAME_TOKEN, WORD, Fit, Names

MAX_TEXT = 65_536
MAX_DEPTH = 60
# Links of one chain, such as a.b.c or f(1)(2); sums, products and junctions may be longer.
MAX_LINKS = 100
# Backtracking over half-open ranges could double the work at every level of nesting; no honest text comes close.
_MAX_ATTEMPTS = 200_000
_Made = TypeVar("_Made")

BLANKS = re.compile(r"\s+")
NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
PROPERTY_NAMES = ("time offset", "start included", "end included")
SIMPLE_TYPES = (
    "Any", "Null", "number", "string", "boolean", "date", "time", "date and time", "dateTime",
    "days and time duration", "years and months duration", "dayTimeDuration", "yearMonthDuration",
)  # fmt: skip


class TooDeep(Exception):
    """The text nests too deep; no backtracking may hide that."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"Expected at most {MAX_DEPTH} levels of nesting, but it nests deeper")
        self.offset = offset


def line_position(text: str) -> Callable[[int], Position]:
    """Return a function from an offset in ``text`` to its position."""
    starts = [0] + [match.end() for match in re.finditer("\n", text)]
    if len(starts) == 1:
        return lambda offset: Position(offset, 1, offset + 1)

    def locate(offset: int) -> Position:
        low, high = 0, len(starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if starts[middle] <= offset else (low, middle)
        return Position(offset, low + 1, offset - starts[low] + 1)

    return locate


class Scanner:
    """Reads one text, character by character and name by name.

    names: variables in scope; functions: built-in and host functions; properties: names that may follow a dot or
    stand in a filter; types: item definitions; locate: maps an offset to a position (of a file, for DMN cells).
    """

    def __init__(
        self,
        text: str,
        *,
        names: Iterable[str] = (),
        functions: Names | None = None,
        properties: Iterable[str] = (),
        types: Iterable[str] = (),
        source: str = "<expression>",
        locate: Callable[[int], Position] | None = None,
    ) -> None:
        self.text = text
        self.source = source
        self.locate = locate or line_position(text)
        self.offset = 0
        self.depth = 0
        self.attempts = 0
        self.scopes = [Names(names)]
        self.functions = functions or Names()
        self.properties = Names((*PROPERTY_NAMES, *properties))
        self.types = Names((*SIMPLE_TYPES, *types))
        self.in_filter = 0
        # How many brackets of ranges are open, so that [ may close one.
        self._range_depth = 0
        if len(text) > MAX_TEXT:
            raise self.error(f"Expected an expression of at most {MAX_TEXT:,} characters, but it has {len(text):,}", 0)

    # Reading characters

    def error(self, message: str, offset: int | None = None) -> FeelSyntaxError:
        at = self.locate(self.offset if offset is None else offset)
        return FeelSyntaxError(message, source=self.source, line=at.line, column=at.column)

    def expected(self, what: str) -> FeelSyntaxError:
        return self.error(f"Expected {what}, but {self._found()}")

    def _found(self) -> str:
        self.skip()
        if self.offset >= len(self.text):
            return "the text ends"
        match = WORD.match(self.text, self.offset) or NUMBER.match(self.text, self.offset)
        return f"found {match[0][:40] if match else self.text[self.offset]}"

    def here(self) -> Position:
        return self.locate(self.offset)

    def skip(self) -> None:
        match = BLANK.match(self.text, self.offset)
        if match:
            self.offset = match.end()

    def peek(self, symbol: str) -> bool:
        self.skip()
        return self.text.startswith(symbol, self.offset)

    def take(self, symbol: str) -> bool:
        if not self.peek(symbol):
            return False
        self.offset += len(symbol)
        return True

    def require(self, symbol: str, what: str = "") -> None:
        if not self.take(symbol):
            raise self.expected(what or f"{symbol}")

    def word(self) -> str:
        """Return the word that begins here, or an empty text; nothing is taken."""
        self.skip()
        match = WORD.match(self.text, self.offset)
        return match[0] if match else ""

    def take_word(self, word: str) -> bool:
        if self.word() != word:
            return False
        self.offset += len(word)
        return True

    def require_word(self, word: str) -> None:
        if not self.take_word(word):
            raise self.expected(word)

    def at_end(self) -> bool:
        self.skip()
        return self.offset >= len(self.text)

    # Names

    @contextmanager
    def scope(self, *names: str) -> Generates[Names]:
        self.scopes.append(Names(names))
        yield self.scopes[-1]
        self.scopes.pop()

    def known_name(self) -> str | None:
        """Take the longest known name that fits here."""
        self.skip()
        best: Fit | None = None
        for book in [*self.scopes, self.properties] if self.in_filter else self.scopes:
            for fit in book.fits(self.text, self.offset):
                if (best is None or fit.words >= best.words) and not (fit.words == 1 and fit.has_keyword):
                    best = fit
        for fit in self.functions.fits(self.text, self.offset):
            if (best is None or fit.words > best.words) and self._names_a_function(fit):
                best = fit
        if best is None:
            return None
        self.offset = best.stop
        return best.name

    def _names_a_function(self, fit: Fit) -> bool:
        """Tell whether a function name stands for the function here, not for the first words of something longer."""
        blank = BLANK.match(self.text, fit.stop)
        after = blank.end() if blank else fit.stop
        if self.text.startswith("(", after):
            return True
        follows = WORD.match(self.text, after)
        return (follows is None or follows[0] in KEYWORDS) and not fit.has_keyword

    def unknown_name(self, what: str) -> str:
        """Take a word and the words that follow it (rule 2)."""
        first = self.word()
        if not first or first in KEYWORDS:
            raise self.expected(what)
        self.offset += len(first)
        words = [first]
        while True:
            before = self.offset
            following = self.word()
            if not following or following in KEYWORDS or before == self.offset:
                self.offset = before
                return " ".join(words)
            words.append(following)
            self.offset += len(following)

    def declared_name(self, what: str, *stops: str) -> str:
        """Take the name of a new variable: everything up to one of the stops, which is left."""
        self.skip()
        begin = self.offset
        words: list[str] = []
        while not self.at_end():
            if self.word() in stops or (self.text[self.offset] in stops):
                break
            token = NAME_TOKEN.match(self.text, self.offset)
            if token is None or token[0] in '"()[]{},:':
                break
            words.append(self.text[self.offset : token.end()])
            self.offset = token.end()
        if not words or not WORD.match(words[0]):
            self.offset = begin
            raise self.expected(what)
        return BLANKS.sub(" ", self.text[begin : self.offset].strip())

    # Limits

    def guard(self, work: Callable[[], _Made]) -> _Made:
        """Do work on this text; what nests beyond the stack is a syntax error. Raises FeelSyntaxError."""
        try:
            return work()
        except TooDeep as error:
            raise self.error(str(error), error.offset) from None
        except RecursionError:
            raise self.error("Expected an expression that nests less deeply, but it nests too deep") from None

    def deepen(self) -> None:
        self.depth += 1
        self.attempts += 1
        if self.depth > MAX_DEPTH or self.attempts > _MAX_ATTEMPTS:
            raise TooDeep(self.offset)
