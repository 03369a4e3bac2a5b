"""The last look before an order goes out (A22): supplier, budget and revisions at this moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from engine.act import Act
from processes.supplier_gate import findings_for
from records.cost_centre import committed_for
from records.part import RevisionStatus
from records.purchase_order import PurchaseOrder, approved_hash
from records.requisition import Requisition

QUALITY, LEAD, FINANCE = "SQ", "PUR_LEAD", "FIN_CTRL"


@dataclass(frozen=True, slots=True)
class Hold:
    """What holds an order. groups: whose turn it is. until: the instant at which it may be looked at again, if known."""

    sentences: list[str]
    groups: list[str]
    until: dt.datetime | None

    @property
    def owner(self) -> str:
        """The principal who owns the hold."""
        return f"role:{self.groups[0]}"


def findings_at_issue(act: Act, order: PurchaseOrder, requisition: Requisition) -> Hold:
    """Return what holds an order now; no sentences when nothing does."""
    today = order.site.local_day(act.now)
    gate = [
        finding
        for finding in findings_for(act, order.supplier, order.lines, point="issue", today=today)
        if finding.effect in ("HOLD", "BLOCK")
    ]
    revisions, budget = list(_revisions(order, today)), list(_budget(act, order, requisition))
    days = [finding.until for finding in gate if finding.until is not None]
    only_dates = len(days) == len(gate) and not revisions and not budget
    until = (
        dt.datetime.combine(max(days), dt.time(), order.site.zone).astimezone(dt.UTC) if days and only_dates else None
    )
    groups = ([QUALITY] if gate else []) + ([LEAD] if revisions else []) + ([FINANCE] if budget else [])
    return Hold([f"{finding.rule}: {finding.sentence}" for finding in gate] + revisions + budget, groups, until)


def _revisions(order: PurchaseOrder, today: dt.date) -> Iterator[str]:
    if approved_hash(order) != order.approved_hash:
        yield f"Expected {order.number} as it was approved, but it has changed."
    for line in order.lines:
        revision = line.part_revision
        if revision is None:
            continue
        if revision.status is not RevisionStatus.RELEASED:
            yield f"CON-07: Expected a released revision on line {line.line_no}, but {revision.number} is {revision.status}."
        elif not revision.is_effective_on(line.need_by or today):
            yield f"CON-07: Expected an effective revision on line {line.line_no}, but {revision.number} is not."


def _budget(act: Act, order: PurchaseOrder, requisition: Requisition) -> Iterator[str]:
    """The requisition's commitment must still stand; without it nothing was set aside for this order."""
    document = (requisition.record_type, requisition.id)
    if order.total > 0 and committed_for(act.session, document) <= 0:
        yield f"Expected a commitment of {requisition.cost_centre.code} for {requisition.number}, but it was released."
