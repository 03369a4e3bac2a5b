"""The clock. Time enters an act once; nothing below reads the wall clock again, so tests control it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

Clock = Callable[[], dt.datetime]


def wall_clock() -> dt.datetime:
    """Return the present instant, aware, UTC."""
    return dt.datetime.now(dt.UTC)
