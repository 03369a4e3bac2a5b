"""Deciding in a real browser: with keys only, without a script, on a phone; what is typed is never lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import func, select

from engine.act import Act, Installation
from engine.audit import chain_of
from engine.decisions import Decision
from engine.drafts import draft_of
from engine.stored.task import Task
from records.signature import Signature
from tests.e2e.conftest import Console, Live
from tests.e2e.desk import open_row, sign, told
from tests.makers import make_grant, make_user
from tests.people import PASSWORD, lena, rita
from tests.story import Story, open_plant

TITLES = ("Brackets for lot 7001", "Brackets for lot 7002", "Brackets for lot 7003")
REASON = "The second quote is 12 % lower, and the first supplier cannot deliver before January."
LONG = " ".join([REASON] * 20)


@pytest.fixture
def plant() -> Callable[[Installation], None]:
    """Open a small plant; each test writes its own requisitions."""
    return open_plant


@pytest.fixture
def story(live: Live) -> Story:
    """Stand in the plant that is served."""
    return Story(live.installation, live.clock)


@pytest.fixture
def waiting(story: Story) -> list[Task]:
    """Let three requisitions of rita wait for lena."""
    found = []
    for title in TITLES:
        story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)], title=title)
        found.append(story.as_(lena).task("approve_requisition"))
    return found


def decided(live: Live) -> int:
    with live.installation.reading() as session:
        return session.scalar(select(func.count()).select_from(Decision)) or 0


def test_ten_approvals_are_signed_with_keys_alone(
    sign_in: Callable[..., Page], live: Live, waiting: list[Task], story: Story
) -> None:
    requesters = [f"requester{number}" for number in range(7)]  # one alone would be suspected of splitting

    def enrol(act: Act) -> None:
        for user_id in requesters:
            make_user(act, user_id)
            make_grant(act, user_id, "REQUESTER")

    story.given(enrol)
    for number, user_id in enumerate(requesters):
        story.as_(user_id).start("requisition_to_po", lines=[("P-100", 50)], title=f"Washers for lot 71{number:02}")
    page = sign_in(lena, path="/inbox?box=groups")
    expect(page.locator("[data-item]")).to_have_count(10)
    page.keyboard.press("j")
    expect(page.locator(".review-heading")).to_contain_text(TITLES[1])
    page.keyboard.press("k")
    expect(page.locator(".review-heading")).to_contain_text(TITLES[0])
    for count in range(1, 11):
        page.keyboard.press("a")
        expect(page.get_by_label("What your signature means")).to_be_focused()
        page.keyboard.press("A")  # the list of meanings: Approved
        page.keyboard.press("Tab")
        if count == 1:
            page.keyboard.press("Tab")
            page.keyboard.type(lena.id)
            page.keyboard.press("Tab")
        else:
            page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Control+Enter")
        expect(page.locator("[data-item]")).to_have_count(10 - count)
        told(page, "Signed by Lena Fischer")
        assert decided(live) == count
    expect(page.get_by_text("Your groups are clear")).to_be_visible()


def test_letters_are_only_letters_while_one_types(
    sign_in: Callable[..., Page], live: Live, waiting: list[Task]
) -> None:
    page = sign_in(lena, path="/inbox?box=groups")
    expect(page.locator("[data-item]")).to_have_count(3)
    page.keyboard.press("/")
    page.keyboard.type("a r b j")
    expect(page.get_by_role("searchbox")).to_have_value("a r b j")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.locator("[data-review]").evaluate("(review) => (review.dataset.same = 'yes')")
    page.locator(
        "[data-item][aria-current]"
    ).click()  # it is open: nothing is loaded, and what is typed in keeps the focus
    page.wait_for_load_state("networkidle")
    expect(page.locator("[data-review][data-same]")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    page.locator("body").click(position={"x": 5, "y": 400})
    page.keyboard.press("?")
    expect(page.locator("dialog[open]")).to_contain_text("Claim or release")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)  # while it is open, keys are the dialog's
    page.keyboard.press("x")
    expect(page.locator("[data-bulk-count]")).to_have_text("1 selected")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(page.locator("[data-bulk-count]")).to_have_text("3 selected")
    page.keyboard.press("]")
    expect(page.locator(".list")).to_be_hidden()
    page.keyboard.press("]")
    for _ in range(2):
        page.keyboard.press("*")
        page.keyboard.press("a")
    expect(page.locator("[data-bulk-count]")).to_have_text("3 selected")
    page.keyboard.press("z")
    expect(page.get_by_role("heading", name="Snooze several")).to_be_visible()
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator("[data-bulk]")).to_be_hidden()
    for key in ("*", "a", "z"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Snooze 3")).to_be_visible()
    page.keyboard.press("Control+Enter")
    told(page, "3 tasks put aside")
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.locator("[data-item]")).to_have_count(3)


def test_a_reader_without_javascript_reads_and_decides(
    browser: Browser, live: Live, waiting: list[Task], console: Console
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    console.watch(page)
    page.goto(f"{live.url}/sign-in")
    page.get_by_label("User name").fill("lena")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{live.url}/inbox?box=groups")
    page.locator("[data-item]").filter(has_text=TITLES[0]).click()
    expect(page.locator(".review-heading")).to_contain_text(TITLES[0])
    page.get_by_role("link", name="Reject", exact=True).click()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_label("What your signature means").select_option(label="Rejected")
    page.get_by_label("Your user name").fill("lena")
    page.get_by_label("Your password, again").fill(PASSWORD)
    page.get_by_role("button", name="Sign and reject").click()
    expect(page.locator("body")).to_contain_text("Signed by Lena Fischer")
    with live.installation.reading() as session:
        decision = session.scalars(select(Decision)).one()
        assert (decision.verdict, decision.reason) == ("reject", REASON)
    context.close()


def test_a_long_reason_survives_a_session_that_ended_while_it_was_typed(
    sign_in: Callable[..., Page], live: Live, waiting: list[Task], console: Console
) -> None:
    """W28."""
    console.expect("401")
    page = sign_in(lena)
    open_row(page, TITLES[0])
    page.keyboard.press("r")
    page.get_by_label("Reason").fill(LONG)
    live.clock.advance(hours=3)
    sign(page, lena, meaning="Rejected")
    expect(page.get_by_text("Your session ended while you were typing")).to_be_visible()
    assert decided(live) == 0
    page.get_by_label("User name", exact=False).last.fill("lena")
    page.locator("[name=sign_in_password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in and go on").click()
    expect(page.get_by_label("Reason")).to_have_value(LONG)
    assert decided(live) == 0
    page.locator("[name=user_id]").fill("lena")
    page.get_by_label("Your password, again").fill(PASSWORD)
    page.get_by_role("button", name="Sign and reject").click()
    told(page, "Signed by Lena Fischer")
    with live.installation.reading() as session:
        assert session.scalars(select(Decision)).one().reason == LONG


def test_three_wrong_passwords_sign_nothing_and_lock_the_account(
    sign_in: Callable[..., Page], live: Live, waiting: list[Task], console: Console
) -> None:
    """W29."""
    console.expect("403")
    page = sign_in(lena)
    open_row(page, TITLES[0])
    page.keyboard.press("a")
    for attempt in ("guess one", "guess two", "guess three"):
        sign(page, lena, password=attempt)
        expect(page.locator("dialog [name=password]")).to_have_value("")
        expect(page.locator("dialog [name=password]")).to_be_focused()
        expect(page.locator("dialog[open]")).to_contain_text("Expected your password")
    sign(page, lena)
    expect(page.locator("dialog[open], .welcome").filter(has_text="locked").first).to_be_visible()
    assert decided(live) == 0
    with live.installation.reading() as session:
        assert session.scalar(select(func.count()).select_from(Signature)) == 0
        actions = [event.action for event in chain_of(session, "user_account", "lena")]
    assert "SECURITY_ALERT" in actions


def test_what_is_typed_is_kept_every_three_seconds_and_is_there_again(
    sign_in: Callable[..., Page], live: Live, waiting: list[Task]
) -> None:
    page = sign_in(lena)
    open_row(page, TITLES[0])
    page.keyboard.press("r")
    page.get_by_label("Reason").press_sequentially("Too expensive")
    expect(page.locator("dialog [data-saved]")).to_contain_text("Draft kept at")
    with live.installation.reading() as session:
        kept = draft_of(session, waiting[0].id, "lena")
        assert kept is not None
        assert kept.reason == "Too expensive"
    page.reload()
    expect(page.locator(".decide")).to_contain_text("You have a draft")
    page.keyboard.press("r")
    expect(page.get_by_label("Reason")).to_have_value("Too expensive")


def test_an_inbox_fits_a_phone_and_decides_there(sign_in: Callable[..., Page], live: Live, waiting: list[Task]) -> None:
    page = sign_in(lena)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live.url}/inbox?box=groups")
    assert_fits(page)
    expect(page.locator("[data-item]")).to_have_count(3)
    page.locator("[data-item]").first.click()
    approve = page.get_by_role("link", name="Approve", exact=True)
    expect(approve).to_be_in_viewport()
    heading = page.locator(".review-heading").bounding_box()
    assert heading is not None
    assert heading["y"] < 200
    assert_fits(page)
    bar = page.locator(".decide")
    expect(bar.locator("> .button:visible")).to_have_text(["Approve", "Reject"])
    bar.get_by_text("2 more").click()
    expect(bar.locator(".menu-item:visible").first).to_have_text("Return…")
    bar.get_by_text("2 more").click()
    approve.click()
    sign(page, lena)
    told(page, "Signed by Lena Fischer")
    assert decided(live) == 1


def assert_fits(page: Page) -> None:
    """A phone never has to be pushed sideways."""
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, f"the page is {width} pixels wide"
