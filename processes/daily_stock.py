"""Take stock of the data once a day at the plant, so that its trend needs nobody to press a button (domain.md 1.24).

The day is claimed in the database (``records.daily_stock``): of two workers at the same moment one takes stock and the other goes
away empty-handed, and a restart in the middle of the day takes none again.
"""

from __future__ import annotations

import datetime as dt

from engine.act import Installation
from engine.registry import Registry
from processes.data_quality import take_stock
from records.calendar import MAIN
from records.daily_stock import claim_day

registry = Registry()

NEXT_LOOK = "data quality: next look"
DAY = dt.timedelta(days=1)


@registry.chore("take_daily_stock")
def take_daily_stock(installation: Installation) -> int:
    """Keep the defects of a new day as findings and settle what was mended; return how many there are.

    0 until tomorrow, and where another worker has taken stock of the day.
    """
    now = installation.clock()
    planned: dt.datetime | None = installation.extras.get(NEXT_LOOK)
    if planned is not None and planned - DAY <= now < planned:
        return 0
    with installation.acting("system:timer") as act:
        zone = installation.calendar.zone(act.session) if installation.calendar is not None else dt.UTC
        is_mine = claim_day(act, MAIN, now.astimezone(zone).date())
        kept = len(take_stock(act)) if is_mine else 0
    tomorrow = dt.datetime.combine(now.astimezone(zone).date() + DAY, dt.time(), zone)
    installation.extras[NEXT_LOOK] = tomorrow.astimezone(dt.UTC)
    return kept
