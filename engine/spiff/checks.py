"""Laws on the shape of a process: what would be silently skipped, lost or stuck at run time is refused at deployment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from engine.spiff.elements import ACTIVITIES, AD_HOC, CONTAINERS, ElementInfo, FlowInfo, ProcessSpec
from engine.spiff.extensions import is_priority
from engine.spiff.problems import Problem

Finding = tuple[ElementInfo | ProcessSpec, str, str]
Check = Callable[[ProcessSpec], Iterator[Finding]]


def check_process(process: ProcessSpec, refused: Collection[str | None]) -> list[Problem]:
    """Return every problem with the shape of one process.

    refused: elements whose own content was refused already; they are not blamed again for what was left out.
    """
    problems = [
        Problem(process.file, flow.line, flow.id, flow.name, message, "Connect the sequence flow, or remove it.")
        for flow, message in _dangling(process)
    ]
    for check in _CHECKS:
        for element, message, remedy in check(process):
            if check is _work and element.id in refused:
                continue
            problems.append(Problem(process.file, element.line, element.id, element.name, message, remedy))
    if not any(info.kind == "startEvent" and info.parent_id == process.id for info in process.elements.values()):
        message = "Expected a start event, but the process has none."
        problems.append(Problem(process.file, process.line, process.id, process.name, message, "Draw a start event."))
    return problems


def _dangling(process: ProcessSpec) -> Iterator[tuple[FlowInfo, str]]:
    for flow in process.flows.values():
        source, target = process.elements.get(flow.source), process.elements.get(flow.target)
        if source is None or target is None:
            missing = flow.source if source is None else flow.target
            yield flow, f'Expected a sequence flow between two elements, but "{missing}" does not exist.'
        elif source.parent_id != target.parent_id:
            yield flow, "Expected a sequence flow within one process or sub-process, but it crosses a border."


def _starts(process: ProcessSpec) -> Iterator[Finding]:
    for owner, starts in _starts_by_container(process).items():
        plain = [info for info in starts if info.event is not None and info.event.kind == "none"]
        element = process.elements.get(owner)
        if element is not None and element.kind == AD_HOC:
            continue
        if element is not None and len(starts) != 1:
            message = f"Expected exactly one start event in a sub-process, but it has {len(starts)}."
            yield element, message, "Leave one start event."
        elif len(plain) > 1:
            yield (
                plain[1],
                "Expected at most one start event without a trigger, but there are several.",
                "Leave one of them.",
            )


def _starts_by_container(process: ProcessSpec) -> dict[str, list[ElementInfo]]:
    starts: dict[str, list[ElementInfo]] = {
        info.id: [] for info in process.elements.values() if info.kind in CONTAINERS
    }
    for info in process.elements.values():
        if info.kind == "startEvent":
            starts.setdefault(info.parent_id, []).append(info)
    return starts


def _following(process: ProcessSpec) -> dict[str, list[str]]:
    """Return what comes directly behind each element, along sequence flows and by its boundary events."""
    following: dict[str, list[str]] = {}
    for flow in process.flows.values():
        following.setdefault(flow.source, []).append(flow.target)
    for info in process.elements.values():
        if info.attached_to is not None:
            following.setdefault(info.attached_to, []).append(info.id)
    return following


def _reach(process: ProcessSpec) -> Iterator[Finding]:
    """An element without a path from a start event would never run, and nobody would be told."""
    following = _following(process)
    for activity, handler in process.handlers.items():
        following.setdefault(activity, []).append(handler)
    reached = {info.id for info in process.elements.values() if info.kind == "startEvent" or info.is_event_subprocess}
    for info in process.elements.values():
        if info.kind == AD_HOC:
            reached.update(process.choices(info.id))
    frontier = list(reached)
    while frontier:
        fresh = set(following.get(frontier.pop(), ())) - reached
        reached |= fresh
        frontier.extend(fresh)
    for info in process.elements.values():
        if info.id not in reached:
            yield info, "Expected a path from a start event, but there is none.", "Connect the element, or remove it."


def _ad_hoc(process: ProcessSpec) -> Iterator[Finding]:
    """What is chosen begins by itself and ends when nothing follows; each time it is chosen it is by itself."""
    for whole in process.elements.values():
        if whole.kind != AD_HOC:
            continue
        inside = [info for info in process.elements.values() if info.parent_id == whole.id]
        for info in inside:
            if info.kind in ("startEvent", "endEvent"):
                message = "Expected an ad-hoc sub-process without start and end events, but this is one."
                yield info, message, "Remove it: what is chosen begins by itself, and ends when nothing follows."
        chosen = process.choices(whole.id)
        if not any(info.kind in ACTIVITIES for info in inside if not info.is_event_subprocess) or not chosen:
            message = "Expected an activity that may be chosen, but the ad-hoc sub-process has none."
            yield whole, message, "Draw one that no sequence flow leads to."
        joins = [info for info in inside if info.kind == "parallelGateway" and len(info.incoming) > 1]
        for join in joins:
            yield from _hanging(process, join, chosen)


def _hanging(process: ProcessSpec, join: ElementInfo, chosen: Iterable[str]) -> Iterator[Finding]:
    """Yield a join that an element which was chosen could reach on some of its ways only: nothing else ever comes there."""
    following = _following(process)
    for name in chosen:
        reached, frontier = {name}, [name]
        while frontier:
            fresh = set(following.get(frontier.pop(), ())) - reached
            reached |= fresh
            frontier.extend(fresh)
        full = [flow for flow in join.incoming if process.flows[flow].source in reached]
        if full and len(full) < len(join.incoming):
            message = (
                f'Expected one chosen element to bring all that the join waits for, but "{name}" brings only a part.'
            )
            yield join, message, "Each that is chosen runs by itself: let them meet at an exclusive gateway."
            return


def _ends_of_paths(process: ProcessSpec) -> Iterator[Finding]:
    for info in process.elements.values():
        if info.outgoing and (info.kind == "endEvent" or info.is_event_subprocess or info.is_for_compensation):
            yield info, "Expected no outgoing sequence flow, but there is one.", "Remove the sequence flow."
        if info.incoming and (info.kind in ("startEvent", "boundaryEvent") or info.is_event_subprocess):
            yield info, "Expected no incoming sequence flow, but there is one.", "Remove the sequence flow."
        if info.event is not None and info.event.kind == "link":
            drawn = info.outgoing if info.kind == "intermediateThrowEvent" else info.incoming
            if drawn:
                message = "Expected a link to join two ends of one way, but a sequence flow is drawn between them too."
                yield info, message, "Remove the sequence flow."


def _boundaries(process: ProcessSpec) -> Iterator[Finding]:
    for info in process.elements.values():
        if info.kind != "boundaryEvent":
            continue
        host = process.elements.get(info.attached_to or "")
        if host is None or host.kind not in ACTIVITIES or host.is_event_subprocess or host.parent_id != info.parent_id:
            yield (
                info,
                "Expected a boundary event on an activity, but it is attached to none.",
                "Attach it to an activity.",
            )
        elif info.event is not None and info.event.kind == "cancel" and host.kind != "transaction":
            yield info, f"Expected a cancel event on a transaction, but {host.id} is none.", "Use an error event."
        elif info.event is not None and info.event.kind == "compensation" and host.id not in process.handlers:
            yield info, "Expected a compensation handler, but no association leads to one.", "Connect it to a handler."


def _caught_once(process: ProcessSpec) -> Iterator[Finding]:
    """Two events that would both catch the same thing: one of them would never happen, or a message would find two."""
    known: dict[tuple[str | None, ...], str] = {}
    for info in process.elements.values():
        for place in _waits_at(process, info):
            what = _what_it_catches(info)
            if what is None:
                continue
            first = known.setdefault((place, *what), info.id)
            if first != info.id:
                shown = f'"{what[1]}"' if what[1] is not None else "any code"
                message = f'Expected one event for the {what[0]} {shown}, but "{first}" waits for it at the same place.'
                yield info, message, "Leave one of them, or let them wait for different things."


def _waits_at(process: ProcessSpec, info: ElementInfo) -> Iterator[str]:
    """Yield the activity, process, sub-process or gateway that an event waits at."""
    around = process.elements.get(info.parent_id)
    if info.attached_to is not None:
        yield info.attached_to
    elif info.kind == "startEvent":
        yield around.parent_id if around is not None else f"the start of {process.id}"
    for flow in info.incoming:
        source = process.elements.get(process.flows[flow].source)
        if source is not None and source.kind == "eventBasedGateway":
            yield source.id


def _begins(info: ElementInfo) -> bool:
    return info.kind == "startEvent" and info.parent_id == info.process_id


def _what_it_catches(info: ElementInfo) -> tuple[str | None, ...] | None:
    event = info.event
    if event is None:
        return None
    if event.kind in ("error", "escalation"):
        return event.kind, event.code.text if event.code is not None else None
    if event.kind == "conditional" and event.condition is not None and _begins(info):
        return event.kind, event.condition.text
    if event.kind == "message" and event.name is not None and info.kind != "sendTask":
        return event.kind, event.name.text, event.key.text if event.key is not None else None
    return None


def _conditions(process: ProcessSpec) -> Iterator[Finding]:
    for info in process.elements.values():
        flows = [process.flows[flow] for flow in info.outgoing]
        decides = info.kind in ("exclusiveGateway", "inclusiveGateway")
        if not decides and any(flow.condition is not None for flow in flows):
            yield (
                info,
                "Expected conditions only behind a gateway, but a sequence flow has one.",
                "Draw an exclusive gateway.",
            )
        if decides and len(flows) > 1:
            for flow in flows:
                if flow.condition is None and not flow.is_default:
                    message = f'Expected a condition on each sequence flow but the default, but "{flow.id}" has none.'
                    yield info, message, "Write a condition, or make it the default flow."


def _event_gateways(process: ProcessSpec) -> Iterator[Finding]:
    hosts = {info.attached_to for info in process.elements.values()}
    for info in process.elements.values():
        if info.kind != "eventBasedGateway":
            continue
        targets = [process.elements.get(process.flows[flow].target) for flow in info.outgoing]
        if len(targets) < 2:
            yield (
                info,
                "Expected an event-based gateway to wait for two events, but it has fewer.",
                "Draw a second event.",
            )
        for target in targets:
            if target is not None and (
                target.kind not in ("intermediateCatchEvent", "receiveTask")
                or len(target.incoming) > 1
                or target.id in hosts
            ):
                message = f"Expected catch events of its own behind an event-based gateway, but {target.id} is not."
                yield info, message, "Put an intermediate catch event between them."


def _retries(process: ProcessSpec) -> Iterator[Finding]:
    checked: tuple[ElementInfo | ProcessSpec, ...] = (process, *process.elements.values())
    for info in checked:
        own = () if isinstance(info, ProcessSpec) or info.task is None else (info.task,)
        for task in (*own, *(listener.task for listener in info.listeners)):
            text = task.retries.text
            if task.retries.is_static and not (text.isascii() and text.isdigit()):
                message = f'Expected a whole number of retries, but it is "{text[:40]}".'
                yield info, message, "Write a number such as 3, or FEEL."


def _priorities(process: ProcessSpec) -> Iterator[Finding]:
    for info in process.elements.values():
        said = info.task.priority if info.task is not None else None
        if said is not None and said.is_static and not is_priority(said.text):
            message = f'Expected a whole number of 32 bits as the priority of the job, but it is "{said.text[:40]}".'
            yield info, message, "Write a number such as 50, or FEEL."


def _work(process: ProcessSpec) -> Iterator[Finding]:
    for info in process.elements.values():
        sends = info.event is not None and info.event.kind == "message" and info.event.name is not None
        if info.task is not None:
            continue
        if info.kind == "serviceTask":
            yield info, "Expected a job type, but the service task has none.", "Set zeebe:taskDefinition type."
        elif info.kind == "businessRuleTask" and info.decision is None:
            yield info, "Expected a decision, but the business rule task names none.", "Set zeebe:calledDecision."
        elif info.kind == "scriptTask" and info.script is None:
            yield info, "Expected a FEEL script, but the script task has none.", "Set zeebe:script."
        elif _throws_message(info) and not sends:
            yield (
                info,
                "Expected a message or a job type, but there is neither.",
                "Choose a message, or set zeebe:taskDefinition.",
            )


def _throws_message(info: ElementInfo) -> bool:
    thrown = (
        info.kind in ("endEvent", "intermediateThrowEvent") and info.event is not None and info.event.kind == "message"
    )
    return thrown or info.kind == "sendTask"


def _compensations(process: ProcessSpec) -> Iterator[Finding]:
    for info in process.elements.values():
        if info.event is None or info.kind not in ("endEvent", "intermediateThrowEvent"):
            continue
        aim = process.elements.get(info.event.activity or "")
        is_undone = info.event.activity in process.handlers or (aim is not None and aim.kind in CONTAINERS)
        if info.event.kind == "compensation" and info.event.activity and not is_undone:
            message = f'Expected an activity with a compensation handler, but "{info.event.activity}" has none.'
            yield info, message, "Attach a compensation boundary event with a handler."
        if info.event.kind == "cancel" and not _stands_in_cancellable(process, info):
            message = (
                "Expected a cancel end event inside a transaction with a cancel boundary event, but there is none."
            )
            yield info, message, "Draw the transaction and its cancel boundary event."


def _stands_in_cancellable(process: ProcessSpec, info: ElementInfo) -> bool:
    owner = process.elements.get(info.parent_id)
    return (
        owner is not None
        and owner.kind == "transaction"
        and any(
            other.attached_to == owner.id and other.event is not None and other.event.kind == "cancel"
            for other in process.elements.values()
        )
    )


def _multi_instances(process: ProcessSpec) -> Iterator[Finding]:
    for info in process.elements.values():
        if info.loop is not None and (info.is_event_subprocess or info.is_for_compensation):
            message = "Expected an activity in the flow to be multi-instance, but this one is not in the flow."
            yield info, message, "Put a sub-process around it."
        elif info.loop is not None and info.kind not in ACTIVITIES:
            message = "Expected an activity to be multi-instance, but events and gateways cannot be."
            yield info, message, "Put it into a sub-process, and let that be multi-instance."


def _handlers(process: ProcessSpec) -> Iterator[Finding]:
    """What undoes an activity stands beside the flow, and is not undone itself."""
    for activity, handler in process.handlers.items():
        info = process.elements.get(handler)
        if info is None:
            continue
        if handler == activity or info.incoming:
            message = f'Expected what undoes "{activity}" to stand beside the flow, but it stands in it.'
            yield info, message, "Draw an activity of its own as the handler, marked for compensation."
        elif handler in process.handlers:
            message = f'Expected what undoes "{activity}" not to be undone itself, but it has a handler of its own.'
            yield info, message, "Remove the compensation event at the handler."


_CHECKS: tuple[Check, ...] = (
    _starts,
    _ad_hoc,
    _reach,
    _ends_of_paths,
    _boundaries,
    _handlers,
    _caught_once,
    _conditions,
    _event_gateways,
    _work,
    _retries,
    _priorities,
    _compensations,
    _multi_instances,
)
