"""One table: every controlled record against every way in that whoever may write to the database has; each is refused.

The pages, the interface, files and commands have their own tests; what they do ends in these statements. The same table is tried
as the database's owner and, on PostgreSQL, as the role that serves pages; what only an owner can do is named by ``lockstep verify``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Table, delete, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from engine.act import Installation
from engine.canonical import canonical
from engine.database import Versioned, new_id
from engine.errors import RuleViolation
from engine.verification import verify
from records.approval import ApprovalSlot
from records.purchase_order import PurchaseOrder
from rules.change_item import ChangeItem
from rules.grants import grant_to_web_role
from rules.guard import BY_TABLE
from tests.scenarios.controlled import Target, targets
from tests.scenarios.desk import refused_attempts
from tests.story import Story


def core(at: Connection, one: Target) -> None:
    at.execute(one.where(update(one.table).values({one.column: one.value})))


def raw(at: Connection, one: Target) -> None:
    at.exec_driver_sql(f"UPDATE {one.table.name} SET {one.column} = {_other_column(at, one)}")


def orm_bulk(at: Connection, one: Target) -> None:
    with Session(at, join_transaction_mode="create_savepoint") as session:
        session.execute(one.where(update(one.mapped).values({one.column: one.value})))


def bulk_mappings(at: Connection, one: Target) -> None:
    with Session(at, join_transaction_mode="create_savepoint") as session:
        known = {"version": one.row(at)["version"]} if issubclass(one.mapped, Versioned) else {}
        session.bulk_update_mappings(one.mapped.__mapper__, [one.key | known | {one.column: one.value}])


def upsert(at: Connection, one: Target) -> None:
    dialect = postgresql if at.dialect.name == "postgresql" else sqlite
    keys = [column.name for column in one.table.primary_key.columns]
    found = dialect.insert(one.table).values(**one.row(at))
    at.execute(found.on_conflict_do_update(index_elements=keys, set_={one.column: one.value}))


def replace_row(at: Connection, one: Target) -> None:
    if at.dialect.name == "postgresql":
        at.execute(insert(one.table).values(**(one.row(at) | {one.column: one.value})))
    at.execute(insert(one.table).prefix_with("OR REPLACE").values(**(one.row(at) | {one.column: one.value})))


def delete_and_insert(at: Connection, one: Target) -> None:
    row = one.row(at)
    at.execute(one.where(delete(one.table)))
    at.execute(insert(one.table).values(**(row | {one.column: one.value})))


def change_key(at: Connection, one: Target) -> None:
    name = next(iter(one.key))
    at.execute(one.where(update(one.table).values({name: new_id() if name == "id" else "another"})))


def walk_back(at: Connection, one: Target) -> None:
    """Take the document back to its draft, change it, and go forward again."""
    document, key = (
        (one.parent[0].__table__, one.row(at)[one.parent[1]]) if one.parent else (one.table, one.key.get("id"))
    )
    if "status" not in document.c or document.name not in BY_TABLE:
        raise NotADoor
    guarded = BY_TABLE[document.name]
    at.execute(update(document).values(status=guarded.drafts[0]).where(document.c.id == key))  # a document
    core(at, one)


def move_to_a_draft(at: Connection, one: Target) -> None:
    if one.parent is None:
        raise NotADoor
    at.execute(one.where(update(one.table).values({one.parent[1]: one.parent[2]})))


def forge(at: Connection, one: Target) -> None:
    """Write the very item that would open the door, under a change that nobody signed."""
    _item(at, one)
    core(at, one)


def forge_used(at: Connection, one: Target) -> None:
    """Write it as used already, as a replay would find it."""
    _item(at, one, is_used=True)
    core(at, one)


def forge_a_seat(at: Connection, one: Target) -> None:
    """Write it with a seat in its plan, filled by somebody else's signature or by none."""
    change = _item(at, one)
    at.execute(
        insert(_slots()).values(
            id=new_id(), record_type="test_change", record_id=change, record_hash="c" * 64, stage=1, role="ENG_AUTH", position=1, why="",
        )
    )  # fmt: skip
    core(at, one)


DOORS: tuple[Callable[[Connection, Target], None], ...] = (
    core, raw, orm_bulk, bulk_mappings, upsert, replace_row, delete_and_insert, change_key, walk_back, move_to_a_draft, forge, forge_used,
    forge_a_seat,
)  # fmt: skip

