"""Tell people of the tasks that arrived for them: once for each task and person, many at once in one message.

Whoever wanted to change a task, and was denied it by a listener that was asked later, is told why.

A chore of the runner does it after the commit, so that opening a task costs nobody who works.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from engine import eligibility
from engine.act import Act, Installation
from engine.clock import now_of
from engine.opening import claimable
from engine.ports import Person
from engine.registry import Registry
from engine.stored.task import Task
from processes.local_times import zone_of
from processes.notices import mail_to
from records.directory import absent_deputy
from records.notice import claim_announcements, notify, unannounced
from records.person import User

AT_ONCE = 300
"""Tasks that one round announces; the next round takes the rest."""

SINGLY = 5
"""New tasks of one person up to which each has a notice of its own; more of them share one."""

registry = Registry()


@registry.chore("announce_tasks")
def announce_tasks(installation: Installation) -> int:
    """Tell everybody who may take one of the tasks that opened since the last round; return how many tasks were told of.

    Who may take them is asked before anything is written. A task that somebody else told of meanwhile is passed over.
    """
    with installation.reading() as session:
        fresh = {task.id: task for task in unannounced(session, limit=AT_ONCE)}
        reached = {task_id: _told_of(session, task) for task_id, task in fresh.items()}
    if not fresh:
        return 0
    with installation.acting("system:notices") as act:
        claimed = claim_announcements(act, list(fresh))
        for user_id, task_ids in _by_person(reached, claimed).items():
            _tell(act, user_id, [fresh[task_id] for task_id in task_ids])
    return len(claimed)


def is_denial(row: Mapping[str, Any]) -> bool:
    """Say whether an event tells of a change that a person wanted and that did not come about."""
    return row["action"] == "TASK_CHANGE_DENIED" and str(row["old"] or "").startswith("user:")


@registry.listener(is_denial)
def tell_of_denials(act: Act, rows: Sequence[Mapping[str, Any]]) -> None:
    """Leave a notice with the reason for whoever wanted a change that was denied."""
    for row in rows:
        task = act.session.get_one(Task, row["subject"])
        subject = f"Not done: {task.title}"[:200]
        user_id, about = str(row["old"]).removeprefix("user:"), ("task", task.id)
        notify(act, user_id, subject, key=f"denied:{row['id']}", body=task.notes[-1], record=about)


def people_of(act: Act, task: Task) -> list[Person]:
    """Return the active people who may take an open task themselves, nobody who is barred from it."""
    return eligibility.eligible(act.session, task, claimable(task), now=act.now)[0]


def _told_of(session: Session, task: Task) -> list[str]:
    """Return whom to tell: those who may take the task and can sign in, and who stands in for them now."""
    now = now_of(session)
    people, _ = eligibility.eligible(session, task, claimable(task), now=now)
    found: list[str] = []
    for person in people:
        found.append(person.id)
        away = absent_deputy(session, person.id, at=now, flow=task.flow)
        if away is not None and not eligibility.bars(session, task, away.deputy_id, on_behalf_of=person.id, now=now):
            found.append(away.deputy_id)
    known = (session.get(User, user_id) for user_id in dict.fromkeys(found))
    return [user.id for user in known if user is not None and user.is_active and user.can_sign_in]


def _by_person(reached: Mapping[str, Iterable[str]], claimed: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for task_id in claimed:
        for user_id in reached[task_id]:
            found.setdefault(user_id, []).append(task_id)
    return found


def _tell(act: Act, user_id: str, tasks: Sequence[Task]) -> None:
    """Leave a notice for each task, or one for all of them, and at most one mail."""
    user = act.session.get(User, user_id)
    zone = zone_of(act.session, user) if user is not None else dt.UTC
    if len(tasks) <= SINGLY:
        for task in tasks:
            notify(act, user_id, task.title, key=f"task:{task.id}", body=_facts(task, zone), record=("task", task.id))
    else:
        lines = "\n".join(task.title for task in tasks)
        notify(act, user_id, f"{len(tasks)} new tasks wait in your inbox", key=f"tasks:{act.id}", body=lines)
    subject = f"New task: {tasks[0].title}" if len(tasks) == 1 else f"{len(tasks)} new tasks"
    mail_to(act, user_id, subject, text="\n\n".join(_entry(act, task, zone) for task in tasks))


def _entry(act: Act, task: Task, zone: dt.tzinfo) -> str:
    address = str(act.installation.settings.get("public_url") or "").rstrip("/")
    where = f"{address}/tasks/{task.id}" if address else "Open your inbox to see it."
    return "\n".join(filter(None, [task.title, _facts(task, zone), where]))


def _facts(task: Task, zone: dt.tzinfo) -> str:
    """Return the step, with whom it has to do and until when where the reader is, on one line."""
    at = task.due_at.astimezone(zone) if task.due_at else None
    due = f"due {at:%a} {at.day} {at:%b %Y, %H:%M %Z}" if at else ""
    return " · ".join(filter(None, [task.name, task.party or "", due]))
