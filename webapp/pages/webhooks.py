"""Webhooks: who outside is told what; each with its settings, its secret shown once, and the log of what was told."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import func, select
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import new_id
from engine.errors import Conflict, Invalid, Refused
from processes import webhooks
from processes.webhook_events import EVENT_TYPES, FAMILIES, TEST
from processes.webhook_terms import terms_of
from records.person import User
from records.webhook import RECORD_TYPE, DeliveryState, Webhook, WebhookDelivery, WebhookState
from webapp import formats, ledger, listing, sheet, typed
from webapp.refusals import status_of
from webapp.signing_form import errors_of
from webapp.typed import Unreadable
from webapp.visit import acting, installation, now, read_anew, reading, visitor

pages = Blueprint("webhooks", __name__)

Page = str | tuple[str, int] | Answer
GROUPS = ("*", "task.*", *(f"{family.word}.*" for family in FAMILIES.values()), "incident.opened", "comment.added")
"""What can be ticked; a single event is typed."""


@pages.before_request
def _let_in() -> None:
    """Let nobody else see where the house tells what. Raises: Forbidden."""
    webhooks.need_keeper(reading(), visitor().user_id, at=now())


@pages.get("/webhooks")
def index() -> str:
    """List the webhooks, newest first, with what they told in the last day."""
    page = look_up(*listing.search())
    return render_template(
        "webhooks/index.html", page=page, states=list(WebhookState), told=_told([one.id for one in page.items])
    )


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of webhooks, newest first. query: part of the name or the address."""
    wanted = select(Webhook)
    if query:
        wanted = wanted.where(listing.contains(query, Webhook.name, Webhook.url))
    if state:
        wanted = wanted.where(Webhook.state == state)
    return listing.newest_first(reading(), wanted, Webhook, query=query, state=state, after=after, limit=limit)


@sheet.offered(pages, "/webhooks")
def export() -> sheet.Sheet:
    """Hand out the webhooks, without their secrets."""
    columns: Mapping[str, sheet.Column] = {
        "name": "name", "url": "url", "event_types": lambda one: " ".join(one.event_types), "state": "state",
        "paused_because": "paused_because", "owner": lambda one: one.owner.removeprefix("user:"),
        "failing_since": "failing_since", "created_at": "created_at",
    }  # fmt: skip
    return sheet.of_page("webhooks", sheet.whole(look_up), columns)


@pages.route("/webhooks/new", methods=["GET", "POST"])
def add() -> Page:
    """Show the form of a webhook; on POST make it and show its secret, this once."""
    if request.method == "GET":
        return _show_form(None)
    key, refusal = request.form.get("key", ""), None
    try:
        with acting() as act:
            secret, made = webhooks.create(act, key=key, name=request.form.get("name", ""), **_typed())
            webhook_id = made.id
    except Refused as refused:
        refusal = refused
    if refusal is not None:
        return _show_form(None, refusal), status_of(refusal)
    return _show(webhook_id, secret=secret), 201


@pages.route("/webhooks/<record_id>/change", methods=["GET", "POST"])
def change(record_id: str) -> Page:
    """Show the settings of a webhook; on POST keep them."""
    if request.method == "GET":
        return _show_form(webhooks.find(reading(), record_id))
    try:
        with acting() as act:
            values = {"name": request.form.get("name", ""), "owner": request.form.get("owner", ""), **_typed()}
            webhooks.change(act, _seen(act, record_id), values)
    except Refused as refusal:
        return _show_form(webhooks.find(read_anew(), record_id), refusal), status_of(refusal)
    flash("Kept. What happens from now on is told so.", "good")
    return _back_to(record_id)


@pages.get("/webhooks/<record_id>")
def show(record_id: str) -> str:
    """Show a webhook, how its receiver fares, and its log."""
    return _show(record_id)


