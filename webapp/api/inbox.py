"""The caller's inbox beside its tasks: counts, what is put aside, watched and saved, and several tasks at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from engine import assigning, inbox, tasks
from engine.act import Act
from engine.errors import Conflict, Refused, RuleViolation
from processes.notices import tell
from records import follower, inbox_view, snooze
from records.inbox_view import COLOURS, COLUMNS, GROUPINGS, InboxView
from records.snooze import WakesOn
from webapp import bulk, dossiers, inbox_asked, reviews
from webapp.api import bodies, callers
from webapp.api.endpoints import reads, writes
from webapp.api.problems import finding_values
from webapp.api.shapes import (
    Answer,
    Instant,
    Listed,
    Moment,
    Nothing,
    Request,
    Truth,
    Whole,
    maybe,
    page_of,
    text,
    word,
)
from webapp.api.signing import SignatureGiven, signature_given
from webapp.api.tasks import Bar
from webapp.pages.review import LONGEST_REASON
from webapp.visit import now, reading, visitor


class DeputyCount(Answer):
    """How much waits for somebody whom the caller stands in for now."""

    user_id = fields.String()
    tasks = fields.Integer()


class InboxCounts(Answer):
    """Open tasks by box, without what the caller put aside. queues: by flow, of ``mine`` and ``groups``."""

    mine = fields.Integer()
    groups = fields.Integer()
    snoozed = fields.Integer()
    watching = fields.Integer()
    deputising = fields.List(fields.Nested(DeputyCount))
    queues = fields.Dict(keys=fields.String(), values=fields.Dict(keys=fields.String(), values=fields.Integer()))
    as_of = Instant()


@reads("/inbox/counts", scope="tasks:read", summary="Count the caller's boxes", answer=InboxCounts, person=True)
def count_inbox() -> dict[str, Any]:
    """Count from counters: it costs the same however many tasks wait."""
    session, me = reading(), callers.need_person()
    aside = list(inbox_asked.asleep(session))
    counted = inbox.counts(session, me, hidden=aside)
    return {
        "mine": counted.mine, "groups": counted.groups, "snoozed": len(aside), "watching": len(follower.followed_by(session, me)),
        "deputising": [
            {"user_id": absent_id, "tasks": inbox.count_for(session, me, absent_id, hidden=aside)}
            for absent_id in inbox.deputised(session, me)
        ],
        "queues": counted.queues, "as_of": counted.as_of,
    }  # fmt: skip


class SnoozeGiven(Request):
    """Until when, or until what; whichever comes first. The due date of the task stays."""

    until = Moment(load_default=None, allow_none=True)
    wakes_on = word(WakesOn, load_default=None, allow_none=True)


class SnoozeAnswer(Answer):
    """Whether a task is put aside now, until when, and what brings it back sooner."""

    task_id = fields.UUID()
    is_asleep = fields.Boolean()
    until = Instant(allow_none=True)
    wakes_on = maybe()
    due_at = Instant(allow_none=True)


def _show_snooze(task_id: str) -> dict[str, Any]:
    session = reading()
    held = snooze.asleep(session, callers.need_person(), now=now()).get(task_id)
    return {
        "task_id": task_id, "is_asleep": held is not None, "until": held.until_at if held else None,
        "wakes_on": held.wakes_on if held else None, "due_at": tasks.find(session, task_id).due_at,
    }  # fmt: skip


@writes(
    "POST", "/tasks/<task_id>/snooze", scope="tasks:decide", summary="Put a task aside until a time or an event", body=SnoozeGiven,
    answer=SnoozeAnswer, render=_show_snooze, person=True,
)  # fmt: skip
def snooze_task(act: Act, body: dict[str, Any], task_id: str) -> str:
    """Put it aside for the caller alone; putting it aside again changes until when."""
    task = reviews.visible(act.session, task_id)
    event = WakesOn(body["wakes_on"]) if body["wakes_on"] else None
    return snooze.snooze(act, task.id, until=body["until"], wakes_on=event).task_id


@writes(
    "POST", "/tasks/<task_id>/wake", scope="tasks:decide", summary="Take a task back that was put aside", body=Nothing,
    answer=SnoozeAnswer, render=_show_snooze, person=True,
)  # fmt: skip
def wake_task(act: Act, _body: dict[str, Any], task_id: str) -> str:
    """Take it back into the caller's boxes."""
    snooze.wake(act, reviews.visible(act.session, task_id).id)
    return task_id


