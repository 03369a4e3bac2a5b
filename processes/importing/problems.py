"""What an import finds wrong, cell by cell, and what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Weight(StrEnum):
    """ERROR: the document of this row was left out. WARNING: it was taken, and somebody should look."""

    ERROR = "ERROR"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one cell. row: of the table as a spreadsheet counts, the header is row 1; 0 for the whole file."""

    weight: Weight
    code: str
    file: str
    row: int
    column: str
    value: str
    message: str

    def __str__(self) -> str:
        place = ":".join(filter(None, (self.file, str(self.row or ""), self.column)))
        shown = f" ({self.value!r})" if self.value else ""
        return f"{place}: {self.message}{shown}"


@dataclass
class Tally:
    """What happened to the documents of one kind. observed: released ones that differ, which were only noted."""

    new: int = 0
    unchanged: int = 0
    changed: int = 0
    observed: int = 0
    left_out: int = 0

    @property
    def total(self) -> int:
        """How many documents were looked at."""
        return self.new + self.unchanged + self.changed + self.observed + self.left_out


@dataclass(frozen=True, slots=True)
class Seen:
    """Two values of one fact on two papers. document: its number; native: (type, id) of the document or line they are about."""

    document: str
    native: tuple[str, str]
    field: str
    kind: str
    severity: str
    ours: str
    theirs: str
    papers: tuple[str, ...]

    def __str__(self) -> str:
        where = f" ({', '.join(self.papers)})" if self.papers else ""
        return f"{self.document} {self.field}: {self.ours} or {self.theirs}{where}"


@dataclass
class Report:
    """What an import did, or (dry) would do. absent: files that an extract may lack, and this one does."""

    folder: str
    is_dry: bool
    rows: dict[str, int] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    disagreements: list[Seen] = field(default_factory=list)
    started: int = 0
    seconds: float = 0.0

    def tally(self, kind: str) -> Tally:
        """Return the tally of a kind of document, in the order in which kinds first appear."""
        return self.tallies.setdefault(kind, Tally())

    @property
    def errors(self) -> list[Problem]:
        """The problems that kept a document out."""
        return [problem for problem in self.problems if problem.weight is Weight.ERROR]

    @property
    def warnings(self) -> list[Problem]:
        """The problems of documents that were taken."""
        return [problem for problem in self.problems if problem.weight is Weight.WARNING]

    @property
    def codes(self) -> Counter[str]:
        """How often each kind of problem was found."""
        return Counter(problem.code for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """Return the report for machines."""
        return {
            "folder": self.folder,
            "dry_run": self.is_dry,
            "seconds": round(self.seconds, 2),
            "rows": self.rows,
            "absent_files": self.absent,
            "documents": {kind: vars(tally) for kind, tally in self.tallies.items()},
            "instances_started": self.started,
            "disagreements": [
                {
                    "document": seen.document,
                    "native_type": seen.native[0],
                    "native_id": seen.native[1],
                    "field": seen.field,
                    "kind": seen.kind,
                    "severity": seen.severity,
                    "ours": seen.ours,
                    "theirs": seen.theirs,
                    "papers": list(seen.papers),
                }
                for seen in self.disagreements
            ],
            "problem_counts": dict(sorted(self.codes.items())),
            "problems": [
                {
                    "weight": problem.weight.value,
                    "code": problem.code,
                    "file": problem.file,
                    "row": problem.row or None,
                    "column": problem.column or None,
                    "value": problem.value or None,
                    "message": problem.message,
                }
                for problem in self.problems
            ],
        }

    def lines(self) -> Iterator[str]:
        """Yield the report for people: counts first, then every problem."""
        verb = "Would import" if self.is_dry else "Imported"
        yield f"{verb} {sum(self.rows.values()):,} rows of {len(self.rows)} files in {self.seconds:.1f} s"
        for kind, tally in self.tallies.items():
            counts = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in vars(tally).items() if count)
            yield f"  {kind}: {counts or 'none'}"
        if self.absent:
            yield f"  not in the folder: {', '.join(self.absent)}"
        if self.started:
            yield f"  instances started: {self.started:,}"
        for seen in self.disagreements:
            yield f"disagreement: {seen}"
        for problem in sorted(self.problems, key=lambda problem: (problem.weight, problem.file, problem.row)):
            yield f"{problem.weight.value.lower()}: {problem}"
        told = f"{len(self.errors):,} errors, {len(self.warnings):,} warnings"
        yield told + (f", {len(self.disagreements):,} disagreements between papers" if self.disagreements else "")
