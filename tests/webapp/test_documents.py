"""Requisitions, orders, parts, suppliers and operations: works, wrong role, stale, invalid, unknown id."""

from __future__ import annotations

import datetime as dt
import io
import re
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from engine import instances
from engine.act import Act, Installation
from engine.database import connect
from records.part import Part
from records.purchase_order import OrderStatus, PurchaseOrder, hold
from records.requisition import Requisition, RequisitionStatus
from records.supplier import Supplier
from tests.makers import make_order, make_part, make_price, make_revision
from tests.people import bea, carl, lena, max_, otto, pat, rita
from tests.story import Story
from tests.webapp.browser import Browser, path_of
from tests.webapp.conftest import People
from webapp.app import create_app

NOWHERE = ("17", "not-an-id", "01a2044d-ad0e-77af-8c24-f2a8c2f2c129", "x" * 36)


def form(**changes: str) -> dict[str, str]:
    """Return a requisition as rita types it: 50 × 42.50 of P-100."""
    return {
        "title": "Brackets for lot 7001", "cost_centre": "4711", "currency": "USD", "priority": "NORMAL",
        "need_by": "2026-12-18", "justification": "Stock is below the minimum", "way": "submit",
        "lines.0.part": "P-100", "lines.0.revision": "B", "lines.0.quantity": "50", "lines.0.uom": "EA",
        "lines.0.estimated_price": "42.50", "lines.0.supplier": "",
    } | {name.replace("__", "."): value for name, value in changes.items()}  # fmt: skip


def only(story: Story) -> Requisition:
    """Return the only requisition, with its lines."""

    def find(session: Any) -> Requisition:
        found: Requisition = session.scalars(select(Requisition)).one()
        assert len([line.amount for line in found.lines]) == len(found.lines)
        return found

    return story.read(find)


def count(story: Story) -> int:
    return len(story.read(lambda session: session.scalars(select(Requisition.id)).all()))


def test_a_requester_submits_a_requisition_and_reads_whom_it_waits_for(browse: People, story: Story):
    browser = browse(rita)
    answer = browser.post("/requisitions/new", form())
    assert answer.status_code == 303
    made = only(story)
    assert (made.status, made.total, made.requester_id) == (RequisitionStatus.IN_APPROVAL, 2125, "rita")
    browser.get(path_of(answer))
    assert made.number in browser.text
    assert "Lena Fischer" in browser.text
    browser.get("/inbox?box=requests")
    assert made.number in browser.text
    assert browse(lena).get("/inbox?box=groups").text.count(made.number) >= 1


def test_a_draft_is_kept_and_edited_line_by_line(browse: People, story: Story):
    browser = browse(rita)
    browser.post("/requisitions/new", form(way="keep"))
    made = only(story)
    assert made.status is RequisitionStatus.DRAFT
    browser.get(f"/requisitions/{made.id}/edit")
    changed = form(way="keep", lines__0__id=made.lines[0].id, lines__0__quantity="60", lines__1__part="P-200",
                   lines__1__quantity="2", lines__1__uom="EA", lines__1__estimated_price="10")  # fmt: skip
    answer = browser.post(f"/requisitions/{made.id}/edit", changed | {"seen_hash": browser.field("seen_hash")})
    assert answer.status_code == 303
    again = only(story)
    assert [(line.line_no, line.quantity) for line in again.lines] == [(1, 60), (2, 2)]
    assert again.lines[0].id == made.lines[0].id


def test_a_draft_that_changed_meanwhile_is_not_overwritten(browse: People, story: Story):
    browser = browse(rita)
    browser.post("/requisitions/new", form(way="keep"))
    made = only(story)
    answer = browser.post(f"/requisitions/{made.id}/edit", form(way="keep", seen_hash="0" * 64, title="Mine"))
    assert answer.status_code == 409
    assert "was changed meanwhile" in browser.text
    assert browser.field("title") == "Mine"