class WatchGiven(Request):
    """Whether the caller wants to see what becomes of the task's document."""

    watching = Truth(required=True)


class WatchAnswer(Answer):
    """Whether the caller watches a document."""

    record_type = fields.String()
    record_id = fields.String()
    watching = fields.Boolean()


def _show_watch(about: list[str]) -> dict[str, Any]:
    watching = follower.is_following(reading(), (about[0], about[1]), callers.need_person())
    return {"record_type": about[0], "record_id": about[1], "watching": watching}


@writes(
    "POST", "/tasks/<task_id>/watch", scope="tasks:decide", summary="Watch the document of a task, or stop watching it",
    body=WatchGiven, answer=WatchAnswer, render=_show_watch, person=True,
)  # fmt: skip
def watch_task(act: Act, body: dict[str, Any], task_id: str) -> list[str]:
    """Watch it; who watches already goes on."""
    task = reviews.visible(act.session, task_id)
    if not task.record_type or not task.record_id:
        raise Conflict("Expected a task about a document to watch, but this one is about none", code="NO_DOCUMENT")
    about = (task.record_type, task.record_id)
    if body["watching"]:
        follower.follow(act, about, callers.need_person())
    else:
        follower.unfollow(act, about, callers.need_person())
    return list(about)


class WatchedItem(Answer):
    """A document that the caller watches."""

    record_type = fields.String()
    record_id = fields.String()
    number = fields.String()
    status = fields.String()


WatchedPage = page_of(WatchedItem, "WatchedPage")


@reads(
    "/inbox/watching",
    scope="tasks:read",
    summary="List what the caller watches",
    query=Listed,
    answer=WatchedPage,
    person=True,
)
def list_watched(*, q: str, after: str, limit: int) -> dict[str, Any]:
    """Page by key, the newest first. ``q``: words of the number."""
    followed = follower.followed_by(reading(), callers.need_person())
    known = [f"{kind}:{record_id}" for kind, record_id in followed]
    begin = known.index(after) + 1 if after in known else 0 if not after else len(known)
    shown: list[dict[str, Any]] = []
    last = ""
    for (kind, record_id), place in zip(followed[begin:], known[begin:], strict=True):
        record: Any = dossiers.find(reading(), kind, record_id)
        if record is None or q.lower() not in record.number.lower():
            continue
        if len(shown) == limit:
            return {"items": shown, "next": last}
        shown.append(
            {"record_type": kind, "record_id": record_id, "number": record.number, "status": str(record.status)}
        )
        last = place
    return {"items": shown, "next": None}


class AssignmentGiven(Request):
    """To whom, and why."""

    user_id = text(60, required=True)
    reason = text(LONGEST_REASON, required=True)


class AssignmentAnswer(Answer):
    """Whose a task is now."""

    task_id = fields.UUID()
    assignee = maybe()
    version = fields.Integer()


def _show_assignment(task_id: str) -> dict[str, Any]:
    task = tasks.find(reading(), task_id)
    return {"task_id": task.id, "assignee": task.assignee, "version": task.version}


