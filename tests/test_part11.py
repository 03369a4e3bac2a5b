"""The page that traces Part 11 to tests is what the tests say, and leaves no clause out."""

from __future__ import annotations

from tools import part11


def test_the_page_is_what_the_tests_say() -> None:
    assert part11.PAGE.read_text("utf-8") == part11.page()


def test_every_clause_has_a_test_or_a_procedure_and_every_mark_a_clause() -> None:
    assert part11.problems() == []


def test_no_reserved_clause_is_cited() -> None:
    text = part11.page()
    assert not [
        clause for clause in ("820.40", "820.50", "820.70", "820.75", "820.80", "820.181", "820.184") if clause in text
    ]
