"""What every document's page shows beside the document: where its process stands, its route, findings, files, talk, history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import instances
from engine.eligibility import mandates_for
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.task import Task, TaskState
from records import attachment, comment
from records.change_task import ChangeHold, holds_on
from records.external import Discrepancy, Observation
from rules.finding import open_findings
from webapp import formats, ledger, route, visit
from webapp.route import Stage


@dataclass(frozen=True, slots=True)
class Beside:
    """Everything around one document. marks: changes that wait to be carried out on it or on a part of it (CHANGE_PENDING)."""

    instances: list[Any]
    instance: Any | None
    wait: str
    tasks: list[Task]
    stages: list[Stage]
    findings: list[Any]
    discrepancies: list[Discrepancy]
    observations: list[Observation]
    files: list[Any]
    comments: list[Any]
    ledger: ledger.Ledger
    marks: list[ChangeHold]


def beside(session: Session, record: Any, content_hash: str | None = None) -> Beside:
    """Gather what stands beside a document. content_hash: whose approval plan is shown."""
    about = (record.record_type, record.id)
    runs = instances.instances_of(session, *about)
    running = _leading(session, runs, *about)
    differing = select(Discrepancy).where(Discrepancy.document_type == about[0], Discrepancy.document_id == about[1])
    observed = select(Observation).where(Observation.record_type == about[0], Observation.record_id == about[1])
    return Beside(
        runs,
        running,
        _wait(session, running) if running is not None else "",
        own_tasks(session, *about),
        route.stages_of(session, *about, content_hash),
        [kept.as_finding for kept in open_findings(session, *about)],
        list(session.scalars(differing.order_by(Discrepancy.opened_at))),
        list(session.scalars(observed.order_by(Observation.field))),
        attachment.attachments_of(session, *about),
        comment.comments_on(session, *about),
        ledger.ledger_of(session, *about),
        marks_on(session, record),
    )


def marks_on(session: Session, record: Any) -> list[ChangeHold]:
    """Return the marks CHANGE_PENDING on a document, its lines or its operations, oldest first."""
    parts = [*getattr(record, "lines", ()), *getattr(record, "operations", ())]
    return holds_on(session, record.id, *(each.id for each in parts))


def _leading(session: Session, runs: list[Any], record_type: str, record_id: str) -> Any | None:
    """Return the run that somebody has to move: one with an open task on the document, else the newest that runs."""
    running = [run for run in runs if run.status == InstanceStatus.RUNNING]
    wanted = select(Task.instance_id).where(
        Task.record_type == record_type, Task.record_id == record_id, Task.state == TaskState.OPEN
    )
    # Another flow may watch the same document; what it waits for is no help to whoever reads the page.
    moved = set(session.scalars(wanted)) if running[1:] else set()
    return next((run for run in running if run.id in moved), next(iter(running or runs), None))


def _wait(session: Session, run: Instance) -> str:
    """Say what a run waits for, or when it ended, in the visitor's time."""
    if run.status == InstanceStatus.RUNNING or run.closed_at is None:
        return instances.wait_sentence(session, run)
    at = formats.moment(run.closed_at, visit.now(), visit.visitor().how)
    if run.status == InstanceStatus.CANCELLED:
        return f"Cancelled {at}: {(run.closed_why or '').removeprefix('cancelled: ')}"
    return f"Ended {at}."


def own_tasks(session: Session, record_type: str, record_id: str) -> list[Task]:
    """Return the open tasks on a document that the visitor may take."""
    wanted = select(Task).where(
        Task.record_type == record_type, Task.record_id == record_id, Task.state == TaskState.OPEN
    )
    me, now = visit.visitor().user_id, visit.now()
    return [task for task in session.scalars(wanted) if mandates_for(session, task, me, now=now)]
