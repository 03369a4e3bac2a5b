"""The rest of a line is given up by buyer and planner over the API."""

from __future__ import annotations

import pytest

from engine.act import Installation
from records.purchase_order import LineStatus
from records.receipt import ShortCloseStatus
from tests.goods import Dock
from tests.people import ana, bea, rita
from tests.webapp.api.conftest import UNKNOWN, Calling, problem


@pytest.fixture
def dock(house: Installation) -> Dock:
    made = Dock(house)
    made.book(40)
    return made


def test_a_program_of_the_buyer_proposes_and_one_of_the_planner_refuses_then_confirms(
    calling: Calling, dock: Dock
) -> None:
    buyer, planner = calling(bea), calling(rita)
    path = f"/orders/{dock.order_id}/short-closes"
    problem(calling("adapter:erp").post(path, {"line_no": 1, "reason": "x"}), 403, "ADAPTER_KEY")
    problem(calling(ana).post(path, {"line_no": 1, "reason": "x"}), 403, "NOT_AUTHORISED")
    problem(buyer.post(path, {"line_no": 9, "reason": "x"}), 422, "INVALID")
    problem(buyer.post(path, {"line_no": 1, "reason": " "}), 422, "INVALID")
    made = buyer.post(path, {"line_no": 1, "reason": "They have no more"}).json
    assert (made["quantity"], made["uom"], made["status"]) == ("60.000000", "EA", "PROPOSED")
    decision = f"/short-closes/{made['id']}/decision"
    problem(buyer.post(decision, {"confirm": True}), 403, "NOT_AUTHORISED")
    problem(planner.post(decision, {"confirm": False}), 422, "INVALID")
    problem(planner.post(f"/short-closes/{UNKNOWN}/decision", {"confirm": True}), 404, "NOT_FOUND")
    assert planner.post(decision, {"confirm": False, "answer": "We need them"}).json["status"] == "REFUSED"
    assert dock.line.status is LineStatus.PART_RCVD
    problem(planner.post(decision, {"confirm": True}), 409, "ILLEGAL_TRANSITION")
    second = buyer.post(path, {"line_no": 1, "reason": "Agreed with them"}).json
    assert planner.post(f"/short-closes/{second['id']}/decision", {"confirm": True}).json["decided_by"] == "rita"
    assert [one["status"] for one in buyer.get(path).json["items"]] == [
        ShortCloseStatus.REFUSED,
        ShortCloseStatus.CONFIRMED,
    ]
    assert dock.line.status is LineStatus.CLOSED
