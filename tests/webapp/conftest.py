"""The face on a fresh plant: SQLite for most pages, both databases where two people meet on one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from engine.act import Installation
from records.demo_people import Member
from tests.clock import SettableClock
from tests.conftest import beginning, opened, wired
from tests.databases import Databases
from tests.story import PLANT, Story
from tests.webapp.browser import Browser
from webapp.app import create_app

People = Callable[..., Browser]

APPLICATION: list[Flask] = []
"""The one application of this process, once a test asked for it."""


@pytest.fixture
def house(
    request: pytest.FixtureRequest, databases: Databases, clock: SettableClock, tmp_path: Path
) -> Iterator[Installation]:
    """Yield a plant with the cast and the released flow, and with what the mark ``begins_with(template)`` names."""
    with (
        opened(databases, "sqlite", beginning(request) or PLANT) as engine,
        wired(engine, clock, tmp_path) as installation,
    ):
        yield installation


@pytest.fixture
def story(house: Installation, clock: SettableClock) -> Story:
    """Stand in that plant."""
    return Story(house, clock)


@pytest.fixture
def app(house: Installation) -> Flask:
    """Put the application on the plant; a mistake of ours is an answer of 500, as it is for people.

    One serves every test of a process: its routes and compiled pages cost more than what most tests ask of them.
    """
    if not APPLICATION:
        APPLICATION.append(create_app(house, secret_key="only for tests"))
    (made,) = APPLICATION
    made.extensions["lockstep"] = house
    made.config["PROPAGATE_EXCEPTIONS"] = False
    return made


@pytest.fixture
def browse(app: Flask) -> People:
    """Return a function that opens a browser with somebody signed in."""

    def open_browser(member: Member | None = None, *, agent: str = "Firefox on a desk") -> Browser:
        browser = Browser(app, agent=agent)
        return browser.sign_in(member) if member else browser

    return open_browser
