# mypy: allow-subclassing-any
"""The driver: which token runs next, what it may see, where its results go, and what is noted about it.

SpiffWorkflow keeps the states of the tokens and cancels them; everything else that moves an instance is here. The task specs
call it, and ``Flow`` adds the commands from outside.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.util.task import TaskState

from engine.spiff.arming import ARMED, arm
from engine.spiff.bundle import Bundle
from engine.spiff.carrying import TooMuch, carried
from engine.spiff.codec import NotStorable, feel_of
from engine.spiff.compensation import Entry, hand_outwards, inside_of
from engine.spiff.extensions import CalledElement
from engine.spiff.host import (
    Answer,
    Arrival,
    Changed,
    Host,
    Incident,
    Left,
    Thrown,
    Unheard,
    WorkFailed,
    WorkItem,
    _Pending,
)
from engine.spiff.scopes import ROOT, Scopes
from engine.spiff.sleeping import Tokens
from engine.spiff.throwing import Cast, deliver
from engine.spiff.token import Token, spawn
from engine.spiff.waiting import judge_conditions
from engine.spiff.workflow import Flat, NoScripts, Sub

MOVE_LIMIT = 10_000
SECONDS_LIMIT = 10.0
"""Of the processor, for all expressions and tables of one run: others wait meanwhile, on SQLite whoever writes anything."""
DEPTH_LIMIT = 60
"""Sub-processes and calls within each other. Cancelling goes down by recursion, within Python's stack."""
_ENDLESS = (
    "Expected the flow to come to rest within {limit:,} moves, but it went on; a loop without a wait never ends. What only has many steps"
    " goes on when it is tried again"
)
_TOO_LONG = (
    "Expected the flow to come to rest within {limit:g} s of computing, but it went on; a loop whose expressions take long hardly ends. "
    "Trying again goes on from here"
)
_NO_SCRIPTS = NoScripts()


