"""Which rows a statement was about that a trigger refused: the attempt belongs in their chains.

A trigger speaks one sentence and no key. The statement that it refused names the table, and its parameters the rows: those of the
unit of work and of Core always do. What was typed as SQL keeps its values in its text; such an attempt is kept under ``UNNAMED``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.exc import DBAPIError

from engine.canonical import canonical
from engine.database import Base

UNNAMED = "unnamed row"
"""Whose chain keeps an attempt on a row that its statement did not name by parameters."""

TARGET = re.compile(
    r"\s*(?P<verb>INSERT|UPDATE|DELETE)\s+(?:OR REPLACE\s+)?(?:INTO\s+|FROM\s+)?\"?(?P<table>\w+)\"?", re.IGNORECASE
)
PLACE = re.compile(r"\?|%\((?P<name>\w+)\)s")
"""How a statement marks a parameter: by position on SQLite, by name on PostgreSQL."""

AFTER = re.compile(r"\b(?:ON CONFLICT|RETURNING)\b", re.IGNORECASE)


def refused_rows(error: DBAPIError) -> list[tuple[str, str]]:
    """Return (table, key) of each row that the refused statement was about, each once; empty when it is about no table of ours.

    Columns of a key with more than one are joined by a slash.
    """
    target = TARGET.match(error.statement or "")
    table = Base.metadata.tables.get(target["table"].lower()) if target else None
    if target is None or table is None:
        return []
    given: Any = error.params
    sets = given if isinstance(given, list) else [given]  # A list is of several sets of parameters, one for each row.
    find = _inserted if target["verb"].upper() == "INSERT" else _found
    keys = [key for values in sets for key in find(table, error.statement or "", values)]
    return [(table.name, key) for key in dict.fromkeys(keys or [UNNAMED])]


def _inserted(table: Table, statement: str, values: Any) -> Iterator[str]:
    """Yield the keys of the rows that an INSERT brings, one or several of them in a statement."""
    columns = re.search(r"\(([^)]*)\)\s*(?:VALUES|SELECT)", statement, re.IGNORECASE)
    names = [name.strip(' "') for name in columns[1].split(",")] if columns else []
    wanted = [column.name for column in table.primary_key.columns]
    if not set(wanted) <= set(names):
        return
    given = AFTER.split(statement[columns.end() :])[0] if columns else ""
    marks = list(PLACE.finditer(given))
    if not values or len(marks) % len(names):
        return  # Some value is no parameter: places say nothing.
    row = [values[mark["name"]] if mark["name"] else values[place] for place, mark in enumerate(marks)]
    for start in range(0, len(row), len(names)):
        yield _key([row[start + names.index(name)] for name in wanted])


def _found(table: Table, statement: str, values: Any) -> Iterator[str]:
    """Yield the key that an UPDATE or DELETE asks for."""
    after = re.search(r"\bWHERE\b", statement, re.IGNORECASE)
    if after is None or not values:
        return
    found = []
    for column in table.primary_key.columns:
        asked = re.compile(rf"(?<!\w){column.name}\s*=\s*(?P<mark>\?|%\((?P<name>\w+)\)s)").search(
            statement, after.end()
        )
        if asked is None:
            return
        named = asked["name"]
        found.append(values[named] if named else values[len(PLACE.findall(statement[: asked.start("mark")]))])
    yield _key(found)


def _key(values: Sequence[Any]) -> str:
    return "/".join(canonical(value) or "" for value in values)
