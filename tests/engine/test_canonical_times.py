"""A time of day has one canonical text, and a row one hash whichever way it is taken."""

import datetime as dt

import pytest

from engine.canonical import canonical, canonical_json, content_hash, flat_hash
from engine.decisions import DecisionKind


def test_a_time_of_day_is_written_as_iso_text():
    assert canonical(dt.time(7)) == "07:00:00"
    assert canonical_json({"opens_at": dt.time(7, 30)}) == b'{"opens_at":"07:30:00"}'


@pytest.mark.parametrize("text", ["plain", "Größe", "e\u0301", None])
def test_the_hash_of_a_row_is_that_of_its_canonical_json(text):
    row = {
        "text": text,
        "number": 7,
        "is": True,
        "at": dt.datetime(2026, 11, 22, 8, tzinfo=dt.UTC),
        "kind": DecisionKind.VOID,
    }
    assert flat_hash(row) == content_hash(row)