class Driver(Flat, BpmnWorkflow):
    """One instance in memory, with its books: live tokens by id, what they wait for, history, scopes."""

    scope_id = ROOT
    seconds_limit = SECONDS_LIMIT

    def __init__(self, bundle: Bundle, process_id: str, host: Host, *, move_limit: int = MOVE_LIMIT) -> None:
        self.bundle = bundle
        self.process_id = process_id
        self.host = host
        self.move_limit = move_limit
        self.live = Tokens()
        self.queue: deque[Token] = deque()
        self.watching: dict[str, dict[int, Token]] = {kind: {} for kind in ARMED}
        self.undecided: dict[int, Token] = {}
        self.scopes = Scopes()
        self.history: list[Left] = []
        self.thrown: list[Thrown] = []
        self.unheard: list[Unheard] = []
        self.changed: dict[int, Changed] = {}
        self.log: list[Entry] = []
        self.outcome: str | None = None
        self.moves = 0
        self.began = 0.0
        self.counter = 0
        self.casts: deque[Cast] = deque()
        # No version of the scopes, so that conditions are asked again after loading: variables may have been set before.
        self.judged = -1
        super().__init__(bundle.spec(process_id), script_engine=_NO_SCRIPTS, deserializing=True)
        self.prepare()

    def new_id(self) -> int:
        self.counter += 1
        return self.counter

    def put(self, scope: int, name: str, value: Any) -> None:
        """Write into exactly this scope, from Python or FEEL. Raises: NotStorable."""
        self.scopes.assign(scope, name, feel_of(name, value))

    def write(self, scope: int, results: Answer) -> None:
        """Write results where Camunda 8 does: the nearest scope outwards that has the name, else the outermost."""
        for name, value in results.items():
            self.scopes.propagate(scope, name, value)

    def result(self, token: Token, results: Mapping[str, Any]) -> None:
        """Take what an element brought, from Python or FEEL: kept to itself when it has output mappings, else written outwards.

        Raises: NotStorable, and then nothing was taken.
        """
        taken = Answer.of(results)
        if not token.task_spec.keeps_results:
            self.write(token.scope, taken)
            return
        for name, value in taken.items():
            self.scopes.assign(token.id, name, value)

    def local(self, token: Token) -> dict[str, Any]:
        """Return the token's own variables: what its input mappings made."""
        return (
            {name: self.scopes.get(token.id, name) for name in self.scopes.names(token.id)}
            if token.id in self.scopes
            else {}
        )

    def sent_along(self, token: Token) -> dict[str, Any]:
        """Return what a message or signal that the token throws carries: its own variables. Raises: Incident."""
        try:
            return carried(self.local(token), "variables")
        except TooMuch as error:
            raise Incident(f"{error}. What is sent along is what the input mappings make") from error

    def watch(self, token: Token) -> None:
        """Note that a token waits for something from outside."""
        event = token.task_spec.event
        self.watching[event.kind][token.id] = token
        if event.filter is not None and self.scopes.heard is None:
            self.scopes.heard = []

    def forget(self, token: Token) -> None:
        """Drop a token that leaves from every book."""
        spec = token.task_spec
        self.live.pop(token.id, None)
        if spec.is_armed:
            self.watching[spec.event.kind].pop(token.id, None)
        self.undecided.pop(token.id, None)
        token.workflow.listeners.discard(token.id)
        if spec.joins and "arrivals" not in token.internal_data:
            token.workflow.arrivals[spec.name].remove(token)

    def record(self, token: Token, outcome: str) -> None:
        """Write a history row. What only waited to happen has none."""
        data = token.internal_data
        if token.only_waited or "is_shell" in data:
            return
        element = token.element
        kind = "multiInstance" if token.task_spec.is_body else element.kind
        joined = data.get("arrivals")
        arrivals = tuple([Arrival(row[0], row[1], tuple(row[2])) for row in joined]) if joined else ()
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

    def check_depth(self, token: Token) -> None:
        """Raise Incident when one more sub-process or call inside the others would be too many."""
        if token.workflow.depth >= DEPTH_LIMIT:
            message = f"Expected at most {DEPTH_LIMIT} calls and sub-processes within each other, but this is one more"
            raise Incident(message, "call")

    def create_subprocess(
        self, token: Token, spec: Any, bundle: Bundle, *, scope_id: int, key: str | None = None
    ) -> Sub:
        """Make the inside of a container token."""
        sub = self.subprocesses[token.id] = Sub(spec, token, bundle, scope_id=scope_id, key=key)
        return sub

    def sub_of(self, owner_id: int) -> Sub:
        """Return what runs inside a live token. Raises: KeyError when nothing does."""
        self.live.get(owner_id)  # What sleeps has no sub-process.
        found: Sub = self.subprocesses[owner_id]
        return found

    def dispose(self, sub: Sub, *, is_complete: bool = False) -> None:
        """Take a sub-process that has ended out of memory."""
        if self.subprocesses.pop(sub.parent_task_id, None) is not None:
            hand_outwards(sub.owner, is_kept=is_complete and sub.key is None)
            if sub.key is not None:
                self.scopes.close(sub.scope_id)

    def find(self, caller: Any, process_id: str, called: CalledElement) -> tuple[str, Bundle, Any]:
        """Find a called process: key ("" when it is in the caller's own bundle), bundle, spec. Raises: Incident."""
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
        self.casts.append(Cast(token, kind, code, message, variables or {}))

    def work(self, item: WorkItem) -> Mapping[str, Any] | _Pending | None:
        """Hand work to the host. What a function of the house takes for it is no time of the flow's. Raises: BpmnError; WorkFailed."""
        before = time.thread_time()
        try:
            return self.host.work(item)
        finally:
            if item.kind != "decision":
                self.began += time.thread_time() - before

    def throw_message(self, token: Token) -> None:
        """Note a message that goes out. Raises: Incident."""
        event = token.element.event
        assert event is not None, f"{token.element.id} throws no message"
        data = arm(event, token.view(), self.host)
        self.thrown.append(
            Thrown("message", data["name"], token.element.id, token.id, data.get("key"), self.sent_along(token))
        )

    def run_handler(
        self,
        token: Token,
        workflow: Any,
        *,
        path: list[Any],
        activity: str,
        came_from: int,
        variables: Mapping[str, str],
    ) -> None:
        """Start the compensation handler of a completed activity for ``token``, in the scope where the activity ran.

        A handler inside sub-processes that have completed gets shells of them to run in, with the variables they had.
        """
        undoes: dict[str, Any] = {"undoes": token.id}
        for name, kept in map(inside_of, path):
            spec = workflow.spec.task_specs[name]
            spec = workflow.spec.task_specs[getattr(spec, "task_spec", None) or name]
            shell = spawn(workflow, spec, came_from=(token.id,), **undoes)
            shell.internal_data |= {"in": 1, "is_shell": 1}
            shell._set_state(TaskState.STARTED)
            spec.open(shell)
            self.scopes.put_texts(shell.id, kept)
            workflow = self.create_subprocess(shell, workflow.spec.subs[name], workflow.bundle, scope_id=shell.id)
            undoes = {}
        spec = workflow.spec.task_specs[workflow.spec.handlers[activity]]
        handler = spawn(workflow, spec, came_from=(token.id, came_from), **undoes)
        if variables:
            self.scopes.open(handler.id, handler.container)
            self.scopes.put_texts(handler.id, variables)
        spec._update(handler)

    def undone(self, handler: Token) -> None:
        """Tell whoever compensates that one handler has completed."""
        compensating = self.live.get(handler.internal_data["undoes"])
        if compensating is not None:
            compensating.task_spec.child_done(compensating, handler)

    def came_to_end(self) -> None:
        self.outcome = self.outcome or "completed"

    def terminate(self, token: Token) -> None:
        self.outcome = "terminated"
        super().terminate(token)

    def get_task_from_id(self, task_id: int) -> Token:
        return self.live[task_id]

    def run(self) -> None:
        """Move until everything rests, or until one move too many became an incident; what could still move goes on with the next run."""
        self.moves, self.began = 0, time.thread_time()
        while self.moves <= self.move_limit and self._moved():
            pass

    def _moved(self) -> bool:
        if self.casts:
            deliver(self, self.casts.popleft())
        elif self.queue:
            self._step(self.queue.popleft())
        else:
            return self._join_inclusive() or judge_conditions(self)
        return True

    def _step(self, token: Token) -> None:
        if token._state != TaskState.READY or token.id not in self.live:
            return
        if not token.task_spec.manual:
            self.moves += 1
            if self.moves > self.move_limit:
                token.hold(Incident(_ENDLESS.format(limit=self.move_limit), "moves"))
                return
        if time.thread_time() - self.began > self.seconds_limit:
            self.moves = self.move_limit + 1
            token.hold(Incident(_TOO_LONG.format(limit=self.seconds_limit), "moves"))
            return
        try:
            if not token.task_spec.enter(token):
                token._set_state(TaskState.STARTED)
                return
        except (Incident, NotStorable) as reason:
            token.hold(reason)
            return
        if token.is_done or not token.task_spec.manual:
            token.run()

    def _join_inclusive(self) -> bool:
        waiting = {(token.workflow, token.task_spec) for token in self.undecided.values()}
        ordered = sorted(waiting, key=lambda pair: (pair[0].depth, pair[1].name))
        return any(spec.settle(workflow) for workflow, spec in ordered)

    def fire(self, token: Token, variables: Mapping[str, Any] | None = None) -> None:
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
