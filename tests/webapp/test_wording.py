"""What rows, forms and histories say: words that a person reads, never codes cut off or brackets of a language."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

from sqlalchemy import select

from engine import words
from engine.act import Act
from engine.stored.task import Task
from records.part import Part, PartRevision
from records.supplier import Supplier
from tests.makers import make_cost_centre, make_price
from tests.people import bea, fred, lena, pat, rita
from tests.story import Story
from tests.webapp.conftest import People
from webapp import form_texts, formats, inboxes
from webapp.task_forms import value_words


def test_a_row_of_the_inbox_says_what_the_requisition_is_for(browse: People, story: Story):
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)], title="Brackets for lot 7001")
    page = browse(lena)
    page.get("/inbox?box=groups")
    assert f"{story.requisition.number} Brackets for lot 7001" in page.text


def test_a_row_of_an_order_says_what_is_bought_and_never_a_bare_verb(browse: People, story: Story):
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 5, "42.50")])
    story.as_(bea).decide("complete_order", "submit").decide("issue_order", "issue")
    page = browse(bea)
    page.get("/inbox?box=mine")
    assert f"{story.order.number} 5 EA × P-100/B" in page.text
    assert "Record the supplier's answer" in page.text


ROWS = (
    # the title of a task, its key, and what stands beside the key where the document says nothing of itself
    ("Approve PO-1: brackets", "PO-1", "brackets"),
    ("CO-1 Train whoever works by it", "CO-1", "Train whoever works by it"),
    ("Too much came: RCV-1, PO-1", "PO-1", "Too much came: RCV-1"),
    ("Answer a question about REQ-1", "REQ-1", "Answer a question"),
    ("Reschedule WO-1: LNK-1 is late", "LNK-1", "Reschedule WO-1: LNK-1 is late"),
    ("Key PO-1 in the ERP", "PO-1", "Key PO-1 in the ERP"),
)


def test_what_is_left_of_a_title_without_its_key_is_a_sentence():
    for title, key, left in ROWS:
        assert inboxes.short_title(Task(title=title, record_number=key, business_key="")) == left


def test_a_row_is_found_by_the_key_that_it_shows(browse: People, story: Story):
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 5, "42.50")])
    page = browse(bea)
    for key in (story.order.number, story.requisition.number):
        assert "Build the order" in page.get(f"/inbox?box=groups&q=key:{key}").text, key
    assert "Build the order" not in page.get("/inbox?box=groups&q=key:REQ-999999").text


def test_a_supplier_s_price_is_offered_only_in_the_currency_of_the_form(browse: People, story: Story):
    def price(act: Act) -> None:
        supplier = act.session.scalars(select(Supplier)).one()
        make_price(
            act, supplier, act.session.scalars(select(PartRevision).join(Part).where(Part.part_no == "P-100")).one()
        )

    story.given(price)
    page = browse(rita)
    [supplier] = page.get("/suggest/suppliers?part=P-100&revision=B&currency=USD").json["items"]
    assert supplier["fills"] == {"estimated_price": "42.5"}
    [supplier] = page.get("/suggest/suppliers?part=P-100&revision=B&currency=PLN").json["items"]
    assert supplier["fills"] == {}
    assert "42.50" in supplier["label"]


def test_a_history_says_statuses_in_words_and_digests_in_twelve_digits(browse: People, story: Story):
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    page = browse(rita)
    page.get(f"/requisitions/{story.requisition_id}?tab=history")
    assert "In approval" in page.text
    assert "IN_APPROVAL" not in page.text
    digest = story.requisition.submitted_hash
    assert digest is not None
    assert f"changed submitted hash: {digest[:12]} " in page.text
    assert digest not in page.text


def test_a_quoted_question_is_a_quotation():
    shown = form_texts.markdown("**Lena Fischer** asks\n\n> Is <this> covered?")
    assert '<blockquote class="said">Is &lt;this&gt; covered?</blockquote>' in shown


def test_a_nested_value_reads_without_brackets_and_class_names():
    how = formats.CUSTOMS["en-US"]
    value = {"role": "PUR_LEAD", "rows": [Decimal(1), Decimal(2)], "users": []}
    assert value_words(value, how) == "role PUR_LEAD, rows 1; 2, users nothing"


def test_a_wait_is_told_as_at_least_a_minute():
    assert words.span(dt.timedelta(seconds=3)) == "1 min"


def test_an_order_that_its_requisition_covers_says_so(browse: People, story: Story):
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    story.as_(lena).decide("approve_requisition", "approve").as_(bea).decide("complete_order", "submit")
    page = browse(bea)
    page.get(f"/orders/{story.order.id}?tab=route")
    assert f"it asks for what {story.requisition.number} was approved for" in page.text
    assert "No approval plan yet" not in page.text


def test_a_table_of_a_form_is_a_table():
    shown = form_texts.markdown("### Budget\n\n| | USD |\n|---|---:|\n| Budget 2026 | 60,000.00 |\n| **Over** | <b> |")
    assert '<tr><th></th><th class="end">USD</th></tr>' in shown
    assert '<tr><td>Budget 2026</td><td class="end">60,000.00</td></tr>' in shown
    assert '<tr><td><strong>Over</strong></td><td class="end">&lt;b&gt;</td></tr>' in shown
    assert "---" not in shown


def test_a_history_names_what_ids_stand_for(browse: People, story: Story):
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 5, "42.50")])
    page = browse(rita)
    page.get(f"/requisitions/{story.requisition_id}?tab=history")
    assert "cost centre: 4711 Machining" in page.text
    assert "requester: Rita Okafor" in page.text
    page.get(f"/orders/{story.order.id}?tab=history")
    assert f"supplier: {story.order.supplier.name}" in page.text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-", page.text)


def test_an_empty_inbox_says_what_to_do_next(browse: People, story: Story):
    page = browse(pat)
    assert 'href="/operations"' in page.get("/inbox").text.partition('class="items"')[2]
    assert "Operations shows every run, what it waits for and what is stuck." in page.text
    assert 'href="/requisitions/new"' in browse(rita).get("/inbox").text.partition('class="items"')[2]
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    page = browse(lena)
    page.get("/inbox?box=mine")
    assert "1 task waits in your groups." in page.text
    assert "My groups: 1 task" in page.text


def test_what_the_process_says_stands_open_where_it_decides(browse: People, story: Story):
    """A budget's sums decide; the seat of an approval round only repeats the page, until a question was answered."""
    centre = story.given(lambda act: make_cost_centre(act, "4799", name="Tool room", budget=Decimal(100)))
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 5, "20.50")], cost_centre=centre)
    page = browse(fred).get("/inbox?box=groups").text
    assert "Budget 2026" in page
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    seat = story.as_(lena).task("approve_requisition")
    assert "data-fields" not in browse(lena).get(f"/tasks/{seat.id}").text
    story.decide("approve_requisition", "ask", reason="Which lot?")
    story.as_(rita).complete("answer_question", answer="Lot 7001")
    asked = story.as_(lena).task("approve_requisition")
    page = browse(lena).get(f"/tasks/{asked.id}").text
    assert "Lot 7001" in page