def test_the_later_of_two_people_in_one_draft_sees_both_and_loses_nothing(browse: People, story: Story):
    """Field by field, lines by their identity; what the later one keeps then is a choice."""
    early, late = browse(rita), browse(rita)
    early.post("/requisitions/new", form(way="keep"))
    made = only(story)
    path = f"/requisitions/{made.id}/edit"
    early.get(path)
    seen, line = early.field("seen_hash"), made.lines[0].id
    late.get(path)
    early.post(path, form(way="keep", seen_hash=seen, title="Ours", **{"lines.0.id": line, "lines.0.quantity": "7"}))
    mine = {"lines.0.id": line, "lines.0.quantity": "9"} | {"title": "<b>Mine</b>", "seen_hash": seen}
    assert late.post(path, form(way="keep", **mine)).status_code == 409
    page = late.page.text if late.page else ""
    both = page[page.index("Yours and theirs") :]
    for yours, theirs in (("&lt;b&gt;Mine&lt;/b&gt;", ">Ours<"), (">9<", ">7<")):
        assert both.index(yours) < both.index(theirs)
    assert late.field("title") == "<b>Mine</b>"
    again = mine | {"seen_hash": late.field("seen_hash")}
    assert late.post(path, form(way="keep", **again)).status_code == 303, "who saw both may go on"
    assert (only(story).title, only(story).lines[0].quantity) == ("<b>Mine</b>", 9)


def test_more_lines_than_a_requisition_takes_are_refused_in_words(browse: People):
    answer = browse(rita).post("/requisitions/new", form(way="keep", **{"lines.500.part": "P-100"}))
    assert answer.status_code == 422
    assert "Expected at most 500 lines on one requisition" in answer.text


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("lines.0.quantity", "0", "Expected more than 0, but found 0"),
        ("lines.0.quantity", "-5", "Expected more than 0, but found -5"),
        ("lines.0.quantity", "five", "Expected a number such as 12.5, but found “five”"),
        ("lines.0.quantity", "", "Expected a quantity above 0, but this is empty"),
        ("lines.0.quantity", "1.5", "EA"),
        ("lines.0.quantity", "0." + "1" * 30, "Expected at most 6 decimals, but found 30"),
        ("lines.0.quantity", "9" * 30, "Expected a number below 1,000,000,000,000"),
        ("lines.0.quantity", "9" * 3000, "Expected a number of at most 6 decimals"),
        ("lines.0.quantity", "NaN", "Expected a number such as 12.5"),
        ("lines.0.quantity", "Infinity", "Expected a number such as 12.5"),
        ("lines.0.estimated_price", "1.23456", "Expected at most 4 decimals, but found 5"),
        ("lines.0.estimated_price", "-1", "Expected 0 or more"),
        ("lines.0.part", "P-999", "Expected the number of a known part, but found “P-999”"),
        ("lines.0.revision", "Z", "Expected a revision of P-100 (released: B), but found “Z”"),
        ("lines.0.revision", "C", "Expected a released revision (B), but P-100/C is draft (CON-07)"),
        ("lines.0.supplier", "S-9999", "Expected the number of a known supplier"),
        ("lines.0.uom", "FURLONG", "Expected a unit such as EA or KG"),
        ("cost_centre", "9999", "Expected a cost centre of the list"),
        ("currency", "DOLLARS", "Expected a currency code such as USD"),
        ("currency", "XXX", "Expected a currency code such as USD, but found “XXX”"),
        ("lines.0.process_code", "NOPE", "Expected the code of a known outside process, but found “NOPE”"),
        ("need_by", "2026-02-30", "Expected a date such as 2026-12-01"),
        ("priority", "YESTERDAY", "Expected a priority of the list"),
        ("title", "x" * 300, "Expected at most 200 characters, but found 300"),
    ],
)
def test_what_does_not_fit_is_said_by_its_field_and_nothing_is_lost(
    browse: People, story: Story, name: str, value: str, sentence: str
):
    story.given(
        lambda act: make_revision(
            act, act.session.scalar(select(Part).where(Part.part_no == "P-100")), "C", status="DRAFT", released_at=None
        )
    )
    browser = browse(rita)
    answer = browser.post("/requisitions/new", form() | {name: value})
    assert answer.status_code == 422
    assert sentence in browser.text
    assert browser.field("justification") == "Stock is below the minimum"
    assert count(story) == 0


