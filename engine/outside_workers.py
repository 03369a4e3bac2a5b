"""Outside workers: whoever serves job types that no function here serves, in any language, over whatever door is above.

A worker takes jobs up for a time (``activate``), and finishes, fails or extends what it holds. What it holds it proves by
the principal that it acts as, the name that it gave itself, and the number of the attempt: a worker whose lock ran out, and
whose job somebody else took up since, is told who has it now. While nobody took it up, its work is still welcome.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import definitions, jobs, motion, waiting, words, worker
from engine.bpmn import BpmnError
from engine.database import is_id
from engine.errors import Conflict, Invalid, NotFound
from engine.registry import PlainVariables
from engine.spiff import WrongAnswer
from engine.stored.definition import Definition, DefinitionStatus
from engine.stored.instance import Instance
from engine.stored.job import Job, JobState
from engine.variables import accepted
from engine.worker import Ran

if TYPE_CHECKING:
    from engine.act import Act, Installation

MOST = 100
"""Jobs that one activation may take."""

LONGEST_LOCK = dt.timedelta(days=1)
LONGEST_WAIT = dt.timedelta(days=30)
"""The longest a worker may put off the next try of what it failed at."""

MOST_RETRIES = 100


@dataclass(frozen=True, slots=True)
class Claim:
    """How a worker says that a job is its own. attempt: as the activation told it; None leaves it to the name."""

    job_id: str
    worker: str
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A job with what its worker must know. variables: what its token sees, or the arguments of one that was deferred."""

    job: Job
    instance: Instance | None
    element_name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)


def activate(
    act: Act, job_type: str, *, worker: str, at_most: int = 1, lock_for: dt.timedelta = jobs.LOCKED_FOR
) -> list[Job]:
    """Take up at most so many jobs of a type for a time, the highest priority and then the oldest due first.

    What others are taking up is left to them.

    worker: a name of the worker's own, kept with the job. Raises: Invalid; NotFound or Conflict as ``refuse_type``.
    """
    _refuse_shape(worker, lock_for)
    if not 1 <= at_most <= MOST:
        raise Invalid(f"Expected 1 to {MOST} jobs, but {at_most} were asked for", {"max_jobs": f"1 to {MOST}"})
    refuse_type(act.session, act.installation, job_type)
    wanted = jobs.offered(act.now, job_type).limit(at_most).with_for_update(skip_locked=True)
    found = list(act.session.scalars(wanted))
    taken = (jobs.take(act, one, worker=worker, lock_for=lock_for, types=[job_type], holder=act.actor) for one in found)
    return [job for job in taken if job is not None]


def is_offered(session: Session, job_type: str, now: dt.datetime) -> bool:
    """Say whether ``activate`` would find a job of a type."""
    return session.scalars(jobs.offered(now, job_type).limit(1)).first() is not None


def refuse_type(session: Session, installation: Installation, job_type: str) -> None:
    """Refuse a type that no outside worker can serve.

    Raises: Conflict SERVED_HERE for one that a function here serves; NotFound UNKNOWN_JOB_TYPE for one that no released
    diagram names and no job has.
    """
    if installation.registry.serves(job_type):
        raise Conflict(
            f"Expected a job type for outside workers, but {job_type} is done by a function of Lockstep itself",
            code="SERVED_HERE",
        )
    open_one = select(Job.id).where(Job.type == job_type, jobs.IS_OPEN).limit(1)
    if session.scalars(open_one).first() is not None:
        return
    named, is_complete = named_types(session)
    if job_type in named or not is_complete:
        return
    near = difflib.get_close_matches(job_type, sorted(named), n=1, cutoff=0.6)
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    raise NotFound(
        f'Expected a job type that some released diagram names, but none names "{job_type[:80]}"{hint}',
        code="UNKNOWN_JOB_TYPE",
    )


