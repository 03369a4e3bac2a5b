"""What can be said of a diagram as a whole, beyond its processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.bundle import Library, read_diagrams
from engine.lint.advice import Advice, Severity
from engine.spiff import Unreadable

NOTHING_RUNS: Final = "something_runs"


def look_at_diagrams(library: Library) -> Iterator[Advice]:
    """Warn of a diagram of which nothing runs: as a whole it is only drawn, which may be meant."""
    diagrams = {path: content for path, content in library.files.items() if path.endswith(".bpmn")}
    try:
        bundle = read_diagrams(diagrams) if diagrams else None
    except Unreadable:
        return  # That is told as what keeps it from running.
    if bundle is None:
        return
    running = {bundle.processes[process_id].file for process_id in bundle.specs}
    told: set[str] = set()
    for process in bundle.processes.values():
        if process.file not in running and process.file not in told:
            told.add(process.file)
            yield Advice(
                Severity.WARNING,
                NOTHING_RUNS,
                process.file,
                process.line,
                process.id,
                "Expected something that runs, but every process in this file is only drawn.",
                'Set isExecutable="true" on what is to run, or leave the file out.',
            )
