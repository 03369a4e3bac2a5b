"""Workers outside serve the types that no function here serves: each job once, whoever dies, whoever is slow."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine import definitions, incidents, instances, outside_workers, retrying, suspending, watchdog, worker
from engine.bpmn import BpmnError
from engine.errors import Conflict, Invalid, NotFound, Refused
from engine.outside_workers import Claim
from engine.stored.job import Job, JobState
from tests.engine.plant import Plant
from tests.engine.plant import work as person
from tests.engine.spiff.diagrams import boundary, end, listeners, on, process, service, start

WELD = process(
    start(),
    service("weld", type="robot.weld"),
    boundary("cold", "weld", on("error", "cold_seam")),
    person("look"),
    end("redo"),
    end(),
    flows="s > weld > look > e\ncold > redo",
)
COLD = '<bpmn:error id="cold_seam" errorCode="COLD_SEAM" />'
SHARED = Path(__file__).resolve().parents[3] / "shared" / "models" / "zeebe-spec"


@pytest.fixture
def shop(plant: Plant) -> Plant:
    plant.deploy(WELD, definitions_xml=COLD)
    return plant


def activate(plant: Plant, *, by: str = "one", **more: Any) -> list[Job]:
    with plant.installation.acting("adapter:shop") as act:
        return outside_workers.activate(act, "robot.weld", worker=by, **more)


def sentence(plant: Plant, instance_id: str) -> str:
    with plant.reading() as session:
        return instances.wait_sentence(session, instances.find(session, instance_id))


def refused(plant: Plant, job: Job, *, by: str = "one", attempt: int | None = None) -> Refused:
    """Return the refusal to finish a job in the name of a worker."""
    with pytest.raises(Refused) as found, plant.installation.acting("adapter:shop") as act:
        outside_workers.complete(act, Claim(job.id, by, attempt))
    return found.value


def finish(plant: Plant, job: Job, *, by: str = "one", **variables: Any) -> None:
    with plant.installation.acting("adapter:shop") as act:
        outside_workers.complete(act, Claim(job.id, by, job.attempts), variables)


def fail(plant: Plant, job: Job, **more: Any) -> Job:
    with plant.installation.acting("adapter:shop") as act:
        return outside_workers.fail(act, Claim(job.id, "one", job.attempts), "the gas is out", **more)[0]


def test_listeners_are_jobs_that_workers_inside_and_outside_serve(plant: Plant) -> None:
    filed: list[str] = []

    @plant.registry.job("file")
    def file(act: object, work: Any) -> dict[str, str]:
        filed.append(work.element_id)
        return {"folder": "7"}

    around = listeners(start="robot.weld") + listeners("task", completing="file")
    plant.deploy(process(start(), person("look", extensions=around), end(), flows="s > look > e"))
    instance_id = plant.start()
    assert plant.open(instance_id) == []
    [job] = activate(plant)
    finish(plant, job, seams=3)
    plant.complete(plant.task(instance_id, "look"))
    assert "file" in sentence(plant, instance_id)
    with plant.reading() as session:
        assert watchdog.examine(session, instances.find(session, instance_id)) == []
    worker.run_until_idle(plant.installation)
    assert plant.ended(instance_id) == "e"
    assert (filed, plant.variables(instance_id)["folder"]) == (["look"], "7")


def test_a_worker_takes_a_job_up_knows_what_it_needs_and_finishes_it_once(shop: Plant) -> None:
    instance_id = shop.start(seams=3, secret="x")
    assert "for a worker outside to take up the job robot.weld" in sentence(shop, instance_id)
    [job] = activate(shop)
    assert "for one, which does the job robot.weld (weld), until 15:05" in sentence(shop, instance_id)
    assert activate(shop, by="two") == []
    with shop.reading() as session:
        offer = outside_workers.offer(session, outside_workers.find(session, job.id), fetch=["seams", "unknown"])
    assert offer is not None
    assert (offer.variables, offer.element_name) == ({"seams": 3}, "weld")
    assert refused(shop, job, by="two").code == "JOB_LOST"
    finish(shop, job, ok=True)
    assert shop.variables(instance_id)["ok"] is True
    assert shop.task(instance_id).element_id == "look"
    again = refused(shop, job)
    assert (again.status, again.code) == (409, "JOB_DONE")
    assert "one finished it" in again.message


def test_what_a_dead_worker_held_is_offered_again_and_the_slow_one_is_told_who_has_it(shop: Plant) -> None:
    instance_id = shop.start()
    [first] = activate(shop, lock_for=dt.timedelta(minutes=1))
    with shop.installation.acting("adapter:shop") as act:
        outside_workers.extend(act, Claim(first.id, "one", 1), dt.timedelta(minutes=10))
    shop.clock.advance(minutes=9)
    assert activate(shop, by="two") == []
    shop.clock.advance(minutes=2)
    [second] = activate(shop, by="two")
    assert (second.id, second.attempts) == (first.id, 2)
    assert "two of adapter:shop has it now, attempt 2, until" in refused(shop, first).message
    # The same name of another key, or of an attempt before, is somebody else.
    assert refused(shop, first, by="two", attempt=1).code == "JOB_LOST"
    with shop.installation.acting("adapter:other") as act, pytest.raises(Conflict):
        outside_workers.complete(act, Claim(first.id, "two", 2))
    finish(shop, second, by="two")
    assert shop.task(instance_id).element_id == "look"


def test_work_that_took_too_long_is_welcome_while_nobody_else_took_it_up(shop: Plant) -> None:
    instance_id = shop.start()
    [job] = activate(shop, lock_for=dt.timedelta(seconds=1))
    shop.clock.advance(hours=1)
    finish(shop, job)
    assert shop.task(instance_id).element_id == "look"


def test_a_failed_job_comes_back_after_its_back_off_and_is_an_incident_after_the_last_try(shop: Plant) -> None:
    instance_id = shop.start()
    [job] = activate(shop)
    kept = fail(shop, job, retries_left=1, wait=dt.timedelta(minutes=30))
    assert (kept.state, kept.retries_left) == (JobState.WAITING, 1)
    assert activate(shop) == []
    shop.clock.advance(minutes=30)
    [job] = activate(shop)
    assert fail(shop, job, retries_left=0).state == JobState.FAILED
    assert "waits for operations: the gas is out" in refused(shop, job).message
    with shop.reading() as session:
        [incident] = incidents.of_instance(session, instance_id)
    assert "the gas is out" in incident.message
    [answer] = retrying.retry_all(shop.installation, "user:adam", [incident.id])
    assert answer.outcome == "QUEUED"
    [job] = activate(shop)
    finish(shop, job)
    assert shop.task(instance_id).element_id == "look"
    assert shop.instance(instance_id).incidents == 0


def test_a_business_error_goes_the_way_of_the_diagram_and_uncaught_it_is_an_incident(shop: Plant) -> None:
    caught, stuck = shop.start("A"), shop.start("B")
    for expected, error in ((True, BpmnError("COLD_SEAM", "", {"seam": 2})), (False, BpmnError("NO_GAS", "empty"))):
        [job] = activate(shop)
        with shop.installation.acting("adapter:shop") as act:
            assert outside_workers.throw(act, Claim(job.id, "one"), error)[1] is expected
    assert shop.ended(caught) == "redo"
    assert shop.variables(caught)["seam"] == 2
    with shop.reading() as session:
        assert "NO_GAS" in incidents.of_instance(session, stuck)[0].message


def test_a_job_whose_run_was_cancelled_is_gone_and_one_whose_run_rests_waits(shop: Plant) -> None:
    gone, resting = shop.start("A"), shop.start("B")
    taken = {job.instance_id: job for job in activate(shop, at_most=5)}
    with shop.acting("pat") as act:
        instances.cancel(act, gone, "wrong part")
        suspending.suspend(act, resting, "a stop at the shop")
    assert refused(shop, taken[gone]).code == "JOB_GONE"
    assert refused(shop, taken[resting]).code == "SUSPENDED"
    shop.clock.advance(hours=1)
    assert activate(shop) == []
    with shop.acting("pat") as act:
        suspending.resume(act, resting)
    [job] = activate(shop)
    finish(shop, job)
    assert shop.task(resting).element_id == "look"


def test_types_that_nobody_outside_can_serve_are_refused_in_words(small_plant: Plant) -> None:
    small_plant.deploy(WELD, definitions_xml=COLD)
    small_plant.registry.job("send_order")(lambda act, work: None)
    with small_plant.installation.acting("adapter:shop") as act:
        for job_type, kind, code in (
            ("send_order", Conflict, "SERVED_HERE"),
            ("robot.wled", NotFound, "UNKNOWN_JOB_TYPE"),
        ):
            with pytest.raises(kind) as found:
                outside_workers.activate(act, job_type, worker="one")
            assert found.value.code == code
        assert 'did you mean "robot.weld"' in found.value.message
        assert outside_workers.activate(act, "robot.weld", worker="one") == []
        for wrong in ({"worker": " "}, {"worker": "one", "at_most": 0}, {"worker": "one", "lock_for": dt.timedelta()}):
            with pytest.raises(Invalid):
                outside_workers.activate(act, "robot.weld", **wrong)
        with pytest.raises(NotFound):
            outside_workers.complete(act, Claim("x", "one"))


def test_workers_that_ask_at_once_share_the_jobs(shop: Plant) -> None:
    for number in range(12):
        shop.start(f"K-{number}")
    found: dict[str, list[str]] = {}

    def take(name: str) -> None:
        found[name] = [job.id for job in activate(shop, by=name, at_most=4)]

    threads = [threading.Thread(target=take, args=(f"w{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [one for ids in found.values() for one in ids]
    assert len(taken) == len(set(taken))
    left = activate(shop, by="last", at_most=12)
    assert len(taken) + len(left) == 12


def test_a_job_that_is_finished_twice_at_once_counts_once(shop: Plant) -> None:
    shop.start()
    [job] = activate(shop)
    came: list[str] = []

    def end_it() -> None:
        try:
            finish(shop, job)
        except Refused as refusal:
            came.append(refusal.code)
        else:
            came.append("finished")

    threads = [threading.Thread(target=end_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == ["JOB_DONE", "finished"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared models are not beside this checkout")
def test_a_model_of_an_external_worker_is_driven_as_its_specification_says(small_plant: Plant) -> None:
    model = (SHARED / "external-worker-test.bpmn").read_bytes()
    with small_plant.acting("pat") as act:
        definitions.deploy(act, {"external-worker-test.bpmn": model})
    with small_plant.acting("rita") as act:
        instance_id = instances.start(act, "external-worker-test", business_key="X", variables={"x": 5}).id
    assert worker.run_until_idle(small_plant.installation) == 0
    with small_plant.installation.acting("adapter:shop") as act:
        [job] = outside_workers.activate(act, "external-worker", worker="one")
        offer = outside_workers.offer(act.session, job)
        assert offer is not None
        outside_workers.complete(act, Claim(job.id, "one"), {"x": offer.variables["x"] + 1})
    assert small_plant.variables(instance_id)["x"] == 6
    assert small_plant.instance(instance_id).status == "COMPLETED"
    with small_plant.reading() as session:
        assert [(done.state, done.holder) for done in session.scalars(select(Job))] == [("DONE", "adapter:shop")]
