"""Listeners of what is repeated, and of what ends by force: each told once, in order, and nobody held up who must not be."""

from __future__ import annotations

from typing import Any

import pytest

from engine.spiff import WorkItem, read_bundle
from engine.spiff.host import BpmnError, NotWaiting, WorkFailed
from tests.engine.spiff.conftest import Tell
from tests.engine.spiff.diagrams import (
    boundary,
    call,
    diagram,
    each,
    end,
    event_sub,
    listeners,
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
from tests.engine.spiff.proofs import proves
from tests.engine.spiff.story import House, bundle_of

LATE = timer("duration", "PT1H")


class Noting(House):
    """One that notes what each piece of work saw when it was asked for: a view sees nothing any more once its scope is gone."""

    def __init__(self, **workers: Any) -> None:
        super().__init__(**workers)
        self.seen: list[dict[str, Any]] = []

    def work(self, item: WorkItem) -> Any:
        self.seen.append(dict(item.variables))
        return super().work(item)


def farewells(house: House) -> list[tuple[str, str]]:
    return [(item.type or "", item.element.id) for item in house.items if item.is_farewell]


@proves("zeebe:executionListeners", "listener beforeAll: once, before the input collection is asked")
@pytest.mark.parametrize("sequential", [False, True], ids=["parallel", "sequential"])
@pytest.mark.parametrize("outside", [False, True], ids=["in the act", "by a worker"])
def test_a_listener_before_all_may_bring_the_list_that_is_worked_through(
    tell: Tell, sequential: bool, outside: bool
) -> None:
    around = listeners(beforeAll="find, sort", start="each")
    task = user("a", each("=parts", sequential=sequential), extensions=around)
    found: Any = {} if outside else {"find": {"parts": [3, 1]}, "sort": lambda item: {"parts": [1, 3]}}
    story = tell(bundle_of(start(), task, end(), flows="s > a > e"), house := House(each={}, **found))
    if outside:
        assert (story.waiting("job"), [item.type for item in house.items]) == (["a"], ["find"])
        with pytest.raises(NotWaiting, match="it is none" if sequential else "it has not yet"):
            story.flow.add_instance(story.wait("a").token_id, 7)
        story.complete("a", parts=[3, 1])
        assert house.items[-1].variables["parts"] == [3, 1]
        story.complete("a", parts=[1, 3])
    assert [item.type for item in house.items] == ["find", "sort", *["each"] * (1 if sequential else 2)]
    seen = story.flow.variables_view(story.wait("a").token_id)
    assert (seen["item"], seen["parts"]) == (1, [1, 3])
    story.complete("a")
    story.complete("a")
    assert story.ended_at("e")
    assert story.variables == {}


@proves("listener beforeAll: one that fails holds the whole, and is tried again")
def test_a_listener_before_all_that_fails_holds_what_is_repeated(tell: Tell) -> None:
    def fails(item: WorkItem) -> Any:
        raise WorkFailed("the list is being printed")

    task = service("a", each("=[1, 2]"), extensions=listeners(beforeAll="find"))
    story = tell(bundle_of(start(), task, end(), flows="s > a > e"), house := House(a={}, find=fails))
    assert story.wait("a", kind="incident").incident == "the list is being printed"
    house.workers["find"] = {}
    story.retry("a")
    assert [item.type for item in house.items] == ["find", "find", "a", "a"]


WAYS = ["boundary", "event sub-process", "terminate", "error", "completion condition", "cancelled", "return"]


@proves("listener canceling: a task that ends without being decided, by whatever ends it")
@pytest.mark.parametrize("way", WAYS)
def test_a_task_that_ends_without_being_decided_tells_its_listeners(tell: Tell, way: str) -> None:
    task = user("a", *([each("=[1, 2]", until="=true")] if way == "completion condition" else []),
                extensions=listeners("task", canceling="revoke, tell"))  # fmt: skip
    parts = [start(), task, user("b"), end()]
    flows = "s > a > e\ns > b > e"
    if way == "boundary":
        parts += [boundary("late", "a", LATE), end("l")]
        flows += "\nlate > l"
    elif way == "event sub-process":
        parts.append(event_sub("late", start("ls", LATE), end("le"), flows="ls > le"))
    elif way == "terminate":
        parts.append(end("stop", on("terminate")))
        flows = "s > a > e\ns > b > stop"
    elif way == "error":
        inner = sub("u", start("us"), task, user("b"), end("bad", on("error", "e1")), flows="us > a\nus > b > bad")
        parts = [start(), inner, boundary("no", "u", on("error")), end("n"), end()]
        flows = "s > u > e\nno > n"
    errors = '<bpmn:error id="e1" errorCode="E1" />'
    story = tell(bundle_of(*parts, flows=flows, definitions=errors), house := Noting(revoke={}), left=7)
    if way in ("boundary", "event sub-process"):
        story.later(hours=1)
    elif way in ("terminate", "error"):
        story.complete("b")
    elif way == "completion condition":
        story.complete("a")
    elif way == "cancelled":
        story.cancel()
    else:
        story.flow.live[story.wait("a").token_id].cancel()
    assert farewells(house) == [("revoke", "a"), ("tell", "a")]
    assert [seen["left"] for seen in house.seen] == [7, 7]
    assert "a" in story.left("cancelled") or way == "return"


@proves("listener canceling: a task that ends without being decided, by whatever ends it")
def test_a_task_that_was_decided_or_never_began_tells_of_no_cancellation(tell: Tell) -> None:
    first = user("a", extensions=listeners("task", completing="file", canceling="revoke"))
    second = user("b", extensions=listeners(start="wait") + listeners("task", canceling="revoke"))
    third = user("c", extensions=listeners("task", creating="ask", canceling="undo"))
    story = tell(
        bundle_of(start(), first, second, third, end(), flows="s > a > e\ns > b > e\ns > c > e"), house := House()
    )
    story.complete("a")
    assert story.waiting("job") == ["a", "b", "c"]
    story.cancel()
    assert farewells(house) == [("undo", "c")]


@proves("listener canceling: what cannot be told is noted, and holds nothing up")
@pytest.mark.parametrize("how", ["fails", "throws", "no type"])
def test_what_a_listener_of_a_cancellation_cannot_do_holds_nothing_up(tell: Tell, how: str) -> None:
    def fails(item: WorkItem) -> Any:
        raise BpmnError("E1", "no line") if how == "throws" else WorkFailed("no line")

    named = "=missing" if how == "no type" else "revoke"
    task = user("a", extensions=listeners("task", canceling=f"{named}, tell"))
    parts = (start(), task, boundary("late", "a", LATE), user("b"), end())
    story = tell(bundle_of(*parts, flows="s > a > e\nlate > b > e"), house := House(revoke=fails))
    story.house.now = story.wait("late").due  # type: ignore[assignment]
    story.flow.tick(story.house.now)
    [unheard] = story.flow.unheard
    assert (unheard.element_id, unheard.type) == ("a", named)
    assert ("a job type" if how == "no type" else "no line") in unheard.message
    assert farewells(house)[-1] == ("tell", "a")
    assert story.waiting("task") == ["b"]


@proves("listener cancel: of a process and of a called one, after everything in it has ended")
@pytest.mark.parametrize("how", ["cancelled", "called", "terminate", "ends"])
def test_a_process_that_is_cancelled_tells_its_listeners_last(tell: Tell, how: str) -> None:
    told = listeners(cancel="close, report", end="bye")
    around = f"<bpmn:extensionElements>{told}</bpmn:extensionElements>"
    last = end("re", on("terminate")) if how == "terminate" else end("re")
    inner = process(around, start("rs"), user("u", extensions=listeners("task", canceling="revoke")), last,
                    id="r", flows="rs > u > re")  # fmt: skip
    house = Noting(close={"tidy": True}, bye={})
    if how == "called":
        parts = (start(), call("c", "r"), boundary("late", "c", LATE), user("b"), end())
        story = tell(bundle_of(*parts, flows="s > c > e\nlate > b > e", others={"r": inner}), house, x=1)
        story.later(hours=1)
        assert story.waiting() == ["b"]
    else:
        story = tell(read_bundle({"r.bpmn": diagram(inner)}), house, process_id="r", x=1)
        story.cancel() if how == "cancelled" else story.complete("u")
        assert story.flow.done
    if how in ("terminate", "ends"):
        assert farewells(house) == []
        return
    assert farewells(house) == [("revoke", "u"), ("close", "r"), ("report", "r")]
    assert house.seen[-1] == {"x": 1, "tidy": True}
    assert story.variable("tidy") == (None if how == "called" else True)


def test_one_that_is_fired_on_by_a_condition_tells_of_the_cancellation_once(tell: Tell) -> None:
    task = user("a", extensions=listeners("task", canceling="revoke"))
    parts = (start(), task, boundary("stop", "a", when("=x = 2")), node("task", "t"), end())
    story = tell(bundle_of(*parts, flows="s > a > e\nstop > t > e"), house := House(), x=1)
    story.set(0, "x", 2)
    story.flow.tick(house.now)
    assert story.flow.signal("nothing") == 0
    assert farewells(house) == [("revoke", "a")]
