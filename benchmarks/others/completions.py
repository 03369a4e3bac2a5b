"""One durable completion of a user task: Lockstep, the naive way, the bare commit and other engines, turn by turn in one run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.complete_task import Floor, House, Naive, NaiveBase, Spent, median, timed
from benchmarks.models import Model, linear, twin
from benchmarks.others.databases import Server, told
from benchmarks.others.diagrams import write_javascript, write_process_models
from benchmarks.others.installation import ENGINES, SOURCES
from benchmarks.others.program import Garbled, Program, running
from engine.database import Base, connect

MODELS = {"linear5": linear, "twin": twin}
OURS = ("Lockstep", "naive", "bare commit")
WAYS = {
    "bpmn-engine": {"recovered": "bpmn-engine, recovered for each", "kept": "bpmn-engine, kept in memory"},
}
"""The ways of those programs that know several, and what the tables call them."""


class Ours:
    """Lockstep, the naive way and the bare commit for one flow, in a database of their own."""

    def __init__(self, server: Server, model: Model) -> None:
        database = connect(server.fresh(f"lockstep_{model.name}"))
        Base.metadata.create_all(database)
        NaiveBase.metadata.create_all(database)
        self.model = model
        self.house, self.naive, self.floor = House(database, model), Naive(database, model), Floor(database)

    def turns(self) -> dict[str, Callable[[], list[Spent]]]:
        """Return how each of the three runs one instance."""
        return dict(zip(OURS, (self._lockstep, self._naive, self._commits), strict=True))

    def _lockstep(self) -> list[Spent]:
        instance, spent = self.house.start(), []
        for _ in range(self.model.completions):
            task = self.house.waiting(instance)
            spent.append(timed(partial(self.house.complete, task)))
        return self._ended(spent, well=self.house.ended_well(instance))

    def _naive(self) -> list[Spent]:
        instance = self.naive.start()
        spent = [timed(partial(self.naive.complete, instance)) for _ in range(self.model.completions)]
        return self._ended(spent, well=self.naive.ended_well(instance))

    def _commits(self) -> list[Spent]:
        return [timed(self.floor.commit) for _ in range(self.model.completions)]

    def _ended(self, spent: list[Spent], *, well: bool) -> list[Spent]:
        if not well:
            raise Garbled(f"Expected {self.model.name} to end after {len(spent)} completions, but it did not")
        return spent


@contextmanager
def programs(server: Server, places: Mapping[str, Path]) -> Iterator[list[Program]]:
    """Run the programs of other engines, each with a database of its own. places: where they are installed, by name.

    Raises: Garbled.
    """
    models = [make() for make in MODELS.values()]
    with tempfile.TemporaryDirectory(prefix="lockstep-models-") as written, ExitStack() as stack:
        folder = Path(written)
        write_process_models([(model.name, model) for model in models], folder / "models")
        diagrams = {model.name: str(write_javascript(model, folder)) for model in models}
        started = []
        for name, place in places.items():
            given = told(server.fresh(name.replace("-", "_"))) | {
                "variables": dict(models[0].variables),
                "models": str(folder / "models"),
                "diagrams": diagrams,
                "commit": SOURCES["spiff-arena"][0],
            }
            engine = ENGINES[name]
            started.append(
                stack.enter_context(running(name, engine.command(place), given, engine.environment(place, given)))
            )
        yield started


def compare(server: Server, others: Sequence[Program], model: Model, rounds: int) -> dict[str, Spent]:
    """Return the medians of each way for one flow, turn by turn; the first round only warms up.

    Raises: Garbled.
    """
    turns = Ours(server, model).turns()
    for program in others:
        for way, name in WAYS.get(program.name, {"": program.name}).items():
            turns[name] = partial(program.turn, model.name, completions=model.completions, way=way)
    spent: dict[str, list[Spent]] = {name: [] for name in turns}
    for round_number in range(rounds + 1):
        for name, turn in turns.items():
            taken = turn()
            if round_number:
                spent[name] += taken
    return {name: median(values) for name, values in spent.items()}
