"""From the transmission of an order to its end: the flow that watches over it, told through its tasks and messages."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import RuleViolation
from engine.messages import Publication, Reception, publish
from engine.stored.instance import Instance
from processes import order_closing
from records.attachment import Attachment, content_of
from records.certificate import Certificate
from records.invoice import Invoice, InvoiceStatus
from records.notice import Notice as NoticeRow
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrderLine
from records.receipt import ReceiptStatus, ShortClose
from records.supplier import Supplier
from tests.clock import SettableClock
from tests.goods import Dock
from tests.makers import D
from tests.people import ana, bea, ella, quinn, rita, sam
from tests.story import Story


def watching(story: Story, dock: Dock) -> Story:
    """Let the story look at the flow of the dock's order."""
    wanted = select(Instance).where(Instance.process_id == "order_to_close", Instance.business_key == dock.order.po_no)
    story.instance_id = story.read(lambda session: session.scalars(wanted).one().id)
    return story


def post(story: Story, dock: Dock, name: str, message: dict[str, Any], *, message_id: str | None = None) -> Publication:
    """Send a message about the order from outside."""
    with story.installation.acting("adapter:erp") as act:
        return publish(
            act, name, correlation_key=str(dock.order.po_no), variables={"message": message}, message_id=message_id
        )


def receipt_message(**more: Any) -> dict[str, Any]:
    return {"receipt_no": "GR-77", "line_no": 1, "quantity": 40, "packing_slip": "PS-1", "lot": "L-1"} | more


@pytest.fixture
def dock(plant: Installation) -> Dock:
    return Dock(plant)


def test_an_order_is_watched_over_from_its_transmission(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 10)])
    story.as_(bea).decide("complete_order", "submit").decide("issue_order", "issue")
    with story.installation.reading() as session:
        found = session.scalars(select(Instance).where(Instance.process_id == "order_to_close")).one()
        assert (found.business_key, found.status) == (story.order.po_no, "RUNNING")
    story.complete("record_acknowledgement", result="ACCEPT", reference="AB-1")
    assert (story.ended_at, story.order.status, story.incidents) == (
        "requisition_ordered",
        OrderStatus.ACKNOWLEDGED,
        [],
    )


def test_an_order_goes_from_its_first_receipt_to_its_archive(story: Story, dock: Dock) -> None:
    dock.book(40)
    watching(story, dock)
    dock.book(60)
    assert (dock.order.status, story.ended_at) == (OrderStatus.RECEIVED, None)
    dock.bill(100)
    story.settle()
    assert (story.ended_at, dock.order.status, dock.line.status, story.incidents) == (
        "order_closed", OrderStatus.CLOSED, LineStatus.CLOSED, [],
    )  # fmt: skip
    with story.installation.reading() as session:
        kept = session.scalars(select(Attachment).where(Attachment.owner_id == dock.order_id)).one()
        archive = zipfile.ZipFile(io.BytesIO(content_of(session, kept)))
        assert {"order.pdf", "order.json", "receipts.json", "invoices.json", "SHA256SUMS"} <= set(archive.namelist())
        assert archive.read("order.pdf").startswith(b"%PDF")
        assert [row["quantity"] for row in json.loads(archive.read("receipts.json"))] == ["40.000000", "60.000000"]


def test_a_receipt_of_the_erp_is_booked_once(story: Story, dock: Dock) -> None:
    """W23: the goods-receipt message arrives twice with one id."""
    dock.act_as("system:flow", lambda act, line: order_closing.settle_statuses(act, line.order))
    dock.book(1)
    watching(story, dock)
    first = post(story, dock, "erp.receipt.posted", receipt_message(), message_id="GR-77/1")
    second = post(story, dock, "erp.receipt.posted", receipt_message(quantity=50), message_id="GR-77/1")
    assert (first.reception, second.reception) == (Reception.CORRELATED, Reception.ALREADY_HANDLED)
    assert (dock.figures[0], len(dock.receipts), story.steps, story.incidents) == (D(41), 2, [], [])


def test_a_receipt_that_cannot_be_booked_is_shown_to_receiving_and_nothing_is_lost(story: Story, dock: Dock) -> None:
    dock.book(1)
    watching(story, dock)
    post(story, dock, "erp.receipt.posted", receipt_message(uom="KGM"))
    assert (dock.figures[0], story.steps) == (D(1), ["correct_receipt"])
    assert "CON-12" not in story.variables_of_task()["message"]["refusal"]
    assert "no conversion" in story.variables_of_task()["message"]["refusal"]
    story.as_(sam).decide("correct_receipt", "book_again", quantity=40, uom="EA", line_no=1)
    assert (dock.figures[0], story.steps, story.incidents) == (D(41), [], [])


