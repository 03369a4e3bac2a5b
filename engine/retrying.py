"""Try again what an incident stopped.

A step, a job, the question whose task it is, an instance that nothing could wake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import incidents, jobs, keeping, motion, opening, watchdog, worker
from engine.database import is_id
from engine.errors import Conflict, NotFound, Refused
from engine.spiff.host import NotWaiting
from engine.stored.instance import Instance
from engine.stored.job import Job, JobState
from engine.stored.task import Task, TaskState
from engine.stored.wait import Incident, IncidentState

if TYPE_CHECKING:
    from engine.act import Act, Installation


class Outcome(StrEnum):
    """What came of a retry. QUEUED: a worker tries again after the commit. NOTHING_TO_DO: it was not stuck any more."""

    ADVANCED = "ADVANCED"
    FAILED_AGAIN = "FAILED_AGAIN"
    QUEUED = "QUEUED"
    NOTHING_TO_DO = "NOTHING_TO_DO"


GONE_ON = frozenset({"NOT_STUCK", "NOT_RUNNING"})
"""Codes of refusals that say that there is nothing to try again."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What a retry did, in one sentence."""

    incident_id: str
    business_key: str
    outcome: Outcome
    message: str


def retry(act: Act, incident_id: str) -> Retry:
    """Try again what an open incident stopped, and say what came of it. Raises: NotFound.

    Conflict when it is closed.
    """
    incident = act.session.get(Incident, incident_id) if is_id(incident_id) else None
    if incident is None:
        raise NotFound(f"Expected an incident {incident_id}, but there is none")
    instance = motion.lock(act, incident.instance_id)
    act.session.refresh(incident)
    return _retry(act, instance, incident)


def retry_all(installation: Installation, actor: str, incident_ids: Sequence[str]) -> list[Retry]:
    """Retry several incidents, each in an act of its own, so that one that fails does not undo the others.

    A job that is served here runs at once, so that the answer says what came of it and not that somebody will try.
    """
    return [_answered(installation, actor, incident_id) for incident_id in incident_ids]


_SAID = {
    Outcome.ADVANCED: "advanced", Outcome.QUEUED: "left to a worker", Outcome.NOTHING_TO_DO: "not stuck any more",
    Outcome.FAILED_AGAIN: "failed again",
}  # fmt: skip


def summary(results: Sequence[Retry]) -> str:
    """Say how many did what: "10 advanced, 2 failed again."."""
    counts = {outcome: sum(one.outcome is outcome for one in results) for outcome in _SAID}
    always = (Outcome.ADVANCED, Outcome.FAILED_AGAIN)
    return ", ".join(f"{counts[one]} {_SAID[one]}" for one in _SAID if counts[one] or one in always) + "."


def _answered(installation: Installation, actor: str, incident_id: str) -> Retry:
    try:
        with installation.acting(actor) as act:
            came = retry(act, incident_id)
    except Refused as refusal:
        outcome = Outcome.NOTHING_TO_DO if refusal.code in GONE_ON else Outcome.FAILED_AGAIN
        return Retry(incident_id, _key_of(installation, incident_id), outcome, refusal.message)
    return _worked(installation, came) if came.outcome is Outcome.QUEUED else came


def _worked(installation: Installation, queued: Retry) -> Retry:
    """Run the job of a retry now, if it is served here and nobody was faster, and say what came of it."""
    with installation.reading() as session:
        incident = session.get_one(Incident, queued.incident_id)
        job_id = incident.job_id or _job_of(session, incident)
        known = _counted(session, incident.instance_id)
    ran = worker.run_job(installation, job_id, worker=worker.worker_name()) if job_id else worker.Ran.NOT_TAKEN
    if ran is worker.Ran.NOT_TAKEN:
        return queued
    with installation.reading() as session:
        if ran is worker.Ran.DONE:
            return _moved_on(session, incident, known)
        job = session.get_one(Job, job_id)
        return replace(queued, outcome=Outcome.FAILED_AGAIN, message=job.error or "The job failed again.")


def _job_of(session: Session, incident: Incident) -> str | None:
    """Return the job that the token of an incident waits for since its step was begun again."""
    wanted = select(Job.id).where(
        Job.instance_id == incident.instance_id, Job.token_id == incident.token_id, Job.state == JobState.WAITING
    )
    return session.scalars(wanted.order_by(Job.id.desc()).limit(1)).first()


def _counted(session: Session, instance_id: str) -> dict[str, int]:
    """Return how often each open incident of an instance happened, to tell later what came after."""
    return {one.id: one.attempts for one in incidents.of_instance(session, instance_id) if one.state == "OPEN"}


