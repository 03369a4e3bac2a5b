"""The live state of an instance as bytes: its tokens, its scopes, and nothing that the definition already says.

One JSON array: version, process id, id counter, end events reached, outcome, scopes ``[[id, scope around], …]``, tokens of
the process, sub-processes, compensation log. A token is ``[id, parent or 0, state, spec name, data]``; a sub-process
``[owner token, definition key or null, scope, process id or null, tokens]``, parents before children. Inner instances of a
multi-instance that differ by nothing but their index are one row, ``[ids, parent, state, spec name, indexes]``, and their scopes
are not said again. Version 1 had a row for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from SpiffWorkflow.util.task import TaskState

from engine.spiff.sleeping import Sleepers, may_sleep
from engine.spiff.token import Token

if TYPE_CHECKING:
    from engine.spiff.driver import Driver

VERSION = 2
_KNOWN = frozenset({1, 2})


class WrongDefinition(ValueError):
    """A stored instance does not belong to the definition it is loaded with."""


def dump(flow: Driver) -> bytes:
    """Return the state of a flow that rests."""
    asleep: set[int] = set()
    tokens = _tokens(flow, asleep)
    subs = [
        [
            sub.parent_task_id,
            sub.key,
            sub.scope_id,
            sub.spec.name if sub.key is not None else None,
            _tokens(sub, asleep),
        ]
        for sub in flow.subprocesses.values()
    ]
    around = flow.scopes.around
    scopes = [[scope, around[scope]] for scope in sorted(around.keys() - asleep)]
    return orjson.dumps(
        [VERSION, flow.process_id, flow.counter, flow.ended_at, flow.outcome, scopes, tokens, subs, flow.log]
    )


def _tokens(workflow: Any, asleep: set[int]) -> list[list[Any]]:
    """Return the rows of a workflow's tokens. asleep: takes the ids of those that have no row of their own."""
    root = workflow.task_tree
    rows: list[list[Any]] = []
    together = {body_id: sleepers.places for body_id, sleepers in workflow.asleep.items() if sleepers.places}
    again: dict[int, dict[int, int]] = {}
    for token in workflow.tasks.values():
        if token is root:
            continue
        if may_sleep(token):
            again.setdefault(token._parent, {})[token.id] = token.internal_data["index"]
            continue
        parent_id = 0 if token._parent == root.id else token._parent
        rows.append([token.id, parent_id, token._state, token.task_spec.name, token.internal_data])
    for body_id, places in again.items():
        together[body_id] = dict(sorted((together.get(body_id, {}) | places).items()))
    for body_id, places in together.items():
        asleep.update(places)
        spec = workflow.spec.task_specs[workflow.tasks[body_id].task_spec.task_spec]
        rows.append([list(places), body_id, spec.rests, spec.name, list(places.values())])
    return rows


def load(make: Callable[[str], Driver], data: bytes, variables: Mapping[tuple[int, str], bytes]) -> Driver:
    """Make a flow as it was when it was dumped. make: builds an empty flow of a process id.

    Raises: WrongDefinition.
    """
    version, process_id, counter, ended_at, outcome, scopes, tokens, subs, log = orjson.loads(data)
    if version not in _KNOWN:
        raise WrongDefinition(f"Expected state of version {VERSION}, but got {version}")
    flow = make(process_id)
    flow.counter, flow.ended_at, flow.outcome, flow.log = counter, ended_at, outcome, log
    flow.completed = outcome is not None
    flow.scopes.load(dict(scopes), variables)
    _place(flow, tokens)
    for owner_id, key, scope_id, called, rows in subs:
        owner = flow.live[owner_id]
        bundle = owner.workflow.bundle if not key else flow.host.bundle(key)
        spec = bundle.specs[called] if called is not None else owner.workflow.spec.subs[owner.element.id]
        _place(flow.create_subprocess(owner, spec, bundle, scope_id=scope_id, key=key), rows)
    return flow


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
        token = Token(workflow, spec, parent, state=token_state, id=token_id)
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
