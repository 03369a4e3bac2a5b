"""Reads texts, numbers and temporal literals."""

from __future__ import annotations

import re
from decimal import InvalidOperation, Overflow

from dmn import syntax
from dmn.errors import Position
from dmn.scanner import NUMBER, Scanner
from dmn.temporal import parse_temporal
from dmn.values import DECIMAL128

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{6}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}


class LiteralParser(Scanner):
    """Literals become their values while they are read."""

    def _string(self) -> str:
        match = _STRING.match(self.text, self.offset)
        if match is None:
            raise self.error('Expected a closing ", but the text ends')
        self.offset = match.end()
        body = match[0][1:-1]
        if "\\" not in body:
            return body
        unescaped = _ESCAPE.sub(_unescape, body)
        # \ud83d\udc0e is one character written as a surrogate pair.
        try:
            return unescaped.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self.error("Expected whole characters, but an escape is half of a surrogate pair") from None

    def _number(self, at: Position) -> syntax.Node:
        match = NUMBER.match(self.text, self.offset)
        if match is None:
            raise self.expected("a number")
        self.offset = match.end()
        try:
            return syntax.Literal(at, DECIMAL128.create_decimal(match[0]))
        except (Overflow, InvalidOperation):
            raise self.error("Expected a number within decimal128, but it is beyond", at.offset) from None

    def _temporal(self, at: Position) -> syntax.Node:
        begin = self.offset
        self.offset += 1
        if not self.peek('"'):
            raise self.expected('a text after @, as in @"2026-11-22"')
        text = self._string()
        try:
            return syntax.Literal(at, parse_temporal(text))
        except ValueError as error:
            raise self.error(str(error), begin) from None


def _unescape(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] in "uU" and len(escape) > 1:
        code = int(escape[1:], 16)
        return chr(code) if code <= 0x10FFFF else match[0]
    return _ESCAPES.get(escape, match[0])
