"""Time workers outside: jobs a second over HTTP, and how soon a worker that waits has the job of a run that starts.

    python -m benchmarks.outside_workers [--jobs 200] [--workers 4] [--sqlite] [--postgresql]

Two web nodes, each the whole application behind waitress with its own connections, serve one database; half of the workers ask the
one, half the other. busy: all runs are started first, then the workers take up and finish five jobs at a time. waiting: one worker
waits with ``timeout_seconds`` while runs start one after the other; the time is from the request that starts a run, which it
holds too, to the activation's answer. Every job must have been finished exactly once. Both nodes are in one process, with the workers.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from waitress.server import create_server

from benchmarks.arguments import kinds, parser_of
from benchmarks.durable_postgres import durable_postgres
from engine import definitions
from engine.act import Installation
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.job import Job
from migrations import migrate
from records.api_key import make_key
from tests.engine.spiff.diagrams import diagram, end, process, service, start
from webapp.app import create_app
from webapp.wiring import wire

WELD = diagram(process(start(), service("weld", type="robot.weld"), end(), id="seam", flows="s > weld > e"))
WAITS = 20


@contextmanager
def node(url: str) -> Iterator[tuple[Installation, str]]:
    """Serve the application on a database, and yield it with the address of its API."""
    house = wire(url, settings={"api_rate": "off"})
    server = create_server(create_app(house, secret_key="a benchmark"), host="127.0.0.1", port=0, threads=8)
    threading.Thread(target=server.run, daemon=True).start()
    yield house, f"http://127.0.0.1:{server.effective_port}/api/v1"
    server.task_dispatcher.shutdown(cancel_pending=True, timeout=1)


class Caller:
    """One program that calls a node with a key."""

    def __init__(self, address: str, key: str) -> None:
        self._address, self._key = address, key

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return its answer."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._address + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=90) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def start(self, key: str) -> None:
        """Start a run with one job."""
        self.post("/instances", {"process_id": "seam", "business_key": key, "variables": {"seams": 3}})

    def activate(self, name: str, **more: Any) -> list[dict[str, Any]]:
        """Take up jobs."""
        found: list[dict[str, Any]] = self.post("/jobs/activation", {"type": "robot.weld", "worker": name, **more})[
            "items"
        ]
        return found

    def finish(self, name: str, job: dict[str, Any]) -> None:
        """Finish a job."""
        self.post(
            f"/jobs/{job['id']}/completion", {"worker": name, "attempt": job["attempt"], "variables": {"ok": True}}
        )


def busy(callers: list[Caller], jobs: int) -> float:
    """Return how many jobs a second the workers finish when there are plenty."""
    for number in range(jobs):
        callers[number % len(callers)].start(f"busy-{number}")

    def work(caller: Caller, name: str) -> None:
        while taken := caller.activate(name, max_jobs=5):
            for job in taken:
                caller.finish(name, job)

    threads = [threading.Thread(target=work, args=(one, f"w{place}")) for place, one in enumerate(callers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return jobs / (time.perf_counter() - began)


def waiting(starter: Caller, worker: Caller) -> list[float]:
    """Return the milliseconds after which a worker that waits at one node has the job of a run that starts at the other."""
    taken = []
    for number in range(WAITS):
        got: list[float] = []

        def take(got: list[float] = got) -> None:
            for job in worker.activate("waiting", timeout_seconds=30):
                got.append(time.perf_counter())
                worker.finish("waiting", job)

        thread = threading.Thread(target=take)
        thread.start()
        time.sleep(0.4 + number * 0.013)
        began = time.perf_counter()
        starter.start(f"waiting-{number}")
        thread.join()
        taken.append((got[0] - began) * 1000)
    return taken


def measure(url: str, jobs: int, workers: int) -> str:
    """Return one line of figures for a database."""
    migrate(url)
    with ExitStack() as stack:
        nodes = [stack.enter_context(node(url)) for _ in range(2)]
        house = nodes[0][0]
        with house.acting("system:benchmark") as act:
            definitions.deploy(act, {"seam.bpmn": WELD})
            key, _row = make_key(act, "adapter:shop", "benchmark", scopes=["jobs:work", "instances:write"])
        callers = [Caller(nodes[place % 2][1], key) for place in range(workers)]
        rate = busy(callers, jobs)
        soon = sorted(waiting(callers[0], callers[1]))
        with house.reading() as session:
            done = session.scalar(select(func.count()).where(Instance.status == InstanceStatus.COMPLETED))
            once = session.scalar(select(func.count()).where(Job.state == "DONE", Job.attempts == 1))
        assert done == once == jobs + WAITS, (
            f"Expected {jobs + WAITS} jobs finished once, but {done} runs ended, {once} once"
        )
        for one, _address in nodes:
            one.database.dispose()
    median, late = statistics.median(soon), soon[int(len(soon) * 0.95) - 1]
    return f"{rate:6.0f} jobs/s busy; waiting worker has it after {median:4.0f} ms (95 %: {late:4.0f} ms)"


def main() -> None:
    """Print the figures."""
    parser = parser_of(__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    given = parser.parse_args()
    if "sqlite" in kinds(given):
        with tempfile.TemporaryDirectory() as folder:
            print(
                "sqlite    ", measure(f"sqlite:///{Path(folder) / 'plant.db'}", given.jobs, given.workers), flush=True
            )
    if "postgresql" in kinds(given):
        with durable_postgres() as url:
            print("postgresql", measure(url, given.jobs, given.workers), flush=True)


if __name__ == "__main__":
    main()
