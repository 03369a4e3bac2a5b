"""Time what HTTP adds to an act: the same decision through the service layer and over the REST API, beside the naive way.

    python -m benchmarks.over_http [--rounds 8] [--sqlite] [--postgresql]

A whole house: migrated, with its guard and its triggers, people with roles in its directory, a personal key. ``service`` is
``engine.tasks.decide``; ``http`` is POST /api/v1/tasks/<id>/decision through the whole application (key, scopes, rate limit
counted but off, schema, If-Match, idempotency, the answer as JSON) without a network. Every task is decided upon, so that either
writes a decision row, history and audit chain. naive: as in ``complete_task``, without any of that, in the service layer.
naive over HTTP: the same behind a Flask application of one route that looks a key up in a table and reads and answers JSON
(``naive_over_http``), so that the last ratio compares two requests. They take turns instance by instance; medians in milliseconds
on the clock, processor time in brackets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from flask.testing import FlaskClient
from sqlalchemy import select

from benchmarks.arguments import kinds, parser_of
from benchmarks.complete_task import Naive, NaiveBase, Spent, databases, median, timed
from benchmarks.models import WHO, Model, linear, twin
from benchmarks.naive_over_http import NaiveDoor
from engine import definitions, instances, tasks
from engine.act import Installation
from engine.stored.instance import InstanceStatus
from engine.stored.task import Task, TaskState
from migrations import migrate
from records.api_key import make_key
from tests.engine.spiff.diagrams import properties
from tests.makers import make_grant, make_user
from webapp.app import create_app
from webapp.cli.serving import spare_what_stays
from webapp.wiring import wire

MANAGER = "mona"


def decided(model: Model) -> Model:
    """Return a flow whose tasks each ask for a verdict."""
    asked = WHO + properties(outcomes="approve, reject")
    ours = {path: content.replace(WHO.encode(), asked.encode()) for path, content in model.ours.items()}
    return replace(model, ours=ours)


class Desk:
    """One person who decides, and the flow they decide in."""

    def __init__(self, house: Installation, client: FlaskClient, key: str, model: Model) -> None:
        self.house, self.model = house, model
        self._client, self._key = client, key
        self._count = 0
        with house.acting("system:benchmark") as act:
            self.definition = definitions.deploy(act, model.ours, process_id=model.process_id)

    def start(self) -> str:
        """Start an instance and return its id."""
        self._count += 1
        with self.house.acting("system:benchmark") as act:
            key = f"{self.model.name}-{self._count}"
            return instances.begin(act, self.definition, business_key=key, variables=self.model.variables).id

    def waiting(self, instance_id: str) -> Task:
        """Return a task that is open."""
        query = select(Task).where(Task.instance_id == instance_id, Task.state == TaskState.OPEN)
        with self.house.reading() as session:
            return session.scalars(query.order_by(Task.created_at, Task.id)).first() or _none(instance_id)

    def decide(self, task: Task) -> None:
        """Decide through the service layer."""
        with self.house.acting(f"user:{MANAGER}") as act:
            tasks.decide(act, task.id, "approve", seen_version=task.version)

    def post(self, task: Task) -> None:
        """Decide over HTTP."""
        headers = {"Authorization": f"Bearer {self._key}", "If-Match": f'"{task.version}"'}
        answer = self._client.post(f"/api/v1/tasks/{task.id}/decision", json={"verdict": "approve"}, headers=headers)
        if answer.status_code not in (200, 201):
            raise RuntimeError(f"Expected a decision, but got {answer.status_code}: {answer.get_data(as_text=True)}")

    def has_ended(self, instance_id: str) -> bool:
        """Say whether an instance came to its end, so that a run that went astray is not measured."""
        with self.house.reading() as session:
            return instances.find(session, instance_id).status == InstanceStatus.COMPLETED


def _none(instance_id: str) -> Task:
    raise RuntimeError(f"Expected an open task of {instance_id}, but there is none")


@contextmanager
def house_on(url: str) -> Iterator[tuple[Installation, FlaskClient, str]]:
    """Yield a house on a fresh database, a client of its application, and the key of somebody who may decide."""
    migrate(url)
    house = wire(url, settings={"api_rate": "off"})
    with house.acting("system:benchmark") as act:
        make_user(act, MANAGER)
        make_grant(act, MANAGER, "PUR_MGR")
        act.session.flush()
        key, _row = make_key(act, f"user:{MANAGER}", "benchmark", scopes=["tasks:read", "tasks:decide"])
    client = create_app(house, secret_key="a benchmark").test_client()
    spare_what_stays()
    yield house, client, key
    house.database.dispose()


def measure(desk: Desk, naive: Naive, door: NaiveDoor, rounds: int) -> dict[str, Spent]:
    """Return the medians of each way, rounds interleaved; the first round only warms up."""
    ways: dict[str, Callable[[Task], None]] = {"service": desk.decide, "http": desk.post}
    naive_ways: dict[str, Callable[[int], None]] = {"naive": naive.complete, "naive over HTTP": door.complete}
    spent: dict[str, list[Spent]] = {name: [] for name in (*ways, *naive_ways)}
    for turn in range(rounds + 1):
        if turn == 1:
            spent = {name: [] for name in spent}
        for name, decide in ways.items():
            instance_id = desk.start()
            for _ in range(desk.model.completions):
                spent[name].append(timed(partial(decide, desk.waiting(instance_id))))
            if not desk.has_ended(instance_id):
                raise RuntimeError(f"Expected {desk.model.name} to end after {desk.model.completions} decisions")
        for name, complete in naive_ways.items():
            theirs = naive.start()
            for _ in range(desk.model.completions):
                spent[name].append(timed(partial(complete, theirs)))
    return {name: median(values) for name, values in spent.items()}


def main() -> None:
    """Measure and print a table."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; ms a decision (processor time)\n")
    print("| | service layer | over HTTP | HTTP adds | naive | naive / HTTP | naive over HTTP | both over HTTP |")
    print("|---|---|---|---|---|---|---|---|")
    with databases(kinds(given)) as urls:
        for name, url in urls.items():
            with house_on(url) as (house, client, key):
                NaiveBase.metadata.create_all(house.database)
                for model in (decided(twin()), decided(linear())):
                    naive = Naive(house.database, model)
                    desk, door = Desk(house, client, key, model), NaiveDoor(house.database, naive)
                    tell(f"{name.split(' ')[0]}, {model.name}", measure(desk, naive, door, given.rounds))


def tell(name: str, found: Mapping[str, Spent]) -> None:
    """Print one comparison as a row of the table."""
    service, http = found["service"], found["http"]
    adds = Spent(http.clock - service.clock, http.processor - service.processor)
    cells = [f"{one.clock:.2f} ({one.processor:.2f})" for one in (service, http, adds)]
    for way in ("naive", "naive over HTTP"):
        theirs = found[way]
        cells.append(f"{theirs.clock:.2f} ({theirs.processor:.2f})")
        cells.append(f"{theirs.clock / http.clock:.1f}× ({theirs.processor / http.processor:.1f}×)")
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
