"""A chain is read act by act: what was set together is one line, and what was only computed anew does not drown the rest."""

from __future__ import annotations

import datetime as dt

from webapp.ledger import Event, deeds_of

NOW = dt.datetime(2026, 11, 22, 15, tzinfo=dt.UTC)


def row(seq: int, words: str, *, actor: str = "user:pat", computed: bool = False, value: bool = True) -> Event:
    return Event(
        seq, NOW, actor, words, None, "x", None, "f" * 64, words.partition(" ")[2], is_value=value, is_computed=computed
    )


def test_values_of_one_act_are_folded_and_a_few_stay_apart() -> None:
    newest_first = [
        row(9, "changed status"),
        *(row(seq, "set title") for seq in range(8, 4, -1)),
        row(4, "changed fai"),
    ]
    assert [(deed.words, deed.is_single) for deed in deeds_of(newest_first)] == [
        ("changed status", True), ("set 4 values", False), ("changed fai", True),
    ]  # fmt: skip
    assert deeds_of(newest_first)[1].places == "rows 5 to 8"


def test_hashes_computed_anew_are_one_line_whoever_caused_them_and_no_row_is_lost() -> None:
    hashes = [row(seq, "changed impact hash", actor=f"user:{seq}", computed=True) for seq in range(20, 4, -1)]
    signed = row(4, "signed", value=False)
    deeds = deeds_of([*hashes, signed])
    assert [deed.words for deed in deeds] == ["impact hash computed anew, 16 times", "signed"]
    assert [event.seq for deed in deeds for event in deed.rows] == list(range(20, 3, -1))
