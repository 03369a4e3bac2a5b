"""What a bar-code scanner types: order, line, part, lot or receipt, plain or with the identifiers that labels carry.

Labels on goods put an identifier before the value (ANSI MH10.8.2): K an order, 4K its line, P a part, 2P its revision, Q a quantity,
1T a lot, S a serial, 11K a packing slip. A code without one is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from records.part import Part, PartRevision
from records.purchase_order import FINAL, LineStatus, PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt

LONGEST = 80
IDENTIFIERS = {
    "11K": "packing_slip",
    "4K": "line",
    "2P": "revision_on_label",
    "1T": "lot",
    "Q": "quantity",
    "S": "serials",
}
ENDED = (LineStatus.CLOSED, LineStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a code means. order, receipt: ids to go to; lines: open lines of a part; fields: values for the form."""

    order_id: str = ""
    line_no: int | None = None
    receipt_id: str = ""
    lines: tuple[PurchaseOrderLine, ...] = ()
    fields: Mapping[str, str] | None = None
    complaint: str = ""


def understand(session: Session, code: str) -> Scanned:
    """Return what a code scanned anywhere means: an order, its line, a receipt, a lot, or the open lines of a part."""
    text = code.strip()[:LONGEST]
    if not text:
        return Scanned(complaint="Expected a code, but nothing was scanned.")
    for candidate in dict.fromkeys((text, re.sub(r"^(K|P|1T)(?=.)", "", text))):
        found = _order(session, candidate) or _receipt(session, candidate) or _part(session, candidate)
        if found is not None:
            return found
    return Scanned(
        complaint=f"Expected an order, an order line, a part, a lot or a receipt, but “{text}” is none we know."
    )


def fill(session: Session, order: PurchaseOrder, code: str) -> Scanned:
    """Return which fields of the form for an order's goods a code fills; a code that is none of it is said so."""
    text = code.strip()[:LONGEST]
    part, _, rev = text.removeprefix("P").partition("/")
    for line in order.lines:
        revision = line.part_revision
        if revision is not None and revision.part.part_no in (text.partition("/")[0], part):
            label = rev or text.partition("/")[2]
            return Scanned(fields={"line": str(line.line_no)} | ({"revision_on_label": label} if label else {}))
        if text in (line.number, f"4K{line.line_no}", f"K{line.number}"):
            return Scanned(fields={"line": str(line.line_no)})
    for identifier, name in IDENTIFIERS.items():
        if text.startswith(identifier) and len(text) > len(identifier) and name != "line":
            return Scanned(fields={name: text.removeprefix(identifier)})
    if re.fullmatch(r"\d{1,7}([.,]\d+)?", text):
        return Scanned(fields={"quantity": text})
    elsewhere = understand(session, text)
    if elsewhere.order_id and elsewhere.order_id != order.id:
        return Scanned(complaint=f"“{text}” belongs to another order than {order.number}.")
    return Scanned(fields={"lot": text})


def _order(session: Session, text: str) -> Scanned | None:
    number, _, line = text.rpartition("/")
    wanted = [text] if not number else [text, number]
    found = session.scalars(
        select(PurchaseOrder)
        .where(or_(func.upper(PurchaseOrder.po_no).in_([one.upper() for one in wanted]), PurchaseOrder.proposal_no.in_(wanted)))
        .order_by(PurchaseOrder.id.desc())
    ).first()  # fmt: skip
    if found is None:
        return None
    is_line = line.isdecimal() and found.number.upper() == number.upper()
    return Scanned(order_id=found.id, line_no=int(line) if is_line else None)


def _receipt(session: Session, text: str) -> Scanned | None:
    wanted = select(Receipt.id).where(
        or_(Receipt.number == text, Receipt.lot_label == text, Receipt.heat == text), Receipt.reverses_id.is_(None)
    )
    found = session.scalars(wanted.order_by(Receipt.id.desc())).first()
    return Scanned(receipt_id=found) if found else None


def _part(session: Session, text: str) -> Scanned | None:
    part_no = text.partition("/")[0]
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder)
        .join(PartRevision, PurchaseOrderLine.part_revision_id == PartRevision.id)
        .join(Part)
        .where(func.upper(Part.part_no) == part_no.upper(), PurchaseOrder.status.not_in(FINAL))
        .where(PurchaseOrderLine.status.not_in(ENDED))
    )
    found = tuple(session.scalars(wanted.order_by(PurchaseOrderLine.need_by, PurchaseOrderLine.id).limit(20)))
    return Scanned(lines=found) if found else None
