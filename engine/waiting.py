"""What an instance waits for: as one sentence, and token by token for painting the diagram."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from sqlalchemy import bindparam, literal_column, select
from sqlalchemy.orm import Session

from dmn import HostFunction
from engine import definitions, dialect, eligibility, loading, rows, variables, words
from engine.bundle import Deployed
from engine.clock import now_of
from engine.errors import Conflict
from engine.functions import HOUSE, zone_of
from engine.prepared import Question
from engine.spiff import Bundle, ElementInfo, Flow
from engine.spiff.flow import Around
from engine.spiff.host import WorkItem
from engine.stored.instance import Activity, Instance, InstanceStatus
from engine.stored.job import Job, JobState
from engine.stored.task import Task
from engine.stored.wait import Incident, IncidentState, MessageSubscription, Timer

# Built once: building a statement costs more than running it.
_OPEN = Question(
    select(*Task.__table__.c)
    # Written out, so that the index of open tasks alone is found.
    .where(Task.instance_id == bindparam("waiting"), Task.state == literal_column("'OPEN'"))
    .order_by(Task.created_at, Task.id)
)

NAMES = 3
"""How many people a sentence names before it counts."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What a token is inside of: a call (called names the process), or one instance of a multi-instance activity.

    name: of the call, or what the activity's title says of this instance, else "2 of 3".
    """

    token_id: int
    process_id: str
    element_id: str
    name: str
    called: str | None


@dataclass(frozen=True, slots=True)
class LiveToken:
    """Where a token stands. kind.

    ``task``, ``job``, ``message``, ``signal``, ``timer``, ``conditional``, ``activation``, ``incident``.

    is_listener: it waits beside an activity (a boundary event) rather than in the flow. around: the instances and calls
    that it is inside of, outermost first.
    """

    token_id: int
    process_id: str
    element_id: str
    kind: str
    due_at: dt.datetime | None
    incident: str | None
    is_listener: bool
    around: tuple[Inside, ...] = ()


def look(session: Session, instance: Instance) -> Flow:
    """Return the flow of an instance for reading; it cannot be moved. Raises: Unreadable for a state that somebody broke."""
    deployed = definitions.parsed(session, instance.definition_id)
    return loading.loaded(deployed, instance, variables.load(session, instance), Onlooker(session), is_awake=True)


def called_definitions(session: Session, instance: Instance) -> dict[str, str]:
    """Return which definitions outside its own bundle an instance is inside of now: process id to definition id."""
    flow = look(session, instance)
    return {process_id: sub.key for sub in flow.subprocesses.values() if sub.key for process_id in sub.bundle.processes}


def live_tokens(session: Session, instance: Instance) -> list[LiveToken]:
    """Return where the tokens of an instance stand, oldest first; none once it has ended, or when nobody can read its state."""
    if instance.status != InstanceStatus.RUNNING:
        return []
    deployed = definitions.parsed(session, instance.definition_id)
    try:
        flow = look(session, instance)
    except Conflict:
        return []  # The watchdog's incident says so; a page that shows it must open.
    stuck = {
        incident.token_id: incident.message
        for incident in session.scalars(
            select(Incident).where(Incident.instance_id == instance.id, Incident.state == IncidentState.OPEN)
        )
    }
    return [
        LiveToken(
            wait.token_id,
            wait.process_id,
            wait.element_id,
            "incident" if wait.token_id in stuck else wait.kind,
            wait.due,
            stuck.get(wait.token_id, wait.incident),
            wait.attached_to is not None or _begins_aside(deployed, wait.process_id, wait.element_id),
            tuple(_inside(flow, around) for around in flow.around(wait.token_id)),
        )
        for wait in flow.waits()
    ]


def _begins_aside(deployed: Deployed, process_id: str, element_id: str) -> bool:
    """Whether an element is an event sub-process: it waits beside the flow until something happens."""
    process = deployed.bundle.processes.get(process_id)
    element = process.elements.get(element_id) if process is not None else None
    return element is not None and element.is_event_subprocess


def lineage(session: Session, instance: Instance) -> dict[int, tuple[int, ...]]:
    """Return for each token of an instance, gone or live, those that it came from."""
    moves = session.execute(select(Activity.token_id, Activity.parents).where(Activity.instance_id == instance.id))
    found = {token_id: tuple(int(parent) for parent in parents) for token_id, parents in moves}
    if instance.status == InstanceStatus.RUNNING:
        with suppress(Conflict):
            found |= look(session, instance).came_from()
    return found


def _inside(flow: Flow, around: Around) -> Inside:
    element = around.element
    if around.called is not None:
        return Inside(around.token_id, element.process_id, element.id, element.name or element.id, around.called)
    title = dialect.property_value(element, dialect.TITLE, flow.variables_view(around.token_id), flow.host)
    which = f"{(around.place or 0) + 1} of {around.total}"
    name = which if title is None else f"{title} ({which})" if around.total > 1 else str(title)
    return Inside(around.token_id, element.process_id, element.id, name, None)


class Onlooker:
    """A host for a flow that is only looked at."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def now(self) -> dt.datetime:
        return now_of(self._session)

    @property
    def zone(self) -> dt.tzinfo:
        return zone_of(self._session)

    @property
    def functions(self) -> Mapping[str, HostFunction]:
        return HOUSE

    def work(self, item: WorkItem) -> NoReturn:
        raise RuntimeError(f"Expected to look at a flow only, but {item.element.id} wants to work")

    def task(self, element: ElementInfo, variables: Mapping[str, Any]) -> NoReturn:
        raise RuntimeError(f"Expected to look at a flow only, but the task {element.id} begins")

    def resolve(self, process_id: str, binding: str, version_tag: str | None) -> NoReturn:
        raise RuntimeError(f"Expected to look at a flow only, but {process_id} is called")

    def bundle(self, key: str) -> Bundle:
        return definitions.parsed(self._session, key).bundle


