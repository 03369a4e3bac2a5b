"""Events: timers, messages, signals, errors, escalations, conditions, links, terminate, event sub-processes, compensation."""

from __future__ import annotations

import datetime as dt

import pytest

from engine.spiff import BpmnError, NotWaiting
from tests.engine.spiff.conftest import Tell
from tests.engine.spiff.diagrams import (
    association,
    boundary,
    call,
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
    when,
)
from tests.engine.spiff.proofs import proves
from tests.engine.spiff.story import NOON, House, bundle_of

PAID = message("m", "paid", "=order")


def catch(id: str, definition: str, **more: str) -> str:
    return node("intermediateCatchEvent", id, definition, **more)


def throw(id: str, definition: str, **more: str) -> str:
    return node("intermediateThrowEvent", id, definition, **more)


# Timers


@proves("timer: FEEL names the time")
@pytest.mark.parametrize(
    ("kind", "text", "after"),
    [
        ("duration", "PT1H", dt.timedelta(hours=1)),
        ("duration", '=duration("PT1H")', dt.timedelta(hours=1)),
        ("duration", '="PT" + string(hours) + "H"', dt.timedelta(hours=2)),
        ("duration", "P1M", dt.timedelta(days=30)),
        ("duration", "P1W", dt.timedelta(days=7)),
        ("duration", "P1Y2M3DT4H", dt.timedelta(days=365 + 61 - 1 + 1 + 3 - 2 + 0, hours=4)),
        ("date", "2026-11-22T15:00:00+01:00", dt.timedelta(hours=2)),
        ("date", '=date and time("2026-11-22T14:00:00Z")', dt.timedelta(hours=2)),
        ("date", '=now() + duration("PT3H")', dt.timedelta(hours=3)),
        ("date", "2026-11-22T15:00:00", dt.timedelta(hours=3)),
    ],
)
def test_a_timer_is_due_when_its_text_or_its_feel_says(tell: Tell, kind: str, text: str, after: dt.timedelta) -> None:
    story = tell(bundle_of(start(), catch("t", timer(kind, text)), end(), flows="s > t > e"), hours=2)
    due = story.wait("t").due
    if text == "P1Y2M3DT4H":
        after = dt.datetime(2028, 1, 25, 16, tzinfo=dt.UTC) - NOON
    assert due == NOON + after
    story.house.now = due - dt.timedelta(seconds=1)
    assert story.later() == []
    story.house.now = due
    fired = story.later()
    assert [(found.element_id, found.due) for found in fired] == [("t", due)]
    assert story.ended_at("e")


@pytest.mark.parametrize("text", ["=missing", '="tomorrow"', "=5"])
def test_a_timer_that_names_no_time_is_an_incident(tell: Tell, text: str) -> None:
    story = tell(bundle_of(start(), catch("t", timer("duration", text)), end(), flows="s > t > e"))
    wait = story.wait("t")
    assert (wait.kind, wait.cause) == ("incident", "timer")
    assert (wait.incident or "").startswith("Expected a duration such as PT1H or P3D, but got")


def test_a_retried_timer_waits_for_the_time_it_names_now(tell: Tell) -> None:
    story = tell(bundle_of(start(), catch("t", timer("duration", "=pause")), end(), flows="s > t > e"))
    story.set(0, "pause", "PT5M")
    story.retry("t")
    assert story.wait("t").due == NOON + dt.timedelta(minutes=5)


def test_an_interrupting_timer_replaces_its_task(tell: Tell) -> None:
    parts = (start(), user("a"), boundary("late", "a", timer("duration", "PT1H")), user("b"), end())
    story = tell(bundle_of(*parts, flows="s > a > e\nlate > b > e"))
    wait = story.wait("late")
    event = story.flow.live[wait.token_id].element.event
    assert (wait.kind, wait.attached_to, event.is_interrupting) == ("timer", story.wait("a").token_id, True)
    fired = story.later(hours=1)
    assert [(found.element_id, found.attached_to, found.is_interrupting) for found in fired] == [("late", "a", True)]
    assert story.waiting() == ["b"]
    assert story.left("cancelled") == ["a"]


