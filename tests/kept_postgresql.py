"""PostgreSQL databases that one test after another gets, with the connections that have read their schema already.

Making a database, dropping it, and letting its connections read the tables, compile the guard and plan what the house asks
costs the server more than most tests do. So a database stays when its test is done. Before the next one every row goes that
was written meanwhile (each row says which transaction wrote it), and the template's rows that are gone or changed come back.
Where anything but rows changed, or somebody is still connected, the database is dropped and the next test gets another.
"""

from __future__ import annotations

import pickle
import select
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy.engine import URL, make_url

USES = 100
"""Tests that one database serves at most: what was deleted stays in its files."""

RESTING = 4
"""Databases that one process keeps between tests."""

SPARE = 2
"""Connections that stay with a database that nobody uses."""

CATALOGS = (
    "pg_attrdef", "pg_attribute", "pg_class", "pg_constraint", "pg_extension", "pg_index", "pg_inherits", "pg_namespace",
    "pg_policy", "pg_proc", "pg_publication", "pg_rewrite", "pg_statistic", "pg_trigger", "pg_type",
)  # fmt: skip
"""Where PostgreSQL keeps what is no row of a table: while these stay as they were, only rows changed."""

WRITTEN = """
SELECT oid::regclass::text, oid::bigint FROM pg_class
WHERE relkind = 'r' AND oid >= 16384 AND (pg_stat_file(pg_relation_filepath(oid))).size > 0
"""
"""Tables that are not PostgreSQL's own and have a page. The file is asked, not the table, so that its triggers stay unread."""

NEXT_TRANSACTION = "SELECT txid_snapshot_xmax(txid_current_snapshot())"

CLEAN = "RESET SESSION AUTHORIZATION; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP"


@dataclass(frozen=True)
class Content:
    """What a template holds: how many rows, and their bytes as COPY writes them, by table; how to set the sequences; the catalogs."""

    tables: Mapping[str, tuple[int, bytes]]
    sequences: str
    catalogs: Mapping[str, int]

    @classmethod
    def of(cls, url: str) -> Content:
        """Read a template, which nobody changes any more."""
        with psycopg.connect(_conninfo(url), autocommit=True) as connection:
            filled = {table: _count(connection, table) for table, _ in connection.execute(WRITTEN).fetchall()}
            sequences = connection.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S'").fetchall()
            return cls(
                {table: (count, _copied(connection, table)) for table, count in filled.items() if count},
                "".join(_setting(connection, sequence) for (sequence,) in sequences),
                {catalog: _count(connection, catalog) for catalog in CATALOGS},
            )

    def keep(self, path: Path) -> None:
        """Write it for every process of the run."""
        path.write_bytes(pickle.dumps(self))

    @staticmethod
    def kept(path: Path) -> Content:
        found = pickle.loads(path.read_bytes())
        assert isinstance(found, Content)
        return found


class KeptConnection(psycopg.Connection[Any]):
    """A connection that goes back to its database instead of being closed."""

    home: KeptDatabase | None = None

    def close(self) -> None:
        """Go home, or close for good without one."""
        home, self.home = self.home, None
        if home is None or not home.take_back(self):
            super().close()


class KeptDatabase:
    """One database for tests that begin with the same template, one after the other."""

    def __init__(self, url: str, content: Content, since: int) -> None:
        """since: the first transaction that can have written in it."""
        self.url, self.content = url, content
        self.uses = 0
        self._since = since
        self._guard = threading.Lock()
        self._idle: list[KeptConnection] = []
        self._lent = 0
        self._is_removed = False
        self._restorer: psycopg.Connection[Any] | None = None

    def open(self, arguments: Mapping[str, Any]) -> psycopg.Connection[Any]:
        """Return a connection to the database: a kept one unless all are lent. arguments: psycopg's for another one."""
        with self._guard:
            self._lent += 1
            kept = self._idle.pop() if self._idle else None
        kept = kept or KeptConnection.connect(**arguments)
        kept.home = self
        return kept

    def take_back(self, connection: KeptConnection) -> bool:
        """Keep a connection that its engine closes; False when it can be of no use to a next test."""
        with self._guard:
            self._lent -= 1
            if self._is_removed or connection.closed or _is_cut(connection) or len(self._idle) >= SPARE:
                return False
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.rollback()
            self._idle.append(connection)
            return True

    @property
    def may_rest(self) -> bool:
        """Whether a next test may ask for it: nobody holds a connection, and it is not worn out."""
        return self._lent == 0 and self.uses < USES

    def restore(self) -> bool:
        """Let the database hold what its template holds, and nothing else; False when that cannot be told or done."""
        try:
            for connection in self._idle:
                _clean(connection)
            if self._restorer is None:
                self._restorer = psycopg.connect(_conninfo(self.url), autocommit=True, prepare_threshold=None)
            written = self._written(self._restorer)
            if written is None:
                return False
            self._put_back(self._restorer, written)
        except psycopg.Error:
            return False
        return True

    def remove(self) -> None:
        """Close every connection that is kept; whoever made the database drops it."""
        with self._guard:
            idle, self._idle, self._is_removed = self._idle, [], True
        for connection in [*idle, *([self._restorer] if self._restorer else [])]:
            connection.close()

    def _written(self, restorer: psycopg.Connection[Any]) -> dict[str, int] | None:
        """Begin to restore. Return the tables with rows, and their ids; None when more than rows changed, or somebody else is there."""
        own = [restorer.info.backend_pid, *(connection.info.backend_pid for connection in self._idle)]
        strangers = (
            f"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> ALL (ARRAY{own})"
        )
        looked = (
            f"SELECT abs(count(*) - {count}) + count(*) FILTER (WHERE {self._newer}) FROM {catalog}"
            for catalog, count in self.content.catalogs.items()
        )
        changes = " UNION ALL ".join((strangers, *looked))
        answers = _answers(restorer, f"BEGIN; SET LOCAL session_replication_role = replica; {changes}; {WRITTEN}")
        return None if any(found for (found,) in answers[-2]) else dict(answers[-1])

    def _put_back(self, restorer: psycopg.Connection[Any], written: Mapping[str, int]) -> None:
        """Delete what is newer than the template, and put back what is gone, where the guard lets nobody do either.

        Its triggers are off for this transaction alone: nobody else ever sees that, and its end puts them on again.
        """
        tables, ids = self.content.tables, f"ARRAY{list(written.values())}"
        off = f"UPDATE pg_trigger SET tgenabled = 'D' WHERE tgenabled = 'A' AND tgrelid = ANY ({ids}) RETURNING oid::bigint"
        deleted = "".join(f"DELETE FROM {table} WHERE {self._newer};" for table in written)
        counts = " UNION ALL ".join(f"SELECT count(*) FROM {table}" for table in tables)
        answers = _answers(restorer, f"{off}; {deleted} {self.content.sequences} {counts}")
        for (table, (count, rows)), (found,) in zip(tables.items(), answers[-1], strict=True):
            if found != count:
                _refill(restorer, table, rows)
        guards = [trigger for (trigger,) in answers[0]]
        on = f"UPDATE pg_trigger SET tgenabled = 'A' WHERE oid = ANY (ARRAY{guards}::oid[])"
        [(self._since,)] = _answers(restorer, f"{on}; COMMIT; {NEXT_TRANSACTION}")[-1]

    @property
    def _newer(self) -> str:
        return f"age(xmin) <= age('{self._since}'::xid)"


