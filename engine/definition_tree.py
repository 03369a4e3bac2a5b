"""Diagrams, decision tables and forms as trees of rows: what a redline of a definition compares, in words a process engineer uses.

How something is drawn (places, waypoints, the order of elements in the file) is no part of the tree: it changes nothing that runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from dmn.documents import Element, attribute, child, children, local, read_document
from dmn.errors import DmnError
from engine.bundle import normalised, read_diagrams
from engine.comparison import compare
from engine.errors import Invalid
from engine.redline import Field, Redline, Row, Shape
from engine.spiff import ElementInfo, Expr, FlowInfo, ProcessSpec, Unreadable

LAYOUT = frozenset({"layout", "exporter", "executionPlatform", "executionPlatformVersion", "schemaVersion"})
"""Keys of a form that say how it is laid out or who wrote it."""
PLAIN = {"id": "id", "key": "variable", "label": "label", "type": "type"}


def compare_files(old: tuple[str, bytes], new: tuple[str, bytes]) -> Redline:
    """Return how a definition differs from an older one. old, new: path and bytes; the kind is the path's ending.

    Raises: Invalid when they are of two kinds, or one of them cannot be read.
    """
    kinds = [PurePosixPath(path).suffix for path, _ in (old, new)]
    if kinds[0] != kinds[1] or kinds[0] not in READERS:
        raise Invalid(f"Expected two .bpmn, two .dmn or two .form files, but found {old[0]} and {new[0]}")
    read = READERS[kinds[0]]
    return compare(read(*old), read(*new), header="The " + WORDS[kinds[0]], basis=old[0])


def diagram_tree(path: str, content: bytes) -> Row:
    """Return a BPMN file: its processes with their elements and flows. Raises: Invalid when it cannot run."""
    try:
        bundle = read_diagrams({path: normalised(content)})
    except Unreadable as error:
        raise Invalid(f"Expected a diagram that can be read, but {path} cannot: {error}") from error
    rows = tuple(_process(spec) for spec in bundle.processes.values())
    return Row(path, "", {}, rows, is_ordered=False)


def _process(spec: ProcessSpec) -> Row:
    fields = {
        "version_tag": Field("version tag", spec.version_tag),
        **{f"property {name}": Field(name, text) for name, text in spec.properties.items()},
    }
    elements = [_element(spec, info) for info in spec.elements.values()]
    flows = [_flow(spec, flow) for flow in spec.flows.values()]
    return Row(_quoted(spec.name, spec.id), "Process", fields, (*elements, *flows), identity=spec.id, is_ordered=False)


def _element(spec: ProcessSpec, info: ElementInfo) -> Row:
    fields = {name: Field(label, text) for name, label, text in _said(spec, info) if text}
    if info.documentation:
        fields["documentation"] = Field("documentation", info.documentation, Shape.TEXT, is_clerical=True)
    mappings = [
        Row(
            ".".join(one.target),
            word,
            {"source": Field("value", one.source.text)},
            identity=f"{word} {'.'.join(one.target)}",
        )
        for word, found in (("Input", info.inputs), ("Output", info.outputs))
        for one in {".".join(one.target): one for one in found}.values()
    ]
    return Row(
        _quoted(info.name, info.id),
        _kind(info),
        fields,
        tuple(mappings),
        identity=f"element {info.id}",
        is_ordered=False,
    )


def _kind(info: ElementInfo) -> str:
    words = "".join(f" {sign.lower()}" if sign.isupper() else sign for sign in info.kind)
    if info.is_event_subprocess:
        words = "event sub-process"
    if info.event is not None and info.event.kind != "none":
        words = f"{info.event.kind} {words.removeprefix('intermediate ').removesuffix(' event')} event"
    return words[:1].upper() + words[1:]


def _said(spec: ProcessSpec, info: ElementInfo) -> Iterator[tuple[str, str, str | None]]:
    """Yield (name, label, text) of everything an element says but its name and its mappings."""
    yield "kind", "kind", info.kind
    yield "lane", "lane", info.lane
    parent = spec.elements.get(info.parent_id)
    yield "parent", "sub-process", _quoted(parent.name, parent.id) if parent is not None else None
    yield "attached", "attached to", info.attached_to
    if (user := info.user_task) is not None:
        for name, label in USER_TASK.items():
            yield name, label, _text(getattr(user, name))
    for name, text in info.properties.items():
        yield f"property {name}", name, text
    for name, text in info.headers.items():
        yield f"header {name}", f"header {name}", text
    if info.task is not None:
        yield "type", "job type", _text(info.task.type)
        yield "retries", "retries", _text(info.task.retries)
    for listener in info.listeners:
        label = f"listener of {listener.moment} {_text(listener.task.type)}"
        yield label, label, _text(listener.task.retries)
    if info.decision is not None:
        yield "decision", "decision", f"{info.decision.decision_id.text} ({info.decision.binding})"
        yield "result", "result variable", info.decision.result_variable
    if info.called is not None:
        yield "called", "called process", f"{info.called.process_id.text} ({info.called.binding})"
    if info.script is not None:
        yield "script", "script", info.script.expression.text
        yield "result", "result variable", info.script.result_variable
    yield from _loop(info)
    yield from _event(info)


USER_TASK = {
    "assignee": "assignee", "candidate_users": "candidate users", "candidate_groups": "candidate groups",
    "due_date": "due date", "follow_up_date": "follow-up date", "priority": "priority", "form_id": "form",
}  # fmt: skip


def _loop(info: ElementInfo) -> Iterator[tuple[str, str, str | None]]:
    if (loop := info.loop) is None:
        return
    yield (
        "loop",
        "repeated",
        f"{'one after the other' if loop.is_sequential else 'at once'} for each of {loop.input_collection.text}",
    )
    yield "loop element", "element variable", loop.input_element
    yield "loop output", "output collection", loop.output_collection
    yield "loop value", "output element", _text(loop.output_element)
    yield "loop end", "completion condition", _text(loop.completion)


def _event(info: ElementInfo) -> Iterator[tuple[str, str, str | None]]:
    if (event := info.event) is None:
        return
    yield "event", "event", event.kind if event.kind != "none" else None
    yield "event name", event.kind, _text(event.name)
    yield "event key", "correlation key", _text(event.key)
    yield "event code", "code", _text(event.code)
    yield "timer", f"timer {event.timer or ''}".strip(), _text(event.when)
    yield "condition", "condition", _text(event.condition)
    yield "activity", "compensated activity", event.activity
    if info.kind == "boundaryEvent":
        yield "interrupting", "interrupts", "yes" if event.is_interrupting else "no"


def _flow(spec: ProcessSpec, flow: FlowInfo) -> Row:
    fields = {
        "source": Field("from", _end(spec, flow.source)),
        "target": Field("to", _end(spec, flow.target)),
        "condition": Field("condition", _text(flow.condition)),
        "default": Field("is the default", "true" if flow.is_default else None, Shape.TRUTH),
    }
    return Row(_quoted(flow.name, flow.id), "Flow", fields, identity=f"flow {flow.id}")


def _end(spec: ProcessSpec, element_id: str) -> str:
    """Return what a flow's end is called: by id, so that a task with another name is no other way."""
    return element_id if element_id in spec.elements else f"{element_id} (missing)"


