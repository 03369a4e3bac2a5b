"""What a waiting event waits for, evaluated once and kept with its token as plain JSON."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from engine.spiff.host import Incident
from engine.spiff.timers import NoTime, Schedule, schedule

if TYPE_CHECKING:
    from engine.spiff.extensions import EventInfo
    from engine.spiff.host import Host
    from engine.spiff.scopes import View

LONGEST_KEY = 500
"""Characters of a correlation key, as many as whoever publishes a message may give it."""

ARMED = frozenset({"message", "timer", "signal", "conditional"})
"""Kinds that a token waits for. Errors, escalations and cancels are found by walking outwards when they are thrown."""


def arm(event: EventInfo, view: View, host: Host) -> dict[str, Any]:
    """Evaluate what the event waits for. Raises: Incident."""
    if event.timer is not None and event.when is not None:
        value, why = event.when.explained(view, host)
        try:
            return timer_data(schedule(event.timer, value, host.now, host.zone))
        except NoTime as error:
            raise Incident(f"{error}{f' ({why})' if why else ''}", "timer") from error
    data: dict[str, Any] = {}
    if event.name is not None:
        data["name"] = event.name.words(view, host, f"the name of a {event.kind}")
    if event.key is not None:
        data["key"] = event.key.words(view, host, "a correlation key", longest=LONGEST_KEY)
    return data


def arm_again(event: EventInfo, data: dict[str, Any], now: dt.datetime) -> dict[str, Any] | None:
    """Return what a non-interrupting event waits for after it went off, or None when it was the last time."""
    if event.kind == "timer":
        try:
            following = Schedule(due_of(data), data.get("left", 1), data.get("every")).after(now)
        except NoTime:  # the next turn lies beyond the calendar, so there is none
            return None
        return timer_data(following) if following is not None else None
    again = {key: value for key, value in data.items() if key in ("name", "key")}
    if event.kind == "conditional":
        again["was"] = 1
    return again


def timer_data(planned: Schedule) -> dict[str, Any]:
    """Return a schedule as it is stored with its token."""
    data: dict[str, Any] = {"due": planned.due.isoformat()}
    if planned.every is not None:
        data |= {"left": planned.left, "every": planned.every}
    return data


def due_of(data: dict[str, Any]) -> dt.datetime:
    """Return when the timer of a waiting token is due."""
    return dt.datetime.fromisoformat(data["due"])