def test_a_completed_task_takes_its_timer_along(tell: Tell) -> None:
    parts = (start(), user("a"), boundary("late", "a", timer("duration", "PT1H")), user("b"), end())
    story = tell(bundle_of(*parts, flows="s > a > e\nlate > b > e"))
    story.complete("a")
    assert story.ended_at("e")
    assert "late" not in story.left() + story.left("cancelled")


def test_a_bounded_cycle_reminds_so_many_times_and_the_task_stays(tell: Tell) -> None:
    parts = (
        start(),
        user("a"),
        boundary("r", "a", timer("cycle", '=cycle(times, duration("PT10M"))'), interrupting=False),
        service("remind"),
        end(),
    )
    house = House(remind=lambda item: None)
    story = tell(bundle_of(*parts, flows="s > a > e\nr > remind"), house, times=3)
    for minutes in (10, 20, 30):
        assert story.wait("r").due == NOON + dt.timedelta(minutes=minutes)
        assert len(story.later(minutes=10)) == 1
    assert story.waiting() == ["a"]
    assert len(house.items) == 3


@proves("timer: what a cycle missed happens once, and a bounded one still goes off as often as it says")
def test_what_a_cycle_missed_happens_once_and_a_bounded_one_still_goes_off_as_often_as_it_says(tell: Tell) -> None:
    parts = (
        start(),
        user("a"),
        boundary("three", "a", timer("cycle", "R3/PT10M"), interrupting=False),
        boundary("ever", "a", timer("cycle", "R/PT10M"), interrupting=False),
        end("e3"),
        end("ee"),
    )
    story = tell(bundle_of(*parts, flows="s > a\nthree > e3\never > ee"))
    assert sorted(found.element_id for found in story.later(hours=24, minutes=5)) == ["ever", "three"]
    assert story.wait("ever").due == story.wait("three").due == NOON + dt.timedelta(hours=24, minutes=10)
    for _ in range(2):
        assert sorted(found.element_id for found in story.later(minutes=10)) == ["ever", "three"]
    assert [found.element_id for found in story.later(minutes=10)] == ["ever"]


def test_timers_that_become_due_on_the_way_go_off_in_the_same_tick(tell: Tell) -> None:
    parts = (start(), catch("t1", timer("duration", "PT1M")), catch("t2", timer("duration", "PT0S")), user("a"), end())
    story = tell(bundle_of(*parts, flows="s > t1 > t2 > a > e"))
    assert [found.element_id for found in story.later(minutes=1)] == ["t1", "t2"]
    assert story.waiting() == ["a"]


def test_a_timer_boundary_sees_the_input_mappings_of_its_activity(tell: Tell) -> None:
    task = user("a", extensions=io(inputs={"patience": '="PT" + string(n) + "M"'}))
    parts = (start(), task, boundary("late", "a", timer("duration", "=patience")), end())
    story = tell(bundle_of(*parts, flows="s > a > e\nlate > e"), n=7)
    assert story.wait("late").due == NOON + dt.timedelta(minutes=7)


def test_a_boundary_timer_without_a_time_stops_its_activity_before_it_begins(tell: Tell) -> None:
    parts = (start(), service("a"), boundary("late", "a", timer("duration", "=patience")), end())
    story = tell(bundle_of(*parts, flows="s > a > e\nlate > e"))
    assert story.waiting() == ["a"]
    assert story.wait("a").cause == "timer"
    assert story.house.items == []
    story.set(0, "patience", "PT1H")
    story.retry("a")
    assert story.waiting() == ["a", "late"]


# Messages and signals


@proves("zeebe:subscription")
def test_a_message_reaches_the_event_that_waits_for_it(tell: Tell) -> None:
    story = tell(
        bundle_of(start(), catch("c", on("message", "m")), end(), flows="s > c > e", definitions=PAID), order=4711
    )
    wait = story.wait("c")
    assert (wait.kind, wait.message_name, wait.correlation_key) == ("message", "paid", "4711")
    story.deliver("c", amount=5)
    assert story.ended_at("e")
    assert story.variable("amount") == 5


