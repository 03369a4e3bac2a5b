"""Two acts at one moment, on PostgreSQL, where each has a connection of its own: nobody is told of a lock, and nothing is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from engine import (
    conditions,
    counters,
    definitions,
    instances,
    jobs,
    messages,
    motion,
    outside_workers,
    signals,
    vocabulary,
)
from engine.errors import Conflict
from engine.stored.instance import Instance
from engine.stored.job import Job, JobState
from engine.stored.task import CandidateSet, Task, TaskWord
from engine.stored.wait import Message, MessageState
from engine.worker import Ran, run_job
from tests.clock import SettableClock
from tests.engine.at_once import at_once
from tests.engine.plant import Plant, work
from tests.engine.spiff.diagrams import boundary, diagram, end, message, on, process, service, start, when


@pytest.fixture
def plant(postgresql_database: Engine, clock: SettableClock) -> Plant:
    return Plant(postgresql_database, clock)


class Meet:
    """Lets two threads go on together, once each; whoever comes alone goes on after a while."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(2, timeout=3)
        self._came: set[int] = set()

    def __call__(self) -> None:
        if threading.get_ident() not in self._came:
            self._came.add(threading.get_ident())
            try:
                self._barrier.wait()
            except threading.BrokenBarrierError:
                return


@pytest.mark.parametrize("kind", ["start", "condition"])
def test_two_who_start_one_key_at_once_start_one(plant: Plant, kind: str) -> None:
    begins = start("s", when("=go")) if kind == "condition" else start()
    plant.deploy(process(begins, work("a"), end(), flows="s > a > e"))
    meet = Meet()

    def begin() -> Any:
        with plant.acting("rita") as act:
            if kind == "start":
                instances.start(act, "p", business_key="K-1")
            else:
                conditions.evaluate(act, {"go": True}, process_id="p", business_key="K-1")
            meet()
        return "started"

    found = at_once(begin, begin)
    [refused] = [one for one in found if one != "started"]
    assert isinstance(refused, Conflict)
    assert refused.code == "ALREADY_RUNNING"


MUTUAL = process(
    start(), work("a"), service("meet"), service("tell"), boundary("hear", "a", on("message", "m"), interrupting=False),
    work("b"), boundary("hear_later", "b", on("message", "m"), interrupting=False), end("heard"), end(),
    flows="s > a > meet > tell > b > e\nhear > heard\nhear_later > heard",
)  # fmt: skip


def test_two_runs_that_send_each_other_a_message_at_once_both_go_on_and_hear_it(plant: Plant) -> None:
    meet = Meet()
    plant.registry.step("meet")(lambda _act, _work: meet())

    @plant.registry.step("tell")
    def tell(act: Any, item: Any) -> None:
        messages.publish(act, "come", correlation_key=item["other"], variables={"heard": "yes"})

    plant.deploy(MUTUAL, definitions_xml=message("m", "come", "=mine"))
    both = [plant.start("K-1", mine="1", other="2"), plant.start("K-2", mine="2", other="1")]
    done = at_once(*(lambda one=one: plant.complete(plant.task(one)) for one in both))
    assert [type(one) for one in done] == [Task, Task]
    assert [plant.task(one).element_id for one in both] == ["b", "b"]
    assert [plant.variables(one).get("heard") for one in both] == ["yes", "yes"]


def test_a_message_for_a_run_on_the_move_waits_for_it_and_starts_no_other_run(plant: Plant) -> None:
    come = message("m", "come", "=mine")
    hears = process(
        start(), work("a"), boundary("hear", "a", on("message", "m"), interrupting=False), end("h"), end(),
        flows="s > a > e\nhear > h",
    )  # fmt: skip
    deploy(
        plant, "begins", process(start("s", on("message", "m")), work("x"), end(), id="begins", flows="s > x > e"), come
    )
    deploy(
        plant, "tells", process(start(), work("t"), service("tell"), end(), id="tells", flows="s > t > tell > e"), ""
    )
    plant.registry.step("tell")(lambda act, _work: messages.publish(act, "come", correlation_key="1") and None)
    plant.deploy(hears, definitions_xml=come)
    waiting = plant.start("K-1", mine="1")
    with plant.acting("rita") as act:
        sender = instances.start(act, "tells", business_key="K-2").id
    sending = threading.Thread(target=lambda: plant.complete(plant.task(sender)))
    with plant.acting("olga") as act:
        motion.lock(act, waiting)
        sending.start()
        until(lambda: plant.ended(sender) == "e")
    sending.join(30)
    with plant.reading() as session:
        [kept] = session.query(Message)
        assert (kept.state, kept.instance_id) == (MessageState.CORRELATED, waiting)
        assert session.query(Instance).filter(Instance.process_id == "begins").count() == 0


