"""One task, one decision, one winner; nothing anybody typed is lost."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select

from engine import assigning, decisions, drafts, instances, tasks
from engine.audit import AuditEvent, chain_of
from engine.decisions import Decision
from engine.errors import Conflict, Forbidden, Invalid, NotFound, Refused, RuleViolation
from engine.ports import SignatureRequest
from engine.stored.instance import Activity, InstanceStatus
from engine.stored.task import Task, TaskCandidate, TaskState
from tests.engine.plant import Plant, approve, statements, work
from tests.engine.spiff.diagrams import boundary, end, process, properties, start, timer
from tests.engine.spiff.proofs import proves

TWO_STEPS = process(
    start(),
    approve("approve_it", name="Approve", title='="Approve " + number', amount="=total", party="=supplier"),
    work("buy_it", role="BUYER", name="Buy"),
    end(),
    flows="s > approve_it > buy_it > e",
)


@pytest.fixture
def opened(plant: Plant) -> tuple[Plant, Task]:
    plant.deploy(TWO_STEPS)
    instance_id = plant.start(number="PR-1", total=1250, supplier="NorthStar")
    return plant, plant.task(instance_id)


@proves("zeebe:assignmentDefinition")
def test_a_started_instance_puts_its_first_task_into_the_inbox_of_its_role(opened: tuple[Plant, Task]) -> None:
    _, task = opened
    assert (task.title, str(task.amount), task.party) == ("Approve PR-1", "1250.0000", "NorthStar")
    assert (task.candidates, task.outcomes, task.version) == (["role:PUR_MGR"], ["approve", "reject", "return"], 1)


def test_a_decision_is_kept_and_the_flow_goes_on(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    decision = plant.decide(task, "approve", reason="fits the budget")
    assert (decision.actor_name, decision.role, decision.verdict) == ("Max Test", "PUR_MGR", "approve")
    assert plant.variables(task.instance_id)["decision"]["by"] == "max"
    plant.complete(plant.task(task.instance_id, "buy_it"), by="bea", po="PO-1")
    assert plant.ended(task.instance_id) == "e"
    assert plant.variables(task.instance_id)["po"] == "PO-1"
    with plant.reading() as session:
        assert session.scalar(select(func.count()).select_from(TaskCandidate)) == 0
        left = session.scalars(select(Activity.element_id).order_by(Activity.left_at, Activity.id))
        assert list(left) == ["s", "approve_it", "buy_it", "e"]


def test_the_chain_of_an_instance_tells_its_story(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    plant.decide(task, "approve")
    with plant.reading() as session:
        story = [row.action for row in chain_of(session, "instance", task.instance_id)]
        instance = instances.find(session, task.instance_id)
    assert story == ["INSTANCE_STARTED", "TASK_OPENED", "DECISION", "TASK_OPENED"]
    assert instance.audit_seq == len(story)


def test_a_second_press_learns_who_was_faster_and_its_text_is_kept(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    plant.clock.advance(minutes=-299)
    plant.decide(task, "approve")
    with pytest.raises(Conflict, match=r"decided by Max Test 10:01"):
        plant.decide(task, "reject", by="lena", reason="too dear")
    with plant.reading() as session:
        kept = drafts.draft_of(session, task.id, "lena")
        assert kept is not None
        assert (kept.reason, kept.verdict, kept.kept_because) == ("too dear", "reject", "decided by Max Test 10:01")
        assert session.scalar(select(func.count()).select_from(Decision)) == 1


def test_two_who_press_at_once_make_one_decision(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    gate = threading.Barrier(2)
    answers: dict[str, str] = {}

    def press(who: str, verdict: str) -> None:
        gate.wait()
        try:
            plant.decide(task, verdict, by=who, reason=f"{who} says {verdict}")
            answers[who] = "won"
        except Refused as refusal:
            answers[who] = refusal.message

    threads = [threading.Thread(target=press, args=pair) for pair in (("max", "approve"), ("lena", "reject"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    winner = next(who for who, answer in answers.items() if answer == "won")
    loser = next(who for who in answers if who != winner)
    assert f"decided by {winner.title()} Test" in answers[loser]
    with plant.reading() as session:
        assert [row.actor_id for row in decisions.of_instance(session, task.instance_id)] == [winner]
        kept = drafts.draft_of(session, task.id, loser)
        assert kept is not None
        assert kept.reason.startswith(loser)
    assert len(plant.open(task.instance_id, "buy_it")) == 1


def test_somebody_elses_task_does_not_exist(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    with pytest.raises(NotFound):
        plant.decide(task, "approve", by="otto")
    task.id = "not-an-id"
    with pytest.raises(NotFound):
        plant.decide(task, "approve")


def test_a_verdict_that_the_diagram_does_not_offer_is_refused(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    with pytest.raises(Invalid, match="approve, reject, return"):
        plant.decide(task, "veto")


@pytest.mark.parametrize("verdict", ["reject", "return"])
def test_bad_news_need_a_reason(opened: tuple[Plant, Task], verdict: str) -> None:
    plant, task = opened
    with pytest.raises(Invalid, match="reason"):
        plant.decide(task, verdict, reason="  ")
    plant.decide(task, verdict, reason="wrong revision")


def test_a_stale_page_is_refused_and_loses_nothing(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    with plant.acting("max") as act:
        assigning.claim(act, task.id)
    with pytest.raises(Conflict, match="as you saw it"):
        plant.decide(task, "approve", reason="typed for long")
    with plant.reading() as session:
        kept = drafts.draft_of(session, task.id, "max")
        assert kept is not None
        assert kept.reason == "typed for long"


def test_a_claimed_task_is_its_claimers(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    with plant.acting("lena") as act:
        assigning.claim(act, task.id, seen_version=task.version)
    with pytest.raises(Conflict, match="Lena Test claimed it"):
        plant.decide(plant.reread(task), "approve", by="max")
    with plant.acting("lena") as act:
        assigning.release(act, task.id)
    plant.decide(plant.reread(task), "approve", by="max")


def test_whoever_is_excluded_is_refused_with_the_rule_named(plant: Plant) -> None:
    plant.deploy(process(start(), approve("a", excludes="=[requester]"), end(), flows="s > a > e"))
    task = plant.task(plant.start(requester="max"))
    with pytest.raises(RuleViolation) as refused:
        plant.decide(task, "approve", by="max")
    assert (refused.value.http_status, refused.value.code) == (403, "SOD-1")
    assert task.notes[0].startswith("Max Test was skipped (SOD-1)")
    plant.staff.deputies["bea"] = ["max"]
    with pytest.raises(RuleViolation):
        plant.decide(task, "approve", by="bea")
    plant.decide(task, "approve", by="lena")


def test_the_guards_word_bars_and_the_attempt_is_kept(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    plant.guard.barred["max"] = "max is the buyer"
    with pytest.raises(RuleViolation, match="max is the buyer"):
        plant.decide(task, "approve")
    with plant.reading() as session:
        [kept] = session.scalars(select(AuditEvent).where(AuditEvent.action == "REFUSED"))
        assert (kept.actor, kept.field) == ("user:max", "SOD-2")


def test_the_guard_keeps_one_verdict_back_and_no_other(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    plant.guard.kept_back["approve"] = "line 2 is not"
    with pytest.raises(RuleViolation, match="Expected everything to be viewed, but line 2 is not"):
        plant.decide(task, "approve", reason="I read it all")
    with plant.reading() as session:
        assert session.scalars(select(Decision)).all() == []
        draft = tasks.draft_of(session, task.id, "max")
        assert draft is not None
        assert (draft.reason, draft.kept_because) == (
            "I read it all",
            "Expected everything to be viewed, but line 2 is not",
        )
    assert plant.decide(task, "reject", reason="Not like this").verdict == "reject"


def test_a_deputy_decides_on_behalf_of_the_absent(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    plant.staff.deputies["bea"] = ["lena"]
    with plant.reading() as session:
        [reason] = tasks.why_me(session, task, "bea", now=plant.clock())
    assert reason.sentence == "You are the deputy of Lena Test, who is PUR_MGR."
    decision = plant.decide(task, "approve", by="bea")
    assert (decision.actor_id, decision.on_behalf_of_id, decision.role) == ("bea", "lena", "PUR_MGR")


def test_a_task_that_wants_a_signature_is_not_decided_without_one(plant: Plant) -> None:
    plant.deploy(process(start(), approve("a", signature="APPROVED"), end(), flows="s > a > e"))
    task = plant.task(plant.start())
    with pytest.raises(Forbidden, match="APPROVED"):
        plant.decide(task, "approve")
    with pytest.raises(Forbidden, match="password"):
        plant.decide(task, "approve", signature=SignatureRequest("APPROVED", "wrong"))
    with plant.reading() as session:
        assert decisions.of_instance(session, task.instance_id) == []
    decision = plant.decide(task, "approve", signature=SignatureRequest("APPROVED", "xam"))
    assert (decision.method, decision.meaning) == ("signature", "APPROVED")
    assert plant.notary.signed == [("max", "APPROVED")]


def test_a_decision_is_judged_by_the_guard_like_a_record(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    plant.decide(task, "approve")
    assert [edit.record_type for edit in plant.guard.edits] == ["decision"]


def test_nobody_eligible_is_an_incident_with_the_reason_and_a_retry_finds_the_new_one(plant: Plant) -> None:
    plant.staff.gone |= {"max", "lena"}
    plant.deploy(TWO_STEPS)
    instance_id = plant.start(number="PR-1", total=1, supplier="x")
    with plant.reading() as session:
        sentence = instances.wait_sentence(session, instances.find(session, instance_id))
        token = tasks.of_instance(session, instance_id)[0].token_id
    assert "among role:PUR_MGR, but there is nobody" in sentence
    with plant.acting("adam") as act:
        assert instances.retry(act, instance_id, token).outcome == "FAILED_AGAIN"
    plant.staff.gone.clear()
    with plant.acting("adam") as act:
        assert instances.retry(act, instance_id, token).outcome == "ADVANCED"
    assert plant.instance(instance_id).incidents == 0


def test_a_late_submit_is_refused_with_the_code_of_the_timer(plant: Plant) -> None:
    plant.deploy(
        process(
            start(),
            approve("a"),
            boundary("late", "a", timer("duration", "P30D"), extensions=properties(code="APPROVAL_EXPIRED")).replace(
                'id="late"', 'id="late" name="Approval expired"'
            ),
            end("expired"),
            end(),
            flows="s > a > e\nlate > expired",
        )
    )
    task = plant.task(plant.start())
    plant.clock.advance(days=30, minutes=1)
    with pytest.raises(Conflict, match="Approval expired at") as refused:
        plant.decide(task, "approve", reason="at last")
    assert refused.value.code == "APPROVAL_EXPIRED"
    assert plant.ended(task.instance_id) == "expired"
    assert plant.reread(task).state == TaskState.CANCELLED
    with plant.reading() as session:
        kept = drafts.draft_of(session, task.id, "max")
        assert kept is not None
        assert kept.reason == "at last"


def test_an_escalated_task_refuses_the_former_level_and_says_when(plant: Plant) -> None:
    late = boundary(
        "late", "a", timer("duration", "PT2H"), interrupting=False, extensions=properties(escalateTo='=["OPS_DIR"]')
    )
    plant.deploy(process(start(), approve("a"), late, end("told"), end(), flows="s > a > e\nlate > told"))
    task = plant.task(plant.start())
    plant.clock.advance(hours=2, minutes=2)
    with pytest.raises(Conflict, match="escalated to OPS_DIR at 17:02"):
        plant.decide(task, "approve", reason="so sorry")
    with plant.reading() as session:
        assert decisions.of_instance(session, task.instance_id) == []
        kept = drafts.draft_of(session, task.id, "max")
        assert kept is not None
    plant.decide(plant.reread(task), "approve", by="olga")
    assert plant.instance(task.instance_id).status == InstanceStatus.COMPLETED


def test_an_escalation_to_nobody_leaves_the_task_where_it_is(plant: Plant) -> None:
    late = boundary("late", "a", timer("duration", "PT2H"), interrupting=False, extensions=properties(escalateTo="=[]"))
    plant.deploy(process(start(), approve("a"), late, end("told"), end(), flows="s > a > e\nlate > told"))
    task = plant.task(plant.start())
    plant.clock.advance(hours=3)
    plant.decide(task, "approve")
    assert plant.ended(task.instance_id) == "e"


def test_a_deadline_may_add_the_next_level_instead(plant: Plant) -> None:
    late = boundary(
        "late", "a", timer("duration", "PT2H"), interrupting=False, extensions=properties(escalateTo='=["OPS_DIR"]')
    )
    model = process(
        start(), approve("a", deadlinePolicy="add"), late, end("told"), end(), flows="s > a > e\nlate > told"
    )
    plant.deploy(model)
    instance_id = plant.start()
    plant.clock.advance(hours=3)
    with pytest.raises(Conflict, match="as you saw it"):
        plant.decide(plant.task(instance_id), "approve")
    plant.decide(plant.task(instance_id), "approve", by="max")


def test_starting_and_completing_a_simple_task_take_at_most_eight_statements_and_a_verdict_one_more(
    plant: Plant,
) -> None:
    plant.deploy(process(start(), work("a"), work("b"), approve("c"), end(), flows="s > a > b > c > e"))
    plant.complete(plant.task(plant.start("warm")), note="warm")
    counted = plant.installation.database
    with statements(counted) as started:
        instance_id = plant.start()
    task = plant.task(instance_id)
    with statements(counted) as completed:
        plant.complete(task, note="counted", quantity=5)
    plant.complete(plant.task(instance_id))
    task = plant.task(instance_id)
    with statements(counted) as decided:
        plant.decide(task, "approve")
    for most, sent in ((8, started), (8, completed), (9, decided)):
        assert len(sent) <= most, "\n".join(sent)
        assert sum(one.startswith(("UPDATE instance", "INSERT INTO instance")) for one in sent) == 1


def _decide_and_crash(plant: Plant, task: Task) -> None:
    with plant.acting() as act:
        tasks.decide(act, task.id, "approve", seen_version=task.version)
        act.session.flush()
        raise ZeroDivisionError


def test_a_crash_leaves_no_trace_and_a_repeat_succeeds(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    with pytest.raises(ZeroDivisionError):
        _decide_and_crash(plant, task)
    assert plant.reread(task).state == TaskState.OPEN
    with plant.reading() as session:
        assert [row.action for row in chain_of(session, "instance", task.instance_id)][-1] == "TASK_OPENED"
    plant.decide(task, "approve")


def test_too_much_typed_text_is_refused_clearly(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    with pytest.raises(Invalid, match="20,000"):
        plant.decide(task, "approve", reason="x" * 10_000_000)
    with pytest.raises(Invalid, match="bytes"):
        plant.decide(task, "approve", variables={"note": "x" * 10_000_000})
    with pytest.raises(Invalid, match="name"):
        plant.decide(task, "approve", variables={"": 1})
    plant.decide(task, "approve")


def test_a_draft_is_kept_while_somebody_types(opened: tuple[Plant, Task]) -> None:
    plant, task = opened
    for text in ("I thi", "I think"):
        with plant.acting("lena") as act:
            tasks.save_draft(act, task.id, reason=text, variables={"quantity": "5"})
    with plant.reading() as session:
        kept = tasks.draft_of(session, task.id, "lena")
        assert kept is not None
        assert (kept.reason, kept.variables, kept.kept_because) == ("I think", {"quantity": "5"}, None)
