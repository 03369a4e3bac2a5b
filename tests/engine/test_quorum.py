"""Who has to agree: every order of votes gives the same verdict, and the ledger has every voter."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import pytest

from engine import decisions, quorum, tasks
from engine.errors import Conflict
from engine.stored.task import TaskState
from tests.engine.plant import Plant, approve
from tests.engine.spiff.diagrams import each, end, node, process, start, sub

VOTERS = [{"role": "PUR_MGR"}, {"role": "QA"}, {"role": "OPS_DIR"}]
PEOPLE = {"role:PUR_MGR": "max", "role:QA": "quinn", "role:OPS_DIR": "olga"}


def board(quorum_text: str) -> str:
    vote = approve(
        "vote", each("=voters", element="voter", until="=verdict != null"), role="=voter.role", quorum=quorum_text
    )
    gate = node("exclusiveGateway", "which")
    flows = 's > vote > which\nwhich -[=verdict = "approve"]-> ok\nwhich -[=verdict = "return"]-> back\nwhich -[=verdict = "reject"]-> no'
    return process(start(), vote, gate, end("ok"), end("back"), end("no"), flows=flows)


def vote(plant: Plant, instance_id: str, who: str, verdict: str) -> None:
    [task] = [task for task in plant.open(instance_id) if PEOPLE[task.candidates[0]] == who]
    plant.decide(task, verdict, by=who, reason="because")


@pytest.mark.parametrize("order", list(permutations(["max", "quinn", "olga"])))
def test_all_waits_for_every_slot_and_a_reject_outweighs_in_any_order(plant: Plant, order: tuple[str, ...]) -> None:
    """W2: three in parallel; whoever comes first, the ledger has everybody and the verdict is the same."""
    plant.deploy(board("all"))
    instance_id = plant.start(voters=VOTERS)
    said = {"max": "approve", "quinn": "reject", "olga": "return"}
    for who in order:
        assert plant.ended(instance_id) is None
        vote(plant, instance_id, who, said[who])
    assert plant.ended(instance_id) == "no"
    with plant.reading() as session:
        ledger = {row.actor_id: row.verdict for row in decisions.of_instance(session, instance_id)}
    assert ledger == said


def test_unanimous_stops_on_the_first_reject_and_says_who_stopped_it(plant: Plant) -> None:
    plant.deploy(board("unanimous"))
    instance_id = plant.start(voters=VOTERS)
    open_before = plant.open(instance_id)
    vote(plant, instance_id, "max", "approve")
    vote(plant, instance_id, "quinn", "reject")
    assert plant.ended(instance_id) == "no"
    [stopped] = [task for task in open_before if task.candidates == ["role:OPS_DIR"]]
    assert plant.reread(stopped).closed_why == "stopped by Quinn Test: reject"
    with pytest.raises(Conflict, match="stopped by Quinn Test"):
        plant.decide(stopped, "approve", by="olga")


def test_a_number_ends_when_it_is_reached(plant: Plant) -> None:
    plant.deploy(board("2"))
    instance_id = plant.start(voters=VOTERS)
    vote(plant, instance_id, "quinn", "reject")
    vote(plant, instance_id, "max", "approve")
    assert plant.ended(instance_id) is None
    vote(plant, instance_id, "olga", "approve")
    assert plant.ended(instance_id) == "ok"
    assert plant.variables(instance_id)["tally"]["approve"] == 2


def test_a_number_ends_when_it_is_out_of_reach(plant: Plant) -> None:
    plant.deploy(board("=needed"))
    instance_id = plant.start(voters=VOTERS, needed=2)
    vote(plant, instance_id, "quinn", "return")
    vote(plant, instance_id, "max", "return")
    assert plant.ended(instance_id) == "back"


def test_two_voters_of_one_place_are_one_vote(plant: Plant) -> None:
    plant.deploy(board("all"))
    instance_id = plant.start(voters=[{"role": "PUR_MGR"}, {"role": "PUR_MGR"}])
    first, second = plant.open(instance_id)
    plant.decide(first, "approve", by="max")
    plant.decide(second, "approve", by="lena")
    assert plant.ended(instance_id) == "ok"


def test_a_question_does_not_count_and_the_place_still_votes(plant: Plant) -> None:
    inner = approve("vote", role="=voter.role", outcomes="approve, reject, ask")
    again = node("exclusiveGateway", "asked")
    body = sub(
        "round",
        start("rs"),
        inner,
        again,
        end("re"),
        each("=voters", element="voter", until="=verdict != null"),
        flows='rs > vote > asked\nasked -[=decision.verdict = "ask"]-> vote\nasked -[=decision.verdict != "ask"]-> re',
        extensions='<zeebe:properties><zeebe:property name="quorum" value="all" /></zeebe:properties>'
        '<zeebe:ioMapping><zeebe:input source="=null" target="decision" /></zeebe:ioMapping>',
    )
    gate = node("exclusiveGateway", "which")
    flows = 's > round > which\nwhich -[=verdict = "approve"]-> ok\nwhich -[=verdict = "reject"]-> no'
    plant.deploy(process(start(), body, gate, end("ok"), end("no"), flows=flows))
    instance_id = plant.start(voters=[{"role": "PUR_MGR"}, {"role": "QA"}])
    vote(plant, instance_id, "max", "ask")
    vote(plant, instance_id, "quinn", "approve")
    assert plant.ended(instance_id) is None
    vote(plant, instance_id, "max", "approve")
    assert plant.ended(instance_id) == "ok"


def test_an_earlier_rounds_verdict_does_not_settle_the_next_round(plant: Plant) -> None:
    plant.deploy(board("all"))
    instance_id = plant.start(voters=VOTERS, verdict="approve")
    vote(plant, instance_id, "max", "approve")
    assert plant.ended(instance_id) is None


def test_every_task_of_one_round_carries_the_same_round(plant: Plant) -> None:
    plant.deploy(board("all"))
    instance_id = plant.start(voters=VOTERS)
    assert {task.round for task in plant.open(instance_id)} == {1}
    assert sorted(task.slot or 0 for task in plant.open(instance_id)) == [0, 1, 2]
    with plant.reading() as session:
        assert all(task.state == TaskState.OPEN for task in tasks.of_instance(session, instance_id))


@pytest.mark.parametrize(
    ("verdicts", "wanted", "verdict"),
    [
        ({}, "all", None),
        ({0: "approve"}, "all", None),
        ({0: "approve", 1: "approve_with_condition"}, "all", "approve"),
        ({0: "approve", 1: "return"}, "all", "return"),
        ({0: "return", 1: "reject"}, "all", "reject"),
        ({0: "return"}, "unanimous", None),
        ({0: "reject"}, "unanimous", "reject"),
        ({0: "approve"}, Decimal(1), "approve"),
        ({0: "reject"}, Decimal(2), "reject"),
        ({}, Decimal(3), "reject"),
        ({}, Decimal(0), "approve"),
    ],
)
def test_a_tally_of_two_places(verdicts: dict[int, str], wanted: str | Decimal, verdict: str | None) -> None:
    assert quorum.count(verdicts, places=2, quorum=wanted).verdict == verdict
