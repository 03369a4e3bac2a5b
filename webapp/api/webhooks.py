"""Webhooks: who outside is told what; the log of what was told, and telling it again."""

from __future__ import annotations

from typing import Any

from flask import g
from marshmallow import fields
from sqlalchemy import select

from engine.act import Act
from engine.errors import Invalid
from processes import webhooks
from processes.webhook_events import EVENT_TYPES, TEST
from records.webhook import LONGEST_URL, DeliveryState, Webhook, WebhookDelivery, WebhookState
from webapp import listing, visit
from webapp.api import bodies, callers
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import (
    Answer,
    Instant,
    Listed,
    Moment,
    Nothing,
    Request,
    Truth,
    as_page,
    maybe,
    page_of,
    text,
    word,
)
from webapp.visit import reading


class WebhookAnswer(Answer):
    """Who is told what. owner: in whose name. failing_since: since when nothing arrives, null while it does."""

    id = fields.UUID()
    name = fields.String()
    owner = fields.String()
    url = fields.String()
    event_types = fields.List(fields.String())
    state = word(WebhookState)
    paused_because = maybe()
    former_secret_until = Instant(allow_none=True)
    failing_since = Instant(allow_none=True)
    rest_until = Instant(allow_none=True)
    created_at = Instant()
    created_by = fields.String()
    changed_at = Instant()
    ended_at = Instant(allow_none=True)
    version = fields.Integer()


class WebhookSecretAnswer(WebhookAnswer):
    """A webhook with its secret. secret: shown this once; null when the same request is answered again."""

    secret = maybe()


class WebhookQuery(Listed):
    """What webhooks may be listed by. ``q`` is part of the name or the address."""

    state = word(WebhookState, load_default="")


class WebhookGiven(Request):
    """A webhook to make. event_types: such as ``purchase_order.approved``, ``receipt.*`` or ``*``."""

    name = text(200, required=True)
    url = text(LONGEST_URL, required=True)
    event_types = fields.List(text(80), required=True)


class WebhookChange(Request):
    """What may be changed; what is left out stays. owner: a user id."""

    name = text(200)
    url = text(LONGEST_URL)
    event_types = fields.List(text(80))
    owner = text(60)
    state = word((WebhookState.ACTIVE, WebhookState.PAUSED))


class RotationGiven(Request):
    """at_once: the former secret signs nothing any more; otherwise both sign for 24 hours."""

    at_once = Truth(load_default=False)


class SinceGiven(Request):
    """since: an instant; deliveries made from then on are meant."""

    since = Moment(required=True)


class AttemptAnswer(Answer):
    """One try. answer: the first 500 characters of what was answered; error: why it does not count, null when it arrived."""

    at = Instant()
    status = fields.Integer(allow_none=True)
    milliseconds = fields.Integer()
    error = maybe()
    answer = fields.String()


class DeliveryAnswer(Answer):
    """One message. id: the header webhook-id of every try. tries: since it was made or replayed; due_at: of the next."""

    id = fields.UUID()
    event_type = fields.String()
    record_type = fields.String()
    record_id = fields.String()
    number = maybe()
    state = word(DeliveryState)
    tries = fields.Integer()
    due_at = Instant()
    status = fields.Integer(allow_none=True)
    error = maybe()
    created_at = Instant()
    finished_at = Instant(allow_none=True)


class DeliveryDetail(DeliveryAnswer):
    """One message with every try. body: exactly what is sent."""

    body = fields.String()
    attempts = fields.List(fields.Nested(AttemptAnswer))


class DeliveryQuery(Listed):
    """What deliveries may be listed by. ``q`` is part of a number; since, before: when it happened."""

    state = word(DeliveryState, load_default="")
    event_type = word((*EVENT_TYPES, TEST), load_default="")
    since = Moment(load_default=None)
    before = Moment(load_default=None)


class ReplayedAnswer(Answer):
    """How many messages are sent again; 10,000 at most, the oldest first."""

    replayed = fields.Integer()


WebhookPage = page_of(WebhookAnswer, "WebhookPage")
DeliveryPage = page_of(DeliveryAnswer, "DeliveryPage")


def tag_of(found: Any) -> str:
    """Return the ETag of what is shown."""
    return str(found["version"])


def _may_read() -> None:
    """Let keepers read, and adapters that an administrator gave the scope. Raises: Forbidden."""
    if not callers.is_adapter():
        webhooks.need_keeper(reading(), visit.visitor().user_id, at=visit.now())


def _as_answer(one: Webhook) -> dict[str, Any]:
    names = set(WebhookAnswer().fields) - {"former_secret_until"}
    until = one.former_until if one.former_until is not None and one.former_until > visit.now() else None
    return {name: getattr(one, name) for name in names} | {"former_secret_until": until}


def _show(record_id: str) -> dict[str, Any]:
    return _as_answer(webhooks.find(reading(), record_id))


def _show_once(record_id: str) -> dict[str, Any]:
    return _show(record_id) | {"secret": g.pop("webhook_secret", None)}


def _seen(act: Act, record_id: str) -> Webhook:
    found = webhooks.find(act.session, record_id)
    bodies.seen_tag(str(found.version))
    return found


@reads(
    "/webhooks", scope="webhooks:read", summary="List webhooks, newest first", query=WebhookQuery, answer=WebhookPage
)
def list_webhooks(*, q: str, state: str, after: str, limit: int) -> Any:
    """For integration owners and administrators. Ended ones too."""
    _may_read()
    wanted = select(Webhook)
    if q:
        wanted = wanted.where(listing.contains(q, Webhook.name, Webhook.url))
    if state:
        wanted = wanted.where(Webhook.state == state)
    found = listing.newest_first(reading(), wanted, Webhook, query=q, state=state, after=after, limit=limit)
    return as_page(found) | {"items": [_as_answer(one) for one in found.items]}


