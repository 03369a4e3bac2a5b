"""What the web role of PostgreSQL may do: work in every table, but never alter or delete what is written once.

The owner of the tables migrates; the web role, which serves pages and runs jobs, owns nothing. Where it lacks the right,
PostgreSQL refuses before any trigger is asked, and a role that owns no table can take no trigger away.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Connection, inspect, text

from engine.errors import Conflict, Invalid, NotFound
from rules.controlled import ControlledFields, current_policy
from rules.every_door import every_door
from rules.guarded import table_of
from rules.postgresql import Postgresql
from rules.status_transition import StatusTransition

READ_ONLY = frozenset({table_of(StatusTransition).name, "alembic_version"})
"""What only migrations write."""

EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"


def written_once() -> frozenset[str]:
    """Return the tables whose rows no trigger lets anybody update."""
    return _written_once(current_policy())


@lru_cache(maxsize=2)
def _written_once(policy: ControlledFields) -> frozenset[str]:
    """Do the same, once for all the tables that are asked about."""
    doors = every_door(Postgresql(), policy)
    return frozenset(door.table.name for door in doors if door.name == f"guard_{door.table.name}_never_updated")


def rights_on(table: str) -> str:
    """Return what the web role may do with a table."""
    if table in READ_ONLY:
        return "SELECT"
    return "SELECT, INSERT" if table in written_once() else EVERYTHING


def grant_to_web_role(connection: Connection, role: str) -> None:
    """Give a role exactly what the web role needs, and take from it what it has beyond that. For the tables' owner.

    Raises: Invalid on another database; NotFound when there is no such role; Conflict when it owns what it must not.
    """
    if connection.dialect.name != "postgresql":
        raise Invalid(
            "Expected PostgreSQL, but this database has no roles; the owner of an SQLite file can do anything"
        )
    found = connection.execute(
        text("SELECT rolsuper, quote_ident(rolname) FROM pg_roles WHERE rolname = :role"), {"role": role}
    ).first()
    if found is None:
        raise NotFound(
            f"Expected a role called {role} in PostgreSQL, but there is none; make it with CREATE ROLE … LOGIN"
        )
    _refuse_owner(connection, role, is_superuser=found[0])
    name, schema = found[1], connection.scalar(text("SELECT quote_ident(current_schema())"))
    for statement in (
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {name}",
        f"REVOKE CREATE ON SCHEMA {schema} FROM {name}",
        f"GRANT USAGE ON SCHEMA {schema} TO {name}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {name}",
        *(
            f'GRANT {rights_on(table)} ON {schema}."{table}" TO {name}'
            for table in sorted(inspect(connection).get_table_names())
        ),
    ):
        connection.exec_driver_sql(statement)


def _refuse_owner(connection: Connection, role: str, *, is_superuser: bool) -> None:
    owns = connection.scalar(
        text(
            "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner "
            "WHERE r.rolname = :role AND c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
        ),
        {"role": role},
    )
    if is_superuser or owns:
        why = "it is a superuser" if is_superuser else f"it owns {owns} tables"
        raise Conflict(
            f"Expected a web role that owns nothing, but {why}; whoever owns the tables can take the guard away",
            code="OWNER",
        )
