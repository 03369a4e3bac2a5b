"""Time what the dashboard of waiting tasks asks, on 1,000 and on 100,000 open tasks.

    python -m benchmarks.workload [--tasks 100000] [--rounds 5] [--sqlite] [--postgresql]

The tasks are those of ``inbox_at_scale``: 2,000 distinct sets of one to three of 500 groups, opened over three weeks. Medians in
milliseconds; every figure reads every open task once, so that the time grows with them.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from benchmarks.arguments import kinds, parser_of
from benchmarks.inbox_at_scale import database_of, head, plant_of, row
from engine import workload
from engine.clock import now_of
from engine.workload import Asked

ALL = Asked()
QUESTIONS: dict[str, Callable[[Session, dt.datetime], Any]] = {
    "all together": lambda session, now: workload.spread(session, ALL, now=now),
    "by step": lambda session, now: workload.by_step(session, ALL, now=now),
    "by person and group": lambda session, now: workload.by_principal(session, ALL, now=now),
    "by age": lambda session, now: workload.by_age(session, ALL, now=now),
    "by week": lambda session, now: workload.by_week(session, ALL, now=now, zone=dt.UTC),
    "a group's tasks, counted": lambda session, now: workload.count(
        session, Asked(who="role:G007"), now=now, zone=dt.UTC
    ),
}


def main() -> None:
    """Measure what the arguments ask for."""
    parser = parser_of(__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lockstep-workload-") as name:
        folder = Path(name)
        for kind in kinds(given):
            print()
            head(f"ms, {kind}", [1_000, given.tasks])
            with ExitStack() as stack:
                plants = []
                for size in (1_000, given.tasks):
                    place = folder / f"{kind}-{size}"
                    url = stack.enter_context(database_of(kind, place, is_kept=False))
                    plants.append(stack.enter_context(plant_of(url, place, size)))
                for question, ask in QUESTIONS.items():
                    row(question, plants, given.rounds, lambda session, _who, ask=ask: ask(session, now_of(session)))


if __name__ == "__main__":
    main()
