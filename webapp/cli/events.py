"""``lockstep events``: bring in a file of what happened on work orders."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from webapp.cli.house import Exit, House, as_json, refusals_told, show_json


@click.command("events")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--system", "adapter", default="mes", show_default=True, help="The adapter in whose name: mes, cmms, erp."
)
@click.option("--dry-run", "is_dry", is_flag=True, help="Do it all, say what would happen, and roll it back.")
@as_json
@click.pass_obj
@refusals_told
def events_command(house: House, file: Path, adapter: str, is_dry: bool, is_json: bool) -> None:
    """Bring in a CSV file of events: hours, material, measurements, pieces.

    Every event counts once by its system and id, so the same file twice changes nothing. Exit code 1 when a row was refused.

    \b
    Example:
      lockstep events shift-3.csv --dry-run
    """
    from processes.work_order_files import bring_events, rehearse_events

    content = file.read_bytes()
    with house.open() as installation, installation.acting(f"adapter:{adapter}") as act:
        report = (rehearse_events if is_dry else bring_events)(act, content)
    counts = {name: getattr(report, name) for name in ("rows", "recorded", "repeated", "refused")}
    if is_json:
        problems = [
            {"row": one.row, "column": one.column, "value": one.value, "sentence": one.sentence}
            for one in report.problems
        ]
        show_json({"dry_run": is_dry, **counts, "problems": problems})
    else:
        for one in report.problems:
            click.echo(f"{file.name}, row {one.row}, {one.column or 'event'} “{one.value}”: {one.sentence}")
        done = "would be recorded" if is_dry else "recorded"
        click.echo(
            f"{counts['rows']} rows: {counts['recorded']} {done}, {counts['repeated']} handled before, {counts['refused']} refused"
        )
    if report.problems:
        sys.exit(Exit.FOUND)
