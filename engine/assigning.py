"""Whose a task is: claim it, release it, hand it to somebody, give it to others, put somebody in the place of who is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine import changing, eligibility, opening, tasks
from engine.changing import Change
from engine.errors import Conflict, Forbidden, Invalid
from engine.stored.task import Task, TaskState

if TYPE_CHECKING:
    from engine.act import Act


def claim(act: Act, task_id: str, *, seen_version: int | None = None) -> Task:
    """Take a task out of the group's inboxes into one's own. Raises: NotFound; Conflict; RuleViolation."""
    task, _ = tasks.held(act, task_id, None)
    user_id = tasks.caller_of(act)
    tasks.refuse_closed(act, task, None)
    mandate = tasks.mandate_of(act, task, user_id, on_behalf_of=None)
    if task.assignee == user_id:
        return task
    if seen_version is not None and task.version != seen_version:
        raise Conflict("Expected the task as you saw it, but it changed since; reload it")
    tasks.refuse_barred(act, task, user_id, mandate)
    changing.refuse_changing(act, task)
    was = changing.before(task)
    task.assignee, task.lent_by = user_id, None
    changing.settle(act, task, was, Change("claim", "TASK_CLAIMED", new=user_id, ends_loan=was["lent_by"] is not None))
    return task


def release(act: Act, task_id: str) -> Task:
    """Give a claimed task back to its candidates. Raises: NotFound; Conflict when it is not the caller's."""
    task, _ = tasks.held(act, task_id, None)
    user_id = tasks.caller_of(act)
    tasks.refuse_closed(act, task, None)
    if task.assignee != user_id:
        raise Conflict(f"Expected a task that you claimed, but it is {task.assignee or 'nobody'}'s")
    if task.lent_by is not None:
        raise Conflict(
            f"Expected you to give it back with an answer, but you released it: {tasks.name_of(act, task.lent_by)} lent it to you",
            code="LENT",
        )
    if task.candidates == [f"user:{user_id}"]:
        raise Conflict("Expected other candidates to give it back to, but it was given to you alone")
    changing.refuse_changing(act, task)
    was = changing.before(task)
    task.assignee = None
    changing.settle(act, task, was, Change("unclaim", "TASK_RELEASED", old=user_id))
    return task


def hand_to(act: Act, task_id: str, user_id: str, *, seen_version: int, reason: str) -> Task:
    """Give an open task of the caller's to another person who may take it anyway, as if that person had claimed it.

    Nobody gets a right by it: whom the candidates do not name, or a duty bars, is refused. Raises: NotFound when it is not the
    caller's; Conflict; Invalid without a reason; Forbidden NOT_A_CANDIDATE; RuleViolation when a duty bars the other person.
    """
    task, _ = tasks.held(act, task_id, None)
    tasks.refuse_closed(act, task, None)
    mandate = tasks.mandate_of(act, task, tasks.caller_of(act), on_behalf_of=None)
    if task.version != seen_version:
        raise Conflict("Expected the task as you saw it, but it changed since; reload it")
    if task.assignee not in (None, tasks.caller_of(act)) and mandate.on_behalf_of != task.assignee:
        raise Conflict(f"Expected a free task, but {tasks.name_of(act, task.assignee)} claimed it", code="CLAIMED")
    if not reason.strip():
        raise Invalid(
            "Expected a reason for giving a task to somebody else, but there is none", {"reason": "is missing"}
        )
    tasks.refuse_size(reason)
    theirs = [one for one in eligibility.mandates_for(act.session, task, user_id, now=act.now) if not one.on_behalf_of]
    person = eligibility.directory_of(act.session).person(act.session, user_id)
    if person is None or not person.is_active or not theirs:
        raise Forbidden(
            f"Expected somebody who may take {task.name}, but {tasks.name_of(act, user_id)} may not",
            code="NOT_A_CANDIDATE",
        )
    tasks.refuse_barred(act, task, user_id, theirs[0])
    changing.refuse_changing(act, task)
    was = changing.before(task)
    task.assignee = user_id
    note = f"{tasks.name_of(act, act.user_id)} gave it to {person.name}: {reason.strip()}"
    changing.settle(act, task, was, Change("assign", "TASK_ASSIGNED", new=user_id, reason=reason.strip(), note=note))
    return task


def assign(act: Act, task_id: str, principals: Sequence[str], reason: str) -> Task:
    """Give an open task to other candidates, for a reason; who may do this is the caller's to check. Raises.

    As ``claim``.
    """
    task, _ = tasks.held(act, task_id, None)
    tasks.refuse_closed(act, task, None)
    changing.refuse_changing(act, task)
    was = changing.before(task)
    task.candidates = [opening.principal("user", name) for name in principals]
    task.assignee, task.lent_by = None, None
    given = ", ".join(principals)
    change = Change(
        "update", "TASK_ASSIGNED", new=given, reason=reason, note=f"Given to {given}: {reason}",
        ends_loan=was["lent_by"] is not None, is_judged=True,
    )  # fmt: skip
    changing.settle(act, task, was, change)
    return task


def replace(act: Act, task_id: str, gone: str, heir: str | None, reason: str) -> Task:
    """Put somebody in the place of a person who is gone, in one open task; everybody else stays where they are.

    gone, heir: user ids; without an heir the task goes back to its other candidates, or, when it was lent, to whoever lent it.
    Raises: Conflict when it is closed by now, or when nobody would be left.
    """
    task, _ = tasks.held(act, task_id, None)
    if task.state != TaskState.OPEN:
        raise Conflict(f"Expected an open task, but {task.title} is {task.state.lower()}", code="TASK_CLOSED")
    changing.refuse_changing(act, task)
    was = changing.before(task)
    others = [name for name in task.candidates if name != f"user:{gone}"]
    was_named, was_lent = len(others) < len(task.candidates), task.lent_by is not None
    if heir is None and not others and not (was_lent and task.lent_by != gone):
        raise Conflict(f"Expected somebody to take {task.title}, but it names nobody else", code="NOBODY_LEFT")
    is_candidate = heir is not None and (was_named or not _may_take(act, task, others, heir))
    task.candidates = list(dict.fromkeys([*others, *([f"user:{heir}"] if is_candidate else [])])) or task.candidates
    if task.lent_by == gone:
        task.lent_by = heir if heir != task.assignee else None
    elif task.assignee == gone:
        task.assignee, task.lent_by = (task.lent_by if was_lent and heir is None else heir), None
    words_of_it = f"Taken over from {tasks.name_of(act, gone)} by {tasks.name_of(act, heir) if heir else 'the other candidates'}: {reason}"
    change = Change("assign", "TASK_TAKEN_OVER", old=gone, new=heir, reason=reason, note=words_of_it, is_judged=True)
    changing.settle(act, task, was, change)
    return task


def _may_take(act: Act, task: Task, principals: Sequence[str], user_id: str) -> bool:
    people, _ = eligibility.eligible(act.session, task, principals, now=act.now)
    return any(person.id == user_id for person in people)
