# mypy: allow-subclassing-any
"""Live tokens: SpiffWorkflow's tasks without a tree behind them.

Every token hangs directly under the root of its process or sub-process, or under the structure that waits for it: a
multi-instance body, an activity (its boundary events), an event-based gateway. A token that has completed leaves at once.
What is stored of an instance is therefore exactly its live tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.spiff.arming import arm
from engine.spiff.codec import NotStorable
from engine.spiff.compensation import remember
from engine.spiff.host import Answer, Incident
from engine.spiff.listeners import END, START, tell
from engine.spiff.scopes import View
from engine.spiff.verdicts import COMPLETING

if TYPE_CHECKING:
    from engine.spiff.driver import Driver
    from engine.spiff.elements import ElementInfo
    from engine.spiff.extensions import EventInfo, Expr, Listener

COMPLETED, CANCELLED, ERROR = "completed", "cancelled", "error"


@dataclass(frozen=True, slots=True)
class Path:
    """A sequence flow as the run needs it: its id, the spec name it leads to, its condition."""

    id: str
    target: str
    condition: Expr | None
    is_default: bool


class Token(Task):
    """One live token. ``internal_data`` is plain JSON and all that is stored of it; ``data`` stays empty.

    Keys: from (ids of the tokens it came from), via (sequence flow), in (entered), done (its work is done), fired, due, left
    and every (timer), name and key (message or signal), was (a condition that already was true), incident and cause, index
    (multi-instance), begins, full and asks (of what is ad-hoc), threw, taken, told, hears and out (of an element with listeners),
    task, corrected, change, denied and stands (of a task with listeners: what they hear of, and what they said),
    arrivals (of a join), undoes (the compensating token that a handler works for).
    """

    id: Any
    flow: Driver
    workflow: Any
    task_spec: Any
    parent: Any
    internal_data: dict[str, Any]

    chosen: Sequence[Path] | None = None
    """The sequence flows a gateway took; only between its run and its leaving."""
    only_waited = False
    """It was cancelled before anything happened at it: a boundary event, a listener, an arrival at a join."""
    settles = False
    """This inner instance makes its multi-instance complete; only between its leaving and its end."""

    def __init__(self, workflow: Any, task_spec: Any, parent: Token | None = None, *, state: int, number: Any) -> None:
        # What SpiffWorkflow's own does, without a clock and a random id; a sleeper that wakes is known to its parent already.
        flow: Driver = workflow.top_workflow
        self.id = number
        self.workflow = workflow
        self.flow = flow
        self.task_spec = task_spec
        self.triggered = False
        self.thread_id = 0
        self.data: dict[str, Any] = {}
        self.internal_data = {}
        self.last_state_change = 0
        self._state = state
        self._parent: Any = parent.id if parent is not None else None
        self._children: list[int] = []
        workflow.tasks[number] = self
        if parent is not None and (number not in flow.live.asleep or number not in parent._children):
            parent._children.append(number)

    @property
    def element(self) -> ElementInfo:
        found: ElementInfo = self.task_spec.element
        return found

    @property
    def body(self) -> Token | None:
        """The multi-instance body around this inner instance, if it is one."""
        if not self.task_spec.is_inner:
            return None
        parent: Token | None = self.workflow.tasks.get(self._parent)
        if parent is not None and self.task_spec.name == getattr(parent.task_spec, "task_spec", None):
            return parent
        return None

    @property
    def is_done(self) -> bool:
        return "done" in self.internal_data

    @property
    def incident(self) -> str | None:
        return self.internal_data.get("incident")

    @property
    def container(self) -> int:
        """The scope around this token: its multi-instance body, or the sub-process or process it runs in."""
        body = self.body if self.task_spec.is_inner else None
        found: int = self.workflow.scope_id if body is None else body.id
        return found

    @property
    def scope(self) -> int:
        """The innermost scope this token sees: its own, else the one around it (for a boundary event its activity's)."""
        found: int = self.id if self.id in self.flow.scopes.around else self.container
        return found

    def view(self, extra: Mapping[str, Any] | None = None) -> View:
        return View(self.flow.scopes, self.scope, extra)

    @property
    def children(self) -> list[Any]:
        """The tokens that hang on it; those that slept wake."""
        live = self.flow.live
        return [live[token_id] for token_id in self._children]

    def hold(self, reason: Incident | NotStorable) -> None:
        """Stay here as an incident until somebody retries."""
        self.internal_data["incident"] = str(reason)
        self.internal_data["cause"] = reason.cause if isinstance(reason, Incident) else "expression"

    def _set_state(self, value: int) -> None:
        # SpiffWorkflow builds two dictionaries for its log at every change of state, even when nobody logs.
        self._state = value

    def cancel(self) -> None:
        """Cancel this token, and first everything that hangs on it: SpiffWorkflow would drop those without a word."""
        if self.id in self.flow.live:
            for hanging in self.children:
                hanging.cancel()
            self.only_waited = self._state == TaskState.WAITING
            super().cancel()

    def leave_tree(self) -> None:
        """Take the token and its scope out of memory. What hangs on it must be gone before."""
        flow, tasks = self.flow, self.workflow.tasks
        flow.forget(self)
        flow.scopes.close(self.id)
        tasks[self._parent]._children.remove(self.id)
        del tasks[self.id]

    def lift(self) -> None:
        """Hang the token under the root instead of under the structure that waited for it."""
        root = self.workflow.task_tree
        self.parent._children.remove(self.id)
        self.parent = root
        root._children.append(self.id)


def spawn(
    workflow: Any, spec: Any, *, came_from: Sequence[int] = (), parent: Token | None = None, **data: Any
) -> Token:
    """Put a new token on a spec, in state FUTURE. data: goes to its internal_data."""
    flow: Driver = workflow.top_workflow
    token = Token(workflow, spec, parent or workflow.task_tree, state=TaskState.FUTURE, number=flow.new_id())
    token.internal_data = {"from": list(came_from), **data} if came_from else data
    flow.live[token.id] = token
    return token


def spawn_armed(workflow: Any, spec: Any, *, came_from: Sequence[int], parent: Token | None, **data: Any) -> Token:
    """Put a waiting token on an event whose data was evaluated before."""
    token = spawn(workflow, spec, came_from=came_from, parent=parent, **data)
    token._set_state(TaskState.WAITING)
    token.flow.watch(token)
    return token


class Live:
    """In front of every task spec class: nothing is predicted, a finished token leaves, its successors hang under the root.

    SpiffWorkflow calls the methods with an underscore. A spec class of ours says what happens in ``act`` (return True when the
    work is done, False to wait for somebody) and may refine ``enter``, ``leave`` and ``follow``.
    """

    name: str
    manual: bool
    element: ElementInfo
    paths: tuple[Path, ...] = ()
    boundaries: tuple[Any, ...] = ()
    is_inner = False
    """A token here may be one of several of a multi-instance."""
    is_body = False
    """A token here is the body around the inner instances of a multi-instance."""
    listens = False
    """A token that waits here keeps nothing alive."""
    carries = False
    """A token here may sleep with the sub-process or the called process inside it."""
    rests: int | None = None
    """The state of a token here that waits for a person or a worker; None where more than that may move it on."""
    is_open_when_empty = False
    """What is inside a token here may come to rest without anything, and waits for somebody to begin it."""
    _wf_spec: Any

    # What a spec is never changes once it is built: each of these is asked of every token, and found out once.

    @cached_property
    def waits_for(self) -> str | None:
        """What a token that rests here waits for: task, job, message, signal, timer or conditional."""
        return None

    @cached_property
    def is_armed(self) -> bool:
        """Whether a token waits here for a message, timer, signal or condition."""
        return False

    @cached_property
    def joins(self) -> bool:
        """Tokens wait here for each other, so each remembers the sequence flow it came along."""
        return False

    @property
    def event(self) -> EventInfo:
        found = self.element.event
        assert found is not None, f"{self.name} is no event"
        return found

    def test(self) -> None:
        """Handlers and event sub-processes have no inputs, and that is right."""

    def _predict(self, my_task: Token, *args: Any, **kwargs: Any) -> None:
        """Predict nothing."""

    def _update_hook(self, my_task: Token) -> bool:
        return True

    def _on_ready_hook(self, my_task: Token) -> None:
        my_task.flow.queue.append(my_task)

    def _run_hook(self, my_task: Token) -> bool | None:
        try:
            if not my_task.is_done:
                if not self.act(my_task):
                    return None
                my_task.internal_data["done"] = 1
            if not self.finish(my_task):
                return None
        except (Incident, NotStorable) as reason:
            my_task.hold(reason)
            return None
        return True

    def _on_complete(self, my_task: Token) -> None:
        workflow, parent = my_task.workflow, my_task.parent
        for hanging in my_task.children if my_task._children else ():
            hanging.cancel()
        my_task.flow.record(my_task, COMPLETED)
        remember(my_task)
        my_task.leave_tree()
        if parent is not workflow.task_tree:
            parent.task_spec.child_done(parent, my_task)
            return
        if "undoes" in my_task.internal_data:
            my_task.flow.undone(my_task)
        else:
            for path in self.follow(my_task):
                self.reach(workflow, path, my_task.id)
        workflow.settle()

    def _on_cancel(self, my_task: Token) -> None:
        flow = my_task.flow
        sub = flow.subprocesses.get(my_task.id)
        if sub is not None:
            sub.cancel_tokens()
            if sub.key is not None:
                sub.tell_of_cancel()
            flow.dispose(sub)
        if self.listeners:
            self.tell_of_cancel(my_task)
        flow.record(my_task, ERROR if "threw" in my_task.internal_data else CANCELLED)
        my_task.leave_tree()

    def reach(self, workflow: Any, path: Path, source: int) -> None:
        """Let a token arrive at the end of a sequence flow."""
        spec = self._wf_spec.task_specs[path.target]
        token = spawn(workflow, spec, came_from=(source,))
        if spec.joins:
            token.internal_data["via"] = path.id
        spec._update(token)

    @property
    def keeps_results(self) -> bool:
        """What the element brings stays in its own scope, and only its output mappings go out."""
        return bool(self.element.outputs)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        return self.element.listeners

    def enter(self, token: Token) -> bool:
        """Open the token's scope, evaluate its input mappings, call its listeners and set up its boundary events, once.

        Returns False while a listener is waited for. Raises: Incident.
        """
        data = token.internal_data
        if "in" in data:
            return True
        if "taken" not in data:
            self.open(token)
            self.take_in(token)
        if self.listeners:
            data["taken"] = 1
            if not self.tell_first(token):
                return False
        if self.boundaries:
            # Evaluated all before the first is set up, so that a failing one leaves nothing half.
            view, host = token.view(), token.flow.host
            for spec, armed in [(spec, arm(spec.event, view, host)) for spec in self.boundaries if spec.is_armed]:
                spawn_armed(token.workflow, spec, came_from=(token.id,), parent=token, **armed)
        data["in"] = 1
        return True

    def tell_first(self, token: Token) -> bool:
        """Tell the listeners that come before the element begins; False while one is waited for. Raises: Incident."""
        return tell(token, START)

    def tell_of_cancel(self, token: Token) -> None:
        """Tell the listeners that the token is cancelled."""

    def open(self, token: Token) -> None:
        """Open a scope of the token's own if its element has mappings, or listeners that may bring something."""
        element = self.element
        if element.inputs or element.outputs or self.listeners:
            token.flow.scopes.open(token.id, token.container)

    def take_in(self, token: Token) -> None:
        """Evaluate the input mappings into the token's scope; each sees the ones before it. Raises: Incident."""
        scopes = token.flow.scopes
        for mapping in self.element.inputs:
            value = mapping.source.value(token.view(), token.flow.host)
            name, *rest = mapping.target
            held = scopes.get(token.id, name) if rest and scopes.has(token.id, name) else None
            scopes.assign(token.id, name, _merged(held, rest, value))

    def act(self, token: Token) -> bool:
        """Do what the element does; return False to wait. Raises: Incident."""
        return True

    def finish(self, token: Token) -> bool:
        """Give the results outwards, with listeners before and after; False while one is waited for. Raises: Incident."""
        data = token.internal_data
        if self.listeners:
            if not tell(token, COMPLETING):
                return False
            if "out" not in data:
                self.leave(token)
                data["out"] = 1
            if not tell(token, END):
                return False
        else:
            self.leave(token)
        if self.is_inner and (body := token.body) is not None:
            body.task_spec.collect(body, token)
        return True

    def leave(self, token: Token) -> None:
        """Evaluate the output mappings into the scope around; each sees the ones before it. Raises: Incident."""
        outputs = self.element.outputs
        if not outputs or "is_shell" in token.internal_data:
            return  # A shell gave its results when it completed; what is undone in it gives none.
        results = Answer()
        for mapping in outputs:
            value = mapping.source.value(token.view(results), token.flow.host)
            name, *rest = mapping.target
            around = View(token.flow.scopes, token.container)
            results[name] = _merged(results.get(name, around.get(name)), rest, value)
        token.flow.write(token.container, results)

    def follow(self, token: Token) -> Sequence[Path]:
        """Return the sequence flows to take: all of them, unless the element chose."""
        return self.paths if token.chosen is None else token.chosen

    def child_done(self, token: Token, child: Token) -> None:
        """Hear that something which hung under this token has completed."""
        raise AssertionError(f"Expected nothing to complete under {self.name}, but {child} did")

    def may_end(self, token: Token) -> bool:
        """Whether the inside of a token ends when nothing is left in it."""
        return True

    def inner_ended(self, token: Token) -> None:
        """Hear that something inside a token has ended, and that the inside goes on."""

    def taken_over(self, token: Token) -> None:
        """Hear that an event sub-process runs instead of everything else inside."""

    def child_fires(self, token: Token, child: Token) -> None:
        """Hear that an event which hangs under this token fires."""


def _merged(held: Any, path: Sequence[str], value: Any) -> Any:
    """Return ``held`` with the value put at the path, in a copy; what is no object on the way is replaced by one."""
    if not path:
        return value
    fields = dict(held) if isinstance(held, dict) else {}
    fields[path[0]] = _merged(fields.get(path[0]), path[1:], value)
    return fields
