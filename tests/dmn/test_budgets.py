"""An expression that asks for too much is refused quickly, whatever it asks for."""

import time

import pytest

import dmn
from tests.dmn.tables import decision, definitions, literal

DOUBLING = "for i in 1..60 return if i = 1 then {first} else {next}"
PAIRS = "(" + DOUBLING.format(first="[1]", next="[partial[-1], partial[-1]]") + ")[-1]"

BOMBS = {
    "nested loops": ("for i in 1..300, j in 1..300, k in 1..300 return 1", "items"),
    "endless some": ("some i in 1..1000000000 satisfies i < 0", "steps"),
    "endless list": ("count(for i in 1..1000000000 return i)", "items"),
    "nested lists": ("for i in 1..1000 return for j in 1..1000 return for k in 1..1000 return 1", "steps"),
    "recursion": ("{f: function(g, n) g(g, n + 1), r: f(f, 1)}.r", "depth"),
    "doubling list": (DOUBLING.format(first="[1]", next="concatenate(partial[-1], partial[-1])"), "items"),
    "doubling text": (DOUBLING.format(first='"x"', next="partial[-1] + partial[-1]"), "characters"),
    "doubling tree": (PAIRS, "items"),
    "doubling context": (DOUBLING.format(first="{a: 1}", next="{a: partial[-1], b: partial[-1]}"), "items"),
    "text of a doubled tree": (f"string({PAIRS})", "characters"),
    "comparing doubled trees": (f"{PAIRS} = {PAIRS}", "steps"),
    "flattening a doubled tree": (f"flatten({PAIRS})", "items"),
    "copies of a growing list": ("for i in 1..40000 return partial", "steps"),
    "quadratic distinct": ("distinct values(for i in 1..5000 return [i])", "steps"),
    "replacement": ('replace("' + "a" * 30_000 + '", "a", "' + "b" * 30_000 + '")', "characters"),
    "join": ('string join(for i in 1..50000 return "' + "x" * 1000 + '")', "characters"),
    "one long text many times": (
        '{w: string join(for j in 1..500 return "' + "x" * 100 + '"), r: for i in 1..1000 return w}.r',
        "items",
    ),
    "keys and texts": ('for i in 1..90000 return {a: "' + "x" * 300 + '"}', "items"),
    "deep list": ("(for i in 1..50000 return [partial[-1]])[-1]", "depth"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_quickly(name):
    text, limit = BOMBS[name]
    begun = time.process_time()
    with pytest.raises(dmn.BudgetExceeded, match="Expected ") as refused:
        # The clock is given time: on a busy machine it would end some of them before they are too large.
        dmn.compile_expression(text, source="bomb").evaluate({}, budget=dmn.Budget(seconds=60))
    assert refused.value.limit == limit
    assert refused.value.source == "bomb"
    assert time.process_time() - begun < 15


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}$"])
def test_a_regular_expression_runs_in_linear_time(pattern):
    begun = time.process_time()
    assert dmn.compile_expression("matches(x, p)").evaluate({"x": "a" * 5000 + "!", "p": pattern}) is False
    assert time.process_time() - begun < 5


def test_a_regular_expression_that_needs_too_much_memory_is_null():
    outcome = dmn.compile_expression('matches("a", "((a{100}){100}){100}")').explain({})
    assert outcome.value is None
    assert "Expected a regular expression" in outcome.diagnostics[0].message


def test_the_wall_clock_is_a_limit():
    budget = dmn.Budget(steps=10**9, items=10**9, seconds=0.05)
    with pytest.raises(dmn.BudgetExceeded) as refused:
        dmn.compile_expression("some i in 1..1000000000 satisfies i < 0").evaluate({}, budget=budget)
    assert refused.value.limit == "seconds"


def test_a_budget_can_be_made_smaller():
    with pytest.raises(dmn.BudgetExceeded, match="Expected at most 10 steps"):
        dmn.compile_expression("count(for i in 1..20 return i)").evaluate({}, budget=dmn.Budget(steps=10))


def test_honest_work_fits_the_budget():
    assert len(dmn.compile_expression("for i in 1..300, j in 1..300 return i * j").evaluate({})) == 90_000
    assert (
        dmn.compile_expression("for i in 1..40000 return if i < 3 then 1 else partial[-1] + 1").evaluate({})[-1]
        == 39_999
    )


@pytest.mark.parametrize(
    "text",
    [
        "9 ** 9 ** 9 ** 9 ** 9",
        "exp(1e30)",
        "decimal(1/3, 6000)",
        "round up(1e-6000, 3)",
        "2 ** -1e30",
        "1.0000001 ** 1e15",
    ],
)
def test_no_number_takes_long(text):
    begun = time.process_time()
    dmn.compile_expression(text).evaluate({})
    assert time.process_time() - begun < 0.5


def test_the_place_where_a_budget_ran_out_is_told():
    text = "1 +\n  count(for i in 1..1000000000 return i)"
    with pytest.raises(dmn.BudgetExceeded) as refused:
        dmn.compile_expression(text, source="gate").evaluate({})
    assert str(refused.value).startswith("gate:2:9: Expected a list of at most")


def test_a_chain_of_decisions_is_followed_and_an_absurd_one_refused():
    def chain(length):
        links = [decision(f"d{n}", literal(f"d{n + 1} + 1"), decisions=[f"d{n + 1}"]) for n in range(length)]
        return dmn.parse(definitions(*links, decision(f"d{length}", literal("0"))))

    assert chain(100).evaluate("d0", {}).value == 100
    with pytest.raises(dmn.BudgetExceeded) as refused:
        chain(2000).evaluate("d0", {})
    assert refused.value.limit == "depth"


def test_decisions_that_need_each_other_twice_are_computed_once():
    layers = [
        decision(f"d{n}", literal(f"d{n + 1} + d{n + 1}"), decisions=[f"d{n + 1}", f"d{n + 1}"]) for n in range(60)
    ]
    assert dmn.parse(definitions(*layers, decision("d60", literal("1")))).evaluate("d0", {}).value == 2**60
