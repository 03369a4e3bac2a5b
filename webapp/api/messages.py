"""Messages, signals and conditions: something outside happened, and what waits for it hears of it once or begins."""

from __future__ import annotations

import datetime as dt
from typing import Any

from marshmallow import fields, validate

from engine import conditions, kept_messages, signals
from engine.act import Act
from engine.errors import Conflict
from engine.messages import Publication, Reception, publish
from engine.registry import PlainVariables
from engine.spiff.codec import decode
from engine.stored.wait import Message as Kept
from engine.stored.wait import MessageState, Signal
from processes import planned_order
from webapp.api import callers
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Instant, Listed, Request, Values, Whole, as_page, maybe, page_of, text, word
from webapp.pages import messages as pages
from webapp.pages import operations, orders
from webapp.visit import reading

LONGEST_TTL = 366 * 86_400


class Message(Request):
    """A message. message_id: the sender's own; the same one again is answered and moves nothing. ttl: seconds it is kept."""

    name = fields.String(required=True, validate=validate.Length(1, 200, error="Expected {min} to {max} characters"))
    correlation_key = text(500, load_default="")
    variables = Values(load_default=dict)
    message_id = fields.String(
        load_default=None, allow_none=True, validate=validate.Length(1, 200, error="Expected {min} to {max} characters")
    )
    ttl = Whole(
        load_default=None, allow_none=True,
        validate=validate.Range(0, LONGEST_TTL, error="Expected {min} to {max} seconds, but found {input}"),
    )  # fmt: skip


class SignalRequest(Request):
    """A signal: everybody who waits for it hears it."""

    name = fields.String(required=True, validate=validate.Length(1, 200, error="Expected {min} to {max} characters"))
    variables = Values(load_default=dict)


class SignalAnswer(Answer):
    """A signal that was sent. hearers: how many runs will hear it or begin with it, each in a step of its own."""

    id = fields.UUID()
    name = fields.String()
    hearers = fields.Integer()
    sent_at = Instant()


class ConditionsRequest(Request):
    """What is known now. process_id: asks that process alone; business_key: of what begins, else made up."""

    variables = Values(load_default=dict)
    process_id = text(200, load_default=None, allow_none=True)
    business_key = text(200, load_default="")


class BegunAnswer(Answer):
    """A run that began, and the start event whose condition was true."""

    instance_id = fields.UUID()
    process_id = fields.String()
    business_key = fields.String()
    element_id = fields.String()


class UnansweredAnswer(Answer):
    """A condition that could not be told with these variables, and why; it began nothing."""

    process_id = fields.String()
    element_id = fields.String()
    why = fields.String()


class ConditionsAnswer(Answer):
    """What came of asking. asked: how many conditions there were."""

    asked = fields.Integer()
    begun = fields.List(fields.Nested(BegunAnswer))
    unanswered = fields.List(fields.Nested(UnansweredAnswer))


class MessageSummary(Answer):
    """A message. state: STORED while it is kept for somebody; hearers: the keys of the runs that wait for it, two keep it back."""

    id = fields.UUID()
    name = fields.String()
    correlation_key = fields.String()
    message_id = maybe()
    state = word(MessageState)
    published_at = Instant()
    published_by = fields.String()
    expires_at = Instant()
    instance_id = fields.UUID(allow_none=True)
    hearers = fields.List(fields.String())


class MessageDetail(MessageSummary):
    """A message with what it says."""

    variables = fields.Raw(metadata={"type": "object", "additionalProperties": True})


class MessageQuery(Listed):
    """What messages may be listed by. ``q``: part of a name, a key or an id of the sender's."""

    state = word(MessageState, load_default=str(MessageState.STORED))


class MessageDeletion(Request):
    """Why a kept message is thrown away."""

    reason = text(2000, required=True)


class PublicationAnswer(Answer):
    """What became of a message. instance_id: whom it reached or started."""

    id = fields.UUID()
    reception = word(Reception)
    is_duplicate = fields.Boolean()
    instance_id = fields.UUID(allow_none=True)
    detail = fields.String()


SENTENCES = {
    Reception.CORRELATED: "It reached the run that waits for it.",
    Reception.STARTED: "It started a run.",
    Reception.STORED: "Nobody waits for it yet; it is kept.",
    Reception.NOT_KEPT: "Nobody waits for it, and it was not to be kept.",
    Reception.QUEUED: "It is delivered when the run that moves now has come to rest.",
    Reception.ALREADY_HANDLED: "already handled",
}


def as_subject(publication: Publication) -> dict[str, Any]:
    """Return a publication as what an answer is about."""
    return {
        "id": publication.id, "reception": str(publication.reception), "is_duplicate": publication.is_duplicate,
        "instance_id": publication.instance_id, "detail": SENTENCES[publication.reception],
    }  # fmt: skip


def as_it_was(subject: dict[str, Any]) -> dict[str, Any]:
    """Return what was kept of a publication."""
    return subject