def test_two_receipts_go_their_ways_side_by_side(story: Story, plant: Installation) -> None:
    dock = Dock(plant, quantity=100, is_inspection_required=True, match_level=4)
    first, second = dock.book(40).receipts[0], dock.book(60).receipts[0]
    watching(story, dock)
    assert story.steps == ["inspect_goods", "inspect_goods"]
    dock.inspect(second)
    assert story.steps == ["inspect_goods"]
    assert story.variables_of_task("inspect_goods")["receipt"]["number"] == first.number
    story.as_(quinn).decide("inspect_goods", "record", rejects=0, findings="")
    assert (dock.figures[1], story.steps, story.incidents) == (D(100), [], [])


def test_a_failed_inspection_asks_for_a_disposition_and_the_line_opens_again(story: Story, plant: Installation) -> None:
    dock = Dock(plant, quantity=40, is_inspection_required=True, match_level=4)
    dock.book(40)
    watching(story, dock).as_(quinn).decide("inspect_goods", "record", rejects=1, findings="Bore out of size")
    assert (dock.figures, story.steps) == ((D(40), D(0), D(0)), ["decide_nonconformance"])
    story.decide("decide_nonconformance", "send_back", reason="Out of size")
    assert (dock.line.open_quantity, story.steps, story.incidents) == (D(40), [], [])


def test_engineering_signs_that_goods_are_used_as_they_are(story: Story, plant: Installation) -> None:
    dock = Dock(plant, quantity=40, is_inspection_required=True, match_level=4)
    dock.book(40)
    watching(story, dock).as_(quinn).decide("inspect_goods", "record", rejects=1, findings="Scratch")
    story.decide("decide_nonconformance", "use_as_is", reason="Cosmetic")
    story.as_(ella).decide("review_material", "approve", reason="Fits")
    assert (dock.figures[1], dock.receipts[0].review_signature_id is not None, story.steps) == (D(40), True, [])


def test_a_missing_certificate_is_chased_and_then_the_supplier_is_suspended(story: Story, plant: Installation) -> None:
    dock = Dock(plant, quantity=24, certificates=("COC",))
    receipt = dock.book(24).receipts[0]
    watching(story, dock)
    assert story.steps == ["obtain_certificate"]
    story.as_(quinn).complete("obtain_certificate")
    assert "COC" in story.variables_of_task("obtain_certificate")["refusal"]
    story.after(days=3)
    notices = story.read(lambda session: [row.subject for row in session.scalars(select(NoticeRow))])
    assert any("owes COC" in subject for subject in notices)
    story.after(days=6)
    supplier = story.read(lambda session: session.get_one(Supplier, dock.order.supplier_id))
    assert supplier.status == "SUSPENDED"
    paper = dock.present("COC", receipt=receipt)
    assert story.steps == ["obtain_certificate", "verify_certificate"]
    story.decide("verify_certificate", "verify")
    assert (dock.fresh(paper).status, dock.fresh(receipt).status, story.steps, story.incidents) == (
        "VERIFIED", ReceiptStatus.ACCEPTED, [], [],
    )  # fmt: skip


def test_a_certificate_from_outside_is_kept_and_verified(story: Story, plant: Installation) -> None:
    dock = Dock(plant, quantity=24, certificates=("HT",), spec="PS-455", spec_rev="D")
    dock.book(24, lot="L-24")
    watching(story, dock)
    content = base64.b64encode(b"%PDF-1.7 furnace chart").decode()
    wrong = {
        "line_no": 1,
        "type": "HT",
        "issuer": "NorthStar",
        "spec": "PS-455",
        "spec_rev": "C",
        "lot": "L-24",
        "content": content,
    }
    post(story, dock, "cert.received", wrong, message_id="c-1")
    story.as_(quinn).decide("verify_certificate", "verify")
    post(story, dock, "cert.received", wrong | {"spec_rev": "D", "message_id": "c-2"}, message_id="c-2")
    story.decide("verify_certificate", "verify")
    with story.installation.reading() as session:
        assert sorted(one.status for one in session.scalars(select(Certificate))) == ["REJECTED", "VERIFIED"]
    assert (dock.figures[1], story.steps, story.incidents) == (D(24), [], [])