@writes(
    "POST", "/tasks/<task_id>/assignment", scope="tasks:decide", summary="Give a task to somebody else who may take it",
    body=AssignmentGiven, answer=AssignmentAnswer, render=_show_assignment, etag=lambda found: str(found["version"]), match=True,
    person=True,
)  # fmt: skip
def assign_task(act: Act, body: dict[str, Any], task_id: str) -> str:
    """Give it on; nobody gets a right by it, so only who is a candidate anyway can be named."""
    reviews.visible(act.session, task_id)
    given = assigning.hand_to(act, task_id, body["user_id"], seen_version=bodies.seen_version(), reason=body["reason"])
    if not given.is_changing:
        subject = f"{visitor().name} gave you: {given.title}"[:200]
        key = f"given:{task_id}:{act.id}"
        tell(act, [body["user_id"]], subject, key=key, body=body["reason"], record=("task", task_id))
    return task_id


class ChosenTask(Request):
    """A task as it was read. content_hash: its ``record_hash``, for steps that are signed."""

    id = text(60, required=True)
    version = Whole(required=True, validate=validate.Range(1, 10**9, error="Expected a version"))
    content_hash = text(64, load_default="")


class BulkGiven(Request):
    """What to do with each of some tasks. reason: of a verdict and of giving on, or the comment."""

    action = word(bulk.ACTIONS, required=True)
    tasks = fields.List(
        fields.Nested(ChosenTask),
        required=True,
        validate=validate.Length(1, bulk.MOST, error="Expected {min} to {max} tasks"),
    )
    reason = text(LONGEST_REASON, load_default="")
    user_id = text(60, load_default="")
    until = Moment(load_default=None, allow_none=True)
    wakes_on = word(WakesOn, load_default=None, allow_none=True)
    on_behalf_of = text(60, load_default=None, allow_none=True)
    signature = fields.Nested(SignatureGiven, load_default=None, allow_none=True)


class BulkResult(Answer):
    """What became of one task."""

    task_id = fields.String()
    key = fields.String()
    done = fields.Boolean()
    code = fields.String()
    detail = fields.String()
    findings = fields.List(fields.Nested(Bar))


class BulkAnswer(Answer):
    """What became of each, in the order in which they were sent. done: how many were done."""

    done = fields.Integer()
    items = fields.List(fields.Nested(BulkResult))


@writes(
    "POST", "/tasks/bulk", scope="tasks:decide", summary="Decide, give on, put aside or comment several tasks", body=BulkGiven,
    answer=BulkAnswer, render=lambda subject: subject, person=True,
)  # fmt: skip
def act_on_tasks(act: Act, body: dict[str, Any]) -> dict[str, Any]:
    """Act on each by itself: what one is refused, with why, touches no other. A step that is signed wants ``signature`` and hashes."""
    order = bulk.Order(
        body["action"], body["reason"].strip(), body["user_id"], body["until"],
        WakesOn(body["wakes_on"]) if body["wakes_on"] else None, body["on_behalf_of"] or None,
        signature_given(body["signature"]) if body["signature"] else None,
        {one["id"]: one["content_hash"] for one in body["tasks"]},
    )  # fmt: skip
    outcomes = bulk.carry_out_within(act, {one["id"]: one["version"] for one in body["tasks"]}, order)
    items = [
        {
            "task_id": one.task_id,
            "key": one.key,
            "done": one.refusal is None,
            "code": "",
            "detail": one.done,
            "findings": [],
        }
        | (_refusal(one.refusal) if one.refusal else {})
        for one in outcomes
    ]
    return {"done": sum(one.refusal is None for one in outcomes), "items": items}


def _refusal(refusal: Refused) -> dict[str, Any]:
    findings = refusal.findings if isinstance(refusal, RuleViolation) else []
    return {"code": refusal.code, "detail": refusal.message, "findings": [finding_values(found) for found in findings]}


