"""Receipts and invoices by API: adapters report, people sign, each event counts once."""

from __future__ import annotations

from typing import Any

import pytest

from engine.act import Installation
from tests.goods import Dock
from tests.makers import D
from tests.people import PASSWORD, ana, bea, lena, otto, quinn
from tests.webapp.api.conftest import UNKNOWN, Calling, problem


@pytest.fixture
def dock(house: Installation) -> Dock:
    return Dock(house)


def delivery(dock: Dock, **more: Any) -> dict[str, Any]:
    return {
        "order_id": dock.order_id,
        "line_no": 1,
        "quantity": "40",
        "event_id": "GR-1",
        "packing_slip": "PS-1",
    } | more


def signature(who: str, meaning: str) -> dict[str, Any]:
    return {"meaning": meaning, "password": PASSWORD, "user_id": who, "accepts_responsibility": True}


def test_a_delivery_twice_is_answered_200_already_handled_and_nothing_moves(calling: Calling, dock: Dock) -> None:
    """W23."""
    erp = calling("adapter:erp")
    answers = [erp.post("/receipts", delivery(dock)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json["answer"] for answer in answers] == ["recorded", "already handled"]
    assert (dock.figures[0], len(dock.receipts)) == (D(40), 1)
    (shown,) = erp.get("/receipts?q=PS-1").json["items"]
    assert (shown["quantity"], shown["status"], shown["order_line"]) == ("40.000000", "ACCEPTED", dock.line_number)


def test_what_cannot_be_is_refused_and_nothing_moves(calling: Calling, dock: Dock) -> None:
    erp = calling("adapter:erp")
    problem(erp.post("/receipts", delivery(dock, quantity="-5")), 422, "INVALID")
    problem(erp.post("/receipts", delivery(dock, uom="KGM")), 409, "CON-12")
    problem(erp.post("/receipts", delivery(dock, line_no=9)), 422, "INVALID")
    problem(erp.post("/receipts", delivery(dock, order_id=UNKNOWN)), 404, "NOT_FOUND")
    problem(erp.post("/receipts", delivery(dock, performer="bea")), 403, "SOD-3")
    problem(calling(otto).post("/receipts", delivery(dock)), 403, "NOT_AUTHORISED")
    assert dock.receipts == []


def test_goods_are_reversed_and_inspected_by_api(calling: Calling, house: Installation) -> None:
    dock = Dock(house, is_inspection_required=True, match_level=4)
    erp, quality = calling("adapter:erp"), calling(quinn)
    path = f"/receipts/{erp.post('/receipts', delivery(dock)).json['receipts'][0]['id']}"
    body = {"rejects": 0, "signature": signature("quinn", "VERIFIED")}
    problem(erp.post(f"{path}/inspections", body), 403, "ADAPTER_KEY")
    inspected = quality.post(f"{path}/inspections", body).json
    assert (inspected["status"], inspected["inspections"][0]["sample_size"]) == ("ACCEPTED", 8)
    back = erp.post(f"{path}/reversals", {"quantity": "10", "reason": "Recount", "event_id": "GR-1-R"}).json
    assert (back["quantity"], dock.figures[:2]) == ("-10.000000", (D(30), D(30)))
    problem(erp.post(f"{path}/reversals", {"quantity": "31", "reason": "x", "event_id": "GR-2-R"}), 409, "REVERSED")


def test_an_invoice_is_held_paid_in_part_and_released(calling: Calling, dock: Dock) -> None:
    """D24 by API."""
    dock.book(40)
    clerk = calling(ana)
    bill = {
        "supplier_id": dock.order.supplier_id, "invoice_no": "R-1", "currency": "USD", "invoiced_on": "2026-11-22", "event_id": "b-1",
        "lines": [{"order_id": dock.order_id, "line_no": 1, "quantity": "60", "unit_price": "42.5000"}],
    }  # fmt: skip
    held = clerk.post("/invoices", bill).json
    (hold,) = held["lines"][0]["holds"]
    assert (held["status"], hold["code"], held["lines"][0]["payable_now"]) == ("HELD", "QTY_REC", "40.000000")
    path = f"/invoices/{held['id']}"
    assert clerk.post(f"{path}/part-payment", {"reason": "Agreed"}).json["lines"][0]["paid"] == "40.000000"
    released = {"reason": "Seen on the dock", "signature": signature("bea", "REVIEWED")}
    problem(calling(bea).post(f"/holds/{hold['id']}/release", released), 403, "NOT_AUTHORISED")
    done = clerk.post(f"/holds/{hold['id']}/release", released | {"signature": signature("ana", "REVIEWED")}).json
    assert (done["status"], dock.figures[2]) == ("MATCHED", D(60))
    problem(calling(lena).post("/invoices", bill), 403, "NOT_AUTHORISED")


def test_a_lot_is_sorted_by_api(calling: Calling, house: Installation) -> None:
    dock = Dock(house, is_inspection_required=True, match_level=4)
    path = f"/receipts/{dock.book(40).receipts[0].id}/sorting"
    body = {"rejected": "4", "findings": "Bore out of size", "signature": signature("quinn", "VERIFIED")}
    quality = calling(quinn)
    problem(calling("adapter:erp").post(path, body), 403, "ADAPTER_KEY")
    problem(calling(ana).post(path, body | {"signature": signature("ana", "VERIFIED")}), 403, "NOT_AUTHORISED")
    problem(quality.post(path, body | {"rejected": "40"}), 422, "INVALID")
    problem(quality.post(path, body | {"serials": ["S-1"]}), 422, "INVALID")
    assert dock.figures == (D(40), D(0), D(0))
    done = quality.post(path, body).json
    assert (done["good"]["status"], done["bad"]["status"], done["bad"]["quantity"]) == (
        "ACCEPTED",
        "REJECTED",
        "4.000000",
    )
    assert dock.figures == (D(40), D(36), D(0))
    problem(quality.post(path, body), 409, "ILLEGAL_TRANSITION")


def test_the_same_delivery_from_two_systems_counts_once(calling: Calling, dock: Dock) -> None:
    calling("adapter:erp").post("/receipts", delivery(dock, lot="L-1"))
    again = delivery(dock, lot="L-1", system="WMS", event_id="W-77")
    problem(calling("adapter:erp").post("/receipts", again), 409, "DUPLICATE_RECEIPT")
    assert (dock.figures[0], len(dock.receipts)) == (D(40), 1)


def test_an_invoice_for_another_suppliers_order_moves_nothing(
    calling: Calling, house: Installation, dock: Dock
) -> None:
    dock.book(40)
    bill = {
        "supplier_id": Dock(house).order.supplier_id, "invoice_no": "R-2", "currency": "USD", "invoiced_on": "2026-11-22",
        "event_id": "b-2", "lines": [{"order_id": dock.order_id, "line_no": 1, "quantity": "40", "unit_price": "42.50"}],
    }  # fmt: skip
    clerk = calling(ana)
    answer = clerk.post("/invoices", bill)
    assert (answer.status_code in (409, 422), "Expected" in answer.json["detail"]) == (True, True), answer.text
    assert clerk.get("/invoices").json["items"] == []
    assert dock.figures[2] == D(0)
