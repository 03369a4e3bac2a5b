"""A task without a verdict in the pane beside the list: what does not fit stays there, with what was typed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from engine.act import Installation
from tests.e2e.conftest import Console, Live
from tests.people import bea, rita
from tests.story import Story, open_plant


@pytest.fixture
def plant() -> Callable[[Installation], None]:
    return open_plant


def test_a_done_that_does_not_fit_stays_in_the_pane_with_the_text(
    sign_in: Callable[..., Page], live: Live, console: Console
) -> None:
    console.expect("422")
    story = Story(live.installation, live.clock)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 5, "42.50")])
    story.as_(bea).decide("complete_order", "submit").decide("issue_order", "issue")
    page = sign_in(bea, path="/inbox?box=mine")
    pane = page.locator("[data-pane]")
    pane.get_by_label(re.compile("number|reference", re.IGNORECASE)).first.fill("AB-7022")
    pane.get_by_role("button", name="Done").click()
    expect(pane.locator("[aria-invalid=true], .error").first).to_be_visible()
    expect(pane.get_by_label(re.compile("number|reference", re.IGNORECASE)).first).to_have_value("AB-7022")
    answer = pane.get_by_label(re.compile("^Answer"))
    expect(answer).to_be_focused()
    expect(answer).to_be_in_viewport(ratio=1)
    pane.evaluate("pane => pane.scrollTo(0, 0)")
    pane.get_by_role("alert").get_by_role("link", name="Answer: Expected a value").click()
    expect(answer).to_be_focused()
    expect(answer).to_be_in_viewport(ratio=1)
    expect(page.locator("[data-item]")).to_have_count(1)
    expect(page).to_have_url(re.compile("/inbox"))
    pane.get_by_label(re.compile("^Answer")).select_option(label="Accepted")
    pane.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Done: Acknowledgement of")).to_be_visible()
