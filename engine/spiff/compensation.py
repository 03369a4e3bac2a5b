"""Undo what was done: the handlers of completed activities, newest first.

The log holds one entry for each completed activity that has a handler: ``[owner, path, activity, token id, variables]``.
owner: the token of the sub-process the entry belongs to (0 for the process); path: the completed sub-processes between that
and the activity, ``[element id, variables]`` each; variables: those of the sub-process or activity itself as they were when
it completed, as stored text. States stored before sub-processes kept theirs have the element id alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.spiff.token import Token

Entry = list[Any]


def remember(token: Token) -> None:
    """Note that an activity with a handler has completed. A multi-instance counts once, as a whole."""
    if (
        token.task_spec.name in token.workflow.spec.handlers
        and token.body is None
        and "is_shell" not in token.internal_data
    ):
        owner = token.workflow.parent_task_id or 0
        token.flow.log.append([owner, [], token.task_spec.name, token.id, _variables(token)])


def hand_outwards(token: Token, *, is_kept: bool) -> None:
    """Let the entries of a completed sub-process belong to what is around it, or forget them.

    They are forgotten when the sub-process has a handler of its own, which then stands for the whole.
    """
    flow = token.flow
    kept = is_kept and token.element.id not in token.workflow.spec.handlers
    outer = token.workflow.parent_task_id or 0
    log: list[Entry] = []
    place: list[Any] = [token.element.id, _variables(token)] if kept and any(e[0] == token.id for e in flow.log) else []
    for entry in flow.log:
        if entry[0] != token.id:
            log.append(entry)
        elif kept:
            log.append([outer, [place, *entry[1]], *entry[2:]])
    flow.log = log


def _variables(token: Token) -> dict[str, str]:
    """Return the own variables of a completed activity; of one among several also what its instance was given."""
    scopes = token.flow.scopes
    return scopes.texts(token.id) if token.id in scopes else {}


def inside_of(step: Any) -> tuple[str, dict[str, str]]:
    """Return the element id and the variables of one step of an entry's path."""
    return (step, {}) if isinstance(step, str) else (step[0], step[1])


def begin_compensating(token: Token, activity: str | None = None) -> bool:
    """Run the handlers of what completed in the token's scope (or of one activity only); True when there are none."""
    workflow = token.workflow
    owners = [workflow.parent_task_id or 0]
    if workflow.parent_task_id is not None and workflow.owner.element.is_event_subprocess:
        owners.append(workflow.owner.workflow.parent_task_id or 0)
    taken = [entry for entry in token.flow.log if entry[0] in owners and _is_meant(entry, activity)]
    token.flow.log = [entry for entry in token.flow.log if entry not in taken]
    token.internal_data["todo"] = taken[::-1]
    return go_on_compensating(token)


def _is_meant(entry: Entry, activity: str | None) -> bool:
    return activity in (None, entry[2]) or (bool(entry[1]) and inside_of(entry[1][0])[0] == activity)


def go_on_compensating(token: Token) -> bool:
    """Start the next handler under this token; True when none is left."""
    todo: list[Entry] = token.internal_data["todo"]
    if not todo:
        return True
    owner, path, activity, done, variables = todo.pop(0)
    workflow: Any = token.workflow
    if owner != (workflow.parent_task_id or 0):
        workflow = workflow.owner.workflow
    token.flow.run_handler(token, workflow, path=path, activity=activity, came_from=done, variables=variables)
    return False
