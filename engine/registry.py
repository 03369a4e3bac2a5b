"""What service tasks and jobs do, by type; filled by the flow modules, held by the installation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from dmn.values import to_python

if TYPE_CHECKING:
    from engine.act import Act, Installation
    from engine.record import Edit
    from engine.stored.instance import Instance


F = TypeVar("F")


class PlainVariables(Mapping[str, Any]):
    """FEEL variables as plain Python values: numbers Decimal, dates datetime.date, instants datetime.datetime."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return to_python(self._values[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work, as a step or a job sees it. ``work["name"]`` reads a variable as a plain Python value.

    instance: None for a job that was deferred without one. variables: of a deferred job, its arguments. headers:
    the task headers of the diagram. retries: how many further tries there are if this one fails. job_id: the same
    at every try, so that effects can be made once; None for a step.
    """

    instance: Instance | None
    element_id: str
    element_name: str
    variables: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    retries: int = 0
    job_id: str | None = None

    def __getitem__(self, name: str) -> Any:
        return self.variables[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a variable, or the default where there is none."""
        return self.variables.get(name, default)


Step = Callable[["Act", Work], Mapping[str, Any] | None]
Errand = Callable[["Installation", Work], Mapping[str, Any] | None]
Chore = Callable[["Installation"], int]
Follower = Callable[["Act", Sequence["Edit"]], object]
Listener = Callable[["Act", Sequence[Mapping[str, Any]]], object]
Wanted = Callable[[Mapping[str, Any]], bool]


OWN_JOBS: dict[str, Step] = {}
"""What the engine itself does after a commit, by type; every worker of every installation serves it."""


def own_job(job_type: str) -> Callable[[Step], Step]:
    """Register a job of the engine's own."""
    return lambda function: OWN_JOBS.setdefault(job_type, function)


class Registry:
    """Handlers by type. A type is served once: as a step, as a job, or as an errand."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}
        self.jobs: dict[str, Step] = {}
        self.errands: dict[str, Errand] = {}
        self.chores: dict[str, Chore] = {}
        self.followers: dict[str, list[Follower]] = {}
        self.listeners: list[tuple[Wanted, Listener]] = []

    def step(self, job_type: str) -> Callable[[Step], Step]:
        """Register a service task that runs inside the act of whoever moved the flow there."""
        return lambda function: self._keep(self.steps, job_type, function)

    def job(self, job_type: str) -> Callable[[Step], Step]:
        """Register a job that runs after the commit, in an act of its own; nothing external may happen in it."""
        return lambda function: self._keep(self.jobs, job_type, function)

    def errand(self, job_type: str) -> Callable[[Errand], Errand]:
        """Register a job that works outside (mail, files, HTTP) after the commit and holds no transaction meanwhile.

        It is called with the installation; the variables that it returns are written by an act of their own.
        """
        return lambda function: self._keep(self.errands, job_type, function)

    def chore(self, name: str) -> Callable[[Chore], Chore]:
        """Register what a runner does at every round: look whether something is to be done, and return how much was.

        It opens its own acts, must be cheap when there is nothing, and may run in several workers at once.
        """
        return lambda function: self.chores.setdefault(name, function)

    def follower(self, *tables: str) -> Callable[[Follower], Follower]:
        """Register what must know of every edit of some tables, whichever page, import or flow wrote it.

        It is called once at the end of the act, in the same transaction, with their edits; what it writes commits with them or not at
        all. It must be cheap. Statements in bulk are no edits, and are not told.
        """

        def keep(function: Follower) -> Follower:
            for table in tables:
                self.followers.setdefault(table, []).append(function)
            return function

        return keep

    def listener(self, wanted: Wanted) -> Callable[[Listener], Listener]:
        """Register what hears of events that an act writes into the audit chain.

        It is called once, right before the commit, in the same transaction, with those rows of ``audit_event`` that it wants, in the order
        in which they were written; ``subject`` of a row says what it is about within its record (the id of a task), or None. What it
        writes commits with the act or not at all, and is not told again. wanted: says of a row whether it is; both must be cheap.
        """

        def keep(function: Listener) -> Listener:
            self.listeners.append((wanted, function))
            return function

        return keep

    def merge(self, *others: Registry) -> Registry:
        """Take over the handlers of others. Raises: ValueError when a type is served twice."""
        for other in others:
            for mine, theirs in (
                (self.steps, other.steps),
                (self.jobs, other.jobs),
            ):
                for job_type, function in theirs.items():
                    self._keep(mine, job_type, function)
            for job_type, errand in other.errands.items():
                self._keep(self.errands, job_type, errand)
            self.chores |= other.chores
            self.listeners += [one for one in other.listeners if one not in self.listeners]
            for table, following in other.followers.items():
                known = self.followers.setdefault(table, [])
                known += [function for function in following if function not in known]
        return self

    def serves(self, job_type: str) -> bool:
        """Say whether anybody here handles this type."""
        return any(job_type in handlers for handlers in (self.steps, self.jobs, self.errands, OWN_JOBS))

    @property
    def job_types(self) -> tuple[str, ...]:
        """The types that a worker of this installation runs."""
        return (*OWN_JOBS, *self.jobs, *self.errands)

    def handler_of(self, job_type: str) -> Step:
        """Return what does a job within an act. Raises: KeyError for a type that nobody here serves so."""
        return OWN_JOBS[job_type] if job_type in OWN_JOBS else self.jobs[job_type]

    def _keep(self, handlers: dict[str, F], job_type: str, function: F) -> F:
        if self.serves(job_type) and handlers.get(job_type) is not function:
            raise ValueError(f"Expected one handler for the type {job_type}, but there are two")
        handlers[job_type] = function
        return function
