"""Amendments by API: a returned one is corrected by a buyer who saw it, while it is sent back, with values that fit."""

from __future__ import annotations

from typing import Any

import pytest

from records.amendment import AmendmentStatus
from tests.amendments import acknowledged, newest, redline
from tests.people import bea, lena, otto, rita
from tests.processes.test_amendment_returned import returned
from tests.processes.test_amendments_under_a_change_order import change_order
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem

CORRECTION: dict[str, Any] = {
    "reason": "The plant needs one less", "reason_code": "DEMAND", "lines": [{"line_no": 1, "quantity": "101"}],
}  # fmt: skip


@pytest.fixture
def calls(calling: Calling) -> Client:
    return calling(bea)


@pytest.fixture
def back(story: Story) -> str:
    """The path of an amendment that was sent back."""
    return f"/amendments/{returned(story).id}"


def test_a_returned_amendment_is_corrected_and_is_with_its_approvers_again(
    calls: Client, back: str, story: Story
) -> None:
    before = calls.get(back)
    assert (before.json["status"], before.json["ended_reason"]) == ("DRAFT", "Sent back: Why not 101?")
    done = calls.put(back, CORRECTION, match=before.headers["ETag"])
    assert done.status_code == 200, done.text
    assert (done.json["status"], done.json["number"], done.json["reason"]) == (
        "PENDING", before.json["number"], CORRECTION["reason"],
    )  # fmt: skip
    assert [(one["path"], one["new"]) for one in done.json["changes"]] == [
        ("lines.1.quantity", "101.000000"), ("lines.1.amount", "4040.0000"),
    ]  # fmt: skip
    assert story.settle().steps == ["decide_slot"]
    story.as_(lena).decide("decide_slot", "approve")
    assert calls.get(back).json["status"] == "SENT"


def test_a_correction_needs_a_buyer_who_saw_what_is_replaced(
    calls: Client, calling: Calling, back: str, story: Story
) -> None:
    tag, before = calls.tag(back), redline(newest(story))
    for member in (rita, otto):
        problem(calling(member).put(back, CORRECTION, match=tag), 403, "NOT_AUTHORISED")
    problem(calls.put(back, CORRECTION), 428, "IF_MATCH_NEEDED")
    problem(calls.put(back, CORRECTION, match='"0"'), 412, "STALE_VERSION")
    assert (redline(newest(story)), newest(story).status) == (before, AmendmentStatus.DRAFT)
    problem(calls.put(f"/amendments/{UNKNOWN}", CORRECTION, match=tag), 404, "NOT_FOUND")


def test_a_correction_that_does_not_fit_is_named_and_changes_nothing(calls: Client, back: str) -> None:
    before = calls.get(back)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"reason": " "}, "reason"),
        ({"lines": [{"line_no": 9, "quantity": "1"}]}, "lines.9.line_no"),
        ({"lines": [{"line_no": 1, "quantity": "many"}]}, "lines.0.quantity"),
        ({"lines": []}, "changes"),
        ({"status": "APPROVED"}, "status"),
    ]
    for change, field in wrong:
        found = problem(calls.put(back, CORRECTION | change, match=before.headers["ETag"]), 422, "INVALID")
        assert field in found["fields"], change
    refused = calls.put(back, CORRECTION | {"lines": [{"line_no": 1, "spec": "AMS-1"}]}, match=before.headers["ETag"])
    assert "lines.1.spec" in problem(refused, 409, "UNCONTROLLED_CHANGE")["detail"]
    assert calls.get(back).json == before.json


def test_only_what_was_sent_back_is_corrected(calls: Client, back: str, story: Story) -> None:
    done = calls.put(back, CORRECTION, match=calls.tag(back))
    problem(calls.put(back, CORRECTION, match=done.headers["ETag"]), 409, "ILLEGAL_TRANSITION")
    story.settle()
    assert redline(newest(story))[0][2] == "101.000000"


def test_an_amendment_under_a_change_order_names_it(calls: Client, story: Story) -> None:
    acknowledged(story)
    change_id, _ = change_order(story)
    path = f"/orders/{story.order.id}/amendments"
    part = calls.get(f"/orders/{story.order.id}").json["lines"][0]["part"]
    body = {"reason": "The flange cracks", "lines": [{"line_no": 1, "part_revision": f"{part}/Z"}]}
    made = calls.post(path, body)
    assert made.status_code == 201, made.text
    assert (made.json["change_order_id"], made.json["change_class"], made.json["changes"][0]["path"]) == (
        change_id, "C4", "lines.1.part_revision_id",
    )  # fmt: skip
