"""Exact analysis of tables: what no row covers, what two rows both match, what no row above leaves over."""

import itertools
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dmn
from dmn.analysis import analyse
from tests.dmn.tables import decision, definitions, input_data, table

NAMES = ("amount", "dept", "day", "urgent", "x")


def findings(inputs, rules, *, outputs=None, policy="UNIQUE", needs=NAMES, **options):
    logic = table(inputs, outputs or {"answer": None}, rules, policy=policy, **options)
    model = dmn.parse(definitions(input_data(*needs), decision("Table", logic, needs=needs)), name="table.dmn")
    return analyse(model)


def told(found):
    return [(finding.kind, finding.severity, finding.rows, finding.text.partition(", but ")[2]) for finding in found]


def test_a_complete_table_without_overlaps_has_no_findings():
    rules = [("< 10", "-", "1"), ("[10..20]", "-", "2"), ("> 20", '"IT"', "3"), ("> 20", 'not("IT")', "4")]
    assert findings({"amount": None, "dept": None}, rules) == []


def test_a_gap_is_told_as_a_row_to_add():
    rules = [("< 10", "1"), ("(10..20]", "2")]
    assert told(findings({"amount": None}, rules)) == [
        ("gap", "warning", (), "none matches amount in (10, > 20)"),
    ]


def test_a_gap_over_several_columns_names_only_the_columns_that_matter():
    rules = [("<= 100", "-", "1"), ("> 100", "true", "2")]
    found = findings({"amount": None, "urgent": None}, rules)
    assert told(found) == [("gap", "warning", (), "none matches amount > 100, urgent = false")]


def test_allowed_values_bound_the_gaps():
    rules = [('"IT"', "1"), ('"HR"', "2")]
    assert findings({"dept": '"IT","HR"'}, rules) == []
    assert told(findings({"dept": '"IT","HR","OPS"'}, rules)) == [("gap", "warning", (), 'none matches dept = "OPS"')]
    assert told(findings({"dept": None}, rules)) == [("gap", "info", (), "none matches dept = any other text")]
    assert findings({"amount": "[0..10]"}, [("[0..5]", "1"), ("(5..10]", "2")]) == []


def test_whole_numbers_and_days_leave_nothing_between_neighbours():
    rules = [("<= 9", "1"), (">= 10", "2")]
    assert findings({"amount": None}, rules, types={"amount": "integer"}) == []
    assert told(findings({"amount": None}, rules)) == [("gap", "warning", (), "none matches amount in (9..10)")]
    days = [('<= date("2026-11-22")', "1"), ('>= date("2026-11-23")', "2")]
    assert findings({"day": None}, days) == []


def test_a_default_output_closes_every_gap():
    assert findings({"amount": None}, [("> 5", "1")], defaults={"answer": "0"}) == []


def test_collecting_tables_promise_no_answer_and_have_no_gaps_or_overlaps():
    assert findings({"amount": None}, [("> 5", "1"), ("> 7", "2")], policy="COLLECT") == []


def test_an_overlap_breaks_unique_and_shows_a_witness():
    rules = [("[0..20]", '"IT"', "1"), ("> 10", '"IT","HR"', "2"), ("-", 'not("IT","HR")', "3")]
    overlaps = [finding for finding in findings({"amount": None, "dept": None}, rules) if finding.kind == "overlap"]
    assert told(overlaps) == [("overlap", "error", (1, 2), 'rows 1 and 2 both match amount in (10..20], dept = "IT"')]


def test_any_minds_only_rows_that_answer_differently():
    assert told(findings({"amount": None}, [("> 5", "1"), ("> 7", "1"), ("<= 5", "2")], policy="ANY")) == []
    assert told(findings({"amount": None}, [("> 5", "1"), ("> 7", "2"), ("<= 5", "2")], policy="ANY")) == [
        ("overlap", "error", (1, 2), "rows 1 and 2 both match amount > 7")
    ]


def test_first_allows_overlaps_and_tells_them_as_information():
    found = findings({"amount": None}, [("> 5", "1"), ("-", "2")], policy="FIRST")
    assert [(finding.kind, finding.severity) for finding in found] == [("overlap", "info")]


def test_a_row_covered_by_a_union_of_rows_above_is_unreachable():
    rules = [
        ("< 10", "-", "1"),
        (">= 10", '"IT"', "2"),
        ("> 0", 'not("IT")', "3"),
        ("[5..15]", "-", "4"),
        ("-", "-", "5"),
    ]
    found = [
        finding
        for finding in findings({"amount": None, "dept": None}, rules, policy="FIRST")
        if finding.kind == "unreachable"
    ]
    assert told(found) == [
        ("unreachable", "warning", (4, 1, 2, 3), "rows 1, 2, 3 decide all of them"),
        ("unreachable", "warning", (5, 1, 2, 3), "rows 1, 2, 3 decide all of them"),
    ]


def test_a_row_that_something_is_left_for_is_reachable():
    rules = [("< 10", "1"), ("> 10", "2"), ("[5..15]", "3")]
    assert [
        finding.kind for finding in findings({"amount": None}, rules, policy="FIRST") if finding.kind == "unreachable"
    ] == []


