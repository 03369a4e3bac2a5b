"""Where one run stands, and its tasks, as lists of their own: what its page only counts when there are many."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from engine.stored.task import TaskState
from webapp import diagrams, listing, run_tasks, sheet, standing, wording
from webapp.pages.operations import find
from webapp.visit import reading

pages = Blueprint("run_lists", __name__)

LONGEST_PLACE = 400


@pages.get("/operations/runs/<record_id>/standing")
def tokens(record_id: str) -> str:
    """List the tokens of a run, those of one step where the address names it."""
    session = reading()
    instance = find(session, record_id)
    found, at = diagrams.tokens_of(session, instance), _at()
    query, _state, after = listing.search()
    return render_template(
        "operations/standing.html", instance=instance, at=at, steps=standing.steps_of(found), total=len(found),
        page=standing.listed(found, query=query, at=at, after=after),
    )  # fmt: skip


COLUMNS: dict[str, sheet.Column] = {
    "token": lambda token: token["token"], "process": lambda token: token["process"],
    "element": lambda token: token["element"], "name": lambda token: token["name"],
    "inside": lambda token: token["where"], "waits_for": lambda token: token["words"], "incident": lambda token: token["incident_words"],
}  # fmt: skip


@sheet.offered(pages, "/operations/runs/<record_id>/standing")
def export_tokens(record_id: str) -> sheet.Sheet:
    """Hand out the tokens of a run, narrowed as on the page."""
    session = reading()
    found, query = diagrams.tokens_of(session, find(session, record_id)), listing.search()[0]
    return sheet.of_page(
        "tokens", standing.listed(found, query=query, at=_at(), after="", limit=listing.MOST_EXPORTED), COLUMNS
    )


def _at() -> str:
    return request.args.get("at", "").strip()[:LONGEST_PLACE]


@pages.get("/operations/runs/<record_id>/tasks")
def tasks(record_id: str) -> str:
    """List the tasks of a run, the newest first."""
    instance = find(reading(), record_id)
    page = run_tasks.look_up(reading(), instance, *listing.search())
    return render_template("operations/run_tasks.html", instance=instance, page=page, states=list(TaskState))


TASK_COLUMNS: dict[str, sheet.Column] = {
    "task": "title", "step": "name", "round": "round", "state": lambda task: task.verdict or task.state,
    "waits_for": lambda task: ", ".join(wording.principal_words(one) for one in task.candidates), "closed_by": "closed_by",
    "opened_at": "created_at", "due_at": "due_at", "closed_at": "closed_at",
}  # fmt: skip


@sheet.offered(pages, "/operations/runs/<record_id>/tasks")
def export_tasks(record_id: str) -> sheet.Sheet:
    """Hand out the tasks of a run, narrowed as on the page."""
    query, state, _after = listing.search()
    session = reading()
    found = run_tasks.look_up(session, find(session, record_id), query, state, limit=listing.MOST_EXPORTED)
    return sheet.of_page("tasks", found, TASK_COLUMNS)
