"""Another engine's program as the benchmark sees it: started once, asked for one turn after the other, never imported."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.complete_task import Spent

DURABLE = (
    {"journal_mode": "wal", "synchronous": "2"},
    {"fsync": "on", "synchronous_commit": "on"},
)
"""What a program must say of its SQLite, or of its PostgreSQL, for its figures to be compared."""


class Garbled(Exception):
    """An engine's program said something else than it was asked for, or nothing."""


class Program:
    """A running program. versions: what it says it runs."""

    def __init__(self, name: str, process: subprocess.Popen[str], log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log
        self.versions = read_description(name, self._line())

    def turn(self, flow: str, *, completions: int, way: str = "") -> list[Spent]:
        """Return what each completion of one instance took.

        completions: how many there must be. way: of the ways that the program knows, one.
        Raises: Garbled.
        """
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"flow": flow, "way": way}) + "\n")
        self._process.stdin.flush()
        return read_spent(self.name, self._line(), completions=completions)

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            said = "\n".join(self._log.read_text(errors="replace").strip().splitlines()[-12:]) or "nothing"
            raise Garbled(
                f"Expected {self.name}'s program to answer, but it ended with {self._process.wait(30)} and said:\n{said}"
            )
        return line


@contextmanager
def running(
    name: str, command: Sequence[str], given: Mapping[str, Any], environment: Mapping[str, str]
) -> Iterator[Program]:
    """Run a program; its standard input closes when the work inside is done, which ends it.

    given: what it is told at its start: the database, the diagrams, the variables.
    Raises: Garbled.
    """
    with tempfile.NamedTemporaryFile(prefix=f"{name}-", suffix=".log") as log:
        process = subprocess.Popen(
            [*command, json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**inherited(), **environment},
        )
        try:
            yield Program(name, process, Path(log.name))
        finally:
            with process:  # closes its input, and waits
                if process.poll() is None:
                    _end(process)


def inherited() -> dict[str, str]:
    """Return this process's environment for another engine: without Lockstep's own modules on its path, and free to compile."""
    unwanted = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in unwanted}


def read_description(name: str, line: str) -> dict[str, str]:
    """Return the versions that a program says it runs.

    Raises: Garbled when its commits are not durable.
    """
    report = _report(name, line)
    versions, durability = report.get("versions"), report.get("durability")
    if not isinstance(versions, dict):
        raise Garbled(f"Expected {name} to say which versions it runs, but it said {line.strip()[:200]}")
    if durability not in DURABLE:
        raise Garbled(
            f"Expected {name} to commit durably ({' or '.join(map(str, DURABLE))}), but its database says {durability}"
        )
    return {str(package): str(version) for package, version in versions.items()}


def read_spent(name: str, line: str, *, completions: int) -> list[Spent]:
    """Return what each completion took, from one line of a program.

    Raises: Garbled when there are not as many as expected, or one is no pair of positive figures.
    """
    spent = _report(name, line).get("spent")
    if not isinstance(spent, list) or not all(_is_pair(one) for one in spent):
        raise Garbled(
            f"Expected {name} to say what each completion took on the clock and of the processor, but it said "
            f"{line.strip()[:200]}"
        )
    if len(spent) != completions:
        raise Garbled(f"Expected {name} to end after {completions} completions, but it ended after {len(spent)}")
    return [Spent(clock, processor) for clock, processor in spent]


def _is_pair(one: object) -> bool:
    return isinstance(one, list) and len(one) == 2 and all(isinstance(part, int | float) and part >= 0 for part in one)


def _report(name: str, line: str) -> dict[str, Any]:
    try:
        report = json.loads(line)
    except ValueError:
        report = None
    if not isinstance(report, dict):
        raise Garbled(f"Expected a line of JSON from {name}'s program, but it said {line.strip()[:200]}")
    return report


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
