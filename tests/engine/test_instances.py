"""Instances: what a step may do, what becomes an incident, what a retry says, what nothing can wake."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from engine import definitions, incidents, instances, modifying, motion, retrying, tasks
from engine.act import Act
from engine.audit import chain_of
from engine.bpmn import BpmnError
from engine.decisions import DecisionEvaluation, of_instance
from engine.errors import Conflict, Effect, Finding, Invalid, NotFound, RuleViolation
from engine.modifying import EditKind, TokenEdit
from engine.registry import Work
from engine.stored.definition import Definition
from engine.stored.instance import Instance, InstanceRecord, InstanceStatus
from engine.stored.task import TaskState
from engine.stored.wait import Timer
from tests.engine.plant import Plant, approve, statements, work
from tests.engine.spiff.diagrams import (
    boundary,
    diagram,
    end,
    message,
    node,
    on,
    process,
    properties,
    script,
    service,
    start,
    timer,
    user,
    when,
)
from tests.engine.spiff.proofs import proves

ONE_TASK = process(start(), work("a"), end(), flows="s > a > e")
WITH_STEP = process(start(), approve("a"), service("book"), work("b"), end(), flows="s > a > book > b > e")
CAUGHT = process(
    start(),
    approve("a"),
    service("book"),
    boundary("over", "book", on("error", "over_budget")),
    end("refused"),
    end(),
    flows="s > a > book > e\nover > refused",
)
OVER = '<bpmn:error id="over_budget" errorCode="CON-07" />'
TABLE = b"""<?xml version="1.0"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="plan" namespace="lockstep">
 <decision id="plan" name="plan"><variable name="plan" typeRef="string"/>
  <informationRequirement><requiredInput href="#total_in"/></informationRequirement>
  <decisionTable hitPolicy="UNIQUE">
   <input id="i"><inputExpression typeRef="number"><text>total</text></inputExpression></input>
   <output id="o" typeRef="string"/>
   <rule id="r1"><inputEntry><text>&lt; 1000</text></inputEntry><outputEntry><text>"none"</text></outputEntry></rule>
   <rule id="r2"><inputEntry><text>&gt;= 1000</text></inputEntry><outputEntry><text>"manager"</text></outputEntry></rule>
  </decisionTable></decision>
 <inputData id="total_in" name="total"><variable name="total" typeRef="number"/></inputData>
