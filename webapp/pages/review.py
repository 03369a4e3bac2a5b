"""The review page of a task: read, decide, sign, complete, claim, comment; drafts on the way."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, g, jsonify, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response as Answer

from engine import assigning, returning, tasks
from engine.canonical import is_whole
from engine.database import is_id
from engine.errors import Conflict, Invalid, NotFound, Refused
from engine.ports import SignatureRequest
from engine.stored.task import Task
from engine.task_variables import variables_of
from processes import sending_back, talking
from records import attachment, viewing
from records import comment as remarks
from rules import redlines, reviewing
from webapp import dossiers, formats, reviews, signed, typed
from webapp.beside_list import keep_list
from webapp.form_schema import PREFIX, row_count
from webapp.pages.account import own_path
from webapp.refusals import status_of
from webapp.signing_form import errors_of, is_asked, read_signature, signing_of
from webapp.typed import Unreadable
from webapp.visit import acting, is_partial, now, read_anew, reading, visitor

pages = Blueprint("review", __name__)

Page = str | tuple[str, int] | Answer
LONGEST_REASON = 4_000


@pages.get("/tasks/<task_id>")
def show(task_id: str) -> str:
    """Show one task; for htmx only the part of the page that changes."""
    since = request.args.get("since", "")
    review = reviews.load(reading(), task_id, tab=request.args.get("tab", "summary"), since=since)
    review.is_wide = request.args.get("view") == "sides"
    return _show(review)


@pages.route("/tasks/<task_id>/decide/<verdict>", methods=["GET", "POST"])
def decide(task_id: str, verdict: str) -> Page:
    """Open the dialog of a verdict; on POST record it, signed where the diagram asks, and go to the next task."""
    if request.method != "POST":
        return _show_dialog(task_id, verdict)
    try:
        variables = _read_fields(task_id)
        reason = _reason()
        with acting() as act:
            decision = tasks.decide(
                act, task_id, verdict, seen_version=_seen_version(), reason=reason, variables=variables,
                on_behalf_of=request.form.get("on_behalf_of") or None, signature=_signature(),
            )  # fmt: skip
    except NotFound:
        raise
    except Refused as refusal:
        if refusal.code == "ROLE_LOST":
            raise  # the dialog is not theirs to see any more
        return _show_dialog(task_id, verdict, refusal), status_of(refusal)
    flash(signed.words_of(read_anew(), decision), "good")
    _tell_stuck(decision.instance_id, decision.decided_at)
    return _go_on()


def _tell_stuck(instance_id: str, since: dt.datetime) -> None:
    """Say that a run is stuck behind what was just done, so that nobody waits for what does not come."""
    if (stuck := signed.stuck_words(reading(), instance_id, since=since)) is not None:
        flash(stuck, "warn")


@pages.route("/tasks/<task_id>/return", methods=["GET", "POST"])
def send_back(task_id: str) -> Page:
    """List the earlier steps with what returning to each undoes; on POST return to the chosen one, signed where a verdict is."""
    if request.method != "POST":
        return _show_steps(task_id)
    try:
        reason = _reason()
        if not request.form.get("to"):
            raise Invalid("Expected a step to return to, but none is chosen", {"to": "Choose the step"})
        with acting() as act:
            sending_back.send_back(
                act, task_id, _whole("to"), seen_version=_seen_version(), reason=reason, signature=_signature(),
                on_behalf_of=request.form.get("on_behalf_of") or None,
            )  # fmt: skip
    except NotFound:
        raise
    except Refused as refusal:
        if refusal.code == "ROLE_LOST":
            raise
        return _show_steps(task_id, refusal), status_of(refusal)
    flash("Returned. What followed is void, and everybody concerned sees why.", "good")
    return _go_on()


@pages.post("/tasks/<task_id>/complete")
def complete(task_id: str) -> Page:
    """Complete a task without a verdict, with the fields of its form."""
    if "add_row" in request.form or "remove_row" in request.form:
        return _show(reviews.load(reading(), task_id, sent=_changed_rows()))
    try:
        variables = _read_fields(task_id)
        with acting() as act:
            task = tasks.complete(act, task_id, variables, seen_version=_seen_version())
    except NotFound:
        raise
    except Refused as refusal:
        if refusal.code == "ROLE_LOST":
            raise
        review = reviews.load(read_anew(), task_id, sent=_sent())
        review.errors = refusal.fields if isinstance(refusal, Invalid) else {}
        return _show(review, refusal=refusal), status_of(refusal)
    flash(f"Done: {task.title}", "good")
    read_anew()
    _tell_stuck(task.instance_id, task.closed_at or now())
    return _go_on()


@pages.post("/tasks/<task_id>/draft")
def keep_draft(task_id: str) -> Response | tuple[Response, int]:
    """Keep what was typed so far; answers when."""
    task = reviews.visible(reading(), task_id)
    if task.state != tasks.TaskState.OPEN:
        return jsonify(problem="The task is closed."), 409
    with acting() as act:
        tasks.save_draft(
            act, task_id, verdict=request.form.get("verdict"), reason=request.form.get("reason", ""),
            variables={name: values for name, values in _sent().items() if any(values)},
        )  # fmt: skip
    return jsonify(saved=formats.moment(now(), now(), visitor().how))


@pages.post("/tasks/<task_id>/fields")
def refresh_form(task_id: str) -> str:
    """Show the fields again as conditions and rows have it now; nothing is written."""
    review = reviews.load(reading(), task_id, sent=_changed_rows())
    return render_template("review/fields.html", review=review)


@pages.post("/tasks/<task_id>/claim")
def claim(task_id: str) -> Answer:
    """Take a task for oneself, or give it back to the group."""
    with acting() as act:
        if request.form.get("way") == "release":
            assigning.release(act, task_id)
        else:
            assigning.claim(act, task_id)
    way: dict[str, Any] = {name: request.form.get(name) or None for name in ("back", "next")}
    return redirect(keep_list(url_for("review.show", task_id=task_id, **way)), 303)


@pages.post("/tasks/<task_id>/comments")
def comment(task_id: str) -> Page:
    """Say something about the task's document, or about one line of it; a blocking remark keeps its approval back."""
    task = reviews.visible(reading(), task_id)
    about = (task.record_type or "task", task.record_id or task.id)
    tab = "changes" if request.form.get("at_line") == "true" else "discussion"
    path, place = _line_of(task) if tab == "changes" else (None, None)
    try:
        with acting() as act:
            talking.say(
                act, about, request.form.get("comment", ""), number=task.record_number or task.title, path=path, place=place,
                is_blocking=request.form.get("is_blocking") == "true",
            )  # fmt: skip
    except Refused as refusal:
        review = reviews.load(read_anew(), task_id, tab=tab)
        review.errors = refusal.fields if isinstance(refusal, Invalid) else {}
        return _show(review, refusal=refusal), status_of(refusal)
    return redirect(_here(task_id, tab=tab), 303)


