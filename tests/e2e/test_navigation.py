"""The way to every page on a phone and by keyboard, with and without the script."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Live
from tests.people import PASSWORD, lena


def test_a_phone_reaches_every_page_by_one_menu(sign_in: Callable[..., Page], live: Live) -> None:
    page = sign_in(lena)
    page.set_viewport_size({"width": 390, "height": 800})
    page.get_by_text("Menu", exact=True).click()
    small = page.get_by_role("navigation", name="Main, as one menu")
    small.get_by_role("link", name="Suppliers").click()
    expect(page).to_have_url(f"{live.url}/suppliers")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 800})
    bar = page.get_by_role("navigation", name="Main", exact=True)
    bar.get_by_text("Buying").focus()
    page.keyboard.press("Enter")
    expect(bar.get_by_role("link", name="Orders")).to_be_visible()
    page.keyboard.press("Escape")
    expect(bar.get_by_role("link", name="Orders")).to_be_hidden()


def test_the_menu_needs_no_script(browser: Browser, live: Live) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(f"{live.url}/sign-in")
    page.get_by_label("User name").fill(lena.id)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_text("Menu", exact=True).click()
    page.get_by_role("link", name="Parts").click()
    expect(page).to_have_url(f"{live.url}/parts")
    context.close()
