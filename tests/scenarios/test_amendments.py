"""Amendments as an expert tries them, on the pages and by the API, with the numbers of the scenarios (D10, D14, D33, D35, W22)."""

from __future__ import annotations

import datetime as dt
import html
import re
from decimal import Decimal
from typing import Any

import pytest

from records.amendment import AmendmentStatus
from records.purchase_order import OrderStatus, PurchaseOrder, approved_hash
from tests.amendments import acknowledged, acknowledged_order, amendments, answer, go_to, newest, redline, sent
from tests.pdf_text import words_of
from tests.people import bea, lena, otto, rita
from tests.scenarios.desk import signing
from tests.story import Story
from tests.webapp.api.conftest import Calling, problem
from tests.webapp.conftest import People

D = Decimal


def is_true_to_its_approval(story: Story) -> bool:
    """Say whether no approved status stands beside an unapproved value: the order's content has its approved hash."""

    def ask(session: Any) -> bool:
        order = session.get_one(PurchaseOrder, story.order.id)
        return bool(approved_hash(order) == order.approved_hash)

    return bool(story.read(ask))


def typed(story: Story, browser: Any, **edits: str) -> dict[str, str]:
    """Return the form as the page shows it, with some fields typed over."""
    browser.get(f"/orders/{story.order.id}/amend")
    return {
        "seen_hash": story.order.approved_hash or "",
        "reason": "The plant needs it",
        "reason_code": "DEMAND",
        **edits,
    }


def test_a_small_amendment_is_approved_by_the_lead_alone_and_its_redline_is_exact(story: Story, browse: People) -> None:
    """D10: 230 × 42.5000 = 9,775.00 → 235 = 9,987.50 (+212.50, 2.17 %) → PUR_LEAD only; revision 0 → 1."""
    acknowledged(story, 230, "42.50")
    browser = browse(bea)
    form = typed(story, browser, **{"lines.1.quantity": "235", "lines.1.unit_price": "42.5"})
    shown = browser.post(f"/orders/{story.order.id}/amend", form | {"do": "look"})
    assert shown.status_code == 200
    assert "Purchasing lead" in browser.text
    assert "2.17" not in browser.text
    assert amendments(story) == []
    made = browser.post(f"/orders/{story.order.id}/amend", form | {"do": "send"})
    assert made.status_code == 303
    story.settle()
    amendment = newest(story)
    assert redline(amendment) == [
        ("lines.1.quantity", "230.000000", "235.000000"), ("lines.1.amount", "9775.0000", "9987.5000"),
    ]  # fmt: skip
    assert (amendment.money_delta, amendment.increase_percent) == (D("212.5000"), D("2.1700"))
    go_to(story, amendment)
    [task] = story.as_(lena).tasks()
    assert (task.role, story.order.revision) == ("PUR_LEAD", 0)
    desk = browse(lena)
    desk.get(f"/tasks/{task.id}?tab=changes")
    assert "230" in desk.text
    assert "235" in desk.text
    assert "9,987.50" in desk.text
    assert desk.post(f"/tasks/{task.id}/decide/approve", signing(task, lena)).status_code == 303
    story.settle()
    assert (story.order.revision, story.order.lines[0].quantity) == (1, D(235))
    browser.get(f"/orders/{story.order.id}?tab=amendments")
    assert "PO-000001/A1" in browser.text
    assert "9,775.00" in browser.text


@acknowledged_order
def test_a_frozen_order_is_never_changed_by_the_edit_page_and_the_edits_become_an_amendment(
    story: Story, browse: People
) -> None:
    """W22 on the pages: refused with the way out, what was typed is kept, and it can be sent as an amendment."""
    acknowledged(story)
    browser = browse(bea)
    typed_over = {"lines.1.quantity": "101", "lines.1.unit_price": "40", "payment_term": "Net 30"}
    answered = browser.post(f"/orders/{story.order.id}/edit", typed_over)
    assert answered.status_code == 409
    for kept in ('value="101"', "Net 30", "to start an amendment with these edits"):
        assert kept in f"{browser.text} {browser.page.text}"
    assert (story.order.revision, story.order.lines[0].quantity, is_true_to_its_approval(story)) == (0, D(100), True)


