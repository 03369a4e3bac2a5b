"""Move running instances to another version of their process, and take a move back.

People's work stays as it is: decisions with the definition they were made under, claims, due dates, drafts, candidates. An open
task takes the name, form, verdicts and signature of its step in the other version, and says so in its notes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine import definitions, dialect, keeping, motion, opening, rehearsing, variables
from engine.database import is_id
from engine.errors import Conflict, NotFound, Refused
from engine.host import ActHost
from engine.spiff import Flow
from engine.spiff.host import Incident
from engine.spiff.migrating import Route, judge, relocate
from engine.spiff.stored import Stored
from engine.stored.definition import Definition, DefinitionStatus
from engine.stored.instance import Instance, InstanceMove, InstanceStatus, Relocation
from engine.stored.job import Job, JobState
from engine.stored.task import Task, TaskState
from engine.stored.wait import Incident as StoredIncident
from engine.stored.wait import IncidentState, MessageSubscription, SignalSubscription, Timer
from engine.suspending import reason_for

if TYPE_CHECKING:
    from engine.act import Act, Installation

_log = logging.getLogger(__name__)

_KEPT = ("element_id", "name", "form_id", "outcomes", "signature", "notes")
"""What a move changes of an open task."""


class Came(StrEnum):
    """What became of one instance of several."""

    MOVED = "MOVED"
    NOTHING_TO_DO = "NOTHING_TO_DO"
    FAILED = "FAILED"
    NOT_TRIED = "NOT_TRIED"


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one instance, in words when it was not moved."""

    instance_id: str
    business_key: str
    came: Came
    message: str = ""


def runs_on_others(session: Session, target: Definition) -> list[Instance]:
    """Return the running instances of a process that are on another version, the oldest first."""
    wanted = select(Instance).where(
        Instance.process_id == target.process_id,
        Instance.status == InstanceStatus.RUNNING,
        Instance.definition_id != target.id,
    )
    return list(session.scalars(wanted.order_by(Instance.id)))


def move(
    act: Act,
    instance_id: str,
    target: Definition,
    *,
    reason: str,
    mapping: Mapping[str, str] | None = None,
    relocation: Relocation | None = None,
    seen_version: int | None = None,
) -> InstanceMove:
    """Move one instance to another version of its process, and keep what it was.

    mapping: element to element where their ids differ; an empty goal lets a timer or another event beside a step begin anew, if
    the other version has it, instead of keeping its time. seen_version: of the instance, as it was rehearsed. Raises: NotFound;
    Conflict NOT_MOVABLE with every reason; Conflict when it changed since the rehearsal; Invalid.
    """
    reason = reason_for(reason, "moving it to another version")
    instance = motion.running(motion.lock(act, instance_id))
    if seen_version is not None and instance.version != seen_version:
        raise Conflict(
            f"Expected {instance.business_key} as it was rehearsed, but it went on since; rehearse it again",
            code="STALE_VERSION",
        )
    if target.status != DefinitionStatus.RELEASED:
        raise Conflict(
            f"Expected a released version, but version {target.version} of {target.process_id} is {target.status}",
            code="NOT_RELEASED",
        )
    verdict = rehearsing.rehearse(act.session, instance, target, mapping)
    if not verdict.may_move:
        raise Conflict(
            f"Expected {instance.business_key} to be movable to version {target.version}, but: {' '.join(verdict.reasons)}",
            code="NOT_MOVABLE",
        )
    return _move(act, instance, target, mapping or {}, reason=reason, relocation=relocation)


def move_each(
    installation: Installation,
    actor: str,
    instance_ids: Sequence[str],
    target: Definition,
    *,
    reason: str,
    mapping: Mapping[str, str] | None = None,
    relocation: Relocation | None = None,
    goes_on: bool = True,
    told: Callable[[Moved], object] = lambda _moved: None,
) -> list[Moved]:
    """Move several instances, each in an act of its own: one that fails stays what it was, and undoes no other.

    goes_on: try the others after a failure. told: called after each.
    """
    results: list[Moved] = []
    has_failed = False
    for instance_id in instance_ids:
        if has_failed and not goes_on:
            results.append(Moved(instance_id, _key_of(installation, instance_id), Came.NOT_TRIED))
        else:
            results.append(_tried(installation, actor, instance_id, target, reason, mapping, relocation))
            has_failed = has_failed or results[-1].came is Came.FAILED
        told(results[-1])
    return results


