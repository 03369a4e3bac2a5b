"""Time one durable completion of a user task: the house, the naive way, and the bare commit, in one run per database.

    python -m benchmarks.complete_task [--rounds 20] [--sqlite] [--postgresql] [--flows linear5 twin requisition_to_po loop]

naive: stock SpiffWorkflow 3.2, ``serialize_json`` of the whole instance, its definition included as stock has it, into one
text column through the ORM, under a row lock. floor: one UPDATE of 1.7 KB and one INSERT through SQLAlchemy Core, committed.
Lockstep: ``engine.tasks.complete`` or ``decide`` with everything that the engine keeps: task and inbox rows, counters, history,
audit chain, and for a verdict the hash-chained decision. Roles come from a dictionary, the guard passes everything and the
signer only compares a password, so none of the three is in the figures. requisition_to_po is the shipped diagram on either side
(benchmarks/shipped.py, benchmarks/stock.py); twin is a smaller flow of the same shape.

All three write to the same database with the same durability, and take turns: a round is one instance of each, from its first
task to its last. Every figure is the median over all completions in milliseconds: on the clock, and processor time of this process
(a PostgreSQL server's not included).
The clock contains the disk's sync, which is the same for all; ratios carry over to other machines, absolute figures do not.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from SpiffWorkflow.bpmn.parser import BpmnParser
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.util.task import TaskState as StockState
from sqlalchemy import Engine, Text, insert, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from benchmarks.arguments import kinds, parser_of
from benchmarks.durable_postgres import durable_postgres
from benchmarks.models import Model, linear, loop, twin
from benchmarks.shipped import registry, shipped
from engine import definitions, instances, tasks
from engine.database import Base, connect, new_id
from engine.ports import SignatureRequest
from engine.stored.instance import InstanceStatus
from engine.stored.task import Task
from tests.clock import SettableClock
from tests.engine.plant import Plant

GROWTH = (10, 100, 1000)
FLOWS = {"linear5": linear, "twin": twin, "requisition_to_po": shipped}


class NaiveBase(DeclarativeBase):
    """Tables of the comparison."""


class NaiveInstance(NaiveBase):
    """A whole instance as one text."""

    __tablename__ = "naive_instance"

    id: Mapped[int] = mapped_column(primary_key=True)
    blob: Mapped[str] = mapped_column(Text)


class FloorRow(NaiveBase):
    """What the bare commit writes."""

    __tablename__ = "floor_row"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)


class TaskLost(Exception):
    """Stock SpiffWorkflow does not find the task that is ready: it looks 1,000 tasks deep."""


class Naive:
    """Stock SpiffWorkflow, a blob an instance."""

    def __init__(self, database: Engine, model: Model) -> None:
        self.sessions = sessionmaker(database.execution_options(writes=True))
        self.serializer = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure())
        parser = BpmnParser()
        for diagram in model.stock:
            parser.add_bpmn_str(diagram)
        self.model = model
        self.spec, self.subs = parser.get_spec(model.process_id), parser.get_subprocess_specs(model.process_id)

    def start(self) -> int:
        """Start an instance and return its id."""
        workflow = BpmnWorkflow(self.spec, self.subs)
        workflow.get_tasks()[0].data.update(self.model.variables)
        workflow.do_engine_steps()
        with self.sessions.begin() as session:
            row = NaiveInstance(blob=self.serializer.serialize_json(workflow))
            session.add(row)
            session.flush()
            return row.id

    def complete(self, instance_id: int) -> None:
        """Complete one task that is ready."""
        with self.sessions.begin() as session:
            row = session.get_one(NaiveInstance, instance_id, with_for_update=True)
            workflow = self.serializer.deserialize_json(row.blob)
            ready = workflow.get_tasks(state=StockState.READY, manual=True)
            if not ready:
                raise TaskLost("finds no task any more")
            task = ready[0]
            task.data.update(self.model.data, note="done")
            task.run()
            workflow.do_engine_steps()
            row.blob = self.serializer.serialize_json(workflow)

    def ended_well(self, instance_id: int) -> bool:
        """Say whether an instance came to its end."""
        with self.sessions() as session:
            return self.serializer.deserialize_json(session.get_one(NaiveInstance, instance_id).blob).is_completed()

    def size(self, instance_id: int) -> int:
        """Return how many bytes are stored for an instance."""
        with self.sessions() as session:
            return len(session.get_one(NaiveInstance, instance_id).blob)


class House:
    """Lockstep's service layer."""

    def __init__(self, database: Engine, model: Model) -> None:
        self.model = model
        self.plant = Plant(database, SettableClock())
        self.plant.registry.merge(registry())
        self.plant.staff.roles["max"] += ["BUYER", "SQ", "OPS_DIR"]
        with self.plant.acting("pat") as act:
            definitions.deploy(act, model.ours, process_id=model.process_id)

    def start(self) -> str:
        """Start an instance and return its id."""
        with self.plant.acting("rita") as act:
            started = instances.start(
                act, self.model.process_id, business_key=f"K-{new_id()}", variables=self.model.variables
            )
            return started.id

    def waiting(self, instance_id: str) -> Task:
        """Return a task that is open, as an inbox would have shown it."""
        return self.plant.open(instance_id)[0]

    def complete(self, task: Task) -> None:
        """Complete one task: decided upon, and signed, where the diagram says so."""
        who = task.assignee or "max"
        with self.plant.acting(who) as act:
            if not task.outcomes:
                tasks.complete(act, task.id, {"note": "done"}, seen_version=task.version)
                return
            verdict = "approve" if "approve" in task.outcomes else task.outcomes[0]
            signature = SignatureRequest(task.signature, who[::-1]) if task.signature else None
            tasks.decide(act, task.id, verdict, seen_version=task.version, signature=signature)

    def ended_well(self, instance_id: str) -> bool:
        """Say whether an instance came to its end, so that a run that went astray is not measured."""
        return self.plant.instance(instance_id).status == InstanceStatus.COMPLETED