def _quoted(name: str | None, identity: str) -> str:
    return f"“{' '.join(name.split())}”" if name and name.strip() else identity


def _text(value: Expr | str | None) -> str | None:
    return value.text if isinstance(value, Expr) else value


def table_tree(path: str, content: bytes) -> Row:
    """Return a DMN file: its decisions with hit policy, columns and rules, told apart by their ids. Raises: Invalid."""
    try:
        document = read_document(content, path)
    except DmnError as error:
        raise Invalid(f"Expected a table that can be read, but {path} cannot: {error.message}") from error
    rows: list[Row] = []
    for element in document.root:
        if local(element) not in (
            "decision",
            "inputData",
            "businessKnowledgeModel",
        ):
            continue
        words = {"decision": "Decision", "inputData": "Input data"}.get(local(element), "Business knowledge")
        rows.append(_decision(element, words))
    return Row(path, "", {}, _told_apart(rows), is_ordered=False)


def _decision(element: Element, words: str) -> Row:
    name = _quoted(attribute(element, "name"), attribute(element, "id") or "")
    fields = {"description": Field("description", _of(element, "description"), Shape.TEXT, is_clerical=True)}
    variable = child(element, "variable")
    if variable is not None:
        fields["type"] = Field("type", attribute(variable, "typeRef"))
    literal = child(element, "literalExpression")
    if literal is not None:
        fields["expression"] = Field("expression", _of(literal, "text"))
    for one in children(element, "informationRequirement"):
        href = next((attribute(part, "href") for part in children(one)), None)
        fields[f"requires {href}"] = Field("requires", (href or "").lstrip("#"))
    table = child(element, "decisionTable")
    return Row(name, words, fields, _table(table) if table is not None else (), identity=attribute(element, "id"))


def _table(table: Element) -> tuple[Row, ...]:
    inputs, outputs = list(children(table, "input")), list(children(table, "output"))
    policy = " ".join(filter(None, (attribute(table, "hitPolicy") or "UNIQUE", attribute(table, "aggregation"))))
    how = Row("hit policy", "Its", {"policy": Field("hit policy", policy)}, identity="hit policy")
    columns = [_input(one, number) for number, one in enumerate(inputs, 1)]
    columns += [_output(one, number) for number, one in enumerate(outputs, 1)]
    annotations = [attribute(one, "name") or "annotation" for one in children(table, "annotation")]
    names = [*(column.key for column in columns), *annotations]
    rules = [_rule(one, number, names) for number, one in enumerate(children(table, "rule"), 1)]
    return (how, *_told_apart(columns), *_told_apart(rules))


