"""SQLite files that one test after another gets, and the connection that has read their schema already.

A new connection reads every trigger of the guard before its first statement, and forgets them all when it is closed:
that was a third of a story's time. So the first connection to a file is kept when its engine closes it, the file gets
the bytes of the next test's template, and the next engine gets the connection. SQLite reads a schema again when its
version in the file is another one, and its cached pages when the file's change counter is.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIXES = ("", "-wal", "-shm")


class KeptConnection(sqlite3.Connection):
    """A connection that goes back to its file instead of being closed."""

    home: KeptFile | None = None

    def close(self) -> None:
        """Go home, or close for good without one."""
        if self.home is None or not self.home.take_back(self):
            super().close()


class KeptFile:
    """One file for the databases of one schema, one after the other; nobody else in the run writes to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._idle: KeptConnection | None = None
        self._lent = False
        self._is_removed = False

    def fill(self, template: Path) -> None:
        """Let the file be a copy of a template with the same schema."""
        shutil.copyfile(template, self.path)

    def open(self) -> sqlite3.Connection:
        """Return a connection to the file: the kept one unless somebody has it."""
        with self._guard:
            if self._lent:
                return sqlite3.connect(self.path, check_same_thread=False)
            self._lent = True
            kept = self._idle or sqlite3.connect(self.path, check_same_thread=False, factory=KeptConnection)
            kept.home, self._idle = self, None
            return kept

    def take_back(self, connection: KeptConnection) -> bool:
        """Keep a connection that its engine closes; False when it can be of no use to a next test."""
        with self._guard:
            self._lent = False
            if self._is_removed or not _is_clean(connection):
                return False
            self._idle = connection
            return True

    def rest(self) -> bool:
        """Let go of what was in the file; False when somebody still holds it or changed more than its content."""
        with self._guard:
            if self._lent:
                return False
            if self._idle is None:
                return not Path(f"{self.path}-wal").exists()
            # Out of the write-ahead log and back: nobody else may have the file open, and it is read anew afterwards.
            try:
                self._idle.execute("PRAGMA busy_timeout = 0")
                [mode] = self._idle.execute("PRAGMA journal_mode = DELETE").fetchone()
            except sqlite3.OperationalError:
                return False
            return bool(mode == "delete")

    def remove(self) -> None:
        """Close the kept connection and remove the file."""
        with self._guard:
            kept, self._idle, self._is_removed = self._idle, None, True
        if kept is not None:
            kept.home = None
            kept.close()
        for suffix in SUFFIXES:
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def _is_clean(connection: sqlite3.Connection) -> bool:
    """Say whether a connection has nothing of its own left: no transaction, no second file, no temporary table."""
    if connection.in_transaction:
        connection.rollback()
    files = [name for _, name, _ in connection.execute("PRAGMA database_list")]
    return files == ["main"]


class KeptFiles:
    """The files of one process, by the fingerprint of their schema."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._resting: dict[str, list[KeptFile]] = {}

    @contextmanager
    def copy_of(self, template: Path, schema: str) -> Iterator[Path]:
        """Yield a file with the bytes of a template. schema: the template's ``fingerprint``."""
        resting = self._resting.setdefault(schema, [])
        file = resting.pop() if resting else KeptFile(self.folder / f"test_{uuid.uuid4().hex[:12]}.db")
        file.fill(template)
        _in_use[str(file.path)] = file
        try:
            yield file.path
        finally:
            del _in_use[str(file.path)]
            if file.rest():
                resting.append(file)
            else:
                file.remove()

    def close(self) -> None:
        """Close every connection that is kept."""
        for files in self._resting.values():
            while files:
                files.pop().remove()


_in_use: dict[str, KeptFile] = {}


def opener_of(path: str | None) -> Callable[[], sqlite3.Connection] | None:
    """Return what opens connections to a kept file that a test has now; None when the path is not such a file's."""
    file = _in_use.get(path or "")
    return file.open if file else None


def fingerprint(path: Path) -> str:
    """Return what tells one schema from another, its version in the file included."""
    connection = sqlite3.connect(path)
    try:
        read = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master ORDER BY rowid"
        found = [connection.execute("PRAGMA schema_version").fetchall(), connection.execute(read).fetchall()]
        return hashlib.sha256(repr(found).encode()).hexdigest()
    finally:
        connection.close()
