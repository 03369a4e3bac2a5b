"""Orders on paper: the purchase order for the supplier, and the sheet from which somebody keys it into an ERP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typst
from sqlalchemy import select
from sqlalchemy.orm import object_session

from processes.documents import plain
from processes.erp import document_of, proofs_of
from processes.signed_by import signed_order, with_reasons
from records.purchase_order import LineStatus, PurchaseOrder, PurchaseOrderLine
from records.quality_clause import QualityClause

TEMPLATE = Path(__file__).with_name("order_sheet.typ")


def purchase_order_pdf(order: PurchaseOrder) -> bytes:
    """Return the order as its supplier gets it: no signers' reasons, no budget, nothing of the work behind it."""
    return _render(_data(order, kind="order"))


def keying_sheet_pdf(order: PurchaseOrder) -> bytes:
    """Return the sheet for keying: every field in the order of an ERP's mask, with total, line count and check code."""
    return _render(_data(order, kind="keying"))


def _render(data: dict[str, Any]) -> bytes:
    content = typst.compile(TEMPLATE, sys_inputs={"data": json.dumps(data, ensure_ascii=False)})
    assert isinstance(content, bytes)
    return content


def _data(order: PurchaseOrder, *, kind: str) -> dict[str, Any]:
    document = document_of(order)
    site, supplier = order.site, order.supplier
    address = order.supplier_site.address if order.supplier_site else ""
    return {
        "kind": kind,
        "number": order.number,
        "proposal_no": order.proposal_no,
        "revision": order.revision,
        "date": order.order_date.isoformat() if order.order_date else "",
        "plant": {"name": site.name, "address": site.address},
        "supplier": {"name": supplier.name, "number": supplier.supplier_no, "address": address},
        "buyer": {"name": order.buyer.name, "email": order.buyer.email} if order.buyer else {"name": "", "email": ""},
        "currency": order.currency,
        "incoterm": order.incoterm_text,
        "payment_term": order.payment_term,
        "ship_to": order.ship_to,
        "bill_to": order.bill_to,
        "terms": " rev. ".join(filter(None, [order.terms_doc, order.terms_rev])),
        "comment": order.comment,
        "lines": [_line(line) for line in order.lines if line.status is not LineStatus.CANCELLED],
        "total": _money(order.total),
        "clauses": _clauses(order),
        "hash": document.hash,
        "proofs": proofs_of(document),
        "signatures": _signatures(order, kind),
    }


def _line(line: PurchaseOrderLine) -> dict[str, Any]:
    part = line.part_revision
    name = part.part.name if part is not None else line.service.name if line.service is not None else ""
    return {
        "no": line.line_no,
        "item": line.item,
        "name": name,
        "description": line.description,
        "spec": " rev. ".join(filter(None, [line.spec, line.spec_rev])),
        "process": line.process_code or "",
        "quantity": plain(line.quantity),
        "uom": line.uom,
        "unit_price": _money(line.unit_price, places=4),
        "amount": _money(line.amount),
        "need_by": line.need_by.isoformat() if line.need_by else "",
        "ship_to": line.ship_to or "",
        "clauses": ", ".join(clause.partition("@")[0] for clause in line.quality_clauses),
        "certificates": ", ".join(line.certificates),
        "cost_object": line.cost_object or "",
    }


def _clauses(order: PurchaseOrder) -> list[dict[str, str]]:
    wanted = {clause for line in order.lines for clause in line.quality_clauses}
    session = object_session(order)
    if not wanted or session is None:
        return []
    codes = {clause.partition("@")[0] for clause in wanted}
    known = session.scalars(select(QualityClause).where(QualityClause.code.in_(codes)).order_by(QualityClause.code))
    return [
        {"code": clause.code, "rev": clause.rev, "title": clause.title, "text": clause.text}
        for clause in known
        if clause.number in wanted
    ]


def _signatures(order: PurchaseOrder, kind: str) -> list[dict[str, str]]:
    session = object_session(order)
    if session is None:
        return []
    found = signed_order(session, order)
    return with_reasons(session, found, order) if kind == "keying" else found


def _money(amount: Any, *, places: int = 2) -> str:
    text = f"{amount:,.{places}f}"
    if places > 2:
        head, _, tail = text.partition(".")
        return f"{head}.{tail.rstrip('0').ljust(2, '0')}"
    return text
