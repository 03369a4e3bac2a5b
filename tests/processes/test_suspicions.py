"""Before the approval: requests that look split below a limit are cleared, merged or returned by purchasing."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Refused
from processes import requisition_to_po
from records.requisition import Requisition, RequisitionStatus
from rules.finding import KeptFinding
from tests.makers import make_requisition
from tests.people import bea, lena, max_, rita
from tests.story import Story, _default_supplier, _revision


def split(story: Story) -> Story:
    """Ask on the 16th, 18th and 20th for parts of one supplier: 4,100.00, 3,900.00 and 2,600.00."""
    for day, amount in ((16, 4100), (18, 3900), (20, 2600)):
        story.clock.set(dt.datetime(2026, 11, day, 15, 0, tzinfo=dt.UTC))
        _submit(story, amount)
    return story


def _submit(story: Story, amount: int) -> None:
    def write(act: Act) -> str:
        requisition = make_requisition(act, (_revision(act, f"P-{amount}"), 10, str(amount // 10)))
        requisition.lines[0].supplier = _default_supplier(act)
        act.session.flush()
        return requisition.id

    story.requisition_id = story.given(write)
    with story.as_(rita).acting() as act:
        story.instance_id = requisition_to_po.start(act, act.session.get_one(Requisition, story.requisition_id)).id
    story.settle()


def test_the_third_part_of_a_split_request_waits_for_the_manager(story: Story) -> None:
    """D12: the three are 10,600.00; nobody but the manager clears it, and nothing of the third is ordered meanwhile."""
    split(story)
    assert story.steps == ["clear_suspicions"]
    for other in (lena, bea, rita):
        with pytest.raises(Refused):
            story.as_(other).decide("clear_suspicions", "clear", reason="mine")
    story.after(days=2)
    assert (story.steps, story.purchase_orders) == (["clear_suspicions"], [])
    assert story.requisition.status is RequisitionStatus.SUBMITTED
    assert story.tasks()[0].candidates == ["role:PUR_MGR"]
    (found,) = story.variables["suspicions"]
    assert found["sentence"].startswith("SPLIT_SUSPECT")
    assert "4,100.00, REQ-000002 3,900.00, REQ-000003 2,600.00 add up to 10,600.00" in found["sentence"]
    story.as_(max_).decide("clear_suspicions", "clear", reason="three machines")
    assert story.read(_findings) == [("SPLIT_SUSPECT", "user:max", "three machines")]
    assert story.steps == ["decide_slot"]
    story.as_(lena).decide("approve_requisition", "approve")
    assert (story.steps, story.incidents) == (["complete_order"], [])


def _findings(session: Session) -> list[tuple[str, str | None, str | None]]:
    return [
        (kept.rule, kept.acknowledged_by, kept.acknowledgement) for kept in session.scalars(select(KeptFinding)).all()
    ]


def test_a_merged_request_is_cancelled(story: Story) -> None:
    split(story).as_(max_).decide("clear_suspicions", "merge", reason="one order", merged_into="REQ-000001")
    assert (story.ended_at, story.requisition.status) == ("requisition_cancelled", RequisitionStatus.CANCELLED)


def test_a_suspicious_request_may_be_returned(story: Story) -> None:
    split(story).as_(max_).decide("clear_suspicions", "return", reason="put it on one requisition")
    assert (story.steps, story.requisition.status) == (["correct_requisition"], RequisitionStatus.RETURNED)
