"""A time of day has one canonical text."""

import datetime as dt

from engine.canonical import canonical, canonical_json


def test_a_time_of_day_is_written_as_iso_text():
    assert canonical(dt.time(7)) == "07:00:00"
    assert canonical_json({"opens_at": dt.time(7, 30)}) == b'{"opens_at":"07:30:00"}'
