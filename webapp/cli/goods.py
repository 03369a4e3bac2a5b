"""``lockstep receipts``, ``certificates`` and ``invoices``: bring in files of what came, what it certifies and what was billed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.act import Act
from engine.errors import Invalid
from webapp.cli.house import Exit, House, as_json, refusals_told, show_json

if TYPE_CHECKING:
    from processes.goods_files import Report

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


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


@click.command("certificates")
@click.argument("file", type=FILE)
@click.option("--folder", type=FOLDER, help="Where the documents are that the rows name; else beside the file.")
@click.option("--system", "adapter", default="edi", show_default=True, help="The adapter in whose name.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Do it all, say what would happen, and roll it back.")
@as_json
@click.pass_obj
@refusals_told
def certificates_command(
    house: House, file: Path, folder: Path | None, adapter: str, is_dry: bool, is_json: bool
) -> None:
    """Keep the certificates of a CSV file with their documents, each once for its system and event.

    Whoever is responsible verifies them afterwards, with a signature. Exit code 1 when a row was refused.

    \b
    Example:
      lockstep certificates certificates.csv --folder scans --dry-run
    """
    from processes.certificate_files import bring_certificates

    documents = partial(_document, (folder or file.parent).resolve())
    bring = partial(bring_certificates, documents=documents)
    _bring(house, file, bring, adapter=adapter, is_dry=is_dry, is_json=is_json)


def _document(folder: Path, name: str) -> bytes:
    """Return a document of a folder. Raises: Invalid for one outside it, one that is not there, or one too large to keep."""
    from records.attachment import LARGEST

    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise Invalid(f"Expected a document in {folder.name}, but found {name!r:.80}", {"file": "is not there"})
    if path.stat().st_size > LARGEST:
        raise Invalid(
            f"Expected a document of at most {LARGEST:,} bytes, but {name} is larger", {"file": "is too large"}
        )
    return path.read_bytes()


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
