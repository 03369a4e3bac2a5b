"""What FEEL expressions mean: arithmetic, three-valued logic, names with blanks, loops, filters, functions."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

import pytest

import dmn
from dmn import UNSEEN, FeelValues, HostFunction, compile_expression, compile_unary_tests


def value(text, **variables):
    return compile_expression(text).evaluate(variables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("-3 ** 2", 9),
        ("2 ** 3 ** 2", 64),
        ("10 - 4 - 3", 3),
        ("1 / 3", Decimal("0.3333333333333333333333333333333333")),
        ("0.1 + 0.2", Decimal("0.3")),
        ("2 / 3 * 3", Decimal("2.000000000000000000000000000000000")),
        ("1e3 + .5", Decimal("1000.5")),
        ("- (1 + 2)", -3),
        ("(1 + 2) * 3", 9),
        ('"a" + "b"', "ab"),
        ('"\\u00e9\\n"', "é\n"),
        ("1 /* one */ + 2 // two", 3),
    ],
)
def test_arithmetic_is_decimal_and_minus_binds_first(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    "text", ["1 / 0", '1 + "a"', "null + 1", "1 < null", '1 < "a"', '1 = "1"', "[1] < [2]", "-null", "1e6144 * 10"]
)
def test_what_has_no_answer_is_null_and_says_why(text):
    outcome = compile_expression(text).explain({})
    assert outcome.value is None
    assert [diagnostic.message[:8] for diagnostic in outcome.diagnostics] == ["Expected"]


TRUE, FALSE, NULL = "true", "false", "null"


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (TRUE, TRUE, True, True),
        (TRUE, FALSE, False, True),
        (TRUE, NULL, None, True),
        (FALSE, TRUE, False, True),
        (FALSE, FALSE, False, False),
        (FALSE, NULL, False, None),
        (NULL, TRUE, None, True),
        (NULL, FALSE, False, None),
        (NULL, NULL, None, None),
        ('"x"', TRUE, None, True),
        ('"x"', FALSE, False, None),
    ],
)
def test_and_or_follow_three_valued_logic(left, right, both, either):
    assert value(f"{left} and {right}") is both
    assert value(f"{left} or {right}") is either


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null = null", True), ("1 = null", False), ("1 != null", True), ("[] = null", False), ("[1,2] = [1,2]", True),
        ("{a: 1} = {a: 1.0}", True), ('1 = "1"', None), ("true = 1", None), ("[1..3] = [1..3]", True),
        ("[1..3) = [1..3]", False), ("not(true)", False), ("not(null)", None), ("not(1)", None),
        ("2 between 1 and 3", True), ("null between 1 and 3", None), ("if null then 1 else 2", 2),
    ],
)  # fmt: skip
def test_equality_and_conditions_know_null(text, expected):
    assert value(text) == expected
    assert type(value(text)) is not int


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 in [1..5]", True), ("5 in [1..5)", False), ("5 in ]4..6[", True), ("5 in (> 3)", True), ("5 in > 3", True),
        ("5 in (1, 5)", True), ("5 in [1, 5]", True), ("5 in (< 3, > 4)", True), ("5 in ([1..2], [4..6])", True),
        ('"b" in ["a".."c"]', True), ("null in (null)", True), ("null in [1..2]", None), ("5 in 5", True),
        ('date("2026-01-05") in [date("2026-01-01")..date("2026-01-31")]', True),
    ],
)  # fmt: skip
def test_in_tests_ranges_lists_and_alternatives(text, expected):
    assert value(text) is expected


# Names


def test_names_with_blanks_and_operators_are_read_when_they_are_known():
    expression = compile_expression(
        "Applicant's net-income + order total", names=["Applicant's net-income", "order total", "order"]
    )
    assert expression.evaluate({"Applicant's net-income": 1, "order total": 2, "order": 5}) == 3
    assert expression.reads == {"Applicant's net-income", "order total"}


def test_the_longest_known_name_wins():
    expression = compile_expression("a-b + a - c", names=["a", "a-b", "c"])
    assert expression.evaluate({"a": 10, "a-b": 100, "c": 1}) == 109


def test_unknown_words_parted_by_blanks_are_one_name():
    expression = compile_expression('first name = "rita" and  date of   birth.year > 1990')
    assert expression.reads == {"first name", "date of birth"}
    assert expression.evaluate({"first name": "rita", "date of birth": dt.date(1999, 1, 1)}) is True


def test_keywords_end_a_name():
    expression = compile_expression("if total price > 10 then big order else small order")
    assert expression.reads == {"total price", "big order", "small order"}


def test_a_variable_may_have_the_name_of_a_built_in():
    expression = compile_expression("count(list) + count")
    assert expression.evaluate({"list": [1, 2], "count": 10}) == 12
    assert expression.reads == {"list", "count"}


def test_the_names_of_date_and_time_keep_their_meaning():
    assert value('date and time("2026-11-22T10:00:00").hour') == 10
    assert value("date and time", date=True, time=False) is False


def test_reads_leave_out_what_is_bound_inside():
    expression = compile_expression("for i in items return {a: i + offset, b: a * 2}.b")
    assert expression.reads == {"items", "offset"}


def test_reads_tell_names_in_filters_apart():
    expression = compile_expression("lines[price > limit].name + other")
    assert expression.reads == {"lines", "other"}
    assert expression.maybe_reads == {"price", "limit"}


def test_reads_know_where_a_name_stands():
    expression = compile_expression("1 +\n  total")
    assert expression.positions["total"] == (6, 2, 3)


class Lazy(Mapping):
    """A mapping that remembers what was asked of it."""

    def __init__(self, **values):
        self.values_by_name, self.asked = values, []

    def __getitem__(self, name):
        self.asked.append(name)
        return self.values_by_name[name]

    def __iter__(self):
        raise AssertionError("nobody may copy the variables")

    def __len__(self):
        raise AssertionError("nobody may copy the variables")


def test_variables_are_looked_up_once_and_only_when_they_are_needed():
    variables = Lazy(a=True, b=5, c=7)
    assert compile_expression("if a then b + b else c").evaluate(variables) == 10
    assert variables.asked == ["a", "b"]


def test_a_missing_variable_is_null_with_a_reason():
    outcome = compile_expression("amuont > 1").explain({"amount": 5})
    assert outcome.value is None
    assert outcome.diagnostics[0].message == "Expected a variable amuont, but there is none in scope"
    assert (outcome.diagnostics[0].line, outcome.diagnostics[0].column) == (1, 1)


def test_a_variable_that_is_no_value_is_refused():
    with pytest.raises(ValueError, match="Expected a number, text, date, list or mapping, but got object"):
        value("x", x=object())


class Values(Lazy, FeelValues):
    pass


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a", Decimal(1)), ("b.c.d", "deep"), ("b.none", None), ("b", {"c": {"d": "deep"}, "none": None}), ('"text"', "text"),
        ("missing", UNSEEN), ("b.missing", UNSEEN), ("a.b", UNSEEN), ("list.x", UNSEEN), ("a + 1", UNSEEN), ("endless", UNSEEN),
    ],
)  # fmt: skip
def test_a_glance_sees_what_is_there_and_nothing_that_takes_more_than_a_look(text, seen):
    endless = [1]
    for _ in range(20):
        endless = [endless, endless]
    values = {"a": Decimal(1), "b": {"c": {"d": "deep"}, "none": None}, "list": [{"x": Decimal(2)}], "endless": endless}
    found = compile_expression(text).glance(Values(**values))
    assert found is seen if seen is UNSEEN else found == seen == value(text, **values)
    assert compile_expression(text).glance(values) == (seen if text.startswith('"') else UNSEEN)


# Lists, contexts, loops


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1,2,3][2]", 2), ("[1,2,3][-1]", 3), ("[1,2,3][4]", None), ("[1,2,3][item > 1]", [2, 3]), ("5[1]", 5),
        ("[1,2,3][item > 1][1]", 2), ("[{a: 1}, {a: 2}][a = 2].a", [2]), ("[][1]", None), ("[][item > 1]", []),
        ("[{a: 1}, {b: 2}].a", [1, None]), ("{a: {b c: 1}}.a.b c", 1), ("{a: 1, b: a + 1}.b", 2),
        ("for i in 1..3 return i * i", [1, 4, 9]), ("for i in 3..1 return i", [3, 2, 1]),
        ("for i in [1,2], j in [10,20] return i + j", [11, 21, 12, 22]),
        ("for i in 1..5 return if i < 3 then 1 else partial[-1] + partial[-2]", [1, 1, 2, 3, 5]),
        ("for i in 1..3 return count(partial)", [0, 1, 2]), ("for i in 1..2 return partial", [[], [[]]]),
        ("some x in [1,2] satisfies x > 1", True), ("every x in [1,2] satisfies x > 1", False),
        ("every x in [] satisfies false", True), ("some x in [null] satisfies x > 1", None),
        ("for i in null return i", None),
    ],
)  # fmt: skip
def test_lists_contexts_and_loops(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1..x[", "[1..5)"),
        ("[1..x[1]]", "[1..5]"),
        ("]1..x]", "(1..5]"),
        ("[1..2[", "[1..2)"),
        ("(1..x)", "(1..5)"),
        ("(< x)", "(< 5)"),
    ],
)
def test_brackets_of_ranges_are_told_from_filters(text, expected):
    assert dmn.text_of(value(text, x=5)) == expected


def test_functions_close_over_their_scope_and_take_names():
    assert value("{k: 10, add: function(a, b) a + b + k, r: add(b: 1, a: 2)}.r") == 13
    assert value("(function(x: number) x + 1)(1)") == 2
    assert value('(function(x: number) x)("a")') is None
    assert value("sort([3,1,2], function(x, y) x < y)") == [1, 2, 3]


def test_instance_of_asks_for_the_type():
    assert value("[1] instance of list<number>") is True
    assert value('{a: "x"} instance of context<a: string>') is True
    assert value("null instance of Any") is False
    assert value('@"P1D" instance of days and time duration') is True


def test_is_defined_and_get_or_else_know_missing_names():
    assert value("is defined(x)") is False
    assert value("is defined(x)", x=None) is True
    assert value("is defined(x.y)", x={"y": None}) is True
    assert value("is defined(x.z)", x={"y": None}) is False
    assert value("get or else(x, 5)") == 5
    assert value("get or else(x, 5)", x=1) == 1


# Host functions


def test_host_functions_get_python_values_and_give_them_back():
    seen = []

    def add_business_days(start, count):
        seen.append((start, count))
        return start + dt.timedelta(days=int(count))

    functions = {"add business days": HostFunction("add business days", ("from", "n"), add_business_days)}
    expression = compile_expression("add business days(from: start, n: 3).day", functions=functions)
    assert expression.evaluate({"start": dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)}) == 23
    assert seen == [(dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC), Decimal(3))]
    assert expression.reads == {"start"}


def test_a_host_function_that_refuses_makes_the_call_null_with_its_reason():
    def fail(_):
        raise ValueError("Expected a user, but got none")

    outcome = compile_expression("boss of(1)", functions={"boss of": HostFunction("boss of", ("user",), fail)}).explain(
        {}
    )
    assert outcome.value is None
    assert outcome.diagnostics[0].message == "boss of: Expected a user, but got none"


def test_a_function_that_is_not_there_is_null_with_a_reason():
    outcome = compile_expression("boss of(1)").explain({})
    assert outcome.value is None
    assert outcome.diagnostics[-1].message == "Expected a function boss of, but got null"


def test_now_comes_from_the_caller():
    now = dt.datetime(2026, 11, 22, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
    assert str(compile_expression("now()").evaluate({}, now=now)) == "2026-11-22T23:30:00-05:00"
    assert str(compile_expression("today()").evaluate({}, now=now)) == "2026-11-22"


def test_python_is_only_text():
    for text in ('__import__("os").getpid()', "().__class__", "open('x')", "eval(1)", "x.__class__"):
        try:
            result = compile_expression(text).evaluate({"x": "text"})
        except dmn.FeelSyntaxError:
            continue
        assert result is None


# Unary tests


@pytest.mark.parametrize(
    ("tests", "given", "expected"),
    [
        ("-", None, True), ("", 5, True), ("5", 5, True), ("5", 6, False), ("> 5", 6, True), ("[1..5], 9", 9, True),
        ('"a","b"', "b", True), ('not("a","b")', "b", False), ('not("a","b")', "c", True), ("? > 3", 4, True),
        ("? > 3 and ? < 10", 4, True), ("> x", 6, True), ("null", None, True), ("> 5", None, False),
        ("not(? > 3) or ? = 9", 9, True), ("[1, 2, 3]", 2, True), ('contains(?, "ab")', "cab", True), ("true", True, True),
        ("!= 5", 6, True), ("-5", -5, True), ("x in (> ?)", 4, True), ("x in (> ?)", 6, False), ("x in (? + 1)", 4, True),
        ("x > 3", "other", True), ("x > 7", "other", False),
    ],
)  # fmt: skip
def test_unary_tests_decide_about_a_value(tests, given, expected):
    assert compile_unary_tests(tests, names=["x"]).evaluate(given, {"x": 5}) is expected


def test_unary_tests_report_what_they_read():
    assert compile_unary_tests("> limit, ? = other value").reads == {"limit", "other value"}
