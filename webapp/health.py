"""What machines ask: is the process alive, can it work, and how much is there of what. No page, no session."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, current_app, request
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from engine.act import Installation
from engine.clock import now_of
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.job import Job, JobState
from engine.stored.task import QueueCount
from engine.stored.wait import Incident, IncidentState, Message, MessageState
from migrations import newest_version, version_of
from webapp.gate import public

pages = Blueprint("health", __name__)

SETTING = "metrics_token"
"""The setting that lets another machine read the metrics: what it sends as a bearer token."""

Sample = tuple[dict[str, str], float]


@pages.get("/healthz")
@public
def alive() -> Response:
    """Say that this process answers."""
    return _plain("ok")


@pages.get("/readyz")
@public
def ready() -> Response:
    """Say whether requests can be served: the database answers, at the version of this program."""
    try:
        found, wanted = version_of(_house().database), newest_version()
    except SQLAlchemyError:
        return _plain("the database does not answer", 503)
    if found != wanted:
        return _plain(f"the database is at version {found}, and this program wants {wanted}", 503)
    return _plain("ready")


@pages.get("/metrics")
@public
def metrics() -> Response:
    """Count for Prometheus: to this machine, or to who sends the token of the setting ``metrics_token``."""
    if not _may_count():
        return _plain("Expected the bearer token of the setting metrics_token, or a request from this machine.", 401)
    with _house().reading() as session:
        lines = list(_lines(session))
    return Response("\n".join(lines) + "\n", mimetype="text/plain; version=0.0.4")


def _may_count() -> bool:
    token = str(_house().settings.get(SETTING) or "")
    if token:
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(sent.encode(), token.encode())
    return request.remote_addr in ("127.0.0.1", "::1") and "X-Forwarded-For" not in request.headers


def _lines(session: Session) -> Iterator[str]:
    now = now_of(session)
    runs = session.execute(select(Instance.status, func.count()).group_by(Instance.status)).all()
    yield from _family("lockstep_instances", "Runs by status.", _by("status", runs, list(InstanceStatus)))
    rests = _count(
        session,
        select(func.count()).where(Instance.suspended_at.is_not(None), Instance.status == InstanceStatus.RUNNING),
    )
    yield from _family("lockstep_instances_suspended", "Running instances that rest.", [({}, rests)])
    stuck = session.execute(
        select(Incident.cause, func.count()).where(Incident.state == IncidentState.OPEN).group_by(Incident.cause)
    ).all()
    yield from _family(
        "lockstep_incidents_open", "Incidents that wait for help, by cause.", _by("cause", stuck, ["watchdog"])
    )
    tasks = session.execute(select(QueueCount.queue, func.sum(QueueCount.tasks)).group_by(QueueCount.queue)).all()
    yield from _family("lockstep_tasks_open", "Open tasks by process.", _by("process", tasks, []))
    jobs = session.execute(
        select(Job.state, func.count()).where(Job.state.in_((JobState.WAITING, JobState.RUNNING))).group_by(Job.state)
    ).all()
    yield from _family(
        "lockstep_jobs", "Jobs that wait or run.", _by("state", jobs, [JobState.WAITING, JobState.RUNNING])
    )
    late = session.scalar(select(func.min(Job.due_at)).where(Job.state == JobState.WAITING, Job.due_at <= now))
    seconds = (now - late).total_seconds() if late is not None else 0.0
    yield from _family("lockstep_job_oldest_due_seconds", "For how long the oldest due job waits.", [({}, seconds)])
    due = _count(
        session, select(func.count()).where(Instance.wake_at <= now, Instance.status == InstanceStatus.RUNNING)
    )
    yield from _family("lockstep_timers_overdue", "Running instances whose earliest timer is due.", [({}, due)])
    kept = _count(session, select(func.count()).where(Message.state == MessageState.STORED))
    yield from _family("lockstep_messages_stored", "Messages that nobody waits for yet.", [({}, kept)])


def _count(session: Session, wanted: Any) -> float:
    return float(session.scalar(wanted) or 0)


def _by(label: str, rows: Any, known: list[Any]) -> list[Sample]:
    found = dict.fromkeys(map(str, known), 0.0) | {str(name): float(count) for name, count in rows}
    return [({label: name}, count) for name, count in sorted(found.items())]


def _family(name: str, what: str, samples: list[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(word)}"' for key, word in labels.items())
        yield f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:g}"


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _plain(words: str, status: int = 200) -> Response:
    answer = Response(words + "\n", status, mimetype="text/plain")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _house() -> Installation:
    wired: Installation = current_app.extensions["lockstep"]
    return wired
