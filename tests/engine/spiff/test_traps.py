"""What SpiffWorkflow 3.2.0 does wrong out of the box, one sentence each; none of it may come back."""

from __future__ import annotations

import datetime as dt
import gc
import json
import threading
from decimal import Decimal

import orjson
import pytest
from SpiffWorkflow.bpmn.serializer.helpers.registry import DefaultRegistry
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.util.event import Event

from dmn import Date, HostFunction
from dmn.parser import Parser
from engine.spiff import BpmnError, Bundle, Flow, NotWaiting, Unreadable, WrongDefinition, read_bundle
from engine.spiff.codec import encode
from engine.spiff.token import Token
from tests.engine.spiff.conftest import Tell
from tests.engine.spiff.diagrams import (
    boundary,
    call,
    diagram,
    each,
    end,
    event_sub,
    io,
    message,
    node,
    on,
    process,
    script,
    service,
    start,
    sub,
    timer,
    user,
)
from tests.engine.spiff.proofs import proves
from tests.engine.spiff.story import NOON, House, Story, bundle_of

LOOP = (
    start(),
    node("exclusiveGateway", "again"),
    node("parallelGateway", "f"),
    user("a"),
    user("b"),
    node("parallelGateway", "j"),
    user("check"),
    node("exclusiveGateway", "enough", default="enough_again"),
    end(),
)
LOOP_FLOWS = "s > again > f > a > j > check > enough > again\nf > b > j\nenough -[=done = true]-> e"


def test_a_parallel_join_inside_a_loop_does_not_fire_early(tell: Tell) -> None:
    story = tell(bundle_of(*LOOP, flows=LOOP_FLOWS))
    for turn in range(4):
        assert story.waiting() == ["a", "b"]
        story.complete("a" if turn % 2 else "b")
        assert "check" not in story.waiting()
        story.complete("b" if turn % 2 else "a")
        story.complete("check", done=turn == 3)
    assert story.ended_at("e")


def test_a_second_token_on_one_flow_of_a_join_is_kept_for_the_next_round(tell: Tell) -> None:
    parts = (
        start(),
        user("a"),
        user("b"),
        node("exclusiveGateway", "m"),
        user("c"),
        node("parallelGateway", "j"),
        user("z"),
        end(),
    )
    flows = "s > a > m\ns > b > m\nm > j\ns > c > j\nj > z > e"
    story = tell(bundle_of(*parts, flows=flows))
    story.complete("a")
    story.complete("b")
    assert story.waiting() == ["c"]
    story.complete("c")
    assert story.waiting() == ["z"]
    story.complete("z")
    assert not story.flow.done
    assert len(story.flow.arrivals["j"]) == 1


def test_two_sequence_flows_between_the_same_elements_are_two_tokens(tell: Tell) -> None:
    parts = (start(), node("parallelGateway", "f"), node("parallelGateway", "j"), user("z"), end())
    story = tell(bundle_of(*parts, flows="s > f > j > z > e\nf > j"))
    assert story.waiting() == ["z"]


def test_a_boundary_event_cancels_a_multi_instance_sub_process_with_everything_inside(tell: Tell) -> None:
    inner = sub("u", each("=[1, 2, 3]"), start("us"), user("ua"), end("ue"), flows="us > ua > ue")
    parts = (start(), inner, boundary("late", "u", timer("duration", "PT1H")), user("z"), end())
    story = tell(bundle_of(*parts, flows="s > u > e\nlate > z > e"))
    story.complete("ua")
    story.later(hours=1)
    assert story.waiting() == ["z"]
    rows = [(row.element_id, row.kind) for row in story.history if row.outcome == "cancelled"]
    assert sorted(rows) == [
        ("u", "multiInstance"),
        ("u", "subProcess"),
        ("u", "subProcess"),
        ("ua", "userTask"),
        ("ua", "userTask"),
    ]
    story.complete("z")
    assert story.ended_at("e")


def test_an_error_thrown_while_a_task_runs_does_not_complete_the_cancelled_task(tell: Tell) -> None:
    def work(item: object) -> None:
        raise BpmnError("E1")

    parts = (start(), service("w"), boundary("x", "w", on("error")), user("h"), end())
    story = tell(bundle_of(*parts, flows="s > w > e\nx > h > e"), House(w=work))
    assert story.waiting() == ["h"]
    assert "w" not in story.left()
    assert "e" not in story.left()