class Floor:
    """The bare commit."""

    def __init__(self, database: Engine) -> None:
        self.engine = database.execution_options(writes=True)
        with Session(self.engine) as session, session.begin():
            row = FloorRow(text="x" * 1700)
            session.add(row)
            session.flush()
            self.row_id = row.id

    def commit(self) -> None:
        """Write one row anew and one more, and commit."""
        with self.engine.begin() as connection:
            connection.execute(update(FloorRow).where(FloorRow.id == self.row_id).values(text="y" * 1700))
            connection.execute(insert(FloorRow).values(text="z" * 200))


@dataclass(frozen=True, slots=True)
class Spent:
    """Milliseconds: on the clock, and of the processor by this process."""

    clock: float
    processor: float


def timed(work: Callable[[], object]) -> Spent:
    """Return what something took."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Spent((time.perf_counter() - clock) * 1000, (time.process_time() - processor) * 1000)


def median(spent: Sequence[Spent]) -> Spent:
    """Return both medians."""
    return Spent(statistics.median(one.clock for one in spent), statistics.median(one.processor for one in spent))


def compare(database: Engine, model: Model, rounds: int) -> dict[str, Spent]:
    """Return the medians of each way, rounds interleaved; the first round only warms up."""
    house, naive, floor = House(database, model), Naive(database, model), Floor(database)
    spent: dict[str, list[Spent]] = {}
    for turn in range(rounds + 1):
        if turn == 1:
            spent = {"lockstep": [], "naive": [], "floor": []}
        taken = {name: spent.setdefault(name, []) for name in ("lockstep", "naive", "floor")}
        ours, theirs = house.start(), naive.start()
        for _ in range(model.completions):
            task = house.waiting(ours)
            taken["lockstep"].append(timed(partial(house.complete, task)))
        for _ in range(model.completions):
            taken["naive"].append(timed(partial(naive.complete, theirs)))
        for _ in range(model.completions):
            taken["floor"].append(timed(floor.commit))
        if not (house.ended_well(ours) and naive.ended_well(theirs)):
            raise RuntimeError(f"Expected {model.name} to end after {model.completions} completions, but it did not")
    return {name: median(values) for name, values in spent.items()}


def tell(name: str, found: Mapping[str, Spent]) -> None:
    """Print one comparison as a row of a table."""
    ours, theirs, floor = found["lockstep"], found["naive"], found["floor"]
    shown = (f"{one.clock:.2f} ({one.processor:.2f})" for one in (ours, theirs, floor))
    print(
        f"| {name} | {' | '.join(shown)} | {theirs.clock / ours.clock:.1f}× ({theirs.processor / ours.processor:.1f}×)"
        f" | {ours.clock / floor.clock:.1f}× ({ours.processor / floor.processor:.1f}×) |",
        flush=True,
    )


def growth(database: Engine) -> None:
    """Print how a completion of both ways, and what is stored, grows with the age of an instance."""
    model = loop()
    house, naive = House(database, model), Naive(database, model)
    ours, theirs = house.start(), naive.start()
    spent_ours: list[Spent] = []
    spent_naive: list[Spent] = []
    lost = ""
    print("\n| loop, after | Lockstep | stored | naive | stored |\n|---|---|---|---|---|")
    for turn in range(1, max(GROWTH) + 1):
        spent_ours.append(timed(partial(house.complete, house.waiting(ours))))
        if not lost:
            try:
                spent_naive.append(timed(partial(naive.complete, theirs)))
            except TaskLost as error:
                lost = f"{error} at completion {turn}; the last before that took"
        if turn in GROWTH:
            recent, past = median(spent_ours[-10:]), median(spent_naive[-10:])
            state = len(house.plant.instance(ours).state)
            print(
                f"| {turn:,} | {recent.clock:.2f} ({recent.processor:.2f}) | {state} B"
                f" | {lost} {past.clock:.2f} ({past.processor:.2f}) | {naive.size(theirs):,} B |"
            )


@contextmanager
def databases(wanted: Collection[str]) -> Iterator[dict[str, str]]:
    """Yield URLs of fresh databases on disk, by name. wanted: kinds, sqlite or postgresql."""
    with tempfile.TemporaryDirectory(prefix="lockstep-benchmark-", dir=Path.cwd()) as folder:
        urls = {"SQLite (WAL, synchronous=FULL)": f"sqlite:///{folder}/benchmark.db"} if "sqlite" in wanted else {}
        if "postgresql" not in wanted:
            yield urls
            return
        with durable_postgres() as url:
            yield urls | {"PostgreSQL (fsync on)": url}


def main() -> None:
    """Run the comparison and print it."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--flows", nargs="*", choices=[*FLOWS, "loop"], default=[*FLOWS, "loop"])
    chosen = parser.parse_args()
    with databases(kinds(chosen)) as urls:
        for name, url in urls.items():
            database = connect(url)
            Base.metadata.create_all(database)
            NaiveBase.metadata.create_all(database)
            print(
                f"\n{name}: ms a completion (processor time), load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
            )
            print(
                "| | Lockstep | naive | bare commit | naive / Lockstep | Lockstep / commit |\n|---|---|---|---|---|---|"
            )
            for flow in chosen.flows:
                if flow == "loop":
                    growth(database)
                else:
                    tell(flow, compare(database, FLOWS[flow](), chosen.rounds))
            print(f"\nload at the end {os.getloadavg()[0]:.1f}", flush=True)
            database.dispose()


if __name__ == "__main__":
    main()
