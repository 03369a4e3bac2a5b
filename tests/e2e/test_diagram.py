"""The diagram of a run: a large one is drawn when somebody asks for it, and without a script nothing is offered that does nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from engine import instances
from tests.e2e.conftest import Console, Live
from tests.people import PASSWORD, pat, rita
from tests.story import Story
from webapp import diagrams


@pytest.fixture
def path(live: Live) -> str:
    story = Story(live.installation, live.clock)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)], title="Brackets")
    with live.installation.reading() as session:
        return f"/operations/runs/{instances.find(session, story.instance_id).id}"


@pytest.fixture
def plant() -> Callable[..., None]:
    from tests.story import open_plant

    return open_plant


def test_a_large_diagram_is_drawn_only_when_somebody_asks(
    sign_in: Callable[..., Page], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagrams, "MOST_DRAWN", 20)
    page = sign_in(pat, path=path)
    expect(page.locator("[data-offer]")).to_contain_text("shapes and lines")
    expect(page.locator("[data-canvas]")).to_be_hidden()
    expect(page.get_by_role("button", name="Smaller")).to_be_hidden()
    expect(page.locator(".diagram svg .djs-shape")).to_have_count(0)
    expect(page.get_by_role("heading", name="Where it stands")).to_be_visible()
    page.get_by_role("button", name="Draw it").click()
    expect(page.locator(".diagram .token").first).to_contain_text("inside")
    expect(page.locator("[data-offer]")).to_be_hidden()
    expect(page.get_by_role("button", name="Smaller")).to_be_visible()


def test_without_a_script_no_button_is_there_that_does_nothing(
    browser: Browser, live: Live, path: str, console: Console
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    console.watch(page)
    page.goto(f"{live.url}/sign-in?next={path}")
    page.get_by_label("User name").fill("pat")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Where it stands")).to_be_visible()
    for name in ("Smaller", "Larger", "Fit", "Draw it", "Copy the whole hash"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    context.close()
