"""Jobs: what waits for a worker, type by type, who holds what until when, and what failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine import jobs, retrying
from engine.act import Act
from engine.database import is_id
from engine.stored.instance import Instance
from engine.stored.job import Job, JobState
from engine.stored.wait import Incident, IncidentState
from processes.operating import HELPERS
from webapp import listing, sheet
from webapp.pages.operations import need_helper
from webapp.visit import acting, installation, reading, visitor

pages = Blueprint("jobs", __name__)

OPEN = (JobState.WAITING, JobState.RUNNING, JobState.FAILED)


@dataclass(slots=True)
class TypeOfJob:
    """How many jobs of one type are open, by state. is_ours: a function of Lockstep does them, else a worker outside must."""

    name: str
    is_ours: bool
    counts: dict[str, int] = field(default_factory=dict)


@pages.get("/operations/jobs")
def index() -> str:
    """Show open jobs by type, then one by one."""
    session = reading()
    query, state, after = listing.search()
    page = look_up(query, state, after)
    return render_template(
        "operations/jobs.html", page=page, kinds=kinds(session), states=list(JobState), open_states=OPEN,
        runs=_runs(session, page.items), may_help=visitor().holds(*HELPERS),
    )  # fmt: skip


COLUMNS: dict[str, sheet.Column] = {
    "type": "type", "element": "element_id", "state": "state", "worker": "worker", "holder": "holder", "tries": "attempts",
    "retries_left": "retries_left", "due_at": "due_at", "locked_until": "locked_until", "error": "error",
    "promised_at": "created_at", "finished_at": "finished_at",
}  # fmt: skip


@sheet.offered(pages, "/operations/jobs")
def export() -> sheet.Sheet:
    """Offer the list, filtered as on the page."""
    return sheet.of_page("jobs", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of jobs, newest first: of a type, in a state, of a run; those that are open unless asked otherwise."""
    wanted = select(Job)
    if run := request.args.get("run", ""):
        wanted = wanted.where(Job.instance_id == run)
    if query:
        wanted = wanted.where(listing.contains(query, Job.type))
    wanted = wanted.where(Job.state == state) if state else wanted.where(jobs.IS_OPEN)
    return listing.newest_first(reading(), wanted, Job, query=query, state=state, after=after, limit=limit)


def kinds(session: Session) -> list[TypeOfJob]:
    """Return the types with open jobs, those that wait for a worker outside first."""
    rows = session.execute(select(Job.type, Job.state, func.count()).where(jobs.IS_OPEN).group_by(Job.type, Job.state))
    found: dict[str, TypeOfJob] = {}
    registry = installation().registry
    for name, state, count in rows:
        found.setdefault(name, TypeOfJob(name, registry.serves(name))).counts[state] = count
    return sorted(found.values(), key=lambda one: (one.is_ours, one.name))


def _runs(session: Session, shown: Sequence[Job]) -> dict[str, Instance]:
    wanted = {job.instance_id for job in shown if job.instance_id}
    return {one.id: one for one in session.scalars(select(Instance).where(Instance.id.in_(wanted)))} if wanted else {}


@pages.post("/operations/jobs/<job_id>/retry")
def retry(job_id: str) -> Answer:
    """Let a failed job be offered once more."""
    need_helper()
    with acting() as act:
        _revive(act, job_id)
    flash("The job is offered once more.", "good")
    return redirect(url_for("jobs.index", state=request.form.get("state", ""), q=request.form.get("q", "")), 303)


def _revive(act: Act, job_id: str) -> None:
    """Try a job again together with its incident, if it has one."""
    query = select(Incident.id).where(Incident.job_id == job_id, Incident.state == IncidentState.OPEN)
    found = act.session.scalars(query).first() if is_id(job_id) else None
    if found is not None:
        retrying.retry(act, found)
    else:
        jobs.revive(act, job_id)
