"""Receipts and their inspection: booked once for an event, reversed by negative ones, inspected with a signature."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import fields, validate

from engine.act import Act
from engine.errors import Invalid
from processes import inspecting, receiving, sorting
from processes.receiving import Delivery
from records.inspection import InspectionResult, inspections_of
from records.nonconformance import Disposition
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt, ReceiptStatus
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Exact, Instant, Listed, Request, Whole, as_page, maybe, page_of, text, word
from webapp.api.signing import SignatureGiven, signature_given
from webapp.pages import goods as pages
from webapp.pages import orders
from webapp.pages import receiving as receiving_pages
from webapp.visit import reading

EVENT = validate.Length(1, 200, error="Expected {min} to {max} characters")
MOST_SERIALS = 1000


class ReceiptAnswer(Answer):
    """Goods that came in; a reversal has a negative quantity. answer: whether the event was recorded or handled before."""

    id = fields.UUID()
    number = fields.String()
    order_id = fields.UUID()
    order_line = fields.String()
    quantity = Exact()
    over_quantity = Exact()
    uom = fields.String()
    status = word(ReceiptStatus)
    quarantine = maybe()
    quarantine_reason = fields.String()
    packing_slip = fields.String()
    received_on = fields.Date()
    received_by = fields.String()
    location = fields.String()
    revision_on_label = maybe()
    lot = fields.String()
    heat = fields.String()
    serials = fields.List(fields.String())
    reverses_id = fields.UUID(allow_none=True)
    reason = fields.String()
    system = fields.String()
    event_id = fields.String()
    created_at = Instant()
    version = fields.Integer()


class InspectionAnswer(Answer):
    """One inspection."""

    id = fields.UUID()
    number = fields.String()
    plan_ref = fields.String()
    plan_rev = fields.String()
    sample_size = fields.Integer()
    accept_number = fields.Integer()
    rejects = fields.Integer()
    result = word(InspectionResult)
    findings = fields.String()
    inspector_id = fields.String()
    inspected_at = Instant()


class ReceiptDetail(ReceiptAnswer):
    """Goods with their inspections."""

    inspections = fields.List(fields.Nested(InspectionAnswer))


class BookingAnswer(Answer):
    """What a delivery became: what was ordered, then the excess. answer: recorded, or already handled."""

    answer = word(("recorded", "already handled"))
    receipts = fields.List(fields.Nested(ReceiptAnswer))
    remarks = fields.List(fields.String())


class GoodsDelivered(Request):
    """A delivery on one order line. event_id: the sender's; the same one twice is one delivery."""

    order_id = fields.UUID(required=True)
    line_no = Whole(required=True)
    quantity = Exact(required=True)
    event_id = fields.String(required=True, validate=EVENT)
    system = text(40, load_default="ERP")
    uom = text(40, load_default=None, allow_none=True)
    packing_slip = text(200, load_default="")
    received_on = fields.Date(load_default=None, allow_none=True)
    location = text(200, load_default="")
    revision_on_label = text(40, load_default=None, allow_none=True)
    lot = text(200, load_default="")
    heat = text(200, load_default="")
    serials = fields.List(text(60), load_default=list, validate=validate.Length(max=MOST_SERIALS))
    performer = text(60, load_default="", metadata={"description": "Who received it, as the sending system says."})


class ReceiptReversal(Request):
    """What is taken back. quantity: all that is left when it is null."""

    quantity = Exact(load_default=None, allow_none=True)
    reason = text(4000, required=True)
    event_id = fields.String(required=True, validate=EVENT)
    system = text(40, load_default="ERP")


class GoodsInspected(Request):
    """What the sample showed, signed VERIFIED."""

    rejects = Whole(required=True)
    findings = text(4000, load_default="")
    signature = fields.Nested(SignatureGiven, required=True)


class GoodsSorted(Request):
    """What looking at every piece showed, signed VERIFIED. serials: the rejected ones, for goods kept by serial number."""

    rejected = Exact(required=True)
    findings = text(4000, required=True)
    serials = fields.List(text(60), load_default=list, validate=validate.Length(max=MOST_SERIALS))
    signature = fields.Nested(SignatureGiven, required=True)


class SortingAnswer(Answer):
    """What became of a delivery: the part that goes on, and the rejected part, goods of its own."""

    good = fields.Nested(ReceiptDetail)
    bad = fields.Nested(ReceiptDetail)


class GoodsDisposed(Request):
    """What becomes of rejected goods. signature: of engineering, for USE_AS_IS."""

    disposition = word(Disposition, required=True)
    reason = text(4000, required=True)
    signature = fields.Nested(SignatureGiven, load_default=None, allow_none=True)


class ReceiptQuery(Listed):
    """What receipts may be listed by. ``q`` is part of a number, packing slip, lot, heat or order."""

    status = word(ReceiptStatus, load_default="")


ReceiptPage = page_of(ReceiptAnswer, "ReceiptPage")


