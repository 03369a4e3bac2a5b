"""The tasks of one run: counted by state, and page by page."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.stored.instance import Instance
from engine.stored.task import Task, TaskState
from webapp import listing


def counts(session: Session, instance: Instance) -> list[tuple[str, int]]:
    """Return (state, how many) of the tasks of a run, the open ones first."""
    wanted = select(Task.state, func.count()).where(Task.instance_id == instance.id).group_by(Task.state)
    found = [(str(state), count) for state, count in session.execute(wanted)]
    return sorted(found, key=lambda row: (row[0] != TaskState.OPEN, row[0]))


def look_up(
    session: Session,
    instance: Instance,
    query: str = "",
    state: str = "",
    after: str = "",
    *,
    limit: int = listing.LIMIT,
) -> listing.Listing:
    """Return a page of the tasks of a run, newest first. query: part of a title, a step or a user id; state: of the task."""
    wanted = select(Task).where(Task.instance_id == instance.id)
    if state:
        wanted = wanted.where(Task.state == state)
    if query:
        wanted = wanted.where(listing.contains(query, Task.title, Task.name, Task.closed_by))
    return listing.newest_first(session, wanted, Task, query=query, state=state, after=after, limit=limit)
