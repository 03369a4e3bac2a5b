"""Working at a desk and on a phone, in a real browser: keys, drafts, type-ahead, the live preview, the diagram."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from engine.act import Installation
from tests.e2e.conftest import Console, Live
from tests.people import PASSWORD, lena, pat, rita
from tests.story import Story, open_plant


@pytest.fixture
def plant() -> Callable[[Installation], None]:
    """Return what fills the plant: the cast, parts, a supplier, the released flow."""
    return open_plant


@pytest.fixture
def story(live: Live) -> Story:
    """Let things happen behind the browser."""
    return Story(live.installation, live.clock)


def submit(story: Story, *quantities: int) -> None:
    for quantity in quantities:
        story.as_(rita).start("requisition_to_po", lines=[("P-100", quantity)])


def test_an_approver_decides_with_keys_and_the_next_task_opens(
    sign_in: Callable[..., Page], story: Story, console: Console
) -> None:
    submit(story, 50, 60)
    page = sign_in(lena)
    heading = page.locator(".review-heading")
    expect(heading).to_contain_text("REQ-000001")
    page.keyboard.press("j")
    expect(heading).to_contain_text("REQ-000002")
    page.keyboard.press("k")
    expect(heading).to_contain_text("REQ-000001")
    page.keyboard.press("a")
    dialog = page.locator("[data-dialog]")
    expect(dialog).to_contain_text("You sign: approve REQ-000001")
    dialog.get_by_label("What your signature means").select_option("APPROVED")
    dialog.get_by_label("Your user name").fill("lena")
    console.expect("403")
    dialog.get_by_label("Your password, again").fill("not mine")
    page.keyboard.press("Control+Enter")
    expect(dialog).to_contain_text("Expected your password, but this is another one")
    dialog.get_by_label("Your password, again").fill(PASSWORD)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Signed by Lena Fischer")).to_be_visible()
    expect(heading).to_contain_text("REQ-000002")
    expect(page.locator("[data-item]")).to_have_count(1)


def test_single_letters_do_nothing_while_one_types_and_can_be_turned_off(
    sign_in: Callable[..., Page], story: Story
) -> None:
    submit(story, 50)
    page = sign_in(lena)
    expect(page.locator(".review-heading")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("ar")
    expect(page.locator("[data-search]")).to_have_value("ar")
    expect(page.locator("[data-dialog]")).not_to_be_visible()
    page.goto(page.url)
    page.locator("h1.review-heading").click()
    page.keyboard.press("?")
    page.get_by_role("button", name="Turn single-letter keys off").click()
    page.locator("h1.review-heading").click()
    page.keyboard.press("a")
    page.wait_for_timeout(300)
    expect(page.locator("[data-dialog]")).not_to_be_visible()


def test_a_draft_is_kept_while_one_types_and_comes_back(sign_in: Callable[..., Page], story: Story) -> None:
    submit(story, 50)
    page = sign_in(lena)
    expect(page.locator(".review-heading")).to_be_visible()
    page.keyboard.press("r")
    reason = page.locator("[data-dialog]").get_by_label("Reason")
    reason.fill("The second quote is lower, and")
    expect(page.locator("[data-dialog] [data-saved]")).to_contain_text("Draft kept at", timeout=6000)
    page.reload()
    expect(page.locator(".review-heading")).to_be_visible()
    page.keyboard.press("r")
    expect(page.locator("[data-dialog]").get_by_label("Reason")).to_have_value("The second quote is lower, and")


def test_a_requester_is_helped_while_typing_and_sees_who_will_approve(sign_in: Callable[..., Page]) -> None:
    page = sign_in(rita, path="/requisitions/new")
    page.get_by_label("Cost centre").select_option("4711")
    part = page.get_by_label("Part or service")
    part.press_sequentially("P-1", delay=30)
    page.get_by_role("option", name=re.compile("P-100")).click()
    expect(part).to_have_value("P-100")
    expect(page.get_by_label("Revision").first).to_have_value("B")
    page.get_by_label("Quantity").fill("200")
    page.get_by_label("Price").fill("50")
    panel = page.locator("[data-preview-panel]")
    expect(panel).to_contain_text("10,000.00")
    expect(panel).to_contain_text("Max Lindgren")
    expect(panel).to_contain_text("Carl Jensen")
    page.get_by_role("button", name="Submit for approval").click()
    expect(page.get_by_role("heading", name="REQ-000001")).to_be_visible()


def test_the_diagram_shows_where_a_run_waits_and_keeps_its_mark(
    sign_in: Callable[..., Page], story: Story, live: Live
) -> None:
    submit(story, 50)
    page = sign_in(pat, path=f"/operations/runs/{story.instance_id}")
    expect(page.locator(".diagram .token").first).to_be_visible()
    expect(page.locator(".bjs-powered-by")).to_be_visible()
    page.get_by_role("button", name=re.compile("Approval round")).click()
    expect(page.locator(".diagram .token").first).to_contain_text("waits for a person")


def test_on_a_phone_a_row_opens_the_review_alone_and_leads_back(sign_in: Callable[..., Page], story: Story) -> None:
    submit(story, 50)
    page = sign_in(lena)
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".review-heading")).not_to_be_visible()
    page.locator("[data-item]").click()
    expect(page.locator(".review-heading")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("link", name="List").click()
    expect(page.locator("[data-item]")).to_be_visible()


def test_keys_wait_for_the_list_of_what_was_typed(sign_in: Callable[..., Page]) -> None:
    page = sign_in(rita, path="/requisitions/new")
    field = page.get_by_label("Part or service", exact=True).first
    field.press_sequentially("P-")
    options = page.locator(".suggest [role=option]:visible")
    expect(options.filter(has_text="P-100")).to_be_visible()
    expect(options.filter(has_text="P-200")).to_be_visible()
    first = options.first.locator(".strong").inner_text()
    wanted = "P-200" if first == "P-100" else "P-100"

    def late(route: Route) -> None:
        page.wait_for_timeout(400)
        route.continue_()

    page.route(re.compile("/suggest"), late)
    page.keyboard.type(wanted.removeprefix("P-"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".suggest .hint:visible").first).to_be_visible()
    expect(field).to_have_value(wanted)
    page.wait_for_timeout(600)
    expect(options).to_have_count(0)


def test_a_long_title_leaves_the_key_of_its_row_whole(sign_in: Callable[..., Page], story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)], title="W" * 90 + " and so on" * 9)
    page = sign_in(lena, path="/inbox?box=groups")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        key = page.locator("[data-item] .item-title b").last
        expect(key).to_have_text(re.compile("REQ-"))
        assert key.evaluate("key => key.scrollWidth - key.clientWidth") <= 0, "it is not cut"
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