@writes(
    "POST", "/messages", scope="messages:publish", summary="Publish a message", body=Message, answer=PublicationAnswer,
    render=as_it_was,
)  # fmt: skip
def publish_message(act: Act, body: dict[str, Any]) -> dict[str, Any]:
    """Deliver it to the run that waits for it, else start one, else keep it. When two wait, it is refused with both keys.

    A person must keep the interfaces: a message can withdraw an order or answer for a supplier.
    """
    if not callers.is_adapter():
        orders.need("INTEGRATION", "ADMIN")
    if body["name"] == planned_order.MESSAGE:
        # Nobody but its sender can mend it, so it is told at once; what an adapter sends past this door is an incident.
        planned_order.refuse_unusable(act.session, body["variables"])
    ttl = None if body["ttl"] is None else dt.timedelta(seconds=body["ttl"])
    published = publish(
        act, body["name"], correlation_key=body["correlation_key"], variables=body["variables"],
        message_id=body["message_id"], ttl=ttl,
    )  # fmt: skip
    _refuse_used(act, published, body)
    return as_subject(published)


def _refuse_used(act: Act, published: Publication, body: dict[str, Any]) -> None:
    """Refuse another message under an id that is used: answered as a repetition, it would be lost. Raises: Conflict."""
    if published.is_duplicate:
        known = kept_messages.find(act.session, published.id).correlation_key
        if known != body["correlation_key"]:
            raise Conflict(
                f'Expected a message id that is new, but {body["message_id"]} came before with the correlation key "{known}";'
                " nothing of this message is kept. Send it under an id of its own",
                code="MESSAGE_ID_USED",
            )


MessagePage = page_of(MessageSummary, "MessagePage")


def _need_keeper() -> None:
    if not callers.is_adapter():
        operations.need_helper()


def _summary(kept: Kept, hearers: dict[str, list[Any]]) -> dict[str, Any]:
    found = {name: getattr(kept, name) for name in MessageSummary().fields if name != "hearers"}
    return found | {"hearers": [one.business_key for one in hearers.get(kept.id, ())]}


@reads(
    "/messages", scope="messages:read", summary="List messages, newest first; those that are kept unless asked otherwise",
    query=MessageQuery, answer=MessagePage,
)  # fmt: skip
def list_messages(*, q: str, state: str, after: str, limit: int) -> Any:
    """Tell for each kept one who waits for it."""
    _need_keeper()
    page = pages.look_up(q, state, after, limit=limit)
    hearers = kept_messages.hearers_of(reading(), page.items) if state == MessageState.STORED else {}
    return as_page(page) | {"items": [_summary(kept, hearers) for kept in page.items]}


def _shown(subject: dict[str, Any]) -> dict[str, Any]:
    session = reading()
    kept = kept_messages.find(session, subject["id"])
    hearers = kept_messages.hearers_of(session, [kept]) if kept.state == MessageState.STORED else {}
    return _summary(kept, hearers) | {"variables": dict(PlainVariables(decode(kept.variables)))}


@reads("/messages/<message_id>", scope="messages:read", summary="Get a message and what it says", answer=MessageDetail)
def get_message(message_id: str) -> dict[str, Any]:
    """Find it by our id, as the publication answered it."""
    _need_keeper()
    return _shown({"id": message_id})


@writes(
    "POST", "/messages/<message_id>/deletion", scope="messages:publish", summary="Throw a kept message away", body=MessageDeletion,
    answer=MessageDetail, render=_shown, person=True,
)  # fmt: skip
def delete_message(act: Act, body: dict[str, Any], message_id: str) -> dict[str, Any]:
    """It reaches nobody any more; its id stays known, so that a second delivery is answered and moves nothing."""
    operations.need_helper()
    return {"id": kept_messages.delete(act, message_id, body["reason"]).id}


def _sent(subject: dict[str, Any]) -> Signal:
    return reading().get_one(Signal, subject["id"])


@writes(
    "POST", "/signals", scope="messages:publish", summary="Send a signal", body=SignalRequest, answer=SignalAnswer, render=_sent
)  # fmt: skip
def send_signal(act: Act, body: dict[str, Any]) -> dict[str, Any]:
    """Let every run hear it that waits for it now, and start what begins with it; each in a step of its own, a moment later."""
    if not callers.is_adapter():
        orders.need("INTEGRATION", "ADMIN")
    return {"id": signals.broadcast(act, body["name"], body["variables"]).id}


@writes(
    "POST", "/conditions", scope="messages:publish", summary="Ask which processes begin now", body=ConditionsRequest,
    answer=ConditionsAnswer, render=as_it_was,
)  # fmt: skip
def evaluate_conditions(act: Act, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the condition of every conditional start event with these variables, and begin a run for each that is true."""
    if not callers.is_adapter():
        orders.need("INTEGRATION", "ADMIN")
    found = conditions.evaluate(
        act, body["variables"], process_id=body["process_id"], business_key=body["business_key"]
    )
    begun = [
        {
            "instance_id": one.instance.id, "process_id": one.instance.process_id,
            "business_key": one.instance.business_key, "element_id": one.element_id,
        }
        for one in found.begun
    ]  # fmt: skip
    unanswered = [
        {"process_id": one.process_id, "element_id": one.element_id, "why": one.why} for one in found.unanswered
    ]
    return {"asked": found.asked, "begun": begun, "unanswered": unanswered}
