"""A house with its guard and its directory, and nothing above the rules."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from engine.act import Installation
from records.directory import StaffDirectory
from rules.guard import LockstepGuard
from tests.clock import SettableClock


@pytest.fixture
def house(database: Engine, clock: SettableClock) -> Installation:
    return Installation(database, guard=LockstepGuard(), directory=StaffDirectory(), clock=clock)