HOLLOW = "CREATE OR REPLACE FUNCTION guard_{table}_update() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
REMOVALS = (
    "DROP TRIGGER guard_{table}_update ON {table}", "ALTER TABLE {table} DISABLE TRIGGER ALL", "TRUNCATE {table} CASCADE",
    "SET session_replication_role = replica", HOLLOW, "ALTER TABLE {table} OWNER TO CURRENT_USER",
)  # fmt: skip
"""What the role that serves pages might try to be rid of the triggers."""


class NotADoor(Exception):
    """A way in that this record does not have."""


def _slots() -> Table:
    found = ApprovalSlot.__table__
    assert isinstance(found, Table)
    return found


def _item(at: Connection, one: Target, *, is_used: bool = False) -> str:
    row, change = one.row(at), new_id()
    scale = getattr(one.table.c[one.column].type, "scale", None)
    stamp = at.execute(select(PurchaseOrder.__table__.c.created_at)).scalars().first()
    values = {
        "id": new_id(), "version": 1, "created_at": stamp, "created_by": "user:eve", "changed_at": stamp, "changed_by": "user:eve",
        "change_type": "test_change", "change_id": change, "change_hash": "c" * 64, "table_name": one.table.name,
        "row_id": one.key.get("id", ""), "operation": "UPDATE", "column_name": one.column, "old_text": _text(row[one.column], scale),
        "new_text": _text(one.value, scale), "change_class": "C4",
        "applied_at": stamp if is_used else None,
    }  # fmt: skip
    at.execute(insert(ChangeItem.__table__).values(**values))
    return change


def _text(value: Any, scale: int | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else canonical(value, scale=scale)


def _other_column(at: Connection, one: Target) -> str:
    """Return SQL for the other value: text in quotes, a number as the column keeps it."""
    if isinstance(one.value, bytes):
        return "'\\x00'::bytea" if at.dialect.name == "postgresql" else "x'00'"
    return f"{one.column} + 1" if not isinstance(one.value, str) else f"'{one.value}'"


def passed(at: Connection, every: list[Target]) -> Iterator[str]:
    """Try every door of every record; yield those through which something went, and put it back."""
    for one in every:
        before = one.row(at)
        for door in DOORS:
            savepoint = at.begin_nested()
            try:
                door(at, one)
            except NotADoor:
                pass
            except DBAPIError as refusal:
                if not any(word in str(refusal.orig) for word in REFUSING):
                    yield f"{one.name}, {door.__name__}: {refusal.orig}"
            else:
                yield f"{one.name}, {door.__name__}"
            savepoint.rollback()
        assert one.row(at) == before


REFUSING = (
    "UNCONTROLLED_CHANGE", "ILLEGAL_TRANSITION", "APPEND_ONLY", "REPLACED", "kept", "permission denied", "must be owner", "UNSIGNED",
    "SIGNED", "violates unique constraint",
)  # fmt: skip


def test_no_door_lets_a_controlled_value_change(story: Story, house: Installation) -> None:
    every = story.given(targets)
    with house.database.execution_options(writes=True).connect() as connection:
        assert list(passed(connection, every)) == []
        connection.rollback()
    for one in every:
        with pytest.raises(RuleViolation), house.acting("user:eve") as act:
            setattr(act.session.get_one(one.mapped, tuple(one.key.values())), one.column, one.value)
    assert ("user:eve", "UNCONTROLLED_CHANGE") in refused_attempts(story)
    told = text("SELECT record_type, record_id FROM audit_event WHERE action = 'REFUSED' AND actor = 'user:eve'")
    kept = story.read(lambda session: {tuple(row) for row in session.execute(told)})
    assert {(one.table.name, "/".join(one.key.values())) for one in every} <= kept
    assert [str(one) for one in story.read(lambda session: list(verify(session)))] == []


def test_the_role_that_serves_pages_finds_no_door_and_takes_no_trigger_away(story: Story, house: Installation) -> None:
    if house.database.dialect.name == "sqlite":
        return  # The owner of an SQLite file can do anything; lockstep verify names it (W31).
    every = story.given(targets)
    role = f"web_{uuid.uuid4().hex[:12]}"
    with house.database.execution_options(writes=True).connect() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        grant_to_web_role(connection, role)
        connection.execute(text(f"SET LOCAL ROLE {role}"))
        assert list(passed(connection, every)) == []
        for one in every:
            for statement in REMOVALS:
                with pytest.raises(DBAPIError, match=r"permission denied|must be owner"), connection.begin_nested():
                    connection.execute(text(statement.format(table=one.table.name)))
        connection.rollback()
