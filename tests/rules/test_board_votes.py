"""What votes come to: each function by its rule, vetoes, conflicts, and the board as a whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import pytest

from records.board import Membership
from records.signature import Signature, SignatureStatus
from records.vote import BoardRequirement, BoardSeat, Outcome, Verdict, Vote, VoteRule
from rules.board_votes import dissenting, outcome_of, standing_as_cast, standing_of, tally_words

SHORT = {"+": Verdict.APPROVE, "c": Verdict.APPROVE_WITH_CONDITION, "-": Verdict.REJECT, "r": Verdict.RETURN, "s": Verdict.SPLIT,
         "0": Verdict.ABSTAIN}  # fmt: skip


def function(rule: str, said: str, *, needed: int = 1, weights: Iterable[int] = (), veto: str = "") -> BoardRequirement:
    """Return a function whose members said this, one sign each: ``.`` for who did not vote, ``veto`` for whose refusal ends it."""
    made = BoardRequirement(function="QUALITY", rule=VoteRule(rule), needed=needed)
    for place, (sign, weight) in enumerate(zip(said, list(weights) or [1] * len(said), strict=True)):
        person = f"p{place}"
        seat = BoardSeat(requirement=made, user_id=person, weight=weight, has_veto=person in veto.split())
        if sign != ".":
            signature = Signature(status=SignatureStatus.VALID)
            seat.vote = Vote(voter_id=person, verdict=SHORT[sign], weight=weight, signature=signature)
    return made


@pytest.mark.parametrize(
    ("rule", "needed", "weights", "said", "veto", "barred", "tally", "expected"),
    [
        ("ALL", 1, (), "..", "", "", "Quality 0/2", None),
        ("ALL", 1, (), "+.", "", "", "Quality 1/2", None),
        ("ALL", 1, (), "+c", "", "", "Quality 2/2", Outcome.APPROVE),
        ("ALL", 1, (), "+.", "", "p1", "Quality 1/1", Outcome.APPROVE),  # who has an interest does not count
        ("ALL", 1, (), "+-", "", "", "Quality 1/2", Outcome.REJECT),
        ("ALL", 1, (), "+0", "", "", "Quality 1/2", Outcome.SPLIT),  # everybody was heard, and too many abstained
        ("ALL", 1, (), "r.", "", "", "Quality 0/2", None),  # a return waits until everybody was heard
        ("ALL", 1, (), "r+", "", "", "Quality 1/2", Outcome.RETURN),
        ("ALL", 1, (), "rs", "", "", "Quality 0/2", Outcome.SPLIT),
        ("N_OF", 2, (), "+..", "", "", "Quality 1/2", None),
        ("N_OF", 2, (), "+.+", "", "", "Quality 2/2", Outcome.APPROVE),  # the third need not be asked
        ("N_OF", 2, (), "+-.", "", "", "Quality 1/2", None),  # two may still agree
        ("N_OF", 2, (), "--.", "", "", "Quality 0/2", Outcome.REJECT),  # they cannot any more
        ("N_OF", 2, (), "+-.", "p1", "", "Quality 1/2", Outcome.REJECT),  # a veto ends it
        ("N_OF", 2, (), "++-", "p2", "", "Quality 2/2", Outcome.REJECT),
        ("N_OF", 2, (), "+..", "", "p1 p2", "Quality 1/2", Outcome.SPLIT),  # nobody left to make it two
        ("WEIGHT", 4, (3, 2, 1), "+..", "", "", "Quality 3/4", None),
        ("WEIGHT", 4, (3, 2, 1), "+.+", "", "", "Quality 4/4", Outcome.APPROVE),
        ("WEIGHT", 4, (3, 2, 1), "-..", "", "", "Quality 0/4", Outcome.REJECT),  # 2 and 1 do not reach 4
        ("WEIGHT", 4, (3, 2, 1), ".-.", "", "", "Quality 0/4", None),
        ("WEIGHT", 4, (3, 2, 1), "+0.", "", "p2", "Quality 3/4", Outcome.SPLIT),
    ],
)
def test_a_function_speaks_by_its_rule_and_its_members_without_a_conflict(
    rule: str, needed: int, weights: tuple[int, ...], said: str, veto: str, barred: str, tally: str, expected: Outcome | None
) -> None:  # fmt: skip
    standing = standing_of(function(rule, said, needed=needed, weights=weights, veto=veto), barred.split())
    assert standing.words == tally
    assert outcome_of([standing]) is expected


def test_every_function_agrees_or_the_board_does_not() -> None:
    agreed, waits, refused = (
        standing_of(function("N_OF", said, veto="p0"), ()) for said in ("+", ".", "-")
    )  # fmt: skip
    assert outcome_of([]) is None
    assert outcome_of([agreed, waits]) is None
    assert outcome_of([agreed, waits, refused]) is Outcome.REJECT
    assert tally_words([agreed, waits]) == "Quality 1/1, Quality 0/1, board 1 of 2"


def test_a_place_that_ended_counts_no_more_unless_it_was_voted_from() -> None:
    for said, expected in (("+.", Outcome.APPROVE), ("+-", Outcome.REJECT)):
        made = function("ALL", said)
        made.seats[1].membership = Membership(valid_from=dt.datetime.now(dt.UTC), valid_to=dt.datetime.now(dt.UTC))
        assert outcome_of([standing_of(made, ())]) is expected


def test_what_was_decided_stays_decided_when_its_signatures_are_superseded() -> None:
    made = function("ALL", "+r")
    for seat in made.seats:
        assert seat.vote is not None
        seat.vote.signature.status = SignatureStatus.SUPERSEDED
    assert outcome_of([standing_of(made, ())]) is not Outcome.RETURN
    assert outcome_of([standing_as_cast(made, ())]) is Outcome.RETURN


def test_dissent_is_who_did_not_want_what_was_decided() -> None:
    votes = [seat.vote for seat in function("N_OF", "+-0c").seats if seat.vote is not None]
    assert [vote.voter_id for vote in dissenting(votes, Outcome.APPROVE)] == ["p1"]
    assert [vote.voter_id for vote in dissenting(votes, Outcome.REJECT)] == ["p0", "p3"]
    assert list(dissenting(votes, None)) == []
