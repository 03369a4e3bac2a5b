"""A time of day has one canonical text, a row one hash whichever way it is taken, and a whole number its digits."""

import datetime as dt

import pytest

from engine.canonical import canonical, canonical_json, content_hash, flat_hash, is_whole
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


@pytest.mark.parametrize("text", ["", " 1", "-1", "1.0", "²", "１", "٣", "1_0", "9" * 10, "9" * 5000])
def test_only_digits_that_every_reader_takes_are_a_whole_number(text):
    assert not is_whole(text)


def test_a_whole_number_is_what_a_reader_makes_of_it():
    assert [int(text) for text in ("0", "007", "9" * 9) if is_whole(text)] == [0, 7, 999_999_999]