def named_types(session: Session) -> tuple[set[str], bool]:
    """Return the job types that released diagrams name, and whether these are all: an expression may name any."""
    query = select(Definition.process_id, Definition.id).where(Definition.status == DefinitionStatus.RELEASED)
    newest = dict(session.execute(query.order_by(Definition.version)).all())
    kinds = [
        kind
        for definition_id in newest.values()
        for process in definitions.parsed(session, definition_id).bundle.processes.values()
        for kind in process.job_types
    ]
    return {kind.text for kind in kinds if kind.is_static}, all(kind.is_static for kind in kinds)


def find(session: Session, job_id: str) -> Job:
    """Return a job. Raises: NotFound."""
    found = session.get(Job, job_id) if is_id(job_id) else None
    if found is None:
        raise NotFound(f"Expected a job {job_id[:40]}, but there is none")
    return found


def offer(session: Session, job: Job, fetch: Collection[str] | None = None) -> Offer | None:
    """Return a job with what its worker must know; None when its token has moved on meanwhile.

    fetch: the variables that are wanted, None for all.
    """
    instance = session.get(Instance, job.instance_id) if job.instance_id else None
    if instance is None or job.token_id is None:
        return Offer(job, instance, job.element_id or "", job.headers, _wanted(jobs.arguments(job), fetch))
    try:
        flow = waiting.look(session, instance)
    except Conflict:
        return None  # Nobody can read its state: one broken run must not keep a worker from the jobs of all others.
    token = flow.live.get(job.token_id)
    if token is None:
        return None
    seen = flow.variables_view(job.token_id)
    element, headers = token.element, flow.headers(job.token_id)
    return Offer(job, instance, element.name or element.id, headers, _wanted(seen, fetch))


def _wanted(seen: Mapping[str, Any], fetch: Collection[str] | None) -> dict[str, Any]:
    plain = PlainVariables(seen)
    return {name: plain[name] for name in plain if fetch is None or name in fetch}


def complete(act: Act, claim: Claim, variables: Mapping[str, Any] | None = None) -> Job:
    """Finish a job with what came of it; its token goes on in this act. Raises: NotFound; Conflict; Invalid.

    The job of an ad-hoc sub-process says among the variables what is done next in it (``engine.spiff.ad_hoc.CHOICE``), that of a
    task's listener what it thinks of what it was told (``engine.spiff.verdicts.VERDICT``).
    """
    taken = accepted(variables)
    job, instance = _held(act, claim)
    _tell(act, job, "JOB_COMPLETED")
    with worker.finishing(act, job, instance) as moved:
        if moved is not None and job.token_id is not None:
            try:
                moved.flow.complete(job.token_id, taken)
            except WrongAnswer as wrong:
                raise Invalid(str(wrong), {f"variables.{wrong.name}": str(wrong)}) from wrong
    return job


def throw(act: Act, claim: Claim, error: BpmnError) -> tuple[Job, bool]:
    """Throw a business error where the job stands, and say whether the diagram catches it; uncaught it is an incident.

    Raises: NotFound; Conflict, also for a job that no diagram waits for; Invalid.
    """
    if not error.code.strip() or len(error.code) > 200:
        raise Invalid("Expected the code of an error, of 1 to 200 characters", {"code": "1 to 200 characters"})
    thrown = BpmnError(error.code, error.message, accepted(error.variables))
    job, instance = _held(act, claim)
    if job.token_id is None:
        raise Conflict(f"Expected a job of a diagram, but no diagram waits for {job.type}", code="NO_DIAGRAM")
    is_caught = True
    _tell(act, job, "JOB_THREW", new=error.code if error.message == error.code else f"{error.code}: {error.message}")
    with worker.finishing(act, job, instance) as moved:
        if moved is not None:
            moved.flow.fail(job.token_id, thrown)
            left = moved.flow.live.get(job.token_id)
            is_caught = left is None or left.incident is None
    return job, is_caught


def fail(
    act: Act, claim: Claim, message: str, *, retries_left: int | None = None, wait: dt.timedelta | None = None
) -> tuple[Job, Ran]:
    """Give a job back with what went wrong: it is offered again, or, when no try is left, it is an incident.

    retries_left: further tries there shall be, 0 for none; None counts down what the diagram gave. wait: until the next one,
    None as the diagram says. Raises: NotFound; Conflict; Invalid.
    """
    _refuse_failure(message, retries_left, wait)
    job, instance = _held(act, claim)
    if job.instance_id and instance is None:
        instance = motion.lock(act, job.instance_id)
    return job, worker.give_back(act, job, instance, message, retries_left=retries_left, wait=wait)


