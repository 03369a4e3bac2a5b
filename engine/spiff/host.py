"""What a flow needs from above while it runs, and what it tells about itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from dmn import HostFunction
from engine.spiff.codec import feel_of

if TYPE_CHECKING:
    from engine.spiff.bundle import Bundle
    from engine.spiff.elements import ElementInfo


class Answer(dict[str, Any]):
    """Result variables that are FEEL values already, so that nobody converts them again."""

    @classmethod
    def of(cls, results: Mapping[str, Any]) -> Answer:
        """Return what somebody brought, from Python or FEEL, converted unless it is an answer. Raises: NotStorable."""
        if type(results) is cls:
            return results
        return cls((name, feel_of(name, value)) for name, value in results.items())


class _Pending(Enum):
    PENDING = "pending"


PENDING: Final = _Pending.PENDING
"""What ``Host.work`` answers when somebody outside will complete the token later."""


class BpmnError(Exception):
    """A business error with a code that the diagram may catch; ``variables`` go to whoever catches it."""

    def __init__(self, code: str, message: str = "", variables: Mapping[str, Any] | None = None) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message or code
        self.variables = dict(variables or {})


class WorkFailed(Exception):
    """The work behind a task failed and may be tried again: the token stays where it is, as an incident."""


class NotWaiting(Exception):
    """A command names a token that is not there any more, or that waits for something else."""


class WrongAnswer(ValueError):
    """What a worker says among its variables to the engine cannot be; nothing has changed. name: of that variable."""

    name = ""


class WrongChoice(WrongAnswer):
    """A worker of an ad-hoc sub-process chose what is not there, or says two things at once; nothing has changed."""

    name = "adHocSubProcess"


class WrongVerdict(WrongAnswer):
    """A listener of a task says of it what no listener can say then; nothing has changed."""

    name = "userTask"


class Denied(Exception):
    """A listener denies what is being done, whose act is to be undone. reason: in its words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Changed(NamedTuple):
    """What came of a change that listeners heard of. to: what the task says now; None when it was denied, for that reason."""

    to: Mapping[str, Any] | None
    denied: str | None


class Incident(Exception):
    """Why a token cannot move on. ``cause`` is one of expression, work, error, call, timer, moves."""

    def __init__(self, message: str, cause: str = "expression") -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One piece of automatic work, to be done now or handed to an outside worker.

    kind: ``service``, ``send``, ``script``, ``listener``, ``decision`` (a calledDecision), ``choice`` (a worker says what is done
    next in an ad-hoc sub-process) or ``message`` (a throwing message event with a task definition). type and retries: evaluated;
    type is None for a decision. binding: of the decision, ``deployment``, ``latest`` or ``versionTag``. result_variable: the name the
    answer should have in the returned mapping. variables: a view that looks names up in the token's scopes; what it returns must
    not be changed in place. is_farewell: what it is about ends in this very move, so that nobody will wait for an answer: what is not
    done at once is promised with what it needs to know.
    """

    token_id: int
    element: ElementInfo
    process_id: str
    kind: str
    type: str | None
    retries: int
    headers: Mapping[str, str]
    variables: Mapping[str, Any]
    decision_id: str | None = None
    binding: str | None = None
    version_tag: str | None = None
    result_variable: str | None = None
    priority: int = 0
    is_farewell: bool = False


class Host(Protocol):
    """The house around a running flow: its clock, its functions, its work, its other definitions."""

    @property
    def now(self) -> dt.datetime:
        """The instant of the act, aware UTC; the same at every call within one act."""

    @property
    def zone(self) -> dt.tzinfo:
        """The zone whose clock a cron expression means."""

    @property
    def functions(self) -> Mapping[str, HostFunction]:
        """What the house lends to FEEL expressions, by name."""

    def work(self, item: WorkItem) -> Mapping[str, Any] | _Pending | None:
        """Do the work now and return its result variables, or return PENDING to keep the token waiting as a job.

        Raises: BpmnError for the diagram to catch; WorkFailed for an incident. Anything else is a bug and propagates: the
        flow in memory is then half moved and must be thrown away.
        """

    def task(self, element: ElementInfo, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the diagram says of a user task, as listeners are told it (``verdicts.ATTRIBUTES``). Raises: Incident."""

    def resolve(self, process_id: str, binding: str, version_tag: str | None) -> tuple[str, Bundle]:
        """Find the definition that a call activity names; the key is stored with the instance.

        Asked only when the process is not in the caller's own bundle or the binding is not ``deployment``.
        Raises: WorkFailed when there is none.
        """

    def bundle(self, key: str) -> Bundle:
        """Return the definition that ``resolve`` once answered with this key, when a stored flow is loaded."""


class Wait(NamedTuple):
    """One thing an instance waits for. A tuple, since every token of an instance makes two at each of its moves.

    kind: ``task`` (a person), ``job`` (an outside worker), ``message``, ``signal``, ``timer``, ``conditional``, ``activation``
    (somebody to choose what is done in an ad-hoc sub-process), ``incident``.
    due: of a timer, aware UTC. message_name: the name of the message or signal. attached_to: the token of the activity that
    a boundary event stands on. is_changing: of a task, a listener hears of a change, as a job of its token.
    """

    token_id: int
    kind: str
    element_id: str
    process_id: str
    due: dt.datetime | None = None
    message_name: str | None = None
    correlation_key: str | None = None
    incident: str | None = None
    cause: str | None = None
    attached_to: int | None = None
    is_changing: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """A token that a join consumed: where it came in (sequence flow id) and which tokens it came from."""

    token_id: int
    via: str
    parents: tuple[int, ...]


class Left(NamedTuple):
    """A token that left during this act: one row of history, with its lineage.

    kind: the BPMN element name (``userTask``, ``endEvent`` …), or ``multiInstance`` for the body around inner instances.
    outcome: ``completed``, ``cancelled``, or ``error`` when it threw an error that was caught.
    """

    token_id: int
    element_id: str
    process_id: str
    kind: str
    outcome: str
    parents: tuple[int, ...]
    arrivals: tuple[Arrival, ...]
    scope_id: int
    instance: int | None


@dataclass(frozen=True, slots=True)
class Unheard:
    """A listener that heard nothing of the end of its element, whose end it could not hold up. message: why."""

    element_id: str
    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Thrown:
    """What went out during this act. kind: ``message``, ``signal``, or ``escalation`` (nobody inside caught it).

    A signal has already reached this instance's own waits; it is the caller's to carry to others.
    """

    kind: str
    name: str
    element_id: str
    token_id: int
    correlation_key: str | None
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FiredTimer:
    """A timer that was due and went off; attached_to is the element id of the activity it stood on."""

    token_id: int
    element_id: str
    process_id: str
    due: dt.datetime
    attached_to: str | None
    is_interrupting: bool
