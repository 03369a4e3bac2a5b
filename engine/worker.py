"""Run jobs: claim one, do it in an act of its own (or outside any), mark it done, or put it back.

The runner thread polls the job table on either database. On PostgreSQL ``engine.queue`` tells workers at once, and the
runner takes what none of them took: the job of a worker that died, or one that nobody was told of.
"""

from __future__ import annotations

import datetime as dt
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import incidents, jobs, kept_messages, missed_messages, motion, timers, waiting, watchdog
from engine.database import is_away, new_id
from engine.errors import Conflict, Refused
from engine.registry import PlainVariables, Work
from engine.spiff import BpmnError, NotWaiting
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.job import Job
from engine.variables import accepted

if TYPE_CHECKING:
    from engine.act import Act, Installation

_log = logging.getLogger(__name__)

SWEEP = 60.0
"""Seconds between two looks for messages whose time is over, and for instances that are not whole."""

OVERLOOKED = dt.timedelta(seconds=30)
"""A job that is due for so long although workers are told of jobs is taken by whoever looks at the table."""


CHORES = 0x10C_57E9
"""The number of the lock that whoever does chores holds: any that nobody else takes."""


class Ran(StrEnum):
    """What came of one job."""

    DONE = "DONE"
    AGAIN = "AGAIN"
    FAILED = "FAILED"
    NOT_TAKEN = "NOT_TAKEN"


def worker_name() -> str:
    """Return a name for this worker that no other one has."""
    return f"{socket.gethostname()}-{new_id()[-12:]}"


def run_job(installation: Installation, job_id: str, *, worker: str, now: dt.datetime | None = None) -> Ran:
    """Run one job if it is due, free and of a type served here.

    A failure is kept and put back; only a bug in the engine itself raises.
    """
    moment = now or installation.clock()
    lock_for, types = jobs.lock_time(installation), installation.registry.job_types
    job = jobs.claim(installation, job_id, worker=worker, now=moment, lock_for=lock_for, types=types)
    if job is None:
        return Ran.NOT_TAKEN
    try:
        return _do(installation, job, now=moment)
    except BpmnError as error:
        return _throw(installation, job, error, now=moment)
    except jobs.Lost:
        return Ran.NOT_TAKEN
    except Conflict as error:
        if error.code == "SUSPENDED":
            return _lay_down(installation, job, now=moment)
        if error.code == "BUSY":
            return _lay_down(installation, job, now=moment, then=jobs.carry)
        return _fail(installation, job, error, now=moment)
    except Exception as error:  # noqa: BLE001  a handler may fail in any way; whatever it was is kept with the job
        _log.exception("job %s (%s) failed", job.id, job.type)
        return _fail(installation, job, error, now=moment)


def _do(installation: Installation, job: Job, *, now: dt.datetime) -> Ran:
    errand = installation.registry.errands.get(job.type)
    if errand is not None:
        with installation.reading() as session:
            work = _work(session, job)
        answer = errand(installation, work)
        with installation.acting(f"system:{job.type}", now=now) as act:
            return _finish(act, job, answer)
    handler = installation.registry.handler_of(job.type)
    with installation.acting(f"system:{job.type}", now=now) as act:
        if job.token_id is not None:
            motion.lock(act, job.instance_id or "")
        jobs.hold(act, job)
        act.instance_id = job.instance_id
        return _finish(act, job, handler(act, _work(act.session, job)))


def _work(session: Session, job: Job) -> Work:
    """Return the job as its handler sees it.

    A deferred one with its arguments, one of a token with what the token sees.
    """
    instance = session.get(Instance, job.instance_id) if job.instance_id else None
    if instance is None or job.token_id is None:
        seen = PlainVariables(jobs.arguments(job))
        return Work(instance, job.element_id or "", job.type, seen, job.headers, job.retries_left, job.id)
    flow = waiting.look(session, instance)
    if job.token_id not in flow.live:
        raise jobs.Lost(f"Expected token {job.token_id} to wait for the job {job.type}, but it moved on")
    element = flow.live[job.token_id].element
    seen = PlainVariables(flow.variables_view(job.token_id))
    headers = flow.headers(job.token_id)
    return Work(instance, element.id, element.name or element.id, seen, headers, job.retries_left, job.id)


def _finish(act: Act, job: Job, answer: Mapping[str, Any] | None) -> Ran:
    """Mark the job done and let its token go on, in the act that holds what the handler wrote."""
    complete(act, job, answer)
    return Ran.DONE


