# mypy: allow-subclassing-any
"""A running instance as the house sees it: commands from outside, and what can be asked. Knows no database.

A flow is used by one thread at a time; the bundle it runs may be shared by all.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from SpiffWorkflow.util.task import TaskState

from dmn import to_feel
from engine.spiff import state
from engine.spiff.arming import due_of
from engine.spiff.bundle import Bundle
from engine.spiff.changes import begin_change, deny
from engine.spiff.driver import MOVE_LIMIT, Driver
from engine.spiff.elements import ElementInfo
from engine.spiff.extensions import Expr
from engine.spiff.host import BpmnError, Changed, FiredTimer, Host, Incident, NotWaiting, Wait
from engine.spiff.listeners import answered, headers_of
from engine.spiff.scopes import ROOT, View
from engine.spiff.throwing import broadcast
from engine.spiff.token import CANCELLED, Token
from engine.spiff.verdicts import CHANGES
from engine.spiff.waiting import kind_of, wait_of


class Instances(NamedTuple):
    """How far a multi-instance is."""

    total: int
    active: int
    completed: int


class Around(NamedTuple):
    """What a token is inside of: one instance of a multi-instance activity, or a called process.

    token_id, element: of the inner instance, or of the call. place: of the instance, from 0, among total.
    called: the process that is called.
    """

    token_id: int
    element: ElementInfo
    place: int | None = None
    total: int = 0
    called: str | None = None


class Flow(Driver):
    """One instance in memory.

    Each command runs on until nothing can move without somebody outside. ``history`` and ``thrown`` collect what happened
    since the flow was started or loaded. After an exception that is not NotWaiting the flow is half moved: throw it away.
    """

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
        flow.run()
        return flow

    @classmethod
    def load(
        cls,
        bundle: Bundle,
        state_bytes: bytes,
        variables: Mapping[tuple[int, str], bytes],
        host: Host,
        *,
        move_limit: int = MOVE_LIMIT,
        is_awake: bool = False,
    ) -> Flow:
        """Take up a stored instance with the definition it was started with. Nothing runs yet.

        is_awake: no token sleeps, so that what cannot be read of it is found now. Raises: ValueError, LookupError, TypeError or
        AttributeError for a state that somebody broke.
        """
        flow = state.load(
            lambda process_id: cls(bundle, process_id, host, move_limit=move_limit), state_bytes, variables
        )
        assert isinstance(flow, cls)
        if is_awake:
            flow.live.wake()
        return flow

    def complete(self, token_id: int, variables: Mapping[str, Any] | None = None) -> None:
        """Complete a person's task or an outside worker's job. Raises: NotWaiting; NotStorable; WrongAnswer."""
        token = self._waiting(token_id, "task", "job")
        if answered(token, variables or {}):
            token._ready()
        elif "asks" in token.internal_data:
            if token.task_spec.answer(token, variables or {}):
                self.resume(token)
        else:
            self.result(token, variables or {})
            self.resume(token)
        self.run()

    def change(
        self, token_id: int, action: str, was: Mapping[str, Any], to: Mapping[str, Any], about: Mapping[str, str]
    ) -> Changed | None:
        """Let the listeners of an open task hear of a change, and return what came of it; None while one of them is waited for.

        was, to: what the task says before and after it (``verdicts.ATTRIBUTES``). about: more headers for them. A change that they
        were hearing of is dropped. What comes of it later stands in ``changed``. Raises: NotWaiting.
        """
        token = self._waiting(token_id, "task")
        self.changed.pop(token_id, None)
        begin_change(token, action, was, to, about)
        token._ready()
        self.run()
        return self.changed.pop(token_id, None)

    def corrections(self, token_id: int) -> Mapping[str, Any]:
        """Return what listeners corrected of a task before it was opened; ``note`` says why nobody was given it."""
        found: Mapping[str, Any] = self._live(token_id).internal_data.get("corrected", {})
        return found

    def fail(self, token_id: int, error: BpmnError) -> None:
        """Throw a business error from a task or job; uncaught it becomes an incident there. Raises: NotWaiting."""
        token = self._waiting(token_id, "task", "job")
        if token.internal_data.get("hears") in CHANGES:
            deny(token, error.message)
            token._ready()
            self.run()
            return
        self.cast(token, "error", code=error.code, message=error.message, variables=error.variables)
        self.run()

    def hold(self, token_id: int, message: str, cause: str = "work") -> None:
        """Turn a waiting job or task into an incident (a worker gave up). Raises: NotWaiting."""
        self._waiting(token_id, "task", "job").hold(Incident(message, cause))

    def deliver(self, token_id: int, variables: Mapping[str, Any] | None = None) -> None:
        """Give a message to a token that waits for one. Raises: NotWaiting."""
        self.fire(self._waiting(token_id, "message"), variables)
        self.run()

    def signal(self, name: str, variables: Mapping[str, Any] | None = None) -> int:
        """Give a signal to all who wait for it, and return how many did."""
        count = broadcast(self, name, variables or {})
        self.run()
        return count

    def tick(self, now: dt.datetime) -> list[FiredTimer]:
        """Let every timer go off that is due, in the order of their due times, with those that become due on the way.

        Stops after as many as the move limit, or when its time is over; the rest are still due then.
        """
        fired: list[FiredTimer] = []
        self.live.wake_due(now)
        began = time.thread_time()
        while len(fired) < self.move_limit and (due := self._due(now)):
            if time.thread_time() - began > self.seconds_limit:
                break
            token = due[0]
            element, when = token.element, due_of(token.internal_data)
            interrupts = token.task_spec.event.is_interrupting
            fired.append(FiredTimer(token.id, element.id, element.process_id, when, element.attached_to, interrupts))
            self.fire(token)
            self.run()
        return fired

    def add_instance(self, body_id: int, item: Any) -> None:
        """Let one more inner instance of a parallel multi-instance begin, with this as its input element. Raises: NotWaiting."""
        body = self._live(body_id)
        if not body.task_spec.is_body or body.task_spec.loop.is_sequential:
            raise NotWaiting(f"Expected token {body_id} to be a parallel multi-instance, but it is none")
        if "n" not in body.internal_data:
            raise NotWaiting(f"Expected token {body_id} to have begun its instances, but it has not yet")
        index = body.internal_data["n"]
        body.internal_data["n"] = index + 1
        collected = body.task_spec.loop.output_collection
        if collected is not None:
            self.put(body.id, collected, [*self.scopes.get(body.id, collected), None])
        body.task_spec.begin(body, index, to_feel(item))
        self.run()

    def activate(
        self, token_id: int, chosen: Sequence[tuple[str, Mapping[str, Any]]], *, ends_others: bool = False
    ) -> None:
        """Let elements of an open ad-hoc sub-process begin, each with variables of its own.

        ends_others: what runs in it ends first. Raises: NotWaiting, with nothing changed.
        """
        token = self.live.get(token_id)
        if token is None or token not in self.ad_hocs():
            stopped = token is not None and token_id in self.subprocesses and self.subprocesses[token_id].is_interrupted
            why = "an event sub-process runs instead of it" if stopped else "it is none"
            raise NotWaiting(f"Expected token {token_id} to be an open ad-hoc sub-process, but {why}")
        known = [one.id for one in self.choices(token_id)]
        for name, _ in chosen:
            if name not in known:
                raise NotWaiting(f'Expected one of {", ".join(known)} to begin, but "{name}" is none of them')
        for other in self.chosen(token_id) if ends_others else ():
            other.cancel()
        for name, variables in chosen:
            token.task_spec.activate(token, name, variables)
        self.run()

    def retry(self, token_id: int) -> None:
        """Try again what became an incident. Raises: NotWaiting."""
        token = self.live.get(token_id)
        if token is None or token.incident is None:
            raise NotWaiting(f"Expected an incident at token {token_id}, but there is none")
        token.internal_data.pop("incident")
        if token.is_done:
            token.internal_data["stands"] = 1
        token.internal_data.pop("cause", None)
        token.internal_data.pop("threw", None)
        if token._state == TaskState.WAITING:
            token.internal_data.pop("seen", None)
        else:
            token._ready()
        self.run()

    def cancel(self, workflow: Any = None) -> None:
        """Cancel the whole instance; one that has ended stays as it is."""
        if self.completed:
            return
        self.cancel_tokens()
        self.tell_of_cancel()
        self.completed = True
        self.outcome = CANCELLED

    # What can be asked

    @property
    def done(self) -> bool:
        """The instance has ended; ``outcome`` is completed, cancelled or terminated."""
        return bool(self.completed)

    def waits(self) -> list[Wait]:
        """Return what the instance waits for, oldest token first."""
        return [wait_of(token, kind) for token in self.live.values() if (kind := kind_of(token)) is not None]

    def meet(self) -> Mapping[tuple[int, str], Wait]:
        """Return what its tokens wait for, by token and kind; one that sleeps is added when it wakes, as it was then."""
        return self.live.meet()

    def waits_awake(self, known: Mapping[tuple[int, str], Wait] | None = None) -> list[Wait]:
        """Return what the tokens that are awake wait for. Those that sleep wait for what they did, each for a person or a worker.

        known: what ``meet`` returned; a wait that is among it is returned as it was then, but for a timer that is due at another time.
        """
        waits: list[Wait] = []
        for token in self.live.awake():
            kind = kind_of(token)
            if kind is None:
                continue
            wait = known.get((token.id, kind)) if known is not None else None
            if wait is None or (kind == "timer" and wait.due != due_of(token.internal_data)):
                wait = wait_of(token, kind)
            waits.append(wait)
        return waits

    def dues_asleep(self) -> list[dt.datetime]:
        """Return when tokens that sleep are due, the earliest of each that sleep together."""
        return self.live.dues()

    def sleeps(self, token_id: int) -> bool:
        """Say whether nobody has looked at a live token since the instance was loaded."""
        return token_id in self.live.asleep

    @property
    def has_sleepers(self) -> bool:
        """Whether some tokens have not been looked at since the instance was loaded."""
        return bool(self.live.asleep)

    def variables_view(self, token_id: int | None = None) -> View:
        """Return what a token sees (the process when None), looked up on demand; treat the values as read-only."""
        return View(self.scopes, ROOT if token_id is None else self.scope_of(token_id))

    def view_of(self, scope_id: int) -> View:
        """Return what is seen from a live scope, looked up on demand. Raises: KeyError."""
        if not self._is_scope(scope_id):
            raise KeyError(scope_id)
        return View(self.scopes, scope_id)

    def evaluate(
        self, expression: Expr | str, token_id: int | None = None, extra: Mapping[str, Any] | None = None
    ) -> Any:
        """Evaluate an expression of the diagram (or text with ``=`` in front) as a token sees the variables. Raises: Incident."""
        scope = ROOT if token_id is None else self.scope_of(token_id)
        code = Expr.read(expression) if isinstance(expression, str) else expression
        return code.value(View(self.scopes, scope, extra), self.host)

    def set_variable(self, scope_id: int, name: str, value: Any) -> None:
        """Write a variable of exactly this scope. Raises: NotStorable; KeyError for a scope that has ended."""
        if not self._is_scope(scope_id):
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

    def around(self, token_id: int) -> list[Around]:
        """Return the multi-instance instances and the calls around a live token, outermost first."""
        found: list[Around] = []
        token: Token | None = self._live(token_id)
        while token is not None:
            element, body = token.element, token.body
            if body is not None:
                place, total = token.internal_data.get("index"), body.internal_data.get("n", 0)
                found.append(Around(token.id, element, place, total))
                token = body
            workflow = token.workflow
            if workflow is self:
                break
            owner: Token = workflow.owner
            if owner.element.called is not None:
                found.append(Around(owner.id, owner.element, called=element.process_id))
            token = owner
        return found[::-1]

    def came_from(self) -> dict[int, tuple[int, ...]]:
        """Return for each live token those that it came from; the first one inside a container came from its token."""
        return {token_id: tuple(token.internal_data.get("from", ())) for token_id, token in self.live.items()}

    def headers(self, token_id: int) -> Mapping[str, str]:
        """Return what a worker is told with the job that a live token waits for."""
        return headers_of(self._live(token_id))

    def ad_hocs(self) -> list[Token]:
        """Return the tokens of the ad-hoc sub-processes that are open: something may be chosen in them."""
        return [
            sub.owner
            for sub in self.subprocesses.values()
            if sub.owner.task_spec.is_open_when_empty
            and not sub.is_interrupted
            and "is_shell" not in sub.owner.internal_data
        ]

    def choices(self, token_id: int) -> list[ElementInfo]:
        """Return what may be chosen in an open ad-hoc sub-process."""
        token = self._live(token_id)
        return list(token.task_spec.choices(token).values())

    def chosen(self, token_id: int) -> list[Token]:
        """Return the live activations in an open ad-hoc sub-process, oldest first."""
        sub = self.subprocesses[token_id]
        return [token for token in sub.task_tree.children if token.id not in sub.listeners]

    def instances(self, body_id: int) -> Instances:
        """Count the inner instances of a multi-instance body."""
        body = self._live(body_id)
        data = body.internal_data
        return Instances(data.get("n", 0), body.task_spec.active(body), data.get("ended", 0))

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

    def _due(self, now: dt.datetime) -> list[Token]:
        timers = [
            token
            for token in self.watching["timer"].values()
            if token.incident is None and due_of(token.internal_data) <= now
        ]
        return sorted(timers, key=lambda token: (due_of(token.internal_data), token.id))

    def _is_scope(self, scope_id: int) -> bool:
        if scope_id not in self.scopes:
            self.live.wake()  # It may be one of those that sleep.
        return scope_id in self.scopes

    def _live(self, token_id: int) -> Token:
        if token_id not in self.live:
            raise NotWaiting(f"Expected token {token_id} to be live, but it is not")
        return self.live[token_id]

    def _waiting(self, token_id: int, *kinds: str) -> Token:
        token = self.live.get(token_id)
        kind = kind_of(token) if token is not None else None
        if token is None or kind not in kinds:
            state = (
                "it has left" if token is None else f"it waits for {kind}" if kind is not None else "it does not wait"
            )
            raise NotWaiting(f"Expected token {token_id} to wait for a {' or '.join(kinds)}, but {state}")
        return token
