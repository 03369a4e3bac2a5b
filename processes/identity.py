"""The identity check (A33): whether these are the goods the supplier agreed to send, on an order that still wants them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import select

from engine.act import Act
from engine.errors import Effect, Finding
from processes.outside_lots import lots_sent
from processes.outside_returns import link_of_receipt
from processes.outside_sources import known_lot
from records.amendment import AmendmentStatus, is_being_cancelled, open_amendment_of
from records.external import Discrepancy, DiscrepancyStatus, Severity
from records.purchase_order import OrderStatus, PurchaseOrder
from records.receipt import Quarantine, Receipt
from records.supplier import SupplierStatus
from rules.amendment_words import said
from rules.delivery_dates import FLOW, judge_date
from rules.finding import keep_findings
from rules.flow_mode import mode_of
from rules.order_consistency import judge_receipt
from rules.supplier_gate import suspended_scope

UNANSWERED = frozenset({OrderStatus.TRANSMITTED, OrderStatus.COUNTER_OFFER})
CHANGES = ("CHG-PENDING", "CON-15")
BARRED = frozenset({SupplierStatus.SUSPENDED, SupplierStatus.DISQUALIFIED})


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why goods are kept apart, and what ends it. is_nonconforming: it is written down as a nonconformance."""

    cause: Quarantine
    title: str
    sentence: str
    way_out: str
    is_nonconforming: bool = False


def doubts_about(act: Act, receipt: Receipt) -> Doubt | None:
    """Return the first reason to keep received goods apart, or None when they are what was ordered.

    What is to say of their date is kept as a finding in any case.
    """
    order = receipt.order_line.order
    untimely = _date(act, receipt)
    status = order.held_from if order.status is OrderStatus.ON_HOLD else order.status
    if status is OrderStatus.CANCEL_PENDING or is_being_cancelled(act.session, order):
        waits = "the supplier's acknowledgement" if status is OrderStatus.CANCEL_PENDING else "its approval"
        return Doubt(
            Quarantine.CANCELLATION,
            "Goods of an order that is being cancelled",
            f"CON-08: Expected {order.number} to be open, but its cancellation waits for {waits}.",
            "The buyer decides with the supplier whether they go back.",
        )
    return (
        _barred(act, receipt)
        or _drift(act, order)
        or doubt_about_supplier(act, receipt)
        or _wrong_revision(receipt)
        or _unknown_label(act, receipt)
        or _unanswered(act, order, status)
        or untimely
    )


def waiting_change(act: Act, receipt: Receipt) -> Finding | None:
    """Return CHG-PENDING or CON-15 where a change is still to be carried out on the line, so that goods as before must not go on."""
    return _stop(judge_receipt(act.session, receipt.order_line, now=act.now), CHANGES)


def _barred(act: Act, receipt: Receipt) -> Doubt | None:
    """CON-08, CON-15, CHG-PENDING: work that is over, a change that waits; what the rules say of the receipt is kept in any case."""
    found = judge_receipt(act.session, receipt.order_line, now=act.now)
    keep_findings(act, found, mode=mode_of(act.session, "outside_processing"))
    if over := _stop(found, ("CON-08",)):
        return Doubt(Quarantine.CANCELLATION, "Goods for work that is over", f"CON-08: {over.sentence}", over.way_out)
    if change := _stop(found, CHANGES):
        return Doubt(
            Quarantine.CHANGE, "Goods that a change waits for", f"{change.rule}: {change.sentence}", change.way_out
        )
    return None


def _stop(found: Iterable[Finding], rules: Collection[str]) -> Finding | None:
    return next((each for each in found if each.rule in rules and each.effect is not Effect.WARN), None)


def _wrong_revision(receipt: Receipt) -> Doubt | None:
    revision = receipt.order_line.part_revision
    label = (receipt.revision_on_label or "").strip()
    if revision is None or not label or label == revision.rev:
        return None
    return Doubt(
        Quarantine.IDENTITY,
        f"Revision {label} delivered instead of {revision.rev}",
        f"Expected {revision.number} as ordered, but the label says revision {label}.",
        "Quality decides: return, use as it is with engineering's signature, or correct the reading.",
        is_nonconforming=True,
    )


def _unknown_label(act: Act, receipt: Receipt) -> Doubt | None:
    """B17: pieces came back from outside under a number that is none of ours, where none had left with one."""
    label = receipt.lot_label
    link = link_of_receipt(act.session, receipt) if label else None
    if link is None or receipt.serials or lots_sent(link) or known_lot(act.session, link, label) is not None:
        return None
    return Doubt(
        Quarantine.IDENTITY,
        f"Pieces came back as {label}, which is none of our lots",
        f"Expected a lot of ours on the label of what came back under {link.number}, but {label} is none.",
        "Quality looks into it: say on the page of the link which lot it is, then let the pieces out, or reject them.",
        is_nonconforming=True,
    )


def _unanswered(act: Act, order: PurchaseOrder, status: OrderStatus | None) -> Doubt | None:
    amendment = open_amendment_of(act.session, order)
    is_sent = amendment is not None and amendment.status is AmendmentStatus.SENT
    if status not in UNANSWERED and not is_sent:
        return None
    revision = amendment.revision if amendment is not None and is_sent else order.revision
    return Doubt(
        Quarantine.NOT_ACKNOWLEDGED,
        "Goods before the acknowledgement",
        f"Expected {order.supplier.name} to have acknowledged revision {revision} of {order.number}, but it has not.",
        "The buyer records the acknowledgement; then quality releases the goods to inspection.",
        is_nonconforming=True,
    )


def doubt_about_supplier(act: Act, receipt: Receipt) -> Doubt | None:
    """Return SUP-09 when the supplier, or its only scope for what came, is suspended."""
    order, line = receipt.order_line.order, receipt.order_line
    scope = None if order.supplier.status in BARRED else suspended_scope(act.session, order.supplier, line)
    if order.supplier.status not in BARRED and scope is None:
        return None
    standing = (
        f"its approval for {scope} is SUSPENDED" if scope else f"{order.supplier.name} is {order.supplier.status}"
    )
    return Doubt(
        Quarantine.SUPPLIER,
        "Goods of a suspended supplier",
        f"SUP-09: Expected an approved supplier, but {standing}.",
        "Supplier quality decides what becomes of open deliveries.",
    )


def _date(act: Act, receipt: Receipt) -> Doubt | None:
    """RCV-EARLY, RCV-LATE: further from its day than the line's profile allows."""
    found = judge_date(act.session, receipt)
    keep_findings(act, found, mode=mode_of(act.session, FLOW))
    stops = [each for each in found if each.effect is not Effect.WARN]
    if not stops:
        return None
    return Doubt(Quarantine.DATE, "Goods off their date", f"{stops[0].rule}: {stops[0].sentence}", stops[0].way_out)


def _drift(act: Act, order: PurchaseOrder) -> Doubt | None:
    wanted = select(Discrepancy).where(
        Discrepancy.document_type == order.record_type, Discrepancy.document_id == order.id,
        Discrepancy.status == DiscrepancyStatus.OPEN, Discrepancy.severity == Severity.CRITICAL,
    )  # fmt: skip
    found = act.session.scalars(wanted.order_by(Discrepancy.opened_at)).first()
    if found is None:
        return None
    return Doubt(
        Quarantine.DRIFT,
        "Goods of an order that systems disagree about",
        f"CON-18: Expected {found.system} to show {order.number} as approved, but {said(found.field)} is {found.theirs or 'missing'} "
        f"there and {found.ours or 'missing'} here.",
        "The integration owner resolves the discrepancy; then quality releases the goods.",
    )