class KeptDatabases:
    """The databases of one process that rest between two tests, those of the oldest test first."""

    def __init__(self) -> None:
        self._resting: list[tuple[str, KeptDatabase]] = []

    @contextmanager
    def copy_of(
        self, template: str, make: Callable[[], KeptDatabase], drop: Callable[[KeptDatabase], None]
    ) -> Iterator[str]:
        """Yield the URL of a database that holds what a template holds. make, drop: a new one, and what is of no more use."""
        database = self._restored(template, drop) or make()
        database.uses += 1
        name = str(make_url(database.url).database)
        _in_use[name] = database
        try:
            yield database.url
        finally:
            del _in_use[name]
            if database.may_rest:
                self._resting.append((template, database))
            else:
                _remove(database, drop)
            while len(self._resting) > RESTING:
                _remove(self._resting.pop(0)[1], drop)

    def _restored(self, template: str, drop: Callable[[KeptDatabase], None]) -> KeptDatabase | None:
        for place in reversed(range(len(self._resting))):
            if self._resting[place][0] == template:
                _, database = self._resting.pop(place)
                if database.restore():
                    return database
                _remove(database, drop)
                return None
        return None

    def close(self) -> None:
        """Close every connection that is kept."""
        while self._resting:
            self._resting.pop()[1].remove()


_in_use: dict[str, KeptDatabase] = {}


def kept_at(url: URL) -> KeptDatabase | None:
    """Return the kept database that a test has now at a URL; None when it is no such database, or somebody else's URL to it."""
    found = _in_use.get(url.database or "")
    return found if found is not None and make_url(found.url) == url else None


def _remove(database: KeptDatabase, drop: Callable[[KeptDatabase], None]) -> None:
    database.remove()
    drop(database)


def _is_cut(connection: KeptConnection) -> bool:
    """Say whether the server has ended a connection, which is not closed here before somebody asks it: what idles is told nothing else."""
    looking = select.poll()
    looking.register(connection.fileno(), select.POLLIN)
    return bool(looking.poll(0))


def _clean(connection: KeptConnection) -> None:
    """Leave nothing of a test in a connection: settings, temporary tables, locks, what it listened to."""
    connection.autocommit = True
    connection.execute(CLEAN)
    connection.autocommit = False
    connection.isolation_level = connection.read_only = connection.deferrable = None
    connection._notice_handlers.clear()
    connection._notify_handlers.clear()


def _answers(connection: psycopg.Connection[Any], statements: str) -> list[list[Any]]:
    """Send several statements at once; return the rows of those that answer with rows."""
    cursor = connection.execute(statements.encode())
    return [cursor.fetchall() for _ in cursor.results() if cursor.description]


def _refill(restorer: psycopg.Connection[Any], table: str, rows: bytes) -> None:
    restorer.execute(f"DELETE FROM {table}")
    with restorer.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
        copy.write(rows)


def _count(connection: psycopg.Connection[Any], table: str) -> int:
    [(count,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(count)


def _copied(connection: psycopg.Connection[Any], table: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT (FORMAT binary)") as copy:
        return b"".join(copy)


def _setting(connection: psycopg.Connection[Any], sequence: str) -> str:
    [(value, is_called)] = connection.execute(f"SELECT last_value, is_called FROM {sequence}").fetchall()
    return f"SELECT setval('{sequence}', {value}, {str(is_called).lower()});"


def _conninfo(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
