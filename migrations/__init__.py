"""The schema's history: bring a database to the newest version, and say whether it is there.

Files are named YYYYMMDD_HHMM_slug.py. A migration expands, a release deploys, a later migration contracts. Every run of
migrations ends with the guard (env.py).
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from engine.database import connect

FOLDER = Path(__file__).parent


def migrate(url: str) -> str:
    """Bring a database to the newest version in one transaction and return that version's id.

    Two callers at once are safe: the second waits and finds nothing to do. An empty database gets everything.
    """
    engine = connect(url)
    try:
        configuration = _configuration()
        configuration.attributes["engine"] = engine
        command.upgrade(configuration, "head")
    finally:
        engine.dispose()
    return newest_version()


def newest_version() -> str:
    """Return the id of the newest migration."""
    head = ScriptDirectory.from_config(_configuration()).get_current_head()
    if head is None:
        raise RuntimeError("Expected at least one migration in migrations/versions, but found none")
    return head


def version_of(engine: Engine) -> str | None:
    """Return the id of the migration a database is at; None when it was never migrated."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(FOLDER))
    return configuration
