"""The last look before an order goes out (A22): what holds it now, whose turn that is, and until when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from engine.act import Act
from engine.errors import Finding
from processes.documents import spoken
from records.cost_centre import committed_for
from records.purchase_order import PurchaseOrder
from records.requisition import Requisition
from rules.supplier_gate import Point, judge_order
from rules.validation import judge_issue, stops

QUALITY, FINANCE = "SQ", "FIN_CTRL"


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


def hold_of(act: Act, order: PurchaseOrder, requisition: Requisition) -> Hold | None:
    """Return what holds an order at this moment, or None when nothing does."""
    found = stops(judge_issue(act.session, order, now=act.now))
    lacking = _budget(act, order, requisition)
    if not found and lacking is None:
        return None
    groups = list(dict.fromkeys(_group(finding) for finding in found))
    return Hold(
        [spoken(finding) for finding in found] + ([lacking] if lacking else []),
        groups + ([FINANCE] if lacking else []),
        None if lacking else _until(act, order, found),
    )


def _group(finding: Finding) -> str:
    kind, _, group = finding.owner.partition(":")
    return group if kind == "role" and group else QUALITY


def _until(act: Act, order: PurchaseOrder, found: Sequence[Finding]) -> dt.datetime | None:
    """Return the site's midnight at which every hold ends by itself, or None when waiting is not enough."""
    judgement = judge_order(act.session, order, point=Point.ISSUE, on=order.site.local_day(act.now))
    if judgement.until is None or len(judgement.stops) != len(found):
        return None
    return dt.datetime.combine(judgement.until, dt.time(), order.site.zone).astimezone(dt.UTC)


def _budget(act: Act, order: PurchaseOrder, requisition: Requisition) -> str | None:
    """The requisition's commitment must still stand; without it nothing was set aside for this order."""
    document = (requisition.record_type, requisition.id)
    if order.total <= 0 or committed_for(act.session, document) > 0:
        return None
    return f"Expected {requisition.cost_centre.code} to have set money aside for {requisition.number}, but it was released."
