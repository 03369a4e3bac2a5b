"""Install and verify the guard's triggers.

They are generated from the policy and from what the laws of the house fix, for SQLite and PostgreSQL, and compared word for word
with what a database has: an application refuses to run on one whose guard was removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache

from sqlalchemy import Connection, Insert, Table, delete, insert, select, text

from engine.database import new_id
from rules import postgresql, sqlite
from rules.controlled import ControlledFields, current_policy
from rules.doors import Guarded
from rules.every_door import every_door
from rules.flow_mode import FLOWS, FlowMode, Mode
from rules.guarded import guarded_tables, problems, table_of, transitions
from rules.outside_doors import LOCKS
from rules.policy import PolicyProblem
from rules.postgresql import Postgresql
from rules.sqlite import Sqlite
from rules.status_transition import StatusTransition

POLICIES = 2
"""Policies whose triggers are kept as text: the current one, and one that is compared with it."""


class GuardMissing(RuntimeError):
    """The database's guard is not what it must be. problems: what differs, one sentence each."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(
            "Expected a database with its guard in place, but it is not; install it with the migrations:\n"
            + "\n".join(found)
        )
        self.problems = found


def install_guard(connection: Connection, policy: ControlledFields | None = None) -> None:
    """Put the guard in place, replacing an earlier one. For the database's owner, at the end of every migration.

    Raises: PolicyProblem when the policy names a column or a status that does not exist.
    """
    policy = policy or current_policy()
    if found := problems(policy):
        raise PolicyProblem("; ".join(found))
    remove_guard(connection)
    _write_transitions(connection)
    _write_modes(connection)
    if connection.dialect.name == "sqlite":
        for made in _sqlite_guard(policy):
            connection.exec_driver_sql(made.statement)
        return
    schema = _schema(connection)
    for trigger in _postgresql_triggers(policy):
        for statement in (trigger.function(schema), *trigger.creation()):
            connection.exec_driver_sql(statement)


def remove_guard(connection: Connection) -> None:
    """Take the guard away, for the length of a migration. Only the database's owner can."""
    if connection.dialect.name == "sqlite":
        # A view takes its triggers with it.
        for made in sorted(sqlite.installed(connection).values(), key=lambda made: made.kind):
            if made.name.startswith("guard_"):
                connection.exec_driver_sql(f"DROP {made.kind} {made.name}")
        return
    for table, name in postgresql.installed(connection):
        if name.startswith("guard_"):
            connection.exec_driver_sql(f"DROP TRIGGER {name} ON {table}")
    for name in postgresql.functions(connection):
        connection.exec_driver_sql(f"DROP FUNCTION {name}()")


def remove_refusals(connection: Connection) -> None:
    """Take away every trigger that refuses, and keep those that follow a write: what a house without a guard would have."""
    remove_guard(connection)
    following = [door for door in every_door(Sqlite(), current_policy()) if door.afterwards]
    if connection.dialect.name == "sqlite":
        for made in sqlite.triggers(following):
            connection.exec_driver_sql(made.statement)
        return
    schema = _schema(connection)
    for trigger in postgresql.triggers(following, {}):
        for statement in (trigger.function(schema), *trigger.creation()):
            connection.exec_driver_sql(statement)


@contextmanager
def without_guard(connection: Connection) -> Iterator[None]:
    """Migrate inside: the guard is away for the block, and in place again after it."""
    remove_guard(connection)
    yield
    install_guard(connection)


def verify_guard(connection: Connection, policy: ControlledFields | None = None) -> list[str]:
    """Return what differs between the database's guard and the expected one, one sentence each; empty when it stands."""
    policy = policy or current_policy()
    found = (
        _verify_sqlite(connection, policy)
        if connection.dialect.name == "sqlite"
        else _verify_postgresql(connection, policy)
    )
    return [*found, *_verify_transitions(connection)]


def require_guard(connection: Connection) -> None:
    """Refuse to go on when the guard is not in place. Raises: GuardMissing."""
    if found := verify_guard(connection):
        raise GuardMissing(found)


@lru_cache(maxsize=POLICIES)
def _sqlite_guard(policy: ControlledFields) -> tuple[sqlite.Made, ...]:
    doors = every_door(Sqlite(), policy)
    tables = sorted({door.table for door in doors}, key=lambda table: table.name)
    replacing = [door for table in tables for door in sqlite.replacing_doors(table)]
    return (*sqlite.shared(), *sqlite.triggers([*doors, *replacing]))


@lru_cache(maxsize=POLICIES)
def _postgresql_triggers(policy: ControlledFields) -> tuple[postgresql.Trigger, ...]:
    locks: dict[str, Guarded] = {guarded.table.name: guarded for guarded in guarded_tables(policy)} | LOCKS
    return tuple(postgresql.triggers(every_door(Postgresql(), policy), locks))


def _verify_sqlite(connection: Connection, policy: ControlledFields) -> Iterator[str]:
    expected = {made.name: made for made in _sqlite_guard(policy)}
    present = sqlite.installed(connection)
    for name, made in expected.items():
        if name not in present:
            yield f"The {made.kind} {name} is missing."
        elif present[name] != made:
            yield f"The {made.kind} {name} was altered."
    guarded = {made.on for made in expected.values()}
    for name, made in present.items():
        if name not in expected and made.on in guarded:
            yield f"The {made.kind} {name} on {made.on} is not the guard's."
    for name in sqlite.temporary(connection):
        yield f"The temporary trigger {name} is not the guard's."


def _verify_postgresql(connection: Connection, policy: ControlledFields) -> Iterator[str]:
    expected = {(trigger.table, trigger.name): trigger for trigger in _postgresql_triggers(policy)}
    settings = (f"search_path={_schema(connection)}, pg_temp",)
    present = postgresql.installed(connection)
    for key, trigger in expected.items():
        name, there = trigger.name, present.get(key)
        if there is None:
            yield f"The trigger {name} is missing."
        elif there.enabled != "A":
            yield f"The trigger {name} is disabled."
        elif (there.kind, there.body, there.settings, there.is_plain) != (trigger.kind, trigger.body, settings, True):
            yield f"The trigger {name} was altered."
    guarded = {table for table, _ in expected}
    for table, name in present:
        if (table, name) not in expected and table in guarded:
            yield f"The trigger {name} on {table} is not the guard's."


def _verify_transitions(connection: Connection) -> Iterator[str]:
    table = table_of(StatusTransition)
    present = {tuple(row) for row in connection.execute(select(table))}
    for row in sorted(set(transitions()) - present):
        yield f"The transition {row[0]} {row[1]} to {row[2]} is missing."
    for row in sorted(present - set(transitions())):
        yield f"The transition {row[0]} {row[1]} to {row[2]} is not listed."


def _write_transitions(connection: Connection) -> None:
    table = table_of(StatusTransition)
    connection.execute(delete(table))
    rows = [{"record_type": kind, "from_status": before, "to_status": after} for kind, before, after in transitions()]
    connection.execute(insert(table), rows)


def _write_modes(connection: Connection) -> None:
    table = table_of(FlowMode)
    known = set(connection.scalars(select(table.c.flow)))
    now = datetime.now(UTC)
    for flow in sorted(set(FLOWS) - known):
        connection.execute(_mode_row(table, flow, now))


def _mode_row(table: Table, flow: str, now: datetime) -> Insert:
    return insert(table).values(
        id=new_id(), version=1, created_at=now, created_by="system:guard", changed_at=now, changed_by="system:guard",
        flow=flow, mode=Mode.ENFORCE,
    )  # fmt: skip


def _schema(connection: Connection) -> str:
    schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
    assert isinstance(schema, str)
    return schema
