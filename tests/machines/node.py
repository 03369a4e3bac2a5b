"""The command ``lockstep``, with the flow of the test beside the shipped ones: ``python -m tests.machines.node serve …``."""

from __future__ import annotations

from pathlib import Path

import processes

FLOWS = Path(__file__).parent / "flows"


def know_the_flow() -> None:
    """Let this process serve the steps of the test's flow as if it were shipped."""
    if str(FLOWS) not in processes.__path__:
        processes.__path__.append(str(FLOWS))


if __name__ == "__main__":
    know_the_flow()
    from webapp.cli import main

    main()
