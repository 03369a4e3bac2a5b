"""What listeners of a user task are told of it, and what they may say: they deny what they hear of, or correct the task.

Among its variables a listener may say ``userTask: {denied, deniedReason, corrections}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from engine.spiff.host import Changed, Denied, WrongVerdict
from engine.spiff.timers import NoTime, schedule

if TYPE_CHECKING:
    from engine.spiff.token import Token

CREATING, ASSIGNING, UPDATING, COMPLETING, CANCELING = "creating", "assigning", "updating", "completing", "canceling"
CHANGES: Final = (ASSIGNING, UPDATING)
VERDICT: Final = "userTask"
"""Under this name a listener says among its variables what it thinks of the change, in the words of Camunda 8's job result."""
ATTRIBUTES: Final = ("assignee", "candidateUsers", "candidateGroups", "dueDate", "followUpDate", "priority")
"""What a listener is told of a task and may correct: a user id or None, lists of names, ISO 8601 texts or None, a whole number."""
HEADER: Final = "io.camunda.zeebe:"
"""What Camunda 8 puts before the names of the headers that tell a listener of its task."""
_LISTS: Final = frozenset({"candidateUsers", "candidateGroups"})
_TIMES: Final = frozenset({"dueDate", "followUpDate"})
MOST_PRIORITY: Final = 1_000_000


def heed(token: Token, moment: str, results: Mapping[str, Any], *, is_later: bool) -> dict[str, Any]:
    """Take what a listener says of its task, and return the variables. is_later: not in the act that it was told of.

    Raises: WrongVerdict for what it may not say, with nothing changed; Denied where the act itself is to be undone.
    """
    rest = {name: value for name, value in results.items() if name != VERDICT}
    if results.get(VERDICT) is None:
        return rest
    said = results[VERDICT]
    if not isinstance(said, Mapping):
        raise WrongVerdict(
            f"Expected {VERDICT} to be an object with denied, deniedReason or corrections, but it is none"
        )
    if unknown := sorted(said.keys() - {"type", "denied", "deniedReason", "corrections"}):
        raise WrongVerdict(f"Expected {VERDICT} to say denied, deniedReason or corrections, but it says {unknown[0]}")
    if said.get("denied") not in (None, True, False):
        raise WrongVerdict("Expected denied to be true or false, but it is neither")
    corrections = _corrections(token, said.get("corrections"))
    data = token.internal_data
    if said.get("denied"):
        reason = str(said.get("deniedReason") or "").strip() or "no reason was given"
        if moment == CREATING:
            raise WrongVerdict(
                "Expected a task that begins to begin, but it was denied; only what people do may be denied"
            )
        if moment == COMPLETING and is_later:
            raise WrongVerdict(
                "Expected the decision to stand, but it was denied; it was recorded before a worker was asked. Throw an error that the"
                " diagram catches, or let a step serve the listener"
            )
        if moment == COMPLETING:
            raise Denied(reason)
        data["denied"] = reason[:2000]
        return rest
    if moment == CREATING and "assignee" in corrections and data.get("task", {}).get("to", {}).get("assignee"):
        raise WrongVerdict(
            "Expected the diagram's assignee to stay, but it was corrected; do that in a listener of assigning"
        )
    _correct(token, moment, corrections)
    return rest


def _correct(token: Token, moment: str, corrections: Mapping[str, Any]) -> None:
    data = token.internal_data
    if not corrections:
        return
    if "change" in data:
        data["change"]["to"] = {**data["change"]["to"], **corrections}
    elif moment == COMPLETING:
        before = token.flow.changed.get(token.id)
        token.flow.changed[token.id] = Changed({**(before.to or {} if before else {}), **corrections}, None)
    else:
        data["task"]["to"] = {**data["task"]["to"], **corrections}
        data["corrected"] = {**data.get("corrected", {}), **corrections}


def _corrections(token: Token, said: Any) -> dict[str, Any]:
    """Return what is corrected, with None for what is cleared; an attribute that is null keeps its value. Raises: WrongVerdict."""
    if said is None:
        return {}
    if not isinstance(said, Mapping):
        raise WrongVerdict("Expected corrections to be an object, but it is none")
    if unknown := sorted(said.keys() - set(ATTRIBUTES)):
        raise WrongVerdict(f"Expected corrections of {', '.join(ATTRIBUTES)}, but there is {unknown[0]}")
    return {name: _corrected(token, name, value) for name, value in said.items() if value is not None}


def _corrected(token: Token, name: str, value: Any) -> Any:
    if name in _LISTS:
        if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
            raise WrongVerdict(f"Expected {name} to be a list of names, but it is none")
        return list(dict.fromkeys(one.strip() for one in value))
    if name == "priority":
        is_whole = isinstance(value, int | Decimal) and not isinstance(value, bool) and value == int(value)
        if not is_whole or not -MOST_PRIORITY <= int(value) <= MOST_PRIORITY:
            raise WrongVerdict(
                f"Expected priority to be a whole number of at most {MOST_PRIORITY:,}, but it is {value}"
            )
        return int(value)
    if value == "":
        return None
    if name in _TIMES:
        try:
            return schedule("date", value, token.flow.host.now).due.isoformat()
        except NoTime as error:
            raise WrongVerdict(f"Expected {name} to be a date and time: {error}") from error
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise WrongVerdict(f"Expected {name} to be a user name, but it is {value}")
    return value.strip()


def headers_of_task(token: Token) -> dict[str, str]:
    """Return what a listener is told of the task beside the headers of the diagram, as Camunda 8 names it; empty for any other work."""
    data = token.internal_data
    about = data.get("change") or data.get("task")
    if about is None:
        return {}
    told = {name: _as_text(value) for name, value in about["to"].items() if name in ATTRIBUTES and value is not None}
    was = about.get("was")
    changed = [name for name in ATTRIBUTES if was is not None and was.get(name) != about["to"].get(name)]
    told |= {"action": about["action"], "changedAttributes": _as_text(changed), **about.get("about", {})}
    return {f"{HEADER}{name}": value for name, value in told.items()}


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)
