"""The run itself: web nodes and workers as processes, people who decide over HTTP, and somebody who kills without a word.

    python -m tests.machines.under_fire [--instances 2000] [--seed 7] [--disturb]

On a PostgreSQL of its own that syncs every commit to disk. Two web nodes and three workers; four people start runs, publish the
message each waits for (twice, under one id), and decide, all with If-Match and Idempotency-Key, and try again elsewhere when a
node does not answer. Every few seconds one process gets SIGKILL and another is started. It ends when every run is complete and
``faults`` finds nothing: each run started once, each effect and decision once, nothing waiting, every chain whole.

Disturbed, machines are stopped for longer than their locks and go on where they were, in the middle of whatever they did, and the
database crashes: one of its processes gets SIGKILL, so that it ends all connections and recovers.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import requests
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from engine.act import Installation
from engine.audit import AuditEvent
from engine.database import is_away
from engine.decisions import Decision
from engine.definitions import deploy
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.job import Job, JobState
from engine.stored.task import QueueCount, Task, TaskCandidate, TaskState
from engine.stored.wait import Incident, IncidentState, Message, MessageState, MessageSubscription, Timer
from engine.verification import verify
from records.api_key import make_key
from tests.engine.spiff.diagrams import (
    diagram,
    end,
    message,
    node,
    on,
    process,
    properties,
    service,
    start,
    timer,
    user,
)
from tests.machines.node import FORKED, run

FLOW = "under_fire"
DECIDERS = ("max", "lena", "bea", "carl")
NODES, WORKERS = 2, 3
JOB_LOCK = 4
"""Seconds after which another worker takes a job of a dead one: short, so that the run need not wait for it."""

ADDRESSED = 10.0
"""Seconds a node may take to answer."""

PAUSED = JOB_LOCK + 2.0
"""Seconds that a machine is stopped: somebody else has its jobs when it goes on."""


def drawn_for(deciders: Sequence[str]) -> bytes:
    """Return the flow: a step in the act, a job, a decision beside a timer, a message, a second decision."""
    people = f'<zeebe:assignmentDefinition candidateUsers="{", ".join(deciders)}" />'
    verdicts = people + properties(outcomes="approve, reject")
    return diagram(
        process(
            start(),
            service("take", type="under_fire_take"),
            service("count", type="under_fire_count"),
            node("parallelGateway", "split"),
            user("approve", extensions=verdicts, name="Approve"),
            node("intermediateCatchEvent", "rest", timer("duration", "PT1S")),
            node("parallelGateway", "join"),
            node("intermediateCatchEvent", "hear", on("message", "go")),
            user("confirm", extensions=verdicts, name="Confirm"),
            end(),
            id=FLOW,
            flows="s > take > count > split > approve > join > hear > confirm > e\nsplit > rest > join",
        ),
        definitions=message("go", "under_fire_go"),
    )


@dataclass
class Machine:
    """One process. port: of a web node."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    port: int | None = None
    process: BaseProcess | None = None

    def start(self) -> None:
        self.process = FORKED.Process(target=run, args=(self.command, self.environment, self.log), name=self.name)
        self.process.start()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.join(30)
        assert self.process.exitcode == -signal.SIGKILL

    def pause(self, seconds: float) -> None:
        """Stop the process where it stands, and let it go on."""
        assert self.process is not None
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        if not self.is_alive or self.process is None:
            return
        self.process.terminate()
        self.process.join(15)
        if self.process.is_alive():
            self.kill()

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.is_alive()


@dataclass
class Report:
    """What happened. killed: how often each machine; tried_again: requests whose answer got lost; raced: refused, others were faster.

    paused: how often each machine was. crashed: how often the database was; away: requests that were answered with 503 then.
    """

    killed: Counter[str] = field(default_factory=Counter)
    paused: Counter[str] = field(default_factory=Counter)
    crashed: int = 0
    away: int = 0
    tried_again: int = 0
    raced: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


class Unexpected(AssertionError):
    """A node gave an answer that no client should ever see."""


