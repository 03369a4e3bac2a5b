# mypy: allow-subclassing-any
"""Gateways: conditions that must be exactly true or false, and joins that consume exactly one token of each flow."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from SpiffWorkflow.bpmn.specs import defaults
from SpiffWorkflow.util.task import TaskState

from engine.spiff.arming import arm
from engine.spiff.host import Incident
from engine.spiff.reach import Reach
from engine.spiff.token import COMPLETED, Live, Path, Token, spawn, spawn_armed


class Exclusive(Live, defaults.ExclusiveGateway):
    """Takes the first sequence flow whose condition is true, in the order of the diagram, else the default flow."""

    def act(self, token: Token) -> bool:
        token.chosen = [self._first(token)] if self.paths else []
        return True

    def _first(self, token: Token) -> Path:
        for path in self.paths:
            if not path.is_default and _is_open(path, token):
                return path
        return _default(self.paths)


class Join(Live):
    """A gateway where tokens of several incoming flows wait for each other as WAITING tokens.

    The token that goes on is a new one, with an identity apart from its last arrival, and remembers what it consumed.
    """

    incoming: tuple[str, ...] = ()

    @cached_property
    def joins(self) -> bool:
        return len(self.incoming) > 1

    def _update_hook(self, my_task: Token) -> bool:
        if not self.joins or "arrivals" in my_task.internal_data:
            return True
        my_task._set_state(TaskState.WAITING)
        my_task.workflow.arrivals.setdefault(self.name, []).append(my_task)
        self.arrived(my_task)
        return False

    def arrived(self, token: Token) -> None:
        """Hear that one more token waits here."""

    def oldest_of_each(self, workflow: Any) -> dict[str, Token]:
        """Return the longest waiting token of each incoming flow that has one."""
        oldest: dict[str, Token] = {}
        for token in workflow.arrivals.get(self.name, ()):
            oldest.setdefault(token.internal_data["via"], token)
        return oldest

    def join(self, workflow: Any, arrivals: Iterable[Token]) -> None:
        """Consume the arrivals and go on with one new token."""
        consumed = [[token.id, token.internal_data["via"], token.internal_data.get("from", [])] for token in arrivals]
        for token_id, _, _ in consumed:
            workflow.tasks[token_id].leave_tree()
        joined = spawn(workflow, self, came_from=[row[0] for row in consumed], arrivals=consumed)
        joined.task_spec._update(joined)


class Parallel(Join, defaults.ParallelGateway):
    """Goes on when each incoming flow has a token, and takes exactly one of each."""

    def arrived(self, token: Token) -> None:
        oldest = self.oldest_of_each(token.workflow)
        if len(oldest) == len(self.incoming):
            self.join(token.workflow, oldest.values())


class Inclusive(Join, defaults.InclusiveGateway):
    """Takes every sequence flow whose condition is true; joins when no other token can still reach an empty flow."""

    ways: Reach

    def act(self, token: Token) -> bool:
        taken = [path for path in self.paths if not path.is_default and _is_open(path, token)]
        token.chosen = taken or ([_default(self.paths)] if self.paths else [])
        return True

    def arrived(self, token: Token) -> None:
        token.flow.undecided[token.id] = token

    def settle(self, workflow: Any) -> bool:
        """Go on if nothing more can arrive (BPMN 2.0.2, 13.4.3); asked only when nothing else can move."""
        full = self.oldest_of_each(workflow)
        empty = [flow for flow in self.incoming if flow not in full]
        for token in workflow.task_tree.children if empty else ():
            place = token.task_spec.name
            if token.task_spec is self and "arrivals" not in token.internal_data:
                continue
            could_fill = any(self.ways.leads(place, self.name, flow) for flow in empty)
            if could_fill and not any(self.ways.leads(place, self.name, flow) for flow in full):
                return False
        self.join(workflow, list(full.values()))
        return True


class EventGateway(Live, defaults.EventBasedGateway):
    """Waits for the first of several events; they hang under it, and the first cancels the rest."""

    def act(self, token: Token) -> bool:
        specs = [self._wf_spec.task_specs[path.target] for path in self.paths]
        armed = [(spec, arm(spec.event, token.view(), token.flow.host)) for spec in specs]
        for spec, data in armed:
            spawn_armed(token.workflow, spec, came_from=(token.id,), parent=token, **data)
        return False

    def child_fires(self, token: Token, child: Token) -> None:
        """Let one event win."""
        child.lift()
        for other in token.children:
            other.cancel()
        token.flow.record(token, COMPLETED)
        token.leave_tree()


def _is_open(path: Path, token: Token) -> bool:
    return path.condition is None or path.condition.truth(token.view(), token.flow.host)


def _default(paths: tuple[Path, ...]) -> Path:
    for path in paths:
        if path.is_default:
            return path
    asked = [path.condition.text for path in paths if path.condition is not None]
    told = ", ".join(f'"{text[:80]}"' for text in asked[:4]) + (f" and {len(asked) - 4} more" if len(asked) > 4 else "")
    raise Incident(f"Expected one condition to be true, but all are false ({told}) and there is no default flow")
