"""Camunda 7 in words of Camunda 8: what each ``camunda:`` attribute and element is called here, and what has no counterpart.

Activiti and Flowable, from which Camunda 7 once came apart, write most of the same names in namespaces of their own. Source: the
reference of Camunda 7's extension attributes and elements, and Camunda's guide to moving models from 7 to 8.
"""

from __future__ import annotations

import re
from typing import Final

from dmn import DmnError, compile_expression

NAMESPACES: Final = {
    "http://camunda.org/schema/1.0/bpmn": "camunda",
    "http://activiti.org/bpmn": "activiti",
    "http://flowable.org/bpmn": "flowable",
}
"""By namespace: the prefix that people know it by."""

_TYPE: Final = "Use zeebe:taskDefinition type, and serve that job type with a function or an outside worker."
_VALUE: Final = "Write the value as FEEL in zeebe:input or zeebe:output: a list as [a, b], a map as {key: value}."
_NO_JAVA: Final = (
    "Remove it: no Java runs here. Map variables with zeebe:ioMapping, or do it in a step (zeebe:taskDefinition)."
)
_EACH_ACT: Final = (
    "Remove it: a step runs in the transaction of whoever moved the flow, a job after its commit. Choose by registering "
    "the type of zeebe:taskDefinition as one or the other."
)
_STARTERS: Final = "Remove it: who may start a process is a matter of roles, not of the diagram."
_RESULT: Final = "Use zeebe:script resultVariable or zeebe:calledDecision resultVariable; of a job, zeebe:output."
_CASES: Final = "Remove it: cases (CMMN) do not run. Call a process with zeebe:calledElement processId."
_TENANTS: Final = "Remove it: one installation is one plant."
_NUMBER: Final = "Bind with bindingType: deployment, latest, or versionTag with the versionTag that the newest fitting version bears."
_FORMS: Final = "Use zeebe:formDefinition formId and a .form file with that id in the bundle."
_CATCHES: Final = (
    "Read it from the variables that the error or escalation brings (zeebe:ioMapping output of the event)."
)

ATTRIBUTES: Final = {
    "assignee": "Use zeebe:assignmentDefinition assignee.",
    "async": _EACH_ACT,
    "asyncAfter": _EACH_ACT,
    "asyncBefore": _EACH_ACT,
    "calledElementBinding": "Use zeebe:calledElement bindingType (deployment, latest or versionTag).",
    "calledElementTenantId": _TENANTS,
    "calledElementVersion": _NUMBER,
    "calledElementVersionTag": "Use zeebe:calledElement bindingType=versionTag and versionTag.",
    "candidateGroups": "Use zeebe:assignmentDefinition candidateGroups.",
    "candidateStarterGroups": _STARTERS,
    "candidateStarterUsers": _STARTERS,
    "candidateUsers": "Use zeebe:assignmentDefinition candidateUsers.",
    "caseBinding": _CASES,
    "caseRef": _CASES,
    "caseTenantId": _CASES,
    "caseVersion": _CASES,
    "class": _TYPE,
    "collection": "Use zeebe:loopCharacteristics inputCollection, as FEEL.",
    "decisionRef": "Use zeebe:calledDecision decisionId.",
    "decisionRefBinding": "Use zeebe:calledDecision bindingType (deployment, latest or versionTag).",
    "decisionRefTenantId": _TENANTS,
    "decisionRefVersion": _NUMBER,
    "decisionRefVersionTag": "Use zeebe:calledDecision bindingType=versionTag and versionTag.",
    "delegateExpression": _TYPE,
    "deploymentId": "Remove it: a deployment keeps its files together by itself.",
    "dueDate": "Use zeebe:taskSchedule dueDate, as FEEL.",
    "elementVariable": "Use zeebe:loopCharacteristics inputElement.",
    "errorCodeVariable": _CATCHES,
    "errorMessage": _CATCHES,
    "errorMessageVariable": _CATCHES,
    "escalationCodeVariable": _CATCHES,
    "exclusive": "Remove it: an instance is moved by one at a time always.",
    "expression": "Use zeebe:script with FEEL where it computes, zeebe:taskDefinition type where it does something.",
    "followUpDate": "Use zeebe:taskSchedule followUpDate, as FEEL.",
    "formHandlerClass": _FORMS,
    "formKey": _FORMS,
    "formRef": _FORMS,
    "formRefBinding": "Use zeebe:formDefinition bindingType (deployment, latest or versionTag).",
    "formRefVersion": _NUMBER,
    "historyTimeToLive": "Remove it: how long what is kept stands in the plant's retention rules.",
    "initiator": "Remove it: who started an instance is kept with it.",
    "isStartableInTasklist": _STARTERS,
    "jobPriority": "Use zeebe:jobPriorityDefinition priority; the greater is taken up sooner.",
    "mapDecisionResult": "Use zeebe:calledDecision resultVariable: the hit policy of the table says whether it is a value or a list.",
    "modelerTemplate": "Use zeebe:modelerTemplate with an element template of Camunda 8.",
    "modelerTemplateVersion": "Use an element template of Camunda 8, which writes its version beside zeebe:modelerTemplate.",
    "priority": "Use zeebe:priorityDefinition priority.",
    "resource": "Write the script as FEEL into zeebe:script expression.",
    "resultVariable": _RESULT,
    "taskPriority": "Use zeebe:jobPriorityDefinition priority; the greater is taken up sooner.",
    "topic": "Use zeebe:taskDefinition type with the topic's name.",
    "type": "Use zeebe:taskDefinition type.",
    "variableEvents": "Use zeebe:conditionalFilter variableEvents: create, update.",
    "variableMappingClass": _NO_JAVA,
    "variableMappingDelegateExpression": _NO_JAVA,
    "variableName": "Use zeebe:conditionalFilter variableNames; without it what the condition reads counts.",
    "versionTag": "Use zeebe:versionTag value in the process.",
}
"""By the name of the attribute: what to write here, or why there is nothing to write."""

