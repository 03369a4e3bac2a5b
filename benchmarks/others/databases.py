"""A database of its own for everybody who is compared, on the same disk or the same server, equally durable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from benchmarks.complete_task import databases


@dataclass(frozen=True, slots=True)
class Server:
    """Where databases can be made. name: as the tables call it. url: of the first one, which nobody uses."""

    name: str
    url: str

    def fresh(self, name: str) -> str:
        """Make an empty database and return its URL. name: letters, digits and underscores."""
        url = make_url(self.url)
        if url.get_backend_name() == "sqlite":
            return str(url.set(database=str(Path(url.database or "").parent / f"{name}.db")))
        with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return str(url.set(database=name))


@contextmanager
def server(kind: str) -> Iterator[Server]:
    """Yield a place for databases of one kind, sqlite or postgresql; all of it is gone afterwards."""
    with databases([kind]) as urls:
        [(name, url)] = urls.items()
        yield Server(name, url)


def told(url: str) -> dict[str, Any]:
    """Return a database's URL as the programs of other engines are told it."""
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        return {"kind": "sqlite", "path": parts.database}
    return {
        "kind": "postgresql",
        "host": parts.host,
        "port": parts.port,
        "user": parts.username,
        "name": parts.database,
    }
