"""The contract of jobs, the same on both databases, whoever carries them."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from engine import incidents, instances, jobs, messages, queue, retrying, worker
from engine.act import Act, Installation
from engine.bpmn import BpmnError
from engine.database import connect
from engine.errors import Conflict, Invalid
from engine.registry import Work
from engine.stored.instance import InstanceRecord, InstanceStatus
from engine.stored.job import Job, JobState
from engine.stored.wait import Message, MessageState
from engine.worker import Ran
from tests.clock import SettableClock
from tests.databases import Databases, cut_others
from tests.engine.plant import Plant
from tests.engine.plant import work as person
from tests.engine.spiff.diagrams import boundary, end, node, on, process, service, start

WITH_JOB = process(start(), service("send", type="send_order"), person("a"), end(), flows="s > send > a > e")


def job_of(plant: Plant, job_id: str) -> Job:
    with plant.reading() as session:
        return session.get_one(Job, job_id)


def promise(plant: Plant, job_type: str = "note", **more: Any) -> str:
    with plant.acting("bea") as act:
        return jobs.defer(act, job_type, more.pop("args", {}), **more).id


def test_a_job_runs_after_the_commit_in_an_act_of_its_own(plant: Plant) -> None:
    ran: list[tuple[str, Any]] = []

    @plant.registry.job("note")
    def note(act: Act, work: Work) -> None:
        ran.append((act.actor, work["number"]))

    job_id = promise(plant, args={"number": "PO-1"})
    assert ran == []
    assert worker.run_until_idle(plant.installation) == 1
    assert ran == [("system:note", "PO-1")]
    assert job_of(plant, job_id).state == JobState.DONE
    assert worker.run_until_idle(plant.installation) == 0


def _promise_and_crash(plant: Plant) -> None:
    with plant.acting("bea") as act:
        jobs.defer(act, "note")
        raise ZeroDivisionError


def test_a_rollback_takes_the_promise_back(plant: Plant) -> None:
    with pytest.raises(ZeroDivisionError):
        _promise_and_crash(plant)
    with plant.reading() as session:
        assert list(session.scalars(select(Job))) == []


def test_a_job_does_not_run_before_its_time(plant: Plant) -> None:
    plant.registry.job("note")(lambda act, work: None)
    job_id = promise(plant, run_at=plant.clock() + dt.timedelta(hours=1))
    assert worker.run_until_idle(plant.installation) == 0
    plant.clock.advance(hours=1)
    assert worker.run_until_idle(plant.installation) == 1
    assert job_of(plant, job_id).state == JobState.DONE


def test_a_job_for_now_does_not_wait_for_a_clock_that_is_behind(plant: Plant) -> None:
    """Two machines' clocks are never the same, and one may be put back by an hour."""
    ran: list[str] = []

    @plant.registry.job("note")
    def note(act: Act, work: Work) -> None:
        ran.append(work.variables["what"])

    with plant.acting() as act:
        jobs.defer(act, "note", {"what": "now"})
        jobs.defer(act, "note", {"what": "later"}, run_at=act.now + dt.timedelta(minutes=1))
    plant.clock.advance(hours=-1)
    worker.run_due(plant.installation, worker="w")
    assert ran == ["now"]
    plant.clock.advance(hours=1, minutes=1)
    worker.run_due(plant.installation, worker="w")
    assert ran == ["now", "later"]


def test_a_failed_job_is_tried_again_as_its_list_says_and_then_waits_for_help(plant: Plant) -> None:
    @plant.registry.job("note")
    def note(act: Act, work: Work) -> None:
        raise ConnectionError("the printer is off")

    job_id = promise(plant, back_off=(1, 5, 15, 60))
    waits = []
    for _ in range(5):
        worker.run_until_idle(plant.installation)
        job = job_of(plant, job_id)
        waits.append((job.due_at - plant.clock()).total_seconds() / 60)
        plant.clock.set(max(job.due_at, plant.clock()))
    assert waits[:4] == [1, 5, 15, 60]
    job = job_of(plant, job_id)
    assert (job.state, job.attempts, job.error) == (JobState.FAILED, 5, "ConnectionError: the printer is off")


