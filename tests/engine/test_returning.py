"""Return to an earlier step: only legal targets, exactly what followed is undone, and everybody is told why."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from engine import decisions, returning, tasks
from engine.audit import AuditEvent
from engine.decisions import DecisionKind
from engine.errors import Conflict, Invalid
from engine.stored.job import Job, JobState
from engine.stored.task import Task, TaskState
from engine.stored.wait import Timer
from engine.task_variables import variables_of
from tests.engine.plant import Plant, approve, work
from tests.engine.spiff.diagrams import (
    boundary,
    call,
    each,
    end,
    node,
    process,
    properties,
    service,
    start,
    sub,
    timer,
)


def targets(plant: Plant, task: Task) -> dict[str, str]:
    """Element id to why one may not return there."""
    with plant.reading() as session:
        return {target.element_id: target.why_not for target in returning.targets(session, task)}


def send_back(plant: Plant, task: Task, to: str, *, by: str = "max", reason: str = "the price is wrong") -> Any:
    with plant.acting(by) as act:
        chosen = {
            one.element_id: one.token_id for one in returning.targets(act.session, tasks.find(act.session, task.id))
        }
        return returning.send_back(act, task.id, chosen.get(to, 0), seen_version=task.version, reason=reason)


def line(*steps: str) -> str:
    return process(start(), *[approve(step) for step in steps], end(), flows=" > ".join(["s", *steps, "e"]))


def waiting(plant: Plant, instance_id: str) -> list[str]:
    return sorted(task.element_id for task in plant.open(instance_id))


def test_a_return_voids_what_follows_visibly_and_asks_the_earlier_step_again(plant: Plant) -> None:
    """W21's engine: the approvals since stay in the ledger with a row that voids each and says who and why."""
    plant.deploy(line("a", "b", "c"))
    instance_id = plant.start()
    plant.decide(plant.task(instance_id), "approve", by="max")
    plant.decide(plant.task(instance_id), "approve", by="lena")
    third = plant.task(instance_id)
    assert targets(plant, third) == {"b": "", "a": ""}
    send_back(plant, third, "a", by="max")
    assert waiting(plant, instance_id) == ["a"]
    assert plant.task(instance_id).round == 2
    assert (plant.reread(third).state, plant.reread(third).verdict) == (TaskState.COMPLETED, "return")
    with plant.reading() as session:
        ledger = decisions.of_instance(session, instance_id)
        void = [(row.actor_id, row.reason) for row in ledger if row.kind == DecisionKind.VOID]
        assert [row.verdict for row in decisions.standing(session, instance_id)] == ["return"]
        [told] = session.scalars(select(AuditEvent).where(AuditEvent.action == "RETURNED"))
    assert len(void) == 2
    assert {reason for _, reason in void} == {"returned to a by Max Test: the price is wrong"}
    assert told.new == "Voids approve by Max Test and approve by Lena Test; b is done again."
    assert told.field == "a"
    assert plant.notary.ended == ["max", "lena"]
    for step in ("a", "b", "c"):
        plant.decide(plant.task(instance_id, step), "approve")
    assert plant.ended(instance_id) == "e"


def test_only_steps_that_led_here_are_listed_and_a_forged_one_is_refused(small_plant: Plant) -> None:
    gate = node("exclusiveGateway", "which")
    small_plant.deploy(
        process(
            start(), gate, approve("left"), approve("right"), approve("z"), end(),
            flows="s > which\nwhich -[=go]-> left\nwhich -[=not(go)]-> right\nleft > z\nright > z\nz > e",
        )
    )  # fmt: skip
    instance_id = small_plant.start(go=True)
    small_plant.decide(small_plant.task(instance_id), "approve")
    task = small_plant.task(instance_id)
    assert targets(small_plant, task) == {"left": ""}
    with pytest.raises(Conflict, match="Expected one of the steps left, but this is another") as refused:
        send_back(small_plant, task, "right")
    assert refused.value.code == "NO_WAY_BACK"
    with pytest.raises(Invalid, match="Expected a reason"):
        send_back(small_plant, task, "left", reason=" ")
    with pytest.raises(Conflict, match="Expected version"), small_plant.acting("max") as act:
        returning.send_back(act, task.id, 1, seen_version=task.version + 1, reason="late")
    small_plant.decide(task, "approve")
    with pytest.raises(Conflict, match="decided by Max Test"):
        send_back(small_plant, task, "left")


