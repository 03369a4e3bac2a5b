"""The doors as PostgreSQL trigger functions: one function and one trigger for each table and event, enabled ALWAYS."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Boolean, Column, Connection, Date, DateTime, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import JSON

from engine.database import IdType, InstantType
from rules.doors import Door, Guarded, open_item, quoted

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves the constructor untyped
EVENTS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
BEFORE, EACH_ROW = 2, 1
STAMP = """to_char({value} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


class Postgresql:
    """How PostgreSQL says it."""

    def differ(self, left: str, right: str) -> str:
        return f"{left} IS DISTINCT FROM {right}"

    def text(self, column: Column[object], value: str) -> str:
        kind = column.type
        if isinstance(kind, InstantType | DateTime):
            return STAMP.format(value=value)
        if isinstance(kind, Boolean):
            return f"CASE WHEN {value} THEN 'true' WHEN NOT {value} THEN 'false' END"
        if isinstance(kind, Date):
            return f"to_char({value}, 'YYYY-MM-DD')"
        if isinstance(kind, JSON):
            return f"{value}::jsonb::text"
        return f"{value}::text"

    def key(self, column: Column[object], value: str) -> str:
        return f"{value}::text" if isinstance(column.type, IdType) else value

    def id_of(self, column: Column[object], value: str) -> str:
        return f"{value}::uuid" if isinstance(column.type, IdType) else value


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger with its function. kind: the bits of pg_trigger.tgtype."""

    name: str
    table: str
    event: str
    kind: int
    body: str

    def function(self, schema: str) -> str:
        """Return the statement that makes the function; its search path is pinned, so that no temporary table is taken for ours."""
        return (
            f"CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql "
            f"SET search_path TO {schema}, pg_temp AS $guard${self.body}$guard$"
        )

    def creation(self) -> list[str]:
        """Return the statements that make the trigger fire, also for a session that plays replica."""
        each = "FOR EACH ROW" if self.kind & EACH_ROW else "FOR EACH STATEMENT"
        when = "BEFORE" if self.kind & BEFORE else "AFTER"
        return [
            f"CREATE TRIGGER {self.name} {when} {self.event} ON {self.table} {each} EXECUTE FUNCTION {self.name}()",
            f"ALTER TABLE {self.table} ENABLE ALWAYS TRIGGER {self.name}",
        ]


def triggers(doors: list[Door], locks: dict[str, Guarded]) -> list[Trigger]:
    """Return the triggers for the doors. locks: tables whose parent's row is locked before its status is read."""
    made: list[Trigger] = []
    following = [door for door in doors if door.afterwards]
    for door in following:
        body = f"\nBEGIN\n  {door.afterwards};\n  RETURN NULL;\nEND\n"
        made.append(Trigger(door.name, door.table.name, door.event, EACH_ROW | EVENTS[door.event], body))
    doors = [door for door in doors if not door.afterwards]
    ordered = sorted(doors, key=lambda door: (door.table.name, door.event))
    for (table, event), group in groupby(ordered, key=lambda door: (door.table.name, door.event)):
        body = _body(list(group), event, locks.get(table))
        made.append(Trigger(f"guard_{table}_{event.lower()}", table, event, BEFORE | EACH_ROW | EVENTS[event], body))
    for table in sorted({door.table.name for door in doors}):
        body = f"\nBEGIN\n  {_raise(f'APPEND_ONLY: Expected {table} to keep its rows, but it was truncated')}\nEND\n"
        made.append(Trigger(f"guard_{table}_truncate", table, "TRUNCATE", BEFORE | EVENTS["TRUNCATE"], body))
    return made


def _body(doors: list[Door], event: str, guarded: Guarded | None) -> str:
    back = "OLD" if event == "DELETE" else "NEW"
    steps = "".join(
        _knocked(columns, "".join(_step(door) for door in same))
        for columns, same in groupby(doors, key=lambda door: door.columns if event == "UPDATE" else ())
    )
    return f"\nDECLARE opening uuid;\nBEGIN\n{_lock(doors, event, guarded)}{steps}  RETURN {back};\nEND\n"


def _knocked(columns: tuple[str, ...], steps: str) -> str:
    """Ask about columns only when one of them changes: comparing is quick, while a question with a subquery is a query of its own."""
    if not columns:
        return steps
    changed = " OR ".join(Postgresql().differ(f"OLD.{column}", f"NEW.{column}") for column in columns)
    return f"  IF {changed} THEN\n{steps}  END IF;\n"


def _lock(doors: list[Door], event: str, guarded: Guarded | None) -> str:
    """Lock the parent before its status is read: two sessions must not freeze a document and change its line at once."""
    if guarded is None or guarded.parent is None:
        return ""
    row = "NEW" if event == "INSERT" else "OLD"
    changed = " OR ".join(
        sorted({Postgresql().differ(f"OLD.{column}", f"NEW.{column}") for door in doors for column in door.columns})
    )
    lock = f"PERFORM 1 FROM {guarded.parent.table.name} p WHERE p.id = {row}.{guarded.parent.column} FOR NO KEY UPDATE;"
    return f"  IF {changed} THEN\n    {lock}\n  END IF;\n" if event == "UPDATE" and changed else f"  {lock}\n"


def _step(door: Door) -> str:
    if not door.item:
        return f"  IF {door.refused_when} THEN\n    {_raise(door.sentence)}\n  END IF;\n"
    lenient = (
        f"EXISTS (SELECT 1 FROM flow_mode f WHERE f.flow = {quoted(door.flow)} AND f.mode IN ('OBSERVE', 'ADVISE'))"
    )
    opening = f"{door.item} AND {open_item(Postgresql())}"
    return (
        f"  IF {door.refused_when} THEN\n"
        f"    opening := (SELECT i.id FROM change_item i WHERE {opening} ORDER BY i.id LIMIT 1 FOR UPDATE);\n"
        f"    IF opening IS NOT NULL THEN\n"
        f"      UPDATE change_item SET applied_at = clock_timestamp() WHERE id = opening AND applied_at IS NULL;\n"
        f"    ELSIF {lenient} THEN\n"
        f"      {_finding(door)};\n"
        f"    ELSE\n      {_raise(door.sentence)}\n    END IF;\n  END IF;\n"
    )


def _raise(sentence: str) -> str:
    return f"RAISE EXCEPTION USING MESSAGE = {quoted(sentence)}, ERRCODE = 'integrity_constraint_violation';"


def _finding(door: Door) -> str:
    speech = Postgresql()
    column = door.table.columns[door.shows] if door.shows else None
    old = speech.text(column, f"OLD.{door.shows}") if column is not None and door.event == "UPDATE" else "NULL"
    new = speech.text(column, f"NEW.{door.shows}") if column is not None else "NULL"
    rule, _, sentence = door.sentence.partition(": ")
    key = speech.key(door.table.columns["id"], f"{door.row}.id")
    return (
        "INSERT INTO finding (id, rule, effect, mode, sentence, record_type, record_id, field, old_text, new_text, owner, way_out, "
        f"judged_by, judged_row, actor, act_id, at) SELECT gen_random_uuid(), {quoted(rule)}, 'WARN', f.mode, {quoted(sentence)}, "
        f"{quoted(door.table.name)}, {key}, {quoted(door.shows)}, {old}, {new}, {quoted(door.owner)}, '', '', NULL, "
        f"'system:trigger', '', clock_timestamp() FROM flow_mode f WHERE f.flow = {quoted(door.flow)}"
    )


@dataclass(frozen=True, slots=True)
class Installed:
    """A trigger as the catalogue has it."""

    table: str
    kind: int
    enabled: str
    body: str
    settings: tuple[str, ...]
    is_plain: bool


CATALOGUE = """
SELECT t.tgname AS name, c.relname AS "table", t.tgtype AS kind, t.tgenabled::text AS enabled, p.prosrc AS body,
       coalesce(p.proconfig, '{}') AS settings,
       t.tgqual IS NULL AND t.tgattr = ''::int2vector AND NOT t.tgdeferrable AND t.tgnargs = 0
       AND p.proname = t.tgname AND p.pronamespace = c.relnamespace AS is_plain
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
"""


def installed(connection: Connection) -> dict[tuple[str, str], Installed]:
    """Return every trigger of the schema: (table, name) to what the catalogue says."""
    return {
        (row.table, row.name): Installed(row.table, row.kind, row.enabled, row.body, tuple(row.settings), row.is_plain)
        for row in connection.execute(text(CATALOGUE))
    }


def functions(connection: Connection) -> list[str]:
    """Return the names of the guard's functions in the schema."""
    wanted = (
        "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'guard\\_%'"
    )
    return list(connection.scalars(text(wanted)))
