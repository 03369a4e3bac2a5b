"""Deliver to webhooks: what an act writes into the chain becomes rows of the same act, and a job sends them after the commit.

Who wants what is remembered for two seconds, so that an act that nobody wants to hear of asks nothing. A webhook is served by one
worker at a time, in order; one that cannot be reached rests, and its receiver keeps nobody waiting longer than one try at a time.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from engine import bulk
from engine.act import Act, Installation
from engine.database import new_id
from engine.errors import Refused
from engine.jobs import defer
from engine.registry import Registry, Work
from processes import webhook_secrets, webhook_sending
from processes.notices import tell, tell_role
from processes.webhook_events import TEST, Event, body_of, events_in, is_event, is_wanted, types_in
from processes.webhook_sending import Outcome
from processes.webhook_terms import Terms, terms_of
from records.person import User
from records.roles import grants_of
from records.webhook import RECORD_TYPE, DeliveryState, Webhook, WebhookAttempt, WebhookDelivery, WebhookState

KEEPERS = frozenset({"INTEGRATION", "ADMIN"})
"""Roles that may keep webhooks, and in whose name something is told."""

JOB = "deliver_to_webhook"
REMEMBERED = 2.0
"""Seconds for which a node remembers who wants what: a new webhook hears of what happens on other nodes that much later."""
AT_A_TIME = 5.0
"""Seconds of sending after which a worker lets other jobs pass."""
LONGEST_REST = dt.timedelta(minutes=30)
"""After which a receiver that could not be reached is tried anew, whatever waits for it."""
RESTING = frozenset({429, 502, 503, 504})
"""Answers that say that the receiver as a whole cannot take anything now."""
GONE = 410
TIDY_EVERY = 300.0
"""Seconds between two looks of a worker at what the log need not keep any more, and at what was left lying."""
LEFT_LYING = dt.timedelta(minutes=15)

_COLUMNS = tuple(column.key for column in WebhookDelivery.__table__.columns)

registry = Registry()


@dataclass(frozen=True, slots=True)
class _Known:
    """Who wants what, and until when that is believed."""

    until: float
    wanted: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Message:
    """One message as it is sent now."""

    webhook_id: str
    delivery_id: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def may_keep(session: Session, user_id: str, *, at: dt.datetime) -> bool:
    """Whether somebody may keep webhooks: active, and an integration owner or an administrator."""
    user = session.get(User, user_id)
    return (
        user is not None and user.is_active and any(one.role in KEEPERS for one in grants_of(session, user_id, at=at))
    )


@registry.listener(is_event)
def hear(act: Act, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep a delivery for everybody who wants to hear of what the act did."""
    wanted = _who_wants(act)
    if not wanted:
        return
    happened = types_in(rows)
    concerned = [(key, types) for key, types in wanted if any(is_wanted(one, types) for one in happened)]
    if not concerned:
        return
    webhooks = [(act.session.get(Webhook, key), types) for key, types in concerned]
    kept = [(one, types) for one, types in webhooks if one is not None and one.state is not WebhookState.ENDED]
    told: set[str] = set()
    for event in events_in(act, rows, sorted({one for _, types in kept for one in types})):
        for webhook, types in kept:
            if is_wanted(event.type, types):
                _write(act, webhook, event)
                told.add(webhook.id)
    for webhook, _types in kept:
        if webhook.id in told and webhook.state is WebhookState.ACTIVE:
            wake(act, webhook.id)


def keep(act: Act, webhook: Webhook, event: Event) -> str:
    """Keep one event for one webhook, to be sent after the commit; return the id of the delivery."""
    made = _write(act, webhook, event)
    wake(act, webhook.id)
    return made


def wake(act: Act, webhook_id: str, *, at: dt.datetime | None = None) -> None:
    """Let a worker look for what is due for a webhook, now or then."""
    job_at = at if at is not None and at > act.now else None
    # A job of nobody's run: whatever becomes of it is kept in the log of the webhook.
    instance_id, act.instance_id = act.instance_id, None
    try:
        defer(act, JOB, {"webhook_id": webhook_id}, lock=f"{RECORD_TYPE}:{webhook_id}", run_at=job_at)
    finally:
        act.instance_id = instance_id


def forget(installation: Installation) -> None:
    """Ask anew who wants what: somebody just said something else."""
    installation.extras.pop("webhooks", None)


@registry.errand(JOB)
def deliver(installation: Installation, work: Work) -> None:
    """Send what is due for a webhook, in order, for some seconds; what is left is another job's. Arguments: webhook_id."""
    webhook_id, terms = str(work["webhook_id"]), terms_of(installation.settings)
    ends = time.monotonic() + AT_A_TIME
    while (message := _next(installation, webhook_id)) is not None:
        if isinstance(message, _Message):
            outcome = webhook_sending.send(
                message.url, message.headers, message.body, timeout=terms.timeout, takes_http=terms.takes_http
            )
            _settle(installation, message, outcome, terms)
        if time.monotonic() >= ends:
            with installation.acting("system:webhooks") as act:
                wake(act, webhook_id)
            return


