"""The order against its requisition (A19): what must be put right before anybody approves it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import object_session

from engine.act import Act
from engine.errors import Effect, Finding, Invalid
from processes.documents import spoken
from records.part import PartRevision
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import Requisition
from records.sourcing import SourcingRef
from records.units import check_quantity
from rules.change_pending import planned_as
from rules.validation import judge_built


def findings_of(act: Act, order: PurchaseOrder, requisition: Requisition) -> list[str]:
    """Return a sentence for each inconsistency, in the order of the lines."""
    found = list(_header(order, requisition))
    follows = planned_as(
        act.session, [line.requisition_line for line in order.lines if line.requisition_line is not None]
    )
    for line in order.lines:
        after = follows.get(line.requisition_line_id) if line.requisition_line_id is not None else None
        found += [f"Line {line.line_no}: {sentence}" for sentence in _line(line, order, after)]
    act.session.flush()
    return found + [
        spoken(finding) for finding in judge_built(act.session, order, now=act.now) if _is_the_buyers(finding)
    ]


def _is_the_buyers(finding: Finding) -> bool:
    """Whether the buyer has to act now: what only holds the issue, such as an approval that begins later, waits until then."""
    return finding.effect is Effect.BLOCK or (finding.effect is Effect.HOLD and finding.rule.startswith(("BLUR", "Q-")))


def _header(order: PurchaseOrder, requisition: Requisition) -> Iterator[str]:
    if not order.lines:
        yield "Expected at least one line, but there is none."
    if not order.ship_to:
        yield "Expected a place of delivery, but there is none."
    if order.currency != requisition.currency and not _is_agreed_currency(order):
        yield f"Expected the currency {requisition.currency} of {requisition.number}, but found {order.currency}."


def _is_agreed_currency(order: PurchaseOrder) -> bool:
    """Whether the supplier quoted, or agreed, every line in the order's currency."""
    session = object_session(order)
    assert session is not None
    named = [session.get(SourcingRef, line.sourcing_ref_id) if line.sourcing_ref_id else None for line in order.lines]
    return all(one is not None and one.currency == order.currency for one in named)


def _line(line: PurchaseOrderLine, order: PurchaseOrder, follows: PartRevision | None) -> Iterator[str]:
    try:
        check_quantity(line.quantity, line.uom)
    except Invalid as refusal:
        yield f"{refusal.message}."
    asked = line.requisition_line
    if asked is not None:
        if line.quantity > asked.quantity:
            yield f"Expected at most {asked.quantity} {asked.uom} of {asked.number}, but found {line.quantity}."
        is_as_changed = follows is not None and line.part_revision_id == follows.id
        if not is_as_changed and (line.part_revision_id, line.service_code) != (
            asked.part_revision_id,
            asked.service_code,
        ):
            yield f"Expected {asked.item} as in {asked.number}, but found {line.item}."
        if line.uom != asked.uom:
            yield f"Expected the unit {asked.uom} of {asked.number}, but found {line.uom}."
    if line.need_by is not None and order.order_date is not None and line.need_by < order.order_date:
        yield f"Expected a need-by date from {order.order_date} on, but found {line.need_by}."
