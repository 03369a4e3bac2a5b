"""``lockstep verify`` says whether the database is still what its history says it is."""

from __future__ import annotations

import sys

import click
from rich.progress import Progress

from engine import verification
from webapp.cli.house import Exit, House, as_json, guard_problems, refusals_told, show_json


@click.command("verify")
@as_json
@click.pass_obj
@refusals_told
def verify_command(house: House, is_json: bool) -> None:
    """Fold every chain, compare every record with it, and name the first broken row of each.

    The guard itself is compared, too; without it the rest is looked at all the same. Exit code 1 when something is broken.

    \b
    Example:
      lockstep verify
      purchase_order PF-1 row 7: Expected …, but …
    """
    with house.open_as_found() as installation, installation.reading() as session:
        unguarded = guard_problems(installation)
        total = verification.count_chains(session)
        with Progress(console=house.says, transient=True, disable=is_json) as progress:
            bar = progress.add_task("chains", total=total)
            breaks = list(verification.verify(session, tell=lambda count: progress.advance(bar, count)))
    if is_json:
        found = [
            {"record_type": one.record_type, "record_id": one.record_id, "seq": one.seq, "sentence": one.sentence}
            for one in breaks
        ]
        show_json({"chains": total, "breaks": found, "guard": unguarded})
    else:
        for problem in unguarded:
            click.echo(f"guard: {problem}")
        for one in breaks:
            click.echo(str(one))
        verdict = f"{len(breaks)} broken" if breaks else "all unbroken"
        verdict += ", the guard is not whole" if unguarded else ""
        click.secho(f"{total} chains, {verdict}", fg="red" if breaks or unguarded else "green", err=True)
    if breaks or unguarded:
        sys.exit(Exit.FOUND)
