"""Listeners in the house: who serves them, what they are told, and what a run does when they fail."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine import (
    incidents,
    instances,
    jobs,
    modifying,
    outside_workers,
    retrying,
    returning,
    tasks,
    timers,
    watchdog,
    worker,
)
from engine.act import Act
from engine.audit import AuditEvent
from engine.bpmn import BpmnError
from engine.errors import Conflict
from engine.outside_workers import Claim
from engine.registry import Work
from engine.spiff.modifying import EditKind, TokenEdit
from engine.stored.job import Job, JobState
from tests.engine.plant import Plant, approve
from tests.engine.plant import work as person
from tests.engine.spiff.diagrams import boundary, end, listeners, process, start, timer
from tests.engine.spiff.proofs import proves

LATE = timer("duration", "PT1H")


def activate(plant: Plant, job_type: str, *, at_most: int = 1) -> list[Job]:
    with plant.installation.acting("adapter:shop") as act:
        return outside_workers.activate(act, job_type, worker="one", at_most=at_most)


def finish(plant: Plant, job: Job, **variables: Any) -> None:
    with plant.installation.acting("adapter:shop") as act:
        outside_workers.complete(act, Claim(job.id, "one", job.attempts), variables)


def notes(plant: Plant, instance_id: str, action: str) -> list[str]:
    with plant.reading() as session:
        wanted = select(AuditEvent).where(AuditEvent.record_id == instance_id, AuditEvent.action == action)
        return [str(row.new) for row in session.scalars(wanted.order_by(AuditEvent.seq))]


def cancellable(**types: str) -> str:
    """A task that a timer takes away after an hour, with listeners."""
    hall = '<zeebe:taskHeaders><zeebe:header key="hall" value="2" /></zeebe:taskHeaders>'
    task = person("look", extensions=listeners("task", **types) + hall)
    parts = (start(), task, boundary("late", "look", LATE), person("by_hand"), end())
    return process(*parts, flows="s > look > e\nlate > by_hand > e")


def let_it_be_late(plant: Plant, instance_id: str) -> None:
    plant.clock.advance(hours=2)
    timers.fire_due(plant.installation)
    assert [task.element_id for task in plant.open(instance_id)] == ["by_hand"]


@proves("listener canceling: done in the act by a step, promised with the end for a job or a worker outside")
def test_a_task_that_is_cancelled_tells_step_job_and_worker_what_it_was_about(plant: Plant) -> None:
    told: list[tuple[str, Any, Any]] = []

    @plant.registry.step("note")
    def note(act: Act, work: Work) -> None:
        told.append(("step", work["order"], work.headers["hall"]))

    @plant.registry.job("mail")
    def mail(act: Act, work: Work) -> None:
        told.append(("job", work["order"], work.headers["hall"]))

    plant.deploy(cancellable(canceling="note, mail, revoke"))
    instance_id = plant.start(order=7)
    let_it_be_late(plant, instance_id)
    assert told == [("step", 7, "2")]
    worker.run_until_idle(plant.installation)
    assert told[1:] == [("job", 7, "2")]
    [job] = activate(plant, "revoke")
    with plant.reading() as session:
        offer = outside_workers.offer(session, outside_workers.find(session, job.id))
        assert watchdog.examine(session, instances.find(session, instance_id)) == []
    assert offer is not None
    assert (offer.variables["order"], offer.headers, offer.element_name) == (7, {"hall": "2"}, "look")
    finish(plant, job)
    plant.complete(plant.task(instance_id, "by_hand"))
    assert plant.ended(instance_id) == "e"


def test_listeners_of_one_cancellation_are_never_at_work_together(plant: Plant) -> None:
    plant.deploy(cancellable(canceling="first, second"))
    let_it_be_late(plant, plant.start())
    [first] = activate(plant, "first")
    assert activate(plant, "second") == []
    finish(plant, first)
    [second] = activate(plant, "second")
    finish(plant, second)


@pytest.mark.parametrize("how", ["raises", "throws"])
def test_a_listener_of_a_cancellation_that_fails_is_an_incident_that_can_be_tried_again(plant: Plant, how: str) -> None:
    ways = {"mail": True}

    @plant.registry.job("mail")
    def mail(act: Act, work: Work) -> None:
        if ways["mail"]:
            raise BpmnError("NO_LINE", "no line") if how == "throws" else ConnectionError("no line")

    @plant.registry.job("post")
    def post(act: Act, work: Work) -> None:
        raise ConnectionError("no stamps")

    plant.deploy(cancellable(canceling="mail, post"))
    instance_id = plant.start()
    let_it_be_late(plant, instance_id)
    for _ in range(8):
        worker.run_until_idle(plant.installation)
        plant.clock.advance(hours=2)
    with plant.reading() as session:
        found = {one.message.split()[3]: one.id for one in incidents.of_instance(session, instance_id)}
        assert instances.find(session, instance_id).incidents == 2
    assert set(found) == {"mail", "post"}
    ways["mail"] = False
    [answer] = retrying.retry_all(plant.installation, "user:adam", [found["mail"]])
    assert answer.outcome == "ADVANCED"
    plant.complete(plant.task(instance_id, "by_hand"))
    assert plant.ended(instance_id) == "e"


def test_a_step_that_refuses_a_cancellation_is_noted_and_holds_nothing_up(plant: Plant) -> None:
    @plant.registry.step("note")
    def note(act: Act, work: Work) -> None:
        raise Conflict("Expected the drawer to be empty, but it is not")

    plant.deploy(cancellable(canceling="note"))
    instance_id = plant.start()
    let_it_be_late(plant, instance_id)
    assert notes(plant, instance_id, "LISTENER_FAILED") == ["note: Expected the drawer to be empty, but it is not"]


@pytest.mark.parametrize("how", ["returned", "ended by an operator"])
def test_a_task_that_is_returned_past_or_ended_by_an_operator_tells_its_listeners(plant: Plant, how: str) -> None:
    told: list[str] = []
    plant.registry.step("note")(lambda act, work: told.append(work.element_id))
    around = listeners("task", canceling="note")
    parts = (
        start(),
        approve("a", onReturn="nothing"),
        approve("b", extensions=around),
        approve("c", extensions=around),
        end(),
    )
    plant.deploy(process(*parts, flows="s > a > b > e\na > c > e"))
    instance_id = plant.start()
    plant.decide(plant.task(instance_id), "approve")
    task = plant.task(instance_id, "b")
    if how == "returned":
        with plant.acting() as act:
            [target] = returning.targets(act.session, tasks.find(act.session, task.id))
        with plant.acting() as act:
            returning.send_back(act, task.id, target.token_id, seen_version=task.version, reason="the price is wrong")
        assert sorted(told) == ["b", "c"]
        return
    edits = [TokenEdit(EditKind.CANCEL, task.token_id, None)]
    with plant.acting("pat") as act:
        seen = modifying.hash_of(act.session, instances.find(act.session, instance_id), edits)
        modifying.apply(act, instance_id, edits, reason="asked twice", seen_hash=seen)
    assert told == ["b"]


def test_a_run_that_is_cancelled_tells_its_tasks_first_and_its_process_last(plant: Plant) -> None:
    around = f"<bpmn:extensionElements>{listeners(cancel='close, archive')}</bpmn:extensionElements>"

    @plant.registry.step("close")
    def close(act: Act, work: Work) -> dict[str, Any]:
        return {"closed_for": work["order"]}

    task = person("look", extensions=listeners("task", canceling="revoke"))
    plant.deploy(process(around, start(), task, end(), flows="s > look > e"))
    instance_id = plant.start(order=7)
    with plant.acting("adam") as act:
        instances.cancel(act, instance_id, "the customer went away")
    assert plant.instance(instance_id).status == "CANCELLED"
    assert plant.variables(instance_id)["closed_for"] == 7
    with plant.reading() as session:
        promised = list(session.scalars(select(Job).where(Job.instance_id == instance_id).order_by(Job.id)))
    assert [(job.type, job.state, jobs.arguments(job)["order"]) for job in promised] == [
        ("revoke", JobState.WAITING, 7),
        ("archive", JobState.WAITING, 7),
    ]
    for job_type in ("revoke", "archive"):
        [job] = activate(plant, job_type)
        finish(plant, job, ignored=True)
