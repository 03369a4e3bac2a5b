"""The laws of the linter: each says something about the drawing that breaks it, and nothing about the one that keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from engine.lint import Advice, Material, Severity, advise
from engine.lint.handlers import names_given_back, of_function
from engine.registry import Registry
from engine.spiff.elements import ProcessInfo
from tests.engine.lint.drawing import draw, extension

FOR_MAX = '<zeebe:assignmentDefinition assignee="max"/>'
DUE = '<zeebe:taskSchedule dueDate="=now()"/>'
TIMER = "<bpmn:timerEventDefinition><bpmn:timeDuration>PT1H</bpmn:timeDuration></bpmn:timerEventDefinition>"


def laws_broken(*processes: ProcessInfo, **material: Any) -> list[str]:
    return [advice.law for advice in advise(Material(processes, **material))]


def only(found: Sequence[Advice]) -> Advice:
    [advice] = found
    return advice


def user_task(*extensions: str) -> ProcessInfo:
    return draw(
        {"start": "startEvent", "ask": "userTask", "end": "endEvent"},
        ["start>ask", "ask>end"],
        inside={"ask": extension(*extensions)},
    )


def test_a_plain_flow_is_left_alone() -> None:
    assert laws_broken(user_task(FOR_MAX, DUE)) == []


def test_a_task_for_nobody_is_refused() -> None:
    assert laws_broken(user_task(DUE)) == ["a_task_is_for_somebody"]


def test_a_signature_without_a_document_is_refused() -> None:
    def signed(*names: str) -> str:
        rows = "".join(f'<zeebe:property name="{name}" value="=1" />' for name in names)
        return f"<zeebe:properties>{rows}</zeebe:properties>"

    assert laws_broken(user_task(FOR_MAX, DUE, signed("signature"))) == ["a_signature_signs_a_document"]
    assert laws_broken(user_task(FOR_MAX, DUE, signed("signature", "record"))) == []


def test_a_task_without_a_deadline_is_doubted() -> None:
    advice = only(advise(Material([user_task(FOR_MAX)])))
    assert (advice.law, advice.severity) == ("a_task_has_a_deadline", Severity.WARNING)


def test_a_timer_on_the_task_is_a_deadline() -> None:
    process = draw(
        {
            "start": "startEvent",
            "ask": "userTask",
            "late": 'boundaryEvent attachedToRef="ask"',
            "end": "endEvent",
            "too_late": "endEvent",
        },
        ["start>ask", "ask>end", "late>too_late"],
        inside={"ask": extension(FOR_MAX), "late": TIMER},
    )
    assert laws_broken(process) == []


def test_an_unknown_role_is_doubted() -> None:
    process = user_task('<zeebe:assignmentDefinition candidateGroups="PUR_LEAD, PUR_LAED@4711"/>', DUE)
    advice = only(advise(Material([process], roles={"PUR_LEAD"})))
    assert advice.law == "a_role_is_known"
    assert "PUR_LAED" in advice.message


MESSAGE = '<bpmn:messageEventDefinition messageRef="answered"/>'


def test_a_wait_for_a_message_needs_a_way_out() -> None:
    process = draw(
        {"start": "startEvent", "wait": "intermediateCatchEvent", "end": "endEvent"},
        ["start>wait", "wait>end"],
        inside={"wait": MESSAGE},
        messages={"answered": "=number"},
        variables="number",
    )
    advice = only(advise(Material([process])))
    assert (advice.law, advice.severity) == ("a_message_wait_has_a_way_out", Severity.WARNING)


def test_a_message_that_races_a_timer_has_a_way_out() -> None:
    process = draw(
        {
            "start": "startEvent",
            "race": "eventBasedGateway",
            "wait": "intermediateCatchEvent",
            "late": "intermediateCatchEvent",
            "end": "endEvent",
            "too_late": "endEvent",
        },
        ["start>race", "race>wait", "race>late", "wait>end", "late>too_late"],
        inside={"wait": MESSAGE, "late": TIMER},
        messages={"answered": "=number"},
        variables="number",
    )
    assert laws_broken(process) == []


def exclusive_into_parallel(join: str = "parallelGateway") -> ProcessInfo:
    return draw(
        {
            "start": "startEvent",
            "is_it_big": 'exclusiveGateway name="Is it big?"',
            "pack": "task",
            "crate": "task",
            "both_done": join,
            "end": "endEvent",
        },
        [
            "start>is_it_big",
            "is_it_big>pack =size &lt; 5",
            "is_it_big>crate =size >= 5",
            "pack>both_done",
            "crate>both_done",
            "both_done>end",
        ],
        variables="size",
    )


def test_an_exclusive_split_into_a_parallel_join_shows_the_path_that_hangs() -> None:
    advice = only(advise(Material([exclusive_into_parallel()])))
    assert (advice.law, advice.element_id) == ("a_join_gets_all_it_waits_for", "both_done")
    assert '"Is it big?" → pack → both_done' in advice.message
    assert "waits for ever for crate" in advice.message


def test_an_exclusive_split_into_an_exclusive_join_is_right() -> None:
    assert laws_broken(exclusive_into_parallel("exclusiveGateway")) == []


def test_a_parallel_branch_that_may_end_leaves_its_join_waiting() -> None:
    process = draw(
        {
            "start": "startEvent",
            "fork": "parallelGateway",
            "check": "exclusiveGateway",
            "work": "task",
            "join": "parallelGateway",
            "end": "endEvent",
            "stopped": "endEvent",
        },
        ["start>fork", "fork>check", "fork>work", "check>join =ok", "check>stopped =not(ok)", "work>join", "join>end"],
        variables="ok",
    )
    advice = only(advise(Material([process])))
    assert (advice.law, advice.element_id) == ("a_join_gets_all_it_waits_for", "join")
    assert "check → stopped" in advice.message


def test_a_branch_that_terminates_everything_leaves_nobody_waiting() -> None:
    process = draw(
        {
            "start": "startEvent",
            "fork": "parallelGateway",
            "check": "exclusiveGateway",
            "work": "task",
            "join": "parallelGateway",
            "end": "endEvent",
            "stopped": "endEvent",
        },
        ["start>fork", "fork>check", "fork>work", "check>join =ok", "check>stopped =not(ok)", "work>join", "join>end"],
        inside={"stopped": "<bpmn:terminateEventDefinition/>"},
        variables="ok",
    )
    assert laws_broken(process) == []


def test_a_choice_that_loops_back_may_still_reach_its_join() -> None:
    process = draw(
        {
            "start": "startEvent",
            "fork": "parallelGateway",
            "again": "exclusiveGateway",
            "try": "task",
            "ok": "exclusiveGateway",
            "work": "task",
            "join": "parallelGateway",
            "end": "endEvent",
        },
        [
            "start>fork",
            "fork>again",
            "again>try",
            "try>ok",
            "ok>join =fine",
            "ok>again =not(fine)",
            "fork>work",
            "work>join",
            "join>end",
        ],
        variables="fine",
    )
    assert laws_broken(process) == []


def test_an_interrupting_boundary_event_is_a_choice_too() -> None:
    process = draw(
        {
            "start": "startEvent",
            "ask": "userTask",
            "late": 'boundaryEvent attachedToRef="ask"',
            "join": "parallelGateway",
            "end": "endEvent",
        },
        ["start>ask", "ask>join", "late>join", "join>end"],
        inside={"ask": extension(FOR_MAX), "late": TIMER},
    )
    assert laws_broken(process) == ["a_join_gets_all_it_waits_for"]


def test_parallel_ways_that_meet_without_a_join_run_twice() -> None:
    process = draw(
        {
            "start": "startEvent",
            "fork": "parallelGateway",
            "one": "task",
            "two": "task",
            "meet": "exclusiveGateway",
            "send": "task",
            "end": "endEvent",
        },
        ["start>fork", "fork>one", "fork>two", "one>meet", "two>meet", "meet>send", "send>end"],
    )
    advice = only(advise(Material([process])))
    assert (advice.law, advice.element_id, advice.severity) == ("a_path_runs_once", "meet", Severity.WARNING)


def test_a_way_that_stops_without_an_end_is_doubted() -> None:
    assert laws_broken(draw({"start": "startEvent", "work": "task"}, ["start>work"])) == ["a_path_ends_at_an_end"]


def test_a_circle_without_a_way_out_is_refused() -> None:
    process = draw(
        {"start": "startEvent", "again": "exclusiveGateway", "work": "task"},
        ["start>again", "again>work", "work>again"],
    )
    assert laws_broken(process) == ["an_end_can_be_reached"]


def script(expression: str, result: str = "total") -> str:
    return extension(f'<zeebe:script expression="{expression}" resultVariable="{result}"/>')


def calculation(expression: str, variables: str = "") -> ProcessInfo:
    return draw(
        {"start": "startEvent", "add": "scriptTask", "end": "endEvent"},
        ["start>add", "add>end"],
        inside={"add": script(expression)},
        variables=variables,
    )


def test_a_name_that_nothing_gives_is_refused_with_the_nearest() -> None:
    advice = only(advise(Material([calculation("=quantity * prise", "quantity, price")])))
    assert (advice.law, advice.severity, advice.file, advice.element_id) == (
        "a_name_that_is_read_is_given",
        Severity.ERROR,
        "flow.bpmn",
        "add",
    )
    assert 'did you mean "price"?' in advice.message


def test_a_declared_name_is_given() -> None:
    assert laws_broken(calculation("=quantity * price", "quantity, price")) == []


def test_a_function_of_the_host_is_no_name() -> None:
    process = calculation("=add business days(today(), 2)")
    assert laws_broken(process, functions=["add business days"]) == []


def test_what_a_loop_names_is_unknown_outside_it() -> None:
    loop = (
        "<bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>"
        '<zeebe:loopCharacteristics inputCollection="=lines" inputElement="line" outputCollection="totals" outputElement="=total"/>'
        "</bpmn:extensionElements></bpmn:multiInstanceLoopCharacteristics>"
    )
    process = draw(
        {"start": "startEvent", "each": "scriptTask", "after": "scriptTask", "end": "endEvent"},
        ["start>each", "each>after", "after>end"],
        inside={"each": script("=line.price") + loop, "after": script("=count(totals) + line.price", "answer")},
        variables="lines",
    )
    advice = only(advise(Material([process])))
    assert (advice.element_id, '"line"' in advice.message) == ("after", True)


def test_output_mappings_hide_the_other_results() -> None:
    service = extension(
        '<zeebe:taskDefinition type="weigh"/><zeebe:ioMapping><zeebe:output source="=kilos" target="weight"/></zeebe:ioMapping>'
    )
    process = draw(
        {"start": "startEvent", "weigh": "serviceTask", "use": "scriptTask", "end": "endEvent"},
        ["start>weigh", "weigh>use", "use>end"],
        inside={"weigh": service, "use": script("=weight + kilos")},
    )
    advice = only(advise(Material([process], handlers={"weigh": {"kilos"}})))
    assert (advice.element_id, '"kilos"' in advice.message) == ("use", True)


def test_a_worker_outside_makes_an_unknown_name_doubtful_only() -> None:
    process = draw(
        {"start": "startEvent", "weigh": "serviceTask", "use": "scriptTask", "end": "endEvent"},
        ["start>weigh", "weigh>use", "use>end"],
        inside={"weigh": extension('<zeebe:taskDefinition type="weigh"/>'), "use": script("=kilos")},
    )
    found = {advice.law: advice.severity for advice in advise(Material([process]))}
    assert found == {"a_job_is_served": Severity.WARNING, "a_name_that_is_read_is_given": Severity.WARNING}


def test_a_form_gives_its_fields() -> None:
    form = '<zeebe:formDefinition formId="question"/>'
    process = draw(
        {"start": "startEvent", "ask": "userTask", "use": "scriptTask", "end": "endEvent"},
        ["start>ask", "ask>use", "use>end"],
        inside={"ask": extension(FOR_MAX, DUE, form), "use": script("=answer")},
    )
    assert laws_broken(process, form_fields={"question": ["answer"]}) == []
    assert laws_broken(process, form_fields={}) == ["a_name_that_is_read_is_given"]


def business_rule(decision: str) -> ProcessInfo:
    return draw(
        {"start": "startEvent", "weigh": "businessRuleTask", "end": "endEvent"},
        ["start>weigh", "weigh>end"],
        inside={"weigh": extension(f'<zeebe:calledDecision decisionId="{decision}" resultVariable="plan"/>')},
        variables="amount",
    )


def test_a_decision_needs_its_inputs() -> None:
    assert laws_broken(business_rule("matrix"), decisions={"matrix": ["amount"]}) == []
    assert laws_broken(business_rule("matrix"), decisions={"matrix": ["amont"]}) == ["a_decision_finds_its_inputs"]


def call(process_id: str) -> ProcessInfo:
    return draw(
        {"start": "startEvent", "go": "callActivity", "use": "scriptTask", "end": "endEvent"},
        ["start>go", "go>use", "use>end"],
        inside={
            "go": extension(f'<zeebe:calledElement processId="{process_id}"/>'),
            "use": script("=total + base", "sum"),
        },
        variables="base",
        process_id="caller",
    )


def test_a_called_process_knows_its_caller_and_gives_back_its_results() -> None:
    assert laws_broken(call("flow"), calculation("=base * 2")) == []


def _plain(act: Any, work: Any) -> Mapping[str, Any] | None:
    if work.get("stop"):
        return None
    answer: dict[str, Any] = {"weight": 1}
    answer["unit"] = "kg"
    return answer


def _through_another(act: Any, work: Any) -> Mapping[str, Any]:
    return {**_inner(), "also": True}


def _inner() -> dict[str, int]:
    return {"within": 1} if True else {"otherwise": 2}


def _untold(act: Any, work: Any) -> Mapping[str, Any]:
    return dict(zip("ab", (1, 2), strict=True))


@pytest.mark.parametrize(
    ("function", "names"),
    [(_plain, {"weight", "unit"}), (_through_another, {"within", "otherwise", "also"}), (_untold, None)],
)
def test_what_a_function_gives_back_is_read_from_its_source(function: Any, names: set[str] | None) -> None:
    assert of_function(function) == names


def test_every_kind_of_handler_is_asked() -> None:
    registry = Registry()
    registry.step("a")(_plain)
    registry.job("b")(_untold)
    assert names_given_back(registry) == {"a": {"weight", "unit"}, "b": None}
