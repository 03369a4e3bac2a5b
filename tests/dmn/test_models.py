"""DMN files: decisions that build on each other, boxed expressions, bad files, places of errors."""

import datetime as dt
from decimal import Decimal

import pytest

import dmn
from tests.dmn.tables import decision, definitions, input_data, literal, requirements, table


def parse(*parts, **options):
    return dmn.parse(definitions(*parts), name="test.dmn", **options)


def test_a_model_lists_its_decisions_with_ids_names_and_requirements():
    model = parse(
        input_data("Order total"), decision("Needs approval", literal("Order total > 100"), needs=["Order total"])
    )
    (found,) = model.decisions
    assert (found.id, found.name, found.requires) == ("Needs_approval", "Needs approval", ("Order total",))
    assert model.evaluate("Needs_approval", {"Order total": 150}).value is True
    assert model.evaluate("Needs approval", {"Order total": 50}).value is False


def test_a_decision_that_is_not_there_is_refused_with_the_names_that_are():
    with pytest.raises(dmn.UnknownDecision, match="Expected one of the decisions A, but got B"):
        parse(decision("A", literal("1"))).evaluate("B", {})


def test_decisions_build_on_decisions_and_their_results_are_nested():
    model = parse(
        input_data("x"),
        decision("Half", literal("x / 2"), needs=["x"]),
        decision(
            "Band", table({"Half": None}, {"band": None}, [("> 10", '"A"'), ("<= 10", '"B"')]), decisions=["Half"]
        ),
        decision("Text", literal('"Band " + Band'), decisions=["Band"]),
    )
    result = model.evaluate("Text", {"x": 30})
    assert result.value == "Band A"
    (band,) = result.required
    assert [rule.row for rule in band.matched] == [1]
    assert [(half.decision, half.value) for half in band.required] == [("Half", Decimal(15))]


def test_business_knowledge_is_called_as_a_function():
    knowledge = (
        '<businessKnowledgeModel id="net_price" name="net price"><variable name="net price"/><encapsulatedLogic>'
        '<formalParameter name="gross" typeRef="number"/><formalParameter name="rate"/>'
        + literal("gross / (1 + rate)")
        + "</encapsulatedLogic></businessKnowledgeModel>"
    )
    model = parse(knowledge, decision("Net", literal("net price(119, 0.19)"), knowledge=["net price"]))
    assert model.evaluate("Net", {}).value == Decimal(100)
    assert model.call("net price", [110, Decimal("0.1")]) == Decimal(100)


def test_business_knowledge_may_call_itself():
    knowledge = (
        '<businessKnowledgeModel id="fact" name="fact"><variable name="fact"/><encapsulatedLogic><formalParameter name="n"/>'
        + literal("if n <= 1 then 1 else n * fact(n - 1)")
        + '</encapsulatedLogic><knowledgeRequirement><requiredKnowledge href="#fact"/></knowledgeRequirement></businessKnowledgeModel>'
    )
    model = parse(
        knowledge,
        decision("F", literal("fact(10)"), knowledge=["fact"]),
        decision("Deep", literal("fact(100000)"), knowledge=["fact"]),
    )
    assert model.evaluate("F", {}).value == Decimal(3628800)
    with pytest.raises(dmn.BudgetExceeded) as refused:
        model.evaluate("Deep", {})
    assert refused.value.limit == "depth"


def test_a_boxed_context_sees_its_earlier_entries_and_its_result():
    boxed = (
        "<context>"
        f'<contextEntry><variable name="net"/>{literal("100")}</contextEntry>'
        f'<contextEntry><variable name="tax rate"/>{literal("0.2")}</contextEntry>'
        f'<contextEntry><variable name="gross"/>{literal("net * (1 + tax rate)")}</contextEntry>'
        "</context>"
    )
    model = parse(
        decision("Price", boxed),
        decision("Gross", boxed.replace("</context>", f"<contextEntry>{literal('gross')}</contextEntry></context>")),
    )
    assert model.evaluate("Price", {}).value == {"net": Decimal(100), "tax rate": Decimal("0.2"), "gross": Decimal(120)}
    assert model.evaluate("Gross", {}).value == Decimal(120)


