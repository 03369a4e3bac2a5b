"""Change requests and change orders by API: anybody asks, engineering writes, what 4c refuses is told with its sentence."""

from __future__ import annotations

from typing import Any

import pytest

from tests.makers import make_order_to_receive, make_part, make_revision
from tests.people import ella, otto, rita
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, problem

EDIT = {"record": "P-900/B", "column": "drawing_rev", "new": "C"}
ASKED: dict[str, Any] = {"title": "Thicker flange", "problem": "Cracks", "edits": [EDIT]}
OPENED = {"title": "Thicker flange", "reason": "Cracks", "change_class": "C3", "type": "DOCUMENT"}


@pytest.fixture
def revision(story: Story) -> str:
    made: str = story.given(lambda act: make_revision(act, make_part(act, "P-900"), "B", drawing_rev="B").id)
    return made


def test_anybody_asks_and_takes_it_back(calling: Calling, story: Story, revision: str) -> None:
    calls = calling(rita)
    made = calls.post("/change-requests", ASKED)
    assert (made.status_code, made.json["status"], made.json["originator"]) == (201, "SUBMITTED", "rita")
    assert made.json["edits"] == [
        {
            "table_name": "part_revision",
            "row_id": revision,
            "record": "P-900/B",
            "column": "drawing_rev",
            "old": "B",
            "new": "C",
        }
    ]
    assert [one["number"] for one in calls.get("/change-requests?q=flange").json["items"]] == ["CR-000001"]
    path = "/change-requests/CR-000001"
    problem(calling(otto).post(f"{path}/withdraw", {"reason": "no"}, match=calls.tag(path)), 403, "NOT_AUTHORISED")
    assert calls.post(f"{path}/withdraw", {"reason": "solved"}, match=calls.tag(path)).json["status"] == "WITHDRAWN"
    problem(calls.post("/change-requests", ASKED | {"edits": [EDIT | {"record": "P-1/Q"}]}), 422, "INVALID")
    problem(calls.get(f"/change-requests/{UNKNOWN}"), 404, "NOT_FOUND")


def test_engineering_writes_an_order_value_by_value(calling: Calling, story: Story, revision: str) -> None:
    calls = calling(ella)
    problem(calling(otto).post("/change-orders", OPENED), 403, "NOT_AUTHORISED")
    assert calls.post("/change-orders", OPENED).json["number"] == "CO-000001"
    path = "/change-orders/CO-000001"
    answer = calls.post(f"{path}/edits", EDIT, match=calls.tag(path))
    assert [(item["column"], item["new"], item["change_class"]) for item in answer.json["items"]] == [
        ("drawing_rev", "C", "C3")
    ]
    stale = calls.tag(path)
    bill = {"revision": "P-900/B", "kind": "BOM", "system": "PLM", "native_id": "BOM-1", "content_hash": "a" * 64}
    problem(calls.post(f"{path}/references", bill | {"content_hash": "soon"}, match=stale), 422, "INVALID")
    came = calls.post(f"{path}/references", bill, match=stale).json["items"]
    assert {(item["record"], item["operation"]) for item in came if item["table_name"] != "part_revision"} == {
        ("P-900/B BOM BOM-1", "INSERT")
    }
    problem(calls.post(f"{path}/references", bill | {"native_id": "BOM-2"}, match=stale), 412, "STALE_VERSION")
    gone = {"reference": "P-900/B BOM BOM-1"}
    problem(calls.post(f"{path}/references/removal", gone, match=calls.tag(path)), 422, "INVALID")
    refused = problem(
        calls.post(f"{path}/edits", EDIT | {"column": "rev", "new": "Z"}, match=calls.tag(path)),
        409,
        "UNCONTROLLED_CHANGE",
    )
    assert "to stay as it is while it is RELEASED" in refused["detail"]
    problem(calls.post(f"{path}/edits", EDIT | {"column": "weight"}, match=calls.tag(path)), 422, "INVALID")
    other = calls.post("/change-orders", OPENED | {"title": "Another"}).json["number"]
    told = problem(
        calls.post(f"/change-orders/{other}/edits", EDIT, match=calls.tag(f"/change-orders/{other}")),
        409,
        "CHANGE_OVERLAPS",
    )
    assert "CO-000001 (Thicker flange) already changes it" in told["detail"]
    ended = calls.post(f"{path}/withdraw", {"reason": "not needed"}, match=calls.tag(path))
    assert (ended.json["status"], ended.json["ended_reason"]) == ("WITHDRAWN", "not needed")
    assert (
        calls.post(f"/change-orders/{other}/edits", EDIT, match=calls.tag(f"/change-orders/{other}")).status_code == 200
    )


def test_an_order_of_too_low_a_class_is_told_which_one_it_takes(calling: Calling, story: Story) -> None:
    number = story.given(lambda act: make_order_to_receive(act).number)
    later = story.given(lambda act: make_revision(act, make_part(act, "P-901"), "A").id)
    calls = calling(ella)
    calls.post("/change-orders", OPENED | {"type": "PRODUCT"})
    path = "/change-orders/CO-000001"
    edit = {"record": f"{number}/1", "column": "part_revision_id", "new": later}
    refused = problem(calls.post(f"{path}/edits", edit, match=calls.tag(path)), 409, "CLASS_TOO_LOW")
    assert "Open one of class C4" in refused["detail"]


@pytest.mark.parametrize("day", ["2020-01-01", "soon", ""])
def test_an_effectivity_that_is_none_or_past_is_refused(calling: Calling, story: Story, day: str) -> None:
    given = OPENED | {"effectivity_kind": "DATE", "effectivity_value": day}
    problem(calling(ella).post("/change-orders", given), 422, "INVALID")
