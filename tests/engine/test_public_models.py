"""Models that nobody here drew, in a database: deployed with what they call, and driven to their ends act by act."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine import assigning, definitions, instances, messages, outside_workers, tasks, timers, watchdog
from engine.outside_workers import Claim
from engine.spiff import read_bundle
from engine.stored.job import Job, JobState
from engine.stored.wait import MessageSubscription, Timer
from tests.engine.plant import Plant

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "models"
MODELS = sorted(FOLDER.rglob("*.bpmn"))
ANSWERS = {
    "reviewResult": "approved",
    "done": True,
    "x": 8,
    "totalLoops": 3,
    "key": "k",
    "prId": "k",
    "correlationKey": "k",
}
CALLED = ("start-end", "alternate-start-end", "call-activity", "automated-tests")

pytestmark = pytest.mark.skipif(not MODELS, reason="the optional folder ../shared/models is not beside this checkout")


def begin(plant: Plant, path: Path) -> str:
    """Deploy the process of a file with those that may be called, of which only what it reaches is kept, and start it."""
    [process] = read_bundle({path.name: path.read_bytes()}).processes.values()
    called = {one.name: one.read_bytes() for one in MODELS if one.stem in CALLED}
    with plant.acting("pat") as act:
        made = definitions.deploy(act, called | {path.name: path.read_bytes()}, process_id=process.id)
        first = process.starts[0].element_id
        return instances.begin(act, made, business_key=path.stem, variables=ANSWERS, start_element=first).id


def press_on(plant: Plant, instance_id: str) -> None:
    """Do something that an instance waits for, in an act of its own."""
    with plant.reading() as session:
        own: dict[str, Any] = {"instance_id": instance_id}
        job = session.scalars(select(Job).filter_by(**own, state=JobState.WAITING)).first()
        wait = session.scalars(select(MessageSubscription).filter_by(**own)).first()
        due = session.scalars(select(Timer.due_at).filter_by(**own)).first()
    with plant.acting("bea") as act:
        if job is not None:
            outside_workers.activate(act, job.type, worker="w")
            outside_workers.complete(act, Claim(job.id, "w"), ANSWERS)
        elif plant.open(instance_id):
            task = assigning.assign(act, plant.task(instance_id).id, ["user:bea"], "nobody else is here")
            act.session.flush()
            tasks.complete(act, task.id, ANSWERS, seen_version=task.version)
        elif wait is not None:
            messages.publish(act, wait.name, correlation_key=wait.correlation_key, variables=ANSWERS)
    if due is not None:
        plant.clock.set(max(due, plant.clock.now))
        timers.fire_for(plant.installation, instance_id, now=plant.clock.now)


def test_every_public_model_deploys_and_comes_to_its_end_in_a_database(small_plant: Plant) -> None:
    for path in MODELS:
        instance_id = begin(small_plant, path)
        for _ in range(40):
            with small_plant.reading() as session:
                instance = instances.find(session, instance_id)
                if instance.status != "RUNNING":
                    break
                assert watchdog.examine(session, instance) == [], path.name
            press_on(small_plant, instance_id)
        assert (instance.status, instance.incidents) == ("COMPLETED", 0), path.name
