"""A message reaches whoever waits for it, once; an early one is kept; a second delivery is answered."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from engine import conditions, definitions, instances, kept_messages, messages, signals, timers, worker
from engine.act import Act
from engine.errors import Conflict, Invalid, NotFound
from engine.messages import Publication, Reception
from engine.registry import Work
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.job import Job
from engine.stored.wait import Incident, Message, MessageSubscription
from tests.clock import SettableClock
from tests.engine.at_once import at_once
from tests.engine.plant import Plant, work
from tests.engine.spiff.diagrams import (
    boundary,
    diagram,
    end,
    io,
    message,
    node,
    on,
    process,
    service,
    start,
    timer,
    when,
)
from tests.engine.spiff.proofs import proves

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


@proves("message start: a published message starts an instance")
def test_a_message_starts_the_process_that_begins_with_it(plant: Plant) -> None:
    plant.deploy(BY_MESSAGE, definitions_xml=RECEIPT)
    answer = publish(plant, "PO-9", message_id="m-1")
    assert answer.reception is Reception.STARTED
    assert plant.instance(answer.instance_id or "").business_key == "PO-9"
    assert publish(plant, "PO-9", message_id="m-1").is_duplicate
    with plant.reading() as session:
        assert len(list(session.scalars(select(Instance)))) == 1


def test_a_message_that_came_before_its_process_was_deployed_starts_it_then(plant: Plant) -> None:
    assert publish(plant, "PO-9", message_id="m-1").reception is Reception.STORED
    plant.deploy(BY_MESSAGE, definitions_xml=RECEIPT)
    assert worker.sweep(plant.installation) == 1
    with plant.reading() as session:
        assert [found.business_key for found in session.scalars(select(Instance))] == ["PO-9"]
    assert worker.sweep(plant.installation) == 0


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
    plant.deploy(WAITS, definitions_xml=RECEIPT)
    waiting = plant.start(po="PO-1")
    with plant.acting("pat") as act:
        definitions.deploy(act, {"q.bpmn": diagram(sender, definitions=RECEIPT)})
    with plant.acting("bea") as act:
        instances.start(act, "q", business_key="Q", variables={"po": "PO-1"})
    assert plant.task(waiting).element_id == "a"
    # One whose state nobody can read holds up nobody else; neither does what began with the message and cannot go on.
    broken = plant.start("K-2", po="PO-2")
    with plant.installation.database.begin() as connection:
        connection.execute(update(Instance).where(Instance.id == broken).values(state=b"broken"))
    with plant.acting("bea") as act:
        instances.start(act, "q", business_key="Q", variables={"po": "PO-2"})
    with plant.reading() as session:
        [kept] = session.scalars(select(Message).where(Message.correlation_key == "PO-2"))
    assert (kept.state, worker.sweep(plant.installation)) == ("STORED", 0)


@pytest.mark.parametrize("event", [on("message", "m"), on("signal", "g")], ids=["message", "signal"])
@pytest.mark.parametrize(("sent", "why"), [("=[text, text, text]", "bytes"), ("=[[deep]]", "within each other")])
def test_what_is_too_much_to_send_is_an_incident_of_the_throw_and_the_decision_before_it_stays(
    plant: Plant, event: str, sent: str, why: str
) -> None:
    throws = node("intermediateThrowEvent", "tell", event, extensions=io(inputs={"sent": sent}))
    plant.deploy(process(start(), work("a"), throws, end(), flows="s > a > tell > e"), definitions_xml=RECEIPT + SIGNAL)
    deep: Any = 1
    for _ in range(59):
        deep = [deep]
    waiting = plant.start(po="PO-1", text="x" * 1_000_000, deep=deep)
    plant.complete(plant.task(waiting))
    with plant.reading() as session:
        [found] = session.scalars(select(Incident).where(Incident.instance_id == waiting))
        assert (found.element_id, why in found.message) == ("tell", True)
        assert list(session.scalars(select(Message))) == []


def test_what_a_refused_step_published_is_gone_with_it_also_where_a_message_woke_it(plant: Plant) -> None:
    @plant.registry.step("tell")
    def tell(act: Act, work: Work) -> None:
        messages.publish(act, "goods-receipt", correlation_key="PO-2")
        raise Invalid("Expected a receipt, but there is none")

    waits = process(
        start(), node("receiveTask", "wait", messageRef="m"), service("tell"), end(), flows="s > wait > tell > e"
    )
    plant.deploy(waits, definitions_xml=RECEIPT)
    early = plant.start("K-1", po="PO-1")
    thrower = process(
        start("ts"), node("intermediateThrowEvent", "throw", '<bpmn:messageEventDefinition messageRef="m" />'), end("te"),
        id="q", flows="ts > throw > te",
    )  # fmt: skip
    with plant.acting("pat") as act:
        definitions.deploy(act, {"q.bpmn": diagram(thrower, definitions=RECEIPT)})
    with plant.acting("bea") as act:
        instances.start(act, "q", business_key="Q", variables={"po": "PO-1"})
    assert plant.instance(early).incidents == 1
    with plant.reading() as session:
        assert [one.correlation_key for one in session.scalars(select(Message))] == ["PO-1"]


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


def test_a_message_that_two_runs_wait_for_is_refused_with_both_keys(plant: Plant) -> None:
    plant.deploy(WAITS, definitions_xml=RECEIPT)
    one, two = plant.start("A", po="PO-1"), plant.start("B", po="PO-1")
    with pytest.raises(Conflict, match=r"A \(p\) and B \(p\)") as refused:
        publish(plant, message_id="m-1")
    assert refused.value.code == "AMBIGUOUS_MESSAGE"
    with plant.acting("pat") as act:
        instances.cancel(act, one, "the wrong one")
    # Nothing of the refused one was kept: the same id counts now.
    assert publish(plant, message_id="m-1").instance_id == two


def test_a_message_that_two_processes_begin_with_is_refused(plant: Plant) -> None:
    plant.deploy(BY_MESSAGE, definitions_xml=RECEIPT)
    other = BY_MESSAGE.replace('id="p"', 'id="q"', 1)
    with plant.acting("pat") as act:
        definitions.deploy(act, {"q.bpmn": diagram(other, definitions=RECEIPT)})
    with pytest.raises(Conflict, match="s of p and s of q"):
        publish(plant)


def test_an_ambiguous_message_of_a_diagram_is_kept_until_one_run_waits(plant: Plant) -> None:
    plant.deploy(WAITS, definitions_xml=RECEIPT)
    one, two = plant.start("A", po="PO-1"), plant.start("B", po="PO-1")
    throws = node("intermediateThrowEvent", "tell", '<bpmn:messageEventDefinition messageRef="m" />')
    sender = process(start("ts"), throws, end("te"), id="q", flows="ts > tell > te")
    with plant.acting("pat") as act:
        definitions.deploy(act, {"q.bpmn": diagram(sender, definitions=RECEIPT)})
    with plant.acting("bea") as act:
        instances.start(act, "q", business_key="Q", variables={"po": "PO-1"})
    with plant.reading() as session:
        [kept] = session.scalars(select(Message))
        assert [found.business_key for found in kept_messages.hearers_of(session, [kept])[kept.id]] == ["A", "B"]
    assert worker.sweep(plant.installation) == 0
    with plant.acting("pat") as act:
        instances.cancel(act, one, "the wrong one")
    assert worker.sweep(plant.installation) == 1
    assert plant.task(two).element_id == "a"


def test_a_kept_message_is_deleted_for_a_reason_and_its_id_stays_known(plant: Plant) -> None:
    plant.deploy(WAITS, definitions_xml=RECEIPT)
    kept = publish(plant, message_id="m-1")
    with plant.acting("pat") as act:
        with pytest.raises(Invalid):
            kept_messages.delete(act, kept.id, " ")
        kept_messages.delete(act, kept.id, "sent for the wrong order")
        with pytest.raises(Conflict, match="deleted"):
            kept_messages.delete(act, kept.id, "again")
    assert plant.open(plant.start(po="PO-1")) == []
    assert publish(plant, message_id="m-1").is_duplicate


def test_a_message_that_was_not_to_be_kept_says_so(plant: Plant) -> None:
    assert publish(plant, message_id="m-1", ttl=dt.timedelta(0)).reception is Reception.NOT_KEPT
    assert publish(plant, message_id="m-1").is_duplicate


def test_a_message_with_too_much_in_it_is_refused_and_nothing_is_kept(small_plant: Plant) -> None:
    with pytest.raises(Invalid, match="2,000,000 bytes"):
        publish(small_plant, variables={"scan": "x" * 10_000_000})
    with small_plant.reading() as session:
        assert list(session.scalars(select(Message))) == []


def test_one_id_that_comes_twice_at_once_counts_once(plant: Plant) -> None:
    plant.deploy(WAITS, definitions_xml=RECEIPT)
    plant.start(po="PO-1")
    answers = at_once(lambda: publish(plant, message_id="m-1"), lambda: publish(plant, message_id="m-1"))
    assert sorted(answer.is_duplicate for answer in answers) == [False, True]


def test_a_message_and_a_wait_that_are_written_at_once_meet(postgresql_database: Engine, clock: SettableClock) -> None:
    plant = Plant(postgresql_database, clock)
    plant.deploy(WAITS, definitions_xml=RECEIPT)
    both = threading.Barrier(2, timeout=10)

    def publishing() -> None:
        with plant.installation.acting("adapter:erp") as act:
            assert messages.publish(act, "goods-receipt", correlation_key="PO-1").reception is Reception.STORED
            both.wait()  # Neither sees what the other has written: both have looked before either commits.

    def starting() -> str:
        with plant.acting("rita") as act:
            found = instances.start(act, "p", business_key="K", variables={"po": "PO-1"}).id
            both.wait()
        return found

    _published, instance_id = at_once(publishing, starting)
    assert plant.task(instance_id).element_id == "a"


def test_a_message_that_a_crash_left_beside_its_wait_is_delivered_by_the_sweep(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks = process(
        start(),
        node("receiveTask", "wait", messageRef="m"),
        service("next", type="next"),
        end(),
        flows="s > wait > next > e",
    )

    @plant.registry.step("next")
    def fail(act: Act, work: Work) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(messages, "deliver_stored", lambda *_: None)
    plant.deploy(breaks, definitions_xml=RECEIPT)
    broken = plant.start(po="PO-0")
    plant.deploy(WAITS, definitions_xml=RECEIPT)
    for key in ("PO-0", "PO-1"):
        publish_beside(plant, key)
    instance_id = plant.start("K-2", po="PO-1")
    assert plant.open(instance_id) == []
    assert worker.sweep(plant.installation) == 1
    # A flow that breaks on hearing its message keeps nobody else waiting, and loses nothing.
    assert plant.instance(broken).status == InstanceStatus.RUNNING
    assert plant.task(instance_id).element_id == "a"
    assert worker.sweep(plant.installation) == 0


def test_a_signal_that_one_run_cannot_hear_reaches_the_others(plant: Plant) -> None:
    hear = node("intermediateCatchEvent", "hear", on("signal", "g"))
    catch = process(start(), hear, service("next", type="next"), end(), flows="s > hear > next > e")
    plant.deploy(catch, definitions_xml=SIGNAL)

    @plant.registry.step("next")
    def go_on(act: Act, work: Work) -> None:
        if work["fails"]:
            raise ZeroDivisionError

    failing, other = plant.start("A", fails=True), plant.start("B", fails=False)
    with plant.acting("olga") as act:
        assert signals.broadcast(act, "stop-all", {"why": "audit"}).hearers == 2
    worker.run_until_idle(plant.installation)
    assert plant.instance(other).status == InstanceStatus.COMPLETED
    assert plant.variables(other)["why"] == "audit"
    assert plant.instance(failing).status == InstanceStatus.RUNNING
    with plant.reading() as session:
        states = {job.instance_id: job.state for job in session.scalars(select(Job))}
    assert states == {failing: "WAITING", other: "DONE"}


@proves("signal start: a broadcast starts an instance")
def test_a_signal_starts_what_begins_with_it_in_its_present_version(plant: Plant) -> None:
    begins = process(start("s", on("signal", "g")), work("a"), end(), flows="s > a > e")
    plant.deploy(begins, definitions_xml=SIGNAL)
    with plant.acting("olga") as act:
        assert signals.broadcast(act, "stop-all").hearers == 1
    newest = plant.deploy(begins.replace('name="a"', 'name="Stop"', 1), definitions_xml=SIGNAL)
    worker.run_until_idle(plant.installation)
    with plant.reading() as session:
        assert [found.definition_id for found in session.scalars(select(Instance))] == [newest]


@proves("conditional start: whoever asks begins what is true, with the values that were asked about")
def test_asking_the_conditions_begins_what_is_true_in_its_present_version(plant: Plant) -> None:
    hot = (start("hot", when("=temperature > 400", variableEvents="update")), start("cold", when("=temperature < 0")))
    drawn = process(*hot, start("odd", when("=oven = 7")), work("a"), end(), flows="hot > a > e\ncold > a\nodd > a")
    plant.deploy(drawn)
    newest = plant.deploy(drawn.replace('name="a"', 'name="Look"', 1))
    other = diagram(process(start("s", when("=absent")), end(), id="other", flows="s > e"))
    with plant.acting("pat") as act:
        definitions.deploy(act, {"other.bpmn": other}, process_id="other")
    with plant.installation.acting("adapter:oven") as act:
        found = conditions.evaluate(act, {"temperature": 431, "oven": 7})
        assert (found.asked, found.unanswered) == (4, ())
        assert [one.element_id for one in found.begun] == ["hot", "odd"]
    for one in found.begun:
        assert plant.instance(one.instance.id).definition_id == newest
        assert plant.variables(one.instance.id)["temperature"] == 431
        assert plant.task(one.instance.id).element_id == "a"
    with plant.installation.acting("adapter:oven") as act:
        [begun] = conditions.evaluate(act, {"temperature": 500}, process_id="p", business_key="OVEN-7").begun
        assert begun.instance.business_key == "OVEN-7"
        assert conditions.evaluate(act, {"temperature": 20}).begun == ()
    with (
        plant.installation.acting("adapter:oven") as act,
        pytest.raises(Conflict, match="OVEN-7 not to be running yet"),
    ):
        conditions.evaluate(act, {"temperature": 500, "business_key": "OVEN-7"})


def test_conditions_of_a_process_that_has_none_or_is_unknown_are_refused(plant: Plant) -> None:
    plant.deploy(process(start(), end(), flows="s > e"))
    with plant.installation.acting("adapter:oven") as act:
        with pytest.raises(Conflict, match="Expected p to begin with a condition"):
            conditions.evaluate(act, process_id="p")
        with pytest.raises(NotFound):
            conditions.evaluate(act, process_id="nowhere")


def publish_beside(plant: Plant, key: str) -> None:
    """Keep a message as a crash leaves it: written, and delivered to nobody."""
    with plant.installation.acting("adapter:erp") as act:
        row = messages.publish(act, "goods-receipt", correlation_key="nobody waits for this one").id
        act.session.get_one(Message, row).correlation_key = key
