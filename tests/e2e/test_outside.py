"""Pieces go to a heat treater and come back, in a browser: from the operation before to the matched invoice."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from engine.act import Act, Installation
from processes import outside_processing
from processes.work_order_events import complete_operation
from records.outside import LinkStatus
from records.work_order import OperationStatus, WorkOrder
from tests.e2e.conftest import Live
from tests.e2e.desk import open_row, sign, told
from tests.outside import OutsideStory, bill, make_outside_order, make_outside_work
from tests.people import quinn, rita, sam
from tests.story import open_plant


@pytest.fixture
def plant() -> Callable[[Installation], None]:
    """Open the plant of stories, with a work order whose milling has begun."""
    return open_plant


def arrange(act: Act) -> str:
    """Leave operation 20 to be completed, and operation 30 waiting for it."""
    work = make_outside_work(act, 24, number="WO-7201", reached=20)
    make_outside_order(act, work)
    return work.id


def test_pieces_are_planned_shipped_taken_back_and_paid(sign_in: Callable[..., Page], live: Live) -> None:
    story = OutsideStory(live.installation, live.clock)
    work_id = story.given(arrange)
    with live.installation.acting("adapter:mes") as act:
        milling = act.session.get_one(WorkOrder, work_id).operations[1]
        complete_operation(act, milling, good=milling.open_quantity, system="MES", event_id="mes-20")
        story.operation_id = act.session.get_one(WorkOrder, work_id).operations[2].id
    outside_processing.start_due_outside_operations(live.installation)

    page = sign_in(rita)
    open_row(page, "WO-7201/30")
    page.get_by_role("link", name="Confirm", exact=True).click()
    page.locator("dialog").get_by_role("button", name="Confirm").click()
    told(page, "Confirm")

    page = sign_in(quinn)
    open_row(page, "Release special process")
    page.get_by_label("Test coupons and samples").fill("2 coupons of heat 7781")
    page.get_by_role("link", name="Approve", exact=True).click()
    sign(page, quinn, meaning="Verified")
    told(page, "Approved")

    page = sign_in(sam, path="/outside")
    page.get_by_role("link", name="Ship", exact=True).click()
    page.get_by_label("Pieces counted").fill("24")
    page.get_by_label("Carrier").fill("Milkrun")
    page.get_by_role("button", name="Ship and make the packing list").click()
    told(page, "has left with packing list PL-")
    expect(page.get_by_role("heading", level=1)).to_contain_text("LNK-")
    expect(page.locator("main")).to_contain_text("At supplier")
    page.get_by_role("link", name="Take back", exact=True).click()
    page.get_by_label("Good pieces").fill("24")
    page.get_by_role("button", name="Count them in").click()
    told(page, "is counted")
    expect(page.locator("main")).to_contain_text("Returned")

    story.settle()
    story.watch().certify()
    assert (story.operation.status, story.following().status) == (OperationStatus.COMPLETE, OperationStatus.READY)
    bill(story, 24)
    page.reload()
    expect(page.locator("h1 + .badge")).to_have_text(re.compile("Closed"))
    page.get_by_role("link", name="Process", exact=True).click()
    expect(page.locator("[data-canvas] svg").first).to_be_visible()
    assert (story.link.status, story.incidents) == (LinkStatus.CLOSED, [])
