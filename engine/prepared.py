"""Statements of the hot path, rendered once for each kind of database and handed to its driver with values put into their places.

Rendering a statement, finding out again at each run which value goes where, and the account that SQLAlchemy keeps of each run
cost more than the database takes to carry it out. What is rendered is an ordinary Core statement; columns, types, transactions
and errors stay SQLAlchemy's. Where somebody listens to statements, or they are logged, each takes the ordinary way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.orm import Session, SessionTransaction

Statement = Insert | Update | Delete

_NAMED = re.compile(r"%\((\w+)\)s")


class Prepared:
    """One writing statement. Values that differ between runs are named parameters; ``columns`` names those that an INSERT or UPDATE writes.

    A statement may differ by kind of database: then it is given as a function of the kind's name.
    """

    def __init__(
        self, statement: Statement | Callable[[str], Statement], *, columns: Sequence[str] | None = None
    ) -> None:
        self._statement = statement
        self._columns = list(columns) if columns is not None else None
        self._rendered: dict[str, _Rendered] = {}

    def run(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run the statement for each row of values, all in one go; return how many rows it found. Values are Python values, as in Core."""
        line = _line_of(session)
        dialect = line.connection.dialect
        rendered = self._rendered.get(dialect.name)
        if rendered is None:
            made = self._statement(dialect.name) if callable(self._statement) else self._statement
            rendered = self._rendered[dialect.name] = _Rendered(made, self._columns, dialect)
        given = [rendered.fill(row) for row in rows]
        if line.cursor is None:
            return line.connection.exec_driver_sql(rendered.text, given).rowcount
        send(line.connection, line.cursor, rendered.text, given)
        return line.cursor.rowcount


class Question:
    """One SELECT. Values that differ between runs are named parameters."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement
        self._rendered: dict[str, _Rendered] = {}
        self._readers: dict[str, list[tuple[int, Callable[[Any], Any]]]] = {}

    def ask(self, session: Session, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows that the statement finds, in Python values, as in Core."""
        line = _line_of(session)
        return self._ask(line.connection, line.cursor, values)

    def ask_on(self, connection: Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the same on a connection that belongs to no session, and commits each statement by itself."""
        return self._ask(connection, _cursor_of(connection), values)

    def _ask(
        self, connection: Connection, cursor: DBAPICursor | None, values: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        if cursor is None:
            return [tuple(row) for row in connection.execute(self._statement, values)]
        dialect = connection.dialect
        rendered = self._rendered.get(dialect.name)
        if rendered is None:
            rendered = self._rendered[dialect.name] = _Rendered(self._statement, None, dialect)
        send(connection, cursor, rendered.text, [rendered.fill(values)])
        rows = cursor.fetchall()
        if not rows:
            return []
        readers = self._readers.get(dialect.name)
        if readers is None:
            readers = self._readers[dialect.name] = _readers(self._statement, dialect, cursor)
        return [_read(row, readers) for row in rows]


class _Rendered:
    """A statement as one kind of database reads it: its text, and what turns Python values into the driver's."""

    def __init__(
        self, statement: Statement | Select[*tuple[Any, ...]], columns: list[str] | None, dialect: Dialect
    ) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        writers = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()
        }
        text, order = str(compiled), compiled.positiontup
        if order is None:
            # Every driver takes values by their places, too, and that is quicker than by their names.
            text, order = _NAMED.sub("%s", text), _NAMED.findall(text)
        self.text = text
        self._constants = {name: bind.value for name, bind in compiled.binds.items() if bind.value is not None}
        self._pick = itemgetter(*order) if len(order) > 1 else lambda row: [row[name] for name in order]
        self._writers = [(place, write) for place, name in enumerate(order) if (write := writers[name]) is not None]

    def fill(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values in the form that the driver wants, each at its place."""
        values = list(self._pick({**self._constants, **row} if self._constants else row))
        for place, write in self._writers:
            values[place] = write(values[place])
        return tuple(values)


def _readers(
    statement: Select[*tuple[Any, ...]], dialect: Dialect, cursor: DBAPICursor
) -> list[tuple[int, Callable[[Any], Any]]]:
    """Return what turns the driver's values into Python values, by place; most need nothing."""
    found = (
        (place, column.type.dialect_impl(dialect).result_processor(dialect, described[1]))
        for place, (column, described) in enumerate(
            zip(statement.selected_columns, cursor.description or (), strict=True)
        )
    )
    return [(place, read) for place, read in found if read is not None]


def _read(row: Sequence[Any], readers: Sequence[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    values = list(row)
    for place, read in readers:
        values[place] = read(values[place])
    return tuple(values)


@dataclass(frozen=True, slots=True)
class _Line:
    """The way to the database of one transaction or savepoint. cursor: the driver's, None where somebody wants to see statements."""

    transaction: SessionTransaction | None
    connection: Connection
    cursor: DBAPICursor | None


def send(connection: Connection, cursor: DBAPICursor, text: str, given: Sequence[Any] = ((),)) -> None:
    """Hand a statement to the driver, once for each row of values. Raises: what SQLAlchemy makes of the driver's errors."""
    try:
        if len(given) == 1:
            cursor.execute(text, given[0])
        else:
            cursor.executemany(text, given)
    except connection.dialect.loaded_dbapi.Error as error:
        # The one place where SQLAlchemy tells errors apart and gives up a broken connection; there is no public word for it.
        connection._handle_dbapi_exception(error, text, given, None, None)


def begin(connection: Connection, word: str) -> None:
    """Begin a transaction by a word of the database's own."""
    cursor = _cursor_of(connection)
    if cursor is None:
        connection.exec_driver_sql(word)
    else:
        send(connection, cursor, word)


def _cursor_of(connection: Connection) -> DBAPICursor | None:
    is_watched = connection.engine.dispatch.before_cursor_execute or connection.engine.echo
    return None if is_watched else connection.connection.cursor()


def connection_of(session: Session) -> Connection:
    """Return the connection of a session's transaction, begun if need be; asking the session each time is slow."""
    return _line_of(session).connection


def _line_of(session: Session) -> _Line:
    # A savepoint is sent when the session is first asked for its connection, so that each has a line of its own.
    now = session.get_nested_transaction() or session.get_transaction()
    known: _Line | None = session.info.get("line")
    if known is not None and known.transaction is now and now is not None:
        return known
    connection = session.connection()
    now = session.get_nested_transaction() or session.get_transaction()
    made = session.info["line"] = _Line(now, connection, _cursor_of(connection))
    return made
