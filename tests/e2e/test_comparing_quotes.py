"""Quotes in a real browser: a supplier fills its form in under its link, the buyer compares side by side and awards."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from playwright.sync_api import Page, expect

from processes.quote_links import link_to
from tests.e2e.conftest import Live
from tests.e2e.desk import open_row, told
from tests.e2e.judging import faults
from tests.people import bea
from tests.processes.test_sourcing import waits_for_quotes
from tests.quotes import quotes, request_in
from tests.story import Story


@waits_for_quotes
def test_a_supplier_quotes_without_an_account_and_the_buyer_awards_the_quote(
    sign_in: Callable[..., Page], page: Page, live: Live
) -> None:
    story = Story(live.installation, live.clock)
    story.goes_on()
    midland, prairie, kansas = request_in(story).invitations
    own = f"{live.url}{link_to(live.installation, midland)}"
    assert faults(page, own) == []
    page.get_by_label("Price per EA").fill("39.50")
    page.get_by_label("Lead time").fill("12")
    page.get_by_role("button", name="Send the quote").click()
    expect(page.get_by_text("We have your quote, revision 1")).to_be_visible()
    quotes(story, {prairie.supplier_id: "41", kansas.supplier_id: "42"})
    desk = sign_in(bea)
    open_row(desk, "Compare quotes")
    expect(desk.get_by_role("columnheader", name="Midland Machining")).to_contain_text("Lowest")
    assert faults(desk, f"{live.url}/requests-for-quotation/{request_in(story).id}") == []
    open_row(desk, "Compare quotes")
    desk.get_by_label("Quote", exact=True).select_option(label="Midland Machining: 5,925.00 USD landed, 12 days")
    desk.get_by_role("link", name="Award", exact=True).click()
    desk.locator("dialog").get_by_role("button", name="Award").click()
    told(desk, "ward")
    story.settle()
    assert (story.steps, story.order.lines[0].unit_price) == (["complete_order"], Decimal("39.5"))