FORK = "s > fork\nfork > a > join\nfork > b > join\njoin > z > e"


def forked() -> str:
    gates = (node("parallelGateway", "fork"), node("parallelGateway", "join"))
    return process(start(), *gates, approve("a"), approve("b"), approve("z"), end(), flows=FORK)


def test_through_a_join_the_other_branch_keeps_what_it_did(plant: Plant) -> None:
    """Stock SpiffWorkflow leaves both ``a`` and ``z`` open; here ``z`` ends and ``b`` waits at the join as it did."""
    plant.deploy(forked())
    instance_id = plant.start()
    for step in ("a", "b"):
        plant.decide(plant.task(instance_id, step), "approve")
    for _again in range(2):
        send_back(plant, plant.task(instance_id, "z"), "a")
        assert waiting(plant, instance_id) == ["a"]
        plant.decide(plant.task(instance_id, "a"), "approve")
        assert waiting(plant, instance_id) == ["z"]
    with plant.reading() as session:
        standing = [(row.element_id, row.verdict) for row in decisions.standing(session, instance_id)]
    assert standing.count(("b", "approve")) == 1
    assert standing.count(("a", "approve")) == 1
    plant.decide(plant.task(instance_id, "z"), "approve")
    assert plant.ended(instance_id) == "e"


def test_to_before_a_fork_both_branches_end(plant: Plant) -> None:
    flows = FORK.replace("s > fork", "s > first > fork")
    gates = (node("parallelGateway", "fork"), node("parallelGateway", "join"))
    plant.deploy(process(start(), *gates, *map(approve, ("first", "a", "b", "z")), end(), flows=flows))
    instance_id = plant.start()
    plant.decide(plant.task(instance_id, "first"), "approve")
    plant.decide(plant.task(instance_id, "a"), "approve", by="lena")
    other, mine = plant.task(instance_id, "b"), plant.task(instance_id, "b")
    assert targets(plant, mine) == {"first": ""}
    send_back(plant, mine, "first")
    assert waiting(plant, instance_id) == ["first"]
    assert plant.reread(other).state == TaskState.COMPLETED
    for step in ("first", "a", "b", "z"):
        plant.decide(plant.task(instance_id, step), "approve")
    assert plant.ended(instance_id) == "e"


def test_from_one_of_several_the_others_end_with_the_reason(plant: Plant) -> None:
    """A multi-instance is undone and done again as a whole."""
    people = work("ask", each("=items"), name="Ask =item")
    plant.deploy(process(start(), approve("first"), people, approve("z"), end(), flows="s > first > ask > z > e"))
    instance_id = plant.start(items=[1, 2, 3])
    plant.decide(plant.task(instance_id), "approve")
    one, two, three = plant.open(instance_id)
    plant.complete(one)
    send_back(plant, two, "first")
    assert waiting(plant, instance_id) == ["first"]
    assert plant.reread(three).closed_why == "returned to first by Max Test: the price is wrong"
    with pytest.raises(Conflict, match="returned to first by Max Test"):
        plant.complete(three)
    plant.decide(plant.task(instance_id), "approve")
    assert len(plant.open(instance_id, "ask")) == 3
    for task in plant.open(instance_id):
        plant.complete(task)
    last = plant.task(instance_id, "z")
    with plant.reading() as session:
        [again, _] = returning.targets(session, last)
    assert (again.element_id, again.sentence) == ("ask", "Undoes nothing but this step.")
    send_back(plant, last, "ask")
    assert len(plant.open(instance_id, "ask")) == 3


