"""Small diagrams, written as short text and turned into BPMN, so that a test shows its model in a few lines."""

from __future__ import annotations

from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" '
    'xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns:camunda="http://camunda.org/schema/1.0/bpmn" id="definitions">\n'
)


def diagram(*processes: str, definitions: str = "") -> bytes:
    return (HEAD + "\n".join(processes) + "\n" + definitions + "\n</bpmn:definitions>\n").encode()


def process(*parts: str, id: str = "p", flows: str = "", executable: bool = True) -> str:
    inside = "\n".join((*parts, sequence(flows)))
    return f'<bpmn:process id="{id}" isExecutable="{"true" if executable else "false"}">\n{inside}\n</bpmn:process>'


def sequence(text: str) -> str:
    """Turn ``a > b > c`` and ``x -[=cond]-> y`` lines into sequence flows; ``a -> b`` is one flow."""
    flows = []
    for line in (part.strip() for part in text.strip().splitlines()):
        if not line:
            continue
        if "-[" in line:
            source, rest = line.split("-[", 1)
            condition, target = rest.split("]->", 1)
            flows.append((source.strip(), target.strip(), condition))
        else:
            nodes = [node.strip() for node in line.split(">")]
            flows += [(first, second, None) for first, second in pairwise(nodes)]
    drawn: list[str] = []
    known: set[tuple[str, str]] = set()
    for number, (source, target, condition) in enumerate(flows):
        inner = f"<bpmn:conditionExpression>{escape(condition)}</bpmn:conditionExpression>" if condition else ""
        name = f"{source}_{target}" if (source, target) not in known else f"{source}_{target}_{number}"
        known.add((source, target))
        drawn.append(
            f'<bpmn:sequenceFlow id="{name}" sourceRef="{source}" targetRef="{target}">{inner}</bpmn:sequenceFlow>'
        )
    return "\n".join(drawn)


def node(kind: str, id: str, *inside: str, extensions: str = "", **attributes: str) -> str:
    extra = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    zeebe = f"<bpmn:extensionElements>{extensions}</bpmn:extensionElements>" if extensions else ""
    return f'<bpmn:{kind} id="{id}"{extra}>{zeebe}{"".join(inside)}</bpmn:{kind}>'


def start(id: str = "s", *inside: str, **attributes: str) -> str:
    return node("startEvent", id, *inside, **attributes)


def end(id: str = "e", *inside: str, **attributes: str) -> str:
    return node("endEvent", id, *inside, **attributes)


def user(id: str, *inside: str, extensions: str = "", **attributes: str) -> str:
    return node("userTask", id, *inside, extensions="<zeebe:userTask />" + extensions, **attributes)


def service(id: str, *inside: str, type: str | None = None, extensions: str = "", **attributes: str) -> str:
    task = f"<zeebe:taskDefinition type={quoteattr(type or id)} />"
    return node("serviceTask", id, *inside, extensions=task + extensions, **attributes)


def script(id: str, expression: str, result: str) -> str:
    return node(
        "scriptTask",
        id,
        extensions=f"<zeebe:script expression={quoteattr(expression)} resultVariable={quoteattr(result)} />",
    )


def io(*, inputs: dict[str, str] | None = None, outputs: dict[str, str] | None = None) -> str:
    rows = [
        f"<zeebe:input source={quoteattr(value)} target={quoteattr(key)} />" for key, value in (inputs or {}).items()
    ]
    rows += [
        f"<zeebe:output source={quoteattr(value)} target={quoteattr(key)} />" for key, value in (outputs or {}).items()
    ]
    return f"<zeebe:ioMapping>{''.join(rows)}</zeebe:ioMapping>"


def listeners(group: str = "execution", **types: str) -> str:
    """Listeners of an element: ``start="job.type"``; several of one moment by comma."""
    rows = [
        f'<zeebe:{group}Listener eventType="{moment}" type={quoteattr(one.strip())} />'
        for moment, named in types.items()
        for one in named.split(",")
    ]
    return f"<zeebe:{group}Listeners>{''.join(rows)}</zeebe:{group}Listeners>"


def properties(**values: str) -> str:
    return (
        "<zeebe:properties>"
        + "".join(f'<zeebe:property name="{k}" value={quoteattr(v)} />' for k, v in values.items())
        + "</zeebe:properties>"
    )


def each(
    collection: str,
    *,
    sequential: bool = False,
    element: str = "item",
    output: str = "",
    collect: str = "",
    until: str = "",
) -> str:
    attributes = f"inputCollection={quoteattr(collection)} inputElement={quoteattr(element)}"
    if collect:
        attributes += f" outputCollection={quoteattr(output)} outputElement={quoteattr(collect)}"
    condition = f"<bpmn:completionCondition>{escape(until)}</bpmn:completionCondition>" if until else ""
    return (
        f'<bpmn:multiInstanceLoopCharacteristics isSequential="{str(sequential).lower()}"><bpmn:extensionElements>'
        f"<zeebe:loopCharacteristics {attributes} /></bpmn:extensionElements>{condition}</bpmn:multiInstanceLoopCharacteristics>"
    )


def sub(
    id: str, *parts: str, flows: str = "", kind: str = "subProcess", extensions: str = "", **attributes: str
) -> str:
    return node(kind, id, *parts, sequence(flows), extensions=extensions, **attributes)


def event_sub(id: str, *parts: str, flows: str = "") -> str:
    return sub(id, *parts, flows=flows, triggeredByEvent="true")


def call(id: str, process_id: str, *inside: str, extensions: str = "", **attributes: str) -> str:
    extra = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return node(
        "callActivity",
        id,
        *inside,
        extensions=f"<zeebe:calledElement processId={quoteattr(process_id)}{extra} />" + extensions,
    )


def timer(kind: str, text: str) -> str:
    tag = {"date": "timeDate", "duration": "timeDuration", "cycle": "timeCycle"}[kind]
    return f"<bpmn:timerEventDefinition><bpmn:{tag}>{escape(text)}</bpmn:{tag}></bpmn:timerEventDefinition>"


def on(kind: str, reference: str = "", **attributes: str) -> str:
    """An event definition; ``reference`` is the id of the message, signal, error or escalation."""
    if reference:
        attributes[f"{kind}Ref"] = reference
    extra = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<bpmn:{kind}EventDefinition{extra} />"


def when(condition: str, **filtered: str) -> str:
    """A condition; filtered: variableNames and variableEvents at whose change it is asked."""
    attributes = "".join(f" {key}={quoteattr(value)}" for key, value in filtered.items())
    inside = (
        f"<bpmn:extensionElements><zeebe:conditionalFilter{attributes} /></bpmn:extensionElements>" if filtered else ""
    )
    told = f"<bpmn:condition>{escape(condition)}</bpmn:condition>"
    return f"<bpmn:conditionalEventDefinition>{inside}{told}</bpmn:conditionalEventDefinition>"


def boundary(id: str, at: str, definition: str, *, interrupting: bool = True, extensions: str = "") -> str:
    return node(
        "boundaryEvent",
        id,
        definition,
        extensions=extensions,
        attachedToRef=at,
        cancelActivity=str(interrupting).lower(),
    )


def message(id: str, name: str, key: str = "=key") -> str:
    subscription = f"<zeebe:subscription correlationKey={quoteattr(key)} />"
    return node("message", id, extensions=subscription, name=name)


def association(id: str, source: str, target: str) -> str:
    return f'<bpmn:association id="{id}" associationDirection="One" sourceRef="{source}" targetRef="{target}" />'
