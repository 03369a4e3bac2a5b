"""Databases that test after test gets: their connections stay, and nothing that was written does."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from engine.database import connect
from tests.clock import SettableClock
from tests.conftest import opened, wired
from tests.databases import Databases, Template, cut_others
from tests.kept import KeptFiles, fingerprint, opener_of
from tests.kept_postgresql import Content
from tests.story import PLANT, Story


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "template.db"
    engine = connect(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE part (id INTEGER PRIMARY KEY, name TEXT)"))
        connection.execute(text("INSERT INTO part VALUES (1, 'bracket')"))
    engine.dispose()
    return path


@pytest.fixture
def files(tmp_path: Path) -> Iterator[KeptFiles]:
    kept = KeptFiles(tmp_path)
    yield kept
    kept.close()


def names(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT name FROM part ORDER BY id")))


def driver_of(engine: Engine) -> object:
    with engine.connect() as connection:
        return connection.connection.driver_connection


def test_the_next_test_gets_the_connection_and_none_of_the_rows(files: KeptFiles, template: Path) -> None:
    seen = []
    for _ in range(3):
        with files.copy_of(template, fingerprint(template)) as path:
            engine = connect(f"sqlite:///{path}")
            assert names(engine) == ["bracket"]
            with engine.begin() as connection:
                connection.execute(text("INSERT INTO part (name) VALUES ('bolt')"))
                connection.execute(text("UPDATE part SET name = 'gear' WHERE id = 1"))
            assert names(engine) == ["gear", "bolt"]
            seen.append(driver_of(engine))
            engine.dispose()
    assert seen[0] is seen[1] is seen[2]


def test_another_template_of_the_same_schema_is_read_anew(files: KeptFiles, template: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(template.read_bytes())
    filled = sqlite3.connect(other)
    filled.execute("INSERT INTO part VALUES (2, 'pin')")
    filled.commit()
    filled.close()
    assert fingerprint(other) == fingerprint(template)
    found = []
    for start in (template, other, template):
        with files.copy_of(start, fingerprint(template)) as path:
            engine = connect(f"sqlite:///{path}")
            found.append(names(engine))
            engine.dispose()
    assert found == [["bracket"], ["bracket", "pin"], ["bracket"]]


def test_a_table_that_a_test_made_is_gone_and_can_be_made_again(files: KeptFiles, template: Path) -> None:
    for _ in range(3):
        with files.copy_of(template, fingerprint(template)) as path:
            engine = connect(f"sqlite:///{path}")
            with engine.begin() as connection:
                connection.execute(text("CREATE TABLE left_behind (id INTEGER)"))
                connection.execute(text("CREATE TRIGGER watch AFTER INSERT ON part BEGIN DELETE FROM part; END"))
                connection.execute(text("INSERT INTO part (name) VALUES ('bolt')"))
            assert names(engine) == []
            engine.dispose()


def test_a_schema_that_differs_in_anything_has_files_of_its_own(template: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(template.read_bytes())
    changed = sqlite3.connect(other)
    changed.execute("CREATE INDEX by_name ON part (name)")
    changed.close()
    assert fingerprint(other) != fingerprint(template)


LEFT_OPEN = {
    "a temporary table": "CREATE TEMP TABLE part (name TEXT)",
    "a second file": "ATTACH ':memory:' AS elsewhere",
    "a transaction": "BEGIN IMMEDIATE",
}


@pytest.mark.parametrize("left", LEFT_OPEN)
def test_what_a_test_leaves_open_does_not_reach_the_next(files: KeptFiles, template: Path, left: str) -> None:
    for _ in range(2):
        with files.copy_of(template, fingerprint(template)) as path:
            opener = opener_of(str(path))
            assert opener is not None
            connection = opener()
            connection.isolation_level = None
            assert connection.execute("SELECT name FROM part").fetchall() == [("bracket",)]
            connection.execute(LEFT_OPEN[left])
            connection.execute("INSERT INTO main.part (name) VALUES ('bolt')")
            connection.close()


def test_a_connection_that_nobody_closed_is_not_handed_on(files: KeptFiles, template: Path) -> None:
    left = []
    for _ in range(2):
        with files.copy_of(template, fingerprint(template)) as path:
            engine = connect(f"sqlite:///{path}")
            held = engine.connect()
            assert held.scalar(text("SELECT name FROM part")) == "bracket"
            held.execute(text("INSERT INTO part (name) VALUES ('bolt')"))
            left.append((engine, held))
    for engine, held in left:
        held.close()
        engine.dispose()


def test_another_process_or_connection_that_stays_keeps_the_file_for_itself(files: KeptFiles, template: Path) -> None:
    with files.copy_of(template, fingerprint(template)) as first:
        engine = connect(f"sqlite:///{first}")
        assert names(engine) == ["bracket"]
        stranger = sqlite3.connect(first)
        assert stranger.execute("SELECT count(*) FROM part").fetchone() == (1,)
        engine.dispose()
    with files.copy_of(template, fingerprint(template)) as second:
        assert second != first
    stranger.close()


@pytest.fixture
def server(databases: Databases) -> Iterator[Databases]:
    """Yield the run's databases, with none that rests between two tests yet."""
    own = Databases(databases.folder, databases.run)
    yield own
    own.let_go()


