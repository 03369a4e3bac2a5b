# mypy: allow-subclassing-any
"""Activities that are no containers: people's tasks, work done by functions or workers, FEEL scripts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from SpiffWorkflow.bpmn.specs import defaults
from SpiffWorkflow.util.task import TaskState

from engine.spiff.changes import go_on_changing, tell_of_beginning
from engine.spiff.elements import AD_HOC
from engine.spiff.host import PENDING, Answer, BpmnError, Incident, WorkFailed, WorkItem
from engine.spiff.listeners import bid_farewell
from engine.spiff.token import Live, Token
from engine.spiff.verdicts import CANCELING


class UserTask(Live, defaults.UserTask):
    """A person's task: entered, it stays READY until somebody completes it."""

    rests = TaskState.READY

    @cached_property
    def waits_for(self) -> str:
        return "task"

    def tell_first(self, token: Token) -> bool:
        return super().tell_first(token) and tell_of_beginning(token)

    def enter(self, token: Token) -> bool:
        return super().enter(token) and ("change" not in token.internal_data or go_on_changing(token))

    def tell_of_cancel(self, token: Token) -> None:
        """Tell of a task that ends without being completed, once somebody was told that there is one."""
        data = token.internal_data
        was_begun = "in" in data or "task" in data
        if was_begun and not token.is_done:
            told = [one for one in self.listeners if one.moment == CANCELING]
            bid_farewell(token.flow, token.element, told, token.scope, token.id)


class PassThrough(Live, defaults.NoneTask):
    """A task or manual task: the engine passes through, as Camunda 8 does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.manual = False


class Work(Live, defaults.ServiceTask):
    """Service, send, business rule and script tasks: done at once, or a job for an outside worker."""

    rests = TaskState.STARTED

    @cached_property
    def waits_for(self) -> str:
        return "job"

    def act(self, token: Token) -> bool:
        script = self.element.script
        if script is None:
            return do_work(token)
        value = script.expression.value(token.view(), token.flow.host)
        token.flow.result(token, Answer({script.result_variable: value}))
        return True


_KINDS = {
    "serviceTask": "service",
    "sendTask": "send",
    "scriptTask": "script",
    "businessRuleTask": "service",
    AD_HOC: "choice",
}


def do_work(token: Token) -> bool:
    """Hand the token's work to the host; return False when somebody will complete it later. Raises: Incident."""
    flow = token.flow
    if token.element.task is None and token.element.decision is None:
        flow.throw_message(token)
        return True
    results = hand_over(token)
    if results is None:
        return False
    flow.result(token, results)
    return True


def hand_over(token: Token) -> Mapping[str, Any] | None:
    """Hand the token's work to the host and return its results; None when somebody will bring them later. Raises: Incident."""
    flow = token.flow
    try:
        results = flow.work(_item(token))
    except BpmnError as error:
        # Thrown only after the run has returned: the boundary event that catches it cancels this very token.
        flow.cast(token, "error", code=error.code, message=error.message, variables=error.variables)
        return None
    except WorkFailed as failure:
        raise Incident(str(failure), "work") from failure
    return None if results is PENDING else results or {}


def _item(token: Token) -> WorkItem:
    element, view, host = token.element, token.view(), token.flow.host
    decision, task = element.decision, element.task
    if task is None and decision is not None:
        return WorkItem(
            token_id=token.id,
            element=element,
            process_id=element.process_id,
            kind="decision",
            type=None,
            retries=0,
            headers=element.headers,
            variables=view,
            decision_id=decision.decision_id.words(view, host, "a decision id"),
            binding=decision.binding,
            version_tag=decision.version_tag,
            result_variable=decision.result_variable,
        )
    assert task is not None, f"{element.id} has neither a task definition nor a decision"
    return WorkItem(
        token_id=token.id,
        element=element,
        process_id=element.process_id,
        kind=_KINDS.get(element.kind, "message"),
        type=task.type.words(view, host, "a job type"),
        retries=task.tries(view, host),
        headers=element.headers,
        priority=task.rank(view, host),
        variables=view,
    )
