"""Random models lived through on a database by random people, while the process dies between any two statements.

What a run waits for is compared after every step with the machine of test_random_models, which knows no tokens. Whoever dies is
forgotten, as a process would be: what was not committed is gone, and somebody does the same again, sometimes twice.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, update

from engine import definitions, messages, timers, waiting, worker
from engine.act import Act, Installation
from engine.audit import AuditEvent
from engine.decisions import Decision
from engine.errors import Refused
from engine.registry import Work
from engine.stored.instance import InstanceStatus
from engine.stored.job import Job, JobState
from engine.stored.task import QueueCount, Task, TaskCandidate, TaskState
from engine.stored.wait import Incident, MessageSubscription, Timer
from engine.verification import verify
from tests.engine.plant import Plant, approve
from tests.engine.spiff.diagrams import (
    boundary,
    diagram,
    end,
    message,
    node,
    on,
    process,
    sequence,
    service,
    start,
    timer,
)
from tests.engine.spiff.test_random_models import Block, Maker, One, Place

LIVES = int(os.environ.get("RANDOM_LIVES", "12"))
"""Models a test makes; a long run says more: RANDOM_LIVES=500 pytest tests/engine/test_random_lives.py"""

At = frozenset[tuple[str, int]]


class Crash(BaseException):
    """The process is gone. No handler of the house may catch it."""


class Late(One):
    """A task beside which a timer runs."""

    def __init__(self, place: Place, timer_place: Place, due: dt.datetime, *, interrupts: bool) -> None:
        super().__init__(place)
        self.timer_place, self.due, self.interrupts = timer_place, due, interrupts
        self.has_fired = False

    def dues(self) -> dict[Place, dt.datetime]:
        return {} if self.place is None or self.has_fired else {self.timer_place: self.due}

    def do(self, place: Place) -> bool:
        if place == self.timer_place and not self.has_fired:
            self.has_fired = True
            self.place = None if self.interrupts else self.place
            return True
        return super().do(place)


class Living(Maker):
    """Draws decisions with timers beside them, jobs, errands and messages as well."""

    def __init__(self, dice: random.Random, now: Callable[[], dt.datetime]) -> None:
        super().__init__(dice)
        self.now = now
        self.messages: list[str] = []
        self.kinds: dict[str, str] = {}
        self.noted: dict[str, str] = {}
        self.many_around = 0

    def task(self, depth: int) -> Block:
        kind = self.dice.choice(["decide", "decide", "late", "late", "job", "errand", "message"])
        if kind == "message" and not self.many_around:
            return self._heard()
        if kind in ("job", "errand"):
            name = self._named(kind)
            return Block(name, name, [service(name, type=f"do_{kind}")], [], lambda at: One((name, at)))
        name = self._named("decide")
        if kind != "late":
            return Block(name, name, [approve(name)], [], lambda at: One((name, at)))
        return self._late(name)

    def person(self, name: str) -> str:
        self.kinds[name] = "decide"
        return approve(name)

    def _named(self, kind: str) -> str:
        name = self.id(kind)
        self.kinds[name] = kind
        return name

    def _late(self, name: str) -> Block:
        late, merge = self._named("late"), self.id("merge")
        seconds, interrupts = self.dice.randrange(86_400, 900_000), self.dice.random() < 0.5
        beside = boundary(late, name, timer("duration", f"PT{seconds}S"), interrupting=interrupts)
        drawn, flows = [approve(name), beside, node("exclusiveGateway", merge)], [f"{name} > {merge}"]
        if interrupts:
            flows.append(f"{late} > {merge}")
        else:
            noted, out = self.id("noted"), self.id("out")
            self.noted[late] = noted
            drawn += [service(noted, type="do_step"), end(out)]
            flows.append(f"{late} > {noted} > {out}")

        def run(at: At) -> One:
            due = self.now() + dt.timedelta(seconds=seconds)
            return Late((name, at), (late, at), due, interrupts=interrupts)

        return Block(name, merge, drawn, flows, run)

    def _heard(self) -> Block:
        name = self._named("message")
        self.messages.append(message(f"m_{name}", name, key="=who"))
        drawn = node("intermediateCatchEvent", name, on("message", f"m_{name}"))
        return Block(name, name, [drawn], [], lambda at: One((name, at)))

    def many(self, depth: int) -> Block:
        self.many_around += 1
        try:
            return super().many(depth)
        finally:
            self.many_around -= 1


class Doom:
    """Lets the process die before one of the next statements, or at the commit."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.died = 0

    def step(self, *_: Any) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            self.died += 1
            raise Crash

    @contextmanager
    def over(self, plant: Plant) -> Iterator[None]:
        watched = ("before_cursor_execute", "commit")
        for name in watched:
            event.listen(plant.installation.database, name, self.step)
        try:
            yield
        finally:
            for name in watched:
                event.remove(plant.installation.database, name, self.step)


