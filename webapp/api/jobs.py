"""Jobs for outside workers: take them up, finish, fail or extend them, in any language."""

from __future__ import annotations

import datetime as dt
from typing import Any

from marshmallow import fields, validate
from sqlalchemy import select

from engine import jobs, outside_workers
from engine.act import Act
from engine.bpmn import BpmnError
from engine.outside_workers import LONGEST_LOCK, LONGEST_WAIT, MOST, MOST_RETRIES, Claim, Offer
from engine.stored.job import Job, JobState
from webapp import listing
from webapp.api import callers
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Instant, Listed, Request, Values, Whole, as_page, maybe, page_of, text, word
from webapp.long_poll import Patience
from webapp.pages import operations
from webapp.visit import installation, reading

LONGEST_POLL = 60
SCOPE = "jobs:work"


def seconds(longest: dt.timedelta, shortest: int = 0, **options: Any) -> Whole:
    """Return a field of a number of seconds."""
    most = int(longest.total_seconds())
    return Whole(
        validate=validate.Range(shortest, most, error="Expected {min} to {max} seconds, but found {input}"), **options
    )


class JobActivation(Request):
    """What to take up. worker: a name of your own. lock_seconds: for how long the jobs are yours.

    fetch_variables: which variables you need, null for all. timeout_seconds: how long to wait when there is none.
    """

    type = fields.String(required=True, validate=validate.Length(1, 200, error="Expected {min} to {max} characters"))
    worker = fields.String(required=True, validate=validate.Length(1, 100, error="Expected {min} to {max} characters"))
    max_jobs = Whole(
        load_default=1, validate=validate.Range(1, MOST, error="Expected {min} to {max} jobs, but found {input}")
    )
    lock_seconds = seconds(LONGEST_LOCK, 1, load_default=int(jobs.LOCKED_FOR.total_seconds()))
    fetch_variables = fields.List(
        text(120), load_default=None, allow_none=True,
        validate=validate.Length(max=256, error="Expected at most {max} names"),
    )  # fmt: skip
    timeout_seconds = seconds(dt.timedelta(seconds=LONGEST_POLL), load_default=0)


class HeldJob(Request):
    """Proof that a job is yours. attempt: as the activation told it; without it your name alone counts."""

    worker = fields.String(required=True, validate=validate.Length(1, 100, error="Expected {min} to {max} characters"))
    attempt = Whole(load_default=None, allow_none=True)


class JobCompletion(HeldJob):
    """What came of a job. variables: go the way that the diagram's output mappings say."""

    variables = Values(load_default=dict)


class JobFailure(HeldJob):
    """Why a job could not be done. retries_left: further tries there shall be, 0 for none; null counts down the diagram's.

    back_off_seconds: until the next try; null waits as the diagram says.
    """

    message = fields.String(
        required=True, validate=validate.Length(1, 2000, error="Expected {min} to {max} characters")
    )
    retries_left = Whole(
        load_default=None, allow_none=True,
        validate=validate.Range(0, MOST_RETRIES, error="Expected {min} to {max}, but found {input}"),
    )  # fmt: skip
    back_off_seconds = seconds(LONGEST_WAIT, load_default=None, allow_none=True)


class JobError(HeldJob):
    """A business error that the diagram may catch by its code."""

    code = fields.String(required=True, validate=validate.Length(1, 200, error="Expected {min} to {max} characters"))
    message = text(2000, load_default="")
    variables = Values(load_default=dict)


class LockExtension(HeldJob):
    """For how long from now a job stays yours."""

    lock_seconds = seconds(LONGEST_LOCK, 1, required=True)


class JobSummary(Answer):
    """A job. worker: who holds or held it, until locked_until. retries_left: further tries if this one fails.

    priority: of those that are due the greater is taken up sooner.
    """

    id = fields.UUID()
    type = fields.String()
    priority = fields.Integer()
    state = word(JobState)
    instance_id = fields.UUID(allow_none=True)
    element_id = maybe()
    worker = maybe()
    attempt = fields.Integer()
    retries_left = fields.Integer()
    due_at = Instant()
    locked_until = Instant(allow_none=True)
    error = maybe()
    created_at = Instant()
    finished_at = Instant(allow_none=True)


