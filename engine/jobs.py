"""Jobs: work for the system that an act promises and a worker keeps after the commit. One table is the truth.

A job runs at least once. What its handler writes is written in the act that marks it done, so database effects
happen once; effects outside may repeat and carry the job's id. A failed try waits as its back-off list says; when
no try is left the job waits for help.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, exists, func, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from engine.database import is_id
from engine.errors import Conflict, Invalid, NotFound
from engine.spiff.codec import decode, encode
from engine.stored.instance import Instance
from engine.stored.job import Job, JobState
from engine.variables import accepted

if TYPE_CHECKING:
    from engine.act import Act, Installation

BACK_OFF = (1, 5, 15, 60)
"""Minutes before each further try."""

LOCKED_FOR = dt.timedelta(minutes=5)
"""A running job that is not finished after this long is taken up by the next worker, unless the setting ``job_lock`` says otherwise."""


class Lost(Conflict):
    """A job is not this worker's any more: it took too long, or what it was for is gone."""

    code = "JOB_LOST"


def defer(
    act: Act,
    job_type: str,
    args: Mapping[str, Any] | None = None,
    *,
    lock: str | None = None,
    run_at: dt.datetime | None = None,
    back_off: Sequence[float] = BACK_OFF,
    instance_id: str | None = None,
    token_id: int | None = None,
    element_id: str | None = None,
    priority: int = 0,
    headers: Mapping[str, str] | None = None,
) -> Job:
    """Promise a job in the transaction of the act; a worker runs it after the commit, a rollback takes it back.

    args: plain Python values that FEEL knows. lock: jobs with the same one never run together. run_at: not before this
    instant. back_off: minutes before each further try. priority: of those that are due the greater is taken up sooner. headers: told
    to whoever does it, where no token tells them. Raises: Invalid.
    """
    job = Job(
        type=job_type,
        instance_id=instance_id or (act.instance_id if token_id is None else None),
        token_id=token_id,
        element_id=element_id,
        args=encode(accepted(args, what="arguments")),
        headers=dict(headers or {}),
        state=JobState.WAITING,
        retries_left=len(back_off),
        back_off=list(back_off),
        due_at=run_at or act.now,
        lock=lock,
        behind=-priority,
        created_at=act.now,
        attempts=0,
    )
    act.session.add(job)
    act.session.flush()
    carry(act, job)
    return job


def defer_for_each(act: Act, job_type: str, args: Mapping[str, Any], instance_ids: Sequence[str]) -> None:
    """Promise one job for each of some instances, written together; otherwise as ``defer``. Raises: Invalid."""
    encoded = encode(accepted(args, what="arguments"))
    promised = [
        Job(
            type=job_type,
            instance_id=instance_id,
            token_id=None,
            element_id=None,
            args=encoded,
            headers={},
            state=JobState.WAITING,
            retries_left=len(BACK_OFF),
            back_off=list(BACK_OFF),
            due_at=act.now,
            lock=None,
            behind=0,
            created_at=act.now,
            attempts=0,
        )
        for instance_id in instance_ids
    ]
    act.session.add_all(promised)
    act.session.flush()
    for job in promised:
        carry(act, job)


def carry(act: Act, job: Job) -> None:
    """Tell a worker of the house of a job; one that only a worker outside can do is found by whoever asks for its type."""
    carrier = act.installation.carrier
    if carrier is not None and job.type in act.installation.registry.job_types:
        carrier.carry(act, job)


def arguments(job: Job) -> dict[str, Any]:
    """Return the arguments of a job as FEEL values."""
    values: dict[str, Any] = decode(job.args)
    return values


def lock_time(installation: Installation) -> dt.timedelta:
    """Return how long a worker here may keep a job before another one takes it for dead. Raises: Invalid for what is no time."""
    given = installation.settings.get("job_lock")
    if given in (None, ""):
        return LOCKED_FOR
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        raise Invalid(
            f"Expected the setting job_lock to be 1 to 86400 seconds, but found {given}",
            {"job_lock": "is no such time"},
        )
    return dt.timedelta(seconds=seconds)


