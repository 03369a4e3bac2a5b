"""An emergency: two people, bounds, hours, and what becomes of it without approval (domain.md 3C C20-C22)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act
from engine.errors import RuleViolation
from processes import change_orders, genealogy, shipments
from processes.emergency_deviations import standing_emergencies
from processes.work_order_event import Event
from processes.work_order_events import post_event
from records.change_order import ChangeOrder
from records.external import Discrepancy
from records.impact import Disposition
from records.lot import Lot, LotSource, LotStatus
from records.nonconformance import DeviationAuthority, Nonconformance
from records.notice import Notice
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
def test_d18_an_emergency_that_is_not_approved_in_72_hours_is_held_with_its_serials_and_management_is_told(
    story: Story,
) -> None:
    change = the_change(story)
    story.given(lambda act: make_serials(act, "0005", "0006", "0007", "0008", "0009", "0010"))
    story.at(FRIDAY_NIGHT + dt.timedelta(hours=72, minutes=-1))
    assert change.status == "EMERGENCY_ACTIVE"
    story.at(FRIDAY_NIGHT + dt.timedelta(hours=72))
    assert (change.status, story.steps, story.incidents) == ("OVERDUE_HOLD", ["resume_emergency"], [])
    held = story.read(lambda session: work_order(session, "WO-7003"))
    assert held.status is WorkOrderStatus.ON_HOLD
    assert statuses(story) == {"0010": "AVAILABLE"} | {f"000{each}": "HOLD" for each in range(5, 10)}
    for serial in ("0005", "0009"):
        with story.installation.reading() as session, pytest.raises(RuleViolation, match="OVERDUE_HOLD"):
            refuse_unapproved_shipment(session, work_order(session, "WO-7003"), [serial])
    with story.installation.acting("adapter:erp") as act:
        lots = {lot.number: lot for lot in act.session.scalars(select(Lot).where(Lot.is_serial))}
        for serial in ("0005", "0005", "0010", "0010"):
            last = shipments.report(
                act, lots[serial], D(1), customer="St. Mary", delivery=f"D-7/{serial}", shipped_on=story.clock().date(),
                event=genealogy.Event(f"ship {serial}", system="ERP"),
            )  # fmt: skip
        assert (lots["0005"].quantity_left, lots["0010"].quantity_left, last.is_duplicate) == (1, 0, True)
        told_once = act.session.scalars(select(Discrepancy)).one()
        assert (told_once.document_number, told_once.severity, "OVERDUE_HOLD" in str(told_once.ours)) == (
            "0005",
            "CRITICAL",
            True,
        )
    assert any("was shipped although it should have stayed: D-7/0005" in subject for subject in told(story, "quinn"))
    for manager in ("olga", "gina"):
        assert any(subject.startswith(f"{change.number} is overdue") for subject in told(story, manager)), manager


def make_serials(act: Act, *serials: str) -> None:
    """Make pieces of WO-7003 with serial numbers."""
    order = work_order(act.session, "WO-7003")
    assert order.part_revision is not None
    for serial in serials:
        source = genealogy.Source(LotSource.WORK_ORDER, (order.record_type, order.id))
        genealogy.make_lot(
            act, order.part_revision, D(1), number=serial, uom="EA", is_serial=True, status=LotStatus.AVAILABLE, source=source
        )  # fmt: skip


def statuses(story: Story) -> dict[str, str]:
    """Return the status of every serial number."""
    found = story.read(lambda session: session.scalars(select(Lot).where(Lot.is_serial)).all())
    return {lot.number: lot.status.value for lot in found}


def told(story: Story, person: str) -> list[str]:
    """Return what a person was told, in subjects."""
    return list(
        story.read(lambda session: session.scalars(select(Notice.subject).where(Notice.user_id == person)).all())
    )


def deviation(story: Story) -> DeviationAuthority:
    """Return the only deviation."""
    found: DeviationAuthority = story.read(lambda session: session.scalars(select(DeviationAuthority)).one())
    return found


@declared
def test_w35_two_people_open_a_deviation_and_it_is_shown_until_the_emergency_is_closed(story: Story) -> None:
    change = the_change(story).sign("ella")
    with story.installation.reading() as session:
        assert standing_emergencies(session) == [], "One person alone allows nothing"
    change.sign("quinn")
    opened = deviation(story)
    assert (opened.status.value, opened.quantity, opened.expires_on) == ("APPROVED", 5, dt.date(2026, 11, 23))
    with story.installation.reading() as session:
        (shown,) = standing_emergencies(session)
        assert {signature.signer_id for signature in shown.signatures} == {"ella", "quinn"}
        assert [one.number for one in shown.deviations] == [opened.number]
    change.write()
    settled = {"fai": "NONE", "effectivity_kind": "NEXT_BUILD", "effectivity_value": ""}
    story.given(lambda act: change_orders.write(act, act.session.get_one(ChangeOrder, change.order.id), settled))
    change.dispose({"WO-7003": Disposition.FINISH_AS_OLD}).vote()
    assert (change.status, deviation(story).status.value) == ("VERIFYING", "APPROVED"), (story.steps, story.incidents)
    change.verify().close()
    closed = deviation(story)
    assert (closed.status.value, closed.closed_reason) == ("WITHDRAWN", f"{change.number} is closed.")
    with story.installation.reading() as session:
        assert standing_emergencies(session) == []


@active
def test_c22_an_emergency_that_its_board_rejects_is_contained_with_a_nonconformance_on_what_was_built(
    story: Story,
) -> None:
    change = the_change(story).write()
    story.given(lambda act: make_serials(act, "0005", "0006"))
    settled = {"fai": "NONE", "effectivity_kind": "NEXT_BUILD", "effectivity_value": ""}
    story.given(lambda act: change_orders.write(act, act.session.get_one(ChangeOrder, change.order.id), settled))
    change.dispose({"WO-7003": Disposition.FINISH_AS_OLD}).vote(QA_ENG="reject")
    assert change.status == "REJECTED"
    with story.installation.reading() as session, pytest.raises(RuleViolation, match="REJECTED"):
        refuse_unapproved_shipment(session, work_order(session, "WO-7003"), ["0005"])
    story.as_("pat").decide("answer_rejection", "end", reason="It does not hold")
    assert (story.steps, story.incidents) == (["assess_recall"], [])
    raised = story.read(lambda session: session.scalars(select(Nonconformance)).one())
    assert (raised.about_number, raised.serials, raised.quantity) == ("WO-7003", "0005, 0006", 5)
    assert statuses(story) == {"0005": "HOLD", "0006": "HOLD"}
    story.as_(quinn).decide("assess_recall", "recall", reason="Two went out", conclusion="Serial 0004 went out")
    assert (change.status, story.ended_at, deviation(story).status.value) == ("REJECTED", "change_ended", "WITHDRAWN")
    assert any("asks for a recall" in subject for subject in told(story, "olga"))


@active
def test_a_rejected_emergency_whose_hours_end_is_held_and_can_still_go_on(story: Story) -> None:
    change = the_change(story).write()
    settled = {"fai": "NONE", "effectivity_kind": "NEXT_BUILD", "effectivity_value": ""}
    story.given(lambda act: change_orders.write(act, act.session.get_one(ChangeOrder, change.order.id), settled))
    change.dispose({"WO-7003": Disposition.FINISH_AS_OLD}).vote(QA_ENG="reject")
    story.at(FRIDAY_NIGHT + dt.timedelta(hours=73))
    assert (story.steps, story.incidents) == (["resume_emergency"], [])
    story.as_("olga").decide("resume_emergency", "go_on", reason="The line stands still")
    assert (change.status, story.steps, story.incidents) == ("IMPACT", ["write_change"], [])


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