def test_one_vote_of_several_does_not_return_past_the_vote_unless_its_diagram_says_so(small_plant: Plant) -> None:
    def voting(**more: str) -> str:
        vote = approve("vote", each("=[1, 2]", until="=verdict != null"), quorum="all", **more)
        return process(start(), approve("first"), vote, end(), flows="s > first > vote > e")

    for more, allowed in (({}, False), ({"returns": "yes"}, True)):
        small_plant.deploy(voting(**more))
        instance_id = small_plant.start(f"K-{allowed}")
        small_plant.decide(small_plant.task(instance_id), "approve")
        assert (targets(small_plant, small_plant.open(instance_id)[0])["first"] == "") is allowed


def test_a_vote_that_was_returned_to_counts_no_more_and_its_place_is_asked_again(plant: Plant) -> None:
    """A place of a vote is a vote and its check; who checks sends it back, and the others must not settle without it."""
    places = sub(
        "places", start("s2"), approve("vote"), approve("check"), end("e2"), each("=[1, 2]"),
        flows="s2 > vote > check > e2", extensions=properties(quorum="all"),
    )  # fmt: skip
    plant.deploy(process(start(), places, end(), flows="s > places > e"))
    instance_id = plant.start()
    mine, other = plant.open(instance_id, "vote")
    plant.decide(mine, "approve")
    send_back(plant, plant.task(instance_id, "check"), "vote")
    assert tally(plant, instance_id) == {"decided": 0, "open": 2}
    plant.decide(other, "approve")
    assert tally(plant, instance_id) == {"decided": 1, "open": 1}
    plant.decide(plant.task(instance_id, "check"), "approve")
    assert tally(plant, instance_id) == {"decided": 1, "open": 1}
    plant.decide(plant.task(instance_id, "vote"), "approve")
    plant.decide(plant.task(instance_id, "check"), "approve")
    assert (plant.ended(instance_id), plant.variables(instance_id)["verdict"]) == ("e", "approve")


def tally(plant: Plant, instance_id: str) -> dict[str, int]:
    with plant.reading() as session:
        seen = variables_of(session, plant.open(instance_id)[0])["tally"]
    return {name: int(seen[name]) for name in ("decided", "open")}


def test_what_nobody_would_undo_is_no_way_back(small_plant: Plant) -> None:
    small_plant.registry.step("book")(lambda _act, _work: None)
    small_plant.deploy(
        process(start(), approve("a"), service("book"), approve("b"), end(), flows="s > a > book > b > e")
    )
    instance_id = small_plant.start()
    small_plant.decide(small_plant.task(instance_id), "approve")
    assert targets(small_plant, small_plant.task(instance_id)) == {
        "a": '"book" was done since, and nothing says how it is undone.'
    }


def test_timers_jobs_and_calls_downstream_end_and_what_followed_is_undone_by_the_step_that_the_diagram_names(
    plant: Plant,
) -> None:
    undone: list[Any] = []
    plant.registry.step("book")(lambda _act, _work: {"booked": "yes"})
    plant.registry.step("unbook")(
        lambda _act, item: undone.append((item["booked"], item["decision"]["reason"])) or {"booked": "no"}
    )
    plant.registry.job("print")(lambda _act, _work: None)
    inner = process(start("is"), approve("deep"), end("ie"), id="q", flows="is > deep > ie")
    late = boundary("late", "inside", timer("duration", '=duration("P3D")'), interrupting=False)
    plant.deploy(
        process(
            start(), approve("first", onReturn="unbook"), service("book"), node("parallelGateway", "fork"), call("inside", "q"),
            late, service("print"), node("parallelGateway", "join"), end("told"), end(),
            flows="s > first > book > fork\nfork > inside > join\nfork > print > join\nlate > told\njoin > e",
        ),
        inner,
    )  # fmt: skip
    instance_id = plant.start()
    plant.decide(plant.task(instance_id), "approve")
    task = plant.task(instance_id, "deep")
    assert targets(plant, task) == {"first": ""}
    send_back(plant, task, "first")
    assert waiting(plant, instance_id) == ["first"]
    assert undone == [("yes", "the price is wrong")]
    assert plant.variables(instance_id)["booked"] == "no"
    with plant.reading() as session:
        assert session.scalars(select(Job.state)).all() == [JobState.CANCELLED]
        assert session.scalars(select(Timer)).all() == []
    assert plant.instance(instance_id).wake_at is None


