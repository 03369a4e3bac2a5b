"""A trigger says no key: whose rows an attempt was about is read off the statement that it refused, for every guarded table."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from rules.controlled import current_policy
from rules.every_door import every_door
from rules.refused_rows import UNNAMED, refused_rows
from rules.sqlite import Sqlite

GUARDED = sorted({door.table for door in every_door(Sqlite(), current_policy())}, key=lambda table: table.name)
DIALECTS = {"sqlite": sqlite.dialect(paramstyle="qmark"), "postgresql": postgresql.psycopg.dialect()}


def refused(statement: Any, dialect: Any, *rows: dict[str, Any]) -> list[tuple[str, str]]:
    """Return whose rows a statement is about, refused as the driver of a database would. rows: of a statement for several."""
    compiled = statement.compile(dialect=dialect)
    sets = [compiled.construct_params(row) for row in rows] or [compiled.params]
    given: list[Any] = [
        tuple(one[name] for name in compiled.positiontup) if compiled.positional else one for one in sets
    ]
    return refused_rows(IntegrityError(str(compiled), given if rows else given[0], Exception("UNSIGNED: Expected …")))


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_an_attempt_on_any_guarded_table_names_its_row(dialect: Any) -> None:
    for table in GUARDED:
        key = {column.name: f"key-{place}" for place, column in enumerate(table.primary_key.columns)}
        named = [(table.name, "/".join(key.values()))]
        mine = [column == key[column.name] for column in table.primary_key.columns]
        other = next((column.name for column in table.columns if not column.primary_key), next(iter(key)))
        assert refused(insert(table).values({other: None} | key), dialect) == named
        assert refused(update(table).values({other: None}).where(*mine), dialect) == named
        assert refused(delete(table).where(*mine), dialect) == named
    assert len(GUARDED) > 50


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_an_attempt_on_several_rows_at_once_is_one_on_each(dialect: Any) -> None:
    table: Table = next(one for one in GUARDED if one.name == "board_vote")
    both = [("board_vote", "a"), ("board_vote", "b")]
    assert refused(insert(table).values([{"id": "a", "text": "x"}, {"id": "b", "text": "y"}]), dialect) == both
    assert refused(insert(table).values(id="", text=""), dialect, {"id": "a"}, {"id": "b"}) == both


def test_what_was_typed_as_sql_is_kept_under_a_name_of_its_own() -> None:
    typed = IntegrityError("UPDATE board_vote SET text = 'x'", (), Exception("APPEND_ONLY: Expected …"))
    assert refused_rows(typed) == [("board_vote", UNNAMED)]
    assert refused_rows(IntegrityError("VACUUM", (), Exception("…"))) == []