def complete(act: Act, job: Job, variables: Mapping[str, Any] | None = None) -> None:
    """Finish a job that this worker holds.

    Raises: jobs.Lost when the job is not this worker's any more; Invalid for variables FEEL does not know.
    """
    taken = accepted(variables)
    with _held(act, job) as moved:
        if moved is not None and job.token_id is not None:
            moved.flow.complete(job.token_id, taken)


@contextmanager
def _held(act: Act, job: Job) -> Iterator[motion.Motion | None]:
    """Mark a job done and open the move of its instance, if a token waits for it.

    The instance is locked before the job.
    """
    instance = motion.lock(act, job.instance_id) if job.instance_id and job.token_id is not None else None
    with finishing(act, jobs.hold(act, job), instance) as moved:
        yield moved


@contextmanager
def finishing(act: Act, job: Job, instance: Instance | None) -> Iterator[motion.Motion | None]:
    """Mark a held job done and open the move of its locked instance, None for a job that no token waits for.

    Raises: jobs.Lost when the token waits for the job no more.
    """
    jobs.finish(act, job)
    act.session.flush()
    if instance is None or instance.status != InstanceStatus.RUNNING:
        yield None
        return
    try:
        with motion.moving(act, instance) as moved:
            if (
                job.token_id,
                "task",
            ) not in moved.before:  # A task that a listener hears of may still end in this move.
                moved.settled.add(job.token_id or 0)
            yield moved
    except NotWaiting as error:
        raise jobs.Lost(str(error)) from error


def _throw(installation: Installation, job: Job, error: BpmnError, *, now: dt.datetime) -> Ran:
    """Let the diagram catch a business error of a job; uncaught it becomes an incident at the token.

    A job that no token waits for has failed by it: there is no diagram to catch it.
    """
    if job.token_id is None:
        return _fail(installation, job, error, now=now)
    with installation.acting(f"system:{job.type}", now=now) as act, _held(act, job) as moved:
        if moved is not None and job.token_id is not None:
            moved.flow.fail(job.token_id, error)
    return Ran.DONE


def _lay_down(
    installation: Installation, job: Job, *, now: dt.datetime, then: Callable[[Act, Job], object] | None = None
) -> Ran:
    """Put a job back untried: its instance was suspended while it ran, or others kept the database busy.

    What its handler wrote is gone with its act. then: called with the job that waits again.
    """
    with installation.acting(f"system:{job.type}", now=now) as act:
        try:
            held = jobs.hold(act, job)
        except jobs.Lost:
            return Ran.NOT_TAKEN
        jobs.lay_down(act, held)
        if then is not None:
            then(act, held)
    return Ran.AGAIN


def _fail(installation: Installation, job: Job, error: Exception, *, now: dt.datetime) -> Ran:
    """Keep what went wrong and put the job back; when no try is left, open an incident."""
    why = error.message if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
    with installation.acting(f"system:{job.type}", now=now) as act:
        return fail(act, job, why)


def fail(act: Act, job: Job, why: str) -> Ran:
    """Put a held job back with what went wrong; when no try is left, open an incident."""
    instance = motion.lock(act, job.instance_id) if job.instance_id else None
    try:
        held = jobs.hold(act, job)
    except jobs.Lost:
        return Ran.NOT_TAKEN
    return give_back(act, held, instance, why)


def give_back(
    act: Act,
    job: Job,
    instance: Instance | None,
    why: str,
    *,
    retries_left: int | None = None,
    wait: dt.timedelta | None = None,
) -> Ran:
    """Put a held job of a locked instance back, as ``jobs.put_back`` does; when no try is left, open an incident."""
    if jobs.put_back(act, job, why, retries_left=retries_left, wait=wait):
        return Ran.AGAIN
    if instance is not None and instance.status == InstanceStatus.RUNNING:
        incidents.report(
            act,
            instance,
            job.token_id or 0,
            job.element_id or job.type,
            cause="work",
            message=f"Expected the job {job.type} to succeed, but it failed {job.attempts} time(s): {why}",
            job_id=job.id,
        )
    return Ran.FAILED


def run_due(
    installation: Installation,
    *,
    worker: str,
    now: dt.datetime | None = None,
    limit: int = 50,
    overdue_by: dt.timedelta = dt.timedelta(0),
) -> int:
    """Run the jobs that have been due for ``overdue_by``, one after the other, and return how many were taken."""
    moment = now or installation.clock()
    with installation.reading() as session:
        found = jobs.due(moment, installation.registry.job_types, overdue_by=overdue_by)
        due = list(session.scalars(found.limit(limit)))
    return sum(run_job(installation, job_id, worker=worker, now=moment) is not Ran.NOT_TAKEN for job_id in due)