def test_two_multi_instances_in_sequence_keep_their_own_inner_instances(tell: Tell) -> None:
    parts = (start(), user("a", each("=[1, 2]")), user("b", each("=[1, 2, 3]", sequential=True)), end())
    story = tell(bundle_of(*parts, flows="s > a > b > e"))
    for task, times in (("a", 2), ("b", 3)):
        for _ in range(times):
            story.complete(task)
    assert story.ended_at("e")


@proves("multi-instance: inside a multi-instance")
def test_what_moves_too_often_side_by_side_is_one_incident_and_goes_on_where_it_stopped(tell: Tell) -> None:
    """A repetition over twenty thousand is no circle; thousands of incidents would only hide the one."""
    wide = script("a", "=item", "last").replace(
        "</bpmn:scriptTask>", each("=for i in 1..50 return i") + "</bpmn:scriptTask>"
    )
    story = tell(bundle_of(start(), wide, user("z"), end(), flows="s > a > z > e"), limit=20)
    rounds = 0
    while story.waiting("incident"):
        assert story.waiting() == ["a"]
        story.retry("a")
        rounds += 1
    assert (rounds, story.waiting()) == (2, ["z"])


def test_a_multi_instance_inside_a_multi_instance_counts_for_itself(tell: Tell) -> None:
    inner = sub(
        "u",
        each("=rows", element="row"),
        start("us"),
        user("ua", each("=row", output="got", collect="=cell", element="cell")),
        end("ue"),
        flows="us > ua > ue",
    )
    story = tell(bundle_of(start(), inner, end(), flows="s > u > e"), rows=[[1, 2], [3]])
    assert story.waiting() == ["ua", "ua", "ua"]
    for _ in range(3):
        story.complete("ua")
    assert story.ended_at("e")


def test_a_thousand_rounds_keep_few_tokens_and_a_small_state_and_are_not_taken_for_finished(tell: Tell) -> None:
    """A tree of tasks stops finding READY tasks beyond a depth of 1,000 and calls a live instance completed."""
    parts = (start(), node("exclusiveGateway", "g"), user("a"), node("exclusiveGateway", "x", default="x_g"), end())
    story = tell(bundle_of(*parts, flows="s > g > a > x > g\nx -[=ok = true]-> e"))
    sizes = []
    for _ in range(1200):
        story.complete("a", ok=False)
        sizes.append(len(story.flow.state()))
        assert not story.flow.done
    assert len(story.flow.tasks) == 2
    assert sizes[-1] - sizes[0] < 10
    story.complete("a", ok=True)
    assert story.ended_at("e")


def test_three_thousand_automatic_rounds_in_one_act_need_no_depth() -> None:
    parts = (
        start(),
        script("n0", "=0", "n"),
        node("exclusiveGateway", "g"),
        script("c", "=n + 1", "n"),
        node("exclusiveGateway", "x", default="x_e"),
        end(),
    )
    story = Story(bundle_of(*parts, flows="s > n0 > g > c > x > e\nx -[=n < 3000]-> g"), House(), forgets=False)
    assert story.ended_at("e")
    assert story.variable("n") == 3000


def test_the_stored_state_does_not_depend_on_the_order_of_keys() -> None:
    bundle = bundle_of(*LOOP, flows=LOOP_FLOWS)
    story = Story(bundle, House(), forgets=False)
    story.complete("a")
    state = story.flow.state()
    shuffled = json.dumps(json.loads(state), sort_keys=True).encode()
    flow = Flow.load(bundle, shuffled, story.flow.changed_variables()[0], story.house)
    assert flow.state() == orjson.dumps(orjson.loads(state))
    assert [wait.element_id for wait in flow.waits()] == ["b"]


