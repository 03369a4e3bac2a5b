"""What cannot run is refused at deployment, with file, line, element, name and what to do instead."""

from __future__ import annotations

import re
import time

import pytest

from engine.spiff import Problem, Unreadable, read_bundle
from engine.spiff.camunda_7 import ATTRIBUTES, ELEMENTS
from engine.spiff.reading import EXTENSIONS, INSTEAD, INSTEAD_OF_EXTENSION
from engine.spiff.xml import MAX_BYTES
from tests.engine.spiff.diagrams import (
    association,
    boundary,
    call,
    diagram,
    each,
    end,
    event_sub,
    io,
    listeners,
    message,
    node,
    on,
    process,
    service,
    start,
    sub,
    timer,
    user,
    when,
)
from tests.engine.spiff.proofs import proves


def problems_of(*parts: str, flows: str = "", definitions: str = "") -> list[Problem]:
    with pytest.raises(Unreadable) as caught:
        read_bundle({"p.bpmn": diagram(process(*parts, flows=flows), definitions=definitions)})
    return list(caught.value.problems)


def only(*parts: str, flows: str = "", definitions: str = "") -> Problem:
    found = problems_of(*parts, flows=flows, definitions=definitions)
    assert len(found) == 1, [str(problem) for problem in found]
    return found[0]


def beside(*parts: str, flows: str = "s > a > e") -> Problem:
    """The one problem of a diagram that is fine but for what is given as element ``a``."""
    return only(start(), *parts, end(), flows=flows)


def test_an_id_or_a_name_that_no_index_takes_is_refused() -> None:
    long = "x" * 1001
    assert (
        "an id of at most 200 characters" in problems_of(start(), user(long), end(), flows=f"s > {long} > e")[0].message
    )
    assert "a name of at most 1000 characters" in beside(user("a", name=long)).message
    waits = (start(), node("receiveTask", "a", messageRef="m"), end())
    found = only(*waits, flows="s > a > e", definitions=message("m", "n" * 201))
    assert "a name of at most 200 characters" in found.message


def test_a_problem_names_file_line_element_and_remedy() -> None:
    problem = only(start(), node("serviceTask", "a", name="Send it"), end(), flows="s > a > e")
    assert problem == Problem(
        file="p.bpmn",
        line=5,
        element_id="a",
        element_name="Send it",
        message="Expected a job type, but the service task has none.",
        remedy="Set zeebe:taskDefinition type.",
    )
    assert str(problem) == (
        "p.bpmn:5: a 'Send it': Expected a job type, but the service task has none. Set zeebe:taskDefinition type."
    )


def test_all_problems_are_told_at_once() -> None:
    found = problems_of(
        start(),
        node("serviceTask", "a"),
        node("complexGateway", "c"),
        node("scriptTask", "b"),
        user("lonely"),
        end(),
        flows="s > a > b > e",
    )
    assert [problem.element_id for problem in found] == ["a", "c", "b", "lonely"]


def test_the_files_of_a_bundle_are_judged_together() -> None:
    broken = diagram(process(start(), id="q"))
    with pytest.raises(Unreadable) as caught:
        read_bundle(
            {
                "b.bpmn": b"no xml",
                "a.bpmn": diagram(process(node("task", "t"), id="q")),
                "q.bpmn": broken,
                "x.form": b"{}",
            }
        )
    assert [(problem.file, problem.element_id) for problem in caught.value.problems] == [
        ("a.bpmn", "q"),
        ("a.bpmn", "t"),
        ("b.bpmn", None),
        ("q.bpmn", "q"),
    ]


PYTHON = "__import__('os').system('id')"


def test_python_in_a_script_is_a_feel_syntax_error_with_its_position() -> None:
    text = f'<zeebe:script expression="={PYTHON}" resultVariable="x" />'
    problem = beside(node("scriptTask", "a", extensions=text))
    assert "Expected the script to be FEEL" in problem.message
    assert "line 1, column" in problem.message
    assert problem.element_id == "a"


