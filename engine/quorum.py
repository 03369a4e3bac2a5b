"""Who has to agree: the tally of a multi-instance body and, once it is settled, its verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

COUNTS_FOR = frozenset({"approve", "approve_with_condition"})
WEIGHT = ("reject", "return")
"""What outweighs an approval, the heaviest first."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What the places of a body say so far. verdict: None until settled."""

    places: int
    votes: Mapping[str, int]
    verdict: str | None

    @property
    def decided(self) -> int:
        """How many places have a verdict."""
        return sum(self.votes.values())

    def as_variable(self) -> dict[str, object]:
        """Return the variable ``tally`` that a completion condition sees."""
        approve = sum(count for verdict, count in self.votes.items() if verdict in COUNTS_FOR)
        return {
            "slots": Decimal(self.places),
            "decided": Decimal(self.decided),
            "open": Decimal(self.places - self.decided),
            "approve": Decimal(approve),
            "reject": Decimal(self.votes.get("reject", 0)),
            "return": Decimal(self.votes.get("return", 0)),
        }


def count(verdicts: Mapping[int, str], *, places: int, quorum: str | Decimal) -> Tally:
    """Count the standing verdict of each place. A place whose last word was ``ask`` is not in ``verdicts``.

    quorum: ``all`` waits for every place, then reject outweighs return outweighs approve; ``unanimous`` settles on the
    first reject; a number of approvals settles when it is reached, or when the open places can no longer reach it.
    """
    votes: dict[str, int] = {}
    for verdict in verdicts.values():
        votes[verdict] = votes.get(verdict, 0) + 1
    return Tally(places, votes, _verdict(votes, places, quorum))


def _verdict(votes: Mapping[str, int], places: int, quorum: str | Decimal) -> str | None:
    decided = sum(votes.values())
    if isinstance(quorum, Decimal):
        return _by_number(votes, places - decided, quorum)
    if quorum == "unanimous" and votes.get("reject"):
        return "reject"
    return _heaviest(votes) if decided >= places else None


def _by_number(votes: Mapping[str, int], left: int, needed: Decimal) -> str | None:
    agreed = sum(count for verdict, count in votes.items() if verdict in COUNTS_FOR)
    if agreed >= needed:
        return "approve"
    if agreed + left < needed:
        return "reject" if votes.get("reject") or not votes.get("return") else "return"
    return None


def _heaviest(votes: Mapping[str, int]) -> str:
    for verdict in WEIGHT:
        if votes.get(verdict):
            return verdict
    others = [verdict for verdict in votes if verdict not in COUNTS_FOR]
    if others:
        return max(others, key=lambda verdict: (votes[verdict], verdict))
    return "approve"
