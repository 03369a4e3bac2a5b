"""Operators by API: a run rests and goes on, tokens and runs are moved, each refused and signed as on the pages."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from records.signature import Signature
from tests.engine.spiff.diagrams import diagram, end, process, start, sub, user
from tests.people import adam, rita
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem
from tests.webapp.api.test_reading import ONE_STEP
from tests.webapp.api.test_runs import STARTED, helper
from tests.webapp.api.test_signing import signed

OTHER = ONE_STEP.replace("look", "see")
SIGNED: dict[str, Any] = {"reason": "the new rule", "signature": signed("", "AUTHORED")["signature"]}
__all__ = ["helper"]


@pytest.fixture
def run(helper: Client) -> dict[str, Any]:
    return helper.post("/instances", STARTED).json


def test_a_run_rests_and_goes_on(helper: Client, calling: Calling, run: dict[str, Any]) -> None:
    path = f"/instances/{run['id']}"
    tag = helper.tag(path)
    problem(calling(rita).post(f"{path}/suspension", {"reason": "x"}, match=tag), 403, "NOT_AUTHORISED")
    problem(helper.post(f"{path}/suspension", {"reason": "x"}), 428, "IF_MATCH_NEEDED")
    problem(helper.post(f"{path}/suspension", {"reason": " "}, match=tag), 422, "INVALID")
    problem(helper.post(f"{path}/resumption", {}, match=tag), 409, "NOT_SUSPENDED")
    rests = calling(adam).post(f"{path}/suspension", {"reason": "an audit"}, match=tag)
    assert (rests.status_code, rests.json["suspended_why"], rests.json["suspended_by"]) == (200, "an audit", "adam")
    problem(helper.post(f"{path}/resumption", {}, match=tag), 412, "STALE_VERSION")
    assert helper.post(f"{path}/resumption", {}, match=rests.headers["ETag"]).json["suspended_at"] is None


def test_what_is_done_in_an_ad_hoc_sub_process_is_chosen(helper: Client, calling: Calling, run: dict[str, Any]) -> None:
    box = sub("box", user("a"), user("b"), kind="adHocSubProcess", name="Looking")
    drawn = diagram(process(start(), box, end(), id="open", flows="s > box > e")).decode()
    assert helper.post("/definitions", {"files": {"open.bpmn": drawn}}).status_code == 201
    made = helper.post("/instances", {"process_id": "open", "business_key": "O-1"}).json
    assert [wait["kind"] for wait in made["waits"]] == ["activation"]
    path, adapter = f"/instances/{made['id']}/choices", calling("adapter:agent", "instances:write", "instances:read")
    [found] = adapter.get(path).json["items"]
    assert (found["name"], found["running"]) == ("Looking", 0)
    assert found["elements"] == [{"element_id": "a", "name": "a"}, {"element_id": "b", "name": "b"}]
    choice = {
        "token_id": found["token_id"],
        "elements": [{"element_id": "a", "variables": {"n": 1}}, {"element_id": "b"}],
    }
    problem(calling(rita).post(path, choice), 403, "NOT_AUTHORISED")
    problem(calling("adapter:agent", "instances:read").post(path, choice), 403, "SCOPE_MISSING")
    problem(helper.post(path, choice | {"elements": []}), 422, "INVALID")
    problem(helper.post(path, choice | {"token_id": 9999}), 409, "NOT_OPEN")
    problem(helper.post(f"/instances/{UNKNOWN}/choices", choice), 404, "NOT_FOUND")
    assert [wait["element_id"] for wait in adapter.post(path, choice).json["waits"]] == ["a", "b"]
    again = helper.post(path, choice | {"elements": [{"element_id": "a"}], "ends_others": True, "reason": "once more"})
    assert [wait["element_id"] for wait in again.json["waits"]] == ["a"]
    assert helper.get(f"/instances/{run['id']}/choices").json == {"items": [], "next": None}


def test_tokens_are_moved_as_rehearsed_and_signed(
    helper: Client, calling: Calling, run: dict[str, Any], story: Story
) -> None:
    path, [wait] = f"/instances/{run['id']}/edits", run["waits"]
    edits = {"edits": [{"kind": "CANCEL", "token_id": wait["token_id"]}]}
    problem(helper.post(f"{path}/rehearsal", edits), 409, "NOT_LEGAL")
    problem(helper.post(f"{path}/rehearsal", {"edits": [{"kind": "MOVE"}]}), 422, "INVALID")
    problem(helper.post(f"/instances/{UNKNOWN}/edits/rehearsal", edits), 404, "NOT_FOUND")
    edits = {"edits": [{"kind": "MOVE", "token_id": wait["token_id"], "element_id": "done"}]}
    staged = helper.post(f"{path}/rehearsal", edits)
    assert (staged.status_code, staged.json["is_over"], len(staged.json["ends"])) == (200, True, 1)
    tag = staged.headers["ETag"]
    wrong = SIGNED | {"signature": SIGNED["signature"] | {"password": "guess"}}
    problem(helper.post(path, edits | wrong, match=tag), 403, "WRONG_PASSWORD")
    tag = helper.tag(f"/instances/{run['id']}")  # The attempt is kept in the chain of the run.
    problem(calling(adam).post(path, edits | SIGNED, match=tag), 403, "NOT_AUTHORISED")
    problem(helper.post(path, edits | SIGNED, match='"99"'), 412, "STALE_VERSION")
    done = helper.post(path, edits | SIGNED, match=tag)
    assert done.status_code == 200, done.text
    assert (done.status_code, done.json["status"], done.json["ended_at"]) == (200, "COMPLETED", "done")
    row = story.read(lambda session: session.scalars(select(Signature).where(Signature.record_id == run["id"])).one())
    assert (row.signer_id, row.role, row.reason) == ("pat", "PROCESS_ENGINEER", "the new rule")


def test_runs_are_rehearsed_moved_and_taken_back(helper: Client, calling: Calling, run: dict[str, Any]) -> None:
    made = helper.post("/definitions", {"files": {"one_step.bpmn": OTHER}}).json["definitions"][0]
    assert helper.get(f"/instances/{run['id']}").json["newest_version"] == made["version"]
    path = f"/definitions/{made['id']}"
    [asked] = helper.post(f"{path}/rehearsal", {}).json["items"]
    assert (asked["verdict"], asked["unplaced"][0]["suggestion"]) == ("NEEDS_MAPPING", "see")
    problem(helper.post(f"{path}/rehearsal", {"mapping": {"look": "nowhere"}}), 422, "INVALID")
    problem(helper.post(f"/definitions/{UNKNOWN}/rehearsal", {}), 404, "NOT_FOUND")
    order = SIGNED | {"instances": [run["id"]], "mapping": {"look": "see"}}
    [safe] = helper.post(f"{path}/rehearsal", {"mapping": {"look": "see"}}).json["items"]
    assert safe["verdict"] == "MAPPED"
    problem(calling(rita).post(f"{path}/relocations", order), 403, "NOT_AUTHORISED")
    failed = helper.post(f"{path}/relocations", order | {"mapping": {}})
    assert [one["came"] for one in failed.json["items"]] == ["FAILED"]
    moved = helper.post(f"{path}/relocations", order, again="once")
    assert (moved.status_code, [one["came"] for one in moved.json["items"]]) == (201, ["MOVED"])
    assert helper.post(f"{path}/relocations", order, again="once").json == moved.json
    assert [wait["element_id"] for wait in helper.get(f"/instances/{run['id']}").json["waits"]] == ["see"]
    [move] = helper.get(f"/instances/{run['id']}/moves").json["items"]
    back = f"/instances/{run['id']}/moves"
    problem(helper.post(f"{back}/{UNKNOWN}/reversal", SIGNED), 404, "NOT_FOUND")
    assert helper.post(f"{back}/{move['id']}/reversal", SIGNED).json["definition_version"] == 1
    problem(helper.post(f"{back}/{move['id']}/reversal", SIGNED), 409, "ALREADY_REVERTED")
