"""Snoozed tasks and reminders: a reminder waits until the task is back, the deadline waits for nobody.

The rule, for every timer on a task: a *reminder* says again to those a task waits for that it does, so whoever put the task aside
hears of it when it is back (``remind``, ``remind_role``). An *escalation* tells or asks somebody else (the lead, the next level, the
owner, the supplier), and a *deadline* changes something (a hold, an end, an expiry): these come when they always would have
(``notices.tell``). Steps of diagrams choose between the two by what they call; no timer itself moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from engine import eligibility
from engine.act import Act, Installation
from engine.clock import now_of
from engine.registry import Registry, Work
from engine.stored.task import Task, TaskState
from engine.task_variables import variables_of
from processes.notices import holders, tell
from records import snooze
from records.snooze import TaskSnooze

AT_ONCE = 200
"""Snoozes that one round ends; the next round takes the rest."""

registry = Registry()


def waiting(act: Act, work: Work, element_id: str, *, same: str) -> Task | None:
    """Return the open task of a step that a reminder is about; None when it was just decided.

    same: the variable by which tasks of the step are told apart where several are open: the one that sees what the reminder sees.
    """
    assert work.instance is not None
    found = act.session.scalars(
        select(Task).where(
            Task.instance_id == work.instance.id, Task.element_id == element_id, Task.state == TaskState.OPEN
        )
    ).all()
    if len(found) > 1:
        wanted = _mark(work.get(same))
        found = [task for task in found if _mark(variables_of(act.session, task).get(same)) == wanted]
    return found[0] if found else None


def _mark(value: Any) -> Any:
    """Return what tells a document or a seat from another: its id where it has one."""
    return value.get("id", value) if isinstance(value, Mapping) else value


def remind_role(
    act: Act, task: Task | None, role: str, subject: str, *, key: str, record: tuple[str, str] | None = None
) -> None:
    """Remind everybody who holds a role of a task, as ``remind`` does."""
    remind(act, task, holders(act, role), subject, key=key, record=record)


def remind(
    act: Act,
    task: Task | None,
    people: Sequence[str],
    subject: str,
    *,
    key: str,
    record: tuple[str, str] | None = None,
) -> None:
    """Remind people of a task at once; whoever put it aside is reminded when it is back, and nothing else moves.

    task: None where no task stands behind what waits: then nobody put it aside.
    """
    if task is None:
        tell(act, people, subject, key=key, record=record)
        return
    sleeping = snooze.sleepers(act.session, task.id, people, now=act.now)
    for one in sleeping:
        one.owed = subject[:200]
    away = {one.user_id for one in sleeping}
    tell(act, [user_id for user_id in people if user_id not in away], subject, key=key, body=task.title, record=record)


@registry.chore("wake_snoozed")
def wake_snoozed(installation: Installation) -> int:
    """Tell people of the tasks that came back, because their time came or something happened; return how many came back."""
    with installation.reading() as session:
        over = snooze.ended(session, now=now_of(session), limit=AT_ONCE)
    if not over:
        return 0
    with installation.acting("system:notices") as act:
        back = [one for one in over if snooze.forget(act, one)]
        for one in back:
            _tell(act, one)
    return len(back)


def _tell(act: Act, over: TaskSnooze) -> None:
    """Tell one person, unless the task is closed or not theirs any more."""
    task = act.session.get_one(Task, over.task_id)
    if task.state != TaskState.OPEN:
        return
    if not eligibility.mandates_for(act.session, task, over.user_id, now=act.now):
        return
    subject = over.owed or f"Back in your inbox: {task.title}"
    key = f"{'remind' if over.owed else 'back'}:{task.id}:{over.snoozed_at:%Y%m%d%H%M%S}"
    tell(act, [over.user_id], subject[:200], key=key, body=task.title, record=("task", task.id))
