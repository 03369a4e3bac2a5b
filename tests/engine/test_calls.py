"""Called processes: pinned in the bundle unless the diagram says otherwise, each with its own forms and tables."""

from __future__ import annotations

import json

import pytest

from dmn.parser import Parser
from engine import definitions, instances, tasks
from engine.errors import Invalid
from engine.stored.definition import DefinitionFile
from tests.engine.plant import Plant, for_role, work
from tests.engine.spiff.diagrams import call, diagram, end, node, process, start, user
from tests.engine.spiff.proofs import proves
from tests.engine.test_instances import TABLE

FORM = json.dumps({"id": "sheet", "type": "default", "components": [{"type": "textfield", "key": "lot"}]}).encode()
RULE = node("businessRuleTask", "ask", extensions='<zeebe:calledDecision decisionId="plan" resultVariable="plan" />')
SHEET = user("inner", extensions=for_role("BUYER") + '<zeebe:formDefinition formId="sheet" />')
CALLED = process(start("qs"), RULE, SHEET, end("qe"), id="q", flows="qs > ask > inner > qe")


def caller(**binding: str) -> str:
    return process(start(), call("go", "q", **binding), work("a"), end(), flows="s > go > a > e")


@proves("binding deployment: call", "binding deployment: decision", "binding deployment: form")
def test_a_called_process_of_the_bundle_stays_as_it_was_deployed(plant: Plant) -> None:
    files = {"q.bpmn": diagram(CALLED), "q.sheet.form": FORM, "plan.dmn": TABLE, "p.bpmn": diagram(caller())}
    with plant.acting("pat") as act:
        found = definitions.deploy(act, files)
        kept = act.session.query(DefinitionFile).filter_by(definition_id=found.id)
        assert sorted((row.kind, row.path) for row in kept) == [
            ("decision", "plan.dmn"),
            ("form", "q.sheet.form"),
            ("process", "p.bpmn"),
            ("process", "q.bpmn"),
        ]
    instance_id = plant.start(total=5000)
    with plant.acting("pat") as act:
        definitions.deploy(act, files | {"q.bpmn": diagram(CALLED.replace("inner", "other"))})
    task = plant.task(instance_id)
    assert (task.element_id, task.process_id, task.flow) == ("inner", "q", "p")
    with plant.reading() as session:
        form = tasks.form_of(session, task)
        assert form is not None
        assert form.id == "sheet"
    plant.complete(task, by="bea", lot="L-1")
    assert plant.variables(instance_id)["lot"] == "L-1"
    assert plant.variables(instance_id)["plan"] == "manager"


@proves("binding latest: call")
def test_a_call_bound_to_latest_takes_the_newest_with_its_own_form_and_table(plant: Plant) -> None:
    with plant.acting("pat") as act:
        called = {"q.bpmn": diagram(CALLED), "q.sheet.form": FORM, "plan.dmn": TABLE}
        definitions.deploy(act, called)
        definitions.deploy(act, {"p.bpmn": diagram(caller(bindingType="latest"))})
    instance_id = plant.start(total=1)
    task = plant.task(instance_id)
    with plant.reading() as session:
        form = tasks.form_of(session, task)
        assert form is not None
        assert form.id == "sheet"
        assert [token.element_id for token in instances.live_tokens(session, instances.find(session, instance_id))] == [
            "inner"
        ]
    plant.complete(task, by="bea")
    plant.complete(plant.task(instance_id, "a"))
    assert plant.ended(instance_id) == "e"
    assert plant.variables(instance_id)["plan"] == "none"


def test_a_call_of_what_is_nowhere_is_refused_at_deployment(small_plant: Plant) -> None:
    with small_plant.acting("pat") as act, pytest.raises(Invalid, match=r"Add q.bpmn, or bind the call to latest"):
        definitions.deploy(act, {"p.bpmn": diagram(caller())})


def test_a_call_of_what_was_never_released_is_an_incident(plant: Plant) -> None:
    plant.deploy(caller(bindingType="latest"))
    instance_id = plant.start()
    with plant.reading() as session:
        sentence = instances.wait_sentence(session, instances.find(session, instance_id))
    assert "Expected a released definition of q" in sentence


def test_every_process_of_a_folder_is_deployed_with_what_it_reaches_and_read_once(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"q.bpmn": diagram(CALLED), "q.sheet.form": FORM, "plan.dmn": TABLE, "p.bpmn": diagram(caller())}
    with plant.acting("pat") as act:
        assert [found.process_id for found in definitions.deploy_all(act, files)] == ["p", "q"]
    with plant.acting("pat") as act:
        assert [found.version for found in definitions.deploy_all(act, files)] == [1, 1]
    plant.start("first", total=1)
    read: list[str] = []
    monkeypatch.setattr(Parser, "__init__", lambda *_, **__: read.append("FEEL"))
    plant.complete(plant.task(plant.start("second", total=5000)), by="bea")
    assert read == []


