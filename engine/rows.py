"""Plain mapped rows (instances, tasks) read and written past the unit of work, which costs more than the database does.

They stay ordinary mapped objects in the session: what this module does not do, in a savepoint or in the company of rows that
they refer to, the unit of work does. Rows that the guard judges never pass here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import bindparam, insert, inspect, update
from sqlalchemy.orm import InstanceState, Session, make_transient, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from engine.prepared import Prepared
from engine.stored.instance import Instance
from engine.stored.task import Task

R = TypeVar("R", Instance, Task)
Plain = type[Instance] | type[Task]

NEW = frozenset({Task})
CHANGED = frozenset({Instance, Task})
"""Mapped classes without relationships, of one table each, with an id and a version."""


def write(session: Session) -> bool:
    """Insert and update the plain rows that wait for a flush; return whether there were any.

    Raises: StaleDataError when somebody else changed a row meanwhile, as a flush would.
    """
    if session.in_nested_transaction():
        return False  # The session takes a savepoint's changes back from its objects only if its own flush wrote them.
    new, dirty = session.new, [row for row in session.dirty if type(row) in CHANGED]
    fresh = [row for row in new if type(row) in NEW] if not any(type(row) is Instance for row in new) else []
    if fresh:
        _insert(session, fresh)
    for row in dirty:
        _update(session, row)
    if fresh or dirty:
        session.info["wrote"] = True
    return bool(fresh or dirty)


def _insert(session: Session, rows: Sequence[Instance | Task]) -> None:
    names = _columns(type(rows[0]))
    for row in rows:
        row.version = 1
    held = [_state(row).dict for row in rows]
    _insert_into(type(rows[0])).run(session, [{name: one.get(name) for name in names} for one in held])
    for row in rows:
        session.expunge(row)
        _keep(session, row)


def _update(session: Session, row: Instance | Task) -> None:
    state = _state(row)
    now = state.dict
    changed = sorted(name for name, old in state.committed_state.items() if name in now and old != now[name])
    if changed:
        before = now["version"]
        row.version = before + 1
        values = {name: now[name] for name in (*changed, "version")}
        statement = _update_of(type(row), tuple(values))
        found = statement.run(session, [values | {"the_id": now["id"], "before": before}])
        if found.rowcount != 1:
            raise StaleDataError(f"Expected {row.__tablename__} {now['id']} at version {before}, but it is another one")
    session.expunge(row)
    make_transient(row)
    _keep(session, row)


def _keep(session: Session, row: Any) -> None:
    """Tell the session that an object stands in the database as it is."""
    make_transient_to_detached(row)
    session.add(row)


def adopt(session: Session, mapped: type[R], values: dict[str, Any]) -> R:
    """Return the object of a row that was just read: the one that the session holds, brought up to date, or a new one.

    The session must have been flushed before the row was read.
    """
    mapper = inspect(mapped)
    row: R | None = session.identity_map.get(mapper.identity_key_from_primary_key((values["id"],)))
    if row is not None:
        for name, value in values.items():
            set_committed_value(row, name, value)
        return row
    made = make(mapped, values)
    _keep(session, made)
    return made


def make(mapped: type[R], values: dict[str, Any]) -> R:
    """Return a new object with these values, one for every column but the version; not in any session yet."""
    made: R = inspect(mapped).class_manager.new_instance()
    _state(made).dict.update(values)
    return made


def _state(row: Any) -> InstanceState[Any]:
    state: InstanceState[Any] = inspect(row)
    return state


@cache
def _columns(mapped: Plain) -> tuple[str, ...]:
    return tuple(column.key for column in mapped.__table__.columns)


@cache
def _insert_into(mapped: Plain) -> Prepared:
    return Prepared(insert(mapped), columns=_columns(mapped))


@cache
def _update_of(mapped: Plain, names: tuple[str, ...]) -> Prepared:
    found = update(mapped).where(mapped.id == bindparam("the_id"), mapped.version == bindparam("before"))
    return Prepared(found, columns=names)
