"""Plain mapped rows (instances, tasks) read and written past the unit of work, which costs more than the database does.

They stay ordinary objects of the session, which is told of every row as its own flush would tell it, savepoints included.
Rows that refer to a definition which is not written yet are left to the flush. Of the rows that the guard judges only decisions
pass here, once it has judged them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import InstanceState, Session
from sqlalchemy.orm.attributes import instance_state, manager_of_class, set_committed_value
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.orm.util import identity_key

from engine.database import Base
from engine.decisions import Decision
from engine.prepared import Prepared, Question
from engine.stored.definition import Definition
from engine.stored.instance import Instance
from engine.stored.task import Task

_DECISION = tuple(column.key for column in Decision.__table__.columns)
_insert_decision = Prepared(insert(Decision), columns=_DECISION)

R = TypeVar("R", Instance, Task)
M = TypeVar("M", bound=Base)
Plain = type[Instance] | type[Task]

CHANGED = frozenset({Instance, Task})
"""Mapped classes without relationships, of one table each, with an id and a version."""


def write(session: Session) -> bool:
    """Insert and update the plain rows that wait for a flush; return whether there were any.

    Raises: StaleDataError when somebody else changed a row meanwhile, as a flush would.
    """
    if not session.identity_map.check_modified() and not session.new:
        return False
    new = list(session.new)
    if any(type(row) is Definition for row in new):
        new = []  # A definition that was deployed in this very act may still wait for the flush: then so do its instances.
    started = [row for row in new if type(row) is Instance]
    opened = [row for row in new if type(row) is Task]
    dirty = [row for row in session.dirty if type(row) in CHANGED]
    if not started and not opened and not dirty:
        return False
    session.info["wrote"] = True
    if started:
        _insert(session, Instance, started)
    if opened:
        _insert(session, Task, opened)
    for row in dirty:
        _update(session, row)
    # What the session's own flush does with the rows that it wrote; there is no public word for it.
    if started or opened:
        session._register_persistent({instance_state(row) for row in (*started, *opened)})
    changed = [instance_state(row) for row in dirty]
    InstanceState._commit_all_states([(state, state.dict) for state in changed], session.identity_map)
    session._register_altered(changed)
    return True


def write_decisions(session: Session) -> None:
    """Insert the decisions that wait for a flush, after the guard has judged them. What they refer to must be there."""
    new = list(session.new)
    fresh = sorted((row for row in new if type(row) is Decision), key=lambda row: row.seq)
    if fresh and not any(type(row) in CHANGED for row in new):
        held = [instance_state(row).dict for row in fresh]
        _insert_decision.run(session, [{name: values.get(name) for name in _DECISION} for values in held])
        session._register_persistent({instance_state(row) for row in fresh})


def _insert(session: Session, mapped: Plain, fresh: Sequence[Instance] | Sequence[Task]) -> None:
    held = [instance_state(row).dict for row in fresh]
    names = _columns(mapped)
    for values in held:
        values["version"] = 1
        for name in names:
            values.setdefault(name, None)
    _insert_into(mapped).run(session, [{name: values[name] for name in names} for values in held])


def _update(session: Session, row: Instance | Task) -> None:
    state = instance_state(row)
    now = state.dict
    changed = [name for name, old in state.committed_state.items() if name in now and old != now[name]]
    if not changed:
        return
    before = now["version"]
    now["version"] = before + 1
    names = (*sorted(changed), "version")
    values = {name: now[name] for name in names} | {"the_id": now["id"], "before": before}
    if _update_of(type(row), names).run(session, [values]) != 1:
        raise StaleDataError(f"Expected {row.__tablename__} {now['id']} at version {before}, but it is another one")


def get(session: Session, mapped: type[R], identity: str) -> R | None:
    """Return the object with an id as ``session.get`` does, in a third of its time, None when there is none."""
    held: R | None = session.identity_map.get(identity_key(mapped, identity))
    return held if held is not None else next(iter(_load(session, mapped, _by_id(mapped), {"wanted": identity})), None)


def load(session: Session, mapped: type[R], wanted: Question, values: Mapping[str, Any]) -> list[R]:
    """Return the objects of the rows of one table that a statement asks for, those that the session holds as they are.

    wanted: asks for every column of the table. What waits to be written is written first, as for any question.
    """
    if session.autoflush and (session.new or session.deleted or session.dirty):
        session.flush()
    return _load(session, mapped, wanted, values)


def _load(session: Session, mapped: type[R], wanted: Question, values: Mapping[str, Any]) -> list[R]:
    names, held = _columns(mapped), session.identity_map
    found = (dict(zip(names, row, strict=True)) for row in wanted.ask(session, values))
    return [held.get(identity_key(mapped, row["id"])) or adopt(session, mapped, row) for row in found]


def adopt(session: Session, mapped: type[R], values: dict[str, Any]) -> R:
    """Return the object of a row that was just read: the one that the session holds, brought up to date, or a new one.

    The session must have been flushed before the row was read.
    """
    key = identity_key(mapped, values["id"])
    held: R | None = session.identity_map.get(key)
    if held is not None:
        for name, value in values.items():
            set_committed_value(held, name, value)
        return held
    made = make(mapped, values)
    state = instance_state(made)
    state.key, state.session_id = key, session.hash_key
    session.identity_map.add(state)
    return made


def make(mapped: type[M], values: dict[str, Any]) -> M:
    """Return a new object with these values, of a task or instance one for every column but the version; not in any session yet."""
    made: M = manager_of_class(mapped).new_instance()
    instance_state(made).dict.update(values)
    return made


@cache
def _columns(mapped: Plain) -> tuple[str, ...]:
    return tuple(column.key for column in mapped.__table__.columns)


@cache
def _by_id(mapped: Plain) -> Question:
    return Question(select(*mapped.__table__.columns).where(mapped.id == bindparam("wanted")))


@cache
def _insert_into(mapped: Plain) -> Prepared:
    return Prepared(insert(mapped), columns=_columns(mapped))


@cache
def _update_of(mapped: Plain, names: tuple[str, ...]) -> Prepared:
    found = update(mapped).where(mapped.id == bindparam("the_id"), mapped.version == bindparam("before"))
    return Prepared(found, columns=names)
