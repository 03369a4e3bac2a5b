"""Read the elements of a diagram: what each is, what its ``zeebe:`` extensions say, and which of them cannot run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from lxml import etree

from engine.spiff.activity_reading import (
    own_form,
    read_ad_hoc,
    read_called,
    read_decision,
    read_loop,
    read_mappings,
    read_pairs,
    read_script,
    read_task_definition,
    read_user_task,
    read_work,
)
from engine.spiff.elements import AD_HOC, CONTAINERS, EVENTS, FLOW_NODES, ElementInfo, FlowInfo, ProcessSpec
from engine.spiff.event_info import read_event
from engine.spiff.extensions import (
    Expr,
)
from engine.spiff.listeners import LISTENED, read_listeners
from engine.spiff.xml import BPMN, ZEEBE, Reader, child, children, is_bpmn, kind_of, line_of, text_of, zeebe

_MAX_NESTING: Final = 40
_PASSIVE: Final = frozenset(
    {
        "sequenceFlow",
        "laneSet",
        "dataObject",
        "dataObjectReference",
        "dataStoreReference",
        "textAnnotation",
        "association",
        "group",
        "documentation",
        "extensionElements",
        "ioSpecification",
        "property",
        "auditing",
        "monitoring",
        "incoming",
        "outgoing",
        "dataInputAssociation",
        "dataOutputAssociation",
        "multiInstanceLoopCharacteristics",
        "script",
        "category",
        "dataInput",
        "dataOutput",
        "inputSet",
        "outputSet",
        "messageEventDefinition",
        "timerEventDefinition",
        "signalEventDefinition",
        "errorEventDefinition",
        "escalationEventDefinition",
        "terminateEventDefinition",
        "linkEventDefinition",
        "conditionalEventDefinition",
        "compensateEventDefinition",
        "cancelEventDefinition",
    }
)
INSTEAD: Final = {
    "complexGateway": "Use an inclusive gateway, or several gateways with conditions.",
    "standardLoopCharacteristics": "Draw the loop with an exclusive gateway, or use multi-instance.",
    "potentialOwner": "Use zeebe:assignmentDefinition candidateGroups.",
    "humanPerformer": "Use zeebe:assignmentDefinition assignee.",
    "performer": "Use zeebe:assignmentDefinition assignee.",
    "callChoreography": "Use a call activity.",
    "choreographyTask": "Use a send task or a receive task.",
    "subChoreography": "Use a sub-process.",
}
EXTENSIONS: Final = {
    "userTask": "a task of people",
    "assignmentDefinition": "assignee, candidateUsers, candidateGroups",
    "taskSchedule": "dueDate, followUpDate",
    "priorityDefinition": "priority",
    "formDefinition": "formId, with bindingType deployment, latest or versionTag",
    "userTaskForm": "a form that stands in the diagram; better a .form file",
    "taskDefinition": "type, retries",
    "jobPriorityDefinition": "priority of a job, or on the process of all its jobs: the greater is taken up sooner",
    "taskHeaders": "given to the worker; backOff and retryBackoff say when a job is tried again",
    "ioMapping": "inputs and outputs, also of events, sub-processes and calls",
    "script": "FEEL expression, resultVariable",
    "calledDecision": "decisionId, resultVariable, bindingType deployment, latest or versionTag",
    "calledElement": "processId, bindingType deployment, latest or versionTag, propagateAllParentVariables, propagateAllChildVariables",
    "adHoc": "activeElementsCollection, outputCollection, outputElement of an ad-hoc sub-process",
    "subscription": "correlationKey of a message",
    "conditionalFilter": "variableEvents create or update, variableNames: at which changes a condition is asked anew",
    "loopCharacteristics": "inputCollection, inputElement, outputCollection, outputElement",
    "properties": "the properties below, and any of yours",
    "executionListeners": "eventType start or end (before an element or process begins or is left), beforeAll (once before the"
    " instances of a multi-instance), cancel (of a process); type, retries, taskHeaders",
    "taskListeners": "eventType creating (before a task opens), assigning, updating (before a change of it counts), completing (after"
    " it was decided), canceling (it ends without being decided); type, retries",
    "versionTag": "what a binding versionTag looks for",
    "modelerTemplate": "read over: it belongs to the modeler",
}
"""The zeebe: elements that are read, and what of them."""
INSTEAD_OF_EXTENSION: Final = {
    "linkedResources": "Name the resource in a task header.",
    "linkedResource": "Name the resource in a task header.",
    "agentDefinition": "Remove it: an agent serves a job as any worker does; set zeebe:taskDefinition type.",
    "publishMessage": "Choose a message with a correlation key, or set zeebe:taskDefinition type.",
}
"""What to use instead of the zeebe: elements that are not."""


@dataclass(slots=True)
class _Reading:
    """One process while it is read."""

    reader: Reader
    process_id: str
    definitions: Mapping[str, etree._Element]
    leaving: dict[str, list[str]] = field(default_factory=dict)
    entering: dict[str, list[str]] = field(default_factory=dict)
    elements: dict[str, ElementInfo] = field(default_factory=dict)


def read_process(reader: Reader, node: etree._Element, *, definitions: Mapping[str, etree._Element]) -> ProcessSpec:
    """Read one ``bpmn:process``. definitions: the messages, signals, errors and escalations of the file by id."""
    reading = _Reading(reader, node.get("id") or "", definitions)
    defaults = {found.get("default") for found in node.iter() if is_bpmn(found)}
    flows = {flow.id: flow for flow in (_flow(reader, found, defaults) for found in _ways(node))}
    for flow in flows.values():
        reading.leaving.setdefault(flow.source, []).append(flow.id)
        reading.entering.setdefault(flow.target, []).append(flow.id)
    lanes = {
        (ref.text or "").strip(): lane.get("name") or lane.get("id")
        for lane in _all(node, "lane")
        for ref in children(lane, "flowNodeRef")
    }
    refuse_unknown_extensions(reader, node)
    _read_container(reading, node, lanes)
    tag = zeebe(node, "versionTag")
    return ProcessSpec(
        id=reading.process_id,
        name=node.get("name"),
        file=reader.file,
        line=line_of(node),
        is_executable=node.get("isExecutable") == "true",
        version_tag=tag.get("value") if tag is not None else None,
        properties=MappingProxyType(read_pairs(node, "properties", "name")),
        elements=MappingProxyType(reading.elements),
        flows=MappingProxyType(flows | _links(reading, node)),
        handlers=MappingProxyType(_handlers(node, reading.elements)),
        forms=MappingProxyType(
            {own_form(reading.process_id, form.get("id") or ""): text_of(form) for form in _embedded_forms(node)}
        ),
        listeners=tuple(replace(one, is_of_process=True) for one in read_listeners(reader, node, read_work)),
    )


def _embedded_forms(node: etree._Element) -> Iterator[etree._Element]:
    extensions = child(node, "extensionElements")
    return extensions.iterchildren(f"{{{ZEEBE}}}userTaskForm") if extensions is not None else iter(())


def _all(node: etree._Element, kind: str) -> list[etree._Element]:
    return [found for found in node.iter() if is_bpmn(found) and kind_of(found) == kind]


def _ways(node: etree._Element) -> Iterator[etree._Element]:
    """Yield the sequence flows of a process and its sub-processes; what is drawn inside anything else is not read."""
    waiting = [node]
    while waiting:
        for found in children(waiting.pop()):
            if kind_of(found) == "sequenceFlow":
                yield found
            elif kind_of(found) in CONTAINERS:
                waiting.append(found)


def _flow(reader: Reader, node: etree._Element, defaults: set[str | None]) -> FlowInfo:
    text = text_of(child(node, "conditionExpression"))
    # A condition that was refused still counts as one, so that it is not blamed a second time for missing.
    condition = reader.feel(node, text, "the condition") or (Expr(text, None) if text else None)
    return FlowInfo(
        id=node.get("id") or "",
        name=node.get("name"),
        source=node.get("sourceRef") or "",
        target=node.get("targetRef") or "",
        line=line_of(node),
        condition=condition,
        is_default=node.get("id") in defaults,
    )


def _read_container(
    reading: _Reading, node: etree._Element, lanes: Mapping[str, str | None], lane: str | None = None
) -> None:
    for found in children(node):
        kind = kind_of(found)
        if kind not in FLOW_NODES:
            if kind not in _PASSIVE and not _says_when_it_ends(found):
                remedy = INSTEAD.get(kind, "Remove it, or draw it with elements that can run.")
                reading.reader.refuse(
                    found, f"Expected an element that can run, but bpmn:{kind} is not supported.", remedy
                )
                _stand_in(reading, found)
            continue
        if not found.get("id"):
            message = f"Expected every element to have an id, but this bpmn:{kind} has none."
            reading.reader.refuse(found, message, "Give it an id.")
            continue
        _refuse_unknown_parts(reading.reader, found)
        info = _element(reading, found, lanes.get(found.get("id") or "", lane))
        reading.elements[info.id] = info
        if kind in CONTAINERS and sum(1 for _ in found.iterancestors()) > _MAX_NESTING:
            message = f"Expected at most {_MAX_NESTING} sub-processes within each other, but this is one more."
            reading.reader.refuse(found, message, "Call a process of its own instead.")
        elif kind in CONTAINERS:
            _read_container(reading, found, lanes, info.lane)


def _says_when_it_ends(part: etree._Element) -> bool:
    """Say whether a part is the completion condition of an ad-hoc sub-process."""
    parent = part.getparent()
    return kind_of(part) == "completionCondition" and parent is not None and kind_of(parent) == AD_HOC


def _stand_in(reading: _Reading, node: etree._Element) -> None:
    """Let a refused element stand where it was drawn, so that what leads to it and away is not blamed as well."""
    element_id = node.get("id")
    if element_id and (element_id in reading.leaving or element_id in reading.entering):
        parent = node.getparent()
        reading.elements[element_id] = ElementInfo(
            id=element_id,
            name=node.get("name"),
            kind="task",
            line=line_of(node),
            process_id=reading.process_id,
            parent_id=(parent.get("id") or "") if parent is not None else "",
            incoming=tuple(reading.entering.get(element_id, ())),
            outgoing=tuple(reading.leaving.get(element_id, ())),
        )


def _refuse_unknown_parts(reader: Reader, node: etree._Element) -> None:
    for part in children(node):
        kind = kind_of(part)
        if kind not in _PASSIVE and not (
            kind_of(node) in CONTAINERS and (kind in FLOW_NODES | {"complexGateway"} or _says_when_it_ends(part))
        ):
            remedy = INSTEAD.get(kind, "Remove it.")
            reader.refuse(part, f"Expected parts that can run, but bpmn:{kind} is not supported.", remedy)


def refuse_unknown_extensions(reader: Reader, node: etree._Element) -> None:
    """Refuse what ``zeebe:`` elements say that nobody here reads, at the element, in it, and in what belongs to it."""
    for group in node.iter(f"{{{BPMN}}}extensionElements"):
        owner = group.getparent()
        for extension in group:
            if not str(extension.tag).startswith(f"{{{ZEEBE}}}"):
                continue
            name = kind_of(extension)
            if name not in EXTENSIONS:
                remedy = INSTEAD_OF_EXTENSION.get(name, "Remove it.")
                message = f"Expected extensions that can run, but zeebe:{name} is not supported."
                reader.refuse(owner, message, remedy)
            elif name in LISTENED and (owner is None or kind_of(owner) not in FLOW_NODES | {"process"}):
                message = f"Expected zeebe:{name} at an element that runs, but this is none."
                reader.refuse(owner, message, "Put them at elements: the start event, tasks, the end events.")


def _element(reading: _Reading, node: etree._Element, lane: str | None) -> ElementInfo:
    reader = reading.reader
    kind = kind_of(node)
    element_id = node.get("id") or ""
    parent = node.getparent()
    drawn = {(part.text or "").strip(): index for index, part in enumerate(children(node, "outgoing"))}
    outgoing = sorted(reading.leaving.get(element_id, ()), key=lambda flow: drawn.get(flow, len(drawn)))
    documentation = child(node, "documentation")
    return ElementInfo(
        id=element_id,
        name=node.get("name"),
        kind=kind,
        line=line_of(node),
        process_id=reading.process_id,
        parent_id=(parent.get("id") or "") if parent is not None else "",
        lane=lane,
        incoming=tuple(reading.entering.get(element_id, ())),
        outgoing=tuple(outgoing),
        attached_to=node.get("attachedToRef") if kind == "boundaryEvent" else None,
        documentation=documentation.text if documentation is not None else None,
        properties=read_pairs(node, "properties", "name"),
        headers=read_pairs(node, "taskHeaders", "key"),
        user_task=read_user_task(reader, node, reading.process_id) if kind == "userTask" else None,
        task=read_task_definition(reader, node),
        decision=read_decision(reader, node),
        called=read_called(reader, node) if kind == "callActivity" else None,
        script=read_script(reader, node) if kind == "scriptTask" else None,
        loop=read_loop(reader, node),
        ad_hoc=read_ad_hoc(reader, node) if kind == AD_HOC else None,
        event=read_event(reader, node, reading.definitions) if kind in EVENTS | {"receiveTask", "sendTask"} else None,
        inputs=read_mappings(reader, node, "input"),
        outputs=read_mappings(reader, node, "output"),
        listeners=read_listeners(reader, node, read_work),
        is_event_subprocess=node.get("triggeredByEvent") == "true",
        is_for_compensation=node.get("isForCompensation") == "true",
    )


def _links(reading: _Reading, node: etree._Element) -> dict[str, FlowInfo]:
    catches: dict[tuple[str, str], list[ElementInfo]] = {}
    links = [info for info in reading.elements.values() if info.event is not None and info.event.kind == "link"]
    for info in links:
        if info.kind == "intermediateCatchEvent":
            catches.setdefault((info.parent_id, _link_name(info)), []).append(info)
    flows: dict[str, FlowInfo] = {}
    drawn = {found.get("id"): found for found in node.iter() if is_bpmn(found)}
    for info in links:
        targets = catches.get((info.parent_id, _link_name(info)), [])
        if len(targets) != 1:
            message = f'Expected exactly one link to catch "{_link_name(info)}", but there are {len(targets)}.'
            remedy = "Give each pair of links its own name within one process or sub-process."
            reading.reader.refuse(drawn.get(info.id), message, remedy)
        elif info.kind == "intermediateThrowEvent":
            flow = f"{info.id}~{targets[0].id}"
            flows[flow] = FlowInfo(flow, None, info.id, targets[0].id, info.line)
    return flows


def _link_name(info: ElementInfo) -> str:
    return info.event.name.text if info.event is not None and info.event.name is not None else ""


def _handlers(node: etree._Element, elements: Mapping[str, ElementInfo]) -> dict[str, str]:
    by_event = {found.get("sourceRef"): found.get("targetRef") or "" for found in _all(node, "association")}
    return {
        info.attached_to or "": by_event[info.id]
        for info in elements.values()
        if info.kind == "boundaryEvent"
        and info.event is not None
        and info.event.kind == "compensation"
        and by_event.get(info.id)
    }