@acknowledged_order
def test_the_preview_says_why_a_change_is_refused_and_loses_nothing(story: Story, browse: People) -> None:
    acknowledged(story)
    browser = browse(bea)
    form = typed(
        story, browser, **{"lines.1.quality_clauses": "", "lines.1.quantity": "102", "reason": "My long reason"}
    )
    browser.post(f"/orders/{story.order.id}/amend", form | {"do": "look"})
    for said in ("cannot be sent", "needs change class C4", "My long reason", 'value="102"'):
        assert said in f"{browser.text} {browser.page.text}"
    refused = browser.post(f"/orders/{story.order.id}/amend", form | {"do": "send"})
    assert (refused.status_code, amendments(story)) == (409, [])
    assert "My long reason" in browser.text
    assert "Start a change request with these edits" in browser.text
    carried = re.search(r'href="(/change-requests/new[^"]*)"', browser.page.text)
    assert carried is not None
    asked = browser.get(html.unescape(carried[1])).text
    for kept in (f"{story.order.number}/1", "quality_clauses", "My long reason"):
        assert kept in asked
    unreadable = browser.post(f"/orders/{story.order.id}/amend", form | {"lines.1.quantity": "many", "do": "send"})
    assert (unreadable.status_code, amendments(story)) == (422, [])
    assert 'value="many"' in browser.page.text


@acknowledged_order
def test_only_buyers_amend_and_a_form_of_an_older_order_is_refused(story: Story, browse: People) -> None:
    acknowledged(story)
    path = f"/orders/{story.order.id}/amend"
    browser = browse(rita)
    assert browser.get(path).status_code == 403
    buyer = browse(bea)
    form = typed(story, buyer, **{"lines.1.quantity": "102", "seen_hash": "0" * 64})
    assert buyer.post(path, form | {"do": "send"}).status_code == 409
    assert "was changed meanwhile" in buyer.text
    assert buyer.get("/amendments/01a204f5-929a-72cb-91f0-7f25414b140a").status_code == 404


@acknowledged_order
def test_an_amendment_by_api_is_proposed_read_withdrawn_and_refused_with_its_class(
    story: Story, calling: Calling
) -> None:
    """D14, the rest: what needs a change order answers 409 with path and class, and the order stays at revision 0."""
    acknowledged(story)
    client, path = calling(bea), f"/orders/{story.order.id}/amendments"
    refused = problem(
        client.post(path, {"reason": "New drawing", "lines": [{"line_no": 1, "spec_rev": "E"}]}),
        409,
        "UNCONTROLLED_CHANGE",
    )
    assert "lines.1.spec_rev" in refused["detail"]
    assert "class C4" in refused["detail"]
    assert (amendments(story), story.order.revision) == ([], 0)
    problem(client.post(path, {"reason": "", "lines": []}), 422, "INVALID")
    made = client.post(path, {"reason": "More", "lines": [{"line_no": 1, "quantity": "102"}]})
    assert made.status_code == 201
    body = made.get_json()
    assert (body["status"], body["plan"], body["money_delta"]) == ("PENDING", "LEAD", "80.0000")
    assert [one["path"] for one in body["changes"]] == ["lines.1.quantity", "lines.1.amount"]
    problem(client.post(path, {"reason": "More", "lines": [{"line_no": 1, "quantity": "103"}]}), 409, "AMENDMENT_OPEN")
    assert [one["id"] for one in client.get(path).get_json()["items"]] == [body["id"]]
    own = f"/amendments/{body['id']}"
    gone = client.post(f"{own}/withdraw", {"reason": "Typo"}, match=client.tag(own))
    assert gone.status_code == 200
    assert (newest(story).status, is_true_to_its_approval(story)) == (AmendmentStatus.WITHDRAWN, True)
    problem(
        calling(otto).post(path, {"reason": "x", "lines": [{"line_no": 1, "quantity": "102"}]}), 403, "NOT_AUTHORISED"
    )


