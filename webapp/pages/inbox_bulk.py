"""Several tasks at once: look at what was selected and why some of it is not eligible, act, read what became of each."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import parse_qsl

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine.canonical import is_whole
from engine.errors import Invalid, Refused
from records.snooze import WakesOn
from webapp import bulk, formats, inbox_asked, inboxes, signing_form, typed
from webapp.pages import signing_together
from webapp.pages.account import own_path
from webapp.refusals import status_of
from webapp.typed import Unreadable
from webapp.visit import is_partial, now, read_anew, reading, visitor

pages = Blueprint("inbox_bulk", __name__)

Page = str | tuple[str, int] | Response
EVENTS = tuple((kind.value, f"When {inboxes.EVENTS[kind.value]}") for kind in WakesOn)
MORNING = 8
"""The hour of the plant's morning at which "tomorrow" begins."""


@pages.route("/inbox/bulk", methods=["GET", "POST"])
def look() -> Page:
    """Show what was selected: what is eligible, what is not and why, and what the action asks."""
    try:
        return _show()
    except Invalid as refusal:
        flash(refusal.message, "bad")
        return redirect(_back(), 303)


@pages.post("/inbox/bulk/<action>")
def act(action: str) -> Page:
    """Take the action on each task that is ticked; show the result of each unless all of them succeeded."""
    try:
        order = _order(action)
        versions = _versions()
    except Refused as refusal:
        return _show(refusal, action=action), status_of(refusal)
    outcomes = bulk.carry_out(versions, order)
    done = [one for one in outcomes if one.refusal is None]
    if len(done) == len(outcomes):
        flash(_done_words(done, order), "good")
        if is_partial():
            answer = Response(status=204)
            answer.headers["HX-Redirect"] = _back()
            return answer
        return redirect(_back(), 303)
    first = outcomes[0].refusal
    if first is not None and not done and (isinstance(first, Invalid) or (is_partial() and len(outcomes) == 1)):
        return _show(first, action=action), status_of(first)  # what was typed fits none of them
    return render_template(
        "inbox/bulk_result.html", outcomes=outcomes, done=done, action=bulk.ACTIONS[action], back_url=_back(),
        sentence_of=bulk.sentence_of,
    )  # fmt: skip


def _show(refusal: Refused | None = None, *, action: str = "") -> str:
    session = read_anew() if refusal else reading()
    wanted = action or request.values.get("do") or "approve"
    ids = request.values.getlist("task")
    if request.values.get("all") and refusal is None:
        ids = _all_ids(request.values["all"])
    selection = bulk.select_for(session, ids, wanted, step=request.values.get("step", ""))
    if selection.is_signed and refusal is None:
        return signing_together.show_selected(selection)
    template = "inbox/bulk_part.html" if is_partial() else "inbox/bulk.html"
    return render_template(
        template, selection=selection, refusal=refusal, errors=signing_form.errors_of(refusal), form=request.form, back=_back_query(),
        back_url=_back(), ticked=set(request.form.getlist("task")) if refusal else None, actions=_other_actions(selection),
        people=bulk.takers(session, selection.eligible) if wanted == "reassign" else [], presets=_presets(), events=EVENTS,
        action_words=bulk.ACTIONS[wanted],
    )  # fmt: skip


def _all_ids(back: str) -> list[str]:
    """Return every task that a list shows, as many as one go takes. Raises: Invalid where part of its search makes no sense."""
    given = dict(parse_qsl(back))
    asked = inbox_asked.read(reading(), given)
    asked.search.understood()
    if not asked.is_open:
        raise Invalid("Expected a list of tasks that wait, but this is another one", {"box": "unknown"})
    found = asked.page(reading(), limit=bulk.MOST)
    if found.next:
        flash(f"The first {bulk.MOST} of the list are selected: more are not done in one go.", "warn")
    return [item.task.id for item in found.items if item.task]


