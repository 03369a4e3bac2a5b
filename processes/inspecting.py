"""Inspection and what follows from it (A34, A35): accepted, rejected, kept apart, disposed of by quality."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from engine.act import Act
from engine.canonical import content_hash
from engine.database import new_id
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from processes import goods_lots, nonconforming
from processes.documents import plain
from processes.goods_settling import say_settled, settle
from processes.goods_signature import BUYERS, DISPOSERS, INSPECTORS, RECEIVERS, REVIEWERS, role_for, sign
from processes.identity import waiting_change
from processes.order_progress import lock, settle_statuses, tell_flow
from processes.receiving import announce, book_back
from records.amendment import is_being_cancelled
from records.inspection import Inspection, InspectionResult, inspection_hash
from records.nonconformance import Disposition, Nonconformance, NonconformanceStatus
from records.numbering import next_number
from records.part import Criticality, DefinitionKind
from records.purchase_order import OrderStatus
from records.receipt import (
    OverDecision,
    Quarantine,
    Receipt,
    ReceiptStatus,
    move,
    remaining_quantity,
)
from records.signature import Meaning, Signature
from rules.policy import table_called

S = ReceiptStatus
ENDED = {Disposition.RETURN: S.RETURNED, Disposition.REWORK: S.RETURNED, Disposition.SCRAP: S.SCRAPPED}


@dataclass(frozen=True, slots=True)
class Plan:
    """How goods are inspected. reference, revision: of the inspection plan of the part, or of the standard plan."""

    reference: str
    revision: str
    lot_size: Decimal
    sample_size: int
    accept_number: int
    judged_by: str


def plan_for(act: Act, receipt: Receipt) -> Plan:
    """Return the sampling plan of a receipt: the part's inspection plan, with sample and accept number by table."""
    return plan_of(receipt, remaining_quantity(act.session, receipt))


def plan_of(receipt: Receipt, lot_size: Decimal) -> Plan:
    """Return the sampling plan for so many pieces of a receipt."""
    revision = receipt.order_line.part_revision
    criticality = revision.part.criticality if revision is not None else Criticality.STD
    judgement = table_called("inspection_sampling").judge(criticality=criticality.value, lot_size=lot_size)
    pieces = max(int(lot_size.to_integral_value(rounding=ROUND_CEILING)), 1)
    wanted = judgement.row.outputs["sample_size"]
    documents = [] if revision is None else [
        one for one in revision.definitions if one.kind is DefinitionKind.INSPECTION_PLAN
    ]  # fmt: skip
    reference, rev = (documents[-1].native_id, documents[-1].native_rev) if documents else ("Receiving inspection", "")
    return Plan(
        reference, rev, lot_size, pieces if wanted is None else min(int(wanted), pieces),
        int(judgement.row.outputs["accept_number"]), judgement.hash,
    )  # fmt: skip


def inspect(act: Act, receipt: Receipt, request: SignatureRequest, *, rejects: int, findings: str = "") -> Inspection:
    """Write down what the sample showed, signed VERIFIED by the inspector, and let the goods go by it.

    rejects: nonconforming pieces of the sample. A failed inspection rejects the lot and raises a nonconformance.
    Raises: Forbidden; RuleViolation SOD-4; Invalid; Conflict unless the goods wait for inspection.
    """
    inspection = _inspection(act, receipt, rejects=rejects, findings=findings)
    role = role_for(act, INSPECTORS, to="inspect goods")
    signature = sign(
        act, inspection, request, content_hash=inspection_hash(inspection), role=role, meanings=[Meaning.VERIFIED],
        reason=findings,
    )  # fmt: skip
    inspection.signature_id = signature.id
    return _keep(act, receipt, inspection)


def record_inspection(
    act: Act, receipt: Receipt, *, rejects: int, findings: str, signature_id: str | None
) -> Inspection:
    """Write down an inspection whose task was signed. signature_id: of that decision. Raises: as ``inspect``."""
    inspection = _inspection(act, receipt, rejects=rejects, findings=findings)
    inspection.signature_id = signature_id
    return _keep(act, receipt, inspection)