def guards(url: str) -> list[tuple[str, str]]:
    engine = connect(url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT tgname, tgenabled FROM pg_trigger ORDER BY oid")).all()
    engine.dispose()
    return [(name, state) for name, state in found]


def one_after_the_other(server: Databases, use: Callable[[Engine], Any], template: Template | None = None) -> list[Any]:
    """Return what three tests, each with its own database by a template, make of it."""
    found = []
    for _ in range(3):
        with opened(server, "postgresql", template) as engine:
            found.append(use(engine))
    return found


def test_a_server_s_database_is_handed_on_with_its_connections_and_none_of_the_rows(
    server: Databases, tmp_path: Path, clock: SettableClock
) -> None:
    def use(engine: Engine) -> tuple[Any, ...]:
        url = engine.url.render_as_string(hide_password=False)
        found = Content.of(url), guards(url)
        with wired(engine, clock, tmp_path) as house:
            Story(house, clock).as_("rita").start("requisition_to_po", lines=[("P-100", 5)])
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM holiday"))
            connection.execute(text("UPDATE site SET time_zone = 'UTC'"))
            connection.execute(text("SELECT nextval('procrastinate_jobs_id_seq')"))
        with engine.connect() as connection, pytest.raises(DBAPIError, match="APPEND_ONLY"):
            connection.execute(text("DELETE FROM audit_event"))
        return (url, driver_of(engine), *found)

    first, second, third = one_after_the_other(server, use, PLANT)
    assert first == second == third


CHANGED = {
    "a table": "CREATE TABLE left_behind (id INTEGER)",
    "a column": "ALTER TABLE site ALTER time_zone DROP NOT NULL",
    "a guard that is off": "ALTER TABLE audit_event DISABLE TRIGGER USER",
    "a right": "GRANT SELECT ON site TO pg_monitor",
    "an emptied table": "TRUNCATE holiday",
    "a temporary table": "CREATE TEMP TABLE site (id INTEGER)",
}


@pytest.mark.parametrize("changed", CHANGED)
def test_a_database_of_which_more_than_rows_changed_is_not_handed_on(server: Databases, changed: str) -> None:
    def change(engine: Engine) -> URL:
        with engine.begin() as connection:
            connection.execute(text(CHANGED[changed]))
        return engine.url

    assert len(set(one_after_the_other(server, change, PLANT))) == 3


def test_a_database_that_somebody_is_still_connected_to_is_not_handed_on(server: Databases) -> None:
    with opened(server, "postgresql") as engine, engine.connect():
        first = engine.url
        stranger = psycopg.connect(
            engine.url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
        )
        stranger.execute("SELECT 1")
    with opened(server, "postgresql") as engine:
        assert engine.url != first
        held = engine.connect()
        second = engine.url
    with opened(server, "postgresql") as engine:
        assert engine.url not in (first, second)
    held.detach()
    held.close()
    stranger.close()


def test_a_connection_that_the_server_cut_is_not_handed_on(server: Databases) -> None:
    with opened(server, "postgresql") as engine:
        cut = driver_of(engine)
        stranger = create_engine(engine.url, isolation_level="AUTOCOMMIT")
        with stranger.connect() as connection:
            cut_others(connection)
        stranger.dispose()
        engine.dispose()
        assert driver_of(engine) is not cut


LEFT_ON_A_SERVER = {
    "a role": "SET SESSION AUTHORIZATION pg_monitor",
    "a setting": "SET search_path TO pg_catalog",
    "a lock": "SELECT pg_advisory_lock(4711)",
}


@pytest.mark.parametrize("left", LEFT_ON_A_SERVER)
def test_what_a_test_leaves_in_a_server_s_connection_does_not_reach_the_next(server: Databases, left: str) -> None:
    def leave(engine: Engine) -> object:
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM site")) == 0
            assert connection.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")) == 0
            connection.execute(text(LEFT_ON_A_SERVER[left]))
            connection.commit()
            return connection.connection.driver_connection

    first, second, third = one_after_the_other(server, leave)
    assert first is second is third