def _other_actions(selection: bulk.Selection) -> list[tuple[str, str]]:
    asleep = inbox_asked.asleep(reading())
    fits = {"wake": any(one.task.id in asleep for one in selection.choices)}
    return [(key, words) for key, words in bulk.ACTIONS.items() if fits.get(key, True) and key != "return"]


def _order(action: str) -> bulk.Order:
    """Read what the form says. Raises: Invalid by field."""
    if action not in bulk.ACTIONS:
        raise Invalid(f"Expected one of {', '.join(bulk.ACTIONS)}, but found {action[:40]}", {"do": "unknown"})
    reason = signing_form.read_reason()
    if action in ("reject", "return", "reassign") and not reason:
        raise Invalid("Expected a reason, but there is none", {"reason": "Say why in a sentence"})
    if action == "comment" and not reason:
        raise Invalid("Expected a comment, but there is none", {"reason": "Say it in a sentence"})
    user_id = request.form.get("user_id", "")
    if action == "reassign" and not user_id:
        raise Invalid("Expected to know whom to give it to, but nobody is chosen", {"user_id": "Choose somebody"})
    if action != "snooze":
        return bulk.Order(action, reason, user_id)
    return bulk.Order(action, until=_until(), wakes_on=_event())


def _until() -> dt.datetime | None:
    text = request.form.get("at", "").strip() or request.form.get("until", "")
    if not text:
        return None
    try:
        return typed.local_instant(text, visitor().how)
    except Unreadable as error:
        raise Invalid("Expected a time that can be read", {"at": str(error)}) from error


def _event() -> WakesOn | None:
    text = request.form.get("wakes_on", "")
    if text and text not in {kind.value for kind in WakesOn}:
        raise Invalid(f"Expected an event of the list, but found {text[:40]}", {"wakes_on": "choose one"})
    return WakesOn(text) if text else None


def _presets() -> list[tuple[str, str]]:
    """Return usual ends of a snooze in the visitor's time: value and words."""
    how = visitor().how
    here = now().astimezone(how.zone)
    morning = here.replace(hour=MORNING, minute=0, second=0, microsecond=0)
    days = (7 - here.weekday()) or 7
    found = [
        ("In 2 hours", here + dt.timedelta(hours=2)), ("Tomorrow morning", morning + dt.timedelta(days=1)),
        ("Next Monday morning", morning + dt.timedelta(days=days)), ("In two weeks", morning + dt.timedelta(days=14)),
    ]  # fmt: skip
    return [(f"{at:%Y-%m-%dT%H:%M}", f"{words}, {formats.moment(at, now(), how)}") for words, at in found]


def _versions() -> dict[str, int]:
    """Return the ticked tasks with the version that the page showed. Raises: Invalid."""
    ids = list(dict.fromkeys(request.form.getlist("task")))
    if not ids:
        raise Invalid("Expected at least one task, but none is ticked", {"task": "Tick what you mean"})
    if len(ids) > bulk.MOST:
        raise Invalid(f"Expected at most {bulk.MOST} tasks, but {len(ids)} are ticked", {"task": "Tick fewer"})
    versions = {one: request.form.get(f"version_{one}", "") for one in ids}
    if not all(is_whole(text) for text in versions.values()):
        raise Invalid("Expected the version that the page showed, but it is missing; open the page again", code="STALE_FORM")  # fmt: skip
    return {one: int(text) for one, text in versions.items()}


def _done_words(done: list[bulk.Outcome], order: bulk.Order) -> str:
    what = done[0].key if len(done) == 1 else formats.plural(len(done), "task")
    later: Any = ""
    if order.action == "snooze":
        until = formats.moment(order.until, now(), visitor().how) if order.until else ""
        event = inboxes.EVENTS[order.wakes_on.value] if order.wakes_on else ""
        later = (
            ": back " + " or ".join(filter(None, [until, f"when {event}" if event else ""])) + ". The due date stays."
        )
    return f"{what} {bulk.DONE[order.action]}{later}"


def _back_query() -> str:
    return request.values.get("back", "")[:1000]


def _back() -> str:
    return own_path(f"/inbox?{_back_query()}") if _back_query() else url_for("inbox.show")