def test_under_priority_a_better_output_hides_a_row_wherever_it_stands():
    rules = [("[5..10]", '"low"'), ("> 0", '"high"'), ("<= 0", '"low"')]
    found = findings({"amount": None}, rules, outputs={"answer": '"high","low"'}, policy="PRIORITY")
    assert [(finding.kind, finding.rows) for finding in found if finding.kind == "unreachable"] == [
        ("unreachable", (1, 2))
    ]


def test_a_cell_outside_the_allowed_values_never_matches():
    found = findings({"dept": '"IT","HR"'}, [('"IT","HR"', "1"), ('"OPS"', "2")])
    assert told(found) == [("unreachable", "warning", (2,), "no value of dept passes its cell")]


def test_opaque_cells_are_only_possible_findings():
    found = findings({"amount": None}, [("> x", "1"), ("> 5", "2")])
    assert told(found) == [
        ("gap", "info", (1,), "only row 1 might match amount <= 5"),
        ("overlap", "info", (1, 2), "rows 1 and 2 may both match amount > 5"),
    ]
    assert findings({"amount": None}, [("? > 5", "1"), ("-", "2")], policy="FIRST")[0].severity == "info"


def test_null_is_a_case_once_a_cell_names_it():
    rules = [("null", "1"), ("<= 5", "2"), ("> 5", "3")]
    assert findings({"amount": None}, rules) == []
    assert told(findings({"amount": None}, [("not(null)", "1")]))[0][3] == "none matches amount = null"


def test_a_finding_names_the_line_of_its_row():
    logic = table({"amount": None}, {"answer": None}, [("> 5", "1"), ("> 7", "2"), ("<= 5", "3")])
    text = definitions(input_data("amount"), decision("Table", logic, needs=["amount"]))
    (overlap,) = analyse(dmn.parse(text, name="table.dmn"))
    assert 'id="rule_2"' in text.splitlines()[overlap.line - 1]
    assert str(overlap).startswith(f"table.dmn:{overlap.line}: error: Table: Expected at most one rule to match")


def test_long_lists_of_findings_are_cut_short_with_a_count():
    rules = [("-", str(row)) for row in range(30)]
    found = [finding for finding in findings({"amount": None}, rules) if finding.kind == "overlap"]
    assert len(found) == 21
    assert sum("415 more of the kind overlap are not listed" in finding.text for finding in found) == 1


def test_a_table_of_200_rows_and_5_columns_takes_seconds_at_most():
    rules = [
        (f"[{row}..{row + 3})", f"> {row % 7}", f'"{row % 5}"', f"< {row % 11}", "-", str(row)) for row in range(200)
    ]
    inputs = {"amount": None, "x": None, "dept": None, "day": None, "urgent": None}
    begun = time.process_time()
    assert findings(inputs, rules)
    assert time.process_time() - begun < 20


cells = st.sampled_from(["-", "1", "2", "< 2", ">= 2", "[1..3]", "(1..3)", "not(2)", "1, 3", "> 3", "not(< 1)"])


@settings(max_examples=60)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_the_analysis_agrees_with_running_the_table(rows):
    """Every point of a fine grid is covered, doubled or left over just as the findings say."""
    rules = [(*cells, f'"{number}"') for number, cells in enumerate(rows, 1)]
    logic = table({"amount": None, "x": None}, {"answer": None}, rules, policy="COLLECT")
    collect = dmn.parse(definitions(input_data("amount", "x"), decision("Table", logic, needs=["amount", "x"])))
    points = list(itertools.product([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4], repeat=2))
    matched = [
        {rule.row for rule in collect.evaluate("Table", {"amount": one, "x": other}).matched} for one, other in points
    ]
    unique = findings({"amount": None, "x": None}, rules)
    doubled = {pair for rows_here in matched for pair in itertools.combinations(sorted(rows_here), 2)}
    assert {finding.rows for finding in unique if finding.kind == "overlap" and finding.rows} == doubled
    assert any(finding.kind == "gap" for finding in unique) is (set() in matched)
    first = findings({"amount": None, "x": None}, rules, policy="FIRST")
    hidden = {finding.rows[0] for finding in first if finding.kind == "unreachable"}
    deciding = {min(rows_here) for rows_here in matched if rows_here}
    assert hidden == set(range(1, len(rules) + 1)) - deciding


@pytest.mark.parametrize("policy", ["UNIQUE", "FIRST"])
def test_a_table_without_rules_is_told(policy):
    assert told(findings({"amount": None}, [], policy=policy)) == [("gap", "warning", (), "the table has none")]


@pytest.mark.parametrize("policy", ["UNIQUE", "FIRST"])
def test_a_tangled_table_is_told_unchecked_instead_of_taking_minutes(policy):
    chosen = random.Random(3)
    tests = ["-", *(f"> {number}" for number in range(100)), *(f"[{number}..{number + 40}]" for number in range(60))]
    names = [f"n{number}" for number in range(8)]
    rules = [(*(chosen.choice(tests) for _ in names), str(row)) for row in range(60)]
    begun = time.process_time()
    found = findings(dict.fromkeys(names), rules, policy=policy, needs=names)
    assert time.process_time() - begun < 25
    assert "unchecked" in {finding.kind for finding in found}