def _moved_on(session: Session, incident: Incident, known: Mapping[str, int]) -> Retry:
    """Say that a run moved on, or what it met then. known: what stood open before, which is not this retry's doing."""
    instance = session.get_one(Instance, incident.instance_id)
    for one in incidents.of_instance(session, instance.id):
        if one.state == IncidentState.OPEN and one.attempts > known.get(one.id, 0):
            return _answer(instance, incident, Outcome.FAILED_AGAIN, f"It moved on, but: {one.message}")
    return _answer(instance, incident, Outcome.ADVANCED, f"{instance.business_key} moved on.")


def _key_of(installation: Installation, incident_id: str) -> str:
    with installation.reading() as session:
        incident = session.get(Incident, incident_id) if is_id(incident_id) else None
        return session.get_one(Instance, incident.instance_id).business_key if incident is not None else ""


def _retry(act: Act, instance: Instance, incident: Incident) -> Retry:
    """Try again; the instance is locked. Raises: Conflict when the incident is closed or the instance has ended."""
    motion.running(instance)
    if incident.state != IncidentState.OPEN:
        raise Conflict(f"Expected an open incident, but it was resolved: {incident.resolution}", code="NOT_STUCK")
    act.note("instance", instance.id, "RETRIED", field=incident.element_id, old=incident.message)
    if incident.job_id is not None:
        jobs.revive(act, incident.job_id)
        incidents.resolve(act, instance, incident, "a worker tries again")
        return _queued(instance, incident)
    if incident.cause == "watchdog":
        return _wake(act, instance, incident)
    if incident.cause == "candidates":
        return _ask_again(act, instance, incident)
    return _run_again(act, instance, incident)


def _answer(instance: Instance, incident: Incident, outcome: Outcome, message: str) -> Retry:
    return Retry(incident.id, instance.business_key, outcome, message)


def _queued(instance: Instance, incident: Incident) -> Retry:
    return _answer(instance, incident, Outcome.QUEUED, "A worker tries again.")


def _run_again(act: Act, instance: Instance, incident: Incident) -> Retry:
    token, known = incident.token_id, _counted(act.session, instance.id)
    with motion.moving(act, instance) as moved:
        try:
            moved.flow.retry(token)
        except NotWaiting as error:
            raise Conflict(f"Expected {incident.element_id} to be stuck, but it moved on meanwhile") from error
        waits = {wait.kind: wait for wait in moved.flow.waits() if wait.token_id == token}
        still = waits.get("incident")
        if still is not None:
            why = still.incident or ""
            incidents.report(act, instance, token, still.element_id, cause=still.cause or "", message=why)
    if still is not None:
        return _answer(instance, incident, Outcome.FAILED_AGAIN, still.incident or "")
    return _queued(instance, incident) if "job" in waits else _moved_on(act.session, incident, known)


def _ask_again(act: Act, instance: Instance, incident: Incident) -> Retry:
    query = select(Task).where(
        Task.instance_id == instance.id, Task.token_id == incident.token_id, Task.state == TaskState.OPEN
    )
    task = act.session.scalars(query).first()
    if task is None:
        with motion.moving(act, instance) as moved:
            wait = next((wait for wait in moved.flow.waits() if wait.token_id == incident.token_id), None)
            incidents.resolve(act, instance, incident, "moved on" if wait is None else "tried again")
            act.session.flush()
            if wait is not None:
                keeping.open_or_report(moved, wait)
        act.session.flush()
        mine = (one for one in incidents.of_instance(act.session, instance.id) if one.token_id == incident.token_id)
        again = next((one for one in mine if one.state == IncidentState.OPEN), None)
        if again is not None:
            return _answer(instance, incident, Outcome.FAILED_AGAIN, again.message)
        return _answer(instance, incident, Outcome.ADVANCED, "The task is open.")
    why = opening.trouble(act, task)
    if why is not None:
        incidents.report(
            act, instance, task.token_id, task.element_id, cause="candidates", message=why, task_id=task.id
        )
        return _answer(instance, incident, Outcome.FAILED_AGAIN, why)
    incidents.resolve(act, instance, incident, "somebody may take it now")
    return _answer(instance, incident, Outcome.ADVANCED, f'Somebody may take "{task.name}" now.')


def _wake(act: Act, instance: Instance, incident: Incident) -> Retry:
    with motion.moving(act, instance) as moved:
        watchdog.put_right(moved)
        moved.fired += moved.flow.tick(act.now)
        stuck = not any(wait.kind in keeping.SUFFICIENT for wait in moved.flow.waits()) and not moved.flow.done
    if stuck:
        return _answer(instance, incident, Outcome.FAILED_AGAIN, incident.message)
    if incident.state == IncidentState.OPEN:
        incidents.resolve(act, instance, incident, "something can wake it now")
    return _answer(instance, incident, Outcome.ADVANCED, f"{instance.business_key} can be woken again.")
