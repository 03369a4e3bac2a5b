"""Requisitions by API: a draft is written, changed, submitted and cancelled by whom the pages let, and nobody else."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from tests.people import lena, otto, rita, sam
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem

DRAFT = {
    "title": "Brackets", "cost_centre": "4711",
    "lines": [{"part": "P-100", "quantity": "50", "estimated_price": "42.50"}, {"part": "P-200", "quantity": 5, "estimated_price": 1.1}],
}  # fmt: skip


@pytest.fixture
def calls(calling: Calling) -> Client:
    return calling(rita)


@pytest.fixture
def draft(calls: Client) -> TestResponse:
    answer = calls.post("/requisitions", DRAFT)
    assert answer.status_code == 201, answer.text
    return answer


def path_of(draft: TestResponse, step: str = "") -> str:
    return f"/requisitions/{draft.json['id']}{step}"


def test_a_draft_is_written_with_exact_numbers(calls: Client, draft: TestResponse) -> None:
    assert draft.json["status"] == "DRAFT"
    assert draft.json["requester"] == "rita"
    assert draft.json["currency"] == "USD"
    assert draft.json["total"] == "2130.50"
    first, second = draft.json["lines"]
    assert (first["part"], first["revision"], first["quantity"]) == ("P-100", "B", "50.000000")
    assert second["estimated_price"] == "1.1000"
    again = calls.get(path_of(draft))
    assert again.json == draft.json
    assert again.headers["ETag"] == draft.headers["ETag"]
    assert calls.get(path_of(draft), headers={"If-None-Match": again.headers["ETag"]}).status_code == 304


def test_only_a_requester_asks(calling: Calling) -> None:
    problem(calling(otto).post("/requisitions", DRAFT), 403, "NOT_AUTHORISED")


WRONG = [
    ({"part": "P-100", "quantity": "0"}, "lines.0.quantity"),
    ({"part": "P-100", "quantity": "-1"}, "lines.0.quantity"),
    ({"part": "P-100", "quantity": "1." + "1" * 30}, "lines.0.quantity"),
    ({"part": "P-100", "quantity": "1.5"}, "lines.0.quantity"),
    ({"part": "P-100", "quantity": "1e30"}, "lines.0.quantity"),
    ({"part": "P-999", "quantity": "1"}, "lines.0.part"),
    ({"part": "P-100", "revision": "Z", "quantity": "1"}, "lines.0.revision"),
    ({"quantity": "1"}, "lines.0.part"),
    ({"part": "P-100", "quantity": "1", "supplier": "S-none"}, "lines.0.supplier"),
    ({"part": "P-100", "quantity": "1", "estimated_price": "-1"}, "lines.0.estimated_price"),
    ({"part": "P-100", "quantity": "1", "uom": "BOX"}, "lines.0.uom"),
    ({"part": "P-100", "quantity": "1", "need_by": "soon"}, "lines.0.need_by"),
    ({"part": "P-100", "quantity": "1", "description": "x" * 20_001}, "lines.0.description"),
]


def test_a_line_that_does_not_fit_is_named(calls: Client) -> None:
    for line, field in WRONG:
        found = problem(calls.post("/requisitions", DRAFT | {"lines": [line]}), 422, "INVALID")["fields"]
        assert field in found, line
    assert calls.get("/requisitions").json["items"] == []


def test_a_change_touches_only_what_it_names(calls: Client, draft: TestResponse) -> None:
    changed = calls.patch(path_of(draft), {"title": "Better brackets"}, match=draft.headers["ETag"])
    assert changed.status_code == 200, changed.text
    assert changed.json["title"] == "Better brackets"
    assert [line["id"] for line in changed.json["lines"]] == [line["id"] for line in draft.json["lines"]]
    kept = draft.json["lines"][0]
    fewer = {"lines": [{"id": kept["id"], "part": "P-100", "quantity": "7"}]}
    shorter = calls.patch(path_of(draft), fewer, match=changed.headers["ETag"])
    assert [(line["id"], line["quantity"]) for line in shorter.json["lines"]] == [(kept["id"], "7.000000")]


def test_a_change_of_a_line_alone_also_makes_what_one_saw_stale(calls: Client, draft: TestResponse) -> None:
    line = {"id": draft.json["lines"][0]["id"], "part": "P-100", "quantity": "7", "estimated_price": "42.50"}
    assert calls.patch(path_of(draft), {"lines": [line]}, match=draft.headers["ETag"]).status_code == 200
    problem(calls.patch(path_of(draft), {"title": "x"}, match=draft.headers["ETag"]), 412, "STALE_VERSION")
    problem(calls.patch(path_of(draft), {"title": "x"}), 428, "IF_MATCH_NEEDED")


def test_somebody_elses_draft_is_not_changed(calling: Calling, draft: TestResponse) -> None:
    from records.api_key import SCOPES

    other = calling(sam, *SCOPES)
    for step in ("/submission", "/cancellation"):
        body = {"reason": "x"} if step == "/cancellation" else {}
        problem(other.post(path_of(draft, step), body, match=draft.headers["ETag"]), 403, "NOT_AUTHORISED")
    problem(other.patch(path_of(draft), {"title": "x"}, match=draft.headers["ETag"]), 403, "NOT_AUTHORISED")


def test_a_submitted_requisition_waits_for_its_approver(calls: Client, calling: Calling, draft: TestResponse) -> None:
    supplied = [
        {**{name: line[name] for name in ("id", "part", "quantity", "estimated_price")}, "supplier": _supplier(calls)}
        for line in draft.json["lines"]
    ]
    ready = calls.patch(path_of(draft), {"lines": supplied}, match=draft.headers["ETag"])
    submitted = calls.post(path_of(draft, "/submission"), match=ready.headers["ETag"])
    assert submitted.status_code == 200, submitted.text
    assert submitted.json["status"] == "IN_APPROVAL"
    assert submitted.json["wait"]
    run = calls.get(f"/instances/{submitted.json['instance_id']}").json
    assert run["business_key"] == draft.json["number"]
    assert calling(lena).get("/tasks?box=groups").json["items"][0]["record_id"] == draft.json["id"]
    problem(calls.post(path_of(draft, "/submission"), match=submitted.headers["ETag"]), 409, "ILLEGAL_TRANSITION")
    problem(calls.patch(path_of(draft), {"title": "x"}, match=submitted.headers["ETag"]), 409, "ILLEGAL_TRANSITION")
    late = calls.post(path_of(draft, "/cancellation"), {"reason": "x"}, match=submitted.headers["ETag"])
    problem(late, 409, "ILLEGAL_TRANSITION")


def test_a_requester_withdraws_what_is_undecided_once(
    calls: Client, calling: Calling, draft: TestResponse, story: Story
) -> None:
    lines = [
        {
            "id": one["id"],
            "part": one["part"],
            "quantity": one["quantity"],
            "estimated_price": one["estimated_price"],
            "supplier": _supplier(calls),
        }
        for one in draft.json["lines"]
    ]
    ready = calls.patch(path_of(draft), {"lines": lines}, match=draft.headers["ETag"])
    path, why = path_of(draft, "/withdrawal"), {"reason": "not needed any more"}
    problem(calls.post(path, why, match=ready.headers["ETag"]), 409, "ILLEGAL_TRANSITION")
    tag = calls.post(path_of(draft, "/submission"), match=ready.headers["ETag"]).headers["ETag"]
    problem(calling(lena).post(path, why, match=tag), 403, "NOT_AUTHORISED")
    problem(calls.post(path, why), 428, "IF_MATCH_NEEDED")
    problem(calls.post(path, why, match=draft.headers["ETag"]), 412, "STALE_VERSION")
    assert "reason" in problem(calls.post(path, {"reason": " "}, match=tag), 422, "INVALID")["fields"]
    done = calls.post(path, why, match=tag, again="w-1")
    assert (done.status_code, done.json["status"], done.json["wait"]) == (200, "CANCELLED", "Ended at 09:00.")
    assert calls.post(path, why, match=tag, again="w-1").json == done.json
    assert calling(lena).get("/tasks?box=groups").json["items"] == []
    problem(
        calls.post(path_of(draft, "/withdrawal").replace(draft.json["id"], UNKNOWN), why, match=tag), 404, "NOT_FOUND"
    )


def _supplier(calls: Client) -> str:
    return str(calls.get("/suppliers?q=Midland").json["items"][0]["supplier_no"])


def test_what_is_missing_is_said_before_anything_starts(calls: Client) -> None:
    bare = calls.post("/requisitions", DRAFT | {"lines": [{"part": "P-100", "quantity": "1"}]})
    found = problem(calls.post(path_of(bare, "/submission"), match=bare.headers["ETag"]), 422, "NOT_READY")
    assert "line_no.1" in found["fields"]
    assert calls.get("/instances").json["items"] == []


def test_a_draft_is_cancelled_for_a_reason(calls: Client, draft: TestResponse) -> None:
    tag = draft.headers["ETag"]
    assert "reason" in problem(calls.post(path_of(draft, "/cancellation"), {}, match=tag), 422, "INVALID")["fields"]
    problem(calls.post(path_of(draft, "/cancellation"), {"reason": "x"}, match='"1"'), 412, "STALE_VERSION")
    done = calls.post(path_of(draft, "/cancellation"), {"reason": "asked twice"}, match=tag)
    assert done.json["status"] == "CANCELLED"


def test_an_unknown_requisition_is_not_there(calls: Client) -> None:
    for key in (UNKNOWN, "no-id"):
        problem(calls.get(f"/requisitions/{key}"), 404, "NOT_FOUND")
        problem(calls.patch(f"/requisitions/{key}", {"title": "x"}, match='"1"'), 404, "NOT_FOUND")
        for step in ("submission", "cancellation"):
            body = {"reason": "x"} if step == "cancellation" else {}
            problem(calls.post(f"/requisitions/{key}/{step}", body, match='"1"'), 404, "NOT_FOUND")


def test_the_list_is_searched_filtered_and_paged(calls: Client) -> None:
    made = [calls.post("/requisitions", DRAFT | {"title": f"Brackets {turn}"}).json for turn in range(3)]
    first = calls.get("/requisitions?limit=2").json
    second = calls.get(f"/requisitions?limit=2&after={first['next']}").json
    assert [item["id"] for item in first["items"] + second["items"]] == [one["id"] for one in reversed(made)]
    assert second["next"] is None
    assert [item["title"] for item in calls.get("/requisitions?q=Brackets 1").json["items"]] == ["Brackets 1"]
    assert calls.get("/requisitions?status=CANCELLED").json["items"] == []
    problem(calls.get("/requisitions?status=LOST"), 422, "INVALID")
    problem(calls.get("/requisitions?limit=0"), 422, "INVALID")
    problem(calls.get("/requisitions?after=xyz"), 422, "INVALID")


def test_an_adapter_asks_for_nothing(calling: Calling, story: Story) -> None:
    problem(calling("adapter:erp").post("/requisitions", DRAFT), 403, "SCOPE_MISSING")
