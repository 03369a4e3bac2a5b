"""Draw a small process in a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.spiff.elements import ProcessInfo
from engine.spiff.reading import read_process
from engine.spiff.xml import Reader, children, open_diagram

_NAMESPACES = (
    'xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"'
)


def draw(
    elements: Mapping[str, str],
    flows: Sequence[str],
    *,
    inside: Mapping[str, str] | None = None,
    process_id: str = "flow",
    variables: str = "",
    messages: Mapping[str, str] | None = None,
) -> ProcessInfo:
    """Return a process.

    elements: id to BPMN kind, with attributes if any (``boundaryEvent attachedToRef="a"``). flows: ``a>b`` or
    ``a>b =condition``. inside: id to XML that stands in the element. variables: the declared names. messages: id to
    correlation key; the id is the name too.
    """
    parts = [_element(element_id, kind, (inside or {}).get(element_id, "")) for element_id, kind in elements.items()]
    parts += [_flow(flow) for flow in flows]
    declared = f'<zeebe:properties><zeebe:property name="variables" value="{variables}"/></zeebe:properties>'
    drawn = "".join(_message(name, key) for name, key in (messages or {}).items())
    text = (
        f'<bpmn:definitions {_NAMESPACES}>\n{drawn}<bpmn:process id="{process_id}" isExecutable="true">\n'
        f"<bpmn:extensionElements>{declared}</bpmn:extensionElements>\n{''.join(parts)}</bpmn:process>\n</bpmn:definitions>"
    )
    reader = Reader(f"{process_id}.bpmn")
    root = open_diagram(reader, text.encode())
    assert root is not None, reader.problems
    [node] = children(root, "process")
    process = read_process(reader, node, definitions={found.get("id") or "": found for found in children(root)})
    assert not reader.problems, reader.problems
    return process


def extension(*parts: str) -> str:
    """Return zeebe: extensions as they stand in an element."""
    return f"<bpmn:extensionElements>{''.join(parts)}</bpmn:extensionElements>"


def _message(name: str, key: str) -> str:
    subscription = extension(f'<zeebe:subscription correlationKey="{key}"/>')
    return f'<bpmn:message id="{name}" name="{name}">{subscription}</bpmn:message>\n'


def _element(element_id: str, kind: str, inside: str) -> str:
    name, _, attributes = kind.partition(" ")
    return f'<bpmn:{name} id="{element_id}" {attributes}>{inside}</bpmn:{name}>\n'


def _flow(flow: str) -> str:
    ends, _, condition = flow.partition(" ")
    source, _, target = ends.partition(">")
    inner = f"<bpmn:conditionExpression>{condition}</bpmn:conditionExpression>" if condition else ""
    return f'<bpmn:sequenceFlow id="{source}_{target}" sourceRef="{source}" targetRef="{target}">{inner}</bpmn:sequenceFlow>\n'
