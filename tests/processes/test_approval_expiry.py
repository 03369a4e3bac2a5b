"""Approvals of suppliers end at the end of their last day at the plant, and quality hears of it in time."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from engine.act import Act
from engine.audit import chain_of
from engine.stored.job import Job
from processes.approval_expiry import expire_supplier_approvals
from records.notice import Notice
from records.supplier import ApprovalStatus, Supplier, SupplierApproval
from tests.makers import make_approval, make_supplier
from tests.people import bea, quinn
from tests.story import Story

LAST_DAY = dt.date(2027, 2, 20)
"""Ninety days after 2026-11-22, when a story begins."""


@pytest.fixture
def approval_id(story: Story) -> str:
    """An approval that ends on LAST_DAY, of a supplier whose other rows do not end soon."""

    def arrange(act: Act) -> str:
        supplier = make_supplier(act, name="QuickPlate")
        return make_approval(act, supplier, "PLATING", valid_to=LAST_DAY).id

    return str(story.given(arrange))


def look(story: Story, day: dt.date, *, hour: int = 18) -> int:
    """Look on a day, at an hour of UTC; the plant lies in Chicago."""
    story.clock.set(dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC))
    return expire_supplier_approvals(story.installation)


def status(story: Story, approval_id: str) -> ApprovalStatus:
    return story.read(lambda session: session.get_one(SupplierApproval, approval_id).status)


def told(story: Story, user: str) -> list[str]:
    wanted = select(Notice.subject).where(Notice.user_id == user).order_by(Notice.created_at, Notice.id)
    return story.read(lambda session: [text for text in session.scalars(wanted) if "plating" in text])


def test_an_approval_ends_with_its_last_day_at_the_plant(story: Story, approval_id: str) -> None:
    look(story, LAST_DAY + dt.timedelta(days=1), hour=5)
    assert status(story, approval_id) is ApprovalStatus.APPROVED, "it is 23:00 of the last day in Chicago"
    assert look(story, LAST_DAY + dt.timedelta(days=1), hour=7) == 1
    assert status(story, approval_id) is ApprovalStatus.EXPIRED
    events = story.read(lambda session: chain_of(session, "supplier_approval", approval_id))
    assert events[-1].actor == "system:timer"
    assert (events[-1].old, events[-1].new) == ("APPROVED", "EXPIRED")
    assert told(story, bea.id) == ["QuickPlate: the approval for plating has ended"]


def test_quality_hears_of_it_ninety_thirty_seven_and_no_days_before(story: Story, approval_id: str) -> None:
    for left in (91, 90, 89, 31, 30, 29, 8, 7, 6, 1, 0):
        look(story, LAST_DAY - dt.timedelta(days=left))
    assert told(story, quinn.id) == [
        f"QuickPlate: the approval for plating ends {when}"
        for when in ("in 90 days", "in 30 days", "in 7 days", "today")
    ]
    assert told(story, bea.id) == []


def test_looking_twice_tells_nobody_twice_and_mails_once(story: Story, approval_id: str) -> None:
    for _ in range(2):
        for day in (LAST_DAY, LAST_DAY + dt.timedelta(days=1)):
            look(story, day)
            story.installation.extras.clear()  # as after a restart
            expire_supplier_approvals(story.installation)
    assert len(told(story, quinn.id)) == 2
    mails = story.read(lambda session: session.scalars(select(Job.args).where(Job.type == "mail")).all())
    about = [bytes(args) for args in mails if b"plating" in bytes(args)]
    assert len(about) == len(set(about)) > 0


def test_who_looks_late_is_told_of_the_nearest_day_only(story: Story, approval_id: str) -> None:
    look(story, LAST_DAY - dt.timedelta(days=5))
    assert told(story, quinn.id) == ["QuickPlate: the approval for plating ends in 5 days"]


def test_a_renewed_approval_stands_beside_the_one_that_ended(story: Story, approval_id: str) -> None:
    def renew(act: Act) -> None:
        supplier = act.session.scalars(select(Supplier).where(Supplier.name == "QuickPlate")).one()
        make_approval(act, supplier, "PLATING", valid_from=LAST_DAY + dt.timedelta(days=1))

    look(story, LAST_DAY + dt.timedelta(days=1))
    story.given(renew)
    assert look(story, LAST_DAY + dt.timedelta(days=2)) == 0
    rows = story.read(
        lambda session: sorted(
            row.status
            for row in session.scalars(select(SupplierApproval).where(SupplierApproval.subject_code == "PLATING"))
        )
    )
    assert rows == [ApprovalStatus.APPROVED, ApprovalStatus.EXPIRED]
