"""Approvals as a demanding approver would try them: seats, bars, two who press at once, deputies, signatures."""

from __future__ import annotations

import pytest

from engine.errors import RuleViolation
from records.requisition import RequisitionStatus
from tests.makers import make_grant, make_part, make_revision
from tests.people import carl, lena, max_, quinn, rita
from tests.story import Story


def key_part(story: Story) -> None:
    """Have a part whose criticality asks for quality, too."""
    story.given(lambda act: make_revision(act, make_part(act, "P-300", criticality="KEY")))


def test_below_band_two_one_person_may_fill_both_seats(story: Story) -> None:
    key_part(story)
    story.given(lambda act: make_grant(act, "lena", "QA_ENG"))
    story.as_(rita).start("requisition_to_po", lines=[("P-300", 50)])
    story.as_(lena).decide("approve_requisition", "approve")
    story.as_(lena).decide("approve_requisition", "approve")
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
    assert sorted((one.signer_id, one.role) for one in story.signatures) == [("lena", "PUR_LEAD"), ("lena", "QA_ENG")]


def test_from_band_two_on_the_second_seat_needs_another_person(story: Story) -> None:
    key_part(story)
    story.given(lambda act: make_grant(act, "max", "QA_ENG"))
    story.as_(rita).start("requisition_to_po", lines=[("P-300", 200, "50")])
    story.as_(max_).decide("approve_requisition", "approve")
    with pytest.raises(RuleViolation, match="another person for the second signature") as refusal:
        story.as_(max_).decide("approve_requisition", "approve")
    assert (refusal.value.code, refusal.value.http_status) == ("SOD-ONCE", 403)
    story.as_(carl).decide("approve_requisition", "approve")
    assert story.requisition.status is RequisitionStatus.IN_APPROVAL
    story.given(lambda act: make_grant(act, "lena", "PUR_MGR"))
    story.as_(lena).decide("approve_requisition", "approve")
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
    assert quinn.id not in {one.signer_id for one in story.signatures}