def revert(act: Act, move_id: str, reason: str) -> Instance:
    """Take a move back: the instance is what it was before.

    Raises: NotFound; Invalid; Conflict when it went on since, or when the move was taken back already.
    """
    reason = reason_for(reason, "taking the move back")
    made = act.session.get(InstanceMove, move_id) if is_id(move_id) else None
    if made is None:
        raise NotFound(f"Expected a move {move_id:.60}, but there is none")
    instance = motion.running(motion.lock(act, made.instance_id))
    if made.reverted_at is not None:
        raise Conflict("Expected a move that stands, but it was taken back already", code="ALREADY_REVERTED")
    now = variables.load(act.session, instance)
    if instance.definition_id != made.to_definition_id or variables.digest(instance, now) != made.after:
        raise Conflict(
            f"Expected {instance.business_key} to be where the move left it, but it went on since; move it to the former version"
            " instead, with a rehearsal",
            code="MOVED_ON",
        )
    _take_back(act, instance, made, now)
    former = act.session.get_one(Definition, made.from_definition_id)
    made.reverted_at, made.reverted_by, made.reverted_why = act.now, act.user_id or act.actor, reason
    act.note("instance", instance.id, "MIGRATION_REVERTED", new=f"{former.version} {former.hash}", reason=reason)
    return instance


def moves_of(session: Session, instance_id: str) -> list[InstanceMove]:
    """Return the moves of an instance that stand, oldest first."""
    wanted = select(InstanceMove).where(InstanceMove.instance_id == instance_id, InstanceMove.reverted_at.is_(None))
    return list(session.scalars(wanted.order_by(InstanceMove.moved_at, InstanceMove.id)))


def _key_of(installation: Installation, instance_id: str) -> str:
    with installation.reading() as session:
        found = session.get(Instance, instance_id) if is_id(instance_id) else None
        return found.business_key if found is not None else instance_id


def _tried(
    installation: Installation,
    actor: str,
    instance_id: str,
    target: Definition,
    reason: str,
    mapping: Mapping[str, str] | None,
    relocation: Relocation | None,
) -> Moved:
    try:
        with installation.acting(actor, reason=reason) as act:
            instance = motion.lock(act, instance_id)
            key = instance.business_key
            if instance.definition_id == target.id:
                return Moved(instance_id, key, Came.NOTHING_TO_DO, f"It is on version {target.version} already.")
            move(act, instance_id, target, reason=reason, mapping=mapping, relocation=relocation)
            return Moved(instance_id, key, Came.MOVED)
    except Refused as refusal:
        return Moved(instance_id, _key_of(installation, instance_id), Came.FAILED, refusal.message)
    except Exception as error:  # noqa: BLE001  one instance with a state that nobody foresaw must not stop all others
        _log.exception("moving instance %s failed", instance_id)
        return Moved(instance_id, _key_of(installation, instance_id), Came.FAILED, f"{type(error).__name__}: {error}")


def _move(
    act: Act,
    instance: Instance,
    target: Definition,
    mapping: Mapping[str, str],
    *,
    reason: str,
    relocation: Relocation | None,
) -> InstanceMove:
    former = act.session.get_one(Definition, instance.definition_id)
    with motion.alone(act, instance):
        source = definitions.parsed(act.session, former.id)
        deployed = definitions.parsed(act.session, target.id)
        stored = variables.load(act.session, instance)
        flow = Flow.load(source.bundle, instance.state, stored, ActHost(act, instance, source))
        before = {motion.key_of(wait): wait for wait in flow.waits()}
        judged = judge(flow, deployed.bundle, mapping)
        route = Route(flow.bundle, deployed.bundle, mapping)
        made = _snapshot(act, instance, target, route, stored, reason=reason, relocation=relocation)
        host = ActHost(act, instance, deployed)
        try:
            flow = relocate(flow, deployed.bundle, judged, host, mapping=mapping, stored=stored)
        except Incident as failed:
            raise Conflict(
                f"Expected its new events to begin to wait, but {failed.message}", code="NOT_MOVABLE"
            ) from failed
        instance.definition_id, instance.definition_hash = target.id, target.hash
        instance.rounds = {mapping.get(name) or name: value for name, value in instance.rounds.items()}
        moved = motion.Motion(act, instance, deployed, flow, host, before, stored)
        moved.why = f"moved to version {target.version}: {reason}"
        _relabel(act, moved)
        _renew_tasks(act, moved, f"Moved to version {target.version} of the process by {_name(act)}: {reason}")
        flow.run()
        keeping.store(moved)
        act.note(
            "instance", instance.id, "MIGRATED", field=instance.process_id, old=f"{former.version} {former.hash}",
            new=f"{target.version} {target.hash}", reason=reason,
        )  # fmt: skip
    motion.drain(act)
    act.session.flush()
    made.after = variables.digest(instance, variables.load(act.session, instance))
    return made