def test_python_in_a_condition_is_a_feel_syntax_error_with_its_position() -> None:
    parts = (start(), node("exclusiveGateway", "g", default="g_b"), user("a"), user("b"), end())
    problem = only(*parts, flows=f"s > g\ng -[={PYTHON}]-> a\ng > b\na > e\nb > e")
    assert "Expected the condition to be FEEL" in problem.message
    assert "line 1, column" in problem.message
    assert problem.element_id == "g_a"


@pytest.mark.parametrize("text", [PYTHON, "x > 1", "true"])
def test_a_condition_without_an_equals_sign_is_refused(text: str) -> None:
    parts = (start(), node("exclusiveGateway", "g", default="g_b"), user("a"), user("b"), end())
    problem = only(*parts, flows=f"s > g\ng -[{text}]-> a\ng > b\na > e\nb > e")
    assert problem.message == f'Expected the condition to begin with "=", but it is the text "{text}".'


@pytest.mark.parametrize("language", ["python", "groovy", "http://www.w3.org/1999/XPath", "juel"])
def test_other_languages_than_feel_are_refused(language: str) -> None:
    script = node("scriptTask", "a", "<bpmn:script>1</bpmn:script>", scriptFormat=language)
    messages = [problem.message for problem in problems_of(start(), script, end(), flows="s > a > e")]
    assert f"Expected FEEL as the only expression language, but scriptFormat is '{language}'." in messages
    whole = diagram(process(start(), end(), flows="s > e")).replace(
        b'id="definitions"', f'id="d" expressionLanguage="{language}"'.encode()
    )
    with pytest.raises(Unreadable, match="expressionLanguage"):
        read_bundle({"p.bpmn": whole})


def test_each_camunda_7_attribute_and_element_is_listed_with_its_camunda_8_equivalent() -> None:
    attributes = {f"camunda:{name}": "max" for name in ATTRIBUTES}
    elements = "".join(f"<camunda:{name} />" for name in ELEMENTS)
    found = problems_of(start(), service("a", extensions=elements, **attributes), end(), flows="s > a > e")
    assert all(problem.element_id == "a" and "belongs to Camunda 7" in problem.message for problem in found)
    told = [(problem.message.split("camunda:")[1].split()[0], problem.remedy) for problem in found]
    assert sorted(told) == sorted([*ATTRIBUTES.items(), *ELEMENTS.items()])


def test_a_remedy_names_only_extensions_that_are_read() -> None:
    remedies = [*ATTRIBUTES.values(), *ELEMENTS.values(), *INSTEAD.values(), *INSTEAD_OF_EXTENSION.values()]
    named = {name for remedy in remedies for name in re.findall(r"zeebe:(\w+)", remedy)}
    assert named - EXTENSIONS.keys() == {"property", "input", "output"}


def test_what_the_web_modeler_of_camunda_8_writes_is_read_over() -> None:
    whole = diagram(process(start(), user("a"), end(), flows="s > a > e")).replace(
        b' id="definitions"', b' id="d" camunda:diagramRelationId="6b7c"'
    )
    assert read_bundle({"p.bpmn": whole}).specs


def test_what_stands_around_and_inside_a_refused_element_is_not_blamed() -> None:
    inner = (user("x"), user("y"), '<bpmn:sequenceFlow id="x_y" sourceRef="x" targetRef="y" />')
    parts = (
        start(),
        node("subChoreography", "a", *inner),
        boundary("b", "a", timer("duration", "PT1H")),
        user("z"),
        end(),
    )
    problem = only(*parts, flows="s > a > z > e\nb > e")
    assert (problem.element_id, "subChoreography" in problem.message) == ("a", True)


def test_what_camunda_7_never_had_is_refused_too() -> None:
    problem = beside(user("a", **{"camunda:colour": "red"}))
    assert problem.remedy == "Remove it, or model it with the zeebe: elements of Camunda 8."


