"""What every command stands on: the database it was told, the installation on it, how it answers and how it fails."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.table import Table as Grid

from engine.act import Act, Installation
from engine.errors import Forbidden, Invalid, Refused
from webapp.configuration import settings_of

DEFAULT_DATABASE = Path("var") / "lockstep.db"

P = ParamSpec("P")
R = TypeVar("R")


class Exit(IntEnum):
    """What the exit code says."""

    DONE = 0
    FOUND = 1
    USAGE = 2
    REFUSED = 3
    NOT_READY = 4


@dataclass
class House:
    """The database that a command was told, opened when it is first needed."""

    given: str | None
    says: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    shows: Console = field(default_factory=lambda: Console(highlight=False))

    @property
    def database_url(self) -> str:
        """The URL of the database; the default is a file in var/, whose folder is made."""
        if self.given:
            return self.given
        DEFAULT_DATABASE.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{DEFAULT_DATABASE}"

    @contextmanager
    def open(self, **settings: Any) -> Iterator[Installation]:
        """Open the installation on a database that is migrated and guarded; end the program when it is neither."""
        with self.open_as_found(**settings) as installation:
            if problems := guard_problems(installation):
                listed = "\n".join(f"  {problem}" for problem in problems)
                self.not_ready(
                    f"Expected the database's guard to be whole, but it is not:\n{listed}\nRun: lockstep migrate"
                )
            if problems := table_problems(installation):
                listed = "\n".join(f"  {problem}" for problem in problems)
                self.not_ready(f"Expected the rule tables that are in force, but they are not:\n{listed}")
            yield installation

    @contextmanager
    def open_as_found(self, **settings: Any) -> Iterator[Installation]:
        """Open it on a migrated database whatever became of its guard: to look for evidence, not to work."""
        from migrations import newest_version, version_of
        from webapp.wiring import wire

        installation = wire(self.database_url, settings=settings_of() | settings)
        try:
            found, wanted = version_of(installation.database), newest_version()
            if found != wanted:
                self.not_ready(
                    f"Expected the database at version {wanted}, but it is at {found}. Run: lockstep migrate"
                )
            yield installation
        finally:
            installation.database.dispose()

    @contextmanager
    def acting(self, installation: Installation, user: str, *, reason: str | None = None) -> Iterator[Act]:
        """Open an act in somebody's name. Raises: NotFound; Forbidden for an account that is disabled."""
        from records.roles import user_called

        with installation.acting(f"user:{user}", reason=reason) as act:
            if not user_called(act.session, user).is_active:
                raise Forbidden(f"Expected somebody with an account, but {user} is disabled")
            yield act

    def not_ready(self, message: str) -> NoReturn:
        """End the program because the database is not ready."""
        self.says.print(message, markup=False, style="red", soft_wrap=True)
        sys.exit(Exit.NOT_READY)

    def show_rows(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, none: str) -> None:
        """Show rows under their column names, or say that there are none and what to do."""
        if not rows:
            self.says.print(none, markup=False)
            return
        grid = Grid(*columns, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            grid.add_row(*row)
        self.shows.print(grid)


def guard_problems(installation: Installation) -> list[str]:
    """Return what is missing or altered of a database's guard, one sentence each."""
    from rules.triggers import verify_guard

    with installation.database.connect() as connection:
        return verify_guard(connection)


def table_problems(installation: Installation) -> list[str]:
    """Return which installed rule tables are not the ones in force, one sentence each."""
    from rules.tables_in_force import problems_of

    with installation.reading() as session:
        return problems_of(session)


def show_json(value: Any) -> None:
    """Print one JSON value for machines; what JSON lacks becomes its text."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


as_json = click.option("--json", "is_json", is_flag=True, help="Answer as JSON, for machines.")
in_the_name_of = click.option(
    "--as", "user", envvar="LOCKSTEP_USER", required=True, metavar="USER", help="In whose name; else LOCKSTEP_USER."
)


def refusals_told(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command end with its refusal in words, or as JSON, and the exit code of a refusal."""

    @functools.wraps(command)
    def telling(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Refused as refusal:
            if kwargs.get("is_json"):
                show_json({"error": refusal.code, "detail": refusal.message, "fields": _fields(refusal)})
            else:
                click.secho(f"refused ({refusal.code}): {refusal.message}", fg="red", err=True)
                for name, sentence in _fields(refusal).items():
                    if sentence not in refusal.message:
                        click.echo(f"  {name}: {sentence}", err=True)
            sys.exit(Exit.REFUSED)

    return telling


def _fields(refusal: Refused) -> Mapping[str, str]:
    return refusal.fields if isinstance(refusal, Invalid) else {}
