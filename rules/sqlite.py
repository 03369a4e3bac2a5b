"""The doors as SQLite triggers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Boolean, Column, Connection, Numeric, Table, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import JSON, TypeEngine

from engine.database import Scaled
from rules.doors import Door, keys_are_new, open_item, quoted

DIALECT = sqlite.dialect()
NOW = "strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'"
NEW_ID = (
    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' || "
    "substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)


OPEN_ITEM = "guard_open_item"
LENIENT = "guard_lenient"


@dataclass(frozen=True, slots=True)
class Made:
    """A trigger or a view, as SQLite keeps it. kind: trigger or view. on: the table or view that it belongs to."""

    kind: str
    name: str
    on: str
    statement: str


class Sqlite:
    """How SQLite says it."""

    def differ(self, left: str, right: str) -> str:
        return f"{left} IS NOT {right}"

    def text(self, column: Column[object], value: str) -> str:
        exact = isinstance(column.type, Scaled)
        kind: TypeEngine[object] = column.type if exact else column.type.dialect_impl(DIALECT)
        if isinstance(kind, Scaled):
            return _scaled(value, kind.scale)
        if isinstance(kind, Boolean):
            return f"CASE {value} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
        if isinstance(kind, Numeric):
            raise TypeError(f"Expected exact numbers, but {column} is kept as a float on SQLite")
        if isinstance(kind, JSON):
            return f"json({value})"
        return f"CAST({value} AS TEXT)"

    def key(self, column: Column[object], value: str) -> str:
        return value

    def id_of(self, column: Column[object], value: str) -> str:
        return value


def _scaled(value: str, scale: int) -> str:
    unit = 10**scale
    return f"iif({value} IS NULL, NULL, printf('%s%d.%0{scale}d', iif({value} < 0, '-', ''), abs({value}) / {unit}, abs({value}) % {unit}))"


def replacing_doors(table: Table) -> list[Door]:
    """Return the doors that SQLite needs and PostgreSQL has no word for: OR REPLACE."""
    return [*keys_are_new(table, "INSERT"), *keys_are_new(table, "UPDATE")]


def triggers(doors: Iterable[Door]) -> list[Made]:
    """Return the triggers of these doors, one each."""
    return [Made("trigger", door.name, door.table.name, _trigger(door)) for door in doors]


def _trigger(door: Door) -> str:
    if door.afterwards:
        return f"CREATE TRIGGER {door.name} AFTER {door.event} ON {door.table.name} FOR EACH ROW\nBEGIN\n  {door.afterwards};\nEND"
    of = f" OF {', '.join(door.columns)}" if door.columns else ""
    return (
        f"CREATE TRIGGER {door.name} BEFORE {door.event}{of} ON {door.table.name} FOR EACH ROW\n"
        f"WHEN {door.refused_when}\nBEGIN\n{_body(door)}END"
    )


def _body(door: Door) -> str:
    refuse = f"  SELECT RAISE(ABORT, {quoted(door.sentence)})"
    if not door.item:
        return f"{refuse};\n"
    use = f"  UPDATE change_item SET applied_at = {NOW} WHERE id = (SELECT i.id FROM {OPEN_ITEM} i WHERE {door.item} LIMIT 1);\n"
    if not door.flow:
        return f"{use}{refuse} WHERE changes() = 0;\n"
    strict = f"{quoted(door.flow)} NOT IN (SELECT f.flow FROM flow_mode f WHERE f.mode IN ('OBSERVE', 'ADVISE'))"
    return f"{use}{refuse} WHERE changes() = 0 AND {strict};\n  {_finding(door)} WHERE changes() = 0;\n"


def _finding(door: Door) -> str:
    speech = Sqlite()
    column = door.table.columns[door.shows] if door.shows else None
    old = speech.text(column, f"OLD.{door.shows}") if column is not None and door.event == "UPDATE" else "NULL"
    new = speech.text(column, f"NEW.{door.shows}") if column is not None else "NULL"
    rule, _, sentence = door.sentence.partition(": ")
    return (
        f"INSERT INTO {LENIENT} SELECT {quoted(door.flow)}, {quoted(rule)}, {quoted(sentence)}, {quoted(door.table.name)}, "
        f"{door.row}.id, {quoted(door.shows)}, {old}, {new}, {quoted(door.owner)}"
    )


def shared() -> list[Made]:
    """Return what the triggers share, in the order of its making.

    An item that may open a door is a row of the view ``guard_open_item``; what an observed flow lets pass is a row inserted into
    the view ``guard_lenient``, which becomes a finding. Said in each trigger, it would be text that every new connection reads.
    """
    kept = (
        f"INSERT INTO finding (id, rule, effect, mode, sentence, record_type, record_id, field, old_text, new_text, owner, way_out, "
        f"judged_by, judged_row, actor, act_id, at) SELECT {NEW_ID}, NEW.rule, 'WARN', f.mode, NEW.sentence, NEW.record_type, "
        f"NEW.record_id, NEW.field, NEW.old_text, NEW.new_text, NEW.owner, '', '', NULL, 'system:trigger', '', {NOW} "
        "FROM flow_mode f WHERE f.flow = NEW.flow AND f.mode <> 'ENFORCE'"
    )
    return [
        Made(
            "view",
            OPEN_ITEM,
            OPEN_ITEM,
            f"CREATE VIEW {OPEN_ITEM} AS SELECT i.* FROM change_item i WHERE {open_item(Sqlite())}",
        ),
        Made(
            "view",
            LENIENT,
            LENIENT,
            f"CREATE VIEW {LENIENT} AS SELECT '' AS flow, f.rule, f.sentence, f.record_type, f.record_id, f.field, f.old_text, "
            "f.new_text, f.owner FROM finding f WHERE 1 = 0",
        ),
        Made(
            "trigger",
            f"{LENIENT}_kept",
            LENIENT,
            f"CREATE TRIGGER {LENIENT}_kept INSTEAD OF INSERT ON {LENIENT} FOR EACH ROW\nBEGIN\n  {kept};\nEND",
        ),
    ]


def installed(connection: Connection) -> dict[str, Made]:
    """Return every trigger of the database, and every view of the guard's, by name."""
    rows = connection.execute(
        text(
            "SELECT type, name, tbl_name, sql FROM sqlite_master "
            "WHERE type = 'trigger' OR type = 'view' AND name LIKE 'guard\\_%' ESCAPE '\\'"
        )
    )
    return {row.name: Made(row.type, row.name, row.tbl_name, row.sql) for row in rows}


def temporary(connection: Connection) -> list[str]:
    """Return the names of triggers that live in this connection only; they could undo what a guarded write did."""
    return list(connection.scalars(text("SELECT name FROM sqlite_temp_master WHERE type = 'trigger'")))