class Life:
    """One run of one model."""

    def __init__(self, plant: Plant, dice: random.Random, doom: Doom) -> None:
        self.plant, self.dice, self.doom = plant, dice, doom
        self.maker = Living(dice, plant.clock)
        self.expected: Counter[str] = Counter()
        self.decided = 0

    def begin(self) -> None:
        whole = self.maker.block(3)
        flows = "\n".join([*whole.flows, f"s > {whole.first}", f"{whole.last} > e"])
        drawn = diagram(
            process(start(), *whole.drawn, end(), sequence(flows)), definitions="\n".join(self.maker.messages)
        )
        with self.plant.installation.acting("user:pat") as act:
            definitions.deploy(act, {"p.bpmn": drawn}, process_id="p")
        self.key = f"life {id(self)} {self.dice.random()}"
        self.id = self.plant.start(self.key, v=self.maker.v, who=self.key)
        self.oracle = whole.run(frozenset())

    def waits(self) -> dict[Place, int]:
        """What the run waits for, timers left out: place to token."""
        with self.plant.reading() as session:
            instance = self.plant.instance(self.id)
            if instance.status != InstanceStatus.RUNNING:
                return {}
            flow = waiting.look(session, instance)
            found = {}
            for wait in flow.waits():
                assert wait.kind in ("task", "job", "message", "timer"), wait
                if wait.kind != "timer":
                    view = flow.variables_view(wait.token_id)
                    around = frozenset((name, int(view[name])) for name in view if name.startswith("item"))
                    found[wait.element_id, around] = wait.token_id
            return found

    def live(self) -> None:
        """Go on until the run has ended, comparing with the simple machine after every step."""
        while not self.oracle.done:
            assert set(self.waits()) == self.oracle.waiting()
            dues = self.oracle.dues()
            if dues and self.dice.random() < 0.25:
                self.plant.clock.now = max(self.plant.clock.now, min(dues.values()))
                self._survive(lambda: timers.fire_due(self.plant.installation))
                # Instances of a multi-instance began at once, so that their timers go off at once.
                for place in [place for place, due in dues.items() if due <= self.plant.clock.now]:
                    self.expected.update([self.maker.noted[place[0]]] if place[0] in self.maker.noted else [])
                    assert self.oracle.do(place)
            else:
                place = self.dice.choice(sorted(self.oracle.waiting(), key=str))
                token = self.waits()[place]
                self._survive(self._doing(place, token))
                self._expect(place)
                assert self.oracle.do(place)
        assert self.waits() == {}
        self._check_the_end()

    def _survive(self, work: Callable[[], object]) -> None:
        """Do something although the process dies; sometimes the answer is lost, and it is done again."""
        for _ in range(self.dice.randrange(3)):
            self.doom.left = self.dice.randrange(25)
            try:
                work()
            except Crash:
                self._forget_the_dead()
            self.doom.left = None
        work()

    def _forget_the_dead(self) -> None:
        """Let the lock of a worker that died run out at once, so that no clock need move."""
        with self.plant.installation.database.execution_options(writes=True).begin() as connection:
            running = update(Job).where(Job.state == JobState.RUNNING)
            connection.execute(running.values(locked_until=self.plant.clock()))

    def _doing(self, place: Place, token: int) -> Callable[[], None]:
        kind = self.maker.kinds[place[0]]
        if kind == "message":
            message_id = f"{place[0]} {token} {self.key}"
            return lambda: self._publish(place[0], message_id)
        if kind in ("job", "errand"):
            return lambda: self._run(token)
        return lambda: self._decide(token)

    def _publish(self, name: str, message_id: str) -> None:
        with self.plant.acting("bea") as act:
            messages.publish(act, name, correlation_key=self.key, message_id=message_id)

    def _run(self, token: int) -> None:
        with self.plant.reading() as session:
            job = session.scalars(select(Job).where(Job.instance_id == self.id, Job.token_id == token)).one()
        worker.run_job(self.plant.installation, job.id, worker=f"w{self.dice.random()}")

    def _decide(self, token: int) -> None:
        """Decide as one of those who may; before that somebody who may not tries in vain."""
        with self.plant.reading() as session:
            task = session.scalars(select(Task).where(Task.instance_id == self.id, Task.token_id == token)).one()
        if self.dice.random() < 0.2:
            with pytest.raises(Refused):
                self.plant.decide(task, "approve", by="otto")
        if task.state == TaskState.OPEN:
            self.plant.decide(task, "approve", by=self.dice.choice(["max", "lena"]))
            return
        with pytest.raises(Refused):
            self.plant.decide(task, "approve")

    def _expect(self, place: Place) -> None:
        kind = self.maker.kinds[place[0]]
        if kind == "job":
            self.expected[place[0]] += 1
        elif kind == "decide":
            self.decided += 1

    def _check_the_end(self) -> None:
        """Every effect and decision once, nothing left, every chain whole."""
        with self.plant.reading() as session:
            assert self.plant.instance(self.id).status == InstanceStatus.COMPLETED
            effects = Counter(
                found.field
                for found in session.scalars(
                    select(AuditEvent).where(AuditEvent.record_type == "effect", AuditEvent.record_id == self.id)
                )
            )
            assert effects == self.expected
            decisions = list(session.scalars(select(Decision).where(Decision.instance_id == self.id)))
            assert len(decisions) == len({decision.task_id for decision in decisions}) == self.decided
            for mapped in (Timer, MessageSubscription, Incident):
                assert session.scalars(select(mapped).where(mapped.instance_id == self.id)).all() == []
            open_jobs = (JobState.WAITING, JobState.RUNNING, JobState.FAILED)
            assert (
                session.scalars(select(Job.id).where(Job.instance_id == self.id, Job.state.in_(open_jobs))).all() == []
            )
            mine = select(Task.id).where(Task.instance_id == self.id)
            assert session.scalars(mine.where(Task.state == TaskState.OPEN)).all() == []
            assert session.scalars(select(TaskCandidate.task_id).where(TaskCandidate.task_id.in_(mine))).all() == []


