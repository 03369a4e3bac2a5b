"""What the laws say about a whole document at each step of its way, for flows and pages that ask before they act."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.orm import Session

from engine.errors import Effect, Finding
from records.purchase_order import PurchaseOrder, approved_hash
from records.requisition import Requisition
from rules import change_pending
from rules.blurred_roles import judge_text
from rules.flow_mode import lenient
from rules.order_consistency import weigh
from rules.prices import judge_prices
from rules.quality import judge_clauses
from rules.revisions import judge_revisions
from rules.supplier_gate import Point, judge_order, judge_requisition
from rules.suspicions import judge_duplicates, judge_split
from rules.waiver import soften

FLOW = "requisition_to_po"
"""Whose mode says how strictly what is found here is meant."""


def judge_submission(session: Session, requisition: Requisition, *, now: dt.datetime) -> list[Finding]:
    """Judge a requisition's master data (A02): revisions on the day they are needed, duplicates, suppliers, changes that wait for it.

    A BLOCK goes back to the requester; a WARN is shown.
    """
    today = requisition.site.local_day(now)
    found = judge_revisions(requisition.lines, on=today)
    found += judge_duplicates(session, requisition, now=now)
    found += judge_requisition(session, requisition, point=Point.SUBMIT, on=today).findings
    found += weigh(session, requisition, change_pending.of_requisition(session, requisition, now=now), now=now)
    return lenient(session, soften(session, found, on=today), FLOW)


def judge_suspicions(session: Session, requisition: Requisition, *, now: dt.datetime) -> list[Finding]:
    """Judge what purchasing must clear before anybody approves (A04): split requests and blurred roles."""
    blurred = [finding for line in requisition.lines for finding in judge_text(session, line)]
    return soften(session, [*judge_split(session, requisition, now=now), *blurred], on=requisition.site.local_day(now))


def judge_built(session: Session, order: PurchaseOrder, *, now: dt.datetime) -> list[Finding]:
    """Judge an order before it is approved (A19): revisions, supplier, prices, clauses, blurred roles, changes that wait for it."""
    today = order.site.local_day(now)
    found = judge_revisions(order.lines, on=today)
    found += judge_order(session, order, point=Point.BUILD, on=today).findings
    found += judge_prices(order)
    found += judge_clauses(session, order)
    found += [finding for line in order.lines for finding in judge_text(session, line)]
    found += weigh(session, order, change_pending.of_order(session, order, now=now), now=now)
    return lenient(session, soften(session, found, on=today), FLOW)


def judge_issue(session: Session, order: PurchaseOrder, *, now: dt.datetime) -> list[Finding]:
    """Judge an order at its issue (A22): revisions, supplier, blurred roles, changes that wait for it, and that it is as approved."""
    today = order.site.local_day(now)
    found = judge_revisions(order.lines, on=today)
    found += judge_order(session, order, point=Point.ISSUE, on=today).findings
    found += [finding for line in order.lines for finding in judge_text(session, line)]
    found += weigh(session, order, change_pending.of_order(session, order, now=now), now=now)
    if order.approved_hash is not None and approved_hash(order) != order.approved_hash:
        found.append(
            Finding(
                "UNCONTROLLED_CHANGE",
                Effect.BLOCK,
                f"Expected {order.number} as it was approved, but its content has another hash.",
                order.record_type,
                order.id,
                field="approved_hash",
                old=order.approved_hash,
                new=approved_hash(order),
                owner="role:BUYER",
                way_out="Withdraw the order and have it approved again.",
            )
        )
    return lenient(session, soften(session, found, on=today), FLOW)


def stops(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that hold or refuse."""
    return [finding for finding in findings if finding.effect is not Effect.WARN]