def test_any_key_and_any_kind_of_value_survives_the_store(tell: Tell) -> None:
    values = {
        "typename": "decimal",
        "$": ["date", "2026-11-22"],
        "nested": {"$": {"$": ["number", "1"]}, "typename": {"typename": 1}},
        "exact": Decimal("0.10"),
        "large": Decimal("12345678901234567890.123456789012"),
        "day": NOON.date(),
        "moment": NOON,
        "nothing": None,
        "yes": True,
        "list": [1, "1", None, [], {}],
    }
    story = tell(bundle_of(start(), user("a"), user("b"), end(), flows="s > a > b > e"), **values)
    story.complete("a")
    found = story.variables
    assert found["exact"].as_tuple() == Decimal("0.10").as_tuple()
    assert found["large"] == values["large"]
    assert found["day"] == Date(2026, 11, 22)
    assert str(found["moment"]) == "2026-11-22T12:00:00Z"
    for name in ("typename", "$", "nested", "nothing", "yes", "list"):
        assert found[name] == values[name]


def test_a_timer_that_was_taken_away_is_not_kept_anywhere() -> None:
    parts = (start(), user("a"), boundary("late", "a", timer("duration", "PT1H")), user("b"), end())
    story = Story(bundle_of(*parts, flows="s > a > b > e\nlate > b"), House(), forgets=False)
    story.complete("a")
    gc.collect()
    mine = [token for token in gc.get_objects() if isinstance(token, Token) and token.workflow is story.flow]
    assert sorted(token.task_spec.name for token in mine) == ["=root", "b"]
    assert story.flow.tick(NOON.replace(year=2030)) == []


def test_a_failing_gateway_leaves_the_completed_task_completed_and_the_token_at_the_gateway(tell: Tell) -> None:
    parts = (start(), user("a"), node("exclusiveGateway", "g", default="g_e"), user("b"), end())
    story = tell(bundle_of(*parts, flows="s > a > g > e\ng -[=n > 1]-> b"))
    story.complete("a", verdict="approve")
    assert story.left() == ["s", "a"]
    assert story.variable("verdict") == "approve"
    assert story.waiting("incident") == ["g"]


def test_a_late_submit_does_not_revive_a_task_that_a_timer_took(tell: Tell) -> None:
    parts = (start(), user("a"), boundary("late", "a", timer("duration", "PT1H")), user("b"), end())
    story = tell(bundle_of(*parts, flows="s > a > e\nlate > b > e"))
    token = story.wait("a").token_id
    story.later(hours=1)
    with pytest.raises(NotWaiting, match="but it has left"):
        story.flow.complete(token, {"verdict": "approve"})
    assert story.waiting() == ["b"]
    assert "verdict" not in story.variables


def test_a_token_of_a_container_or_an_event_cannot_be_completed_as_a_task(tell: Tell) -> None:
    inner = sub("u", start("us"), user("ua"), end("ue"), flows="us > ua > ue")
    story = tell(
        bundle_of(
            start(),
            inner,
            boundary("late", "u", timer("duration", "PT1H")),
            end(),
            end("e2"),
            flows="s > u > e\nlate > e2",
        )
    )
    container = next(token.id for token in story.flow.live.values() if token.element.id == "u")
    for token in (container, story.wait("late").token_id, 999):
        with pytest.raises(NotWaiting):
            story.flow.complete(token)
        with pytest.raises(NotWaiting):
            story.flow.deliver(token)
    assert story.waiting() == ["late", "ua"]


def test_text_without_an_equals_sign_is_text_and_not_an_expression(tell: Tell) -> None:
    house = House(order=lambda item: {"sent": True})
    task = service(
        "w", type="order", extensions=io(inputs={"subject": "order"}, outputs={"sent": "=sent", "subject": "=subject"})
    )
    story = tell(bundle_of(start(), task, end(), flows="s > w > e"), house, order=4711)
    assert story.variables == {"order": 4711, "sent": True, "subject": "order"}


@proves("job: type and retries as FEEL")
def test_a_job_type_can_be_computed(tell: Tell) -> None:
    house = House()
    tell(bundle_of(start(), service("w", type='="mail-" + kind'), end(), flows="s > w > e"), house, kind="order")
    assert house.items[0].type == "mail-order"


def test_only_the_variables_that_are_looked_at_are_decoded() -> None:
    bundle = bundle_of(
        start(), user("a"), script("c", "=small + 1", "small"), user("b"), end(), flows="s > a > c > b > e"
    )
    first = Story(bundle, House(), forgets=False, small=1, big=["x"] * 10)
    stored, _ = first.flow.changed_variables()
    stored[0, "big"] = b"this is no JSON and nobody looks at it"
    flow = Flow.load(bundle, first.flow.state(), stored, House())
    flow.complete(flow.waits()[0].token_id)
    assert flow.changed_variables() == ({(0, "small"): b"2"}, set())


