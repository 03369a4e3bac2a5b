"""The budget before the approval: within, slightly over, far over."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.act import Act
from records.cost_centre import BudgetPosting, PostingKind, committed_for
from records.requisition import RequisitionStatus
from tests.makers import make_cost_centre, make_posting
from tests.people import carl, fred, lena, rita
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
