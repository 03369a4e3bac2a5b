"""The database under everything.

Named column types that mean the same on SQLite and PostgreSQL, and the connection rules.

Money and Quantity are exact on both (SQLite keeps scaled 64-bit integers, because its NUMERIC is a float); instants
are aware UTC; ids are UUIDv7 as 36-character lower-case text in Python and SQLite, ``uuid`` on PostgreSQL.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from typing import Annotated, Any

import orjson
import uuid_utils
from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Engine,
    MetaData,
    Numeric,
    String,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

from engine.prepared import begin

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

IDLE = 2.0
"""Seconds after which a pooled connection to a server is asked whether it still lives before it is used."""

LIMIT = Decimal(10) ** 12
"""Amounts and quantities at or above this are refused: scaled by 10⁶ they still fit a signed 64-bit integer."""


SHARED = 0x10C_5A4E
"""The number of the lock of ``in_turn``: any that nobody else takes."""

_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_id() -> str:
    """Return a new UUIDv7 as lower-case text; ids made later sort later."""
    return str(uuid_utils.uuid7())


def is_id(text: str) -> bool:
    """Say whether a text can be an id at all; PostgreSQL refuses to look for one that cannot."""
    return _ID.fullmatch(text) is not None


class IdType(TypeDecorator[str]):
    """A UUID, as text in Python."""

    impl = String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(UUID(as_uuid=False) if dialect.name == "postgresql" else String(36))


class Scaled(TypeDecorator[Decimal]):
    """An exact decimal of a fixed scale: NUMERIC on PostgreSQL, a scaled integer on SQLite.

    Raises ValueError when a value has more decimals than the scale, is not finite, or reaches ±10¹².
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, scale: int) -> None:
        super().__init__(18, scale)
        self.scale = scale
        self.step = Decimal(1).scaleb(-scale)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(Numeric(18, self.scale))

    def exact(self, value: Any) -> Decimal:
        """Return the value at full scale, or raise ValueError saying what does not fit."""
        number = value if isinstance(value, Decimal) else Decimal(value)
        if isinstance(value, float) or not number.is_finite():
            raise ValueError(f"Expected a finite decimal, but found {value!r}")
        if abs(number) >= LIMIT:
            raise ValueError(f"Expected an amount below {LIMIT:f}, but found {number}")
        try:
            scaled = number.quantize(self.step)
        except InvalidOperation as error:
            raise ValueError(f"Expected at most {self.scale} decimals, but found {number}") from error
        if scaled != number:
            raise ValueError(f"Expected at most {self.scale} decimals, but found {number}")
        return scaled

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        number = self.exact(value)
        return int(number.scaleb(self.scale)) if dialect.name == "sqlite" else number

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return Decimal(int(value)).scaleb(-self.scale)
        return Decimal(value).quantize(self.step)


class InstantType(TypeDecorator[dt.datetime]):
    """An aware UTC instant: TIMESTAMP WITH TIME ZONE on PostgreSQL, ISO text with six decimals and Z on SQLite."""

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else String(27))

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"Expected an instant with a time zone, but found {value!r}")
        return value.astimezone(dt.UTC) if dialect.name == "postgresql" else instant_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        if value is None or isinstance(value, dt.datetime):
            return None if value is None else value.astimezone(dt.UTC)
        return dt.datetime.fromisoformat(value)


@lru_cache(maxsize=512)
def instant_text(value: dt.datetime) -> str:
    """Return the canonical text of an instant: UTC, six decimals, Z."""
    utc = value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC)
    return utc.isoformat(timespec="microseconds")[:-6] + "Z"


Id = Annotated[str, mapped_column(IdType())]
Money = Annotated[Decimal, mapped_column(Scaled(4))]
Quantity = Annotated[Decimal, mapped_column(Scaled(6))]
Rate = Annotated[Decimal, mapped_column(Numeric(18, 8).with_variant(Scaled(8), "sqlite"))]
Instant = Annotated[dt.datetime, mapped_column(InstantType())]
Document = Annotated[dict[str, Any], mapped_column(JSON())]
Listing = Annotated[list[Any], mapped_column(JSON())]


class Base(DeclarativeBase):
    """The one declarative base; every constraint is named by one convention."""

    metadata = MetaData(naming_convention=NAMING)


class Versioned:
    """A mixin for rows that count their versions.

    An update of a row that somebody else changed meanwhile is refused.
    """

    version: Mapped[int]

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.__dict__["__table__"].c.version}


def connect(url: str, *, echo: bool = False) -> Engine:
    """Open an engine on a database URL with the connection rules of the house.

    SQLite: WAL, foreign keys, recursive triggers, full sync, 30 s lock wait; transactions begin as the caller says
    (``BEGIN IMMEDIATE`` for acts). PostgreSQL: psycopg 3, UTC.
    """
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url, echo=echo, json_serializer=_json, json_deserializer=orjson.loads)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "checkout", partial(_probe_idle, engine))
    return engine


def in_turn(connection: Connection) -> None:
    """Wait until no other act is still open that has made rows which all share, such as words; they are made in any order.

    SQLite lets one act write at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(SHARED)))


def is_away(error: BaseException) -> bool:
    """Say whether a failure only means that the database cannot work now: not reached, out of connections or disk, or too slow."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError):
        return False
    if not type(error.orig).__module__.startswith("psycopg"):
        return any(words in str(error.orig).lower() for words in _DISK_TROUBLE)
    # No state: it was never reached. 08 connection lost, 53 no connection, memory or disk left, 57P01-57P05 it goes down or
    # starts, 58 the system around it fails.
    return is_too_slow(error) or (getattr(error.orig, "sqlstate", "") or "08").startswith(("08", "53", "57P", "58"))


def is_too_slow(error: DBAPIError) -> bool:
    """Say whether PostgreSQL ended a statement because it took, or waited for a lock, longer than whoever runs it allows."""
    return getattr(error.orig, "sqlstate", None) in ("57014", "55P03")


_DISK_TROUBLE = ("disk is full", "disk i/o error", "unable to open database file", "readonly database")
"""What SQLite says when the disk under its file does not do what it should."""


def _note_use(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _probe_idle(engine: Engine, connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Ask a connection that lay idle whether it still lives; the pool replaces a dead one. Asking every time costs a round trip."""
    if time.monotonic() - record.info.get("used", time.monotonic()) < IDLE:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise DisconnectionError("Expected a live connection, but the server closed it") from error


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS).decode()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 30000")


def _begin_sqlite(connection: Any) -> None:
    begin(connection, "BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