ELEMENTS: Final = {
    "connector": "Use zeebe:taskDefinition type, with its parameters as zeebe:input.",
    "connectorId": "Use zeebe:taskDefinition type.",
    "constraint": "Write it as validate in the field of the .form file.",
    "entry": _VALUE,
    "errorEventDefinition": "Throw the BPMN error from the worker or the step instead.",
    "executionListener": "Use zeebe:executionListeners (eventType start or end; cancel of a process), and serve their job types.",
    "expression": "Write it as FEEL.",
    "failedJobRetryTimeCycle": "Use zeebe:taskDefinition retries, and the task header retryBackoff (PT10M) or backOff (minutes: 1, 5, 15).",
    "field": "Use zeebe:input, or a task header (zeebe:taskHeaders).",
    "formData": _FORMS,
    "formField": "Draw it as a field of the .form file.",
    "formProperty": "Draw it as a field of the .form file.",
    "in": "Use zeebe:ioMapping input; all variables: zeebe:calledElement propagateAllParentVariables.",
    "inputOutput": "Use zeebe:ioMapping.",
    "inputParameter": "Use zeebe:ioMapping input.",
    "list": _VALUE,
    "map": _VALUE,
    "option": "Write it as a value of the field in the .form file.",
    "out": "Use zeebe:ioMapping output; all variables: zeebe:calledElement propagateAllChildVariables.",
    "outputParameter": "Use zeebe:ioMapping output.",
    "potentialStarter": _STARTERS,
    "properties": "Use zeebe:properties.",
    "property": "Use zeebe:property.",
    "script": "Use zeebe:script with FEEL, or FEEL in the mapping.",
    "string": _VALUE,
    "taskListener": "Use zeebe:taskListeners (creating, assigning, updating, completing or canceling), and serve their job types.",
    "validation": "Write it as validate in the field of the .form file.",
    "value": _VALUE,
}
"""By the name of the element."""

READ_OVER: Final = frozenset({"diagramRelationId"})
"""What Camunda's Web Modeler writes into diagrams of Camunda 8 too: where it keeps them. It means nothing to a run."""

_JUEL: Final = re.compile(r"\s*[$#]\{(.*)\}\s*\Z", re.DOTALL)
_IN_FEEL: Final = (
    (re.compile(r"&&"), " and "),
    (re.compile(r"\|\|"), " or "),
    (re.compile(r"=="), "="),
    (re.compile(r"'([^'\"]*)'"), r'"\1"'),
    (re.compile(r"!(?!=)\s*([A-Za-z_][\w.]*)"), r"not(\1)"),
    (re.compile(r"\bnot\s+([A-Za-z_][\w.]*)"), r"not(\1)"),
    (re.compile(r"\bempty\s+([A-Za-z_][\w.]*)"), r"(\1 = null)"),
    (re.compile(r"\s{2,}"), " "),
)


def remedy_of(name: str, *, is_attribute: bool) -> str:
    """Return what to write instead of an attribute or element of Camunda 7."""
    known = ATTRIBUTES if is_attribute else ELEMENTS
    return known.get(name, "Remove it, or model it with the zeebe: elements of Camunda 8.")


def in_feel(text: str) -> str | None:
    """Return a JUEL expression (``${amount > 5}``) as FEEL with ``=``; None when it is no JUEL, or more than a new spelling."""
    match = _JUEL.match(text)
    if match is None or "${" in match[1] or "#{" in match[1]:
        return None
    feel = match[1].strip()
    for old, new in _IN_FEEL:
        feel = old.sub(new, feel)
    try:
        names = compile_expression(feel).reads
    except DmnError:
        return None
    # FEEL allows spaces in names, and calls of functions that nobody lends: what was an operator or a method is neither.
    is_alike = not any(" " in name for name in names) and not re.search(r"\.\w+\s*\(", feel)
    return f"={feel.strip()}" if is_alike else None
