"""Put in force what a plant had locked before there was a table that says so.

Which content of each rule table counted on the day of the lock is told by the tables' chains. A table that no chain told of by then
counts as it was first told of, and one that was never told of as it is installed: it is the one that was validated.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from engine import database
from engine.audit import GENESIS, row_hash
from engine.database import new_id
from rules.policy import table_called, table_names

revision = "20261123_2210"
down_revision = "20261122_2200"
branch_labels = None
depends_on = None

ACTOR = "system:migration"
IN_FORCE = sa.table(
    "table_in_force", sa.column("id", database.IdType()), sa.column("name"), sa.column("content_hash"), sa.column("version", sa.Integer),
    sa.column("created_at", database.InstantType()), sa.column("created_by"), sa.column("changed_at", database.InstantType()),
    sa.column("changed_by"),
)  # fmt: skip
CHAIN = sa.table(
    "audit_event", sa.column("id", database.IdType()), sa.column("act_id", database.IdType()), sa.column("at", database.InstantType()),
    sa.column("seq", sa.Integer),
    *(
        sa.column(name)
        for name in (
            "record_type", "record_id", "action", "field", "old", "new", "actor", "actor_kind", "on_behalf_of", "reason", "instance_id",
            "task_id", "prev_hash", "hash",
        )
    ),
)  # fmt: skip
UNSEALED = sa.table(
    "unsealed_event", sa.column("id", database.IdType()), sa.column("record_type"), sa.column("record_id"),
    sa.column("written_at", database.InstantType()),
)  # fmt: skip
LOCK = sa.table("definition_lock", sa.column("locked_at", database.InstantType()), sa.column("locked_by"))


def upgrade() -> None:
    """Write the rows of a plant that is locked and has none, each with its chain; leave every other plant alone."""
    connection = op.get_bind()
    lock = connection.execute(sa.select(LOCK.c.locked_at, LOCK.c.locked_by).order_by(LOCK.c.locked_at)).first()
    if lock is None or connection.scalar(sa.select(sa.func.count()).select_from(IN_FORCE)):
        return
    _open(connection)
    now, act_id = dt.datetime.now(dt.UTC), new_id()
    reason = f"What counted when {lock.locked_by} put the tables under change control on {lock.locked_at:%Y-%m-%d}"
    for name, content_hash in sorted(_counted(connection, lock.locked_at).items()):
        _put_in_force(connection, {"name": name, "content_hash": content_hash}, now, act_id, reason)


def downgrade() -> None:
    """Leave what is in force in force: an older program reads it as well."""


def _open(connection: sa.Connection) -> None:
    """Take the table's triggers away, which open for a signed item alone under the lock; the run ends by putting them back."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ALTER TABLE table_in_force DISABLE TRIGGER USER")
        return
    wanted = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'table_in_force'")
    for name in connection.scalars(wanted).all():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")


def _counted(connection: sa.Connection, locked_at: dt.datetime) -> dict[str, str]:
    """Return the hash of each table that counted at the lock."""
    told = sa.select(CHAIN.c.record_id, CHAIN.c.new, CHAIN.c.at).where(
        CHAIN.c.record_type == "rule_table", CHAIN.c.action.in_(["TABLE_ADOPTED", "TABLE_FOUND"])
    )
    found: dict[str, str] = {}
    for row in connection.execute(told.order_by(CHAIN.c.record_id, CHAIN.c.seq)):
        if row.record_id not in found or row.at <= locked_at:
            found[row.record_id] = row.new
    return {name: table_called(name).hash for name in table_names()} | found


def _put_in_force(
    connection: sa.Connection, row: Mapping[str, str], now: dt.datetime, act_id: str, reason: str
) -> None:
    row_id, previous = new_id(), GENESIS
    stamp = {"created_at": now, "created_by": ACTOR, "changed_at": now, "changed_by": ACTOR, "version": 1}
    connection.execute(IN_FORCE.insert().values(id=row_id, **row, **stamp))
    for seq, (field, value) in enumerate(row.items(), start=1):
        event: dict[str, Any] = {
            "id": new_id(), "record_type": "table_in_force", "record_id": row_id, "seq": seq, "action": "INSERT", "field": field,
            "old": None, "new": value, "actor": ACTOR, "actor_kind": "SYSTEM", "on_behalf_of": None, "reason": reason,
            "act_id": act_id, "instance_id": None, "task_id": None, "at": now, "prev_hash": previous,
        }  # fmt: skip
        previous = event["hash"] = row_hash(event)
        connection.execute(CHAIN.insert().values(**event))
        # The trigger that notes an event for the next checkpoint is younger than some databases.
        if not connection.scalar(sa.select(sa.func.count()).where(UNSEALED.c.id == event["id"])):
            noted = {name: event[name] for name in ("id", "record_type", "record_id")}
            connection.execute(UNSEALED.insert().values(**noted, written_at=now))
