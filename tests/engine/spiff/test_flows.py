"""Tasks, gateways and containers: what each element does, kept in memory and stored after every command."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.spiff import PENDING, BpmnError, NotWaiting, WorkFailed
from tests.engine.spiff.conftest import Tell
from tests.engine.spiff.diagrams import (
    call,
    each,
    end,
    io,
    node,
    process,
    properties,
    script,
    service,
    start,
    sub,
    user,
)
from tests.engine.spiff.proofs import proves
from tests.engine.spiff.story import House, bundle_of


def test_user_tasks_follow_each_other(tell: Tell) -> None:
    story = tell(bundle_of(start(), user("a"), user("b"), end(), flows="s > a > b > e"), x=1)
    assert story.waiting("task") == ["a"]
    story.complete("a", y="text")
    assert story.waiting("task") == ["b"]
    story.complete("b")
    assert story.ended_at("e")
    assert story.left() == ["s", "a", "b", "e"]
    assert story.variables == {"x": Decimal(1), "y": "text"}
    assert story.flow.outcome == "completed"


@proves("zeebe:userTask")
def test_a_user_task_without_the_zeebe_element_is_a_human_task_too(tell: Tell) -> None:
    story = tell(bundle_of(start(), node("userTask", "a"), end(), flows="s > a > e"))
    assert story.waiting("task") == ["a"]


def test_tasks_and_manual_tasks_pass_through(tell: Tell) -> None:
    story = tell(bundle_of(start(), node("task", "a"), node("manualTask", "b"), end(), flows="s > a > b > e"))
    assert story.ended_at("e")


@proves("paths: a process that just stops ends")
def test_a_process_that_just_stops_ends(tell: Tell) -> None:
    story = tell(bundle_of(start(), user("a"), flows="s > a"))
    story.complete("a")
    assert story.ended_at()


def test_a_service_task_takes_the_results_of_its_function(tell: Tell) -> None:
    house = House(add=lambda item: {"sum": item.variables["x"] + 1})
    story = tell(bundle_of(start(), service("add"), end(), flows="s > add > e"), house, x=2)
    assert story.variable("sum") == 3
    item = house.items[0]
    assert (item.kind, item.type, item.retries, item.element.id) == ("service", "add", 3, "add")


@proves("zeebe:taskDefinition")
def test_a_pending_service_task_waits_as_a_job_until_a_worker_completes_it(tell: Tell) -> None:
    story = tell(bundle_of(start(), service("mail"), end(), flows="s > mail > e"), House(mail=PENDING))
    assert story.waiting("job") == ["mail"]
    story.complete("mail", sent=True)
    assert story.ended_at("e")
    assert story.variable("sent") is True


def test_a_failing_service_is_an_incident_that_can_be_retried(tell: Tell) -> None:
    calls = []

    def work(item: object) -> dict[str, str]:
        calls.append(item)
        if len(calls) == 1:
            raise WorkFailed("Expected the mail server, but it is away")
        return {"ok": "yes"}

    story = tell(bundle_of(start(), service("mail"), end(), flows="s > mail > e"), House(mail=work))
    wait = story.wait("mail")
    assert (wait.kind, wait.cause, wait.incident) == ("incident", "work", "Expected the mail server, but it is away")
    with pytest.raises(NotWaiting, match="waits for incident"):
        story.flow.complete(wait.token_id)
    story.retry("mail")
    assert story.ended_at("e")
    assert story.variable("ok") == "yes"


@proves("zeebe:script")
def test_a_script_task_computes_with_feel(tell: Tell) -> None:
    story = tell(bundle_of(start(), script("c", "=sum(prices) * 2", "total"), end(), flows="s > c > e"), prices=[1, 2])
    assert story.variable("total") == 6


@proves("zeebe:calledDecision")
def test_a_business_rule_task_asks_the_house_for_a_decision(tell: Tell) -> None:
    rule = node("businessRuleTask", "r", extensions='<zeebe:calledDecision decisionId="dish" resultVariable="meal" />')
    house = House(dish=lambda item: {item.result_variable: "stew"})
    story = tell(bundle_of(start(), rule, end(), flows="s > r > e"), house)
    assert story.variable("meal") == "stew"
    assert (house.items[0].kind, house.items[0].binding, house.items[0].type) == ("decision", "deployment", None)


GATEWAY = (start(), node("exclusiveGateway", "g", default="g_b"), user("a"), user("b"), end())
GATEWAY_FLOWS = """s > g
g -[=x > 10]-> a
g > b
a > e
b > e"""


@proves("gateway: exclusiveGateway")
@pytest.mark.parametrize(("x", "task"), [(11, "a"), (10, "b")])
def test_an_exclusive_gateway_takes_the_first_true_condition_or_the_default(tell: Tell, x: int, task: str) -> None:
    assert tell(bundle_of(*GATEWAY, flows=GATEWAY_FLOWS), x=x).waiting() == [task]


@proves("conditions: exactly true or false, else an incident")
@pytest.mark.parametrize("x", ["eleven", None])
def test_a_condition_that_is_null_is_an_incident_and_never_the_default_flow(tell: Tell, x: object) -> None:
    story = tell(bundle_of(*GATEWAY, flows=GATEWAY_FLOWS), x=x)
    wait = story.wait("g")
    assert wait.kind == "incident"
    assert wait.incident is not None
    assert 'Expected "=x > 10" to be true or false, but it is null' in wait.incident
    story.set(0, "x", 11)
    story.retry("g")
    assert story.waiting() == ["a"]


def test_a_condition_on_a_missing_variable_names_it(tell: Tell) -> None:
    wait = tell(bundle_of(*GATEWAY, flows=GATEWAY_FLOWS)).wait("g")
    assert wait.incident is not None
    assert "x" in wait.incident.split("null", 1)[1]


def test_an_exclusive_gateway_without_a_true_condition_and_default_is_an_incident(tell: Tell) -> None:
    flows = "s > g\ng -[=x = 1]-> a\ng -[=x = 2]-> b\na > e\nb > e"
    story = tell(bundle_of(start(), node("exclusiveGateway", "g"), user("a"), user("b"), end(), flows=flows), x=3)
    assert story.waiting("incident") == ["g"]


PARALLEL = (start(), node("parallelGateway", "f"), user("a"), user("b"), node("parallelGateway", "j"), user("z"), end())
PARALLEL_FLOWS = "s > f > a > j > z > e\nf > b > j"


@proves("gateway: parallelGateway")
def test_a_parallel_join_waits_for_every_branch(tell: Tell) -> None:
    story = tell(bundle_of(*PARALLEL, flows=PARALLEL_FLOWS))
    assert story.waiting() == ["a", "b"]
    story.complete("b")
    assert story.waiting() == ["a"]
    story.complete("a")
    assert story.waiting() == ["z"]
    story.complete("z")
    assert story.ended_at("e")
    join = next(row for row in story.history if row.element_id == "j")
    assert sorted(arrival.via for arrival in join.arrivals) == ["a_j", "b_j"]


INCLUSIVE = (
    start(),
    node("inclusiveGateway", "f", default="f_c"),
    user("a"),
    user("b"),
    user("c"),
    node("inclusiveGateway", "j"),
    user("z"),
    end(),
)
INCLUSIVE_FLOWS = "s > f\nf -[=x > 1]-> a\nf -[=x > 2]-> b\nf > c\na > j\nb > j\nc > j\nj > z > e"


@proves("gateway: inclusiveGateway")
@pytest.mark.parametrize(("x", "tasks"), [(1, ["c"]), (2, ["a"]), (3, ["a", "b"])])
def test_an_inclusive_join_waits_for_what_was_taken_and_no_more(tell: Tell, x: int, tasks: list[str]) -> None:
    story = tell(bundle_of(*INCLUSIVE, flows=INCLUSIVE_FLOWS), x=x)
    assert story.waiting() == tasks
    for task in tasks:
        assert "z" not in story.waiting()
        story.complete(task)
    assert story.waiting() == ["z"]


@proves("paths: several flows out of an activity")
def test_several_flows_out_of_a_task_are_all_taken(tell: Tell) -> None:
    story = tell(bundle_of(start(), user("a"), user("b"), user("c"), end(), flows="s > a > b > e\na > c > e"))
    story.complete("a")
    assert story.waiting() == ["b", "c"]
    story.complete("b")
    story.complete("c")
    assert story.ended_at("e", "e")


@proves("sub-process start: none")
def test_a_sub_process_runs_inside_and_then_goes_on(tell: Tell) -> None:
    inner = sub("u", start("us"), user("ua"), end("ue"), flows="us > ua > ue")
    story = tell(bundle_of(start(), inner, user("z"), end(), flows="s > u > z > e"))
    assert story.waiting() == ["ua"]
    story.complete("ua", found=1)
    assert story.waiting() == ["z"]
    assert story.variable("found") == 1
    assert story.left() == ["s", "us", "ua", "ue", "u"]


@proves("zeebe:ioMapping", "variables: input and output mappings")
def test_input_mappings_are_local_and_only_output_mappings_go_out(tell: Tell) -> None:
    mapping = io(
        inputs={"local": "=x + 1", "deep.er": "=local * 2"},
        outputs={"result": "=answer + local", "order.total": "=deep.er"},
    )
    story = tell(bundle_of(start(), user("a", extensions=mapping), end(), flows="s > a > e"), x=1, order={"id": 7})
    view = story.flow.variables_view(story.wait("a").token_id)
    assert (view["local"], view["deep"]) == (2, {"er": 4})
    story.complete("a", answer=40, noise="stays inside")
    assert story.variables == {"x": 1, "order": {"id": 7, "total": 4}, "result": 42}


@proves("variables: written to the nearest scope that has the name")
def test_a_result_goes_to_the_nearest_scope_that_has_its_name(tell: Tell) -> None:
    inner = sub(
        "u",
        start("us"),
        user("ua"),
        user("ub"),
        end("ue"),
        flows="us > ua > ub > ue",
        extensions=io(inputs={"near": "=1"}),
    )
    story = tell(bundle_of(start(), inner, user("z"), end(), flows="s > u > z > e"))
    story.complete("ua", near=2, far=3)
    assert story.flow.variables_view(story.wait("ub").token_id)["near"] == 2
    assert story.variables == {"far": 3}
    story.complete("ub")
    assert story.variables == {"far": 3}


def test_a_called_process_sees_copies_and_gives_its_variables_back(tell: Tell) -> None:
    other = process(start("qs"), user("qa"), end("qe"), id="q", flows="qs > qa > qe")
    story = tell(bundle_of(start(), call("c", "q"), user("z"), end(), flows="s > c > z > e", others={"q": other}), x=1)
    assert story.wait("qa").process_id == "q"
    story.complete("qa", x=2, y=3)
    assert story.variables == {"x": 2, "y": 3}
    assert story.waiting() == ["z"]


def test_a_called_process_without_propagation_gets_and_gives_only_what_is_mapped(tell: Tell) -> None:
    other = process(start("qs"), user("qa"), end("qe"), id="q", flows="qs > qa > qe")
    mapping = io(inputs={"given": "=x"}, outputs={"result": "=answer"})
    caller = call("c", "q", extensions=mapping, propagateAllParentVariables="false", propagateAllChildVariables="false")
    story = tell(bundle_of(start(), caller, user("z"), end(), flows="s > c > z > e", others={"q": other}), x=1)
    assert dict(story.flow.variables_view(story.wait("qa").token_id)) == {"given": 1}
    story.complete("qa", answer=5, x=9)
    assert story.variables == {"x": 1, "result": 5}


def test_a_process_of_another_definition_can_be_called(tell: Tell) -> None:
    house = House()
    house.others["q"] = bundle_of(start(), user("qa"), end(), flows="s > qa > e")
    house.others["p"] = house.others["q"]
    story = tell(bundle_of(start(), call("c", "p", bindingType="latest"), end(), flows="s > c > e"), house)
    assert story.waiting() == ["qa"]
    story.complete("qa")
    assert story.ended_at("e")


def test_a_called_process_that_does_not_exist_is_an_incident(tell: Tell) -> None:
    story = tell(bundle_of(start(), call("c", "nobody"), end(), flows="s > c > e"))
    assert story.wait("c").incident == "Expected a released process nobody, but there is none"


@proves("call: endless calls end in an incident")
def test_a_process_that_calls_itself_for_ever_becomes_an_incident(tell: Tell) -> None:
    story = tell(bundle_of(start(), call("c", "p"), end(), flows="s > c > e"))
    assert story.wait("c").cause == "call"


def approvals(**loop: object) -> str:
    return user("a", each("=people", **{"element": "person", **loop}), extensions=properties(quorum="all"))


@proves("zeebe:loopCharacteristics")
def test_a_parallel_multi_instance_runs_once_for_each_item_and_collects_in_order(tell: Tell) -> None:
    body = approvals(output="verdicts", collect="=verdict")
    story = tell(bundle_of(start(), body, end(), flows="s > a > e"), people=["rita", "max", "bea"])
    assert story.waiting() == ["a", "a", "a"]
    seen = [story.flow.variables_view(wait.token_id) for wait in story.flow.waits()]
    assert [(view["person"], view["loopCounter"]) for view in seen] == [("rita", 1), ("max", 2), ("bea", 3)]
    story.complete("a", 2, verdict="no")
    story.complete("a", 0, verdict="yes")
    story.complete("a", 0, verdict="perhaps")
    assert story.ended_at("e")
    assert story.variable("verdicts") == ["yes", "perhaps", "no"]
    assert story.variable("verdict") is None


def test_a_sequential_multi_instance_runs_one_after_the_other(tell: Tell) -> None:
    body = approvals(sequential=True, output="verdicts", collect="=verdict")
    story = tell(bundle_of(start(), body, end(), flows="s > a > e"), people=["rita", "max"])
    assert story.flow.variables_view(story.wait("a").token_id)["person"] == "rita"
    story.complete("a", verdict=1)
    assert story.waiting() == ["a"]
    assert story.flow.variables_view(story.wait("a").token_id)["person"] == "max"
    story.complete("a", verdict=2)
    assert story.ended_at("e")
    assert story.variable("verdicts") == [1, 2]


@proves("multi-instance: over nothing it passes")
def test_a_multi_instance_over_nothing_passes(tell: Tell) -> None:
    story = tell(bundle_of(start(), approvals(output="out", collect="=x"), end(), flows="s > a > e"), people=[])
    assert story.ended_at("e")
    assert story.variable("out") == []


@pytest.mark.parametrize("sequential", [False, True])
def test_a_completion_condition_ends_a_multi_instance_early(tell: Tell, sequential: bool) -> None:
    until = "=numberOfCompletedInstances / numberOfInstances > 0.5"
    story = tell(
        bundle_of(start(), approvals(until=until, sequential=sequential), end(), flows="s > a > e"), people=[1, 2, 3]
    )
    story.complete("a")
    story.complete("a")
    assert story.ended_at("e")
    assert story.left("cancelled") == ([] if sequential else ["a"])


def test_a_quorum_is_kept_in_the_scope_of_the_multi_instance_body(tell: Tell) -> None:
    body = approvals(until="=verdict != null")
    story = tell(bundle_of(start(), body, user("z"), end(), flows="s > a > z > e"), people=["rita", "max", "bea"])
    token = story.wait("a").token_id
    scope = story.flow.body_scope(token, "quorum")
    assert scope is not None
    assert story.flow.body_scope(token, "something else") is None
    assert story.flow.instances(scope) == (3, 3, 0)
    story.set(scope, "verdict", None)
    story.complete("a")
    assert story.flow.instances(scope) == (3, 2, 1)
    story.set(scope, "verdict", "approve")
    story.complete("a")
    assert story.waiting() == ["z"]
    assert "verdict" not in story.variables
    assert story.left("cancelled") == ["a"]


def test_the_quorum_of_a_multi_instance_sub_process_is_found_from_the_task_inside(tell: Tell) -> None:
    inner = sub(
        "u",
        each("=people"),
        start("us"),
        user("ua"),
        end("ue"),
        flows="us > ua > ue",
        extensions=properties(quorum="2"),
    )
    story = tell(bundle_of(start(), inner, end(), flows="s > u > e"), people=[1, 2])
    scope = story.flow.body_scope(story.wait("ua").token_id, "quorum")
    assert scope is not None
    assert story.flow.instances(scope) == (2, 2, 0)
    assert story.flow.scope_chain(story.wait("ua").token_id)[-2:] == (scope, 0)
    story.complete("ua")
    story.complete("ua")
    assert story.ended_at("e")


@proves("multi-instance: what is no list is an incident")
def test_a_multi_instance_over_what_is_no_list_is_an_incident(tell: Tell) -> None:
    story = tell(bundle_of(start(), approvals(), end(), flows="s > a > e"), people="rita")
    assert story.wait("a").incident == 'Expected "=people" to be a list to work through, but it is none'


def test_the_same_task_cannot_be_completed_twice(tell: Tell) -> None:
    story = tell(bundle_of(start(), user("a"), user("b"), end(), flows="s > a > b > e"))
    token = story.wait("a").token_id
    story.complete("a")
    with pytest.raises(NotWaiting, match=f"Expected token {token} to wait for a task or job, but it has left"):
        story.flow.complete(token)
    assert story.waiting() == ["b"]


def test_a_failing_output_mapping_keeps_the_completed_work_and_can_be_retried(tell: Tell) -> None:
    body = user("a", each("=[1, 2]", until="=verdict"))
    story = tell(bundle_of(start(), body, user("z"), end(), flows="s > a > z > e"))
    story.complete("a", answer=1)
    wait = story.wait("a", kind="incident")
    assert wait.incident is not None
    assert wait.incident.startswith('Expected "=verdict" to be true or false, but it is null')
    assert story.variable("answer") == 1
    with pytest.raises(NotWaiting):
        story.flow.complete(wait.token_id)
    story.set(0, "verdict", True)
    story.retry("a")
    assert story.waiting() == ["z"]


@proves("step budget: a circle of empty tasks ends in an incident")
def test_an_endless_loop_becomes_an_incident_instead_of_spinning(tell: Tell) -> None:
    parts = (start(), node("exclusiveGateway", "g"), script("c", "=n + 1", "n"))
    story = tell(bundle_of(*parts, flows="s > g > c > g"), n=0, limit=300)
    assert [wait.cause for wait in story.flow.waits()] == ["moves"]
    reached = story.variable("n")
    story.retry(story.waiting()[0])
    assert story.variable("n") > reached


def test_a_cancelled_instance_leaves_nothing_behind(tell: Tell) -> None:
    inner = sub("u", start("us"), user("ua"), end("ue"), flows="us > ua > ue")
    story = tell(bundle_of(start(), inner, end(), flows="s > u > e"))
    story.cancel()
    assert story.ended_at()
    assert story.flow.outcome == "cancelled"
    assert story.left("cancelled") == ["ua", "u"]


def test_an_unexpected_exception_of_the_house_is_not_swallowed(tell: Tell) -> None:
    def broken(item: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tell(bundle_of(start(), service("w"), end(), flows="s > w > e"), House(w=broken))


def test_an_error_that_nobody_catches_is_an_incident(tell: Tell) -> None:
    def work(item: object) -> None:
        raise BpmnError("SUP-03", "Expected an approved supplier, but ACME is none")

    story = tell(bundle_of(start(), service("w"), end(), flows="s > w > e"), House(w=work))
    wait = story.wait("w")
    assert wait.cause == "error"
    assert wait.incident == (
        'Expected somebody to catch the error "SUP-03", but nobody does: Expected an approved supplier, but ACME is none'
    )