class JobDetail(JobSummary):
    """A job with what its worker must know. process_id, business_key: of its run. variables: null when nothing waits for it."""

    process_id = maybe()
    business_key = maybe()
    element_name = maybe()
    headers = fields.Dict(keys=fields.String(), values=fields.String())
    variables = fields.Raw(metadata={"type": ["object", "null"], "additionalProperties": True})


class ActivatedJobs(Answer):
    """The jobs that are yours now; none when there was none in time."""

    items = fields.List(fields.Nested(JobDetail))


class FailedJob(Answer):
    """What became of a failed job. detail: in a sentence."""

    job = fields.Nested(JobSummary)
    detail = fields.String()


class ThrownFromJob(Answer):
    """What became of a business error. is_caught: whether the diagram goes on; uncaught it waits for operations."""

    job = fields.Nested(JobSummary)
    is_caught = fields.Boolean()
    detail = fields.String()


class JobQuery(Listed):
    """What jobs may be listed by. ``q``: a type."""

    state = word(JobState, load_default="")


JobPage = page_of(JobSummary, "JobPage")


def summary(job: Job) -> dict[str, Any]:
    """Return a job as lists show it."""
    return {
        "id": job.id, "type": job.type, "state": str(job.state), "instance_id": job.instance_id, "element_id": job.element_id,
        "worker": job.worker, "attempt": job.attempts, "retries_left": job.retries_left, "priority": job.priority, "due_at": job.due_at,
        "locked_until": job.locked_until, "error": job.error, "created_at": job.created_at, "finished_at": job.finished_at,
    }  # fmt: skip


def _detail(found: Offer) -> dict[str, Any]:
    instance = found.instance
    return summary(found.job) | {
        "process_id": instance.process_id if instance else None, "business_key": instance.business_key if instance else None,
        "element_name": found.element_name, "headers": dict(found.headers), "variables": dict(found.variables),
    }  # fmt: skip


def need_server() -> None:
    """Refuse a person who keeps no interfaces; an adapter's scope says enough. Raises: Forbidden."""
    if not callers.is_adapter():
        operations.need_helper()


def _patience(given: dict[str, Any]) -> Patience:
    need_server()
    outside_workers.refuse_type(reading(), installation(), given["type"])
    return Patience(
        given["timeout_seconds"], lambda session: outside_workers.is_offered(session, given["type"], installation().clock())
    )  # fmt: skip


