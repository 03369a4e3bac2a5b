"""Webhooks: what people do with them. Who tells of what, and the delivery itself, is in ``processes.webhook_delivering``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import canonical
from engine.database import is_id, new_id
from engine.errors import Conflict, Forbidden, Invalid, NotFound
from processes import webhook_delivering, webhook_secrets
from processes.webhook_events import TEST, Event, checked_types
from processes.webhook_sending import checked_url
from processes.webhook_terms import terms_of
from records.person import RoleGrant, User
from records.roles import holds, user_called
from records.webhook import RECORD_TYPE, DeliveryState, Webhook, WebhookDelivery, WebhookState

OVERLAP = dt.timedelta(hours=24)
"""How long the former secret signs too after a rotation, so that receivers need not change in the same moment."""

MOST_REPLAYED = 10_000
"""Deliveries that are replayed at once; whoever missed more asks again."""

CHANGEABLE = frozenset({"name", "url", "event_types", "owner"})


def need_keeper(session: Session, user_id: str | None, *, at: dt.datetime) -> str:
    """Return the id of somebody who may keep webhooks. Raises: Forbidden."""
    if user_id is None or not webhook_delivering.may_keep(session, user_id, at=at):
        raise Forbidden(
            "Expected an integration owner or an administrator to keep webhooks, but you hold neither role",
            code="NOT_AUTHORISED",
        )
    return user_id


def find(session: Session, webhook_id: str) -> Webhook:
    """Return a webhook. Raises: NotFound."""
    found = session.get(Webhook, webhook_id) if is_id(webhook_id) else None
    if found is None:
        raise NotFound("Expected a webhook with this id, but there is none.")
    return found


def find_delivery(session: Session, webhook_id: str, delivery_id: str) -> WebhookDelivery:
    """Return a delivery of a webhook. Raises: NotFound, for one that the log does not keep any more too."""
    found = session.get(WebhookDelivery, delivery_id) if is_id(delivery_id) else None
    if found is None or found.webhook_id != webhook_id:
        raise NotFound("Expected a delivery of this webhook, but there is none with this id in the log.")
    return found


def deliveries_of(
    webhook_id: str,
    *,
    query: str = "",
    state: str = "",
    event_type: str = "",
    since: dt.datetime | None = None,
    before: dt.datetime | None = None,
) -> Select[WebhookDelivery]:
    """Select what a webhook told. query: part of a number; since, before: when it happened, the end exclusive."""
    wanted = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    if query:
        wanted = wanted.where(func.lower(WebhookDelivery.number).contains(query.lower(), autoescape=True))
    if state:
        wanted = wanted.where(WebhookDelivery.state == state)
    if event_type:
        wanted = wanted.where(WebhookDelivery.event_type == event_type)
    if since is not None:
        wanted = wanted.where(WebhookDelivery.created_at >= since)
    return wanted if before is None else wanted.where(WebhookDelivery.created_at < before)


def keepers(session: Session, *, at: dt.datetime) -> list[str]:
    """Return the ids of those who may keep webhooks."""
    held = select(RoleGrant.user_id).where(RoleGrant.role.in_(sorted(webhook_delivering.KEEPERS)))
    return sorted(one for one in set(session.scalars(held)) if webhook_delivering.may_keep(session, one, at=at))


def create(act: Act, *, name: str, url: str, event_types: Sequence[str], key: str = "") -> tuple[str, Webhook]:
    """Make a webhook of whoever acts and return (its secret, which is never shown again; its row).

    key: its id, given with the form, so that a form sent twice makes one. Raises: Forbidden without the role; Invalid for an address
    that nothing goes to, an event that there is not, or no name; Conflict MADE_ALREADY.
    """
    owner = need_keeper(act.session, act.user_id, at=act.now)
    values = _checked(act, {"name": name, "url": url, "event_types": event_types})
    secret, made_id = webhook_secrets.make(), key if is_id(key) else new_id()
    if act.session.get(Webhook, made_id) is not None:
        raise Conflict(
            "Expected a new form, but the webhook of this one is made; its secret was shown, and can be rotated",
            code="MADE_ALREADY",
        )
    made = Webhook(
        id=made_id, owner=f"user:{owner}", state=WebhookState.ACTIVE, secret=webhook_secrets.seal(act.installation, made_id, secret),
        created_at=act.now, created_by=act.actor, changed_at=act.now, **values,
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    _note(act, made, "WEBHOOK_MADE", field="url", new=_shown("url", made.url))
    _note(act, made, "WEBHOOK_CHANGED", field="event_types", new=_shown("event_types", made.event_types))
    _forget(act)
    return secret, made


def change(act: Act, webhook: Webhook, values: Mapping[str, Any]) -> Webhook:
    """Change name, url, event types or owner; what is not named stays.

    Raises: Forbidden to anybody but the owner and administrators; Conflict when it has ended; Invalid.
    """
    _need_open(act, webhook)
    checked = _checked(act, {name: value for name, value in values.items() if name in CHANGEABLE})
    for name, value in checked.items():
        before = getattr(webhook, name)
        if before != value:
            setattr(webhook, name, value)
            _note(act, webhook, "WEBHOOK_CHANGED", field=name, old=_shown(name, before), new=_shown(name, value))
    if "url" in checked:
        _set_rested(webhook)
        _go_on(act, webhook)
    return _changed(act, webhook)


def give_to(act: Act, webhook: Webhook, user_id: str, *, reason: str) -> Webhook:
    """Let somebody else own a webhook whose owner leaves, whoever does that. Raises: Invalid when they may not keep one."""
    heir = f"user:{user_id}"
    _refuse_owner(act, heir)
    _note(act, webhook, "WEBHOOK_CHANGED", field="owner", old=webhook.owner, new=heir, reason=reason)
    webhook.owner = heir
    return _changed(act, webhook)


def pause(act: Act, webhook: Webhook, *, reason: str = "") -> Webhook:
    """Send nothing until it is resumed; what happens meanwhile waits in the log. Raises as ``change`` does."""
    _need_open(act, webhook)
    if webhook.state is not WebhookState.PAUSED:
        why = reason.strip()[:4000]
        by = user_called(act.session, act.user_id or "").name
        webhook.state, webhook.paused_because = WebhookState.PAUSED, why or f"{by} paused it."
        _note(act, webhook, "WEBHOOK_PAUSED", reason=why or None)
    return _changed(act, webhook)


def resume(act: Act, webhook: Webhook) -> Webhook:
    """Send again, beginning with what waits.

    Raises as ``change`` does; Invalid when its owner may not keep webhooks any more: somebody else must own it first.
    """
    _need_open(act, webhook)
    _refuse_owner(act, webhook.owner)
    if webhook.state is not WebhookState.ACTIVE:
        webhook.state, webhook.paused_because = WebhookState.ACTIVE, None
        _set_rested(webhook)
        _go_on(act, webhook)
        _note(act, webhook, "WEBHOOK_RESUMED")
    return _changed(act, webhook)


def end(act: Act, webhook: Webhook) -> Webhook:
    """Tell nobody any more, for good; what was not sent yet is cancelled, and the log stays. Raises as ``change`` does."""
    _need_open(act, webhook)
    webhook.state, webhook.ended_at, webhook.paused_because = WebhookState.ENDED, act.now, None
    # A secret that opens nothing any more is not kept.
    webhook.secret, webhook.former_secret, webhook.former_until = "", None, None
    waiting = update(WebhookDelivery).where(
        WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.state == DeliveryState.PENDING
    )
    act.session.connection().execute(waiting.values(state=DeliveryState.CANCELLED, finished_at=act.now))
    _note(act, webhook, "WEBHOOK_ENDED")
    return _changed(act, webhook)


def rotate(act: Act, webhook: Webhook, *, at_once: bool = False) -> str:
    """Give it a new secret and return that; the former one signs too for 24 hours. Raises as ``change`` does.

    at_once: the former one signs nothing any more, since somebody else knows it.
    """
    _need_open(act, webhook)
    secret = webhook_secrets.make()
    webhook.former_secret = None if at_once else webhook.secret
    webhook.former_until = None if at_once else act.now + OVERLAP
    webhook.secret = webhook_secrets.seal(act.installation, webhook.id, secret)
    _note(act, webhook, "WEBHOOK_SECRET_ROTATED", new="at once" if at_once else "with an overlap of 24 hours")
    _changed(act, webhook)
    return secret


def send_test(act: Act, webhook: Webhook) -> str:
    """Send a test event, once, also while it is paused; return the id of its delivery. Raises as ``change`` does."""
    _need_open(act, webhook)
    event = Event(TEST, RECORD_TYPE, webhook.id, webhook.name)
    return webhook_delivering.keep(act, webhook, event)


def replay(act: Act, webhook: Webhook, delivery: WebhookDelivery) -> WebhookDelivery:
    """Send a message again, whether it arrived or not: the same body under the same id, newly signed.

    Raises as ``change`` does; Conflict WAITING when it waits to be sent anyhow.
    """
    _need_open(act, webhook)
    held = act.session.get_one(WebhookDelivery, delivery.id, with_for_update=True, populate_existing=True)
    if held.state is DeliveryState.PENDING:
        raise Conflict("Expected a delivery that is over, but this one waits to be sent anyhow", code="WAITING")
    _revive(act, webhook, [held.id])
    act.session.expire(held)
    return held


def replay_failed(act: Act, webhook: Webhook, since: dt.datetime) -> int:
    """Send everything again that failed since an instant, the oldest first; return how much it is, at most 10,000.

    Raises as ``change`` does; Invalid for an instant to come.
    """
    _need_open(act, webhook)
    if since > act.now:
        raise Invalid(
            "Expected an instant that is over, but it is to come", {"since": "Expected an instant that is over"}
        )
    failed = select(WebhookDelivery.id).where(
        WebhookDelivery.webhook_id == webhook.id,
        WebhookDelivery.state == DeliveryState.FAILED,
        WebhookDelivery.created_at >= since,
        WebhookDelivery.event_type != TEST,
    )
    found = list(act.session.scalars(failed.order_by(WebhookDelivery.id).limit(MOST_REPLAYED)))
    _revive(act, webhook, found)
    return len(found)


def _revive(act: Act, webhook: Webhook, delivery_ids: Sequence[str]) -> None:
    for start in range(0, len(delivery_ids), 500):
        some = delivery_ids[start : start + 500]
        again = update(WebhookDelivery).where(
            WebhookDelivery.id.in_(some), WebhookDelivery.state != DeliveryState.PENDING
        )
        act.session.connection().execute(
            again.values(state=DeliveryState.PENDING, tries=0, due_at=act.now, finished_at=None)
        )
    if delivery_ids:
        _set_rested(webhook)
        webhook_delivering.wake(act, webhook.id)
        _note(act, webhook, "WEBHOOK_REPLAYED", new=f"{len(delivery_ids)} from {delivery_ids[0]}")


def _need_open(act: Act, webhook: Webhook) -> None:
    keeper = need_keeper(act.session, act.user_id, at=act.now)
    if webhook.owner != f"user:{keeper}" and not holds(act.session, keeper, "ADMIN", at=act.now):
        raise Forbidden(
            f"Expected {webhook.owner.removeprefix('user:')}, who owns it, or an administrator to do this, but you are neither",
            code="NOT_AUTHORISED",
        )
    if webhook.state is WebhookState.ENDED:
        raise Conflict(f"Expected a webhook that is in use, but {webhook.name} has ended", code="WEBHOOK_ENDED")


def _checked(act: Act, values: Mapping[str, Any]) -> dict[str, Any]:
    checked = dict(values)
    if "name" in checked:
        checked["name"] = checked["name"].strip()
        if not checked["name"]:
            raise Invalid(
                "Expected a name that says what the webhook is for, but there is none",
                {"name": "Expected a name, but there is none"},
            )
    if "url" in checked:
        checked["url"] = checked_url(checked["url"], takes_http=terms_of(act.installation.settings).takes_http)
    if "event_types" in checked:
        checked["event_types"] = checked_types(checked["event_types"])
    if "owner" in checked:
        checked["owner"] = f"user:{str(checked['owner']).removeprefix('user:').strip()}"
        _refuse_owner(act, checked["owner"])
    return checked


def _refuse_owner(act: Act, owner: str) -> None:
    user_id = owner.removeprefix("user:")
    user = act.session.get(User, user_id)
    if user is None or not webhook_delivering.may_keep(act.session, user_id, at=act.now):
        raise Invalid(
            f"Expected an integration owner or an administrator as owner, but {user_id:.60} is neither; name somebody else",
            {"owner": "Expected an integration owner or an administrator"},
        )


def _set_rested(webhook: Webhook) -> None:
    """Forget that it could not be reached: somebody says that it can be now."""
    webhook.failing_since, webhook.rest_until, webhook.failures = None, None, 0


def _go_on(act: Act, webhook: Webhook) -> None:
    """Let what waits be tried now."""
    waiting = update(WebhookDelivery).where(
        WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.state == DeliveryState.PENDING
    )
    act.session.connection().execute(waiting.values(due_at=act.now, tries=0))
    webhook_delivering.wake(act, webhook.id)


def _changed(act: Act, webhook: Webhook) -> Webhook:
    webhook.changed_at = act.now
    act.session.flush()
    _forget(act)
    return webhook


def _forget(act: Act) -> None:
    act.afterwards.append(lambda: webhook_delivering.forget(act.installation))


def _note(act: Act, webhook: Webhook, action: str, **details: Any) -> None:
    act.note(RECORD_TYPE, webhook.id, action, **details)


def _shown(name: str, value: Any) -> str | None:
    """Return a setting as the chain tells it; the query of an address may hold a password of the receiver's."""
    if name == "url":
        return str(value).partition("?")[0]
    return " ".join(value) if isinstance(value, tuple) else canonical(value)
