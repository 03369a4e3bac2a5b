"""Time from starting a process to its first answer, with no and with 100 deployed definitions, and what of it is importing.

    python -m benchmarks.start_up [--rounds 3] [--definitions 100] [--sqlite] [--postgresql]

Each figure is a process of its own: it imports the application, wires it to the database, answers one request (the document of the
API), reads the newest version of one process where there is any, and ends. ``importing`` only imports the application, in the same
way. Medians in seconds on the clock, turn by turn; the first turn, which compiles what is not compiled yet, does not count.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

from benchmarks.arguments import kinds, parser_of
from benchmarks.complete_task import databases
from benchmarks.models import twin
from engine import definitions
from migrations import migrate
from webapp.wiring import wire

FIRST_ANSWER = """
import os, sys
from webapp.cli import nothing_collected
with nothing_collected():  # as `lockstep serve` starts
    from engine import definitions
    from webapp.app import create_app
    from webapp.wiring import wire
    house = wire(sys.argv[1])
    client = create_app(house, secret_key="a benchmark").test_client()
assert client.get("/api/v1/openapi.json").status_code in (200, 401)
if sys.argv[2] != "0":
    with house.reading() as session:
        definitions.parsed(session, definitions.released(session, "p1").id)
os._exit(0)  # nobody waits for a process to be taken down, which takes a second
"""
IMPORTS = """
import os
from webapp.cli import nothing_collected
with nothing_collected():
    import webapp.app, webapp.wiring
os._exit(0)
"""


def renamed(content: bytes, number: int) -> bytes:
    """Return a diagram whose process has an id of its own."""
    return content.replace(b'<bpmn:process id="p"', b'<bpmn:process id="p%d"' % number)


def took(code: str, *arguments: str) -> float:
    """Return the seconds that a fresh process takes for some code."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, env=environment)
    return time.perf_counter() - began


def prepare(url: str, count: int) -> None:
    """Migrate a database and deploy as many definitions."""
    migrate(url)
    house = wire(url)
    for number in range(1, count + 1):
        files = {path: renamed(content, number) for path, content in twin().ours.items()}
        with house.acting("system:benchmark") as act:
            definitions.deploy(act, files, process_id=f"p{number}")
    house.database.dispose()


def main() -> None:
    """Measure and print a table."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--definitions", type=int, default=100)
    given = parser.parse_args()
    count = given.definitions
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; seconds to the first answer\n")
    print(f"| | no definitions | {count} | ratio | of which importing |\n|---|---|---|---|---|")
    for kind in kinds(given):
        with databases([kind]) as none, databases([kind]) as many:
            (empty,), (full,) = none.values(), many.values()
            prepare(empty, 0)
            prepare(full, count)
            taken: list[list[float]] = [[], [], []]
            for turn in range(given.rounds + 1):
                found = (took(FIRST_ANSWER, empty, "0"), took(FIRST_ANSWER, full, "1"), took(IMPORTS))
                for times, one in zip(taken, found, strict=True):
                    if turn:
                        times.append(one)
            few, lots, importing = map(statistics.median, taken)
            print(f"| {kind} | {few:.2f} | {lots:.2f} | {lots / few:.2f} | {importing:.2f} |", flush=True)


if __name__ == "__main__":
    main()
