"""Messages: something outside happened, and the runs that wait for it hear of it once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from marshmallow import fields, validate

from engine.act import Act
from engine.messages import Publication, Reception, publish
from processes import planned_order
from webapp.api import callers
from webapp.api.endpoints import writes
from webapp.api.shapes import Answer, Request, Values, Whole, text, word
from webapp.pages import orders

LONGEST_TTL = 366 * 86_400


class Message(Request):
    """A message. message_id: the sender's own; the same one again is answered and moves nothing. ttl: seconds it is kept."""

    name = fields.String(required=True, validate=validate.Length(1, 200, error="Expected {min} to {max} characters"))
    correlation_key = text(500, load_default="")
    variables = Values(load_default=dict)
    message_id = text(200, load_default=None, allow_none=True)
    ttl = Whole(
        load_default=None, allow_none=True,
        validate=validate.Range(0, LONGEST_TTL, error="Expected {min} to {max} seconds, but found {input}"),
    )  # fmt: skip


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
    """Deliver it to the run that has waited longest, else start one, else keep it.

    A person must keep the interfaces: a message can withdraw an order or answer for a supplier.
    """
    if not callers.is_adapter():
        orders.need("INTEGRATION", "ADMIN")
    if body["name"] == planned_order.MESSAGE:
        # Nobody but its sender can mend it, so it is told at once; what an adapter sends past this door is an incident.
        planned_order.refuse_unusable(act.session, body["variables"])
    ttl = None if body["ttl"] is None else dt.timedelta(seconds=body["ttl"])
    return as_subject(
        publish(
            act, body["name"], correlation_key=body["correlation_key"], variables=body["variables"],
            message_id=body["message_id"], ttl=ttl,
        )
    )  # fmt: skip
