"""A house with its guard and its directory, and nothing above the rules."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from engine.act import Installation
from records.calendar import MAIN
from records.directory import StaffDirectory
from records.signing_policy import WIRED_AS
from rules.guard import LockstepGuard
from rules.signing_policy import signing_policy_of
from tests.clock import SettableClock
from tests.conftest import peopled_database


@pytest.fixture
def house(database: Engine, clock: SettableClock) -> Installation:
    policy = {WIRED_AS: signing_policy_of(MAIN)}
    return Installation(database, guard=LockstepGuard(), directory=StaffDirectory(), clock=clock, extras=policy)


database = peopled_database
