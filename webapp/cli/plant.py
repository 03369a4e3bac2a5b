"""``lockstep migrate``, ``demo`` and ``import``: bring a database to where people can work in it."""

from __future__ import annotations

import click

from engine.act import Installation
from records.demo_people import CAST, Member
from records.person import Credential, User
from webapp.cli.house import House, refusals_told


@click.command("migrate")
@click.pass_obj
@refusals_told
def migrate_command(house: House) -> None:
    r"""Bring the database to the newest version, with its guard, in one transaction.

    \b
    Example:
      lockstep --database postgresql://owner@db/lockstep migrate
    """
    from migrations import migrate

    version = migrate(house.database_url)
    house.says.print(f"the database is at {version}", markup=False)


def migrate_if_behind(house: House) -> None:
    """Migrate when the database is not at the newest version; say so when it was."""
    from engine.database import connect
    from migrations import migrate, newest_version, version_of

    engine = connect(house.database_url)
    try:
        is_behind = version_of(engine) != newest_version()
    finally:
        engine.dispose()
    if is_behind:
        with house.says.status("migrating the database"):
            migrate(house.database_url)


@click.command("demo")
@click.option("--if-empty", is_flag=True, help="Do nothing when somebody is there already.")
@click.pass_obj
@refusals_told
def demo_command(house: House, if_empty: bool) -> None:
    r"""Settle the demo plant: its people, parts, suppliers and work in every state.

    \b
    Example:
      lockstep --database sqlite:///try.db demo
    """
    from engine.errors import Conflict

    migrate_if_behind(house)
    with house.open() as installation:
        if not settle_if_empty(house, installation) and not if_empty:
            raise Conflict("Expected an empty database for the demo plant, but somebody is there already", code="NOT_EMPTY")


def settle_if_empty(house: House, installation: Installation) -> bool:
    """Settle the demo plant when nobody is there; return whether it was settled."""
    from webapp import demo

    with installation.reading() as session:
        if session.query(User.id).first() is not None:
            return False
    with house.says.status("settling the demo plant"):
        demo.settle(installation)
    return True


def demo_logins(installation: Installation) -> list[Member]:
    """Return those of the cast who can sign in to this database."""
    with installation.reading() as session:
        known = set(session.query(Credential.user_id).scalars())
    return [one for one in CAST if one.id in known]


@click.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.pass_obj
@refusals_told
def import_command(house: House, folder: str) -> None:
    """Read an ERP's extract."""
    raise click.ClickException("not there yet")
