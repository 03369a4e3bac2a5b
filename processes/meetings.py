"""Meetings of a board: an agenda from what waits, who is there, votes with a quorum, outcomes, and minutes that the chair signs."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from engine.act import Act
from engine.canonical import canonical_json, content_hash
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from processes import board as voting
from processes import board_addenda
from processes.goods_signature import sign
from processes.notices import tell
from records.approval import ApprovalSlot, slots_of
from records.board import Board
from records.change_order import AddendumStatus, ChangeOrder, ChangeOrderAddendum, ChangeOrderStatus
from records.meeting import AgendaItem, Attendance, ItemStatus, Meeting, MeetingStatus, move_meeting
from records.numbering import next_number
from records.roles import grants_of, user_called
from records.signature import Meaning
from records.vote import Vote, conflicts_on, requirements_of, votes_on
from rules.board_seats import Voter
from rules.board_votes import dissenting, outcome_of, tally_words

OPEN_FOR_AGENDA = (MeetingStatus.PLANNED, MeetingStatus.OPEN)


def waiting_for(session: Session, board: Board) -> list[voting.Decidable]:
    """Return what waits for a board: change orders in review, emergencies among them, and addenda of approved orders; by number."""
    orders = session.scalars(select(ChangeOrder).where(ChangeOrder.status == ChangeOrderStatus.REVIEW))
    addenda = session.scalars(select(ChangeOrderAddendum).where(ChangeOrderAddendum.status == AddendumStatus.PROPOSED))
    found: list[voting.Decidable] = [one for one in orders if one.change_class in board.classes]
    found += [one for one in addenda if one.change_order.change_class in board.classes]
    return sorted(found, key=lambda one: one.number)


def plan_meeting(act: Act, board: Board, *, starts_at: dt.datetime, place: str = "") -> Meeting:
    """Plan a meeting with everything that waits on its agenda. Raises: Forbidden for who neither sits on the board nor keeps it."""
    _refuse_stranger(act, board)
    meeting = Meeting(
        number=next_number(act, "MTG", site=board.site), board=board, board_id=board.id, starts_at=starts_at, place=place.strip()[:200],
        chair_id=board.chair_id,
    )  # fmt: skip
    act.session.add(meeting)
    act.session.flush()
    for target in waiting_for(act.session, board):
        add_to_agenda(act, meeting, target)
    return meeting


def add_to_agenda(act: Act, meeting: Meeting, target: voting.Decidable) -> AgendaItem:
    """Put a document on the agenda; what was taken off comes back. Raises: Forbidden; Conflict once the meeting is over."""
    _refuse_stranger(act, meeting.board)
    _refuse_over(meeting)
    if isinstance(target, ChangeOrderAddendum):
        board_addenda.bring(act, target)
    known = next((item for item in meeting.items if item.target_id == target.id), None)
    if known is not None:
        if known.status in (ItemStatus.REMOVED, ItemStatus.POSTPONED):
            known.status = ItemStatus.OPEN
            act.session.flush()
        return known
    item = AgendaItem(
        meeting=meeting, meeting_id=meeting.id, position=max((one.position for one in meeting.items), default=0) + 1,
        target_type=target.record_type, target_id=target.id, target_number=target.number,
    )  # fmt: skip
    act.session.add(item)
    act.session.flush()
    return item


def take_off_agenda(act: Act, item: AgendaItem) -> AgendaItem:
    """Take an item off the agenda. Raises: Forbidden; Conflict for one that is decided."""
    _refuse_stranger(act, item.meeting.board)
    _refuse_over(item.meeting)
    _refuse_decided(item)
    item.status = ItemStatus.REMOVED
    act.session.flush()
    return item


def move_up(act: Act, item: AgendaItem) -> AgendaItem:
    """Let an item be talked about before the one that is ahead of it. Raises: Forbidden; Conflict."""
    _refuse_stranger(act, item.meeting.board)
    _refuse_over(item.meeting)
    ahead = [one for one in item.meeting.agenda if one.position < item.position]
    if ahead:
        item.position, ahead[-1].position = ahead[-1].position, item.position
        act.session.flush()
    return item


def may_attend(session: Session, meeting: Meeting, user_id: str, *, at: dt.datetime) -> bool:
    """Whether somebody belongs in a meeting: in its chair, in a place of its board, or standing in for whoever sits there."""
    members = meeting.board.members_at(at)
    if user_id == meeting.chair_id or any(user_id in (one.user_id, one.deputy_id) for one in members):
        return True
    voter = Voter(session, user_id, at)
    return any(voter.right_to_place(one) is not None for one in members)


def attend(act: Act, meeting: Meeting) -> Attendance:
    """Join a meeting, or come back to it. Raises: Forbidden for who does not sit on the board; Conflict once it is over."""
    _refuse_over(meeting)
    user = user_called(act.session, act.user_id or "")
    if not may_attend(act.session, meeting, user.id, at=act.now):
        raise Forbidden(
            f"Expected a member of {meeting.board.name} or who stands in for one, but you are none",
            code="NOT_AUTHORISED",
        )
    known = next((one for one in meeting.attendances if one.user_id == user.id), None)
    if known is None:
        known = Attendance(meeting=meeting, meeting_id=meeting.id, user=user, user_id=user.id, joined_at=act.now)
        act.session.add(known)
    known.left_at = None
    act.session.flush()
    return known


def leave(act: Act, meeting: Meeting) -> None:
    """Leave a meeting; who left no longer counts for its quorum."""
    for one in meeting.attendances:
        if one.user_id == act.user_id and one.left_at is None:
            one.left_at = act.now
    act.session.flush()


def open_meeting(act: Act, meeting: Meeting) -> Meeting:
    """Open a meeting. Raises: Forbidden for who does not chair it; Conflict when it is no plan any more."""
    _refuse_not_chair(act, meeting)
    attend(act, meeting)
    return move_meeting(act, meeting, MeetingStatus.OPEN)


def cancel_meeting(act: Act, meeting: Meeting, *, reason: str) -> Meeting:
    """Call a planned meeting off; what was on its agenda waits for another one, and its members are told.

    Raises: Forbidden for who does not chair it; Invalid without a reason; Conflict once it was opened.
    """
    _refuse_not_chair(act, meeting)
    if not reason.strip():
        raise Invalid("Expected why the meeting is called off, but there is no reason", {"reason": "is required"})
    move_meeting(act, meeting, MeetingStatus.CANCELLED, reason=reason.strip()[:4000])
    for item in meeting.agenda:
        if item.status is ItemStatus.OPEN:
            item.status = ItemStatus.POSTPONED
    act.session.flush()
    subject = f"{meeting.number} of {meeting.board.name} is called off"
    people = {one.user_id for one in meeting.board.members_at(act.now)} - {act.user_id or ""}
    tell(
        act,
        sorted(people),
        subject,
        key=f"{meeting.id}:cancelled",
        body=reason.strip(),
        record=(meeting.record_type, meeting.id),
    )
    return meeting


def quorum_of(meeting: Meeting, target: voting.Decidable, *, at: dt.datetime) -> tuple[int, int]:
    """Return how many members were present at an instant and how many must be, without those with a conflict of interest here."""
    session = object_session(meeting)
    assert session is not None
    barred = {conflict.user_id for conflict in conflicts_on(session, target.id)}
    at = min(at, meeting.closed_at) if meeting.closed_at is not None else at
    members = [one for one in meeting.board.members_at(at) if one.user_id not in barred]
    there = [
        one.user_id for one in meeting.attendances if meeting.is_present(one.user_id, at) and one.user_id not in barred
    ]
    voters = [Voter(session, one, at) for one in there]
    seated = {
        (voter.user_id, one.user_id)
        for voter in voters
        for one in members
        if voter.user_id in (one.user_id, one.deputy_id) or voter.right_to_place(one) is not None
    }
    # Whoever stands in for two members is one person in the room, and gives one vote.
    present = min(len({person for person, _ in seated}), len({member for _, member in seated}))
    needed = -(-len({one.user_id for one in members}) * meeting.board.quorum_percent // 100)
    return present, max(needed, 1)


def vote_in(act: Act, item: AgendaItem, ballot: voting.Ballot, signature: SignatureRequest) -> Vote:
    """Vote on an item in its meeting. Raises: Conflict when it is not open, NO_QUORUM, NOT_PRESENT; as ``board.vote``."""
    meeting, target = item.meeting, target_of(act.session, item)
    _refuse_not_open(meeting)
    if item.status is not ItemStatus.OPEN:
        raise Conflict(
            f"Expected an open item, but {item.number} is {item.status.words}. {voting.decided_words(act.session, target)}".strip(),
            code="NOT_UP", record=(meeting.record_type, meeting.id),
        )  # fmt: skip
    if not meeting.is_present(act.user_id):
        raise Conflict(f"Expected you to be in {meeting.number}, but you did not join it", code="NOT_PRESENT")
    present, needed = quorum_of(meeting, target, at=act.now)
    if present < needed:
        raise Conflict(
            f"Expected {needed} members without a conflict to be present for {item.number}, but {present} are; vote from your inbox, or "
            "wait for more to join",
            code="NO_QUORUM", record=(meeting.record_type, meeting.id),
        )  # fmt: skip
    cast = voting.vote(act, target, ballot, signature, meeting_id=meeting.id)
    # The chair closes with the meeting's row in hand: a vote is in the minutes, or it is refused.
    act.session.refresh(meeting, with_for_update=True)
    _refuse_not_open(meeting)
    settle_item(act, item)
    return cast


def settle_item(act: Act, item: AgendaItem) -> AgendaItem:
    """Write down what the board decided about an item, once it has."""
    target = target_of(act.session, item)
    decided = outcome_of(standings_at(act.session, item))
    if decided is not None and item.status is ItemStatus.OPEN:
        item.target_hash, item.outcome, item.status = _hash_of(act.session, item, target), decided, ItemStatus.DECIDED
        act.session.flush()
    return item


def standings_at(session: Session, item: AgendaItem) -> Any:
    """Return what each function said about an item, on the content it was decided on, or the present one."""
    target = target_of(session, item)
    return voting.standings(session, target, content=item.target_hash or _hash_of(session, item, target))


def close_meeting(act: Act, meeting: Meeting) -> Meeting:
    """Close a meeting: what is undecided is postponed, and the minutes are written for the chair to sign. Raises: Forbidden; Conflict."""
    _refuse_not_chair(act, meeting)
    act.session.refresh(meeting, with_for_update=True)
    for item in meeting.agenda:
        if settle_item(act, item).status is ItemStatus.OPEN:
            item.target_hash, item.status = (
                _hash_of(act.session, item, target_of(act.session, item)),
                ItemStatus.POSTPONED,
            )
    act.session.flush()
    said = minutes_of(act.session, meeting, at=act.now)
    meeting.minutes, meeting.minutes_hash = canonical_json(said).decode(), content_hash(said)
    act.session.add(
        ApprovalSlot(
            record_type=meeting.record_type, record_id=meeting.id, record_hash=meeting.minutes_hash, stage=1, role="CHAIR", position=1,
            why=f"minutes of {meeting.number}",
        )
    )  # fmt: skip
    return move_meeting(act, meeting, MeetingStatus.CLOSED)


def sign_minutes(act: Act, meeting: Meeting, request: SignatureRequest, *, seen_hash: str) -> Meeting:
    """Sign the minutes as chair, bound to their hash. Raises: Forbidden; Conflict STALE_VERSION for others than the ones seen."""
    _refuse_not_chair(act, meeting)
    if meeting.status is not MeetingStatus.CLOSED or seen_hash != meeting.minutes_hash:
        raise Conflict(
            f"Expected the minutes of {meeting.number} as you read them, waiting for your signature, but it is {meeting.status.words}",
            code="STALE_VERSION", record=(meeting.record_type, meeting.id),
        )  # fmt: skip
    mine = next((one.role for one in meeting.board.members_at(act.now) if one.user_id == act.user_id), None)
    role = mine or next((grant.role for grant in grants_of(act.session, act.user_id or "", at=act.now)), "")
    signed = sign(
        act,
        meeting,
        request,
        content_hash=seen_hash,
        role=f"role:{role}",
        meanings=(Meaning.APPROVED,),
        reason=f"Minutes of {meeting.number}",
    )
    (slot,) = slots_of(act.session, meeting.record_type, meeting.id, seen_hash)
    slot.signature_id, slot.signature = signed.id, signed
    act.session.flush()
    return move_meeting(act, meeting, MeetingStatus.SIGNED)


def minutes_of(session: Session, meeting: Meeting, *, at: dt.datetime) -> dict[str, Any]:
    """Return the minutes: who was there, and of each item content, conflicts, quorum, tally, votes, dissent and outcome."""
    if meeting.minutes is not None:
        kept: dict[str, Any] = json.loads(meeting.minutes)
        return kept
    return {
        "number": meeting.number, "board": meeting.board.name, "place": meeting.place, "chair": meeting.chair.name,
        "opened_at": meeting.opened_at, "closed_at": at,
        "members": [[one.user.name, one.function, one.role] for one in meeting.board.members_at(at)],
        "chair_title": meeting.chair.title,
        "present": [[one.user.name, one.joined_at, one.left_at] for one in meeting.attendances],
        "items": [_item_said(session, item, at) for item in meeting.agenda],
    }  # fmt: skip


def target_of(session: Session, item: AgendaItem) -> voting.Decidable:
    """Return the document of an agenda item."""
    if item.target_type == ChangeOrder.record_type:
        return session.get_one(ChangeOrder, item.target_id)
    return session.get_one(ChangeOrderAddendum, item.target_id)


def _item_said(session: Session, item: AgendaItem, at: dt.datetime) -> dict[str, Any]:
    target = target_of(session, item)
    hashed = item.target_hash or _hash_of(session, item, target)
    cast = [one for one in votes_on(session, item.target_id) if one.target_hash == hashed and one.cast_at <= at]
    # People leave before a meeting is closed; what counts is who was there when the last of them voted.
    voted_at = max((one.cast_at for one in cast if one.meeting_id == item.meeting_id), default=at)
    present, needed = quorum_of(item.meeting, target, at=voted_at)
    found = voting.standings(session, target, content=hashed)
    against = set(dissenting(cast, item.outcome))
    title = target.title if isinstance(target, ChangeOrder) else target.reason
    return {
        "number": item.target_number, "title": title, "hash": hashed, "status": item.status.value,
        "outcome": item.outcome.value if item.outcome else None, "tally": tally_words(found), "quorum": [present, needed],
        "conflicts": [[one.user.name, one.reason] for one in conflicts_on(session, target.id)],
        "votes": [_vote_said(one, is_dissent=one in against) for one in cast],
    }  # fmt: skip


def _vote_said(cast: Vote, *, is_dissent: bool) -> dict[str, Any]:
    """Return a vote as the minutes print it: name, title, meaning and time as they were at signing (21 CFR 11.50)."""
    signed = cast.signature
    return {
        "name": signed.printed_name, "title": signed.printed_title, "meaning": signed.meaning.value, "signed_at": signed.signed_at,
        "on_behalf_of": cast.on_behalf_of.name if cast.on_behalf_of else "", "function": cast.function,
        "verdict": cast.verdict.value, "weight": cast.weight, "condition": cast.condition, "text": cast.text,
        "is_dissent": is_dissent, "where": "meeting" if cast.meeting_id is not None else "inbox",
    }  # fmt: skip


def _hash_of(session: Session, item: AgendaItem, target: voting.Decidable) -> str | None:
    """Return the content that was voted on last: once it is decided, a flow may have sent it back, which takes the hash away."""
    if requirements_of(session, target.id, target.content_hash):
        return target.content_hash
    mine = [one for one in votes_on(session, target.id) if one.meeting_id == item.meeting_id]
    return mine[-1].target_hash if mine else target.content_hash


def _refuse_over(meeting: Meeting) -> None:
    if meeting.status not in OPEN_FOR_AGENDA:
        raise Conflict(
            f"Expected a meeting that is not over, but {meeting.number} is {meeting.status.words}", code="ILLEGAL_TRANSITION",
            record=(meeting.record_type, meeting.id),
        )  # fmt: skip


def _refuse_not_open(meeting: Meeting) -> None:
    if meeting.status is not MeetingStatus.OPEN:
        raise Conflict(
            f"Expected {meeting.number} to be open, but it is {meeting.status.words}; vote from your inbox", code="NOT_UP",
            record=(meeting.record_type, meeting.id),
        )  # fmt: skip


def _refuse_decided(item: AgendaItem) -> None:
    if item.status is ItemStatus.DECIDED:
        raise Conflict(f"Expected an open item, but {item.number} is decided already", code="ILLEGAL_TRANSITION")


def _refuse_not_chair(act: Act, meeting: Meeting) -> None:
    if act.user_id != meeting.chair_id:
        raise Forbidden(
            f"Expected {meeting.chair.name}, who chairs {meeting.number}, but it is somebody else",
            code="NOT_AUTHORISED",
        )


def _refuse_stranger(act: Act, board: Board) -> None:
    if act.user_id is None or act.user_id == board.chair_id:
        return
    if any(act.user_id in (one.user_id, one.deputy_id) for one in board.members_at(act.now)):
        return
    if not any(grant.role == board.keeper_role for grant in grants_of(act.session, act.user_id, at=act.now)):
        raise Forbidden(f"Expected a member or the keeper of {board.name}, but you are neither", code="NOT_AUTHORISED")


__all__ = [
    "add_to_agenda", "attend", "cancel_meeting", "close_meeting", "leave", "may_attend", "minutes_of", "move_up",
    "open_meeting", "plan_meeting", "quorum_of", "settle_item", "sign_minutes", "standings_at", "take_off_agenda", "target_of",
    "vote_in", "waiting_for",
]  # fmt: skip