def test_boxed_lists_relations_conditionals_filters_loops_and_invocations_compute():
    header = '<column name="a"/><column name="b"/>'
    rows = [f"<row>{literal(one)}{literal(other)}</row>" for one, other in (("1", "2"), ("3", "4"))]
    relation = f"<relation>{header}{''.join(rows)}</relation>"

    def part(name, text):
        return f"<{name}>{literal(text)}</{name}>"

    model = parse(
        decision("list", f"<list>{literal('1')}{literal('2')}</list>"),
        decision("relation", relation),
        decision(
            "conditional", f"<conditional>{part('if', '1 > 2')}{part('then', '1')}{part('else', '2')}</conditional>"
        ),
        decision("filter", f"<filter>{part('in', '[1,2,3]')}{part('match', 'item > 1')}</filter>"),
        decision("for", f'<for iteratorVariable="i">{part("in", "[1,2]")}{part("return", "i * 10")}</for>'),
        decision("some", f'<some iteratorVariable="i">{part("in", "[1,2]")}{part("satisfies", "i > 1")}</some>'),
        decision("every", f'<every iteratorVariable="i">{part("in", "[1,2]")}{part("satisfies", "i > 1")}</every>'),
        decision(
            "invocation",
            f'<invocation>{literal("abs")}<binding><parameter name="n"/>{literal("-5")}</binding></invocation>',
        ),
    )
    values = {
        name: model.evaluate(name, {}).value
        for name in ("list", "conditional", "filter", "for", "some", "every", "invocation")
    }
    assert values == {
        "list": [1, 2], "conditional": 2, "filter": [2, 3], "for": [10, 20], "some": True, "every": False, "invocation": 5,
    }  # fmt: skip
    assert model.evaluate("relation", {}).value == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_a_decision_service_hides_what_it_does_not_answer():
    service = (
        '<decisionService id="svc" name="Pricing"><variable name="Pricing"/><outputDecision href="#Gross"/>'
        '<inputDecision href="#Net"/></decisionService>'
    )
    model = parse(
        service,
        decision("Net", literal("1")),
        decision("Gross", literal("Net * 2"), decisions=["Net"]),
        decision("Quote", literal("Pricing(50)"), knowledge=["svc"]),
    )
    assert model.services == ("Pricing",)
    assert model.evaluate("Pricing", {"Net": 21}).value == Decimal(42)
    assert model.evaluate("Quote", {}).value == Decimal(100)


def test_an_imported_model_is_read_by_the_name_of_the_import():
    other = dmn.parse(definitions(decision("Base price", literal("10"))).replace("urn:test", "urn:other"))
    text = definitions(
        '<import namespace="urn:other" name="Prices" importType="https://www.omg.org/spec/DMN/20191111/MODEL/"/>',
        f'<decision id="d" name="Double"><variable name="Double"/>{requirements([], ["X"]).replace("#X", "urn:other#Base_price")}'
        f"{literal('Prices.Base price * 2')}</decision>",
    )
    assert dmn.parse(text, imports=[other]).evaluate("Double", {}).value == Decimal(20)
    with pytest.raises(dmn.ModelError, match="Expected the imported file of namespace urn:other"):
        dmn.parse(text)


def test_item_definitions_convert_and_refuse_values():
    types = (
        '<itemDefinition name="tLevel"><typeRef>string</typeRef><allowedValues><text>"low","high"</text></allowedValues></itemDefinition>'
        '<itemDefinition name="tLevels" isCollection="true"><typeRef>tLevel</typeRef></itemDefinition>'
    )
    model = parse(
        types, input_data("levels", type_ref="tLevels"), decision("Count", literal("count(levels)"), needs=["levels"])
    )
    assert model.evaluate("Count", {"levels": "low"}).value == Decimal(1)
    wrong = model.evaluate("Count", {"levels": ["low", "odd"]})
    assert wrong.value is None
    assert [error.message for error in wrong.errors] == [
        "levels: Expected a value of type list<tLevel>, but got a list"
    ]


def test_an_answer_of_the_wrong_type_is_null_with_an_error():
    model = parse(decision("N", literal('"text"'), type_ref="number"))
    result = model.evaluate("N", {})
    assert result.value is None
    assert [error.message for error in result.errors] == ["N: Expected a value of type number, but got the string text"]


