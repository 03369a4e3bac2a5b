"""Ad-hoc sub-processes: see what may be chosen in a run, and let it begin."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from engine import choosing
from engine.act import Act
from engine.choosing import Choice
from engine.stored.instance import Instance
from webapp.api.endpoints import reads, writes
from webapp.api.instances import InstanceDetail, need_helper, show_instance, tag_of
from webapp.api.shapes import Answer, Request, Truth, Values, Whole, maybe, text
from webapp.pages import operations as pages
from webapp.visit import reading


class ElementAnswer(Answer):
    """An element that may be chosen."""

    element_id = fields.String()
    name = fields.String()


class ChoicesAnswer(Answer):
    """An open ad-hoc sub-process. token_id: what a choice names it by. running: how many choices are at work in it."""

    token_id = fields.Integer()
    process_id = fields.String()
    element_id = fields.String()
    name = fields.String()
    elements = fields.List(fields.Nested(ElementAnswer))
    running = fields.Integer()


class ChoicesPage(Answer):
    """The ad-hoc sub-processes of a run that are open, oldest first."""

    items = fields.List(fields.Nested(ChoicesAnswer))
    next = maybe()


class ElementGiven(Request):
    """An element to begin. variables: of this time alone."""

    element_id = text(500, required=True)
    variables = Values(load_default=dict)


class ChoiceGiven(Request):
    """What is to begin in an ad-hoc sub-process. ends_others: what runs in it is cancelled first."""

    token_id = Whole(required=True, validate=validate.Range(1, 2**31 - 1, error="Expected the id of a token"))
    elements = fields.List(
        fields.Nested(ElementGiven), required=True,
        validate=validate.Length(1, choosing.MOST, error="Expected {min} to {max} elements, but there is another number"),
    )  # fmt: skip
    ends_others = Truth(load_default=False)
    reason = text(4000, load_default="")


@reads(
    "/instances/<instance_id>/choices", scope="instances:read", summary="List what may be chosen in a run", answer=ChoicesPage
)  # fmt: skip
def list_choices(instance_id: str) -> dict[str, Any]:
    """Each ad-hoc sub-process that is open, with the elements that may begin in it."""
    session = reading()
    instance: Instance = pages.find(session, instance_id)
    found = [
        {name: getattr(one, name) for name in ("token_id", "process_id", "element_id", "name", "running")}
        | {"elements": [{"element_id": element, "name": name} for element, name in one.elements]}
        for one in choosing.open_ad_hocs(session, instance)
    ]
    return {"items": found, "next": None}


@writes(
    "POST", "/instances/<instance_id>/choices", scope="instances:write", summary="Let elements of an ad-hoc sub-process begin",
    body=ChoiceGiven, answer=InstanceDetail, render=show_instance, etag=tag_of,
)  # fmt: skip
def choose_elements(act: Act, body: dict[str, Any], instance_id: str) -> str:
    """An element may begin as often as it is chosen, each time with variables of its own."""
    need_helper()
    chosen = [Choice(one["element_id"], one["variables"]) for one in body["elements"]]
    instance: Instance = pages.find(act.session, instance_id)
    return choosing.choose(
        act, instance.id, body["token_id"], chosen, ends_others=body["ends_others"], reason=body["reason"]
    ).id
