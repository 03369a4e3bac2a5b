"""The change of an order on paper, for its supplier: every value before and after, as it is stored with the amendment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typst

from engine.record import Operation
from processes.documents import plain
from records.amendment import AmendmentChange, AmendmentKind, PurchaseOrderAmendment
from rules.amendment_words import PRINTED, field_of, label_of, place_of, shown_change

TEMPLATE = Path(__file__).with_name("order_change.typ")


def order_change_pdf(amendment: PurchaseOrderAmendment) -> bytes:
    """Return the change notice: what was, what is from this revision on, and the new total."""
    content = typst.compile(TEMPLATE, sys_inputs={"data": json.dumps(_data(amendment), ensure_ascii=False)})
    assert isinstance(content, bytes)
    return content


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
        "rows": [_row(change) for change in amendment.changes if field_of(change.path) in PRINTED],
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
        "place": place_of(change.path),
        "what": label_of(change.path).capitalize() if field_of(change.path) != "incoterm" else "Incoterm",
        "old": shown_change(change, change.old_text),
        "new": shown_change(change, change.new_text),
    }
