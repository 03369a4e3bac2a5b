"""The command line: ``lockstep``. One module a topic; a command is imported when it is called, so that starting is quick."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager

import click

COMMANDS = {
    "certificates": "goods",
    "check": "checking",
    "checkpoint": "checkpoint",
    "demo": "plant",
    "deploy": "defining",
    "lock": "defining",
    "diff": "comparing",
    "events": "events",
    "export": "exporting",
    "import": "plant",
    "incidents": "mending",
    "invoices": "goods",
    "migrate": "plant",
    "migrate-instances": "moving",
    "receipts": "goods",
    "rehearse": "moving",
    "retention": "retaining",
    "retry": "mending",
    "rules": "ruling",
    "serve": "serving",
    "start": "defining",
    "suppliers": "supplier_files",
    "tasks": "working",
    "user": "people",
    "verify": "verifying",
    "worker": "serving",
}
"""Command to the module of this package that holds it, under the name ``<command>_command``."""


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Import and wire without the garbage collector.

    What is made then stays as long as the program, and walking all of it again and again took a quarter of the time of a start.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class Lazy(click.Group):
    """A group that knows its commands by name and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        with nothing_collected():
            module = importlib.import_module(f"webapp.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--database",
    envvar="DATABASE_URL",
    metavar="URL",
    help="The database; else DATABASE_URL, else var/lockstep.db in the current folder.",
)
@click.version_option(package_name=None, version="0.1.0", prog_name="lockstep")
@click.pass_context
def main(context: click.Context, database: str | None) -> None:
    """Lockstep keeps purchase orders and work orders in step.

    \b
    Exit codes: 0 done · 1 something was found or failed (check, verify, import, retry) · 2 wrong usage ·
    3 refused, with the reason · 4 the database is not ready
    """
    from webapp.cli.house import House

    context.obj = House(database)
