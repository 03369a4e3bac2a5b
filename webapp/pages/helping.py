"""Help with a task on its page: ask, delegate, add an approver, step aside; answer and take back; what one is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from engine import lending, tasks
from engine.act import Act
from engine.errors import Invalid, NotFound, Refused
from processes import helping
from processes.leaving import heirs
from webapp import reviews
from webapp.beside_list import keep_list
from webapp.pages.account import own_path
from webapp.refusals import status_of
from webapp.sheet import Sheet, offered
from webapp.visit import acting, is_partial, read_anew, reading, visitor

pages = Blueprint("helping", __name__)

Page = str | tuple[str, int] | Answer


@dataclass(frozen=True, slots=True)
class Way:
    """One way to be helped: its words, and what it does. person: what the person is called, or empty when nobody is chosen."""

    title: str
    lead: str
    person: str
    words: str
    button: str
    icon: str
    do: Callable[[Act, str, str, str], object]
    said: str


WAYS: Mapping[str, Way] = {
    "ask": Way(
        "Ask somebody", "They may read this task and answer you. Nothing waits for them, and you still decide.", "Whom",
        "Your question", "Ask", "question", helping.ask, "They are told, and their answer appears here.",
    ),
    "delegate": Way(
        "Delegate the work", "They work on it and give it back with an answer; then you decide. Until then nobody can.", "To whom",
        "What they are to do", "Delegate", "send", helping.lend, "It is in their inbox, and comes back with their answer.",
    ),
    "approver": Way(
        "Add an approver", "A seat is added to this stage and must be signed like the others. No seat ever goes away.", "Who",
        "Why their approval is needed", "Add the seat", "user", helping.add_approver, "The seat is added, and they are told.",
    ),
    "recuse": Way(
        "Step aside", "For a conflict of interest. You cannot come back to this task; the others, or the next level, take it.", "",
        "Your conflict of interest", "Step aside", "out",
        lambda act, task_id, _nobody, words: helping.recuse(act, task_id, words), "You stepped aside; the next in line is told.",
    ),
}  # fmt: skip


@pages.route("/tasks/<task_id>/help/<way>", methods=["GET", "POST"])
def begin(task_id: str, way: str) -> Page:
    """Open the dialog of one way to be helped; on POST do it."""
    if way not in WAYS:
        raise NotFound("Expected one of the ways to be helped, but this is none.")
    if request.method != "POST":
        return _dialog(task_id, way)
    reviews.visible(reading(), task_id)
    try:
        with acting() as act:
            WAYS[way].do(act, task_id, request.form.get("asked", ""), request.form.get("words", ""))
            said = _said(act, task_id, WAYS[way].said)
    except NotFound:
        raise
    except Refused as refusal:
        return _dialog(task_id, way, refusal), status_of(refusal)
    flash(said, "good")
    return _to(url_for("review.show", task_id=task_id, back=request.form.get("back") or None))


def _said(act: Act, task_id: str, done: str) -> str:
    """Return what came of it; where a listener of the diagram is asked first, that."""
    is_changing = tasks.find(act.session, task_id).is_changing
    return "A listener is asked first; the task stays as it is until that has answered." if is_changing else done


@pages.post("/questions/<help_id>/answer")
def answer(help_id: str) -> Answer:
    """Answer what one is asked; a lent task goes back."""
    with acting() as act:
        made = helping.answer(act, help_id, request.form.get("answer", ""))
        said = _said(act, made.task_id, "Your answer is sent.")
    flash(said, "good")
    return _to(url_for("review.show", task_id=made.task_id))


@pages.post("/questions/<help_id>/withdrawal")
def take_back(help_id: str) -> Answer:
    """Wait for an answer no longer; a lent task comes back."""
    with acting() as act:
        made = lending.take_back(act, help_id)
        said = _said(act, made.task_id, "Taken back.")
    flash(said, "good")
    return _to(url_for("review.show", task_id=made.task_id))


@pages.get("/questions")
def index() -> str:
    """List what the visitor is asked, and what they asked and still wait for is on each task."""
    return render_template("review/questions.html", questions=lending.open_for(reading(), visitor().user_id))


@offered(pages, "/questions")
def export() -> Sheet:
    """Hand out what the visitor is asked."""
    rows = (
        (task.title, made.asked_by, made.question, made.asked_at)
        for made, task in lending.open_for(reading(), visitor().user_id)
    )
    return Sheet("questions", ("task", "from", "question", "asked_at"), rows)


def _dialog(task_id: str, way: str, refusal: Refused | None = None) -> str:
    session: Any = read_anew() if refusal else reading()
    review = reviews.load(session, task_id)
    fields = dict(refusal.fields) if isinstance(refusal, Invalid) else {}
    errors = {("words" if name in ("question", "reason", "answer") else name): said for name, said in fields.items()}
    return render_template(
        "review/help_part.html" if is_partial() else "review/help.html", review=review, way=way, ways=WAYS[way], refusal=refusal,
        errors=errors, typed=request.form, back=request.values.get("back", ""),
        people=[(one.id, f"{one.name}, {one.title}" if one.title else one.name) for one in heirs(session, visitor().user_id)],
    )  # fmt: skip


def _to(url: str) -> Answer:
    target = keep_list(own_path(url))
    if is_partial():
        answered = Answer(status=204)
        answered.headers["HX-Redirect"] = target
        return answered
    return redirect(target, 303)