def _snapshot(
    act: Act,
    instance: Instance,
    target: Definition,
    route: Route,
    stored: Stored,
    *,
    reason: str,
    relocation: Relocation | None,
) -> InstanceMove:
    made = InstanceMove(
        instance_id=instance.id,
        relocation_id=relocation.id if relocation is not None else None,
        from_definition_id=instance.definition_id,
        to_definition_id=target.id,
        elements=route.elements(),
        state=instance.state,
        variables=stored.whole(),
        tasks={task.id: {name: getattr(task, name) for name in _KEPT} for task in _open_tasks(act, instance)},
        rounds=instance.rounds,
        after="",
        reason=reason,
        moved_at=act.now,
        moved_by=act.user_id or act.actor,
    )
    act.session.add(made)
    return made


def _take_back(act: Act, instance: Instance, made: InstanceMove, now: Stored) -> None:
    with motion.alone(act, instance):
        former = definitions.parsed(act.session, made.from_definition_id)
        present = definitions.parsed(act.session, made.to_definition_id)
        left = Flow.load(present.bundle, instance.state, now, ActHost(act, instance, present))
        before = {motion.key_of(wait): wait for wait in left.waits()}
        known = Stored(made.variables)
        host = ActHost(act, instance, former)
        flow = Flow.load(former.bundle, made.state, known, host)
        instance.definition_id, instance.definition_hash = former.definition_id, former.hash
        instance.rounds = made.rounds
        flow.counter = max(flow.counter, left.counter)  # No token is ever called as another one was.
        variables.save(act.session, instance, now, known, [key for key in now if key not in known])
        moved = motion.Motion(act, instance, former, flow, host, before, variables.load(act.session, instance))
        moved.why = "the move to another version was taken back"
        for task in _open_tasks(act, instance):
            for name, value in made.tasks.get(task.id, {}).items():
                setattr(task, name, value)
        _relabel(act, moved)
        keeping.store(moved)
    motion.drain(act)


def _open_tasks(act: Act, instance: Instance) -> list[Task]:
    act.session.flush()
    query = select(Task).where(Task.instance_id == instance.id, Task.state == TaskState.OPEN)
    return list(act.session.scalars(query.order_by(Task.id)))


def _relabel(act: Act, moved: motion.Motion) -> None:
    """Let the rows of what the instance waits for name the elements of the version it is on now."""
    act.session.flush()
    waits = [
        wait
        for wait in moved.flow.waits()
        if _was_called(moved, wait.token_id, wait.kind) not in (None, wait.element_id)
    ]
    for wait in waits:
        for table, is_open in _ROWS:
            statement = update(table).where(
                table.instance_id == moved.instance.id, table.token_id == wait.token_id, *is_open
            )
            act.session.connection().execute(statement.values(element_id=wait.element_id))
    kinds = tuple(table for table, _ in _ROWS)
    for row in [row for row in act.session.identity_map.values() if waits and isinstance(row, kinds)]:
        act.session.expire(row)


_ROWS: tuple[tuple[Any, tuple[Any, ...]], ...] = (
    (Timer, ()),
    (MessageSubscription, ()),
    (SignalSubscription, ()),
    (Job, (Job.state.in_((JobState.WAITING, JobState.RUNNING, JobState.FAILED)),)),
    (StoredIncident, (StoredIncident.state == IncidentState.OPEN,)),
)


def _was_called(moved: motion.Motion, token_id: int, kind: str) -> str | None:
    before = moved.before.get((token_id, kind))
    return before.element_id if before is not None else None


def _renew_tasks(act: Act, moved: motion.Motion, note: str) -> None:
    """Let the open tasks take from the other version what it says of their step; whose they are and until when stays."""
    for task in _open_tasks(act, moved.instance):
        token = moved.flow.live.get(task.token_id)
        if token is None or task.process_id not in moved.deployed.bundle.processes:
            continue
        element = token.element
        is_renamed = task.name != (element.name or element.id)
        task.element_id, task.name = element.id, element.name or element.id
        if is_renamed:
            opening.renew_words(act, task)
        task.notes = [*task.notes, note]
        reader = opening.Reader(element, moved.flow.variables_view(task.token_id), moved.flow.host)
        try:
            form_id = reader.value(element.form_id)
            task.form_id = None if form_id is None else str(form_id)
            task.outcomes, task.signature = dialect.outcomes_of(element), reader.text(dialect.SIGNATURE)
        except Incident as failed:
            raise Conflict(
                f'Expected "{task.name}" to be asked anew, but {failed.message}', code="NOT_MOVABLE"
            ) from failed


def _name(act: Act) -> str:
    directory = act.installation.directory
    person = directory.person(act.session, act.user_id) if directory is not None and act.user_id else None
    return person.name if person is not None else act.actor