def voting() -> Story:
    vote = user("vote", each("=items", output="votes", collect="=answer"))
    return Story(bundle_of(start(), vote, end(), flows="s > vote > e"), House(), forgets=False, items=[1, 2, 3, 4])


def test_one_vote_of_many_wakes_no_other_and_many_votes_are_stored_as_numbers() -> None:
    story = voting()
    tokens = [wait.token_id for wait in story.flow.waits()]
    stored, _ = story.flow.changed_variables()
    flow = Flow.load(story.bundle, story.flow.state(), stored, story.house)
    assert flow.state().count(b"vote [child]") == 1
    before = flow.meet()
    flow.complete(tokens[2], {"answer": "yes"})
    assert flow.waits_awake() == []
    assert before == {(tokens[2], "task"): before[tokens[2], "task"]}
    assert [flow.sleeps(token) for token in tokens] == [True, True, False, True]
    assert [wait.token_id for wait in flow.waits()] == [tokens[0], tokens[1], tokens[3]]
    assert [flow.variables_view(token)["item"] for token in flow.live if token in tokens] == [1, 2, 4]


def test_a_sub_process_of_many_sleeps_with_what_is_inside_until_its_token_or_its_time_comes() -> None:
    late = boundary("late", "a", timer("duration", '="PT" + string(item) + "H"'), interrupting=False)
    inside = (start("is"), user("a"), late, user("l"), user("b"), end("ie"))
    each_sub = sub(
        "each", *inside, each("=items", output="votes", collect="=answer"), flows="is > a > b > ie\nlate > l > ie"
    )
    first = Story(bundle_of(start(), each_sub, end(), flows="s > each > e"), House(), forgets=False, items=[3, 1, 2])
    stored, _ = first.flow.changed_variables()
    tokens = [wait.token_id for wait in first.flow.waits() if wait.kind == "task"]

    def taken_up() -> Flow:
        return Flow.load(first.bundle, first.flow.state(), stored, House())

    flow = taken_up()
    assert (flow.waits_awake(), flow.dues_asleep()) == ([], [NOON + dt.timedelta(hours=n) for n in (3, 1, 2)])
    assert [wait.element_id for wait in flow.waits()] == [wait.element_id for wait in first.flow.waits()]
    flow = taken_up()
    flow.complete(tokens[2], {"answer": "yes"})
    assert [(wait.element_id, flow.variables_view(wait.token_id)["item"]) for wait in flow.waits_awake()] == [("b", 2)]
    flow = taken_up()
    assert len(flow.tick(NOON + dt.timedelta(hours=1))) == 1
    assert [(wait.element_id, flow.variables_view(wait.token_id)["item"]) for wait in flow.waits_awake()] == [
        ("a", 1),
        ("l", 1),
    ]
    flow = taken_up()
    flow.cancel()
    assert sorted(left.element_id for left in flow.history) == ["a"] * 3 + ["each"] * 4


def test_a_state_with_a_row_for_each_token_is_read_as_before() -> None:
    story = voting()
    stored, _ = story.flow.changed_variables()
    state = orjson.loads(story.flow.state())
    rows, scopes = [], state[5]
    for row in state[6]:
        if isinstance(row[0], list):
            ids, body, *kind, places = row
            scopes += [[token, body] for token in ids]
            rows += [[t, body, *kind, {"from": [body], "index": n, "in": 1}] for t, n in zip(ids, places, strict=True)]
        else:
            rows.append(row)
    older = orjson.dumps([1, *state[1:5], scopes, rows, *state[7:]])
    flows = [Flow.load(story.bundle, data, stored, story.house) for data in (older, story.flow.state())]
    for flow in flows:
        flow.complete(flow.waits()[1].token_id, {"answer": "yes"})
    assert flows[0].state() == flows[1].state()
    assert flows[0].changed_variables() == flows[1].changed_variables()


def test_a_variable_that_is_set_to_the_same_value_is_not_stored_again(tell: Tell) -> None:
    story = tell(bundle_of(start(), user("a"), user("b"), end(), flows="s > a > b > e"), x=1)
    flow = Flow.load(story.bundle, story.flow.state(), {(0, "x"): encode(Decimal(1))}, story.house)
    flow.complete(flow.waits()[0].token_id, {"x": 1})
    assert flow.changed_variables() == ({}, set())