def test_a_receive_task_waits_for_a_message_and_may_have_a_timer(tell: Tell) -> None:
    parts = (
        start(),
        node("receiveTask", "c", messageRef="m"),
        boundary("late", "c", timer("duration", "PT1H")),
        end(),
        end("l"),
    )
    story = tell(bundle_of(*parts, flows="s > c > e\nlate > l", definitions=PAID), order="x")
    assert story.waiting("message") == ["c"]
    story.later(hours=1)
    assert story.ended_at("l")


def test_a_message_without_a_correlation_key_value_is_an_incident(tell: Tell) -> None:
    story = tell(bundle_of(start(), catch("c", on("message", "m")), end(), flows="s > c > e", definitions=PAID))
    assert (story.wait("c").incident or "").startswith('Expected a correlation key from "=order", but it is null')


def test_the_output_mapping_of_a_message_event_takes_only_what_it_names(tell: Tell) -> None:
    event = catch("c", on("message", "m"), extensions=io(outputs={"paid_amount": "=amount"}))
    story = tell(bundle_of(start(), event, end(), flows="s > c > e", definitions=PAID), order=1)
    story.deliver("c", amount=5, noise=6)
    assert story.variables == {"order": 1, "paid_amount": 5}


@proves("message: a boundary that does not interrupt fires for every message")
def test_a_non_interrupting_message_boundary_fires_for_every_message(tell: Tell) -> None:
    parts = (start(), user("a"), boundary("b", "a", on("message", "m"), interrupting=False), user("c"), end())
    story = tell(bundle_of(*parts, flows="s > a > e\nb > c", definitions=PAID), order=1)
    story.deliver("b")
    story.deliver("b")
    assert story.waiting() == ["a", "b", "c", "c"]
    story.complete("a")
    assert story.waiting() == ["c", "c"]


def test_the_first_event_of_an_event_based_gateway_wins_and_two_timers_keep_their_own_times(tell: Tell) -> None:
    parts = (
        start(),
        node("eventBasedGateway", "g"),
        catch("t1", timer("duration", "PT1H")),
        catch("t2", timer("duration", "PT2H")),
        catch("c", on("message", "m")),
        end("e1"),
        end("e2"),
        end("e3"),
    )
    bundle = bundle_of(*parts, flows="s > g > t1 > e1\ng > t2 > e2\ng > c > e3", definitions=PAID)
    story = tell(bundle, order=1)
    assert story.wait("t1").due == NOON + dt.timedelta(hours=1)
    assert story.wait("t2").due == NOON + dt.timedelta(hours=2)
    late = story.wait("t1").token_id
    story.deliver("c")
    assert story.ended_at("e3")
    assert story.left() == ["s", "g", "c", "e3"]
    with pytest.raises(NotWaiting):
        story.flow.deliver(late)
    other = tell(bundle, order=1)
    other.later(hours=1)
    assert other.ended_at("e1")


def test_a_signal_reaches_everybody_who_waits_for_it(tell: Tell) -> None:
    parts = (
        start(),
        catch("a", on("signal", "sig")),
        user("b"),
        boundary("x", "b", on("signal", "sig")),
        end(),
        end("ex"),
    )
    bundle = bundle_of(*parts, flows="s > a > e\ns > b > e\nx > ex", definitions='<bpmn:signal id="sig" name="stop" />')
    story = tell(bundle)
    assert story.signal("go") == 0
    assert story.signal("stop", why="fire") == 2
    assert story.flow.done
    assert sorted(story.flow.ended_at) == ["e", "ex"]
    assert story.variable("why") == "fire"


def test_a_thrown_signal_reaches_the_instance_itself_and_is_told(tell: Tell) -> None:
    signal = '<bpmn:signal id="sig" name="stop" />'
    parts = (
        start(),
        user("a"),
        throw("t", on("signal", "sig"), extensions=io(inputs={"why": '="late"'})),
        catch("c", on("signal", "sig")),
        end("e1"),
        end("e2"),
    )
    story = tell(bundle_of(*parts, flows="s > a > t > e1\ns > c > e2", definitions=signal))
    story.complete("a")
    assert story.flow.done
    assert [(found.kind, found.name, dict(found.variables)) for found in story.thrown] == [
        ("signal", "stop", {"why": "late"})
    ]
    assert story.variable("why") == "late"


