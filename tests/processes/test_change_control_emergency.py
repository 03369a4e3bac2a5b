"""An emergency: two people, bounds, hours, and what becomes of it without approval (domain.md 3C C20-C22)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from engine.errors import RuleViolation
from processes import change_orders
from processes.work_order_event import Event
from processes.work_order_events import post_event
from records.change_order import ChangeOrder
from records.impact import Disposition
from records.work_order import WorkOrder, WorkOrderStatus
from rules.emergency_authority import refuse_out_of_bounds, refuse_unapproved_shipment
from tests.change_story import FRIDAY_NIGHT, active, declared, the_change
from tests.makers import D, make_grant
from tests.people import quinn
from tests.story import Story


def work_order(session: Any, number: str) -> WorkOrder:
    found: WorkOrder = session.query(WorkOrder).filter(WorkOrder.number == number).one()
    return found


@declared
def test_d18_two_different_people_sign_an_emergency_and_it_reaches_no_further(story: Story) -> None:
    change = the_change(story)
    change.sign("ella")
    story.given(lambda act: make_grant(act, "ella", "QA_ENG"))
    with pytest.raises(RuleViolation) as refused:
        story.as_("ella").decide("decide_slot", "approve")
    assert (refused.value.http_status, refused.value.findings[0].rule) == (403, "SOD-8")
    change.sign("quinn")
    assert change.status == "EMERGENCY_ACTIVE"
    with story.installation.reading() as session:
        order = work_order(session, "WO-7003")
        refuse_out_of_bounds(session, order, ["0005", "0009"])
        with pytest.raises(RuleViolation, match="0010 is outside"):
            refuse_out_of_bounds(session, order, ["0009", "0010"])
        with pytest.raises(RuleViolation, match="approved before anything of WO-7003 leaves"):
            refuse_unapproved_shipment(session, order, ["0006"])


@active
def test_d18_an_emergency_that_is_not_approved_in_72_hours_is_held(story: Story) -> None:
    change = the_change(story)
    story.at(FRIDAY_NIGHT + dt.timedelta(hours=72))
    assert (change.status, story.steps) == ("OVERDUE_HOLD", ["resume_emergency"])
    held = story.read(lambda session: work_order(session, "WO-7003"))
    assert held.status is WorkOrderStatus.ON_HOLD
    with story.installation.reading() as session, pytest.raises(RuleViolation, match="OVERDUE_HOLD"):
        refuse_unapproved_shipment(session, work_order(session, "WO-7003"))


@active
@pytest.mark.parametrize("reached", ["IMPACT", "REVIEW"])
def test_an_emergency_whose_hours_end_on_its_way_to_the_board_is_held_too(story: Story, reached: str) -> None:
    change = the_change(story).write()
    if reached == "REVIEW":
        settled = {"fai": "NONE", "effectivity_kind": "NEXT_BUILD", "effectivity_value": ""}
        story.given(lambda act: change_orders.write(act, act.session.get_one(ChangeOrder, change.order.id), settled))
        change.dispose({"WO-7003": Disposition.FINISH_AS_OLD})
    assert change.status == reached
    story.at(FRIDAY_NIGHT + dt.timedelta(hours=72))
    assert (change.status, story.steps, story.incidents) == ("OVERDUE_HOLD", ["resume_emergency"], [])
    assert story.read(lambda session: work_order(session, "WO-7003")).status is WorkOrderStatus.ON_HOLD


@active
def test_an_emergency_that_is_refused_is_contained(story: Story) -> None:
    change = the_change(story)
    story.at(FRIDAY_NIGHT + dt.timedelta(hours=73))
    story.as_("olga").decide("resume_emergency", "contain", reason="Nobody can show that it holds")
    story.as_(quinn).decide("assess_recall", "no_recall", conclusion="Nothing left the house")
    assert (change.status, story.ended_at) == ("WITHDRAWN", "change_ended")


@active
def test_d18_the_floor_cannot_book_a_serial_beyond_the_authority(story: Story) -> None:
    measured = {"name": "Burr", "value": D("0.1"), "unit": "mm"}
    event: dict[str, Any] = {"system": "LOCKSTEP", "kind": "PROCESS", "work_order": "WO-7003", "op_no": 10, **measured}
    with story.installation.acting("user:rita") as act:
        assert post_event(act, Event(event_id="e-1", serials="0009", **event)).answer == "recorded"
        with pytest.raises(RuleViolation, match="0010 is outside"), act.attempt():
            post_event(act, Event(event_id="e-2", serials="0010", **event))
