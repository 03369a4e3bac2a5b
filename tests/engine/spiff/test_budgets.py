"""What a diagram may cost whoever waits for its run: an expression has its budget, and a run of many has one too."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.spiff import codec, scopes
from engine.spiff.driver import Driver
from tests.engine.spiff.conftest import Tell
from tests.engine.spiff.diagrams import boundary, each, end, node, script, start, timer, user
from tests.engine.spiff.proofs import proves
from tests.engine.spiff.story import House, bundle_of

SLOW = "=count(for i in 1..3000 return i * i)"


@proves("time budget: a circle of expressions that each take long ends in an incident")
def test_a_circle_of_slow_expressions_is_an_incident_long_before_its_moves_are_spent(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Driver, "seconds_limit", 0.05)
    parts = (
        start(),
        node("exclusiveGateway", "again"),
        script("slow", SLOW, "found"),
        script("count", "=n + 1", "n"),
        node("exclusiveGateway", "enough", default="enough_again"),
        end(),
    )
    flows = "s > again > slow > count > enough > again\nenough -[=n = 200]-> e"
    story = tell(bundle_of(*parts, flows=flows), n=0)
    [held] = story.flow.waits()
    assert held.cause == "moves"
    assert "0.05 s of computing" in (held.incident or "")
    reached = story.variable("n")
    assert reached < 200
    story.retry(held.element_id)
    assert story.variable("n") > reached


@pytest.mark.parametrize("sequential", [False, True])
def test_a_body_with_more_steps_than_one_run_may_have_goes_on_when_it_is_tried_again(
    tell: Tell, sequential: bool
) -> None:
    many = node(
        "scriptTask",
        "a",
        each("=numbers", element="n", output="doubled", collect="=n * 2", sequential=sequential),
        extensions='<zeebe:script expression="=n" resultVariable="last" />',
    )
    story = tell(bundle_of(start(), many, end(), flows="s > a > e"), limit=30, numbers=list(range(50)))
    tries = 0
    while held := [one for one in story.flow.waits() if one.kind == "incident"]:
        assert "goes on when it is tried again" in (held[0].incident or "")
        story.retry(held[0].element_id)
        tries += 1
        assert tries < 20
    assert tries > 0
    assert story.flow.done
    assert story.variable("doubled") == [n * 2 for n in range(50)]


def test_what_a_function_of_the_house_takes_for_its_work_is_no_time_of_the_flow(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(item: object) -> dict[str, Any]:
        return {"sum": sum(n * n for n in range(2_000_000))}

    monkeypatch.setattr(Driver, "seconds_limit", 0.05)
    parts = (start(), node("serviceTask", "w", extensions='<zeebe:taskDefinition type="w" />'), script("c", "=1", "n"))
    story = tell(bundle_of(*parts, user("a"), flows="s > w > c > a"), House(w=work))
    assert story.waiting("task") == ["a"]


@pytest.mark.parametrize("sequential", [False, True])
def test_collecting_the_results_of_many_costs_each_of_them_the_same(
    tell: Tell, monkeypatch: pytest.MonkeyPatch, sequential: bool
) -> None:
    """Encoding the whole collection for each of ten thousand kept an instance, and on SQLite everybody, for minutes."""
    encoded = 0

    def counted(value: Any) -> bytes:
        nonlocal encoded
        encoded += len(value) if isinstance(value, list) else 1
        return codec.encode(value)

    monkeypatch.setattr(scopes, "encode", counted)
    many = 300
    task = node(
        "scriptTask",
        "a",
        each("=numbers", element="n", output="doubled", collect="=n * 2", sequential=sequential),
        extensions='<zeebe:script expression="=n" resultVariable="last" />',
    )
    parts = (start(), task, boundary("late", "a", timer("duration", "P1D")), user("z"), end("el"))
    numbers = [Decimal(n) for n in range(many)]
    story = tell(bundle_of(*parts, flows="s > a > z\nlate > el"), numbers=numbers)
    assert story.variable("doubled") == [n * 2 for n in numbers]
    assert encoded < 20 * many


def test_what_is_collected_grows_only_so_far(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of ten thousand may bring a text of a megabyte, which is one text in memory and ten thousand when it is stored."""
    monkeypatch.setattr(scopes, "MOST_COLLECTED", 5_000)
    task = node(
        "scriptTask",
        "a",
        each("=for i in 1..100 return i", output="all", collect='=long + ""'),
        extensions='<zeebe:script expression="=1" resultVariable="last" />',
    )
    story = tell(bundle_of(start(), task, user("z"), end(), flows="s > a > z > e"), long="x" * 100)
    held = story.flow.waits()
    assert 40 < len(held) < 60
    assert {wait.cause for wait in held} == {"expression"}
    assert "Expected at most 5,000 bytes of all" in (held[0].incident or "")


def test_one_element_of_a_collection_is_heard_only_when_it_changes_it() -> None:
    known = scopes.Scopes()
    known.open(scopes.ROOT, None)
    known.assign(scopes.ROOT, "found", [None, None])
    shared = known.get(scopes.ROOT, "found")
    known.heard = []
    known.assign_item(scopes.ROOT, "found", 0, None)
    assert known.heard == []
    known.assign_item(scopes.ROOT, "found", 1, Decimal(7))
    assert known.heard == [(scopes.ROOT, "found", "update")]
    assert (known.get(scopes.ROOT, "found"), shared) == ([None, Decimal(7)], [None, None])
    known.assign(scopes.ROOT, "found", [None, Decimal(7)])
    assert len(known.heard) == 1
    assert known.changes()[0] == {(scopes.ROOT, "found"): b"[null,7]"}
    with pytest.raises(codec.NotStorable):
        known.assign_item(scopes.ROOT, "found", 0, object())
    assert known.get(scopes.ROOT, "found") == [None, Decimal(7)]
