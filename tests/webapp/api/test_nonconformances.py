"""Nonconformances by API: anybody with the scope reads, quality decides and signs."""

from __future__ import annotations

from typing import Any

from tests.makers import make_nonconformance, make_work_order
from tests.people import otto, quinn
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, problem

SIGNATURE = {"meaning": "APPROVED", "password": "lockstep-demo", "accepts_responsibility": True}


def test_quality_decides_once_with_a_signature(calling: Calling, story: Story) -> None:
    ncr = story.given(lambda act: make_nonconformance(act, make_work_order(act), "NCR-88").id)
    path, calls = f"/nonconformances/{ncr}", calling(quinn)
    given: dict[str, Any] = {
        "disposition": "REWORK",
        "reason": "Bore again",
        "quantity_limit": "3",
        "signature": SIGNATURE,
    }
    assert [one["number"] for one in calls.get("/nonconformances?status=OPEN").json["items"]] == ["NCR-88"]
    problem(calls.get(f"/nonconformances/{UNKNOWN}"), 404, "NOT_FOUND")
    tag = calls.tag(path)
    wrong = given | {"signature": SIGNATURE | {"password": "guess"}}
    problem(calls.post(f"{path}/disposition", wrong, match=tag), 403, "WRONG_PASSWORD")
    problem(calling(otto).post(f"{path}/disposition", given, match=tag), 403, "NOT_AUTHORISED")
    problem(calls.post(f"{path}/disposition", given | {"quantity_limit": "5"}, match=tag), 422, "INVALID")
    answer = calls.post(f"{path}/disposition", given, match=tag)
    assert (answer.status_code, answer.json["status"], answer.json["quantity_limit"]) == (200, "DISPOSED", "3.000000")
    problem(calls.post(f"{path}/disposition", given, match=calls.tag(path)), 409, "ILLEGAL_TRANSITION")
