"""What the page of a change shows of its boards: every round with its tally, votes, dissent and conflicts, and where it is talked about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from processes import board as voting
from records.change_order import ChangeOrder, ChangeOrderStatus
from records.meeting import AgendaItem, ItemStatus, Meeting
from records.vote import BoardRequirement, ConflictOfInterest, Outcome, Vote, conflicts_on, requirements_of, votes_on
from rules.board_seats import may_vote
from rules.board_votes import dissenting, outcome_of, tally_words
from webapp.visit import now, visitor


@dataclass(frozen=True, slots=True)
class Round:
    """One content that the board was called for. number: from 1; tally: in words; against: the votes that dissent."""

    number: int
    content_hash: str
    tally: str
    outcome: Outcome | None
    votes: Sequence[Vote]
    against: Collection[Vote]
    is_now: bool


def panel(session: Session, order: ChangeOrder) -> Mapping[str, Any]:
    """Return every round, the newest first, the conflicts of interest and the meetings that have it on their agenda."""
    conflicts: Sequence[ConflictOfInterest] = conflicts_on(session, order.id)
    me = visitor().user_id
    wanted = select(Meeting).join(AgendaItem, AgendaItem.meeting_id == Meeting.id)
    wanted = wanted.where(AgendaItem.target_id == order.id, AgendaItem.status != ItemStatus.REMOVED)
    seats = [seat for one in requirements_of(session, order.id, order.content_hash) for seat in one.seats]
    is_up = order.status is ChangeOrderStatus.REVIEW
    return {
        "rounds": _rounds(session, order), "conflicts": conflicts,
        "meetings": list(session.scalars(wanted.order_by(Meeting.starts_at))),
        "may_declare": is_up and may_vote(session, seats, me, {one.user_id for one in conflicts}, now=now()),
    }  # fmt: skip


def _rounds(session: Session, order: ChangeOrder) -> list[Round]:
    wanted = select(BoardRequirement.target_hash).where(BoardRequirement.target_id == order.id)
    contents = list(dict.fromkeys(session.scalars(wanted.order_by(BoardRequirement.created_at, BoardRequirement.id))))
    cast = votes_on(session, order.id)
    found = []
    for number, content in enumerate(contents, start=1):
        standings = voting.standings(session, order, content=content)
        came, said = outcome_of(standings), [one for one in cast if one.target_hash == content]
        found.append(
            Round(number, content, tally_words(standings), came, said, set(dissenting(said, came)), content == order.content_hash)
        )  # fmt: skip
    return found[::-1]