class Person:
    """One who works over HTTP with a key, at whichever node answers."""

    def __init__(self, key: str, ports: Sequence[int], report: Report, chance: random.Random) -> None:
        self.key, self.ports, self.report, self.chance = key, ports, report, chance
        self.may_be_away = False
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(self, method: str, path: str, body: Any = None, *, match: str = "", once: str = "") -> requests.Response:
        """Send one request until some node answers it: the same key makes a repeat count once."""
        headers = {"Authorization": f"Bearer {self.key}"}
        headers |= {"If-Match": match} if match else {}
        headers |= {"Idempotency-Key": once} if once else {}
        deadline = time.monotonic() + 120
        while True:
            port = self.chance.choice(self.ports)
            try:
                answer = self.session.request(
                    method, f"http://127.0.0.1:{port}/api/v1{path}", json=body, headers=headers, timeout=ADDRESSED
                )
            except requests.RequestException:
                self.report.tried_again += 1
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
                continue
            if answer.status_code == 503 and self.may_be_away and time.monotonic() < deadline:
                self.report.away += 1
                time.sleep(0.2)
                continue
            if answer.status_code >= 500:
                raise Unexpected(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
            return answer

    def start(self, key: str) -> None:
        body = {"process_id": FLOW, "business_key": key, "variables": {"key": key}}
        answer = self.ask("POST", "/instances", body, once=f"start {key}")
        if answer.status_code != 201:
            raise Unexpected(f"start {key}: {answer.status_code} {answer.text[:500]}")

    def publish(self, key: str) -> None:
        body = {"name": "under_fire_go", "correlation_key": key, "message_id": f"go {key}", "ttl": 86_400}
        for round_ in ("first", "again") if self.chance.random() < 0.3 else ("first",):
            answer = self.ask("POST", "/messages", body, once=f"publish {round_} {key}")
            if answer.status_code != 200:
                raise Unexpected(f"publish {key}: {answer.status_code} {answer.text[:500]}")

    def decide_some(self) -> int:
        """Decide what one page of the box shows, in an order of one's own. Return how many decisions were one's own."""
        found = self.ask("GET", f"/tasks?box=mine&q=flow:{FLOW}&limit=20").json()["items"]
        self.chance.shuffle(found)
        return sum(self._decide(task) for task in found)

    def _decide(self, task: dict[str, Any]) -> bool:
        answer = self.ask(
            "POST", f"/tasks/{task['id']}/decision", {"verdict": "approve"}, match=f'"{task["version"]}"',
            once=f"decide {task['id']}",
        )  # fmt: skip
        if answer.status_code in (404, 409, 412):
            self.report.raced += 1
            return False
        if answer.status_code != 200:
            raise Unexpected(f"decide {task['id']}: {answer.status_code} {answer.text[:500]}")
        return True


@contextmanager
def machines(url: str, folder: Path) -> Iterator[list[Machine]]:
    """Start two web nodes and three workers on one database, and end whatever lives of them."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LOCKSTEP_", "PYTHON"))},
        "DATABASE_URL": url, "LOCKSTEP_JOB_LOCK": str(JOB_LOCK), "LOCKSTEP_SECRET_KEY": "one for all nodes", "PYTHONPATH": str(Path.cwd()),
        "LOCKSTEP_MAIL_FOLDER": str(folder / "mail"), "LOCKSTEP_API_RATE": "off",
    }  # fmt: skip
    ports = [_free_port() for _ in range(NODES)]
    nodes = [
        Machine(f"web {number}", ("serve", "--no-worker", "--port", str(port)), environment, folder / f"web{number}.log", port)
        for number, port in enumerate(ports, 1)
    ]  # fmt: skip
    workers = [
        Machine(f"worker {number}", ("worker", "--poll", "0.5"), environment, folder / f"worker{number}.log")
        for number in range(1, WORKERS + 1)
    ]
    every = [*nodes, *workers]
    try:
        for machine in every:
            machine.start()
        for node_ in nodes:
            _await(node_)
        yield every
    finally:
        for machine in every:
            machine.end()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(machine: Machine) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if not machine.is_alive:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", machine.port or 0)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"Expected {machine.name} to listen within 90 seconds, but it said:\n{machine.log.read_text()}")


def prepare(house: Installation, deciders: Sequence[str]) -> dict[str, str]:
    """Release the flow and give everybody who works a key. Return the keys by name."""
    with house.acting("system:arrange") as act:
        deploy(act, {f"{FLOW}.bpmn": drawn_for(deciders)}, process_id=FLOW)
        keys = {
            name: make_key(act, f"user:{name}", "under fire", scopes=("tasks:read", "tasks:decide"))[0]
            for name in deciders
        }
        keys["adapter"] = make_key(act, "adapter:floor", "under fire", scopes=("instances:write", "messages:publish"))[
            0
        ]
    return keys


class Fire:
    """One run at a time: threads that open runs, decide and kill, until it is over. failures: what no thread may meet."""

    def __init__(self, cluster: Sequence[Machine], keys: dict[str, str], report: Report, seed: int) -> None:
        self.cluster, self.keys, self.report, self.seed = cluster, keys, report, seed
        self.ports = [machine.port for machine in cluster if machine.port]
        self.over = threading.Event()
        self.failures: list[BaseException] = []
        self.threads: list[threading.Thread] = []
        self.is_disturbed = False

    def begin(self, work: Callable[..., None], *given: Any) -> None:
        """Do some work in a thread of its own; what it meets ends everything."""

        def guarded() -> None:
            try:
                work(*given)
            except BaseException as error:  # noqa: BLE001  told by the thread that waits
                self.failures.append(error)
                self.over.set()

        self.threads.append(threading.Thread(target=guarded))
        self.threads[-1].start()

    def end(self) -> None:
        """Stop everybody and wait for them."""
        self.over.set()
        for thread in self.threads:
            thread.join(180)

    def person(self, name: str, number: int = 0) -> Person:
        person = Person(self.keys[name], self.ports, self.report, random.Random(f"{self.seed} {name} {number}"))
        person.may_be_away = self.is_disturbed
        return person

    def open_runs(self, names: Sequence[str], number: int) -> None:
        """Start runs and publish what they wait for, in either order."""
        adapter = self.person("adapter", number)
        for key in names:
            if self.over.is_set():
                return
            steps = [adapter.start, adapter.publish]
            adapter.chance.shuffle(steps)
            for step in steps:
                step(key)

    def decide(self, name: str) -> None:
        """Clear one's box until everything is over."""
        decider = self.person(name)
        while not self.over.is_set():
            if not decider.decide_some():
                self.over.wait(0.5)

    def kill(self, every: float, kills: int) -> None:
        """Kill one machine after the other, each as often as the others, and start it again."""
        chance = random.Random(self.seed)
        order: list[Machine] = []
        while sum(self.report.killed.values()) < kills and not self.over.wait(every):
            order = order or chance.sample(self.cluster, len(self.cluster))
            victim = order.pop()
            victim.kill()
            self.report.killed[victim.name] += 1
            victim.start()

    def disturb(self, every: float, url: str) -> None:
        """Pause one machine, crash the database, and so on in turns."""
        chance = random.Random(f"{self.seed} disturbances")
        while not self.over.wait(every):
            victim = chance.choice(self.cluster)
            victim.pause(PAUSED)
            self.report.paused[victim.name] += 1
            if self.over.wait(every):
                return
            self.report.crashed += crash(url)


def crash(url: str) -> bool:
    """Kill one process of the server without a word: it ends every connection and recovers from its log.

    Return False when it recovers already.
    """
    try:
        connection = psycopg.connect(url.replace("+psycopg", ""))
    except psycopg.OperationalError:
        return False
    os.kill(connection.info.backend_pid, signal.SIGKILL)
    connection.close()
    return True


def under_fire(
    house: Installation,
    url: str,
    folder: Path,
    *,
    instances: int,
    every: float,
    patience: float,
    seed: int = 7,
    deciders: Sequence[str] = DECIDERS,
    kills: int = sys.maxsize,
    is_disturbed: bool = False,
) -> Report:
    """Drive the runs through while machines are killed, and look for faults.

    house: wired in this process on the same database, which holds the cast. deciders: members of it, who all may decide everything
    and so race each other. every: seconds between two kills, at most ``kills`` of them; patience: seconds after which what is not
    complete is a fault. is_disturbed: machines are paused and the database crashes instead of machines being killed.
    """
    report, began = Report(), time.monotonic()
    keys = prepare(house, deciders)
    names = [f"UF-{number:05}" for number in range(instances)]
    with machines(url, folder) as cluster:
        fire = Fire(cluster, keys, report, seed)
        fire.is_disturbed = is_disturbed
        for number in range(2):
            fire.begin(fire.open_runs, names[number::2], number)
        for name in deciders:
            fire.begin(fire.decide, name)
        if is_disturbed:
            fire.begin(fire.disturb, every, url)
        else:
            fire.begin(fire.kill, every, kills)
        try:
            _wait_for(house, instances, patience, fire.over)
        finally:
            fire.end()
    report.seconds = time.monotonic() - began
    if fire.failures:
        raise fire.failures[0]
    report.faults = list(faults(house, names, folder / "mail"))
    return report


def _wait_for(house: Installation, instances: int, patience: float, over: threading.Event) -> None:
    """Return when every run is complete and every promise kept, when patience ends, or when somebody failed."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and not over.wait(0.5):
        try:
            with house.reading() as session:
                ended = session.scalar(
                    select(func.count()).where(Instance.status == InstanceStatus.COMPLETED, Instance.process_id == FLOW)
                )
                owed = session.scalar(select(func.count()).where(Job.state.in_((JobState.WAITING, JobState.RUNNING))))
        except DBAPIError as error:
            if not is_away(error):
                raise
            continue  # It recovers.
        if ended == instances and not owed:
            return


def faults(house: Installation, names: Sequence[str], mail: Path) -> Iterator[str]:
    """Say what is not as it must be: runs, effects, decisions, promises, mail, chains."""
    with house.reading() as session:
        runs = list(session.scalars(select(Instance).where(Instance.process_id == FLOW)))
        states = Counter(str(run.status) for run in runs)
        if states != {str(InstanceStatus.COMPLETED): len(names)}:
            yield f"runs: {dict(states)}, not {len(names)} complete ones"
        if sorted(run.business_key for run in runs) != sorted(names):
            yield "the business keys are not those that were started"
        ids = [run.id for run in runs]
        for effect in ("TAKEN", "COUNTED"):
            done = Counter(
                session.scalars(
                    select(AuditEvent.record_id).where(AuditEvent.record_type == FLOW, AuditEvent.action == effect)
                )
            )
            yield from (f"{effect} {done[one]} times for {one}" for one in ids if done[one] != 1)
        decided = Counter(
            (row.instance_id, row.element_id)
            for row in session.scalars(select(Decision).where(Decision.instance_id.in_(ids)))
        )
        yield from (
            f"{step} decided {decided[one, step]} times for {one}"
            for one in ids
            for step in ("approve", "confirm")
            if decided[one, step] != 1
        )
        owed = {
            "open task": select(Task.id).where(Task.state == TaskState.OPEN),
            "row of an inbox": select(TaskCandidate.task_id),
            "counter above nothing": select(QueueCount.set_id).where(QueueCount.tasks != 0),
            "timer": select(Timer.id),
            "wait for a message": select(MessageSubscription.id),
            "open incident": select(Incident.id).where(Incident.state == IncidentState.OPEN),
            "job": select(Job.id).where(Job.state != JobState.DONE),
            "message not delivered": select(Message.id).where(Message.state != MessageState.CORRELATED),
        }
        for what, query in owed.items():
            left = list(session.scalars(query))
            if left:
                yield f"{len(left)} left: {what}, such as {left[0]}"
        mailed = set(session.scalars(select(Job.id).where(Job.type == "mail")))
        yield from map(str, verify(session))
    kept = {path.stem: path.read_text() for path in mail.glob("*.eml")}
    if kept.keys() != mailed:
        yield f"{len(mailed)} mails promised, but {len(kept)} kept"
    told = Counter(text.partition("Subject: Counted ")[2].partition("\n")[0].strip() for text in kept.values())
    yield from (f"told {told[name]} times of {name}" for name in names if told[name] != 1)


def main() -> None:
    """Run it at full size on a database that syncs to disk; end with 1 when there are faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=2000)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two kills")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--times", type=int, default=1, help="how often, each on a fresh database")
    parser.add_argument(
        "--disturb", action="store_true", help="pause machines and crash the database instead of killing"
    )
    given = parser.parse_args()
    from benchmarks.durable_postgres import durable_postgres
    from tests.story import CAST
    from webapp.wiring import wire

    for turn in range(given.times):
        with ExitStack() as held:
            url = held.enter_context(durable_postgres())
            folder = Path(held.enter_context(TemporaryDirectory()))
            _build(CAST, url)
            house = wire(url)
            report = under_fire(
                house, url, folder, instances=given.instances, every=given.every, seed=given.seed + turn,
                patience=60 + given.instances * 0.5, is_disturbed=given.disturb,
            )  # fmt: skip
            house.database.dispose()
        _tell(report, given.instances)
        if report.faults:
            sys.exit(1)


def _tell(report: Report, instances: int) -> None:
    hit = report.killed or report.paused
    counted = ", ".join(f"{name} {count}" for name, count in sorted(hit.items()))
    what = f"killed {hit.total()} times" if report.killed else f"paused {hit.total()} times"
    crashed = f", database crashed {report.crashed} times, {report.away} answered 503" if report.crashed else ""
    print(  # noqa: T201  a program's answer
        f"{instances} runs in {report.seconds:.0f} s ({instances * 2 / report.seconds:.1f} decisions a second beside everything "
        f"else), {what} ({counted}){crashed}, {report.tried_again} requests sent again, {report.raced} came "
        f"second; {len(report.faults) or 'no'} fault(s)",
        *report.faults[:20],
        sep="\n  ",
        flush=True,
    )


def _build(template: Any, url: str) -> None:
    if template.base is not None:
        _build(template.base, url)
    template.build(url)


if __name__ == "__main__":
    main()
