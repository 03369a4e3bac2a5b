"""The change of an order on paper, for its supplier: every value before and after, as it is stored with the amendment."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import typst
from sqlalchemy.orm import object_session

from engine.record import Operation
from processes.documents import plain
from records.amendment import AmendmentChange, AmendmentKind, PurchaseOrderAmendment
from records.part import PartRevision

TEMPLATE = Path(__file__).with_name("order_change.typ")
LABELS = {
    "quantity": "Quantity", "unit_price": "Unit price", "need_by": "Needed on", "description": "Text", "status": "Delivery",
    "quality_clauses": "Quality clauses", "certificates": "Certificates", "is_inspection_required": "Inspection",
    "ship_to": "Deliver to", "bill_to": "Invoice to", "payment_term": "Terms of payment", "incoterm": "Incoterm",
    "incoterm_place": "Incoterm place", "incoterm_edition": "Incoterm edition", "terms_doc": "General terms",
    "terms_rev": "General terms, revision", "amount": "Amount", "part_revision_id": "Part revision", "service_code": "Service",
    "uom": "Unit", "advance_payment": "Advance payment",
}  # fmt: skip
"""What a supplier reads of a change; what is not here is the house's own business."""


def order_change_pdf(amendment: PurchaseOrderAmendment) -> bytes:
    """Return the change notice: what was, what is from this revision on, and the new total."""
    content = typst.compile(TEMPLATE, sys_inputs={"data": json.dumps(_data(amendment), ensure_ascii=False)})
    assert isinstance(content, bytes)
    return content


def label_of(change: AmendmentChange) -> str:
    """Return the printed name of what a row of the redline changes, or an empty text for what is not printed."""
    return LABELS.get(change.path.rpartition(".")[2], "")


def place_of(change: AmendmentChange) -> str:
    """Return where a change is: ``Line 2`` or ``Order``."""
    return f"Line {change.path.split('.')[1]}" if change.path.startswith("lines.") else "Order"


def shown(change: AmendmentChange, text: str | None) -> str:
    """Return a canonical text as a person reads it."""
    name = change.path.rpartition(".")[2]
    if text is None or text == "":
        return ""
    if name == "quantity":
        return f"{Decimal(text):,.6f}".rstrip("0").rstrip(".")
    if name in ("unit_price", "amount", "advance_payment"):
        whole, _, rest = f"{Decimal(text):,.4f}".partition(".")
        return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"
    if name in ("quality_clauses", "certificates"):
        return ", ".join(json.loads(text)) or "none"
    if name == "is_inspection_required":
        return "required" if text == "true" else "not required"
    if name == "status":
        return {"CANCELLED": "cancelled"}.get(text, "as ordered")
    if name == "part_revision_id" and (session := object_session(change)) is not None:
        found = session.get(PartRevision, text)
        return found.number if found is not None else text
    return text


def _data(amendment: PurchaseOrderAmendment) -> dict[str, Any]:
    order = amendment.order
    return {
        "kind": "cancellation" if amendment.kind is AmendmentKind.CANCELLATION else "change",
        "number": order.number,
        "amendment": amendment.number,
        "revision": amendment.revision,
        "date": order.site.local_day(amendment.sent_at or amendment.changed_at).isoformat(),
        "plant": {"name": order.site.name, "address": order.site.address},
        "supplier": {"name": order.supplier.name, "address": order.supplier_site.address if order.supplier_site else ""},
        "buyer": {"name": order.buyer.name, "email": order.buyer.email} if order.buyer else {"name": "", "email": ""},
        "currency": amendment.currency,
        "rows": [_row(change) for change in amendment.changes if label_of(change)],
        "total_before": f"{amendment.total_before:,.2f}",
        "total_after": f"{amendment.total_after:,.2f}",
        "is_offered": amendment.acknowledgement_id is not None,
        "hash": amendment.hash_after,
        "lines": [
            {"no": line.line_no, "item": line.item, "quantity": plain(line.quantity), "uom": line.uom}
            for line in order.lines
        ],
    }  # fmt: skip


def _row(change: AmendmentChange) -> dict[str, str]:
    return {
        "sign": "+"
        if change.operation is Operation.INSERT or change.old_text is None
        else "-"
        if change.new_text is None
        else "~",
        "place": place_of(change),
        "what": label_of(change),
        "old": shown(change, change.old_text),
        "new": shown(change, change.new_text),
    }