@reads("/webhooks/<record_id>", scope="webhooks:read", summary="Get a webhook", answer=WebhookAnswer, etag=tag_of)
def get_webhook(record_id: str) -> dict[str, Any]:
    """Find it by id. Its secret is not shown again."""
    _may_read()
    return _show(record_id)


@writes(
    "POST", "/webhooks", scope="webhooks:write", summary="Make a webhook", body=WebhookGiven, answer=WebhookSecretAnswer,
    render=_show_once, etag=tag_of, status=201, person=True, is_kept=False,
)  # fmt: skip
def create_webhook(act: Act, body: dict[str, Any]) -> str:
    """As an integration owner or an administrator. The secret is in this answer and nowhere else."""
    g.webhook_secret, made = webhooks.create(act, **body)
    return made.id


@writes(
    "PATCH", "/webhooks/<record_id>", scope="webhooks:write", summary="Change, pause or resume a webhook", body=WebhookChange,
    answer=WebhookAnswer, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def change_webhook(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As its owner or an administrator. What happens while it is paused waits, and is sent once it is resumed."""
    found = _seen(act, record_id)
    state = body.pop("state", None)
    webhooks.change(act, found, body)
    if state == WebhookState.PAUSED:
        webhooks.pause(act, found)
    elif state == WebhookState.ACTIVE:
        webhooks.resume(act, found)
    return found.id


@writes(
    "POST", "/webhooks/<record_id>/end", scope="webhooks:write", summary="End a webhook for good", body=Nothing,
    answer=WebhookAnswer, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def end_webhook(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As its owner or an administrator. What was not sent yet is cancelled; the log stays."""
    return webhooks.end(act, _seen(act, record_id)).id


@writes(
    "POST", "/webhooks/<record_id>/rotate-secret", scope="webhooks:write", summary="Give a webhook a new secret", body=RotationGiven,
    answer=WebhookSecretAnswer, render=_show_once, etag=tag_of, match=True, person=True, is_kept=False,
)  # fmt: skip
def rotate_webhook_secret(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As its owner or an administrator. Messages carry a signature of each for 24 hours, unless the former one ends at once."""
    found = _seen(act, record_id)
    g.webhook_secret = webhooks.rotate(act, found, at_once=body["at_once"])
    return found.id


def _show_delivery(subject: list[str]) -> WebhookDelivery:
    return webhooks.find_delivery(reading(), *subject)


@writes(
    "POST", "/webhooks/<record_id>/test", scope="webhooks:write", summary="Send a test event to a webhook", body=Nothing,
    answer=DeliveryDetail, render=_show_delivery, status=201, person=True,
)  # fmt: skip
def test_webhook(act: Act, body: dict[str, Any], record_id: str) -> list[str]:
    """As its owner or an administrator. It is tried once, also while the webhook is paused; the delivery tells what came of it."""
    return [record_id, webhooks.send_test(act, webhooks.find(act.session, record_id))]


@reads(
    "/webhooks/<record_id>/deliveries", scope="webhooks:read", summary="List what a webhook told, newest first", query=DeliveryQuery,
    answer=DeliveryPage,
)  # fmt: skip
def list_deliveries(
    record_id: str, *, q: str, state: str, event_type: str, since: Any, before: Any, after: str, limit: int
) -> Any:
    """Of the last weeks; older ones are not kept."""
    _may_read()
    webhooks.find(reading(), record_id)
    if since is not None and before is not None and before <= since:
        raise Invalid("Expected an end after the beginning, but it is not", {"before": "is not after since"})
    wanted = webhooks.deliveries_of(record_id, query=q, state=state, event_type=event_type, since=since, before=before)
    return as_page(
        listing.newest_first(reading(), wanted, WebhookDelivery, query=q, state=state, after=after, limit=limit)
    )


@reads(
    "/webhooks/<record_id>/deliveries/<delivery_id>", scope="webhooks:read", summary="Get a delivery with every try",
    answer=DeliveryDetail,
)  # fmt: skip
def get_delivery(record_id: str, delivery_id: str) -> WebhookDelivery:
    """With the body exactly as it is sent."""
    _may_read()
    return webhooks.find_delivery(reading(), record_id, delivery_id)


@writes(
    "POST", "/webhooks/<record_id>/deliveries/<delivery_id>/replay", scope="webhooks:write", summary="Send a message again",
    body=Nothing, answer=DeliveryDetail, render=_show_delivery, person=True,
)  # fmt: skip
def replay_delivery(act: Act, body: dict[str, Any], record_id: str, delivery_id: str) -> list[str]:
    """Whether it arrived or not: the same body under the same webhook-id, newly signed."""
    found = webhooks.find(act.session, record_id)
    return [record_id, webhooks.replay(act, found, webhooks.find_delivery(act.session, record_id, delivery_id)).id]


@writes(
    "POST", "/webhooks/<record_id>/replay", scope="webhooks:write", summary="Send everything again that failed since an instant",
    body=SinceGiven, answer=ReplayedAnswer, render=lambda count: {"replayed": count}, person=True,
)  # fmt: skip
def replay_failed_deliveries(act: Act, body: dict[str, Any], record_id: str) -> int:
    """The oldest first. What waits to be sent anyhow, and what arrived, is left alone."""
    return webhooks.replay_failed(act, webhooks.find(act.session, record_id), body["since"])
