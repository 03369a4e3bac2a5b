"""Invoices: captured once for an event, matched, held with both values, paid in part, released with a signature."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from engine.act import Act
from processes import invoicing, matching
from processes.invoicing import Bill, BilledLine
from records.invoice import (
    HoldCode,
    HoldStatus,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    holds_of,
    payable_of,
    results_of,
)
from webapp.api.endpoints import reads, writes
from webapp.api.goods import EVENT, line_of
from webapp.api.shapes import (
    Answer,
    Exact,
    Instant,
    Listed,
    Nothing,
    Request,
    Whole,
    as_page,
    maybe,
    page_of,
    text,
    word,
)
from webapp.api.signing import SignatureGiven, signature_given
from webapp.pages import invoices as pages
from webapp.pages import orders, suppliers
from webapp.visit import reading


class MatchHoldAnswer(Answer):
    """Why an invoice line is not paid, with both values and whose turn it is."""

    id = fields.UUID()
    code = word(HoldCode)
    status = word(HoldStatus)
    expected = fields.String()
    found = fields.String()
    owner = fields.String()
    opened_at = Instant()
    released_by = maybe()
    reason = fields.String()


class InvoiceLineAnswer(Answer):
    """One billed line. payable_now: what the last match lets through; paid: what became payable."""

    line_no = fields.Integer()
    order_id = fields.UUID()
    order_line = fields.String()
    quantity = Exact()
    unit_price = Exact()
    amount = Exact()
    level = fields.Integer(allow_none=True)
    payable_now = Exact(allow_none=True)
    paid = Exact()
    holds = fields.List(fields.Nested(MatchHoldAnswer))


class InvoiceSummary(Answer):
    """An invoice in a list."""

    id = fields.UUID()
    number = fields.String()
    kind = word(InvoiceKind)
    supplier_no = fields.String()
    supplier_invoice_no = fields.String()
    currency = fields.String()
    total = Exact()
    invoiced_on = fields.Date()
    due_on = fields.Date(allow_none=True)
    status = word(InvoiceStatus)
    refusal = fields.String()
    version = fields.Integer()


class InvoiceDetail(InvoiceSummary):
    """An invoice with its lines and holds."""

    lines = fields.List(fields.Nested(InvoiceLineAnswer))


class InvoiceLineGiven(Request):
    """One billed line."""

    order_id = fields.UUID(required=True)
    line_no = Whole(required=True)
    quantity = Exact(required=True)
    unit_price = Exact(required=True)
    uom = text(40, load_default=None, allow_none=True)


class InvoiceGiven(Request):
    """A bill as it came. event_id: the sender's; the same one twice is one invoice."""

    supplier_id = fields.UUID(required=True)
    invoice_no = text(200, required=True)
    currency = text(3, required=True)
    invoiced_on = fields.Date(required=True)
    due_on = fields.Date(load_default=None, allow_none=True)
    total = Exact(load_default=None, allow_none=True)
    kind = word((InvoiceKind.INVOICE, InvoiceKind.CREDIT_NOTE), load_default=InvoiceKind.INVOICE.value)
    event_id = fields.String(required=True, validate=EVENT)
    system = text(40, load_default="EDI")
    lines = fields.List(fields.Nested(InvoiceLineGiven), required=True, validate=validate.Length(max=500))


class InvoiceReason(Request):
    """Why."""

    reason = text(4000, required=True)


class HoldReleased(Request):
    """Why a hold is released, signed."""

    reason = text(4000, required=True)
    signature = fields.Nested(SignatureGiven, required=True)


class InvoiceQuery(Listed):
    """What invoices may be listed by. ``q`` is part of either number or of the supplier's name."""

    status = word(InvoiceStatus, load_default="")


InvoicePage = page_of(InvoiceSummary, "InvoicePage")


def _summary(invoice: Invoice) -> dict[str, Any]:
    own = {name: getattr(invoice, name) for name in InvoiceSummary().fields if hasattr(invoice, name)}
    return own | {"supplier_no": invoice.supplier.supplier_no}


