"""Reading a redline in a real browser: from one difference to the next by keys, ticks that fall by themselves, nothing grave for axe."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from engine import tasks
from engine.act import Act, Installation
from engine.ports import SignatureRequest
from engine.stored.task import Task
from records.requisition import Requisition, RequisitionLine
from tests.e2e.conftest import Live
from tests.e2e.judging import faults
from tests.makers import D
from tests.people import PASSWORD, lena, rita
from tests.story import Story, open_plant


@pytest.fixture
def plant() -> Callable[[Installation], None]:
    """Open a small plant; the test writes its own requisition."""
    return open_plant


@pytest.fixture
def story(live: Live) -> Story:
    """Stand in the plant that is served."""
    return Story(live.installation, live.clock)


def returned(story: Story, task: Task) -> None:
    """Let lena return the requisition."""
    signature = SignatureRequest("REJECTED", PASSWORD, user_id="lena", accepts_responsibility=True)
    with story.installation.acting("user:lena") as act:
        tasks.decide(act, task.id, "return", seen_version=task.version, reason="See my remarks", signature=signature)
    story.settle()
    story.clock.advance(hours=1)


def corrected(story: Story, change: Callable[[Act, Requisition], None]) -> Task:
    """Let rita change the returned requisition and send it again; return lena's new task."""
    with story.installation.acting("user:rita") as act:
        change(act, act.session.get_one(Requisition, story.requisition_id))
    story.as_(rita).decide("correct_requisition", "resubmit")
    story.settle()
    return story.as_(lena).task("approve_requisition")


def first_correction(act: Act, requisition: Requisition) -> None:
    """Change two lines, take one out, put one in, and mend the title."""
    one, two, three = requisition.lines
    one.quantity, two.estimated_price, two.need_by = D(60), D("43.7500"), dt.date(2026, 12, 11)
    requisition.title += "."
    requisition.justification = f"{requisition.justification} by the end of week 50"
    requisition.lines.remove(three)
    requisition.lines.append(
        RequisitionLine(
            line_no=4,
            part_revision_id=one.part_revision_id,
            quantity=D(12),
            estimated_price=D("42.50"),
            cost_object=one.cost_object,
        )
    )


def test_a_reviewer_goes_through_a_redline_with_keys_and_a_tick_falls_when_its_line_changes(
    sign_in: Callable[..., Page], live: Live, story: Story
) -> None:
    story.as_(rita).start(
        "requisition_to_po", lines=[("P-100", 50), ("P-100", 7), ("P-100", 3)], title="Brackets for lot 7001"
    )
    task = story.as_(lena).task("approve_requisition")
    returned(story, task)
    task = corrected(story, first_correction)
    page = sign_in(lena, path=f"/tasks/{task.id}?tab=changes")
    expect(page.locator(".redline-bar")).to_contain_text("7 differences")
    page.keyboard.press("n")
    expect(page.locator("[data-redline-said]")).to_contain_text("1 of 7:")
    page.keyboard.press("n")
    expect(page.locator(".redline-clerical[open]")).to_contain_text("Brackets for lot 7001")
    page.keyboard.press("n")
    expect(page.locator("[data-redline-said]")).to_contain_text("Line 1: quantity was 50 EA, and is now 60 EA.")
    page.keyboard.press("v")
    expect(page.locator(".redline-bar")).to_contain_text("1 of 5 viewed")
    expect(page.locator("[data-redline-said]")).to_contain_text("Line 1: quantity")
    page.keyboard.press("p")
    expect(page.locator("[data-redline-said]")).to_contain_text("2 of 7: Header: title was")
    page.keyboard.press("t")
    expect(page.locator(".redline-wide")).to_be_visible()
    page.keyboard.press("t")
    expect(page.locator(".redline-wide")).to_have_count(0)
    assert faults(page, f"{live.url}/tasks/{task.id}?tab=changes") == []
    assert faults(page, f"{live.url}/tasks/{task.id}?tab=changes&view=sides") == []
    returned(story, task)
    task = corrected(story, lambda _act, requisition: setattr(requisition.lines[0], "quantity", D(70)))
    page = sign_in(lena, path=f"/tasks/{task.id}?tab=changes")
    expect(page.locator(".redline-bar")).to_contain_text("0 of 1 viewed")
