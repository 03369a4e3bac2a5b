"""The migrations and the mappings say the same, on both databases, and end with the guard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

import migrations
from engine.database import connect
from migrations import migrate, newest_version, version_of
from migrations.mappings import is_ours, whole_metadata
from rules.triggers import remove_guard, verify_guard
from tests.databases import Databases


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Engine]:
    with databases.empty(request.param) as url:
        migrate(url)
        engine = connect(url)
        yield engine
        engine.dispose()


def test_migrations_and_mappings_say_the_same(migrated: Engine) -> None:
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_ours})
        assert compare_metadata(context, whole_metadata()) == []


def test_a_migrated_database_is_guarded(migrated: Engine) -> None:
    with migrated.connect() as connection:
        assert verify_guard(connection) == []


def test_migrating_again_changes_nothing(migrated: Engine) -> None:
    assert version_of(migrated) == newest_version()
    assert migrate(migrated.url.render_as_string(hide_password=False)) == newest_version()


def test_the_job_queue_is_there_where_jobs_are_carried_and_stays_when_migrating_again(migrated: Engine) -> None:
    is_carried = migrated.dialect.name == "postgresql"
    assert inspect(migrated).has_table("procrastinate_jobs") is is_carried
    migrate(migrated.url.render_as_string(hide_password=False))
    assert inspect(migrated).has_table("procrastinate_jobs") is is_carried


def test_migrating_puts_a_lost_guard_back(migrated: Engine) -> None:
    with migrated.begin() as connection:
        remove_guard(connection)
    migrate(migrated.url.render_as_string(hide_password=False))
    with migrated.connect() as connection:
        assert verify_guard(connection) == []


def test_the_newest_file_is_the_head() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_heads() == [newest_version()]


def test_a_database_that_was_never_migrated_has_no_version(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    assert version_of(database) is None