def test_where_the_way_back_ends_the_reason_is_said(small_plant: Plant) -> None:
    small_plant.registry.step("send")(lambda _act, _work: None)
    sent = service("send", extensions=properties(noReturn="the supplier has it."))
    small_plant.deploy(
        process(
            start(),
            approve("a", onReturn="nothing"),
            sent,
            approve("b"),
            approve("c"),
            end(),
            flows="s > a > send > b > c > e",
        )
    )
    instance_id = small_plant.start()
    small_plant.decide(small_plant.task(instance_id), "approve")
    small_plant.decide(small_plant.task(instance_id), "approve")
    task = small_plant.task(instance_id)
    assert targets(small_plant, task) == {"b": "", "a": "the supplier has it."}
    with pytest.raises(Conflict, match="but a is none: the supplier has it"):
        send_back(small_plant, task, "a")
    assert small_plant.reread(task).state == TaskState.OPEN


def test_inside_a_running_sub_process_its_own_steps_come_first_then_those_around(plant: Plant) -> None:
    inside = sub("stage", start("is"), approve("x"), approve("y"), end("ie"), each("=[1, 2]"), flows="is > x > y > ie")
    plant.deploy(process(start(), approve("first"), inside, end(), flows="s > first > stage > e"))
    instance_id = plant.start()
    plant.decide(plant.task(instance_id), "approve")
    for task in plant.open(instance_id, "x"):
        plant.decide(task, "approve")
    one, two = plant.open(instance_id, "y")
    assert list(targets(plant, one)) == ["x", "first"]
    send_back(plant, one, "x")
    assert waiting(plant, instance_id) == ["x", "y"]
    assert plant.reread(two).state == TaskState.OPEN, "the other instance goes on"
    send_back(plant, plant.reread(two), "first")
    assert waiting(plant, instance_id) == ["first"]


def test_after_a_loop_the_last_time_counts_and_a_sibling_is_not_downstream(plant: Plant) -> None:
    gates = [node("parallelGateway", "fork"), node("exclusiveGateway", "again"), node("parallelGateway", "join")]
    plant.deploy(
        process(
            start(), *gates, approve("a"), approve("b"), approve("c"), approve("z"), end(),
            flows='s > fork\nfork > a > again\nagain -[=decision.verdict != "approve"]-> a\n'
            'again -[=decision.verdict = "approve"]-> c\nc > join\nfork > b > join\njoin > z > e',
        )
    )  # fmt: skip
    instance_id = plant.start()
    plant.decide(plant.task(instance_id, "a"), "return", reason="once more")
    plant.decide(plant.task(instance_id, "a"), "approve")
    send_back(plant, plant.task(instance_id, "c"), "a")
    assert waiting(plant, instance_id) == ["a", "b"]
    with plant.reading() as session:
        standing = [(row.element_id, row.verdict) for row in decisions.standing(session, instance_id)]
    assert standing == [("a", "return"), ("c", "return")], "what was said before the step stays"
    for step in ("a", "c", "b", "z"):
        plant.decide(plant.task(instance_id, step), "approve")
    assert plant.ended(instance_id) == "e"


def test_a_refusal_of_the_undoing_step_changes_nothing(small_plant: Plant) -> None:
    def refuse(_act: Any, _work: Any) -> None:
        raise Conflict("Expected a free order, but it is on its way")

    small_plant.registry.step("book")(lambda _act, _work: None)
    small_plant.registry.step("unbook")(refuse)
    small_plant.deploy(
        process(
            start(), approve("a", onReturn="unbook"), service("book"), approve("b"), end(), flows="s > a > book > b > e"
        )
    )
    instance_id = small_plant.start()
    small_plant.decide(small_plant.task(instance_id), "approve")
    task = small_plant.task(instance_id)
    with pytest.raises(Conflict, match="on its way"):
        send_back(small_plant, task, "a")
    assert small_plant.reread(task).state == TaskState.OPEN
    assert waiting(small_plant, instance_id) == ["b"]
    small_plant.clock.now += dt.timedelta(hours=1)
    small_plant.decide(task, "approve")