def test_variables_of_a_scope_that_ended_are_told_as_gone() -> None:
    task = user("a", extensions=io(inputs={"local": "=1"}))
    bundle = bundle_of(start(), task, user("b"), end(), flows="s > a > b > e")
    first = Story(bundle, House(), forgets=False)
    stored, _ = first.flow.changed_variables()
    flow = Flow.load(bundle, first.flow.state(), stored, House())
    token = flow.waits()[0].token_id
    flow.complete(token)
    assert flow.changed_variables()[1] == {(token, "local")}


def test_a_called_process_does_not_see_changes_of_its_caller_nor_its_caller_those_of_it(tell: Tell) -> None:
    other = process(start("qs"), user("qa"), user("qb"), end("qe"), id="q", flows="qs > qa > qb > qe")
    parts = (start(), call("c", "q"), user("z"), end())
    story = tell(bundle_of(*parts, flows="s > c > e\ns > z > e", others={"q": other}), x=1)
    story.complete("qa", x=2)
    assert story.variable("x") == 1
    story.set(0, "x", 7)
    assert story.flow.variables_view(story.wait("qb").token_id)["x"] == 2


def test_the_clock_is_the_hosts_and_not_the_walls(tell: Tell) -> None:
    story = tell(bundle_of(start(), script("c", "=string(now())", "t"), end(), flows="s > c > e"))
    assert story.variable("t").startswith("2026-11-22T12:00:00")


def test_the_house_lends_functions_with_spaces_in_their_names(tell: Tell) -> None:
    house = House()
    house.functions["double of"] = HostFunction("double of", ("n",), lambda n: n * 2)
    story = tell(bundle_of(start(), script("c", "=double of(n) + 1", "m"), end(), flows="s > c > e"), house, n=4)
    assert story.variable("m") == 9


def test_a_state_of_another_definition_is_refused_and_not_guessed_at() -> None:
    story = Story(bundle_of(start(), user("a"), end(), flows="s > a > e"), House(), forgets=False)
    other = bundle_of(start(), user("b"), end(), flows="s > b > e")
    with pytest.raises(WrongDefinition, match='Expected an element "a" in p'):
        Flow.load(other, story.flow.state(), {}, House())
    with pytest.raises(WrongDefinition, match="version"):
        Flow.load(other, b'[99,"p",0,[],null,[],[],[],[]]', {}, House())


@proves("gateway: inclusiveGateway")
def test_an_inclusive_join_that_can_be_reached_again_through_a_loop_waits_only_for_real_tokens(tell: Tell) -> None:
    parts = (
        start(),
        node("exclusiveGateway", "again"),
        node("inclusiveGateway", "f", default="f_b"),
        user("a"),
        user("b"),
        node("inclusiveGateway", "j"),
        node("exclusiveGateway", "x", default="x_again"),
        end(),
    )
    flows = "s > again > f\nf -[=n < 3]-> a\nf > b\na > j\nb > j\nj > x\nx > again\nx -[=n >= 3]-> e"
    story = tell(bundle_of(*parts, flows=flows), n=1)
    story.complete("a", n=2)
    story.complete("a", n=2)
    story.complete("a", n=3)
    assert story.ended_at("e")


def test_a_boundary_path_counts_for_an_inclusive_join(tell: Tell) -> None:
    parts = (
        start(),
        node("inclusiveGateway", "f"),
        user("a"),
        user("b"),
        boundary("late", "b", timer("duration", "PT1H")),
        node("inclusiveGateway", "j"),
        user("z"),
        end(),
    )
    story = tell(bundle_of(*parts, flows="s > f\nf -[=true]-> a\nf -[=true]-> b\na > j\nb > e\nlate > j\nj > z > e"))
    story.complete("a")
    assert story.waiting() == ["b", "late"]
    story.later(hours=1)
    assert story.waiting() == ["z"]