def test_what_a_failed_try_wrote_is_gone_and_effects_happen_once(plant: Plant) -> None:
    plant.deploy(process(start(), person("a"), end(), flows="s > a > e"))
    instance_id = plant.start()
    tries: list[int] = []

    @plant.registry.job("note")
    def note(act: Act, work: Work) -> None:
        act.session.add(InstanceRecord(instance_id=instance_id, record_type="try", record_id=str(len(tries))))
        act.session.flush()
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError

    promise(plant)
    worker.run_until_idle(plant.installation)
    plant.clock.advance(minutes=1)
    worker.run_until_idle(plant.installation)
    with plant.reading() as session:
        assert instances.records_of(session, instance_id) == [("try", "1")]


def test_a_worker_that_took_too_long_loses_its_job_and_its_effects(plant: Plant) -> None:
    plant.deploy(process(start(), person("a"), end(), flows="s > a > e"))
    instance_id = plant.start()
    nested: list[Ran] = []
    job_id = ""

    @plant.registry.errand("note")
    def note(installation: Installation, work: Work) -> dict[str, Any]:
        if not nested:
            nested.append(Ran.NOT_TAKEN)
            later = plant.clock() + jobs.LOCKED_FOR
            nested.append(worker.run_job(installation, job_id, worker="second", now=later))
        return {}

    job_id = promise(plant)
    assert worker.run_job(plant.installation, job_id, worker="first") is Ran.NOT_TAKEN
    assert nested == [Ran.NOT_TAKEN, Ran.DONE]
    assert job_of(plant, job_id).worker == "second"
    assert plant.instance(instance_id).status == InstanceStatus.RUNNING