def clear(act: Act, receipt: Receipt, *, reason: str) -> Receipt:
    """Let goods out of quarantine into inspection: the doubt about them is gone. Their date is the buyer's to judge, too.

    Raises: Forbidden; Invalid without a reason; Conflict unless they are kept apart for a doubt, or while it stands.
    """
    judges = (*BUYERS, *DISPOSERS) if receipt.quarantine is Quarantine.DATE else DISPOSERS
    role_for(act, judges, to="let goods out of quarantine")
    lock(act, receipt.order_line.order)
    if receipt.status is not S.QUARANTINE or receipt.quarantine in (Quarantine.OVER, Quarantine.CERTIFICATE):
        raise Conflict(f"Expected {receipt.number} to be in quarantine for a doubt, but it is {_where(receipt)}")
    _require(reason, "letting the goods out")
    _refuse_standing_doubt(act, receipt)
    move(act, receipt, S.INSPECTION, reason=reason)
    nonconforming.drop(act, receipt, reason=reason)
    settle(act, receipt)
    settle_statuses(act, receipt.order_line.order)
    tell_flow(act, "goods.cleared", receipt.id, {"outcome": "inspect"})
    return receipt


def reject(act: Act, receipt: Receipt, *, reason: str) -> Receipt:
    """Reject goods that are kept apart or wait for inspection, and raise a nonconformance. Raises: Forbidden; Conflict."""
    role_for(act, DISPOSERS, to="reject goods")
    lock(act, receipt.order_line.order)
    _require(reason, "the rejection")
    turn_down(act, receipt, title=f"{receipt.number} rejected", reason=reason)
    settle_statuses(act, receipt.order_line.order)
    tell_flow(act, "goods.cleared", receipt.id, {"outcome": "reject"})
    return receipt


def dispose(
    act: Act, receipt: Receipt, disposition: Disposition, *, reason: str, request: SignatureRequest | None = None
) -> Receipt:
    """Decide what becomes of rejected goods (A35).

    RETURN and REWORK send them back and SCRAP scraps them, each by a negative receipt that re-opens the line; USE_AS_IS accepts
    them with the APPROVED signature of a material review. Raises: Forbidden; Invalid; Conflict.
    """
    lock(act, receipt.order_line.order)
    _require(reason, "the disposition")
    if receipt.status is not S.REJECTED:
        raise Conflict(f"Expected {receipt.number} to be rejected, but it is {_where(receipt)}")
    if disposition is Disposition.USE_AS_IS:
        _use_as_is(act, receipt, request, reason=reason)
    else:
        role_for(act, DISPOSERS, to="decide about rejected goods")
        if disposition not in ENDED:
            raise Invalid(
                f"Expected {', '.join(sorted(ENDED))} or USE_AS_IS, but found {disposition}",
                {"disposition": "not for goods"},
            )
        move(act, receipt, ENDED[disposition], reason=reason)
        book_back(act, receipt, reason=f"{disposition}: {reason}", event_id=f"{receipt.id}:{disposition}")
    _close_nonconformance(act, receipt, disposition, reason=reason)
    settle_statuses(act, receipt.order_line.order)
    tell_flow(act, "nonconformance.disposed", receipt.id)
    return say_settled(act, receipt)


def decide_excess(act: Act, receipt: Receipt, decision: OverDecision, *, reason: str) -> Receipt:
    """Decide what becomes of goods beyond the order (A32): back to the supplier, accepted free, or counted after an amendment.

    AMEND needs room on the line: an amendment that was applied, or rejected goods that went back. The excess is then reversed
    and received again as ordered goods. Raises: Forbidden; Invalid; Conflict.
    """
    role_for(act, (*BUYERS, *RECEIVERS), to="decide about an excess")
    order = lock(act, receipt.order_line.order)
    _require(reason, "the decision")
    if receipt.status is not S.QUARANTINE or receipt.quarantine is not Quarantine.OVER:
        raise Conflict(f"Expected {receipt.number} to be kept apart as an excess, but it is {_where(receipt)}")
    if decision is OverDecision.AMEND:
        _count_excess(act, receipt, reason=reason)
    else:
        receipt.over_decision = decision
        if decision is OverDecision.FREE:
            move(act, receipt, S.INSPECTION, reason=reason)
            settle(act, receipt)
        else:
            turn_down(act, receipt, title="", reason=reason)
            move(act, receipt, S.RETURNED, reason=reason)
            book_back(act, receipt, reason=f"RETURN: {reason}", event_id=f"{receipt.id}:RETURN")
    settle_statuses(act, order)
    tell_flow(act, "excess.decided", receipt.id, {"outcome": decision.value.lower()})
    return receipt


