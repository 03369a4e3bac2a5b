"""The demo plant as a template: settled once per run and kind of database, and copied for each test that opens it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from migrations import migrate
from tests.clock import SettableClock
from tests.conftest import folders_under
from tests.databases import Template
from webapp import demo
from webapp.wiring import wire


def _settle(url: str) -> None:
    """Settle it as ``make run`` does."""
    migrate(url)
    with TemporaryDirectory() as folder:
        house = wire(url, settings=folders_under(Path(folder)), clock=SettableClock())
        try:
            demo.settle(house)
        finally:
            house.database.dispose()


DEMO = Template("demo", _settle)
