"""Alembic's entry: opens the database by the house's connection rules and runs all steps in one transaction.

The transaction ends with the guard: batch mode rebuilds a SQLite table without its triggers, and the guard of today fits
the schema after the last step only. No migration can forget it, and none installs it too early.
"""

from __future__ import annotations

import datetime as dt
import os
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, TypeDecorator, event, text

from engine import database, queue
from migrations.mappings import is_ours, whole_metadata
from rules.triggers import install_guard

LOCK = 0x10C57E9
"""The PostgreSQL advisory lock that lets one migration run at a time."""


def run() -> None:
    """Run the steps on the engine that the caller gave, or on DATABASE_URL when called as ``alembic``."""
    given: Engine | None = context.config.attributes.get("engine")
    engine = given or database.connect(os.environ["DATABASE_URL"])
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _leave_keys_unchecked)
    try:
        with engine.execution_options(writes=True).begin() as connection:
            _migrate(connection)
    finally:
        if given is None:
            engine.dispose()


def _migrate(connection: Connection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    context.configure(
        connection=connection,
        target_metadata=whole_metadata(),
        transactional_ddl=True,
        render_as_batch=is_sqlite,
        render_item=_render,
        compare_type=True,
        include_name=is_ours,
        process_revision_directives=_name,
    )
    context.run_migrations()
    queue.install(connection)
    # While a migration is being written the schema may be behind; the guard fits the newest one only.
    newest = context.script.get_current_head()
    if newest is not None and MigrationContext.configure(connection).get_current_revision() == newest:
        install_guard(connection)
    if is_sqlite and (broken := connection.execute(text("PRAGMA foreign_key_check")).all()):
        raise RuntimeError(f"Expected every reference to hold after the migration, but these do not: {broken[:5]}")


def _leave_keys_unchecked(connection: Any, _record: Any) -> None:
    # Batch mode drops and renames tables, which with keys on would delete what refers to them. The end checks them all.
    connection.execute("PRAGMA foreign_keys = OFF")


def _render(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Write the house's own types by name; of any other decorated type only what the database sees, which never changes."""
    if kind != "type":
        return False
    if type(item).__module__ == database.__name__:
        autogenerate.imports.add("from engine import database")
        arguments = f"{item.scale}" if isinstance(item, database.Scaled) else ""
        return f"database.{type(item).__name__}({arguments})"
    return f"sa.{item.impl_instance!r}" if isinstance(item, TypeDecorator) else False


def _name(_context: Any, _revision: Any, directives: list[MigrationScript]) -> None:
    """Name a new migration by its moment, so that files and ids sort alike."""
    for script in directives:
        script.rev_id = dt.datetime.now(dt.UTC).strftime("%Y%m%d_%H%M")


run()
