"""Certificates by API: entered once with their file, verified with a signature, refused with every reason."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from engine.act import Installation
from records.receipt import Receipt, ReceiptStatus
from tests.goods import PDF, Dock
from tests.people import ana, quinn
from tests.webapp.api.conftest import UNKNOWN, Calling, problem
from tests.webapp.api.test_goods import signature


@pytest.fixture
def dock(house: Installation) -> Dock:
    return Dock(house, certificates=("HT",), match_level=4, spec="PS-455", spec_rev="D")


@pytest.fixture
def goods(dock: Dock) -> Receipt:
    return dock.book(24, lot="L-1").receipts[0]


def paper(dock: Dock, **more: Any) -> dict[str, Any]:
    return {
        "order_id": dock.order_id, "line_no": 1, "type": "HT", "issuer": "NorthStar", "file_name": "ht.pdf",
        "content": base64.b64encode(PDF).decode(), "event_id": "C-1", "spec": "PS-455", "spec_rev": "D", "lots": ["L-1"],
    } | more  # fmt: skip


def test_a_certificate_is_entered_once_listed_read_back_and_verified(
    calling: Calling, dock: Dock, goods: Receipt
) -> None:
    lab, quality = calling("adapter:edi"), calling(quinn)
    body = paper(dock, receipt_id=goods.id, sha256=hashlib.sha256(PDF).hexdigest())
    made = lab.post("/certificates", body).json
    assert (made["status"], made["problems"], made["file_name"]) == ("PRESENTED", [], "ht.pdf")
    assert lab.post("/certificates", body).json["id"] == made["id"]
    for by in (f"order_id={dock.order_id}&line_no=1", f"receipt_id={goods.id}", "q=NorthStar&status=PRESENTED&type=HT"):
        assert [one["number"] for one in lab.get(f"/certificates?{by}").json["items"]] == [made["number"]]
    for none in (
        f"order_id={dock.order_id}&line_no=2",
        f"receipt_id={UNKNOWN}",
        f"outside_link_id={UNKNOWN}",
        "type=COC",
    ):
        assert lab.get(f"/certificates?{none}").json["items"] == []
    path = f"/certificates/{made['id']}"
    file = lab.get(f"{path}/file")
    assert (file.data, file.mimetype) == (PDF, "application/pdf")
    signed = {"signature": signature("quinn", "VERIFIED")}
    problem(lab.post(f"{path}/verification", signed), 403, "ADAPTER_KEY")
    problem(
        calling(ana).post(f"{path}/verification", {"signature": signature("ana", "VERIFIED")}), 403, "NOT_AUTHORISED"
    )
    problem(quality.post(f"{path}/verification", {"signature": signature("quinn", "APPROVED")}), 422, "INVALID")
    done = quality.post(f"{path}/verification", signed).json
    assert (done["status"], done["verified_by"], dock.fresh(goods).status) == (
        "VERIFIED",
        "quinn",
        ReceiptStatus.ACCEPTED,
    )
    problem(quality.post(f"{path}/verification", signed), 409, "ILLEGAL_TRANSITION")
    problem(quality.post(f"{path}/rejection", {"reason": "Late"}), 409, "ILLEGAL_TRANSITION")


def test_a_certificate_of_another_specification_revision_is_rejected_with_both_and_nothing_moves(
    calling: Calling, dock: Dock, goods: Receipt
) -> None:
    """D27 by API."""
    quality = calling(quinn)
    made = quality.post("/certificates", paper(dock, receipt_id=goods.id, spec_rev="C")).json
    assert ["rev D" in one and "rev C" in one for one in made["problems"]] == [True]
    done = quality.post(f"/certificates/{made['id']}/verification", {"signature": signature("quinn", "VERIFIED")}).json
    assert (done["status"], "rev C" in done["refusal"]) == ("REJECTED", True)
    assert (dock.fresh(goods).status, dock.figures[1]) == (ReceiptStatus.QUARANTINE, 0)


def test_what_is_no_certificate_is_refused_and_nothing_is_kept(calling: Calling, dock: Dock, goods: Receipt) -> None:
    lab = calling("adapter:edi")
    other = Dock(dock.house)
    for wrong, status, code in (
        ({"content": "%%%"}, 422, "INVALID"),
        ({"content": ""}, 422, "INVALID"),
        ({"file_name": "ht.exe"}, 422, "INVALID"),
        ({"content": base64.b64encode(b"no pdf").decode()}, 422, "INVALID"),
        ({"sha256": "ab" * 32}, 422, "INVALID"),
        ({"issuer": " "}, 422, "INVALID"),
        ({"quantity": "-1"}, 422, "INVALID"),
        ({"type": "LETTER"}, 422, "INVALID"),
        ({"line_no": 9}, 422, "INVALID"),
        ({"order_id": UNKNOWN}, 404, "NOT_FOUND"),
        ({"receipt_id": UNKNOWN}, 404, "NOT_FOUND"),
        ({"receipt_id": other.book(5).receipts[0].id}, 409, "OTHER_LINE"),
        ({"outside_link_id": UNKNOWN}, 409, "OTHER_LINE"),
    ):
        problem(lab.post("/certificates", paper(dock, **wrong)), status, code)
    problem(calling(ana).post("/certificates", paper(dock)), 403, "NOT_AUTHORISED")
    problem(lab.get("/certificates?line_no=1"), 422, "INVALID")
    problem(lab.get(f"/certificates/{UNKNOWN}"), 404, "NOT_FOUND")
    assert lab.get("/certificates").json["items"] == []


def test_the_same_certificate_from_two_systems_is_one(calling: Calling, dock: Dock, goods: Receipt) -> None:
    lab = calling("adapter:edi")
    lab.post("/certificates", paper(dock))
    problem(lab.post("/certificates", paper(dock, system="PORTAL", event_id="P-9")), 409, "DUPLICATE_CERTIFICATE")
    other = base64.b64encode(PDF + b" page 2").decode()
    problem(lab.post("/certificates", paper(dock, content=other)), 409, "EVENT_REUSED")
    assert len(lab.get("/certificates").json["items"]) == 1


def test_a_repeated_request_is_answered_once(calling: Calling, dock: Dock) -> None:
    lab = calling("adapter:edi")
    answers = [lab.post("/certificates", paper(dock), headers={"Idempotency-Key": "k-1"}) for _ in range(2)]
    assert answers[0].json["id"] == answers[1].json["id"]
    assert len(lab.get("/certificates").json["items"]) == 1
