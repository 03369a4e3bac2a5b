"""Who may still vote when they press: no conflict of interest meanwhile, still on the board, still holding the seat's role."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from sqlalchemy.orm import Session

from engine.errors import Finding
from engine.stored.task import Task
from records.roles import holds
from records.vote import BoardSeat, conflicts_on, requirements_of
from rules.law import block

VOTE_ELEMENT = "vote_on_change"
"""The task of a seat, in whatever flow asks the board."""


def bars_on_vote(session: Session, task: Task, user_id: str, *, now: dt.datetime) -> Iterator[Finding]:
    """Yield what bars a person from the task of a seat; nothing for any other task, or where no board was called."""
    if task.element_id != VOTE_ELEMENT or task.record_type is None or task.record_id is None:
        return
    found = requirements_of(session, task.record_id, task.record_hash)
    about = (task.record_type, task.record_id)
    if any(conflict.user_id == user_id for conflict in conflicts_on(session, task.record_id)):
        yield block(
            "SOD-8", f"Expected somebody without an interest in {task.record_number}, but {user_id} declared a conflict.", about,
            way_out="Another seat of the function, or another holder of its role, votes.",
        )  # fmt: skip
    elif found and not any(_fits(session, seat, user_id, now) for one in found for seat in one.seats):
        yield block(
            "SOD-8",
            f"Expected {user_id} to sit on the board and to hold the role of the seat when voting on {task.record_number}, but that "
            "ended meanwhile.",
            about,
            way_out="The keeper of the board appoints somebody who holds the role.",
        )


def _fits(session: Session, seat: BoardSeat, user_id: str, now: dt.datetime) -> bool:
    if seat.user_id is not None and user_id not in (seat.user_id, seat.deputy_id):
        return False
    return (seat.membership is None or seat.membership.is_valid(now)) and holds(session, user_id, seat.role, at=now)
