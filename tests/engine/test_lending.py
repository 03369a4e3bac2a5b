"""Ask and answer, lend and give back, step aside: help beside a task, and the flow waits for nobody else."""

from __future__ import annotations

import pytest

from engine import assigning, lending, tasks
from engine.errors import Conflict, Invalid, NotFound
from engine.stored.task import TaskState
from tests.engine.plant import Plant, approve
from tests.engine.spiff.diagrams import end, process, start


@pytest.fixture
def instance_id(plant: Plant) -> str:
    """One step that max and lena may decide."""
    plant.deploy(process(start(), approve("a"), end(), flows="s > a > e"))
    return plant.start()


def test_a_question_lets_somebody_read_the_task_and_answer_it(plant: Plant, instance_id: str) -> None:
    task = plant.task(instance_id)
    with plant.reading() as session:
        assert not tasks.may_see(session, task, "bea")
    with plant.acting("max") as act:
        made = lending.ask(act, task.id, "bea", "Is <b>that</b> the right price?")
    with plant.reading() as session:
        assert tasks.may_see(session, task, "bea")
        assert [one.question for one, _ in lending.open_for(session, "bea")] == ["Is <b>that</b> the right price?"]
    with pytest.raises(NotFound), plant.acting("otto") as act:
        lending.answer(act, made.id, "It is")
    with pytest.raises(Invalid), plant.acting("bea") as act:
        lending.answer(act, made.id, "  ")
    with plant.acting("bea") as act:
        lending.answer(act, made.id, "It is")
    with pytest.raises(Conflict, match="you answered it"), plant.acting("bea") as act:
        lending.answer(act, made.id, "Again")
    with plant.reading() as session:
        assert lending.open_for(session, "bea") == []
        assert [one.answer for one in lending.helps_of(session, task.id)] == ["It is"]
    plant.decide(plant.reread(task), "approve")


@pytest.mark.parametrize(
    ("asked", "words"), [("max", "it is yourself"), ("nobody", "nobody active"), ("olga", "nobody active")]
)
def test_only_somebody_else_who_is_active_can_help(small_plant: Plant, asked: str, words: str) -> None:
    small_plant.deploy(process(start(), approve("a"), end(), flows="s > a > e"))
    task = small_plant.task(small_plant.start())
    small_plant.staff.gone.add("olga")
    with pytest.raises(Invalid, match=words), small_plant.acting("max") as act:
        lending.ask(act, task.id, asked, "Well?")
    with pytest.raises(NotFound), small_plant.acting("otto") as act:
        lending.ask(act, task.id, "bea", "Well?")


def test_a_lent_task_is_decided_by_nobody_until_it_is_given_back(plant: Plant, instance_id: str) -> None:
    task = plant.task(instance_id)
    with plant.acting("max") as act:
        made = lending.lend(act, task.id, "bea", "Compare the quotes")
    lent = plant.reread(task)
    assert (lent.assignee, lent.lent_by) == ("bea", "max")
    with pytest.raises(Conflict, match="Bea Test works on it for Max Test") as refused:
        plant.decide(lent, "approve", by="max", reason="I know")
    assert refused.value.code == "LENT"
    with plant.reading() as session:
        kept = tasks.draft_of(session, task.id, "max")
        assert kept is not None
        assert kept.reason == "I know", "what was typed is not lost"
    with pytest.raises(NotFound):
        plant.decide(lent, "approve", by="bea")
    with pytest.raises(Conflict, match="give it back with an answer"), plant.acting("bea") as act:
        assigning.release(act, task.id)
    with plant.acting("bea") as act:
        lending.answer(act, made.id, "The second is cheaper")
    back = plant.reread(task)
    assert (back.assignee, back.lent_by) == ("max", None)
    plant.decide(back, "approve")


def test_a_loan_is_taken_back_by_its_lender_and_ended_by_whoever_claims_the_task(
    plant: Plant, instance_id: str
) -> None:
    task = plant.task(instance_id)
    with plant.acting("max") as act:
        made = lending.lend(act, task.id, "bea", "Compare")
    with pytest.raises(NotFound), plant.acting("lena") as act:
        lending.take_back(act, made.id)
    with plant.acting("max") as act:
        lending.take_back(act, made.id)
    with plant.acting("max") as act:
        again = lending.lend(act, task.id, "bea", "Compare after all")
    with plant.acting("lena") as act:
        assigning.claim(act, task.id)
    assert (plant.reread(task).assignee, plant.reread(task).lent_by) == ("lena", None)
    with pytest.raises(Conflict, match="it was taken back"), plant.acting("bea") as act:
        lending.answer(act, again.id, "Too late")


def test_who_steps_aside_is_barred_for_good_and_the_others_are_not(plant: Plant, instance_id: str) -> None:
    task = plant.task(instance_id)
    with plant.acting("max") as act:
        assigning.claim(act, task.id)
    with plant.acting("max") as act:
        lending.recuse(act, task.id, "The supplier is my brother's")
    aside = plant.reread(task)
    assert (aside.assignee, aside.excludes, aside.state) == (None, ["max"], TaskState.OPEN)
    assert aside.notes[-1] == "Max Test stepped aside for a conflict of interest: The supplier is my brother's"
    with pytest.raises(Exception, match="max is excluded from it"):
        plant.decide(aside, "approve", by="max")
    plant.decide(aside, "approve", by="lena")
