"""Let an open task go to the next level when its time is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine import changing, eligibility, incidents, opening, words
from engine.errors import Conflict
from engine.stored.instance import Instance
from engine.stored.task import Task, TaskState

if TYPE_CHECKING:
    from engine.act import Act


def escalate(act: Act, task: Task, principals: Sequence[str], policy: str | None = None) -> Task:
    """Let an open task go to the next level. The instance must be locked (a step, a timer) or is locked now.

    principals: ``user:`` and ``role:`` principals. policy: ``reassign`` replaces the candidates and refuses the
    former ones from now on, ``add`` lets both decide; the task's own when None.
    """
    if task.state != TaskState.OPEN:
        raise Conflict(f"Expected an open task to escalate, but it is {task.state}")
    chosen = policy or task.deadline_policy
    was = changing.before(task)
    directory = eligibility.directory_of(act.session)
    names = ", ".join(directory.name_of(act.session, name) for name in principals)
    at = words.clock_time(act.session, act.now, now=act.now)
    sentence = f"escalated to {names} at {at}"
    if chosen == "reassign":
        gone = [name for name in claimed_or_candidates(task) if name not in principals]
        task.former = [*task.former, *({"principal": name, "why": sentence} for name in gone)]
        task.candidates = list(dict.fromkeys(principals))
    else:
        task.candidates = list(dict.fromkeys([*task.candidates, *principals]))
    task.assignee, task.lent_by = None, None
    note = f"{sentence[0].upper()}{sentence[1:]}"
    change = changing.Change("escalate", "TASK_ESCALATED", new=sentence, note=note, is_judged=True)
    changing.settle(act, task, was, change)
    return task


def claimed_or_candidates(task: Task) -> list[str]:
    """Return everybody who could take a task until now, whoever claimed it included."""
    own = [f"user:{task.assignee}"] if task.assignee else []
    return list(dict.fromkeys([*own, *task.candidates]))


def look_for_trouble(act: Act, instance: Instance, task: Task) -> None:
    """Open an incident when nobody may take the task now, close it when somebody may."""
    why = opening.trouble(act, task)
    if why is not None:
        incidents.report(
            act, instance, task.token_id, task.element_id, cause="candidates", message=why, task_id=task.id
        )
    else:
        incidents.resolve_of_tokens(act, instance, [task.token_id], "somebody may take it")
    act.session.flush()