@acknowledged_order
def test_a_cancellation_on_the_pages_waits_for_the_supplier_and_its_charge_for_the_lead(
    story: Story, browse: People
) -> None:
    """D33: acknowledged → cancellation amendment, CANCEL_PENDING until the answer; 150.00 goes to PUR_LEAD."""
    acknowledged(story)
    browser = browse(bea)
    assert browser.post(f"/orders/{story.order.id}/cancel", {"reason": ""}).status_code == 422
    assert browser.post(f"/orders/{story.order.id}/cancel", {"reason": "WO-7001 is cancelled"}).status_code == 303
    story.settle()
    go_to(story, newest(story))
    story.as_(bea).decide("decide_slot", "approve")
    assert story.order.status is OrderStatus.CANCEL_PENDING
    browser.get(f"/orders/{story.order.id}/acknowledgement")
    assert "Charge for the cancellation" in browser.text
    form = {"result": "ACCEPT", "revision": "1", "charge": "150.00", "message_id": "855-9"}
    assert browser.post(f"/orders/{story.order.id}/acknowledgement", form).status_code == 303
    story.settle()
    [task] = story.as_(lena).tasks()
    assert (task.element_id, task.amount) == ("decide_charge", D(150))
    story.decide("decide_charge", "dispute_charge", reason="Nothing was made yet")
    assert (story.order.status, newest(story).status, story.incidents) == (
        OrderStatus.CANCELLED, AmendmentStatus.APPLIED, [],
    )  # fmt: skip


@acknowledged_order
def test_an_answer_to_an_older_revision_is_refused_on_the_page(story: Story, browse: People) -> None:
    acknowledged(story)
    browser = browse(bea)
    form = typed(story, browser, **{"lines.1.quantity": "102"})
    browser.post(f"/orders/{story.order.id}/amend", form | {"do": "send"})
    story.settle()
    go_to(story, newest(story))
    story.as_(lena).decide("decide_slot", "approve")
    path = f"/orders/{story.order.id}/acknowledgement"
    assert browser.post(path, {"result": "ACCEPT", "revision": "0", "message_id": "m-1"}).status_code == 409
    assert "answers revision 0" in browser.text
    assert browser.post(path, {"result": "ACCEPT", "revision": "1", "message_id": "m-2"}).status_code == 303
    story.settle()
    assert newest(story).status is AmendmentStatus.APPLIED


@acknowledged_order
def test_at_no_step_does_an_approved_status_stand_beside_an_unapproved_value(story: Story) -> None:
    """W22: from the proposal over a refusal to the values before, step by step."""
    from tests.amendments import amend, more

    acknowledged(story)
    checks = [is_true_to_its_approval(story)]
    amend(story, more(102))
    checks.append(is_true_to_its_approval(story))
    story.as_(lena).decide("decide_slot", "approve")
    checks.append(is_true_to_its_approval(story))
    answer(story, "REJECT")
    checks.append(is_true_to_its_approval(story))
    go_to(story, newest(story))
    story.as_(bea).decide("decide_slot", "approve")
    checks.append(is_true_to_its_approval(story))
    answer(story, "ACCEPT", revision=2)
    assert [*checks, is_true_to_its_approval(story)] == [True] * 6


