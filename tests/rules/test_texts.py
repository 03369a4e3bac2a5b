"""The labelled texts of the blurred-role rules: what is frozen stays frozen."""

import hashlib
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from rules.blurred_texts import read_purchase, read_text, sends_a_traveller, words_of
from rules.evaluation import TEXT_RULES, evaluate
from webapp.cli import main

TEXTS = Path(__file__).parent / "texts"

FROZEN_SHA256 = "cd2fb54e2ad6ed101a8965ae9bc5026b508a684ee63fb8802ff8249cc55b2119"
"""Written down when the texts were, before the detectors were: a text or a label changed later shows here."""


def test_the_sixty_texts_and_their_labels_are_those_chosen_before_the_detectors():
    content = (TEXTS / "frozen.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == FROZEN_SHA256
    texts = json.loads(content)["texts"]
    assert len(texts) == 60
    assert sum(not text["labels"] for text in texts) == 30


@pytest.mark.parametrize("name", ["frozen", "development", "extract"])
def test_the_detectors_keep_the_bars_on_every_set(name: str) -> None:
    found = evaluate(TEXTS / f"{name}.json")
    assert found.overall.precision is not None
    assert found.overall.recall is not None
    assert found.overall.precision >= 0.95, found.mistakes
    assert found.overall.recall >= 0.90, found.mistakes


def test_the_sets_are_large_and_hold_clean_and_blurred_texts_of_every_rule() -> None:
    sets = {name: json.loads((TEXTS / f"{name}.json").read_bytes())["texts"] for name in ("frozen", "development")}
    assert sum(len(texts) for texts in sets.values()) >= 200
    for texts in sets.values():
        labels = {label for text in texts for label in text["labels"]}
        assert labels == set(TEXT_RULES)
        assert sum(not text["labels"] for text in texts) >= len(texts) // 3
    together = [text["text"] for texts in sets.values() for text in texts]
    repeated = {text for text in sets["frozen"] if text in sets["development"]}
    assert (repeated, len(together) > 0) == (set(), True)


def test_the_command_prints_the_figures() -> None:
    printed = CliRunner().invoke(main, ["rules", "evaluate"])
    assert printed.exit_code == 0, printed.output
    assert "frozen: 60 texts" in printed.output
    answered = CliRunner().invoke(main, ["rules", "evaluate", "--json"])
    assert [each["set"] for each in json.loads(answered.output)] == ["frozen", "development", "extract", "later"]


def test_wrong_labels_are_told(tmp_path: Path) -> None:
    wrong = {"texts": [{"id": "1", "kind": "po_line", "text": "x", "labels": ["BLUR-X"]}]}
    (tmp_path / "frozen.json").write_text(json.dumps(wrong))
    answered = CliRunner().invoke(main, ["rules", "evaluate", "--texts", str(tmp_path)])
    assert (answered.exit_code, "BLUR-X" in answered.output) == (2, True)


@pytest.mark.parametrize(
    "text",
    [
        "as per the your our attached " * 3500, "1" * 100_000, " " * 100_000, "drill " * 17_000, "a." * 50_000, "WO-" * 33_000,
        "60 min " * 14_000, "no cracks, " * 9_000, "AMS-" * 25_000, "$ 12.00 each QuickPlate " * 4_000, "°" * 100_000,
        "x" * 100_000, "to to " * 16_000, "Drawing A-1 " * 8_000, "per lot 3 test " * 6_600, "must bake " * 10_000,
    ],
    ids=range(16),
)  # fmt: skip
def test_a_long_text_is_read_in_time_proportional_to_its_length(text: str) -> None:
    words_of("")

    def seconds(part: str) -> float:
        started = time.process_time()
        read_text(part)
        read_purchase(part, suppliers=["QuickPlate", "NorthStar"])
        sends_a_traveller(part)
        return time.process_time() - started

    assert seconds(text) < 3.0
