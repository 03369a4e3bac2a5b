"""The doors as SQLite triggers."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Boolean, Column, Connection, Numeric, Table, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import JSON, TypeEngine

from engine.database import Scaled
from rules.doors import Door, keys_are_new, quoted

DIALECT = sqlite.dialect()
NOW = "strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'"
NEW_ID = (
    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' || "
    "substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)


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
    digits = "0" * scale
    return (
        f"CASE WHEN {value} IS NULL THEN NULL ELSE (CASE WHEN {value} < 0 THEN '-' ELSE '' END) || "
        f"CAST(abs({value}) / 1{digits} AS TEXT) || '.' || substr('{digits}' || CAST(abs({value}) % 1{digits} AS TEXT), -{scale}) END"
    )


def replacing_doors(table: Table) -> list[Door]:
    """Return the doors that SQLite needs and PostgreSQL has no word for: OR REPLACE."""
    return [*keys_are_new(table, "INSERT"), *keys_are_new(table, "UPDATE")]


def statements(doors: Iterable[Door]) -> dict[str, str]:
    """Return trigger name to the statement that creates it."""
    return {door.name: _trigger(door) for door in doors}


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
    item = f"EXISTS (SELECT 1 FROM change_item i WHERE {door.item})"
    lenient = f"(SELECT f.mode FROM flow_mode f WHERE f.flow = {quoted(door.flow)}) IN ('OBSERVE', 'ADVISE')"
    return (
        f"{refuse} WHERE NOT {item} AND ({lenient}) IS NOT 1;\n"
        f"  {_finding(door, f'NOT {item}')};\n"
        f"  UPDATE change_item SET applied_at = {NOW} WHERE id = (SELECT i.id FROM change_item i WHERE {door.item} LIMIT 1);\n"
    )


def _finding(door: Door, when: str) -> str:
    speech = Sqlite()
    column = door.table.columns[door.shows] if door.shows else None
    old = speech.text(column, f"OLD.{door.shows}") if column is not None and door.event == "UPDATE" else "NULL"
    new = speech.text(column, f"NEW.{door.shows}") if column is not None else "NULL"
    rule, _, sentence = door.sentence.partition(": ")
    return (
        "INSERT INTO finding (id, rule, effect, mode, sentence, record_type, record_id, field, old_text, new_text, owner, way_out, "
        f"judged_by, judged_row, actor, act_id, at) SELECT {NEW_ID}, {quoted(rule)}, 'WARN', f.mode, {quoted(sentence)}, "
        f"{quoted(door.table.name)}, {door.row}.id, {quoted(door.shows)}, {old}, {new}, {quoted(door.owner)}, '', '', NULL, "
        f"'system:trigger', '', {NOW} FROM flow_mode f WHERE f.flow = {quoted(door.flow)} AND f.mode <> 'ENFORCE' AND {when}"
    )


def installed(connection: Connection) -> dict[str, tuple[str, str]]:
    """Return every trigger of the database: name to (table, its statement)."""
    rows = connection.execute(text("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"))
    return {row.name: (row.tbl_name, row.sql) for row in rows}


def temporary(connection: Connection) -> list[str]:
    """Return the names of triggers that live in this connection only; they could undo what a guarded write did."""
    return list(connection.scalars(text("SELECT name FROM sqlite_temp_master WHERE type = 'trigger'")))
