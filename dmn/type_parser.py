"""Reads types as they are written after ``instance of`` and in parameters."""

from __future__ import annotations

from dmn import syntax
from dmn.errors import Position
from dmn.names import KEYWORDS, WORD
from dmn.scanner import Scanner

_GENERIC = ("list", "range", "context", "function")


class TypeParser(Scanner):
    """Types have names, and some have parts in angle brackets."""

    def type(self) -> syntax.TypeNode:
        """Read a type such as ``number``, ``list<string>`` or ``context<a: number>``."""
        self.skip()
        at = self.here()
        word = self.word()
        if word in _GENERIC:
            begin = self.offset
            self.offset += len(word)
            if self.take("<"):
                return self._generic(at, word)
            self.offset = begin
        known = self.types.fits(self.text, self.offset)
        if known:
            self.offset = known[-1].stop
            return syntax.TypeNode(at, known[-1].name)
        if word == "function" or (word and word not in KEYWORDS):
            self.offset += len(word)
            while self.text.startswith(".", self.offset) and WORD.match(self.text, self.offset + 1):
                self.offset += 1
                part = self.word()
                word += "." + part
                self.offset += len(part)
            return syntax.TypeNode(at, word)
        raise self.expected("a type")

    def _generic(self, at: Position, word: str) -> syntax.TypeNode:
        self.deepen()
        parts: list[tuple[str, syntax.TypeNode]] = []
        while not self.peek(">"):
            name = ""
            if word == "context":
                name = self.declared_name("a name and a type", ":")
                self.require(":")
            parts.append((name, self.type()))
            if not self.take(","):
                break
        self.require(">", "> at the end of the type")
        self.depth -= 1
        result = None
        if word == "function":
            self.require("->", "-> and the type of the result")
            result = self.type()
        return syntax.TypeNode(at, word, tuple(parts), result, True)
