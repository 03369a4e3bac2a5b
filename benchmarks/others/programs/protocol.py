"""How a program of another engine talks: a line of JSON in is one turn, a line of JSON out says what each completion took."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Spent = list[tuple[float, float]]
"""Milliseconds of each completion: on the clock, and processor time of this process."""


def serve(describe: Callable[[], Mapping[str, Any]], turn: Callable[[str], Spent]) -> None:
    """Answer turns until the caller hangs up.

    describe: what to say once ready (versions, durability). turn: run one instance of a flow from its start to its end.
    """
    # What an engine itself prints goes to the error output, so that it cannot get between the reports.
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(report: Mapping[str, Any]) -> None:
        reports.write(json.dumps(report) + "\n")
        reports.flush()

    say(describe())
    for line in sys.stdin:
        say({"spent": turn(json.loads(line)["flow"])})


@contextmanager
def timed(spent: Spent) -> Iterator[None]:
    """Add what the work inside takes."""
    clock, processor = time.perf_counter(), time.process_time()
    yield
    spent.append(((time.perf_counter() - clock) * 1000, (time.process_time() - processor) * 1000))