def _activated(subject: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a worker must know of the jobs that it took; one whose run moved on meanwhile is left out."""
    session, found = reading(), []
    for taken in subject:
        offer = outside_workers.offer(session, outside_workers.find(session, taken["id"]), taken["fetch"])
        if offer is not None:
            found.append(_detail(offer))
    return {"items": found}


@writes(
    "POST", "/jobs/activation", scope=SCOPE, summary="Take up jobs of a type", body=JobActivation, answer=ActivatedJobs,
    render=_activated, patience=_patience,
)  # fmt: skip
def activate_jobs(act: Act, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Hold them for a time; whoever does not finish, fail or extend them in that time loses them to the next worker.

    With timeout_seconds the request waits until there is a job. Types that Lockstep's own functions serve are not offered.
    """
    taken = outside_workers.activate(
        act, body["type"], worker=body["worker"], at_most=body["max_jobs"],
        lock_for=dt.timedelta(seconds=body["lock_seconds"]),
    )  # fmt: skip
    return [{"id": job.id, "fetch": body["fetch_variables"]} for job in taken]


@reads("/jobs", scope=SCOPE, summary="List jobs, newest first", query=JobQuery, answer=JobPage)
def list_jobs(*, q: str, state: str, after: str, limit: int) -> Any:
    """List those of one type, in one state, or all."""
    need_server()
    wanted = select(Job)
    if q:
        wanted = wanted.where(Job.type == q)
    if state:
        wanted = wanted.where(Job.state == state)
    page = listing.newest_first(reading(), wanted, Job, query=q, state=state, after=after, limit=limit)
    return as_page(page) | {"items": [summary(job) for job in page.items]}


@reads("/jobs/<job_id>", scope=SCOPE, summary="Get a job, and what its worker must know", answer=JobDetail)
def get_job(job_id: str) -> dict[str, Any]:
    """Find it by id; what its run knows is told while something waits for it."""
    need_server()
    session = reading()
    job = outside_workers.find(session, job_id)
    is_open = job.state in (JobState.WAITING, JobState.RUNNING, JobState.FAILED)
    offer = outside_workers.offer(session, job) if is_open else None
    gone: dict[str, Any] = {
        "process_id": None,
        "business_key": None,
        "element_name": None,
        "headers": {},
        "variables": None,
    }
    return _detail(offer) if offer is not None else summary(job) | gone


def _claim(job_id: str, body: dict[str, Any]) -> Claim:
    need_server()
    return Claim(job_id, body["worker"], body["attempt"])


def _shown(subject: dict[str, Any]) -> dict[str, Any]:
    return summary(outside_workers.find(reading(), subject["id"]))


@writes(
    "POST", "/jobs/<job_id>/completion", scope=SCOPE, summary="Finish a job", body=JobCompletion, answer=JobSummary, render=_shown
)  # fmt: skip
def complete_job(act: Act, body: dict[str, Any], job_id: str) -> dict[str, Any]:
    """Let its run go on with the variables. Only whoever holds it may, and only once."""
    return {"id": outside_workers.complete(act, _claim(job_id, body), body["variables"]).id}


def _failed(subject: dict[str, Any]) -> dict[str, Any]:
    job = _shown(subject)
    again = f"It is offered again {job['due_at']:%Y-%m-%dT%H:%M:%SZ}." if job["state"] == JobState.WAITING else ""
    return {"job": job, "detail": again or "No try is left: it waits for operations."}


@writes(
    "POST", "/jobs/<job_id>/failure", scope=SCOPE, summary="Say that a job could not be done", body=JobFailure,
    answer=FailedJob, render=_failed,
)  # fmt: skip
def fail_job(act: Act, body: dict[str, Any], job_id: str) -> dict[str, Any]:
    """Give it back: it is offered again after the back-off, or waits for operations when no try is left."""
    wait = body["back_off_seconds"]
    job, _ran = outside_workers.fail(
        act, _claim(job_id, body), body["message"], retries_left=body["retries_left"],
        wait=None if wait is None else dt.timedelta(seconds=wait),
    )  # fmt: skip
    return {"id": job.id}


def _thrown(subject: dict[str, Any]) -> dict[str, Any]:
    is_caught = subject["is_caught"]
    detail = "The diagram catches it." if is_caught else "Nothing in the diagram catches it: it waits for operations."
    return {"job": _shown(subject), "is_caught": is_caught, "detail": detail}


@writes(
    "POST", "/jobs/<job_id>/error", scope=SCOPE, summary="Throw a business error from a job", body=JobError, answer=ThrownFromJob,
    render=_thrown,
)  # fmt: skip
def throw_error(act: Act, body: dict[str, Any], job_id: str) -> dict[str, Any]:
    """Let the diagram catch it by its code, with variables. It ends the job."""
    error = BpmnError(body["code"], body["message"], body["variables"])
    job, is_caught = outside_workers.throw(act, _claim(job_id, body), error)
    return {"id": job.id, "is_caught": is_caught}


@writes(
    "POST", "/jobs/<job_id>/lock", scope=SCOPE, summary="Hold a job for longer", body=LockExtension, answer=JobSummary, render=_shown
)  # fmt: skip
def extend_lock(act: Act, body: dict[str, Any], job_id: str) -> dict[str, Any]:
    """Count anew from now."""
    return {"id": outside_workers.extend(act, _claim(job_id, body), dt.timedelta(seconds=body["lock_seconds"])).id}