def serve(plant: Plant) -> None:
    """Serve the three types of work; each leaves one event."""

    @plant.registry.job("do_job")
    def do_job(act: Act, work: Work) -> None:
        act.note("effect", work.instance.id, "DONE", field=work.element_id)

    @plant.registry.errand("do_errand")
    def do_errand(installation: Installation, work: Work) -> dict[str, Any]:
        return {"last": work.element_id}

    @plant.registry.step("do_step")
    def do_step(act: Act, work: Work) -> None:
        act.note("effect", work.instance.id, "DONE", field=work.element_id)


def test_random_lives_end_as_the_simple_machine_says_though_the_process_dies_at_any_statement(plant: Plant) -> None:
    serve(plant)
    doom = Doom()

    @settings(
        max_examples=LIVES,
        deadline=None,
        database=None,
        derandomize=LIVES < 50,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=True))
    def live(dice: random.Random) -> None:
        doom.left = None
        life = Life(plant, dice, doom)
        life.begin()
        with doom.over(plant):
            life.live()

    live()
    with plant.reading() as session:
        assert list(verify(session)) == []
        counted = session.scalar(select(func.coalesce(func.sum(QueueCount.tasks), 0)))
        assert counted == session.scalar(select(func.count()).where(Task.state == TaskState.OPEN))
    assert doom.died
