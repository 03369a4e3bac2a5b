"""Seats that nobody may vote from any more: a declared conflict of interest, a place on the board that ended."""

from __future__ import annotations

from engine.act import Act
from engine.errors import Conflict, Invalid
from processes.board_calling import barred_from, seat_for_the_role
from processes.board_outcome import decided_words, is_up, outcome, settle_agenda
from processes.board_tasks import Decidable, hand_over, standing_seat
from records.roles import user_called
from records.vote import BoardSeat, ConflictOfInterest, conflicts_on, requirements_of
from rules.board_votes import is_vacant


def declare_conflict(act: Act, target: Decidable, *, reason: str) -> ConflictOfInterest:
    """Say that the acting person does not decide about this, for good; a function left without members falls to its role.

    Raises: Invalid without a reason; Conflict for who voted on this content already, or when nothing is up for decision any more.
    """
    if not reason.strip():
        raise Invalid("Expected what the interest is, but there is nothing", {"reason": "is required"})
    if not is_up(target) or outcome(act.session, target) is not None:
        raise Conflict(
            f"Expected {target.number} to be up for decision, but it is not. {decided_words(act.session, target)}".strip(),
            code="NOT_UP", record=(target.record_type, target.id),
        )  # fmt: skip
    user = user_called(act.session, act.user_id or "")
    known = next((one for one in conflicts_on(act.session, target.id) if one.user_id == user.id), None)
    if known is not None:
        return known
    found = requirements_of(act.session, target.id, target.content_hash)
    if any(seat.vote is not None and seat.vote.voter_id == user.id for one in found for seat in one.seats):
        raise Conflict(
            f"Expected a conflict to be declared before the vote, but you voted on {target.number} already", code="ALREADY_VOTED",
            record=(target.record_type, target.id),
        )  # fmt: skip
    conflict = ConflictOfInterest(
        target_type=target.record_type, target_id=target.id, user_id=user.id, user=user, reason=reason.strip()[:4000], declared_at=act.now,
    )  # fmt: skip
    act.session.add(conflict)
    act.session.flush()
    act.note(target.record_type, target.id, "CONFLICT_DECLARED", field=user.id, reason=conflict.reason)
    for requirement in found:
        for seat in list(requirement.seats):
            if seat.user_id == user.id and seat.vote is None:
                give_up(act, target, seat, why=f"{user.name} declared a conflict of interest")
    settle_agenda(act, target)
    return conflict


def give_up(act: Act, target: Decidable, seat: BoardSeat, *, why: str) -> BoardSeat | None:
    """Let a function go on without a seat that fell vacant; where none is left, any holder of its role takes the place.

    The task that asked for it goes to them, or ends. Returns the seat that took its place, or None.
    """
    barred = barred_from(act.session, target)
    requirement, instead = seat.requirement, None
    if all(is_vacant(one, barred) for one in requirement.seats):
        seat_for_the_role(act, requirement)
        instead = standing_seat(seat, barred)
    hand_over(act, target, seat, to=instead, why=why)
    return instead
