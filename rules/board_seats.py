"""Who may vote when they press: no conflict of interest, still on the board, still holding the seat's role, or in place of who does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy.orm import Session

from engine.decisions import Decision
from engine.eligibility import directory_of
from engine.errors import Finding
from engine.ports import Mandate
from engine.record import Edit, Operation
from engine.stored.task import Task
from records.board import Membership
from records.change_order import ChangeOrderAddendum
from records.person import User
from records.roles import as_held_by, holds, role_code
from records.signature import Meaning
from records.vote import AGREEING, BoardRequirement, BoardSeat, Verdict, conflicts_on, requirements_of
from rules.board_votes import is_vacant
from rules.law import block, law

VERDICTS = frozenset(verdict.value for verdict in Verdict)

VOTE_ELEMENT = "vote_on_change"
"""The task of a seat, in whatever flow asks the board."""

SLOT_ELEMENT = "decide_slot"
"""The task of a seat of an approval round, which is how an addendum is signed."""

FLOW = "change_control"
"""The flow that boards belong to: an absence that is limited to other flows lends no vote."""


@dataclass(frozen=True, slots=True)
class Right:
    """By which somebody votes from a seat. on_behalf_of: whose right it is, None for their own."""

    on_behalf_of: str | None = None


@dataclass
class Voter:
    """One person who would vote at an instant, with what they may do for others then. flow: of the task that asks."""

    session: Session
    user_id: str
    now: dt.datetime
    flow: str = FLOW

    @cached_property
    def mandates(self) -> Sequence[Mandate]:
        """Return under what they may act."""
        return directory_of(self.session).mandates(self.session, self.user_id, at=self.now, flow=self.flow)

    def right_to(self, seat: BoardSeat) -> Right | None:
        """Return by what right they may vote from a seat, their own before somebody else's; None without one.

        The appointed deputy must hold the role; who stands in for an absent member, or was lent the role, acts as that one may.
        """
        if seat.membership is not None and not seat.membership.is_valid(self.now):
            return None
        if seat.user_id is None:
            lent = [one.on_behalf_of for one in self.mandates if _bare(one.principal) == seat.role and one.on_behalf_of]
            if holds(self.session, self.user_id, seat.role, at=self.now):
                return Right()
            return Right(lent[0]) if lent else None
        return self._right_to_place(seat.user_id, seat.deputy_id, seat.role)

    def right_to_place(self, place: Membership) -> Right | None:
        """Return by what right they sit in a place on a board, as ``right_to``."""
        return self._right_to_place(place.user_id, place.deputy_id, place.role) if place.is_valid(self.now) else None

    def _right_to_place(self, member: str, deputy: str | None, role: str) -> Right | None:
        if self.user_id == member:
            return Right() if holds(self.session, member, role, at=self.now) else None
        if self.user_id == deputy and holds(self.session, self.user_id, role, at=self.now):
            return Right(member)
        wanted = {f"user:{member}", as_held_by(role, member)}
        stands_in = any(one.on_behalf_of == member and one.principal in wanted for one in self.mandates)
        return Right(member) if stands_in and holds(self.session, member, role, at=self.now) else None

    def bar_on(self, seat: BoardSeat, barred: Collection[str], others: Sequence[BoardRequirement]) -> str | None:
        """Return why they may not vote from a seat though they have a right to it, as it follows "but"; None when they may.

        Persons count once: who voted, and whoever was voted for, gives no further vote on the same content.
        """
        right = self.right_to(seat)
        absent = right.on_behalf_of if right is not None else None
        spoke = {
            name
            for one in others
            for other in one.seats
            if other.vote is not None
            for name in (other.vote.voter_id, other.vote.on_behalf_of_id)
        }
        for person in (self.user_id, absent):
            if person is not None and person in barred:
                return f"{self.name_of(person)} declared a conflict of interest"
            if person is not None and person in spoke:
                return f"{self.name_of(person)} voted already, or somebody did on behalf of them"
        return None

    def name_of(self, user_id: str) -> str:
        """Return a person's name as a sentence needs it."""
        user = self.session.get(User, user_id)
        return user.name if user is not None else user_id


