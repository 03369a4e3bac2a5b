"""Purchasing as an expert tries it on the first day, through the pages and the API, with the numbers of the scenarios."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from engine.act import Act
from engine.audit import AuditEvent
from records.part import Part, RevisionStatus
from records.purchase_order import OrderStatus, PurchaseOrder
from records.requisition import RequisitionStatus
from records.signature import SignatureStatus
from tests.clock import SettableClock
from tests.makers import make_absence, make_cost_centre, make_grant, make_revision, make_user
from tests.people import PASSWORD, QUICK, bea, carl, lena, max_, rita
from tests.scenarios.desk import refused_attempts, signing
from tests.story import Story
from tests.webapp.api.conftest import Calling, Client, problem
from tests.webapp.conftest import People

D = Decimal


def own_approval(story: Story) -> PurchaseOrder:
    """Have an order with a signature of its own, ready to be issued: 100 × 43.00, dearer than what was asked for."""
    story.as_(rita).start("requisition_to_po", lines=[("P-200", 100, "42.50")])
    story.as_(lena).decide("approve_requisition", "approve")
    number = story.order.id

    def raise_price(act: Act) -> None:
        act.session.get_one(PurchaseOrder, number).lines[0].unit_price = D("43.00")

    story.given(raise_price)
    story.as_(bea).decide("complete_order", "submit")
    story.as_(lena).decide("approve_order", "approve")
    assert story.order.status is OrderStatus.APPROVED
    return story.order


@pytest.mark.parametrize(
    ("quantity", "total", "signers"), [(199, "9,950.00", [lena]), (200, "10,000.00", [carl, max_])]
)
def test_the_preview_and_the_signatures_agree_at_the_edge_of_a_band(
    story: Story, browse: People, quantity: int, total: str, signers: list
) -> None:
    """D01 on the pages: the sum stands on the review, and each of the band's signers signs there, in any order."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", quantity, "50.0000")])
    for member in signers:
        assert story.requisition.status is RequisitionStatus.IN_APPROVAL
        task, browser = story.as_(member).task("approve_requisition"), browse(member)
        browser.get(f"/tasks/{task.id}")
        assert f"{total} USD" in browser.text
        assert browser.post(f"/tasks/{task.id}/decide/approve", signing(task, member)).status_code == 303
        story.settle()
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
    assert sorted(one.signer_id for one in story.signatures) == sorted(member.id for member in signers)


def test_an_owner_who_asks_for_herself_is_refused_on_the_page_and_her_deputy_too(
    story: Story, app, browse: People
) -> None:
    """D02 on the pages: 403 with the rule, an event in the chain, and the next owner signs."""
    from records.password import set_password
    from tests.webapp.browser import Browser

    def arrange(act: Act) -> None:
        make_cost_centre(act, "4799", name="Tool room")
        for user_id, name in (("anna", "Anna Reed"), ("ben", "Ben Ortiz")):
            set_password(act, make_user(act, user_id, name=name), PASSWORD, hasher=QUICK)
        make_grant(act, "anna", "REQUESTER")
        make_grant(act, "anna", "CC_OWNER", scope="4799")
        make_grant(act, "ben", "BUYER")
        make_absence(act, "anna", "ben", starts_at=act.now - dt.timedelta(days=1))

    story.given(arrange)
    centre = story.given(lambda act: make_cost_centre(act, "4799"))
    story.as_("anna").start("requisition_to_po", lines=[("P-100", 200, "50")], cost_centre=centre)
    task = next(task for task in story.tasks("approve_requisition") if task.role == "CC_OWNER")
    for user_id, rules in (("anna", ["SOD-1"]), ("ben", ["SOD-2", "SOD-13"])):
        browser = Browser(app)
        browser.post("/sign-in", {"sign_in_name": user_id, "sign_in_password": PASSWORD})
        form = signing(task, user_id)
        assert browser.post(f"/tasks/{task.id}/decide/approve", form).status_code == 403
        for rule in rules:
            assert rule in browser.text
    assert ("user:anna", "SOD-1") in refused_attempts(story)
    assert story.signatures == []
    browser = browse(carl)
    browser.get(f"/tasks/{task.id}")
    assert "Anna Reed was skipped (SOD-1)" in browser.text
    assert "Ben Ortiz, deputy of Anna Reed, was skipped (SOD-2, SOD-13)" in browser.text
    assert browser.post(f"/tasks/{task.id}/decide/approve", signing(task, carl)).status_code == 303


