"""The house around a flow that runs in an act: its clock, its functions, its work, its other definitions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dmn import HostFunction, Result, to_feel, to_python
from dmn.errors import DmnError
from engine import bulk, definitions, jobs, opening
from engine.bundle import Deployed, Table
from engine.canonical import is_whole
from engine.database import new_id
from engine.decisions import DecisionEvaluation
from engine.errors import NotFound, Refused
from engine.functions import HOUSE, zone_of
from engine.registry import PlainVariables, Step, Work
from engine.spiff import Bundle, ElementInfo
from engine.spiff.host import PENDING, Answer, BpmnError, WorkFailed, WorkItem, _Pending
from engine.spiff.timers import Interval, NoTime
from engine.stored.instance import Instance

if TYPE_CHECKING:
    from engine.act import Act

BACK_OFF_HEADER = "backOff"
"""Task header: minutes before each further try of a job, such as ``1, 5, 15, 60``."""
RETRY_BACK_OFF_HEADER = "retryBackoff"
"""Task header, as Camunda's connectors know it: the time before each further try, such as ``PT10S``."""


class ActHost:
    """What a flow asks while one act moves one instance."""

    def __init__(self, act: Act, instance: Instance, deployed: Deployed) -> None:
        self._act = act
        self._instance = instance
        self._deployed = deployed
        self._called: dict[str, Deployed] = {}

    @property
    def now(self) -> dt.datetime:
        """The instant of the act."""
        return self._act.now

    @property
    def zone(self) -> dt.tzinfo:
        """The plant's zone."""
        return zone_of(self._act.session)

    @property
    def functions(self) -> Mapping[str, HostFunction]:
        """FEEL host functions by name."""
        return HOUSE

    def work(self, item: WorkItem) -> Mapping[str, Any] | _Pending | None:
        """Run a step in the act, ask a table, or make a job of it."""
        if item.kind == "decision":
            return self._decide(item)
        step = self._act.installation.registry.steps.get(item.type or "")
        if step is not None:
            return self._run(item, step)
        self._promise(item)
        return PENDING

    def task(self, element: ElementInfo, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the diagram says of a user task."""
        return opening.facts_of(opening.Reader(element, variables, self))

    def resolve(self, process_id: str, binding: str, version_tag: str | None) -> tuple[str, Bundle]:
        """Find the definition that a call activity names outside its own bundle."""
        session = self._act.session
        if binding not in ("latest", "versionTag"):
            raise WorkFailed(f"Expected the process {process_id} in the bundle, but no diagram of it has that id")
        try:
            if binding == "versionTag":
                found = definitions.of_version(session, process_id, version_tag)
            else:
                found = definitions.released(session, process_id)
        except NotFound as error:
            raise WorkFailed(error.message) from error
        return found.id, self.bundle(found.id)

    def bundle(self, key: str) -> Bundle:
        """Return the definition that ``resolve`` once answered, and remember whose processes it has."""
        called = definitions.parsed(self._act.session, key)
        self._called.update(dict.fromkeys(called.bundle.processes, called))
        return called.bundle

    def deployed_of(self, process_id: str) -> Deployed:
        """Return the definition that a process of this instance comes from: its own, or one that it called."""
        if process_id in self._deployed.bundle.processes:
            return self._deployed
        return self._called[process_id]

    def _run(self, item: WorkItem, step: Step) -> Mapping[str, Any]:
        element = item.element
        work = Work(
            self._instance, element.id, element.name or element.id, PlainVariables(item.variables), item.headers
        )
        try:
            with self._act.attempt():
                answer = step(self._act, work)
        except Refused as refusal:
            # The person's decision stays; the diagram may catch the rule by its id, else it becomes an incident.
            self._act.note("instance", self._instance.id, "REFUSED", field=element.id, new=refusal.message)
            raise BpmnError(refusal.code, refusal.message) from refusal
        return Answer((name, to_feel(value)) for name, value in (answer or {}).items())

    def _promise(self, item: WorkItem) -> None:
        back_off = back_off_of(item)
        if item.is_farewell:
            # Nothing waits for it: it takes along what it needs to know, and comes after those of the same end.
            jobs.defer(
                self._act,
                item.type or item.element.id,
                {name: value for name, value in item.variables.items() if not name.startswith("=")},
                lock=f"farewell:{self._instance.id}:{item.token_id}",
                back_off=back_off,
                instance_id=self._instance.id,
                element_id=item.element.id,
                headers=item.headers,
            )
            return
        if item.kind == "choice":
            # It is asked anew: what a worker was to say about how it stood before counts no more.
            self._act.session.flush()
            jobs.cancel_of_token(self._act, self._instance.id, [item.token_id])
        jobs.defer(
            self._act,
            item.type or item.element.id,
            back_off=back_off,
            instance_id=self._instance.id,
            token_id=item.token_id,
            element_id=item.element.id,
            priority=item.priority,
        )

    def _decide(self, item: WorkItem) -> Mapping[str, Any]:
        table = self._table(item)
        try:
            result = table.model.evaluate(item.decision_id or "", item.variables, functions=HOUSE, now=self.now)
        except (DmnError, ValueError) as error:
            raise WorkFailed(f"Expected the table {item.decision_id} to answer, but {error}") from error
        if result.errors:
            raise WorkFailed(f"Expected the table {item.decision_id} to answer, but {result.errors[0].message}")
        rows = [rule.row for rule in result.matched]
        bulk.add(self._act, DecisionEvaluation, [self._evaluation(item, table, result, rows)])
        name = item.result_variable or item.element.id
        return Answer({name: result.value, f"{name}Rows": [Decimal(row) for row in rows]})

    def _table(self, item: WorkItem) -> Table:
        wanted = item.decision_id or ""
        if item.binding == "deployment":
            table = self.deployed_of(item.process_id).tables.get(wanted)
            if table is None:
                raise WorkFailed(f"Expected the decision {wanted} in the bundle, but no table of it has that id")
            return table
        try:
            return definitions.latest_table(self._act.session, wanted, item.version_tag)
        except NotFound as error:
            raise WorkFailed(error.message) from error

    def _evaluation(self, item: WorkItem, table: Table, result: Result, rows: list[int]) -> dict[str, Any]:
        return {
            "id": new_id(),
            "instance_id": self._instance.id,
            "element_id": item.element.id,
            "token_id": item.token_id,
            "decision_id": item.decision_id,
            "table_hash": table.hash,
            "inputs": {asked.text: _json(asked.value) for asked in result.inputs},
            "rows": rows,
            "output": [_json(result.value)],
            "evaluated_at": self.now,
        }


def back_off_of(item: WorkItem) -> list[float]:
    """Return the minutes before each further try of a job.

    The header ``backOff`` lists them, and then says how many there are; ``retryBackoff`` is one duration before each; without
    either the house's own list is taken, as far as the retries of the task go. Raises: WorkFailed for what is no duration.
    """
    listed = [float(part) for part in item.headers.get(BACK_OFF_HEADER, "").replace(",", " ").split() if is_whole(part)]
    if listed:
        return listed
    tries = max(item.retries, 1) - 1
    each = item.headers.get(RETRY_BACK_OFF_HEADER, "").strip()
    if not each:
        return ([float(minutes) for minutes in jobs.BACK_OFF] + [float(jobs.BACK_OFF[-1])] * tries)[:tries]
    try:
        minutes = Interval.of(each).exact.total_seconds() / 60
    except NoTime as error:
        raise WorkFailed(f"Expected the header {RETRY_BACK_OFF_HEADER} to be a duration: {error}") from error
    if minutes < 0:
        raise WorkFailed(f"Expected the header {RETRY_BACK_OFF_HEADER} to lie ahead, but got {each}")
    return [minutes] * tries


def _json(value: Any) -> Any:
    """Return a FEEL value as JSON for reading: numbers and times as text, so that nothing is rounded."""
    plain = to_python(value)
    if isinstance(plain, Mapping):
        return {name: _json(item) for name, item in plain.items()}
    if isinstance(plain, list):
        return [_json(item) for item in plain]
    return plain if plain is None or isinstance(plain, bool | str) else str(value)
