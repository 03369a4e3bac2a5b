"""``lockstep suppliers``: bring in files of what is known of suppliers."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from webapp.cli.house import Exit, House, as_json, refusals_told, show_json

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
KINDS = ("screenings", "sub-tiers", "changes", "stock")


@click.command("suppliers")
@click.argument("file", type=FILE)
@click.option("--kind", required=True, type=click.Choice(KINDS), help="What the file holds.")
@click.option("--system", "adapter", default="erp", show_default=True, help="The adapter in whose name.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Do it all, say what would happen, and roll it back.")
@as_json
@click.pass_obj
@refusals_told
def suppliers_command(house: House, file: Path, kind: str, adapter: str, is_dry: bool, is_json: bool) -> None:
    """Bring in a CSV file of screenings, sub-tiers, changes at suppliers, or stock seen at their places.

    A row counts once for its system and event; stock is the newest look of its system and native id. Nothing of an order or a work
    order is changed by it. Exit code 1 when a row was refused.

    \b
    Example:
      lockstep suppliers stock.csv --kind stock --dry-run
    """
    from processes.goods_files import rehearse
    from processes.supplier_files import bring

    content, taken = file.read_bytes(), partial(bring, kind=kind)
    with house.open() as installation, installation.acting(f"adapter:{adapter}") as act:
        report = rehearse(act, taken, content) if is_dry else taken(act, content)
    if is_json:
        problems = [{"row": row, "sentence": sentence} for row, sentence in report.problems]
        counts = {"rows": report.rows, "recorded": report.recorded, "repeated": report.repeated}
        show_json({"dry_run": is_dry, **counts, "problems": problems})
    else:
        for row, sentence in report.problems:
            click.echo(f"{file.name}, row {row}: {sentence}")
        done = "would be recorded" if is_dry else "recorded"
        click.echo(
            f"{report.rows} rows: {report.recorded} {done}, {report.repeated} handled before, {len(report.problems)} refused"
        )
    if report.problems:
        sys.exit(Exit.FOUND)
