"""Every table answers its example rows, fires each row at least once, and has neither gaps nor overlaps where that matters."""

from __future__ import annotations

import pytest

from dmn.analysis import analyse
from rules.controlled import current_policy, read_policy
from rules.guarded import guarded_tables, problems
from rules.policy import TABLES, PolicyProblem, examples_of, read_table, run_examples, table_called, table_names

WITHOUT_GAPS = ("amendment_tolerance", "budget_check", "document_checks", "price_tolerance")


@pytest.mark.parametrize("name", table_names())
@pytest.mark.part11("11.10(a)")
def test_a_table_answers_its_examples_and_every_row_fires(name: str) -> None:
    assert list(run_examples(table_called(name), examples_of(name))) == []


@pytest.mark.parametrize("name", table_names())
def test_a_table_has_no_error(name: str) -> None:
    model = table_called(name).model
    assert model.problems == ()
    assert [str(finding) for finding in analyse(model) if finding.severity == "error"] == []


@pytest.mark.parametrize("name", WITHOUT_GAPS)
def test_a_table_without_gaps_answers_everything(name: str) -> None:
    assert [str(finding) for finding in analyse(table_called(name).model) if finding.kind in ("gap", "overlap")] == []


@pytest.mark.parametrize("name", table_names())
def test_every_row_says_in_words_what_it_means(name: str) -> None:
    (decision,) = table_called(name).model.decisions
    assert decision.id == name
    assert decision.description
    source = table_called(name).source.decode()
    assert source.count("<rule ") == source.count("<description>") - 1


def test_an_example_that_answers_otherwise_is_told() -> None:
    wrong = {"examples": [{"name": "x", "given": {"over_percent": 5}, "expect": [{"outcome": "WITHIN"}]}]}
    told = list(run_examples(table_called("budget_check"), wrong))
    assert told[0].startswith("budget_check: x: expected [{'outcome': 'WITHIN'}], but found")
    assert told[1:] == ["budget_check: no example fires row 1", "budget_check: no example fires row 3"]


def test_an_unknown_input_is_refused() -> None:
    with pytest.raises(PolicyProblem, match="over_percents"):
        table_called("budget_check").judge(over_percents=1)


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(PolicyProblem, match="no_such"):
        table_called("no_such")


def test_a_judgement_names_the_table_and_the_row() -> None:
    judgement = table_called("budget_check").judge(over_percent=3)
    assert (judgement.row.number, len(judgement.hash)) == (2, 64)
    assert judgement.row.words.startswith("Over by at most 5 percent")


def test_line_ends_do_not_change_a_table() -> None:
    source = (TABLES / "budget_check.dmn").read_bytes()
    assert read_table("budget_check", source.replace(b"\n", b"\r\n")).hash == table_called("budget_check").hash


def test_controlled_fields_name_what_exists() -> None:
    assert problems(current_policy()) == []


def test_every_column_of_an_order_line_is_decided_upon() -> None:
    """A new column of a line is either controlled or listed here as free."""
    free = {
        "id", "version", "created_at", "created_by", "changed_at", "changed_by", "order_id", "promised_on", "status",
        "quantity_received", "quantity_accepted", "quantity_invoiced", "quantity_imported",
    }  # fmt: skip
    lines = next(guarded for guarded in guarded_tables(current_policy()) if guarded.table.name == "purchase_order_line")
    assert {column.name for column in lines.table.columns} == set(lines.classes) | free


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"unit_price"', '"unit_prise"', "expected a column of purchase_order_line, but found unit_prise"),
        ('"ACKNOWLEDGED"', '"ACKED"', "expected a status of purchase_order, but found ACKED"),
        ('"APPROVED"', '"DRAFT"', "to be free in DRAFT"),
    ],
)
def test_a_policy_that_names_what_does_not_exist_is_told(old: str, new: str, sentence: str) -> None:
    source = (TABLES / "controlled_fields.dmn").read_text(encoding="utf-8").replace(old, new)
    assert any(sentence in problem for problem in problems(read_policy(source.encode())))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"C4"', '"C9"', "change class"),
        ('<text>"purchase_order"</text>', "<text>-</text>", "quoted constants"),
        ('"TRANSMITTED"', '"PENDING_APPROVAL"', "both speak of it"),
    ],
)
def test_a_policy_that_does_not_compile_is_refused(old: str, new: str, sentence: str) -> None:
    source = (TABLES / "controlled_fields.dmn").read_text(encoding="utf-8").replace(old, new)
    with pytest.raises(PolicyProblem, match=sentence):
        read_policy(source.encode())