def test_what_the_first_step_would_send_back_is_said_before_submitting(browse: People, story: Story):
    browser = browse(rita)
    answer = browser.post("/requisitions/new", form(lines__0__estimated_price=""))
    assert answer.status_code == 422
    assert "Expected an estimated price, but there is none" in browser.text
    assert count(story) == 0


def test_a_requisition_without_a_line_is_not_submitted(browse: People, story: Story):
    empty = {name: value for name, value in form().items() if not name.startswith("lines")}
    assert browse(rita).post("/requisitions/new", empty).status_code == 422
    assert count(story) == 0


def test_a_forged_field_of_a_line_is_refused(browse: People, story: Story):
    for name in ("lines.0.converted_quantity", "lines.x.part", "lines.9999.part", "lines.0.__class__"):
        assert browse(rita).post("/requisitions/new", form() | {name: "1"}).status_code == 422, name
    assert count(story) == 0


def test_only_requesters_ask(browse: People):
    browser = browse(otto)
    assert browser.get("/requisitions/new").status_code == 403
    assert browser.post("/requisitions/new", form()).status_code == 403
    browser.get("/requisitions")
    assert "Needs the role Requester" in browser.text


def test_nobody_edits_what_somebody_else_asked_for_or_what_is_under_way(browse: People, story: Story):
    browser = browse(rita)
    browser.post("/requisitions/new", form(way="keep"))
    made = only(story)
    assert browse(bea).get(f"/requisitions/{made.id}/edit").status_code == 403
    browser.get(f"/requisitions/{made.id}/edit")
    seen = browser.field("seen_hash")
    kept = form(lines__0__id=made.lines[0].id) | {"seen_hash": seen}
    assert browser.post(f"/requisitions/{made.id}/edit", kept).status_code == 303
    assert browser.get(f"/requisitions/{made.id}/edit").status_code == 409
    assert browser.post(f"/requisitions/{made.id}/edit", kept).status_code == 409


def test_a_double_click_on_submit_starts_one_process(browse: People, story: Story):
    browser = browse(rita)
    browser.post("/requisitions/new", form(way="keep"))
    made = only(story)
    browser.get(f"/requisitions/{made.id}/edit")
    sent = form(lines__0__id=made.lines[0].id) | {"seen_hash": browser.field("seen_hash")}
    assert browser.post(f"/requisitions/{made.id}/edit", sent).status_code == 303
    assert browser.post(f"/requisitions/{made.id}/edit", sent).status_code == 409


@pytest.mark.parametrize("way", ["submit", "keep"])
def test_a_double_click_on_a_new_requisition_writes_one(browse: People, story: Story, way: str):
    browser = browse(rita)
    browser.get("/requisitions/new")
    sent = form(way=way) | {"form_id": browser.field("form_id")}
    first, second = browser.post("/requisitions/new", sent), browser.post("/requisitions/new", sent)
    assert (first.status_code, second.status_code) == (303, 303)
    assert path_of(first) == path_of(second) == f"/requisitions/{only(story).id}"


def test_a_form_that_somebody_went_back_to_keeps_its_text_and_makes_another_requisition(browse: People, story: Story):
    browser = browse(rita)
    browser.get("/requisitions/new")
    sent = form(way="keep") | {"form_id": browser.field("form_id")}
    browser.post("/requisitions/new", sent)
    answer = browser.post("/requisitions/new", sent | {"title": "Brackets for lot 7002"})
    assert (answer.status_code, browser.field("title"), count(story)) == (409, "Brackets for lot 7002", 1)
    again = sent | {"title": "Brackets for lot 7002", "form_id": browser.field("form_id")}
    assert browser.post("/requisitions/new", again).status_code == 303
    assert count(story) == 2


