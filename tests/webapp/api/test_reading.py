"""Parts, revisions, suppliers and definitions by API."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from processes.bundle import bundle_files
from records.part import RevisionStatus
from tests.makers import make_definition, make_part, make_revision
from tests.people import otto, pat
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem


@pytest.fixture
def calls(calling: Calling) -> Client:
    return calling(otto)


def test_parts_are_searched_and_paged_by_number(calls: Client, story: Story) -> None:
    story.given(lambda act: make_part(act, "P-050", name="Shaft", type="MAKE"))
    first = calls.get("/parts?limit=2").json
    second = calls.get(f"/parts?limit=2&after={first['next']}").json
    assert [one["part_no"] for one in first["items"] + second["items"]] == ["P-050", "P-100", "P-200"]
    assert [one["part_no"] for one in calls.get("/parts?q=shaft&type=MAKE").json["items"]] == ["P-050"]
    assert "type" in problem(calls.get("/parts?type=THING"), 422, "INVALID")["fields"]


def test_a_part_shows_its_revisions_with_what_defines_them(calls: Client, story: Story) -> None:
    def arrange(act: object) -> str:
        revision = make_revision(act, make_part(act, "P-900"), "C")
        make_definition(act, revision)
        return revision.part_id

    shown = calls.get(f"/parts/{story.given(arrange)}")
    assert shown.headers["ETag"] == f'"{shown.json["version"]}"'
    [revision] = shown.json["revisions"]
    assert (revision["number"], revision["status"]) == ("P-900/C", "RELEASED")
    assert revision["definitions"][0]["kind"] == "BOM"
    assert calls.get(f"/part_revisions/{revision['id']}").json == revision


def test_revisions_are_filtered_by_part_and_status(calls: Client, story: Story) -> None:
    part = story.given(lambda act: make_part(act, "P-901"))
    story.given(
        lambda act: make_revision(act, act.session.merge(part), "D", status=RevisionStatus.DRAFT, released_at=None)
    )
    found = calls.get("/part_revisions?part_no=P-901&status=DRAFT").json["items"]
    assert [one["number"] for one in found] == ["P-901/D"]
    assert calls.get("/part_revisions?part_no=P-901&status=RELEASED").json["items"] == []


def test_a_supplier_shows_what_it_is_approved_for(calls: Client) -> None:
    [listed] = calls.get("/suppliers?q=midland").json["items"]
    shown = calls.get(f"/suppliers/{listed['id']}").json
    assert shown["supplier_no"] == listed["supplier_no"]
    [approval] = shown["approvals"]
    assert (approval["subject_code"], approval["status"], approval["is_valid"]) == ("MACHINED", "APPROVED", True)
    assert dt.date.fromisoformat(approval["valid_to"]) == dt.date(2027, 12, 31)
    assert shown["sites"][0]["is_default"] is True
    assert calls.get("/suppliers?status=SUSPENDED").json["items"] == []


def test_a_version_hands_out_its_files_as_they_were_deployed(calls: Client) -> None:
    [listed] = calls.get("/definitions?process_id=requisition_to_po&status=RELEASED").json["items"]
    shown = calls.get(f"/definitions/{listed['id']}").json
    assert shown["version"] == 1
    main = shown["main_file"]
    assert main in [one["path"] for one in shown["files"]]
    handed = calls.get(f"/definitions/{listed['id']}/file", query_string={"path": main})
    assert handed.mimetype == "application/xml"
    assert handed.data == bundle_files()[main].replace(b"\r\n", b"\n")
    problem(calls.get(f"/definitions/{listed['id']}/file?path=../secret"), 404, "NOT_FOUND")
    problem(calls.get(f"/definitions/{listed['id']}/file"), 422, "INVALID")


def test_what_is_unknown_is_not_there(calls: Client) -> None:
    for family in ("parts", "part_revisions", "suppliers", "definitions", "instances"):
        for key in (UNKNOWN, "no-id"):
            problem(calls.get(f"/{family}/{key}"), 404, "NOT_FOUND")
    problem(calls.get(f"/definitions/{UNKNOWN}/file?path=x"), 404, "NOT_FOUND")


ONE_STEP = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"
  targetNamespace="http://lockstep" id="d">
  <bpmn:process id="one_step" name="One step" isExecutable="true">
    <bpmn:startEvent id="begun"><bpmn:outgoing>a</bpmn:outgoing></bpmn:startEvent>
    <bpmn:sequenceFlow id="a" sourceRef="begun" targetRef="look" />
    <bpmn:userTask id="look" name="Look">
      <bpmn:extensionElements><zeebe:userTask /><zeebe:assignmentDefinition candidateGroups="PUR_LEAD" /></bpmn:extensionElements>
      <bpmn:incoming>a</bpmn:incoming><bpmn:outgoing>b</bpmn:outgoing>
    </bpmn:userTask>
    <bpmn:sequenceFlow id="b" sourceRef="look" targetRef="done" />
    <bpmn:endEvent id="done"><bpmn:incoming>b</bpmn:incoming></bpmn:endEvent>
  </bpmn:process>
</bpmn:definitions>
"""


def test_a_process_engineer_deploys_and_the_same_content_is_the_same_version(calling: Calling) -> None:
    calls = calling(pat)
    first = calls.post("/definitions", {"files": {"one_step.bpmn": ONE_STEP}})
    assert first.status_code == 201, first.text
    again = calls.post("/definitions", {"files": {"one_step.bpmn": ONE_STEP}, "process_id": "one_step"})
    assert again.json == first.json
    [definition] = first.json["definitions"]
    assert (definition["process_id"], definition["version"], definition["released_by"]) == ("one_step", 1, "user:pat")


def test_only_a_process_engineer_with_the_scope_deploys(calling: Calling) -> None:
    bundle = {"files": {"one_step.bpmn": ONE_STEP}}
    problem(calling(otto).post("/definitions", bundle), 403, "NOT_AUTHORISED")
    problem(calling(pat, "definitions:read").post("/definitions", bundle), 403, "SCOPE_MISSING")
    problem(calling("adapter:ci").post("/definitions", bundle), 403, "SCOPE_MISSING")


def test_what_cannot_run_is_refused_with_its_lines(calling: Calling, story: Story) -> None:
    """W40 by API: a script that is Python, XML with entities, no diagram at all."""
    calls = calling(pat)
    python = ONE_STEP.replace('candidateGroups="PUR_LEAD"', "candidateGroups=\"=__import__('os').getcwd()\"")
    fields = problem(calls.post("/definitions", {"files": {"one_step.bpmn": python}}), 422, "INVALID")["fields"]
    assert any(place.startswith("one_step.bpmn:") for place in fields)
    bomb = '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaa">]><d>&a;</d>'
    for files in ({"x.bpmn": bomb}, {"x.bpmn": "no xml"}, {"x.txt": "text"}, {}):
        problem(calls.post("/definitions", {"files": files}), 422, "INVALID")
    from engine.stored.definition import Definition

    found = story.read(lambda session: session.scalars(select(Definition.process_id)).all())
    assert "one_step" not in found
