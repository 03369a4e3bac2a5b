"""Work orders by API: planned and released by people, reported on by systems, each event once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.makers import (
    make_deviation,
    make_part,
    make_resource,
    make_revision,
    make_routing,
    make_work_centre,
    make_work_order,
)
from tests.people import fred, max_, otto, quinn, rita
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem


@pytest.fixture
def calls(calling: Calling) -> Client:
    return calling(rita)


@pytest.fixture
def seven(story: Story) -> str:
    """The path of WO-7001: ten pieces, released by the MES."""
    return f"/work-orders/{story.given(lambda act: make_work_order(act, number='WO-7001').id)}"


LABOUR = {
    "system": "MES",
    "event_id": "e-1",
    "kind": "LABOUR",
    "work_order": "WO-7001",
    "op_no": 10,
    "quantity": "2.00",
}


def test_an_event_twice_is_answered_200_already_handled_and_costs_once(
    calling: Calling, calls: Client, seven: str
) -> None:
    mes = calling("adapter:mes")
    answers = [mes.post("/work-orders/events", {"events": [LABOUR]}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json["items"][0]["answer"] for answer in answers] == ["recorded", "already handled"]
    shown = calls.get(seven).json
    assert (shown["status"], shown["cost"]["labour"], shown["system"]) == ("IN_PROCESS", "170.0000", "MES")
    (actual,) = calls.get(f"{seven}/actuals").json["items"]
    assert (actual["event_id"], actual["amount"], actual["op_no"]) == ("e-1", "170.0000", 10)


def test_a_refused_event_leaves_the_others_alone(calling: Calling, seven: str) -> None:
    events = [LABOUR | {"op_no": 99}, LABOUR | {"event_id": "e-2"}, LABOUR | {"event_id": "e-3", "system": "ERP"}]
    answer = calling("adapter:mes").post("/work-orders/events", {"events": events}).json
    assert [(item["answer"], item["code"]) for item in answer["items"]] == [
        ("refused", "INVALID"), ("recorded", None), ("refused", "SOR_VIOLATION"),
    ]  # fmt: skip
    assert "99" in answer["items"][0]["detail"]
    assert (answer["recorded"], answer["repeated"], answer["refused"]) == (1, 0, 2)


def test_a_batch_without_events_or_from_somebody_else_is_refused(calling: Calling, calls: Client) -> None:
    problem(calls.post("/work-orders/events", {"events": []}), 422, "INVALID")
    problem(calling(otto).post("/work-orders/events", {"events": [LABOUR]}), 403, "NOT_AUTHORISED")
    problem(calls.post("/work-orders/events", {"events": [LABOUR | {"kind": "TEA"}]}), 422, "INVALID")


def test_a_planner_makes_and_releases_one(calls: Client, story: Story) -> None:
    story.given(lambda act: make_routing(act, make_revision(act, make_part(act, "P-7000"), "B")))
    body = {"type": "PRODUCTION", "part_revision": "P-7000/B", "quantity": "40", "planned_start": "2027-01-11"}
    made = calls.post("/work-orders", body)
    assert (made.status_code, made.json["status"], len(made.json["operations"])) == (201, "PLANNED", 4)
    path = f"/work-orders/{made.json['id']}"
    problem(calls.post(f"{path}/release", {}), 428, "IF_MATCH_NEEDED")
    released = calls.post(f"{path}/release", {}, match=calls.tag(path))
    assert (released.status_code, released.json["status"]) == (200, "RELEASED")
    assert len(released.json["snapshot_hash"]) == 64
    assert released.json["operations"][1]["instruction_rev"] == "3"
    held = calls.post(f"{path}/hold", {"reason": "Wait"}, match=calls.tag(path))
    assert held.json["hold_reason"] == "Wait"


def test_a_type_without_what_defines_it_is_refused_by_field(calls: Client) -> None:
    refused = problem(calls.post("/work-orders", {"type": "REWORK", "quantity": "4"}), 422, "INVALID")
    assert {"part_revision", "nonconformance"} <= set(refused["fields"])
    problem(calls.post("/work-orders", {"type": "CALIBRATION", "resource": "G-404"}), 422, "INVALID")


def test_the_same_native_number_of_two_systems_is_two_work_orders(calls: Client, story: Story) -> None:
    story.given(lambda act: make_routing(act, make_revision(act, make_part(act, "P-7000"), "B")))
    body = {"type": "PRODUCTION", "part_revision": "P-7000/B", "quantity": "4", "native_id": "100017"}
    ids = {calls.post("/work-orders", body | {"system": system}).json["id"] for system in ("ERP", "MES")}
    assert len(ids) == 2
    found = calls.get("/work-orders?q=100017").json["items"]
    assert {(one["system"], one["native_id"]) for one in found} == {("ERP", "100017"), ("MES", "100017")}
    problem(calls.post("/work-orders", body | {"system": "MES"}), 409, "DUPLICATE")


def test_what_a_home_system_shows_is_followed_or_becomes_a_discrepancy(
    calling: Calling, calls: Client, story: Story
) -> None:
    draft = story.given(lambda act: make_revision(act, status="DRAFT").number)
    made = calls.post(
        "/work-orders",
        {"type": "PRODUCTION", "part_revision": draft, "quantity": "4", "system": "ERP", "native_id": "W1"},
    )
    path, erp = f"/work-orders/{made.json['id']}", calling("adapter:erp")
    seen = erp.send("PUT", f"{path}/status", {"system": "ERP", "status": "RELEASED"})
    assert (seen.status_code, seen.json["status"]) == (200, "PLANNED")
    problem(erp.send("PUT", f"{path}/status", {"system": "MES", "status": "FIRM"}), 403, "SOR_VIOLATION")


def test_unknown_wrong_and_stale_callers_are_refused(calling: Calling, calls: Client, seven: str) -> None:
    problem(calls.get(f"/work-orders/{UNKNOWN}"), 404, "NOT_FOUND")
    problem(calling(max_).post(f"{seven}/hold", {"reason": "x"}, match=calls.tag(seven)), 403, "NOT_AUTHORISED")
    problem(calls.post(f"{seven}/hold", {"reason": "x"}, match='"99"'), 412, "STALE_VERSION")
    problem(calling("adapter:mes").post(f"{seven}/hold", {"reason": "x"}, match=calls.tag(seven)), 403, "ADAPTER_KEY")


def test_resources_are_listed(calls: Client, story: Story) -> None:
    story.given(lambda act: make_resource(act, "G-14", kind="GAUGE"))
    (gauge,) = calls.get("/resources?kind=GAUGE&q=g-14").json["items"]
    assert (gauge["code"], gauge["calibration_due"]) == ("G-14", "2027-06-30")


def test_days_and_priority_are_the_planners_and_nothing_else_is(calls: Client, calling: Calling, seven: str) -> None:
    moved = calls.patch(seven, {"planned_finish": "2026-12-30", "priority": 2}, match=calls.tag(seven))
    assert (moved.status_code, moved.json["planned_finish"], moved.json["priority"]) == (200, "2026-12-30", 2)
    problem(calls.patch(seven, {"part_revision": "P-1/C"}, match=calls.tag(seven)), 422, "INVALID")
    problem(calls.patch(seven, {"planned_finish": "2020-01-01"}, match=calls.tag(seven)), 422, "INVALID")
    problem(calling(otto).patch(seven, {"priority": 1}, match=calls.tag(seven)), 403, "NOT_AUTHORISED")


def test_a_planner_splits_one_and_every_piece_goes_on(calls: Client, calling: Calling, seven: str) -> None:
    def split(*parts: str, client: Client = calls) -> Any:
        return client.post(f"{seven}/split", {"quantities": list(parts)}, match=calls.tag(seven))

    assert "make up its 10" in problem(split("4", "5"), 409, "WO-SPLIT")["detail"]
    problem(split("10"), 422, "INVALID")
    problem(split("10", "0"), 422, "INVALID")
    problem(split("4", "6", client=calling(otto)), 403, "NOT_AUTHORISED")
    answer = split("4", "6")
    assert (answer.status_code, answer.json["status"]) == (200, "SPLIT")
    parts = calls.get("/work-orders?q=WO-7001-").json["items"]
    assert sorted((one["number"], one["quantity"], one["status"]) for one in parts) == [
        ("WO-7001-1", "4.000000", "PLANNED"), ("WO-7001-2", "6.000000", "PLANNED"),
    ]  # fmt: skip


def test_another_quantity_is_proposed_and_refused_by_api(calls: Client, calling: Calling, seven: str) -> None:
    def propose(quantity: str, client: Client = calls) -> Any:
        return client.post(f"{seven}/changes", {"quantity": quantity, "reason": "More"}, match=calls.tag(seven))

    problem(propose("10"), 422, "INVALID")
    problem(propose("12", calling(otto)), 403, "NOT_AUTHORISED")
    made = propose("12")
    assert (made.status_code, made.json["change_class"], made.json["waits_for"]) == (201, "C1", ["PLANNER"])
    problem(propose("13"), 409, "CHANGE_OPEN")
    assert [one["number"] for one in calls.get(f"{seven}/changes").json["items"]] == ["WO-7001/C1"]
    path, tag = f"/work-order-changes/{made.json['id']}/withdraw", made.headers["ETag"]
    problem(calls.post(path, {"reason": ""}, match=tag), 422, "INVALID")
    problem(calls.post(path, {"reason": "No"}, match='"99"'), 412, "STALE_VERSION")
    assert calls.post(path, {"reason": "No"}, match=tag).json["status"] == "WITHDRAWN"


def test_a_machine_of_another_group_is_refused_by_api(calls: Client, story: Story, seven: str) -> None:
    lathe = story.given(
        lambda act: make_resource(act, "X-9", work_centre=make_work_centre(act, "LATHE")).work_centre_id
    )
    answer = calls.patch(f"{seven}/operations/10", {"equipment": "X-9"}, match=calls.tag(seven))
    refused = problem(answer, 409, "UNCONTROLLED_CHANGE")
    (offer,) = refused["instead"]
    assert ("C3" in refused["detail"], offer["href"]) == (True, "/api/v1/change-requests")
    assert [(edit["column"], edit["new"]) for edit in offer["body"]["edits"]] == [("work_centre_id", lathe)]
    problem(calls.patch(f"{seven}/operations/99", {"equipment": ""}, match=calls.tag(seven)), 404, "NOT_FOUND")
    problem(calls.patch(f"{seven}/operations/10", {"work_centre": "none"}, match=calls.tag(seven)), 422, "INVALID")
    assert calls.patch(f"{seven}/operations/10", {"equipment": ""}, match=calls.tag(seven)).status_code == 200


def test_resources_and_rates_are_kept_by_api(calling: Calling, calls: Client, story: Story) -> None:
    sent = {"kind": "GAUGE", "code": "G-77", "name": "Bore gauge", "calibration_interval_days": 180}
    metrology = calling(quinn)
    problem(calling(max_).post("/resources", sent), 403, "NOT_AUTHORISED")
    problem(metrology.post("/resources", sent | {"calibration_interval_days": 0}), 422, "INVALID")
    made = metrology.post("/resources", sent)
    path = f"/resources/{made.json['id']}"
    problem(metrology.patch(path, {"work_centre": "none"}, match=made.headers["ETag"]), 422, "INVALID")
    kept = metrology.patch(path, {"calibration_due": "2027-01-05"}, match=made.headers["ETag"])
    assert (kept.status_code, kept.json["calibration_due"]) == (200, "2027-01-05")
    problem(metrology.patch(path, {"name": "x"}, match=made.headers["ETag"]), 412, "STALE_VERSION")
    story.given(make_work_centre)
    (centre,) = calls.get("/work-centres?q=mill").json["items"]
    rate = {"valid_from": "2027-01-01", "labour_rate": "91.50", "machine_rate": "12"}
    problem(calls.post(f"/work-centres/{centre['id']}/rates", rate), 403, "NOT_AUTHORISED")
    answer = calling(fred).post(f"/work-centres/{centre['id']}/rates", rate)
    assert (answer.status_code, answer.json["rates"][0]["labour_rate"]) == (201, "91.5000")


def test_a_nonconformance_is_raised_by_api_and_deviations_are_read(calls: Client, calling: Calling, seven: str) -> None:
    sent = {"work_order": "WO-7001", "quantity": "2", "title": "Scratch"}
    problem(calling(max_).post("/nonconformances", sent), 403, "NOT_AUTHORISED")
    problem(calls.post("/nonconformances", sent | {"work_order": "WO-1"}), 422, "INVALID")
    problem(calls.post("/nonconformances", sent | {"quantity": "0"}), 422, "INVALID")
    made = calls.post("/nonconformances", sent)
    assert (made.status_code, made.json["about_number"], made.json["quantity"]) == (201, "WO-7001", "2.000000")


def test_deviations_are_listed_and_read_by_api(calls: Client, story: Story) -> None:
    made = story.given(lambda act: make_deviation(act).id)
    (one,) = calls.get("/deviations").json["items"]
    assert calls.get(f"/deviations/{made}").json["number"] == one["number"]
    problem(calls.get(f"/deviations/{UNKNOWN}"), 404, "NOT_FOUND")