def _who_wants(act: Act) -> tuple[tuple[str, tuple[str, ...]], ...]:
    extras, moment = act.installation.extras, time.monotonic()
    known: _Known | None = extras.get("webhooks")
    if known is None or moment >= known.until:
        rows = act.session.connection().execute(
            select(Webhook.id, Webhook.event_types).where(Webhook.state != WebhookState.ENDED).order_by(Webhook.id)
        )
        known = extras["webhooks"] = _Known(moment + REMEMBERED, tuple((str(row[0]), tuple(row[1])) for row in rows))
    return known.wanted


def _write(act: Act, webhook: Webhook, event: Event) -> str:
    """Queue the row of a delivery and return its id; an import may tell of thousands of documents in one act."""
    delivery_id, public_url = new_id(), str(act.installation.settings.get("public_url") or "")
    row = dict.fromkeys(_COLUMNS) | {
        "id": delivery_id, "webhook_id": webhook.id, "event_type": event.type, "record_type": event.record_type,
        "record_id": event.record_id, "number": event.number, "body": body_of(event, at=act.now, public_url=public_url),
        "state": DeliveryState.PENDING, "tries": 0, "due_at": act.now, "created_at": act.now,
    }  # fmt: skip
    bulk.add(act, WebhookDelivery, [row])
    return delivery_id


def _next(installation: Installation, webhook_id: str) -> _Message | bool | None:
    """Return the next message that is due; None when there is none; True when one could not even be made, and that is kept."""
    with installation.reading() as session:
        now, webhook = installation.clock(), session.get(Webhook, webhook_id)
        if webhook is None or webhook.state is WebhookState.ENDED:
            return None
        due = select(WebhookDelivery).where(
            WebhookDelivery.webhook_id == webhook_id,
            WebhookDelivery.state == DeliveryState.PENDING,
            WebhookDelivery.due_at <= now,
        )
        if webhook.state is WebhookState.PAUSED or webhook.is_resting(now):
            due = due.where(WebhookDelivery.event_type == TEST)
        found = session.scalars(due.order_by(WebhookDelivery.id).limit(1)).first()
        if found is None:
            return None
        may = may_keep(session, webhook.owner.removeprefix("user:"), at=now)
        try:
            if may:
                return _signed(installation, webhook, found, now)
            why = f"{webhook.owner.removeprefix('user:')}, who owned it, left or is no integration owner any more"
        except Refused as refusal:
            why = refusal.message
    return _stop(installation, webhook_id, found.id, why)


def _signed(installation: Installation, webhook: Webhook, delivery: WebhookDelivery, now: dt.datetime) -> _Message:
    """Return a message with its headers. Raises: Conflict SECRET_LOST."""
    timestamp = int(now.timestamp())
    held = [webhook.secret]
    if webhook.former_secret and webhook.former_until is not None and now < webhook.former_until:
        held.append(webhook.former_secret)
    secrets = [webhook_secrets.unseal(installation, webhook.id, one) for one in held]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Lockstep",
        "Connection": "close",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            webhook_secrets.sign(one, delivery.id, timestamp, delivery.body) for one in secrets
        ),
    }
    return _Message(webhook.id, delivery.id, webhook.url, headers, delivery.body.encode())


def _settle(installation: Installation, message: _Message, outcome: Outcome, terms: Terms) -> None:
    """Keep what came of a try, and when the next one is."""
    with installation.acting("system:webhooks") as act:
        row = act.session.get(WebhookDelivery, message.delivery_id, with_for_update=True)
        webhook = act.session.get(Webhook, message.webhook_id)
        if row is None or webhook is None:
            return
        act.session.add(
            WebhookAttempt(
                delivery_id=row.id, at=act.now, status=outcome.status, milliseconds=outcome.milliseconds,
                error=outcome.error or None, answer=outcome.answer,
            )
        )  # fmt: skip
        row.status, row.error = outcome.status, outcome.error[:4000] or None
        if row.state is not DeliveryState.PENDING:
            return  # It ended while the message was on its way.
        row.tries += 1
        if not outcome.error:
            _arrived(act, webhook, row)
        else:
            _failed(act, webhook, row, outcome, terms)


def _arrived(act: Act, webhook: Webhook, row: WebhookDelivery) -> None:
    row.state, row.finished_at = DeliveryState.DELIVERED, act.now
    if webhook.failing_since is None:
        return
    _keep_health(act, webhook, failing_since=None, rest_until=None, failures=0)
    # It can be reached again: what waits because it could not be is tried now, in its order.
    waiting = update(WebhookDelivery).where(
        WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.state == DeliveryState.PENDING,
        WebhookDelivery.tries > 0, WebhookDelivery.due_at > act.now, WebhookDelivery.id != row.id,
    )  # fmt: skip
    if act.session.connection().execute(waiting.values(due_at=act.now)).rowcount:
        wake(act, webhook.id)


