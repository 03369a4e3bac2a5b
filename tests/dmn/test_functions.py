"""The built-in functions: DMN 1.5's, by their own examples and at their edges."""

import pytest

import dmn
from dmn.functions import BUILT_INS


def text(expression, **variables):
    value = dmn.compile_expression(expression).evaluate(variables)
    return None if value is None else dmn.text_of(value)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # numbers
        ("decimal(1/3, 2)", "0.33"), ("decimal(1.5, 0)", "2"), ("decimal(2.5, 0)", "2"), ("floor(-1.5)", "-2"),
        ("floor(1.56, 1)", "1.5"), ("ceiling(-1.56, 1)", "-1.5"), ("round up(5.5, 0)", "6"), ("round down(-5.5, 0)", "-5"),
        ("round half up(-1.125, 2)", "-1.13"), ("round half down(1.125, 2)", "1.12"), ("abs(-10)", "10"),
        ('abs(@"-PT5H")', "PT5H"), ("modulo(-12, 5)", "3"), ("modulo(12, -5)", "-3"), ("modulo(10.1, -4.5)", "-3.4"),
        ("sqrt(16)", "4"), ("sqrt(-1)", None), ("log(0)", None), ("exp(0)", "1"), ("odd(5)", "true"), ("even(-2)", "true"),
        ("floor(1, null)", None), ("decimal(1, 99999)", None), ("round up(1e-6000, 2)", "0.01"),
        # texts
        ('substring("foobar", 3)', "obar"), ('substring("foobar", -2, 1)', "a"), ('substring("foobar", 0)', None),
        ('string length("\\ud83d\\udc0eab")', "3"), ('upper case("aBc4")', "ABC4"), ('lower case("aBc4")', "abc4"),
        ('substring before("foobar", "bar")', "foo"), ('substring after("foobar", "ob")', "ar"),
        ('substring before("foobar", "x")', ""), ('replace("abcd", "(ab)|(a)", "[1=$1][2=$2]")', "[1=ab][2=]cd"),
        ('replace("hello", "L", "x", "i")', "hexxo"), ('replace("a.b", ".", "-", "q")', "a-b"), ('replace("a", "a*?", "x")', None),
        ('replace("a", "a", "$")', None), ('contains("foobar", "of")', "false"), ('starts with("foobar", "fo")', "true"),
        ('ends with("foobar", "r")', "true"), ('matches("foobar", "^fo*b")', "true"), ('matches("a\\nb", "a.b", "s")', "true"),
        ('matches("x", "[")', None), ('matches("x", "x", "z")', None), ('split("John Doe", "\\\\s")', '["John", "Doe"]'),
        ('string join(["a", null, "b"], "-")', "a-b"), ('string join(["a", 1])', None), ('extract("a1b22", "[0-9]+")', '["1", "22"]'),
        ('number("1 000,5", " ", ",")', "1000.5"), ('number("1,000.5", ",", ".")', "1000.5"), ('number("1.000", ".", ".")', None),
        ('number("abc")', None), ("string(1.10)", "1.1"), ("string(1e3)", "1000"), ("string(null)", None),
        ('string({a: ["x", null]})', '{a: ["x", null]}'), ("string([1..3))", "[1..3)"), ('is(@"10:00:00", @"10:00:00")', "true"),
        ('is(@"10:00:00Z", @"10:00:00+00:00")', "true"), ('is(1, "1")', "false"),
        # lists
        ("list contains([1, null], null)", "true"), ("count([])", "0"), ("count(1, 2)", "2"), ("count(null)", None),
        ("min([3, 1, 2])", "1"), ("max(1, 3, 2)", "3"), ('min("b", "a")', "a"), ("min([])", None), ('min([1, "a"])', None),
        ("sum([1, 2.5])", "3.5"), ("sum([])", None), ('sum([@"PT1H", @"PT30M"])', "PT1H30M"), ("mean(1, 2, 3)", "2"),
        ("median(8, 2, 5, 3, 4)", "4"), ("median(6, 1, 2, 3)", "2.5"), ("mode(6, 3, 9, 6, 6)", "[6]"), ("mode([6, 1, 9, 6, 1])", "[1, 6]"),
        ("stddev(2, 4, 7, 5)", "2.081665999466132735282297706979931"), ("stddev([47])", None), ("product(2, 3, 4)", "24"),
        ("all([true, null, false])", "false"), ("all([true, null])", None), ("all([])", "true"), ("any([false, null])", None),
        ("any([])", "false"), ("sublist([4, 5, 6], 1, 2)", "[4, 5]"), ("sublist([4, 5, 6], -1)", "[6]"), ("sublist([4], 2)", None),
        ("append([1], 2, 3)", "[1, 2, 3]"), ("concatenate([1, 2], [3])", "[1, 2, 3]"), ("insert before([1, 3], 1, 2)", "[2, 1, 3]"),
        ("remove([1, 2, 3], 2)", "[1, 3]"), ("remove([1], 5)", None), ("reverse([1, 2, 3])", "[3, 2, 1]"),
        ("index of([1, 2, 3, 2], 2)", "[2, 4]"), ("union([1, 2], [2, 3])", "[1, 2, 3]"),
        ("distinct values([1, 2, 1.0, [3], [3]])", "[1, 2, [3]]"),
        ("flatten([[1, [2]], 3])", "[1, 2, 3]"), ("list replace([2, 4, 7, 8], 3, 6)", "[2, 4, 6, 8]"),
        ("list replace([2, 4, 7, 8], function(item, newItem) item < newItem, 5)", "[5, 5, 7, 8]"),
        ("partition([1, 2, 3], 2)", "[[1, 2], [3]]"),
        ("sort([2, 1])", "[1, 2]"), ("duplicate values([1, 2, 1])", "[1]"),
        # contexts
        ('get value({key1: "value1"}, "key1")', "value1"), ('get value({}, "a")', None),
        ("get entries({a: 1})", '[{key: "a", value: 1}]'), ('context([{key: "a", value: 1}])', "{a: 1}"),
        ('context([{key: "a", value: 1}, {key: "a", value: 2}])', None), ('context put({x: 1}, "y", 2)', "{x: 1, y: 2}"),
        ('context put({x: 1, y: {a: 0}}, ["y", "a"], 2)', "{x: 1, y: {a: 2}}"), ("context merge([{x: 1}, {y: 2}])", "{x: 1, y: 2}"),
        # dates
        ('date("2026-11-22")', "2026-11-22"), ("date(2026, 2, 30)", None), ('date(date and time("2026-11-22T10:00:00"))', "2026-11-22"),
        ('time("23:59:00z")', None), ('time(14, 30, 0, @"PT1H")', "14:30:00+01:00"),
        ('date and time("2026-11-22T23:59:00@Europe/Paris").time offset', "PT1H"),
        ('date and time(date("2026-11-22"), time("10:00:00"))', "2026-11-22T10:00:00"),
        ('date and time(@"2026-07-01T10:00:00Z", "Europe/Paris")', "2026-07-01T12:00:00@Europe/Paris"),
        ('duration("P26M")', "P2Y2M"), ('duration("PT36H")', "P1DT12H"), ('duration("1D")', None),
        ('years and months duration(date("2011-12-22"), date("2013-08-24"))', "P1Y8M"),
        ('day of week(date("2026-11-22"))', "Sunday"), ('day of year(date("2024-12-31"))', "366"),
        ('month of year(date("2026-11-22"))', "November"), ('week of year(date("2005-01-01"))', "53"),
        ('week of year(date("2026-12-31"))', "53"),
        ('last day of month(date("2024-02-01"))', "2024-02-29"),
        ('cycle(3, duration("PT90M"))', "R3/PT1H30M"), ('cycle(duration("P1M"))', "R/P1M"), ('cycle(null, @"PT1S")', "R/PT1S"),
        ('cycle(-1, @"PT1S")', None), ('cycle(0, @"P1D")', "R0/P1D"), ('cycle("PT1S")', None),
        # ranges
        ("before(1, 10)", "true"), ("before([1..5), 5)", "true"), ("after([5..10], [1..5))", "true"), ("meets([1..5], [5..10])", "true"),
        ("met by([5..10], [1..5])", "true"), ("overlaps([1..5], [5..8])", "true"), ("overlaps([1..5], (5..8])", "false"),
        ("overlaps before([1..5], [4..10])", "true"), ("overlaps after([4..10], [1..5])", "true"), ("finishes(5, [1..5])", "true"),
        ("finished by([1..10], (5..10])", "true"), ("includes([1..10], 5)", "true"), ("during([4..6], [1..10))", "true"),
        ("starts(1, [1..5])", "true"), ("started by([1..10], [1..5])", "true"), ("coincides([1..5], [1..5])", "true"),
        ("includes((> 5), 6)", "true"), ("before((< 5), [5..6])", "true"), ('range("[1..3)")', "[1..3)"), ('range("[3..1]")', None),
        ('before(1, "a")', None),
    ],
)  # fmt: skip
def test_a_built_in_answers_as_dmn_says(expression, expected):
    assert text(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('substring(string: "foobar", start position: 3)', "obar"), ('contains(match: "o", string: "foo")', "true"),
        ('substring(string: "foobar", begin: 3)', None), ('string length(string: "a", string: "b")', None),
        ("decimal(n: 1.25, scale: 1)", "1.2"), ("during(point: 1, range: [1..2])", "true"), ("min(list: [1, 2])", "1"),
    ],
)  # fmt: skip
def test_arguments_may_be_named(expression, expected):
    assert text(expression) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("abs(true)", "Expected a number or days and time duration or years and months duration as n of abs, but got the boolean true"),
        ("abs()", "Expected abs(n), but got 0 arguments"),
        ("floor(1, 2, 3)", "Expected floor(n, scale), but got 3 arguments"),
        ('matches("a", "(")', "Expected a regular expression, but missing ): ("),
        ("substring(null, 1)", "Expected a string as string of substring, but got null"),
        ("modulo(1, 0)", "Expected a divisor other than 0, but it is 0"),
        ('date("22.11.2026")', 'Expected a date such as 2026-11-22, but got "22.11.2026"'),
        ('get value({a: 1}, "b")', "Expected an entry b in the context, but it has none"),
    ],
)  # fmt: skip
def test_a_null_of_a_built_in_has_a_reason(expression, reason):
    outcome = dmn.compile_expression(expression).explain({})
    assert outcome.value is None
    assert [diagnostic.message for diagnostic in outcome.diagnostics] == [reason]


def test_a_list_of_one_stands_for_its_element_and_an_element_for_a_list_of_one():
    assert text("abs([-1])") == "1"
    assert text("count(5)") == "1"
    assert text("reverse(5)") == "[5]"


@pytest.mark.parametrize("name", sorted(BUILT_INS))
def test_every_built_in_survives_nulls(name):
    # Whatever a built-in makes of nulls, it must be a value and no exception.
    widest = max(len(signature.parameters) for signature in BUILT_INS[name].signatures)
    for count in range(widest + 1):
        dmn.compile_expression(f"{name}({', '.join(['null'] * count)})").evaluate({})


VALUES = (
    "1",
    '"a"',
    "true",
    "[1]",
    "{a: 1}",
    '@"2026-11-22"',
    '@"10:00:00"',
    '@"P1D"',
    '@"P1Y"',
    "[1..2]",
    "function(x) x",
    "1e300",
)


@pytest.mark.parametrize("name", sorted(BUILT_INS))
def test_every_built_in_survives_every_kind_of_value(name):
    for first in VALUES:
        dmn.compile_expression(f"{name}({first})").evaluate({})
        for second in VALUES:
            dmn.compile_expression(f"{name}({first}, {second})").evaluate({})
