"""A run with many tokens: its page counts them, and lists behind it hold each of them."""

from __future__ import annotations

import re

import pytest

from engine import instances
from engine.act import Installation
from engine.definitions import deploy
from engine.stored.instance import Instance
from tests.engine.plant import for_role
from tests.engine.spiff.diagrams import diagram, each, end, node, process, properties, service, start, user
from tests.people import adam, pat, rita
from tests.story import Story
from tests.webapp.browser import Browser
from tests.webapp.conftest import People

PIECES = 120
DRAWN = """<bpmndi:BPMNDiagram xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI"
  xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" id="drawn"><bpmndi:BPMNPlane id="plane" bpmnElement="lot">
  <bpmndi:BPMNShape id="s_drawn" bpmnElement="s"><dc:Bounds x="0" y="0" width="36" height="36" /></bpmndi:BPMNShape>
  <bpmndi:BPMNShape id="inspect_drawn" bpmnElement="inspect"><dc:Bounds x="90" y="0" width="100" height="80" /></bpmndi:BPMNShape>
  </bpmndi:BPMNPlane></bpmndi:BPMNDiagram>"""


@pytest.fixture
def run(house: Installation) -> str:
    inspect = user(
        "inspect", each("=pieces"), name="Inspect a piece",
        extensions=for_role("QA_ENG") + properties(title='="Piece " + string(item)'),
    )  # fmt: skip
    lot = process(
        start(), node("parallelGateway", "split"), inspect, user("pack", extensions=for_role("PUR_LEAD"), name="Pack it"),
        node("parallelGateway", "join"), end(), id="lot",
        flows="s > split > inspect > join > e\nsplit > pack > join",
    )  # fmt: skip
    with house.acting(pat.principal) as act:
        deploy(act, {"lot.bpmn": diagram(lot, definitions=DRAWN)})
        pieces = list(range(1, PIECES + 1))
        return instances.start(act, "lot", business_key="LOT-1", variables={"pieces": pieces}).id


def shown(browser: Browser) -> str:
    """Return the page that is open as it was sent."""
    assert browser.page is not None
    return browser.page.text


def test_the_page_of_a_run_counts_what_stands_at_one_step_and_names_the_first(run: str, browse: People) -> None:
    browser = browse(pat)
    browser.get(f"/operations/runs/{run}")
    assert "Piece 1 (1 of 120); Piece 2 (2 of 120); Piece 3 (3 of 120)" in browser.text
    assert "Piece 4 (4 of 120)" not in browser.text
    assert "all 120" in browser.text
    assert "121 open" in browser.text
    assert browser.text.count("Inspect a piece Open") == 10, "the newest tasks"
    assert "The newest 30 rows of 122." in browser.text
    assert shown(browser).count('class="event"') <= 30


def test_every_token_is_in_a_list_that_is_searched_and_read_page_by_page(run: str, browse: People) -> None:
    browser, path = browse(rita), f"/operations/runs/{run}/standing"
    seen: list[str] = []
    after: str | None = ""
    for _page in range(3):
        browser.get(path, query_string={"after": after})
        seen += re.findall(r"Piece (\d+) \(", browser.text)
        found = re.search(r'after=(\d+)">Next page', shown(browser))
        after = found[1] if found else None
    assert after is None, "the third page is the last"
    assert seen == [str(number) for number in range(1, PIECES + 1)]
    browser.get(path, query_string={"q": "piece 77"})
    assert re.findall(r"Piece \d+", browser.text) == ["Piece 77"]
    browser.get(path, query_string={"at": "lot/pack"})
    assert "1 shown" in browser.text
    assert "Piece" not in shown(browser).partition("<tbody>")[2]
    browser.get(path, query_string={"q": "anvil"})
    assert "No token fits" in browser.text
    assert browser.get(path, query_string={"after": "x"}).status_code == 422
    taken = browser.get(f"{path}.csv", query_string={"at": "lot/inspect"}).get_data(as_text=True)
    assert len(taken.splitlines()) == 1 + PIECES
    assert browser.get("/operations/runs/nothing/standing").status_code == 404