def test_an_escalation_starts_an_event_sub_process_beside_the_flow(tell: Tell) -> None:
    es = event_sub(
        "es", start("xs", on("escalation", "esc"), isInterrupting="false"), user("h"), end("xe"), flows="xs > h > xe"
    )
    parts = (start(), user("a"), node("intermediateThrowEvent", "t", on("escalation", "esc")), user("b"), end(), es)
    story = tell(
        bundle_of(*parts, flows="s > a > t > b > e", definitions='<bpmn:escalation id="esc" escalationCode="LATE" />')
    )
    story.complete("a")
    assert story.waiting() == ["b", "h"]
    assert story.thrown == []


def test_a_signal_end_event_throws(tell: Tell) -> None:
    story = tell(
        bundle_of(
            start(), end("e", on("signal", "sig")), flows="s > e", definitions='<bpmn:signal id="sig" name="stop" />'
        )
    )
    assert [(found.kind, found.name) for found in story.thrown] == [("signal", "stop")]
    assert story.ended_at("e")


def test_an_interrupted_scope_does_not_listen_any_more(tell: Tell) -> None:
    es = event_sub("es", start("xs", on("message", "m")), user("h"), end("xe"), flows="xs > h > xe")
    other = event_sub("et", start("ys", on("signal", "sig")), user("k"), end("ye"), flows="ys > k > ye")
    definitions = message("m", "paid", "=1") + '<bpmn:signal id="sig" name="stop" />'
    story = tell(bundle_of(start(), user("a"), end(), es, other, flows="s > a > e", definitions=definitions))
    story.deliver("es")
    assert story.waiting() == ["h"]
    assert story.signal("stop") == 0


def test_history_tells_lineage_and_what_joins_consumed(tell: Tell) -> None:
    parts = (
        start(),
        node("parallelGateway", "f"),
        user("a"),
        user("b"),
        node("parallelGateway", "j"),
        user("z"),
        end(),
    )
    story = tell(bundle_of(*parts, flows="s > f > a > j > z > e\nf > b > j"))
    for task in ("a", "b", "z"):
        story.complete(task)
    rows = {row.element_id: row for row in story.history}
    assert rows["s"].parents == ()
    assert rows["f"].parents == (rows["s"].token_id,)
    assert rows["a"].parents == rows["b"].parents == (rows["f"].token_id,)
    arrivals = {arrival.via: arrival.parents for arrival in rows["j"].arrivals}
    assert arrivals == {"a_j": (rows["a"].token_id,), "b_j": (rows["b"].token_id,)}
    assert rows["j"].parents == tuple(arrival.token_id for arrival in rows["j"].arrivals)
    assert rows["j"].token_id not in rows["j"].parents
    assert rows["z"].parents == (rows["j"].token_id,)


def test_token_ids_are_never_used_again(tell: Tell) -> None:
    story = tell(bundle_of(*LOOP, flows=LOOP_FLOWS))
    for _ in range(3):
        story.complete("a")
        story.complete("b")
        story.complete("check")
    ids = [row.token_id for row in story.history]
    assert len(ids) == len(set(ids))


