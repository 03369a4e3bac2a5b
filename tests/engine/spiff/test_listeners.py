"""Listeners of what is repeated, and of what ends by force: each told once, in order, and nobody held up who must not be."""

from __future__ import annotations

from typing import Any

import pytest

from engine.spiff import WorkItem, WrongAnswer, read_bundle
from engine.spiff.host import BpmnError, Denied, NotWaiting, WorkFailed
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
    due = story.wait("late").due
    assert due is not None
    story.house.now = due
    story.flow.tick(due)
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


# What is denied and what is corrected

NOBODY: dict[str, Any] = {
    "assignee": None, "candidateUsers": [], "candidateGroups": ["PUR_MGR"], "dueDate": None, "followUpDate": None, "priority": 50,
}  # fmt: skip
MAX = {**NOBODY, "assignee": "max"}


def says(**said: Any) -> dict[str, Any]:
    return {"userTask": said}


def told_of(item: WorkItem) -> dict[str, str]:
    """What a listener is told of its task."""
    prefix = "io.camunda.zeebe:"
    return {name.removeprefix(prefix): value for name, value in item.headers.items() if name.startswith(prefix)}


class Changing:
    """One open task with listeners, and somebody who changes it."""

    def __init__(self, tell: Tell, house: House, **types: str) -> None:
        task = user("a", extensions=listeners("task", **types))
        late = (boundary("late", "a", LATE), end("l"))
        self.story = tell(bundle_of(start(), task, *late, end(), flows="s > a > e\nlate > l"), house)

    def change(self, to: dict[str, Any], was: dict[str, Any] | None = None) -> Any:
        token_id = self.story.wait("a", kind="task").token_id
        came = self.story.flow.change(token_id, "claim", was or NOBODY, to, {"userTaskKey": "7"})
        later = self.story.flow.changed
        self.story._acted()
        assert came is None or not later
        return came

    def answer(self, **said: Any) -> Any:
        """Answer as the worker of the listener that is waited for."""
        token_id = self.story.wait("a").token_id
        flow = self.story.flow
        flow.complete(token_id, said)
        self.story._acted()
        return flow.changed.get(token_id)


@proves("zeebe:taskListeners", "listener assigning: whoever is given a task, before it counts")
def test_a_change_of_an_open_task_counts_once_all_its_listeners_have_let_it_pass(tell: Tell) -> None:
    one = Changing(tell, house := House(check={}), assigning="check, ask", updating="note")
    assert one.change(MAX) is None
    assert [item.type for item in house.items] == ["check", "ask"]
    assert told_of(house.items[1]) == {
        "action": "claim", "assignee": "max", "candidateUsers": "[]", "candidateGroups": '["PUR_MGR"]', "priority": "50",
        "changedAttributes": '["assignee"]', "userTaskKey": "7",
    }  # fmt: skip
    [wait] = one.story.flow.waits()[:1]
    assert (wait.kind, wait.is_changing) == ("task", True)
    assert one.story.flow.headers(wait.token_id) == house.items[1].headers
    came = one.answer(seen=True)
    assert (came.to, came.denied) == (MAX, None)
    assert one.story.flow.variables_view(wait.token_id)["seen"] is True
    assert not one.story.wait("a").is_changing
    one.change({**MAX, "candidateUsers": ["bea"]}, was=MAX)
    assert [item.type for item in house.items] == ["check", "ask", "note"]
    assert told_of(house.items[2])["changedAttributes"] == '["candidateUsers"]'
    one.answer()
    one.story.complete("a", done=True)
    assert one.story.ended_at("e")


@proves("listener updating: candidates and whatever else changes of a task, before it counts")
def test_a_change_of_assignee_and_candidates_is_told_to_both_kinds_one_after_the_other(tell: Tell) -> None:
    one = Changing(tell, house := House(), assigning="first", updating="second")
    assert one.change({**MAX, "candidateGroups": []}) is None
    assert one.answer() is None
    assert [item.type for item in house.items] == ["first", "second"]
    assert one.answer().to["assignee"] == "max"
    # It is told anew each time.
    assert one.change(NOBODY, was=MAX) is None
    assert [item.type for item in house.items] == ["first", "second", "first"]


