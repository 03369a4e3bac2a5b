"""The laws of goods and bills, judged at flush for every door.

SOD-3 the buyer of an order does not receive on it; SOD-4 who received critical parts does not inspect them; SOD-5 neither the
buyer nor a receiver releases a hold of the match. COUNTED: quantities of order lines are the sums of their rows. CERT: goods are
accepted with every certificate the order asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Finding
from engine.record import Edit, Operation
from records.certificate import missing_certificates
from records.inspection import Inspection
from records.invoice import InvoiceLine, MatchHold, payable_quantity
from records.part import Criticality
from records.person import User
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt, ReceiptStatus, accepted_quantity, received_quantity
from rules.law import becomes, block, law, session_of

COUNTS = {
    "quantity_received": received_quantity,
    "quantity_accepted": accepted_quantity,
    "quantity_invoiced": payable_quantity,
}


@law("SOD-3", on=Receipt)
def the_buyer_does_not_receive(edit: Edit) -> Iterator[Finding]:
    """Whoever buys an order books no goods in on it, and takes none back."""
    receipt = edit.record
    if edit.operation is not Operation.INSERT:
        return
    session = session_of(edit)
    order = _order_of(session, receipt.order_line_id)
    if order.buyer_id is not None and receipt.received_by == order.buyer_id:
        yield block(
            "SOD-3",
            f"Expected somebody else to receive on {order.number}, but {_name(session, order.buyer_id)} is its buyer.",
            (receipt.record_type, receipt.id),
            owner="role:RECEIVING",
            way_out="Somebody of receiving books the goods in.",
        )


@law("SOD-4", on=Inspection)
def who_received_critical_parts_does_not_inspect_them(edit: Edit) -> Iterator[Finding]:
    """Receiver and inspector of key, flight-safety and implant parts are two persons."""
    inspection = edit.record
    if edit.operation is not Operation.INSERT:
        return
    session = session_of(edit)
    receipt = session.get_one(Receipt, inspection.receipt_id)
    line = session.get_one(PurchaseOrderLine, receipt.order_line_id)
    part = line.part_revision.part if line.part_revision is not None else None
    if part is None or part.criticality is Criticality.STD or receipt.received_by != inspection.inspector_id:
        return
    yield block(
        "SOD-4",
        f"Expected another inspector of {receipt.number} ({part.criticality}), "
        f"but {_name(session, inspection.inspector_id)} received it.",
        (inspection.record_type, inspection.id),
        owner="role:QA_ENG",
        way_out="Another inspector looks at the goods.",
    )


@law("SOD-5", on=MatchHold)
def buyer_and_receiver_release_no_hold(edit: Edit) -> Iterator[Finding]:
    """Neither the buyer nor whoever received on the line releases a hold of its invoice."""
    hold = edit.record
    if edit.operation is Operation.DELETE or not becomes(edit, "RELEASED") or hold.released_by is None:
        return
    session = session_of(edit)
    billed = session.get_one(InvoiceLine, hold.invoice_line_id)
    for part, people in barred_releasers(session, billed).items():
        if hold.released_by in people:
            yield block(
                "SOD-5",
                f"Expected somebody else to release {hold.code} on {billed.number}, "
                f"but {_name(session, hold.released_by)} {part} the goods.",
                (hold.record_type, hold.id),
                owner="role:FIN_CTRL",
                way_out="Another person who may release it does.",
            )


def barred_releasers(session: Session, billed: InvoiceLine) -> dict[str, set[str]]:
    """Return who may not release a hold of an invoice line (SOD-5): those who bought and those who received."""
    order = _order_of(session, billed.order_line_id)
    received = select(Receipt.received_by).where(Receipt.order_line_id == billed.order_line_id)
    return {"bought": {order.buyer_id} if order.buyer_id else set(), "received": set(session.scalars(received))}


@law("COUNTED", on=PurchaseOrderLine)
def quantities_are_the_sums_of_their_rows(edit: Edit) -> Iterator[Finding]:
    """What is received, accepted and invoiced on a line follows from its receipts and payables, and is never typed."""
    line = edit.record
    if edit.operation is not Operation.UPDATE:
        return
    session = session_of(edit)
    for name, sum_of in COUNTS.items():
        if name not in edit.changes:
            continue
        counted = (line.quantity_imported or Decimal(0)) + sum_of(session, line)
        if getattr(line, name) != counted:
            yield block(
                "COUNTED",
                f"Expected {name.replace('_', ' ')} of {line.number} to be {counted}, the sum of its rows, "
                f"but it was to become {getattr(line, name)}.",
                (line.record_type, line.id),
                field=name,
                way_out="Book a receipt or an invoice, or a reversal of one.",
            )


@law("CERT", on=Receipt)
def goods_are_accepted_with_their_certificates(edit: Edit) -> Iterator[Finding]:
    """Goods are accepted when every certificate the order asks for is verified for them, material review or not."""
    receipt = edit.record
    if edit.operation is not Operation.UPDATE or not becomes(edit, ReceiptStatus.ACCEPTED):
        return
    session = session_of(edit)
    missing = missing_certificates(session, receipt)
    if missing:
        yield block(
            "CERT",
            f"Expected {' and '.join(missing)} to be verified before {receipt.number} is accepted, but it is not.",
            (receipt.record_type, receipt.id),
            owner="role:SQ",
            way_out="Obtain the certificate and verify it.",
        )


def _order_of(session: Session, order_line_id: str) -> PurchaseOrder:
    line = session.get_one(PurchaseOrderLine, order_line_id)
    return session.get_one(PurchaseOrder, line.order_id)


def _name(session: Session, user_id: str) -> str:
    user = session.get(User, user_id)
    return user.name if user is not None else user_id


LAWS = (
    the_buyer_does_not_receive,
    who_received_critical_parts_does_not_inspect_them,
    buyer_and_receiver_release_no_hold,
    quantities_are_the_sums_of_their_rows,
    goods_are_accepted_with_their_certificates,
)