def test_a_thrown_message_goes_out_with_its_key_and_its_mapped_variables(tell: Tell) -> None:
    event = end("e", on("message", "m"), extensions=io(inputs={"amount": "=price * 2"}))
    story = tell(bundle_of(start(), event, flows="s > e", definitions=PAID), order=7, price=3)
    thrown = story.thrown[0]
    assert (thrown.kind, thrown.name, thrown.correlation_key, thrown.variables) == (
        "message",
        "paid",
        "7",
        {"amount": 6},
    )
    assert story.ended_at("e")


def test_a_throwing_message_event_with_a_job_type_is_work(tell: Tell) -> None:
    event = throw("t", on("message", "m"), extensions='<zeebe:taskDefinition type="mail" />')
    house = House()
    story = tell(bundle_of(start(), event, end(), flows="s > t > e", definitions=PAID), house)
    assert story.waiting("job") == ["t"]
    assert house.items[0].kind == "message"
    story.complete("t")
    assert story.ended_at("e")


def test_a_message_start_event_can_be_chosen(tell: Tell) -> None:
    parts = (start(), start("by_mail", on("message", "m")), user("a"), user("b"), end())
    bundle = bundle_of(*parts, flows="s > a > e\nby_mail > b > e", definitions=PAID)
    assert [(found.element_id, found.kind) for found in bundle.processes["p"].starts] == [
        ("s", "none"),
        ("by_mail", "message"),
    ]
    assert tell(bundle).waiting() == ["a"]
    assert tell(bundle, start="by_mail").waiting() == ["b"]
    with pytest.raises(KeyError, match="Expected a start event of p"):
        tell(bundle, start="a")


# Errors, escalations, terminate, links


def raising(code: str, **variables: object) -> object:
    def work(item: object) -> None:
        raise BpmnError(code, f"{code} happened", variables)

    return work


ERRORS = '<bpmn:error id="e1" errorCode="E1" /><bpmn:error id="e2" errorCode="E2" />'


@proves("error: the specific code before the one that catches all")
@pytest.mark.parametrize(("code", "caught"), [("E1", "x1"), ("E9", "x_any")])
def test_a_specific_error_boundary_comes_before_one_that_catches_all(tell: Tell, code: str, caught: str) -> None:
    parts = (
        start(),
        service("w"),
        boundary("x_any", "w", on("error")),
        boundary("x2", "w", on("error", "e2")),
        boundary("x1", "w", on("error", "e1")),
        end(),
        *(end(f"end_{name}") for name in ("x_any", "x1", "x2")),
    )
    flows = "s > w > e\nx_any > end_x_any\nx1 > end_x1\nx2 > end_x2"
    story = tell(bundle_of(*parts, flows=flows, definitions=ERRORS), House(w=raising(code, why="so")))
    assert story.ended_at(f"end_{caught}")
    assert story.variable("why") == "so"
    assert story.left("error") == ["w"]


def test_an_error_end_leaves_the_sub_process_by_its_own_boundary_only(tell: Tell) -> None:
    """Stock SpiffWorkflow fires the boundary events of both sub-processes."""
    inner = [
        sub(
            name,
            start(f"{name}s"),
            user(f"{name}u"),
            end(f"{name}e", on("error", "e1")),
            flows=f"{name}s > {name}u > {name}e",
        )
        for name in ("a", "b")
    ]
    parts = (
        start(),
        *inner,
        boundary("xa", "a", on("error", "e1")),
        boundary("xb", "b", on("error", "e1")),
        user("ha"),
        user("hb"),
        end(),
    )
    story = tell(bundle_of(*parts, flows="s > a > e\ns > b > e\nxa > ha > e\nxb > hb > e", definitions=ERRORS))
    story.complete("bu")
    assert story.waiting() == ["au", "hb"]