class ViewGiven(Request):
    """A saved view. shared_with: null, ``everybody``, or a role of the caller such as ``role:PUR_LEAD``."""

    name = text(inbox_view.LONGEST_NAME, required=True)
    colour = word(COLOURS, load_default=COLOURS[0])
    box = word(inbox_view.BOXES, load_default="groups")
    query = text(200, load_default="")
    sort = text(100, load_default="due")
    grouping = word(GROUPINGS, load_default="")
    columns = fields.List(word(COLUMNS), load_default=lambda: list(inbox_view.USUAL_COLUMNS))
    shared_with = text(60, load_default=None, allow_none=True)


class ViewAnswer(Answer):
    """A saved view and whose it is."""

    id = fields.UUID()
    owner_id = fields.String()
    name = fields.String()
    colour = fields.String()
    box = fields.String()
    query = fields.String()
    sort = fields.String()
    grouping = fields.String()
    columns = fields.List(fields.String())
    shared_with = maybe()
    created_at = Instant()
    changed_at = Instant()
    version = fields.Integer()


ViewPage = page_of(ViewAnswer, "ViewPage")
VIEW = tuple(ViewAnswer().fields)


def _values(view: InboxView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in VIEW}


def _find(act: Act | None, view_id: str) -> InboxView:
    session = act.session if act is not None else reading()
    return inbox_view.find_view(session, view_id, callers.need_person(), visitor().roles)


def _show_view(view_id: str) -> dict[str, Any]:
    return _values(_find(None, view_id))


def _tag(view: Mapping[str, Any]) -> str:
    return str(view["version"])


@reads(
    "/inbox/views",
    scope="tasks:read",
    summary="List the saved views that the caller may use",
    answer=ViewPage,
    person=True,
)
def list_views() -> dict[str, Any]:
    """List one's own first; there are few of them, so that one page holds all."""
    return {
        "items": [_values(one) for one in inbox_view.views_of(reading(), callers.need_person(), visitor().roles)],
        "next": None,
    }


@reads(
    "/inbox/views/<view_id>", scope="tasks:read", summary="Get a saved view", answer=ViewAnswer, etag=_tag, person=True
)
def get_view(view_id: str) -> dict[str, Any]:
    """Show a view of the caller's, or one that is shared with them."""
    return _show_view(view_id)


@writes(
    "POST", "/inbox/views", scope="tasks:decide", summary="Save a view", body=ViewGiven, answer=ViewAnswer, render=_show_view,
    etag=_tag, status=201, person=True,
)  # fmt: skip
def save_view(act: Act, body: dict[str, Any]) -> str:
    """Keep it for the caller."""
    return inbox_view.save_view(act, body).id


@writes(
    "PUT", "/inbox/views/<view_id>", scope="tasks:decide", summary="Change a saved view", body=ViewGiven, answer=ViewAnswer,
    render=_show_view, etag=_tag, match=True, person=True,
)  # fmt: skip
def change_view(act: Act, body: dict[str, Any], view_id: str) -> str:
    """Change it, which is its owner's alone."""
    view = _find(act, view_id)
    bodies.seen_tag(str(view.version))
    return inbox_view.change_view(act, view, body).id


@writes(
    "DELETE", "/inbox/views/<view_id>", scope="tasks:decide", summary="Delete a saved view", answer=ViewAnswer,
    render=lambda subject: subject, match=True, person=True,
)  # fmt: skip
def delete_view(act: Act, _body: dict[str, Any], view_id: str) -> dict[str, Any]:
    """Delete it, which is its owner's alone; answer what it was."""
    view = _find(act, view_id)
    bodies.seen_tag(str(view.version))
    inbox_view.delete_view(act, view)
    return _values(view)


@writes(
    "POST", "/inbox/views/<view_id>/adoption", scope="tasks:decide", summary="Take over a view whose owner left", body=Nothing,
    answer=ViewAnswer, render=_show_view, etag=_tag, person=True,
)  # fmt: skip
def adopt_view(act: Act, _body: dict[str, Any], view_id: str) -> str:
    """Make it the caller's."""
    return inbox_view.adopt_view(act, _find(act, view_id)).id