def put_away(act: Act, receipt: Receipt, *, reason: str = "Put away") -> Receipt:
    """Say that accepted goods are in their place. Raises: Forbidden; Conflict ILLEGAL_TRANSITION."""
    role_for(act, RECEIVERS, to="put goods away")
    lock(act, receipt.order_line.order)
    return move(act, receipt, S.PUT_AWAY, reason=reason)


def review_hash(receipt: Receipt) -> str:
    """Return the hash of what a material review signs: these goods, used as they are."""
    return content_hash(
        {
            "receipt": receipt.number, "order_line": receipt.order_line_id, "quantity": str(receipt.quantity),
            "lot": receipt.lot_label, "disposition": Disposition.USE_AS_IS.value,
        }
    )  # fmt: skip


def _inspection(act: Act, receipt: Receipt, *, rejects: int, findings: str) -> Inspection:
    lock(act, receipt.order_line.order)
    if receipt.status is not S.INSPECTION:
        raise Conflict(
            f"Expected {receipt.number} to wait for inspection, but it is {_where(receipt)}", code="ILLEGAL_TRANSITION"
        )
    if not receipt.order_line.is_inspection_required:
        raise Conflict(f"Expected {receipt.order_line.number} to ask for an inspection, but it does not")
    plan = plan_for(act, receipt)
    if not 0 <= rejects <= plan.sample_size:
        raise Invalid(
            f"Expected 0 to {plan.sample_size} rejects, as many as the sample has, but found {rejects}",
            {"rejects": f"0 to {plan.sample_size}"},
        )
    failed = rejects > plan.accept_number
    if failed and not findings.strip():
        raise Invalid("Expected what was found on the rejects, but there is nothing", {"findings": "is required"})
    return Inspection(
        id=new_id(), number=next_number(act, "INSP", site=receipt.order_line.order.site), receipt=receipt,
        receipt_id=receipt.id, plan_ref=plan.reference, plan_rev=plan.revision, lot_size=plan.lot_size,
        sample_size=plan.sample_size, accept_number=plan.accept_number, rejects=rejects, findings=findings.strip(),
        result=InspectionResult.FAIL if failed else InspectionResult.PASS, inspector_id=act.user_id or "",
        inspected_at=act.now, judged_by=plan.judged_by,
    )  # fmt: skip


def _keep(act: Act, receipt: Receipt, inspection: Inspection) -> Inspection:
    act.session.add(inspection)
    act.session.flush()
    if inspection.result is InspectionResult.FAIL:
        words = f"{inspection.rejects} of {inspection.sample_size} rejected, {inspection.accept_number} allowed"
        turn_down(act, receipt, title=f"Inspection failed: {words}", reason=inspection.findings)
    else:
        settle(act, receipt)
    settle_statuses(act, receipt.order_line.order)
    tell_flow(act, "goods.inspected", receipt.id)
    return inspection


def turn_down(act: Act, receipt: Receipt, *, title: str, reason: str) -> None:
    """Reject goods and bar their lots. title: of the nonconformance to raise, empty for none."""
    move(act, receipt, S.REJECTED, reason=reason)
    goods_lots.bar(act, receipt, reason=reason)
    if title:
        left = remaining_quantity(act.session, receipt)
        nonconforming.raise_on(act, receipt, left, title=title, description=reason)
    tell_flow(act, "certificates.settled", receipt.id)


def use_as_is(act: Act, receipt: Receipt, signature: Signature | None, *, reason: str) -> Receipt:
    """Accept rejected goods whose material review was signed in its task. Raises: Forbidden unsigned; Conflict."""
    lock(act, receipt.order_line.order)
    if signature is None or signature.meaning is not Meaning.APPROVED:
        raise Forbidden(
            "Expected engineering's signature on the material review, but there is none", code="SIGNATURE_REQUIRED"
        )
    _accept_reviewed(act, receipt, signature, reason=reason)
    _close_nonconformance(act, receipt, Disposition.USE_AS_IS, reason=reason)
    settle_statuses(act, receipt.order_line.order)
    return say_settled(act, receipt)


