"""The change of an order on paper, for its supplier: every value before and after, as it is stored with the amendment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typst
from sqlalchemy.orm import object_session

from engine.redline import Difference, Kind, Shape
from engine.wording import in_words
from processes.documents import plain
from processes.signed_by import signed_amendment
from records.amendment import AmendmentKind, PurchaseOrderAmendment
from rules.amendment_redline import printed, printed_line, redline_of
from rules.amendment_words import PRINTED

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
        "rows": [_row(one) for one in _told(amendment)],
        "total_before": f"{amendment.total_before:,.2f}",
        "total_after": f"{amendment.total_after:,.2f}",
        "is_offered": amendment.acknowledgement_id is not None,
        "hash": amendment.hash_after,
        "content": amendment.content_hash,
        "signatures": _signatures(amendment),
        "lines": [
            {"no": line.line_no, "item": line.item, "quantity": plain(line.quantity), "uom": line.uom}
            for line in order.lines
        ],
    }  # fmt: skip


def _signatures(amendment: PurchaseOrderAmendment) -> list[dict[str, str]]:
    session = object_session(amendment)
    assert session is not None
    return signed_amendment(session, amendment)


def _told(amendment: PurchaseOrderAmendment) -> list[Difference]:
    """Return what the supplier is told of the stored redline: what is the house's own business is left out, and a line stays together."""
    session = object_session(amendment)
    assert session is not None
    groups = redline_of(session, amendment).groups
    return [one for group in groups for one in group.differences if not one.name or one.name in PRINTED]


def _row(one: Difference) -> dict[str, Any]:
    """Return a difference for the printed table. words: prose as runs of what stayed, went and came."""
    old, new = printed(one.old, one.shape, one.was_unit), printed(one.new, one.shape, one.unit)
    if one.row is not None:
        new = printed_line(one.row)
    is_prose = one.shape is Shape.TEXT and one.kind is Kind.CHANGED
    return {
        "sign": one.sign,
        "place": one.place,
        "what": one.label[:1].upper() + one.label[1:] if one.name else "New line",
        "old": old,
        "new": new,
        "words": [[str(piece.kind or ""), piece.text] for piece in in_words(old, new)] if is_prose else [],
    }
