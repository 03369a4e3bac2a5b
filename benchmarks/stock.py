"""The shipped diagrams, translated for stock SpiffWorkflow, which knows neither FEEL nor link events nor Camunda's tasks.

Nodes, flows, events, sub-processes, multi-instances and called processes stay as they are. What a service task or a table would
answer is written into a script, so the naive way gets it for nothing. Conditions become Python, timers lie far ahead, a link
is the sequence flow that it stands for. The start by message, which the comparison does not use, is left out.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
WORKING = ("serviceTask", "sendTask", "businessRuleTask", "scriptTask")
UNREAD = ("laneSet", "documentation", "extensionElements", "collaboration", "incoming", "outgoing", "ioSpecification")
FAR = '"P400D"'


def translate(
    diagram: bytes, *, scripts: Mapping[str, str], counts: Mapping[str, str], calls: Mapping[str, str]
) -> bytes:
    """Return a diagram of the house as stock SpiffWorkflow reads it.

    scripts: Python of each working task by element id, ``pass`` for the others. counts: Python for the number of instances of
    a multi-instance, by element id. calls: the process that a call activity calls, by element id.
    """
    root = ET.fromstring(diagram)
    for parent in list(root.iter()):
        for child in list(parent):
            if _is(child, *UNREAD) or not child.tag.startswith(f"{{{BPMN}}}"):
                parent.remove(child)
    for scope in [element for element in root.iter() if _is(element, "process", "subProcess")]:
        _leave_out_message_start(scope)
        _join_links(scope)
        for element in list(scope):
            _translate(element, scripts, counts, calls)
    return ET.tostring(root)


def _translate(
    element: ET.Element, scripts: Mapping[str, str], counts: Mapping[str, str], calls: Mapping[str, str]
) -> None:
    name = element.get("id", "")
    if _is(element, *WORKING):
        for child in list(element):
            if _is(child, "script"):
                element.remove(child)
        element.tag = f"{{{BPMN}}}scriptTask"
        ET.SubElement(element, f"{{{BPMN}}}script").text = scripts.get(name, "pass")
    for child in element:
        if _is(child, "multiInstanceLoopCharacteristics"):
            child.clear()
            child.set("isSequential", "false")
            ET.SubElement(child, f"{{{BPMN}}}loopCardinality").text = counts[name]
        if _is(child, "conditionExpression"):
            child.text = python(child.text or "")
        if _is(child, "timerEventDefinition"):
            child.clear()
            ET.SubElement(child, f"{{{BPMN}}}timeDuration").text = FAR
    if name in calls:
        element.set("calledElement", calls[name])


def python(condition: str) -> str:
    """Return a FEEL condition of the shipped diagrams as Python."""
    text = condition.strip().removeprefix("=").replace("count(", "len(").replace("null", "None")
    text = re.sub(r"(?<![!<>=])=(?!=)", "==", text)
    return re.sub(r"\b([a-z_]+)\.([a-z_]+)\b", r'\1["\2"]', text)


def _leave_out_message_start(scope: ET.Element) -> None:
    started = [
        node
        for node in scope
        if _is(node, "startEvent") and any(_is(child, "messageEventDefinition") for child in node)
    ]
    while started:
        node = started.pop()
        scope.remove(node)
        for flow in [flow for flow in _flows(scope) if flow.get("sourceRef") == node.get("id")]:
            scope.remove(flow)
            target = flow.get("targetRef")
            if not any(other.get("targetRef") == target for other in _flows(scope)):
                started += [node for node in scope if node.get("id") == target]


def _join_links(scope: ET.Element) -> None:
    catching = {_link(node): node for node in scope if _is(node, "intermediateCatchEvent") and _link(node)}
    for node in [
        node for node in scope if _is(node, "intermediateThrowEvent", "intermediateCatchEvent") and _link(node)
    ]:
        target = catching[_link(node)]
        if node is not target:
            ET.SubElement(
                scope,
                f"{{{BPMN}}}sequenceFlow",
                id=f"Link_{node.get('id')}",
                sourceRef=node.get("id", ""),
                targetRef=target.get("id", ""),
            )
    for node in scope:
        if _is(node, "intermediateThrowEvent", "intermediateCatchEvent") and _link(node):
            for child in list(node):
                node.remove(child)
            node.tag = f"{{{BPMN}}}scriptTask"
            ET.SubElement(node, f"{{{BPMN}}}script").text = "pass"


def _link(node: ET.Element) -> str:
    return next((child.get("name", "") for child in node if _is(child, "linkEventDefinition")), "")


def _flows(scope: ET.Element) -> Iterator[ET.Element]:
    return (node for node in scope if _is(node, "sequenceFlow"))


def _is(element: ET.Element, *names: str) -> bool:
    return element.tag in {f"{{{BPMN}}}{name}" for name in names}
