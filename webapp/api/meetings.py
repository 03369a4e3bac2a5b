"""Meetings of boards: plan one, arrange its agenda, join, open, declare a conflict, close or call it off, read its minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import fields

from engine.act import Act
from engine.errors import NotFound
from processes import board as voting
from processes import meetings
from records.meeting import AgendaItem, Meeting
from webapp.api.boards import MeetingAnswer, get_meeting
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Nothing, Request, Values, text
from webapp.pages import boards as pages
from webapp.pages import changes
from webapp.visit import now, reading


class MeetingGiven(Request):
    """A meeting to be held. starts_at: with its zone, or else in the time of the board's site."""

    starts_at = text(40, required=True, metadata={"format": "date-time"})
    place = text(200, load_default="")


class TargetGiven(Request):
    """A change order or an addendum, by id."""

    target_id = text(60, required=True)


class ConflictGiven(Request):
    """What the interest is."""

    reason = text(4000, required=True)


class WhyCalledOff(Request):
    """Why."""

    reason = text(4000, required=True)


class MinutesAnswer(Answer):
    """What the minutes say, or would say now: who was there, and of each item votes, dissent and outcome. hash: null before the end."""

    hash = fields.String(allow_none=True)
    minutes = Values()


class ConflictAnswer(Answer):
    """Who does not decide about a document."""

    target_id = fields.String()
    user_id = fields.String()
    reason = fields.String()


STEPS: dict[str, Callable[[Act, Meeting], Any]] = {
    "join": meetings.attend, "leave": meetings.leave, "open": meetings.open_meeting, "close": meetings.close_meeting,
}  # fmt: skip
ITEM_STEPS: dict[str, Callable[[Act, AgendaItem], Any]] = {"up": meetings.move_up, "off": meetings.take_off_agenda}


@writes(
    "POST", "/boards/<record_id>/meetings", scope="changes:write", summary="Plan a meeting with everything that waits",
    body=MeetingGiven, answer=MeetingAnswer, render=get_meeting, status=201, person=True,
)  # fmt: skip
def plan_meeting(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As a member or as who keeps the board."""
    board = pages.find_board(act.session, record_id)
    return meetings.plan_meeting(act, board, starts_at=pages.begins(board, body["starts_at"]), place=body["place"]).id


@writes(
    "POST", "/meetings/<record_id>/cancel", scope="changes:write", summary="Call a planned meeting off", body=WhyCalledOff,
    answer=MeetingAnswer, render=get_meeting, person=True,
)  # fmt: skip
def cancel_meeting(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As its chair; what was on its agenda waits for another one."""
    return meetings.cancel_meeting(act, pages.find_meeting(act.session, record_id), reason=body["reason"]).id


@writes(
    "POST", "/meetings/<record_id>/<step>", scope="changes:write", summary="Join, leave, open or close a meeting", body=Nothing,
    answer=MeetingAnswer, render=get_meeting, person=True,
)  # fmt: skip
def step_meeting(act: Act, body: dict[str, Any], record_id: str, step: str) -> str:
    """`join` and `leave` as a member or deputy; `open` and `close` as its chair. Closed, its minutes wait for the chair's signature."""
    if step not in STEPS:
        raise NotFound(f"Expected one of {', '.join(STEPS)}, but found {step:.40}.")
    held = pages.find_meeting(act.session, record_id)
    STEPS[step](act, held)
    return held.id


@writes(
    "POST", "/meetings/<record_id>/items", scope="changes:write", summary="Put a document on an agenda", body=TargetGiven,
    answer=MeetingAnswer, render=get_meeting, person=True,
)  # fmt: skip
def add_agenda_item(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As a member or as who keeps the board; what was taken off comes back."""
    held = pages.find_meeting(act.session, record_id)
    meetings.add_to_agenda(act, held, pages.target_called(act.session, body["target_id"]))
    return held.id


@writes(
    "POST", "/meetings/<record_id>/items/<position>/conflict", scope="changes:write", summary="Declare a conflict of interest",
    body=ConflictGiven, answer=MeetingAnswer, render=get_meeting, person=True,
)  # fmt: skip
def declare_conflict_in_meeting(act: Act, body: dict[str, Any], record_id: str, position: str) -> str:
    """For good, before the vote: one neither votes on the item nor counts for its quorum."""
    held = pages.find_meeting(act.session, record_id)
    voting.declare_conflict(act, meetings.target_of(act.session, item_at(held, position)), reason=body["reason"])
    return held.id


@writes(
    "POST", "/meetings/<record_id>/items/<position>/<step>", scope="changes:write", summary="Move an item up, or take it off",
    body=Nothing, answer=MeetingAnswer, render=get_meeting, person=True,
)  # fmt: skip
def step_agenda_item(act: Act, body: dict[str, Any], record_id: str, position: str, step: str) -> str:
    """`up` or `off`, as a member or as who keeps the board."""
    if step not in ITEM_STEPS:
        raise NotFound(f"Expected one of {', '.join(ITEM_STEPS)}, but found {step:.40}.")
    held = pages.find_meeting(act.session, record_id)
    ITEM_STEPS[step](act, item_at(held, position))
    return held.id


@writes(
    "POST", "/change-orders/<record_id>/conflict", scope="changes:write", summary="Declare a conflict of interest without a meeting",
    body=ConflictGiven, answer=ConflictAnswer, render=lambda said: said, person=True,
)  # fmt: skip
def declare_conflict(act: Act, body: dict[str, Any], record_id: str) -> dict[str, Any]:
    """For good, before the vote. 409 ALREADY_VOTED, NOT_UP."""
    said = voting.declare_conflict(act, changes.find(act.session, record_id), reason=body["reason"])
    return {"target_id": said.target_id, "user_id": said.user_id, "reason": said.reason}


@reads(
    "/meetings/<record_id>/minutes", scope="changes:read", summary="Read the minutes of a meeting", answer=MinutesAnswer
)
def get_minutes(record_id: str) -> dict[str, Any]:
    """As they were written when it was closed, or as they would be now."""
    held = pages.find_meeting(reading(), record_id)
    return {"hash": held.minutes_hash, "minutes": meetings.minutes_of(reading(), held, at=now())}


def item_at(held: Meeting, position: str) -> AgendaItem:
    """Return the item at a position of an agenda. Raises: NotFound."""
    found = next((one for one in held.agenda if str(one.position) == position), None)
    if found is None:
        raise NotFound(f"Expected an item at this position of {held.number}, but there is none.")
    return found
