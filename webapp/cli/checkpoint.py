"""``lockstep checkpoint``: the signed checkpoints of the audit chain and the key that signs them."""

from __future__ import annotations

import click
from sqlalchemy import select

from engine.act import Installation
from engine.checkpoint_key import load_key, make_key
from engine.checkpoints import know, known_keys, last, unsealed
from engine.errors import Conflict, NotFound
from engine.stored.checkpoint import Checkpoint
from engine.worker import run_due, worker_name
from processes.checkpointing import checkpoint_folder, key_folder, key_of, seal
from webapp.cli.house import House, as_json, refusals_told, show_json
from webapp.cli.people import CONSOLE, console_reason


@click.group("checkpoint")
def checkpoint_command() -> None:
    """Make checkpoints, list them, and keep the key that signs them.

    \b
    Example:
      lockstep checkpoint now
    """


@checkpoint_command.command("now")
@click.option("--whole", is_flag=True, help="Over every chain there is, not only those that grew.")
@click.pass_obj
@refusals_told
def now_command(house: House, whole: bool) -> None:
    """Make one now and deliver it; the worker does so by itself.

    \b
    Example:
      lockstep checkpoint now --whole
    """
    with house.open() as installation:
        with installation.acting(CONSOLE, reason=console_reason()) as act:
            made = seal(act, key_of(installation), whole=whole)
        if made is None:
            house.says.print("Nothing waits for a checkpoint; --whole makes one over everything", markup=False)
            return
        run_due(installation, worker=worker_name())
        house.says.print(
            f"Checkpoint {made.number}: {made.leaves} chains, root {made.root[:12]}, in {checkpoint_folder(installation)}",
            markup=False,
        )


@checkpoint_command.command("list")
@as_json
@click.pass_obj
@refusals_told
def list_command(house: House, is_json: bool) -> None:
    """List the newest hundred, and what waits for the next one.

    \b
    Example:
      lockstep checkpoint list --json
    """
    with house.open() as installation, installation.reading() as session:
        wanted = select(Checkpoint).order_by(Checkpoint.number.desc()).limit(100)
        made, waiting = session.scalars(wanted).all(), unsealed(session)
    if is_json:
        listed = [
            {name: getattr(one, name) for name in ("number", "made_at", "leaves", "root", "key_id", "hash")}
            for one in made
        ]
        show_json({"checkpoints": listed, "waiting": waiting.events})
        return
    rows = [
        (str(one.number), f"{one.made_at:%Y-%m-%d %H:%M} UTC", str(one.leaves), one.root[:16], one.key_id)
        for one in made
    ]
    house.show_rows(
        ("number", "made", "chains", "root", "key"), rows, none="No checkpoint yet. Make one: lockstep checkpoint now"
    )
    house.says.print(f"{waiting.events} events wait for the next one", markup=False)


@checkpoint_command.command("key")
@as_json
@click.pass_obj
@refusals_told
def key_command(house: House, is_json: bool) -> None:
    """Print the public key, for whoever is to verify without trusting this house; older ones with --json.

    \b
    Example:
      lockstep checkpoint key > plant.pub
    """
    with house.open() as installation:
        key = key_of(installation)
        if is_json:
            with installation.reading() as session:
                show_json({"id": key.id, "public_key": key.public_key, "known": known_keys(session)})
            return
        click.echo(key.public_key)
        house.says.print(f"key {key.id}, private half in {key_folder(installation)}", markup=False)


@checkpoint_command.command("new-key")
@click.pass_obj
@refusals_told
def new_key_command(house: House) -> None:
    """Put a new key in the place of the present one; what the old one signed still verifies.

    What waits is sealed by the old key first, where it is still there.

    \b
    Example:
      lockstep checkpoint new-key
    """
    with house.open() as installation:
        _seal_with_the_old(installation)
        key = make_key(key_folder(installation))
        with installation.acting(CONSOLE, reason=console_reason()) as act:
            know(act, key)
            seal(act, key, whole=last(act.session) is not None)
        run_due(installation, worker=worker_name())
    house.says.print(f"key {key.id} signs from now on; hand its public half out:", markup=False)
    click.echo(key.public_key)


def _seal_with_the_old(installation: Installation) -> None:
    try:
        old = load_key(key_folder(installation))
    except (NotFound, Conflict):
        return  # Lost or exposed: that is why a new one is made.
    with installation.acting(CONSOLE, reason=console_reason()) as act:
        seal(act, old)
