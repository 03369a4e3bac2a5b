"""Read what an event of a diagram throws or catches, and refuse what may not stand where it stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from lxml import etree

from engine.spiff.extensions import ConditionalFilter, EventInfo, Expr
from engine.spiff.timers import NoTime, schedule
from engine.spiff.xml import Reader, child, children, kind_of, text_of, zeebe

KINDS: Final = {
    "messageEventDefinition": "message",
    "timerEventDefinition": "timer",
    "signalEventDefinition": "signal",
    "errorEventDefinition": "error",
    "escalationEventDefinition": "escalation",
    "terminateEventDefinition": "terminate",
    "linkEventDefinition": "link",
    "conditionalEventDefinition": "conditional",
    "compensateEventDefinition": "compensation",
    "cancelEventDefinition": "cancel",
}
PLACES: Final[dict[str, frozenset[str]]] = {
    "a process start": frozenset({"none", "message", "timer", "signal", "conditional"}),
    "a sub-process start": frozenset({"none"}),
    "an event sub-process start": frozenset({"message", "timer", "signal", "error", "escalation", "conditional"}),
    "an intermediate catch": frozenset({"message", "timer", "signal", "conditional", "link"}),
    "an intermediate throw": frozenset({"none", "message", "signal", "escalation", "compensation", "link"}),
    "a boundary": frozenset(
        {"message", "timer", "signal", "error", "escalation", "conditional", "compensation", "cancel"}
    ),
    "an end": frozenset({"none", "message", "signal", "error", "escalation", "terminate", "compensation", "cancel"}),
}
_INSTEAD: Final = {
    "none": "Say what it waits for.",
    "message": "A sub-process begins when a token reaches it: wait for the message before it, or in an event sub-process.",
    "timer": "A timer is waited for: use an intermediate catch, a boundary or a start event.",
    "signal": "A sub-process begins when a token reaches it: wait for the signal before it, or in an event sub-process.",
    "error": "Throw an error with an end event; catch it at the boundary of an activity or in an event sub-process.",
    "escalation": "Catch an escalation at the boundary of an activity or in an event sub-process.",
    "terminate": "Only an end event terminates.",
    "link": "A link leads from an intermediate throw to an intermediate catch of the same scope.",
    "conditional": "A condition is waited for: use an intermediate catch, a boundary event or an event sub-process.",
    "compensation": "Compensate with a throw or an end event, and attach each handler by a compensation boundary event.",
    "cancel": "Cancel a transaction with an end event inside it, and catch that at its boundary.",
}
"""What to draw where an event may not stand, by its kind."""
_INSTEAD_AT: Final = {
    (
        "a sub-process start",
        "timer",
    ): "A sub-process begins when a token reaches it: wait for the time before it, or in an event sub-process.",
    ("an intermediate catch", "none"): "Say what it waits for, or make it an intermediate throw event.",
}
CHANGES: Final = frozenset({"create", "update"})
"""What a filter tells apart: a variable that was not there before, and one that got another value."""
TIMERS: Final = {"timeDate": "date", "timeDuration": "duration", "timeCycle": "cycle"}
_NOON: Final = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def read_event(reader: Reader, node: etree._Element, definitions: Mapping[str, etree._Element]) -> EventInfo | None:
    """Return what the element throws or catches; None when it was refused, or when a task sends no message."""
    if kind_of(node) in ("receiveTask", "sendTask"):
        return _task_event(reader, node, definitions)
    found = [part for part in children(node) if kind_of(part) in KINDS]
    if len(found) > 1 or node.get("parallelMultiple") == "true":
        reader.refuse(
            node, f"Expected one event definition, but the event has {len(found)}.", "Draw one event for each."
        )
        return None
    place = _place(node)
    kind = KINDS[kind_of(found[0])] if found else "none"
    if kind not in PLACES[place]:
        allowed = ", ".join(sorted(PLACES[place]))
        remedy = _INSTEAD_AT.get((place, kind)) or _INSTEAD[kind]
        reader.refuse(node, f"Expected {place} event to be one of {allowed}, but it is {kind}.", remedy)
        return None
    interrupts = node.get("isInterrupting" if kind_of(node) == "startEvent" else "cancelActivity") != "false"
    if not interrupts and kind in ("error", "cancel"):
        reader.refuse(
            node, f"Expected {place} event with {kind} to interrupt, but it does not.", "Make it interrupting."
        )
    event = EventInfo(kind, is_interrupting=interrupts)
    return _details(reader, node, found[0], event=event, place=place, definitions=definitions) if found else event


def _task_event(reader: Reader, node: etree._Element, definitions: Mapping[str, etree._Element]) -> EventInfo | None:
    if kind_of(node) == "sendTask" and node.get("messageRef") is None:
        return None
    catches = kind_of(node) == "receiveTask"
    return _message(reader, node, node, event=EventInfo("message"), catches=catches, definitions=definitions)


def _place(node: etree._Element) -> str:
    parent = node.getparent()
    if kind_of(node) == "startEvent":
        if parent is None or kind_of(parent) == "process":
            return "a process start"
        return "an event sub-process start" if parent.get("triggeredByEvent") == "true" else "a sub-process start"
    return {
        "intermediateCatchEvent": "an intermediate catch",
        "intermediateThrowEvent": "an intermediate throw",
        "boundaryEvent": "a boundary",
        "endEvent": "an end",
    }[kind_of(node)]


def _details(
    reader: Reader,
    node: etree._Element,
    definition: etree._Element,
    *,
    event: EventInfo,
    place: str,
    definitions: Mapping[str, etree._Element],
) -> EventInfo | None:
    if event.kind == "message":
        catches = place not in ("an end", "an intermediate throw", "a process start")
        return _message(reader, node, definition, event=event, catches=catches, definitions=definitions)
    if event.kind == "signal":
        signal = _referenced(reader, node, definition, kind="signal", definitions=definitions)
        name = reader.expression(node, signal.get("name"), "the signal name") if signal is not None else None
        if signal is not None and name is None:
            reader.refuse(node, "Expected a signal with a name, but it has none.", "Name the signal.")
        return replace(event, name=name) if name is not None else None
    if event.kind in ("error", "escalation"):
        return _coded(reader, node, definition, event=event, place=place, definitions=definitions)
    if event.kind == "timer":
        return _timer(reader, node, definition, event=event, place=place)
    if event.kind == "conditional":
        return _condition(reader, node, definition, event=event)
    if event.kind == "link":
        link = definition.get("name")
        if not link:
            reader.refuse(node, "Expected a link with a name, but it has none.", "Name the link.")
        return replace(event, name=Expr(link or "", None))
    if event.kind == "compensation":
        if definition.get("waitForCompletion") == "false":
            message = "Expected the event to wait until everything is compensated, but waitForCompletion is false."
            reader.refuse(node, message, "Remove waitForCompletion, or compensate beside a parallel gateway.")
        return replace(event, activity=definition.get("activityRef"))
    return event


def _referenced(
    reader: Reader,
    node: etree._Element,
    definition: etree._Element,
    *,
    kind: str,
    definitions: Mapping[str, etree._Element],
) -> etree._Element | None:
    reference = definition.get(f"{kind}Ref")
    found = definitions.get(reference or "")
    if found is not None and kind_of(found) == kind:
        return found
    named = f'"{reference}", which the file does not define' if reference else "none"
    reader.refuse(
        node, f"Expected a {kind} that the file defines, but the event refers to {named}.", f"Choose a {kind}."
    )
    return None


def _message(
    reader: Reader,
    node: etree._Element,
    definition: etree._Element,
    *,
    event: EventInfo,
    catches: bool,
    definitions: Mapping[str, etree._Element],
) -> EventInfo | None:
    throws = kind_of(node) in ("endEvent", "intermediateThrowEvent", "sendTask")
    if throws and definition.get("messageRef") is None:
        return event
    message = _referenced(reader, node, definition, kind="message", definitions=definitions)
    if message is None:
        return None
    name = reader.expression(node, message.get("name"), "the message name")
    if name is None:
        reader.refuse(node, "Expected a message with a name, but it has none.", "Name the message.")
        return None
    subscription = zeebe(message, "subscription")
    text = subscription.get("correlationKey") if subscription is not None else None
    key = reader.feel(message, text, "the correlation key")
    if catches and not (text or "").strip():
        message_text = f'Expected a correlation key for the message "{name.text}", but it has none.'
        reader.refuse(node, message_text, "Set zeebe:subscription correlationKey on the message, such as =order_id.")
        return None
    return replace(event, name=name, key=key)


def _coded(
    reader: Reader,
    node: etree._Element,
    definition: etree._Element,
    *,
    event: EventInfo,
    place: str,
    definitions: Mapping[str, etree._Element],
) -> EventInfo | None:
    catches = place in ("a boundary", "an event sub-process start")
    if definition.get(f"{event.kind}Ref") is None and catches:
        return event
    found = _referenced(reader, node, definition, kind=event.kind, definitions=definitions)
    if found is None:
        return None
    code = reader.expression(node, found.get(f"{event.kind}Code"), f"the {event.kind} code")
    if code is None:
        reader.refuse(node, f"Expected an {event.kind} code, but it has none.", f"Fill in the {event.kind} code.")
        return None
    if catches and not code.is_static:
        reader.refuse(
            node, f"Expected a fixed {event.kind} code to catch, but it is an expression.", "Write the code as text."
        )
    return replace(event, code=code)


def _condition(
    reader: Reader, node: etree._Element, definition: etree._Element, *, event: EventInfo
) -> EventInfo | None:
    text = text_of(child(definition, "condition"))
    expression = reader.feel(node, text, "the condition")
    if not text:
        reader.refuse(node, "Expected a condition, but the event has none.", "Write a FEEL condition.")
    if expression is None:
        return None
    return replace(event, condition=expression, filter=_filter(reader, node, definition, expression))


def _filter(
    reader: Reader, node: etree._Element, definition: etree._Element, condition: Expr
) -> ConditionalFilter | None:
    """Return which changes a condition is asked at; what the filter leaves open is what the condition itself reads."""
    found = zeebe(definition, "conditionalFilter")
    if found is None:
        return None
    names, events = (_listed(found.get(attribute)) for attribute in ("variableNames", "variableEvents"))
    if other := sorted(events - CHANGES):
        reader.refuse(
            node,
            f'Expected variable events of {", ".join(sorted(CHANGES))}, but there is "{other[0]}".',
            "Variables are created and updated; remove the others.",
        )
    return ConditionalFilter(names or condition.reads, events or CHANGES)


def _listed(text: str | None) -> frozenset[str]:
    return frozenset(word.strip() for word in (text or "").split(",") if word.strip())


def _timer(
    reader: Reader, node: etree._Element, definition: etree._Element, *, event: EventInfo, place: str
) -> EventInfo | None:
    found = [part for part in children(definition) if kind_of(part) in TIMERS]
    text = text_of(found[0]) if len(found) == 1 else ""
    if not text:
        reader.refuse(
            node, "Expected one date, duration or cycle, but the timer has none or several.", "Fill in the timer."
        )
        return None
    timer = TIMERS[kind_of(found[0])]
    goes_off_once = event.is_interrupting and place in ("a boundary", "an event sub-process start")
    if timer == "cycle" and (place == "an intermediate catch" or goes_off_once):
        reader.refuse(node, f"Expected {place} timer to go off once, but it is a cycle.", "Use a date or a duration.")
        return None
    if timer == "duration" and place == "a process start":
        reader.refuse(
            node, "Expected a process start timer to be a date or a cycle, but it is a duration.", "Use R1/… or a date."
        )
        return None
    when = reader.expression(node, text, "the timer")
    if when is None:
        return None
    if when.is_static:
        try:
            schedule(timer, when.text, _NOON)
        except NoTime as error:
            reader.refuse(
                node,
                f"{error}.",
                "Write it as ISO 8601 (PT1H, R3/PT10M, 2026-11-22T10:00:00Z), as cron (0 0 9 * * MON-FRI) or as FEEL.",
            )
            return None
    return replace(event, timer=timer, when=when)
