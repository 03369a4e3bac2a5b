"""Who may still vote when they press: no conflict of interest meanwhile, still on the board, still holding the seat's role."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence

from sqlalchemy.orm import Session

from engine.errors import Finding
from engine.stored.task import Task
from records.roles import holds
from records.vote import BoardSeat, conflicts_on, requirements_of
from rules.board_votes import is_vacant
from rules.law import block

VOTE_ELEMENT = "vote_on_change"
"""The task of a seat, in whatever flow asks the board."""

SLOT_ELEMENT = "decide_slot"
"""The task of a seat of an approval round, which is how an addendum is signed."""


def bars_on_vote(session: Session, task: Task, user_id: str, *, now: dt.datetime) -> Iterator[Finding]:
    """Yield what bars a person from the task of a seat; nothing for any other task, or where no board was called."""
    if task.element_id != VOTE_ELEMENT or task.record_type is None or task.record_id is None:
        return
    about = (task.record_type, task.record_id)
    barred = {conflict.user_id for conflict in conflicts_on(session, task.record_id)}
    seats = [seat for one in requirements_of(session, task.record_id, task.record_hash) for seat in one.seats]
    if user_id in barred:
        yield block(
            "SOD-8", f"Expected somebody without an interest in {task.record_number}, but {user_id} declared a conflict.", about,
            way_out="Another seat of the function, or another holder of its role, votes.",
        )  # fmt: skip
    elif any(seat.vote is not None and seat.vote.voter_id == user_id for seat in seats):
        yield block(
            "SOD-8", f"Expected one vote of each person on {task.record_number}, but {user_id} voted already.", about,
            way_out="The member of this seat votes, or their deputy.",
        )  # fmt: skip
    elif own := _own_seat_besides(task, seats, user_id):
        yield block(
            "SOD-8",
            f"Expected {user_id} to vote on {task.record_number} for {own.requirement.function}, where they sit, but this seat is "
            "another's, and each person votes once.",
            about,
            way_out=f"{user_id} votes from their own task; the member of this seat votes here.",
        )
    elif seats and not any(_fits(session, seat, user_id, now) for seat in seats if _is_asked(task, seat)):
        yield block(
            "SOD-8",
            f"Expected {user_id} to sit on the board, or to be the deputy appointed with the seat, and to hold the role of the seat "
            f"when voting on {task.record_number}, but they do not.",
            about,
            way_out="The keeper of the board appoints somebody who holds the role.",
        )


def may_vote(
    session: Session, seats: Sequence[BoardSeat], user_id: str, barred: Collection[str], *, now: dt.datetime
) -> bool:
    """Whether one of these seats is open for a person: they have no conflict, did not vote, and sit there or hold its role."""
    if user_id in barred or any(seat.vote is not None and seat.vote.voter_id == user_id for seat in seats):
        return False
    return any(
        _fits(session, seat, user_id, now) for seat in seats if seat.vote is None and not is_vacant(seat, barred)
    )


def _is_asked(task: Task, seat: BoardSeat) -> bool:
    """Whether a task may be the one of a seat, as far as its candidates say."""
    if not task.candidates:
        return True
    people = [f"user:{person}" for person in (seat.user_id, seat.deputy_id) if person] or [f"role:{seat.role}"]
    return bool(set(people) & set(task.candidates))


def _own_seat_besides(task: Task, seats: Sequence[BoardSeat], user_id: str) -> BoardSeat | None:
    """Return the seat where a person sits themselves, if it is open and this task is asked of another seat."""
    own = [seat for seat in seats if seat.user_id == user_id and seat.vote is None and not is_vacant(seat, ())]
    return own[0] if own and not any(_is_asked(task, seat) for seat in own) else None


def _fits(session: Session, seat: BoardSeat, user_id: str, now: dt.datetime) -> bool:
    if seat.user_id is not None and user_id not in (seat.user_id, seat.deputy_id):
        return False
    return (seat.membership is None or seat.membership.is_valid(now)) and holds(session, user_id, seat.role, at=now)