@proves("call: an error reaches the call activity")
def test_an_error_in_a_called_process_reaches_the_call_activity(tell: Tell) -> None:
    other = process(start("qs"), end("qe", on("error", "e1")), id="q", flows="qs > qe")
    parts = (start(), call("c", "q"), boundary("x", "c", on("error", "e1")), user("h"), end())
    story = tell(bundle_of(*parts, flows="s > c > e\nx > h > e", definitions=ERRORS, others={"q": other}))
    assert story.waiting() == ["h"]
    story.complete("h")
    assert story.ended_at("e")


def test_an_error_of_one_inner_instance_cancels_the_whole_multi_instance(tell: Tell) -> None:
    parts = (start(), user("a", each("=[1, 2, 3]")), boundary("x", "a", on("error", "e1")), user("h"), end())
    story = tell(bundle_of(*parts, flows="s > a > e\nx > h > e", definitions=ERRORS))
    story.fail("a", "E1")
    assert story.waiting() == ["h"]
    assert [(row.element_id, row.kind) for row in story.history if row.outcome == "cancelled"] == [
        ("a", "userTask")
    ] * 2 + [("a", "multiInstance")]


def test_a_worker_error_nobody_catches_is_an_incident_that_retries_as_the_same_task(tell: Tell) -> None:
    story = tell(bundle_of(start(), user("a"), end(), flows="s > a > e"))
    story.fail("a", "E7")
    assert story.waiting("incident") == ["a"]
    story.retry("a")
    assert story.waiting("task") == ["a"]
    story.complete("a")
    assert story.ended_at("e")


ESCALATION = '<bpmn:escalation id="esc" escalationCode="LATE" />'


@pytest.mark.parametrize("interrupting", [True, False])
def test_an_escalation_is_caught_outside_and_goes_on_unless_it_interrupts(tell: Tell, interrupting: bool) -> None:
    inner = sub("u", start("us"), throw("t", on("escalation", "esc")), user("ua"), end("ue"), flows="us > t > ua > ue")
    parts = (start(), inner, boundary("x", "u", on("escalation", "esc"), interrupting=interrupting), user("h"), end())
    story = tell(bundle_of(*parts, flows="s > u > e\nx > h > e", definitions=ESCALATION))
    assert story.waiting() == (["h"] if interrupting else ["h", "ua"])


@proves("escalation: uncaught, it is told and the flow goes on")
def test_an_escalation_nobody_catches_is_told_and_goes_on(tell: Tell) -> None:
    story = tell(bundle_of(start(), end("e", on("escalation", "esc")), flows="s > e", definitions=ESCALATION))
    assert [(found.kind, found.name) for found in story.thrown] == [("escalation", "LATE")]
    assert story.ended_at("e")


def test_a_terminate_end_stops_its_own_scope_only(tell: Tell) -> None:
    inner = sub("u", start("us"), user("ua"), user("ub"), end("stop", on("terminate")), flows="us > ua > stop\nus > ub")
    story = tell(bundle_of(start(), inner, user("z"), user("y"), end(), flows="s > u > z > e\ns > y > e"))
    story.complete("ua")
    assert story.waiting() == ["y", "z"]
    assert story.left("cancelled") == ["ub"]


def test_a_terminate_end_of_the_process_ends_the_instance(tell: Tell) -> None:
    story = tell(
        bundle_of(start(), user("a"), user("b"), end("stop", on("terminate")), end(), flows="s > a > stop\ns > b > e")
    )
    story.complete("a")
    assert story.ended_at("stop")
    assert story.flow.outcome == "terminated"


@proves("intermediate catch: link")
def test_a_link_goes_on_where_its_name_is_caught(tell: Tell) -> None:
    parts = (start(), throw("t", on("link", name="far")), catch("c", on("link", name="far")), user("a"), end())
    story = tell(bundle_of(*parts, flows="s > t\nc > a > e"))
    assert story.waiting() == ["a"]
    story.complete("a")
    assert story.ended_at("e")


# Conditions


def test_a_conditional_event_fires_when_a_parallel_task_makes_it_true(tell: Tell) -> None:
    story = tell(
        bundle_of(
            start(),
            user("a"),
            user("b"),
            catch("c", when("=ok = true")),
            user("z"),
            end(),
            flows="s > a > b > e\ns > c > z > e",
        )
    )
    story.complete("a", ok=False)
    assert story.waiting("conditional") == ["c"]
    story.complete("b", ok=True)
    assert story.waiting() == ["z"]


