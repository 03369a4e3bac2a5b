"""A board sits: its chair and two members, each signed in on a browser of their own, decide about a change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.act import Installation
from records.board import Board
from records.change_request import OrderClass
from records.demo_people import Member
from records.meeting import Meeting, MeetingStatus
from tests.boards import in_review, seated
from tests.e2e.conftest import Live
from tests.e2e.judging import faults
from tests.makers import make_cast, make_site
from tests.people import PASSWORD, ella, olga, quinn

LOOK = os.environ.get("LOCKSTEP_PICTURES")
"""A folder in which to keep what the pages looked like."""


@pytest.fixture
def plant() -> Callable[[Installation], None]:
    """A board of three and one change order that waits for it."""

    def settle(installation: Installation) -> None:
        with installation.acting("system:test") as act:
            make_site(act)
            make_cast(act)
            seated(act, *((one, what, role) for one, what, role in (
                ("ella", "ENGINEERING", "ENG_AUTH"), ("quinn", "QUALITY", "QA_ENG"), ("olga", "MANUFACTURING", "OPS_DIR"))))  # fmt: skip
        with installation.acting("user:rita") as act:
            in_review(act, OrderClass.C3, cost="0")

    return settle


@pytest.fixture
def desks(browser: Browser, browser_context_args: dict[str, object], live: Live) -> Iterator[Callable[..., Page]]:
    """Return a function that signs somebody in on a browser of their own."""
    contexts = []

    def enter(member: Member, path: str, **screen: object) -> Page:
        context = browser.new_context(**{**browser_context_args, **screen})
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{live.url}/sign-in?next={path}")
        page.get_by_label("User name").fill(member.id)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        return page

    yield enter
    for context in contexts:
        context.close()


def look(page: Page, name: str) -> None:
    """Keep a picture, when somebody wants to look."""
    if LOOK:
        page.screenshot(path=Path(LOOK) / f"{name}.png", full_page=True)


def sign(page: Page, meaning: str, person: str, button: str) -> None:
    """Fill in the signature and press."""
    page.get_by_label("What your signature means").select_option(meaning)
    if page.get_by_label("Your user name").count():
        page.get_by_label("Your user name").fill(person)
    page.get_by_label("Your password, again").fill(PASSWORD)
    page.get_by_role("button", name=button).click()


def vote(page: Page, verdict: str, person: str, **said: str) -> None:
    """Vote on the first item."""
    page.get_by_role("link", name="Vote", exact=True).click()
    page.get_by_label(verdict, exact=True).check()
    for label, words in said.items():
        page.locator(f"textarea[name={label}]").fill(words)
    look(page, f"ballot-{person}")
    sign(page, "APPROVED", person, "Sign the vote")
    expect(page.get_by_text("Voted and signed.")).to_be_visible()


def test_a_board_of_three_decides_in_one_meeting(live: Live, desks: Callable[..., Page]) -> None:
    with live.installation.reading() as session:
        board_id = session.query(Board).one().id
    chair = desks(olga, f"/boards/{board_id}")
    assert faults(chair, f"{live.url}/boards/{board_id}") == []
    chair.get_by_label("Begins").fill("2026-11-23T09:00")
    chair.get_by_label("Place").fill("Room 2")
    look(chair, "board")
    chair.get_by_role("button", name="Plan").click()
    expect(chair.get_by_text("Engineering 0/1, Quality 0/1, board 0 of 2")).to_be_visible()
    chair.get_by_role("button", name="Open the meeting").click()
    path = chair.url.removeprefix(live.url)
    engineer = desks(ella, path)
    engineer.get_by_role("button", name="Join").click()
    quality = desks(quinn, path, viewport={"width": 390, "height": 800})
    quality.get_by_role("button", name="Join").click()
    vote(engineer, "Approve", "ella")
    look(engineer, "meeting")
    assert faults(engineer, live.url + path) == []
    vote(quality, "Approve with condition", "quinn", condition="First article before shipment")
    look(quality, "meeting-phone")
    expect(chair.get_by_text("Engineering 1/1, Quality 1/1, board 2 of 2")).to_be_visible(
        timeout=8000
    )  # asked for by itself
    chair.reload()
    chair.get_by_role("button", name="Close and write the minutes").click()
    sign(chair, "APPROVED", "olga", "Sign")
    expect(chair.get_by_text("The minutes are final.")).to_be_visible()
    look(chair, "minutes")
    assert faults(chair, live.url + path) == []
    look(chair, "dark")
    answer = chair.request.get(f"{live.url}{path}/minutes.pdf")
    assert answer.body().startswith(b"%PDF")
    if LOOK:
        (Path(LOOK) / "minutes.pdf").write_bytes(answer.body())
    with live.installation.reading() as session:
        assert session.query(Meeting).one().status is MeetingStatus.SIGNED
