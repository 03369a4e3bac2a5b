"""What a person does at their desk, in the words of the pages."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.people import PASSWORD, Member


def open_row(page: Page, words: str, *, box: str = "groups") -> None:
    """Open the inbox and the row that shows these words; the review is there afterwards."""
    page.goto(re.sub(r"(https?://[^/]+)/.*", rf"\1/inbox?box={box}", page.url))
    row = page.locator("[data-item]").filter(has_text=words).first
    if row.get_attribute("aria-current") is None:  # what one types into the review that goes would be lost with it
        page.evaluate("document.querySelector('[data-review]')?.setAttribute('data-before', '')")
    row.click()
    expect(page.locator("[data-review]:not([data-before])")).to_contain_text(words)


def sign(page: Page, member: Member, *, meaning: str = "Approved", password: str = PASSWORD) -> None:
    """Fill in the open signature dialog and confirm it with Ctrl+Enter."""
    page.get_by_label("What your signature means").select_option(label=meaning)
    fill_components(page, member, password)
    page.keyboard.press("Control+Enter")


def fill_components(page: Page, member: Member, password: str = PASSWORD) -> None:
    """Type what a signature asks for: the password, and the user name where it is the first of the session."""
    name = page.locator("dialog [name=user_id]")
    if name.count():
        name.fill(member.id)
    page.get_by_label("Your password, again").fill(password)


def told(page: Page, words: str) -> None:
    """Wait until the page says that something was done, and listens to keys."""
    expect(page.locator("[data-toast]")).to_contain_text(words)
    page.wait_for_load_state()
