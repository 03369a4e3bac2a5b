"""A clock that a test sets. Time in tests is ``act.now``, never the wall."""

from __future__ import annotations

import datetime as dt

START = dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC)
"""A Sunday afternoon in UTC: the next business day is Monday the 23rd."""


class SettableClock:
    """Stands still at ``now`` until a test moves it."""

    def __init__(self, now: dt.datetime = START) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def set(self, now: dt.datetime) -> dt.datetime:
        """Put the clock to an aware instant, also backwards."""
        if now.tzinfo is None:
            raise ValueError(f"Expected an instant with a time zone, but found {now!r}")
        self.now = now.astimezone(dt.UTC)
        return self.now

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> dt.datetime:
        """Move the clock on and return the new instant."""
        return self.set(self.now + dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))