def due(now: dt.datetime, types: Sequence[str], *, overdue_by: dt.timedelta = dt.timedelta(0)) -> Select[str]:
    """Select the ids of jobs that a worker serving these types may take up now: the highest priority, then the oldest due.

    overdue_by: how long a job must have waited; one whose worker died has waited for its lock already.
    """
    other = aliased(Job)
    busy = exists().where(
        other.lock == Job.lock, other.id != Job.id, other.state == JobState.RUNNING, other.locked_until > now
    )
    return (
        select(Job.id)
        .where(_is_free(now, overdue_by), Job.type.in_(types), or_(Job.lock.is_(None), ~busy), ~_rests())
        .order_by(Job.behind, Job.due_at, Job.id)
    )


def _is_free(now: dt.datetime, overdue_by: dt.timedelta = dt.timedelta(0)) -> Any:
    """Whether a job may be taken up now.

    One that was never planned for later may, also when whoever promised it had a clock ahead of this one: told of it within
    milliseconds, a worker would leave it to the next look at the table, and after a clock was put back nothing ran for that long.
    """
    ahead = and_(Job.due_at > now, Job.due_at == Job.created_at)
    return or_(
        and_(Job.state == JobState.WAITING, or_(Job.due_at <= now - overdue_by, ahead)),
        and_(Job.state == JobState.RUNNING, Job.locked_until <= now),
    )


def _rests() -> Any:
    """Whether a job belongs to a token of an instance that is suspended."""
    return exists().where(Job.token_id.is_not(None), Instance.id == Job.instance_id, Instance.suspended_at.is_not(None))


def claim(
    installation: Installation,
    job_id: str,
    *,
    worker: str,
    now: dt.datetime,
    lock_for: dt.timedelta = LOCKED_FOR,
    types: Sequence[str] | None = None,
) -> Job | None:
    """Take one job in an act of its own: None when it is done, not due, taken, or its lock is held by another job.

    types: what the worker serves; a job of another type is left alone. None takes whatever it is.
    """
    with installation.acting(f"system:{worker}", now=now) as act:
        return take(act, job_id, worker=worker, lock_for=lock_for, types=types)


def take(
    act: Act,
    job_id: str,
    *,
    worker: str,
    lock_for: dt.timedelta,
    types: Sequence[str] | None = None,
    holder: str | None = None,
) -> Job | None:
    """Do what ``claim`` does within an open act. holder: the principal of an outside worker."""
    lock = act.session.execute(select(Job.lock).where(Job.id == job_id)).scalar_one_or_none()
    if lock is not None and act.session.get_bind().dialect.name == "postgresql":
        # Two workers that claim two jobs of one lock at the same moment would not see each other's claim. Nobody waits: one who
        # takes several jobs may have other locks that whoever takes this one wants next.
        trying = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:lock, 0))")
        if not act.session.execute(trying, {"lock": lock}).scalar_one():
            return None
    other = aliased(Job)
    busy = select(other.id).where(
        other.lock == lock, other.id != job_id, other.state == JobState.RUNNING, other.locked_until > act.now
    )
    statement = (
        update(Job)
        .where(Job.id == job_id, _is_free(act.now), ~_rests())
        .values(
            state=JobState.RUNNING,
            locked_until=act.now + lock_for,
            worker=worker,
            holder=holder,
            attempts=Job.attempts + 1,
            version=Job.version + 1,
        )
    )
    if types is not None:
        statement = statement.where(Job.type.in_(types))
    if lock is not None:
        statement = statement.where(~exists(busy))
    if act.session.connection().execute(statement).rowcount != 1:
        return None
    return act.session.get(Job, job_id, populate_existing=True)


