"""What the votes on one content come to, now or when they were cast, in words and on the agendas it stands on."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.words import clock_time
from processes.board_calling import barred_from
from processes.board_tasks import Decidable
from records.change_order import AddendumStatus, ChangeOrder, ChangeOrderStatus
from records.meeting import AgendaItem, ItemStatus, Meeting, MeetingStatus
from records.vote import Outcome, conflicts_on, requirements_of, votes_on
from rules.board_votes import Standing, outcome_of, standing_as_cast, standing_of


def is_up(target: Decidable) -> bool:
    """Whether a document is up for decision."""
    return target.status is (ChangeOrderStatus.REVIEW if isinstance(target, ChangeOrder) else AddendumStatus.PROPOSED)


def standings(session: Session, target: Decidable, *, content: str | None = None) -> list[Standing]:
    """Return what each function said about a content, the present one unless told otherwise.

    What is up for decision now counts valid signatures; a content that was decided says what its votes came to, though
    a return or a rejection has superseded their signatures since.
    """
    hashed = content or target.content_hash
    found = requirements_of(session, target.id, hashed)
    if hashed == target.content_hash and is_up(target):
        barred = barred_from(session, target)
        return [standing_of(requirement, barred) for requirement in found]
    last = max((vote.cast_at for vote in votes_on(session, target.id) if vote.target_hash == hashed), default=None)
    then = {one.user_id for one in conflicts_on(session, target.id) if last is None or one.declared_at <= last}
    return [standing_as_cast(requirement, then) for requirement in found]


def outcome(session: Session, target: Decidable) -> Outcome | None:
    """Return what the votes on the present content come to; None while the board has not decided."""
    return outcome_of(standings(session, target))


def settle_agenda(act: Act, target: Decidable) -> None:
    """Write down on every agenda what the board decided about the present content, once it has."""
    decided = outcome(act.session, target)
    if decided is None:
        return
    wanted = (
        select(AgendaItem)
        .join(Meeting, Meeting.id == AgendaItem.meeting_id)
        .where(AgendaItem.target_id == target.id, AgendaItem.status == ItemStatus.OPEN)
        .where(Meeting.status.in_((MeetingStatus.PLANNED, MeetingStatus.OPEN)))
    )
    for item in act.session.scalars(wanted):
        item.target_hash, item.outcome, item.status = target.content_hash, decided, ItemStatus.DECIDED
    act.session.flush()


def decided_words(session: Session, target: Decidable) -> str:
    """Say who decided about a document last, when and how; empty before anybody voted."""
    cast = votes_on(session, target.id)
    if not cast:
        return ""
    last = cast[-1]
    came = outcome_of(standings(session, target, content=last.target_hash))
    at = clock_time(session, last.cast_at, now=session.info["act"].now if "act" in session.info else last.cast_at)
    said = f"{last.signature.printed_name} voted last, {last.verdict.words} at {at}"
    return f"{said}, and with that the board {came.words}" if came is not None else said
