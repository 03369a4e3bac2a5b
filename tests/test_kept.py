"""A SQLite file that test after test gets: the connection stays, and nothing that was written does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from engine.database import connect
from tests.kept import KeptFiles, fingerprint, opener_of


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
