"""Writing statements of the hot path, rendered once for each kind of database and run with values put into their places.

Rendering a statement, and finding out again at each run which value goes where, costs more than the database takes to carry
it out. Columns, types and events stay SQLAlchemy's: what is rendered is an ordinary Core statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Delete, Dialect, Insert, Update
from sqlalchemy.orm import Session

Statement = Insert | Update | Delete


class Prepared:
    """One statement. Every value in it is a named parameter; ``columns`` names those that an INSERT or UPDATE writes.

    A statement may differ by kind of database: then it is given as a function of the kind's name.
    """

    def __init__(
        self, statement: Statement | Callable[[str], Statement], *, columns: Sequence[str] | None = None
    ) -> None:
        self._statement = statement
        self._columns = list(columns) if columns is not None else None
        self._rendered: dict[str, _Rendered] = {}

    def run(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> CursorResult[Any]:
        """Run the statement for each row of values, all in one go. Values are Python values, as in Core."""
        connection = connection_of(session)
        dialect = connection.dialect
        rendered = self._rendered.get(dialect.name)
        if rendered is None:
            made = self._statement(dialect.name) if callable(self._statement) else self._statement
            rendered = self._rendered[dialect.name] = _Rendered(made, self._columns, dialect)
        return connection.exec_driver_sql(rendered.text, [rendered.fill(row) for row in rows])


class _Rendered:
    """A statement as one kind of database reads it: its text, and what turns Python values into the driver's."""

    def __init__(self, statement: Statement, columns: list[str] | None, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        writers = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()
        }
        self.text = str(compiled)
        self._is_positional = compiled.positiontup is not None
        self._places = [(name, writers[name]) for name in compiled.positiontup or writers]

    def fill(self, row: Mapping[str, Any]) -> Any:
        """Return the values in the form that the driver wants, a tuple or a dictionary."""
        if self._is_positional:
            return tuple([row[name] if write is None else write(row[name]) for name, write in self._places])
        return {name: row[name] if write is None else write(row[name]) for name, write in self._places}


def connection_of(session: Session) -> Connection:
    """Return the connection of a session's transaction, begun if need be; asking the session each time is slow."""
    if session.in_nested_transaction():
        return session.connection()  # Asking is what makes the session send its SAVEPOINT.
    known: Connection | None = session.info.get("connection")
    if known is None or not known.in_transaction():
        known = session.info["connection"] = session.connection()
    return known