def test_a_condition_that_is_true_already_fires_at_once(tell: Tell) -> None:
    assert tell(
        bundle_of(start(), catch("c", when("=x > 1")), user("z"), end(), flows="s > c > z > e"), x=2
    ).waiting() == ["z"]


@proves("conditional: fires each time it becomes true anew")
def test_a_non_interrupting_condition_fires_each_time_it_becomes_true_anew(tell: Tell) -> None:
    parts = (start(), user("a"), boundary("b", "a", when("=n > 10"), interrupting=False), user("h"), end())
    story = tell(bundle_of(*parts, flows="s > a > e\nb > h"), n=1)
    for n, handlers in ((11, 1), (12, 1), (5, 1), (20, 2)):
        story.set(0, "n", n)
        story.signal("nothing")
        assert story.waiting("task").count("h") == handlers, n


@proves("zeebe:conditionalFilter")
def test_a_filter_says_at_which_changes_a_condition_is_asked_anew(tell: Tell) -> None:
    """What counts is how a variable changed that can be seen from there, not that the condition would be true by now."""
    filters = {
        "update": {"variableEvents": "update"},
        "create": {"variableEvents": "create"},
        "named": {"variableNames": "go", "variableEvents": "create, update"},
    }
    box = sub("box", start("i"), user("u"), end("o"), flows="i > u > o", extensions=io(inputs={"go": "=0"}))
    caught = [catch(name, when("=n > 10", **filters[name])) for name in filters]
    story = tell(
        bundle_of(start(), box, *caught, *(user(f"{name}_fired") for name in filters), end(),
                  flows="s > box > e\n" + "\n".join(f"s > {name} > {name}_fired > e" for name in filters))
    )  # fmt: skip

    def change(scope: int, name: str, value: int) -> None:
        story.flow.set_variable(scope, name, value)
        story.signal("nothing")

    change(0, "n", 11)
    assert story.waiting("task") == ["create_fired", "u"]
    change(story.flow.scope_of(story.wait("u").token_id), "go", 1)
    change(0, "n", 11)
    assert story.waiting("conditional") == ["named", "update"]
    change(0, "n", 12)
    assert story.waiting("conditional") == ["named"]
    change(0, "go", 1)
    assert story.waiting("task") == ["create_fired", "named_fired", "u", "update_fired"]


def test_a_condition_at_a_sub_process_sees_what_is_inside_it(tell: Tell) -> None:
    inside = (start("i"), user("u"), user("v"), end("o"))
    box = sub("box", *inside, flows="i > u > v > o", extensions=io(inputs={"n": "=0"}))
    parts = (start(), box, boundary("b", "box", when("=n > 5")), user("h"), end())
    story = tell(bundle_of(*parts, flows="s > box > e\nb > h"))
    story.complete("u", n=7)
    assert story.waiting() == ["h"]


# Event sub-processes


def test_an_interrupting_event_sub_process_runs_instead_of_everything_else(tell: Tell) -> None:
    es = event_sub("es", start("es_s", on("message", "m")), user("h"), end("es_e"), flows="es_s > h > es_e")
    story = tell(bundle_of(start(), user("a"), end(), es, flows="s > a > e", definitions=PAID), order=1)
    assert story.waiting() == ["a", "es"]
    story.deliver("es", why="changed")
    assert story.waiting() == ["h"]
    assert story.variable("why") == "changed"
    story.complete("h")
    assert story.ended_at()
    assert story.left("cancelled") == ["a"]


def test_a_non_interrupting_event_sub_process_runs_beside_and_again(tell: Tell) -> None:
    es = event_sub(
        "es",
        start("es_s", timer("cycle", "R/PT1H"), isInterrupting="false"),
        user("h"),
        end("es_e"),
        flows="es_s > h > es_e",
    )
    story = tell(bundle_of(start(), user("a"), end(), es, flows="s > a > e"))
    story.later(hours=1)
    story.later(hours=1)
    assert story.waiting() == ["a", "es", "h", "h"]
    story.complete("a")
    assert story.waiting() == ["es", "h", "h"]
    story.complete("h")
    story.complete("h")
    assert story.ended_at("e")