def bars_on_vote(session: Session, task: Task, user_id: str, *, now: dt.datetime) -> Iterator[Finding]:
    """Yield what bars a person from the task of a seat; nothing for any other task, or where no board was called."""
    if not asks_a_seat(task) or task.record_type is None or task.record_id is None:
        return
    about = (task.record_type, task.record_id)
    voter = Voter(session, user_id, now, task.flow or FLOW)
    barred = {conflict.user_id for conflict in conflicts_on(session, task.record_id)}
    found = requirements_of(session, task.record_id, task.record_hash)
    seats = [seat for one in found for seat in one.seats]
    name = voter.name_of(user_id)
    if user_id in barred:
        yield block(
            "SOD-8", f"Expected somebody without an interest in {task.record_number}, but {name} declared a conflict.", about,
            way_out="Another seat of the function, or another holder of its role, votes.",
        )  # fmt: skip
    elif own := _own_seat_besides(task, seats, user_id):
        yield block(
            "SOD-8",
            f"Expected {name} to vote on {task.record_number} for {function_words(own.requirement.function)}, where they sit, but "
            "this seat is another's, and each person votes once.",
            about,
            way_out=f"{name} votes from their own task; the member of this seat votes here.",
        )
    elif asked := [seat for seat in seats if is_asked(task, seat) and not is_vacant(seat, barred)]:
        fitting = [seat for seat in asked if voter.right_to(seat) is not None]
        why = [voter.bar_on(seat, barred, found) for seat in fitting]
        if not fitting:
            yield block(
                "SOD-8",
                f"Expected {name} to sit on the board, or to stand in for the member, and that the role of the seat is held when voting "
                f"on {task.record_number}, but it is not so.",
                about,
                way_out="The keeper of the board appoints somebody who holds the role.",
            )
        elif all(why):
            yield block(
                "SOD-8", f"Expected one vote of each person on {task.record_number}, but {why[0]}.", about,
                way_out="The member of this seat votes, or somebody else who stands in for them.",
            )  # fmt: skip


@law("UNSIGNED", on=Decision)
def a_signature_says_what_its_vote_says(edit: Edit) -> Iterator[Finding]:
    """Of a seat of the board an approval is signed as approved, and nothing else is."""
    decision = edit.record
    if edit.operation is not Operation.INSERT or decision.verdict not in VERDICTS or not decision.meaning:
        return
    is_addendum = decision.element_id == SLOT_ELEMENT and decision.record_type == ChangeOrderAddendum.record_type
    if decision.element_id != VOTE_ELEMENT and not is_addendum:
        return
    verdict = Verdict(decision.verdict)
    if (decision.meaning == Meaning.APPROVED) != (verdict in AGREEING):
        yield block(
            "UNSIGNED",
            f"Expected a signature that says what the vote says, but the vote says {verdict.words} and the signature "
            f"{decision.meaning.lower()}.",
            (decision.record_type, decision.record_id),
            way_out="Choose the meaning that fits: approved for an approval, rejected or reviewed otherwise.",
        )


def may_vote(
    session: Session, seats: Sequence[BoardSeat], user_id: str, barred: Collection[str], *, now: dt.datetime
) -> bool:
    """Whether one of these seats is open for a person: they have no conflict, did not vote, and sit there or hold its role."""
    if user_id in barred:
        return False
    voter, found = (
        Voter(session, user_id, now),
        list({seat.requirement_id: seat.requirement for seat in seats}.values()),
    )
    return any(
        voter.right_to(seat) is not None and voter.bar_on(seat, barred, found) is None
        for seat in seats
        if seat.vote is None and not is_vacant(seat, barred)
    )


def asks_a_seat(task: Task) -> bool:
    """Whether a task asks for the vote of a seat, of a change order or of an addendum."""
    is_addendum = task.element_id == SLOT_ELEMENT and task.record_type == ChangeOrderAddendum.record_type
    return task.element_id == VOTE_ELEMENT or is_addendum


def principals_of(seat: BoardSeat) -> list[str]:
    """Return who is asked to vote from a seat: its member and whoever stands in for them, or the holders of its role."""
    if seat.user_id is None:
        return [f"role:{seat.role}"]
    return [f"user:{seat.user_id}", as_held_by(seat.role, seat.user_id)]


def is_asked(task: Task, seat: BoardSeat) -> bool:
    """Whether a task may be the one of a seat, as far as its candidates say."""
    # A deputy was asked by name in tasks that are older than the principal of those who stand in for somebody.
    asked = {*principals_of(seat), *([f"user:{seat.deputy_id}"] if seat.deputy_id else [])}
    return not task.candidates or bool(asked & set(task.candidates))


def function_words(function: str) -> str:
    """Return a function as people read it."""
    return function.replace("_", " ").lower()


def _own_seat_besides(task: Task, seats: Sequence[BoardSeat], user_id: str) -> BoardSeat | None:
    """Return the seat where a person sits themselves, if it is open and this task is asked of another seat."""
    own = [seat for seat in seats if seat.user_id == user_id and seat.vote is None and not is_vacant(seat, ())]
    return own[0] if own and not any(is_asked(task, seat) for seat in own) else None


def _bare(principal: str) -> str:
    """Return the role of a principal, whatever its scope; empty for a person, and for what is lent for one person's places only."""
    return "" if "@user:" in principal else role_code(principal)
