"""Typed cells: a row read by the fields of its section. What does not fit becomes a problem, not an exception."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from engine.canonical import is_whole
from processes.importing.mapping import Section
from processes.importing.problems import Problem, Report, Weight
from processes.importing.sheets import Row

DURATION = re.compile(r"(?:(\d+) days?, )?\d+:\d\d:\d\d")
NOISE = Decimal("1e-9")
"""The ERP writes binary floating point; what is further right than this is noise of it."""


class Reading:
    """One row of one section. After a problem a neutral value is returned; ask ``is_good`` before using any."""

    def __init__(self, section: Section, row: Row, report: Report) -> None:
        self.section, self.row, self.report = section, row, report
        self.is_good = True

    def text(self, field: str, *, limit: int = 4000) -> str:
        """Return the cell as text, empty when no column feeds the field."""
        value = self.row.cells.get(self.section.column(field), "")
        if len(value) > limit:
            self.error(field, "TOO_LONG", f"Expected at most {limit:,} characters, but found {len(value):,}")
        return value[:limit]

    def needed(self, field: str, *, limit: int = 200) -> str:
        """Return a text that may not be empty."""
        value = self.text(field, limit=limit)
        if not value:
            self.error(field, "MISSING_VALUE", "Expected a value, but the cell is empty")
        return value

    def decimal(self, field: str, *, scale: int, above: Decimal | None = None) -> Decimal | None:
        """Return a number of at most ``scale`` decimals, or None for an empty cell. above: an exclusive lower limit."""
        value = self.text(field, limit=60)
        if not value:
            return None
        try:
            number = Decimal(value)
        except InvalidOperation:
            self.error(field, "BAD_NUMBER", "Expected a number, but found a text")
            return None
        if not number.is_finite() or abs(number) >= Decimal(10) ** 12:
            self.error(field, "BAD_NUMBER", "Expected a number below a million millions, but found another")
            return None
        rounded = number.quantize(Decimal(1).scaleb(-scale))
        if abs(rounded - number) > NOISE:
            self.error(field, "BAD_NUMBER", f"Expected at most {scale} decimals, but found more")
        if above is not None and rounded <= above:
            self.error(field, "BAD_NUMBER", f"Expected a number above {above}, but found {rounded.normalize():f}")
        return rounded

    def day(self, field: str) -> dt.date | None:
        """Return a date ``YYYY-MM-DD``, or None for an empty cell."""
        value = self.text(field, limit=60)
        if not value:
            return None
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.error(field, "BAD_DATE", "Expected a date YYYY-MM-DD, but found another text")
            return None

    def days(self, field: str) -> int | None:
        """Return the whole days of a duration ``21 days, 0:00:00``, or None for an empty cell."""
        value = self.text(field, limit=60)
        match = DURATION.fullmatch(value)
        if value and match is None:
            self.error(field, "BAD_DURATION", "Expected a duration such as '21 days, 0:00:00', but found another text")
        return int(match[1] or 0) if match else None

    def whole(self, field: str) -> int:
        """Return a whole number, 0 for an empty cell."""
        value = self.text(field, limit=20) or "0"
        if not is_whole(value):
            self.error(field, "BAD_NUMBER", "Expected a whole number, but found another text")
            return 0
        return int(value)

    def truth(self, field: str, *, otherwise: bool = True) -> bool:
        """Return 1 or 0 as truth."""
        value = self.text(field, limit=60)
        if value not in ("", "0", "1", "True", "False"):
            self.error(field, "BAD_TRUTH", "Expected 1 or 0, but found another text")
        return value in ("1", "True") if value else otherwise

    def word(self, field: str, words: Mapping[str, str]) -> str:
        """Return our word for the ERP's; an unknown one is a problem, not a guess."""
        value = self.text(field, limit=200)
        if value not in words:
            self.error(field, "UNKNOWN_WORD", f"Expected one of {', '.join(words)}, but found another word")
        return words.get(value, "")

    def error(self, field: str, code: str, message: str) -> None:
        """Note what keeps the document of this row out."""
        self.is_good = False
        self._note(Weight.ERROR, field, code, message)

    def warn(self, field: str, code: str, message: str) -> None:
        """Note what somebody should look at; the document is taken."""
        self._note(Weight.WARNING, field, code, message)

    def _note(self, weight: Weight, field: str, code: str, message: str) -> None:
        column = self.section.column(field)
        value = self.row.cells.get(column, "")
        self.report.problems.append(Problem(weight, code, self.row.file, self.row.number, column, value[:80], message))
