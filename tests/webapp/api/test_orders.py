"""Purchase orders by API: a draft is the buyer's, an approved one nobody's; a supplier's answer counts once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from records.acknowledgement import SupplierAcknowledgement
from records.purchase_order import OrderStatus, PurchaseOrder
from tests.makers import make_order, make_revision
from tests.people import bea, otto, rita
from tests.processes.test_issue import issued
from tests.processes.test_order_approval import submitted
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem


@pytest.fixture
def calls(calling: Calling) -> Client:
    return calling(bea)


@pytest.fixture
def draft(story: Story) -> str:
    """The path of a draft of 5 × 42.50."""
    return f"/orders/{story.given(lambda act: make_order(act).id)}"


@pytest.fixture
def sent(story: Story) -> str:
    """The path of an order that is with its supplier."""
    issued(story)
    assert story.order.status is OrderStatus.TRANSMITTED
    return f"/orders/{story.order.id}"


def test_an_order_shows_its_lines_and_hashes(calls: Client, draft: str) -> None:
    shown = calls.get(draft).json
    assert (shown["status"], shown["total"]) == ("DRAFT", "212.50")
    assert shown["lines"][0]["unit_price"] == "42.5000"
    assert len(shown["content_hash"]) == 64
    assert shown["acknowledgements"] == []


def test_the_list_is_searched_and_filtered(calls: Client, draft: str) -> None:
    number = calls.get(draft).json["number"]
    assert [one["number"] for one in calls.get(f"/orders?q={number}&status=DRAFT").json["items"]] == [number]
    assert calls.get("/orders?status=CLOSED").json == {"items": [], "next": None}
    problem(calls.get("/orders?status=GONE"), 422, "INVALID")


def test_a_buyer_changes_a_draft(calls: Client, draft: str) -> None:
    change = {"payment_term": "Net 60", "lines": [{"line_no": 1, "quantity": "7", "spec": "AMS 2759/3"}]}
    changed = calls.patch(draft, change, match=calls.tag(draft))
    assert changed.status_code == 200, changed.text
    assert changed.json["payment_term"] == "Net 60"
    assert changed.json["ship_to"] == "Dock C"
    line = changed.json["lines"][0]
    assert (line["quantity"], line["unit_price"], line["spec"]) == ("7.000000", "42.5000", "AMS 2759/3")
    assert changed.headers["ETag"] != ""


def test_a_draft_changes_only_by_a_buyer_who_saw_it(calls: Client, calling: Calling, draft: str) -> None:
    tag, change = calls.tag(draft), {"lines": [{"line_no": 1, "quantity": "7"}]}
    for member in (rita, otto):
        problem(calling(member).patch(draft, change, match=tag), 403, "NOT_AUTHORISED")
    problem(calling("adapter:erp").patch(draft, change, match=tag), 403, "ADAPTER_KEY")
    problem(calls.patch(draft, change), 428, "IF_MATCH_NEEDED")
    assert calls.patch(draft, change, match=tag).status_code == 200
    problem(calls.patch(draft, change, match=tag), 412, "STALE_VERSION")


@pytest.fixture
def undecided(story: Story) -> str:
    """The path of an order that the purchasing lead is asked to approve."""
    submitted(story)
    assert story.order.status is OrderStatus.PENDING_APPROVAL
    return f"/orders/{story.order.id}"


def test_a_buyer_withdraws_an_order_that_is_not_issued_once(
    calls: Client, calling: Calling, undecided: str, story: Story
) -> None:
    path, tag, why = f"{undecided}/withdrawal", calls.tag(undecided), {"reason": "the drawing changes"}
    for member in (rita, otto):
        problem(calling(member).post(path, why, match=tag), 403, "NOT_AUTHORISED")
    problem(calls.post(path, why), 428, "IF_MATCH_NEEDED")
    problem(calls.post(path, why, match='"1-0"'), 412, "STALE_VERSION")
    assert "reason" in problem(calls.post(path, {"reason": " "}, match=tag), 422, "INVALID")["fields"]
    assert "reason" in problem(calls.post(path, {}, match=tag), 422, "INVALID")["fields"]
    done = calls.post(path, why, match=tag, again="w-1")
    assert (done.status_code, done.json["status"], done.json["approved_hash"]) == (200, "DRAFT", None)
    again = calls.post(path, why, match=tag, again="w-1")
    assert (again.headers["Idempotency-Replayed"], again.json) == ("true", done.json)
    assert story.settle().steps == ["complete_order"]
    problem(calls.post(path, why, match=done.headers["ETag"]), 409, "ILLEGAL_TRANSITION")


def test_an_order_at_its_supplier_is_not_withdrawn(calls: Client, sent: str) -> None:
    found = problem(calls.post(f"{sent}/withdrawal", {"reason": "x"}, match=calls.tag(sent)), 409, "ILLEGAL_TRANSITION")
    assert "it needs an amendment" in found["detail"]
    problem(calls.post(f"/orders/{UNKNOWN}/withdrawal", {"reason": "x"}, match='"1"'), 404, "NOT_FOUND")


WRONG = [
    ({"lines": [{"line_no": 1, "quantity": "0"}]}, "lines.1.quantity"),
    ({"lines": [{"line_no": 1, "unit_price": "-1"}]}, "lines.1.unit_price"),
    ({"lines": [{"line_no": 9, "quantity": "1"}]}, "lines.0.line_no"),
    ({"lines": [{"line_no": 1, "part_revision": "P-100/Z"}]}, "lines.part_revision"),
    ({"lines": [{"line_no": 1, "quality_clauses": ["Q99@9"]}]}, "lines.1.quality_clauses"),
    ({"incoterm": "EXW", "incoterm_place": None}, "incoterm_place"),
    ({"status": "APPROVED"}, "status"),
    ({"lines": [{"line_no": 1, "status": "CLOSED"}]}, "lines.0.status"),
]


def test_a_change_that_does_not_fit_is_named(calls: Client, draft: str) -> None:
    before = calls.get(draft)
    for change, field in WRONG:
        found = problem(calls.patch(draft, change, match=before.headers["ETag"]), 422, "INVALID")["fields"]
        assert field in found, change
    assert calls.get(draft).json == before.json


def test_an_uncontrolled_change_by_api_is_refused_with_both_values(calls: Client, sent: str, story: Story) -> None:
    """D14, first half: PATCH of a line's part revision without a change order; the order stays as it was."""
    part = calls.get(sent).json["lines"][0]["part"]

    def next_revision(act: Any) -> None:
        from records.part import Part, RevisionStatus

        found = act.session.scalars(select(Part).where(Part.part_no == part)).one()
        make_revision(act, found, "C", status=RevisionStatus.DRAFT, released_at=None)

    story.given(next_revision)
    before = calls.get(sent)
    refused = calls.patch(sent, {"lines": [{"line_no": 1, "part_revision": f"{part}/C"}]}, match=before.headers["ETag"])
    body = problem(refused, 409, "UNCONTROLLED_CHANGE")
    [finding] = [one for one in body["findings"] if one["field"] == "part_revision_id"]
    assert (finding["old_words"], finding["new_words"]) == (f"{part}/B", f"{part}/C")
    assert "needs change class" in finding["sentence"]
    assert "amendment" in finding["way_out"]
    after = calls.get(sent)
    assert after.json == before.json
    assert after.json["revision"] == 0


