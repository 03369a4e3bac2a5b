"""Fresh databases for tests: one template per test run and kind, copied for each test in milliseconds.

A run has one folder, named by the process that started it; xdist workers share it, and with it one PostgreSQL and both
templates.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from engine.database import connect
from migrations import migrate
from tests import postgres_server


class Databases:
    """Hands out fresh databases of one test run. folder: shared by the run's workers; run: the pid that owns it."""

    def __init__(self, folder: Path, run: int) -> None:
        self.folder, self.run = folder, run

    def postgresql_url(self) -> str:
        """Return the URL of the maintenance database of the run's server, starting the server on the first call."""
        with self._locked("postgresql"):
            return self._server_url()

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
    def fresh(self, kind: str) -> Iterator[str]:
        """Yield the URL of a database of its own with the whole schema; gone afterwards. kind: sqlite or postgresql."""
        with self._fresh_sqlite() if kind == "sqlite" else self._fresh_postgresql() as url:
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

    @contextmanager
    def _fresh_sqlite(self) -> Iterator[str]:
        template = self.folder / "template.db"
        with self._locked("sqlite-template"):
            if not template.exists():
                part = self.folder / "template.part.db"
                _build_schema(f"sqlite:///{part}")
                part.rename(template)
        path = self._sqlite_path()
        shutil.copyfile(template, path)
        try:
            yield f"sqlite:///{path}"
        finally:
            _remove_sqlite(path)

    def _sqlite_path(self) -> Path:
        return self.folder / f"test_{uuid.uuid4().hex[:12]}.db"

    @contextmanager
    def _fresh_postgresql(self) -> Iterator[str]:
        with self._locked("postgresql"):
            maintenance, built = self._server_url(), self.folder / "postgresql-template"
            if not built.exists():
                _statement(maintenance, "DROP DATABASE IF EXISTS lockstep_template WITH (FORCE)")
                _statement(maintenance, "CREATE DATABASE lockstep_template TEMPLATE template0")
                _build_schema(_with_database(maintenance, "lockstep_template"))
                built.touch()
        with self._postgresql_copy_of("lockstep_template") as url:
            yield url

    @contextmanager
    def _postgresql_copy_of(self, template: str) -> Iterator[str]:
        maintenance, name = self.postgresql_url(), f"test_{uuid.uuid4().hex[:12]}"
        # PostgreSQL refuses to copy a template while somebody is connected to it: nobody is.
        _statement(maintenance, f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield _with_database(maintenance, name)
        finally:
            _statement(maintenance, f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def close(self) -> None:
        """Stop what the run started and remove its folder."""
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


def _build_schema(url: str) -> None:
    """Make the schema as an installation gets it: by the migrations, with the guard."""
    migrate(url)
    if url.startswith("sqlite"):
        engine = connect(url)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()


def _remove_sqlite(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _with_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _statement(url: str, text: str) -> None:
    engine: Engine = connect(url).execution_options(isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(text)
    finally:
        engine.dispose()
