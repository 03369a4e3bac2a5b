"""Read the whole audit chain once, in order, as plain text rows: what verifying a million events rests on.

No objects are made. The database gives each value as the canonical text that was hashed, and one row is one JSON text to hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy.orm import Session

from engine.audit import GENESIS, HASHED, AuditEvent
from engine.canonical import content_hash
from engine.database import IdType, InstantType

KEYS = tuple(sorted(HASHED))
"""What is hashed, in the order in which canonical JSON writes it, which is the order of a row read here."""

ACTION, FIELD, NEW, OLD, PREVIOUS, RECORD_ID, RECORD_TYPE, SEQ = (
    KEYS.index(name) for name in ("action", "field", "new", "old", "prev_hash", "record_id", "record_type", "seq")
)
HASH = len(KEYS)
"""Places in a row; the row's hash stands behind what is hashed."""

BLOCK = 5_000
"""Rows that the database hands over at a time."""

Row = Sequence[Any]
Chain = tuple[tuple[str, str], list[Row]]


QUERY = "SELECT {columns}, hash FROM audit_event ORDER BY record_type, record_id, seq"


def statement(dialect: str) -> str:
    """Return the query that reads every row in the order of the chains."""
    return QUERY.format(columns=", ".join(_as_text(name, dialect) for name in KEYS))


def _as_text(name: str, dialect: str) -> str:
    kind = AuditEvent.__table__.columns[name].type
    if dialect != "postgresql":
        return name
    if isinstance(kind, InstantType):
        return f"""to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS {name}"""
    return f"{name}::text" if isinstance(kind, IdType) else name


def read_rows(session: Session) -> Iterator[Row]:
    """Yield every row of every chain, chain by chain, in the session's transaction. The whole never is in memory."""
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        cursor = driver.cursor(name="lockstep_chains")
        cursor.itersize = BLOCK
        with cursor:
            cursor.execute(statement("postgresql"))
            yield from cursor
        return
    cursor = driver.execute(statement("sqlite"))
    while block := cursor.fetchmany(BLOCK):
        yield from block


def read_chains(session: Session) -> Iterator[Chain]:
    """Yield every chain with its record, in one pass."""
    for key, rows in groupby(read_rows(session), key=itemgetter(RECORD_TYPE, RECORD_ID)):
        yield key, list(rows)


def row_hash(row: Row) -> str:
    """Return the hash that a row must have."""
    said = dict(zip(KEYS, row))  # noqa: B905  the row's own hash stands behind what is hashed
    content = orjson.dumps(said)
    # Text beyond ASCII was composed (NFC) before it was hashed; what is stored may have been composed otherwise.
    return hashlib.sha256(content).hexdigest() if content.isascii() else content_hash(said)


def first_broken(rows: Sequence[Row]) -> int | None:
    """Return the seq of the first broken row of a chain, or None when it is whole."""
    previous = GENESIS
    for position, row in enumerate(rows, start=1):
        if row[SEQ] != position or row[PREVIOUS] != previous or row[HASH] != row_hash(row):
            return position
        previous = row[HASH]
    return None
