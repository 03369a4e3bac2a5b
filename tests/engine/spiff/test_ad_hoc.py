"""Ad-hoc sub-processes: what is done in them, in which order and how often, is chosen while they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.spiff import NotWaiting, Unreadable, WrongChoice
from engine.spiff.modifying import EditKind, NotLegal, TokenEdit, modify, movable, places
from tests.engine.spiff.diagrams import (
    association,
    boundary,
    each,
    end,
    event_sub,
    message,
    node,
    on,
    script,
    service,
    start,
    sub,
    timer,
    user,
    when,
)
from tests.engine.spiff.proofs import proves
from tests.engine.spiff.story import House, Story, bundle_of

Tell = Callable[..., Story]
MAIL = message("m", "mail", "=1") + '<bpmn:error id="bad" errorCode="BAD" />'
AGENT = '<zeebe:taskDefinition type="agent" />'
OUT = 'outputCollection="results" outputElement="=result"'


def ad_hoc(*parts: str, flows: str = "", active: str = "", more: str = "", until: str = "", **attributes: str) -> str:
    """An ad-hoc sub-process ``box``. active: FEEL list; more: further attributes of zeebe:adHoc."""
    said = f' activeElementsCollection="{active}"' if active else ""
    condition = f"<bpmn:completionCondition>{until}</bpmn:completionCondition>" if until else ""
    extensions = f"<zeebe:adHoc{said} {more} />" + attributes.pop("extensions", "")
    return sub("box", *parts, condition, flows=flows, kind="adHocSubProcess", extensions=extensions, **attributes)


def around(box: str, *parts: str, flows: str = "") -> Any:
    return bundle_of(start(), box, user("z"), end(), *parts, flows=f"s > box > z > e\n{flows}", definitions=MAIL)


def choose(story: Story, *names: str, ends_others: bool = False, **variables: Any) -> None:
    owner = next(token.id for token in story.flow.live.values() if token.element.kind == "adHocSubProcess")
    story.flow.activate(owner, [(name, variables) for name in names], ends_others=ends_others)
    story._acted()


@proves(
    "zeebe:adHoc",
    "ad-hoc: begins what activeElementsCollection names, one element as often as it is named",
    "ad-hoc: outputCollection and outputElement, in the order in which they were done",
)
def test_what_is_named_begins_as_often_as_it_is_named_and_collects_what_it_brings(tell: Tell) -> None:
    box = ad_hoc(user("a"), user("b"), user("c"), active="=wanted", more=OUT)
    story = tell(around(box), wanted=["b", "a", "b"])
    assert story.waiting() == ["a", "b", "b"]
    story.complete("b", which=1, result=2)
    story.complete("a", result=1)
    assert story.waiting() == ["b"]
    assert story.variable("results") is None
    story.complete("b", result=3)
    assert story.waiting() == ["z"]
    assert story.variable("results") == [2, 1, 3]
    assert story.variable("result") is None


@proves("ad-hoc: what is no list of its elements is an incident that can be mended")
@pytest.mark.parametrize("wanted", [None, "a", ["a", 1], ["a", "nowhere"], ["a", "follows"]])
def test_what_names_no_elements_is_an_incident_until_it_does(tell: Tell, wanted: Any) -> None:
    box = ad_hoc(user("a"), user("follows"), flows="a > follows", active="=wanted")
    story = tell(around(box), wanted=wanted)
    assert story.waiting("incident") == ["box"]
    story.set(0, "wanted", ["a"])
    story.retry("box")
    assert story.waiting() == ["a"]


@proves(
    "ad-hoc: nothing begun, it waits for somebody to choose",
    "ad-hoc: further elements begin while it runs, with variables of their own",
)
def test_further_elements_begin_while_it_is_open(tell: Tell) -> None:
    box = ad_hoc(user("a"), user("b"), user("behind"), flows="b > behind")
    story = tell(around(box))
    assert story.waiting("activation") == ["box"]
    with pytest.raises(NotWaiting, match='"behind" is none of them'):
        choose(story, "behind")
    choose(story, "a", "b", colour="red")
    choose(story, "a", colour="blue")
    assert story.waiting() == ["a", "a", "b"]
    seen = [story.flow.variables_view(story.wait("a", which).token_id)["colour"] for which in (0, 1)]
    assert seen == ["red", "blue"]
    story.complete("b", colour="green")
    choose(story, "b", ends_others=True)
    assert story.waiting() == ["b"]
    assert story.variable("colour") is None
    story.complete("b")
    story.complete("behind")
    assert story.waiting() == ["z"]
    with pytest.raises(StopIteration):
        choose(story, "a")
    with pytest.raises(NotWaiting, match="open ad-hoc sub-process"):
        story.flow.activate(story.wait("z").token_id, [("a", {})])


@proves("ad-hoc: completionCondition, and what still runs is cancelled or waited for")
@pytest.mark.parametrize("cancels", [True, False])
def test_a_completion_condition_decides_when_it_is_over(tell: Tell, cancels: bool) -> None:
    box = ad_hoc(
        user("a"), user("b"), active="=['a', 'a', 'b']".replace("'", "&quot;"), more=OUT, until="=count(results) = 2 or enough",
        **({} if cancels else {"cancelRemainingInstances": "false"}),
    )  # fmt: skip
    story = tell(around(box), enough=False)
    story.complete("a", result=1)
    story.complete("a", result=2)
    if not cancels:
        assert story.waiting() == ["b"]
        story.complete("b", result=3)
    assert story.waiting() == ["z"]
    assert story.left("cancelled") == (["b", "box"] if cancels else [])
    assert story.variable("results") == ([1, 2] if cancels else [1, 2, 3])


def test_a_completion_condition_that_is_not_true_yet_keeps_it_open(tell: Tell) -> None:
    story = tell(around(ad_hoc(user("a"), active="=[&quot;a&quot;]", until="=enough")), enough=False)
    story.complete("a")
    assert story.waiting() == ["box"]
    choose(story, "a")
    story.complete("a", enough=True)
    assert story.waiting() == ["z"]
    story = tell(around(ad_hoc(user("a"), active="=[&quot;a&quot;]", more=OUT, until="=enough")))
    story.complete("a", result=1)
    assert story.waiting("incident") == ["box"]
    story.set(0, "enough", True)
    story.retry("box")
    assert story.variable("results") == [1]


@proves("ad-hoc: steps that follow one another, each time it is chosen by itself")
def test_each_time_something_is_chosen_it_goes_its_own_way(tell: Tell) -> None:
    """A join waits for the ways of one activation, never for those of another."""
    parts = (node("parallelGateway", "fork"), user("x"), user("y"), node("parallelGateway", "join"), user("done"))
    box = ad_hoc(
        *parts, flows="fork > x > join > done\nfork > y > join", active="=[&quot;fork&quot;, &quot;fork&quot;]"
    )
    story = tell(around(box))
    story.complete("x", which=0)
    story.complete("y", which=1)
    assert story.waiting() == ["x", "y"]
    story.complete("y")
    assert story.waiting() == ["done", "x"]
    story.complete("x")
    story.complete("done")
    story.complete("done")
    assert story.waiting() == ["z"]


@proves("ad-hoc: what adHocSubProcessElements tells of it")
def test_it_tells_what_may_be_chosen(tell: Tell) -> None:
    known = user(
        "a", extensions='<zeebe:properties><zeebe:property name="for" value="QA" /></zeebe:properties>', name="Look"
    )
    box = ad_hoc(known, user("b"), user("c"), flows="b > c", active="=adHocSubProcessElements.elementId[1]")
    story = tell(around(box))
    assert story.waiting("incident") == ["box"]
    owner = story.wait("box").token_id
    told = story.flow.variables_view(owner).get("adHocSubProcessElements")
    assert told is None
    story = tell(around(ad_hoc(known, user("b"), user("c"), flows="b > c")))
    told = story.flow.variables_view(story.wait("box").token_id)["adHocSubProcessElements"]
    assert told == [
        {"elementId": "a", "elementName": "Look", "documentation": None, "properties": {"for": "QA"}},
        {"elementId": "b", "elementName": None, "documentation": None, "properties": {}},
    ]


@proves("ad-hoc: event sub-processes beside it or instead of it")
def test_event_sub_processes_of_it_run_beside_what_was_chosen_or_instead_of_it(tell: Tell) -> None:
    beside = event_sub(
        "note", start("ns", on("message", "m"), isInterrupting="false"), user("n"), end("ne"), flows="ns > n > ne"
    )
    instead = event_sub("stop", start("ss", timer("duration", "PT1H")), user("w"), end("se"), flows="ss > w > se")
    box = ad_hoc(user("a"), beside, instead, active="=[&quot;a&quot;]", until="=false")
    story = tell(around(box))
    story.deliver("note")
    story.complete("n")
    assert story.waiting("task") == ["a"]
    story.later(hours=1)
    assert story.waiting() == ["w"]
    with pytest.raises(NotWaiting, match="runs instead of it"):
        choose(story, "a")
    story.complete("w")
    assert story.waiting() == ["z"]


def test_events_at_its_border_end_it_with_everything_in_it(tell: Tell) -> None:
    box = ad_hoc(service("a"), sub("inner", start("i"), user("u"), end("o"), flows="i > u > o"),
                 active="=[&quot;a&quot;, &quot;inner&quot;]")  # fmt: skip
    caught = boundary("b", "box", on("error", "bad"))
    told = boundary("c", "box", when("=ready = true"), interrupting=False)
    story = tell(around(box, caught, told, user("h"), user("k"), flows="b > h\nc > k"))
    story.complete("u", ready=True)
    assert story.waiting("task") == ["k"]
    story.fail("a", "BAD")
    assert story.waiting() == ["h", "k"]
    assert not story.flow.subprocesses


@proves("ad-hoc: what was done in it is undone, also when it was repeated")
@pytest.mark.parametrize("loop", ["", each("=[1, 2]")])
def test_what_was_done_in_it_is_undone_with_the_variables_it_had(tell: Tell, loop: str) -> None:
    seen: list[Any] = []

    def undo(item: Any) -> None:
        seen.append(item.variables["result"])

    parts = (
        user("a"),
        boundary("c", "a", on("compensate")),
        service("undo", isForCompensation="true"),
        association("tie", "c", "undo"),
    )
    box = ad_hoc(*parts, loop, active="=[&quot;a&quot;, &quot;a&quot;]", more=OUT)
    whole = bundle_of(
        start(),
        box,
        node("intermediateThrowEvent", "back", on("compensate")),
        user("z"),
        end(),
        flows="s > box > back > z > e",
    )
    story = tell(whole, House(undo=undo))
    for result in range(4 if loop else 2):
        story.complete("a", result=result)
    assert story.waiting() == ["z"]
    assert sorted(seen) == list(range(4 if loop else 2))


def test_a_repeated_one_is_open_once_for_each_item(tell: Tell) -> None:
    box = ad_hoc(
        user("a"), user("b"), each("=[1, 2]", output="all", collect="=results"), active="=[&quot;a&quot;]", more=OUT
    )
    story = tell(around(box))
    assert story.waiting() == ["a", "a"]
    story.complete("a", which=1, result=20)
    story.complete("a", result=10)
    assert story.waiting() == ["z"]
    assert story.variable("all") == [[10], [20]]


def says(*names: str, over: bool = False, ends: bool = False, **variables: Any) -> dict[str, Any]:
    chosen = [{"elementId": name, "variables": variables} for name in names]
    return {
        "adHocSubProcess": {
            "activateElements": chosen,
            "isCompletionConditionFulfilled": over,
            "isCancelRemainingInstances": ends,
        }
    }


@proves("ad-hoc: a worker says what is done next, asked anew each time something has ended")
def test_a_worker_outside_says_what_is_done_next(tell: Tell) -> None:
    beside = event_sub(
        "note", start("ns", on("message", "m"), isInterrupting="false"), user("n"), end("ne"), flows="ns > n > ne"
    )
    box = ad_hoc(user("a"), user("b"), user("c"), beside, flows="b > c", more=OUT, extensions=AGENT)
    story = tell(around(box))
    asked = len(story.house.items)
    assert (story.waiting("job"), story.house.items[-1].kind) == (["box"], "choice")
    for wrong, why in (
        (says("c"), '"c" is none of them'),
        (says("a", over=True), "both"),
        ({"adHocSubProcess": 1}, "no object"),
    ):
        with pytest.raises(WrongChoice, match=why):
            story.flow.complete(story.wait("box", kind="job").token_id, wrong)
    story.complete("box", **says("a", "b", colour="red"), thought="two")
    assert story.waiting("task") == ["a", "b"]
    assert story.waiting("job") == []
    seen = story.flow.variables_view(story.wait("a").token_id)
    assert (seen["colour"], seen["thought"]) == ("red", "two")
    story.complete("a", result=1)
    assert len(story.house.items) == asked + 1
    story.complete("b")
    assert (story.waiting("job"), len(story.house.items)) == (["box"], asked + 1)
    story.deliver("note")
    story.complete("n")
    assert len(story.house.items) == asked + 2
    story.complete("box", which=0, **says(over=True))
    assert story.waiting() == ["c", "note"]
    story.complete("c", result=2)
    assert story.waiting() == ["z"]
    assert (story.variable("results"), story.variable("thought"), story.variable("adHocSubProcess")) == (
        [1, 2],
        None,
        None,
    )


def test_a_worker_is_asked_in_each_of_several_sub_processes(tell: Tell) -> None:
    box = ad_hoc(user("a"), extensions=AGENT)
    each_of = sub("whole", start("ws"), box, end("we"), each("=[1, 2]"), flows="ws > box > we")
    story = tell(bundle_of(start(), each_of, end(), flows="s > whole > e", definitions=MAIL))
    story.complete("box", which=1, **says("a"))
    assert story.waiting() == ["a", "box"]
    story.complete("box", **says(over=True))
    story.complete("a")
    story.complete("box", **says(over=True))
    assert story.ended_at("e")


def test_a_worker_may_end_what_still_runs_or_say_nothing(tell: Tell) -> None:
    story = tell(around(ad_hoc(user("a"), user("b"), extensions=AGENT)))
    story.complete("box")
    assert story.waiting() == ["box"]
    choose(story, "a", "b")
    story.complete("a")
    story.complete("box", **says(over=True, ends=True))
    assert story.waiting() == ["z"]
    assert not story.flow.subprocesses


def test_a_step_of_the_house_may_choose_until_it_is_enough(tell: Tell) -> None:
    def agent(item: Any) -> dict[str, Any]:
        done = item.variables.get("results") or []
        return says("a") if len(done) < 3 else says(over=True)

    box = ad_hoc(script("a", "=count(results)", "result"), more=OUT, extensions=AGENT)
    assert tell(around(box), House(agent=agent)).variable("results") == [0, 1, 2]
    story = tell(around(ad_hoc(user("a"), extensions=AGENT)), House(agent=says("nowhere")))
    assert story.waiting("incident") == ["box"]
    story.house.workers["agent"] = says("a")
    story.retry("box")
    assert story.waiting() == ["a"]
    story.house.workers["agent"] = says(over=True)
    story.complete("a")
    assert story.waiting() == ["z"]


def test_operators_begin_move_and_end_what_was_chosen(tell: Tell) -> None:
    box = ad_hoc(user("a"), user("b"), user("behind"), flows="b > behind", until="=false")
    story = tell(around(box))

    def edit(kind: EditKind, token: int | None = None, element: str | None = None) -> None:
        modify(story.flow, [TokenEdit(kind, token, element)])
        story._acted()

    assert {"a", "b"} <= {one.id for one in places(story.flow)}
    assert "behind" not in {one.id for one in places(story.flow)}
    edit(EditKind.ADD, element="b")
    edit(EditKind.MOVE, story.wait("b").token_id, "behind")
    assert story.waiting() == ["behind"]
    with pytest.raises(NotLegal, match="comes behind something else"):
        modify(story.flow, [TokenEdit(EditKind.ADD, None, "behind")])
    edit(EditKind.ADD, element="a")
    chosen = [token.id for token in movable(story.flow) if token.element.kind == "adHocActivation"]
    assert len(chosen) == 2
    for one in chosen:
        edit(EditKind.CANCEL, one)
    assert story.waiting("activation") == ["box"]
    edit(EditKind.MOVE, story.wait("box").token_id, "z")
    assert story.waiting() == ["z"]


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (ad_hoc(user("a"), start("i"), flows="i > a"), "without start and end events"),
        (ad_hoc(user("a"), end("o"), flows="a > o"), "without start and end events"),
        (ad_hoc(node("parallelGateway", "g")), "an activity that may be chosen"),
        (ad_hoc(user("a"), user("b"), flows="a > b > a"), "an activity that may be chosen"),
        (ad_hoc(user("a"), more='outputCollection="r"'), "one is missing"),
        (ad_hoc(user("a"), active="a"), 'begin with "="'),
        (ad_hoc(user("a"), ordering="Sequential"), "side by side"),
        (ad_hoc(user("a"), triggeredByEvent="true"), "begin by an event"),
        (ad_hoc(user("a"), extensions=AGENT, until="=true"), "either the diagram or a worker"),
        (
            ad_hoc(user("a"), user("b"), node("parallelGateway", "j"), user("c"), flows="a > j > c\nb > j"),
            '"a" brings only a part',
        ),
    ],
)
def test_what_cannot_run_in_it_is_refused_in_words(box: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        around(box)


def test_events_of_it_that_cannot_be_armed_are_an_incident_of_the_whole(tell: Tell) -> None:
    late = event_sub("stop", start("ss", timer("duration", "=wait")), end("se"), flows="ss > se")
    story = tell(around(ad_hoc(user("a"), late, active="=[&quot;a&quot;]")))
    assert story.waiting("incident") == ["box"]
    story.set(0, "wait", "PT1H")
    story.retry("box")
    assert story.waiting() == ["a", "stop"]
