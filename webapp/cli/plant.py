"""``lockstep migrate``, ``demo`` and ``import``: bring a database to where people can work in it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.progress import Progress, TaskID
from sqlalchemy import select

from engine.act import Installation
from records.demo_people import CAST, SPECIALISTS, Member
from records.person import Credential, User
from webapp.cli.house import Exit, House, as_json, refusals_told, show_json


@click.command("migrate")
@click.option(
    "--web-role",
    envvar="LOCKSTEP_WEB_ROLE",
    metavar="ROLE",
    help="A role of PostgreSQL to give the rights that pages and jobs need.",
)
@click.pass_obj
@refusals_told
def migrate_command(house: House, web_role: str | None) -> None:
    """Bring the database to the newest version, with its guard, in one transaction.

    On PostgreSQL the web role gets its rights with it: it works in every table, but can alter and delete nothing that is written
    once, such as the audit chain.

    \b
    Example:
      lockstep --database postgresql://owner@db/lockstep migrate --web-role web
    """
    from migrations import migrate

    version = migrate(house.database_url)
    if web_role:
        _grant(house, web_role)
    house.says.print(f"the database is at {version}", markup=False)


def _grant(house: House, web_role: str) -> None:
    from engine.database import connect
    from rules.grants import grant_to_web_role

    engine = connect(house.database_url)
    try:
        with engine.execution_options(writes=True).begin() as connection:
            grant_to_web_role(connection, web_role)
    finally:
        engine.dispose()


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
    """Settle the demo plant: its people, parts, suppliers and work in every state.

    \b
    Example:
      lockstep --database sqlite:///try.db demo
    """
    from engine.errors import Conflict

    migrate_if_behind(house)
    with house.open() as installation:
        if not settle_if_empty(house, installation) and not if_empty:
            raise Conflict(
                "Expected an empty database for the demo plant, but somebody is there already", code="NOT_EMPTY"
            )


def settle_if_empty(house: House, installation: Installation) -> bool:
    """Settle the demo plant when nobody is there; return whether it was settled."""
    from webapp import demo

    with installation.reading() as session:
        if session.scalars(select(User.id).limit(1)).first() is not None:
            return False
    with house.says.status("settling the demo plant") as status:
        demo.settle(installation, tell=lambda what: status.update(f"settling the demo plant: {what}"))
    return True


def demo_logins(installation: Installation) -> list[Member]:
    """Return those of the demo plant who can sign in to this database."""
    with installation.reading() as session:
        known = set(session.scalars(select(Credential.user_id)))
    return [one for one in (*CAST, *SPECIALISTS) if one.id in known]


@click.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Which column feeds what."
)
@click.option("--dry-run", "is_dry", is_flag=True, help="Do it all, say what would happen, and roll it back.")
@as_json
@click.pass_obj
@refusals_told
def import_command(house: House, folder: Path, mapping: Path | None, is_dry: bool, is_json: bool) -> None:
    """Bring in an extract of an ERP: suppliers, employees, products, requisitions, purchases, and what followed them.

    Without --mapping the shipped one for a Tryton extract is used (processes/importing/tryton.toml). A second import of the
    same extract changes nothing. Open requisitions start their flow. What orders, receipts, invoices and work orders of the
    extract do not agree about is listed, and kept under Mismatches. Exit code 1 when a document was left out.

    \b
    Example:
      lockstep import ../shared/erp-extract --dry-run
    """
    from processes.importing import SHIPPED, import_folder
    from processes.requisition_to_po import start

    with house.open() as installation, Progress(console=house.says, transient=True, disable=is_json) as bars:
        report = import_folder(
            installation, folder, mapping=mapping or SHIPPED, is_dry=is_dry, start=start, progress=_shown_by(bars)
        )
    if is_json:
        show_json(report.as_json())
    else:
        for line in report.lines():
            click.echo(line)
    if report.errors:
        sys.exit(Exit.FOUND)


def _shown_by(bars: Progress) -> Callable[[str, int, int], None]:
    """Return a function that shows each kind of document on a bar of its own."""
    known: dict[str, TaskID] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in known:
            known[what] = bars.add_task(what, total=total)
        bars.update(known[what], completed=done, total=total)

    return show
