"""Who may read a document, with its files, its discussion and its history: everybody, unless ``record_readers.dmn`` seals its kind."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import tasks
from engine.stored.task import Task
from records.quotation import Quotation, RequestForQuotation
from records.roles import grants_of
from rules.policy import table_called

TASK = "task"
"""What is said of a task that is about no document is kept under this kind."""


def roles_that_read(kind: str) -> tuple[str, ...]:
    """Return the roles that read a sealed kind of document, or none where everybody does."""
    return tuple(str(row.outputs["role"]) for row in table_called("record_readers").judge(kind=kind).rows)


def may_read(session: Session, about: tuple[str, str], user_id: str, *, at: dt.datetime) -> bool:
    """Tell whether a person may read a document. about: (type, id).

    A sealed one is read by the roles of the table and by whoever has or had a task about it; what belongs to a task, by whom the
    task concerns.
    """
    kind, record_id = _whole(session, about)
    if kind == TASK:
        task = session.get(Task, record_id)
        return task is not None and tasks.may_see(session, task, user_id)
    roles = roles_that_read(kind)
    if not roles or any(held.role in roles for held in grants_of(session, user_id, at=at)):
        return True
    asked = select(Task).where(Task.record_type == kind, Task.record_id == record_id)
    return any(tasks.may_see(session, task, user_id) for task in session.scalars(asked))


def _whole(session: Session, about: tuple[str, str]) -> tuple[str, str]:
    """Return the document that a part belongs to, which has files of its own but is read where the whole is."""
    if about[0] != Quotation.record_type:
        return about
    found = session.get(Quotation, about[1])
    return about if found is None else (RequestForQuotation.record_type, found.invitation.request_id)
