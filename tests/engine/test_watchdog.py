"""The watchdog: what somebody changed in the database directly is found, said, and made whole by trying again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, text, update

from engine import incidents, instances, modifying, retrying, timers, watchdog
from engine.errors import Conflict
from engine.modifying import EditKind, TokenEdit
from engine.stored.instance import Instance
from engine.stored.job import Job
from engine.stored.task import Task, TaskCandidate
from engine.stored.wait import MessageSubscription, Timer
from engine.task_variables import variables_of
from tests.engine.plant import Plant, work
from tests.engine.spiff.diagrams import boundary, each, end, message, node, process, service, start, timer, when

ALL = process(
    start(), node("parallelGateway", "fork"), work("a", each("=[1]")), boundary("late", "a", timer("duration", "PT1H")),
    service("send", each("=[1]")), node("receiveTask", "hear", messageRef="goods"),
    node("intermediateCatchEvent", "true", when("=it = true")),
    end("x"), end(), flows="s > fork > a > e\nfork > send > e\nfork > hear > e\nfork > true > e\nlate > x",
)  # fmt: skip
BROKEN: dict[str, tuple[Any, ...]] = {
    "the task at a is missing": (delete(TaskCandidate), update(Task).values(state="CANCELLED")),
    "the timer at late is missing": (delete(Timer),),
    "the wait for a message at hear is missing": (delete(MessageSubscription),),
    "the job at send is missing": (update(Job).values(state="CANCELLED"),),
    "it is to be woken at no time": (update(Instance).values(wake_at=None),),
}


def broken(plant: Plant, *statements: Any) -> str:
    @plant.registry.job("send")
    def send(*_: Any) -> None:
        """Send nothing."""

    plant.deploy(ALL, definitions_xml=message("goods", "goods", '="PO-1"'))
    instance_id = plant.start()
    assert watchdog.scan(plant.installation) == ("", 0)
    with plant.installation.database.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    return instance_id


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_missing_is_found_said_and_made_anew(small_plant: Plant, what: str) -> None:
    instance_id = broken(small_plant, *BROKEN[what])
    assert watchdog.scan(small_plant.installation) == ("", 1)
    assert watchdog.scan(small_plant.installation) == ("", 0)
    with small_plant.reading() as session:
        [found] = incidents.of_instance(session, instance_id)
    assert what in found.message
    [answer] = retrying.retry_all(small_plant.installation, "user:adam", [found.id])
    assert answer.outcome == "ADVANCED"
    assert watchdog.scan(small_plant.installation) == ("", 0)
    assert small_plant.instance(instance_id).incidents == 0
    assert [task.element_id for task in small_plant.open(instance_id)] == ["a"]
    small_plant.clock.advance(hours=2)
    assert timers.fire_due(small_plant.installation).timers == 1


def test_a_state_that_cannot_be_read_is_an_incident_and_looks_go_round(plant: Plant) -> None:
    first = broken(plant, text("SELECT 1"))
    second = plant.start("K-2", amount=7)
    with plant.installation.database.begin() as connection:
        connection.execute(update(Instance).where(Instance.id == second).values(state=b"broken"))
    after, opened = watchdog.scan(plant.installation, limit=1)
    assert (after, opened) == (first, 0)
    assert watchdog.scan(plant.installation, after=after, limit=1) == (second, 1)
    assert watchdog.scan(plant.installation, after=second, limit=1) == ("", 0)
    with plant.reading() as session:
        instance = instances.find(session, second)
        assert instances.live_tokens(session, instance) == []
        with pytest.raises(Conflict, match="to be readable"):
            modifying.stage(session, instance, [TokenEdit(EditKind.ADD, None, "a")])
        # Whoever has its task still reads what the run knows.
        assert variables_of(session, plant.task(second)) == {"amount": 7}
        assert "to be readable" in instances.wait_sentence(session, instance)
        [found] = incidents.of_instance(session, second)
    [answer] = retrying.retry_all(plant.installation, "user:adam", [found.id])
    assert (answer.outcome, "to be readable" in answer.message) == ("FAILED_AGAIN", True)
    with plant.acting("pat") as act:
        instances.cancel(act, second, "nobody can read it")
    ended = plant.instance(second)
    assert (ended.status, ended.closed_why, ended.incidents) == ("CANCELLED", "cancelled: nobody can read it", 0)
    with plant.reading() as session:
        assert watchdog.rows_of(session, [second])[second] == watchdog.Rows()
    assert len(plant.open(first)) == 1
