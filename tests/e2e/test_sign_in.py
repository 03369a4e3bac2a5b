"""Signing in, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Console, Live
from tests.people import rita


def test_the_cast_signs_in_with_the_demo_password(sign_in: Callable[..., Page], live: Live) -> None:
    page = sign_in(rita)
    expect(page).to_have_url(f"{live.url}/inbox")


def test_a_wrong_password_stays_outside(sign_in: Callable[..., Page], console: Console) -> None:
    console.expect("403")
    page = sign_in(rita, password="not hers")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
