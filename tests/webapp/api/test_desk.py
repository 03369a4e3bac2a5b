"""Purchasing's desk, prices, a supplier in one view and what waits for whom, over REST."""

from __future__ import annotations

from tests.people import bea, rita
from tests.story import Story
from tests.webapp.api.conftest import Calling, problem
from tests.webapp.test_desk import arranged


def test_rest_says_what_the_desk_and_the_dashboard_say(calling: Calling, story: Story) -> None:
    part_id, supplier_id = story.given(arranged)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 5)])
    calls = calling(bea)
    desk = calls.get("/desk?buyer=bea").json
    assert desk["states"] == [{"status": "TRANSMITTED", "orders": 1}, {"status": "ACKNOWLEDGED", "orders": 1}]
    assert {one["name"]: one["total"] for one in desk["sections"] if one["total"]} == {"unanswered": 1, "late": 2}
    assert [one["number"] for one in calls.get("/orders?what=late&buyer=bea").json["items"]] == ["PO-LATE"]
    prices = calls.get(f"/parts/{part_id}/prices").json
    assert [one["company_price"] for one in prices["items"]].count("11.5000") == 1
    assert prices["suppliers"][0]["prices"] == 3
    assert calls.get(f"/suppliers/{supplier_id}/overview").json["late_count"] == 2
    waiting = calls.get("/workload").json
    (step,) = waiting["steps"]
    listed = calls.get(f"/workload/tasks?step={step['key']}").json["items"]
    assert waiting["waiting"]["tasks"] == step["waiting"]["tasks"] == len(listed) == 1
    problem(calls.get("/workload?step=nowhere"), 422, "INVALID")
    problem(calling(bea, "parts:read").get("/desk"), 403, "SCOPE_MISSING")
