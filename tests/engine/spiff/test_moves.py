"""Moves of what random models do not draw: compensation, event sub-processes, event-based gateways, calls of other definitions."""

from __future__ import annotations

import datetime as dt

from engine.spiff import Bundle, read_bundle
from engine.spiff.migrating import judge
from tests.engine.spiff.diagrams import (
    association,
    boundary,
    call,
    diagram,
    end,
    event_sub,
    message,
    node,
    on,
    process,
    start,
    sub,
    timer,
    user,
)
from tests.engine.spiff.story import House, Story, bundle_of
from tests.engine.spiff.test_random_moves import move, renamed

REFUND = user("refund").replace("<bpmn:userTask", '<bpmn:userTask isForCompensation="true"', 1)
GOODS = message("goods", "goods", '="1"')


def both(*parts: str, flows: str, definitions: str = "") -> tuple[Bundle, Bundle, dict[str, str]]:
    drawn = diagram(process(*parts, flows=flows), definitions=definitions)
    first, second = read_bundle({"p.bpmn": drawn}), read_bundle({"p.bpmn": renamed(drawn)})
    return first, second, {one: f"{one}_new" for one in first.processes["p"].elements}


def test_what_undoes_a_completed_step_in_a_sub_process_is_moved_with_it() -> None:
    inner = sub("box", start("i"), user("paid"), boundary("undo", "paid", on("compensate")), REFUND, association("l", "undo", "refund"),
                end("o"), flows="i > paid > o")  # fmt: skip
    old, new, mapping = both(start(), inner, user("a"), end("e", on("compensate")), flows="s > box > a > e")
    story = Story(old, House(), forgets=True)
    story.complete("paid")
    move(story, new, mapping)
    story.complete("a_new")
    assert story.waiting() == ["refund_new"]
    story.complete("refund_new")
    assert story.ended_at("e_new")


def test_an_event_sub_process_goes_on_listening_ends_or_begins_to() -> None:
    heard = event_sub("late", start("at", timer("duration", "PT1H")), user("told"), end("o"), flows="at > told > o")
    old, new, mapping = both(start(), user("a"), heard, end(), flows="s > a > e")
    bare = bundle_of(start(), user("a"), end(), flows="s > a > e")
    story = Story(old, House(), forgets=True)
    story.later(minutes=30)
    move(story, new, mapping)
    assert story.wait("late_new", kind="timer").due == story.house.now + dt.timedelta(minutes=30)
    move(story, old, {there: here for here, there in mapping.items()})
    move(story, bare, {})
    assert story.waiting() == ["a"]
    move(story, old, {})
    assert story.wait("late", kind="timer").due == story.house.now + dt.timedelta(hours=1)
    story.later(hours=1)
    assert story.waiting() == ["told"]


def test_a_choice_of_events_is_the_same_choice_or_blocked() -> None:
    choice = node("eventBasedGateway", "choice")
    hears = node("intermediateCatchEvent", "hears", on("message", "goods"))
    waits = node("intermediateCatchEvent", "waits", timer("duration", "PT1H"))
    old, new, mapping = both(
        start(), choice, hears, waits, end(), flows="s > choice > hears > e\nchoice > waits > e", definitions=GOODS
    )
    third = node("intermediateCatchEvent", "later", timer("duration", "PT2H"))
    wider = bundle_of(
        start(), choice, hears, waits, third, end(), flows="s > choice > hears > e\nchoice > waits > e\nchoice > later > e",
        definitions=GOODS,
    )  # fmt: skip
    story = Story(old, House(), forgets=True)
    [why] = judge(story.flow, wider, {}).blocked
    assert "offers another one: later" in why
    move(story, new, mapping)
    story.deliver("hears_new")
    assert story.ended_at("e_new")


def test_a_called_process_of_another_definition_stays_as_it_is() -> None:
    latest = call("calls", "other", bindingType="latest")
    old, new, mapping = both(start(), latest, user("a"), end(), flows="s > calls > a > e")
    house = House()
    house.others["other"] = read_bundle(
        {"o.bpmn": diagram(process(start(), user("inner"), end(), id="other", flows="s > inner > e"))}
    )
    story = Story(old, house, forgets=True)
    move(story, new, mapping)
    story.complete("inner")
    assert story.waiting() == ["a_new"]
