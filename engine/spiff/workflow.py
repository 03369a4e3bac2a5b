# mypy: allow-subclassing-any
"""A process or a sub-process while it runs: a root token, live tokens under it, listeners, and an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from SpiffWorkflow.bpmn.script_engine import BasePythonScriptEngineEnvironment, PythonScriptEngine
from SpiffWorkflow.bpmn.util.subworkflow import BpmnSubWorkflow
from SpiffWorkflow.util.task import TaskState

from engine.spiff.arming import arm
from engine.spiff.listeners import bid_farewell
from engine.spiff.scopes import View
from engine.spiff.token import Token, spawn

if TYPE_CHECKING:
    from engine.spiff.bundle import Bundle
    from engine.spiff.sleeping import Sleepers


class NoScripts(PythonScriptEngine):
    """SpiffWorkflow wants a script engine; ours runs nothing, since everything is FEEL and evaluated by the house."""

    def __init__(self) -> None:
        super().__init__(environment=BasePythonScriptEngineEnvironment())

    def evaluate(self, task: Any, expression: Any, external_context: Any = None) -> Any:
        raise AssertionError(f"Expected SpiffWorkflow to evaluate nothing, but it tried {expression!r}")

    def execute(self, task: Any, script: Any, external_context: Any = None) -> Any:
        raise AssertionError(f"Expected SpiffWorkflow to execute nothing, but it tried {script!r}")


class Flat:
    """What a process and a sub-process share: a root token, live tokens under it, listeners, and an end."""

    spec: Any
    tasks: dict[Any, Token]
    task_tree: Token
    top_workflow: Any
    completed: bool
    scope_id: int
    bundle: Bundle

    def prepare(self) -> None:
        """Make the root token and the books of a workflow without tokens."""
        self.arrivals: dict[str, list[Token]] = {}
        self.listeners: set[int] = set()
        self.asleep: dict[int, Sleepers] = {}
        self.ended_at: list[str] = []
        self.has_told = False
        """The listeners of its end have been called."""
        self.task_tree = Token(self, self.spec.start, state=TaskState.STARTED, number="root")

    def begin(self, start: str, came_from: tuple[int, ...] = ()) -> Token:
        """Put the first token on a start event."""
        spec = self.spec.task_specs[start]
        token = spawn(self, spec, came_from=came_from, fired=1)
        spec._update(token)
        return token

    def listen(self) -> None:
        """Let the event sub-processes of this scope wait for what starts them. Raises: Incident, with nothing half done."""
        view = View(self.top_workflow.scopes, self.scope_id)
        specs = [spec for spec in self.spec.event_subprocesses if spec.is_armed]
        for spec, data in [(spec, arm(spec.event, view, self.top_workflow.host)) for spec in specs]:
            spec.listen(self, data)

    def settle(self) -> None:
        """End when no token is left but listeners."""
        if not self.completed and self.is_empty and self.may_end():
            if self.spec.ending is not None and not self.has_told:
                self.spec.ending._update(spawn(self, self.spec.ending))
                return
            self.cancel_tokens()
            self.completed = True
            self.came_to_end()

    @property
    def is_empty(self) -> bool:
        """Nothing is in it but listeners."""
        return len(self.tasks) - 1 == len(self.listeners)

    def may_end(self) -> bool:
        """Say whether it ends when nothing is left in it."""
        return True

    def taken_over(self) -> None:
        """Hear that an event sub-process runs instead of everything else."""

    def cancel_tokens(self, keep: Token | None = None) -> None:
        """Cancel every token, listeners too, but the one to keep."""
        for token in self.task_tree.children:
            if token is not keep:
                token.cancel()

    def tell_of_cancel(self) -> None:
        """Tell the listeners of a process that it is cancelled, when everything in it has ended."""
        gone = self.spec.gone
        if gone is not None:
            bid_farewell(self.top_workflow, gone, gone.listeners, self.scope_id, 0)

    def terminate(self, token: Token) -> None:
        """Cancel everything else in this scope for a terminate end event."""
        self.cancel_tokens(keep=token)

    def came_to_end(self) -> None:
        """Tell whoever is around that this scope has ended."""

    @property
    def is_interrupted(self) -> bool:
        """An event sub-process runs instead of everything else."""
        return any("interrupts" in token.internal_data for token in self.task_tree.children)


class Sub(Flat, BpmnSubWorkflow):
    """A running sub-process, event sub-process or called process. key: of the definition, "" for that of its caller."""

    def __init__(self, spec: Any, owner: Token, bundle: Bundle, *, scope_id: int, key: str | None) -> None:
        self.owner = owner
        self.bundle = bundle
        self.scope_id = scope_id
        self.key = key
        super().__init__(spec, owner.id, owner.flow, deserializing=True)
        self.prepare()

    def _calculate_depth(self) -> int:
        depth: int = self.owner.workflow.depth
        return depth + 1

    def settle(self) -> None:
        super().settle()
        if not self.completed:
            self.owner.task_spec.inner_ended(self.owner)

    def may_end(self) -> bool:
        ends: bool = self.owner.task_spec.may_end(self.owner)
        return ends

    def taken_over(self) -> None:
        self.owner.task_spec.taken_over(self.owner)

    def came_to_end(self) -> None:
        self.owner.task_spec.finished(self.owner, self)
        self.top_workflow.dispose(self, is_complete=True)
        self.top_workflow.resume(self.owner)
