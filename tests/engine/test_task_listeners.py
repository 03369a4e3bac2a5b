"""Who has a task and who may take it: its listeners hear of each change first, correct it, or deny it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, select

from engine import (
    assigning,
    definitions,
    escalation,
    inbox,
    incidents,
    instances,
    lending,
    migrating,
    motion,
    outside_workers,
    retrying,
    suspending,
    tasks,
    timers,
    watchdog,
    worker,
)
from engine.act import Act
from engine.bpmn import BpmnError
from engine.errors import Conflict, Invalid
from engine.outside_workers import Claim
from engine.registry import Work
from engine.stored.job import Job, JobState
from engine.stored.task import Task
from tests.engine.plant import Plant, approve
from tests.engine.spiff.diagrams import boundary, end, listeners, process, properties, service, start, timer, when
from tests.engine.spiff.proofs import proves
from tests.engine.test_listeners import activate, finish, notes

ACTIONS = "io.camunda.zeebe:action"


def deploy(plant: Plant, *beside: str, flows: str = "", extensions: str = "", **types: str) -> None:
    around = listeners("task", **types) + extensions
    parts = (start(), approve("a", extensions=around), *beside, end())
    plant.deploy(process(*parts, flows=f"s > a > e{flows}"))


def says(**said: Any) -> dict[str, Any]:
    return {"userTask": said}


def answer(plant: Plant, job_type: str = "ask", **said: Any) -> None:
    [job] = activate(plant, job_type)
    finish(plant, job, **said)


def claim(plant: Plant, task: Task, by: str = "max") -> Task:
    with plant.acting(by) as act:
        assigning.claim(act, task.id)
    return plant.reread(task)


def inboxes(plant: Plant, *people: str) -> list[str]:
    """Who of these sees anything in their inbox."""
    with plant.reading() as session:
        return [one for one in people if any(inbox.page(session, one, box=box).items for box in ("mine", "groups"))]


def jobs_of(plant: Plant, instance_id: str) -> list[tuple[str, str]]:
    with plant.reading() as session:
        found = session.scalars(select(Job).where(Job.instance_id == instance_id).order_by(Job.id))
        return [(job.type, job.state) for job in found]


def move(plant: Plant, instance_id: str) -> None:
    """Move a run to the newest version."""
    with plant.acting("pat") as act:
        migrating.move(act, instance_id, definitions.released(act.session, "p"), reason="the new audit rule")


@proves("listener assigning: whoever is given a task, before it counts")
def test_a_claim_counts_once_the_listeners_have_let_it_pass(plant: Plant) -> None:
    deploy(plant, assigning="ask, tell")
    instance_id = plant.start()
    task = claim(plant, plant.task(instance_id))
    assert (task.assignee, inboxes(plant, "max", "lena")) == (None, ["max", "lena"])
    refusals: list[Callable[[Act], Any]] = [
        lambda act: assigning.claim(act, task.id),
        lambda act: assigning.assign(act, task.id, ["bea"], "holiday"),
        lambda act: assigning.hand_to(act, task.id, "lena", seen_version=task.version, reason="busy"),
        lambda act: lending.lend(act, task.id, "bea", "Compare them"),
        lambda act: lending.recuse(act, task.id, "my cousin"),
        lambda act: tasks.decide(act, task.id, "approve", seen_version=task.version, reason="fine"),
    ]
    for refusal in refusals:
        with (
            pytest.raises(Conflict, match="Max Test wants to claim it, and a listener") as found,
            plant.acting() as act,
        ):
            refusal(act)
        assert found.value.code == "IN_TRANSITION"
    with plant.reading() as session:
        kept = tasks.draft_of(session, task.id, "max")
        instance = instances.find(session, instance_id)
        assert kept is not None
        assert (kept.reason, kept.kept_because) == ("fine", "the task was being changed")
        assert "take up the job ask (a)" in instances.wait_sentence(session, instance)
        assert watchdog.examine(session, instance) == []
        [token] = instances.live_tokens(session, instance)
        assert token.kind == "task"
    [job] = activate(plant, "ask")
    with plant.reading() as session:
        offer = outside_workers.offer(session, outside_workers.find(session, job.id))
    assert offer is not None
    told = {name.removeprefix("io.camunda.zeebe:"): value for name, value in offer.headers.items()}
    assert told == {
        "action": "claim", "assignee": "max", "candidateUsers": "[]", "candidateGroups": '["PUR_MGR"]', "priority": "50",
        "changedAttributes": '["assignee"]', "userTaskKey": task.id,
    }  # fmt: skip
    finish(plant, job)
    assert plant.reread(task).assignee is None
    answer(plant, "tell")
    task = plant.reread(task)
    assert (task.assignee, task.transition, inboxes(plant, "max", "lena")) == ("max", {}, ["max"])
    assert notes(plant, instance_id, "TASK_CLAIMED") == ["max"]
    plant.decide(task, "approve")
    assert plant.ended(instance_id) == "e"


@proves("listener denied: the change is taken back with the reason, and those who come after hear nothing")
@pytest.mark.parametrize("how", ["says", "throws", "corrects and says"])
def test_a_change_that_a_worker_denies_leaves_the_task_as_it_was_and_says_why(plant: Plant, how: str) -> None:
    deploy(plant, assigning="first, ask")
    instance_id = plant.start()
    task = claim(plant, plant.task(instance_id))
    answer(plant, "first", **(says(corrections={"priority": 90}) if how == "corrects and says" else {}))
    if how == "throws":
        [job] = activate(plant, "ask")
        with plant.installation.acting("adapter:shop") as act:
            outside_workers.throw(act, Claim(job.id, "one", job.attempts), BpmnError("AWAY", "max is away"))
    else:
        answer(plant, **says(denied=True, deniedReason="max is away"))
    task = plant.reread(task)
    assert (task.assignee, task.priority, task.transition) == (None, 50, {})
    assert task.notes == ["Max Test wanted to claim it, which was denied: max is away"]
    assert notes(plant, instance_id, "TASK_CHANGE_DENIED") == ["max"]
    plant.decide(task, "approve", by="lena")
    assert plant.ended(instance_id) == "e"


@proves("listener denied: the change is taken back with the reason, and those who come after hear nothing")
@pytest.mark.parametrize("how", ["says", "refuses", "fails"])
def test_what_a_step_denies_is_refused_at_once_with_nothing_changed(plant: Plant, how: str) -> None:
    @plant.registry.step("ask")
    def ask(act: Act, work: Work) -> dict[str, Any]:
        if how == "refuses":
            raise Conflict("max is away")
        return says(denied=True, deniedReason="max is away") if how == "says" else {"userTask": "no"}

    deploy(plant, assigning="ask")
    task = plant.task(plant.start())
    with pytest.raises(Conflict, match="max is away" if how != "fails" else "to be an object") as found:
        claim(plant, task)
    assert (found.value.code, plant.reread(task).version, plant.reread(task).transition) == ("DENIED", task.version, {})


@proves("listener corrections: assignee, candidates, dates and priority, seen by those who come after")
@pytest.mark.parametrize("served", ["step", "job", "outside"])
def test_what_a_listener_corrects_stands_in_the_task_and_in_the_inboxes(plant: Plant, served: str) -> None:
    said = says(
        corrections={
            "assignee": "lena",
            "candidateGroups": ["QA"],
            "dueDate": "2026-12-01T10:00:00Z",
            "followUpDate": "2026-11-30T10:00:00Z",
            "priority": 80,
        }
    )
    if served != "outside":
        register = plant.registry.step if served == "step" else plant.registry.job
        register("ask")(lambda act, work: said)
    deploy(plant, assigning="ask")
    task = claim(plant, plant.task(plant.start()))
    if served == "job":
        worker.run_until_idle(plant.installation)
    elif served == "outside":
        answer(plant, **said)
    task = plant.reread(task)
    assert (task.assignee, task.priority, task.candidates) == ("lena", 80, ["role:QA", "user:lena"])
    assert (task.due_at, task.follow_up_at) == (
        dt.datetime(2026, 12, 1, 10, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 30, 10, tzinfo=dt.UTC),
    )
    assert inboxes(plant, "max", "quinn", "lena") == ["lena"]
    with plant.reading() as session:
        [row] = inbox.page(session, "lena").items
        assert row.task is not None
        assert row.task.priority == 80


def lent(plant: Plant, task: Task) -> str:
    with plant.acting("max") as act:
        return lending.lend(act, task.id, "bea", "Compare the quotes").id


WAYS: dict[str, tuple[str, list[str], str | None]] = {
    "claim": ("claim", ["give"], "max"),
    "release": ("unclaim", ["give"], None),
    "hand to": ("assign", ["give"], "lena"),
    "assign": ("update", ["give", "change"], None),
    "assign a free one": ("update", ["change"], None),
    "lend": ("assign", ["give"], "bea"),
    "answer": ("assign", ["give"], "max"),
    "take back": ("assign", ["give"], "max"),
    "recuse": ("unclaim", ["give"], None),
    "replace": ("assign", ["give", "change"], "lena"),
    "escalate": ("escalate", ["give", "change"], None),
    "escalate a free one": ("escalate", ["change"], None),
}


@proves("listener updating: candidates and whatever else changes of a task, before it counts")
@pytest.mark.parametrize("way", WAYS)
def test_listeners_hear_of_every_way_to_change_a_task(plant: Plant, way: str) -> None:
    heard: list[tuple[str, str]] = []

    def hear(job_type: str) -> None:
        @plant.registry.step(job_type)
        def step(_act: Act, work: Work) -> None:
            heard.append((job_type, work.headers[ACTIONS]))

    hear("give")
    hear("change")
    deploy(plant, assigning="give", updating="change")
    task = plant.task(plant.start())
    help_id = ""
    if way in ("release", "hand to", "assign", "recuse", "replace", "escalate"):
        claim(plant, task)
    if way in ("answer", "take back"):
        help_id = lent(plant, task)
    heard.clear()
    version = plant.reread(task).version
    doing: dict[str, Callable[[Act], Any]] = {
        "claim": lambda act: assigning.claim(act, task.id),
        "release": lambda act: assigning.release(act, task.id),
        "hand to": lambda act: assigning.hand_to(act, task.id, "lena", seen_version=version, reason="busy"),
        "assign": lambda act: assigning.assign(act, task.id, ["bea", "lena"], "holiday"),
        "lend": lambda act: lending.lend(act, task.id, "bea", "Compare the quotes"),
        "answer": lambda act: lending.answer(act, help_id, "They are fine"),
        "take back": lambda act: lending.take_back(act, help_id),
        "recuse": lambda act: lending.recuse(act, task.id, "my cousin"),
        "replace": lambda act: assigning.replace(act, task.id, "max", "lena", "left"),
        "escalate": lambda act: escalation.escalate(act, tasks.held(act, task.id, None)[0], ["role:OPS_DIR"]),
    }
    who = "bea" if way == "answer" else "max"
    if way == "replace":
        plant.staff.roles["max"] = []
    with plant.acting(who) as act:
        doing[way.removesuffix(" a free one")](act)
    action, types, assignee = WAYS[way]
    if way == "replace":
        types = ["give"]  # Lena may take it by her role: nothing but the assignee changes.
    assert heard == [(one, action) for one in types]
    assert plant.reread(task).assignee == assignee


def test_a_board_takes_back_what_a_timer_escalates_when_a_listener_denies_it(plant: Plant) -> None:
    late = boundary(
        "late", "a", timer("duration", "PT2H"), interrupting=False, extensions=properties(escalateTo='=["OPS_DIR"]')
    )
    deploy(plant, late, end("l"), flows="\nlate > l", assigning="give", updating="change")
    instance_id = plant.start()
    task = claim(plant, plant.task(instance_id))
    answer(plant, "give")
    plant.clock.advance(hours=3)
    timers.fire_due(plant.installation)
    assert (plant.reread(task).assignee, jobs_of(plant, instance_id)[-1]) == ("max", ("give", JobState.WAITING))
    answer(plant, "give")
    answer(plant, "change", **says(denied=True, deniedReason="olga is away"))
    task = plant.reread(task)
    assert (task.assignee, task.candidates, task.former) == ("max", ["role:PUR_MGR"], [])
    assert task.notes == ["system:timer wanted to escalate it, which was denied: olga is away"]
    plant.decide(task, "approve")


def test_an_escalation_takes_the_place_of_a_claim_that_listeners_hear_of(plant: Plant) -> None:
    late = boundary(
        "late", "a", timer("duration", "PT2H"), interrupting=False, extensions=properties(escalateTo='=["OPS_DIR"]')
    )
    deploy(plant, late, end("l"), flows="\nlate > l", assigning="give")
    instance_id = plant.start()
    task = claim(plant, plant.task(instance_id))
    [job] = activate(plant, "give")
    plant.clock.advance(hours=3)
    timers.fire_due(plant.installation)
    task = plant.reread(task)
    assert (task.assignee, task.candidates, task.transition) == (None, ["role:OPS_DIR"], {})
    assert task.notes[0] == "Max Test wanted to claim it, but something else came first"
    with pytest.raises(Conflict, match="taken back"):
        finish(plant, job)
    plant.decide(task, "approve", by="olga")
    assert plant.ended(instance_id) == "e"


def test_a_loan_that_is_denied_did_not_come_about_and_one_that_may_not_end_goes_on(plant: Plant) -> None:
    deploy(plant, assigning="give")
    task = plant.task(plant.start())
    lent(plant, task)
    answer(plant, "give", **says(denied=True))
    with plant.reading() as session:
        assert [made.taken_back for made in lending.helps_of(session, task.id)] == [True]
    assert plant.reread(task).lent_by is None
    made = lent(plant, task)
    answer(plant, "give")
    with plant.acting("bea") as act:
        lending.answer(act, made, "They are fine")
    answer(plant, "give", **says(denied=True, deniedReason="look again"))
    with plant.reading() as session:
        [help_made] = [one for one in lending.helps_of(session, task.id) if one.id == made]
        assert (help_made.is_open, help_made.answer) == (True, "They are fine")
    assert (plant.reread(task).assignee, plant.reread(task).lent_by) == ("bea", "max")
    with plant.acting("bea") as act:
        lending.answer(act, made, "They are fine, all of them")
    answer(plant, "give")
    plant.decide(plant.reread(task), "approve")


@proves("listener completing: a step may deny what is done, one that is asked later may not")
def test_a_decision_that_a_step_denies_was_not_made_and_its_text_is_kept(plant: Plant) -> None:
    allowed: list[bool] = []

    @plant.registry.step("check")
    def check(act: Act, work: Work) -> dict[str, Any]:
        return says(denied=not allowed, deniedReason="the quote is missing")

    deploy(plant, completing="check, file")
    instance_id = plant.start()
    task = plant.task(instance_id)
    with pytest.raises(Conflict, match="denied: the quote is missing") as found:
        plant.decide(task, "approve", reason="cheap enough")
    assert found.value.code == "DENIED"
    with plant.reading() as session:
        kept = tasks.draft_of(session, task.id, "max")
    assert kept is not None
    assert (kept.reason, kept.kept_because) == ("cheap enough", "the quote is missing")
    assert notes(plant, instance_id, "DECISION") == []
    allowed.append(True)
    plant.decide(plant.reread(task), "approve", reason="cheap enough")
    [job] = activate(plant, "file")
    with pytest.raises(Invalid, match="Expected the decision to stand") as wrong:
        finish(plant, job, **says(denied=True))
    assert list(wrong.value.fields) == ["variables.userTask"]
    finish(plant, job, **says(corrections={"priority": 7}))
    assert (plant.ended(instance_id), plant.reread(task).priority) == ("e", 7)


@proves("listener assigning: also when the diagram gives the task to somebody")
@pytest.mark.parametrize("denies", [False, True], ids=["let pass", "denied"])
def test_a_task_is_opened_as_its_listeners_let_it(plant: Plant, denies: bool) -> None:
    given = '<zeebe:assignmentDefinition assignee="max" candidateGroups="PUR_MGR" /><zeebe:priorityDefinition priority="60" />'
    around = listeners("task", creating="make", assigning="ask")
    plant.deploy(
        process(start(), approve("a").replace('<zeebe:assignmentDefinition candidateGroups="PUR_MGR" />', given + around),
                end(), flows="s > a > e")
    )  # fmt: skip
    instance_id = plant.start()
    answer(plant, "make", **says(corrections={"dueDate": "2026-12-01T10:00:00Z"}))
    answer(plant, **says(denied=denies, deniedReason="away", corrections={"assignee": "lena", "priority": 10}))
    task = plant.task(instance_id)
    assert task.due_at == dt.datetime(2026, 12, 1, 10, tzinfo=dt.UTC)
    if denies:
        assert (task.assignee, task.priority, task.notes) == (None, 60, ["Not given to max: away"])
        assert inboxes(plant, "max", "lena") == ["max", "lena"]
    else:
        assert (task.assignee, task.priority, inboxes(plant, "max", "lena")) == ("lena", 10, ["lena"])


@proves("listener incidents: one without a try left holds the change, not the task, until it is tried again")
def test_a_listener_without_a_try_left_is_an_incident_and_the_change_goes_on_once_it_is_mended(plant: Plant) -> None:
    ways = {"ask": True}

    @plant.registry.job("ask")
    def ask(act: Act, work: Work) -> None:
        if ways["ask"]:
            raise ConnectionError("no line")

    deploy(plant, assigning="ask")
    instance_id = plant.start()
    task = claim(plant, plant.task(instance_id))
    for _ in range(4):
        worker.run_until_idle(plant.installation)
        plant.clock.advance(hours=2)
    with plant.reading() as session:
        [found] = incidents.of_instance(session, instance_id)
        assert watchdog.examine(session, instances.find(session, instance_id)) == []
    assert "no line" in found.message
    ways["ask"] = False
    [said] = retrying.retry_all(plant.installation, "user:adam", [found.id])
    assert (said.outcome, plant.reread(task).assignee, plant.instance(instance_id).incidents) == ("ADVANCED", "max", 0)


@pytest.mark.parametrize("how", ["timer", "cancelled", "what it brings"])
def test_a_task_that_ends_while_listeners_hear_of_a_change_takes_their_job_along(plant: Plant, how: str) -> None:
    late = boundary("late", "a", timer("duration", "PT2H") if how != "what it brings" else when("=gone = true"))
    deploy(plant, late, end("l"), flows="\nlate > l", assigning="ask", canceling="bye")
    instance_id = plant.start(gone=False)
    task = claim(plant, plant.task(instance_id))
    if how == "timer":
        plant.clock.advance(hours=3)
        timers.fire_due(plant.installation)
    elif how == "cancelled":
        with plant.acting("adam") as act:
            instances.cancel(act, instance_id, "the customer went away")
    else:
        answer(plant, gone=True)
    task = plant.reread(task)
    assert (task.state, task.transition, task.assignee) == ("CANCELLED", {}, None)
    asked = JobState.DONE if how == "what it brings" else JobState.CANCELLED
    assert jobs_of(plant, instance_id) == [("ask", asked), ("bye", JobState.WAITING)]


def test_a_job_of_a_listener_that_was_lost_is_found_and_made_anew(plant: Plant) -> None:
    deploy(plant, assigning="ask")
    instance_id = plant.start()
    task = claim(plant, plant.task(instance_id))
    with plant.installation.database.begin() as connection:
        connection.execute(delete(Job).where(Job.instance_id == instance_id))
    assert watchdog.scan(plant.installation) == ("", 1)
    with plant.reading() as session:
        [found] = incidents.of_instance(session, instance_id)
    [said] = retrying.retry_all(plant.installation, "user:adam", [found.id])
    assert said.outcome == "ADVANCED"
    assert watchdog.scan(plant.installation) == ("", 0)
    answer(plant)
    assert plant.reread(task).assignee == "max"


def test_a_run_that_rests_or_waits_for_a_listener_is_neither_changed_nor_moved(plant: Plant) -> None:
    deploy(plant, assigning="ask")
    instance_id = plant.start()
    task = plant.task(instance_id)
    with plant.acting("adam") as act:
        suspending.suspend(act, instance_id, "stocktaking")
    with pytest.raises(Conflict) as found:
        claim(plant, task)
    assert found.value.code == "SUSPENDED"
    with plant.acting("adam") as act:
        suspending.resume(act, instance_id)
    claim(plant, task)
    deploy(plant, assigning="ask, tell")
    with pytest.raises(Conflict, match="waits for a listener just now"):
        move(plant, instance_id)
    answer(plant)
    move(plant, instance_id)
    with plant.acting("max") as act:
        assigning.release(act, task.id)
    answer(plant)
    answer(plant, "tell")
    assert plant.reread(task).assignee is None


def test_a_task_that_was_moved_from_a_version_without_listeners_tells_those_of_the_new_one(plant: Plant) -> None:
    deploy(plant)
    instance_id = plant.start()
    deploy(plant, assigning="ask")
    move(plant, instance_id)
    task = claim(plant, plant.task(instance_id))
    answer(plant, seen=True)
    assert plant.reread(task).assignee == "max"


def test_a_change_from_within_a_step_is_asked_once_the_move_is_over(plant: Plant) -> None:
    @plant.registry.step("raise_it")
    def raise_it(act: Act, work: Work) -> None:
        assert motion.is_moving(act)
        assert work.instance is not None
        [task] = [one for one in tasks.of_instance(act.session, work.instance.id) if one.element_id == "a"]
        escalation.escalate(act, task, ["role:OPS_DIR"])

    parts = (
        start(),
        approve("a", extensions=listeners("task", updating="change")),
        approve("b"),
        service("up", type="raise_it"),
        end(),
    )
    plant.deploy(process(*parts, flows="s > a > e\ns > b > up > e"))
    instance_id = plant.start()
    task = plant.task(instance_id, "a")
    plant.decide(plant.task(instance_id, "b"), "approve")
    assert plant.reread(task).candidates == ["role:PUR_MGR"]
    answer(plant, "change")
    assert plant.reread(task).candidates == ["role:OPS_DIR"]
