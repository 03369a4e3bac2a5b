"""The support table in docs/bpmn.md is what the engine says of each element, and every row that runs has its test."""

from __future__ import annotations

from pathlib import Path

from tools import bpmn_support
from tools.bpmn_support import Row, problems, proofs


def test_the_pages_are_what_the_engine_says() -> None:
    written = bpmn_support.PAGE.read_text("utf-8")
    assert written == bpmn_support.page(written)
    assert bpmn_support.OLDER.read_text("utf-8") == bpmn_support.older()


def test_every_row_that_runs_has_its_test_and_every_proof_its_row() -> None:
    assert problems(bpmn_support.rows(), proofs()) == []


def test_a_row_without_a_test_and_a_proof_without_a_row_are_told() -> None:
    table = [Row("Events", "end: none"), Row("Events", "end: error"), Row("Events", "end: link", why_not="Expected …")]
    found = {
        "end: none": [("tests/a.py", "test_it")],
        "end: link": [("tests/a.py", "test_it")],
        "end: odd": [("tests/a.py", "test_it")],
    }
    assert problems(table, found) == [
        "end: error: expected a test that proves it, but none does",
        "tests/a.py: expected a row that runs, but 'end: link' is refused",
        "tests/a.py: expected a row that runs, but 'end: odd' is unknown",
    ]


def test_proofs_are_read_from_the_tests_alone(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_it.py").write_text(
        '@proves("a", "b")\n@proves_each("{}: c", ["x", "y"])\ndef test_it():\n    pass\n\n\n@proves("d")\ndef helper():\n    pass\n'
    )
    assert sorted(proofs(folder)) == ["a", "b", "x: c", "y: c"]