def test_many_threads_may_run_instances_of_one_bundle_at_once() -> None:
    inner = sub(
        "u", each("=[1, 2]", output="got", collect="=item"), start("us"), user("ua"), end("ue"), flows="us > ua > ue"
    )
    es = event_sub("es", start("xs", on("message", "m"), isInterrupting="false"), end("xe"), flows="xs > xe")
    parts = (
        *LOOP[:-1],
        inner,
        boundary("late", "u", timer("cycle", "R/PT1H"), interrupting=False),
        end("le"),
        call("c", "q"),
        end(),
        es,
    )
    other = process(start("qs"), user("qa"), end("qe"), id="q", flows="qs > qa > qe")
    flows = LOOP_FLOWS.replace("]-> e", "]-> u") + "\nu > c > e\nlate > le"
    bundle = bundle_of(*parts, flows=flows, definitions=message("m", "paid", "=who"), others={"q": other})
    failures: list[str] = []

    def run(who: int) -> None:
        for turn in range(8):
            story = Story(bundle, House(), forgets=True, who=who * 100 + turn)
            for done in (False, False, True):
                for task in ("a", "b"):
                    story.complete(task)
                story.complete("check", done=done, n=who)
            for task in ("ua", "ua", "qa"):
                story.complete(task, mine=who)
            if not story.ended_at("e") or story.variable("who") != who * 100 + turn or story.variable("mine") != who:
                failures.append(f"{who}/{turn}: {story.variables}")

    threads = [threading.Thread(target=run, args=(who,)) for who in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


STEADY = (
    *LOOP[:-1],
    sub("u", each("=[1, 2]", output="got", collect="=item"), start("us"), user("ua"), end("ue"), flows="us > ua > ue"),
    boundary("late", "u", timer("duration", "PT1H"), interrupting=False),
    end("le"),
    call("c", "q"),
    end(),
)


def lived_through(bundle: Bundle) -> Story:
    """One instance from its start to its end, stored and taken up again after every command."""
    story = Story(bundle, House(), forgets=True)
    for done in (False, True):
        for task in ("a", "b"):
            story.complete(task)
        story.complete("check", done=done)
    assert [fired.element_id for fired in story.later(hours=2)] == ["late"]
    for task in ("ua", "ua", "qa"):
        story.complete(task)
    assert story.ended_at("le", "e")
    return story


def test_an_instance_leaves_no_trace_in_the_specs_it_shares_and_asks_for_nothing_the_library_does_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stock instances connect themselves to specs, look at every timer at each step, and are stored by a registry with a shared flag."""
    other = process(start("qs"), user("qa"), end("qe"), id="q", flows="qs > qa > qe")
    flows = LOOP_FLOWS.replace("]-> e", "]-> u") + "\nu > c > e\nlate > le"
    bundle = bundle_of(*STEADY, flows=flows, others={"q": other})
    called: list[str] = []
    for owner, name in (
        (BpmnWorkflow, "do_engine_steps"),
        (BpmnWorkflow, "refresh_waiting_tasks"),
        (BpmnWorkflow, "refresh_timers"),
        (DefaultRegistry, "convert"),
        (DefaultRegistry, "restore"),
        (Event, "connect"),
        (Parser, "__init__"),
    ):
        monkeypatch.setattr(owner, name, lambda *_, name=name, **__: called.append(name))
    lived_through(bundle)
    assert called == []


def test_reading_a_bundle_twice_gives_two_that_do_not_share_anything_that_changes() -> None:
    data = {"p.bpmn": diagram(process(start(), user("a"), end(), flows="s > a > e"))}
    one, two = read_bundle(data), read_bundle(data)
    assert one.processes == two.processes
    story = Story(one, House(), forgets=False)
    flow = Flow.load(two, story.flow.state(), {}, House())
    flow.complete(flow.waits()[0].token_id)
    assert flow.done
    assert not story.flow.done


def nested(depth: int, kernel: str, name: str = "k") -> str:
    for level in range(depth):
        first, last = f"s{level}", f"e{level}"
        kernel, name = (
            sub(f"u{level}", start(first), kernel, end(last), flows=f"{first} > {name} > {last}"),
            f"u{level}",
        )
    return kernel


def test_deeply_nested_sub_processes_run_and_are_cancelled(tell: Tell) -> None:
    bundle = bundle_of(start(), nested(39, user("k")), end(), flows="s > u38 > e")
    story = tell(bundle)
    story.complete("k")
    assert story.ended_at("e")
    other = tell(bundle)
    other.cancel()
    assert other.ended_at()


def test_sub_processes_nested_deeper_than_the_stack_are_refused() -> None:
    with pytest.raises(Unreadable, match="at most 40 sub-processes within each other"):
        bundle_of(start(), nested(80, user("k")), end(), flows="s > u79 > e")


def test_endless_calls_stop_and_can_be_cancelled(tell: Tell) -> None:
    inner = nested(10, call("k", "p"))
    story = tell(bundle_of(start(), inner, end(), flows="s > u9 > e"))
    assert [wait.cause for wait in story.flow.waits()] == ["call"]
    story.cancel()
    assert story.ended_at()


def test_an_event_sub_process_that_cannot_listen_stops_its_scope_at_the_start(tell: Tell) -> None:
    es = event_sub(
        "es", start("xs", timer("duration", "=patience"), isInterrupting="false"), end("xe"), flows="xs > xe"
    )
    story = tell(bundle_of(start(), user("a"), end(), es, flows="s > a > e"))
    assert story.waiting("incident") == ["s"]
    story.set(0, "patience", "PT1H")
    story.retry("s")
    assert story.waiting() == ["a", "es"]
