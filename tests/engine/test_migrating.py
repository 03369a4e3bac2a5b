"""Moving instances to another version: rehearsed, nothing lost, taken back, and refused in words where it cannot be right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pytest
from sqlalchemy import select, update

from engine import (
    assigning,
    decisions,
    drafts,
    inbox,
    instances,
    messages,
    migrating,
    rehearsing,
    returning,
    timers,
    worker,
)
from engine.errors import Conflict, Invalid
from engine.migrating import Came
from engine.registry import Work
from engine.rehearsing import Rehearsal, Verdict
from engine.stored.definition import Definition
from engine.stored.instance import Instance, InstanceMove
from engine.stored.task import Task
from engine.stored.wait import Timer
from tests.engine.plant import Plant, approve, work
from tests.engine.spiff.diagrams import (
    association,
    boundary,
    call,
    each,
    end,
    message,
    node,
    on,
    process,
    service,
    start,
    sub,
    timer,
)

HOUR, DAY = timer("duration", "PT1H"), timer("duration", "P1D")
FORK, JOIN = node("parallelGateway", "fork"), node("parallelGateway", "join")


def flow_of(*parts: str, flows: str) -> str:
    return process(start(), *parts, end(), flows=flows)


ASKED = flow_of(
    work("first"),
    approve("a"),
    work("b"),
    boundary("late", "a", HOUR),
    end("x"),
    flows="s > first > a > b > e\nlate > x",
)


def definition(plant: Plant, definition_id: str) -> Definition:
    with plant.reading() as session:
        return session.get_one(Definition, definition_id)


def rehearse(plant: Plant, instance_id: str, to: str, mapping: Mapping[str, str] | None = None) -> Rehearsal:
    with plant.reading() as session:
        return rehearsing.rehearse(
            session, instances.find(session, instance_id), session.get_one(Definition, to), mapping
        )


def move(plant: Plant, instance_id: str, to: str, mapping: Mapping[str, str] | None = None) -> InstanceMove:
    with plant.acting("pat") as act:
        target = act.session.get_one(Definition, to)
        return migrating.move(act, instance_id, target, reason="the new audit rule", mapping=mapping)


def due(plant: Plant, instance_id: str) -> dict[str, dt.datetime]:
    with plant.reading() as session:
        found = session.scalars(select(Timer).where(Timer.instance_id == instance_id))
        return {row.element_id: row.due_at for row in found}


def test_a_moved_task_keeps_its_claim_draft_and_time_and_its_past_decisions_their_version(plant: Plant) -> None:
    old = plant.deploy(ASKED)
    instance_id = plant.start()
    plant.complete(plant.task(instance_id))
    task = plant.task(instance_id)
    with plant.acting("max") as act:
        assigning.claim(act, task.id)
        drafts.save_draft(act, task.id, verdict="approve", reason="looks right so far")
    was_due = due(plant, instance_id)["late"]
    plant.clock.advance(minutes=30)
    new = plant.deploy(
        flow_of(
            work("first"), approve("check", name="a", outcomes="approve, reject"), work("extra"), work("b"),
            boundary("late_now", "check", HOUR), boundary("warn", "check", DAY, interrupting=False), end("x"), end("y"),
            flows="s > first > check > extra > b > e\nlate_now > x\nwarn > y",
        )
    )  # fmt: skip
    asked = rehearse(plant, instance_id, new)
    assert (asked.verdict, asked.unplaced[0].suggestion) == (Verdict.NEEDS_MAPPING, "check")
    assert plant.instance(instance_id).definition_id == old
    mapping = {"a": "check", "late": "late_now"}
    found = rehearse(plant, instance_id, new, mapping)
    assert found.verdict is Verdict.MAPPED
    assert any("keeps its time" in note for note in found.notes)
    assert any('"warn" begins to wait now' in note for note in found.notes)
    move(plant, instance_id, new, mapping)
    moved = plant.task(instance_id)
    assert (moved.id, moved.element_id, moved.assignee, moved.outcomes) == (
        task.id,
        "check",
        "max",
        ["approve", "reject"],
    )
    assert "the new audit rule" in moved.notes[-1]
    with plant.reading() as session:
        kept = drafts.draft_of(session, task.id, "max")
        assert kept is not None
        assert kept.reason == "looks right so far"
    assert due(plant, instance_id) == {"late_now": was_due, "warn": plant.clock() + dt.timedelta(days=1)}
    with pytest.raises(Conflict, match="version"):
        plant.decide(task, "approve")
    with plant.reading() as session:
        back = returning.targets(session, plant.task(instance_id))
        assert [target.element_id for target in back] == ["first"]
    plant.decide(moved, "approve")
    assert plant.task(instance_id).element_id == "extra"
    with plant.reading() as session:
        [row] = decisions.of_instance(session, instance_id)
        assert row.definition_hash == definition(plant, new).hash


def test_what_a_run_goes_on_waiting_for_is_said_and_what_holds_of_many_tokens_once(small_plant: Plant) -> None:
    many, heard = work("many", each("=[1, 2, 3]")), node("receiveTask", "wait", messageRef="m")
    fork = node("parallelGateway", "fork")
    ways = flow_of(fork, many, heard, end("x"), flows="s > fork > many > e\nfork > wait > x")
    small_plant.deploy(ways, definitions_xml=message("m", "goods", "=po"))
    instance_id = small_plant.start(po="PO-1")
    other = small_plant.deploy(ways, definitions_xml=message("m", "delivery", "=po"))
    assert rehearse(small_plant, instance_id, other).notes == ('"wait" goes on waiting for goods PO-1.',)
    once = small_plant.deploy(ways.replace(many, work("many")), definitions_xml=message("m", "goods", "=po"))
    found = rehearse(small_plant, instance_id, once)
    assert (found.verdict, len(found.reasons), len(found.unplaced), found.notes) == (Verdict.NEEDS_MAPPING, 1, 1, ())


def test_a_timer_begins_anew_where_that_is_asked_for(small_plant: Plant) -> None:
    small_plant.deploy(ASKED)
    instance_id = small_plant.start()
    small_plant.complete(small_plant.task(instance_id))
    small_plant.clock.advance(minutes=30)
    new = small_plant.deploy(ASKED.replace("PT1H", "PT2H"))
    found = rehearse(small_plant, instance_id, new, {"late": ""})
    assert found.notes == ('"late" ends: as asked.', '"late" begins to wait now.')
    move(small_plant, instance_id, new, {"late": ""})
    assert due(small_plant, instance_id) == {"late": small_plant.clock() + dt.timedelta(hours=2)}
    assert rehearse(small_plant, instance_id, small_plant.deploy(ASKED), {"a": ""}).verdict is Verdict.NEEDS_MAPPING


def test_a_move_is_taken_back_while_the_instance_stands_where_it_was_left(plant: Plant) -> None:
    old = plant.deploy(ASKED)
    instance_id = plant.start()
    plant.complete(plant.task(instance_id))
    plant.clock.advance(minutes=10)
    before, waits = plant.task(instance_id), due(plant, instance_id)
    new = plant.deploy(
        flow_of(
            work("first"),
            approve("check"),
            boundary("warn", "check", DAY),
            end("x"),
            flows="s > first > check > e\nwarn > x",
        )
    )
    made = move(plant, instance_id, new, {"a": "check"})
    assert set(due(plant, instance_id)) == {"warn"}
    with plant.acting("pat") as act:
        migrating.revert(act, made.id, "mistaken")
    after = plant.task(instance_id)
    assert (after.id, after.element_id, after.notes) == (before.id, "a", before.notes)
    assert (plant.instance(instance_id).definition_id, due(plant, instance_id)) == (old, waits)
    with plant.acting("pat") as act, pytest.raises(Conflict, match="taken back already"):
        migrating.revert(act, made.id, "again")
    made = move(plant, instance_id, new, {"a": "check"})
    plant.decide(plant.task(instance_id), "approve")
    with plant.acting("pat") as act, pytest.raises(Conflict):
        migrating.revert(act, made.id, "too late")


WIDER = flow_of(
    FORK, work("a"), work("b"), work("d"), JOIN, work("c"),
    flows="s > fork > a > join > c > e\nfork > b > join\nfork > d > join",
)  # fmt: skip
UNDOES = work("refund").replace("<bpmn:userTask", '<bpmn:userTask isForCompensation="true"', 1)
HALF = flow_of(FORK, work("a"), work("b"), JOIN, work("c"), flows="s > fork > a > join > c > e\nfork > b > join")
BLOCKED = {
    "a half reached join that waits for one more": (
        HALF,
        WIDER,
        ["a"], "half reached",
    ),
    "a join that one more way leads to": (
        HALF,
        WIDER,
        [], "wait for ever: nothing is on its way along d",
    ),
    "a task that is done for each now": (
        flow_of(work("a"), flows="s > a > e"),
        flow_of(work("a", each("=[1, 2]")), flows="s > a > e"), [], "done side by side, and was done once",
    ),
    "a task inside a sub-process now": (
        flow_of(work("a"), flows="s > a > e"),
        flow_of(sub("box", start("i"), work("a"), end("o"), flows="i > a > o"), flows="s > box > e"), [], "stands elsewhere: in box",
    ),
    "another kind of step": (
        flow_of(work("a"), flows="s > a > e"), flow_of(service("a"), flows="s > a > e"), [], "is a service task, not a user task",
    ),
    "compensation that is kept": (
        flow_of(
            work("paid"), boundary("undo", "paid", on("compensate")), UNDOES,
            association("l", "undo", "refund"), work("a"), flows="s > paid > a > e",
        ),
        flow_of(work("paid"), work("a"), flows="s > paid > a > e"), ["paid"], 'What undoes "paid" is kept',
    ),
    "a new event that cannot say what it waits for": (
        flow_of(work("a"), flows="s > a > e"),
        flow_of(work("a"), boundary("late", "a", timer("date", "=when")), end("x"), flows="s > a > e\nlate > x"),
        [], "could not begin to wait",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BLOCKED)
def test_what_would_not_be_right_is_blocked_with_the_reason(small_plant: Plant, case: str) -> None:
    old, new, done, why = BLOCKED[case]
    small_plant.deploy(old)
    instance_id = small_plant.start()
    for step in done:
        small_plant.complete(small_plant.task(instance_id, step))
    found = rehearse(small_plant, instance_id, small_plant.deploy(new))
    assert not found.may_move
    assert why in " ".join(found.reasons)


def test_what_runs_inside_goes_on_there(plant: Plant) -> None:
    """A multi-instance, a called process of the bundle, a half reached join, a message and a job that waits."""
    done: list[str] = []

    @plant.registry.job("send")
    def send(act: object, work: Work) -> None:
        done.append(work.element_id)

    def drawn(step: str) -> tuple[str, str]:
        called = process(start("cs"), work(f"inner{step}"), end("ce"), id="sub", flows=f"cs > inner{step} > ce")
        main = flow_of(
            FORK, work("each", each("=[1, 2, 3]", element="n")), call("calls", "sub"),
            sub("box", start("bs"), service(f"send{step}", type="send"), end("be"), flows=f"bs > send{step} > be"),
            node("receiveTask", "hear", messageRef="goods"), JOIN, work("last"),
            flows="s > fork > each > join > last > e\nfork > calls > join\nfork > box > join\nfork > hear > join",
        )  # fmt: skip
        return main, called

    goods = message("goods", "goods", '="PO-1"')
    plant.deploy(*drawn(""), definitions_xml=goods)
    instance_id = plant.start()
    plant.complete(plant.open(instance_id, "each")[0])
    with plant.acting() as act:
        messages.publish(act, "goods", correlation_key="PO-1")
    new = plant.deploy(*drawn("_now"), definitions_xml=goods)
    found = rehearse(plant, instance_id, new, {"inner": "inner_now", "send": "send_now"})
    assert (found.verdict, found.reasons) == (Verdict.MAPPED, ())
    move(plant, instance_id, new, {"inner": "inner_now", "send": "send_now"})
    assert {task.element_id for task in plant.open(instance_id)} == {"each", "inner_now"}
    worker.run_until_idle(plant.installation)
    assert done == ["send_now"]
    for task in plant.open(instance_id):
        plant.complete(task)
    plant.complete(plant.task(instance_id, "last"))
    assert plant.ended(instance_id) == "e"


def test_one_that_fails_stays_what_it_was_and_the_others_go_on_or_stop(small_plant: Plant) -> None:
    old = small_plant.deploy(flow_of(work("a"), flows="s > a > e"))
    started = [small_plant.start(f"K-{number}", when="PT1H" if number != 2 else None) for number in range(4)]
    new = small_plant.deploy(
        flow_of(
            work("a"),
            boundary("late", "a", timer("duration", "=duration(when)")),
            end("x"),
            flows="s > a > e\nlate > x",
        )
    )
    target = definition(small_plant, new)
    results = migrating.move_each(small_plant.installation, "user:pat", started, target, reason="audit", goes_on=False)
    assert [one.came for one in results] == [Came.MOVED, Came.MOVED, Came.FAILED, Came.NOT_TRIED]
    assert [small_plant.instance(one).definition_id for one in started] == [new, new, old, old]
    again = migrating.move_each(small_plant.installation, "user:pat", started, target, reason="audit")
    assert [one.came for one in again] == [Came.NOTHING_TO_DO, Came.NOTHING_TO_DO, Came.FAILED, Came.MOVED]
    assert "could not begin to wait" in again[2].message
    small_plant.clock.advance(hours=2)
    timers.fire_due(small_plant.installation)
    assert [small_plant.ended(one) for one in started] == ["x", "x", None, "x"]
    with small_plant.installation.database.begin() as connection:
        connection.execute(update(Instance).where(Instance.id == started[2]).values(state=b"broken"))
    [lost] = migrating.move_each(small_plant.installation, "user:pat", started[2:3], target, reason="audit")
    assert (lost.came, lost.business_key) == (Came.FAILED, "K-2")
    with pytest.raises(Invalid, match="nowhere"):
        rehearse(small_plant, small_plant.start("K-9", when="PT1H"), old, {"a": "nowhere"})


def test_a_task_that_is_moved_is_still_one_row_and_found_by_its_new_name(small_plant: Plant) -> None:
    small_plant.deploy(ASKED)
    instance_id = small_plant.start()
    renamed = flow_of(work("first", name="Weigh twice"), work("b"), flows="s > first > b > e")
    move(small_plant, instance_id, small_plant.deploy(renamed))
    with small_plant.reading() as session:
        [task] = session.scalars(select(Task).where(Task.instance_id == instance_id))
        found = inbox.page(session, "max", box="groups", query='"weigh TWICE"')
        assert [item.task for item in found.items] == [task]
