"""Business time keeps the time of day and skips what the site skips (D35)."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from engine.act import Act, Installation
from engine.errors import Invalid
from engine.words import clock_time
from records.calendar import BusinessCalendar
from tests import makers
from tests.databases import SCHEMA
from tests.makers import D

pytestmark = pytest.mark.begins_with(SCHEMA)

CHICAGO = ZoneInfo("America/Chicago")


def local(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=CHICAGO)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-11-24T15:00", "2", "2026-11-27T15:00"),
        ("2026-11-24T15:00", "3", "2026-11-30T15:00"),
        ("2026-11-24T15:00", "5", "2026-12-02T15:00"),
        ("2026-11-24T15:00", "0", "2026-11-24T15:00"),
        ("2026-11-22T10:00", "0", "2026-11-23T10:00"),
        ("2026-11-22T10:00", "1", "2026-11-23T10:00"),
        ("2026-11-26T10:00", "1", "2026-11-27T10:00"),
        ("2026-03-06T15:00", "1", "2026-03-09T15:00"),
        ("2026-10-30T15:00", "1", "2026-11-02T15:00"),
        ("2026-11-24T15:00", "0.5", "2026-11-25T10:00"),
        ("2026-11-24T08:00", "0.5", "2026-11-24T13:00"),
        ("2026-11-25T16:00", "0.5", "2026-11-27T11:00"),
    ],
)
def test_business_days_keep_the_local_time_of_day(act: Act, start: str, days: str, end: str) -> None:
    makers.make_site(act)
    found = BusinessCalendar().add_business_days(act.session, local(start).astimezone(dt.UTC), D(days))
    assert found.astimezone(CHICAGO).replace(tzinfo=None).isoformat(timespec="minutes") == end
    assert found.tzinfo is dt.UTC


@pytest.mark.parametrize("days", ["-1", "1000000", "NaN"])
def test_absurd_numbers_of_days_are_refused(act: Act, days: str) -> None:
    makers.make_site(act)
    with pytest.raises(Invalid):
        BusinessCalendar().add_business_days(act.session, act.now, D(days))


def test_a_site_that_never_opens_is_refused_and_does_not_hang(act: Act) -> None:
    makers.make_site(act, opening_days=())
    with pytest.raises(Invalid, match="never"):
        BusinessCalendar().add_business_days(act.session, act.now, D(1))


def test_sentences_say_the_time_of_the_plant(installation: Installation):
    with installation.acting("system:test") as act:
        makers.make_site(act)
        said = clock_time(act.session, dt.datetime(2026, 11, 22, 14, 2, tzinfo=dt.UTC), now=act.now)
    assert said == "08:02"
