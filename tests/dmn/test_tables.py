"""Hit policies, aggregation, and what a table tells about how it decided."""

from decimal import Decimal

import pytest

import dmn
from tests.dmn.tables import decision, definitions, input_data, table

RULES = [("> 10", '"high"', "1"), ("> 5", '"middle"', "2"), ("> 0", '"low"', "3")]


def run(policy, rules=None, *, outputs=None, x=20, aggregation="", **options):
    logic = table(
        {"x": None},
        outputs or {"level": None},
        rules or [rule[:2] for rule in RULES],
        policy=policy,
        aggregation=aggregation,
        **options,
    )
    model = dmn.parse(definitions(input_data("x"), decision("Level", logic, needs=["x"])), name="level.dmn")
    return model.evaluate("Level", {"x": x})


def test_a_unique_table_answers_with_its_only_matching_row():
    result = run("UNIQUE", x=3)
    assert result.value == "low"
    assert [rule.row for rule in result.matched] == [3]


def test_a_unique_table_that_matches_twice_is_an_error_that_names_the_rows():
    result = run("UNIQUE", x=20)
    assert result.value is None
    assert [(error.code, error.message) for error in result.errors] == [
        ("unique", "Expected at most one rule to match, but rows 1, 2, 3 match")
    ]


def test_a_first_table_answers_with_the_first_matching_row():
    assert run("FIRST", x=20).value == "high"
    assert run("FIRST", x=7).value == "middle"


def test_an_any_table_accepts_rows_that_agree_and_refuses_rows_that_do_not():
    agreeing = [("> 0", '"ok"'), ("> 5", '"ok"')]
    assert run("ANY", agreeing).value == "ok"
    quarrel = run("ANY")
    assert quarrel.value is None
    assert quarrel.errors[0].code == "any"


def test_a_priority_table_answers_with_the_highest_output_value():
    assert run("PRIORITY", outputs={"level": '"low", "middle", "high"'}).value == "low"
    assert run("PRIORITY", outputs={"level": '"middle", "low"'}).value == "middle"


def test_an_output_order_table_lists_answers_by_priority():
    assert run("OUTPUT ORDER", outputs={"level": '"low", "middle", "high"'}).value == ["low", "middle", "high"]


def test_a_rule_order_table_lists_answers_by_row():
    assert run("RULE ORDER").value == ["high", "middle", "low"]


def test_a_collect_table_lists_answers_and_is_empty_when_none_matches():
    assert run("COLLECT").value == ["high", "middle", "low"]
    assert run("COLLECT", x=-1).value == []


@pytest.mark.parametrize(("aggregation", "expected"), [("SUM", 6), ("MIN", 1), ("MAX", 3), ("COUNT", 3)])
def test_a_collect_table_aggregates(aggregation, expected):
    rules = [("> 10", "1"), ("> 5", "2"), ("> 0", "3")]
    assert run("COLLECT", rules, aggregation=aggregation).value == Decimal(expected)


def test_several_outputs_make_a_context():
    result = run("FIRST", RULES, outputs={"level": None, "rank": None})
    assert result.value == {"level": "high", "rank": Decimal(1)}


def test_default_outputs_answer_where_no_row_matches():
    assert run("UNIQUE", x=-5, defaults={"level": '"none"'}).value == "none"


def test_a_table_without_match_answers_null_and_says_so():
    result = run("UNIQUE", x=-5)
    assert result.value is None
    assert [diagnostic.code for diagnostic in result.diagnostics] == ["no-match"]
    assert result.errors == ()


def test_the_trace_names_rows_rule_ids_annotations_and_inputs():
    rules = [("> 10", '"high"', "board decides"), ("-", '"low"', "manager decides")]
    result = run("FIRST", rules, x=12)
    assert result.matched == (dmn.MatchedRule(1, "rule_1", {"level": "high"}, ("board decides",)),)
    assert result.inputs == (dmn.EvaluatedInput("x", Decimal(12)),)


def test_a_null_input_passes_only_a_dash_or_null():
    rules = [("> 10", '"high"'), ("null", '"unknown"'), ("<= 10", '"low"')]
    assert run("UNIQUE", rules, x=None).value == "unknown"


def test_a_cell_may_mention_the_input_as_a_question_mark():
    rules = [("? * 2 > 30", '"high"'), ("not(? * 2 > 30)", '"low"')]
    assert run("UNIQUE", rules, x=16).value == "high"
    assert run("UNIQUE", rules, x=15).value == "low"


def test_a_cell_lists_alternatives_and_not_excludes_them():
    logic = table({"dept": None}, {"boss": None}, [('"IT","HR"', '"ann"'), ('not("IT", "HR")', '"bob"')])
    model = dmn.parse(definitions(input_data("dept"), decision("Boss", logic, needs=["dept"])))
    assert model.evaluate("Boss", {"dept": "HR"}).value == "ann"
    assert model.evaluate("Boss", {"dept": "OPS"}).value == "bob"


def test_an_input_outside_the_allowed_values_is_an_error():
    logic = table({"dept": '"IT","HR"'}, {"boss": None}, [("-", '"ann"')])
    model = dmn.parse(definitions(input_data("dept"), decision("Boss", logic, needs=["dept"])))
    result = model.evaluate("Boss", {"dept": "XX"})
    assert result.errors[0].message == "Expected an allowed value for dept, but got the string XX"


def test_a_row_with_too_few_cells_is_refused_with_its_line():
    text = definitions(
        input_data("x"),
        decision("Level", table({"x": None}, {"a": None, "b": None}, [("-", "1", "2"), ("-", "1")]), needs=["x"]),
    )
    with pytest.raises(
        dmn.ModelError, match="Expected 1 input and 2 output cells in row 2, but got 1 and 1"
    ) as refused:
        dmn.parse(text, name="level.dmn")
    line = text.splitlines()[refused.value.line - 1]
    assert "rule_2" in line


@pytest.mark.parametrize("policy", ["MAJORITY", "first of all"])
def test_an_unknown_hit_policy_is_refused(policy):
    with pytest.raises(dmn.ModelError, match="Expected one of the hit policies"):
        run(policy)


def test_an_aggregation_without_collect_is_refused():
    with pytest.raises(dmn.ModelError, match="Expected an aggregation of SUM, MIN, MAX, COUNT with COLLECT"):
        run("UNIQUE", aggregation="SUM")
