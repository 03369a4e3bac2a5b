"""What can go wrong while text is read or a decision is computed, each with its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Position(NamedTuple):
    """A place in a text: ``offset`` counts characters from 0, ``line`` and ``column`` count from 1."""

    offset: int
    line: int
    column: int


START = Position(0, 1, 1)


class DmnError(Exception):
    """The text of a decision cannot be used; ``message`` reads "Expected …, but …".

    ``source`` is the name the caller gave to the text (a file name); ``line`` and ``column`` count from 1.
    """

    def __init__(self, message: str, *, source: str = "<dmn>", line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}: {self.message}"


class FeelSyntaxError(DmnError):
    """An expression or a unary test does not follow the FEEL grammar."""


class ModelError(DmnError):
    """A DMN file is no XML, is no DMN, or contradicts itself."""


class UnknownDecision(DmnError):
    """The model has no decision of that id or name."""


class BudgetExceeded(DmnError):
    """An evaluation used more than it was allowed; ``limit`` names which allowance (steps, items, depth …)."""

    def __init__(self, message: str, *, limit: str, source: str = "<dmn>", line: int = 1, column: int = 1) -> None:
        super().__init__(message, source=source, line=line, column=column)
        self.limit = limit
        self._is_located = False

    def locate(self, at: Position, source: str) -> None:
        """Remember where the allowance ran out; the first place told, which is the innermost, stays."""
        if not self._is_located:
            self._is_located = True
            self.source, self.line, self.column = source, at.line, at.column


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Why a value is null, or what was wrong on the way to it.

    code: a stable word (``type``, ``name``, ``property``, ``function``, ``argument``, ``coercion``, ``unique``, …).
    severity: ``error`` where a decision broke its own hit policy or a type, ``warning`` for a plain null reason.
    """

    code: str
    message: str
    source: str = "<expression>"
    line: int = 1
    column: int = 1
    severity: str = "warning"

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}: {self.message}"
