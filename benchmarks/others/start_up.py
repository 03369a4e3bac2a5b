"""From starting a process to its first answer with many definitions: Lockstep, and spiff-arena's backend."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.models import twin
from benchmarks.others.databases import Server, told
from benchmarks.others.diagrams import write_process_models
from benchmarks.others.installation import ENGINES, PROGRAMS
from benchmarks.others.program import Garbled, inherited
from benchmarks.start_up import prepare

FIRST_ANSWER = """
import os, sys
from webapp.cli import nothing_collected
with nothing_collected():  # as `lockstep serve` starts
    from engine import definitions
    from webapp.app import create_app
    from webapp.wiring import wire
    house = wire(sys.argv[1])
    app = create_app(house, secret_key="a benchmark")
assert app.test_client().get("/readyz").status_code == 200
with house.reading() as session:
    definitions.parsed(session, definitions.released(session, "p1").id)
os._exit(0)  # nobody waits for a process to be taken down
"""
"""What spiff_arena_start.py does on its side: a request that asks the database whether all is well, and one definition."""
LOCKSTEP, SERVER, BOOT = "Lockstep", "spiff-arena, its server", "spiff-arena, its boot script: caches, then server"
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds of a process from its start to its end: on the clock, and of the processor."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:.2f} ({self.processor:.2f})"


def took(command: Sequence[str], environment: Mapping[str, str]) -> Start:
    """Return what a fresh process takes.

    Raises: Garbled with the end of what it said when it fails.
    """
    clock, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise Garbled(
            f"Expected a process to answer and end, but it ended with {done.returncode} and said:\n{done.stderr[-1500:]}"
        )
    return Start(time.perf_counter() - clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def median(starts: Sequence[Start]) -> Start:
    """Return both medians."""
    return Start(statistics.median(one.clock for one in starts), statistics.median(one.processor for one in starts))


def compare(server: Server, place: Path, *, count: int) -> dict[str, Start]:
    """Return the medians of each way to start, turn by turn; the first turn, which compiles, does not count.

    place: where spiff-arena is installed. count: how many definitions there are on either side.
    """
    with tempfile.TemporaryDirectory(prefix="lockstep-models-") as folder:
        write_process_models([(f"p{number}", twin()) for number in range(1, count + 1)], Path(folder) / "models")
        ours = server.fresh("lockstep_start")
        prepare(ours, count)
        theirs = told(server.fresh("spiff_arena_start")) | {"models": f"{folder}/models"}
        program = [str(place / "env/bin/python"), str(PROGRAMS / "spiff_arena_start.py")]
        their_environment = {**inherited(), **ENGINES["spiff-arena"].environment(place, theirs)}
        own_environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

        def arena(what: str) -> Start:
            return took([*program, what], their_environment)

        arena("prepare")
        found: dict[str, list[Start]] = {LOCKSTEP: [], SERVER: [], BOOT: []}
        for turn in range(ROUNDS + 1):
            lockstep = took([sys.executable, "-c", FIRST_ANSWER, ours], own_environment)
            refresh, answer = arena("refresh"), arena("answer")
            if turn:
                found[LOCKSTEP].append(lockstep)
                found[SERVER].append(answer)
                found[BOOT].append(Start(refresh.clock + answer.clock, refresh.processor + answer.processor))
        return {name: median(starts) for name, starts in found.items()}
