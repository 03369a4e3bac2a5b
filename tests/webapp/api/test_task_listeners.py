"""Tasks by API while a listener hears of a change: what is being done is said, and nobody gets past it."""

from __future__ import annotations

import pytest

from tests.people import bea, lena
from tests.story import Story
from tests.webapp.api.conftest import Calling, problem
from tests.webapp.test_task_listeners import PARKED, SENTENCE, answered, task_of

pytestmark = pytest.mark.begins_with(PARKED)


def test_the_api_says_that_a_task_is_being_changed(calling: Calling, story: Story):
    path = f"/tasks/{task_of(story).id}"
    calls = calling(lena)
    before = calls.get(path)
    assert (before.json["is_changing"], before.json["transition"]) == (False, None)
    claimed = calls.post(f"{path}/claim", {}, headers={"If-Match": before.headers["ETag"]})
    assert claimed.status_code == 200, claimed.text
    assert claimed.json["is_changing"]
    assert SENTENCE in claimed.json["transition"]
    assert (claimed.json["assignee"], claimed.json["outcomes"]) == (None, [])
    assert "take up the job stand.in (approve_lot)" in claimed.json["wait"]
    assert [item["is_changing"] for item in calls.get("/tasks?box=groups").json["items"]] == [True]
    late = calls.post(f"{path}/decision", {"verdict": "approve"}, headers={"If-Match": claimed.headers["ETag"]})
    problem(late, 409, "IN_TRANSITION")
    assert calling(bea).get(path).status_code == 404
    answered(story, corrections={"priority": 90})
    after = calls.get(path)
    assert (after.json["assignee"], after.json["priority"], after.json["is_changing"]) == ("lena", 90, False)
