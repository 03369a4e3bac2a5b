"""What a supplier offers instead (A28): inside the tolerance taken as an amendment, else decided by the buyer first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Refused
from engine.instances import link_record
from engine.registry import Registry, Work
from processes.amendment import amendment_variable, propose
from processes.documents import existing, order_of, order_variable
from records.acknowledgement import AckCode, SupplierAcknowledgement, SupplierAcknowledgementLine
from records.amendment import AmendmentReason
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from rules.amending import Edits, LineEdit, needed_on
from rules.policy import table_called

registry = Registry()


@registry.step("open_counter_amendment")
def open_counter_amendment(act: Act, work: Work) -> Mapping[str, Any]:
    """Make the offer an amendment; what no amendment may change is said to the buyer, who decides on the offer."""
    order = order_of(act, work)
    answer = existing(act.session, SupplierAcknowledgement, work["acknowledgement"]["id"])
    try:
        with act.attempt():
            amendment = propose(
                act, order, offered(order, answer), reason=f"{order.supplier.name} offers it with {answer.number}",
                reason_code=AmendmentReason.COUNTER_OFFER, acknowledgement=answer,
            )  # fmt: skip
    except Refused as refusal:
        return {"offer_problem": refusal.message, "amendment": None}
    if work.instance is not None:
        link_record(act, work.instance.id, amendment.record_type, amendment.id)
    return {"offer_problem": None, "amendment": amendment_variable(amendment), "order": order_variable(order)}


def offered(order: PurchaseOrder, answer: SupplierAcknowledgement) -> Edits:
    """Return the edits that an answer asks for, line by line; a line that the supplier rejects is cancelled."""
    edits: dict[int, dict[str, Any]] = {}
    rejected = {line.line_no for line in answer.lines if line.code is AckCode.IR}
    for line in answer.lines:
        values = edits.setdefault(line.line_no, {})
        if line.code is AckCode.IQ:
            values["quantity"] = line.quantity
        elif line.code is AckCode.IP:
            values["unit_price"] = line.unit_price
        elif line.code is AckCode.DR:
            values["need_by"] = line.promised_on
    return Edits(
        lines=[
            LineEdit(number, {} if number in rejected else values, is_cancelled=number in rejected)
            for number, values in sorted(edits.items())
        ]
    )


def is_within(session: Session, order: PurchaseOrder, answer: SupplierAcknowledgement) -> bool:
    """Whether an offer is taken without asking: quantity and price as ordered, dates as the table of tolerances says."""
    known = {line.line_no: line for line in order.lines}
    moves = [_moved(session, known[line.line_no], line) for line in answer.lines if line.code is AckCode.DR]
    judged = table_called("offer_tolerance").judge(
        changes_quantity=any(
            line.code is AckCode.IQ and line.quantity != known[line.line_no].quantity for line in answer.lines
        ),
        changes_price=any(
            line.code is AckCode.IP and line.unit_price != known[line.line_no].unit_price for line in answer.lines
        ),
        days=max((days for days, _ in moves), default=0),
        past_need=any(is_late for _, is_late in moves),
        says_more=bool(answer.comment)
        or not moves
        or any(line.code in (AckCode.IB, AckCode.IR) for line in answer.lines),
    )
    return bool(judged.row.outputs["outcome"] == "ACCEPT")


def _moved(session: Session, line: PurchaseOrderLine, answered: SupplierAcknowledgementLine) -> tuple[int, bool]:
    """Return by how many days a date moves, and whether that is past the need; without a date before, it is."""
    if answered.promised_on is None or line.need_by is None:
        return 0, True
    need = needed_on(session, line)
    return abs((answered.promised_on - line.need_by).days), need is not None and answered.promised_on > need
