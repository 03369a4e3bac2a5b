"""Rows that nobody changes again, such as history and candidates: queued in the act, written in one statement a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import JSON, Dialect, Insert, LargeBinary, Text, bindparam, cast, column, func, insert, select
from sqlalchemy.orm import Session

from engine.database import Base
from engine.prepared import Prepared, connection_of

if TYPE_CHECKING:
    from engine.act import Act

_QUEUE = "bulk"
_NUL = "\\u0000"


def add(act: Act, mapped: type[Base], rows: Iterable[dict[str, Any]]) -> None:
    """Queue rows to be inserted after the next flush, so that the rows they refer to are there."""
    queue: dict[type[Base], list[dict[str, Any]]] = act.session.info.setdefault(_QUEUE, {})
    queue.setdefault(mapped, []).extend(rows)


def write(session: Session) -> None:
    """Insert what is queued, table by table in the order in which they were first named; PostgreSQL is sent one statement for all."""
    queue: dict[type[Base], list[dict[str, Any]]] = session.info.pop(_QUEUE, {})
    waiting = {mapped: rows for mapped, rows in queue.items() if rows}
    if waiting:
        insert_all(session, waiting)


def insert_now(session: Session, mapped: type[Base], rows: list[dict[str, Any]]) -> None:
    """Insert rows at once, for tables that the same act may look into or delete from. What they refer to must be there."""
    if rows:
        insert_all(session, {mapped: rows})


def insert_all(session: Session, rows: Mapping[type[Base], list[dict[str, Any]]]) -> None:
    """Insert rows of several tables at once, as ``insert_now`` does of one; none of the lists is empty."""
    is_one = len(rows) == 1 and all(len(own) == 1 for own in rows.values())
    if is_one or connection_of(session).dialect.name != "postgresql" or not all(map(_is_readable, rows)):
        for mapped, own in rows.items():
            _insert_into(mapped).run(session, own)
    else:
        _write_together(session, rows)


@cache
def _is_readable(mapped: type[Base]) -> bool:
    """Say whether rows of a table can be read out of a document: it has no bytes, and null is null in it."""
    columns = mapped.__table__.columns
    return not any(
        isinstance(one.type, LargeBinary) or (isinstance(one.type, JSON) and one.nullable) for one in columns
    )


def _write_together(session: Session, rows: Mapping[type[Base], list[dict[str, Any]]]) -> None:
    """Insert rows of several tables by one statement, which PostgreSQL reads out of one document for each table.

    A row as a statement of its own costs the driver more than the server (measured: two rows 58 µs, their document 18; 11,000 rows of 19
    columns three times as long).
    """
    dialect = connection_of(session).dialect
    documents = {mapped.__tablename__: _document(mapped, dialect, own) for mapped, own in rows.items()}
    if any(_NUL in document for document in documents.values()):
        # A document's column keeps what was written there; taken out of another document it would be read, and refused.
        for mapped, own in rows.items():
            _insert_into(mapped).run(session, own)
    else:
        _loader(tuple(rows)).run(session, [documents])


def _document(mapped: type[Base], dialect: Dialect, rows: list[dict[str, Any]]) -> str:
    writers = _writers(mapped, dialect)
    given = [{name: row[name] if write is None else write(row[name]) for name, write in writers} for row in rows]
    return orjson.dumps(given, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


@cache
def _writers(mapped: type[Base], dialect: Dialect) -> list[tuple[str, Any]]:
    """Return what turns the value of each column into the driver's; a document within the document stays as it is."""
    return [
        (one.key, None if isinstance(one.type, JSON) else one.type.dialect_impl(dialect).bind_processor(dialect))
        for one in mapped.__table__.columns
    ]


@cache
def _loader(tables: tuple[type[Base], ...]) -> Prepared:
    """Return the statement that reads a document into each of some tables."""
    *others, last = map(_reading, tables)
    for mapped, other in zip(tables, others, strict=False):
        last = last.add_cte(other.cte(f"{mapped.__tablename__}_written"))
    return Prepared(last)


def _reading(mapped: type[Base]) -> Insert:
    columns = mapped.__table__.columns
    document = func.json_to_recordset(cast(bindparam(mapped.__tablename__, type_=Text()), JSON()))
    given = document.table_valued(*[column(one.key, one.type) for one in columns])
    read = given.render_derived(with_types=True)
    return insert(mapped).from_select([one.key for one in columns], select(*read.c))


@cache
def _insert_into(mapped: type[Base]) -> Prepared:
    """Return the statement for a table; every row names every column."""
    return Prepared(insert(mapped), columns=[column.key for column in mapped.__table__.columns])


def waiting(session: Session) -> dict[type[Base], list[dict[str, Any]]]:
    """Return a copy of what is queued, to be put back when a savepoint is rolled back."""
    queue: dict[type[Base], list[dict[str, Any]]] = session.info.get(_QUEUE, {})
    return {mapped: list(rows) for mapped, rows in queue.items()}