@sheet.offered(pages, "/webhooks/<record_id>", endpoint="export_log")
def export_log(record_id: str) -> sheet.Sheet:
    """Hand out the log of a webhook."""
    query, state, _ = listing.search()
    found = _log(record_id, query, state, "", limit=listing.MOST_EXPORTED)
    columns: Mapping[str, sheet.Column] = {
        "created_at": "created_at", "event_type": "event_type", "number": "number", "state": "state", "tries": "tries",
        "status": "status", "error": "error", "finished_at": "finished_at", "id": "id",
    }  # fmt: skip
    return sheet.of_page("webhook-log", found, columns)


@pages.post("/webhooks/<record_id>/secret")
def rotate(record_id: str) -> Page:
    """Give a webhook a new secret and show it, this once."""
    try:
        with acting() as act:
            secret = webhooks.rotate(act, _seen(act, record_id), at_once=bool(request.form.get("at_once")))
    except Refused as refusal:
        return _show(record_id, refusal=refusal), status_of(refusal)
    return _show(record_id, secret=secret)


@pages.post("/webhooks/<record_id>/<any(pause, resume, end):verb>")
def move(record_id: str, verb: str) -> Page:
    """Pause a webhook, resume it, or end it for good."""
    said = {
        "pause": "Paused. What happens meanwhile waits in the log.",
        "resume": "Resumed. What waited is sent now.",
        "end": "Ended. Nobody is told there any more; the log stays for some weeks.",
    }
    try:
        with acting() as act:
            getattr(webhooks, verb)(act, _seen(act, record_id))
    except Refused as refusal:
        return _show(record_id, refusal=refusal), status_of(refusal)
    flash(said[verb], "good")
    return _back_to(record_id)


@pages.post("/webhooks/<record_id>/test")
def try_out(record_id: str) -> Page:
    """Send a test event, once."""
    try:
        with acting() as act:
            sent = webhooks.send_test(act, webhooks.find(act.session, record_id))
    except Refused as refusal:
        return _show(record_id, refusal=refusal), status_of(refusal)
    return redirect(url_for("webhooks.delivery", record_id=record_id, delivery_id=sent), 303)


@pages.post("/webhooks/<record_id>/replay")
def replay_failed(record_id: str) -> Page:
    """Send everything again that failed since an instant."""
    try:
        since = _since()
        with acting() as act:
            count = webhooks.replay_failed(act, webhooks.find(act.session, record_id), since)
    except Refused as refusal:
        return _show(record_id, refusal=refusal), status_of(refusal)
    said = f"{formats.plural(count, 'message')} {'is' if count == 1 else 'are'} sent again."
    flash(said if count else "Nothing failed since then, so nothing is sent again.", "good")
    return _back_to(record_id)


@pages.get("/webhooks/<record_id>/deliveries/<delivery_id>")
def delivery(record_id: str, delivery_id: str) -> str:
    """Show one message: what is sent, and every try."""
    return _show_delivery(record_id, delivery_id)


@pages.post("/webhooks/<record_id>/deliveries/<delivery_id>/replay")
def replay(record_id: str, delivery_id: str) -> Page:
    """Send one message again."""
    try:
        with acting() as act:
            found = webhooks.find(act.session, record_id)
            webhooks.replay(act, found, webhooks.find_delivery(act.session, record_id, delivery_id))
    except Refused as refusal:
        return _show_delivery(record_id, delivery_id, refusal), status_of(refusal)
    flash("It is sent again, under the same webhook-id.", "good")
    return redirect(url_for("webhooks.delivery", record_id=record_id, delivery_id=delivery_id), 303)


def _back_to(record_id: str) -> Answer:
    return redirect(url_for("webhooks.show", record_id=record_id), 303)


def _seen(act: Act, record_id: str) -> Webhook:
    """Return the webhook as it was shown. Raises: Conflict when somebody changed it meanwhile."""
    found = webhooks.find(act.session, record_id)
    if request.form.get("version") != str(found.version):
        raise Conflict(
            "Expected the webhook as you saw it, but it was changed since; look at it as it stands now and press again",
            code="STALE_VERSION",
        )
    return found