def test_a_form_sent_under_somebody_elses_requisition_shows_nothing_of_it(browse: People, story: Story):
    browse(rita).post("/requisitions/new", form(way="keep"))
    answer = browse(bea).post("/requisitions/new", form(way="keep") | {"form_id": only(story).id})
    assert (answer.status_code, answer.headers.get("Location"), count(story)) == (409, None, 1)


def test_lines_are_added_and_removed_without_a_script(browse: People, story: Story):
    browser = browse(rita)
    browser.post("/requisitions/new", form(add_line="1"))
    assert browser.field("lines.1.quantity") == ""
    assert browser.field("lines.0.part") == "P-100"
    browser.post("/requisitions/new", form(remove_line="0", lines__1__part="P-200", lines__1__quantity="3"))
    assert browser.field("lines.0.part") == "P-200"
    assert count(story) == 0


def test_the_preview_says_who_will_approve_in_which_order_by_which_row(browse: People, story: Story):
    """D01: the band's lower bound is inclusive."""
    browser = browse(rita)
    browser.post("/requisitions/preview", form(lines__0__quantity="199", lines__0__estimated_price="50"))
    assert "9,950.00 USD" in browser.text
    assert "Purchasing lead Lena Fischer" in browser.text
    assert "Row " in browser.text
    browser.post("/requisitions/preview", form(lines__0__quantity="200", lines__0__estimated_price="50"))
    assert "10,000.00 USD" in browser.text
    assert "Purchasing manager Max Lindgren" in browser.text
    assert "Cost-centre owner Carl Jensen" in browser.text
    assert "Lena Fischer" not in browser.text
    assert count(story) == 0


def test_the_preview_of_a_half_typed_form_is_no_error(browse: People):
    browser = browse(rita)
    assert browser.post("/requisitions/preview", {"lines.0.part": "P-1", "lines.0.quantity": "x"}).status_code == 200
    assert "Still to settle" in browser.text


def test_numbers_are_read_and_written_as_the_visitor_writes_them(browse: People, story: Story):
    browser = browse(rita)
    assert browser.post("/choices/customs", {"customs": "de-DE", "back": "/profile"}).status_code == 303
    browser.post("/requisitions/new", form(lines__0__quantity="1.250", lines__0__estimated_price="1,5"))
    made = only(story)
    assert (made.lines[0].quantity, made.lines[0].estimated_price) == (1250, pytest.approx(1.5))
    browser.get(f"/requisitions/{made.id}")
    assert "1.875,00 USD" in browser.text


def test_suggestions_know_parts_revisions_and_prices(browse: People, story: Story):
    def arrange(act: Any) -> None:
        revision = make_revision(act, make_part(act, "P-777", name="Flange"))
        make_price(act, act.session.scalars(select(Supplier)).first(), revision)

    story.given(arrange)
    browser = browse(rita)
    parts = browser.get("/suggest/parts?q=flan").json
    assert parts is not None
    assert [item["value"] for item in parts["items"]] == ["P-777"]
    assert parts["items"][0]["fills"]["revision"] == "B"
    suppliers = browser.get("/suggest/suppliers?q=&part=P-777&revision=B&currency=USD").json
    assert suppliers is not None
    assert suppliers["items"][0]["fills"] == {"estimated_price": "42.5"}
    abroad = browser.get("/suggest/suppliers?q=&part=P-777&revision=B&currency=EUR").json
    assert abroad is not None
    assert abroad["items"][0]["fills"] == {}
    revisions = browser.get("/suggest/revisions?part=P-777").json
    assert revisions == {"items": [{"value": "B", "label": "Released"}]}


@pytest.mark.parametrize("record_id", NOWHERE)
@pytest.mark.parametrize("kind", ["requisitions", "orders", "parts", "suppliers", "operations/runs"])
def test_an_unknown_document_is_not_found(browse: People, kind: str, record_id: str):
    browser = browse(rita)
    assert browser.get(f"/{kind}/{record_id}").status_code == 404
    assert "This is not here" in browser.text


