"""A story on a fresh plant, on either database."""

from __future__ import annotations

import pytest

from engine.act import Installation
from tests.clock import SettableClock
from tests.conftest import peopled_database
from tests.story import Story


@pytest.fixture
def story(plant: Installation, clock: SettableClock) -> Story:
    """Stand in a plant that mints its own order numbers, at 2026-11-22 15:00 UTC."""
    return Story(plant, clock)


database = peopled_database