</definitions>"""
RULE = node("businessRuleTask", "ask", extensions='<zeebe:calledDecision decisionId="plan" resultVariable="plan" />')


def test_a_business_key_runs_once_at_a_time(plant: Plant) -> None:
    plant.deploy(ONE_TASK)
    instance_id = plant.start("PR-1")
    with pytest.raises(Conflict, match="PR-1"):
        plant.start("PR-1")
    plant.complete(plant.task(instance_id))
    plant.start("PR-1")


def test_what_is_not_deployed_does_not_start(plant: Plant) -> None:
    with plant.acting() as act, pytest.raises(NotFound, match="deploy it first"):
        instances.start(act, "nothing", business_key="K")


def test_a_cancelled_instance_leaves_no_task_behind(plant: Plant) -> None:
    plant.deploy(ONE_TASK)
    instance_id = plant.start()
    task = plant.task(instance_id)
    with plant.acting("rita") as act:
        instances.cancel(act, instance_id, "not needed any more")
    closed = plant.reread(task)
    assert (closed.state, closed.closed_why) == (TaskState.CANCELLED, "cancelled: not needed any more")
    with pytest.raises(Conflict, match="not needed any more"):
        plant.complete(task)
    with plant.acting("rita") as act, pytest.raises(Conflict, match="CANCELLED"):
        instances.cancel(act, instance_id, "again")


def test_an_instance_knows_the_documents_that_it_is_about(plant: Plant) -> None:
    plant.deploy(ONE_TASK)
    with plant.acting() as act:
        found = instances.start(act, "p", business_key="K", records=[("requisition", "R-1")])
        instances.link_record(act, found.id, "requisition", "R-1")
        instances.link_record(act, found.id, "purchase_order", "PO-1")
    with plant.reading() as session:
        assert [row.id for row in instances.instances_of(session, "purchase_order", "PO-1")] == [found.id]
        assert instances.records_of(session, found.id) == [("requisition", "R-1"), ("purchase_order", "PO-1")]


def test_a_step_runs_in_the_act_of_the_person_and_returns_variables(plant: Plant) -> None:
    seen: list[Any] = []

    @plant.registry.step("book")
    def book(act: Act, work: Work) -> dict[str, Any]:
        seen.append((act.actor, work["total"], work.element_id))
        return {"number": "PO-7", "gross": work["total"] * 2}

    plant.deploy(WITH_STEP)
    instance_id = plant.start(total=Decimal("12.50"))
    plant.decide(plant.task(instance_id), "approve")
    assert seen == [("user:max", Decimal("12.50"), "book")]
    assert plant.variables(instance_id)["gross"] == Decimal("25.00")


def test_a_refusal_inside_a_step_is_an_incident_and_the_decision_stays(plant: Plant) -> None:
    allowed: list[bool] = []

    @plant.registry.step("book")
    def book(act: Act, work: Work) -> None:
        assert work.instance is not None
        act.session.add(InstanceRecord(instance_id=work.instance.id, record_type="x", record_id="1"))
        act.session.flush()
        if not allowed:
            raise RuleViolation([Finding("CON-07", Effect.BLOCK, "Expected budget, but 350.00 is missing.")])

    plant.deploy(WITH_STEP)
    instance_id = plant.start()
    plant.decide(plant.task(instance_id), "approve")
    with plant.reading() as session:
        [found] = incidents.of_instance(session, instance_id)
        assert "350.00 is missing" in found.message
        assert len(of_instance(session, instance_id)) == 1
        assert instances.records_of(session, instance_id) == []
        assert instances.wait_sentence(session, instances.find(session, instance_id)).startswith("Stuck for 1 min")
    answers = retrying.retry_all(plant.installation, "user:adam", [found.id])
    assert [answer.outcome for answer in answers] == ["FAILED_AGAIN"]
    allowed.append(True)
    answers = retrying.retry_all(plant.installation, "user:adam", [found.id, found.id])
    assert [answer.outcome for answer in answers] == ["ADVANCED", "NOTHING_TO_DO"]
    assert plant.task(instance_id).element_id == "b"
    assert plant.instance(instance_id).incidents == 0
    with plant.reading() as session:
        assert instances.records_of(session, instance_id) == [("x", "1")]
        story = [row.action for row in chain_of(session, "instance", instance_id)]
    assert story.count("INCIDENT_AGAIN") == 1
    assert story[-2:] == ["INCIDENT_RESOLVED", "TASK_OPENED"]


def test_a_refusal_that_the_diagram_catches_by_its_rule_goes_its_way(plant: Plant) -> None:
    @plant.registry.step("book")
    def book(act: Act, work: Work) -> None:
        raise RuleViolation([Finding("CON-07", Effect.BLOCK, "Expected budget, but there is none.")])

    plant.deploy(CAUGHT, definitions_xml=OVER)
    instance_id = plant.start()
    plant.decide(plant.task(instance_id), "approve")
    assert plant.ended(instance_id) == "refused"


def test_a_business_error_of_a_step_is_caught_by_its_code(plant: Plant) -> None:
    @plant.registry.step("book")
    def book(act: Act, work: Work) -> None:
        raise BpmnError("CON-07", "no budget", {"missing": 350})

    plant.deploy(CAUGHT, definitions_xml=OVER)
    instance_id = plant.start()
    plant.decide(plant.task(instance_id), "approve")
    assert plant.ended(instance_id) == "refused"
    assert plant.variables(instance_id)["missing"] == 350


def test_a_bug_in_a_step_rolls_the_whole_act_back_and_hides_nothing(plant: Plant) -> None:
    @plant.registry.step("book")
    def book(act: Act, work: Work) -> None:
        raise ZeroDivisionError("a bug")

    plant.deploy(WITH_STEP)
    instance_id = plant.start()
    task = plant.task(instance_id)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        plant.decide(task, "approve")
    assert plant.task(instance_id).version == task.version
    with plant.reading() as session:
        assert of_instance(session, instance_id) == []


def test_an_expression_that_fails_leaves_its_token_and_the_act_commits(plant: Plant) -> None:
    gate = node("exclusiveGateway", "big")
    flows = "s > a > big\nbig -[=total > limit]-> e\nbig -[=total <= limit]-> f"
    plant.deploy(process(start(), approve("a"), gate, end(), end("f"), flows=flows))
    instance_id = plant.start(total=5)
    plant.decide(plant.task(instance_id), "approve")
    with plant.reading() as session:
        [found] = incidents.of_instance(session, instance_id)
        assert found.element_id == "big"
        assert len(of_instance(session, instance_id)) == 1
        assert [token.kind for token in instances.live_tokens(session, instances.find(session, instance_id))] == [
            "incident"
        ]


@proves("business rule: a table is asked in the act")
def test_a_table_answers_and_what_it_saw_is_kept(plant: Plant) -> None:
    plant.deploy(process(start(), RULE, work("a"), end(), flows="s > ask > a > e"), plan__dmn=TABLE)
    instance_id = plant.start(total=Decimal("1000.00"))
    known = plant.variables(instance_id)
    assert (known["plan"], known["planRows"]) == ("manager", [2])
    with plant.reading() as session:
        [kept] = session.scalars(select(DecisionEvaluation))
        assert (kept.rows, kept.inputs, kept.output) == ([2], {"total": "1000.00"}, ["manager"])
        definition = session.get_one(Definition, plant.instance(instance_id).definition_id)
        assert definitions.evaluate(session, definition, "plan", {"total": 1}).value == "none"


@proves("step budget: a circle of empty tasks ends in an incident")
def test_a_circle_of_empty_tasks_keeps_the_decision_that_led_into_it(small_plant: Plant) -> None:
    gate = node("exclusiveGateway", "g", default="g_t")
    parts = (start(), work("a"), node("task", "t"), gate, end())
    small_plant.deploy(process(*parts, flows="s > a > t > g\ng -[=stop = true]-> e\ng > t"))
    instance_id = small_plant.start(stop=False)
    task = small_plant.task(instance_id)
    small_plant.complete(task)
    with small_plant.reading() as session:
        [found] = incidents.of_instance(session, instance_id)
        assert tasks.find(session, task.id).state == TaskState.COMPLETED
    assert (found.cause, "a loop without a wait never ends" in found.message) == ("moves", True)


def test_an_instance_that_nothing_can_wake_is_an_incident(plant: Plant) -> None:
    never = node("intermediateCatchEvent", "never", when("=ready = true"))
    plant.deploy(process(start(), never, end(), flows="s > never > e"))
    instance_id = plant.start()
    with plant.reading() as session:
        [found] = incidents.of_instance(session, instance_id)
    assert found.cause == "watchdog"
    assert "nothing can wake it" in found.message


def test_what_an_expression_makes_too_long_for_a_row_never_breaks_the_act(plant: Plant) -> None:
    long = "x" * 12_000
    words = properties(title="=v", party="=v", project="=v")
    about = f'<zeebe:assignmentDefinition candidateGroups="PUR_MGR" />{words}<zeebe:priorityDefinition priority="=n" />'
    plant.deploy(process(start(), user("a", extensions=about), end(), flows="s > a > e"))
    shown = plant.task(plant.start("A", v=long, n=10**30))
    assert (len(shown.title), len(shown.party or ""), shown.priority) == (500, 500, 1_000_000)
    for number, (parts, value, why) in enumerate(
        (
            ([user("a", extensions='<zeebe:assignmentDefinition candidateGroups="=v" />')], long, "at most 200"),
            ([user("a", extensions='<zeebe:assignmentDefinition candidateUsers="=v" />')], {"id": [7]}, "is {id: [7]}"),
            ([service("a", type="=v")], long, "a job type of at most 200 readable characters"),
            ([node("receiveTask", "a", messageRef="m")], long, "a correlation key of at most 500"),
            ([node("receiveTask", "a", messageRef="m")], [1, "x"], 'but it is [1, "x"]'),
            (
                [node("serviceTask", "a", extensions='<zeebe:taskDefinition type="t" retries="=v" />')],
                10**30,
                "0 to 1,000",
            ),
        )
    ):
        plant.deploy(process(start(), *parts, end(), flows="s > a > e"), definitions_xml=message("m", "go", "=v"))
        stuck = plant.start(f"B-{number}", v=value)
        with plant.reading() as session:
            assert [why in one.message for one in incidents.of_instance(session, stuck)] == [True]


def test_a_task_whose_expression_fails_is_an_incident_that_a_retry_reports_honestly(plant: Plant) -> None:
    spec = '<zeebe:assignmentDefinition candidateGroups="PUR_MGR" /><zeebe:taskSchedule dueDate="=when" />'
    plant.deploy(process(start(), user("a", extensions=spec), end(), flows="s > a > e"))
    instance_id = plant.start(when="tomorrow")
    with plant.reading() as session:
        [found] = incidents.of_instance(session, instance_id)
    assert found.cause == "candidates"
    [answer] = retrying.retry_all(plant.installation, "user:adam", [found.id])
    assert answer.outcome == "FAILED_AGAIN"
    assert plant.open(instance_id) == []
    # Whoever gives the value and begins the step anew has mended it: nothing is left to try again.
    anew, given = [TokenEdit(EditKind.MOVE, found.token_id, "a")], {"when": "2027-01-01T10:00:00Z"}
    with plant.acting("pat") as act:
        seen = modifying.hash_of(act.session, instances.find(act.session, instance_id), anew, given)
        modifying.apply(act, instance_id, anew, reason="the day was a word", values=given, seen_hash=seen)
    assert [task.element_id for task in plant.open(instance_id)] == ["a"]
    assert plant.instance(instance_id).incidents == 0


def test_deploying_the_same_content_again_makes_no_version(plant: Plant) -> None:
    first = plant.deploy(ONE_TASK)
    assert plant.deploy(ONE_TASK) == first
    with plant.acting("pat") as act:
        unix = {"p.bpmn": diagram(ONE_TASK)}
        dos = {"p.bpmn": unix["p.bpmn"].replace(b"\n", b"\r\n")}
        assert definitions.deploy(act, dos).id == first


@pytest.mark.part11("11.10(k)")
def test_a_running_instance_keeps_its_definition_and_the_next_takes_the_new_one(plant: Plant) -> None:
    plant.deploy(ONE_TASK)
    old = plant.start("OLD")
    plant.deploy(process(start(), work("a"), work("extra"), end(), flows="s > a > extra > e"))
    new = plant.start("NEW")
    plant.complete(plant.task(old))
    plant.complete(plant.task(new))
    assert plant.ended(old) == "e"
    assert plant.task(new).element_id == "extra"


def test_what_cannot_run_is_refused_with_every_file_and_line(small_plant: Plant) -> None:
    broken = diagram(
        process(
            start(),
            node("userTask", "a", extensions='<zeebe:formDefinition formId="missing" /><zeebe:userTask />'),
            node("scriptTask", "b", "<bpmn:script>__import__('os')</bpmn:script>"),
            end(),
            flows="s > a > b > e",
        )
    )
    with small_plant.acting("pat") as act, pytest.raises(Invalid) as refused:
        definitions.deploy(act, {"p.bpmn": broken, "bad.form": b"{", "bad.dmn": b"<x/>"})
    text = refused.value.message
    for expected in ("p.bpmn:", "bad.form:1", "bad.dmn:1", "zeebe:script"):
        assert expected in text
    sound = diagram(
        process(
            start(),
            node("userTask", "a", extensions='<zeebe:userTask /><zeebe:formDefinition formId="m" />'),
            end(),
            flows="s > a > e",
        )
    )
    [problem] = definitions.check({"p.bpmn": sound})
    assert (problem.element_id, problem.remedy) == ("a", "Add p.m.form, or correct the form id.")


def test_a_script_is_feel_and_works_on_variables(plant: Plant) -> None:
    plant.deploy(process(start(), script("sum", "=a + b", "total"), work("w"), end(), flows="s > sum > w > e"))
    assert plant.variables(plant.start(a=1, b=2))["total"] == 3


def test_a_large_variable_is_read_only_when_somebody_looks_at_it_and_written_only_when_it_changed(plant: Plant) -> None:
    look = script("look", "=string length(note)", "n")
    plant.deploy(process(start(), *map(work, "abcd"), look, end(), flows="s > a > b > look > c > d > e"))
    text, longer = "x" * 2_000, "y" * 100_000
    instance_id = plant.start(note=text, other=longer)

    def complete(**variables: Any) -> list[str]:
        with statements(plant.installation.database) as sent:
            plant.complete(plant.task(instance_id), **variables)
        return [one.split()[0] for one in sent if re.search(r"(FROM|INTO) variable\b", one)]

    assert complete(small="y", other=longer) == []
    assert complete() == ["SELECT"]
    assert plant.variables(instance_id) == {"n": 2000, "note": text, "other": longer, "small": "y"}
    assert plant.instance(instance_id).large_variables == 2
    assert complete(note="short") == ["DELETE"]
    assert plant.variables(instance_id)["note"] == "short"
    assert plant.instance(instance_id).large_variables == 1
    assert complete(other=text) == ["DELETE", "INSERT"]


def test_variables_that_were_stored_before_scopes_had_bytes_of_their_own_are_read_and_stored_anew(plant: Plant) -> None:
    plant.deploy(process(start(), work("a"), work("b"), end(), flows="s > a > b > e"))
    instance_id = plant.start(note="x" * 2_000, small="y")
    older = b'[[0,"small",3]]\n"y"'
    with plant.acting("rita") as act:
        act.session.get_one(Instance, instance_id).variables = older
    assert plant.variables(instance_id) == {"note": "x" * 2_000, "small": "y"}
    plant.complete(plant.task(instance_id), more=1)
    assert plant.instance(instance_id).variables != older
    assert plant.variables(instance_id) == {"more": 1, "note": "x" * 2_000, "small": "y"}
    assert plant.instance(instance_id).large_variables == 1


def test_a_large_variable_that_changed_since_its_instance_was_read_is_not_taken_for_what_it_was(plant: Plant) -> None:
    plant.deploy(process(start(), work("a"), end(), flows="s > a > e"))
    instance_id = plant.start(note="x" * 2_000)
    with plant.reading() as session:
        held = instances.find(session, instance_id)
        session.commit()
        plant.complete(plant.task(instance_id), note="y" * 2_000)
        with pytest.raises(Conflict, match="went on meanwhile"):
            instances.variables_of(session, held.id)


def test_a_timer_row_stands_for_every_waiting_timer_and_goes_with_it(plant: Plant) -> None:
    late = boundary("late", "a", timer("duration", "PT1H"))
    plant.deploy(process(start(), work("a"), late, end("x"), end(), flows="s > a > e\nlate > x"))
    instance_id = plant.start()
    with plant.reading() as session:
        [row] = session.scalars(select(Timer))
        assert row.due_at == plant.instance(instance_id).wake_at
    plant.complete(plant.task(instance_id))
    with plant.reading() as session:
        assert list(session.scalars(select(Timer))) == []
    assert plant.instance(instance_id).status == InstanceStatus.COMPLETED
    with plant.reading() as session:
        assert tasks.of_instance(session, instance_id)[0].state == TaskState.COMPLETED


def test_what_goes_wrong_in_a_flush_of_a_moving_instance_is_not_hidden(plant: Plant) -> None:
    plant.deploy(process(start(), user("a"), end(), flows="s > a > e"))
    instance_id = plant.start()

    def link_twice() -> None:
        with plant.acting("bea") as act, motion.moving(act, motion.lock(act, instance_id)):
            twice = {"instance_id": instance_id, "record_type": "try", "record_id": "1"}
            act.session.add_all([InstanceRecord(**twice), InstanceRecord(**twice)])
            act.session.flush()

    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        link_twice()
