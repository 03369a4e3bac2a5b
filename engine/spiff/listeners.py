"""Listeners: work that is done beside an element's own, before it begins, when its task is completed, or before it is left.

Each is a job type, served like that of a service task: by a step in the act, by a job after it, or by a worker outside. They
come one after the other in the order of the diagram, and the token waits for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from engine.spiff.extensions import Listener, TaskDefinition
from engine.spiff.host import PENDING, BpmnError, Incident, WorkFailed, WorkItem
from engine.spiff.xml import ZEEBE, Reader, kind_of, zeebe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.spiff.token import Token

START, CREATING, COMPLETING, END = "start", "creating", "completing", "end"
_GROUPS: Final = {"executionListeners": (START, END), "taskListeners": (CREATING, COMPLETING)}
LISTENED: Final = frozenset(_GROUPS)
_OLDER: Final = {"create": CREATING, "complete": COMPLETING}
_BEGUN: Final = frozenset({"startEvent", "boundaryEvent"})
"""Kinds that have happened already when a token comes to them."""


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
        for one in found.iterchildren(f"{{{ZEEBE}}}*") if found is not None else ():
            said = one.get("eventType") or ""
            moment = _OLDER.get(said, said)
            if group == "taskListeners" and kind != "userTask":
                message = f"Expected task listeners at a user task, but this is a bpmn:{kind}."
                reader.refuse(node, message, "Use an execution listener.")
            elif moment not in moments:
                message = f'Expected a listener of {" or ".join(moments)}, but it is of "{said}".'
                reader.refuse(node, message, _instead_of(said))
            elif (moment == START and kind in _BEGUN) or (moment == END and kind.endswith("Gateway")):
                message = f"Expected a listener that somebody calls, but a bpmn:{kind} has none of {moment}."
                reader.refuse(node, message, f"Let it be of {END if moment == START else START}.")
            elif (task := work(reader, node, one)) is not None:
                yield Listener(moment, task, {pair.get("key") or "": pair.get("value") or "" for pair in _headers(one)})


def _headers(listener: etree._Element) -> Iterator[etree._Element]:
    for group in listener.iterchildren(f"{{{ZEEBE}}}taskHeaders"):
        yield from group.iterchildren(f"{{{ZEEBE}}}header")


def _instead_of(moment: str) -> str:
    if moment in ("assigning", "updating", "canceling", "assignment", "update", "cancel"):
        return "Webhooks tell of tasks that are taken, changed or cancelled; an event at the task may do what has to be done."
    if moment == "beforeAll":
        return "Do it in a task before the repeated one; a listener of start is called for each of its instances."
    return "Choose one of them."


def tell(token: Token, moment: str) -> bool:
    """Let the listeners of a moment do their work; False while one of them is waited for. Raises: Incident."""
    listeners = [one for one in token.task_spec.listeners if one.moment == moment]
    if not listeners or "is_shell" in token.internal_data:
        return True
    token.internal_data.pop("hears", None)
    while (done := token.internal_data.get("told", {}).get(moment, 0)) < len(listeners):
        try:
            results = token.flow.host.work(_item(token, listeners[done]))
        except BpmnError as error:
            # As at a task: thrown only after the run has returned, since whoever catches it cancels this very token.
            token.flow.cast(token, "error", code=error.code, message=error.message, variables=error.variables)
            return False
        except WorkFailed as failure:
            raise Incident(str(failure), "work") from failure
        if results is PENDING:
            token.internal_data["hears"] = moment
            return False
        _take(token, moment, results or {})
    return True


def headers_of(token: Token) -> Mapping[str, str]:
    """Return what a worker is told with the job that a token waits for: the element's headers, and over them its listener's."""
    headers: Mapping[str, str] = token.element.headers
    moment = token.internal_data.get("hears")
    if moment is None:
        return headers
    asked = [one for one in token.task_spec.listeners if one.moment == moment]
    told: int = token.internal_data.get("told", {}).get(moment, 0)
    return {**headers, **asked[told].headers}


def answered(token: Token, results: Mapping[str, Any]) -> bool:
    """Take what the listener that is waited for brought; False when the token waits for none. Raises: NotStorable."""
    moment = token.internal_data.get("hears")
    if moment is None:
        return False
    _take(token, moment, results)
    token.internal_data.pop("hears")
    return True


def _take(token: Token, moment: str, results: Mapping[str, Any]) -> None:
    """Keep results where Camunda 8 does: to the element before its end, with its own at completion, outwards at the end."""
    flow = token.flow
    told = token.internal_data.get("told", {})
    asked = [one for one in token.task_spec.listeners if one.moment == moment][told.get(moment, 0)]
    if moment == COMPLETING:
        flow.result(token, results)
    elif moment == END:
        flow.write(token.container, results)
    elif asked.is_of_process:
        for name, value in results.items():
            flow.put(token.workflow.scope_id, name, value)
    else:
        for name, value in results.items():
            flow.put(token.id, name, value)
    token.internal_data["told"] = {**told, moment: told.get(moment, 0) + 1}


def _item(token: Token, listener: Listener) -> WorkItem:
    view, host, element = token.view(), token.flow.host, token.element
    return WorkItem(
        token_id=token.id,
        element=element,
        process_id=element.process_id,
        kind="listener",
        type=listener.task.type.words(view, host, "a job type"),
        retries=listener.task.tries(view, host),
        headers={**element.headers, **listener.headers},
        variables=view,
    )
