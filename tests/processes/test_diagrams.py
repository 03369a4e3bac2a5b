"""The shipped diagrams: they can be deployed, they run as their examples say, and every step has somebody who does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.definitions import check
from engine.spiff import read_bundle
from processes.bundle import ROOT, bundle_files
from tests.story import Story
from webapp.wiring import registry_of_flows

BPMN = ROOT / "processes" / "bpmn"
EXAMPLES = [
    pytest.param(example, id=f"{path.name.removesuffix('.test.json')}: {example['name']}")
    for path in sorted(BPMN.glob("*.test.json"))
    for example in json.loads(path.read_text(encoding="utf-8"))["examples"]
]


def elements() -> list[Any]:
    bundle = read_bundle({name: content for name, content in bundle_files().items() if name.endswith(".bpmn")})
    return [element for process in bundle.processes.values() for element in process.elements.values()]


def ways_to_undo() -> set[str]:
    """Return the steps that undo what followed when somebody returns to an earlier step."""
    return {element.properties["onReturn"] for element in elements() if "onReturn" in element.properties} - {"nothing"}


def test_the_shipped_bundle_can_be_deployed() -> None:
    assert [str(problem) for problem in check(bundle_files())] == []


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.part11("11.10(a)")
def test_a_flow_goes_as_its_examples_say(story: Story, example: dict[str, Any]) -> None:
    start = dict(example["start"])
    story.as_(start.pop("as")).start("requisition_to_po", **start)
    for step in example["steps"]:
        story.as_(step["as"])
        if "verdict" in step:
            story.decide(step["task"], step["verdict"], reason=step.get("reason", ""), **step.get("variables", {}))
        else:
            story.complete(step["task"], **step.get("variables", {}))
    assert (story.ended_at, story.incidents) == (example.get("ended_at"), [])
    assert story.steps == example.get("waits_at", [])


def test_every_service_task_has_its_step() -> None:
    registry = registry_of_flows()
    types = {element.task_type.text for element in elements() if element.task_type is not None} | ways_to_undo()
    assert sorted(job_type for job_type in types if not registry.serves(job_type)) == []


def test_every_step_is_drawn_somewhere() -> None:
    drawn = {element.task_type.text for element in elements() if element.task_type is not None} | ways_to_undo()
    registry = registry_of_flows()
    written = {*registry.steps, *registry.jobs, *registry.errands}
    undrawn = ["deliver_checkpoint", "deliver_to_webhook", "end_recalled", "look_at_impact", "mail"]
    assert sorted(written - drawn) == undrawn


def test_every_task_of_a_person_says_whose_it_is_until_when_and_with_which_form() -> None:
    people = [element for element in elements() if element.kind == "userTask"]
    assert len(people) > 15
    for element in people:
        task = element.user_task
        assert task.candidate_groups or task.assignee, element.id
        assert None not in (task.due_date, task.form_id), element.id
        assert {"title", "record"} <= element.properties.keys(), element.id


def test_every_form_is_used() -> None:
    used = {element.form_id.text for element in elements() if element.form_id is not None}
    there = {json.loads(path.read_text(encoding="utf-8"))["id"] for path in BPMN.glob("*.form")}
    assert there == used


def test_a_form_is_named_after_its_flow_and_its_id() -> None:
    for path in BPMN.glob("*.form"):
        flow, form_id, _ = path.name.split(".")
        assert (BPMN / f"{flow}.bpmn").exists()
        assert json.loads(path.read_text(encoding="utf-8"))["id"] == form_id


@pytest.mark.parametrize("path", sorted((BPMN / "element-templates").glob("*.json")), ids=lambda path: path.stem)
def test_a_template_offers_only_properties_that_the_engine_reads(path: Path) -> None:
    from engine import dialect

    known = dialect.ON_USER_TASKS | {dialect.ESCALATE_TO, dialect.CODE, dialect.NO_RETURN, dialect.LEAVES}
    template = json.loads(path.read_text(encoding="utf-8"))
    named = {item["binding"]["name"] for item in template["properties"] if item["binding"]["type"] == "zeebe:property"}
    assert named <= known
