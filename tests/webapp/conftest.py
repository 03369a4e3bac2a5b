"""The face on a fresh plant: SQLite for most pages, both databases where two people meet on one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine

from engine.act import Installation
from records.demo_people import Member
from tests.clock import SettableClock
from tests.conftest import folders_under
from tests.story import Story, open_plant
from tests.webapp.browser import Browser
from webapp.app import create_app
from webapp.wiring import wire

People = Callable[..., Browser]


@pytest.fixture
def house(sqlite_database: Engine, clock: SettableClock, tmp_path: Path) -> Iterator[Installation]:
    """Yield a plant with the cast and the released flow."""
    url = sqlite_database.url.render_as_string(hide_password=False)
    wired = wire(url, settings=folders_under(tmp_path), clock=clock)
    open_plant(wired)
    yield wired
    wired.database.dispose()


@pytest.fixture
def story(house: Installation, clock: SettableClock) -> Story:
    """Stand in that plant."""
    return Story(house, clock)


@pytest.fixture
def app(house: Installation) -> Flask:
    """Build the application; a mistake of ours is an answer of 500, as it is for people."""
    made = create_app(house, secret_key="only for tests")
    made.config["PROPAGATE_EXCEPTIONS"] = False
    return made


@pytest.fixture
def browse(app: Flask) -> People:
    """Return a function that opens a browser with somebody signed in."""

    def open_browser(member: Member | None = None, *, agent: str = "Firefox on a desk") -> Browser:
        browser = Browser(app, agent=agent)
        return browser.sign_in(member) if member else browser

    return open_browser
