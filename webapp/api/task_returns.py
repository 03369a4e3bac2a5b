"""Return a task to an earlier step: which steps there are, what each undoes, and the act."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from engine import returning
from engine.act import Act
from engine.errors import NotFound
from processes import sending_back
from webapp import reviews
from webapp.api import bodies, callers
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Request, Whole, maybe, text
from webapp.api.signing import SignatureGiven, signature_given
from webapp.api.tasks import DecisionAnswer, Precondition, show_decision
from webapp.pages.review import LONGEST_REASON
from webapp.visit import reading


class StepAnswer(Answer):
    """An earlier step. id: what ``to`` names; undoes: what returning there voids and ends, in words; why_not: null when it is legal."""

    id = fields.Integer()
    element_id = fields.String()
    name = fields.String()
    done_by = fields.List(fields.String())
    voids = fields.List(fields.UUID())
    undoes = fields.String()
    why_not = maybe()


class StepsAnswer(Answer):
    """The steps that led to a task, the nearest first."""

    items = fields.List(fields.Nested(StepAnswer))
    next = maybe()


class Returned(Request):
    """Where to, and why. signature: where the task wants one."""

    to = Whole(required=True, validate=validate.Range(1, 2**31 - 1, error="Expected the id of a step"))
    reason = text(LONGEST_REASON, required=True)
    on_behalf_of = text(60, load_default=None, allow_none=True)
    signature = fields.Nested(SignatureGiven, load_default=None, allow_none=True)


@reads(
    "/tasks/<task_id>/returns",
    scope="tasks:read",
    summary="List the earlier steps of a task",
    answer=StepsAnswer,
    person=True,
)
def list_returns(task_id: str) -> dict[str, Any]:
    """With what returning to each undoes; one that is not legal says why. Only for who may decide the task."""
    callers.need_person()
    task = reviews.visible(reading(), task_id)
    if not reviews.may_take(reading(), task):
        raise NotFound("Expected a task that is yours to decide, but there is none with this id.")
    return {"items": [_step(one) for one in returning.targets(reading(), task)], "next": None}


def _step(one: returning.Target) -> dict[str, Any]:
    return {
        "id": one.token_id, "element_id": one.element_id, "name": one.name, "done_by": list(one.done_by),
        "voids": [row.id for row in one.voids], "undoes": one.sentence, "why_not": one.why_not or None,
    }  # fmt: skip


@writes(
    "POST", "/tasks/<task_id>/return", scope="tasks:decide", summary="Return a task to an earlier step", body=Returned,
    answer=DecisionAnswer, render=show_decision, match=True, person=True,
)  # fmt: skip
def return_task(act: Act, body: dict[str, Any], task_id: str) -> str:
    """Void what was decided since and open that step again. 409 NO_WAY_BACK with the reason; 403 without a wanted signature."""
    seen = bodies.seen_version()
    with Precondition():
        decision = sending_back.send_back(
            act, task_id, body["to"], seen_version=seen, reason=body["reason"], on_behalf_of=body["on_behalf_of"] or None,
            signature=signature_given(body["signature"]) if body["signature"] else None,
        )  # fmt: skip
    return decision.id
