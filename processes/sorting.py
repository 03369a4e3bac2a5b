"""Sorting (A34): every piece of a delivery was looked at; the good ones are accepted, the others are rejected.

Nothing is edited: what is rejected is taken back from the receipt by a negative row and received again as goods of its own, which
then go the way of all rejected goods. What is received on the line stays the same throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from engine.act import Act
from engine.database import new_id
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from processes import goods_lots
from processes.documents import plain
from processes.goods_settling import settle
from processes.goods_signature import INSPECTORS, role_for, sign
from processes.inspecting import Plan, plan_for, turn_down
from processes.matching import rematch_line
from processes.order_progress import lock, settle_statuses, tell_flow
from processes.receiving import OWN, announce, book_back
from records.inspection import Inspection, InspectionResult, inspection_hash
from records.numbering import next_number
from records.part import LotControl
from records.receipt import Receipt, ReceiptStatus, move, remaining_quantity
from records.signature import Meaning, Signature
from records.units import check_quantity


@dataclass(frozen=True, slots=True)
class Sorted:
    """What sorting made of a delivery. good, bad: the receipts; passed, failed: what was found on each, signed."""

    good: Receipt
    bad: Receipt
    passed: Inspection
    failed: Inspection


def sort_out(
    act: Act,
    receipt: Receipt,
    request: SignatureRequest,
    *,
    rejected: Decimal,
    findings: str,
    serials: Sequence[str] = (),
) -> Sorted:
    """Accept a part of a delivery and reject the rest, after every piece was looked at; signed VERIFIED for both parts.

    rejected: in the receipt's unit, above 0 and less than what is there. serials: which pieces, for goods kept by serial number.
    Raises: Forbidden; RuleViolation SOD-4; Invalid; Conflict unless the goods wait for inspection.
    """
    _refuse(act, receipt, rejected, findings, serials)
    role = role_for(act, INSPECTORS, to="inspect goods")
    done = _split(act, receipt, rejected, findings.strip(), tuple(serials))
    for inspection in (done.passed, done.failed):
        signature = sign(
            act, inspection, request, content_hash=inspection_hash(inspection), role=role, meanings=[Meaning.VERIFIED],
            reason=findings,
        )  # fmt: skip
        inspection.signature_id = signature.id
    return _keep(act, done)


def record_sorting(
    act: Act,
    receipt: Receipt,
    *,
    rejected: Decimal,
    findings: str,
    signature: Signature | None,
    serials: Sequence[str] = (),
) -> Sorted:
    """Write down a sorting whose task was signed. Raises: as ``sort_out``; Forbidden unsigned."""
    if signature is None:
        raise Forbidden("Expected the inspector's signature, but there is none", code="SIGNATURE_REQUIRED")
    _refuse(act, receipt, rejected, findings, serials)
    done = _split(act, receipt, rejected, findings.strip(), tuple(serials))
    done.passed.signature_id = done.failed.signature_id = signature.id
    return _keep(act, done)


def _refuse(act: Act, receipt: Receipt, rejected: Decimal, findings: str, serials: Sequence[str]) -> None:
    lock(act, receipt.order_line.order)
    line = receipt.order_line
    if receipt.status is not ReceiptStatus.INSPECTION:
        raise Conflict(
            f"Expected {receipt.number} to wait for inspection, but it is {receipt.status}", code="ILLEGAL_TRANSITION"
        )
    if not line.is_inspection_required:
        raise Conflict(f"Expected {line.number} to ask for an inspection, but it does not")
    left = remaining_quantity(act.session, receipt)
    if check_quantity(rejected, receipt.uom) >= left:
        raise Invalid(
            f"Expected less than the {plain(left)} {receipt.uom} that are there, but {plain(rejected)} are rejected; "
            "record that the sample failed to reject them all",
            {"rejected": f"less than {plain(left)}"},
        )
    if not findings.strip():
        raise Invalid(
            "Expected what was found on the rejected pieces, but there is nothing", {"findings": "is required"}
        )
    by_serial = line.part_revision is not None and line.part_revision.part.lot_control is LotControl.SERIAL
    if (serials or by_serial) and not set(serials) <= set(receipt.serials):
        unknown = ", ".join(sorted(set(serials) - set(receipt.serials)))
        raise Invalid(f"Expected serials of {receipt.number}, but found {unknown}", {"serials": f"unknown: {unknown}"})
    if (serials or (by_serial and receipt.serials)) and len(set(serials)) != rejected:
        raise Invalid(
            f"Expected the serials of the {plain(rejected)} rejected pieces, but found {len(set(serials))}",
            {"serials": "name each rejected piece once"},
        )


def _split(act: Act, receipt: Receipt, rejected: Decimal, findings: str, serials: tuple[str, ...]) -> Sorted:
    line, whole = receipt.order_line, remaining_quantity(act.session, receipt)
    plan = plan_for(act, receipt)
    back = book_back(
        act, receipt, rejected, reason=f"Sorted out: {findings}", event_id=f"{receipt.id}:SORTED", serials=serials
    )
    bad = Receipt(
        number=next_number(act, "RCV", site=line.order.site), order_line=line, order_line_id=line.id, quantity=rejected,
        over_quantity=-back.over_quantity, uom=receipt.uom, stated_quantity=rejected, stated_uom=receipt.uom,
        order_revision=receipt.order_revision, packing_slip=receipt.packing_slip, received_on=receipt.received_on,
        received_by=receipt.received_by, location=receipt.location, revision_on_label=receipt.revision_on_label,
        lot_label=receipt.lot_label, heat=receipt.heat, serials=serials, source_system=OWN,
        source_event_id=f"{receipt.id}:REJECTED",
    )  # fmt: skip
    act.session.add(bad)
    act.session.flush()
    goods_lots.make(act, bad)
    move(act, bad, ReceiptStatus.INSPECTION, reason=f"Sorted out of {receipt.number}")
    words = f"All {plain(whole)} {receipt.uom} of {receipt.number} sorted, {plain(rejected)} rejected: {findings}"
    return Sorted(
        receipt,
        bad,
        _inspection(act, receipt, plan, quantity=whole - rejected, is_bad=False, findings=words),
        _inspection(act, bad, plan, quantity=rejected, is_bad=True, findings=words),
    )


def _inspection(act: Act, goods: Receipt, plan: Plan, *, quantity: Decimal, is_bad: bool, findings: str) -> Inspection:
    pieces = max(int(quantity.to_integral_value(rounding=ROUND_CEILING)), 1)
    return Inspection(
        id=new_id(), number=next_number(act, "INSP", site=goods.order_line.order.site), receipt=goods, receipt_id=goods.id,
        plan_ref=plan.reference, plan_rev=plan.revision, lot_size=quantity, sample_size=pieces, accept_number=0,
        rejects=pieces if is_bad else 0, findings=findings, inspector_id=act.user_id or "", inspected_at=act.now,
        result=InspectionResult.FAIL if is_bad else InspectionResult.PASS, judged_by=plan.judged_by,
    )  # fmt: skip


def _keep(act: Act, done: Sorted) -> Sorted:
    act.session.add_all([done.passed, done.failed])
    act.session.flush()
    turn_down(act, done.bad, title=f"{done.bad.number} sorted out of {done.good.number}", reason=done.failed.findings)
    settle(act, done.good)
    settle_statuses(act, done.good.order_line.order)
    rematch_line(act, done.good.order_line_id)
    announce(act, done.bad)
    tell_flow(act, "goods.inspected", done.good.id)
    return done
