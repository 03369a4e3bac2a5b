"""The allowance of one evaluation, and the run that spends it.

FEEL has loops, recursion and texts that double: a short file can ask for hours of work. Every loop step, call and
long list therefore pays here, and a run that spends too much is refused with BudgetExceeded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dmn.errors import BudgetExceeded, Diagnostic, Position

_MAX_DIAGNOSTICS = 100
_CLOCK_EVERY = 2_000


@dataclass(frozen=True, slots=True)
class Budget:
    """What one evaluation may use.

    steps: loop iterations, calls and list elements touched; items: elements of one list or context;
    characters: length of one text; depth: nested calls; seconds: wall clock.
    """

    steps: int = 1_000_000
    items: int = 100_000
    characters: int = 1_000_000
    depth: int = 64
    seconds: float = 3.0


DEFAULT_BUDGET = Budget()


class Run:
    """One evaluation: variables, host functions, clock, budget and the diagnostics gathered so far."""

    __slots__ = (
        "budget",
        "cache",
        "check_at",
        "depth",
        "diagnostics",
        "functions",
        "muted",
        "now",
        "started",
        "steps",
        "trace",
        "variables",
    )  # fmt: skip

    def __init__(
        self,
        variables: Mapping[str, Any],
        *,
        functions: Mapping[str, Any] | None = None,
        now: Any = None,
        budget: Budget | None = None,
    ) -> None:
        self.variables = variables
        self.functions = functions or {}
        self.now = now
        self.budget = budget or DEFAULT_BUDGET
        self.steps = 0
        self.check_at = min(_CLOCK_EVERY, self.budget.steps)
        self.started = time.monotonic()
        self.depth = 0
        self.diagnostics: list[Diagnostic] = []
        self.cache: dict[str, Any] = {}
        self.muted = 0
        self.trace: list[Any] | None = None

    def spend(self, steps: int = 1) -> None:
        """Pay for ``steps`` units of work. Raises BudgetExceeded."""
        self.steps += steps
        if self.steps >= self.check_at:
            self._check()

    def _check(self) -> None:
        if self.steps > self.budget.steps:
            raise BudgetExceeded(
                f"Expected at most {self.budget.steps:,} steps, but the expression needs more", limit="steps"
            )
        if time.monotonic() - self.started > self.budget.seconds:
            raise BudgetExceeded(
                f"Expected a result within {self.budget.seconds:g} s, but the expression takes longer", limit="seconds"
            )
        self.check_at = min(self.steps + _CLOCK_EVERY, self.budget.steps + 1)

    def allow_items(self, count: int) -> None:
        """Refuse a list or context of more than the allowed elements; pay one step for each."""
        if count > self.budget.items:
            raise BudgetExceeded(
                f"Expected a list of at most {self.budget.items:,} elements, but it would have {count:,}", limit="items"
            )
        self.spend(count)

    def allow_text(self, count: int) -> None:
        """Refuse a text of more than the allowed characters; long texts cost steps as well."""
        if count > self.budget.characters:
            raise BudgetExceeded(
                f"Expected a text of at most {self.budget.characters:,} characters, but it would have {count:,}",
                limit="characters",
            )
        if count > 1000:
            self.spend(count // 1000)

    def enter(self) -> None:
        """Pay for one nested call; ``leave`` must follow."""
        self.spend()
        self.depth += 1
        if self.depth > self.budget.depth:
            raise BudgetExceeded(
                f"Expected at most {self.budget.depth} nested calls, but the expression nests deeper", limit="depth"
            )

    def leave(self) -> None:
        """Return from a nested call."""
        self.depth -= 1

    def note(self, code: str, message: str, at: Position, source: str, *, severity: str = "warning") -> None:
        """Keep one diagnostic; only the first hundred are kept, as a loop would repeat itself."""
        if self.muted == 0 and len(self.diagnostics) < _MAX_DIAGNOSTICS:
            self.diagnostics.append(Diagnostic(code, message, source, at.line, at.column, severity))

    def silently(self, compute: Callable[[], Any]) -> Any:
        """Compute without keeping diagnostics."""
        self.muted += 1
        try:
            return compute()
        finally:
            self.muted -= 1
