"""Wrong text is refused with the line and column where it goes wrong."""

import time

import pytest

import dmn


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("1 +", 1, 4, "Expected an expression, but the text ends"),
        ("", 1, 1, "Expected an expression, but the text ends"),
        ("a\n+ * 2", 2, 3, "Expected an expression, but found *"),
        ("(1", 1, 3, "Expected ) after the expression, but the text ends"),
        ("[1, 2", 1, 6, "Expected ] or , after an element, but the text ends"),
        ("{a 1}", 1, 2, "Expected a key and a colon, but found a"),
        ("{a: 1, a: 2}", 1, 8, "Expected each key once, but a comes twice"),
        ('"abc', 1, 1, 'Expected a closing ", but the text ends'),
        ("if a then b", 1, 12, "Expected else, but the text ends"),
        ("for x 1..3 return x", 1, 12, "Expected in, but found return"),
        ("some x in y", 1, 12, "Expected satisfies, but the text ends"),
        ("x between 1", 1, 12, "Expected and, but the text ends"),
        ("f(a: 1, 2)", 1, 10, "Expected all arguments by name or all by position, but they are mixed"),
        ("a b c )", 1, 7, "Expected an operator or the end of the expression, but found )"),
        ('@"2026-02-30"', 1, 1, "Expected a day of the calendar, but 2026-2-30 is none"),
        ("= 5", 1, 1, "Expected an expression, but found ="),
        ("x == 5", 1, 4, "Expected an expression, but found ="),
        ("1 instance of", 1, 14, "Expected a type, but the text ends"),
        ("'single'", 1, 1, "Expected an expression, but found '"),
        (
            "function(a) external {java: 1}",
            1,
            13,
            "Expected a FEEL body, but external functions (Java, PMML) are refused",
        ),
        ("then", 1, 1, "Expected an expression, but found then"),
        ('"\\ud83d"', 1, 9, "Expected whole characters, but an escape is half of a surrogate pair"),
    ],
)
def test_an_error_names_its_place_and_what_was_expected(text, line, column, message):
    with pytest.raises(dmn.FeelSyntaxError) as refused:
        dmn.compile_expression(text, source="gate.bpmn")
    assert (refused.value.message, refused.value.line, refused.value.column) == (message, line, column)
    assert str(refused.value) == f"gate.bpmn:{line}:{column}: {message}"


def test_a_word_after_a_known_name_is_refused():
    with pytest.raises(dmn.FeelSyntaxError, match="but found total"):
        dmn.compile_expression("order total > 5", names=["order"])


@pytest.mark.parametrize("text", ["> 5,", ">", "not(", "[1..", "1 2", "a,,b"])
def test_wrong_unary_tests_are_refused(text):
    with pytest.raises(dmn.FeelSyntaxError):
        dmn.compile_unary_tests(text)


NESTED = [
    "(" * 3000 + "1" + ")" * 3000,
    "-" * 5000 + "1",
    "a" + "[1]" * 5000,
    "a" + ".b" * 5000,
    "f" + "()" * 5000,
    "=".join(["1"] * 5000),
    "[" * 2000,
    "[1..x[ " * 40 + "1" + "]" * 40,
    "x in (" * 200,
    "if a then " * 500,
    "{a:" * 500,
    "function(x) " * 500,
    "x instance of " + "list<" * 500,
]


@pytest.mark.parametrize("text", NESTED, ids=lambda text: text[:12])
def test_text_that_nests_too_deep_is_refused_and_not_a_crash(text):
    with pytest.raises(dmn.FeelSyntaxError, match=r"nests deeper|found|ends"):
        dmn.compile_expression(text)


def test_long_sums_and_junctions_are_no_nesting():
    assert dmn.compile_expression("+".join(["1"] * 10_000)).evaluate({}) == 10_000
    assert dmn.compile_expression(" or ".join(["a = 1"] * 5_000)).evaluate({"a": 2}) is False
    assert dmn.compile_unary_tests("> " + "+".join(["1"] * 10_000)).evaluate(10_001) is True


def test_an_expression_of_more_than_64_k_is_refused():
    with pytest.raises(dmn.FeelSyntaxError, match="Expected an expression of at most 65,536 characters"):
        dmn.compile_expression("1+" * 60_000)


LONG = {
    "f(" + " " * 60_000: "Expected an expression",
    "f(" + "a " * 30_000: "Expected ) or ,",
    "/*" * 30_000: "Expected an expression",
    "{" + ",".join(f"a {n}:a" for n in range(6_000)) + ", a 1: 2}": "Expected each key once",
}


@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:4])
def test_long_texts_are_refused_in_no_time(text):
    # Each of these was quadratic once; a pass over it takes milliseconds.
    begun = time.process_time()
    with pytest.raises(dmn.FeelSyntaxError) as refused:
        dmn.compile_expression(text)
    assert refused.value.message.startswith(LONG[text])
    assert time.process_time() - begun < 5