@pytest.mark.parametrize(("days", "steps"), [(2, ["decide_slot"]), (12, ["decide_counter_offer"])])
def test_a_counter_offer_is_taken_inside_the_tolerance_and_decided_beyond_it(
    story: Story, calling: Calling, days: int, steps: list[str]
) -> None:
    """D35 by API: the supplier offers another date; two days are taken as an amendment, twelve are for buyer and planner."""
    sent(story)
    need = story.order.lines[0].need_by
    assert need is not None
    later = (need + dt.timedelta(days=days)).isoformat()
    body = {
        "result": "ACCEPT_WITH_CHANGE", "message_id": "855-2", "revision": 0,
        "lines": [{"line_no": 1, "code": "DR", "promised_on": later}],
    }  # fmt: skip
    calling(bea).post(f"/orders/{story.order.id}/acknowledgements", body)
    story.settle()
    assert (story.order.status, story.steps) == (OrderStatus.COUNTER_OFFER, steps)


@acknowledged_order
def test_an_amendment_that_is_sent_back_is_corrected_on_its_page_under_its_number(story: Story, browse: People) -> None:
    """A return goes back to the proposer: what he typed is in the form, the new line too; sent again, it keeps its number."""
    acknowledged(story)
    browser = browse(bea)
    new = {
        "new.1.part_revision": "P-200/B",
        "new.1.quantity": "3",
        "new.1.unit_price": "7",
        "new.1.quality_clauses": "Q01@1",
    }
    form = typed(story, browser, **{"lines.1.quantity": "102"}, **new)
    assert browser.post(f"/orders/{story.order.id}/amend", form | {"do": "send"}).status_code == 303
    story.settle()
    amendment = newest(story)
    go_to(story, amendment)
    [task] = story.as_(lena).tasks()
    assert task.title == (
        f"Approve {amendment.number}: line 1: quantity 100 EA → 102 EA; new line 2: 3 EA (+101.00 USD)"
    )
    story.as_(lena).decide("decide_slot", "return", reason="101 are enough")
    [task] = story.as_(bea).tasks()
    assert f"/amendments/{amendment.id}/correct" in browser.get(f"/tasks/{task.id}").get_data(as_text=True)
    browser.get(f"/amendments/{amendment.id}/correct")
    assert "Sent back: 101 are enough" in browser.text
    assert [browser.field(name) for name in ("lines.1.quantity", "new.1.part_revision", "new.1.quantity")] == [
        "102", "P-200/B", "3",
    ]  # fmt: skip
    again = form | {"lines.1.quantity": "101", "reason": "One less"}
    assert browser.post(f"/amendments/{amendment.id}/correct", again | {"do": "look"}).status_code == 200
    assert newest(story).status is AmendmentStatus.DRAFT
    wrong = browser.post(f"/amendments/{amendment.id}/correct", again | {"do": "send", "lines.1.quantity": "many"})
    assert (wrong.status_code, newest(story).status) == (422, AmendmentStatus.DRAFT)
    assert browser.post(f"/amendments/{amendment.id}/correct", again | {"do": "send"}).status_code == 303
    story.settle()
    after = newest(story)
    assert (after.number, after.status, after.reason) == (amendment.number, AmendmentStatus.PENDING, "One less")
    assert redline(after)[0] == ("lines.1.quantity", "100.000000", "101.000000")
    assert browser.post(f"/amendments/{amendment.id}/correct", again | {"do": "send"}).status_code == 409
    assert browse(otto).get(f"/amendments/{amendment.id}/correct").status_code == 403


@acknowledged_order
def test_the_sheet_of_a_change_tells_units_and_currency_and_no_path(story: Story, browse: People) -> None:
    acknowledged(story)
    browser = browse(bea)
    form = typed(story, browser, **{"lines.1.quantity": "102", "lines.1.unit_price": "41"})
    browser.post(f"/orders/{story.order.id}/amend", form | {"do": "send"})
    words = words_of(browser.get(f"/amendments/{newest(story).id}/change.pdf").data)
    assert [
        told for told in ("100 EA", "102 EA", "40.00 USD", "41.00 USD", "4,182.00 USD") if told not in words
    ] == [], words
    browser.get(f"/amendments/{newest(story).id}")
    assert "lines.1" not in words + browser.text
