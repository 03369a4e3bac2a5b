"""A whole plant on either database, its pages and its API: what a demanding visitor tries on the first day."""

from __future__ import annotations

import pytest

from engine.act import Installation
from tests.clock import SettableClock
from tests.story import Story
from tests.webapp.api.conftest import calling
from tests.webapp.conftest import app, browse


@pytest.fixture
def house(plant: Installation) -> Installation:
    """Have the plant with the cast and the released flow, on SQLite and on PostgreSQL."""
    return plant


@pytest.fixture
def story(house: Installation, clock: SettableClock) -> Story:
    """Stand in that plant at 2026-11-22 15:00 UTC."""
    return Story(house, clock)


__all__ = ["app", "browse", "calling"]
