"""Ad-hoc sub-processes in a house: choices are acts, and what was chosen is stored, told, returned, moved and mended like anything else."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine import choosing, jobs, migrating, modifying, outside_workers, returning, suspending, waiting, watchdog
from engine.audit import AuditEvent
from engine.choosing import Choice
from engine.errors import Conflict, Invalid, NotFound
from engine.migrating import Came
from engine.modifying import EditKind, TokenEdit
from engine.outside_workers import Claim
from engine.stored.definition import Definition
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.job import Job
from tests.engine.plant import Plant, work
from tests.engine.spiff.diagrams import boundary, end, process, start, sub, timer

COLLECTED = '<zeebe:adHoc outputCollection="looks" outputElement="=look" />'


def drawn(*, second: str = "b", condition: str = "=count(looks) = 3") -> str:
    inside = (
        work("a"),
        work(second),
        work("behind"),
        f"<bpmn:completionCondition>{condition}</bpmn:completionCondition>",
    )
    box = sub("box", *inside, flows=f"{second} > behind", kind="adHocSubProcess", extensions=COLLECTED, name="Looking")
    late = boundary("late", "box", timer("duration", "P1D"))
    return process(
        start(), work("first"), box, late, work("z"), end(), end("x"), flows="s > first > box > z > e\nlate > x"
    )


def opened(plant: Plant, instance_id: str) -> choosing.OpenAdHoc:
    with plant.reading() as session:
        [found] = choosing.open_ad_hocs(session, session.get_one(Instance, instance_id))
        return found


def choose(plant: Plant, instance_id: str, *names: str, **more: Any) -> None:
    with plant.acting("pat") as act:
        choosing.choose(act, instance_id, opened(plant, instance_id).token_id, [Choice(one) for one in names], **more)


def begun(plant: Plant) -> str:
    instance_id = plant.start()
    plant.complete(plant.task(instance_id))
    return instance_id


def waits(plant: Plant, instance_id: str) -> list[str]:
    return sorted(task.element_id for task in plant.open(instance_id))


def test_what_is_chosen_begins_is_told_and_ends_when_it_is_enough(plant: Plant) -> None:
    plant.deploy(drawn())
    instance_id = begun(plant)
    with plant.reading() as session:
        instance = session.get_one(Instance, instance_id)
        assert "to choose what is done next in Looking" in waiting.wait_sentence(session, instance)
        assert (instance.incidents, watchdog.examine(session, instance)) == (0, [])
    found = opened(plant, instance_id)
    assert ([one for one, _ in found.elements], found.name, found.running) == (["a", "b"], "Looking", 0)
    choose(plant, instance_id, "a", "a", "b", reason="it is new")
    assert waits(plant, instance_id) == ["a", "a", "b"]
    with plant.acting("pat") as act, pytest.raises(Conflict, match='"behind" is none of them') as refused:
        choosing.choose(act, instance_id, found.token_id, [Choice("behind")])
    assert refused.value.code == "NOT_OPEN"
    with plant.acting("pat") as act:
        with pytest.raises(Invalid, match="Expected 1 to 100 elements"):
            choosing.choose(act, instance_id, found.token_id, [])
        with pytest.raises(NotFound):
            choosing.choose(act, "nobody", found.token_id, [Choice("a")])
        suspending.suspend(act, instance_id, "an audit")
    with plant.acting("pat") as act:
        with pytest.raises(Conflict, match="an audit"):
            choosing.choose(act, instance_id, found.token_id, [Choice("a")])
        suspending.resume(act, instance_id)
    for look in (1, 2):
        plant.complete(plant.open(instance_id, "a")[0], look=look)
    plant.complete(plant.task(instance_id, "b"))
    plant.complete(plant.task(instance_id, "behind"), look=3)
    assert waits(plant, instance_id) == ["z"]
    assert plant.variables(instance_id)["looks"] == [1, 2, 3]
    with plant.acting("pat") as act, pytest.raises(Conflict, match="open ad-hoc sub-process"):
        choosing.choose(act, instance_id, found.token_id, [Choice("a")])
    with plant.reading() as session:
        assert choosing.open_ad_hocs(session, session.get_one(Instance, instance_id)) == []
        noted = session.scalars(select(AuditEvent).where(AuditEvent.action == "CHOSEN").order_by(AuditEvent.seq))
        assert [(one.field, one.reason) for one in noted] == [
            ("a", "it is new"),
            ("a", "it is new"),
            ("b", "it is new"),
        ]


def test_a_worker_outside_chooses_and_is_asked_anew(plant: Plant) -> None:
    box = sub("box", work("a"), work("b"), kind="adHocSubProcess", extensions='<zeebe:taskDefinition type="agent" />')
    plant.deploy(process(start(), box, work("z"), end(), flows="s > box > z > e"))
    instance_id = plant.start()

    def held() -> Any:
        with plant.installation.acting("adapter:agent") as act:
            [job] = outside_workers.activate(act, "agent", worker="one")
            return job

    def says(job: Any, *names: str, over: bool = False) -> None:
        chosen = [{"elementId": name, "variables": {"why": "new"}} for name in names]
        said = {"activateElements": chosen, "isCompletionConditionFulfilled": over}
        with plant.installation.acting("adapter:agent") as act:
            outside_workers.complete(act, Claim(job.id, "one"), {"adHocSubProcess": said})

    first = held()
    with pytest.raises(Invalid, match='"nowhere" is none of them'):
        says(first, "nowhere")
    says(first, "a", "b")
    assert waits(plant, instance_id) == ["a", "b"]
    plant.complete(plant.task(instance_id, "a"))
    early = held()
    plant.complete(plant.task(instance_id, "b"))
    with pytest.raises(jobs.Lost, match="its run went another way"):
        says(early, "a")
    with plant.reading() as session:
        assert watchdog.examine(session, session.get_one(Instance, instance_id)) == []
    says(held(), over=True)
    assert waits(plant, instance_id) == ["z"]
    with plant.reading() as session:
        assert sorted(session.scalars(select(Job.state))) == ["CANCELLED", "DONE", "DONE"]


def test_others_end_with_a_reason_and_its_timer_ends_all(small_plant: Plant) -> None:
    plant = small_plant
    plant.deploy(drawn())
    instance_id = begun(plant)
    choose(plant, instance_id, "a", "b")
    [gone] = plant.open(instance_id, "a")
    choose(plant, instance_id, "b", ends_others=True)
    assert waits(plant, instance_id) == ["b"]
    assert "something else was chosen" in (plant.reread(gone).closed_why or "")
    plant.clock.advance(days=2)
    with plant.acting("pat") as act, pytest.raises(Conflict):
        choosing.choose(act, instance_id, opened(plant, instance_id).token_id, [Choice("a")])


def test_one_returns_within_what_was_chosen_and_to_before_the_whole(small_plant: Plant) -> None:
    plant = small_plant
    plant.deploy(drawn())
    instance_id = begun(plant)
    choose(plant, instance_id, "a", "b")
    plant.complete(plant.task(instance_id, "b"))

    def back(to: str) -> None:
        task = plant.task(instance_id, "behind")
        with plant.acting("max") as act:
            known = {one.element_id: one.token_id for one in returning.targets(act.session, task)}
            assert set(known) == {"b", "first"}
            returning.send_back(act, task.id, known[to], seen_version=task.version, reason="look again")

    back("b")
    assert waits(plant, instance_id) == ["a", "b"]
    plant.complete(plant.task(instance_id, "b"))
    back("first")
    assert waits(plant, instance_id) == ["first"]
    plant.complete(plant.task(instance_id, "first"))
    assert opened(plant, instance_id).running == 0


def test_tokens_of_it_are_mended_and_moved_to_another_version(plant: Plant) -> None:
    plant.deploy(drawn())
    instance_id = begun(plant)
    choose(plant, instance_id, "b")

    def edit(*edits: TokenEdit) -> None:
        with plant.acting("pat") as act:
            instance = act.session.get_one(Instance, instance_id)
            seen = modifying.stage(act.session, instance, edits).hash
            modifying.apply(act, instance_id, edits, reason="mended", seen_hash=seen)

    edit(TokenEdit(EditKind.ADD, None, "a"))
    edit(TokenEdit(EditKind.MOVE, plant.task(instance_id, "b").token_id, "behind"))
    assert waits(plant, instance_id) == ["a", "behind"]
    with plant.reading() as session:
        newer = session.get_one(Definition, plant.deploy(drawn(second="c", condition="=count(looks) = 2")))
    came = migrating.move_each(
        plant.installation, "user:pat", [instance_id], newer, reason="a new rule", mapping={"b": "c"}
    )
    assert [one.came for one in came] == [Came.MOVED]
    choose(plant, instance_id, "c")
    for look, element in enumerate(("behind", "a")):
        plant.complete(plant.task(instance_id, element), look=look)
    assert waits(plant, instance_id) == ["z"]
    plant.complete(plant.task(instance_id, "z"))
    assert plant.instance(instance_id).status == InstanceStatus.COMPLETED
