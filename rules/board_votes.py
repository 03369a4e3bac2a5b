"""What votes come to: each function by its rule, and the board as a whole. Reads, writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from records.vote import BoardRequirement, BoardSeat, Outcome, Verdict, Vote, VoteRule


@dataclass(frozen=True, slots=True)
class Standing:
    """What one function said so far. agreed, needed: votes, or weights; is_lost: nobody left can make it agree."""

    requirement: BoardRequirement
    agreed: int
    needed: int
    is_agreed: bool
    is_lost: bool
    is_vetoed: bool
    verdicts: tuple[Verdict, ...]
    is_complete: bool

    @property
    def words(self) -> str:
        """The tally as people read it, ``Quality 1/1``."""
        return f"{self.requirement.function.replace('_', ' ').capitalize()} {self.agreed}/{self.needed}"


def is_vacant(seat: BoardSeat, barred: Collection[str]) -> bool:
    """Whether nobody may vote from a seat any more: its member has a conflict of interest, or their place on the board ended."""
    if seat.vote is not None or seat.user_id is None:
        return False
    return seat.user_id in barred or (seat.membership is not None and seat.membership.valid_to is not None)


def standing_of(requirement: BoardRequirement, barred: Collection[str]) -> Standing:
    """Count the votes of a function that hold now. barred: people with a conflict of interest, whose seats do not count."""
    return _stand(requirement, barred, lambda vote: vote.counts)


def standing_as_cast(requirement: BoardRequirement, barred: Collection[str]) -> Standing:
    """Count the votes of a function as they were cast, also where what they led to took their signatures away since."""
    return _stand(requirement, barred, lambda vote: True)


def _stand(requirement: BoardRequirement, barred: Collection[str], counts: Callable[[Vote], bool]) -> Standing:
    seats = [seat for seat in requirement.seats if not is_vacant(seat, barred)]
    votes = [seat.vote for seat in requirement.seats if seat.vote is not None and counts(seat.vote)]
    waiting = [seat for seat in seats if seat.vote is None]
    weigh = requirement.rule is VoteRule.WEIGHT
    agreed = sum(vote.weight if weigh else 1 for vote in votes if vote.agrees)
    possible = agreed + sum(seat.weight if weigh else 1 for seat in waiting)
    # Of ALL, everybody who has no conflict; a vote that was cast before its voter's conflict was known still stands.
    needed = max(len(seats), 1) if requirement.rule is VoteRule.ALL else requirement.needed
    return Standing(
        requirement, agreed, needed, is_agreed=agreed >= needed, is_lost=possible < needed,
        is_vetoed=any(vote.verdict is Verdict.REJECT and vote.seat.has_veto for vote in votes),
        verdicts=tuple(vote.verdict for vote in votes), is_complete=not waiting,
    )  # fmt: skip


def outcome_of(standings: Sequence[Standing]) -> Outcome | None:
    """Return what the board decided, the same in whatever order people voted; None while it has not.

    A veto, or a function that refusals keep from agreeing, ends it at once. Otherwise everybody is heard, unless all agree.
    """
    if not standings:
        return None
    if any(each.is_vetoed or (each.is_lost and Verdict.REJECT in each.verdicts) for each in standings):
        return Outcome.REJECT
    if all(each.is_agreed for each in standings):
        return Outcome.APPROVE
    if not all(each.is_complete or each.is_agreed for each in standings):
        return None
    said = {verdict for each in standings if not each.is_agreed for verdict in each.verdicts}
    if Verdict.SPLIT in said:
        return Outcome.SPLIT
    return Outcome.RETURN if Verdict.RETURN in said else Outcome.SPLIT


def tally_words(standings: Sequence[Standing]) -> str:
    """Return the tally of a board, ``Quality 1/1, Engineering 0/1, board 1 of 2``."""
    agreed = sum(each.is_agreed for each in standings)
    return ", ".join([*(each.words for each in standings), f"board {agreed} of {len(standings)}"])


def dissenting(votes: Sequence[Vote], outcome: Outcome | None) -> Iterator[Vote]:
    """Yield the votes that did not want what was decided."""
    for vote in votes:
        if outcome is not None and vote.agrees != (outcome is Outcome.APPROVE) and vote.verdict is not Verdict.ABSTAIN:
            yield vote


def open_seats(requirement: BoardRequirement, barred: Collection[str]) -> list[BoardSeat]:
    """Return the seats of a function that somebody may still vote from."""
    return [seat for seat in requirement.seats if seat.vote is None and not is_vacant(seat, barred)]