@pytest.mark.part11("11.70")
def test_a_stale_approval_is_refused_on_the_page_and_its_signatures_shown_as_superseded(
    story: Story, clock: SettableClock, browse: People
) -> None:
    """D09: approved 2026-10-20 for 30 days, over on 2026-11-19; issued on 2026-11-22."""
    clock.set(dt.datetime(2026, 10, 20, 15, 0, tzinfo=dt.UTC))
    order = own_approval(story)
    assert order.approval_expires_at == dt.datetime(2026, 11, 19, 15, 0, tzinfo=dt.UTC)
    task = story.as_(bea).task("issue_order")
    clock.set(dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC))
    browser = browse(bea)
    answer = browser.post(f"/tasks/{task.id}/decide/issue", signing(task, bea, meaning="RELEASED"))
    assert answer.status_code == 409
    assert "The approval has expired" in browser.text
    assert story.order.status is OrderStatus.PENDING_APPROVAL
    [old] = [one for one in story.signatures if one.record_type == "purchase_order"]
    assert old.status is SignatureStatus.SUPERSEDED
    browser.get(f"/orders/{order.id}?tab=route")
    assert "uperseded" in browser.text
    story.as_(lena).decide("approve_order", "approve")
    story.as_(bea).decide("issue_order", "issue")
    assert (story.order.status, story.incidents) == (OrderStatus.TRANSMITTED, [])


@pytest.mark.parametrize("is_sent", [False, True], ids=["approved", "with the supplier"])
def test_a_revision_is_not_changed_by_api_without_a_change_order(story: Story, calling: Calling, is_sent: bool) -> None:
    """D14, first half: line 1 of P-200 from revision B to C, which is not released."""

    def revise(act: Act) -> None:
        part = act.session.query(Part).filter_by(part_no="P-200").one()
        make_revision(act, part, "C", status=RevisionStatus.IN_REVIEW, released_at=None)

    order = own_approval(story)
    story.given(revise)
    if is_sent:
        story.as_(bea).decide("issue_order", "issue")
    before = story.order
    client = calling(bea)
    path = f"/orders/{order.id}"
    body = {"lines": [{"line_no": 1, "part_revision": "P-200/C", "quantity": "101"}]}
    refused = problem(client.patch(path, body, match=client.tag(path)), 409, "UNCONTROLLED_CHANGE")
    offered_instead(client, refused, order, is_sent=is_sent)
    finding = next(one for one in refused["findings"] if one["field"] == "part_revision_id")
    assert (finding["old_words"], finding["new_words"]) == ("P-200/B", "P-200/C")
    assert "needs change class C" in finding["sentence"]
    after = story.order
    assert (after.revision, after.status) == (0, before.status)
    assert after.lines[0].part_revision_id == before.lines[0].part_revision_id
    assert after.lines[0].quantity == before.lines[0].quantity
    assert ("user:bea", "UNCONTROLLED_CHANGE") in refused_attempts(story)


def offered_instead(client: Client, refused: dict[str, Any], order: PurchaseOrder, *, is_sent: bool) -> None:
    """What was refused is offered again as requests that are taken as they are, but for the reason."""
    first, asking = refused["instead"]
    assert first["href"] == f"/api/v1/orders/{order.id}/{'amendments' if is_sent else 'withdrawal'}"
    if is_sent:
        assert (first["change_class"] in ("C1", "C2"), asking["change_class"]) == (True, "C4")
        assert first["body"]["lines"] == [{"line_no": 1, "quantity": "101"}]
        answer = client.post(
            first["href"].removeprefix("/api/v1"), first["body"] | {"reason": "One for the test bench"}
        )
        assert [one["new"] for one in answer.json["changes"] if one["column"] == "quantity"] == ["101.000000"]
    assert asking["body"]["edits"][0]["new"] == "P-200/C"
    problem(client.post("/change-requests", asking["body"]), 422, "INVALID")
    kept = client.post("/change-requests", asking["body"] | {"problem": "Cracks at the fillet"})
    assert (kept.status_code, asking["missing"]) == (201, ["problem"])
    assert [(one["record"], one["column"]) for one in kept.json["edits"]] == [
        (asking["body"]["edits"][0]["record"], "part_revision_id")
    ]


def test_nothing_of_a_refused_change_stands_in_the_chain_as_done(story: Story, calling: Calling) -> None:
    """W22 by API: the price of an approved order; at no time does an approved status stand beside another value."""
    order = own_approval(story)
    client, path = calling(bea), f"/orders/{order.id}"
    body = {"lines": [{"line_no": 1, "unit_price": "44.0000"}]}
    problem(client.patch(path, body, match=client.tag(path)), 409, "UNCONTROLLED_CHANGE")
    assert story.order.lines[0].unit_price == D("43")

    def prices(session) -> list[str | None]:
        wanted = session.query(AuditEvent).filter_by(record_id=order.lines[0].id, field="unit_price")
        return [event.new for event in wanted.order_by(AuditEvent.seq)]

    assert story.read(prices) == ["42.5000", "43.0000"]