def wait_sentence(session: Session, instance: Instance) -> str:
    """Say in one sentence what an instance waits for, since when, and whose turn it is."""
    now = now_of(session)
    if instance.status != InstanceStatus.RUNNING:
        return _ended(session, instance, now)
    if instance.suspended_at is not None:
        by = eligibility.directory_of(session).person(session, instance.suspended_by or "")
        name = by.name if by is not None else instance.suspended_by
        return f"Suspended {words.span(now - instance.suspended_at)} ago by {name}: {instance.suspended_why}"
    for sentence in (_stuck, _people, _worker, _outside, _choice, _clock):
        found = sentence(session, instance, now)
        if found is not None:
            return found
    return "Waiting for a condition."


def sentence_at_rest(session: Session, instance: Instance) -> str | None:
    """Say at the end of an act what ``wait_sentence`` will say of an instance, None unless it has ended or waits for people.

    Whose turn it is was asked already by what opened their tasks, so that it costs one question less than reading it anew.
    """
    now = now_of(session)
    if instance.status != InstanceStatus.RUNNING:
        return _ended(session, instance, now)
    return None if instance.suspended_at is not None or instance.incidents else _people(session, instance, now)


def _ended(session: Session, instance: Instance, now: dt.datetime) -> str:
    at = words.clock_time(session, instance.closed_at, now=now) if instance.closed_at else ""
    if instance.status == InstanceStatus.CANCELLED:
        why = (instance.closed_why or "").removeprefix("cancelled: ")
        return f"Cancelled at {at}: {why}"
    return f"Ended at {at}."


def _stuck(session: Session, instance: Instance, now: dt.datetime) -> str | None:
    if not instance.incidents:
        return None
    query = select(Incident).where(Incident.instance_id == instance.id, Incident.state == IncidentState.OPEN)
    found = session.scalars(query.order_by(Incident.opened_at)).first()
    return None if found is None else f"Stuck for {words.span(now - found.opened_at)}: {found.message}"


