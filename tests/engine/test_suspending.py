"""A suspended instance rests: nothing moves it, nothing is lost, and what came meanwhile happens in its order."""

from __future__ import annotations

import datetime as dt

import pytest

from engine import assigning, drafts, instances, messages, signals, suspending, timers, worker
from engine.errors import Conflict, Invalid
from engine.messages import Reception
from engine.registry import Work
from tests.engine.plant import Plant, work
from tests.engine.spiff.diagrams import boundary, end, message, node, on, process, service, start, timer

AWAITED = process(
    start(),
    node("parallelGateway", "split"),
    work("a"),
    boundary("late", "a", timer("duration", "PT1H")),
    work("escalated"),
    node("receiveTask", "hear", messageRef="goods"),
    work("booked"),
    node("intermediateCatchEvent", "alarm", on("signal", "fire")),
    work("drilled"),
    end(),
    flows="s > split > a > e\nsplit > hear > booked > e\nsplit > alarm > drilled > e\nlate > escalated > e",
)
DEFINITIONS = message("goods", "goods", "=order") + '<bpmn:signal id="fire" name="fire" />'


def suspend(plant: Plant, instance_id: str, reason: str = "the supplier is being audited") -> None:
    with plant.acting("pat") as act:
        suspending.suspend(act, instance_id, reason)


def resume(plant: Plant, instance_id: str) -> None:
    with plant.acting("pat") as act:
        suspending.resume(act, instance_id)


def test_what_came_while_an_instance_rested_happens_when_it_goes_on(plant: Plant) -> None:
    plant.deploy(AWAITED, definitions_xml=DEFINITIONS)
    instance_id = plant.start(order="PO-1")
    suspend(plant, instance_id)
    plant.clock.advance(minutes=30)
    with plant.acting("bea") as act:
        sent = messages.publish(act, "goods", correlation_key="PO-1", ttl=dt.timedelta(0))
    plant.clock.advance(minutes=10)
    with plant.acting("bea") as act:
        assert signals.broadcast(act, "fire").hearers == 1
    worker.run_until_idle(plant.installation)
    assert sent.reception is Reception.STORED
    plant.clock.advance(hours=1)
    assert timers.fire_due(plant.installation).timers == 0
    assert [task.element_id for task in plant.open(instance_id)] == ["a"]
    with plant.reading() as session:
        assert "suspended" in instances.wait_sentence(session, instances.find(session, instance_id)).lower()
    resume(plant, instance_id)
    # The goods and the alarm came before the hour was over, whatever the order in which they are kept.
    assert [task.element_id for task in plant.open(instance_id)] == ["booked", "drilled", "escalated"]


def test_nobody_decides_what_rests_and_the_typed_text_is_kept(plant: Plant) -> None:
    plant.deploy(AWAITED, definitions_xml=DEFINITIONS)
    instance_id = plant.start(order="PO-1")
    task = plant.task(instance_id)
    suspend(plant, instance_id)
    with pytest.raises(Conflict, match="the supplier is being audited") as refused:
        plant.complete(task, note="all pieces counted")
    assert refused.value.code == "SUSPENDED"
    with plant.reading() as session:
        kept = drafts.draft_of(session, task.id, "max")
        assert kept is not None
        assert kept.variables == {"note": "all pieces counted"}
    with plant.acting() as act:
        assigning.claim(act, task.id)
    with plant.acting("pat") as act, pytest.raises(Conflict, match="audited"):
        suspending.suspend(act, instance_id, "again")
    resume(plant, instance_id)
    plant.complete(plant.task(instance_id))
    with plant.acting("pat") as act, pytest.raises(Conflict, match="goes on"):
        suspending.resume(act, instance_id)


def test_a_job_of_an_instance_that_rests_waits(plant: Plant) -> None:
    done: list[str] = []

    @plant.registry.job("send")
    def send(act: object, work: Work) -> None:
        done.append(work.element_id)

    plant.deploy(process(start(), service("send"), work("b"), end(), flows="s > send > b > e"))
    instance_id = plant.start()
    suspend(plant, instance_id)
    assert worker.run_until_idle(plant.installation) == 0
    resume(plant, instance_id)
    worker.run_until_idle(plant.installation)
    assert done == ["send"]
    assert plant.task(instance_id).element_id == "b"


def test_a_suspended_instance_may_be_cancelled_and_suspending_wants_a_reason(small_plant: Plant) -> None:
    small_plant.deploy(AWAITED, definitions_xml=DEFINITIONS)
    instance_id = small_plant.start(order="PO-1")
    with small_plant.acting("pat") as act, pytest.raises(Invalid, match="reason"):
        suspending.suspend(act, instance_id, " ")
    suspend(small_plant, instance_id)
    with small_plant.acting("pat") as act:
        instances.cancel(act, instance_id, "not needed")
    assert small_plant.open(instance_id) == []
