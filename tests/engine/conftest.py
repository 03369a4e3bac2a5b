"""Fixtures for tests of the engine: a plant on a fresh database of either kind."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.clock import SettableClock
from tests.engine.plant import Plant


@pytest.fixture
def plant(database: Engine, clock: SettableClock) -> Plant:
    """Return a plant; each test runs on SQLite and on PostgreSQL."""
    return Plant(database, clock)


@pytest.fixture
def small_plant(sqlite_database: Engine, clock: SettableClock) -> Plant:
    """Return a plant on SQLite, for what does not depend on the database."""
    return Plant(sqlite_database, clock)
