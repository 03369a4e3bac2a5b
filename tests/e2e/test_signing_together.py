"""Several tasks are signed at one desk with one password: those that were opened, each by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from engine.act import Installation
from engine.stored.task import Task
from records.signature import Signature
from records.viewing import Viewing
from tests.e2e.conftest import Live
from tests.e2e.desk import told
from tests.people import PASSWORD, lena, rita
from tests.story import Story, open_plant


@pytest.fixture
def plant() -> Callable[[Installation], None]:
    """Open a small plant; the test writes its own requisitions."""
    return open_plant


def test_what_was_opened_is_signed_with_one_password_and_what_was_not_cannot_be_ticked(
    sign_in: Callable[..., Page], live: Live
) -> None:
    story = Story(live.installation, live.clock)
    tasks: list[Task] = []
    for title in ("Brackets", "Plates", "Pins"):
        story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)], title=title)
        tasks.append(story.as_(lena).task("approve_requisition"))
    page = sign_in(lena, path="/inbox?box=groups")
    for count, task in enumerate(tasks[:2], start=1):
        page.goto(page.url.partition("/inbox")[0].partition("/tasks")[0] + f"/tasks/{task.id}")
        with page.expect_response("**/seen"):
            expect(page.locator("[data-review]")).to_be_visible()
        assert count <= len(story.read(lambda session: session.scalars(select(Viewing)).all()))
    page.goto(page.url.partition("/tasks")[0] + "/inbox?box=groups")
    page.get_by_role("link", name="Sign several").click()
    boxes = page.locator("input[name=task]")
    expect(boxes).to_have_count(2)
    expect(page.get_by_text("not opened yet")).to_have_count(1)
    for box in boxes.all():
        box.check()
    page.get_by_label("Approve", exact=True).check()
    page.get_by_label("What your signature means").select_option(label="Approved")
    page.get_by_label("Your user name").fill(lena.id)
    page.get_by_label("Your password, again").fill(PASSWORD)
    page.get_by_role("button", name="Sign each").click()
    told(page, "2 signatures, each on its own content")
    signed = story.read(lambda session: session.scalars(select(Signature)).all())
    assert {one.record_id for one in signed} == {task.record_id for task in tasks[:2]}