def _typed() -> dict[str, Any]:
    words = request.form.get("single", "").replace(",", " ").split()
    return {"url": request.form.get("url", ""), "event_types": [*request.form.getlist("types"), *words]}


def _since() -> dt.datetime:
    try:
        return typed.local_instant(request.form.get("since", ""), visitor().how)
    except Unreadable as error:
        raise Invalid(str(error), {"since": str(error)}) from error


def _told(webhook_ids: list[str]) -> dict[str, dict[str, int]]:
    """Return how many messages of the last day stand where, by webhook."""
    wanted = (
        select(WebhookDelivery.webhook_id, WebhookDelivery.state, func.count())
        .where(WebhookDelivery.webhook_id.in_(webhook_ids), WebhookDelivery.created_at >= now() - dt.timedelta(days=1))
        .group_by(WebhookDelivery.webhook_id, WebhookDelivery.state)
    )
    found: dict[str, dict[str, int]] = {}
    for webhook_id, state, count in reading().execute(wanted):
        found.setdefault(webhook_id, {})[state.value] = count
    return found


def _log(record_id: str, query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    webhooks.find(reading(), record_id)
    is_event = query in EVENT_TYPES or query == TEST
    wanted = webhooks.deliveries_of(
        record_id, query="" if is_event else query, event_type=query if is_event else "", state=state
    )
    return listing.newest_first(reading(), wanted, WebhookDelivery, query=query, state=state, after=after, limit=limit)


def _show(record_id: str, *, secret: str = "", refusal: Refused | None = None) -> str:
    session = read_anew() if request.method == "POST" else reading()
    found = webhooks.find(session, record_id)
    form = request.form if refusal else {}
    return render_template(
        "webhooks/show.html", webhook=found, page=_log(record_id, *listing.search()), states=list(DeliveryState), secret=secret,
        refusal=refusal, errors=errors_of(refusal), may_change=_may_change(found), told=_told([record_id]).get(record_id, {}),
        since=form.get("since") or f"{(now() - dt.timedelta(days=1)).astimezone(visitor().how.zone):%Y-%m-%dT%H:%M}",
        terms=terms_of(installation().settings), is_resting=found.is_resting(now()), is_whole=request.method == "GET",
        ledger=ledger.ledger_of(session, RECORD_TYPE, record_id),
        signs_twice=found.former_until is not None and found.former_until > now(),
    )  # fmt: skip


def _may_change(found: Webhook) -> bool:
    return found.owner == visitor().principal or visitor().holds("ADMIN")


def _show_form(found: Webhook | None, refusal: Refused | None = None) -> str:
    form = request.form if request.method == "POST" else None
    chosen = form.getlist("types") if form else list(found.event_types) if found else []
    single = form.get("single", "") if form else " ".join(one for one in chosen if one not in GROUPS)
    return render_template(
        "webhooks/form.html", webhook=found, form=form or {}, chosen=chosen, single=single, groups=GROUPS, types=EVENT_TYPES,
        refusal=refusal, errors=errors_of(refusal), key=form.get("key", "") if form else new_id(), keepers=_keepers(),
        takes_http=terms_of(installation().settings).takes_http,
    )  # fmt: skip


def _keepers() -> list[tuple[str, str]]:
    """Return who may own a webhook, by name."""
    session, moment = reading(), now()
    people = webhooks.keepers(session, at=moment)
    wanted = select(User.id, User.name).where(User.id.in_(people)).order_by(User.name)
    return [(row[0], row[1]) for row in session.execute(wanted)]


def _show_delivery(record_id: str, delivery_id: str, refusal: Refused | None = None) -> str:
    session = read_anew() if refusal else reading()
    found, webhook = webhooks.find_delivery(session, record_id, delivery_id), webhooks.find(session, record_id)
    return render_template(
        "webhooks/delivery.html", webhook=webhook, delivery=found, refusal=refusal, may_change=_may_change(webhook),
        body=json.dumps(json.loads(found.body), indent=2, ensure_ascii=False), terms=terms_of(installation().settings),
    )  # fmt: skip