def line_of(order: PurchaseOrder, line_no: int) -> PurchaseOrderLine:
    """Return a line of an order. Raises: Invalid."""
    found = next((line for line in order.lines if line.line_no == line_no), None)
    if found is None:
        raise Invalid(f"Expected a line of {order.number}, but found {line_no}", {"line_no": "is no line of the order"})
    return found


def as_answer(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as the API shows it."""
    own = {name: getattr(receipt, name) for name in ReceiptAnswer().fields if hasattr(receipt, name)}
    return own | {
        "order_id": receipt.order_line.order_id, "order_line": receipt.order_line.number, "lot": receipt.lot_label,
        "serials": list(receipt.serials), "system": receipt.source_system, "event_id": receipt.source_event_id,
    }  # fmt: skip


def _detail(record_id: str) -> dict[str, Any]:
    receipt = pages.find(reading(), record_id)
    return as_answer(receipt) | {"inspections": inspections_of(reading(), receipt)}


def _booking(subject: dict[str, Any]) -> dict[str, Any]:
    found = [as_answer(pages.find(reading(), one)) for one in subject["ids"]]
    return {"answer": subject["answer"], "receipts": found, "remarks": subject["remarks"]}


@reads(
    "/receipts", scope="receipts:read", summary="List receipts, newest first", query=ReceiptQuery, answer=ReceiptPage
)
def list_receipts(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in numbers, packing slips, lots and heats."""
    found = receiving_pages.look_up(q, status, after, limit=limit)
    return as_page(found) | {"items": [as_answer(one) for one in found.items]}


@reads(
    "/receipts/<record_id>", scope="receipts:read", summary="Get a receipt with its inspections", answer=ReceiptDetail
)
def get_receipt(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _detail(record_id)


@writes(
    "POST", "/receipts", scope="receipts:write", summary="Book a delivery in", body=GoodsDelivered, answer=BookingAnswer, render=_booking,
)  # fmt: skip
def book_delivery(act: Act, body: dict[str, Any]) -> dict[str, Any]:
    """Book what came on an order line, once for its event; what is over tolerance becomes a second receipt in quarantine."""
    order = orders.find(act.session, str(body.pop("order_id")))
    line = line_of(order, body.pop("line_no"))
    booking = receiving.book(act, line, Delivery(**body | {"serials": tuple(body["serials"])}))
    said = "already handled" if booking.is_repeat else "recorded"
    return {"answer": said, "ids": [one.id for one in booking.receipts], "remarks": list(booking.remarks)}


@writes(
    "POST", "/receipts/<record_id>/reversals", scope="receipts:write", summary="Take a receipt back, whole or in part",
    body=ReceiptReversal, answer=ReceiptDetail, render=_detail,
)  # fmt: skip
def reverse_receipt(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Write a negative receipt; the first one stays as it was. Answers with the negative one."""
    quantity: Decimal | None = body.pop("quantity")
    return receiving.reverse(act, pages.find(act.session, record_id), quantity, **body).id


@writes(
    "POST", "/receipts/<record_id>/inspections", scope="receipts:write", summary="Inspect goods, signed", body=GoodsInspected,
    answer=ReceiptDetail, render=_detail, person=True,
)  # fmt: skip
def inspect_receipt(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Sample size and accept number follow from the plan; a sample that fails rejects the lot."""
    goods = pages.find(act.session, record_id)
    inspecting.inspect(
        act, goods, signature_given(body["signature"]), rejects=body["rejects"], findings=body["findings"]
    )
    return goods.id


@writes(
    "POST", "/receipts/<record_id>/sorting", scope="receipts:write", summary="Sort goods: accept a part and reject the rest, signed",
    body=GoodsSorted, answer=SortingAnswer, render=lambda pair: {"good": _detail(pair[0]), "bad": _detail(pair[1])}, person=True,
)  # fmt: skip
def sort_receipt(act: Act, body: dict[str, Any], record_id: str) -> list[str]:
    """After every piece was looked at. What is rejected is reversed and becomes a receipt of its own."""
    done = sorting.sort_out(
        act, pages.find(act.session, record_id), signature_given(body["signature"]), rejected=body["rejected"],
        findings=body["findings"], serials=body["serials"],
    )  # fmt: skip
    return [done.good.id, done.bad.id]


@writes(
    "POST", "/receipts/<record_id>/disposition", scope="receipts:write", summary="Decide what becomes of rejected goods",
    body=GoodsDisposed, answer=ReceiptDetail, render=_detail, person=True,
)  # fmt: skip
def dispose_receipt(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Send back, rework, scrap, or, with engineering's signature, use as they are."""
    goods = pages.find(act.session, record_id)
    request = signature_given(body["signature"]) if body["signature"] else None
    inspecting.dispose(act, goods, Disposition(body["disposition"]), reason=body["reason"], request=request)
    return goods.id