def test_the_tasks_of_a_run_are_a_list_by_title_and_state(run: str, browse: People, house: Installation) -> None:
    browser, path = browse(pat), f"/operations/runs/{run}/tasks"
    browser.get(path, query_string={"q": "piece 119"})
    assert "1 shown" in browser.text
    browser.get(path, query_string={"state": "COMPLETED"})
    assert "No task fits" in browser.text
    taken = browser.get(f"{path}.csv").get_data(as_text=True)
    assert len(taken.splitlines()) == 2 + PIECES
    with house.acting(adam.principal) as act:
        instances.cancel(act, run, "wrong lot")
    browser.get(f"/operations/runs/{run}/standing")
    assert "It has ended" in browser.text
    browser.get(path, query_string={"state": "CANCELLED"})
    assert "50 shown" in browser.text


def test_many_tokens_on_one_element_are_one_mark_of_the_diagram(run: str, browse: People) -> None:
    state = browse(pat).get(f"/operations/runs/{run}/diagram.json").json
    assert state is not None
    assert [(mark["element"], mark["words"]) for mark in state["tokens"]] == [
        ("pack", "waits for a person"), ("inspect", "120 × waits for a person"),
    ]  # fmt: skip
    assert state["sizes"] == {"lot": 2}, "two shapes are drawn"
    assert state["most"] >= 2


def test_what_is_stuck_among_many_comes_first_and_is_counted(house: Installation, browse: People, story: Story) -> None:
    weld = service("weld", each("=[1, 2, 3, 4, 5]"), type='=if item > 3 then null else "outside"')
    welding = process(start(), weld, end(), id="welding", flows="s > weld > e")
    with house.acting(pat.principal) as act:
        deploy(act, {"welding.bpmn": diagram(welding)})
        stuck = instances.start(act, "welding", business_key="W-1").id
    helper = browse(pat)
    helper.get(f"/operations/runs/{stuck}")
    rows = re.findall(
        r'data-label="Tokens"><b class="strong">(\d+)</b></td>\s*<td data-label="It">.*?>([^<]+)</span>', shown(helper)
    )
    assert rows == [("2", "incident"), ("3", "works")]
    state = helper.get(f"/operations/runs/{stuck}/diagram.json").json
    assert state is not None
    assert [(mark["words"], mark["incident"]) for mark in state["tokens"]] == [("5, of which 2 incidents", True)]
    assert story.read(lambda session: session.get_one(Instance, stuck).incidents) == 2


def test_the_jobs_of_one_run_are_found_among_all(house: Installation, browse: People) -> None:
    weld = service("weld", each("=for i in 1..12 return i"), type="outside")
    with house.acting(pat.principal) as act:
        deploy(act, {"welding.bpmn": diagram(process(start(), weld, end(), id="welding", flows="s > weld > e"))})
        first, second = (instances.start(act, "welding", business_key=key).id for key in ("W-1", "W-2"))
    helper = browse(pat)
    helper.get(f"/operations/runs/{first}")
    assert "10 of 12 are shown" in helper.text
    helper.get("/operations/jobs", query_string={"run": first})
    listed = [shown(helper).count(f'href="/operations/runs/{one}"') for one in (first, second)]
    assert listed == [12, 0]


def test_the_list_of_what_is_stuck_says_how_much_more_there_is(house: Installation, browse: People) -> None:
    weld = service("weld", each("=for i in 1..101 return i"), type="=null")
    with house.acting(pat.principal) as act:
        deploy(act, {"welding.bpmn": diagram(process(start(), weld, end(), id="welding", flows="s > weld > e"))})
        instances.start(act, "welding", business_key="W-1")
    helper = browse(pat)
    helper.get("/operations")
    assert "The oldest 100 of 101" in helper.text
