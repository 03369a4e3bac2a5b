"""``lockstep export`` writes the evidence of one document for people and machines that have no Lockstep."""

from __future__ import annotations

from pathlib import Path

import click

from engine.act import Installation
from engine.errors import Refused
from engine.worker import run_due, worker_name
from processes.checkpointing import key_of, seal
from processes.evidence import document_called
from processes.evidence_package import package_of, write_folder, write_zip
from webapp.cli.house import House, refusals_told
from webapp.cli.people import CONSOLE, console_reason


@click.command("export")
@click.argument("record")
@click.option("--out", type=click.Path(path_type=Path), help="Where to; else a folder of the number's name here.")
@click.option("--zip", "is_zip", is_flag=True, help="Write one file instead of a folder.")
@click.pass_obj
@refusals_told
def export_command(house: House, record: str, out: Path | None, is_zip: bool) -> None:
    """Export an order, work order, amendment, requisition or change order with everything that proves it.

    RECORD is its number or id. The package holds a PDF, JSON with the chains and the Merkle proofs, the definitions, the public
    key, and a script of its own that verifies it offline. A checkpoint is made first, so that its last event is covered.

    \b
    Example:
      lockstep export PO-000017 --out evidence
      python -I evidence/verify_package.py evidence PUBLIC_KEY
    """
    with house.open() as installation:
        with installation.reading() as session:
            found = document_called(session, record)
            number = str(getattr(found, "number", record))
        _seal(house, installation)
        with installation.reading() as session:
            files = package_of(session, document_called(session, found.id), now=installation.clock())
        target = out or Path(f"evidence-{number.replace('/', '-')}{'.zip' if is_zip else ''}")
        written = write_zip(target, files) if is_zip else write_folder(target, files)
    house.says.print(f"{number}: {len(files)} files in {written}", markup=False)


def _seal(house: House, installation: Installation) -> None:
    """Cover what happened last; where the key is not at hand the package says what no checkpoint covers."""
    try:
        key = key_of(installation)
    except Refused as refusal:
        house.says.print(f"No new checkpoint: {refusal.message}", markup=False, style="yellow", soft_wrap=True)
        return
    with installation.acting(CONSOLE, reason=console_reason()) as act:
        seal(act, key)
    run_due(installation, worker=worker_name())