def _use_as_is(act: Act, receipt: Receipt, request: SignatureRequest | None, *, reason: str) -> None:
    role = role_for(act, REVIEWERS, to="let nonconforming goods be used")
    if request is None:
        raise Invalid(
            "Expected engineering's signature to use the goods as they are, but there is none",
            {"meaning": "is missing"},
        )
    signature = sign(
        act, receipt, request, content_hash=review_hash(receipt), role=role, meanings=[Meaning.APPROVED], reason=reason
    )
    _accept_reviewed(act, receipt, signature, reason=reason)


def _accept_reviewed(act: Act, receipt: Receipt, signature: Signature, *, reason: str) -> None:
    receipt.review_signature_id = signature.id
    act.session.flush()
    move(act, receipt, S.ACCEPTED, reason=reason)
    goods_lots.release(act, receipt, reason=f"Used as is: {reason}")


def _count_excess(act: Act, receipt: Receipt, *, reason: str) -> None:
    line = receipt.order_line
    room = line.quantity - line.quantity_received
    if room < receipt.quantity:
        raise Conflict(
            f"Expected room for {plain(receipt.quantity)} {receipt.uom} on {line.number}, but {plain(line.quantity)} are ordered "
            f"and {plain(line.quantity_received)} received; the buyer raises the order by an amendment first",
            code="NO_ROOM", record=(line.order.record_type, line.order_id),
        )  # fmt: skip
    receipt.over_decision = OverDecision.AMEND
    turn_down(act, receipt, title="", reason=reason)
    move(act, receipt, S.RETURNED, reason=reason)
    back = book_back(act, receipt, reason=f"AMEND: {reason}", event_id=f"{receipt.id}:AMEND")
    again = Receipt(
        number=next_number(act, "RCV", site=line.order.site), order_line=line, order_line_id=line.id, quantity=receipt.quantity,
        uom=receipt.uom, stated_quantity=receipt.quantity, stated_uom=receipt.uom, order_revision=line.order.revision,
        packing_slip=receipt.packing_slip, received_on=receipt.received_on, received_by=receipt.received_by,
        location=receipt.location, revision_on_label=receipt.revision_on_label, lot_label=receipt.lot_label, heat=receipt.heat,
        serials=receipt.serials, source_system=back.source_system, source_event_id=f"{receipt.id}:COUNTED",
    )  # fmt: skip
    act.session.add(again)
    act.session.flush()
    goods_lots.make(act, again)
    move(act, again, S.INSPECTION, reason=reason)
    settle(act, again)
    announce(act, again)


def _close_nonconformance(act: Act, receipt: Receipt, disposition: Disposition, *, reason: str) -> None:
    if receipt.nonconformance_id is not None:
        found = act.session.get_one(Nonconformance, receipt.nonconformance_id)
        if found.status is NonconformanceStatus.OPEN:
            nonconforming.dispose_of(act, found, disposition, reason=reason)


def _refuse_standing_doubt(act: Act, receipt: Receipt) -> None:
    order = receipt.order_line.order
    unanswered = order.status in (OrderStatus.TRANSMITTED, OrderStatus.COUNTER_OFFER)
    if receipt.quarantine is Quarantine.NOT_ACKNOWLEDGED and unanswered:
        raise Conflict(
            f"Expected {order.supplier.name} to have acknowledged {order.number}, but it is {order.status}; "
            "the buyer records the acknowledgement first",
            code="ON_HOLD", record=(order.record_type, order.id),
        )  # fmt: skip
    if receipt.quarantine is Quarantine.CANCELLATION and is_being_cancelled(act.session, order):
        raise Conflict(
            f"CON-08: Expected {order.number} to be open, but it is being cancelled; the buyer settles that first",
            code="ON_HOLD", record=(order.record_type, order.id),
        )  # fmt: skip
    if receipt.quarantine is Quarantine.CHANGE and (waiting := waiting_change(act, receipt)) is not None:
        raise Conflict(
            f"{waiting.rule}: {waiting.sentence} {waiting.way_out}",
            code="ON_HOLD",
            record=(order.record_type, order.id),
        )


def _where(receipt: Receipt) -> str:
    return f"{receipt.status} ({receipt.quarantine})" if receipt.status is S.QUARANTINE else receipt.status.value


def _require(reason: str, what: str) -> None:
    if not reason.strip():
        raise Invalid(f"Expected a reason for {what}, but there is none", {"reason": "is required"})
