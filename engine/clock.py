"""The clock. Time enters an act once; nothing below reads the wall clock again, so tests control it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Clock = Callable[[], dt.datetime]


def wall_clock() -> dt.datetime:
    """Return the present instant, aware, UTC."""
    return dt.datetime.now(dt.UTC)


def now_of(session: Session) -> dt.datetime:
    """Return the instant of a session's act, or what the installation's clock says to a reader."""
    act = session.info.get("act")
    moment: dt.datetime = act.now if act is not None else session.info["installation"].clock()
    return moment
