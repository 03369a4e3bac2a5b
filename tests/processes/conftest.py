"""A story on a fresh plant, on either database."""

from __future__ import annotations

import pytest

from engine.act import Installation
from tests.clock import SettableClock
from tests.story import Story, open_plant


@pytest.fixture
def story(installation: Installation, clock: SettableClock) -> Story:
    """Stand in a plant that mints its own order numbers, at 2026-11-22 15:00 UTC."""
    open_plant(installation)
    return Story(installation, clock)