def _line(line: InvoiceLine) -> dict[str, Any]:
    session = reading()
    runs = results_of(session, line)
    return {
        "line_no": line.line_no, "order_id": line.order_line.order_id, "order_line": line.order_line.number,
        "quantity": line.quantity, "unit_price": line.unit_price, "amount": line.amount,
        "level": runs[-1].level if runs else None, "payable_now": runs[-1].payable_quantity if runs else None,
        "paid": payable_of(session, line), "holds": holds_of(session, line),
    }  # fmt: skip


def _detail(record_id: str) -> dict[str, Any]:
    invoice = pages.find(reading(), record_id)
    return _summary(invoice) | {"lines": [_line(line) for line in invoice.lines]}


@reads(
    "/invoices", scope="invoices:read", summary="List invoices, newest first", query=InvoiceQuery, answer=InvoicePage
)
def list_invoices(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in both numbers and the supplier's name."""
    found = pages.look_up(q, status, after, limit=limit)
    return as_page(found) | {"items": [_summary(one) for one in found.items]}


@reads("/invoices/<record_id>", scope="invoices:read", summary="Get an invoice with its holds", answer=InvoiceDetail)
def get_invoice(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _detail(record_id)


@writes(
    "POST",
    "/invoices",
    scope="invoices:write",
    summary="Enter and match an invoice",
    body=InvoiceGiven,
    answer=InvoiceDetail,
    render=_detail,
)
def capture_invoice(act: Act, body: dict[str, Any]) -> str:
    """Take a bill in, once for its event. A number of the supplier's that was used before is kept as rejected."""
    supplier = suppliers.find(act.session, str(body.pop("supplier_id")))
    lines = [
        BilledLine(
            line_of(orders.find(act.session, str(row["order_id"])), row["line_no"]),
            row["quantity"],
            row["unit_price"],
            uom=row["uom"],
        )
        for row in body.pop("lines")
    ]
    return invoicing.capture_invoice(act, Bill(supplier, lines=lines, **body | {"kind": InvoiceKind(body["kind"])})).id


@writes(
    "POST", "/invoices/<record_id>/match", scope="invoices:write", summary="Match an invoice again", body=Nothing,
    answer=InvoiceDetail, render=_detail,
)  # fmt: skip
def match_invoice(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Compare it with what is known now; holds whose cause is gone are cleared."""
    return matching.match(act, pages.find(act.session, record_id)).id


@writes(
    "POST", "/invoices/<record_id>/part-payment", scope="invoices:write", summary="Make payable what no hold concerns",
    body=InvoiceReason, answer=InvoiceDetail, render=_detail, person=True,
)  # fmt: skip
def pay_part(act: Act, body: dict[str, Any], record_id: str) -> str:
    """On request of accounts payable: 40 of 60 when 40 were received."""
    invoice = pages.find(act.session, record_id)
    matching.pay_part(act, invoice, reason=body["reason"])
    return invoice.id


@writes(
    "POST", "/invoices/<record_id>/rejection", scope="invoices:write", summary="Reject an invoice", body=InvoiceReason,
    answer=InvoiceDetail, render=_detail, person=True,
)  # fmt: skip
def reject_invoice(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Its supplier may send another one under the same number."""
    return matching.reject_invoice(act, pages.find(act.session, record_id), reason=body["reason"]).id


@writes(
    "POST", "/holds/<record_id>/release", scope="invoices:write", summary="Release a hold, signed", body=HoldReleased,
    answer=InvoiceDetail, render=_detail, person=True,
)  # fmt: skip
def release_hold(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Neither the buyer nor whoever received the goods releases it (SOD-5). Answers with the invoice."""
    hold = pages.find_hold(act.session, record_id)
    matching.release_hold(act, hold, signature_given(body["signature"]), reason=body["reason"])
    return hold.invoice_line.invoice_id