def run_until_idle(installation: Installation, *, now: dt.datetime | None = None, rounds: int = 1000) -> int:
    """Fire timers and run jobs until nothing is due any more; return how many jobs ran.

    Tests and the command line use it.
    """
    worker, ran = worker_name(), 0
    for _ in range(rounds):
        fired = timers.fire_due(installation, now=now)
        taken = run_due(installation, worker=worker, now=now)
        ran += taken
        if not taken and not fired.timers:
            return ran
    return ran


class Runner:
    """A thread that fires timers and runs jobs of one installation. It keeps nothing.

    After a crash another one goes on. Where workers are told of jobs it leaves them those that became due just now.
    """

    def __init__(self, installation: Installation, *, poll: float = 1.0, worker: str | None = None) -> None:
        self.installation = installation
        self.worker = worker or worker_name()
        self._poll = poll
        self._swept = -SWEEP
        self._watched = ""
        self._resting: dict[str, float] = {}
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to run, in a thread of its own."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._loop, name=self.worker, daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10) -> None:
        """Finish the job at hand and end the thread."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def wake(self) -> None:
        """Look for work now rather than at the next poll."""
        self._wake.set()

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                busy = self._round()
            except Exception as error:  # noqa: BLE001  the thread outlives whatever happens: a lost connection, a full disk
                busy = 0
                if is_away(error):
                    _log.warning("worker %s waits for the database: %s", self.worker, error)
                else:
                    _log.exception("worker %s stumbled", self.worker)
            if not busy:
                self._wake.wait(self._poll)
                self._wake.clear()

    def _round(self) -> int:
        house = self.installation
        if time.monotonic() - self._swept >= SWEEP:
            self._swept = time.monotonic()
            self._each("messages", lambda: sweep(house))
            self._each("watchdog", self._watch)
        fired = self._each("timers", lambda: timers.fire_due(house).timers)
        told = min(OVERLOOKED, jobs.lock_time(house)) if house.carrier else dt.timedelta(0)
        ran = self._each("jobs", lambda: run_due(house, worker=self.worker, overdue_by=told))
        with _alone(house) as alone:
            chores = house.registry.chores.items() if alone else ()
            done = sum(self._each(name, partial(chore, house), rest=SWEEP) for name, chore in chores)
        return fired + ran + done

    def _watch(self) -> int:
        self._watched, opened = watchdog.scan(self.installation, after=self._watched)
        return opened

    def _each(self, name: str, work: Callable[[], int], *, rest: float = 0) -> int:
        """Do one part of a round; one that fails is told in the log and does not keep the others from theirs.

        rest: seconds that one which failed is left alone.
        """
        if time.monotonic() < self._resting.get(name, 0):
            return 0
        try:
            return work()
        except Exception as error:
            if is_away(error):
                raise
            _log.exception("worker %s stumbled over %s", self.worker, name)
            self._resting[name] = time.monotonic() + rest
            return 0


@contextmanager
def _alone(installation: Installation) -> Iterator[bool]:
    """Yield whether no other runner does chores while the block runs: two that do one at once would write the same rows.

    The lock belongs to a connection, so that it ends with the process that held it. SQLite has one file on one machine, where an
    act waits for the other and each chore looks anew in its own.
    """
    if installation.database.dialect.name != "postgresql":
        yield True
        return
    with installation.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        alone = bool(connection.scalar(select(func.pg_try_advisory_lock(CHORES))))
        try:
            yield alone
        finally:
            if alone:
                connection.execute(select(func.pg_advisory_unlock(CHORES)))


@contextmanager
def at_work(installation: Installation, *, poll: float = 1.0) -> Iterator[Runner]:
    """Fire timers and run jobs while the block runs: a runner everywhere, and who is told of jobs where they are carried.

    poll: seconds between two looks of the runner at an idle table. Raises: Invalid for a setting that no work can go by.
    """
    jobs.lock_time(installation)
    runner = Runner(installation, poll=poll)
    runner.start()
    try:
        with installation.carrier.listening(installation) if installation.carrier else nullcontext():
            yield runner
    finally:
        runner.stop()


def sweep(installation: Installation) -> int:
    """Deliver kept messages that somebody waits for, and mark those whose time is over; return how many were moved or marked."""
    now = installation.clock()
    with installation.reading() as session:
        overlooked, is_any_over = missed_messages.overlooked(session, now), kept_messages.any_expired(session, now)
    moved = sum(missed_messages.deliver(installation, message_id) for message_id in overlooked)
    if not is_any_over:
        return moved
    with installation.acting("system:sweep") as act:
        return moved + kept_messages.expire(act)