@pytest.mark.parametrize("engine", ["activiti", "flowable"])
def test_the_engines_that_camunda_7_came_from_are_answered_alike(engine: str) -> None:
    whole = diagram(process(start(), user("a"), end(), flows="s > a > e")).replace(
        b'<bpmn:userTask id="a"',
        f'<bpmn:userTask xmlns:old="http://{engine}.org/bpmn" old:assignee="max" id="a"'.encode(),
    )
    with pytest.raises(Unreadable) as caught:
        read_bundle({"p.bpmn": whole})
    assert [problem.remedy for problem in caught.value.problems] == ["Use zeebe:assignmentDefinition assignee."]
    assert f"{engine}:assignee belongs to {engine.capitalize()}" in str(caught.value)


@pytest.mark.parametrize(
    ("juel", "feel"),
    [
        ("${amount > 5}", "=amount > 5"),
        ("#{ok == true && !late}", "=ok = true and not(late)"),
        ("${verdict == 'approved' || empty reason}", '=verdict = "approved" or (reason = null)'),
        ("${order.total() > 5}", None),
        ("${not late}", "=not(late)"),
        ("${a} and ${b}", None),
        ("done", None),
    ],
)
def test_a_condition_of_camunda_7_is_told_in_feel(juel: str, feel: str | None) -> None:
    parts = (start(), node("exclusiveGateway", "g", default="g_b"), user("a"), user("b"), end())
    problem = only(*parts, flows=f"s > g\ng -[{juel}]-> a\ng > b > e\na > e")
    assert problem.remedy == (f"Write it in FEEL: {feel}" if feel else 'Write "=" and a FEEL expression.')


def test_unknown_zeebe_extensions_are_refused_and_not_ignored() -> None:
    assert (
        "zeebe:linkedResources is not supported" in beside(service("a", extensions="<zeebe:linkedResources />")).message
    )


LISTENERS = "<bpmn:extensionElements><zeebe:executionListeners /></bpmn:extensionElements>"


