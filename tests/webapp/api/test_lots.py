"""Lots over the API: an event counts once, CON-16 refuses, and a trace says what the pages say."""

from __future__ import annotations

import pytest

from processes.genealogy import Source, make_lot
from processes.genealogy_holds import hold_lot
from records.lot import LotSource, LotStatus
from tests.makers import D, make_revision, make_stock, make_work_order
from tests.people import PASSWORD, otto, quinn, rita
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, problem


@pytest.fixture
def lot_id(story: Story) -> str:
    """Have HEAT-7781 in stock and WO-7001 open."""
    story.given(lambda act: make_work_order(act, number="WO-7001"))
    return story.given(lambda act: make_stock(act, "HEAT-7781").id)


def issue(**changes: object) -> dict[str, object]:
    given = {
        "event_id": "mes-1",
        "system": "MES",
        "work_order": "WO-7001",
        "op_no": 10,
        "lot": "HEAT-7781",
        "quantity": "4",
    }
    return given | changes


def test_a_consumption_counts_once_however_often_it_is_delivered(calling: Calling, lot_id: str) -> None:
    mes = calling("adapter:mes")
    first, second = mes.post("/consumptions", issue()), mes.post("/consumptions", issue())
    assert (first.status_code, second.status_code) == (200, 200), first.text
    assert (first.json["is_duplicate"], second.json["is_duplicate"]) == (False, True)
    assert first.json["id"] == second.json["id"]
    assert mes.get(f"/lots/{lot_id}").json["quantity_left"] == "6.000000"
    differing = mes.post("/consumptions", issue(quantity="5"))
    assert (differing.status_code, differing.json["code"]) == (409, "EVENT_REUSED")


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"quantity": "11"}, 409, "NOT_ENOUGH"),
        ({"quantity": "-1"}, 422, "quantity"),
        ({"quantity": "0.5"}, 422, "quantity"),
        ({"uom": "KGM"}, 422, "uom"),
        ({"lot": "HEAT-0"}, 422, "lot"),
        ({"work_order": "WO-0"}, 422, "work_order"),
        ({"event_id": " "}, 422, "event_id"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_field_and_nothing_moves(
    calling: Calling, lot_id: str, changes: dict[str, object], status: int, said: str
) -> None:
    mes = calling("adapter:mes")
    answer = mes.post("/consumptions", issue(**changes))
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert mes.get(f"/lots/{lot_id}").json["quantity_left"] == "10.000000"


def test_a_lot_on_hold_is_not_issued(calling: Calling, story: Story, lot_id: str) -> None:
    story.given(lambda act: hold_lot(act, act.session.get_one(type(make_stock(act)), lot_id), reason="In doubt"))
    answer = calling("adapter:mes").post("/consumptions", issue())
    assert (answer.status_code, answer.json["code"]) == (409, "CON-16")


def test_a_shipment_counts_once_and_one_of_what_is_on_hold_is_a_mismatch(
    calling: Calling, story: Story, lot_id: str
) -> None:
    erp = calling("adapter:erp")
    left = {
        "event_id": "d-1/10", "system": "ERP", "lot": "HEAT-7781", "quantity": "3", "customer": "St. Mary", "delivery": "D-1/10",
        "shipped_on": "2026-11-22",
    }  # fmt: skip
    answers = [erp.post("/shipments", left).json for _ in range(2)]
    assert [(one["is_duplicate"], one["mismatch_id"]) for one in answers] == [(False, None), (True, None)]
    assert erp.get(f"/lots/{lot_id}").json["quantity_left"] == "7.000000"
    problem(erp.post("/shipments", left | {"quantity": "2"}), 409, "EVENT_REUSED")
    more = left | {"event_id": "d-1/20", "delivery": "D-1/20"}
    problem(erp.post("/shipments", more | {"quantity": "8"}), 409, "NOT_ENOUGH")
    problem(erp.post("/shipments", more | {"lot": "HEAT-0"}), 422, "INVALID")
    problem(erp.post("/shipments", more | {"shipped_on": "2030-01-01"}), 422, "INVALID")
    problem(calling(otto).post("/shipments", more), 403, "NOT_AUTHORISED")
    story.given(lambda act: hold_lot(act, act.session.get_one(type(make_stock(act)), lot_id), reason="In doubt"))
    found = erp.get(f"/lots/{lot_id}").json
    assert found["must_stay"] == ["Expected HEAT-7781 to be available before it is shipped, but it is HOLD (In doubt)."]
    flagged = [erp.post("/shipments", more).json for _ in range(2)]
    assert [one["is_duplicate"] for one in flagged] == [False, True]
    assert (flagged[0]["edge_id"], flagged[0]["reasons"]) == (None, found["must_stay"][0])
    assert erp.get(f"/lots/{lot_id}").json["quantity_left"] == "7.000000"
    mismatch = calling(quinn).get(f"/mismatches/{flagged[0]['mismatch_id']}").json
    assert (mismatch["severity"], mismatch["theirs"][:34]) == ("CRITICAL", "3 EA shipped to St. Mary with D-1/"), (
        mismatch
    )


def test_an_issue_without_a_lot_is_one_gap(calling: Calling, lot_id: str) -> None:
    mes = calling("adapter:mes")
    assert mes.get("/genealogy_gaps?work_order=WO-7001").json["count"] == 0
    assert mes.post("/consumptions", issue(lot=None, quantity="1")).status_code == 200
    gaps = mes.get("/genealogy_gaps?work_order=WO-7001").json
    assert (gaps["count"], gaps["items"][0]["kind"], gaps["items"][0]["event_id"]) == (1, "NO_LOT", "mes-1")


def test_a_trace_and_the_reports_are_answered_with_exact_quantities(
    calling: Calling, story: Story, lot_id: str
) -> None:
    mes = calling("adapter:mes")
    mes.post("/consumptions", issue())

    def make(act):
        order = make_work_order(act, number="WO-7002")
        source = Source(LotSource.WORK_ORDER, (order.record_type, order.id))
        lot = make_lot(act, make_revision(act), D(1), number="SN-0001", source=source, status=LotStatus.AVAILABLE)
        return lot.id

    serial = story.given(make)
    told = {
        "event_id": "mes-2",
        "system": "MES",
        "work_order": "WO-7001",
        "lot": "HEAT-7781",
        "into": "SN-0001",
        "quantity": "2",
    }
    for is_duplicate in (False, True):
        answer = mes.post("/transformations", told)
        assert (answer.status_code, answer.json["is_duplicate"]) == (200, is_duplicate), answer.text
    assert mes.get(f"/lots/{lot_id}").json["quantity_left"] == "6.000000"
    back = mes.get(f"/lots/{serial}/trace").json
    assert back["nodes"][0]["number"] == "SN-0001"
    assert {node["number"] for node in back["nodes"]} == {"SN-0001", "WO-7002", "HEAT-7781"}
    assert {step["quantity"] for step in back["steps"]} == {"1.000000", "2.000000"}
    assert mes.get(f"/lots/{serial}/trace?depth=1&direction=FORWARD").json["cut"] == ""
    assert mes.get(f"/lots/{serial}/provenance").json["rows"][0]["lot"] == "HEAT-7781"
    assert {row["work_order"] for row in mes.get(f"/lots/{serial}/transformation").json["rows"]} == {
        "WO-7001",
        "WO-7002",
    }
    assert mes.get(f"/lots/{UNKNOWN}/trace").status_code == 404


def test_quality_holds_a_lot_it_saw_and_nobody_else_does(calling: Calling, lot_id: str) -> None:
    quality = calling(quinn)
    path, reason = f"/lots/{lot_id}/hold", {"reason": "Hardness in doubt"}
    assert quality.post(path, reason).status_code == 428
    assert quality.post(path, reason, match='"99"').status_code == 412
    assert calling(rita).post(path, reason, match=quality.tag(f"/lots/{lot_id}")).status_code == 403
    answer = quality.post(path, reason, match=quality.tag(f"/lots/{lot_id}"))
    assert (answer.status_code, answer.json["status"], answer.json["hold_reason"]) == (200, "HOLD", "Hardness in doubt")
    assert calling(otto).post("/consumptions", issue()).status_code == 403


def test_quality_ends_a_hold_with_a_signature_on_what_it_saw(calling: Calling, lot_id: str) -> None:
    quality = calling(quinn)
    path, lot = f"/lots/{lot_id}/release", f"/lots/{lot_id}"
    signature = {"meaning": "APPROVED", "password": PASSWORD, "accepts_responsibility": True}
    signed = {"reason": "Hardness measured again: 38 HRC", "signature": signature}
    assert quality.post(path, signed, match=quality.tag(lot)).status_code == 409
    stale = quality.tag(lot)
    quality.post(f"/lots/{lot_id}/hold", {"reason": "Hardness in doubt"}, match=stale)
    for body, match, status in (
        (signed, None, 428),
        (signed, stale, 412),
        ({"reason": "It is fine"}, quality.tag(lot), 422),
        (signed | {"reason": " "}, quality.tag(lot), 422),
        (signed | {"signature": signature | {"meaning": "REJECTED"}}, quality.tag(lot), 422),
        (signed | {"signature": signature | {"password": "not this one"}}, quality.tag(lot), 403),
    ):
        answer = quality.post(path, body, match=match)
        assert (answer.status_code, quality.get(lot).json["status"]) == (status, "HOLD"), answer.text
    assert calling(rita).post(path, signed, match=quality.tag(lot)).status_code == 403
    answer = quality.post(path, signed, match=quality.tag(lot))
    assert (answer.status_code, answer.json["status"]) == (200, "AVAILABLE"), answer.text