def _line_of(task: Task) -> tuple[str, str]:
    """Return the path and the words of the line that a remark is about. Raises: Invalid for one that the document has not."""
    record = dossiers.find(reading(), task.record_type, task.record_id)
    path = request.form.get("path", "")
    known = {group.path: group.place for group in redlines.redline_of(reading(), record).groups} if record else {}
    if record is not None and path not in known:
        known |= {item.path: item.place for item in redlines.items_to_view(reading(), record)}
    if path not in known:
        raise Invalid("Expected a remark on a line that changed, but this line did not. Open Changes again.")
    return path, known[path]


@pages.post("/comments/<comment_id>/resolve")
def resolve(comment_id: str) -> Answer:
    """Resolve a blocking remark: for its author, and for who holds the role that the policy names."""
    with acting() as act:
        said = act.session.get(remarks.Comment, comment_id) if is_id(comment_id) else None
        if said is None:
            raise NotFound("Expected a comment at this address, but there is none.")
        leads = [visitor().user_id] if reviewing.may_resolve(act.session, said, visitor().user_id, at=act.now) else []
        remarks.resolve(act, said, request.form.get("text", ""), leads=leads)
    flash("The comment is resolved.", "good")
    return redirect(keep_list(own_path(request.form.get("back_to", ""))), 303)


