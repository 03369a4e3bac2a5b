"""Boards and meetings: what waits for a board, the agenda, and how each item stands."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from processes import meetings
from records.board import Board, boards_of
from records.meeting import ItemStatus, Meeting, MeetingStatus, meetings_of
from records.vote import Outcome
from rules.board_votes import tally_words
from webapp.api.endpoints import reads
from webapp.api.shapes import Answer, Instant, maybe, word
from webapp.pages import boards as pages
from webapp.visit import now, reading


class MemberAnswer(Answer):
    """Who sits on a board for what. weight: where the function decides by weight."""

    user_id = fields.String()
    function = fields.String()
    role = fields.String()
    weight = fields.Integer()
    has_veto = fields.Boolean()
    deputy_id = maybe()


class BoardAnswer(Answer):
    """A board with its members, its meetings, newest first, and the numbers of what waits for it."""

    id = fields.UUID()
    code = fields.String()
    name = fields.String()
    classes = fields.List(fields.String())
    chair_id = fields.String()
    quorum_percent = fields.Integer()
    members = fields.List(fields.Nested(MemberAnswer))
    waiting = fields.List(fields.String())
    meetings = fields.List(fields.UUID())


class BoardsAnswer(Answer):
    """Every board, by code."""

    items = fields.List(fields.Nested(BoardAnswer))


class AgendaItemAnswer(Answer):
    """One item. content_hash: that is voted on; tally: in words; present, needed: members without a conflict of interest."""

    position = fields.Integer()
    number = fields.String()
    status = word(ItemStatus)
    outcome = word(Outcome, allow_none=True)
    content_hash = maybe()
    tally = fields.String()
    present = fields.Integer()
    needed = fields.Integer()


class MeetingAnswer(Answer):
    """A meeting with its agenda in order. minutes_hash: what its chair signs."""

    id = fields.UUID()
    number = fields.String()
    board_id = fields.UUID()
    starts_at = Instant()
    place = fields.String()
    chair_id = fields.String()
    status = word(MeetingStatus)
    minutes_hash = maybe()
    items = fields.List(fields.Nested(AgendaItemAnswer))


@reads("/boards", scope="changes:read", summary="List boards", answer=BoardsAnswer)
def list_boards() -> dict[str, Any]:
    """By code."""
    return {"items": [_board(board) for board in boards_of(reading())]}


@reads("/boards/<record_id>", scope="changes:read", summary="Get a board", answer=BoardAnswer)
def get_board(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _board(pages.find_board(reading(), record_id))


@reads("/meetings/<record_id>", scope="changes:read", summary="Get a meeting with its agenda", answer=MeetingAnswer)
def get_meeting(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _meeting(pages.find_meeting(reading(), record_id))


def _board(board: Board) -> dict[str, Any]:
    session = reading()
    return {
        **{name: getattr(board, name) for name in ("id", "code", "name", "classes", "chair_id", "quorum_percent")},
        "members": board.members_at(now()),
        "waiting": [one.number for one in meetings.waiting_for(session, board)],
        "meetings": [one.id for one in meetings_of(session, board)],
    }


def _meeting(held: Meeting) -> dict[str, Any]:
    session = reading()
    plain = ("id", "number", "board_id", "starts_at", "place", "chair_id", "status", "minutes_hash")
    items = []
    for item in held.agenda:
        target = meetings.target_of(session, item)
        present, needed = meetings.quorum_of(held, target, at=now())
        items.append(
            {
                "position": item.position, "number": item.target_number, "status": item.status, "outcome": item.outcome,
                "content_hash": item.target_hash or target.content_hash, "tally": tally_words(meetings.standings_at(session, item)),
                "present": present, "needed": needed,
            }
        )  # fmt: skip
    return {**{name: getattr(held, name) for name in plain}, "items": items}