@pytest.mark.parametrize(
    "namespace",
    [
        "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
        "http://www.omg.org/spec/DMN/20180521/MODEL/",
        "https://www.omg.org/spec/DMN/20191111/MODEL/",
        "https://www.omg.org/spec/DMN/20211108/MODEL/",
        "https://www.omg.org/spec/DMN/20230324/MODEL/",
    ],
)
def test_every_version_of_dmn_is_read(namespace):
    model = dmn.parse(definitions(decision("A", literal("1 + 1")), namespace=namespace))
    assert model.evaluate("A", {}).value == Decimal(2)


def test_now_and_today_are_the_moment_that_the_caller_gives():
    model = parse(decision("D", literal('string(today()) + string(now() - duration("PT1H"))')))
    now = dt.datetime(2026, 11, 22, 0, 30, tzinfo=dt.UTC)
    assert model.evaluate("D", {}, now=now).value == "2026-11-222026-11-21T23:30:00Z"


def test_host_functions_with_blanks_in_their_names_are_called():
    add = dmn.HostFunction("add business days", ("from", "n"), lambda start, n: start + dt.timedelta(days=int(n)))
    model = parse(decision("Due", literal('add business days(date("2026-11-20"), 3)')))
    result = model.evaluate("Due", {}, functions={add.name: add})
    assert result.value == dmn.Date(2026, 11, 23)


# Bad files


def test_a_wrong_cell_is_refused_with_its_line_and_column_in_the_file():
    text = definitions(
        input_data("x"),
        decision(
            "D", table({"x": None}, {"y": None}, [("> 1", "1"), ("&lt; 3 +".replace("&lt;", "<"), "2")]), needs=["x"]
        ),
    )
    with pytest.raises(dmn.FeelSyntaxError) as refused:
        dmn.parse(text, name="bands.dmn")
    error = refused.value
    assert str(error).startswith(f"bands.dmn:{error.line}:{error.column}: Expected an expression, but the text ends")
    # The cell is written "&lt; 3 +": the column counts what stands in the file.
    line = text.splitlines()[error.line - 1]
    assert line[error.column - 9 : error.column - 1] == "&lt; 3 +"


def test_read_leniently_a_wrong_expression_is_a_problem_and_null():
    model = parse(decision("Bad", literal("1 +")), decision("Good", literal("2")), strict=False)
    assert [problem.code for problem in model.problems] == ["syntax"]
    bad = model.evaluate("Bad", {})
    assert bad.value is None
    assert bad.errors[0].message == "Expected an expression, but the text ends"
    assert model.evaluate("Good", {}).value == Decimal(2)


def test_a_name_that_nothing_brings_into_scope_is_a_problem_with_a_suggestion():
    model = parse(input_data("amount"), decision("D", literal("amuont > 1"), needs=["amount"]))
    (problem,) = model.problems
    assert problem.message == "Expected a name in scope, but amuont is required by nothing here; did you mean amount?"
    assert problem.line == 4


def test_decisions_in_a_circle_are_refused():
    with pytest.raises(dmn.ModelError, match="Expected decisions that do not depend on themselves, but A does"):
        parse(decision("A", literal("B"), decisions=["B"]), decision("B", literal("A"), decisions=["A"]))


def test_a_reference_to_nothing_is_refused():
    with pytest.raises(dmn.ModelError, match="Expected a reference to an element of the model, but #gone is none"):
        parse(decision("A", literal("1"), needs=["gone"]))


@pytest.mark.parametrize("kind", ["Java", "PMML"])
def test_external_functions_are_refused(kind):
    logic = f'<functionDefinition kind="{kind}">{literal("1")}</functionDefinition>'
    with pytest.raises(dmn.ModelError, match=f"Expected a FEEL function, but functions of kind {kind} are refused"):
        parse(decision("A", logic))
    with pytest.raises(dmn.FeelSyntaxError, match="external functions"):
        parse(decision("A", literal('function(x) external {java: {class: "java.lang.Math"}}')))


