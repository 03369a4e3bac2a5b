"""The grid and the tasks of a change by API: read by filter and page, decided whole or not at all, carried out by their owners."""

from __future__ import annotations

from typing import Any

import pytest

from engine.act import Act
from processes import change_tasks, impact
from records.change_task import ChangeTask, TaskStatus, tasks_of
from tests.impacts import PART, approve, dispose_d15, plant_of_d15
from tests.makers import D, make_revision, make_work_order
from tests.people import bea, ella, otto, quinn, rita
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, problem
from webapp.pages.changes import find

HALF = {"disposition": "USE_AS_IS", "quantity": "20"}


@pytest.fixture
def path(story: Story) -> str:
    """The address of a change over the plant of D15, nobody having asked what it touches."""
    number: str = story.given(lambda act: plant_of_d15(act).change.number)
    return f"/change-orders/{number}"


def test_the_grid_is_asked_for_read_by_filter_and_page_and_frozen(calling: Calling, story: Story, path: str) -> None:
    calls = calling(ella)
    asked = {"kind": "MATERIAL", "item": f"{PART}/B", "quantity": D(20), "uom": "EA", "unit_cost": D("4.00")}
    story.given(lambda act: make_work_order(act, make_revision(act), number="WO-UP", standards=(asked,)).id)
    assert calls.get(f"{path}/impact").json["items"] == []
    problem(calls.post(f"{path}/impact/freeze", {}), 409, "NOT_COMPUTED")
    problem(calling(otto).post(f"{path}/impact", {}), 403, "NOT_AUTHORISED")
    made = calls.post(f"{path}/impact", {}).json
    assert (made["count"], made["totals"]) == (7, {"EA": "269.000000"})
    used = [(use["number"], use["item"], use["quantity"]) for use in made["used_in"]]
    assert used == [("WO-UP", f"{PART}/B", "20.000000")]
    first = calls.get(f"{path}/impact?limit=4").json
    rest = calls.get(f"{path}/impact?limit=4&after={first['next']}").json
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [4, 3, None]
    fitting = calls.get(f"{path}/impact?target=WO&status=OPEN&q=wo-700").json
    assert [(row["native_ref"], row["quantity"]) for row in fitting["items"]] == [
        ("WO-7001", "28.000000"), ("WO-7002", "60.000000"),
    ]  # fmt: skip
    assert calls.get(f"{path}/impact?owner=user:nobody").json["count"] == 0
    problem(calls.get(f"{path}/impact?target=MOON"), 422, "INVALID")
    problem(calls.get(f"/change-orders/{UNKNOWN}/impact"), 404, "NOT_FOUND")
    assert calls.post(f"{path}/impact/freeze", {}).json["frozen_at"]


def test_rows_are_decided_whole_or_not_at_all(calling: Calling, path: str) -> None:
    calls = calling(ella)
    rows = calls.post(f"{path}/impact", {}).json["items"]
    stock, orders = rows[0]["id"], [row["id"] for row in rows[1:3]]
    to = f"{path}/impact/rows"
    problem(calling(otto).post(f"{to}/{stock}", {"shares": [HALF]}), 403, "NOT_AUTHORISED")
    told = problem(calls.post(f"{to}/{stock}", {"shares": [HALF]}), 422, "INCOMPLETE_DISPOSITION")
    assert "add up to its 35 EA, but they add up to 20" in told["detail"]
    told = problem(calls.post(to, {"rows": [*orders, stock], "disposition": "AMEND"}), 422, "INVALID")
    assert "LOT-35: Expected one of" in told["detail"]
    problem(calls.post(to, {"rows": [*orders, UNKNOWN], "disposition": "AMEND"}), 404, "NOT_FOUND")
    problem(calls.post(to, {"rows": [], "disposition": "AMEND"}), 422, "INVALID")
    problem(calls.post(to, {"rows": orders, "disposition": "AMEND", "due_on": "2020-01-01"}), 422, "INVALID")
    assert calls.get(f"{path}/impact?status=DISPOSED").json["count"] == 0
    calls.post(f"{to}/{stock}", {"shares": [HALF, {"disposition": "SCRAP", "quantity": "15", "cost": "60.00"}]})
    made = calls.post(to, {"rows": orders, "disposition": "AMEND", "owner": "user:bea"}).json
    assert made["cost"] == {"SCRAP": "60.0000", "TOTAL": "60.0000"}
    mine = calls.get(f"{path}/impact?status=DISPOSED&owner=user:bea").json
    assert [row["dispositions"][0]["disposition"] for row in mine["items"]] == ["AMEND", "AMEND"]
    assert calling(bea).post(f"{to}/{orders[0]}", {"shares": [{"disposition": "CANCEL"}]}).status_code == 200


def test_an_area_answers_for_itself(calling: Calling, path: str) -> None:
    calling(ella).post(f"{path}/impact", {})
    given: dict[str, Any] = {"area": "QUALITY", "answer": "IMPACT", "text": ""}
    to = f"{path}/impact/assessments"
    problem(calling(ella).post(to, given), 403, "NOT_AUTHORISED")
    assert problem(calling(quinn).post(to, given), 422, "INVALID")["fields"].keys() == {"text"}
    before = calling(quinn).post(to, given | {"text": "The gauge changes"}).json["problems"]
    assert not any("quality to assess" in said for said in before)


def test_a_task_is_carried_out_by_its_owner_with_evidence(calling: Calling, story: Story, path: str) -> None:
    def approved(act: Act) -> list[tuple[str, str, str]]:
        change = find(act.session, path.rpartition("/")[2])
        impact.compute(act, change)
        dispose_d15(act, change)
        approve(act, change)
        change_tasks.plan_tasks(act, change)
        change_tasks.place_holds(act, change)
        return [(task.id, task.kind.value, task.owner) for task in tasks_of(act.session, change)]

    tasks = story.given(approved)
    shown = calling(otto).get(f"{path}/tasks").json
    assert [task["id"] for task in shown["items"]] == [task_id for task_id, *_ in tasks]
    assert {mark["effect"] for mark in shown["marks"]} == {"WARN", "BLOCK"}
    for documents, name in (("orders", "PO-5010"), ("work-orders", "WO-7002"), ("lots", "LOT-35")):
        (found,) = calling(ella).get(f"/{documents}?q={name}").json["items"]
        (mark,) = calling(ella).get(f"/{documents}/{found['id']}").json["marks"]
        assert (mark["change_order"], mark["about_ref"].partition("/")[0]) == (path.rpartition("/")[2], name)
    update, told = tasks[0][0], next(task_id for task_id, kind, _ in tasks if kind == "NOTIFY_SUPPLIER")
    refused = problem(calling(otto).post(f"{path}/tasks/{update}/carry_out", {}), 403, "NOT_AUTHORISED")
    assert "It is their turn" in refused["detail"]
    problem(calling(ella).post(f"{path}/tasks/{UNKNOWN}/carry_out", {}), 404, "NOT_FOUND")
    problem(calling(rita).post(f"{path}/tasks/{told}/carry_out", {"evidence": "Mail"}), 409, "ILLEGAL_TRANSITION")

    def updated(act: Act) -> None:
        assert change_tasks.carry_out(act, act.session.get_one(ChangeTask, update)).status is TaskStatus.DONE

    story.given(updated)
    problem(calling(rita).post(f"{path}/tasks/{told}/carry_out", {}), 422, "INVALID")
    done = calling(rita).post(f"{path}/tasks/{told}/carry_out", {"evidence": "Mail of today"}).json["items"]
    assert [(task["status"], task["done_by"]) for task in done if task["id"] == told] == [("DONE", "rita")]
