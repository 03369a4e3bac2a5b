"""Fresh databases for tests: templates made once per test run and kind, copied for each test in milliseconds.

A run has one folder, named by the process that started it; xdist workers share it, and with it one PostgreSQL and the
templates: the whole schema, and what tests build upon it (a plant with its cast and its released flow).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from engine.database import connect
from migrations import migrate
from tests import postgres_server
from tests.kept import SUFFIXES, KeptFiles, fingerprint
from tests.kept_postgresql import NEXT_TRANSACTION, Content, KeptDatabase, KeptDatabases


@dataclass(frozen=True)
class Template:
    """What a fresh database starts from.

    build: goes on at a URL from what ``base`` left there, an empty database without one, and leaves it without connections.
    """

    name: str
    build: Callable[[str], None]
    base: Template | None = None


class Databases:
    """Hands out fresh databases of one test run. folder: shared by the run's workers; run: the pid that owns it."""

    def __init__(self, folder: Path, run: int) -> None:
        self.folder, self.run = folder, run
        self._server: str | None = None
        self._maintaining: psycopg.Connection[Any] | None = None
        self._left: list[str] = []
        self._files = KeptFiles(folder)
        self._sqlite: dict[str, tuple[Path, str]] = {}
        self._contents: dict[str, Content] = {}
        self._databases = KeptDatabases()

    def postgresql_url(self) -> str:
        """Return the URL of the maintenance database of the run's server, starting the server on the first call."""
        if self._server is None:
            with self._locked("postgresql"):
                self._server = self._server_url()
        return self._server

    def _server_url(self) -> str:
        """Do the same for a caller that holds the lock. A server that failed is not tried again: the reason is kept."""
        known = self.folder / "postgresql.json"
        if not known.exists():
            try:
                port = postgres_server.start(self.folder / "postgresql", self.run)
            except postgres_server.NoPostgres as error:
                known.write_text(json.dumps({"refused": str(error)}))
                raise
            known.write_text(json.dumps({"port": port}))
        found = json.loads(known.read_text())
        if "refused" in found:
            raise postgres_server.NoPostgres(found["refused"])
        return f"postgresql+psycopg://lockstep@127.0.0.1:{found['port']}/postgres"

    @contextmanager
    def fresh(self, kind: str, template: Template | None = None) -> Iterator[str]:
        """Yield the URL of a database of its own, a copy of a template; gone afterwards.

        kind: sqlite or postgresql. template: without one, the whole schema, as an installation gets it.
        """
        wanted = template or SCHEMA
        if kind == "sqlite":
            if wanted.name not in self._sqlite:
                template = self._sqlite_template(wanted)
                self._sqlite[wanted.name] = template, template.with_suffix(".schema").read_text()
            with self._files.copy_of(*self._sqlite[wanted.name]) as path:
                yield f"sqlite:///{path}"
            return
        with self._postgresql_kept(self._postgresql_template(wanted)) as url:
            yield url

    @contextmanager
    def empty(self, kind: str) -> Iterator[str]:
        """Yield the URL of a database of its own without any table, for tests of the migrations."""
        if kind == "sqlite":
            path = self._sqlite_path()
            try:
                yield f"sqlite:///{path}"
            finally:
                _remove_sqlite(path)
            return
        with self._postgresql_copy_of("template0") as url:
            yield url

    def _sqlite_template(self, wanted: Template) -> Path:
        """Return the file of a template, building it on the first call; who comes meanwhile waits."""
        template = self.folder / f"template_{wanted.name}.db"
        base = self._sqlite_template(wanted.base) if wanted.base else None
        with self._locked(f"sqlite-{wanted.name}"):
            if not template.exists():
                part = self.folder / f"template_{wanted.name}.part.db"
                if base is not None:
                    shutil.copyfile(base, part)
                wanted.build(f"sqlite:///{part}")
                _gather_sqlite(part)
                template.with_suffix(".schema").write_text(fingerprint(part))
                part.rename(template)
        return template

    def _sqlite_path(self) -> Path:
        return self.folder / f"test_{uuid.uuid4().hex[:12]}.db"

    def _postgresql_template(self, wanted: Template) -> str:
        """Return the name of a template, building it on the first call; who asks for another one does not wait."""
        name, built = f"lockstep_template_{wanted.name}", self.folder / f"postgresql-{wanted.name}"
        if name in self._contents:
            return name
        base = self._postgresql_template(wanted.base) if wanted.base else "template0"
        maintenance = self.postgresql_url()
        with self._locked(f"postgresql-{wanted.name}-building"):
            if not built.exists():
                self._maintain(maintenance, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                self._create(maintenance, name, base)
                wanted.build(_with_database(maintenance, name))
                Content.of(_with_database(maintenance, name)).keep(built.with_suffix(".part"))
                built.with_suffix(".part").rename(built)
        self._contents[name] = Content.kept(built)
        return name

    @contextmanager
    def _postgresql_kept(self, template: str) -> Iterator[str]:
        maintenance = self.postgresql_url()

        def make() -> KeptDatabase:
            url = self._postgresql_copy(maintenance, template)
            [(since,)] = self._maintenance(maintenance).execute(NEXT_TRANSACTION).fetchall()
            return KeptDatabase(url, self._contents[template], since)

        def drop(database: KeptDatabase) -> None:
            self._drop_later(database.url)

        with self._databases.copy_of(template, make, drop) as url:
            yield url

    @contextmanager
    def _postgresql_copy_of(self, template: str) -> Iterator[str]:
        url = self._postgresql_copy(self.postgresql_url(), template)
        try:
            yield url
        finally:
            self._drop_later(url)

    def _postgresql_copy(self, maintenance: str, template: str) -> str:
        """Make a database and return its URL. PostgreSQL refuses while somebody is connected to the template: nobody is."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._create(maintenance, name, template)
        return _with_database(maintenance, name)

    def _drop_later(self, url: str) -> None:
        """Drop the database that was given here before: the server looks every 100 ms whether those who were connected are gone."""
        left, self._left = self._left, [str(make_url(url).database)]
        for one in left:
            self._maintain(self.postgresql_url(), f"DROP DATABASE {one} WITH (FORCE)")

    def _create(self, url: str, name: str, template: str) -> None:
        """Make a database by copying files, which costs half of what copying pages through the log does, where both are known."""
        by_files = " STRATEGY file_copy" if self._maintenance(url).info.server_version >= 150000 else ""
        self._maintain(url, f"CREATE DATABASE {name} TEMPLATE {template}{by_files}")

    def _maintain(self, url: str, text: str) -> None:
        """Send a statement to the maintenance database."""
        self._maintenance(url).execute(text.encode())

    def _maintenance(self, url: str) -> psycopg.Connection[Any]:
        """Return the one connection that this process keeps to the maintenance database."""
        if self._maintaining is None:
            known = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
            self._maintaining = psycopg.connect(known, autocommit=True)
        return self._maintaining

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def let_go(self) -> None:
        """Close what this process holds of the files and of the server."""
        self._files.close()
        self._databases.close()
        if self._maintaining is not None:
            self._maintaining.close()
            self._maintaining = None

    def close(self) -> None:
        """Stop what the run started and remove its folder."""
        self.let_go()
        postgres_server.stop(self.folder / "postgresql")
        shutil.rmtree(self.folder, ignore_errors=True)


def make_run_folder() -> Path:
    """Make the folder of this run, in memory where there is room to spare, since SQLite syncs every commit."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 2**30
    folder = Path(tempfile.mkdtemp(prefix=f"lockstep-tests-{os.getpid()}-", dir=memory if roomy else None))
    # The server's user must be able to pass through to its cluster.
    folder.chmod(0o755)
    return folder


SCHEMA = Template("schema", migrate)
"""The schema as an installation gets it: by the migrations, with the guard."""


def cut_others(connection: Connection) -> None:
    """End every other connection to a database, and return when all of them are gone. connection: commits each statement."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    cut = {pid for pid, _ in connection.execute(text(f"SELECT pid, pg_terminate_backend(pid) {others}"))}
    assert cut
    deadline = time.monotonic() + postgres_server.START_WITHIN
    while not cut.isdisjoint(connection.scalars(text(f"SELECT pid {others}"))):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _gather_sqlite(path: Path) -> None:
    """Bring everything into the one file that is copied."""
    engine = connect(f"sqlite:///{path}")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


def _remove_sqlite(path: Path) -> None:
    for suffix in SUFFIXES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _with_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)