@proves("binding latest: decision")
def test_a_called_decision_that_is_bound_to_latest_follows_the_newest_table(plant: Plant) -> None:
    latest = RULE.replace("resultVariable", 'bindingType="latest" resultVariable')
    model = process(start(), latest, work("a"), end(), flows="s > ask > a > e")
    with plant.acting("pat") as act:
        definitions.deploy(act, {"q.bpmn": diagram(CALLED), "q.sheet.form": FORM, "plan.dmn": TABLE})
        definitions.deploy(act, {"p.bpmn": diagram(model)})
    assert plant.variables(plant.start("A", total=5000))["plan"] == "manager"
    plant.clock.advance(minutes=1)
    with plant.acting("pat") as act:
        newer = TABLE.replace(b'"manager"', b'"director"')
        definitions.deploy(act, {"q.bpmn": diagram(CALLED), "q.sheet.form": FORM, "plan.dmn": newer})
    assert plant.variables(plant.start("B", total=5000))["plan"] == "director"


def tagged(tag: str, answer: str) -> dict[str, bytes]:
    """The files of the called process with one version tag on the process, its table and its form."""
    mark = f'<zeebe:versionTag xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" value="{tag}"/>'
    model = CALLED.replace(
        'isExecutable="true">', f'isExecutable="true"><bpmn:extensionElements>{mark}</bpmn:extensionElements>'
    )
    table = TABLE.replace(
        b'name="plan"><variable', f'name="plan"><extensionElements>{mark}</extensionElements><variable'.encode()
    )
    return {
        "q.bpmn": diagram(model),
        "q.sheet.form": json.dumps(json.loads(FORM) | {"versionTag": tag, "title": answer}).encode(),
        "plan.dmn": table.replace(b'"manager"', f'"{answer}"'.encode()),
    }


@proves(
    "binding versionTag: call",
    "binding versionTag: decision",
    "binding versionTag: form",
    "binding latest: form",
    "zeebe:versionTag",
)
def test_a_binding_to_a_version_tag_takes_the_newest_process_table_and_form_with_that_tag(plant: Plant) -> None:
    bound = 'bindingType="versionTag" versionTag="1.0"'
    ask = RULE.replace("resultVariable", f"{bound} resultVariable")
    sheet = user("fill", extensions=for_role("BUYER") + f'<zeebe:formDefinition formId="sheet" {bound} />')
    newest = user("sign", extensions=for_role("BUYER") + '<zeebe:formDefinition formId="sheet" bindingType="latest" />')
    go = call("go", "q", bindingType="versionTag", versionTag="1.0")
    model = process(start(), ask, sheet, newest, go, end(), flows="s > ask > fill > sign > go > e")
    for tag, answer in (("1.0", "first"), ("1.0", "second"), ("2.0", "third")):
        with plant.acting("pat") as act:
            definitions.deploy(act, tagged(tag, answer))
        plant.clock.advance(minutes=1)
    with plant.acting("pat") as act:
        definitions.deploy(act, {"p.bpmn": diagram(model)})
    instance_id = plant.start(total=5000)
    titles = []
    for _ in range(3):
        task = plant.task(instance_id)
        with plant.reading() as session:
            form = tasks.form_of(session, task)
        titles.append((task.element_id, form and form.schema["title"], plant.variables(instance_id)["plan"]))
        plant.complete(task, by="bea")
    assert titles == [("fill", "second", "second"), ("sign", "third", "second"), ("inner", "second", "second")]


@pytest.mark.parametrize("what", ["call", "decision"])
def test_a_version_tag_that_nothing_bears_is_an_incident_with_the_tag(plant: Plant, what: str) -> None:
    bound = {"bindingType": "versionTag", "versionTag": "9.9"}
    ask = RULE.replace("resultVariable", 'bindingType="versionTag" versionTag="9.9" resultVariable')
    step = call("ask", "q", **bound) if what == "call" else ask
    with plant.acting("pat") as act:
        definitions.deploy(act, tagged("1.0", "first"))
        definitions.deploy(act, {"p.bpmn": diagram(process(start(), step, work("a"), end(), flows="s > ask > a > e"))})
    instance_id = plant.start(total=5000)
    with plant.reading() as session:
        sentence = instances.wait_sentence(session, instances.find(session, instance_id))
    assert "with the tag 9.9, but there is none" in sentence


@proves("zeebe:userTaskForm")
def test_a_form_that_stands_in_the_diagram_is_the_form_of_its_task(small_plant: Plant) -> None:
    inside = json.dumps({"type": "default", "components": [{"type": "textfield", "key": "lot"}]})
    forms = (
        f'<bpmn:extensionElements><zeebe:userTaskForm id="f1">{inside}</zeebe:userTaskForm></bpmn:extensionElements>'
    )
    spec = for_role("BUYER") + '<zeebe:formDefinition formKey="camunda-forms:bpmn:f1" />'
    model = process(forms, start(), user("fill", extensions=spec), end(), flows="s > fill > e")
    small_plant.deploy(model)
    instance_id = small_plant.start()
    task = small_plant.task(instance_id)
    with small_plant.reading() as session:
        form = tasks.form_of(session, task)
    assert form is not None
    assert [component["key"] for component in form.schema["components"]] == ["lot"]
    small_plant.complete(task, by="bea", lot="L-2")
    assert small_plant.variables(instance_id)["lot"] == "L-2"
    with small_plant.acting("pat") as act, pytest.raises(Invalid, match="or set formId to the id"):
        definitions.deploy(act, {"p.bpmn": diagram(model.replace('id="f1"', 'id="f2"'))})
    with small_plant.acting("pat") as act, pytest.raises(Invalid, match="Expected JSON"):
        definitions.deploy(act, {"p.bpmn": diagram(model.replace(inside, "{"))})
