"""The room of records alone: a real database, the real directory, calendar and signer, and a guard that lets all pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from sqlalchemy import Engine

from engine.act import Act, Installation
from engine.errors import Finding
from records.calendar import MAIN, BusinessCalendar
from records.directory import StaffDirectory
from records.signing import PasswordSigner
from records.signing_policy import WIRED_AS
from rules.signing_policy import signing_policy_of
from tests.clock import SettableClock
from tests.conftest import peopled_database


class OpenGuard:
    """Judges nothing; the laws have tests of their own."""

    def judge(self, *_: object) -> Iterable[Finding]:
        return ()

    def judge_statement(self, *_: object) -> Iterable[Finding]:
        return ()

    def refusal_of(self, *_: object) -> None:
        return None

    def may_decide(self, *_: object, **__: object) -> Iterable[Finding]:
        return ()

    def may_give(self, *_: object) -> Iterable[Finding]:
        return ()


@pytest.fixture
def house(database: Engine, clock: SettableClock) -> Installation:
    return Installation(
        database,
        guard=OpenGuard(),
        directory=StaffDirectory(),
        calendar=BusinessCalendar(),
        signer=PasswordSigner(),
        clock=clock,
        extras={WIRED_AS: signing_policy_of(MAIN)},
    )


@pytest.fixture
def act(house: Installation) -> Iterator[Act]:
    """An open act of rita's that commits at the end of the test."""
    with house.acting("user:rita") as opened:
        yield opened


database = peopled_database