def hold(act: Act, job: Job) -> Job:
    """Lock the row of a job that this worker runs. Raises: Lost when another worker has taken it up since."""
    query = select(Job).where(Job.id == job.id).with_for_update().execution_options(populate_existing=True)
    row = act.session.execute(query).scalar_one()
    if row.state != JobState.RUNNING or row.worker != job.worker or row.attempts != job.attempts:
        raise Lost(f"Expected job {job.id} to be this worker's, but {row.worker or 'nobody'} has it now")
    return row


def finish(act: Act, job: Job) -> None:
    """Mark a held job done."""
    job.state, job.finished_at, job.locked_until, job.error = JobState.DONE, act.now, None, None


def lay_down(act: Act, job: Job) -> None:
    """Give a held job back untried, because its instance rests; it is taken up again when that goes on."""
    job.state, job.locked_until, job.due_at = JobState.WAITING, None, act.now


def put_back(
    act: Act, job: Job, error: str, *, retries_left: int | None = None, wait: dt.timedelta | None = None
) -> bool:
    """Note that a try failed. Return whether there is a further one; when there is none the job waits for help.

    retries_left: how many further tries there shall be, wait: until the next one, where whoever tried knows better than the
    diagram.
    """
    job.error, job.locked_until = error[:2000], None
    further = job.retries_left if retries_left is None else retries_left
    if further <= 0:
        job.state, job.retries_left = JobState.FAILED, 0
        act.note("job", job.id, "JOB_FAILED", field=job.type, new=job.error)
        return False
    job.state, job.due_at = JobState.WAITING, act.now + (_back_off(job) if wait is None else wait)
    job.retries_left = further - 1 if retries_left is None else further
    carry(act, job)
    return True


def _back_off(job: Job) -> dt.timedelta:
    if not job.back_off:
        return dt.timedelta(minutes=BACK_OFF[0])
    done = max(len(job.back_off) - job.retries_left, 0)
    return dt.timedelta(minutes=float(job.back_off[min(done, len(job.back_off) - 1)]))


def revive(act: Act, job_id: str) -> Job:
    """Let a failed job be tried once more, now. Raises: NotFound; Conflict when it did not fail."""
    query = select(Job).where(Job.id == job_id).with_for_update()
    job = act.session.execute(query).scalar_one_or_none() if is_id(job_id) else None
    if job is None:
        raise NotFound(f"Expected a job {job_id}, but there is none")
    if job.state != JobState.FAILED:
        raise Conflict(f"Expected a failed job, but it is {job.state}")
    job.state, job.due_at, job.retries_left = JobState.WAITING, act.now, 0
    act.note("job", job.id, "JOB_RETRIED", field=job.type)
    carry(act, job)
    return job


def cancel_of_token(act: Act, instance_id: str, tokens: Sequence[int] | None) -> None:
    """Take back the open jobs of tokens that are gone; None: of all tokens."""
    statement = update(Job).where(
        Job.instance_id == instance_id,
        Job.token_id.is_not(None) if tokens is None else Job.token_id.in_(tokens),
        Job.state.in_((JobState.WAITING, JobState.RUNNING, JobState.FAILED)),
    )
    act.session.connection().execute(
        statement.values(state=JobState.CANCELLED, finished_at=act.now, locked_until=None, version=Job.version + 1)
    )


IS_OPEN = text("job.state IN ('WAITING', 'RUNNING', 'FAILED')")
"""Written out, so that both databases use the index of open jobs by type."""


def offered(now: dt.datetime, job_type: str) -> Select[str]:
    """Select the ids of jobs of one type that an outside worker may take up now, in the order of ``due``."""
    return due(now, [job_type]).where(IS_OPEN)


def unserved(session: Session, installation: Installation) -> list[tuple[str, int]]:
    """Return the types of waiting jobs that nobody here runs, with how many wait; an outside worker may take them."""
    rows = session.execute(
        select(Job.type, func.count())
        .where(Job.state == JobState.WAITING, Job.type.not_in(installation.registry.job_types))
        .group_by(Job.type)
        .order_by(Job.type)
    )
    return [(job_type, count) for job_type, count in rows]
