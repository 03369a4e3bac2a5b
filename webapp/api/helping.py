"""Help with a task: ask, lend, answer, take back, step aside, add an approver; and what the caller is asked."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from engine import lending
from engine.act import Act
from engine.errors import NotFound
from engine.stored.help import HelpKind, TaskHelp
from processes import helping
from records.approval import ApprovalSlot
from webapp import reviews
from webapp.api import callers, tasks
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Instant, Nothing, Request, maybe, text, word
from webapp.visit import reading


class HelpAnswer(Answer):
    """A question about a task, or a loan of it. is_open: an answer is still expected."""

    id = fields.UUID()
    task_id = fields.UUID()
    kind = word(HelpKind)
    asked_by = fields.String()
    asked = fields.String()
    question = fields.String()
    asked_at = Instant()
    answer = maybe()
    answered_at = Instant(allow_none=True)
    is_open = fields.Boolean()


class HelpsAnswer(Answer):
    """Questions and loans, oldest first."""

    items = fields.List(fields.Nested(HelpAnswer))
    next = maybe()


class SeatAnswer(Answer):
    """A seat of an approval plan that was added."""

    id = fields.UUID()
    record_type = fields.String()
    record_id = fields.String()
    stage = fields.Integer()
    role = fields.String()
    position = fields.Integer()
    why = fields.String()


class HelpWanted(Request):
    """Whom (a user id), and what for."""

    asked = text(60, required=True)
    question = text(lending.LONGEST, required=True)


class AnswerGiven(Request):
    """The answer; with it a lent task goes back."""

    answer = text(lending.LONGEST, required=True)


class ApproverWanted(Request):
    """Whose approval is needed too, and why."""

    asked = text(60, required=True)
    reason = text(lending.LONGEST, required=True)


class Recusal(Request):
    """The conflict of interest."""

    reason = text(lending.LONGEST, required=True)


def _help(made: TaskHelp) -> dict[str, Any]:
    values = {name: getattr(made, name) for name in HelpAnswer().fields}
    return values | {"answer": made.answer or None}


def _show(help_id: str) -> dict[str, Any]:
    return _help(reading().get_one(TaskHelp, help_id))


def _visible(task_id: str) -> None:
    reviews.visible(reading(), task_id)


@reads("/questions", scope="tasks:read", summary="List what the caller is asked", answer=HelpsAnswer, person=True)
def list_questions() -> dict[str, Any]:
    """Questions and lent tasks that wait for the caller's answer."""
    return {"items": [_help(made) for made, _ in lending.open_for(reading(), callers.need_person())], "next": None}


@reads(
    "/tasks/<task_id>/help",
    scope="tasks:read",
    summary="List the questions about a task",
    answer=HelpsAnswer,
    person=True,
)
def list_help(task_id: str) -> dict[str, Any]:
    """With their answers, and who worked on it for whom."""
    _visible(task_id)
    return {"items": [_help(made) for made in lending.helps_of(reading(), task_id)], "next": None}


@writes(
    "POST", "/tasks/<task_id>/questions", scope="tasks:decide", summary="Ask somebody about a task", body=HelpWanted,
    answer=HelpAnswer, render=_show, status=201, person=True,
)  # fmt: skip
def ask_about_task(act: Act, body: dict[str, Any], task_id: str) -> str:
    """They may read the task; the flow waits for nothing."""
    _visible(task_id)
    return helping.ask(act, task_id, body["asked"], body["question"]).id


@writes(
    "POST", "/tasks/<task_id>/loan", scope="tasks:decide", summary="Delegate the work on a task", body=HelpWanted,
    answer=HelpAnswer, render=_show, status=201, person=True,
)  # fmt: skip
def lend_task(act: Act, body: dict[str, Any], task_id: str) -> str:
    """Nobody decides it until it is given back with an answer, or taken back. 409 LENT, CLAIMED."""
    _visible(task_id)
    return helping.lend(act, task_id, body["asked"], body["question"]).id


@writes(
    "POST", "/questions/<record_id>/answer", scope="tasks:decide", summary="Answer a question, or give a lent task back",
    body=AnswerGiven, answer=HelpAnswer, render=_show, person=True,
)  # fmt: skip
def answer_question(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Whoever asked is told."""
    return helping.answer(act, record_id, body["answer"]).id


@writes(
    "POST", "/questions/<record_id>/withdrawal", scope="tasks:decide", summary="Wait for an answer no longer",
    body=Nothing, answer=HelpAnswer, render=_show, person=True,
)  # fmt: skip
def take_question_back(act: Act, _body: dict[str, Any], record_id: str) -> str:
    """A lent task comes back at once."""
    return lending.take_back(act, record_id).id


@writes(
    "POST", "/tasks/<task_id>/recusal", scope="tasks:decide", summary="Step aside for a conflict of interest", body=Recusal,
    answer=tasks.TaskDetail, render=tasks.show_task, etag=tasks.tag_of, person=True,
)  # fmt: skip
def recuse_from_task(act: Act, body: dict[str, Any], task_id: str) -> str:
    """For good; when nobody else may take it, the next level is asked too. 409 NOBODY_LEFT when there is none."""
    _visible(task_id)
    return helping.recuse(act, task_id, body["reason"]).id


def _show_seat(seat_id: str) -> dict[str, Any]:
    seat = reading().get_one(ApprovalSlot, seat_id)
    return {name: getattr(seat, name) for name in SeatAnswer().fields}


@writes(
    "POST", "/tasks/<task_id>/approvers", scope="tasks:decide", summary="Add an approver", body=ApproverWanted,
    answer=SeatAnswer, render=_show_seat, status=201, person=True,
)  # fmt: skip
def add_approver(act: Act, body: dict[str, Any], task_id: str) -> str:
    """Beside an open seat of an approval round; no seat ever goes away. 422 for whom a duty bars, 409 NO_APPROVAL elsewhere."""
    _visible(task_id)
    if not reviews.may_take(reading(), reviews.visible(reading(), task_id)):
        raise NotFound("Expected a task that is yours to decide, but there is none with this id.")
    return helping.add_approver(act, task_id, body["asked"], body["reason"]).id
