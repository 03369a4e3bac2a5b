"""Move, add and cancel tokens of a running instance: staged first, with everything that would happen, then carried out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dmn import HostFunction
from engine import definitions, loading, motion, opening, variables, waiting, words
from engine.canonical import canonical, content_hash
from engine.clock import now_of
from engine.errors import Conflict, NotFound
from engine.functions import HOUSE, lent
from engine.lint.names import wanted_at
from engine.spiff import PENDING, Bundle, Flow
from engine.spiff.codec import NotStorable
from engine.spiff.elements import ElementInfo
from engine.spiff.host import Wait, WorkFailed, WorkItem, _Pending
from engine.spiff.modifying import EditKind, NotLegal, TokenEdit, modify, movable, places
from engine.stored.instance import Instance
from engine.stored.task import Task, TaskState
from engine.suspending import reason_for
from engine.waiting import Onlooker

if TYPE_CHECKING:
    from engine.act import Act

__all__ = ["EditKind", "Movable", "Staged", "TokenEdit", "apply", "legal_places", "movable_tokens", "stage"]

_WORDS = {
    "task": "task", "job": "job", "message": "message", "signal": "signal", "timer": "timer", "conditional": "condition",
    "activation": "choice", "incident": "incident",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Staged:
    """What some edits would do, in sentences. hash: of exactly these edits where the instance stands now.

    missing: names that what begins reads and that nothing has given.
    """

    instance_id: str
    version: int
    hash: str
    ends: tuple[str, ...]
    begins: tuple[str, ...]
    works: tuple[str, ...]
    missing: tuple[str, ...]
    is_over: bool


@dataclass(frozen=True, slots=True)
class Movable:
    """A token that may be ended or moved. what: what it waits for, or "inside" with how many wait inside of it. where: what it is in."""

    token_id: int
    element_id: str
    name: str
    what: str
    inside: int
    where: tuple[str, ...]
    is_stuck: bool


def movable_tokens(session: Session, instance: Instance) -> list[Movable]:
    """Return the tokens that an operator may end or move: steps, and sub-processes, calls and multi-instances as a whole."""
    flow = waiting.look(session, instance)
    waits = {wait.token_id: wait for wait in flow.waits()}
    around = {one: _around(flow, one) for one in waits}
    return [
        Movable(
            token.id, token.element.id, _element_name(token.element), waits[token.id].kind if token.id in waits else "inside",
            sum(token.id in outer for outer in around.values()),
            tuple(dict.fromkeys(_element_name(flow.live[one].element) for one in reversed(_around(flow, token.id)))),
            token.id in waits and waits[token.id].kind == "incident",
        )
        for token in movable(flow)
    ]  # fmt: skip


def _around(flow: Flow, token_id: int) -> list[int]:
    """Return the tokens that one is inside of, the nearest first."""
    found: list[int] = []
    token = flow.live[token_id]
    while True:
        if token.body is not None:
            token = token.body
        elif token.workflow is not flow:
            token = token.workflow.owner
        else:
            return found
        found.append(token.id)


def _element_name(element: ElementInfo) -> str:
    return element.name or element.id


def legal_places(session: Session, instance: Instance) -> list[tuple[str, str]]:
    """Return (element id, name) of every place where a token could begin now."""
    return [(one.id, one.name or one.id) for one in places(waiting.look(session, instance))]


def stage(
    session: Session, instance: Instance, edits: Sequence[TokenEdit], *, values: Mapping[str, Any] | None = None
) -> Staged:
    """Say what some edits would do; nothing changes. Work is not done: what follows it is not foretold.

    values: variables of the whole run to set first, plain Python values that FEEL knows. Raises: Conflict NOT_LEGAL; Invalid.
    """
    motion.running(instance)
    deployed = definitions.parsed(session, instance.definition_id)
    host = _Rehearsing(session)
    flow = loading.loaded(deployed, instance, variables.load(session, instance), host)
    before = {motion.key_of(wait): wait for wait in flow.waits()}
    names = _titles(session, instance)
    with lent(session):
        _modified(flow, edits, variables.accepted(values))
    after = {motion.key_of(wait): wait for wait in flow.waits()}
    gone = [wait for key, wait in before.items() if key not in after]
    come = [wait for key, wait in after.items() if key not in before]
    return Staged(
        instance.id, instance.version, hash_of(session, instance, edits, values),
        tuple(_said(session, deployed.bundle, wait, names) for wait in gone),
        tuple(_said(session, deployed.bundle, wait, {}) for wait in come if (wait.token_id, wait.kind) not in host.pending),
        tuple(host.works), tuple(_missing(flow, edits)), flow.done,
    )  # fmt: skip


def apply(
    act: Act,
    instance_id: str,
    edits: Sequence[TokenEdit],
    *,
    reason: str,
    seen_hash: str,
    values: Mapping[str, Any] | None = None,
) -> Instance:
    """Carry out some edits as they were staged. seen_hash: of ``stage``.

    Raises: NotFound; Invalid; Conflict NOT_LEGAL, or STALE_VERSION when it went on since.
    """
    reason = reason_for(reason, "moving tokens")
    instance = motion.running(motion.lock(act, instance_id))
    if hash_of(act.session, instance, edits, values) != seen_hash:
        raise Conflict(
            f"Expected {instance.business_key} as it was staged, but it went on since; stage the edits again",
            code="STALE_VERSION",
        )
    with motion.moving(act, instance, is_mended=True) as moved:
        moved.why = f"ended by {_name(act)}: {reason}"
        for edit in edits:
            act.note(
                "instance",
                instance.id,
                f"TOKEN_{edit.kind}",
                field=edit.element_id,
                old=_stood(moved, edit),
                reason=reason,
            )
        for name, value in (values or {}).items():
            act.note("instance", instance.id, "TOKEN_SET", field=name, new=value, reason=reason)
        _modified(moved.flow, edits, variables.accepted(values))
    act.session.flush()
    return instance


def hash_of(
    session: Session, instance: Instance, edits: Sequence[TokenEdit], values: Mapping[str, Any] | None = None
) -> str:
    """Return the hash of exactly these edits where the instance stands: what a signature is on."""
    listed = [[str(edit.kind), edit.token_id, edit.element_id] for edit in edits]
    stands = variables.digest(instance, variables.load(session, instance))
    given = {name: canonical(value) for name, value in (values or {}).items()}
    return content_hash(
        {
            "instance": instance.id, "definition": instance.definition_hash, "stands": stands, "edits": listed, "values": given,
        }
    )  # fmt: skip


def _modified(flow: Flow, edits: Sequence[TokenEdit], values: Mapping[str, Any]) -> None:
    try:
        for name, value in values.items():
            flow.set_variable(0, name, value)
        modify(flow, edits)
    except NotLegal as refusal:
        raise Conflict(str(refusal), code="NOT_LEGAL") from refusal
    except NotStorable as error:
        raise Conflict(f"Expected values that can be kept, but {error}", code="NOT_LEGAL") from error


def _stood(moved: motion.Motion, edit: TokenEdit) -> str | None:
    token = moved.flow.live.get(edit.token_id) if edit.token_id is not None else None
    return token.element.id if token is not None else None


def _titles(session: Session, instance: Instance) -> dict[int, str]:
    """Return whose task it is, by token: what ending it takes from somebody."""
    query = select(Task).where(Task.instance_id == instance.id, Task.state == TaskState.OPEN)
    return {
        task.token_id: f"{task.title}" + (f", {task.assignee}" if task.assignee else "")
        for task in session.scalars(query)
    }


def _said(session: Session, bundle: Bundle, wait: Wait, names: Mapping[int, str]) -> str:
    process = bundle.processes.get(wait.process_id)
    element = process.elements.get(wait.element_id) if process is not None else None
    name = (element.name if element is not None else None) or wait.element_id
    title = names.get(wait.token_id)
    about = f" ({title})" if title and title != name else ""
    why = f": {wait.incident}" if wait.kind == "incident" else ""
    due = f", due {words.clock_time(session, wait.due, now=now_of(session))}" if wait.due is not None else ""
    return f'{_WORDS.get(wait.kind, wait.kind)} "{name}"{about}{due}{why}'


def _missing(flow: Flow, edits: Sequence[TokenEdit]) -> list[str]:
    process = flow.bundle.processes[flow.process_id]
    found = []
    for edit in edits:
        if edit.element_id is None or edit.kind is EditKind.CANCEL:
            continue
        seen = next(
            (flow.variables_view(one.id) for one in flow.live.values() if one.element.id == edit.element_id), None
        )
        view = seen if seen is not None else flow.variables_view()
        name = process.elements[edit.element_id].name or edit.element_id
        wanted = wanted_at(process, edit.element_id)
        found += [
            f'{one}, which "{name}" reads in {where}'
            for one, where in wanted.items()
            if one not in view and one not in HOUSE
        ]
    return found


def _name(act: Act) -> str:
    directory = act.installation.directory
    person = directory.person(act.session, act.user_id) if directory is not None and act.user_id else None
    return person.name if person is not None else act.actor


class _Rehearsing:
    """A host for a flow that is tried out: work is noted and not done."""

    def __init__(self, session: Session) -> None:
        self._session, self._onlooker = session, Onlooker(session)
        self.works: list[str] = []
        self.pending: set[tuple[int, str]] = set()

    @property
    def now(self) -> dt.datetime:
        return self._onlooker.now

    @property
    def zone(self) -> dt.tzinfo:
        return self._onlooker.zone

    @property
    def functions(self) -> Mapping[str, HostFunction]:
        return HOUSE

    def work(self, item: WorkItem) -> _Pending:
        """Note what would be done."""
        is_done_at_once = item.kind == "decision" or item.type in self._session.info["installation"].registry.steps
        how = "at once, and the run goes on" if is_done_at_once else "by a worker"
        if item.is_farewell:
            return PENDING
        self.works.append(f'"{item.element.name or item.element.id}" is done {how}')
        self.pending.add((item.token_id, "job"))
        return PENDING

    def task(self, element: ElementInfo, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the diagram says of a user task."""
        return opening.facts_of(opening.Reader(element, variables, self))

    def resolve(self, process_id: str, binding: str, version_tag: str | None) -> tuple[str, Bundle]:
        """Find a called definition as an act would. Raises: WorkFailed."""
        try:
            if binding == "versionTag":
                found = definitions.of_version(self._session, process_id, version_tag)
            else:
                found = definitions.released(self._session, process_id)
        except NotFound as error:
            raise WorkFailed(error.message) from error
        return found.id, self.bundle(found.id)

    def bundle(self, key: str) -> Bundle:
        return definitions.parsed(self._session, key).bundle