@pytest.mark.parametrize(
    ("text", "element"),
    [
        (
            process(start(), end(), flows="s > e").replace("</bpmn:sequenceFlow>", LISTENERS + "</bpmn:sequenceFlow>"),
            "s_e",
        ),
        (
            process(
                start(),
                user("a", each("=[1]").replace("<zeebe:loop", "<zeebe:listeners /><zeebe:loop")),
                end(),
                flows="s > a > e",
            ),
            "a",
        ),
        (process(start(), end(), flows="s > e") + f'<bpmn:message id="m" name="paid">{LISTENERS}</bpmn:message>', "m"),
    ],
    ids=["flow", "loop", "message"],
)
def test_unknown_zeebe_extensions_are_refused_wherever_they_stand(text: str, element: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_bundle({"p.bpmn": diagram(text)})
    assert [problem.element_id for problem in caught.value.problems] == [element]


def test_an_extension_that_must_be_understood_is_refused() -> None:
    whole = diagram(
        '<bpmn:extension mustUnderstand="true" definition="x:paint" />', process(start(), end(), flows="s > e")
    )
    with pytest.raises(Unreadable, match="must be understood"):
        read_bundle({"p.bpmn": whole})
    assert read_bundle({"p.bpmn": whole.replace(b'"true" def', b'"false" def')}).specs


@pytest.mark.parametrize(
    ("element", "remedy"),
    [
        (node("complexGateway", "a"), "inclusive gateway"),
        (node("subChoreography", "a", user("x")), "sub-process"),
        (node("task", "a", "<bpmn:standardLoopCharacteristics />"), "multi-instance"),
        (node("userTask", "a", "<bpmn:potentialOwner id='po' />"), "candidateGroups"),
        (node("serviceTask", "a"), "zeebe:taskDefinition"),
        (node("sendTask", "a"), "zeebe:taskDefinition"),
        (node("businessRuleTask", "a"), "zeebe:calledDecision"),
        (node("scriptTask", "a"), "zeebe:script"),
        (node("scriptTask", "a", "<bpmn:script>print(1)</bpmn:script>"), "zeebe:script"),
        (node("callActivity", "a", calledElement="q"), "zeebe:calledElement"),
        (call("a", "q", bindingType="newest"), "Choose one of them"),
        (call("a", "q", bindingType="versionTag"), "version tag"),
        (user("a", extensions='<zeebe:formDefinition externalReference="https://forms.example" />'), ".form file"),
        (node("intermediateThrowEvent", "a", on("compensate", waitForCompletion="false")), "waitForCompletion"),
        (node("intermediateThrowEvent", "a", on("link", name="nowhere")), "pair of links"),
        (sub("a", start("us", timer("cycle", "R/PT1H")), user("u"), flows="us > u"), "begins when a token reaches it"),
        (node("receiveTask", "a"), "Choose a message"),
        (
            user(
                "a",
                "<bpmn:multiInstanceLoopCharacteristics><bpmn:loopCardinality>3</bpmn:loopCardinality></bpmn:multiInstanceLoopCharacteristics>",
            ),
            "inputCollection",
        ),
        (user("a", each("people")), '"="'),
        (user("a", each("=people", until="done")), '"="'),
        (user("a", each("=people", collect="=x")), "Fill in both"),
        (service("a", type=" "), "type"),
        (service("a", extensions=io(inputs={"": "=1"})), "target"),
        (service("a", extensions=io(outputs={"x": "=1 +"})), "FEEL"),
        (node("intermediateCatchEvent", "a"), "Say what it waits for"),
        (node("intermediateCatchEvent", "a", on("error")), "at the boundary"),
        (node("intermediateThrowEvent", "a", on("terminate")), "Only an end event"),
        (node("intermediateThrowEvent", "a", on("message", "nobody")), "Choose a message"),
        (node("intermediateThrowEvent", "a", on("message")), "Choose a message"),
        (node("intermediateCatchEvent", "a", on("signal", "nobody")), "Choose a signal"),
        (node("intermediateThrowEvent", "a", on("escalation", "nobody")), "Choose a escalation"),
        (node("intermediateThrowEvent", "a", on("compensate", activityRef="e")), "compensation boundary event"),
        (node("intermediateCatchEvent", "a", on("terminate"), on("cancel")), "one event for each"),
        (node("intermediateCatchEvent", "a", timer("cycle", "R3/PT1H")), "duration"),
        (node("intermediateCatchEvent", "a", timer("duration", "1 hour")), "ISO 8601"),
        (node("intermediateCatchEvent", "a", timer("date", "tomorrow")), "ISO 8601"),
        (node("intermediateCatchEvent", "a", "<bpmn:timerEventDefinition />"), "Fill in the timer"),
        (node("intermediateCatchEvent", "a", when("x")), '"="'),
        (node("intermediateCatchEvent", "a", when("")), "FEEL condition"),
        (sub("a", user("u")), "start event"),
        (sub("a", start("us", on("signal", "nobody")), user("u"), flows="us > u"), "begins when a token reaches it"),
    ],
)
def test_what_cannot_run_is_refused_with_a_remedy(element: str, remedy: str) -> None:
    found = [
        problem for problem in problems_of(start(), element, end(), flows="s > a > e") if problem.element_id != "u"
    ]
    assert remedy in found[0].remedy, [str(problem) for problem in found]
    assert all(problem.message.startswith("Expected ") and ", but " in problem.message for problem in found)


@pytest.mark.parametrize("text", ["0 0 9 * * MO-FR", "@reboot", "0 0 0 30 2 *", "R0/PT1H", "R3/PT0S"])
def test_a_cycle_that_never_comes_round_or_never_ends_at_once_is_refused(text: str) -> None:
    parts = (start(), user("a"), boundary("b", "a", timer("cycle", text), interrupting=False), end())
    assert only(*parts, flows="s > a > e\nb > e").element_id == "b"


def test_an_interrupting_boundary_timer_cannot_be_a_cycle() -> None:
    parts = (start(), user("a"), boundary("b", "a", timer("cycle", "R3/PT1H")), end())
    assert "to go off once" in only(*parts, flows="s > a > e\nb > e").message


@pytest.mark.parametrize("text", ["R3/PT1H", "@hourly"])
def test_an_interrupting_event_sub_process_cannot_begin_with_a_cycle(text: str) -> None:
    es = event_sub("es", start("es_s", timer("cycle", text)), end("es_e"), flows="es_s > es_e")
    assert "to go off once" in only(start(), user("a"), end(), es, flows="s > a > e").message


@pytest.mark.parametrize("flows", ["s > t > e\nc > x", "s > t\ns > c > x"])
def test_a_link_with_a_sequence_flow_beside_it_is_refused(flows: str) -> None:
    link = (
        node("intermediateThrowEvent", "t", on("link", name="l")),
        node("intermediateCatchEvent", "c", on("link", name="l")),
    )
    problem = only(start(), *link, user("x"), end(), flows=flows + "\nx > e")
    assert problem.remedy == "Remove the sequence flow."


def test_a_message_to_catch_needs_a_correlation_key() -> None:
    parts = (start(), node("intermediateCatchEvent", "a", on("message", "m")), end())
    problem = only(*parts, flows="s > a > e", definitions='<bpmn:message id="m" name="paid" />')
    assert problem.message == 'Expected a correlation key for the message "paid", but it has none.'


@pytest.mark.parametrize(
    ("flows", "message"),
    [
        ("s > a > e\na > nowhere", '"nowhere" does not exist'),
        ("s > a > e\nnobody > a", '"nobody" does not exist'),
        ("s > a > e\na > ua", "crosses a border"),
        ("s > a > e\ne > a", "Expected no outgoing sequence flow"),
        ("s > a > e\na > s", "Expected no incoming sequence flow"),
        ("s > a > e\na -[=x]-> e", "Expected conditions only behind a gateway"),
    ],
)
def test_sequence_flows_that_lead_nowhere_are_refused(flows: str, message: str) -> None:
    inner = sub("u", start("us"), user("ua"), flows="us > ua")
    found = problems_of(start(), user("a"), inner, end(), flows=f"{flows}\na > u")
    assert any(message in problem.message for problem in found), [str(problem) for problem in found]


def test_a_gateway_flow_without_a_condition_is_refused() -> None:
    parts = (start(), node("exclusiveGateway", "g"), user("a"), user("b"), end())
    problem = only(*parts, flows="s > g\ng -[=x]-> a\ng > b\na > e\nb > e")
    assert 'but "g_b" has none' in problem.message


def test_an_element_without_a_path_from_a_start_event_is_refused() -> None:
    found = problems_of(start(), user("a"), user("b"), user("c"), end(), flows="s > a > e\nb > c > e")
    assert [problem.element_id for problem in found] == ["b", "c"]
    assert found[0].message == "Expected a path from a start event, but there is none."


@pytest.mark.parametrize(
    ("parts", "flows", "message"),
    [
        ((user("a"), end()), "a > e", "Expected a start event, but the process has none"),
        (
            (
                start("s", extensions=listeners(start="x")),
                node("exclusiveGateway", "g", extensions=listeners(end="x")),
                end(),
            ),
            "s > g > e",
            "startEvent has none of start",
        ),
        (
            (
                start(),
                user("a", extensions=listeners("task", renaming="x")),
                service("b", extensions=listeners("task", completing="x")),
                end(),
            ),
            "s > a > b > e",
            'completing or canceling, but it is of "renaming"',
        ),
        (
            (start(), user("a"), service("b", extensions=listeners("task", completing="x")), end()),
            "s > a > b > e",
            "Expected task listeners at a user task, but this is a bpmn:serviceTask",
        ),
        (
            (start(), user("a", extensions=listeners(start="x").replace(' type="x"', "")), end()),
            "s > a > e",
            "Expected a job type, but zeebe:executionListener names none",
        ),
        (
            (start(), user("a", extensions=listeners(start="x, y, x")), end()),
            "s > a > e",
            'Expected each listener of start once, but "x" is there twice',
        ),
        (
            (start(), user("a", extensions=listeners(beforeAll="x")), end()),
            "s > a > e",
            "before all of whose instances this is called, but this bpmn:userTask is not",
        ),
        (
            (start(), user("a", extensions=listeners(cancel="x")), end()),
            "s > a > e",
            "Expected a listener of cancel at a process, but this is a bpmn:userTask",
        ),
        (
            (start(), user("a"), end("e", on("error"), extensions=listeners(end="x"))),
            "s > a > e",
            "what this end event throws takes its token away",
        ),
        (
            (
                start(),
                service("a"),
                boundary("c", "a", on("compensate"), extensions=listeners(end="x")),
                service("undo", isForCompensation="true"),
                association("tie", "c", "undo"),
                end(),
            ),
            "s > a > e",
            "nothing comes by where compensation is attached",
        ),
        (
            (start(), user("a"), *(boundary(one, "a", on("error")) for one in ("b", "c")), end()),
            "s > a > e\nb > e\nc > e",
            'one event for the error any code, but "b" waits for it',
        ),
        (
            (
                start(),
                user("a"),
                *(
                    event_sub(f"q{n}", start(f"i{n}", on("escalation")), end(f"o{n}"), flows=f"i{n} > o{n}")
                    for n in "12"
                ),
                end(),
            ),
            "s > a > e",
            'one event for the escalation any code, but "i1" waits for it',
        ),
        ((start(), end("e", each("=[1]"))), "s > e", "events and gateways cannot be"),
        (
            (start("s", when("=a > 1")), start("t", when("=a > 1")), end()),
            "s > e\nt > e",
            'one event for the conditional "=a > 1"',
        ),
        (
            (start(), node("intermediateCatchEvent", "c", when("=a", variableEvents="delete")), end()),
            "s > c > e",
            'variable events of create, update, but there is "delete"',
        ),
        (
            (start(), service("a"), boundary("b", "a", on("compensate")), association("o", "b", "a"), end()),
            "s > a > e",
            "but it stands in it",
        ),
        (
            (
                start(),
                service("a"),
                boundary("b", "a", on("compensate")),
                association("o", "b", "h"),
                end(),
                service("h", isForCompensation="true"),
                boundary("b2", "h", on("compensate")),
                association("o2", "b2", "i"),
                service("i", isForCompensation="true"),
            ),
            "s > a > e",
            "not to be undone itself",
        ),
        (
            (start(), node("serviceTask", "a", extensions='<zeebe:taskDefinition type="x" retries="many" />'), end()),
            "s > a > e",
            "whole number",
        ),
        ((start(), start("s2"), end()), "s > e\ns2 > e", "Expected at most one start event without a trigger"),
        ((start(), boundary("b", "e", timer("duration", "PT1H")), end()), "s > e\nb > e", "on an activity"),
        ((start(), user("a"), boundary("b", "a", on("cancel")), end()), "s > a > e\nb > e", "on a transaction"),
        ((start(), user("a"), boundary("b", "a", on("compensate")), end()), "s > a > e", "no association"),
        (
            (start(), user("a"), boundary("b", "a", on("error"), interrupting=False), end()),
            "s > a > e\nb > e",
            "to interrupt",
        ),
        ((start(), end("e", on("cancel"))), "s > e", "inside a transaction"),
        ((start(), node("eventBasedGateway", "g"), user("a"), end()), "s > g > a > e", "behind an event-based gateway"),
        ((start(), node("intermediateThrowEvent", "t", on("link", name="x"))), "s > t", "exactly one link"),
        ((start(), node("startEvent", "t", timer("duration", "PT1H")), end()), "s > e\nt > e", "a date or a cycle"),
        ((start(), end(), event_sub("es", start("x"), end("y"), flows="x > y")), "s > e", "an event sub-process start"),
        (
            (
                start(),
                service("a"),
                boundary("b", "a", on("compensate")),
                service("h", isForCompensation="true"),
                association("x", "b", "h"),
                end(),
            ),
            "s > a > e\nh > e",
            "Expected no outgoing",
        ),
    ],
)
def test_shapes_that_would_be_lost_or_stuck_are_refused(parts: tuple[str, ...], flows: str, message: str) -> None:
    found = problems_of(*parts, flows=flows)
    assert any(message in problem.message for problem in found), [str(problem) for problem in found]


def test_an_id_used_twice_is_refused_with_both_lines() -> None:
    problem = only(start(), user("a"), user("a"), end(), flows="s > a > e")
    assert (problem.line, problem.message) == (6, 'Expected each id once, but "a" is used before, in line 5.')


def test_a_process_in_two_files_is_refused() -> None:
    one = diagram(process(start(), end(), flows="s > e"))
    with pytest.raises(Unreadable, match=r'Expected each process once, but a.bpmn has "p" too'):
        read_bundle({"a.bpmn": one, "b.bpmn": one})


def test_a_bundle_without_an_executable_process_is_refused() -> None:
    idle = process(start(), end(), flows="s > e", executable=False)
    with pytest.raises(Unreadable, match="Expected at least one executable process"):
        read_bundle({"p.bpmn": diagram(idle)})
    with pytest.raises(Unreadable, match="Expected at least one executable process"):
        read_bundle({"p.bpmn": diagram(idle.replace(' isExecutable="false"', ""))})
    with pytest.raises(Unreadable, match="Expected a process"):
        read_bundle({"p.form": b"{}"})


@proves("instances: a pool that is only drawn does not run")
def test_a_process_that_is_only_drawn_may_hold_anything_and_does_not_run() -> None:
    drawn = process(node("startEvent", "qs"), node("task", "qt"), id="q", executable=False)
    bundle = read_bundle({"p.bpmn": diagram(process(start(), end(), flows="s > e"), drawn)})
    assert not bundle.processes["q"].is_executable
    with pytest.raises(KeyError, match="Expected q to be an executable process"):
        bundle.spec("q")


# Files that are no diagrams, or attacks


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Expected XML"),
        (b"\x00\xff\xfe", "Expected XML"),
        (b"{}", "Expected XML"),
        (b"<a><b></a>", "Expected XML"),
        (b"<a/>", "Expected bpmn:definitions"),
        (b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d>&x;</d>', "no document type and no entities"),
        (b"<!DOCTYPE d><d/>", "no document type"),
        (b" " * (MAX_BYTES + 1), "Expected at most 5,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_diagram_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_bundle({"p.bpmn": data})
    assert message in caught.value.problems[0].message


def test_a_bomb_of_entities_is_refused_at_once() -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
    bomb = f'<!DOCTYPE d [<!ENTITY l0 "ha">{entities}]><d a="&l29;">&l29;</d>'.encode()
    began = time.process_time()
    with pytest.raises(Unreadable):
        read_bundle({"p.bpmn": bomb})
    assert time.process_time() - began < 10


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    deep = "<bpmn:subProcess>" * 5000 + "</bpmn:subProcess>" * 5000
    with pytest.raises(Unreadable, match="Expected XML"):
        read_bundle({"p.bpmn": diagram(process(deep))})


def test_a_long_chain_of_tasks_is_read_and_run() -> None:
    """SpiffWorkflow's parser follows sequence flows by recursion and would exhaust Python's stack."""
    names = [f"t{number}" for number in range(1500)]
    bundle = read_bundle(
        {
            "p.bpmn": diagram(
                process(start(), *(node("task", name) for name in names), end(), flows=" > ".join(["s", *names, "e"]))
            )
        }
    )
    assert len(bundle.processes["p"].elements) == 1502


def test_elements_may_be_called_start_end_and_root() -> None:
    """SpiffWorkflow keeps specs of its own under these names."""
    parts = (start("Start"), user("Root"), sub("root", start("us"), end("ue"), flows="us > ue"), end("End"))
    bundle = read_bundle({"p.bpmn": diagram(process(*parts, flows="Start > Root > root > End"))})
    assert set(bundle.spec("p").task_specs) >= {"Start", "Root", "root", "End"}


@proves("paths: text annotations, groups, lanes and data are read over")
def test_data_objects_stores_lanes_groups_and_notes_are_read_over() -> None:
    drawn = (
        '<bpmn:laneSet id="ls"><bpmn:lane id="l1" name="Buyers"><bpmn:flowNodeRef>a</bpmn:flowNodeRef></bpmn:lane></bpmn:laneSet>'
        '<bpmn:dataObjectReference id="dor" dataObjectRef="do" /><bpmn:dataObject id="do" />'
        '<bpmn:dataStoreReference id="dsr" name="ERP" /><bpmn:textAnnotation id="ta"><bpmn:text>Mind this</bpmn:text></bpmn:textAnnotation>'
        '<bpmn:association id="as" sourceRef="a" targetRef="ta" /><bpmn:group id="gr" />'
    )
    task = user(
        "a", '<bpmn:dataInputAssociation id="dia"><bpmn:sourceRef>dsr</bpmn:sourceRef></bpmn:dataInputAssociation>'
    )
    bundle = read_bundle({"p.bpmn": diagram(process(start(), task, end(), drawn, flows="s > a > e"))})
    assert bundle.processes["p"].elements["a"].lane == "Buyers"


@proves(
    "zeebe:taskSchedule", "zeebe:priorityDefinition", "zeebe:formDefinition", "zeebe:properties", "zeebe:taskHeaders"
)
def test_what_a_user_task_says_is_read_for_the_house() -> None:
    extensions = (
        '<zeebe:assignmentDefinition assignee="max" candidateUsers="rita, bea" candidateGroups="=groups" />'
        '<zeebe:taskSchedule dueDate="=now() + duration(&#34;P3D&#34;)" followUpDate="2026-12-01T08:00:00Z" />'
        '<zeebe:priorityDefinition priority="80" /><zeebe:formDefinition formId="approve" />'
        '<zeebe:properties><zeebe:property name="outcomes" value="approve,reject" /></zeebe:properties>'
        '<zeebe:taskHeaders><zeebe:header key="help" value="page" /></zeebe:taskHeaders>'
    )
    bundle = read_bundle(
        {
            "p.bpmn": diagram(
                process(start(), user("a", extensions=extensions, name="Approve"), end(), flows="s > a > e")
            )
        }
    )
    element = bundle.processes["p"].elements["a"]
    task = element.user_task
    assert task is not None
    assert task.assignee is not None
    assert (task.assignee.text, task.assignee.is_static) == ("max", True)
    assert task.candidate_groups is not None
    assert task.candidate_groups.reads == {"groups"}
    assert task.form_id is element.form_id is not None
    assert (dict(task.properties), dict(task.headers)) == ({"outcomes": "approve,reject"}, {"help": "page"})
    assert (element.name, element.kind, element.incoming, element.outgoing, element.parent_id) == (
        "Approve",
        "userTask",
        ("s_a",),
        ("a_e",),
        "p",
    )


@proves("zeebe:calledElement")
def test_called_elements_and_messages_are_read_for_the_house() -> None:
    caller = call("c", "q", bindingType="versionTag", versionTag="v2")
    catch = node("intermediateCatchEvent", "m1", on("message", "m"))
    bundle = read_bundle(
        {
            "p.bpmn": diagram(
                process(start(), caller, catch, end(), flows="s > c > m1 > e"), definitions=message("m", "paid")
            )
        }
    )
    called = bundle.processes["p"].elements["c"].called
    assert called is not None
    assert (called.process_id.text, called.binding, called.version_tag) == ("q", "versionTag", "v2")
    event = bundle.processes["p"].elements["m1"].event
    assert event is not None
    assert event.name is not None
    assert (event.kind, event.name.text) == ("message", "paid")


def test_a_law_that_came_later_does_not_take_away_what_was_deployed() -> None:
    parts = (start(), user("a"), *(boundary(one, "a", on("error")) for one in ("b", "c")), end())
    files = {"p.bpmn": diagram(process(*parts, flows="s > a > e\nb > e\nc > e"))}
    with pytest.raises(Unreadable):
        read_bundle(files)
    assert read_bundle(files, is_deployed=True).spec("p")
