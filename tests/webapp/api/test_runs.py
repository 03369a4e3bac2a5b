"""Runs and messages by API: who helps what is stuck, who may see what it knows, and that a message counts once."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from engine.stored.instance import Instance
from engine.stored.wait import Message
from tests.people import adam, ivan, lena, pat, rita
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem
from tests.webapp.api.test_reading import ONE_STEP

STARTED = {"process_id": "one_step", "business_key": "R-1", "variables": {"amount": 12.50, "text": "ä"}}
STUCK = ONE_STEP.replace('candidateGroups="PUR_LEAD"', 'candidateGroups="=who"')


@pytest.fixture
def helper(calling: Calling) -> Client:
    calls = calling(pat)
    problem(calls.post("/definitions", {"files": {"../one_step.bpmn": ONE_STEP}}), 422, "INVALID")
    assert calls.post("/definitions", {"files": {"one_step.bpmn": ONE_STEP}}).status_code == 201
    return calls


def test_a_run_says_what_it_waits_for_and_what_it_knows(helper: Client) -> None:
    started = helper.post("/instances", STARTED)
    assert started.status_code == 201, started.text
    run = helper.get(f"/instances/{started.json['id']}")
    assert run.json == started.json
    assert run.headers["ETag"] == f'"{run.json["version"]}"'
    assert run.json["variables"] == {"amount": 12.5, "text": "ä"}
    assert [(wait["element_id"], wait["kind"]) for wait in run.json["waits"]] == [("look", "task")]
    assert run.json["wait"]


def test_a_variable_keeps_every_digit(helper: Client) -> None:
    sent = '{"process_id": "one_step", "business_key": "R-1", "variables": {"amount": 0.10000000000000000000000001}}'
    run = helper.send("POST", "/instances", data=sent, content_type="application/json")
    assert b'"amount":0.10000000000000000000000001' in run.data


def test_what_a_run_knows_is_for_those_who_help(helper: Client, calling: Calling) -> None:
    run = helper.post("/instances", STARTED).json
    assert calling(rita).get(f"/instances/{run['id']}").json["variables"] is None


def test_only_who_helps_or_an_adapter_starts_and_cancels(helper: Client, calling: Calling) -> None:
    problem(calling(rita).post("/instances", STARTED), 403, "NOT_AUTHORISED")
    run = calling("adapter:erp").post("/instances", STARTED)
    assert (run.status_code, run.json["started_by"]) == (201, "adapter:erp")
    path = f"/instances/{run.json['id']}/cancellation"
    problem(calling(rita).post(path, {"reason": "x"}, match=run.headers["ETag"]), 403, "NOT_AUTHORISED")
    problem(helper.post(path, {"reason": "x"}), 428, "IF_MATCH_NEEDED")
    problem(helper.post(path, {"reason": "x"}, match='"99"'), 412, "STALE_VERSION")
    problem(helper.post(path, {"reason": " "}, match=run.headers["ETag"]), 422, "INVALID")
    done = helper.post(path, {"reason": "a test"}, match=run.headers["ETag"])
    assert (done.json["status"], done.json["waits"]) == ("CANCELLED", [])
    assert "a test" in done.json["wait"]
    assert helper.post(path, {"reason": "x"}, match=done.headers["ETag"]).status_code == 409


def test_a_start_that_cannot_be_is_refused(helper: Client, story: Story) -> None:
    helper.post("/instances", STARTED)
    problem(helper.post("/instances", STARTED), 409, "ALREADY_RUNNING")
    problem(helper.post("/instances", STARTED | {"process_id": "unknown"}), 404, "NOT_FOUND")
    problem(helper.post("/instances", STARTED | {"business_key": " "}), 422, "INVALID")
    problem(helper.post("/instances", {"process_id": "one_step"}), 422, "INVALID")
    problem(helper.post("/instances", STARTED | {"variables": []}), 422, "INVALID")
    too_large = STARTED | {"business_key": "R-2", "variables": {"n": 10**300}}
    assert helper.post("/instances", too_large).status_code in (201, 422)


def test_a_run_started_with_a_forged_document_is_stuck_and_says_why(helper: Client) -> None:
    for turn, forged in enumerate(
        ({"requisition": {"id": 1}}, {"requisition": {"id": UNKNOWN}}, {"requisition": "x"}, {})
    ):
        start = {"process_id": "requisition_to_po", "business_key": f"x{turn}", "variables": forged}
        run = helper.post("/instances", start)
        assert run.status_code == 201, run.text
        assert "requisition" in run.json["open_incidents"][0]["message"]


def test_runs_are_listed_by_state_and_flow(helper: Client) -> None:
    keys = [helper.post("/instances", STARTED | {"business_key": f"R-{turn}"}).json["id"] for turn in range(3)]
    first = helper.get("/instances?q=flow:one_step&state=RUNNING&limit=2").json
    second = helper.get(f"/instances?q=flow:one_step&state=RUNNING&limit=2&after={first['next']}").json
    assert [one["id"] for one in first["items"] + second["items"]] == list(reversed(keys))
    assert helper.get("/instances?state=INCIDENT").json["items"] == []
    problem(helper.get("/instances?state=LOST"), 422, "INVALID")


def test_a_retry_says_what_really_happened(helper: Client, calling: Calling) -> None:
    assert helper.post("/definitions", {"files": {"one_step.bpmn": STUCK}}).status_code == 201
    run = helper.post("/instances", STARTED | {"variables": {"who": "NOBODY_HOLDS_THIS"}}).json
    [incident] = run["open_incidents"]
    path = f"/instances/{run['id']}/incidents/{incident['id']}/retry"
    problem(calling(rita).post(path), 403, "NOT_AUTHORISED")
    came = helper.post(path)
    assert (came.status_code, came.json["outcome"]) == (200, "FAILED_AGAIN")
    assert came.json["message"]
    problem(helper.post(f"/instances/{run['id']}/incidents/{UNKNOWN}/retry"), 404, "NOT_FOUND")
    other = helper.post("/instances", STARTED | {"business_key": "R-9", "variables": {"who": "PUR_LEAD"}}).json
    problem(helper.post(f"/instances/{other['id']}/incidents/{incident['id']}/retry"), 404, "NOT_FOUND")


def test_the_second_delivery_of_a_message_is_already_handled(calling: Calling, story: Story) -> None:
    """W23 by API."""
    adapter = calling("adapter:erp")
    message = {
        "name": "goods.received",
        "correlation_key": "4711/1",
        "variables": {"quantity": 5},
        "message_id": "GR-1",
    }
    first, second = adapter.post("/messages", message), adapter.post("/messages", message)
    assert (first.status_code, first.json["reception"]) == (200, "STORED")
    assert (second.status_code, second.json["detail"], second.json["id"]) == (200, "already handled", first.json["id"])
    assert story.read(lambda session: session.scalar(select(func.count()).select_from(Message))) == 1


def test_a_message_comes_from_an_interface_or_its_keeper(calling: Calling) -> None:
    message = {"name": "goods.received"}
    for member in (ivan, adam):
        assert calling(member).post("/messages", message).status_code == 200
    problem(calling(lena).post("/messages", message), 403, "NOT_AUTHORISED")
    problem(calling("adapter:erp", "orders:read").post("/messages", message), 403, "SCOPE_MISSING")


def test_a_message_that_cannot_be_is_refused(calling: Calling) -> None:
    adapter = calling("adapter:erp")
    for wrong, field in (
        ({}, "name"), ({"name": ""}, "name"), ({"name": "x", "ttl": -1}, "ttl"), ({"name": "x", "ttl": "1"}, "ttl"),
        ({"name": "x", "variables": [1]}, "variables"), ({"name": "x", "message_id": "m" * 201}, "message_id"),
        ({"name": "x", "message_id": ""}, "message_id"),
    ):  # fmt: skip
        assert field in problem(adapter.post("/messages", wrong), 422, "INVALID")["fields"]
    problem(adapter.post("/messages", {"name": "x", "variables": {"=x": 1}}), 422, "INVALID")


def test_a_planned_order_that_nobody_can_use_is_refused_with_every_reason_and_starts_nothing(
    calling: Calling, story: Story
) -> None:
    adapter = calling("adapter:erp")
    right = {
        "planned_no": "PL-1", "part_no": "P-100", "quantity": 5, "requester": "rita", "cost_centre": "4711",
        "estimated_price": "42.50",
    }  # fmt: skip
    wrong = {"part_no": "P-999", "quantity": "NaN", "requester": "nobody", "cost_centre": "", "plant": "MOON"}
    message = {"name": "erp.planned_order.created", "message_id": "PL-1", "variables": right | wrong}
    fields = problem(adapter.post("/messages", message), 422, "INVALID")["fields"]
    assert set(fields) == set(wrong)
    assert "P-999" in fields["part_no"]
    assert story.read(lambda session: session.scalars(select(Instance.id)).all()) == []
    answer = adapter.post("/messages", message | {"variables": right})
    assert (answer.status_code, answer.json["reception"]) == (200, "STARTED")