@pytest.mark.parametrize("path", ["/requisitions", "/orders", "/parts", "/suppliers", "/operations"])
def test_lists_are_searched_and_say_what_to_do_when_they_are_empty(browse: People, path: str):
    browser = browse(rita)
    assert browser.get(path).status_code == 200
    assert browser.get(f"{path}?q=zzzz%25_%27").status_code == 200
    assert "Clear the search" in browser.text
    assert browser.get(f"{path}?q={'x' * 200}").status_code == 422


@pytest.mark.parametrize("query", ["?box=nonsense", "?sort=colour", "?after=junk"])
def test_a_wrong_address_of_the_inbox_says_what_was_expected(browse: People, query: str):
    browser = browse(lena)
    assert browser.get(f"/inbox{query}").status_code == 422
    assert "Expected" in browser.text


def test_the_inbox_searches_sorts_and_pages(browse: People, story: Story):
    for quantity in (50, 60, 70):
        story.as_(rita).start("requisition_to_po", lines=[("P-100", quantity)])
    browser = browse(lena)
    browser.get("/inbox?box=groups&sort=amount")
    order = re.findall(r"(\d,\d{3}\.\d\d) USD", browser.text[: browser.text.index("Claim")])
    assert order[:3] == ["2,975.00", "2,550.00", "2,125.00"]
    browser.get("/inbox?box=groups&q=amount%3E2600")
    assert "2,975.00" in browser.text
    assert "2,125.00" not in browser.text
    browser.get("/inbox?box=groups&q=key:REQ-000001")
    assert "1 shown" in browser.text
    news = browser.get("/inbox/news?box=groups&shown=").json
    assert news == {"news": 3, "stale": {}}


def test_a_row_that_somebody_else_decided_says_by_whom(browse: People, story: Story):
    task = story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)]).as_(lena).task("approve_requisition")
    story.as_(lena).decide("approve_requisition", "approve")
    news = browse(lena).get(f"/inbox/news?box=groups&shown={task.id}").json
    assert news == {"news": 0, "stale": {task.id: "decided by Lena Fischer 09:00"}}


