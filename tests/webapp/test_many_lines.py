"""A requisition of fifty lines, and the order that is made of it, cost as many questions to the database as one of five."""

from __future__ import annotations

import re

from engine.act import Installation
from engine.instances import instances_of
from records.requisition import Requisition
from tests.engine.plant import statements
from tests.makers import D, make_approval, make_part, make_price, make_revision, make_supplier
from tests.people import bea, lena, rita
from tests.story import Story
from tests.webapp.browser import Browser
from tests.webapp.conftest import People

FEW, MANY = 5, 50
Steps = dict[str, int]


class Counted:
    """How many statements each step of one requisition took."""

    def __init__(self, house: Installation) -> None:
        self.house = house
        self.of: Steps = {}

    def get(self, name: str, browser: Browser, path: str) -> str:
        """Open a page; return what it shows."""
        with statements(self.house.database) as sent:
            answer = browser.get(path)
        assert answer.status_code == 200, browser.text
        self.of[name] = len(sent)
        return answer.text

    def post(self, name: str, browser: Browser, path: str, form: dict[str, str]) -> str:
        """Send a form; return where it leads."""
        proof = browser.proof
        with statements(self.house.database) as sent:
            answer = browser.client.post(path, data={"form_proof": proof} | form)
        assert answer.status_code in (200, 303), answer.text
        self.of[name] = len(sent)
        return answer.headers.get("Location", "")


def test_fifty_lines_take_as_many_statements_as_five(house: Installation, story: Story, browse: People) -> None:
    supplier_no = _catalogue(house)
    desks = [browse(member) for member in (rita, lena, bea)]
    # The few twice: whoever comes first pays for what the house keeps in mind from then on.
    _few, few, many = [
        _way_to_an_order(Counted(house), story, desks, _form(count, supplier_no)) for count in (FEW, FEW, MANY)
    ]
    # A variable that is large lies in a row of its own, and what looks like a split request is a finding or more.
    assert {step: (few[step], count) for step, count in many.items() if count - few[step] > (MANY - FEW) / 3} == {}


def _catalogue(house: Installation) -> str:
    """Make as many parts as there are lines, with their prices; return the number of who sells them."""
    with house.acting("system:test") as act:
        supplier = make_supplier(act)
        make_approval(act, supplier)
        for turn in range(MANY):
            make_price(act, supplier, make_revision(act, make_part(act, f"M-{turn}")), unit_price=D("2.00"))
        return supplier.supplier_no


def _form(count: int, supplier_no: str) -> dict[str, str]:
    form = {
        "title": "Many", "cost_centre": "4711", "currency": "USD", "priority": "NORMAL", "justification": "Needed",
        "need_by": "2027-01-29",
    }  # fmt: skip
    for turn in range(count):
        line = {"part": f"M-{turn}", "quantity": "2", "uom": "EA", "estimated_price": f"{500 / count:.2f}"}
        form |= {f"lines.{turn}.{name}": value for name, value in (line | {"supplier": supplier_no}).items()}
    return form


def _way_to_an_order(counted: Counted, story: Story, desks: list[Browser], form: dict[str, str]) -> Steps:
    """Write, submit, review and approve a requisition, and look at its order; return how many statements each step took."""
    requester, lead, buyer = desks
    counted.post("preview", requester, "/requisitions/preview", form)
    page = counted.post("save", requester, "/requisitions/new", form)
    counted.get("page", requester, page)
    shown = counted.get("form", requester, f"{page}/edit")
    seen = {"seen_hash": re.findall('name="seen_hash" value="([^"]*)"', shown)[0], "way": "submit"}
    lines = dict(re.findall(r'name="(lines\.\d+\.id)" value="([^"]*)"', shown))
    counted.post("submit", requester, f"{page}/edit", form | lines | seen)
    with story.installation.reading() as session:
        story.instance_id = instances_of(session, Requisition.record_type, page.rpartition("/")[2])[0].id
    task = story.as_(lena).task("approve_requisition")
    for tab in ("summary", "changes", "discussion", "route"):
        counted.get(f"review, {tab}", lead, f"/tasks/{task.id}?tab={tab}")
    story.decide("approve_requisition", "approve")
    order_id = story.as_(bea).task("complete_order").record_id
    for path in (f"/orders/{order_id}", f"/orders/{order_id}/edit"):
        counted.get(path.replace(str(order_id), "…"), buyer, path)
    counted.get("review of the order", buyer, f"/tasks/{story.task('complete_order').id}")
    return counted.of


def test_a_page_of_text_on_every_line_is_no_reason_to_refuse_a_form(browse: People) -> None:
    form = {f"lines.{turn}.description": "Deburr every edge. " * 1_000 for turn in range(40)}
    assert browse(rita).post("/requisitions/preview", form).status_code == 200