def test_entities_and_document_types_are_refused():
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    text = definitions(decision("A", literal("1"))).replace('<?xml version="1.0"?>', '<?xml version="1.0"?>' + laughs)
    with pytest.raises(dmn.ModelError, match="Expected XML without a document type"):
        dmn.parse(text.replace("<text>1", "<text>&b;"))
    outside = '<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><definitions/>'
    with pytest.raises(dmn.ModelError, match="Expected XML without a document type"):
        dmn.parse(outside)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected well-formed XML"),
        ("<definitions", "Expected well-formed XML"),
        ("<definitions/>", "Expected a DMN file"),
        ('<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>', "Expected a DMN file"),
        ("x" * 5_000_001, "Expected at most 5,000,000 bytes of DMN"),
    ],
)
def test_what_is_no_dmn_file_is_refused(text, message):
    with pytest.raises(dmn.ModelError, match=message):
        dmn.parse(text)


def test_bytes_in_another_encoding_are_read():
    text = definitions(decision("A", literal('"Größe"'))).replace(
        'version="1.0"', 'version="1.0" encoding="ISO-8859-1"'
    )
    assert dmn.parse(text.encode("latin-1")).evaluate("A", {}).value == "Größe"


def test_types_that_double_at_every_level_are_refused():
    types = [
        f'<itemDefinition name="t{n}"><itemComponent name="a"><typeRef>t{n + 1}</typeRef></itemComponent>'
        f'<itemComponent name="b"><typeRef>t{n + 1}</typeRef></itemComponent></itemDefinition>'
        for n in range(40)
    ]
    with pytest.raises(dmn.ModelError, match="Expected item definitions of at most 10,000 parts"):
        parse(*types, decision("A", literal("1")))


def test_an_imported_file_of_another_kind_is_refused():
    with pytest.raises(dmn.ModelError, match="Expected imports of DMN files only"):
        parse(
            '<import namespace="urn:x" name="x" importType="http://www.w3.org/2001/XMLSchema"/>',
            decision("A", literal("1")),
        )


def test_a_file_of_camundas_modeler_reads_the_variables_of_the_process():
    text = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" xmlns:modeler="http://camunda.org/schema/modeler/1.0"
  id="defs" name="DRD" namespace="http://camunda.org/schema/1.0/dmn" modeler:executionPlatform="Camunda Cloud">
  <decision id="approval_band" name="Approval band">
    <decisionTable id="t" hitPolicy="FIRST">
      <input id="i" label="Amount"><inputExpression id="e" typeRef="integer"><text>amount</text></inputExpression></input>
      <output id="o" label="Band" name="band" typeRef="string" />
      <rule id="r1"><description>the small ones</description><inputEntry id="c1"><text>&lt;= 100</text></inputEntry>
        <outputEntry id="a1"><text>"S"</text></outputEntry></rule>
      <rule id="r2"><inputEntry id="c2"><text></text></inputEntry><outputEntry id="a2"><text>"L"</text></outputEntry></rule>
    </decisionTable>
  </decision>
</definitions>"""
    model = dmn.parse(text)
    assert model.problems == ()
    assert model.decisions[0].reads == {"amount"}
    result = model.evaluate("approval_band", {"amount": 50, "other": 1})
    assert (result.value, result.matched[0].annotations) == ("S", ("the small ones",))
    assert model.evaluate("approval_band", {"amount": 500}).value == "L"


def test_a_declared_input_is_in_scope_only_where_it_is_required():
    model = parse(input_data("a", "b"), decision("D", literal("b"), needs=["a"]))
    result = model.evaluate("D", {"a": 1, "b": 2})
    assert result.value is None
    assert [diagnostic.code for diagnostic in result.diagnostics] == ["name"]


@pytest.mark.parametrize("element", ["inputEntry", "outputEntry", "inputExpression", "literalExpression"])
def test_another_expression_language_is_refused(element):
    text = definitions(
        input_data("x"),
        decision("T", table({"x": None}, {"y": None}, [("1", "2")]), needs=["x"]),
        decision("L", literal("1")),
    )
    with pytest.raises(dmn.ModelError, match="Expected FEEL as expression language, but got javascript"):
        dmn.parse(text.replace(f"<{element}", f'<{element} expressionLanguage="javascript"', 1))
