"""Read what the ``zeebe:`` elements of one activity say: who does it, which job it is, what it calls, asks, repeats and maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from lxml import etree

from engine.spiff.extensions import (
    AdHoc,
    CalledDecision,
    CalledElement,
    Expr,
    IoMapping,
    Loop,
    Script,
    TaskDefinition,
    UserTaskSpec,
)
from engine.spiff.xml import BPMN, Reader, child, kind_of, text_of, zeebe

EMBEDDED: Final = "camunda-forms:bpmn:"
"""What the key of a form begins with that stands in the diagram itself."""
BINDINGS: Final = ("deployment", "latest", "versionTag")
"""Which version a called process, an asked decision or a form is taken from."""


def own_form(process_id: str, key: str) -> str:
    """Return the form id under which a form of the diagram itself is known; copied diagrams bear the same keys."""
    return f"{process_id}#{key.removeprefix(EMBEDDED)}"


def read_pairs(node: etree._Element, group: str, key: str) -> dict[str, str]:
    """Return the keys and values of a group of ``zeebe:`` elements, such as properties. key: the attribute that names one."""
    found = zeebe(node, group)
    pairs = found if found is not None else ()
    return {pair.get(key) or "": pair.get("value") or "" for pair in pairs}


def read_user_task(reader: Reader, node: etree._Element, process_id: str) -> UserTaskSpec:
    """Return what is said about a human task; what is wrong is refused to the reader."""

    def read(element: str, attribute: str) -> Expr | None:
        found = zeebe(node, element)
        return reader.expression(node, found.get(attribute), attribute) if found is not None else None

    form = zeebe(node, "formDefinition")
    if form is not None and form.get("externalReference"):
        message = "Expected a form of the bundle, but the task refers to one elsewhere."
        reader.refuse(node, message, "Use zeebe:formDefinition formId and a .form file with that id.")
    binding, version_tag = _binding(reader, node, form) if form is not None else ("deployment", None)
    form_id = read("formDefinition", "formId") or read("formDefinition", "formKey")
    if form_id is not None and form_id.text.startswith(EMBEDDED):
        form_id = Expr(own_form(process_id, form_id.text), None)
    return UserTaskSpec(
        assignee=read("assignmentDefinition", "assignee"),
        candidate_users=read("assignmentDefinition", "candidateUsers"),
        candidate_groups=read("assignmentDefinition", "candidateGroups"),
        due_date=read("taskSchedule", "dueDate"),
        follow_up_date=read("taskSchedule", "followUpDate"),
        priority=read("priorityDefinition", "priority"),
        form_id=form_id,
        form_binding=binding,
        form_version_tag=version_tag,
        properties=read_pairs(node, "properties", "name"),
        headers=read_pairs(node, "taskHeaders", "key"),
    )


def read_task_definition(reader: Reader, node: etree._Element) -> TaskDefinition | None:
    """Return the job of an element with its priority, or None when it has no job."""
    found = zeebe(node, "taskDefinition")
    own = zeebe(node, "jobPriorityDefinition")
    if found is None and own is not None:
        message = "Expected a job, whose priority this is, but there is none."
        reader.refuse(node, message, "Set zeebe:taskDefinition type, or remove zeebe:jobPriorityDefinition.")
    task = read_work(reader, node, found) if found is not None else None
    said = own if own is not None else _priority_of_all(node)
    if task is None or said is None:
        return task
    return replace(task, priority=reader.expression(node, said.get("priority"), "the priority of the job"))


def _priority_of_all(node: etree._Element) -> etree._Element | None:
    """Return what the process says for all its jobs."""
    process = next((one for one in node.iterancestors(f"{{{BPMN}}}process")), None)
    return zeebe(process, "jobPriorityDefinition") if process is not None else None


def read_work(reader: Reader, node: etree._Element, found: etree._Element) -> TaskDefinition | None:
    """Return the job that a ``zeebe:`` element asks for by its type and retries; None where the type is refused."""
    type_ = reader.expression(node, found.get("type"), "the job type")
    if type_ is None:
        reader.refuse(node, f"Expected a job type, but zeebe:{kind_of(found)} names none.", "Fill in its type.")
        return None
    retries = reader.expression(node, found.get("retries"), "the retries") or Expr("3", None)
    return TaskDefinition(type_, retries)


def read_decision(reader: Reader, node: etree._Element) -> CalledDecision | None:
    """Return the decision that a business rule task asks for, or None."""
    found = zeebe(node, "calledDecision")
    if found is None:
        return None
    decision = reader.expression(node, found.get("decisionId"), "the decision id")
    result = found.get("resultVariable")
    if decision is None or not result:
        reader.refuse(
            node, "Expected a decision id and a result variable, but one is missing.", "Fill in zeebe:calledDecision."
        )
        return None
    return CalledDecision(decision, result, *_binding(reader, node, found))


def _binding(reader: Reader, node: etree._Element, found: etree._Element) -> tuple[str, str | None]:
    binding, tag = found.get("bindingType") or "deployment", found.get("versionTag")
    if binding not in BINDINGS:
        message = f'Expected a binding type of {", ".join(BINDINGS)}, but it is "{binding}".'
        reader.refuse(node, message, "Choose one of them.")
    elif binding == "versionTag" and not tag:
        message = "Expected the version tag that the binding looks for, but there is none."
        reader.refuse(node, message, "Fill in the version tag, or bind to latest.")
    return binding, tag


def read_called(reader: Reader, node: etree._Element) -> CalledElement | None:
    """Return the process that a call activity calls; without a process id it is refused."""
    found = zeebe(node, "calledElement")
    process = reader.expression(node, found.get("processId"), "the process id") if found is not None else None
    if found is None or process is None:
        reader.refuse(
            node, "Expected a called process, but the call activity names none.", "Set zeebe:calledElement processId."
        )
        return None
    takes, gives = (found.get(f"propagateAll{which}Variables") != "false" for which in ("Parent", "Child"))
    return CalledElement(process, *_binding(reader, node, found), takes, gives)


def read_script(reader: Reader, node: etree._Element) -> Script | None:
    """Return the FEEL of a script task; any other language is refused."""
    found = zeebe(node, "script")
    if child(node, "script") is not None:
        remedy = "Remove bpmn:script and use zeebe:script with a FEEL expression and a result variable."
        reader.refuse(node, "Expected a FEEL script, but the task carries a bpmn:script.", remedy)
        return None
    if found is None:
        return None
    expression = reader.feel(node, found.get("expression"), "the script")
    result = found.get("resultVariable")
    if expression is None or not result:
        if found.get("expression") is None or not result:
            reader.refuse(
                node, "Expected a FEEL expression and a result variable, but one is missing.", "Fill in zeebe:script."
            )
        return None
    return Script(expression, result)


def read_loop(reader: Reader, node: etree._Element) -> Loop | None:
    """Return how an activity is repeated for each of many, or None."""
    found = child(node, "multiInstanceLoopCharacteristics")
    if found is None:
        return None
    details = zeebe(found, "loopCharacteristics")
    collection = (
        reader.feel(node, details.get("inputCollection"), "the input collection") if details is not None else None
    )
    if details is None or collection is None:
        remedy = (
            "Set zeebe:loopCharacteristics inputCollection to a FEEL list, such as =people or =for i in 1..3 return i."
        )
        reader.refuse(node, "Expected a list to work through, but the multi-instance names none.", remedy)
        return None
    element = reader.feel(node, details.get("outputElement"), "the output element")
    output = details.get("outputCollection")
    if (element is None) != (not output):
        reader.refuse(
            node, "Expected both output collection and output element, but one is missing.", "Fill in both or neither."
        )
    condition = child(found, "completionCondition")
    return Loop(
        is_sequential=found.get("isSequential") == "true",
        input_collection=collection,
        input_element=details.get("inputElement") or None,
        output_collection=output or None,
        output_element=element,
        completion=reader.feel(node, text_of(condition), "the completion condition"),
    )


def read_ad_hoc(reader: Reader, node: etree._Element) -> AdHoc:
    """Return how an ad-hoc sub-process begins, collects and ends."""
    details = zeebe(node, "adHoc")
    said: Mapping[str, str] = {str(key): str(value) for key, value in details.items()} if details is not None else {}
    element = reader.feel(node, said.get("outputElement"), "the output element")
    output = said.get("outputCollection") or None
    if (said.get("outputElement") is None) != (output is None):
        message = "Expected both output collection and output element, but one is missing."
        reader.refuse(node, message, "Fill in both or neither.")
    if node.get("ordering") == "Sequential":
        message = "Expected what is chosen to run side by side, but the ordering is Sequential."
        reader.refuse(node, message, "Remove the ordering, and begin one element after the other.")
    is_said = bool(said.get("activeElementsCollection")) or child(node, "completionCondition") is not None
    if zeebe(node, "taskDefinition") is not None and is_said:
        message = "Expected either the diagram or a worker to choose what is done, but both are to."
        reader.refuse(
            node, message, "Remove zeebe:taskDefinition, or activeElementsCollection and completionCondition."
        )
    if node.get("triggeredByEvent") == "true":
        message = "Expected an ad-hoc sub-process in the flow, but it is to begin by an event."
        reader.refuse(node, message, "Put it into an event sub-process.")
    return AdHoc(
        active=reader.feel(node, said.get("activeElementsCollection"), "the active elements"),
        output_collection=output,
        output_element=element,
        completion=reader.feel(node, text_of(child(node, "completionCondition")), "the completion condition"),
        cancels=node.get("cancelRemainingInstances") not in ("false", "0"),
    )


def read_mappings(reader: Reader, node: etree._Element, direction: str) -> tuple[IoMapping, ...]:
    """Return the mappings of an element. direction: ``input`` or ``output``."""
    mapping = zeebe(node, "ioMapping")
    mappings: list[IoMapping] = []
    for found in mapping if mapping is not None else ():
        if etree.QName(found).localname != direction:
            continue
        source = reader.expression(node, found.get("source"), f"the {direction} mapping") or Expr("", None)
        target = tuple((found.get("target") or "").split("."))
        if not all(target):
            reader.refuse(
                node, f"Expected a target for each {direction} mapping, but one has none.", "Fill in the target name."
            )
            continue
        mappings.append(IoMapping(source, target))
    return tuple(mappings)