def _input(element: Element, number: int) -> Row:
    asked = child(element, "inputExpression")
    text = _of(asked, "text") if asked is not None else None
    fields = {
        "expression": Field("expression", text),
        "type": Field("type", attribute(asked, "typeRef") if asked is not None else None),
        "values": Field("allowed values", _of(child(element, "inputValues"), "text")),
        "label": Field("label", attribute(element, "label"), is_clerical=True),
    }
    return Row(text or f"input {number}", "Input", fields, identity=attribute(element, "id") or f"input {number}")


def _output(element: Element, number: int) -> Row:
    name = attribute(element, "name") or f"output {number}"
    fields = {
        "type": Field("type", attribute(element, "typeRef")),
        "values": Field("allowed values", _of(child(element, "outputValues"), "text")),
        "default": Field("default", _of(child(element, "defaultOutputEntry"), "text")),
        "label": Field("label", attribute(element, "label"), is_clerical=True),
    }
    return Row(name, "Output", fields, identity=attribute(element, "id") or f"output {number}")


def _rule(element: Element, number: int, names: list[str]) -> Row:
    cells = [*children(element, "inputEntry"), *children(element, "outputEntry"), *children(element, "annotationEntry")]
    fields: dict[str, Field] = {}
    for index, cell in enumerate(cells):
        name = names[index] if index < len(names) else f"cell {index + 1}"
        fields[f"{local(cell)} {name}"] = Field(
            name, _of(cell, "text") or "-", is_clerical=local(cell) == "annotationEntry"
        )
    fields["description"] = Field("description", _of(element, "description"), Shape.TEXT, is_clerical=True)
    # A rule is its id, wherever it stands: its row says where, and the order is compared by itself.
    return Row(attribute(element, "id") or f"row {number}", "Rule", fields)


def _of(element: Element | None, name: str) -> str | None:
    found = child(element, name) if element is not None else None
    return (found.text or "").strip() or None if found is not None else None


def form_tree(path: str, content: bytes) -> Row:
    """Return a form: its fields in their order, groups with what is in them. Raises: Invalid when it is none."""
    try:
        schema = json.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise Invalid(f"Expected a form as JSON, but {path} is none: {error}") from error
    if not isinstance(schema, dict) or not isinstance(schema.get("components"), list):
        raise Invalid(f"Expected a form with components, but {path} has none")
    return Row(path, "", {"id": Field("id", str(schema.get("id", "")))}, _components(schema["components"]))


def _components(found: list[Any]) -> tuple[Row, ...]:
    return _told_apart([_component(one, number) for number, one in enumerate(found, 1) if isinstance(one, dict)])


def _component(one: Mapping[str, Any], number: int) -> Row:
    fields: dict[str, Field] = {}
    rows: list[Row] = []
    for name, value in one.items():
        if name in LAYOUT or name in ("components", "id", "label"):
            # Its label is what a field is called: another one is told as a new name, not twice.
            continue
        if name == "values" and isinstance(value, list):
            rows += [_choice(choice) for choice in value if isinstance(choice, dict)]
        else:
            fields.update(_flat(name, value))
    below = one.get("components")
    rows += _components(below) if isinstance(below, list) else ()
    called = one.get("label") or one.get("key") or one.get("id") or str(number)
    kind = {"group": "Group", "dynamiclist": "List", "text": "Text", "button": "Button"}.get(
        str(one.get("type")), "Field"
    )
    identity = str(one.get("key") or one.get("path") or one.get("id") or number)
    return Row(_quoted(str(called)[:60], identity), kind, fields, _told_apart(rows), identity)


def _choice(choice: Mapping[str, Any]) -> Row:
    value = str(choice.get("value", ""))
    return Row(value, "Choice", {"label": Field("label", str(choice.get("label", "")))}, identity=f"choice {value}")


def _flat(name: str, value: Any) -> Iterator[tuple[str, Field]]:
    if isinstance(value, Mapping):
        for inner, below in value.items():
            yield from _flat(
                f"{name}.{inner}" if name not in ("validate", "conditional", "properties") else inner, below
            )
        return
    label = PLAIN.get(name) or "".join(f" {sign.lower()}" if sign.isupper() else sign for sign in name)
    is_prose = name in ("text", "description", "label")
    text = (
        None
        if value is None or value is False
        else "yes"
        if value is True
        else value
        if isinstance(value, str)
        else json.dumps(value)
    )
    yield name, Field(label, text, Shape.TEXT if is_prose else Shape.CODE)


def _told_apart(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return rows with handles that differ: a second row of the same one is told by its number."""
    seen: dict[str, int] = {}
    found: list[Row] = []
    for row in rows:
        seen[row.handle] = count = seen.get(row.handle, 0) + 1
        found.append(row if count == 1 else _numbered(row, count))
    return tuple(found)


def _numbered(row: Row, count: int) -> Row:
    identity = f"{row.identity} ({count})" if row.identity else None
    return Row(f"{row.key} ({count})", row.kind, row.fields, row.rows, identity, row.is_ordered)


READERS = {".bpmn": diagram_tree, ".dmn": table_tree, ".form": form_tree}
WORDS = {".bpmn": "diagram", ".dmn": "table", ".form": "form"}
