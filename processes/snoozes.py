"""Snoozed tasks and reminders: a reminder waits until the task is back, the deadline waits for nobody."""

from __future__ import annotations

from collections.abc import Sequence

from engine import eligibility
from engine.act import Act, Installation
from engine.clock import now_of
from engine.registry import Registry
from engine.stored.task import Task, TaskState
from processes.notices import tell
from records import snooze
from records.snooze import TaskSnooze

AT_ONCE = 200
"""Snoozes that one round ends; the next round takes the rest."""

registry = Registry()


def remind(
    act: Act, task: Task, people: Sequence[str], subject: str, *, key: str, record: tuple[str, str] | None = None
) -> None:
    """Remind people of a task at once; whoever put it aside is reminded when it is back, and nothing else moves."""
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
