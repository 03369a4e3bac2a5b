"""The dialect, element by element: each kind at each place where it may stand, in each variation that a diagram can draw."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from engine.spiff import BpmnError, Bundle, WorkFailed, WorkItem, read_bundle, schedule
from tests.engine.spiff.conftest import Tell
from tests.engine.spiff.diagrams import (
    association,
    boundary,
    call,
    diagram,
    each,
    end,
    event_sub,
    io,
    listeners,
    message,
    node,
    on,
    process,
    service,
    start,
    sub,
    timer,
    user,
    when,
)
from tests.engine.spiff.proofs import proves, proves_each
from tests.engine.spiff.story import NOON, House, Story, bundle_of

DEFINITIONS = (
    message("m", "paid", "=order")
    + '<bpmn:signal id="sig" name="stop" /><bpmn:error id="e1" errorCode="E1" />'
    + '<bpmn:escalation id="esc" escalationCode="LATE" />'
)
EVENTS = {
    "message": on("message", "m"),
    "timer": timer("duration", "PT1H"),
    "signal": on("signal", "sig"),
    "conditional": when("=ok = true"),
    "error": on("error", "e1"),
    "escalation": on("escalation", "esc"),
}
JOB = '<zeebe:taskDefinition type="{}" />'
CHOSEN = '<zeebe:adHoc activeElementsCollection="=[&quot;{}&quot;]" />'
INNER = process(start("qs"), user("asked"), end("qe"), id="q", flows="qs > asked > qe")


def happen(story: Story, element: str, kind: str) -> None:
    """Let the event that waits at an element happen."""
    if kind == "message":
        story.deliver(element)
    elif kind == "timer":
        story.later(hours=1)
    elif kind == "signal":
        assert story.signal("stop") >= 1
    else:
        story.set(0, "ok", True)
        story.signal("nothing")


def activity(kind: str, id: str, *inside: str, extensions: str = "", **attributes: str) -> str:
    """An activity of any kind; inside a container a person is asked (``ask``), and jobs wait for a worker."""
    if kind == "adHocSubProcess":
        return sub(id, *inside, user("ask"), kind=kind, extensions=CHOSEN.format("ask") + extensions, **attributes)
    if kind in ("subProcess", "transaction"):
        parts = (start(f"{id}in"), user("ask"), end(f"{id}out"))
        flows = f"{id}in > ask > {id}out"
        return sub(id, *inside, *parts, flows=flows, kind=kind, extensions=extensions, **attributes)
    if kind == "callActivity":
        called = call(id, "q", *inside, extensions=extensions)
        return called.replace("<bpmn:callActivity", f"<bpmn:callActivity{_written(attributes)}", 1)
    if kind == "receiveTask":
        return node(kind, id, *inside, extensions=extensions, messageRef="m", **attributes)
    if kind in ("serviceTask", "sendTask", "scriptTask", "businessRuleTask"):
        return node(kind, id, *inside, extensions=JOB.format(id) + extensions, **attributes)
    return node(kind, id, *inside, extensions=extensions, **attributes)


def _written(attributes: dict[str, str]) -> str:
    return "".join(f' {name}="{value}"' for name, value in attributes.items())


def bundle(*parts: str, flows: str) -> Bundle:
    return bundle_of(*parts, flows=flows, definitions=DEFINITIONS, others={"q": INNER})


def place_of(kind: str, id: str) -> str:
    """Where something waits when an activity of this kind runs."""
    return dict.fromkeys(("subProcess", "transaction", "adHocSubProcess"), "ask").get(
        kind, "asked" if kind == "callActivity" else id
    )


def work_off(story: Story, kind: str, id: str, which: int = 0, **results: Any) -> None:
    """Do what an activity of this kind waits for."""
    if kind == "receiveTask":
        story.deliver(id, which, **results)
    else:
        story.complete(place_of(kind, id), which, **results)


WAITING = (
    "userTask",
    "serviceTask",
    "sendTask",
    "scriptTask",
    "businessRuleTask",
    "receiveTask",
    "subProcess",
    "transaction",
)


# Activities


@proves_each(
    "activity: {}",
    [
        "userTask",
        "serviceTask",
        "sendTask",
        "scriptTask",
        "businessRuleTask",
        "receiveTask",
        "manualTask",
        "task",
        "subProcess",
        "transaction",
        "adHocSubProcess",
        "callActivity",
    ],
)
def test_an_activity_is_entered_does_its_work_and_goes_on(tell: Tell, kind: str) -> None:
    story = tell(bundle(start(), activity(kind, "a"), user("z"), end(), flows="s > a > z > e"), order=1)
    if kind not in ("manualTask", "task"):
        assert story.waiting() == [place_of(kind, "a")]
        work_off(story, kind, "a", result=7)
        assert story.variable("result") == 7
    assert story.waiting() == ["z"]
    assert "a" in story.left()


def outcome_of(story: Story) -> list[Any]:
    return [None if value is None else int(value) for value in story.variable("results")]


MULTIPLE = [
    "userTask",
    "serviceTask",
    "sendTask",
    "scriptTask",
    "businessRuleTask",
    "receiveTask",
    "subProcess",
    "transaction",
    "adHocSubProcess",
    "callActivity",
]


def several(kind: str, *, sequential: bool, until: str = "") -> Bundle:
    loop = each("=[3, 1, 2]", sequential=sequential, output="results", collect="=result", until=until)
    return bundle(start(), activity(kind, "a", loop), end(), flows="s > a > e")


@proves_each(
    "parallel multi-instance: {}",
    [
        "userTask",
        "serviceTask",
        "sendTask",
        "scriptTask",
        "businessRuleTask",
        "receiveTask",
        "subProcess",
        "transaction",
        "adHocSubProcess",
        "callActivity",
    ],
)
def test_parallel_instances_collect_their_results_in_the_order_of_the_input(tell: Tell, kind: str) -> None:
    story = tell(several(kind, sequential=False), order=1)
    assert story.waiting() == [place_of(kind, "a")] * 3
    for which in (2, 0, 0):
        token = story.wait(place_of(kind, "a"), which).token_id
        item = story.flow.variables_view(token)["item"]
        work_off(story, kind, "a", which, result=item * 10)
    assert story.ended_at("e")
    assert outcome_of(story) == [30, 10, 20]
    assert story.variable("item") is None


@proves_each(
    "sequential multi-instance: {}",
    [
        "userTask",
        "serviceTask",
        "sendTask",
        "scriptTask",
        "businessRuleTask",
        "receiveTask",
        "subProcess",
        "transaction",
        "adHocSubProcess",
        "callActivity",
    ],
)
def test_sequential_instances_come_one_after_the_other(tell: Tell, kind: str) -> None:
    story = tell(several(kind, sequential=True), order=1)
    for item in (3, 1, 2):
        assert story.waiting() == [place_of(kind, "a")]
        token = story.wait(place_of(kind, "a")).token_id
        assert story.flow.variables_view(token)["item"] == item
        work_off(story, kind, "a", result=item * 10)
    assert story.ended_at("e")
    assert outcome_of(story) == [30, 10, 20]


@proves("multi-instance: completionCondition")
@pytest.mark.parametrize("kind", MULTIPLE)
@pytest.mark.parametrize("sequential", [True, False])
def test_a_completion_condition_ends_the_rest_and_keeps_what_was_collected(
    tell: Tell, kind: str, sequential: bool
) -> None:
    story = tell(several(kind, sequential=sequential, until="=numberOfCompletedInstances = 2"), order=1)
    for _ in range(2):
        work_off(story, kind, "a", result=5)
    assert story.ended_at("e")
    assert outcome_of(story) == [5, 5, None]
    held = {"adHocSubProcess": 3}.get(kind, 2 if place_of(kind, "a") != "a" else 1)
    assert len(story.left("cancelled")) == (0 if sequential else held)


@proves("parallel multi-instance: task", "parallel multi-instance: manualTask")
@proves("sequential multi-instance: task", "sequential multi-instance: manualTask")
@pytest.mark.parametrize("kind", ["task", "manualTask"])
@pytest.mark.parametrize("sequential", [True, False])
def test_what_the_engine_passes_through_may_be_repeated_too(tell: Tell, kind: str, sequential: bool) -> None:
    loop = each("=[3, 1, 2]", sequential=sequential, output="results", collect="=item * 10")
    story = tell(bundle(start(), activity(kind, "a", loop), end(), flows="s > a > e"))
    assert story.ended_at("e")
    assert outcome_of(story) == [30, 10, 20]


@proves("parallel multi-instance: scriptTask", "sequential multi-instance: scriptTask")
@proves("parallel multi-instance: businessRuleTask", "sequential multi-instance: businessRuleTask")
@pytest.mark.parametrize("sequential", [True, False])
@pytest.mark.parametrize(
    ("kind", "extension"),
    [
        ("scriptTask", '<zeebe:script expression="=item * 10" resultVariable="result" />'),
        ("businessRuleTask", '<zeebe:calledDecision decisionId="tenfold" resultVariable="result" />'),
    ],
)
def test_feel_and_tables_compute_for_each_item(tell: Tell, kind: str, extension: str, sequential: bool) -> None:
    def tenfold(item: WorkItem) -> dict[str, Any]:
        return {"result": item.variables["item"] * 10}

    loop = each("=[3, 1, 2]", sequential=sequential, output="results", collect="=result")
    step = node(kind, "a", loop, extensions=extension)
    story = tell(bundle_of(start(), step, end(), flows="s > a > e"), House(tenfold=tenfold))
    assert story.ended_at("e")
    assert outcome_of(story) == [30, 10, 20]


# Compensation


def undone(kind: str) -> tuple[str, ...]:
    return (
        activity(kind, "a"),
        boundary("a_c", "a", on("compensate")),
        service("undo_a", isForCompensation="true"),
        association("a_assoc", "a_c", "undo_a"),
    )


@proves("intermediate throw: compensation")
@proves_each(
    "compensated: {}",
    [
        "userTask",
        "serviceTask",
        "sendTask",
        "scriptTask",
        "businessRuleTask",
        "receiveTask",
        "manualTask",
        "task",
        "subProcess",
        "transaction",
        "adHocSubProcess",
        "callActivity",
    ],
)
def test_an_activity_that_was_done_is_undone_by_its_handler(tell: Tell, kind: str) -> None:
    parts = (start(), *undone(kind), node("intermediateThrowEvent", "t", on("compensate")), user("z"), end())
    story = tell(bundle(*parts, flows="s > a > t > z > e"), order=1)
    if kind not in ("manualTask", "task"):
        work_off(story, kind, "a")
    assert story.waiting() == ["undo_a"]
    story.complete("undo_a")
    assert story.waiting() == ["z"]


@proves("compensation: stops at a call, whose own handler undoes it")
def test_what_was_done_in_a_called_process_is_undone_by_the_handler_of_the_call_alone(tell: Tell) -> None:
    inner = (
        start("is"),
        service("in"),
        boundary("ic", "in", on("compensate")),
        service("undo_in", isForCompensation="true"),
        association("it", "ic", "undo_in"),
        end("ie"),
    )
    drawn = {"r": process(*inner, id="r", flows="is > in > ie")}
    handled = (
        boundary("c", "two", on("compensate")),
        service("undo_two", isForCompensation="true"),
        association("t", "c", "undo_two"),
    )
    parts = (start(), call("one", "r"), call("two", "r"), *handled, end("e", on("compensate")))
    story = tell(bundle_of(*parts, flows="s > one > two > e", others=drawn))
    story.complete("in")
    story.complete("in")
    assert story.waiting() == ["undo_two"]
    story.complete("undo_two")
    assert story.ended_at("e")


@proves("end: compensation")
@proves_each(
    "compensation handler: {}",
    [
        "userTask",
        "serviceTask",
        "sendTask",
        "scriptTask",
        "businessRuleTask",
        "receiveTask",
        "manualTask",
        "task",
        "subProcess",
        "transaction",
        "adHocSubProcess",
        "callActivity",
    ],
)
def test_an_activity_may_be_a_compensation_handler(tell: Tell, kind: str) -> None:
    parts = (
        start(),
        service("a"),
        boundary("a_c", "a", on("compensate")),
        activity(kind, "undo", isForCompensation="true"),
        association("a_assoc", "a_c", "undo"),
        user("b"),
        end("e", on("compensate")),
    )
    story = tell(bundle(*parts, flows="s > a > b > e"), House(a=None), order=1)
    story.complete("b")
    if kind not in ("manualTask", "task"):
        assert story.waiting() == [place_of(kind, "undo")]
        work_off(story, kind, "undo")
    assert story.ended_at("e")
    assert "undo" in story.left()


@proves("compensation: what was not done is not undone")
def test_what_was_cancelled_or_never_begun_is_not_undone(tell: Tell) -> None:
    parts = (
        start(),
        *undone("userTask"),
        boundary("late", "a", timer("duration", "PT1H")),
        user("b"),
        end("e", on("compensate")),
    )
    story = tell(bundle(*parts, flows="s > a > e\nlate > b > e"))
    story.later(hours=1)
    story.complete("b")
    assert story.ended_at("e")
    assert "undo_a" not in story.left()


@proves("compensation: in a sub-process, of its own scope only")
def test_a_throw_in_a_sub_process_undoes_that_sub_process_only(tell: Tell) -> None:
    inner = (
        start("us"),
        service("in"),
        boundary("in_c", "in", on("compensate")),
        service("undo_in", isForCompensation="true"),
        association("in_assoc", "in_c", "undo_in"),
        end("ue", on("compensate")),
    )
    parts = (start(), *undone("serviceTask"), sub("u", *inner, flows="us > in > ue"), user("z"), end())
    done = dict.fromkeys(("a", "in", "undo_in", "undo_a"))
    house = House(**done)
    story = tell(bundle(*parts, flows="s > a > u > z > e"), house)
    assert [item.type for item in house.items] == ["a", "in", "undo_in"]
    assert story.waiting() == ["z"]


@proves("compensation: each round of a loop, newest first")
def test_what_was_done_in_each_round_of_a_loop_is_undone_for_each(tell: Tell) -> None:
    rounds: list[Any] = []
    house = House(
        a=lambda item: {"n": item.variables["n"] + 1}, undo_a=lambda item: rounds.append(item.variables["mine"])
    )
    counted = [part.replace("</bpmn:extensionElements>", io(inputs={"mine": "=n"}, outputs={"n": "=n"}) + "</bpmn:extensionElements>", 1)
               if 'id="a"' in part else part for part in undone("serviceTask")]  # fmt: skip
    gate = node("exclusiveGateway", "g", default="g_e")
    parts = (start(), *counted, gate, end("e", on("compensate")))
    tell(bundle(*parts, flows="s > a > g\ng -[=n < 3]-> a\ng > e"), house, n=Decimal(0))
    assert rounds == [2, 1, 0]


@proves("compensation: in a repeated sub-process, with what each one was given")
@pytest.mark.parametrize("sequential", [False, True])
def test_what_is_undone_inside_a_repeated_sub_process_knows_which_one_it_was(tell: Tell, sequential: bool) -> None:
    freed: list[Any] = []
    parts = (start("i"), service("book"), boundary("c", "book", on("compensate")), association("to", "c", "free"),
             service("free", isForCompensation="true"), end("o"), each("=rooms", sequential=sequential, element="room"))  # fmt: skip
    box = sub("box", *parts, flows="i > book > o", extensions=io(outputs={"last": "=room"}))
    house = House(book={}, free=lambda item: freed.append([item.variables["room"], item.variables["loopCounter"]]))
    story = tell(
        bundle(start(), box, user("u"), end("e", on("compensate")), flows="s > box > u > e"), house, rooms=["A", "B"]
    )
    story.complete("u", last="kept")
    assert freed == [["B", 2], ["A", 1]]
    assert story.variable("last") == "kept"


# Events that catch


@proves_each("process start: {}", ["none", "message", "timer", "signal", "conditional"])
def test_a_process_begins_at_the_start_event_that_was_triggered(tell: Tell, kind: str) -> None:
    definition = {"none": "", "timer": timer("cycle", "R/P1D")}.get(kind) or EVENTS.get(kind, "")
    parts = (start("first", definition), start("other", on("signal", "sig")), user("a"), user("b"), end())
    story = tell(bundle(*parts, flows="first > a > e\nother > b > e"), start="first")
    assert story.waiting() == ["a"]


@proves_each("intermediate catch: {}", ["message", "timer", "signal", "conditional"])
def test_a_catch_event_waits_until_it_happens(tell: Tell, kind: str) -> None:
    parts = (start(), node("intermediateCatchEvent", "c", EVENTS[kind]), user("z"), end())
    story = tell(bundle(*parts, flows="s > c > z > e"), order=1)
    assert story.waiting(kind) == ["c"]
    happen(story, "c", kind)
    assert story.waiting() == ["z"]


@proves_each("event-based gateway: {}", ["message", "timer", "signal", "conditional", "receiveTask"])
def test_the_event_that_comes_first_behind_an_event_based_gateway_takes_its_way(tell: Tell, kind: str) -> None:
    mine = (
        node("receiveTask", "c", messageRef="m")
        if kind == "receiveTask"
        else node("intermediateCatchEvent", "c", EVENTS[kind])
    )
    other = node("intermediateCatchEvent", "d", timer("duration", "PT9H"))
    parts = (start(), node("eventBasedGateway", "g"), mine, other, user("x"), user("y"), end())
    story = tell(bundle(*parts, flows="s > g > c > x > e\ng > d > y > e"), order=1)
    assert story.waiting() == ["c", "d"]
    happen(story, "c", "message" if kind == "receiveTask" else kind)
    assert story.waiting() == ["x"]


@proves("boundary at: userTask", "boundary at: serviceTask", "boundary at: sendTask", "boundary at: scriptTask")
@proves("boundary at: businessRuleTask", "boundary at: receiveTask")
@proves(
    "boundary at: subProcess", "boundary at: transaction", "boundary at: adHocSubProcess", "boundary at: callActivity"
)
@proves_each("interrupting boundary: {}", ["message", "timer", "signal", "conditional"])
@pytest.mark.parametrize("at", [*WAITING, "callActivity"])
def test_an_interrupting_event_ends_the_activity_with_everything_in_it(tell: Tell, kind: str, at: str) -> None:
    parts = (start(), activity(at, "a"), boundary("b", "a", EVENTS[kind]), user("h"), end())
    story = tell(bundle(*parts, flows="s > a > e\nb > h > e"), order=1)
    assert story.waiting() == sorted([place_of(at, "a"), "b"])
    happen(story, "b", kind)
    assert story.waiting() == ["h"]
    assert "a" in story.left("cancelled")
    assert not story.flow.subprocesses


@proves_each("non-interrupting boundary: {}", ["message", "timer", "signal", "conditional"])
@pytest.mark.parametrize("at", [*WAITING, "callActivity"])
def test_a_non_interrupting_event_goes_on_beside_the_activity(tell: Tell, kind: str, at: str) -> None:
    parts = (start(), activity(at, "a"), boundary("b", "a", EVENTS[kind], interrupting=False), user("h"), end())
    story = tell(bundle(*parts, flows="s > a > e\nb > h"), order=1)
    happen(story, "b", kind)
    assert story.waiting("task").count("h") == 1
    work_off(story, at, "a")
    assert story.waiting() == ["h"]
    assert "a" in story.left()


@proves_each("boundary at: {}", ["task", "manualTask"])
def test_what_the_engine_passes_through_takes_its_boundary_event_along(tell: Tell, kind: str) -> None:
    parts = (start(), activity(kind, "a"), boundary("b", "a", EVENTS["message"]), user("z"), user("h"), end())
    story = tell(bundle(*parts, flows="s > a > z > e\nb > h > e"), order=1)
    assert story.waiting() == ["z"]


# Timers: each way to say when, at each place


AT_ONE = {
    "date": timer("date", "2026-11-22T13:00:00Z"),
    "duration": timer("duration", "PT1H"),
    "cycle": timer("cycle", "R3/PT1H"),
    "cron": timer("cycle", "0 0 * * * *"),
}


@proves_each("timer {}: process start", ["date", "cycle", "cron"])
def test_a_start_timer_names_its_first_time(tell: Tell, kind: str) -> None:
    found = bundle(start("s", AT_ONE[kind]), user("a"), end(), flows="s > a > e")
    [begin] = found.processes["p"].starts
    assert begin.event.timer is not None
    assert begin.event.when is not None
    assert schedule(begin.event.timer, begin.event.when.text, NOON).due == NOON + dt.timedelta(hours=1)
    assert tell(found, start="s").waiting() == ["a"]


@proves_each("timer {}: intermediate catch", ["date", "duration"])
def test_a_timer_between_two_steps_goes_off_once(tell: Tell, kind: str) -> None:
    parts = (start(), node("intermediateCatchEvent", "t", AT_ONE[kind]), user("z"), end())
    story = tell(bundle(*parts, flows="s > t > z > e"))
    assert story.later(minutes=59) == []
    assert len(story.later(minutes=1)) == 1
    assert story.waiting() == ["z"]


@proves_each("timer {}: interrupting boundary", ["date", "duration"])
def test_a_timer_at_a_task_takes_its_place(tell: Tell, kind: str) -> None:
    parts = (start(), user("a"), boundary("b", "a", AT_ONE[kind]), user("h"), end())
    story = tell(bundle(*parts, flows="s > a > e\nb > h > e"))
    story.later(hours=1)
    assert story.waiting() == ["h"]


@proves_each("timer {}: non-interrupting boundary", ["date", "duration", "cycle", "cron"])
def test_a_timer_beside_a_task_goes_off_as_often_as_it_says(tell: Tell, kind: str) -> None:
    parts = (start(), user("a"), boundary("b", "a", AT_ONE[kind], interrupting=False), user("h"))
    story = tell(bundle(*parts, flows="s > a\nb > h"))
    for _ in range(5):
        story.later(hours=1)
    assert story.waiting("task").count("h") == {"date": 1, "duration": 1, "cycle": 3, "cron": 5}[kind]
    assert ("b" in story.waiting()) == (kind == "cron")


@proves_each("timer {}: interrupting event sub-process", ["date", "duration"])
def test_a_timer_over_a_scope_takes_its_place(tell: Tell, kind: str) -> None:
    es = event_sub("es", start("es_s", AT_ONE[kind]), user("h"), end("es_e"), flows="es_s > h > es_e")
    story = tell(bundle(start(), user("a"), end(), es, flows="s > a > e"))
    story.later(hours=1)
    assert story.waiting() == ["h"]


@proves_each("timer {}: non-interrupting event sub-process", ["date", "duration", "cycle", "cron"])
def test_a_timer_beside_a_scope_goes_off_as_often_as_it_says(tell: Tell, kind: str) -> None:
    begin = start("es_s", AT_ONE[kind], isInterrupting="false")
    es = event_sub("es", begin, user("h"), end("es_e"), flows="es_s > h > es_e")
    story = tell(bundle(start(), user("a"), end(), es, flows="s > a > e"))
    for _ in range(5):
        story.later(hours=1)
    assert story.waiting("task").count("h") == {"date": 1, "duration": 1, "cycle": 3, "cron": 5}[kind]


def thrower(kind: str, inner: str) -> str:
    """A container in which something is thrown when a person has done ``ask``."""
    parts = (user("ask"), node("endEvent", "out", EVENTS[kind]))
    if inner == "callActivity":
        return call("a", "thrower")
    return sub("a", start("us"), *parts, flows="us > ask > out", kind=inner)


def throwing(kind: str, *parts: str, flows: str) -> Bundle:
    inside = (start("ts"), user("asked"), node("endEvent", "tout", EVENTS[kind]))
    others = {"thrower": process(*inside, id="thrower", flows="ts > asked > tout")}
    return bundle_of(*parts, flows=flows, definitions=DEFINITIONS, others=others)


@proves_each("interrupting boundary: {}", ["error", "escalation"])
@pytest.mark.parametrize("at", ["subProcess", "transaction", "callActivity"])
@pytest.mark.parametrize("caught", ["by code", "all"])
def test_what_is_thrown_inside_is_caught_at_the_border(tell: Tell, kind: str, at: str, caught: str) -> None:
    definition = EVENTS[kind] if caught == "by code" else on(kind)
    parts = (start(), thrower(kind, at), boundary("b", "a", definition), user("h"), end())
    story = tell(throwing(kind, *parts, flows="s > a > e\nb > h > e"))
    story.complete(place_of(at, "a"))
    assert story.waiting() == ["h"]


@proves("non-interrupting boundary: escalation")
@pytest.mark.parametrize("at", ["subProcess", "transaction", "callActivity"])
def test_an_escalation_may_be_heard_beside_what_goes_on(tell: Tell, at: str) -> None:
    parts = (
        start(),
        thrower("escalation", at),
        boundary("b", "a", EVENTS["escalation"], interrupting=False),
        user("h"),
        user("z"),
        end(),
    )
    story = tell(throwing("escalation", *parts, flows="s > a > z > e\nb > h"))
    story.complete(place_of(at, "a"))
    assert story.waiting() == ["h", "z"]


@proves("interrupting boundary: error")
@pytest.mark.parametrize("at", ["userTask", "serviceTask", "sendTask", "scriptTask", "businessRuleTask"])
def test_an_error_of_a_task_or_a_worker_is_caught_at_its_boundary(tell: Tell, at: str) -> None:
    parts = (start(), activity(at, "a"), boundary("b", "a", EVENTS["error"]), user("h"), end())
    story = tell(bundle(*parts, flows="s > a > e\nb > h > e"))
    story.fail("a", "E1")
    assert story.waiting() == ["h"]


def listening(kind: str, *, interrupting: bool) -> str:
    begin = start("es_s", EVENTS[kind], isInterrupting=str(interrupting).lower())
    return event_sub("es", begin, user("h"), end("es_e"), flows="es_s > h > es_e")


@proves_each("interrupting event sub-process: {}", ["message", "timer", "signal", "conditional"])
@pytest.mark.parametrize("within", ["process", "subProcess"])
def test_an_interrupting_event_sub_process_takes_the_place_of_its_scope(tell: Tell, kind: str, within: str) -> None:
    story = tell(bundle(*scoped(within, listening(kind, interrupting=True)), flows="s > u > z > e"), order=1)
    happen(story, "es", kind)
    assert story.waiting() == ["h"]
    story.complete("h")
    assert story.waiting() == (["z"] if within == "subProcess" else [])


@proves_each("non-interrupting event sub-process: {}", ["message", "timer", "signal", "conditional"])
@pytest.mark.parametrize("within", ["process", "subProcess"])
def test_a_non_interrupting_event_sub_process_runs_beside_its_scope(tell: Tell, kind: str, within: str) -> None:
    story = tell(bundle(*scoped(within, listening(kind, interrupting=False)), flows="s > u > z > e"), order=1)
    happen(story, "es", kind)
    assert story.waiting("task") == ["ask", "h"]
    story.complete("ask")
    assert story.waiting("task") == (["h"] if within == "subProcess" else ["h", "z"])
    story.complete("h")
    story.complete("z")
    assert story.ended_at("e")


def scoped(within: str, listener: str) -> tuple[str, ...]:
    """A process whose first step asks somebody, with a listener in the process or in a sub-process around that step."""
    inside = (listener,) if within == "subProcess" else ()
    inner = sub("u", start("us"), user("ask"), end("ue"), *inside, flows="us > ask > ue")
    return (start(), inner, user("z"), end(), *(() if inside else (listener,)))


@proves_each("interrupting event sub-process: {}", ["error", "escalation"])
def test_what_is_thrown_in_a_scope_starts_its_event_sub_process_instead(tell: Tell, kind: str) -> None:
    throws = node("endEvent", "out", EVENTS[kind])
    parts = (start(), user("ask"), user("b"), throws, end(), listening(kind, interrupting=True))
    story = tell(bundle(*parts, flows="s > ask > out\ns > b > e"))
    story.complete("ask")
    assert story.waiting() == ["h"]
    assert "b" in story.left("cancelled")


@proves("non-interrupting event sub-process: escalation")
def test_an_escalation_starts_an_event_sub_process_beside_its_scope(tell: Tell) -> None:
    throws = node("intermediateThrowEvent", "t", EVENTS["escalation"])
    parts = (start(), throws, user("b"), end(), listening("escalation", interrupting=False))
    assert tell(bundle(*parts, flows="s > t > b > e")).waiting("task") == ["b", "h"]


# Events that throw


@proves_each("intermediate throw: {}", ["none", "message", "signal", "escalation", "compensation", "link"])
def test_a_throwing_event_throws_and_goes_on(tell: Tell, kind: str) -> None:
    definition = {"none": "", "compensation": on("compensate"), "link": on("link", name="far")}.get(kind)
    catch = (node("intermediateCatchEvent", "c", on("link", name="far")),) if kind == "link" else ()
    thrown = node("intermediateThrowEvent", "t", EVENTS[kind] if definition is None else definition)
    flows = "s > t\nc > z > e" if catch else "s > t > z > e"
    story = tell(bundle(start(), thrown, *catch, user("z"), end(), flows=flows), order=1)
    assert story.waiting() == ["z"]
    told = [(found.kind, found.name) for found in story.thrown]
    assert told == {
        "message": [("message", "paid")],
        "signal": [("signal", "stop")],
        "escalation": [("escalation", "LATE")],
    }.get(kind, [])


@proves_each("end: {}", ["none", "message", "signal", "escalation", "compensation", "terminate"])
def test_an_end_event_throws_and_ends(tell: Tell, kind: str) -> None:
    definition = {"none": "", "compensation": on("compensate"), "terminate": on("terminate")}.get(kind)
    ends = end("out", EVENTS[kind] if definition is None else definition)
    story = tell(bundle(start(), user("a"), ends, user("b"), end(), flows="s > a > out\ns > b > e"), order=1)
    story.complete("a")
    assert story.waiting() == ([] if kind == "terminate" else ["b"])
    assert [found.kind for found in story.thrown] == ([kind] if kind in ("message", "signal", "escalation") else [])
    assert story.flow.outcome == ("terminated" if kind == "terminate" else None)


@proves("end: error")
def test_an_error_end_event_leaves_its_scope(tell: Tell) -> None:
    inner = sub("u", start("us"), user("a"), user("b"), end("ue", EVENTS["error"]), flows="us > a > ue\nus > b")
    story = tell(
        bundle(start(), inner, boundary("x", "u", on("error")), user("h"), end(), flows="s > u > e\nx > h > e")
    )
    story.complete("a")
    assert story.waiting() == ["h"]


@proves_each("message by a job: {}", ["intermediateThrowEvent", "endEvent", "sendTask"])
def test_a_message_may_be_sent_by_a_worker(tell: Tell, kind: str) -> None:
    definition = () if kind == "sendTask" else (on("message"),)
    sends = node(kind, "t", *definition, extensions=JOB.format("mail"))
    story = tell(bundle(start(), sends, end(), flows="s > t > e" if kind != "endEvent" else "s > t\ns > e"))
    assert story.waiting("job") == ["t"]
    story.complete("t")
    assert story.flow.done


# Transactions, links, calls


def transaction(*parts: str, flows: str) -> tuple[str, ...]:
    inner = sub("tx", start("us"), *undone("serviceTask"), *parts, kind="transaction", flows=flows)
    return (start(), inner, boundary("no", "tx", on("cancel")), user("h"), user("ok"), end())


@proves("end: cancel", "interrupting boundary: cancel", "transaction: cancel undoes, then leaves by its event")
def test_a_cancelled_transaction_undoes_what_was_done_and_leaves_by_its_event(tell: Tell) -> None:
    house = House(a=None, undo_a=None)
    parts = transaction(user("ask"), user("other"), end("no_e", on("cancel")), flows="us > a > ask > no_e\nus > other")
    story = tell(bundle(*parts, flows="s > tx > ok > e\nno > h > e"), house)
    story.complete("ask")
    assert [item.type for item in house.items] == ["a", "undo_a"]
    assert story.waiting() == ["h"]
    assert "other" in story.left("cancelled")


@proves("transaction: completes, and can be undone later")
def test_a_transaction_that_completes_goes_on_and_is_undone_with_what_is_around_it(tell: Tell) -> None:
    house = House(a=None, undo_a=None)
    parts = transaction(end("fine"), flows="us > a > fine")
    late = node("intermediateThrowEvent", "t", on("compensate"))
    story = tell(bundle(*parts, late, flows="s > tx > ok > t > e\nno > h > e"), house)
    assert [item.type for item in house.items] == ["a"]
    story.complete("ok")
    assert [item.type for item in house.items] == ["a", "undo_a"]
    assert story.ended_at("e")


@proves("transaction: an error leaves it without undoing")
def test_an_error_leaves_a_transaction_without_undoing_anything(tell: Tell) -> None:
    house = House(a=None, undo_a=None)
    parts = transaction(user("ask"), end("hazard", EVENTS["error"]), flows="us > a > ask > hazard")
    hazard = (boundary("bad", "tx", on("error")), user("look"))
    story = tell(bundle(*parts, *hazard, flows="s > tx > ok > e\nno > h > e\nbad > look > e"), house)
    story.complete("ask")
    assert story.waiting() == ["look"]
    assert [item.type for item in house.items] == ["a"]


@proves("transaction: repeated, each instance cancels for itself or for all")
def test_a_cancelled_instance_of_a_repeated_transaction_leaves_by_the_event_of_the_whole(tell: Tell) -> None:
    inner = sub(
        "tx",
        each("=[1, 2]"),
        start("us"),
        user("ask"),
        end("no_e", on("cancel")),
        kind="transaction",
        flows="us > ask > no_e",
    )
    parts = (start(), inner, boundary("no", "tx", on("cancel")), user("h"), end())
    story = tell(bundle(*parts, flows="s > tx > e\nno > h > e"))
    story.complete("ask")
    assert story.waiting() == ["h"]


@proves("link: several throws to one catch, also in a sub-process")
def test_several_links_may_lead_to_one_place(tell: Tell) -> None:
    def pair(prefix: str) -> tuple[str, ...]:
        return (
            node("intermediateThrowEvent", f"{prefix}t1", on("link", name="far")),
            node("intermediateThrowEvent", f"{prefix}t2", on("link", name="far")),
            node("intermediateCatchEvent", f"{prefix}c", on("link", name="far")),
            user(f"{prefix}a"),
        )

    inner = sub("u", start("us"), *pair("u"), end("ue"), flows="us > ut1\nus > ut2\nuc > ua > ue")
    story = tell(bundle(start(), *pair(""), inner, end(), flows="s > t1\ns > t2\ns > u > e\nc > a > e"))
    assert story.waiting() == ["a", "a", "ua", "ua"]


@proves("call: processId as FEEL", "call: propagateAllParentVariables and propagateAllChildVariables")
@pytest.mark.parametrize(
    ("attributes", "mapping", "seen", "kept"),
    [
        ({}, "", {"x": 1, "y": 2}, {"x": 1, "y": 2, "z": 3}),
        ({"propagateAllParentVariables": "false"}, io(inputs={"x": "=y"}), {"x": 2}, {"x": 1, "y": 2, "z": 3}),
        ({"propagateAllChildVariables": "false"}, "", {"x": 1, "y": 2}, {"x": 1, "y": 2}),
        ({}, io(outputs={"w": "=z * 2"}), {"x": 1, "y": 2}, {"x": 1, "y": 2, "w": 6}),
    ],
    ids=["all", "mapped in", "nothing out", "mapped out"],
)
def test_a_call_hands_down_and_takes_over_what_its_diagram_says(
    tell: Tell, attributes: dict[str, str], mapping: str, seen: dict[str, int], kept: dict[str, int]
) -> None:
    step = call("a", '="q"', extensions=mapping, **attributes)
    story = tell(bundle(start(), step, user("b"), end(), flows="s > a > b > e"), x=1, y=2)
    assert dict(story.flow.variables_view(story.wait("asked").token_id)) == seen
    story.complete("asked", z=3)
    assert story.variables == kept


@proves("multi-instance: results of calls inside it")
def test_a_call_inside_a_repeated_sub_process_leaves_the_results_of_the_others_alone(tell: Tell) -> None:
    loop = each("=[3, 1, 2]", output="results", collect="=result")
    inner = sub("u", loop, start("us"), call("c", "q"), end("ue"), flows="us > c > ue")
    story = tell(bundle(start(), inner, end(), flows="s > u > e"))
    for number in (30, 10, 20):
        story.complete("asked", result=number)
    assert outcome_of(story) == [30, 10, 20]


@proves("zeebe:modelerTemplate")
def test_what_belongs_to_the_modeler_is_read_over(tell: Tell) -> None:
    task = user("a", extensions='<zeebe:modelerTemplate id="lockstep.human_task" />')
    task = task.replace("<bpmn:userTask ", '<bpmn:userTask zeebe:modelerTemplate="lockstep.human_task" ', 1)
    assert tell(bundle_of(start(), task, end(), flows="s > a > e")).waiting() == ["a"]


@proves("zeebe:executionListeners", "zeebe:taskListeners")
def test_listeners_do_their_work_before_an_element_begins_and_before_it_is_left(tell: Tell) -> None:
    around = listeners(start="lock, light", end="unlock") + listeners("task", creating="ask", completing="file")
    parts = (
        start(),
        user("a", extensions=around + io(outputs={"sum": "=x"})),
        boundary("b", "a", EVENTS["timer"]),
        end("late"),
        end(),
    )
    story = tell(bundle(*parts, flows="s > a > e\nb > late"), house := House())
    for done in ("lock", "light", "ask"):
        assert story.waiting() == ["a"], done
        assert story.waiting("job") == ["a"], done
        story.complete("a", lamp=done)
    assert story.waiting() == ["a", "b"]
    assert dict(story.flow.variables_view(story.wait("a").token_id))["lamp"] == "ask"
    story.complete("a", x=1)
    assert story.waiting("task") == []
    story.complete("a", x=2)
    story.complete("a", left="tidy")
    assert [item.type for item in house.items] == ["lock", "light", "ask", "file", "unlock"]
    assert story.variables == {"sum": 2, "left": "tidy"}
    assert story.ended_at("e")


@proves("zeebe:executionListeners")
@pytest.mark.parametrize("how", ["root", "called", "terminate"])
def test_listeners_of_a_process_are_called_before_it_begins_and_before_it_ends(tell: Tell, how: str) -> None:
    around = f"<bpmn:extensionElements>{listeners(start='open, light', end='close')}</bpmn:extensionElements>"
    last = end("re", on("terminate")) if how == "terminate" else end("re")
    inner = process(around, start("rs"), user("u"), last, id="r", flows="rs > u > re")
    if how == "called":
        story = tell(
            bundle_of(start(), call("c", "r"), end(), flows="s > c > e", others={"r": inner}), house := House()
        )
    else:
        story = tell(read_bundle({"r.bpmn": diagram(inner)}), house := House(), process_id="r")
    story.complete("rs", lamp=1)
    story.complete("rs", lamp=2)
    assert story.waiting() == ["u"]
    assert story.flow.variables_view(story.wait("u").token_id)["lamp"] == 2
    story.complete("u")
    assert (story.waiting("job"), story.flow.done) == (["r"], False)
    story.complete("r", tidy=True)
    assert story.flow.done
    assert [item.type for item in house.items] == ["open", "light", "close"]
    assert (story.variable("lamp"), story.variable("tidy")) == (2, True)


@proves("zeebe:taskHeaders")
def test_a_listener_is_told_its_own_headers_over_those_of_its_element(tell: Tell) -> None:
    def headers(**pairs: str) -> str:
        rows = "".join(f'<zeebe:header key="{key}" value="{value}" />' for key, value in pairs.items())
        return f"<zeebe:taskHeaders>{rows}</zeebe:taskHeaders>"

    own = f'<zeebe:executionListener eventType="start" type="in">{headers(hall="2")}</zeebe:executionListener>'
    around = f"<zeebe:executionListeners>{own}</zeebe:executionListeners>"
    story = tell(
        bundle(start(), service("a", extensions=headers(hall="1", line="7") + around), end(), flows="s > a > e")
    )
    for told in ({"hall": "2", "line": "7"}, {"hall": "1", "line": "7"}):
        assert story.house.items[-1].headers == told
        assert story.flow.headers(story.wait("a").token_id) == told
        story.complete("a")


@proves("zeebe:executionListeners")
def test_listeners_of_what_contains_waits_and_repeats_are_called_at_its_borders(tell: Tell) -> None:
    both = listeners(start="in", end="out")
    parts = (
        start("s", extensions=listeners(end="out")), sub("box", start("i"), end("o"), flows="i > o", extensions=both),
        call("c", "r", extensions=both), node("exclusiveGateway", "g", extensions=listeners(start="in")),
        node("intermediateCatchEvent", "t", timer("duration", "PT1H"), extensions=both),
        service("w", each("=[1, 2]", output="all", collect="=x", until="=numberOfCompletedInstances = 2"), extensions=both),
        end(extensions=both),
    )  # fmt: skip
    empty = process(start("rs"), end("re"), id="r", flows="rs > re")
    made = bundle_of(*parts, flows="s > box > c > g > t > w > e", definitions=DEFINITIONS, others={"r": empty})
    story = tell(made, house := House(w=lambda item: {"x": item.variables["item"]}))
    while not story.flow.done:
        story.later(hours=1) if story.waiting("timer") else story.complete(story.waiting("job")[0])
    borders = [(item.element.id, item.type) for item in house.items]
    assert borders[:8] == [
        ("s", "out"),
        *((one, way) for one in ("box", "c") for way in ("in", "out")),
        ("g", "in"),
        ("t", "in"),
        ("t", "out"),
    ]
    assert sorted(borders[8:-2]) == [("w", way) for way in ("in", "in", "out", "out", "w", "w")]
    assert story.variable("all") == [1, 2]


@proves("zeebe:executionListeners")
def test_a_listener_that_fails_holds_its_element_and_one_that_throws_is_caught(tell: Tell) -> None:
    def fails(item: WorkItem) -> Any:
        raise BpmnError("E1") if item.variables["throws"] else WorkFailed("the printer is out")

    parts = (
        start(),
        service("a", extensions=listeners(end="print")),
        boundary("b", "a", EVENTS["error"]),
        user("by_hand"),
        end(),
    )
    made = bundle(*parts, flows="s > a > e\nb > by_hand")
    story = tell(made, house := House(a={}, print=fails), throws=False)
    assert story.wait("a", kind="incident").incident == "the printer is out"
    house.workers["print"] = {}
    story.retry("a")
    assert [item.type for item in house.items] == ["a", "print", "print"]
    assert story.ended_at("e")
    assert tell(made, House(a={}, print=fails), throws=True).waiting() == ["by_hand"]


@proves("step budget: a circle of empty tasks ends in an incident")
@pytest.mark.parametrize("later", [False, True], ids=["at the start", "later"])
def test_a_circle_of_empty_tasks_is_an_incident_whenever_it_is_entered(tell: Tell, later: bool) -> None:
    gate = node("exclusiveGateway", "g", default="g_t1")
    parts = (start(), user("a"), node("task", "t1"), node("task", "t2"), gate, end())
    flows = f"s > {'a > ' if later else ''}t1 > t2 > g\ng -[=stop = true]-> e\ng > t1" + (
        "" if later else "\ns > a > e"
    )
    story = tell(bundle(*parts, flows=flows), limit=500, stop=False)
    if later:
        assert story.waiting() == ["a"]
        story.complete("a")
    [held] = [wait for wait in story.flow.waits() if wait.kind == "incident"]
    assert held.cause == "moves"
    assert "within 500 moves" in (held.incident or "")
    story.set(0, "stop", True)
    story.retry(held.element_id)
    assert story.waiting() == ([] if later else ["a"])


# Together


@proves("call: a terminate end stops the called process only")
def test_a_terminate_end_in_a_called_process_lets_its_caller_go_on(tell: Tell) -> None:
    inner = process(
        start("ts"), user("x"), user("y"), end("stop", on("terminate")), id="t", flows="ts > x > stop\nts > y"
    )
    story = tell(bundle_of(start(), call("a", "t"), user("z"), end(), flows="s > a > z > e", others={"t": inner}))
    story.complete("x")
    assert story.waiting() == ["z"]
    assert story.flow.outcome is None
    story.complete("z")
    assert story.flow.outcome == "completed"


@proves("multi-instance: an event sub-process of one instance leaves the others alone")
def test_an_event_in_one_instance_of_a_repeated_sub_process_leaves_the_others_alone(tell: Tell) -> None:
    es = event_sub("es", start("es_s", EVENTS["message"]), user("h"), end("es_e"), flows="es_s > h > es_e")
    inner = sub("u", each("=[1, 2]"), start("us"), user("ask"), end("ue"), es, flows="us > ask > ue")
    story = tell(bundle(start(), inner, end(), flows="s > u > e"), order=1)
    story.deliver("es")
    assert story.waiting("task") == ["ask", "h"]
    story.complete("h")
    assert story.waiting("task") == ["ask"]
    story.complete("ask")
    assert story.ended_at("e")


@proves("multi-instance: an error in one call cancels the others")
@pytest.mark.parametrize("sequential", [False, True])
def test_an_error_in_one_of_several_calls_leaves_by_the_boundary_of_the_whole(tell: Tell, sequential: bool) -> None:
    step = call("a", "thrower", each("=[1, 2, 3]", sequential=sequential))
    story = tell(
        throwing(
            "error", start(), step, boundary("b", "a", on("error")), user("h"), end(), flows="s > a > e\nb > h > e"
        )
    )
    story.complete("asked")
    assert story.waiting() == ["h"]
    assert not story.flow.subprocesses


@proves("multi-instance: sequential inside parallel, results in order of both")
def test_results_of_a_sequence_inside_a_parallel_repetition_keep_the_order_of_both(tell: Tell) -> None:
    row = user("ask", each("=row", sequential=True, element="cell", output="cells", collect="=cell + plus"))
    inner = sub(
        "u",
        each("=[[1, 2], [3]]", element="row", output="rows", collect="=cells"),
        start("us"),
        row,
        end("ue"),
        flows="us > ask > ue",
    )
    story = tell(bundle_of(start(), inner, end(), flows="s > u > e"))
    for _ in range(3):
        story.complete("ask", which=len(story.waiting()) - 1, plus=10)
    assert story.ended_at("e")
    assert story.variable("rows") == [[11, 12], [13]]


@proves("inclusive gateway: nothing true and no default is an incident that can be mended")
def test_an_inclusive_gateway_without_a_way_is_an_incident_that_goes_on_once_mended(tell: Tell) -> None:
    parts = (start(), node("inclusiveGateway", "g"), user("a"), user("b"), end())
    story = tell(bundle_of(*parts, flows="s > g\ng -[=x > 1]-> a\ng -[=x > 2]-> b\na > e\nb > e"), x=0)
    assert "no default flow" in (story.wait("g").incident or "")
    story.set(0, "x", 3)
    story.retry("g")
    assert story.waiting() == ["a", "b"]


@proves("event sub-process: in a called process, with its own variables")
def test_a_called_process_listens_with_its_own_variables(tell: Tell) -> None:
    es = event_sub("es", start("es_s", on("message", "k")), user("h"), end("es_e"), flows="es_s > h > es_e")
    inner = process(start("qs"), user("asked"), end("qe"), es, id="l", flows="qs > asked > qe")
    step = call("a", "l", extensions=io(inputs={"mine": '="K-" + string(n)'}), propagateAllParentVariables="false")
    story = tell(
        bundle_of(
            start(),
            step,
            user("z"),
            end(),
            flows="s > a > z > e",
            definitions=message("k", "stop", "=mine"),
            others={"l": inner},
        ),
        n=7,
    )
    assert story.wait("es").correlation_key == "K-7"
    story.deliver("es")
    assert story.waiting() == ["h"]
    story.complete("h")
    assert story.waiting() == ["z"]


@proves("escalation: thrown by an event sub-process, caught around it")
def test_an_escalation_of_a_handler_is_heard_around_it_and_not_by_itself(tell: Tell) -> None:
    throws = node("intermediateThrowEvent", "t", EVENTS["escalation"])
    es = event_sub(
        "es", start("es_s", EVENTS["escalation"], isInterrupting="false"), throws, end("es_e"), flows="es_s > t > es_e"
    )
    first = node("intermediateThrowEvent", "first", EVENTS["escalation"])
    inner = sub("u", start("us"), first, user("ask"), end("ue"), es, flows="us > first > ask > ue")
    parts = (start(), inner, boundary("b", "u", on("escalation"), interrupting=False), user("h"), end())
    story = tell(bundle(*parts, flows="s > u > e\nb > h"))
    assert story.waiting("task") == ["ask", "h"]