def _people(session: Session, instance: Instance, now: dt.datetime) -> str | None:
    tasks = rows.load(session, Task, _OPEN, {"waiting": instance.id})
    if not tasks:
        return None
    first = tasks[0]
    if first.transition and len(tasks) == 1:
        return _worker(session, instance, now)
    same = [task for task in tasks if task.element_id == first.element_id]
    whose = _names(session, same, now)
    count = f"{len(same)} open; " if len(same) > 1 else ""
    late = ""
    if first.due_at is not None and first.due_at < now:
        late = f"; {words.span(now - first.due_at)} late"
    others = sorted({task.name for task in tasks} - {first.name})
    more = f", and for {', '.join(others)}" if others else ""
    return f"Waiting {words.span(now - first.created_at)} for {first.name} ({count}{whose}{late}){more}."


def _names(session: Session, tasks: list[Task], now: dt.datetime) -> str:
    directory = eligibility.directory_of(session)
    names: list[str] = []
    for task in tasks:
        if task.assignee:
            person = directory.person(session, task.assignee)
            names.append(person.name if person else task.assignee)
            continue
        people, _ = eligibility.eligible(session, task, task.candidates, now=now)
        names += [person.name for person in people] or [name.partition(":")[2] for name in task.candidates]
    distinct = list(dict.fromkeys(names))
    if not distinct:
        return "nobody"
    shown = ", ".join(distinct[:NAMES])
    return shown if len(distinct) <= NAMES else f"{shown} or {len(distinct) - NAMES} more"


def _worker(session: Session, instance: Instance, now: dt.datetime) -> str | None:
    query = select(Job).where(
        Job.instance_id == instance.id, Job.token_id.is_not(None), Job.state.in_((JobState.WAITING, JobState.RUNNING))
    )
    job = session.scalars(query.order_by(Job.created_at)).first()
    if job is None:
        return None
    since = words.span(now - job.created_at)
    if job.holder is not None and job.locked_until is not None and job.locked_until > now:
        until = words.clock_time(session, job.locked_until, now=now)
        return f"Waiting {since} for {job.worker}, which does the job {job.type} ({job.element_id}), until {until}."
    whom = "" if session.info["installation"].registry.serves(job.type) else "a worker outside to take up "
    again = f"; next try at {words.clock_time(session, job.due_at, now=now)}" if job.error else ""
    return f"Waiting {since} for {whom}the job {job.type} ({job.element_id}){again}."


def _outside(session: Session, instance: Instance, now: dt.datetime) -> str | None:
    query = select(MessageSubscription).where(MessageSubscription.instance_id == instance.id)
    waiting = list(session.scalars(query.order_by(MessageSubscription.id)))
    beside = {token.token_id for token in live_tokens(session, instance) if token.is_listener} if waiting[1:] else set()
    # What the flow itself waits for comes before what may interrupt it.
    found = next(iter(sorted(waiting, key=lambda one: one.token_id in beside)), None)
    return None if found is None else f"Waiting for: {_said(session, instance, found)}."


def _said(session: Session, instance: Instance, waits: MessageSubscription) -> str:
    """Say what a token waits for as the diagram names it, and about what: the instance it is inside of, else the business key."""
    token = next((one for one in live_tokens(session, instance) if one.token_id == waits.token_id), None)
    if token is None:
        return waits.name
    bundle = definitions.parsed(session, instance.definition_id).bundle
    process = bundle.processes.get(token.process_id)
    element = process.elements.get(token.element_id) if process is not None else None
    titles = [around.name for around in token.around if around.called is None]
    about = titles[-1] if titles else instance.business_key
    name = (element.name if element is not None else "") or waits.name
    return f"{name}, {about}" if about else name


def _choice(session: Session, instance: Instance, now: dt.datetime) -> str | None:
    waiting = [token for token in live_tokens(session, instance) if token.kind == "activation"]
    if not waiting:
        return None
    processes = definitions.parsed(session, instance.definition_id).bundle.processes
    process = processes.get(waiting[0].process_id)
    element = process.elements.get(waiting[0].element_id) if process is not None else None
    name = (element.name if element is not None else "") or waiting[0].element_id
    return f"Waiting for somebody to choose what is done next in {name}."


def _clock(session: Session, instance: Instance, now: dt.datetime) -> str | None:
    query = select(Timer).where(Timer.instance_id == instance.id)
    found = session.scalars(query.order_by(Timer.due_at)).first()
    return None if found is None else f"Waiting until {words.clock_time(session, found.due_at, now=now)}."
