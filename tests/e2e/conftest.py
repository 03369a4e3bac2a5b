"""A real browser on a real server: Debian's Chromium, waitress on a free port, a fresh SQLite with the cast.

A test fails on any error in the browser's console, a violation of the content security policy included, unless it says that
it expects one (``console.expect``).
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect
from sqlalchemy import Engine
from waitress.server import create_server

from engine.act import Installation
from tests.clock import SettableClock
from tests.conftest import folders_under
from tests.people import PASSWORD, Member
from webapp.app import create_app
from webapp.wiring import wire

ON_A_CLOSED_NETWORK = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
]
"""Chromium as root in a container, and silent: nothing of it may call home."""

SHORT_LIVED_SCRIPTS = "--js-flags=--no-opt,--no-maglev,--single-threaded-gc"
"""Scripts as they are compiled first: a page is gone before its optimised script pays, and a fifth of the browser's work was that."""

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")
"""What the machine may call it; the one without a screen takes three quarters of what the whole one takes."""

PATIENCE = 10_000
"""Milliseconds a page may take to show what a test waits for."""

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Start the machine's Chromium; playwright's own download is not used."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(
            f"Expected Chromium on this machine, but there is none; install Debian's package {BROWSERS[0]} (make test does)"
        )
    return browser_type_launch_args | {
        "executable_path": found,
        "args": [*ON_A_CLOSED_NETWORK, SHORT_LIVED_SCRIPTS],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """Look at pages as a person in the plant does: 1280 pixels wide, English, Chicago."""
    return browser_context_args | {
        "viewport": {"width": 1280, "height": 800},
        "locale": "en-US",
        "timezone_id": "America/Chicago",
        "reduced_motion": "reduce",
    }


@dataclass(frozen=True)
class Live:
    """A running server. url: without a slash at the end. app: what it serves."""

    app: Flask
    url: str
    installation: Installation
    clock: SettableClock


@pytest.fixture
def plant(request: pytest.FixtureRequest) -> Callable[[Installation], None]:
    """Return what fills the database before the server starts; a module overrides it for a plant of its own.

    A database that ``begins_with`` a template stays as it is.
    """
    from tests.makers import make_cast, make_site

    if request.node.get_closest_marker("begins_with"):
        return lambda installation: None

    def settle(installation: Installation) -> None:
        with installation.acting("system:test") as act:
            make_site(act)
            make_cast(act)

    return settle


@pytest.fixture
def live(
    sqlite_database: Engine, clock: SettableClock, tmp_path: Path, plant: Callable[[Installation], None]
) -> Iterator[Live]:
    """Yield a server with a fresh plant; it is gone afterwards."""
    url = sqlite_database.url.render_as_string(hide_password=False)
    installation = wire(url, settings=folders_under(tmp_path), clock=clock)
    plant(installation)
    app = create_app(installation, secret_key="only for tests")
    with _serving(app) as url:
        yield Live(app, url, installation, clock)
    installation.database.dispose()


@contextmanager
def _serving(app: Any) -> Iterator[str]:
    """Serve an application until the block ends, and close everything in the thread that uses it."""
    server = create_server(app, host="127.0.0.1", port=0, threads=4)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            server.asyncore.loop(timeout=1, map=server._map, count=1)
        server.task_dispatcher.shutdown()
        for channel in list(server._map.values()):
            channel.close()

    thread = threading.Thread(target=serve, name="live server")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        ended.set()
        with suppress(OSError):  # between its looks the thread may have seen the end and closed the trigger already
            server.pull_trigger()
        thread.join(timeout=10)


@dataclass
class Console:
    """What the browser complained about, and what a test said it expects."""

    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, pattern: str) -> None:
        """Let complaints pass that match a regular expression, such as the status of a refusal."""
        self.expected.append(pattern)

    def watch(self, page: Page) -> None:
        """Collect what a page complains about from now on."""
        page.set_default_timeout(PATIENCE)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    @property
    def unexpected(self) -> list[str]:
        return [text for text in self.complaints if not any(re.search(pattern, text) for pattern in self.expected)]


@pytest.fixture
def console(context: BrowserContext) -> Iterator[Console]:
    """Fail the test on errors in the browser that it did not expect."""
    console = Console()
    context.on("page", console.watch)
    yield console
    assert console.unexpected == []


@pytest.fixture
def sign_in(context: BrowserContext, live: Live, console: Console) -> Callable[..., Page]:
    """Return a function that opens a page and signs a member of the cast in; they land on their inbox."""

    def enter(member: Member, *, password: str = PASSWORD, path: str = "/") -> Page:
        for left_open in context.pages:  # a page of who was here before would go on with the cookie of who comes now
            left_open.close()
        context.clear_cookies()
        page = context.new_page()
        page.goto(f"{live.url}/sign-in?next={path}")
        page.get_by_label("User name").fill(member.id)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        return page

    return enter
