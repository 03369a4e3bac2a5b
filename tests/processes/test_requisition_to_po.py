"""From requisition to purchase order: one story for each end, and what must never happen on the way."""

from __future__ import annotations

from records.purchase_order import OrderStatus
from records.requisition import RequisitionStatus
from tests.people import bea, lena, rita
from tests.story import Story


def test_a_small_requisition_becomes_an_acknowledged_order(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100, "42.50")])
    story.as_(lena).decide("approve_requisition", "approve")
    assert story.incidents == []
    story.as_(bea).decide("complete_order", "submit")
    story.as_(bea).decide("issue_order", "issue")
    assert story.order.status is OrderStatus.TRANSMITTED
    story.as_(bea).complete("record_acknowledgement", result="ACCEPT", reference="AB-77")
    assert story.order.status is OrderStatus.ACKNOWLEDGED
    assert story.requisition.status is RequisitionStatus.CLOSED
    assert story.ended_at == "requisition_ordered"
