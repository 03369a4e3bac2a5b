"""A host for flows in tests, and a harness that may store and load the flow again after every command."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from dmn import HostFunction
from engine.spiff import (
    PENDING,
    BpmnError,
    Bundle,
    ElementInfo,
    FiredTimer,
    Flow,
    Wait,
    WorkFailed,
    WorkItem,
    read_bundle,
)
from tests.engine.spiff.diagrams import diagram, process

NOON = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
Worker = Callable[[WorkItem], Any]


class House:
    """What stands above a flow: a clock that only moves when told, workers by job type, other definitions by process id."""

    def __init__(self, **workers: Worker | Any) -> None:
        self.now = NOON
        self.zone: dt.tzinfo = dt.UTC
        self.workers = workers
        self.items: list[WorkItem] = []
        self.others: dict[str, Bundle] = {}
        self.functions: dict[str, HostFunction] = {}

    def work(self, item: WorkItem) -> Any:
        self.items.append(item)
        worker = self.workers.get(item.type or item.decision_id or "", PENDING)
        return worker(item) if callable(worker) else worker

    def task(self, element: ElementInfo, variables: Mapping[str, Any]) -> dict[str, Any]:
        spec = element.user_task
        assignee = spec.assignee.value(variables, self) if spec is not None and spec.assignee is not None else None
        none: list[str] = []
        return {
            "assignee": assignee,
            "candidateUsers": none,
            "candidateGroups": none,
            "dueDate": None,
            "followUpDate": None,
            "priority": 50,
        }

    def resolve(self, process_id: str, binding: str, version_tag: str | None) -> tuple[str, Bundle]:
        if process_id not in self.others:
            raise WorkFailed(f"Expected a released process {process_id}, but there is none")
        return f"key-of-{process_id}", self.others[process_id]

    def bundle(self, key: str) -> Bundle:
        return self.others[key.removeprefix("key-of-")]


class Story:
    """One instance: acts by element id, sees what waits, and (when it forgets) lives only in what was stored."""

    def __init__(
        self,
        bundle: Bundle,
        house: House,
        *,
        forgets: bool,
        process_id: str = "p",
        start: str | None = None,
        limit: int = 10_000,
        **variables: Any,
    ) -> None:
        self.bundle = bundle
        self.house = house
        self.forgets = forgets
        self.limit = limit
        self.stored: dict[tuple[int, str], bytes] = {}
        self.history: list[Any] = []
        self.thrown: list[Any] = []
        self.flow = Flow.start(bundle, process_id, variables, house, start_element=start, move_limit=limit)
        self._acted()

    def _acted(self) -> None:
        self.history += self.flow.history
        self.thrown += self.flow.thrown
        self.flow.history.clear()
        self.flow.thrown.clear()
        if self.forgets:
            changed, gone = self.flow.changed_variables()
            self.stored = {key: data for key, data in (self.stored | changed).items() if key not in gone}
            state = self.flow.state()
            self.flow = Flow.load(self.bundle, state, self.stored, self.house, move_limit=self.limit)
            assert self.flow.state() == state
            assert self.flow.changed_variables() == ({}, set())

    def waiting(self, kind: str | None = None) -> list[str]:
        """The element ids that wait, sorted."""
        return sorted(wait.element_id for wait in self.flow.waits() if kind in (None, wait.kind))

    def wait(self, element: str, which: int = 0, kind: str | None = None) -> Wait:
        found = [wait for wait in self.flow.waits() if wait.element_id == element and kind in (None, wait.kind)]
        assert len(found) > which, f"{element} does not wait; {self.waiting()} do"
        return found[which]

    def _unseen(self, wait: Wait) -> int:
        """Return its token's id, with nobody having looked at any token since the instance was stored."""
        self._acted()
        return wait.token_id

    def complete(self, element: str, which: int = 0, **variables: Any) -> None:
        token_id = self._unseen(self.wait(element, which))
        self.flow.complete(token_id, variables)
        self._acted()

    def deliver(self, element: str, which: int = 0, **variables: Any) -> None:
        token_id = self._unseen(self.wait(element, which, "message"))
        self.flow.deliver(token_id, variables)
        self._acted()

    def fail(self, element: str, code: str, **variables: Any) -> None:
        token_id = self._unseen(self.wait(element))
        self.flow.fail(token_id, BpmnError(code, variables=variables))
        self._acted()

    def signal(self, name: str, **variables: Any) -> int:
        count = self.flow.signal(name, variables)
        self._acted()
        return count

    def retry(self, element: str) -> None:
        token_id = self._unseen(self.wait(element, kind="incident"))
        self.flow.retry(token_id)
        self._acted()

    def later(self, **by: float) -> list[FiredTimer]:
        self.house.now += dt.timedelta(**by)
        fired = self.flow.tick(self.house.now)
        self._acted()
        return fired

    def set(self, scope: int, name: str, value: Any) -> None:
        self.flow.set_variable(scope, name, value)
        self._acted()

    def cancel(self) -> None:
        self.flow.cancel()
        self._acted()

    def variable(self, name: str) -> Any:
        return self.flow.variables_view().get(name)

    @property
    def variables(self) -> dict[str, Any]:
        return dict(self.flow.variables_view())

    def left(self, outcome: str = "completed") -> list[str]:
        """The elements that left with this outcome, in order."""
        return [row.element_id for row in self.history if row.outcome == outcome]

    def ended_at(self, *elements: str) -> bool:
        assert self.flow.done, f"{self.waiting()} wait"
        assert not self.flow.live
        assert not self.flow.subprocesses
        assert set(self.flow.scopes.around) <= {0}
        return tuple(self.flow.ended_at) == elements


def bundle_of(*parts: str, flows: str, definitions: str = "", others: Mapping[str, str] | None = None) -> Bundle:
    texts = [process(*parts, flows=flows), *(others or {}).values()]
    return read_bundle({"p.bpmn": diagram(*texts, definitions=definitions)})
