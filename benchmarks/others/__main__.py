"""Complete user tasks with Lockstep and three other engines side by side, and start Lockstep beside one of them.

    python -m benchmarks.others --install [--folder FOLDER] [--sources FOLDER] [viewflow bpmn-engine spiff-arena]
    python -m benchmarks.others [--folder FOLDER] [--rounds 10] [--sqlite] [--postgresql] [--only completions|start-up] [viewflow …]

--install makes what the others need in a folder (LOCKSTEP_OTHERS, or else var/others of the checkout) and ends. Each engine is a
program of its own that says what each completion took. A round is one instance of everybody, from its first task to its last.
Figures are medians of milliseconds on the clock and, in brackets, of processor time of the process (a PostgreSQL server's not included);
ratios are those of processor time and, in brackets, on the clock. start-up takes spiff-arena, and 100 definitions on either side.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.arguments import kinds, parser_of
from benchmarks.complete_task import Spent
from benchmarks.others import completions, start_up
from benchmarks.others.databases import server
from benchmarks.others.installation import ENGINES, CannotInstall, default_folder, install, require
from benchmarks.others.program import Garbled

AIMS = {"viewflow": "7×", "bpmn-engine": "7×", "spiff-arena": "60×"}


def main(words: list[str] | None = None) -> int:
    """Install or measure; 2 means that the command was given badly or that an engine is not there."""
    given = arguments(words)
    try:
        if given.install:
            for name in given.engines:
                print(f"{name} ({ENGINES[name].licence}) in {given.folder / name} …", file=sys.stderr, flush=True)
                install(ENGINES[name], given.folder, given.sources)
            return 0
        places = {name: require(ENGINES[name], given.folder) for name in given.engines}
        for kind in kinds(given):
            if given.only != "start-up":
                measure_completions(kind, places, given.rounds)
            if given.only != "completions" and "spiff-arena" in places:
                measure_start_up(kind, places["spiff-arena"], given.definitions)
    except (CannotInstall, Garbled) as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


def arguments(words: list[str] | None) -> argparse.Namespace:
    """Return what the command line says; argparse ends the program with a message where it says nonsense."""
    parser = parser_of(__doc__)
    parser.add_argument("engines", nargs="*", metavar="engine", help=f"of {', '.join(ENGINES)}; all when none is named")
    parser.add_argument("--install", action="store_true", help="install the engines and end")
    parser.add_argument("--folder", type=lambda text: Path(text).resolve(), default=default_folder())
    parser.add_argument(
        "--sources", type=lambda text: Path(text).resolve(), help="clones that spiff-arena is taken from"
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--definitions", type=int, default=100)
    parser.add_argument("--only", choices=["completions", "start-up"])
    given = parser.parse_args(words)
    unknown = [name for name in given.engines if name not in ENGINES]
    if unknown:
        parser.error(f"Expected engines of {', '.join(ENGINES)}, but found {', '.join(unknown)}")
    for name in ("rounds", "definitions"):
        if getattr(given, name) < 1:
            parser.error(f"Expected --{name} to be at least 1, but it is {getattr(given, name)}")
    given.engines = list(dict.fromkeys(given.engines)) or list(ENGINES)
    if given.only == "start-up" and "spiff-arena" not in given.engines:
        parser.error("Expected spiff-arena among the engines, the only one whose start-up is measured, but it is not")
    return given


def measure_completions(kind: str, places: Mapping[str, Path], rounds: int) -> None:
    """Measure on one kind of database and print a table."""
    with server(kind) as databases, completions.programs(databases, places) as others:
        found = {
            flow: completions.compare(databases, others, make(), rounds) for flow, make in completions.MODELS.items()
        }
        print(f"\n{databases.name}, {load()}; ms a completion (processor time)\n")
        print("| | linear5 | against Lockstep | twin | against Lockstep | aim |\n|---|---|---|---|---|---|")
        for name in found["linear5"]:
            cells = [
                cell for flow in found.values() for cell in (shown(flow[name]), ratio(flow[name], flow["Lockstep"]))
            ]
            print(f"| {name} | {' | '.join(cells)} | {AIMS.get(name.partition(',')[0], '')} |")
        for program in others:
            print(f"\n{program.name} ran as {', '.join(' '.join(one) for one in program.versions.items())}")
        sys.stdout.flush()


def measure_start_up(kind: str, place: Path, count: int) -> None:
    """Measure starts with many definitions on one kind of database and print a table."""
    with server(kind) as databases:
        found = start_up.compare(databases, place, count=count)
        ours = found[start_up.LOCKSTEP]
        print(f"\n{databases.name}, {load()}; s from starting a process to its first answer, {count} definitions\n")
        print("| | s (processor time) | Lockstep against it | aim |\n|---|---|---|---|")
        for name, one in found.items():
            against = f"{ours.processor / one.processor:.2f}× ({ours.clock / one.clock:.2f}×)"
            print(f"| {name} | {one} | {against} | {'0.3×' if one is not ours else ''} |", flush=True)


def shown(spent: Spent) -> str:
    """Return milliseconds as the tables show them."""
    return f"{spent.clock:.2f} ({spent.processor:.2f})"


def ratio(theirs: Spent, ours: Spent) -> str:
    """Return how many times as long as Lockstep's a completion takes."""
    return f"{theirs.processor / ours.processor:.1f}× ({theirs.clock / ours.clock:.1f}×)"


def load() -> str:
    """Return the machine's load as the tables say it."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


if __name__ == "__main__":
    sys.exit(main())
