"""Whether the approval of a requisition covers an order made from it (domain.md 2.09): then nobody is asked twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.act import Act
from processes.approval_plan import Seat
from processes.facts import requisition_facts
from records.approval import slots_of
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import Requisition, RequisitionStatus, requisition_hash
from records.signature import Meaning, Signature, SignatureStatus
from records.signing import signatures_on
from records.standing import signatures_standing

COME_TO_LIGHT = ("single_source", "new_supplier", "low_score")
"""Facts of the matrix that sourcing may change."""

APPROVED = frozenset({RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED})


def is_covered(order: PurchaseOrder, requisition: Requisition) -> bool:
    """Whether item, quantity, unit, cost object and the named supplier are as approved, and the total is not higher."""
    if requisition.status not in APPROVED or requisition.approved_hash != requisition_hash(requisition):
        return False
    if order.currency != requisition.currency or order.advance_payment > requisition.advance_payment:
        return False
    approved = sum(line.requisition_line.amount for line in order.lines if line.requisition_line is not None)
    return order.total <= approved and all(_is_as_approved(line, order) for line in order.lines)


def _is_as_approved(line: PurchaseOrderLine, order: PurchaseOrder) -> bool:
    asked = line.requisition_line
    return asked is not None and (
        (line.part_revision_id, line.service_code, line.quantity, line.uom, line.cost_object, order.supplier_id)
        == (asked.part_revision_id, asked.service_code, asked.quantity, asked.uom, asked.cost_object, asked.supplier_id)
    )


def signers_of(act: Act, requisition: Requisition) -> set[str]:
    """Return who approved a requisition, with a signature that still holds or stands for what was mended."""
    holding = [
        signature
        for signature in signatures_on(act.session, requisition.record_type, requisition.id)
        if signature.status is SignatureStatus.VALID and signature.meaning is Meaning.APPROVED
    ]
    return {signature.signer_id for signature in (*holding, *_standing(act, requisition))}


def seats_not_covered(
    act: Act, requisition: Requisition, seats: Sequence[Seat], *, facts: Mapping[str, Any]
) -> list[Seat]:
    """Return the seats that a covered order still needs: those of roles asked for by what came to light since.

    facts: of the order. A source that turned out to be the only one, or a supplier that is no longer proven, was not in
    front of the requisition's signers.
    """
    before = requisition_facts(act, requisition)
    if not any(facts.get(name) and not before[name] for name in COME_TO_LIGHT):
        return []
    asked = slots_of(act.session, requisition.record_type, requisition.id, requisition.approved_hash or "")
    signed = {slot.role for slot in asked if slot.is_signed}
    signed |= {signature.role for signature in _standing(act, requisition) if signature.role}
    return [seat for seat in seats if seat.role not in signed]


def _standing(act: Act, requisition: Requisition) -> list[Signature]:
    record = (requisition.record_type, requisition.id, requisition.approved_hash or "")
    return signatures_standing(act.session, *record)