@pages.post("/tasks/<task_id>/viewed")
def mark_viewed(task_id: str) -> Page:
    """Tick a line as viewed as it was shown, or take the tick back; a line that changes loses its tick by itself."""
    task = reviews.visible(reading(), task_id)
    path, shown = request.form.get("path", "")[:200], request.form.get("hash", "")
    with acting() as act:
        record = dossiers.find(act.session, task.record_type, task.record_id)
        items = {item.path: item for item in redlines.items_to_view(act.session, record)} if record is not None else {}
        if record is None or path not in items or (items[path].hash != shown and request.form.get("way") != "forget"):
            raise Conflict("Expected the line as you saw it, but it changed meanwhile. Open it again and look at it.")
        if request.form.get("way") == "forget":
            viewing.untick(act, record.record_type, record.id, path)
        else:
            viewing.tick(act, record.record_type, record.id, path, content=shown)
    shown_as = {name: request.args[name] for name in ("tab", "view", "since") if request.args.get(name)}
    return redirect(_here(task_id, **shown_as), 303)


@pages.post("/tasks/<task_id>/seen")
def note_seen(task_id: str) -> tuple[str, int]:
    """Note which version of the document the visitor has open."""
    task = reviews.visible(reading(), task_id)
    if task.record_type and task.record_id:
        with acting() as act:
            viewing.view(act, task.record_type, task.record_id, version=_whole("version"))
    return "", 204


@pages.get("/files/<attachment_id>")
def download(attachment_id: str) -> Response:
    """Hand out a file, always as a download: nothing that somebody attached is shown inside our pages."""
    found = reading().get(attachment.Attachment, attachment_id) if is_id(attachment_id) else None
    if found is None:
        raise NotFound("Expected a file at this address, but there is none.")
    content = attachment.content_of(reading(), found)
    return send_file(
        io.BytesIO(content), mimetype=found.media_type, as_attachment=True, download_name=found.file_name, etag=False
    )


def _show(review: reviews.Review, refusal: Refused | None = None) -> str:
    template = "review/part.html" if is_partial() else "review/show.html"
    return render_template(template, review=review, refusal=refusal, typed=request.form, errors=review.errors, **_way())


def _show_dialog(task_id: str, verdict: str, refusal: Refused | None = None) -> str:
    session = read_anew() if refusal else reading()
    review = reviews.load(session, task_id, sent=_sent() if request.method == "POST" else None)
    if verdict not in review.task.outcomes:
        raise NotFound(f"Expected one of the verdicts of this task, but “{verdict}” is none.")
    if refusal is None:
        _refuse_closed(review)
    template = "review/decide_part.html" if is_partial() else "review/decide.html"
    return render_template(
        template, review=review, verdict=verdict, verdict_words=reviews.verdict_words(verdict), refusal=refusal,
        errors=_errors(refusal, reason_needed=verdict in reviews.REASON_NEEDED), typed=request.form, fields=review.fields,
        signing=signing_of(session, review, verdict, session_id=g.session_id),
        reason_needed=verdict in reviews.REASON_NEEDED, **_way(),
    )  # fmt: skip


def _show_steps(task_id: str, refusal: Refused | None = None) -> str:
    session = read_anew() if refusal else reading()
    review = reviews.load(session, task_id)
    if refusal is None:
        _refuse_closed(review)
    template = "review/return_part.html" if is_partial() else "review/return.html"
    return render_template(
        template, review=review, steps=returning.targets(session, review.task), refusal=refusal, errors=errors_of(refusal),
        typed=request.form, signing=signing_of(session, review, "return", session_id=g.session_id), **_way(),
    )  # fmt: skip


