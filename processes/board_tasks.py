"""The tasks with which a flow asks the seats of a board: which seat each one is, and what becomes of one that nobody may vote from."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import assigning, task_variables
from engine.act import Act
from engine.messages import publish
from engine.stored.task import Task, TaskState
from records.change_order import ChangeOrder, ChangeOrderAddendum
from records.vote import BoardRequirement, BoardSeat
from rules.board_seats import SLOT_ELEMENT, VOTE_ELEMENT, is_asked, principals_of
from rules.board_votes import is_vacant, open_seats

Decidable = ChangeOrder | ChangeOrderAddendum

VOTED = "change.voted"
"""The message that ends the task of a seat which nobody votes from any more."""


def open_tasks(session: Session, target: Decidable) -> Iterator[Task]:
    """Yield the open tasks that ask for a vote on a document, oldest first."""
    wanted = select(Task).where(
        Task.record_type == target.record_type, Task.record_id == target.id, Task.state == TaskState.OPEN,
        Task.element_id == (VOTE_ELEMENT if isinstance(target, ChangeOrder) else SLOT_ELEMENT),
    )  # fmt: skip
    yield from session.scalars(wanted.order_by(Task.created_at, Task.id))


def task_of(session: Session, target: Decidable, seat: BoardSeat, barred: Collection[str]) -> Task | None:
    """Return the open task that asks for the vote of a seat, or None when no flow asks."""
    for task in open_tasks(session, target):
        if not is_asked(task, seat) and task.assignee is None:
            continue
        asked = seat_asked(session, task, seat.requirement, barred)
        if asked is not None and asked.id == seat.id:
            return task
    return None


def seat_asked(
    session: Session, task: Task, requirement: BoardRequirement, barred: Collection[str]
) -> BoardSeat | None:
    """Return the seat of a function that a task asks, or the one that took its place; None when it asks another function."""
    slot = task_variables.variables_of(session, task).get("slot") or {}
    if "seat" in slot:
        return standing_seat(next((one for one in requirement.seats if one.id == slot["seat"]), None), barred)
    if (int(slot.get("stage") or 0), slot.get("role")) == (requirement.position, requirement.role):
        return next(iter(open_seats(requirement, barred)), None)
    return None


def standing_seat(seat: BoardSeat | None, barred: Collection[str]) -> BoardSeat | None:
    """Return a seat, or the open seat of its function's role that took its place when it fell vacant."""
    if seat is None or not is_vacant(seat, barred):
        return seat
    return next((one for one in open_seats(seat.requirement, barred) if one.user_id is None), None)


def hand_over(act: Act, target: Decidable, seat: BoardSeat, *, to: BoardSeat | None, why: str) -> None:
    """Give the task of a vacant seat to the holders of its role, or end it where the function goes on without it."""
    for task in open_tasks(act.session, target):
        slot = task_variables.variables_of(act.session, task).get("slot") or {}
        if slot.get("seat") != seat.id:
            continue
        if to is not None:
            assigning.assign(act, task.id, principals_of(to), why)
        else:
            publish(act, VOTED, correlation_key=f"{target.id}:{seat.id}", message_id=f"vacant:{seat.id}", why=why)
