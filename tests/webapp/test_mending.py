"""Operators' pages: the search of runs, the staged move of a token, where runs wait, and what machines ask."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from engine import instances, tasks
from engine.act import Installation
from engine.definitions import deploy
from tests.clock import SettableClock
from tests.engine.plant import for_role
from tests.engine.spiff.diagrams import diagram, each, end, node, process, service, start, sub, user
from tests.people import PASSWORD, adam, lena, pat, rita
from tests.story import Story
from tests.webapp.conftest import People
from webapp.pages import operations

FLOW = diagram(
    process(
        start(), user("look", extensions=for_role("PUR_LEAD"), name="Look at it"),
        user("book", extensions=for_role("PUR_LEAD"), name="Book it"), end(), id="flow", flows="s > look > book > e",
    )
)  # fmt: skip


@pytest.fixture
def runs(house: Installation) -> list[str]:
    with house.acting(pat.principal) as act:
        deploy(act, {"flow.bpmn": FLOW})
        return [
            instances.start(act, "flow", business_key=key, variables={"amount": amount, "who": {"name": name}}).id
            for key, amount, name in (("R-1", 4000, "Vogt"), ("R-2", 6000, "Hagel"), ("R-3", 9000, "Vogt"))
        ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("key:R-2", {"R-2"}), ("flow:flow", {"R-1", "R-2", "R-3"}), ("flow:other", set()), ("var.amount>5000", {"R-2", "R-3"}),
        ("var.amount>=6000 var.amount<9000", {"R-2"}), ("var.who.name=vogt var.amount>5000", {"R-3"}), ("var.who.name:hag", {"R-2"}),
        ("state:suspended", {"R-1"}), ("state:completed", set()), ("audit", {"R-1"}), ("incident:", set()),
        ('"R-3"', {"R-3"}), ("var.nothing=1", set()), ("var.amount!=4000", {"R-2", "R-3"}),
    ],
)  # fmt: skip
def test_runs_are_found_by_what_they_are_and_what_they_know(
    runs: list[str], browse: People, query: str, found: set[str]
) -> None:
    browser = browse(pat)
    assert browser.post(f"/operations/runs/{runs[0]}/suspend", {"reason": "an audit"}).status_code == 303
    browser.get("/operations", query_string={"q": query})
    assert {key for key in ("R-1", "R-2", "R-3") if f">{key}<" in (browser.page.text if browser.page else "")} == found


def test_a_search_that_says_nothing_says_so_and_variables_are_for_helpers(runs: list[str], browse: People) -> None:
    helper, other = browse(pat), browse(rita)
    helper.get("/operations?q=state:lost var.amount flow:flow plant:north")
    assert "there is no plant: here" in helper.text
    assert "state:lost is none of" in helper.text
    assert "var.amount compares nothing" in helper.text
    other.get("/operations?q=var.amount>5000")
    assert "var.amount>5000 is for those who help" in other.text
    for action in ("suspend", "resume", "tokens"):
        assert other.post(f"/operations/runs/{runs[0]}/{action}", {"reason": "x"}).status_code == 403


def test_what_begins_in_an_ad_hoc_sub_process_is_chosen_on_the_page_of_the_run(
    browse: People, house: Installation
) -> None:
    box = sub("box", user("a", name="Look"), user("b", name="Ask"), kind="adHocSubProcess", name="Looking")
    drawn = diagram(process(start(), box, end(), id="open", flows="s > box > e"))
    with house.acting(pat.principal) as act:
        deploy(act, {"open.bpmn": drawn}, process_id="open")
        run = instances.start(act, "open", business_key="O-1").id
    helper, path = browse(pat), f"/operations/runs/{run}"
    [token] = set(re.findall(r'value="(\d+):a"', helper.get(path).text))
    assert "Look, in Looking" in helper.text
    assert "Let it begin" not in browse(rita).get(path).text
    assert browse(rita).post(f"{path}/choices", {"choice": f"{token}:a"}).status_code == 403
    for choice in ("", "a", "²:a", f"{'9' * 5000}:a"):
        assert helper.post(f"{path}/choices", {"choice": choice}).status_code == 422, choice
    assert helper.post(f"{path}/choices", {"choice": f"{token}:nowhere"}).status_code == 409
    assert helper.post(f"{path}/choices", {"choice": f"{token}:a"}).status_code == 303
    assert "It has begun" in helper.get(path).text
    assert "Let it begin" in helper.text


def test_who_has_a_task_of_a_suspended_run_reads_that_it_rests(runs: list[str], browse: People, story: Story) -> None:
    [task] = story.read(lambda session: tasks.of_instance(session, runs[0]))
    helper, lead = browse(pat), browse(lena)
    helper.post(f"/operations/runs/{runs[0]}/suspend", {"reason": "an audit"})
    lead.get(f"/tasks/{task.id}")
    assert "Nobody decides this until it goes on" in lead.text
    helper.post(f"/operations/runs/{runs[0]}/resume", {})
    lead.get(f"/tasks/{task.id}")
    assert "Nobody decides this" not in lead.text


def test_who_acts_reads_that_the_run_is_stuck_behind_it(house: Installation, browse: People, story: Story) -> None:
    choice = process(
        start(), user("look", extensions=for_role("PUR_LEAD"), name="Look at it"), node("exclusiveGateway", "big"), end(),
        id="flow", flows="s > look > big\nbig -[=amount > 10]-> e",
    )  # fmt: skip
    with house.acting(pat.principal) as act:
        deploy(act, {"flow.bpmn": diagram(choice)})
        [run] = [instances.start(act, "flow", business_key="R-9", variables={"amount": 7}).id]
    [task] = story.read(lambda session: tasks.of_instance(session, run))
    lead = browse(lena)
    lead.get(f"/tasks/{task.id}")
    sent = lead.post(f"/tasks/{task.id}/complete", {"seen_version": str(task.version)})
    assert sent.status_code == 303
    lead.get("/inbox")
    assert "What you did counts, but R-9 is stuck behind it" in lead.text
    assert "one condition to be true" in lead.text


def test_what_stops_many_instances_of_a_step_is_told_and_tried_together(house: Installation, browse: People) -> None:
    weld = service("weld", each("=[1, 2]"), type="=null")
    with house.acting(pat.principal) as act:
        deploy(act, {"flow.bpmn": diagram(process(start(), weld, end(), id="flow", flows="s > weld > e"))})
        run = instances.start(act, "flow", business_key="R-9", variables={}).id
    helper = browse(pat)
    shown = helper.get(f"/operations/runs/{run}").get_data(as_text=True)
    assert helper.text.count("Stuck at Weld, 2 times") == 1
    chosen = re.findall(r'name="incident" value="([^"]+)"', shown)
    assert (len(chosen), helper.text.count("Try again")) == (2, 1)
    helper.post("/operations/retry", {"run": run, "incident": chosen})
    helper.get(f"/operations/runs/{run}")
    assert "0 advanced, 2 failed again." in helper.text
    assert "but it is null (2 times)" in helper.text


def test_a_token_moves_as_it_was_shown_and_only_signed(
    runs: list[str], browse: People, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    [task] = story.read(lambda session: instances.live_tokens(session, instances.find(session, runs[0])))
    page, wish = f"/operations/runs/{runs[0]}/tokens", {f"token-{task.token_id}": "MOVE:book"}
    browser = browse(pat)
    browser.get(page)
    assert "bound method" not in browser.text
    assert "begins anew" in browser.text, "with a value that is set first, a step that stopped is tried where it stands"
    # What a program wrote without a drawing leaves no empty frame.
    assert "does not say where its elements are drawn" in browser.text
    assert "data-diagram" not in browser.text
    assert browser.post(page, {}).status_code == 200
    assert "Nothing is chosen" in browser.text
    browser.post(page, wish | {"values": "amount is 5"})
    assert "one a line, such as amount = 5000" in browser.text
    assert browser.post(page, wish).status_code == 200
    assert 'task "Look at it"' in browser.text
    assert 'task "Book it"' in browser.text
    wish["values"] = "amount = 7\nplace = north"
    assert browser.post(page, wish).status_code == 200
    seen = {"seen_hash": browser.field("seen_hash"), "reason": "looked at on paper", "user_id": "pat"}
    assert browser.post(page, wish | seen | {"password": "guess"}).status_code == 403
    assert browse(adam).post(page, wish | seen | {"password": PASSWORD, "user_id": "adam"}).status_code == 403
    assert browser.post(page, wish | seen | {"password": PASSWORD}).status_code == 303
    browser.get(f"/operations/runs/{runs[0]}")
    assert "for Book it" in browser.text
    known = story.read(lambda session: instances.variables_of(session, runs[0]))
    assert (known["amount"], known["place"]) == (7, "north")
    assert browser.post(page, wish | seen | {"password": PASSWORD}).status_code == 409
    monkeypatch.setattr(operations, "MOST_SHOWN", 1)
    browser.get(f"/operations/runs/{runs[0]}")
    assert "1 of 2 are shown" in browser.text, "of its tasks the newest, and how many there are"


def test_the_page_of_a_process_says_where_its_runs_wait(
    runs: list[str], browse: People, story: Story, clock: SettableClock, house: Installation
) -> None:
    clock.advance(days=2)
    browser = browse(lena)
    [task] = story.read(lambda session: tasks.of_instance(session, runs[0]))
    with house.acting(lena.principal) as act:
        tasks.complete(act, task.id, seen_version=task.version)
    definition = story.read(lambda session: instances.find(session, runs[0]).definition_id)
    browser.get(f"/operations/definitions/{definition}/waits")
    assert "2 d, 9 in 10 within 2 d" in browser.text
    marks = browser.get(f"/operations/definitions/{definition}/waits.json").json
    assert [(one["element"], one["incident"]) for one in marks["tokens"]] == [("look", True), ("book", False)]
    assert browser.get(f"/operations/definitions/{definition}/diagram.bpmn").data == FLOW


def test_machines_are_told_whether_it_lives_whether_it_can_work_and_how_much_there_is(
    runs: list[str], app: Flask, house: Installation
) -> None:
    machine = app.test_client()
    assert (machine.get("/healthz").text, machine.get("/readyz").text) == ("ok\n", "ready\n")
    told = machine.get("/metrics").text
    assert 'lockstep_instances{status="RUNNING"} 3' in told
    assert 'lockstep_tasks_open{process="flow"} 3' in told
    assert machine.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 401
    house.settings = {**house.settings, "metrics_token": "s3cret"}
    assert machine.get("/metrics").status_code == 401
    assert machine.get("/metrics", headers={"Authorization": "Bearer s3cret"}).status_code == 200
