"""The process engineer's day, from files: change a band, draw a step, check, deploy; what runs keeps its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, select

from engine.act import Installation
from engine.stored.definition import DefinitionFile
from rules.policy import TABLES, table_called, table_hash
from tests.clock import SettableClock
from tests.people import lena, rita
from tests.story import Story, open_plant
from webapp.cli import main

FORM = {
    "id": "confirm_need",
    "type": "default",
    "schemaVersion": 18,
    "components": [{"id": "confirm_need_note", "type": "textarea", "key": "need_note", "label": "Why now?"}],
}
STEP = """
    <bpmn:userTask id="confirm_need" name="Confirm the need">
      <bpmn:extensionElements>
        <zeebe:userTask />
        <zeebe:formDefinition formId="confirm_need" bindingType="deployment" />
        <zeebe:assignmentDefinition candidateGroups='=["PUR_LEAD"]' />
        <zeebe:taskSchedule dueDate="=add business days(now(), 1)" />
      </bpmn:extensionElements>
    </bpmn:userTask>
    <bpmn:sequenceFlow id="after_confirm_need" sourceRef="confirm_need" targetRef="propose_awards" />
  </bpmn:process>"""


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Copy the shipped diagrams and tables, to change them as an editor would."""
    for source in ("processes/bpmn", "rules/tables"):
        shutil.copytree(source, tmp_path / source)
    return [str(tmp_path / "processes/bpmn"), str(tmp_path / "rules/tables")]


@pytest.fixture
def call(database: Engine) -> Callable[..., Result]:
    url = database.url.render_as_string(hide_password=False)
    return lambda *words: CliRunner().invoke(main, ["--database", url, *words])


def replace(path: Path, old: str, new: str) -> None:
    content = path.read_text("utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), "utf-8")


def test_the_next_requisition_takes_the_new_path_and_the_running_one_keeps_its_own(
    installation: Installation, clock: SettableClock, call: Callable[..., Result], folders: list[str], tmp_path: Path
) -> None:
    open_plant(installation)
    before = Story(installation, clock)
    before.as_(rita).start("requisition_to_po", lines=[("P-100", 40, "42.50")])

    # A purchasing lead now sees nothing below 2,000.00, and confirms each approved need before anything is bought.
    replace(tmp_path / "rules/tables/approval_matrix.dmn", "[1000..10000)", "[2000..10000)")
    diagram = tmp_path / "processes/bpmn/requisition_to_po.bpmn"
    replace(
        diagram,
        'sourceRef="commit_budget" targetRef="propose_awards"',
        'sourceRef="commit_budget" targetRef="confirm_need"',
    )
    replace(diagram, "\n  </bpmn:process>", STEP)
    (diagram.parent / "requisition_to_po.confirm_need.form").write_text(json.dumps(FORM), "utf-8")

    checked = call("check", *folders)
    assert checked.exit_code == 0, checked.output
    deployed = json.loads(call("deploy", *folders, "--as", "pat", "--json").stdout)
    assert {one["process"]: one["version"] for one in deployed}["requisition_to_po"] == 2

    after = Story(installation, clock)
    after.as_(rita).start("requisition_to_po", lines=[("P-100", 40, "42.50")])
    assert after.steps == ["confirm_need"]
    after.as_(lena).complete("confirm_need", need_note="lot 7001")
    assert after.steps == ["complete_order"]

    assert before.steps == ["decide_slot"]
    before.as_(lena).decide("approve_requisition", "approve")
    assert before.steps == ["complete_order"]


def test_a_mistake_is_named_before_it_is_deployed(
    call: Callable[..., Result], folders: list[str], tmp_path: Path
) -> None:
    diagram = tmp_path / "processes/bpmn/requisition_to_po.bpmn"
    replace(
        diagram,
        'sourceRef="commit_budget" targetRef="propose_awards"',
        'sourceRef="commit_budget" targetRef="confirm_need"',
    )
    replace(
        diagram, "\n  </bpmn:process>", STEP.replace("""candidateGroups='=["PUR_LEAD"]'""", "candidateGroups='=leads'")
    )
    checked = call("check", *folders)
    assert checked.exit_code == 1
    assert "confirm_need: Expected the form confirm_need in the bundle" in checked.output
    assert 'nothing gives "leads"' in checked.output


def test_rows_that_overlap_are_named(call: Callable[..., Result], folders: list[str], tmp_path: Path) -> None:
    table = tmp_path / "rules/tables/budget_check.dmn"
    original = table.read_text("utf-8")
    start, end = original.index("<rule"), original.index("</rule>") + len("</rule>")
    twin = original[start:end].replace('id="', 'id="twin_')
    table.write_text(original[:end] + twin + original[end:], "utf-8")
    checked = call("check", *folders)
    assert (checked.exit_code, "[no_overlap]" in checked.output) == (1, True)
    line = next(row for row in checked.output.splitlines() if "[no_overlap]" in row)
    assert line.startswith(f"{table}:")
    assert "rows 1 and 2 both match" in line


def test_a_table_that_no_diagram_asks_is_named_and_left_alone(
    installation: Installation, call: Callable[..., Result], folders: list[str], tmp_path: Path
) -> None:
    open_plant(installation)
    replace(tmp_path / "rules/tables/price_tolerance.dmn", "<description>", "<description>Ours: ")
    judged_before = table_called("price_tolerance").hash
    deployed = call("deploy", *folders, "--as", "pat")
    assert deployed.exit_code == 0, deployed.output
    said = deployed.output.replace("\n", " ")
    assert "unchanged" in said, "no diagram asks it, so no version is new"
    assert "Not deployed, since no diagram asks them: " in said
    assert f"{tmp_path}/rules/tables/price_tolerance.dmn differs from the installed table" in said
    assert "supplier_gate.dmn differs" not in said
    assert (
        table_called("price_tolerance").hash
        == judged_before
        == table_hash((TABLES / "price_tolerance.dmn").read_bytes())
    )
    with installation.reading() as session:
        kept = set(session.scalars(select(DefinitionFile.key).where(DefinitionFile.kind == "decision")))
    assert "price_tolerance" not in kept
    assert {"approval_matrix", "budget_check", "timers"} <= kept


def test_a_table_of_the_rules_is_read_when_a_program_starts(tmp_path: Path) -> None:
    """Another program with another file judges otherwise; a finding names the hash of what it was judged by."""
    shutil.copytree("rules", tmp_path / "rules")
    replace(tmp_path / "rules/tables/price_tolerance.dmn", "<description>", "<description>Ours: ")
    asked = "from rules.policy import table_called; print(table_called('price_tolerance').hash)"
    root = Path(__file__).parents[3]
    path = os.pathsep.join([str(tmp_path), str(root)])
    answer = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert answer.stdout.strip() == table_hash((tmp_path / "rules/tables/price_tolerance.dmn").read_bytes())
    assert answer.stdout.strip() != table_called("price_tolerance").hash
