"""Time one durable completion of a user task: the house, the naive way, and the bare commit, in one run per database.

    python -m benchmarks.complete_task [--rounds 40] [--sqlite] [--postgresql]

naive: stock SpiffWorkflow 3.2, ``serialize_json`` of the whole instance into one text column through the ORM. floor: one
UPDATE of 1.7 KB and one INSERT, committed. Lockstep: ``engine.tasks.complete`` with authorisation, history, audit chain,
inbox rows and counters; roles come from a dictionary and the guard passes everything, so neither is in the figures.
Rounds are interleaved; every figure is milliseconds a completion, median over rounds. Ratios carry over to other machines,
absolute figures do not.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from SpiffWorkflow.bpmn.parser import BpmnParser
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.util.task import TaskState as StockState
from sqlalchemy import Engine, Text, insert, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from benchmarks.durable_postgres import durable_postgres
from benchmarks.models import VARIABLES, Model, linear, loop, requisition
from engine import definitions, instances, tasks
from engine.database import Base, connect
from tests.clock import SettableClock
from tests.engine.plant import Plant

GROWTH = (10, 100, 1000)
NAIVE_GROWTH = (10, 100)
"""The naive way takes minutes at a thousand."""


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


class Naive:
    """Stock SpiffWorkflow, a blob an instance."""

    def __init__(self, database: Engine, model: Model) -> None:
        self.sessions = sessionmaker(database.execution_options(writes=True))
        self.serializer = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure())
        parser = BpmnParser()
        parser.add_bpmn_str(model.stock)
        self.spec, self.subs = parser.get_spec("p"), parser.get_subprocess_specs("p")

    def start(self) -> int:
        """Start an instance and return its id."""
        workflow = BpmnWorkflow(self.spec, self.subs)
        workflow.get_tasks()[0].data.update(VARIABLES)
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
            task = workflow.get_tasks(state=StockState.READY, manual=True)[0]
            task.data.update(note="done")
            task.run()
            workflow.do_engine_steps()
            row.blob = self.serializer.serialize_json(workflow)


class House:
    """Lockstep's service layer."""

    def __init__(self, database: Engine, model: Model) -> None:
        self.plant = Plant(database, SettableClock())
        with self.plant.acting("pat") as act:
            definitions.deploy(act, {f"{model.name}.bpmn": model.ours}, process_id="p")
        self.count = 0

    def start(self) -> str:
        """Start an instance and return its id."""
        self.count += 1
        with self.plant.acting("rita") as act:
            return instances.start(act, "p", business_key=f"K-{self.count}-{id(self)}", variables=VARIABLES).id

    def waiting(self, instance_id: str) -> tuple[str, int]:
        """Return a task that is open, as an inbox would have shown it."""
        found = self.plant.open(instance_id)[0]
        return found.id, found.version

    def complete(self, task_id: str, version: int) -> None:
        """Complete one task."""
        with self.plant.acting("max") as act:
            tasks.complete(act, task_id, {"note": "done"}, seen_version=version)


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


def timed(work: Callable[[], object]) -> float:
    """Return how many milliseconds something took."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def compare(database: Engine, model: Model, rounds: int) -> dict[str, float]:
    """Return the median milliseconds a completion of each way, rounds interleaved."""
    house, naive, floor = House(database, model), Naive(database, model), Floor(database)
    spent: dict[str, list[float]] = {"lockstep": [], "naive": [], "floor": []}
    for _ in range(rounds):
        ours, theirs = house.start(), naive.start()
        for _ in range(model.completions):
            task_id, version = house.waiting(ours)
            spent["lockstep"].append(timed(lambda task_id=task_id, version=version: house.complete(task_id, version)))
            spent["naive"].append(timed(lambda theirs=theirs: naive.complete(theirs)))
            spent["floor"].append(timed(floor.commit))
        assert house.plant.ended(ours) == "e"
    return {name: statistics.median(values) for name, values in spent.items()}


def growth(database: Engine) -> None:
    """Print how a completion of both ways, and what is stored, grows with the age of an instance."""
    model = loop()
    house, naive = House(database, model), Naive(database, model)
    ours, theirs = house.start(), naive.start()
    spent_ours: list[float] = []
    spent_naive: list[float] = []
    for turn in range(1, max(GROWTH) + 1):
        task_id, version = house.waiting(ours)
        spent_ours.append(timed(lambda task_id=task_id, version=version: house.complete(task_id, version)))
        if turn <= max(NAIVE_GROWTH):
            spent_naive.append(timed(lambda: naive.complete(theirs)))
        if turn in GROWTH:
            recent = statistics.median(spent_ours[-10:])
            state = len(house.plant.instance(ours).state)
            past = f"{statistics.median(spent_naive[-10:]):8.2f}" if turn in NAIVE_GROWTH else "       –"
            print(f"  after {turn:5} completions: lockstep {recent:6.2f} ms, state {state} B; naive {past} ms")


@contextmanager
def databases(*, sqlite: bool, postgresql: bool) -> Iterator[dict[str, str]]:
    """Yield URLs of fresh databases on disk, by name."""
    with tempfile.TemporaryDirectory(prefix="lockstep-benchmark-", dir=Path.cwd()) as folder:
        urls = {"SQLite (WAL, synchronous=FULL)": f"sqlite:///{folder}/benchmark.db"} if sqlite else {}
        if not postgresql:
            yield urls
            return
        with durable_postgres() as url:
            yield urls | {"PostgreSQL (fsync on)": url}


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--sqlite", action="store_true", help="only this database")
    parser.add_argument("--postgresql", action="store_true", help="only this database")
    chosen = parser.parse_args()
    either = chosen.sqlite or chosen.postgresql
    with databases(sqlite=chosen.sqlite or not either, postgresql=chosen.postgresql or not either) as urls:
        for name, url in urls.items():
            database = connect(url)
            Base.metadata.create_all(database)
            NaiveBase.metadata.create_all(database)
            print(f"\n{name}: ms a completion")
            for model in (linear(), requisition()):
                found = compare(database, model, chosen.rounds)
                print(
                    f"  {model.name:12} lockstep {found['lockstep']:6.2f}  naive {found['naive']:6.2f}"
                    f"  floor {found['floor']:6.2f}   naive/lockstep {found['naive'] / found['lockstep']:5.1f}×"
                    f"   lockstep/floor {found['lockstep'] / found['floor']:4.1f}×"
                )
            growth(database)
            database.dispose()


if __name__ == "__main__":
    main()
