"""Counters of inboxes: every distinct set of candidates counts its open tasks by flow, so that a count never scans.

The sets of different tasks are disjoint, so the counters of all sets that somebody belongs to simply add up. They are
written last in an act and in sorted order: two acts that meet on the same counters wait instead of deadlocking.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Insert, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from engine.canonical import content_hash
from engine.database import in_turn, new_id
from engine.prepared import Prepared
from engine.stored.task import CandidateSet, CandidateSetMember, QueueCount

if TYPE_CHECKING:
    from engine.act import Act

_PENDING = "queue counts"


def candidate_set(act: Act, principals: Iterable[str]) -> str:
    """Return the id of the set of these principals, made when it is new."""
    members = sorted(set(principals))
    known, place = act.installation.candidate_sets, "\0".join(members)
    if (seen := known.find(place)) is not None:
        return seen
    key = content_hash(members)
    connection = act.session.connection()
    asked = select(CandidateSet.id).where(CandidateSet.key == key)
    set_id = connection.execute(asked).scalar() or _made(connection, key, members)
    if set_id is None:
        set_id = connection.execute(asked).scalar_one()
    # Remembered once it is committed: a rollback takes the set back.
    act.afterwards.append(lambda: known.keep(place, set_id))
    return set_id


def _made(connection: Connection, key: str, members: list[str]) -> str | None:
    """Make a set and return its id; None when somebody else just made it."""
    in_turn(connection)
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(CandidateSet).values(id=new_id(), key=key, principals=members)
    made: str | None = connection.execute(
        statement.on_conflict_do_nothing(index_elements=["key"]).returning(CandidateSet.id)
    ).scalar()
    if made is not None and members:
        connection.execute(insert(CandidateSetMember), [{"principal": member, "set_id": made} for member in members])
    return made


def add(act: Act, set_id: str, queue: str, tasks: int) -> None:
    """Note that a set has more or fewer open tasks of a flow."""
    if _PENDING not in act.session.info:
        act.last.append(lambda: write(act.session))
    pending: dict[tuple[str, str], int] = act.session.info.setdefault(_PENDING, {})
    pending[set_id, queue] = pending.get((set_id, queue), 0) + tasks


def write(session: Session) -> None:
    """Write what was noted, in sorted order; what cancelled out is not written at all."""
    pending: dict[tuple[str, str], int] = session.info.pop(_PENDING, {})
    rows: list[dict[str, Any]] = [
        {"set_id": set_id, "queue": queue, "tasks": tasks}
        for (set_id, queue), tasks in sorted(pending.items())
        if tasks
    ]
    if rows:
        _COUNT.run(session, rows)


def _count(kind: str) -> Insert:
    statement = postgresql.insert(QueueCount) if kind == "postgresql" else sqlite.insert(QueueCount)
    return statement.on_conflict_do_update(
        index_elements=["set_id", "queue"], set_={"tasks": QueueCount.tasks + statement.excluded.tasks}
    )


_COUNT = Prepared(_count, columns=("set_id", "queue", "tasks"))
