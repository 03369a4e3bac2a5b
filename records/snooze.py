"""Snoozes: a task that somebody puts aside until a time or until something happens. Its deadline stays where it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from enum import StrEnum

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, and_, delete, false, func, or_, select, true
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine import eligibility, tasks
from engine.act import Act
from engine.audit import AuditEvent
from engine.database import Base, Id, Instant
from engine.decisions import Decision
from engine.errors import Conflict, Forbidden, Invalid, NotFound
from engine.record import Operation
from engine.stored.task import Task, TaskState
from records.columns import Login, Name
from records.comment import Comment

MOST = 200
"""Tasks that one person may have put aside: whoever needs more needs a deputy."""

LONGEST = dt.timedelta(days=366)


class WakesOn(StrEnum):
    """What brings a task back before its time."""

    COMMENT = "COMMENT"
    CHANGE = "CHANGE"
    DECISION = "DECISION"
    ANYTHING = "ANYTHING"


class TaskSnooze(Base):
    """One task that one person put aside. Not evidence: it only says what they want to see now.

    until_at: when it comes back by itself; wakes_on: what brings it back sooner, or alone. owed: the reminder that came meanwhile and
    is told when the task is back.
    """

    __tablename__ = "task_snooze"
    __table_args__ = (
        CheckConstraint("until_at IS NOT NULL OR wakes_on IS NOT NULL", name="ends_some_time"),
        CheckConstraint(
            "wakes_on IS NULL OR wakes_on IN ('COMMENT', 'CHANGE', 'DECISION', 'ANYTHING')", name="wakes_on"
        ),
    )

    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    task_id: Mapped[Id] = mapped_column(ForeignKey("task.id"), primary_key=True)
    until_at: Mapped[Instant | None] = mapped_column(index=True)
    wakes_on: Mapped[str | None]
    owed: Mapped[Name | None]
    snoozed_at: Mapped[Instant]


def snooze(act: Act, task_id: str, *, until: dt.datetime | None = None, wakes_on: WakesOn | None = None) -> TaskSnooze:
    """Put an open task of the acting person aside, until a time, until something happens, or whichever comes first.

    Raises: NotFound when it is not theirs; Conflict when it is closed or too many are put aside; Invalid for a time that is past.
    """
    user_id = _person(act)
    _refuse_not_own(act, task_id, user_id)
    if until is None and wakes_on is None:
        raise Invalid(
            "Expected to know until when, or until what, but neither is chosen", {"until": "choose a time or an event"}
        )
    if until is not None and not act.now < until <= act.now + LONGEST:
        raise Invalid(
            f"Expected a time to come, at most {LONGEST.days} days ahead, but found {until:%Y-%m-%d %H:%M}",
            {"until": "choose a later time" if until <= act.now else "choose an earlier time"},
        )
    found = act.session.get(TaskSnooze, (user_id, task_id))
    if found is None:
        _refuse_too_many(act.session, user_id)
        found = TaskSnooze(user_id=user_id, task_id=task_id)
        act.session.add(found)
    found.until_at, found.wakes_on, found.snoozed_at = until, wakes_on.value if wakes_on else None, act.now
    return found


def wake(act: Act, task_id: str) -> None:
    """Take a task of the acting person back into their inbox. Raises: NotFound when they did not put it aside."""
    found = act.session.get(TaskSnooze, (_person(act), task_id)) if len(task_id) == 36 else None
    if found is None:
        raise NotFound("Expected a task that you put aside, but this one you did not")
    act.session.delete(found)


def asleep(session: Session, user_id: str, *, now: dt.datetime) -> dict[str, TaskSnooze]:
    """Return the open tasks that a person put aside and that nothing brought back yet, by task id."""
    wanted = (
        select(TaskSnooze)
        .join(Task, Task.id == TaskSnooze.task_id)
        .where(TaskSnooze.user_id == user_id, Task.state == TaskState.OPEN, ~is_over(now))
    )
    return {one.task_id: one for one in session.scalars(wanted)}


def sleepers(session: Session, task_id: str, user_ids: Collection[str], *, now: dt.datetime) -> list[TaskSnooze]:
    """Return the snoozes of a task that hold now for some people."""
    wanted = (
        select(TaskSnooze)
        .join(Task, Task.id == TaskSnooze.task_id)
        .where(TaskSnooze.task_id == task_id, TaskSnooze.user_id.in_(list(user_ids)), ~is_over(now))
    )
    return list(session.scalars(wanted))


def ended(session: Session, *, now: dt.datetime, limit: int) -> list[TaskSnooze]:
    """Return snoozes that are over: their time came, something happened, or their task is closed."""
    wanted = (
        select(TaskSnooze)
        .join(Task, Task.id == TaskSnooze.task_id)
        .where(or_(Task.state != TaskState.OPEN, is_over(now)))
        .order_by(TaskSnooze.user_id, TaskSnooze.task_id)
        .limit(limit)
    )
    return list(session.scalars(wanted))


def forget(act: Act, ended: TaskSnooze) -> bool:
    """Delete a snooze that is over; False when another worker did, or when it was made anew meanwhile."""
    gone = delete(TaskSnooze).where(
        TaskSnooze.user_id == ended.user_id, TaskSnooze.task_id == ended.task_id,
        TaskSnooze.snoozed_at == ended.snoozed_at,
    )  # fmt: skip
    return act.session.connection().execute(gone).rowcount == 1


def is_over(now: dt.datetime) -> ColumnElement[bool]:
    """Return the condition that a snooze, joined with its task, is over: by its time, or by what others did since."""
    return or_(
        func.coalesce(TaskSnooze.until_at <= now, false()),
        *(
            and_(TaskSnooze.wakes_on.in_((kind.value, WakesOn.ANYTHING.value)), happened)
            for kind, happened in (
                (WakesOn.COMMENT, _was_commented()),
                (WakesOn.CHANGE, _was_changed()),
                (WakesOn.DECISION, _was_decided()),
            )
        ),
    )


def _was_commented() -> ColumnElement[bool]:
    said = select(true()).where(
        Comment.about_type == func.coalesce(Task.record_type, "task"),
        Comment.created_at > TaskSnooze.snoozed_at,
        Comment.created_by != "user:" + TaskSnooze.user_id,
        or_(Comment.about_id == Task.record_id, and_(Task.record_id.is_(None), Comment.about_type == "task")),
    )
    return said.correlate(Task, TaskSnooze).exists()


def _was_changed() -> ColumnElement[bool]:
    changed = select(true()).where(
        AuditEvent.record_type == Task.record_type,
        AuditEvent.record_id == Task.record_id,
        AuditEvent.action.in_([one.value for one in Operation]),
        AuditEvent.at > TaskSnooze.snoozed_at,
        AuditEvent.actor != "user:" + TaskSnooze.user_id,
    )
    return changed.correlate(Task, TaskSnooze).exists()


def _was_decided() -> ColumnElement[bool]:
    decided = select(true()).where(
        Decision.instance_id == Task.instance_id,
        Decision.decided_at > TaskSnooze.snoozed_at,
        Decision.actor_id != TaskSnooze.user_id,
    )
    return decided.correlate(Task, TaskSnooze).exists()


def _refuse_not_own(act: Act, task_id: str, user_id: str) -> None:
    task = tasks.find(act.session, task_id)
    if not tasks.may_see(act.session, task, user_id):
        raise NotFound(f"Expected a task {task_id}, but there is none")
    if task.state != TaskState.OPEN:
        raise Conflict("Expected an open task to put aside, but it is closed", code="TASK_CLOSED")
    if not eligibility.mandates_for(act.session, task, user_id, now=act.now):
        raise NotFound("Expected a task that waits for you, but this one waits for others")


def _refuse_too_many(session: Session, user_id: str) -> None:
    held = session.scalar(select(func.count()).where(TaskSnooze.user_id == user_id)) or 0
    if held >= MOST:
        raise Conflict(f"Expected at most {MOST} tasks put aside, but you have {held}; take some back first")


def _person(act: Act) -> str:
    if act.user_id is None:
        raise Forbidden(f"Expected a person to put tasks aside, but {act.actor} is none")
    return act.user_id
