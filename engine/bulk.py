"""Rows that nobody changes again, such as history and candidates: queued in the act, written in one statement a table."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import JSON, Dialect, Insert, Text, bindparam, cast, column, func, insert, select
from sqlalchemy.orm import Session

from engine.database import Base
from engine.prepared import Prepared, connection_of

if TYPE_CHECKING:
    from engine.act import Act

_QUEUE = "bulk"


def add(act: Act, mapped: type[Base], rows: Iterable[dict[str, Any]]) -> None:
    """Queue rows to be inserted after the next flush, so that the rows they refer to are there."""
    queue: dict[type[Base], list[dict[str, Any]]] = act.session.info.setdefault(_QUEUE, {})
    queue.setdefault(mapped, []).extend(rows)


def write(session: Session) -> None:
    """Insert what is queued, table by table in the order in which they were first named."""
    queue: dict[type[Base], list[dict[str, Any]]] = session.info.pop(_QUEUE, {})
    for mapped, rows in queue.items():
        insert_now(session, mapped, rows)


def insert_now(session: Session, mapped: type[Base], rows: list[dict[str, Any]]) -> None:
    """Insert rows at once, for tables that the same act may look into or delete from. What they refer to must be there."""
    if rows:
        _insert_into(mapped).run(session, rows)


def load_now(session: Session, mapped: type[Base], rows: list[dict[str, Any]]) -> None:
    """Insert thousands of rows at once, as ``insert_now`` does, for tables without columns of bytes or JSON.

    PostgreSQL reads them out of one document: a row as a statement of its own costs the driver more than the server (measured: a third of
    the time for 11,000 rows of 19 columns).
    """
    connection = connection_of(session)
    if connection.dialect.name != "postgresql" or not rows:
        insert_now(session, mapped, rows)
        return
    statement, writers = _loader(mapped, connection.dialect)
    given = [{name: row[name] if write is None else write(row[name]) for name, write in writers} for row in rows]
    connection.execute(statement, {"given": orjson.dumps(given, default=str).decode()})


@cache
def _loader(mapped: type[Base], dialect: Dialect) -> tuple[Insert, list[tuple[str, Any]]]:
    """Return the statement that reads a document into a table, and what turns the value of each column into the driver's."""
    columns = mapped.__table__.columns
    writers = [(one.key, one.type.dialect_impl(dialect).bind_processor(dialect)) for one in columns]
    document = func.json_to_recordset(cast(bindparam("given", type_=Text()), JSON()))
    given = document.table_valued(*[column(one.key, one.type) for one in columns]).render_derived(with_types=True)
    return insert(mapped).from_select([one.key for one in columns], select(*given.c)), writers


@cache
def _insert_into(mapped: type[Base]) -> Prepared:
    """Return the statement for a table; every row names every column."""
    return Prepared(insert(mapped), columns=[column.key for column in mapped.__table__.columns])


def waiting(session: Session) -> dict[type[Base], list[dict[str, Any]]]:
    """Return a copy of what is queued, to be put back when a savepoint is rolled back."""
    queue: dict[type[Base], list[dict[str, Any]]] = session.info.get(_QUEUE, {})
    return {mapped: list(rows) for mapped, rows in queue.items()}