def test_an_event_sub_process_inside_a_sub_process_listens_there(tell: Tell) -> None:
    es = event_sub("es", start("es_s", on("error", "e1")), user("h"), end("es_e"), flows="es_s > h > es_e")
    inner = sub("u", start("us"), user("ua"), end("ue", on("error", "e1")), es, flows="us > ua > ue")
    story = tell(bundle_of(start(), inner, user("z"), end(), flows="s > u > z > e", definitions=ERRORS))
    story.complete("ua")
    assert story.waiting() == ["h"]
    story.complete("h")
    assert story.waiting() == ["z"]


@proves("error: outwards, not round in circles")
def test_an_error_inside_an_error_handler_goes_outwards_and_not_round_in_circles(tell: Tell) -> None:
    es = event_sub("es", start("es_s", on("error")), end("es_e", on("error", "e2")), flows="es_s > es_e")
    inner = sub("u", start("us"), end("ue", on("error", "e1")), es, flows="us > ue")
    parts = (start(), inner, boundary("x", "u", on("error", "e2")), user("h"), end())
    story = tell(bundle_of(*parts, flows="s > u > e\nx > h > e", definitions=ERRORS))
    assert story.waiting() == ["h"]


def test_a_listener_alone_keeps_no_instance_alive(tell: Tell) -> None:
    es = event_sub("es", start("es_s", on("message", "m")), end("es_e"), flows="es_s > es_e")
    story = tell(bundle_of(start(), user("a"), end(), es, flows="s > a > e", definitions=PAID), order=1)
    story.complete("a")
    assert story.ended_at("e")


# Compensation and transactions


def booking(name: str) -> tuple[str, ...]:
    return (
        service(name),
        boundary(f"{name}_c", name, on("compensate")),
        service(f"undo_{name}", isForCompensation="true"),
        association(f"{name}_assoc", f"{name}_c", f"undo_{name}"),
    )


def booked(**workers: object) -> House:
    done = {name: lambda item: None for name in ("hotel", "flight", "undo_hotel", "undo_flight")}
    return House(**(done | workers))


def types(house: House) -> list[str | None]:
    return [item.type for item in house.items]


@proves("compensation: newest first", "boundary: compensation")
def test_compensation_undoes_what_was_completed_newest_first(tell: Tell) -> None:
    house = booked()
    parts = (start(), *booking("hotel"), *booking("flight"), user("a"), throw("t", on("compensate")), user("z"), end())
    story = tell(bundle_of(*parts, flows="s > hotel > flight > a > t > z > e"), house)
    assert types(house) == ["hotel", "flight"]
    story.complete("a")
    assert types(house) == ["hotel", "flight", "undo_flight", "undo_hotel"]
    assert story.waiting() == ["z"]


@proves("compensation: aimed at one activity")
def test_compensation_can_be_aimed_at_one_activity(tell: Tell) -> None:
    house = booked()
    parts = (start(), *booking("hotel"), *booking("flight"), end("e", on("compensate", activityRef="hotel")))
    story = tell(bundle_of(*parts, flows="s > hotel > flight > e"), house)
    assert types(house) == ["hotel", "flight", "undo_hotel"]
    assert story.ended_at("e")


def test_a_compensation_handler_may_wait_for_a_person(tell: Tell) -> None:
    house = booked(undo_flight=None)
    house.workers.pop("undo_flight")
    parts = (start(), *booking("hotel"), *booking("flight"), end("e", on("compensate")))
    story = tell(bundle_of(*parts, flows="s > hotel > flight > e"), house)
    assert story.waiting() == ["undo_flight"]
    story.complete("undo_flight")
    assert types(house)[-1] == "undo_hotel"
    assert story.ended_at("e")