def deploy(plant: Plant, process_id: str, drawn: str, definitions_xml: str) -> None:
    with plant.acting("pat") as act:
        definitions.deploy(act, {"p.bpmn": diagram(drawn, definitions=definitions_xml)}, process_id=process_id)


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, at most ten seconds."""
    for _ in range(200):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("Expected it to be so within ten seconds, but it is not")


def test_two_runs_that_send_each_other_a_signal_at_once_wait_for_nobody(plant: Plant) -> None:
    """Both are moved by what is kept for them, such as a job, and each promises the other a job."""
    meet = Meet()

    @plant.registry.job("tell")
    def tell(act: Any, _work: Any) -> None:
        meet()
        signals.broadcast(act, "heard")

    plant.deploy(
        process(start(), service("tell"), boundary("hear", "tell", on("signal", "g"), interrupting=False), end("h"), end(),
                flows="s > tell > e\nhear > h"),
        definitions_xml='<bpmn:signal id="g" name="heard" />',
    )  # fmt: skip
    plant.start("K-1")
    plant.start("K-2")
    with plant.reading() as session:
        due = [job.id for job in session.query(Job).filter(Job.type == "tell")]
    found = at_once(*(lambda one=one: run_job(plant.installation, one, worker=one[-4:]) for one in due))
    assert found == [Ran.DONE, Ran.DONE]


def test_two_who_make_the_same_new_sets_and_words_in_another_order_wait_for_each_other_once(plant: Plant) -> None:
    meet = Meet()

    def make(*roles: str) -> Callable[[], Any]:
        def making() -> str:
            with plant.acting() as act:
                for role in roles:
                    counters.candidate_set(act, [f"role:{role}"])
                    vocabulary.learn(act, Task(party=role, project=None))
                    meet()
            return "made"

        return making

    assert at_once(make("A", "B"), make("B", "A")) == ["made", "made"]
    with plant.reading() as session:
        assert sorted(one.principals for one in session.query(CandidateSet)) == [["role:A"], ["role:B"]]
        assert sorted(one.word for one in session.query(TaskWord)) == ["A", "B"]


def test_two_who_take_up_several_jobs_of_the_same_locks_in_another_order_wait_for_nobody(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with plant.acting() as act:
        for place, lock in enumerate(("one", "two", "two", "one")):
            jobs.defer(act, "outside", lock=lock, priority=-place)
    meet, take = Meet(), jobs.take

    def slowly(*args: Any, **more: Any) -> Job | None:
        taken = take(*args, **more)
        meet()
        return taken

    monkeypatch.setattr(jobs, "take", slowly)

    def ask(name: str) -> Callable[[], Any]:
        def asking() -> list[str | None]:
            with plant.acting("sam") as act:
                return [job.lock for job in outside_workers.activate(act, "outside", worker=name, at_most=2)]

        return asking

    found = at_once(ask("a"), ask("b"))
    assert sorted(lock for locks in found for lock in locks) == ["one", "two"]
    with plant.reading() as session:
        running = [job.lock for job in session.query(Job).filter(Job.state == JobState.RUNNING)]
    assert sorted(running) == ["one", "two"]


def test_a_job_whose_act_the_database_ended_is_tried_again_and_counts_no_failure(plant: Plant) -> None:
    """Each locks one run and then the other's: of two that wait for each other one must begin anew."""
    plant.deploy(process(start(), work("a"), end(), flows="s > a > e"))
    one, two = plant.start("K-1"), plant.start("K-2")
    meet = Meet()

    @plant.registry.job("both")
    def lock_both(act: Any, item: Any) -> None:
        motion.lock(act, item["first"])
        meet()
        motion.lock(act, item["second"])

    with plant.acting() as act:
        due = [
            jobs.defer(act, "both", {"first": first, "second": second}, back_off=()).id
            for first, second in ((one, two), (two, one))
        ]
    found = at_once(*(lambda each=each: run_job(plant.installation, each, worker=each[-4:]) for each in due))
    assert sorted(found) == [Ran.AGAIN, Ran.DONE]
    again = due[found.index(Ran.AGAIN)]
    assert run_job(plant.installation, again, worker="w") is Ran.DONE
