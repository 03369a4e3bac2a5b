"""The schema's history: bring a database to the newest version, and say whether it is there.

Files are named YYYYMMDD_HHMM_slug.py. A migration expands, a release deploys, a later migration contracts. Every run of
migrations ends with the guard (env.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from engine.database import connect

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent
STAMP = "YYYYMMDD_HHMM"


def migrate(url: str) -> str:
    """Bring a database to the newest version in one transaction and return that version's id.

    Two callers at once are safe: the second waits and finds nothing to do. An empty database gets everything.
    """
    from alembic import command  # late: a start that finds the database current needs none of it

    engine = connect(url)
    try:
        configuration = _configuration()
        configuration.attributes["engine"] = engine
        command.upgrade(configuration, "head")
    finally:
        engine.dispose()
    return newest_version()


def newest_version() -> str:
    """Return the id of the newest migration: ids are moments, and files are named by them."""
    return max(path.name[: len(STAMP)] for path in (FOLDER / "versions").glob("2*.py"))


def version_of(engine: Engine) -> str | None:
    """Return the id of the migration a database is at; None when it was never migrated."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return version


def _configuration() -> Config:
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(FOLDER))
    return configuration
