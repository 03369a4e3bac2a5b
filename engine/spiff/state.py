"""The live state of an instance as bytes: its tokens, its scopes, and nothing that the definition already says.

One JSON array: version, process id, id counter, end events reached, outcome, scopes ``[[id, scope around], …]``, tokens of
the process, sub-processes, compensation log. A token is ``[id, parent or 0, state, spec name, data]``; a sub-process
``[owner token, definition key or null, scope, process id or null, tokens]``, parents before children. Inner instances of a
multi-instance that differ by nothing but their index are one row, ``[ids, parent, state, spec name, indexes]``, and their scopes
are not said again. Version 1 had a row for each. An inner instance that sleeps with what is inside it stands apart, behind the
array: ``[ids of its tokens, body, due of its earliest timer or null, length]`` at the array's end says where.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import orjson
from SpiffWorkflow.util.task import TaskState

from engine.spiff.sleeping import Apart, Sleepers, inside_of, may_sleep
from engine.spiff.token import Token

if TYPE_CHECKING:
    from engine.spiff.driver import Driver

VERSION = 2
_KNOWN = frozenset({1, 2})


class WrongDefinition(ValueError):
    """A stored instance does not belong to the definition it is loaded with."""


@dataclass(slots=True)
class _Told:
    """What is said while a flow is dumped. asleep: tokens and scopes that have no row of their own."""

    asleep: set[int] = field(default_factory=set)
    apart: list[tuple[list[int], int, str | None, bytes]] = field(default_factory=list)


def dump(flow: Driver, *, is_awake: bool = False) -> bytes:
    """Return the state of a flow that rests. is_awake: with a row for each token, and nothing apart."""
    told = _Told()
    if is_awake:
        flow.live.wake()
    tokens = _tokens(flow, None if is_awake else told)
    subs = [
        _sub(sub, None if is_awake else told)
        for sub in flow.subprocesses.values()
        if sub.parent_task_id not in told.asleep
    ]
    around = flow.scopes.around
    scopes = [[scope, around[scope]] for scope in sorted(around.keys() - told.asleep if told.asleep else around)]
    apart = sorted([*told.apart, *((one.ids, one.body_id, one.due, one.stored) for one in flow.live.apart.values())])
    head = orjson.dumps(
        [VERSION, flow.process_id, flow.counter, flow.ended_at, flow.outcome, scopes, tokens, subs, flow.log]
        + ([[[ids, body_id, due, len(stored)] for ids, body_id, due, stored in apart]] if apart else [])
    )
    return b"\n".join([head, *([b"".join(one[3] for one in apart)] if apart else [])])


def _sub(sub: Any, told: _Told | None) -> list[Any]:
    called = sub.spec.name if sub.key is not None else None
    return [sub.parent_task_id, sub.key, sub.scope_id, called, _tokens(sub, told)]


def _tokens(workflow: Any, told: _Told | None) -> list[list[Any]]:
    """Return the rows of a workflow's tokens; with none asleep when nothing is to be told."""
    rows: list[list[Any]] = []
    together = {body_id: sleepers.places for body_id, sleepers in workflow.asleep.items() if sleepers.places}
    again: dict[int, dict[int, int]] = {}
    for token in workflow.tasks.values():
        if token is workflow.task_tree:
            continue
        if told is not None and may_sleep(token):
            again.setdefault(token._parent, {})[token.id] = token.internal_data["index"]
        elif told is None or not _falls_asleep(token, told):
            rows.append(_row(token))
    for body_id, places in again.items():
        together[body_id] = dict(sorted((together.get(body_id, {}) | places).items()))
    for body_id, places in together.items():
        if told is not None:
            told.asleep.update(places)
        spec = workflow.spec.task_specs[workflow.tasks[body_id].task_spec.task_spec]
        rows.append([list(places), body_id, spec.rests, spec.name, list(places.values())])
    return rows


def _row(token: Token) -> list[Any]:
    parent_id = 0 if token._parent == token.workflow.task_tree.id else token._parent
    return [token.id, parent_id, token._state, token.task_spec.name, token.internal_data]


