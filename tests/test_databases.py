"""The databases that every other test stands on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

from tests import postgres_server
from tests.databases import Databases


def test_a_fresh_database_has_the_whole_schema(database: Engine) -> None:
    assert "audit_event" in inspect(database).get_table_names()


@pytest.mark.parametrize("time", [1, 2])
def test_a_test_never_sees_what_another_wrote(database: Engine, time: int) -> None:
    with database.begin() as connection:
        assert "left_behind" not in inspect(connection).get_table_names()
        connection.execute(text("CREATE TABLE left_behind (id INTEGER)"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_empty_database_has_no_table(databases: Databases, kind: str) -> None:
    from engine.database import connect

    with databases.empty(kind) as url:
        engine = connect(url)
        assert inspect(engine).get_table_names() == []
        engine.dispose()


def test_postgresql_is_the_real_one(postgresql_database: Engine) -> None:
    with postgresql_database.connect() as connection:
        assert connection.scalar(text("SELECT version()")).startswith("PostgreSQL ")


def test_the_server_is_found_in_the_wheel_when_the_machine_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "_candidate_folders", lambda: iter(()))
    found = postgres_server.find_binaries(tmp_path)
    for program in ("initdb", "postgres"):
        said = subprocess.run(
            [found.folder / program, "--version"],
            env=dict(found.environment),
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stdout.startswith(f"{program} (PostgreSQL)")


def test_a_machine_without_postgresql_fails_with_every_place_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "_candidate_folders", lambda: iter([tmp_path / "nowhere"]))
    monkeypatch.setattr(postgres_server.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(postgres_server.NoPostgres, match="nowhere"):
        postgres_server.find_binaries(tmp_path)


def test_the_server_stops_when_its_test_run_is_gone(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.databases import make_run_folder

    folder = make_run_folder()
    run = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        postgres_server.start(folder / "postgresql", run.pid)
        keeper = int((folder / "postgresql" / "keeper.pid").read_text())
        run.communicate(b"\n")
        os.waitpid(keeper, 0)
        assert not (folder / "postgresql" / "cluster").exists()
    finally:
        run.kill()
        Databases(folder, os.getpid()).close()