def test_an_excess_waits_for_buyer_and_receiving(story: Story, dock: Dock) -> None:
    dock.book(110)
    watching(story, dock)
    assert story.steps == ["decide_excess"]
    story.as_(bea).decide("decide_excess", "amend", reason="Raise it")
    assert "amendment" in story.variables_of_task("decide_excess")["refusal"]
    story.decide("decide_excess", "return", reason="Not needed")
    assert ([one.quantity for one in dock.receipts], story.steps, story.incidents) == ([D(100), D(10), D(-10)], [], [])


def test_an_invoice_from_outside_is_captured_held_and_settled(story: Story, dock: Dock) -> None:
    dock.book(40)
    watching(story, dock)
    bill = {
        "invoice_no": "R-9", "currency": "USD", "invoiced_on": "2026-11-22", "due_on": "2026-12-22", "total": 2550,
        "lines": [{"line_no": 1, "quantity": 60, "unit_price": "42.50"}],
    }  # fmt: skip
    post(story, dock, "erp.invoice.received", bill, message_id="R-9/1")
    assert story.steps == ["settle_receipt_gap"]
    story.as_(sam).decide("settle_receipt_gap", "look_again")
    assert story.steps == ["settle_receipt_gap"]
    dock.book(20)
    invoice = story.read(lambda session: session.scalars(select(Invoice)).one())
    assert (invoice.status, story.steps, dock.figures[2], story.incidents) == (InvoiceStatus.MATCHED, [], D(60), [])


def test_a_held_invoice_is_escalated_before_it_is_due(story: Story, dock: Dock, clock: SettableClock) -> None:
    dock.book(40)
    watching(story, dock)
    dock.bill(60)
    story.after(days=24)
    subjects = story.read(lambda session: [row.subject for row in session.scalars(select(NoticeRow))])
    assert any("still held" in subject for subject in subjects)


def test_an_invoice_for_another_suppliers_order_waits_for_accounts_payable(story: Story, dock: Dock) -> None:
    dock.book(40)
    watching(story, dock)
    bill = {
        "invoice_no": "R-9",
        "supplier_no": "S-OTHER",
        "lines": [{"line_no": 1, "quantity": 40, "unit_price": "42.50"}],
    }
    post(story, dock, "erp.invoice.received", bill)
    assert (story.steps, dock.figures[2]) == (["correct_bill"], D(0))
    assert "S-OTHER" in story.variables_of_task()["message"]["refusal"]
    story.as_(ana).decide("correct_bill", "capture_again")
    assert story.steps == ["correct_bill"]
    story.decide("correct_bill", "drop", reason="Sent back to them")
    assert (story.steps, story.incidents) == ([], [])


def test_the_rest_is_given_up_by_buyer_and_planner(story: Story, dock: Dock) -> None:
    dock.book(40)
    watching(story, dock)
    dock.act_as(bea, lambda act, line: order_closing.propose_short_close(act, line, reason="The supplier has no more"))
    story.as_(rita).decide("confirm_short_close", "confirm")
    assert (dock.line.status, dock.order.status) == (LineStatus.CLOSED, OrderStatus.RECEIVED)
    proposal = story.read(lambda session: session.scalars(select(ShortClose)).one())
    assert (proposal.status, proposal.quantity, proposal.decided_by) == ("CONFIRMED", D(60), "rita")
    dock.bill(40)
    assert story.settle().ended_at == "order_closed"


def test_an_order_with_an_open_hold_is_not_closed(story: Story, dock: Dock) -> None:
    dock.book(100)
    dock.bill(100, "50.00")

    def close(act: Act, line: PurchaseOrderLine) -> None:
        order_closing.close(act, line.order)

    with pytest.raises(RuleViolation) as refusal:
        dock.act_as(bea, close)
    assert refusal.value.code == "CLOSE"
    assert ("held (PRICE)" in refusal.value.message, "are not invoiced" in refusal.value.message) == (True, True)
    assert dock.order.status is OrderStatus.RECEIVED


def test_a_closed_order_is_frozen(story: Story, dock: Dock) -> None:
    dock.book(100)
    dock.bill(100)
    with pytest.raises(RuleViolation), story.installation.acting("system:x") as act:
        act.session.get_one(PurchaseOrderLine, dock.line_id).unit_price = D(1)
