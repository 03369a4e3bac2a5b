"""Listeners: work that is done beside an element's own, before it begins, when its task is completed, or before it is left.

Each is a job type, served like that of a service task: by a step in the act, by a job after it, or by a worker outside. They
come one after the other in the order of the diagram, and the token waits for each. Only those that hear of an end by force are
waited for by nobody: what they are told of has happened (``bid_farewell``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from engine.spiff.codec import NotStorable
from engine.spiff.extensions import Listener, TaskDefinition
from engine.spiff.host import PENDING, Answer, BpmnError, Host, Incident, Unheard, WorkFailed, WorkItem, WrongVerdict
from engine.spiff.scopes import View
from engine.spiff.verdicts import (
    ASSIGNING,
    CANCELING,
    CHANGES,
    COMPLETING,
    CREATING,
    UPDATING,
    VERDICT,
    headers_of_task,
    heed,
)
from engine.spiff.xml import ZEEBE, Reader, child, children, kind_of, zeebe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.spiff.driver import Driver
    from engine.spiff.elements import ElementInfo
    from engine.spiff.token import Token

START, END, BEFORE_ALL, CANCEL = "start", "end", "beforeAll", "cancel"
_GROUPS: Final = {
    "executionListeners": (START, END, BEFORE_ALL, CANCEL),
    "taskListeners": (CREATING, ASSIGNING, UPDATING, COMPLETING, CANCELING),
}
LISTENED: Final = frozenset(_GROUPS)
OF_TASKS: Final = frozenset(_GROUPS["taskListeners"])
_OLDER: Final = {
    "create": CREATING,
    "assignment": ASSIGNING,
    "update": UPDATING,
    "complete": COMPLETING,
    "cancel": CANCELING,
}
"""What task listeners were called before Camunda 8.8."""
_BEGUN: Final = frozenset({"startEvent", "boundaryEvent"})
"""Kinds that have happened already when a token comes to them."""
_ENDED: Final = frozenset({"error", "cancel"})
"""What an end event throws that takes its token away before it could be left."""


def read_listeners(
    reader: Reader,
    node: etree._Element,
    work: Callable[[Reader, etree._Element, etree._Element], TaskDefinition | None],
) -> tuple[Listener, ...]:
    """Read the listeners of an element, and refuse those that nobody would call. work: reads type and retries."""
    return tuple(_listeners(reader, node, work))


def _listeners(
    reader: Reader,
    node: etree._Element,
    work: Callable[[Reader, etree._Element, etree._Element], TaskDefinition | None],
) -> Iterator[Listener]:
    kind = kind_of(node)
    for group, moments in _GROUPS.items():
        found = zeebe(node, group)
        heard: set[tuple[str, str]] = set()
        for one in found.iterchildren(f"{{{ZEEBE}}}*") if found is not None else ():
            said = one.get("eventType") or ""
            moment = _OLDER.get(said, said) if group == "taskListeners" else said
            again = (moment, one.get("type") or "")
            if group == "taskListeners" and kind != "userTask":
                message = f"Expected task listeners at a user task, but this is a bpmn:{kind}."
                reader.refuse(node, message, "Use an execution listener.")
            elif moment not in moments:
                message = f'Expected a listener of {", ".join(moments[:-1])} or {moments[-1]}, but it is of "{said}".'
                reader.refuse(node, message, "Choose one of them.")
            elif why_not := _why_not(node, moment):
                reader.refuse(node, *why_not)
            elif group == "executionListeners" and again in heard:
                message = f'Expected each listener of {moment} once, but "{again[1]}" is there twice.'
                reader.refuse(node, message, "Remove one of them.")
            elif (task := work(reader, node, one)) is not None:
                yield Listener(moment, task, {pair.get("key") or "": pair.get("value") or "" for pair in _headers(one)})
            heard.add(again)


def _why_not(node: etree._Element, moment: str) -> tuple[str, str] | None:
    """Return why nobody would call a listener of this moment here, and what to do; None where it is called."""
    kind = kind_of(node)
    thrown = {kind_of(part).removesuffix("EventDefinition") for part in children(node)}
    if moment == BEFORE_ALL and child(node, "multiInstanceLoopCharacteristics") is None:
        message = (
            f"Expected what is repeated, before all of whose instances this is called, but this bpmn:{kind} is not."
        )
        return message, f"Let it be of {START}, or make it a multi-instance."
    if moment == CANCEL and kind != "process":
        message = f"Expected a listener of {CANCEL} at a process, but this is a bpmn:{kind}."
        return message, f"Put it at the process; at a user task a task listener of {CANCELING} is told."
    if (moment == START and kind in _BEGUN) or (moment == END and kind.endswith("Gateway")):
        message = f"Expected a listener that somebody calls, but a bpmn:{kind} has none of {moment}."
        return message, f"Let it be of {END if moment == START else START}."
    if kind == "boundaryEvent" and "compensate" in thrown:
        message = "Expected a listener that somebody calls, but nothing comes by where compensation is attached."
        return message, "Put it at the activity that undoes."
    if moment == END and kind == "endEvent" and thrown & _ENDED:
        message = "Expected a listener that somebody calls, but what this end event throws takes its token away."
        return message, f"Let it be of {START}, or put it where that is caught."
    return None


def _headers(listener: etree._Element) -> Iterator[etree._Element]:
    for group in listener.iterchildren(f"{{{ZEEBE}}}taskHeaders"):
        yield from group.iterchildren(f"{{{ZEEBE}}}header")


def tell(token: Token, moment: str) -> bool:
    """Let the listeners of a moment do their work; False while one of them is waited for. Raises: Incident."""
    data = token.internal_data
    listeners = [one for one in token.task_spec.listeners if one.moment == moment]
    if not listeners or "is_shell" in data:
        return True
    data.pop("hears", None)
    while "denied" not in data and (done := data.get("told", {}).get(moment, 0)) < len(listeners):
        try:
            item = _item(listeners[done], token.element, token.view(), token.flow.host, token.id)
            results = token.flow.work(replace(item, headers={**item.headers, **headers_of_task(token)}))
        except BpmnError as error:
            if moment in CHANGES:
                data["denied"] = error.message
                break
            # As at a task: thrown only after the run has returned, since whoever catches it cancels this very token.
            token.flow.cast(token, "error", code=error.code, message=error.message, variables=error.variables)
            return False
        except WorkFailed as failure:
            raise Incident(str(failure), "work") from failure
        if results is PENDING:
            data["hears"] = moment
            return False
        try:
            _take(token, moment, results or {}, is_later="stands" in data)
        except WrongVerdict as wrong:
            raise Incident(str(wrong), "work") from wrong
    return True


def headers_of(token: Token) -> Mapping[str, str]:
    """Return what a worker is told with the job that a token waits for: the element's headers, and over them its listener's."""
    headers: Mapping[str, str] = token.element.headers
    moment = token.internal_data.get("hears")
    if moment is None:
        return headers
    asked = [one for one in token.task_spec.listeners if one.moment == moment]
    told: int = token.internal_data.get("told", {}).get(moment, 0)
    return {**headers, **asked[told].headers, **headers_of_task(token)}


def answered(token: Token, results: Mapping[str, Any]) -> bool:
    """Take what the listener that is waited for brought; False when the token waits for none.

    Raises: NotStorable; WrongVerdict, with nothing changed.
    """
    moment = token.internal_data.get("hears")
    if moment is None:
        return False
    _take(token, moment, results, is_later=True)
    token.internal_data.pop("hears")
    if moment == COMPLETING:
        token.internal_data["stands"] = 1
    return True


def _take(token: Token, moment: str, results: Mapping[str, Any], *, is_later: bool) -> None:
    """Keep results where Camunda 8 does: to the element before its end, with its own at completion, outwards at the end."""
    flow = token.flow
    if moment in OF_TASKS:
        results = heed(token, moment, results, is_later=is_later)
    told = token.internal_data.get("told", {})
    asked = [one for one in token.task_spec.listeners if one.moment == moment][told.get(moment, 0)]
    if moment == COMPLETING:
        flow.result(token, results)
    elif moment == END:
        flow.write(token.container, Answer.of(results))
    elif asked.is_of_process:
        for name, value in results.items():
            flow.put(token.workflow.scope_id, name, value)
    else:
        for name, value in results.items():
            flow.put(token.id, name, value)
    token.internal_data["told"] = {**told, moment: told.get(moment, 0) + 1}


def bid_farewell(flow: Driver, element: ElementInfo, listeners: Sequence[Listener], scope: int, token_id: int) -> None:
    """Tell listeners of an end by force, each once; nobody waits for them, and none of them can hold it up.

    Those that a step serves have done their work when this returns, and what they bring is kept in the scope. A job for the others
    is promised, with the variables as they are now. What goes wrong is noted in ``flow.unheard``.
    """
    for listener in listeners:
        view = View(flow.scopes, scope)
        try:
            item = _item(listener, element, view, flow.host, token_id)
            results = flow.work(replace(item, is_farewell=True))
            for name, value in (results or {}).items() if results is not PENDING else ():
                if name != VERDICT:
                    flow.put(scope, name, value)
        except (BpmnError, WorkFailed, Incident, NotStorable) as reason:
            flow.unheard.append(Unheard(element.id, listener.task.type.text, str(reason)))


def _item(listener: Listener, element: ElementInfo, view: Mapping[str, Any], host: Host, token_id: int) -> WorkItem:
    return WorkItem(
        token_id=token_id,
        element=element,
        process_id=element.process_id,
        kind="listener",
        type=listener.task.type.words(view, host, "a job type"),
        retries=listener.task.tries(view, host),
        headers={**element.headers, **listener.headers},
        variables=view,
    )
