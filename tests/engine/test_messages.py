"""A message reaches whoever waits for it, once; an early one is kept; a second delivery is answered."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from engine import messages, signals, timers, worker
from engine.errors import Invalid
from engine.messages import Publication, Reception
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.wait import Message, MessageSubscription
from tests.engine.plant import Plant, work
from tests.engine.spiff.diagrams import boundary, end, message, node, on, process, start, timer

RECEIPT = message("m", "goods-receipt", "=po")
WAITS = process(start(), node("receiveTask", "wait", messageRef="m"), work("a"), end(), flows="s > wait > a > e")
BY_MESSAGE = process(start("s", on("message", "m")), work("a"), end(), flows="s > a > e")
SIGNAL = '<bpmn:signal id="g" name="stop-all" />'


def publish(plant: Plant, key: str = "PO-1", **more: object) -> Publication:
    with plant.installation.acting("adapter:erp") as act:
        return messages.publish(act, "goods-receipt", correlation_key=key, **more)


def test_a_message_moves_the_instance_that_waits_for_its_key(plant: Plant) -> None:
    plant.deploy(WAITS, definitions_xml=RECEIPT)
    one, two = plant.start("A", po="PO-1"), plant.start("B", po="PO-2")
    answer = publish(plant, "PO-2", variables={"lot": "L-7"}, message_id="m-1")
    assert (answer.reception, answer.instance_id) == (Reception.CORRELATED, two)
    assert plant.variables(two)["lot"] == "L-7"
    assert plant.open(one) == []
    assert plant.task(two).element_id == "a"


def test_a_second_delivery_of_an_id_is_answered_and_moves_nothing(plant: Plant) -> None:
    plant.deploy(WAITS, definitions_xml=RECEIPT)
    instance_id = plant.start(po="PO-1")
    publish(plant, message_id="m-1")
    version = plant.instance(instance_id).version
    answer = publish(plant, message_id="m-1", variables={"lot": "other"})
    assert answer.is_duplicate
    assert answer.instance_id == instance_id
    assert plant.instance(instance_id).version == version


def test_an_early_message_is_kept_for_whoever_waits_for_it_later(plant: Plant) -> None:
    plant.deploy(WAITS, definitions_xml=RECEIPT)
    assert publish(plant, message_id="m-1", variables={"lot": "L-1"}).reception is Reception.STORED
    instance_id = plant.start(po="PO-1")
    assert plant.task(instance_id).element_id == "a"
    assert plant.variables(instance_id)["lot"] == "L-1"
    second = plant.start("K-2", po="PO-1")
    assert plant.open(second) == []


def test_a_message_whose_time_is_over_reaches_nobody(plant: Plant) -> None:
    plant.deploy(WAITS, definitions_xml=RECEIPT)
    publish(plant, message_id="m-1", ttl=dt.timedelta(hours=1))
    plant.clock.advance(hours=2)
    assert worker.sweep(plant.installation) == 1
    instance_id = plant.start(po="PO-1")
    assert plant.open(instance_id) == []
    assert publish(plant, message_id="m-1").is_duplicate


def test_a_message_starts_the_process_that_begins_with_it(plant: Plant) -> None:
    plant.deploy(BY_MESSAGE, definitions_xml=RECEIPT)
    answer = publish(plant, "PO-9", message_id="m-1")
    assert answer.reception is Reception.STARTED
    assert plant.instance(answer.instance_id or "").business_key == "PO-9"
    assert publish(plant, "PO-9", message_id="m-1").is_duplicate
    with plant.reading() as session:
        assert len(list(session.scalars(select(Instance)))) == 1


def test_only_the_newest_version_is_started_by_a_message(plant: Plant) -> None:
    plant.deploy(BY_MESSAGE, definitions_xml=RECEIPT)
    newest = plant.deploy(BY_MESSAGE.replace('name="a"', 'name="Receive"', 1), definitions_xml=RECEIPT)
    with plant.reading() as session:
        assert [row.definition_id for row in session.scalars(select(MessageSubscription))] == [newest]


def test_a_subscription_goes_with_its_token(plant: Plant) -> None:
    late = boundary("late", "wait", timer("duration", "PT1H"))
    model = process(
        start(), node("receiveTask", "wait", messageRef="m"), late, end("x"), end(), flows="s > wait > e\nlate > x"
    )
    plant.deploy(model, definitions_xml=RECEIPT)
    instance_id = plant.start(po="PO-1")
    plant.clock.advance(hours=2)
    timers.fire_due(plant.installation)
    assert plant.ended(instance_id) == "x"
    assert publish(plant).reception is Reception.STORED


def test_an_overdue_timer_goes_before_a_message(plant: Plant) -> None:
    late = boundary("late", "wait", timer("duration", "PT1H"))
    model = process(
        start(), node("receiveTask", "wait", messageRef="m"), late, end("x"), end(), flows="s > wait > e\nlate > x"
    )
    plant.deploy(model, definitions_xml=RECEIPT)
    instance_id = plant.start(po="PO-1")
    plant.clock.advance(hours=2)
    assert publish(plant).reception is Reception.STORED
    assert plant.ended(instance_id) == "x"


def test_a_message_thrown_by_one_instance_reaches_another_in_the_same_act(plant: Plant) -> None:
    sender = process(
        start("ts"),
        node("intermediateThrowEvent", "tell", '<bpmn:messageEventDefinition messageRef="m" />'),
        end("te"),
        id="q",
        flows="ts > tell > te",
    )
    from engine import definitions, instances
    from tests.engine.spiff.diagrams import diagram

    plant.deploy(WAITS, definitions_xml=RECEIPT)
    waiting = plant.start(po="PO-1")
    with plant.acting("pat") as act:
        definitions.deploy(act, {"q.bpmn": diagram(sender, definitions=RECEIPT)})
    with plant.acting("bea") as act:
        instances.start(act, "q", business_key="Q", variables={"po": "PO-1"})
    assert plant.task(waiting).element_id == "a"


def test_a_signal_reaches_everybody_who_waits_for_it(plant: Plant) -> None:
    catch = node("intermediateCatchEvent", "hear", on("signal", "g"))
    plant.deploy(process(start(), catch, end(), flows="s > hear > e"), definitions_xml=SIGNAL)
    found = [plant.start(f"K-{number}") for number in range(3)]
    with plant.acting("olga") as act:
        assert signals.broadcast(act, "stop-all").hearers == 3
    assert worker.run_until_idle(plant.installation) == 3
    assert {plant.instance(instance_id).status for instance_id in found} == {InstanceStatus.COMPLETED}


def test_a_message_without_a_name_is_refused(plant: Plant) -> None:
    with plant.acting("bea") as act, pytest.raises(Invalid, match="name"):
        messages.publish(act, "  ")
    with plant.reading() as session:
        assert list(session.scalars(select(Message))) == []
