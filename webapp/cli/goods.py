"""``lockstep receipts`` and ``lockstep invoices``: bring in files of what came and of what was billed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.act import Act
from webapp.cli.house import Exit, House, as_json, refusals_told, show_json

if TYPE_CHECKING:
    from processes.goods_files import Report

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("receipts")
@click.argument("file", type=FILE)
@click.option("--system", "adapter", default="erp", show_default=True, help="The adapter in whose name.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Do it all, say what would happen, and roll it back.")
@as_json
@click.pass_obj
@refusals_told
def receipts_command(house: House, file: Path, adapter: str, is_dry: bool, is_json: bool) -> None:
    """Book in a CSV file of receipts, each once for its system and event.

    Exit code 1 when a row was refused.

    \b
    Example:
      lockstep receipts dock.csv --dry-run
    """
    from processes.goods_files import bring_receipts

    _bring(house, file, bring_receipts, adapter=adapter, is_dry=is_dry, is_json=is_json)


@click.command("invoices")
@click.argument("file", type=FILE)
@click.option("--system", "adapter", default="edi", show_default=True, help="The adapter in whose name.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Do it all, say what would happen, and roll it back.")
@as_json
@click.pass_obj
@refusals_told
def invoices_command(house: House, file: Path, adapter: str, is_dry: bool, is_json: bool) -> None:
    """Capture a CSV file of invoices: rows of one supplier and number are one invoice.

    Exit code 1 when an invoice was refused.

    \b
    Example:
      lockstep invoices november.csv --dry-run
    """
    from processes.goods_files import bring_invoices

    _bring(house, file, bring_invoices, adapter=adapter, is_dry=is_dry, is_json=is_json)


def _bring(
    house: House, file: Path, bring: Callable[[Act, bytes], Report], *, adapter: str, is_dry: bool, is_json: bool
) -> None:
    from processes.goods_files import rehearse

    content = file.read_bytes()
    with house.open() as installation, installation.acting(f"adapter:{adapter}") as act:
        report = rehearse(act, bring, content) if is_dry else bring(act, content)
    counts = {"rows": report.rows, "recorded": report.recorded, "repeated": report.repeated}
    if is_json:
        problems = [{"row": row, "sentence": sentence} for row, sentence in report.problems]
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
