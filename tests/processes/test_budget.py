"""The budget before the approval: within, slightly over, far over."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.act import Act
from records.cost_centre import BudgetPosting, PostingKind, committed_for
from records.purchase_order import OrderStatus, PurchaseOrder
from records.requisition import RequisitionStatus
from tests.makers import make_cost_centre, make_posting
from tests.people import bea, carl, fred, lena, rita
from tests.story import Story

D = Decimal


@pytest.fixture
def tight(story: Story) -> Story:
    """Have 60,000.00 of which 41,300.00 are committed and 9,450.00 spent: 9,250.00 are left."""

    def arrange(act: Act) -> None:
        centre = make_cost_centre(act, "4712", budget=D("60000"), name="Assembly")
        make_posting(act, centre, D("41300"), kind=PostingKind.COMMITTED)
        make_posting(act, centre, D("9450"), kind=PostingKind.ACTUAL)

    story.given(arrange)
    return story


def request(story: Story, quantity: int) -> Story:
    centre = story.given(lambda act: make_cost_centre(act, "4712"))
    return story.as_(rita).start("requisition_to_po", lines=[("P-100", quantity, "800")], cost_centre=centre)


def committed(story: Story) -> Decimal:
    return story.read(lambda session: committed_for(session, ("requisition", story.requisition_id)))


def test_a_request_slightly_over_asks_finance_for_an_exception(tight: Story) -> None:
    """D04: 9,600.00 are over by 350.00, 0.58 %; approved, they are committed once."""
    request(tight, 12)
    budget = tight.variables["budget"]
    assert (budget["over"], budget["over_percent"]) == (D("350.0000"), D("0.58"))
    assert tight.steps == ["decide_budget_exception"]
    tight.as_(fred).decide("decide_budget_exception", "approve")
    tight.as_(lena).decide("approve_requisition", "approve")
    assert committed(tight) == D("9600.0000")
    postings = tight.read(
        lambda session: session.query(BudgetPosting).filter_by(document_id=tight.requisition_id).count()
    )
    assert postings == 1


def test_a_refused_exception_returns_the_requisition_and_commits_nothing(tight: Story) -> None:
    """D04: rejected, it is returned and nothing is committed."""
    request(tight, 12)
    tight.as_(fred).decide("decide_budget_exception", "reject", reason="wait for January")
    assert tight.requisition.status is RequisitionStatus.RETURNED
    assert committed(tight) == D(0)


def test_a_request_far_over_needs_finance_and_the_owner_of_the_cost_centre(tight: Story) -> None:
    request(tight, 16)
    assert tight.steps == ["decide_supplement", "decide_supplement"]
    tight.as_(carl).decide("decide_supplement", "approve")
    assert tight.steps == ["decide_supplement"]
    tight.as_(fred).decide("decide_supplement", "approve")
    assert tight.incidents == []
    assert set(tight.steps) == {"decide_slot"}


def test_a_refused_supplement_rejects_the_requisition(tight: Story) -> None:
    request(tight, 16)
    tight.as_(fred).decide("decide_supplement", "reject", reason="no money")
    assert (tight.ended_at, committed(tight)) == ("requisition_rejected", D(0))


def test_a_cent_over_the_limit_of_the_exception_is_no_exception_any_more(story: Story) -> None:
    """Over by 2,500.01 of 50,000.00: 5.00002 percent, shown as 5.00, are more than the 5 that finance may except alone."""

    def over(excess: str) -> list[str]:
        centre = story.given(lambda act: make_cost_centre(act, f"X{excess}", budget=D("50000")))
        price = str(D("50000") + D(excess))
        story.as_(rita).start("requisition_to_po", lines=[("P-100", 1, price)], cost_centre=centre)
        return sorted(set(story.steps))

    assert over("0.01") == ["decide_budget_exception"]
    assert over("2500.00") == ["decide_budget_exception"]
    assert over("2500.01") == ["decide_supplement"]


def dearer(story: Story, *, budget: str) -> Story:
    """Ask for 100 at 42.50 from a budget and go on until the order at 46.00 is issued: 350.00 more than was set aside."""
    centre = story.given(lambda act: make_cost_centre(act, "4713", budget=D(budget), name="Coating"))
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100, "42.50")], cost_centre=centre)
    story.as_(lena).decide("approve_requisition", "approve")

    def raise_price(act: Act) -> None:
        act.session.get_one(PurchaseOrder, story.order.id).lines[0].unit_price = D("46.00")

    story.given(raise_price)
    story.as_(bea).decide("complete_order", "submit")
    story.as_(lena).decide("approve_order", "approve")
    return story.as_(bea).decide("issue_order", "issue")


def committed_by_order(story: Story) -> Decimal:
    return story.read(lambda session: committed_for(session, ("purchase_order", story.order.id)))


def test_an_order_dearer_than_its_request_commits_the_difference(story: Story) -> None:
    dearer(story, budget="4600")
    assert story.order.status is OrderStatus.TRANSMITTED
    assert (committed(story), committed_by_order(story)) == (D("4250.0000"), D("350.0000"))


def test_an_order_dearer_than_the_budget_is_held_until_finance_lets_it_pass(story: Story) -> None:
    dearer(story, budget="4599.99")
    assert (story.order.status, story.order.hold_owner) == (OrderStatus.ON_HOLD, "role:FIN_CTRL")
    assert "over by 0.01" in (story.order.hold_reason or "")
    assert committed_by_order(story) == D(0)
    story.as_(fred).complete("clear_hold", note="taken from the reserve")
    assert (story.order.status, committed_by_order(story)) == (OrderStatus.TRANSMITTED, D("350.0000"))
    assert story.incidents == []
