"""What tokens wait for: told to the house, and judged where a condition decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from SpiffWorkflow.util.task import TaskState

from engine.spiff.arming import due_of
from engine.spiff.host import Incident, Wait

if TYPE_CHECKING:
    from engine.spiff.driver import Driver
    from engine.spiff.token import Token


def kind_of(token: Token) -> str | None:
    """Return the kind of what a token waits for, or None when nothing outside can help it on."""
    data = token.internal_data
    is_heard = "hears" in data and "change" not in data
    is_asked = is_heard or "asks" in data
    kind = "incident" if "incident" in data else "job" if is_asked else token.task_spec.waits_for
    if kind is None or ("fired" in data and kind != "incident" and not is_heard):
        return None
    if kind == "job" and token._state != TaskState.STARTED:
        return None
    if kind == "activation" and not _is_open_and_empty(token):
        return None
    return kind


def wait_of(token: Token, kind: str) -> Wait:
    """Return what a token waits for. kind: of ``kind_of``."""
    data, element = token.internal_data, token.task_spec.element
    return Wait(
        token.id,
        kind,
        element.id,
        element.process_id,
        due_of(data) if kind == "timer" and "due" in data else None,
        data.get("name"),
        data.get("key"),
        data.get("incident"),
        data.get("cause"),
        token._parent if element.attached_to is not None and "fired" not in data else None,
        "change" in data,
    )


def _is_open_and_empty(token: Token) -> bool:
    """Say whether an ad-hoc sub-process waits for somebody to choose what is done in it."""
    sub = token.flow.subprocesses.get(token.id)
    return sub is not None and sub.is_empty and "is_shell" not in token.internal_data


def judge_conditions(flow: Driver) -> bool:
    """Fire one waiting condition that has become true, and say whether there was one.

    Asked again only when a variable has changed, one with a filter when a change came that this lets through. A condition that
    fired without interrupting fires again only after it was not true in between; null is not true, since a variable may not be there yet.
    """
    waiting = list(flow.watching["conditional"].values())
    if flow.judged == flow.scopes.version and all("seen" in token.internal_data for token in waiting):
        return False
    flow.judged = flow.scopes.version
    for token in waiting:
        if token.incident is None and _is_asked(token) and _has_become_true(token):
            flow.fire(token)
            flow.judged = -1
            return True
    if flow.scopes.heard is not None:
        flow.scopes.heard.clear()
    return False


def _is_asked(token: Token) -> bool:
    """Say whether a change that the token's filter lets through came since it was asked; once it is asked without any."""
    wanted = token.task_spec.event.filter
    if wanted is None or "seen" not in token.internal_data:
        return True
    visible = token.flow.scopes.chain(_seen_from(token).scope)
    changes = token.flow.scopes.heard or ()
    return any(name in wanted.names and how in wanted.events and scope in visible for scope, name, how in changes)


def _seen_from(token: Token) -> Token:
    """Return whose variables a condition sees: one beside an activity what that sees, as its timers and messages do."""
    activity: Token = token.parent
    return activity if token.element.attached_to is not None else token


def _has_become_true(token: Token) -> bool:
    data = token.internal_data
    data["seen"] = 1
    try:
        is_true = token.task_spec.event.condition.value(_seen_from(token).view(), token.flow.host) is True
    except Incident as reason:
        token.hold(reason)
        return False
    if not is_true:
        data.pop("was", None)
    return is_true and "was" not in data
