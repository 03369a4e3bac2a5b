"""A user task that begins, or that somebody changes while it is open: its listeners hear of it before it counts.

A change counts once all of them have let it pass; corrections go into it, and a denial takes all of it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.spiff.codec import NotStorable
from engine.spiff.host import Changed, Incident
from engine.spiff.listeners import tell
from engine.spiff.verdicts import ASSIGNING, ATTRIBUTES, CHANGES, CREATING, UPDATING

if TYPE_CHECKING:
    from engine.spiff.extensions import Listener
    from engine.spiff.token import Token


def moments_of(listeners: Iterable[Listener], was: Mapping[str, Any], to: Mapping[str, Any]) -> list[str]:
    """Return which listeners there are to hear of a change: of assigning where the assignee changes, of updating for all else."""
    changed = {name for name in ATTRIBUTES if was.get(name) != to.get(name)}
    wanted = ({ASSIGNING} if "assignee" in changed else set()) | ({UPDATING} if changed - {"assignee"} else set())
    heard = {one.moment for one in listeners}
    return [moment for moment in CHANGES if moment in wanted & heard]


def tell_of_beginning(token: Token) -> bool:
    """Tell listeners that a task begins, and that its diagram gives it to somebody; False while one is waited for. Raises: Incident.

    What they correct is kept with the token until the task is opened. A denial leaves it to its candidates.
    """
    data, flow = token.internal_data, token.flow
    heard = {one.moment for one in token.task_spec.listeners}
    if not heard & {CREATING, ASSIGNING}:
        return True
    if "task" not in data:
        data["task"] = {"action": "create", "to": _drawn(token)}
    if not tell(token, CREATING):
        return False
    about = data["task"]
    if ASSIGNING in heard:
        if "was" not in about:
            drawn = dict(flow.host.task(token.element, token.view()))
            about["is_given"] = drawn["assignee"] is not None
            about["was"] = {**drawn, **data.get("corrected", {}), "assignee": None}
            about["to"] = {**about["was"], "assignee": drawn["assignee"]}
        if about["is_given"] and not tell(token, ASSIGNING):
            return False
        _end_of_assigning(token, about)
    data.pop("task")
    return True


def _drawn(token: Token) -> dict[str, Any]:
    """Return what the diagram says of the task so far; a listener may bring what an expression still misses."""
    try:
        return dict(token.flow.host.task(token.element, token.view()))
    except Incident:
        return {}


def _end_of_assigning(token: Token, about: Mapping[str, Any]) -> None:
    data = token.internal_data
    _forget(token, [ASSIGNING])
    reason = data.pop("denied", None)
    if reason is not None:
        was = {name: value for name, value in data.get("corrected", {}).items() if about["was"].get(name) == value}
        named = about["to"].get("assignee")
        data["corrected"] = {**was, "assignee": None, "note": f"Not given to {named}: {reason}"}


def begin_change(
    token: Token, action: str, was: Mapping[str, Any], to: Mapping[str, Any], about: Mapping[str, str]
) -> None:
    """Let the listeners of an open task hear of a change with the token's next step; one that they were hearing of is dropped."""
    data = token.internal_data
    if "change" in data:
        _forget(token, data["change"]["moments"])
    moments = moments_of(token.task_spec.listeners, was, to)
    data["change"] = {"action": action, "moments": moments, "was": dict(was), "to": dict(to), "about": dict(about)}
    # It may have none of its own, where it was moved here from a version without listeners.
    token.task_spec.open(token)


def go_on_changing(token: Token) -> bool:
    """Tell whoever has not heard of the change yet; False while one is waited for."""
    data = token.internal_data
    change = data["change"]
    try:
        for moment in change["moments"]:
            if "denied" not in data and not tell(token, moment):
                return False
    except (Incident, NotStorable) as reason:
        # Nobody is held up by a listener that cannot be told: the task stays as it was, and whoever changed it hears why.
        data["denied"] = str(reason)
    denied = data.pop("denied", None)
    _forget(token, change["moments"])
    data.pop("change")
    token.flow.changed[token.id] = Changed(change["to"] if denied is None else None, denied)
    return True


def deny(token: Token, reason: str) -> None:
    """Take back the change that a listener has thrown an error at."""
    token.internal_data["denied"] = reason
    token.internal_data.pop("hears", None)


def _forget(token: Token, moments: Sequence[str]) -> None:
    """Let the listeners of these moments be told anew the next time."""
    data = token.internal_data
    told = {moment: count for moment, count in data.get("told", {}).items() if moment not in moments}
    data.pop("told", None)
    data.pop("hears", None)
    if told:
        data["told"] = told
