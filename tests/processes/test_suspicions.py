"""Before the approval: requests that look split below a limit are cleared, merged or returned by purchasing."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from processes import requisition_to_po
from records.requisition import Requisition, RequisitionStatus
from rules.finding import KeptFinding
from tests.makers import make_requisition
from tests.people import max_, rita
from tests.story import Story, _default_supplier, _revision


def split(story: Story) -> Story:
    """Ask three times within a week for parts of one supplier: 4,100.00, 3,900.00 and 2,600.00."""
    for amount in (4100, 3900):
        _submit(story, amount)
    _submit(story, 2600)
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
    split(story)
    assert story.steps == ["clear_suspicions"]
    assert story.tasks()[0].candidates == ["role:PUR_MGR"]
    (found,) = story.variables["suspicions"]
    assert found["sentence"].startswith("SPLIT_SUSPECT")
    story.as_(max_).decide("clear_suspicions", "clear", reason="three machines")
    assert story.read(_findings) == [("SPLIT_SUSPECT", "user:max", "three machines")]
    assert story.steps == ["decide_slot"]
    assert story.incidents == []


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