@proves("compensation: inside a sub-process that has completed")
def test_what_a_completed_sub_process_did_is_compensated_inside_it(tell: Tell) -> None:
    house = booked()
    inner = sub("u", start("us"), *booking("hotel"), end("ue"), flows="us > hotel > ue")
    parts = (start(), inner, *booking("flight"), user("a"), end("e", on("compensate")))
    story = tell(bundle_of(*parts, flows="s > u > flight > a > e"), house)
    story.complete("a")
    assert types(house) == ["hotel", "flight", "undo_flight", "undo_hotel"]
    assert story.ended_at("e")


@proves("compensation: each instance of a multi-instance sub-process")
def test_each_instance_of_a_multi_instance_sub_process_is_compensated(tell: Tell) -> None:
    house = booked()
    inner = sub("u", each("=[1, 2]"), start("us"), *booking("hotel"), end("ue"), flows="us > hotel > ue")
    parts = (start(), inner, user("a"), end("e", on("compensate", activityRef="u")))
    story = tell(bundle_of(*parts, flows="s > u > a > e"), house)
    story.complete("a")
    assert types(house) == ["hotel", "hotel", "undo_hotel", "undo_hotel"]
    assert story.ended_at("e")


@proves("compensation: the handler of a sub-process stands for those inside")
def test_a_handler_of_the_sub_process_stands_for_the_handlers_inside(tell: Tell) -> None:
    house = booked(undo_u=lambda item: None)
    inner = sub("u", start("us"), *booking("hotel"), end("ue"), flows="us > hotel > ue")
    whole = (
        inner,
        boundary("u_c", "u", on("compensate")),
        service("undo_u", isForCompensation="true"),
        association("u_assoc", "u_c", "undo_u"),
    )
    story = tell(bundle_of(start(), *whole, end("e", on("compensate")), flows="s > u > e"), house)
    assert types(house) == ["hotel", "undo_u"]
    assert story.ended_at("e")


@proves("compensation: the handler sees what its activity kept to itself")
def test_a_compensation_handler_sees_what_its_activity_kept_to_itself(tell: Tell) -> None:
    house = booked(undo_hotel=lambda item: {"undone": item.variables["room"]})
    parts = list(booking("hotel"))
    parts[0] = service("hotel", extensions=io(inputs={"room": '="101 for " + guest'}))
    story = tell(
        bundle_of(start(), *parts, user("a"), end("e", on("compensate")), flows="s > hotel > a > e"),
        house,
        guest="rita",
    )
    story.complete("a", guest="max")
    assert story.variable("undone") == "101 for rita"
    assert "room" not in story.variables


@proves("compensation: from an event sub-process")
def test_an_error_handler_in_an_event_sub_process_compensates_its_scope(tell: Tell) -> None:
    house = booked()
    es = event_sub("es", start("xs", on("error")), end("xe", on("compensate")), flows="xs > xe")
    parts = (start(), *booking("hotel"), user("a"), end("e", on("error", "e1")), es)
    story = tell(bundle_of(*parts, flows="s > hotel > a > e", definitions=ERRORS), house)
    story.complete("a")
    assert types(house) == ["hotel", "undo_hotel"]
    assert story.ended_at()


def test_a_cancelled_transaction_is_compensated_and_leaves_by_its_cancel_event(tell: Tell) -> None:
    house = booked()
    inner = sub(
        "tx",
        start("us"),
        *booking("hotel"),
        *booking("flight"),
        user("ask"),
        user("other"),
        end("no", on("cancel")),
        kind="transaction",
        flows="us > hotel > flight > ask > no\nus > other",
    )
    parts = (start(), inner, boundary("x", "tx", on("cancel")), user("h"), user("ok"), end())
    story = tell(bundle_of(*parts, flows="s > tx > ok > e\nx > h > e"), house)
    story.complete("ask")
    assert types(house)[2:] == ["undo_flight", "undo_hotel"]
    assert story.waiting() == ["h"]
    story.complete("h")
    assert story.ended_at("e")


def test_a_script_may_not_put_a_value_into_the_instance_that_cannot_be_stored(tell: Tell) -> None:
    story = tell(bundle_of(start(), script("c", "=[1..3]", "span"), end(), flows="s > c > e"))
    assert story.wait("c").kind == "incident"
