"""What every benchmark is asked on its command line: on which databases."""

from __future__ import annotations

import argparse

KINDS = ("sqlite", "postgresql")


def parser_of(text: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows ``--sqlite`` and ``--postgresql``. text: the benchmark's own docstring."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", action="store_true", help="only this database")
    return parser


def kinds(given: argparse.Namespace) -> list[str]:
    """Return the kinds of database that were asked for: both when none was named."""
    return [kind for kind in KINDS if getattr(given, kind)] or list(KINDS)
