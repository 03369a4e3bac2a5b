"""Times in what leaves the house: sentences carry instants in UTC, which are the same for everybody; a reader has a zone."""

from __future__ import annotations

import datetime as dt
import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.calendar import Site
from records.person import User

INSTANT = re.compile(r"(?<![\w/.:=&-])(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(?::\d\d(?:\.\d+)?)? ?(?:UTC|Z|\+00:00)(?![\w-])")
"""An instant within a sentence, to the minute."""


def zone_of(session: Session, user: User) -> dt.tzinfo:
    """Return the time zone of a person: that of the site they work at; UTC where it is not known."""
    site = session.scalar(select(Site).where(Site.code == user.site_code))
    return site.zone if site is not None else dt.UTC


def in_zone(text: str, zone: dt.tzinfo) -> str:
    """Return a text with its instants in a zone, which is named: ``2026-11-24 18:00 UTC`` becomes ``2026-11-24 12:00 CST``."""
    return INSTANT.sub(lambda found: _local(found, zone), text)


def _local(found: re.Match[str], zone: dt.tzinfo) -> str:
    try:
        at = dt.datetime.fromisoformat(f"{found[1]}T{found[2]}:00+00:00").astimezone(zone)
    except (ValueError, OverflowError):
        return found[
            0
        ]  # no instant after all, such as the 31st of a month of thirty days, or the last hour of the year 9999
    return f"{at:%Y-%m-%d %H:%M %Z}"