def test_jobs_of_one_lock_never_run_together(plant: Plant) -> None:
    inside, most = [0], [0]
    guard = threading.Lock()

    @plant.registry.errand("note")
    def note(installation: Installation, work: Work) -> None:
        with guard:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.05)
        with guard:
            inside[0] -= 1

    ids = [promise(plant, lock="PO-1") for _ in range(4)]

    def drive(name: str) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and any(job_of(plant, job_id).state != JobState.DONE for job_id in ids):
            for job_id in ids:
                worker.run_job(plant.installation, job_id, worker=name)

    threads = [threading.Thread(target=drive, args=(f"w{number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [job_of(plant, job_id).state for job_id in ids] == [JobState.DONE] * 4
    assert most == [1]


def test_an_errand_holds_no_transaction_while_it_works_outside(plant: Plant) -> None:
    @plant.registry.errand("note")
    def note(installation: Installation, work: Work) -> None:
        with installation.acting("user:rita") as act:
            act.note("errand", work.job_id or "", "WROTE_MEANWHILE")

    job_id = promise(plant)
    worker.run_until_idle(plant.installation)
    assert job_of(plant, job_id).state == JobState.DONE


def test_a_type_that_nobody_serves_waits_and_is_listed(plant: Plant) -> None:
    job_id = promise(plant, "robot")
    assert worker.run_until_idle(plant.installation) == 0
    assert job_of(plant, job_id).state == JobState.WAITING
    with plant.reading() as session:
        assert jobs.unserved(session, plant.installation) == [("robot", 1)]


def test_a_worker_that_is_told_of_a_job_it_does_not_serve_leaves_it_to_others(plant: Plant) -> None:
    job_id = promise(plant, "robot")
    assert worker.run_job(plant.installation, job_id, worker="clerk") is Ran.NOT_TAKEN
    job = job_of(plant, job_id)
    assert (job.state, job.attempts, job.error) == (JobState.WAITING, 0, None)


def test_a_service_task_waits_for_its_job_and_takes_its_variables(plant: Plant) -> None:
    @plant.registry.job("send_order")
    def send(act: Act, work: Work) -> dict[str, Any]:
        return {"erp_number": f"ERP-{work['number']}", "by": work.job_id}

    plant.deploy(WITH_JOB)
    instance_id = plant.start(number=7)
    with plant.reading() as session:
        sentence = instances.wait_sentence(session, instances.find(session, instance_id))
        [job] = session.scalars(select(Job))
    assert sentence == "Waiting 1 min for the job send_order (send)."
    worker.run_until_idle(plant.installation)
    assert plant.variables(instance_id)["erp_number"] == "ERP-7"
    assert plant.variables(instance_id)["by"] == job.id
    assert plant.task(instance_id).element_id == "a"


def test_a_job_without_tries_left_is_an_incident_and_a_retry_is_the_same_job(plant: Plant) -> None:
    working: list[bool] = []
    seen: set[str | None] = set()

    @plant.registry.job("send_order")
    def send(act: Act, work: Work) -> None:
        seen.add(work.job_id)
        if not working:
            raise ConnectionError("no line")

    plant.deploy(WITH_JOB)
    instance_id = plant.start()
    for _ in range(3):
        worker.run_until_idle(plant.installation)
        plant.clock.advance(hours=2)
    with plant.reading() as session:
        [found] = incidents.of_instance(session, instance_id)
        assert "no line" in found.message
        kinds = [token.kind for token in instances.live_tokens(session, instances.find(session, instance_id))]
    assert kinds == ["incident"]
    working.append(True)
    [answer] = retrying.retry_all(plant.installation, "user:adam", [found.id])
    assert answer.outcome == "ADVANCED"
    worker.run_until_idle(plant.installation)
    assert plant.task(instance_id).element_id == "a"
    assert len(seen) == 1


def test_a_retry_says_what_the_job_and_what_followed_it_came_to(plant: Plant) -> None:
    ways: dict[str, BpmnError | None] = {"send": BpmnError("NO_STOCK", "sold out")}

    @plant.registry.job("send_order")
    def send(act: Act, work: Work) -> None:
        if (error := ways.get("send")) is not None:
            raise error

    plant.deploy(
        process(start(), service("send", type="send_order"), node("exclusiveGateway", "big"), person("a"), end(),
                flows="s > send > big\nbig -[=amount > 10]-> a\na > e")
    )  # fmt: skip
    instance_id = plant.start(amount=7)

    def retried() -> tuple[str, str]:
        with plant.reading() as session:
            [open_one] = [one for one in incidents.of_instance(session, instance_id) if one.state == "OPEN"]
        [answer] = retrying.retry_all(plant.installation, "user:adam", [open_one.id])
        return answer.outcome, answer.message

    worker.run_until_idle(plant.installation)
    outcome, said = retried()
    assert outcome == "FAILED_AGAIN", "the job was done again, and threw again"
    assert "NO_STOCK" in said
    ways.clear()
    outcome, said = retried()
    assert outcome == "FAILED_AGAIN"
    assert said.startswith('It moved on, but: Expected one condition to be true, but all are false ("=amount > 10")')


def test_a_business_error_of_a_job_goes_the_way_of_the_diagram(plant: Plant) -> None:
    @plant.registry.job("send_order")
    def send(act: Act, work: Work) -> None:
        raise BpmnError("NO_STOCK", "sold out", {"left": 0})

    model = process(
        start(),
        service("send", type="send_order"),
        boundary("none", "send", on("error", "no_stock")),
        end("sold_out"),
        end(),
        flows="s > send > e\nnone > sold_out",
    )
    plant.deploy(model, definitions_xml='<bpmn:error id="no_stock" errorCode="NO_STOCK" />')
    instance_id = plant.start()
    worker.run_until_idle(plant.installation)
    assert plant.ended(instance_id) == "sold_out"
    with plant.reading() as session:
        assert [job.state for job in session.scalars(select(Job))] == [JobState.DONE]


def test_a_cancelled_instance_takes_its_jobs_back(plant: Plant) -> None:
    plant.registry.job("send_order")(lambda act, work: None)
    plant.deploy(WITH_JOB)
    instance_id = plant.start()
    with plant.acting("rita") as act:
        instances.cancel(act, instance_id, "wrong part")
    assert worker.run_until_idle(plant.installation) == 0
    with plant.reading() as session:
        assert [job.state for job in session.scalars(select(Job))] == [JobState.CANCELLED]


def test_an_outside_worker_claims_and_completes(plant: Plant) -> None:
    plant.deploy(WITH_JOB)
    instance_id = plant.start()
    with plant.reading() as session:
        [job] = session.scalars(select(Job))
    mine = jobs.claim(plant.installation, job.id, worker="robot", now=plant.clock())
    assert mine is not None
    assert jobs.claim(plant.installation, job.id, worker="other", now=plant.clock()) is None
    with plant.installation.acting("adapter:robot") as act:
        worker.complete(act, mine, {"done": True})
    assert plant.variables(instance_id)["done"] is True
    with plant.installation.acting("adapter:robot") as act, pytest.raises(Conflict):
        worker.complete(act, mine, {})


@pytest.fixture(params=["sqlite-runner", "postgresql-runner", "postgresql-procrastinate"])
def alive(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Plant]:
    """Yield a plant with a worker that runs by itself, in a thread."""
    kind, _, carried_by = request.param.partition("-")
    with databases.fresh(kind) as url:
        plant = Plant(connect(url), SettableClock(dt.datetime.now(dt.UTC)))
        running: worker.Runner | queue.QueueWorker = worker.Runner(plant.installation, poll=0.02)
        if carried_by == "procrastinate":
            plant.installation.carrier = queue.Carrier()
            running = queue.QueueWorker(plant.installation)
        running.start()
        try:
            yield plant
        finally:
            running.stop()
            plant.installation.database.dispose()


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until something holds; False when it does not for so long that it never will, on a machine as busy as may be."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


def test_a_worker_picks_a_job_up_by_itself(alive: Plant) -> None:
    alive.registry.job("note")(lambda act, work: None)
    job_id = promise(alive)
    assert eventually(lambda: job_of(alive, job_id).state == JobState.DONE)


def test_a_worker_takes_jobs_of_one_lock_one_after_the_other(alive: Plant) -> None:
    order: list[int] = []
    alive.registry.job("note")(lambda act, work: order.append(int(work["n"])))
    ids = [promise(alive, lock="PO-1", args={"n": number}) for number in range(3)]
    assert eventually(lambda: all(job_of(alive, job_id).state == JobState.DONE for job_id in ids))
    assert sorted(order) == [0, 1, 2]


def test_a_rolled_back_promise_is_never_carried(alive: Plant) -> None:
    ran: list[int] = []
    alive.registry.job("note")(lambda act, work: ran.append(1))
    with pytest.raises(ZeroDivisionError):
        _promise_and_crash(alive)
    kept = promise(alive)
    assert eventually(lambda: job_of(alive, kept).state == JobState.DONE)
    assert ran == [1]


def test_a_job_for_later_is_carried_when_it_is_due(alive: Plant) -> None:
    alive.registry.job("note")(lambda act, work: None)
    due = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.5)
    job_id = promise(alive, run_at=due, lock="PO-1")
    alive.clock.set(due)
    assert eventually(lambda: job_of(alive, job_id).state == JobState.DONE)


def carried(plant: Plant) -> int:
    """Return how many jobs procrastinate holds for workers."""
    with plant.reading() as session:
        return session.execute(
            text("SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'lockstep'")
        ).scalar_one()


@pytest.fixture
def told(postgresql_database: Engine) -> Plant:
    """Return a plant on PostgreSQL that tells workers of jobs, and none that listens."""
    plant = Plant(postgresql_database, SettableClock(dt.datetime.now(dt.UTC)))
    plant.installation.carrier = queue.Carrier()
    return plant


def test_a_carried_job_commits_and_rolls_back_with_its_act(told: Plant) -> None:
    told.registry.job("note")(lambda act, work: None)
    with pytest.raises(ZeroDivisionError):
        _promise_and_crash(told)
    assert carried(told) == 0
    promise(told)
    assert carried(told) == 1


def test_chores_are_done_by_one_runner_at_a_time_and_the_next_goes_on_when_it_is_gone(told: Plant) -> None:
    done: list[str] = []
    told.registry.chore("look")(lambda installation: done.append("looked") or 0)
    first, second = worker.Runner(told.installation, worker="first"), worker.Runner(told.installation, worker="second")

    @told.registry.chore("meet")
    def meet(_installation: Installation) -> int:
        if done.count("looked") == 1:
            second._round()
        return 0

    first._round()
    assert done == ["looked"]
    second._round()
    assert done == ["looked", "looked"]


def test_the_setting_says_how_long_a_dead_workers_job_waits(told: Plant) -> None:
    told.installation.settings = {"job_lock": "20"}
    told.registry.job("note")(lambda act, work: None)
    job_id = promise(told)
    assert jobs.claim(
        told.installation, job_id, worker="dies", now=told.clock(), lock_for=jobs.lock_time(told.installation)
    )
    runner = worker.Runner(told.installation, worker="lives")
    told.clock.advance(seconds=19)
    runner._round()
    assert job_of(told, job_id).state == JobState.RUNNING
    told.clock.advance(seconds=1)
    runner._round()
    assert (job_of(told, job_id).state, job_of(told, job_id).worker) == (JobState.DONE, "lives")
    for nonsense in ("soon", "0", "-4", "1e9"):
        told.installation.settings = {"job_lock": nonsense}
        with pytest.raises(Invalid, match="job_lock"):
            jobs.lock_time(told.installation)


def test_a_runner_takes_what_no_listening_worker_took(told: Plant) -> None:
    told.registry.job("note")(lambda act, work: None)
    job_id = promise(told)
    runner = worker.Runner(told.installation, poll=0.02)
    runner.start()
    try:
        time.sleep(0.2)
        assert job_of(told, job_id).state == JobState.WAITING
        told.clock.advance(seconds=worker.OVERLOOKED.total_seconds())
        assert eventually(lambda: job_of(told, job_id).state == JobState.DONE)
    finally:
        runner.stop()


def test_whoever_is_at_work_listens_fires_timers_and_sweeps(told: Plant) -> None:
    told.registry.job("note")(lambda act, work: None)
    with told.acting("rita") as act:
        messages.publish(act, "late", correlation_key="1", message_id="m-1", ttl=dt.timedelta(seconds=1))
    told.clock.advance(seconds=2)
    with worker.at_work(told.installation, poll=0.02):
        job_id = promise(told)
        assert eventually(lambda: job_of(told, job_id).state == JobState.DONE)
        assert job_of(told, job_id).due_at + worker.OVERLOOKED > told.clock()

        def is_swept() -> bool:
            with told.reading() as session:
                return [found.state for found in session.scalars(select(Message))] == [MessageState.EXPIRED]

        assert eventually(is_swept)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith(worker.worker_name()[:-12])] == []


def test_a_listening_worker_comes_back_after_the_server_cut_its_connection(
    told: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "AGAIN", 0.05)
    told.registry.job("note")(lambda act, work: None)
    with worker.at_work(told.installation, poll=60):
        with told.installation.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # One that is not gone yet could still take the job, and leave it held for a minute.
            cut_others(connection)
        told.installation.database.dispose()
        job_id = promise(told)
        assert eventually(lambda: job_of(told, job_id).state == JobState.DONE)