CONTROLLED = [
    ({"lines": [{"line_no": 1, "quantity": "6"}]}, "quantity", "6.000000"),
    ({"lines": [{"line_no": 1, "unit_price": "1"}]}, "unit_price", "1.0000"),
    ({"lines": [{"line_no": 1, "spec": "AMS 1"}]}, "spec", "AMS 1"),
    ({"payment_term": "Net 90"}, "payment_term", "Net 90"),
]


def test_every_controlled_value_is_kept_from_its_approval_on(calls: Client, sent: str) -> None:
    before = calls.get(sent)
    for change, field, new in CONTROLLED:
        body = problem(calls.patch(sent, change, match=before.headers["ETag"]), 409, "UNCONTROLLED_CHANGE")
        [finding] = [one for one in body["findings"] if one["field"] == field]
        assert (finding["old"], finding["new"]) == ({**before.json, **before.json["lines"][0]}[field], new)


def test_what_the_policy_leaves_free_is_not_changed_by_api_either(calls: Client, sent: str) -> None:
    problem(calls.patch(sent, {"supplier_reference": "x"}, match=calls.tag(sent)), 409, "UNCONTROLLED_CHANGE")
    problem(calls.patch(sent, {}, match=calls.tag(sent)), 409, "UNCONTROLLED_CHANGE")


