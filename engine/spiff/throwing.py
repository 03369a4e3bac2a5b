"""Errors, escalations, signals and cancels thrown inside: who hears them, walking outwards from the thrower."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.spiff.host import Incident, Thrown
from engine.spiff.token import Token, spawn

if TYPE_CHECKING:
    from engine.spiff.driver import Driver


class Cast(NamedTuple):
    """Something thrown inside, not yet delivered. kind: error, escalation, signal or cancel."""

    token: Token
    kind: str
    code: str | None
    message: str
    variables: Mapping[str, Any]


def deliver(flow: Driver, cast: Cast) -> None:
    """Bring what was thrown to whoever catches it; a thrower that is still there then goes on, or becomes an incident."""
    token, code = cast.token, cast.code or ""
    if token.id not in flow.live:
        return
    if cast.kind == "signal":
        flow.thrown.append(Thrown("signal", code, token.element.id, token.id, None, cast.variables))
        broadcast(flow, code, cast.variables)
    elif not _catch(flow, cast):
        if cast.kind == "error":
            reason = f": {cast.message}" if cast.message and cast.message != code else ""
            token.hold(Incident(f'Expected somebody to catch the error "{code}", but nobody does{reason}', "error"))
            return
        flow.thrown.append(Thrown(cast.kind, code, token.element.id, token.id, None, cast.variables))
    if token.id in flow.live and token.incident is None:
        flow.resume(token)


def broadcast(flow: Driver, name: str, variables: Mapping[str, Any]) -> int:
    """Give a signal to all in this instance who wait for it, and return how many did."""
    count = 0
    for token in list(flow.watching["signal"].values()):
        if token.id in flow.live and token.internal_data.get("name") == name:
            flow.fire(token, variables)
            count += 1
    return count


def _catch(flow: Driver, cast: Cast) -> bool:
    place = cast.token
    while True:
        spec = _match(place.task_spec.boundaries, cast)
        if spec is not None:
            _caught_at_boundary(flow, cast, place, spec)
            return True
        if place.body is not None:
            place = place.body
            continue
        workflow = place.workflow
        if not workflow.is_interrupted:
            spec = _match((one for one in workflow.spec.event_subprocesses if one is not place.task_spec), cast)
            if spec is not None:
                _caught_by_event_subprocess(flow, cast, workflow, spec)
                return True
        if workflow is flow:
            return False
        place = workflow.owner


def _match(specs: Iterable[Any], cast: Cast) -> Any:
    """Return the spec that catches: by its very code first, then one that catches all codes."""
    fitting = [spec for spec in specs if spec.event.kind == cast.kind]
    exact = [spec for spec in fitting if spec.event.code is not None and spec.event.code.text == cast.code]
    return next(iter(exact or [spec for spec in fitting if spec.event.code is None]), None)


def _caught_at_boundary(flow: Driver, cast: Cast, activity: Token, spec: Any) -> None:
    _begin(flow, cast, spawn(activity.workflow, spec, came_from=(activity.id,), fired=1))
    if spec.event.is_interrupting:
        activity.cancel()


def _caught_by_event_subprocess(flow: Driver, cast: Cast, workflow: Any, spec: Any) -> None:
    caught = spawn(workflow, spec, came_from=(cast.token.id,), fired=1)
    _begin(flow, cast, caught)
    if spec.event.is_interrupting:
        spec.fires(caught)


def _begin(flow: Driver, cast: Cast, caught: Token) -> None:
    if cast.kind == "error":
        cast.token.internal_data["threw"] = 1
    caught.task_spec.open(caught)
    flow.result(caught, cast.variables)
    caught._ready()
