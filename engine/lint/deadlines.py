"""Laws on waiting: whatever waits for somebody has a time after which something happens."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from engine.lint.advice import Material, Remark, Severity
from engine.spiff.elements import ElementInfo, ProcessInfo

_WAITS_FOR_A_MESSAGE = ("intermediateCatchEvent", "receiveTask")


def a_task_has_a_deadline(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Ask for a due date, or a timer around it, on every task that waits for a person."""
    timed = _timed(process)
    for element in process.elements.values():
        task = element.user_task
        if task is not None and task.due_date is None and not _is_timed(process, element, timed):
            yield Remark(
                element,
                "Expected a deadline, but this task has no due date and no timer runs over it.",
                "Set the due date, for example =add business days(now(), 2), or attach a timer.",
                Severity.WARNING,
            )


def a_message_wait_has_a_way_out(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Ask for a timer beside every wait for a message: the message may never come."""
    timed = _timed(process)
    for element in process.elements.values():
        waits = element.event is not None and element.event.kind == "message" and element.kind in _WAITS_FOR_A_MESSAGE
        if waits and not _is_timed(process, element, timed) and not _races_a_timer(process, element):
            yield Remark(
                element,
                "Expected a way out when the message never comes, but no timer runs beside this wait.",
                "Attach a timer, or wait behind an event-based gateway with a timer.",
                Severity.WARNING,
            )


def _is_timed(process: ProcessInfo, element: ElementInfo, timed: Collection[str]) -> bool:
    """Say whether a timer runs over the element or over anything around it."""
    around: ElementInfo | None = element
    while around is not None:
        if around.id in timed or around.parent_id in timed:
            return True
        around = process.elements.get(around.parent_id)
    return False


def _timed(process: ProcessInfo) -> set[str]:
    """Return what a timer runs over: activities with one attached, processes and sub-processes with one in an event sub-process."""
    found = {other.attached_to for other in process.elements.values() if _is_timer(other) and other.attached_to}
    for start in process.elements.values():
        around = process.elements.get(start.parent_id)
        if start.kind == "startEvent" and _is_timer(start) and around is not None and around.is_event_subprocess:
            found.add(around.parent_id)
    return found


def _races_a_timer(process: ProcessInfo, element: ElementInfo) -> bool:
    for incoming in element.incoming:
        gateway = process.elements.get(process.flows[incoming].source)
        if gateway is None or gateway.kind != "eventBasedGateway":
            continue
        rivals = (process.elements.get(process.flows[flow].target) for flow in gateway.outgoing)
        if any(rival is not None and _is_timer(rival) for rival in rivals):
            return True
    return False


def _is_timer(element: ElementInfo) -> bool:
    return element.event is not None and element.event.kind == "timer"