def test_a_suppliers_answer_counts_once(calling: Calling, sent: str, story: Story) -> None:
    adapter = calling("adapter:edi")
    answer = {"result": "ACCEPT", "message_id": "855-1", "reference": "SO-77"}
    first = adapter.post(f"{sent}/acknowledgements", answer)
    assert (first.status_code, first.json["is_duplicate"]) == (200, False)
    again = adapter.post(f"{sent}/acknowledgements", answer)
    assert (again.status_code, again.json["detail"]) == (200, "already handled")
    assert story.read(lambda session: session.scalar(select(func.count()).select_from(SupplierAcknowledgement))) == 1
    assert adapter.get(sent).json["status"] == "ACKNOWLEDGED"
    [kept] = adapter.get(f"{sent}/acknowledgements").json["items"]
    assert (kept["result"], kept["reference"], kept["channel"]) == ("ACCEPT", "SO-77", "EDI")


def test_a_changed_answer_waits_for_the_buyer(calls: Client, sent: str) -> None:
    changed = {
        "result": "ACCEPT_WITH_CHANGE", "message_id": "855-2", "channel": "EMAIL",
        "lines": [{"line_no": 1, "code": "IQ", "quantity": "40"}, {"line_no": 1, "code": "DR", "promised_on": "2026-12-30"}],
    }  # fmt: skip
    assert calls.post(f"{sent}/acknowledgements", changed).status_code == 200
    shown = calls.get(sent).json
    assert shown["status"] == "COUNTER_OFFER"
    assert {line["code"]: line["quantity"] or line["promised_on"] for line in shown["acknowledgements"][0]["lines"]} == {
        "IQ": "40.000000", "DR": "2026-12-30"
    }  # fmt: skip


def test_an_answer_that_cannot_be_is_refused(calls: Client, calling: Calling, sent: str) -> None:
    path, good = f"{sent}/acknowledgements", {"result": "ACCEPT", "message_id": "m"}
    for wrong, field in (
        ({"result": "PERHAPS", "message_id": "m"}, "result"),
        ({"result": "ACCEPT"}, "message_id"),
        (good | {"lines": [{"line_no": 9, "code": "IA"}]}, "lines.0"),
        (good | {"lines": [{"line_no": 1, "code": "IQ"}]}, "lines.0"),
    ):
        assert field in problem(calls.post(path, wrong), 422, "INVALID")["fields"]
    problem(calling(rita).post(path, good), 403, "NOT_AUTHORISED")


def test_an_unknown_order_is_not_there(calls: Client) -> None:
    for key in (UNKNOWN, "no-id"):
        problem(calls.get(f"/orders/{key}"), 404, "NOT_FOUND")
        problem(calls.get(f"/orders/{key}/acknowledgements"), 404, "NOT_FOUND")
        problem(calls.patch(f"/orders/{key}", {}, match='"1"'), 404, "NOT_FOUND")
        problem(
            calls.post(f"/orders/{key}/acknowledgements", {"result": "ACCEPT", "message_id": "m"}), 404, "NOT_FOUND"
        )


def test_orders_are_paged(calls: Client, story: Story) -> None:
    made = [story.given(lambda act: make_order(act).id) for _turn in range(3)]
    first = calls.get("/orders?limit=2").json
    second = calls.get(f"/orders?limit=2&after={first['next']}").json
    assert [one["id"] for one in first["items"] + second["items"]] == list(reversed(made))
    assert story.read(lambda session: session.scalar(select(func.count()).select_from(PurchaseOrder))) == 3
