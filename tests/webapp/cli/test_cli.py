"""The command line: what it answers, and what its exit codes say."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from engine.act import Installation
from engine.definitions import deploy_all, released
from processes.bundle import bundle_files
from rules.triggers import remove_guard
from tests.makers import make_cast, make_site
from webapp.cli import COMMANDS, main

Call = Callable[..., Result]

SHIPPED = ("processes/bpmn", "rules/tables")


@pytest.fixture
def call(database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call lockstep on the test's database."""
    monkeypatch.setenv("LOCKSTEP_MAIL_FOLDER", str(tmp_path / "mail"))
    url = database.url.render_as_string(hide_password=False)
    return lambda *words, typed=None: CliRunner().invoke(main, ["--database", url, *words], input=typed)


@pytest.fixture
def plant(installation: Installation) -> Installation:
    with installation.acting("system:test") as act:
        make_site(act)
        make_cast(act)
    return installation


def test_every_command_shows_an_example_and_leaves_the_garbage_collector_as_it_was() -> None:
    collecting = gc.isenabled()
    for command in COMMANDS:
        shown = CliRunner().invoke(main, [command, "--help"])
        assert (shown.exit_code, "Example:" in shown.output) == (0, True), command
    assert gc.isenabled() == collecting


def test_a_database_that_is_not_migrated_is_not_opened(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--database", f"sqlite:///{tmp_path / 'new.db'}", "user", "list"])
    assert result.exit_code == 4
    assert "Run: lockstep migrate" in result.output


def test_a_database_without_its_guard_is_not_opened(call: Call, database: Engine) -> None:
    with database.begin() as connection:
        remove_guard(connection)
    result = call("user", "list")
    assert result.exit_code == 4
    assert "guard" in result.output


def test_migrate_makes_a_database_that_opens(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert CliRunner().invoke(main, ["--database", url, "migrate"]).exit_code == 0
    assert CliRunner().invoke(main, ["--database", url, "user", "list"]).exit_code == 0


def test_a_user_is_added_with_roles_and_listed(call: Call, plant: Installation) -> None:
    added = call(
        "user", "add", "nora", "--name", "Nora Quist", "--role", "CC_OWNER@4711", typed="a long secret\na long secret\n"
    )
    assert added.exit_code == 0, added.output
    listed = json.loads(call("user", "list", "--json").stdout)
    [nora] = [one for one in listed if one["id"] == "nora"]
    assert (nora["name"], nora["roles"], nora["status"]) == ("Nora Quist", ["CC_OWNER@4711"], "ACTIVE")


def test_a_login_name_is_never_given_twice(call: Call, plant: Installation) -> None:
    refused = call("user", "add", "rita", "--name", "Another Rita", "--password", "a long secret")
    assert refused.exit_code == 3
    assert "rita is taken" in refused.output


def test_a_password_that_is_too_short_is_refused_with_its_field(call: Call, plant: Installation) -> None:
    refused = call("user", "password", "rita", "--password", "short")
    assert refused.exit_code == 3
    assert "10 to 200 characters" in refused.output


def test_a_role_ends_and_who_does_not_hold_it_is_told(call: Call, plant: Installation) -> None:
    assert call("user", "revoke", "rita", "REQUESTER").exit_code == 0
    again = call("user", "revoke", "rita", "REQUESTER")
    assert (again.exit_code, "to hold REQUESTER" in again.output) == (3, True)


def test_a_disabled_user_is_enabled_again(call: Call, plant: Installation) -> None:
    assert call("user", "disable", "otto").exit_code == 0
    assert call("user", "enable", "otto").exit_code == 0
    assert call("user", "enable", "otto").exit_code == 3


def test_a_process_engineer_deploys_and_the_same_content_is_the_same_version(call: Call, plant: Installation) -> None:
    first = json.loads(call("deploy", *SHIPPED, "--as", "pat", "--json").stdout)
    assert {one["process"]: (one["version"], one["is_new"]) for one in first}["requisition_to_po"] == (1, True)
    second = json.loads(call("deploy", *SHIPPED, "--as", "pat", "--json").stdout)
    assert {one["process"]: (one["version"], one["is_new"]) for one in second}["requisition_to_po"] == (1, False)


def test_only_process_engineers_deploy(call: Call, plant: Installation) -> None:
    refused = call("deploy", *SHIPPED, "--as", "rita")
    assert (refused.exit_code, "PROCESS_ENGINEER" in refused.output) == (3, True)


def test_what_cannot_run_is_not_deployed(call: Call, plant: Installation, tmp_path: Path) -> None:
    source = Path("processes/bpmn/approval_round.bpmn").read_text("utf-8")
    bad = tmp_path / "approval_round.bpmn"
    bad.write_text(source.replace('<zeebe:taskDefinition type="fill_slot" />', ""), "utf-8")
    refused = call("deploy", str(tmp_path), "--as", "pat", "--json")
    assert refused.exit_code == 3
    assert json.loads(refused.stdout)["error"] == "INVALID"
    with plant.reading() as session, pytest.raises(Exception, match="released definition"):
        released(session, "approval_round")


def test_start_says_what_the_instance_waits_for(call: Call, plant: Installation, tmp_path: Path) -> None:
    (tmp_path / "ask.bpmn").write_text(ASK, "utf-8")
    assert call("deploy", str(tmp_path), "--as", "pat").exit_code == 0
    started = json.loads(call("start", "ask", "--key", "A-1", "--var", "size=3.5", "--as", "pat", "--json").stdout)
    assert (started["key"], started["status"]) == ("A-1", "RUNNING")
    again = call("start", "ask", "--key", "A-1", "--as", "pat")
    assert again.exit_code == 3
    mine = json.loads(call("tasks", "--as", "max", "--box", "mine", "--json").stdout)
    assert [item["key"] for item in mine["items"]] == ["A-1"]


def test_tasks_of_an_unknown_person_are_refused(call: Call, plant: Installation) -> None:
    assert call("tasks", "--as", "nobody").exit_code == 3


def test_verify_finds_nothing_wrong_with_an_honest_database(call: Call, plant: Installation) -> None:
    result = call("verify", "--json")
    assert (result.exit_code, json.loads(result.stdout)["breaks"]) == (0, [])


def test_verify_ends_with_one_when_something_is_broken(call: Call, plant: Installation, database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE user_account SET title = 'Director' WHERE id = 'otto'"))
    result = call("verify")
    assert result.exit_code == 1
    assert "user_account otto" in result.output


def test_check_finds_the_shipped_files_fit_to_run() -> None:
    result = CliRunner().invoke(main, ["check", *SHIPPED, "--json"])
    findings = json.loads(result.stdout)["findings"]
    assert [one for one in findings if one["severity"] == "error"] == []
    assert result.exit_code == 0


def test_check_of_some_files_looks_the_others_up_and_judges_only_those(tmp_path: Path) -> None:
    (tmp_path / "requisition_to_po.bpmn").write_bytes(Path("processes/bpmn/requisition_to_po.bpmn").read_bytes())
    for path in ("processes/bpmn", "processes/bpmn/requisition_to_po.bpmn", str(tmp_path)):
        result = CliRunner().invoke(main, ["check", path])
        assert (result.exit_code, "error:" in result.output) == (0, False), result.output


def test_check_names_file_and_line_and_ends_with_one(tmp_path: Path) -> None:
    (tmp_path / "ask.bpmn").write_text(ASK.replace("=size &gt; 2", "=sise &gt; 2"), "utf-8")
    result = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert result.exit_code == 1
    line = ASK[: ASK.index('id="big_enough"')].count("\n") + 1
    assert f"{tmp_path}/ask.bpmn:{line}: error: big_enough: " in result.output
    assert 'did you mean "size"?' in result.output


def test_check_says_of_any_file_what_it_should_be(tmp_path: Path) -> None:
    table = Path("rules/tables/waivers.dmn").read_bytes()
    files = {
        "table.bpmn": (table, "give it the ending .dmn"),
        "table.xml": (table, "give it the ending .dmn"),
        "diagram.dmn": (ASK.encode(), "give it the ending .bpmn"),
        "diagram.bpmn20.xml": (ASK.encode(), "give it the ending .bpmn"),
        "notes.txt": (b"to do", "Leave it out"),
        "empty.bpmn": (b"", "Document is empty"),
    }
    for name, (content, _) in files.items():
        (tmp_path / name).write_bytes(content)
    result = CliRunner().invoke(main, ["check", *(str(tmp_path / name) for name in files)])
    assert result.exit_code == 1
    for name, (_, words) in files.items():
        [said] = [line for line in result.output.splitlines() if line.startswith(f"{tmp_path / name}:")]
        assert words in said
    unreadable = CliRunner().invoke(main, ["check", "/proc/self/mem"])
    assert (unreadable.exit_code, "Expected to read /proc/self/mem, but" in unreadable.output) == (1, True)


def test_check_of_a_folder_without_diagrams_is_wrong_usage(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["check", str(tmp_path)]).exit_code == 2


def test_a_definition_that_is_deployed_is_the_one_that_starts(call: Call, plant: Installation) -> None:
    with plant.acting("user:pat") as act:
        deploy_all(act, bundle_files())
    assert json.loads(call("deploy", *SHIPPED, "--as", "pat", "--json").stdout)[0]["version"] == 1


ASK = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <bpmn:process id="ask" isExecutable="true">
    <bpmn:extensionElements>
      <zeebe:properties><zeebe:property name="variables" value="size" /></zeebe:properties>
    </bpmn:extensionElements>
    <bpmn:startEvent id="started" />
    <bpmn:exclusiveGateway id="how_big" default="small_enough" />
    <bpmn:userTask id="look">
      <bpmn:extensionElements>
        <zeebe:userTask />
        <zeebe:assignmentDefinition assignee="max" />
        <zeebe:taskSchedule dueDate="=add business days(now(), 2)" />
      </bpmn:extensionElements>
    </bpmn:userTask>
    <bpmn:endEvent id="ended" />
    <bpmn:sequenceFlow id="first" sourceRef="started" targetRef="how_big" />
    <bpmn:sequenceFlow id="big_enough" sourceRef="how_big" targetRef="look">
      <bpmn:conditionExpression>=size &gt; 2</bpmn:conditionExpression>
    </bpmn:sequenceFlow>
    <bpmn:sequenceFlow id="small_enough" sourceRef="how_big" targetRef="ended" />
    <bpmn:sequenceFlow id="last" sourceRef="look" targetRef="ended" />
  </bpmn:process>
</bpmn:definitions>
"""
