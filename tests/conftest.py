"""Fixtures for every test: a fresh database of either kind, an installation on it, a clock that a test sets."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import Engine

from engine.act import Installation
from engine.database import connect
from tests import compiled
from tests.clock import SettableClock
from tests.databases import Databases, Template, make_run_folder

RUN = pytest.StashKey[Databases]()
SLOW = ("tests/processes/", "tests/scenarios/", "tests/webapp/", "tests/e2e/")
"""Folders from quick to slow; what is in none of them runs first."""
LONG = (
    "tests/processes/importing/test_whole_extract.py", "tests/webapp/test_demo.py", "tests/scenarios/test_bad_input.py::test_no_",
    "tests/e2e/test_tour.py", "tests/e2e/test_second_flow_pages.py", "tests/e2e/test_accessibility.py",
)  # fmt: skip
"""What takes longest of all: begun last, it would keep one worker busy while the others have nothing left."""


def pytest_configure(config: pytest.Config) -> None:
    """Give the run one folder; workers are told the controller's."""
    compiled.share()
    # How long an example takes says how busy the machine is, and nothing of what is tested.
    hypothesis.settings.register_profile("any machine", deadline=None)
    hypothesis.settings.load_profile("any machine")
    given = getattr(config, "workerinput", None)
    if given is None:
        config.stash[RUN] = Databases(make_run_folder(), os.getpid())
    else:
        config.stash[RUN] = Databases(Path(given["run_folder"]), given["run_pid"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker the folder of the run."""
    run = node.config.stash[RUN]
    node.workerinput.update(run_folder=str(run.folder), run_pid=run.run)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what takes long last: the browser after everything, stories and scenarios before it.

    With several workers what takes longest of all comes first, and the browser is what the last of them begins with: it waits
    more than it computes, so that it costs next to nothing beside the others and much where nothing else is left to do.
    """

    def turn(item: pytest.Item) -> tuple[int, bool]:
        rank = next((rank for rank, part in enumerate(SLOW, 1) if part in item.nodeid), 0)
        is_long = hasattr(config, "workerinput") and item.nodeid.startswith(LONG)
        return (0 if is_long and rank < len(SLOW) else rank, not is_long)

    items.sort(key=turn)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    browser = [item for item in items if SLOW[-1] in item.nodeid]
    others = len(items) - len(browser)
    # The last worker's share is what is left when each before it got its part of the rest, rounded down.
    begin = min(others, len(items) - -(-len(items) // workers)) if workers > 1 else others
    items[:] = [*items[:begin], *browser, *items[begin:others]]


def pytest_collection_finish() -> None:
    """Leave what was imported and compiled out of every later look for garbage: it stays until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the run's PostgreSQL and remove its folder, once every worker is done."""
    if RUN not in config.stash:
        return
    if hasattr(config, "workerinput"):
        config.stash[RUN].let_go()
    else:
        config.stash[RUN].close()


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Databases:
    """Hand out databases of this run, for tests that need several or an empty one."""
    return request.config.stash[RUN]


@contextmanager
def opened(databases: Databases, kind: str, template: Template | None = None) -> Iterator[Engine]:
    """Yield an engine on a fresh database of a kind, disposed of with it."""
    with databases.fresh(kind, template) as url:
        engine = connect(url)
        try:
            yield engine
        finally:
            engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Engine]:
    """Yield an engine on a fresh, whole schema; each test runs on SQLite and on PostgreSQL.

    A test marked ``begins_with(template)`` gets a copy of that.
    """
    with opened(databases, request.param, beginning(request)) as engine:
        yield engine


@pytest.fixture(params=["sqlite", "postgresql"])
def peopled_database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Engine]:
    """Yield the same with the site and the cast in it: what rooms that know people call their ``database``."""
    from tests.story import CAST

    with opened(databases, request.param, beginning(request) or CAST) as engine:
        yield engine


@pytest.fixture
def sqlite_database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Engine]:
    """Yield an engine on a fresh SQLite database; a copy of what the mark ``begins_with(template)`` names."""
    with opened(databases, "sqlite", beginning(request)) as engine:
        yield engine


@pytest.fixture
def postgresql_database(databases: Databases) -> Iterator[Engine]:
    """Yield an engine on a fresh PostgreSQL database."""
    with opened(databases, "postgresql") as engine:
        yield engine


@pytest.fixture
def clock() -> SettableClock:
    """Stand at 2026-11-22 15:00 UTC until the test moves it."""
    return SettableClock()


def folders_under(path: Path) -> dict[str, str]:
    """Return settings that keep everything an installation writes outside its database in one folder."""
    return {
        "mail_folder": str(path / "mail"),
        "erp_outbox": str(path / "erp" / "outbox"),
        "erp_inbox": str(path / "erp" / "inbox"),
        "key_folder": str(path / "keys"),
        "checkpoint_folder": str(path / "checkpoints"),
        # A thousand tests ask from one address within a minute.
        "sign_in_rate": "off",
        "api_rate": "off",
        "public_rate": "off",
    }


@contextmanager
def wired(database: Engine, clock: SettableClock, folder: Path) -> Iterator[Installation]:
    """Yield the whole house wired on a database, with its folders under one of the test's own."""
    from webapp.wiring import wire  # late: tests of the lower rooms need no webapp

    house = wire(database.url.render_as_string(hide_password=False), settings=folders_under(folder), clock=clock)
    try:
        yield house
    finally:
        house.database.dispose()


@pytest.fixture
def installation(database: Engine, clock: SettableClock, tmp_path: Path) -> Iterator[Installation]:
    """Yield the whole house wired on a fresh database."""
    with wired(database, clock, tmp_path) as house:
        yield house


@pytest.fixture(params=["sqlite", "postgresql"])
def plant(
    request: pytest.FixtureRequest, databases: Databases, clock: SettableClock, tmp_path: Path
) -> Iterator[Installation]:
    """Yield the house with the cast, a supplier, two parts and the released flow; on SQLite and on PostgreSQL.

    A test marked ``begins_with(template)`` gets what the template built upon that.
    """
    from tests.story import PLANT

    with (
        opened(databases, request.param, beginning(request) or PLANT) as engine,
        wired(engine, clock, tmp_path) as house,
    ):
        yield house


def beginning(request: pytest.FixtureRequest) -> Template | None:
    """Return the template that the mark ``begins_with`` of a test names."""
    marker = request.node.get_closest_marker("begins_with")
    template: Template | None = marker.args[0] if marker else None
    return template
