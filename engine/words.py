"""How instants and spans read in the engine's sentences."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session


def clock_time(session: Session, moment: dt.datetime, *, now: dt.datetime) -> str:
    """Return ``14:02``, or ``2026-11-20 14:02`` on another day.

    In the zone of the wired calendar, else UTC.
    """
    calendar = session.info["installation"].calendar
    zone = calendar.zone(session) if calendar is not None else dt.UTC
    local = moment.astimezone(zone)
    return local.strftime("%H:%M" if local.date() == now.astimezone(zone).date() else "%Y-%m-%d %H:%M")


def span(length: dt.timedelta) -> str:
    """Return ``6 d``, ``3 h``, ``12 min``: the largest unit that fits, at least a minute."""
    minutes = max(int(length.total_seconds() // 60), 1)
    if minutes >= 1440:
        return f"{minutes // 1440} d"
    return f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min"