def ordered(story: Story) -> PurchaseOrder:
    """Bring a requisition of 20 × 42.50 to a draft order."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 20)])
    if story.tasks("approve_requisition"):
        story.as_(lena).decide("approve_requisition", "approve")
    return story.order


def test_an_order_page_shows_its_state_terms_and_route(browse: People, story: Story):
    order = ordered(story)
    browser = browse(otto)
    assert browser.get(f"/orders/{order.id}").status_code == 200
    assert "850.00 USD" in browser.text
    assert "Needs the role Buyer" in (browser.page.text if browser.page else "")
    for tab in ("route", "answers", "documents", "discussion", "history"):
        assert browser.get(f"/orders/{order.id}?tab={tab}").status_code == 200, tab
    assert "unbroken" in browser.text


def test_an_order_that_several_runs_follow_shows_the_one_that_waits_for_a_person(browse: People, story: Story):
    order, first = ordered(story), only(story).id
    browse(rita).post("/requisitions/new", form(title="Brackets for lot 7002"))

    def follow(act: Act) -> None:
        later = act.session.scalars(select(Requisition).where(Requisition.id != first)).one()
        [run] = instances.instances_of(act.session, later.record_type, later.id)
        instances.link_record(act, run.id, order.record_type, order.id)

    story.given(follow)
    browser = browse(bea)
    browser.get(f"/orders/{order.id}")
    assert "for Build the order (Bea Castillo)" in browser.text


def test_an_approved_order_is_printed_and_a_draft_is_not(browse: People, story: Story):
    order = ordered(story)
    assert browse(bea).get(f"/orders/{order.id}/sheet.pdf").status_code == 409
    story.as_(bea).decide("complete_order", "submit")
    answer = browse(bea).get(f"/orders/{order.id}/sheet.pdf")
    assert answer.status_code == 200
    assert answer.data.startswith(b"%PDF-")


def test_the_buyer_changes_a_draft_and_wrong_values_are_said_by_their_field(browse: People, story: Story):
    order = ordered(story)
    assert order.status is OrderStatus.DRAFT
    browser = browse(bea)
    browser.get(f"/orders/{order.id}/edit")
    sent = {
        "seen_hash": browser.field("seen_hash"), "payment_term": "Net 45", "lines.1.quantity": "20",
        "lines.1.unit_price": "41,0", "lines.1.quality_clauses": browser.field("lines.1.quality_clauses"),
        "lines.1.certificates": browser.field("lines.1.certificates"),
    }  # fmt: skip
    answer = browser.post(f"/orders/{order.id}/edit", sent)
    assert answer.status_code == 422
    assert "Expected a number such as 12.5, but found “41,0”" in browser.text
    assert browser.field("payment_term") == "Net 45"
    bare = sent | {"lines.1.unit_price": "41.50", "lines.1.certificates": ""}
    assert browser.post(f"/orders/{order.id}/edit", bare).status_code == 409
    assert "Expected certificate COC to stay on line 1" in browser.text
    assert browser.post(f"/orders/{order.id}/edit", sent | {"lines.1.unit_price": "41.50"}).status_code == 303
    assert (story.order.payment_term, story.order.lines[0].unit_price) == ("Net 45", Decimal("41.5"))
    stale = browser.post(f"/orders/{order.id}/edit", sent | {"lines.1.unit_price": "1"})
    assert stale.status_code == 409


def test_an_approved_order_cannot_be_edited_by_its_address(browse: People, story: Story):
    """W22: after approval a price is frozen; the answer says what the way is."""
    order = ordered(story)
    story.as_(bea).decide("complete_order", "submit")
    assert story.order.status is not OrderStatus.DRAFT
    browser = browse(bea)
    assert browser.get(f"/orders/{order.id}/edit").status_code == 409
    assert browser.post(f"/orders/{order.id}/edit", {"lines.1.unit_price": "1"}).status_code == 409
    assert "withdraw it" in browser.text
    assert browse(otto).post(f"/orders/{order.id}/edit", {}).status_code == 403


def test_an_order_is_withdrawn_with_a_reason_by_a_buyer_only(browse: People, story: Story):
    order = ordered(story)
    assert browse(otto).post(f"/orders/{order.id}/withdraw", {"reason": "x"}).status_code == 403
    browser = browse(bea)
    assert browser.post(f"/orders/{order.id}/withdraw", {"reason": " "}).status_code == 422
    assert "Expected a reason to withdraw the order" in browser.text


def test_a_held_order_is_withdrawn_on_its_page_as_long_as_it_is_not_issued(browse: People, story: Story):
    order = ordered(story)
    story.as_(bea).decide("complete_order", "submit")

    def stop(act: Act) -> None:
        hold(act, act.session.get_one(PurchaseOrder, order.id), reason="price in doubt", owner="role:FIN_CTRL")

    story.given(stop)
    browser = browse(bea)
    answer = browser.get(f"/orders/{order.id}?tab=route")
    assert "On hold" in browser.text
    assert f"/orders/{order.id}/withdraw" in answer.text


def test_an_answer_before_the_order_is_sent_is_not_taken(browse: People, story: Story):
    order = ordered(story)
    browser = browse(bea)
    browser.get(f"/orders/{order.id}/acknowledgement")
    assert "Only once it is with the supplier" in browser.text
    assert browse(otto).get(f"/orders/{order.id}/acknowledgement").status_code == 403


def test_files_are_kept_with_their_hash_and_handed_out_as_downloads(browse: People, story: Story):
    browser = browse(rita)
    browser.post("/requisitions/new", form(way="keep"))
    made = only(story)
    sent = {"file": (io.BytesIO(b"%PDF-1.7 drawing"), "drawing.pdf"), "document_no": "D-100", "document_rev": "B"}
    answer = browser.post(f"/documents/requisition/{made.id}/files", sent, content_type="multipart/form-data")
    assert answer.status_code == 303
    browser.get(f"/requisitions/{made.id}?tab=documents")
    assert "D-100 rev B" in browser.text
    link = re.search(r"/files/[0-9a-f-]{36}", browser.page.text if browser.page else "")
    assert link is not None
    got = browser.get(link[0])
    assert got.data == b"%PDF-1.7 drawing"
    again = {"file": (io.BytesIO(b"%PDF-1.7 drawing"), "drawing.pdf")}
    answer = browser.post(f"/documents/requisition/{made.id}/files", again, content_type="multipart/form-data")
    assert answer.status_code == 303, "a double click attaches one file and is no mistake of ours"
    assert (
        len(set(re.findall(r"/files/[0-9a-f-]{36}", browser.get(f"/requisitions/{made.id}?tab=documents").text))) == 1
    )
    assert got.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("name", "content"),
    [("page.html", b"<script>"), ("fake.pdf", b"<script>"), ("empty.pdf", b""), ("no-ending", b"x")],
)
def test_a_file_that_is_not_what_it_says_is_refused(browse: People, story: Story, name: str, content: bytes):
    browser = browse(rita)
    browser.post("/requisitions/new", form(way="keep"))
    sent = {"file": (io.BytesIO(content), name)}
    path = f"/documents/requisition/{only(story).id}/files"
    assert browser.post(path, sent, content_type="multipart/form-data").status_code == 422


def test_comments_and_files_need_a_document(browse: People):
    browser = browse(rita)
    for record_id in NOWHERE:
        assert browser.post(f"/documents/requisition/{record_id}/comments", {"comment": "x"}).status_code == 404
        assert browser.post(f"/documents/user_account/{record_id}/comments", {"comment": "x"}).status_code == 404


def test_part_and_supplier_pages_show_revisions_approvals_and_history(browse: People, story: Story):
    part, supplier = story.read(
        lambda session: (session.scalars(select(Part.id)).first(), session.scalars(select(Supplier.id)).first())
    )
    browser = browse(otto)
    assert browser.get(f"/parts/{part}").status_code == 200
    assert "Released" in browser.text
    assert browser.get(f"/parts/{part}?tab=history").status_code == 200
    assert browser.get(f"/suppliers/{supplier}").status_code == 200
    assert "What it is approved for" in browser.text
    assert browser.get(f"/suppliers/{supplier}?tab=history").status_code == 200


def test_a_run_is_shown_with_its_diagram_and_painted_by_state(browse: People, story: Story):
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    browser = browse(pat)
    assert browser.get(f"/operations/runs/{story.instance_id}").status_code == 200
    assert "Lena Fischer" in browser.text
    xml = browser.get(f"/operations/runs/{story.instance_id}/diagram.bpmn")
    assert b"<bpmn:definitions" in xml.data
    called = browser.get(f"/operations/runs/{story.instance_id}/diagram.bpmn?process=approval_round")
    assert b'id="approval_round"' in called.data
    state = browser.get(f"/operations/runs/{story.instance_id}/diagram.json").json
    assert state is not None
    assert {(token["process"], token["element"]) for token in state["tokens"]} == {
        ("approval_round", "decide_slot"), ("requisition_to_po", "approve_requisition")
    }  # fmt: skip
    assert {"view": "", "process": "requisition_to_po", "element": "check_budget"} in state["done"]


def test_a_nul_in_a_requisition_keeps_every_line(browse: People, story: Story):
    browser = browse(rita)
    answer = browser.post("/requisitions/new", form(title="Brackets\x00 for 7001"))
    assert answer.status_code == 422
    assert browser.field("title") == "Brackets for 7001"
    assert browser.field("lines.0.quantity") == "50"
    assert story.read(lambda session: session.scalars(select(Requisition.id)).all()) == []


def test_only_helpers_retry_and_cancel(browse: People, story: Story):
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    browser = browse(rita)
    assert browser.post("/operations/retry", {"incident": story.instance_id}).status_code == 403
    assert browser.post(f"/operations/runs/{story.instance_id}/cancel", {"reason": "x"}).status_code == 403
    helper = browse(pat)
    assert helper.post("/operations/retry", {}).status_code == 303
    helper.get("/operations")
    assert "Nothing was chosen" in helper.text
    assert helper.post(f"/operations/runs/{story.instance_id}/cancel", {"reason": " "}).status_code == 422
    assert helper.post(f"/operations/runs/{story.instance_id}/cancel", {"reason": "Wrong plant"}).status_code == 303
    helper.get(f"/operations/runs/{story.instance_id}")
    assert "Cancelled at 09:00: Wrong plant" in helper.text


def test_notices_are_read_by_their_owner_only(browse: People, story: Story):
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)]).as_(lena)
    story.decide("approve_requisition", "reject", reason="No budget")
    browser = browse(rita)
    browser.get("/notices")
    assert "was rejected" in browser.text
    path = re.search(r'action="(/notices/[^"]+/read)"', browser.page.text if browser.page else "")
    assert path is not None
    assert browse(max_).post(path[1]).status_code == 404
    assert browser.post(path[1]).status_code == 303
    assert browse(carl).get("/notices").status_code == 200


def test_a_mistake_of_ours_shows_a_number_and_no_stack(house: Installation):
    app = create_app(house, secret_key="only for tests")
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/broken")
    def broken() -> str:
        raise KeyError("secret detail")

    browser = Browser(app).sign_in(rita)
    answer = browser.get("/broken")
    assert answer.status_code == 500
    assert "This is a mistake of ours" in browser.text
    assert "secret detail" not in answer.text
    assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-7", answer.text)


def test_a_printed_requisition_carries_its_signatures(browse: People, story: Story):
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)]).as_(lena)
    story.decide("approve_requisition", "approve", reason="Agrees with the contract")
    browser = browse(otto)
    browser.get(f"/requisitions/{story.requisition_id}")
    printed = browser.text[browser.text.index("Signatures") :]
    assert "Lena Fischer, Purchasing lead Approved as Purchasing lead" in printed
    assert "“Agrees with the contract”" in printed
    assert "UTC" in printed
    assert "Printed by Otto Brandt" in printed


def test_a_requester_withdraws_with_a_reason_and_nobody_else_sees_the_button(browse: People, story: Story):
    browser = browse(rita)
    browser.post("/requisitions/new", form())
    made = only(story)
    page = f"/requisitions/{made.id}"
    other = browse(max_)
    other.get(page)
    assert "Withdraw it" not in other.text
    assert other.post(f"{page}/withdraw", {"reason": "mine now"}).status_code == 403
    assert browser.post(f"{page}/withdraw", {"reason": " "}).status_code == 422
    assert only(story).status is RequisitionStatus.IN_APPROVAL
    assert browser.post(f"{page}/withdraw", {"reason": "not needed"}).status_code == 303
    assert only(story).status is RequisitionStatus.CANCELLED
    browser.get(page)
    assert "Withdraw it" not in browser.text
    assert browser.post(f"{page}/withdraw", {"reason": "again"}).status_code == 409
    assert browser.post(f"/requisitions/{NOWHERE[2]}/withdraw", {"reason": "x"}).status_code == 404


def test_an_order_date_that_lies_ahead_is_called_planned(browse: People, story: Story):
    """The ERP keeps the day on which it plans to buy under the same name as the day on which it bought."""

    def arrange(act: Act) -> None:
        for days in (-3, 70):
            make_order(act, origin="ERP", status="ACKNOWLEDGED", order_date=act.now.date() + dt.timedelta(days=days))

    story.given(arrange)
    browser = browse(bea)
    browser.get("/orders")
    assert "Jan 31, 2027 planned" in browser.text
    assert "Nov 19, 2026 planned" not in browser.text


def test_a_database_that_is_away_is_said_in_words_and_the_request_may_be_sent_again(house: Installation):
    app = create_app(house, secret_key="only for tests")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    nowhere = connect("postgresql://nobody@127.0.0.1:9/nothing")

    @app.route("/asks", methods=["GET", "POST"])
    def asks() -> str:
        with nowhere.connect():
            return "never"

    browser = Browser(app).sign_in(rita)
    answer = browser.get("/asks")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Nothing is lost" in browser.text
