"""The command ``lockstep``, with the flow of the test beside the shipped ones.

    python -m tests.machines.node serve …

``FORKED.Process(target=run, …)`` is the same in a process that is forked from one that did no more than import the house: reading
the code took a process that lives for seconds longer than its work.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import processes
from webapp.cli import main

FLOWS = Path(__file__).parent / "flows"

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.machines.loaded"])


def know_the_flow() -> None:
    """Let this process serve the steps of the test's flow as if it were shipped."""
    if str(FLOWS) not in processes.__path__:
        processes.__path__.append(str(FLOWS))


def run(command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    """Be the command in a new process: with this environment and nothing of the parent's, writing to a file."""
    os.setsid()
    with log.open("ab") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    know_the_flow()
    main(list(command), prog_name="lockstep")


if __name__ == "__main__":
    know_the_flow()
    main()
