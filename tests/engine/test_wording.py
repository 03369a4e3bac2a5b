"""Two wordings of a text: what only reads differently and what says something else."""

from __future__ import annotations

import pytest

from engine.wording import reads_the_same


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("The plant neads more", "The plant needs more", True),
        ("brakcets for lot 7", "Brackets for lot 7.", True),
        ("requirement", "requirements", True),
        ("colour", "color", True),
        ("do it now", "do it not", False),
        ("lot 70010", "lot 70011", False),
        ("painted black", "painted blank", True),
        ("more brackets", "fewer brackets", False),
        ("brackets", "brackets and bolts", False),
        ("M8X1250 screws", "M8X1251 screws", False),
        ("", "words", False),
    ],
)
def test_a_slip_of_the_pen_is_one_letter_of_a_longer_word_and_never_a_number(old: str, new: str, wanted: bool) -> None:
    assert (reads_the_same(old, new), reads_the_same(new, old)) == (wanted, wanted)
