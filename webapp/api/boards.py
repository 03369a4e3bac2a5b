"""Boards and meetings: what waits for a board, the agenda, how each item stands; votes and minutes, signed."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from engine.act import Act
from engine.errors import NotFound
from processes import board as voting
from processes import meetings
from records.board import Board, boards_of
from records.board_rule import rules_at
from records.change_order import ChangeOrder, ChangeOrderAddendum
from records.meeting import ItemStatus, Meeting, MeetingStatus, meetings_of
from records.vote import Outcome, Verdict, Vote, VoteRule
from rules.board_votes import outcome_of, tally_words
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Instant, maybe, text, word
from webapp.api.signing import SignedContent, signature_given
from webapp.pages import boards as pages
from webapp.pages import changes
from webapp.visit import now, reading


class BoardRuleAnswer(Answer):
    """How a function speaks on this board. classes: of change orders that ask it though the table of votes does not."""

    id = fields.UUID()
    function = fields.String()
    role = fields.String()
    rule = word(VoteRule)
    needed = fields.Integer()
    has_veto = fields.Boolean()
    classes = fields.List(fields.String())


class MemberAnswer(Answer):
    """Who sits on a board for what. weight: where the function decides by weight."""

    id = fields.UUID()
    user_id = fields.String()
    function = fields.String()
    role = fields.String()
    weight = fields.Integer()
    has_veto = fields.Boolean()
    deputy_id = maybe()


class BoardAnswer(Answer):
    """A board with its members, its own rules, its meetings, newest first, and the numbers of what waits for it."""

    id = fields.UUID()
    version = fields.Integer()
    code = fields.String()
    name = fields.String()
    classes = fields.List(fields.String())
    chair_id = fields.String()
    keeper_role = fields.String()
    quorum_percent = fields.Integer()
    is_active = fields.Boolean()
    rules = fields.List(fields.Nested(BoardRuleAnswer))
    members = fields.List(fields.Nested(MemberAnswer))
    waiting = fields.List(fields.String())
    meetings = fields.List(fields.UUID())


BOARD_FIELDS = ("id", "version", "code", "name", "classes", "chair_id", "keeper_role", "quorum_percent", "is_active")


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


class VoteGiven(SignedContent):
    """One vote. reason: or dissent, or a remark; condition: with an approval on condition alone."""

    verdict = word(Verdict, required=True)
    condition = text(4000, load_default="")


class BoardVoteAnswer(Answer):
    """A vote as it was cast. outcome: what the board came to, null while it has not decided; tally: in words."""

    id = fields.UUID()
    target = fields.String()
    content_hash = fields.String(attribute="target_hash")
    function = fields.String()
    voter_id = fields.String()
    on_behalf_of_id = maybe()
    verdict = word(Verdict)
    reason = fields.String(attribute="text")
    condition = fields.String()
    cast_at = Instant()
    signature_id = fields.UUID()
    outcome = word(Outcome, allow_none=True)
    tally = fields.String()


@reads("/boards", scope="changes:read", summary="List boards", answer=BoardsAnswer)
def list_boards() -> dict[str, Any]:
    """By code."""
    return {"items": [_board(board) for board in boards_of(reading())]}


@reads(
    "/boards/<record_id>", scope="changes:read", summary="Get a board", answer=BoardAnswer, etag=lambda board: str(board["version"]),
)  # fmt: skip
def get_board(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _board(pages.find_board(reading(), record_id))


@reads("/meetings/<record_id>", scope="changes:read", summary="Get a meeting with its agenda", answer=MeetingAnswer)
def get_meeting(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _meeting(pages.find_meeting(reading(), record_id))


def _ballot(body: dict[str, Any]) -> voting.Ballot:
    return voting.Ballot(
        Verdict(body["verdict"]), body["content_hash"], body["reason"].strip(), body["condition"].strip()
    )


def _show_vote(vote_id: str) -> dict[str, Any]:
    session = reading()
    cast = session.get_one(Vote, vote_id)
    target = session.get(ChangeOrder, cast.target_id) or session.get_one(ChangeOrderAddendum, cast.target_id)
    standing = voting.standings(session, target, content=cast.target_hash)
    columns = {column.key: getattr(cast, column.key) for column in Vote.__mapper__.column_attrs}
    return columns | {"target": target.number, "outcome": outcome_of(standing), "tally": tally_words(standing)}


@writes(
    "POST", "/change-orders/<record_id>/vote", scope="changes:write", summary="Vote on a change order without a meeting",
    body=VoteGiven, answer=BoardVoteAnswer, render=_show_vote, person=True,
)  # fmt: skip
def vote(act: Act, body: dict[str, Any], record_id: str) -> str:
    """From one's own seat, as a member or deputy; the task in the inbox is decided with it. 409 STALE_VERSION, ALREADY_VOTED, DECIDED."""
    order = changes.find(act.session, record_id)
    return voting.vote(act, order, _ballot(body), signature_given(body["signature"])).id


@writes(
    "POST", "/meetings/<record_id>/items/<position>/vote", scope="changes:write", summary="Vote on an item of a meeting",
    body=VoteGiven, answer=BoardVoteAnswer, render=_show_vote, person=True,
)  # fmt: skip
def vote_in_meeting(act: Act, body: dict[str, Any], record_id: str, position: str) -> str:
    """As somebody who joined it. 409 NO_QUORUM, NOT_PRESENT, and as without a meeting."""
    held = pages.find_meeting(act.session, record_id)
    item = next((one for one in held.agenda if str(one.position) == position), None)
    if item is None:
        raise NotFound(f"Expected an item at this position of {held.number}, but there is none.")
    return meetings.vote_in(act, item, _ballot(body), signature_given(body["signature"])).id


@writes(
    "POST", "/meetings/<record_id>/minutes/signature", scope="changes:write", summary="Sign the minutes of a meeting",
    body=SignedContent, answer=MeetingAnswer, render=get_meeting, person=True,
)  # fmt: skip
def sign_minutes(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As its chair, once it is closed; what is signed is `minutes_hash`."""
    held, signed = pages.find_meeting(act.session, record_id), signature_given(body["signature"])
    return meetings.sign_minutes(act, held, signed, seen_hash=body["content_hash"]).id


def _board(board: Board) -> dict[str, Any]:
    session = reading()
    return {
        **{name: getattr(board, name) for name in BOARD_FIELDS},
        "rules": list(rules_at(session, board, now()).values()),
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
