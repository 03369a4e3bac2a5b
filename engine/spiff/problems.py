"""What a diagram that cannot run is answered with: every reason at once, each with its place and what to do instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a file cannot be deployed. ``line`` counts from 1; 1 when the file has no better place."""

    file: str
    line: int
    element_id: str | None
    element_name: str | None
    message: str
    remedy: str

    def __str__(self) -> str:
        named = f" {self.element_name!r}" if self.element_name else ""
        element = f"{self.element_id}{named}: " if self.element_id else ""
        return f"{self.file}:{self.line}: {element}{self.message} {self.remedy}".rstrip()


class Unreadable(Exception):
    """The files hold something that cannot run. ``problems`` lists every reason found, in file and line order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.file, problem.line)))
        super().__init__("\n".join(str(problem) for problem in self.problems))