def _errors(refusal: Refused | None, *, reason_needed: bool) -> dict[str, str]:
    """Return the sentences by field, that of a missing reason with the others: nobody is told of one thing at a time."""
    errors = errors_of(refusal)
    if reason_needed and isinstance(refusal, Invalid) and not request.form.get("reason", "").strip():
        errors.setdefault("reason", "Say why in a sentence")
    return errors


def _refuse_closed(review: reviews.Review) -> None:
    if review.is_closed:
        raise Conflict(f"Expected an open task, but it is closed. {review.closed_words}", code="TASK_CLOSED")


def _way() -> dict[str, str]:
    """Return where the visitor came from and where to go after a decision."""
    back, next_id = request.values.get("back", ""), request.values.get("next", "")
    return {"back": back, "next_id": next_id, "back_url": own_path(f"/inbox?{back}") if back else url_for("inbox.show")}


def _go_on() -> Answer:
    """Go to the next task of the list that the visitor came from, or to the list alone, as they chose."""
    way = _way()
    onward = f"{'&' if way['back'] else '?'}task={way['next_id']}" if way["next_id"] and visitor().opens_next else ""
    target = f"{way['back_url']}{onward}"
    if is_partial():
        answer = Response(status=204)
        answer.headers["HX-Redirect"] = target
        return answer
    return redirect(target, 303)


def _here(task_id: str, **values: str) -> str:
    way: dict[str, Any] = {"back": request.args.get("back"), "next": request.args.get("next"), **values}
    here = url_for("review.show", task_id=task_id, **way)
    return here if is_partial() else keep_list(here)


def _read_fields(task_id: str) -> dict[str, Any] | None:
    """Return the variables of the task's form; whose the task is, the engine says. Raises: NotFound; Invalid, FORGED_FIELD included."""
    task = tasks.find(reading(), task_id)
    form, sent = reviews.form_of(reading(), task), _sent()
    if task.state != tasks.TaskState.OPEN:
        return None
    if form is None:
        if sent:
            raise Invalid(f"Expected no fields, but found {', '.join(sorted(sent))}", code="FORGED_FIELD")
        return None
    return form.read(sent, variables_of(reading(), task))


def _sent() -> dict[str, list[str]]:
    return {name: values for name, values in request.form.lists() if name.startswith(PREFIX)}


def _changed_rows() -> dict[str, list[str]]:
    """Return what was sent with a row added to a list or taken out of it."""
    sent = _sent()
    if added := request.form.get("add_row", ""):
        sent[f"{added}.{row_count(sent, added)}."] = [""]
    if removed := request.form.get("remove_row", ""):
        name, _, index = removed.rpartition(".")
        sent = _without_row(sent, name, int(index) if is_whole(index) else -1)
    return sent


def _without_row(sent: Mapping[str, list[str]], name: str, gone: int) -> dict[str, list[str]]:
    kept: dict[str, list[str]] = {}
    for key, values in sent.items():
        index, dot, rest = key.removeprefix(f"{name}.").partition(".")
        if not key.startswith(f"{name}.") or not dot or not is_whole(index):
            kept[key] = values
        elif int(index) != gone:
            kept[f"{name}.{int(index) - (int(index) > gone)}.{rest}"] = values
    return kept


def _reason() -> str:
    try:
        return typed.words(request.form.get("reason", ""), longest=LONGEST_REASON)
    except Unreadable as error:
        raise Invalid("Expected a reason that fits", {"reason": str(error)}) from error


def _signature() -> SignatureRequest | None:
    """Return what was typed to sign, or None when the dialog did not ask. Raises: Invalid without a meaning."""
    if not is_asked():
        return None
    return read_signature()


def _seen_version() -> int:
    return _whole("seen_version")


def _whole(name: str) -> int:
    text = request.form.get(name, "")
    if not is_whole(text):
        raise Invalid(f"Expected the {name.replace('_', ' ')} as a number, but found “{text[:20]}”", code="STALE_FORM")
    return int(text)
