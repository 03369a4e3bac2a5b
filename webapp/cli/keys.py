"""``lockstep user key``: keys to the API."""

from __future__ import annotations

import datetime as dt
import getpass
from typing import Any

import click

from engine.database import instant_text
from webapp.cli.house import House, as_json, refusals_told, show_json

CONSOLE = "system:console"


@click.group("key")
def key_command() -> None:
    """Keep keys to the API: add, list, revoke.

    \b
    Example:
      lockstep user key add rita --name laptop --scope tasks:read --scope tasks:decide
    """


def _owner(name: str) -> str:
    """Return the principal of a login name; an adapter is written as one, ``adapter:erp``."""
    return name if ":" in name else f"user:{name}"


@key_command.command("add")
@click.argument("owner")
@click.option("--name", required=True, help="What the key is for.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="May be given several times; /api/v1/docs lists them."
)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long it opens anything."
)
@as_json
@click.pass_obj
@refusals_told
def add_command(house: House, owner: str, name: str, scopes: tuple[str, ...], days: int, is_json: bool) -> None:
    """Make a key for somebody, or for an adapter, and show it this once.

    \b
    Example:
      lockstep user key add adapter:erp --name "order files" --scope orders:read --scope messages:publish
    """
    from records.api_key import make_key

    reason = f"by {getpass.getuser()} at the command line"
    with house.open() as installation, installation.acting(CONSOLE, reason=reason) as act:
        until = act.now + dt.timedelta(days=days)
        secret, made = make_key(act, _owner(owner), name, scopes=scopes, expires_at=until)
        shown = {"id": made.id, "key": secret, "owner": made.owner, "expires_at": instant_text(until)}
    if is_json:
        show_json(shown)
        return
    click.echo(secret)
    house.says.print(
        f"Keep it now: it is not shown again. It opens the API for {shown['owner']} for {days} days.", markup=False
    )


@key_command.command("list")
@click.argument("owner", required=False)
@as_json
@click.pass_obj
@refusals_told
def list_command(house: House, owner: str | None, is_json: bool) -> None:
    """List keys, of somebody or all; the keys themselves are known to nobody.

    \b
    Example:
      lockstep user key list rita
    """
    from records.api_key import keys_of

    with house.open() as installation, installation.reading() as session:
        now = installation.clock()
        rows = [_plain(key, now) for key in keys_of(session, _owner(owner) if owner else None)]
    if is_json:
        show_json(rows)
        return
    columns = ("id", "owner", "name", "scopes", "expires_at", "state")
    shown = [
        tuple(" ".join(value) if isinstance(value, list) else str(value) for value in (row[one] for one in columns))
        for row in rows
    ]
    house.show_rows(columns, shown, none="No keys yet. Make one: lockstep user key add")


def _plain(key: Any, now: dt.datetime) -> dict[str, Any]:
    state = "open" if key.is_alive(now) else "revoked" if key.revoked_at else "over"
    return {
        "id": key.id, "owner": key.owner, "name": key.name, "scopes": list(key.scopes),
        "expires_at": instant_text(key.expires_at) if key.expires_at else None, "state": state,
    }  # fmt: skip


@key_command.command("revoke")
@click.argument("key_id")
@click.pass_obj
@refusals_told
def revoke_command(house: House, key_id: str) -> None:
    """End a key now.

    \b
    Example:
      lockstep user key revoke 01a20470-9b53-774b-88aa-2ba3e2184b10
    """
    from records.api_key import revoke_key

    reason = f"by {getpass.getuser()} at the command line"
    with house.open() as installation, installation.acting(CONSOLE, reason=reason) as act:
        revoked = revoke_key(act, key_id)
        name, owner = revoked.name, revoked.owner
    house.says.print(f"{name} of {owner} opens nothing any more", markup=False)
