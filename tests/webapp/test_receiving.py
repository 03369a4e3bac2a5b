"""Pages of goods and invoices: what a scanner types, what a receiver books, what is held and who releases it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from engine.act import Installation
from records.invoice import Invoice, InvoiceStatus, MatchHold
from records.receipt import ReceiptStatus
from tests.goods import Dock
from tests.makers import D
from tests.people import PASSWORD, ana, bea, lena, quinn, sam
from tests.webapp.browser import path_of
from tests.webapp.conftest import People

SIGNED: dict[str, Any] = {"password": PASSWORD, "accepts_responsibility": "true"}


@pytest.fixture
def dock(house: Installation) -> Dock:
    return Dock(
        house, is_inspection_required=True, match_level=4, certificates=("COC",), part_fields={"part_no": "P-777"}
    )


def test_a_scanner_finds_order_line_part_lot_and_receipt(browse: People, dock: Dock) -> None:
    receipt = dock.book(40, lot="L-77").receipts[0]
    page, number = browse(sam), dock.order.po_no
    assert path_of(page.get(f"/receiving?scan={number}")) == f"/orders/{dock.order_id}/receive"
    assert page.get(f"/receiving?scan=K{number}/1").location.endswith(f"/orders/{dock.order_id}/receive?line=1")
    for code in (receipt.number, "L-77", "1TL-77"):
        assert path_of(page.get(f"/receiving?scan={code}")) == f"/receipts/{receipt.id}"
    page.get("/receiving?scan=P-777")
    assert "Open for this part" in page.text
    page.get("/receiving?scan=NONSENSE")
    assert "is none we know" in page.text


def test_each_scan_fills_one_more_field_and_sending_twice_counts_once(browse: People, dock: Dock) -> None:
    page = browse(sam)
    page.get(f"/orders/{dock.order_id}/receive?scan=P-777/C")
    assert (page.field("line"), page.field("revision_on_label")) == ("1", "C")
    page.get(f"/orders/{dock.order_id}/receive?line=1&revision_on_label=B&scan=Q40")
    assert page.field("quantity") == "40"
    typed = {"line": "1", "quantity": "40", "lot": "L-1", "revision_on_label": "B", "event_id": page.field("event_id")}
    first = page.post(f"/orders/{dock.order_id}/receive", typed)
    again = page.post(f"/orders/{dock.order_id}/receive", typed)
    assert (first.status_code, path_of(first)) == (303, path_of(again))
    assert dock.figures[0] == D(40)


def test_what_cannot_be_booked_is_said_by_its_field_and_stays_typed(browse: People, dock: Dock) -> None:
    page = browse(sam)
    answer = page.post(
        f"/orders/{dock.order_id}/receive", {"line": "1", "quantity": "-5", "lot": "L-1", "event_id": "x"}
    )
    assert (answer.status_code, dock.receipts) == (422, [])
    assert "must be above 0" in page.text
    assert page.field("lot") == "L-1"
    assert browse(ana).post(f"/orders/{dock.order_id}/receive", {"line": "1", "quantity": "5"}).status_code == 403


def test_goods_are_inspected_certified_and_put_away_on_their_page(browse: People, dock: Dock) -> None:
    receipt = dock.book(40).receipts[0]
    page = browse(quinn)
    signed = {"rejects": "0", "meaning": "VERIFIED", "user_id": "quinn", **SIGNED}
    assert page.post(f"/receipts/{receipt.id}/inspection", signed | {"password": "wrong"}).status_code in (403, 422)
    assert page.post(f"/receipts/{receipt.id}/inspection", signed).status_code == 303
    assert dock.fresh(receipt).status is ReceiptStatus.QUARANTINE
    file = (io.BytesIO(b"%PDF-1.7 conformance"), "coc.pdf")
    kept = page.post(
        f"/receipts/{receipt.id}/certificate", {"type": "COC", "issuer": "NorthStar", "file": file, "event_id": "c"}
    )
    paper_url = path_of(kept)
    assert ",NorthStar," in page.get("/certificates.csv?q=northstar&state=PRESENTED").text
    assert (
        page.post(paper_url, {"verdict": "verify", "meaning": "VERIFIED", "user_id": "quinn", **SIGNED}).status_code
        == 303
    )
    assert dock.fresh(receipt).status is ReceiptStatus.ACCEPTED
    assert browse(sam).post(f"/receipts/{receipt.id}/put-away").status_code == 303
    assert dock.fresh(receipt).status is ReceiptStatus.PUT_AWAY


def test_an_invoice_is_entered_held_released_and_shown(browse: People, house: Installation) -> None:
    dock = Dock(house)
    dock.book(100)
    clerk = browse(ana)
    typed = {
        "invoice_no": "R-1", "currency": "USD", "invoiced_on": "2026-11-22", "lines.1.quantity": "100", "lines.1.unit_price": "50",
        "event_id": "i-1",
    }  # fmt: skip
    url = path_of(clerk.post(f"/orders/{dock.order_id}/invoice", typed))
    clerk.get(url)
    assert ("Another price" in clerk.text, "Buyer" in clerk.text) == (True, True)
    with house.reading() as session:
        invoice = session.get_one(Invoice, url.rpartition("/")[2])
        assert invoice.status is InvoiceStatus.HELD
    hold = next(one for one in _holds(house) if one.invoice_line.invoice_id == invoice.id)
    signed = {"reason": "Agreed", "meaning": "APPROVED", **SIGNED}
    assert browse(bea).post(f"/holds/{hold.id}/release", signed | {"user_id": "bea"}).status_code == 403
    assert browse(lena).post(f"/holds/{hold.id}/release", signed | {"user_id": "lena"}).status_code == 303
    assert dock.figures[2] == D(100)
    clerk.get(f"/orders/{dock.order_id}?tab=received")
    assert invoice.number in clerk.text


def test_what_does_not_fit_is_listed_with_both_values_and_whose_turn_it_is(browse: People, house: Installation) -> None:
    dock = Dock(house)
    receipt = dock.book(40, revision_on_label="C").receipts[0]
    invoice = dock.bill(60)
    page = browse(quinn)
    page.get("/holds")
    assert (receipt.number in page.text, invoice.number in page.text, "at most 40 EA received" in page.text) == (
        True,
    ) * 3
    rows = page.get("/holds.csv").text.splitlines()
    assert (rows[0][:14], sum(receipt.number in row or invoice.number in row for row in rows)) == ("kind,document,", 2)


@pytest.mark.parametrize(
    "path", ["/receipts/none", "/certificates/none", "/invoices/none", "/holds/none/release", "/orders/none/receive"]
)
def test_what_is_not_there_is_not_found(browse: People, path: str) -> None:
    assert browse(quinn).get(path).status_code == 404


def _holds(house: Installation) -> list[Any]:
    with house.reading() as session:
        return list(session.scalars(select(MatchHold).options(joinedload(MatchHold.invoice_line))))


def test_a_lot_is_sorted_on_its_page(browse: People, dock: Dock) -> None:
    receipt = dock.book(40).receipts[0]
    page = browse(quinn)
    page.get(f"/receipts/{receipt.id}/inspection")
    assert "Sort the lot" in page.text
    page.get(f"/receipts/{receipt.id}/sorting")
    assert "All 40 EA were looked at" in page.text
    typed = {"rejected": "4", "findings": "Bore out of size", "meaning": "VERIFIED", "user_id": "quinn", **SIGNED}
    for wrong in ({"rejected": "40"}, {"rejected": "-1"}, {"rejected": "many"}, {"findings": ""}):
        assert page.post(f"/receipts/{receipt.id}/sorting", typed | wrong).status_code == 422
    assert len(dock.receipts) == 1
    assert page.post(f"/receipts/{receipt.id}/sorting", typed).status_code == 303
    assert [(one.quantity, one.status) for one in dock.receipts] == [
        (D(40), ReceiptStatus.QUARANTINE), (D(-4), ReceiptStatus.REVERSAL), (D(4), ReceiptStatus.REJECTED),
    ]  # fmt: skip


def test_a_certificate_of_another_specification_revision_is_shown_and_rejected(
    browse: People, house: Installation
) -> None:
    dock = Dock(house, certificates=("HT",), match_level=4, spec="PS-455", spec_rev="D")
    receipt = dock.book(24).receipts[0]
    url = f"/certificates/{dock.present('HT', receipt=receipt, spec='PS-455', spec_rev='C').id}"
    page = browse(quinn)
    page.get(url)
    assert "It does not fit its order" in page.text
    page.post(url, {"verdict": "verify", "meaning": "VERIFIED", "user_id": "quinn", **SIGNED})
    page.get(url)
    assert ("Rejected" in page.text, "PS-455 rev D as ordered" in page.text) == (True, True)
    assert (dock.fresh(receipt).status, dock.figures[1]) == (ReceiptStatus.QUARANTINE, D(0))


def test_a_waiver_without_a_rule_is_told_where_it_begins(browse: People) -> None:
    page = browse(quinn)
    assert page.get("/waivers/new").status_code == 200
    assert "Where a waiver begins" in page.text
    assert page.get("/waivers/new?rule=BALANCE").status_code == 200
    assert "Nobody waives BALANCE" in page.text
