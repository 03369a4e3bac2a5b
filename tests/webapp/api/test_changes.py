"""Change requests and change orders by API: anybody asks, engineering writes, what 4c refuses is told with its sentence."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from engine.act import Act
from engine.stored.instance import Instance
from records.supplier_knowledge import SupplierChangeNotice
from tests.makers import (
    make_nonconformance,
    make_order_to_receive,
    make_part,
    make_revision,
    make_supplier,
    make_work_order,
)
from tests.people import ella, otto, rita
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, problem

TODAY = dt.date(2026, 11, 22)
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
    for name in ("title", "reason"):
        assert name in problem(calls.post("/change-orders", OPENED | {name: ""}), 422, "INVALID")["fields"]
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


def test_a_nonconformance_or_a_notice_of_a_supplier_asks_for_a_change_once(calling: Calling, story: Story) -> None:
    """C01: the flow starts by message, and the request names its cause."""

    def arrange(act: Act) -> tuple[str, str, str]:
        found = make_nonconformance(act, make_work_order(act, number="WO-7001"), "NCR-88", owner="role:QA_ENG")
        supplier = make_supplier(act, "S-2", name="Heat Ltd")
        told = SupplierChangeNotice(
            supplier=supplier, supplier_id=supplier.id, kind="PROCESS", noticed_on=TODAY, effective_on=TODAY,
            statement="Another furnace", source_system="LOCKSTEP", source_event_id="n-1",
        )  # fmt: skip
        act.session.add(told)
        act.session.flush()
        return found.id, supplier.id, told.id

    found, supplier, told = story.given(arrange)
    calls = calling(rita)
    made = calls.post(f"/nonconformances/{found}/change-request", {"proposal": "Bore larger"})
    assert (made.status_code, made.json["source"], made.json["source_ref"]) == (201, "NCR", "NCR-88")
    assert made.json["title"].startswith("Correct what led to NCR-88")
    again = problem(calls.post(f"/nonconformances/{found}/change-request", {}), 409, "ALREADY_ASKED")
    assert "CR-000001" in again["detail"]
    path = f"/suppliers/{supplier}/changes"
    made = calls.post(f"{path}/{told}/change-request", {"title": "Another furnace", "urgency": "URGENT"})
    assert (made.status_code, made.json["source"], made.json["status"]) == (201, "SUPPLIER_NOTICE", "SUBMITTED")
    problem(calls.post(f"{path}/{UNKNOWN}/change-request", {}), 404, "NOT_FOUND")
    problem(calls.post(f"/nonconformances/{UNKNOWN}/change-request", {}), 404, "NOT_FOUND")
    flows = story.read(lambda session: session.query(Instance).filter(Instance.process_id == "change_control").count())
    assert flows == 2