def _failed(act: Act, webhook: Webhook, row: WebhookDelivery, outcome: Outcome, terms: Terms) -> None:
    if row.event_type == TEST:
        row.state, row.finished_at = DeliveryState.FAILED, act.now
        return
    since = webhook.failing_since or act.now
    is_out = outcome.status is None or outcome.status in RESTING
    waits = terms.back_off[row.tries - 1] if row.tries <= len(terms.back_off) else None
    if waits is not None:
        row.due_at = act.now + max(waits, dt.timedelta(seconds=outcome.retry_after or 0))
        wake(act, webhook.id, at=row.due_at)
    else:
        row.state, row.finished_at = DeliveryState.FAILED, act.now
    rest = None
    if is_out:
        steps = terms.back_off or (LONGEST_REST,)
        step = max(steps[min(webhook.failures, len(steps) - 1)], dt.timedelta(seconds=outcome.retry_after or 0))
        rest = act.now + min(step, LONGEST_REST)
        if rest != row.due_at:
            wake(act, webhook.id, at=rest)
    failures = webhook.failures + 1 if is_out else 0
    _keep_health(act, webhook, failing_since=since, rest_until=rest, failures=failures)
    if outcome.status == GONE:
        _pause(act, webhook, "the receiver answered 410: it is gone for good")
    elif waits is None and act.now - since >= terms.pause_after:
        days = (act.now - since).days
        _pause(act, webhook, f"nothing arrived for {days} days; the last answer was: {outcome.error}")


def _keep_health(act: Act, webhook: Webhook, **values: Any) -> None:
    """Write how a receiver fares, beside the version: nobody who changes the webhook meanwhile is told that it is stale."""
    act.session.connection().execute(update(Webhook).where(Webhook.id == webhook.id).values(**values))


def _stop(installation: Installation, webhook_id: str, delivery_id: str, why: str) -> bool:
    """Pause a webhook that nothing can be sent for; a test says so by failing, since it is sent while paused too."""
    with installation.acting("system:webhooks") as act:
        webhook = act.session.get_one(Webhook, webhook_id)
        row = act.session.get_one(WebhookDelivery, delivery_id, with_for_update=True)
        if row.event_type == TEST:
            row.state, row.finished_at, row.error = DeliveryState.FAILED, act.now, why[:4000]
        if webhook.state is WebhookState.ACTIVE:
            _pause(act, webhook, why)
    return True


def _pause(act: Act, webhook: Webhook, why: str) -> None:
    """Send nothing more until somebody resumes it, and say so to its owner, or, when that one left, to administrators."""
    webhook.state, webhook.paused_because, webhook.changed_at = WebhookState.PAUSED, why[:4000], act.now
    act.note(RECORD_TYPE, webhook.id, "WEBHOOK_PAUSED", reason=why[:4000])
    subject = f"The webhook {webhook.name} is paused: {why}"[:200]
    body = f"{why}\n\nWhat happens from now on waits in its log. Mend what is wrong and resume it; nothing of it is lost for some weeks."
    key, record, owner = (
        f"webhook:{webhook.id}:{act.id}",
        (RECORD_TYPE, webhook.id),
        webhook.owner.removeprefix("user:"),
    )
    if may_keep(act.session, owner, at=act.now):
        tell(act, [owner], subject, key=key, body=body, record=record)
    else:
        tell_role(act, "ADMIN", subject, key=key, body=body, record=record)


@registry.chore("webhook log")
def tidy(installation: Installation) -> int:
    """Take what is old out of the log, and take up what a worker left lying, once in some minutes."""
    moment = time.monotonic()
    if moment < installation.extras.get("webhook log", 0.0):
        return 0
    installation.extras["webhook log"] = moment + TIDY_EVERY
    return drop_old(installation) + take_up(installation)


def drop_old(installation: Installation) -> int:
    """Delete what the log does not keep any more, some thousand rows at a time; return how many deliveries."""
    limit = installation.clock() - terms_of(installation.settings).log_for
    old = select(WebhookDelivery.id).where(WebhookDelivery.created_at < limit).order_by(WebhookDelivery.created_at)
    with installation.reading() as session:
        found = list(session.scalars(old.limit(2000)))
    for start in range(0, len(found), 500):
        some = found[start : start + 500]
        with installation.acting("system:webhooks") as act:
            connection = act.session.connection()
            connection.execute(delete(WebhookAttempt).where(WebhookAttempt.delivery_id.in_(some)))
            connection.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(some)))
    return len(found)


def take_up(installation: Installation) -> int:
    """Wake the webhooks for which something has been due for long; return how many."""
    now = installation.clock()
    lying = (
        select(WebhookDelivery.webhook_id)
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(
            Webhook.state == WebhookState.ACTIVE, WebhookDelivery.state == DeliveryState.PENDING,
            WebhookDelivery.due_at <= now - LEFT_LYING,
        )
        .distinct()
    )  # fmt: skip
    with installation.reading() as session:
        found = list(session.scalars(lying))
        resting = {
            one.id for one in session.scalars(select(Webhook).where(Webhook.id.in_(found))) if one.is_resting(now)
        }
    idle = [one for one in found if one not in resting]
    if idle:
        with installation.acting("system:webhooks") as act:
            for webhook_id in idle:
                wake(act, webhook_id)
    return len(idle)
