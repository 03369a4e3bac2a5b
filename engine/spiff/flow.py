# mypy: allow-subclassing-any
"""A running instance: commands from outside, our own driver, and what came of them. Knows no database.

SpiffWorkflow keeps the tokens' states and cancels them; which token runs next, what it may see, and who hears an event is
decided here. A flow is used by one thread at a time; the bundle it runs may be shared by all.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from SpiffWorkflow.bpmn.script_engine import BasePythonScriptEngineEnvironment, PythonScriptEngine
from SpiffWorkflow.bpmn.util.subworkflow import BpmnSubWorkflow
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.util.task import TaskState

from dmn import to_feel
from engine.spiff import state
from engine.spiff.arming import arm, due_of
from engine.spiff.bundle import Bundle
from engine.spiff.codec import NotStorable
from engine.spiff.compensation import Entry, hand_outwards
from engine.spiff.extensions import CalledElement, Expr
from engine.spiff.host import (
    Arrival,
    BpmnError,
    FiredTimer,
    Host,
    Incident,
    Left,
    NotWaiting,
    Thrown,
    Wait,
    WorkFailed,
)
from engine.spiff.scopes import ROOT, Scopes, View
from engine.spiff.token import CANCELLED, Token, spawn

MOVE_LIMIT = 10_000
CALL_DEPTH_LIMIT = 50
_ENDLESS = "Expected the flow to come to rest within {limit:,} moves, but it went on; a loop without a wait never ends"


class Instances(NamedTuple):
    """How far a multi-instance is."""

    total: int
    active: int
    completed: int


class Cast(NamedTuple):
    """Something thrown inside, not yet delivered. kind: error, escalation, signal or cancel."""

    token: Token
    kind: str
    code: str | None
    message: str
    variables: Mapping[str, Any]


class _NoScripts(PythonScriptEngine):
    """SpiffWorkflow wants a script engine; ours runs nothing, since everything is FEEL and evaluated by the house."""

    def __init__(self) -> None:
        super().__init__(environment=BasePythonScriptEngineEnvironment())

    def evaluate(self, task: Any, expression: Any, external_context: Any = None) -> Any:
        raise AssertionError(f"Expected SpiffWorkflow to evaluate nothing, but it tried {expression!r}")

    def execute(self, task: Any, script: Any, external_context: Any = None) -> Any:
        raise AssertionError(f"Expected SpiffWorkflow to execute nothing, but it tried {script!r}")


_NO_SCRIPTS = _NoScripts()


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
        self.ended_at: list[str] = []
        self.task_tree = Token(self, self.spec.start, state=TaskState.STARTED, id="root")

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
        if not self.completed and len(self.tasks) - 1 == len(self.listeners):
            self.cancel_tokens()
            self.completed = True
            self.came_to_end()

    def cancel_tokens(self, keep: Token | None = None) -> None:
        """Cancel every token, listeners too, but the one to keep."""
        for token in self.task_tree.children:
            if token is not keep:
                token.cancel()

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

    def came_to_end(self) -> None:
        self.owner.task_spec.finished(self.owner, self)
        self.top_workflow.dispose(self, is_complete=True)
        self.top_workflow.resume(self.owner)


class Flow(Flat, BpmnWorkflow):
    """One instance in memory.

    Each command runs on until nothing can move without somebody outside. ``history`` and ``thrown`` collect what happened
    since the flow was started or loaded. After an exception that is not NotWaiting the flow is half moved: throw it away.
    """

    scope_id = ROOT

    def __init__(self, bundle: Bundle, process_id: str, host: Host, *, move_limit: int = MOVE_LIMIT) -> None:
        self.bundle = bundle
        self.process_id = process_id
        self.host = host
        self.move_limit = move_limit
        self.live: dict[int, Token] = {}
        self.queue: deque[Token] = deque()
        self.watching: dict[str, dict[int, Token]] = {
            kind: {} for kind in ("message", "timer", "signal", "conditional")
        }
        self.undecided: dict[int, Token] = {}
        self.scopes = Scopes()
        self.history: list[Left] = []
        self.thrown: list[Thrown] = []
        self.log: list[Entry] = []
        self.outcome: str | None = None
        self.moves = 0
        self.counter = 0
        self._casts: deque[Cast] = deque()
        # No version of the scopes, so that conditions are asked again after loading: variables may have been set before.
        self._judged = -1
        super().__init__(bundle.spec(process_id), script_engine=_NO_SCRIPTS, deserializing=True)
        self.prepare()

    # Commands

    @classmethod
    def start(
        cls,
        bundle: Bundle,
        process_id: str,
        variables: Mapping[str, Any],
        host: Host,
        *,
        start_element: str | None = None,
        move_limit: int = MOVE_LIMIT,
    ) -> Flow:
        """Start an instance and run until it rests.

        start_element: the start event that was triggered; the one without a trigger when None.
        Raises: KeyError for a process or start event that the bundle does not have; NotStorable for a variable.
        """
        flow = cls(bundle, process_id, host, move_limit=move_limit)
        flow.scopes.open(ROOT, None)
        for name, value in variables.items():
            flow.put(ROOT, name, value)
        chosen = start_element or flow.spec.only_start
        if chosen not in flow.spec.starts:
            raise KeyError(f"Expected a start event of {process_id}, but {chosen or 'one without a trigger'} is none")
        flow.begin(chosen)
        return flow._run()

    @classmethod
    def load(
        cls,
        bundle: Bundle,
        state_bytes: bytes,
        variables: Mapping[tuple[int, str], bytes],
        host: Host,
        *,
        move_limit: int = MOVE_LIMIT,
    ) -> Flow:
        """Take up a stored instance with the definition it was started with. Nothing runs yet."""
        flow = state.load(
            lambda process_id: cls(bundle, process_id, host, move_limit=move_limit), state_bytes, variables
        )
        assert isinstance(flow, cls)
        return flow

    def complete(self, token_id: int, variables: Mapping[str, Any] | None = None) -> None:
        """Complete a person's task or an outside worker's job. Raises: NotWaiting; NotStorable."""
        token = self._waiting(token_id, "task", "job")
        self.result(token, variables or {})
        self.resume(token)
        self._run()

    def fail(self, token_id: int, error: BpmnError) -> None:
        """Throw a business error from a task or job; uncaught it becomes an incident there. Raises: NotWaiting."""
        token = self._waiting(token_id, "task", "job")
        self.cast(token, "error", code=error.code, message=error.message, variables=error.variables)
        self._run()

    def hold(self, token_id: int, message: str, cause: str = "work") -> None:
        """Turn a waiting job or task into an incident (a worker gave up). Raises: NotWaiting."""
        self._waiting(token_id, "task", "job").hold(Incident(message, cause))

    def deliver(self, token_id: int, variables: Mapping[str, Any] | None = None) -> None:
        """Give a message to a token that waits for one. Raises: NotWaiting."""
        self._fire(self._waiting(token_id, "message"), variables)
        self._run()

    def signal(self, name: str, variables: Mapping[str, Any] | None = None) -> int:
        """Give a signal to all who wait for it, and return how many did."""
        count = self._broadcast(name, variables or {})
        self._run()
        return count

    def tick(self, now: dt.datetime) -> list[FiredTimer]:
        """Let every timer go off that is due, in the order of their due times, with those that become due on the way."""
        fired: list[FiredTimer] = []
        while due := self._due(now):
            token = due[0]
            attached = token.parent.element.id if token.parent is not token.workflow.task_tree else None
            element, when = token.element, due_of(token.internal_data)
            interrupts = element.event.is_interrupting if element.event is not None else True
            fired.append(FiredTimer(token.id, element.id, element.process_id, when, attached, interrupts))
            self._fire(token)
            self._run()
        return fired

    def retry(self, token_id: int) -> None:
        """Try again what became an incident. Raises: NotWaiting."""
        token = self.live.get(token_id)
        if token is None or token.incident is None:
            raise NotWaiting(f"Expected an incident at token {token_id}, but there is none")
        token.internal_data.pop("incident")
        token.internal_data.pop("cause", None)
        token.internal_data.pop("threw", None)
        if token._state == TaskState.WAITING:
            token.internal_data.pop("seen", None)
        else:
            token._ready()
        self._run()

    def cancel(self, workflow: Any = None) -> None:
        """Cancel the whole instance."""
        self.cancel_tokens()
        self.completed = True
        self.outcome = CANCELLED

    # What can be asked

    @property
    def done(self) -> bool:
        """The instance has ended; ``outcome`` is completed, cancelled or terminated."""
        return bool(self.completed)

    def waits(self) -> list[Wait]:
        """Return what the instance waits for, oldest token first."""
        found = (_wait(token) for token in self.live.values())
        return [wait for wait in found if wait is not None]

    def variables_view(self, token_id: int | None = None) -> View:
        """Return what a token sees (the process when None), looked up on demand; treat the values as read-only."""
        return View(self.scopes, ROOT if token_id is None else self.scope_of(token_id))

    def evaluate(
        self, expression: Expr | str, token_id: int | None = None, extra: Mapping[str, Any] | None = None
    ) -> Any:
        """Evaluate an expression of the diagram (or text with ``=`` in front) as a token sees the variables. Raises: Incident."""
        scope = ROOT if token_id is None else self.scope_of(token_id)
        code = Expr.read(expression) if isinstance(expression, str) else expression
        return code.value(View(self.scopes, scope, extra), self.host)

    def set_variable(self, scope_id: int, name: str, value: Any) -> None:
        """Write a variable of exactly this scope. Raises: NotStorable; KeyError for a scope that has ended."""
        if scope_id not in self.scopes:
            raise KeyError(f"Expected a live scope, but {scope_id} is none")
        self.put(scope_id, name, value)

    def scope_of(self, token_id: int) -> int:
        """Return the innermost scope that a live token sees."""
        return self._live(token_id).scope

    def scope_chain(self, token_id: int) -> tuple[int, ...]:
        """Return the scopes a live token sees, innermost first; the last is 0 or the root of a called process."""
        return self.scopes.chain(self.scope_of(token_id))

    def body_scope(self, token_id: int, having: str | None = None) -> int | None:
        """Return the nearest multi-instance body around a token, whose activity has the property if one is named.

        Looks outwards through sub-processes and calls. The id is that of the body's scope and of its token.
        """
        token: Token | None = self._live(token_id)
        while token is not None:
            body = token.body
            if body is not None and (having is None or having in token.element.properties):
                return int(body.id)
            if body is not None:
                token = body
            workflow = token.workflow
            token = None if workflow is self else workflow.owner
        return None

    def instances(self, body_id: int) -> Instances:
        """Count the inner instances of a multi-instance body."""
        body = self._live(body_id)
        data = body.internal_data
        return Instances(data.get("n", 0), len(body.task_spec.inner(body)), data.get("ended", 0))

    def instance_tokens(self, body_id: int) -> list[int]:
        """Return the live inner instances of a body, oldest first."""
        body = self._live(body_id)
        return [token.id for token in body.task_spec.inner(body)]

    def changed_variables(self) -> tuple[dict[tuple[int, str], bytes], set[tuple[int, str]]]:
        """Return the variables to store, as bytes, and the stored ones to delete."""
        return self.scopes.changes()

    def state(self) -> bytes:
        """Return everything but the variables, as bytes."""
        return state.dump(self)

    # For the specs: tokens, scopes, events

    def new_id(self) -> int:
        self.counter += 1
        return self.counter

    def put(self, scope: int, name: str, value: Any) -> None:
        """Write into exactly this scope, from Python or FEEL. Raises: NotStorable."""
        self.scopes.assign(scope, name, _feel(name, value))

    def write(self, scope: int, results: Mapping[str, Any]) -> None:
        """Write results where Camunda 8 does: the nearest scope outwards that has the name, else the outermost."""
        for name, value in {name: _feel(name, value) for name, value in results.items()}.items():
            self.scopes.propagate(scope, name, value)

    def result(self, token: Token, results: Mapping[str, Any]) -> None:
        """Take what an element brought: kept to itself when it has output mappings, written outwards when it has none."""
        if not token.task_spec.keeps_results:
            self.write(token.scope, results)
            return
        for name, value in results.items():
            self.put(token.id, name, value)

    def local(self, token: Token) -> dict[str, Any]:
        """Return the token's own variables: what its input mappings made."""
        return (
            {name: self.scopes.get(token.id, name) for name in self.scopes.names(token.id)}
            if token.id in self.scopes
            else {}
        )

    def watch(self, token: Token) -> None:
        """Note that a token waits for something from outside."""
        self.watching[token.task_spec.event.kind][token.id] = token

    def forget(self, token: Token) -> None:
        """Drop a token that leaves from every book."""
        self.live.pop(token.id, None)
        for waiting in self.watching.values():
            waiting.pop(token.id, None)
        self.undecided.pop(token.id, None)
        token.workflow.listeners.discard(token.id)
        if token.task_spec.joins and "arrivals" not in token.internal_data:
            token.workflow.arrivals[token.task_spec.name].remove(token)

    def record(self, token: Token, outcome: str) -> None:
        """Write a history row. What only waited to happen has none."""
        data = token.internal_data
        if token.only_waited or "is_shell" in data:
            return
        element = token.element
        kind = "multiInstance" if hasattr(token.task_spec, "collect") else element.kind
        arrivals = tuple(Arrival(row[0], row[1], tuple(row[2])) for row in data.get("arrivals", ()))
        parents = tuple(data.get("from", ()))
        self.history.append(
            Left(
                token.id,
                element.id,
                element.process_id,
                kind,
                outcome,
                parents,
                arrivals,
                token.scope,
                data.get("index"),
            )
        )

    def create_subprocess(
        self, token: Token, spec: Any, bundle: Bundle, *, scope_id: int, key: str | None = None
    ) -> Sub:
        """Make the inside of a container token."""
        sub = self.subprocesses[token.id] = Sub(spec, token, bundle, scope_id=scope_id, key=key)
        return sub

    def dispose(self, sub: Sub, *, is_complete: bool = False) -> None:
        """Take a sub-process that has ended out of memory."""
        if self.subprocesses.pop(sub.parent_task_id, None) is not None:
            hand_outwards(sub.owner, is_kept=is_complete and sub.key is None)
            if sub.key is not None:
                self.scopes.close(sub.scope_id)

    def find(self, caller: Any, process_id: str, called: CalledElement) -> tuple[str, Bundle, Any]:
        """Find a called process: key ("" when it is in the caller's own bundle), bundle, spec. Raises: Incident."""
        depth, workflow = 0, caller
        while workflow is not self:
            depth += workflow.key is not None
            workflow = workflow.owner.workflow
        if depth >= CALL_DEPTH_LIMIT:
            raise Incident(
                f"Expected at most {CALL_DEPTH_LIMIT} calls within each other, but {process_id} would be one more",
                "call",
            )
        if called.binding == "deployment" and process_id in caller.bundle.specs:
            key, bundle = "", caller.bundle
        else:
            try:
                key, bundle = self.host.resolve(process_id, called.binding, called.version_tag)
            except WorkFailed as error:
                raise Incident(str(error), "call") from error
        spec = bundle.specs.get(process_id)
        if spec is None or spec.only_start is None:
            raise Incident(
                f"Expected {process_id} to be a process with a start event without a trigger, but it is none", "call"
            )
        return key, bundle, spec

    def resume(self, token: Token) -> None:
        """Let a token go on whose work has been done."""
        token.internal_data["done"] = 1
        token._ready()

    def cast(
        self,
        token: Token,
        kind: str,
        *,
        code: str | None = None,
        message: str = "",
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        """Throw something, to be delivered when the token's run has returned."""
        self._casts.append(Cast(token, kind, code, message, variables or {}))

    def throw_message(self, token: Token) -> None:
        """Note a message that goes out. Raises: Incident."""
        event = token.element.event
        assert event is not None, f"{token.element.id} throws no message"
        data = arm(event, token.view(), self.host)
        self.thrown.append(
            Thrown("message", data["name"], token.element.id, token.id, data.get("key"), self.local(token))
        )

    def run_handler(
        self,
        token: Token,
        workflow: Any,
        *,
        path: list[str],
        activity: str,
        came_from: int,
        variables: Mapping[str, str],
    ) -> None:
        """Start the compensation handler of a completed activity under ``token``.

        A handler inside sub-processes that have completed gets empty shells of them to run in.
        """
        parent: Token | None = token
        for name in path:
            spec = workflow.spec.task_specs[name]
            spec = workflow.spec.task_specs[getattr(spec, "task_spec", None) or name]
            shell = spawn(workflow, spec, came_from=(token.id,), parent=parent, **{"in": 1, "is_shell": 1})
            shell._set_state(TaskState.STARTED)
            spec.open(shell)
            workflow = self.create_subprocess(shell, workflow.spec.subs[name], workflow.bundle, scope_id=shell.id)
            parent = None
        spec = workflow.spec.task_specs[workflow.spec.handlers[activity]]
        handler = spawn(workflow, spec, came_from=(token.id, came_from), parent=parent)
        if variables:
            self.scopes.open(handler.id, handler.container)
            self.scopes.put_texts(handler.id, variables)
        spec._update(handler)

    def came_to_end(self) -> None:
        self.outcome = self.outcome or "completed"

    def terminate(self, token: Token) -> None:
        self.outcome = "terminated"
        super().terminate(token)

    def get_task_from_id(self, task_id: int) -> Token:
        return self.live[task_id]

    # The driver

    def _run(self) -> Flow:
        self.moves = 0
        while self._moved():
            pass
        return self

    def _moved(self) -> bool:
        if self._casts:
            self._deliver(self._casts.popleft())
        elif self.queue:
            self._step(self.queue.popleft())
        else:
            return self._join_inclusive() or self._judge_conditions()
        return True

    def _step(self, token: Token) -> None:
        if token._state != TaskState.READY or token.id not in self.live:
            return
        if not token.task_spec.manual:
            self.moves += 1
        if self.moves > self.move_limit:
            token.hold(Incident(_ENDLESS.format(limit=self.move_limit), "moves"))
            return
        try:
            token.task_spec.enter(token)
        except (Incident, NotStorable) as reason:
            token.hold(reason)
            return
        if token.is_done or not token.task_spec.manual:
            token.run()

    def _join_inclusive(self) -> bool:
        waiting = {(token.workflow, token.task_spec) for token in self.undecided.values()}
        ordered = sorted(waiting, key=lambda pair: (pair[0].depth, pair[1].name))
        return any(spec.settle(workflow) for workflow, spec in ordered)

    def _judge_conditions(self) -> bool:
        """Fire a waiting condition that has become true; asked again only when a variable has changed."""
        waiting = self.watching["conditional"].values()
        if self._judged == self.scopes.version and all("seen" in token.internal_data for token in waiting):
            return False
        self._judged = self.scopes.version
        for token in list(waiting):
            if token.incident is not None:
                continue
            token.internal_data["seen"] = 1
            condition = token.task_spec.event.condition
            try:
                is_true = condition.value(token.view(), self.host) is True
            except Incident as reason:
                token.hold(reason)
                continue
            if not is_true:
                token.internal_data.pop("was", None)
            elif "was" not in token.internal_data:
                self._fire(token)
                self._judged = -1
                return True
        return False

    def _fire(self, token: Token, variables: Mapping[str, Any] | None = None) -> None:
        """Let an event happen at a token that waits for it."""
        spec = token.task_spec
        spec.fires(token)
        for key in ("due", "left", "every", "was", "seen"):
            token.internal_data.pop(key, None)
        token.internal_data["fired"] = 1
        for waiting in self.watching.values():
            waiting.pop(token.id, None)
        spec.open(token)
        self.result(token, variables or {})
        token._ready()

    def _broadcast(self, name: str, variables: Mapping[str, Any]) -> int:
        hearing = [token for token in self.watching["signal"].values() if token.internal_data.get("name") == name]
        count = 0
        for token in hearing:
            if token.id in self.live:
                self._fire(token, variables)
                count += 1
        return count

    def _due(self, now: dt.datetime) -> list[Token]:
        timers = [
            token
            for token in self.watching["timer"].values()
            if token.incident is None and due_of(token.internal_data) <= now
        ]
        return sorted(timers, key=lambda token: (due_of(token.internal_data), token.id))

    def _deliver(self, cast: Cast) -> None:
        token = cast.token
        if token.id not in self.live:
            return
        if cast.kind == "signal":
            self.thrown.append(Thrown("signal", cast.code or "", token.element.id, token.id, None, cast.variables))
            self._broadcast(cast.code or "", cast.variables)
        elif not self._catch(cast):
            if cast.kind == "error":
                reason = f": {cast.message}" if cast.message and cast.message != cast.code else ""
                token.hold(
                    Incident(f'Expected somebody to catch the error "{cast.code}", but nobody does{reason}', "error")
                )
                return
            self.thrown.append(Thrown(cast.kind, cast.code or "", token.element.id, token.id, None, cast.variables))
        if token.id in self.live and token.incident is None:
            self.resume(token)

    def _catch(self, cast: Cast) -> bool:
        """Walk outwards from the thrower to whoever catches, and let it; a given code comes before a catch-all."""
        place = cast.token
        while True:
            spec = _match(place.task_spec.boundaries, cast)
            if spec is not None:
                cast.token.internal_data |= {"threw": 1} if cast.kind == "error" else {}
                caught = spawn(place.workflow, spec, came_from=(place.id,), fired=1)
                self._caught(caught, cast)
                if spec.event.is_interrupting:
                    place.cancel()
                return True
            if place.body is not None:
                place = place.body
                continue
            workflow = place.workflow
            spec = (
                None
                if workflow.is_interrupted
                else _match(workflow.spec.event_subprocesses, cast, besides=place.task_spec)
            )
            if spec is not None:
                cast.token.internal_data |= {"threw": 1} if cast.kind == "error" else {}
                caught = spawn(workflow, spec, fired=1)
                self._caught(caught, cast)
                if spec.event.is_interrupting:
                    spec.fires(caught)
                return True
            if workflow is self:
                return False
            place = workflow.owner

    def _caught(self, token: Token, cast: Cast) -> None:
        token.task_spec.open(token)
        self.result(token, cast.variables)
        token._ready()

    def _live(self, token_id: int) -> Token:
        if token_id not in self.live:
            raise NotWaiting(f"Expected token {token_id} to be live, but it is not")
        return self.live[token_id]

    def _waiting(self, token_id: int, *kinds: str) -> Token:
        token = self.live.get(token_id)
        wait = _wait(token) if token is not None else None
        if token is None or wait is None or wait.kind not in kinds:
            state = (
                "it has left"
                if token is None
                else f"it waits for {wait.kind}"
                if wait is not None
                else "it does not wait"
            )
            raise NotWaiting(f"Expected token {token_id} to wait for a {' or '.join(kinds)}, but {state}")
        return token


def _feel(name: str, value: Any) -> Any:
    try:
        return to_feel(value)
    except ValueError as error:
        raise NotStorable(f'Expected the variable "{name}" to be a value that FEEL knows: {error}') from error


def _match(specs: Any, cast: Cast, besides: Any = None) -> Any:
    """Return the spec that catches: by its very code first, then one that catches all codes."""
    fitting = [spec for spec in specs if spec is not besides and spec.event.kind == cast.kind]
    exact = [spec for spec in fitting if spec.event.code is not None and spec.event.code.text == cast.code]
    return next(iter(exact or [spec for spec in fitting if spec.event.code is None]), None)


def _wait(token: Token) -> Wait | None:
    data, spec = token.internal_data, token.task_spec
    kind = "incident" if "incident" in data else spec.waits_for
    if kind is None or ("fired" in data and kind != "incident"):
        return None
    if kind == "job" and token._state != TaskState.STARTED:
        return None
    parent = token.parent
    is_attached = parent is not token.workflow.task_tree and token.body is None
    event = token.task_spec.event if kind in ("message", "timer", "signal", "conditional") else None
    return Wait(
        token_id=token.id,
        kind=kind,
        element_id=token.element.id,
        process_id=token.element.process_id,
        scope_id=token.scope,
        due=due_of(data) if "due" in data and kind == "timer" else None,
        message_name=data.get("name"),
        correlation_key=data.get("key"),
        incident=data.get("incident"),
        cause=data.get("cause"),
        attached_to=parent.id if is_attached else None,
        is_interrupting=event.is_interrupting if event is not None else True,
        parents=tuple(data.get("from", ())),
        instance=data.get("index"),
    )