def extend(act: Act, claim: Claim, lock_for: dt.timedelta) -> Job:
    """Hold a job for longer, from now. Raises: NotFound; Conflict; Invalid."""
    _refuse_shape(claim.worker, lock_for)
    job, _instance = _held(act, claim)
    job.locked_until = act.now + lock_for
    return job


def _held(act: Act, claim: Claim) -> tuple[Job, Instance | None]:
    """Lock a job that this worker holds, after the instance whose token waits for it. Raises: NotFound; jobs.Lost."""
    known = find(act.session, claim.job_id)
    waits = known.instance_id is not None and known.token_id is not None
    instance = motion.lock(act, known.instance_id or "") if waits else None
    query = select(Job).where(Job.id == known.id).with_for_update().execution_options(populate_existing=True)
    job = act.session.execute(query).scalar_one()
    is_mine = job.state == JobState.RUNNING and (job.worker, job.holder) == (claim.worker, act.actor)
    if not is_mine or claim.attempt not in (None, job.attempts):
        code, why = _standing(act, job)
        attempt = "" if claim.attempt is None else f", attempt {claim.attempt},"
        raise jobs.Lost(f"Expected {claim.worker}{attempt} of {act.actor} to hold job {job.id}, but {why}", code=code)
    return job, instance


def _standing(act: Act, job: Job) -> tuple[str, str]:
    """Return why a job is not the asking worker's, as a code and in words."""
    if job.state == JobState.RUNNING and job.locked_until is not None:
        until = words.clock_time(act.session, job.locked_until, now=act.now)
        return (
            "JOB_LOST",
            f"{job.worker} of {job.holder or 'Lockstep'} has it now, attempt {job.attempts}, until {until}",
        )
    at = words.clock_time(act.session, job.finished_at, now=act.now) if job.finished_at else "some time"
    if job.state == JobState.DONE:
        return "JOB_DONE", f"{job.worker} finished it at {at}"
    if job.state == JobState.CANCELLED:
        return "JOB_GONE", f"it was taken back at {at}: its run went another way"
    if job.state == JobState.FAILED:
        return "JOB_FAILED", f"it failed without a try left and waits for operations: {job.error}"
    return "JOB_LOST", "nobody holds it now; activate it again"


def _tell(act: Act, job: Job, action: str, **more: Any) -> None:
    """Note what a worker did in the history of the run that waited for it, else of the job itself."""
    about = ("instance", job.instance_id) if job.instance_id and job.token_id is not None else ("job", job.id)
    act.note(*about, action, field=job.element_id or job.type, **more)


def _refuse_shape(name: str, lock_for: dt.timedelta) -> None:
    if not name.strip() or len(name) > 100:
        raise Invalid("Expected a name of the worker, of 1 to 100 characters", {"worker": "1 to 100 characters"})
    if not dt.timedelta(seconds=1) <= lock_for <= LONGEST_LOCK:
        most = int(LONGEST_LOCK.total_seconds())
        raise Invalid(f"Expected a lock of 1 to {most} seconds", {"lock_seconds": f"1 to {most}"})


def _refuse_failure(message: str, retries_left: int | None, wait: dt.timedelta | None) -> None:
    fields = {}
    if not message.strip():
        fields["message"] = "Expected what went wrong, but it is empty"
    if retries_left is not None and not 0 <= retries_left <= MOST_RETRIES:
        fields["retries_left"] = f"Expected 0 to {MOST_RETRIES}"
    if wait is not None and not dt.timedelta(0) <= wait <= LONGEST_WAIT:
        fields["back_off_seconds"] = f"Expected 0 to {int(LONGEST_WAIT.total_seconds())}"
    if fields:
        raise Invalid("Expected a failure that fits, but some of it does not", fields)