@proves("listener corrections: assignee, candidates, dates and priority, seen by those who come after")
@pytest.mark.parametrize("outside", [False, True], ids=["in the act", "by a worker"])
def test_what_listeners_correct_goes_into_the_change(tell: Tell, outside: bool) -> None:
    corrections = {
        "assignee": "lena", "candidateUsers": ["max", "max"], "candidateGroups": [], "dueDate": "2026-12-01T10:00:00+01:00",
        "followUpDate": "", "priority": 80,
    }  # fmt: skip
    first = says(corrections=corrections)
    one = Changing(tell, house := House(**({} if outside else {"first": first})), assigning="first, second")
    was = {**NOBODY, "followUpDate": "2026-11-24T10:00:00+00:00"}
    assert one.change({**was, "assignee": "max"}, was=was) is None
    if outside:
        assert one.answer(**first) is None
    about = told_of(house.items[-1])
    assert (about["assignee"], about["priority"]) == ("lena", "80")
    assert about["changedAttributes"] == (
        '["assignee", "candidateUsers", "candidateGroups", "dueDate", "followUpDate", "priority"]'
    )
    assert one.answer(**says(corrections={"priority": 50, "dueDate": None})).to == {
        "assignee": "lena", "candidateUsers": ["max"], "candidateGroups": [], "dueDate": "2026-12-01T09:00:00+00:00",
        "followUpDate": None, "priority": 50,
    }  # fmt: skip


@proves("listener denied: the change is taken back with the reason, and those who come after hear nothing")
@pytest.mark.parametrize("how", ["in the act", "by a worker", "refused", "thrown", "no type"])
def test_a_listener_that_denies_takes_the_change_back(tell: Tell, how: str) -> None:
    no = says(denied=True, deniedReason="max is away")

    def refuses(item: WorkItem) -> Any:
        raise BpmnError("AWAY", "max is away")

    served = {"in the act": {"ask": no}, "refused": {"ask": refuses}}.get(how, {})
    named = "=nobody" if how == "no type" else "ask"
    one = Changing(
        tell, house := House(ok=says(corrections={"priority": 1}), **served), assigning=f"ok, {named}, third"
    )
    came = one.change(MAX)
    if how == "by a worker":
        came = one.answer(**no)
    elif how == "thrown":
        token_id, flow = one.story.wait("a").token_id, one.story.flow
        flow.fail(token_id, BpmnError("AWAY", "max is away"))
        came = flow.changed[token_id]
        one.story._acted()
    assert came.to is None
    assert came.denied == ("max is away" if how != "no type" else came.denied)
    assert how != "no type" or "a job type" in came.denied
    assert "third" not in [item.type for item in house.items]
    assert not one.story.wait("a", kind="task").is_changing
    one.story.complete("a")
    assert one.story.ended_at("e")


def test_a_change_that_is_being_heard_of_gives_way_to_another_and_to_the_end_of_the_task(tell: Tell) -> None:
    one = Changing(tell, house := House(), assigning="ask", canceling="gone")
    assert one.change(MAX) is None
    assert one.change({**NOBODY, "assignee": "lena"}) is None
    assert [told_of(item)["assignee"] for item in house.items] == ["max", "lena"]
    one.story.later(hours=1)
    assert one.story.ended_at("l")
    assert farewells(house) == [("gone", "a")]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("no", "to be an object with denied"),
        ({"refused": True}, "but it says refused"),
        ({"denied": "yes"}, "denied to be true or false"),
        ({"corrections": []}, "corrections to be an object"),
        ({"corrections": {"title": "x"}}, "but there is title"),
        ({"corrections": {"candidateUsers": "max"}}, "candidateUsers to be a list of names"),
        ({"corrections": {"candidateGroups": [""]}}, "candidateGroups to be a list of names"),
        ({"corrections": {"priority": 1.5}}, "priority to be a whole number"),
        ({"corrections": {"priority": 10_000_000}}, "priority to be a whole number"),
        ({"corrections": {"dueDate": "tomorrow"}}, "dueDate to be a date and time"),
        ({"corrections": {"assignee": 7}}, "assignee to be a user name"),
    ],
)
def test_what_a_listener_cannot_say_changes_nothing(tell: Tell, said: Any, message: str) -> None:
    one = Changing(tell, House(), assigning="ask")
    one.change(MAX)
    token_id = one.story.wait("a").token_id
    with pytest.raises(WrongAnswer, match=message):
        one.story.flow.complete(token_id, {"userTask": said})
    assert one.story.wait("a").is_changing
    assert one.answer().to == MAX