def _falls_asleep(token: Token, told: _Told) -> bool:
    """Put an inner instance apart with what is inside it, if it may sleep."""
    inside = inside_of(token) if token.body is not None and not token._children else None
    if inside is None:
        return False
    flow = token.flow
    subs = [flow.subprocesses[one.id] for one in (token, *inside) if one.id in flow.subprocesses]
    ids = [token.id, *(one.id for one in inside)]
    around = flow.scopes.around
    scopes = [[scope, around[scope]] for scope in (*ids, *(sub.scope_id for sub in subs)) if scope in around]
    stored = orjson.dumps([_row(token), [_sub(sub, None) for sub in subs], scopes])
    dues = [one.internal_data["due"] for one in inside if "due" in one.internal_data]
    told.asleep.update(ids, (scope for scope, _ in scopes))
    told.apart.append((ids, token._parent, min(dues, key=dt.datetime.fromisoformat, default=None), stored))
    return True


def load(make: Callable[[str], Driver], data: bytes, variables: Mapping[tuple[int, str], bytes]) -> Driver:
    """Make a flow as it was when it was dumped. make: builds an empty flow of a process id.

    Raises: WrongDefinition.
    """
    head, _, stored = data.partition(b"\n")
    version, process_id, counter, ended_at, outcome, scopes, tokens, subs, log, *apart = orjson.loads(head)
    if version not in _KNOWN:
        raise WrongDefinition(f"Expected state of version {VERSION}, but got {version}")
    flow = make(process_id)
    flow.counter, flow.ended_at, flow.outcome, flow.log = counter, ended_at, outcome, log
    flow.completed = (
        outcome is not None and not tokens
    )  # One that is terminated may still call the listeners of its end.
    flow.scopes.load(dict(scopes), variables)
    _place(flow, tokens)
    _open(flow, subs)
    if apart:
        flow.live.lay_apart(_sleeping(flow, apart[0], stored))
    return flow


def _open(flow: Driver, subs: list[list[Any]]) -> None:
    for owner_id, key, scope_id, called, rows in subs:
        owner = flow.live[owner_id]
        bundle = owner.workflow.bundle if not key else flow.host.bundle(key)
        spec = bundle.specs[called] if called is not None else owner.workflow.spec.subs[owner.element.id]
        _place(flow.create_subprocess(owner, spec, bundle, scope_id=scope_id, key=key), rows)


def _sleeping(flow: Driver, rows: list[list[Any]], stored: bytes) -> list[Apart]:
    def place(one: Apart) -> None:
        row, subs, scopes = orjson.loads(one.stored)
        flow.scopes.around.update(dict(scopes))
        _place(flow.live[one.body_id].workflow, [row])
        _open(flow, subs)

    ends = pairwise(accumulate((length for *_, length in rows), initial=0))
    return [
        Apart(body_id, ids, due, stored[start:end], place)
        for (ids, body_id, due, _), (start, end) in zip(rows, ends, strict=True)
    ]


def _place(workflow: Any, rows: list[list[Any]]) -> None:
    flow: Driver = workflow.top_workflow
    for token_id, parent_id, token_state, name, data in rows:
        spec = workflow.spec.task_specs.get(name)
        if spec is None:
            raise WrongDefinition(f'Expected an element "{name}" in {workflow.spec.name}, but the definition has none')
        parent = workflow.tasks[parent_id] if parent_id else workflow.task_tree
        if isinstance(token_id, list):
            flow.live.lay(Sleepers(parent, spec, dict(zip(token_id, data, strict=True))))
            flow.scopes.around.update(dict.fromkeys(token_id, parent.id))
            continue
        token = Token(workflow, spec, parent, state=token_state, number=token_id)
        token.internal_data = data
        flow.live[token_id] = token
        _note(flow, workflow, token)


def _note(flow: Driver, workflow: Any, token: Token) -> None:
    """Enter a loaded token in the books that are not stored."""
    spec = token.task_spec
    if token._state == TaskState.READY and not spec.manual and token.incident is None:
        flow.queue.append(token)  # It was stopped beside one that had moved too often.
    if spec.is_armed and "fired" not in token.internal_data and _rests_armed(token):
        flow.watch(token)
        if spec.listens:
            workflow.listeners.add(token.id)
    elif spec.joins and "arrivals" not in token.internal_data:
        workflow.arrivals.setdefault(spec.name, []).append(token)
        spec.arrived(token)


def _rests_armed(token: Token) -> bool:
    if "hears" in token.internal_data:
        return False
    return token.task_spec.event.kind == "conditional" or bool({"due", "name"} & token.internal_data.keys())