@proves("listener assigning: also when the diagram gives the task to somebody")
@pytest.mark.parametrize("denies", [False, True], ids=["let pass", "denied"])
def test_listeners_hear_whom_the_diagram_gives_a_task_and_correct_it(tell: Tell, denies: bool) -> None:
    given = '<zeebe:assignmentDefinition assignee="=who" />'
    task = user("a", extensions=given + listeners("task", creating="make", assigning="ask"))
    story = tell(bundle_of(start(), task, end(), flows="s > a > e"), house := House(), who="max")
    assert (story.waiting("job"), told_of(house.items[0])["assignee"]) == (["a"], "max")
    with pytest.raises(WrongAnswer, match="do that in a listener of assigning"):
        story.flow.complete(story.wait("a").token_id, says(corrections={"assignee": "lena"}))
    with pytest.raises(WrongAnswer, match="Expected a task that begins to begin"):
        story.flow.complete(story.wait("a").token_id, says(denied=True))
    story.complete("a", **says(corrections={"priority": 90}))
    assert (told_of(house.items[1])["priority"], told_of(house.items[1])["changedAttributes"]) == ("90", '["assignee"]')
    corrections = {"assignee": "lena", "priority": 10}
    story.complete("a", **says(denied=denies, deniedReason="away", corrections=corrections))
    assert story.waiting("task") == ["a"]
    denied = {"priority": 90, "assignee": None, "note": "Not given to max: away"}
    assert story.flow.corrections(story.wait("a").token_id) == (denied if denies else corrections)
    story.complete("a")
    assert story.ended_at("e")


def test_nobody_hears_of_assigning_where_the_diagram_names_nobody(tell: Tell) -> None:
    given = '<zeebe:assignmentDefinition assignee="=who" />'
    task = user("a", extensions=given + listeners("task", creating="make", assigning="ask"))
    bring = says(corrections={"assignee": "lena"})
    story = tell(bundle_of(start(), task, end(), flows="s > a > e"), house := House(make=bring), who=None)
    assert [item.type for item in house.items] == ["make"]
    assert story.flow.corrections(story.wait("a", kind="task").token_id) == {"assignee": "lena"}


@proves("listener completing: a step may deny what is done, one that is asked later may not")
def test_a_completion_is_denied_in_its_act_or_not_at_all(tell: Tell) -> None:
    no = says(denied=True, deniedReason="the form is empty")
    task = user("a", extensions=listeners("task", completing="check, file"))
    made = bundle_of(start(), task, end(), flows="s > a > e")
    story = tell(made, House(check=no))
    with pytest.raises(Denied, match="the form is empty"):
        story.flow.complete(story.wait("a").token_id, {})
    story = tell(made, house := House(check={}))
    story.complete("a", x=1)
    token_id = story.wait("a", kind="job").token_id
    with pytest.raises(WrongAnswer, match="Expected the decision to stand"):
        story.flow.complete(token_id, no)
    house.workers["check"] = no
    flow = story.flow
    flow.complete(token_id, says(corrections={"priority": 3}))
    assert flow.changed[token_id].to == {"priority": 3}
    story._acted()
    assert story.ended_at("e")


def test_a_completion_that_is_denied_after_the_decision_is_an_incident(tell: Tell) -> None:
    def fails(item: WorkItem) -> Any:
        raise WorkFailed("no paper")

    task = user("a", extensions=listeners("task", completing="check"))
    story = tell(bundle_of(start(), task, end(), flows="s > a > e"), house := House(check=fails))
    story.complete("a")
    house.workers["check"] = says(denied=True)
    story.retry("a")
    assert "Expected the decision to stand" in (story.wait("a", kind="incident").incident or "")
    house.workers["check"] = {}
    story.retry("a")
    assert story.ended_at("e")
