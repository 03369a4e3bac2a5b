"""The last look before an order goes out (A22): what holds it now, whose turn that is, and until when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.act import Act
from engine.errors import Finding
from processes.documents import spoken
from records.cost_centre import availability, committed_for, encumber, release
from records.money import convert
from records.purchase_order import PurchaseOrder
from records.requisition import Requisition
from records.sourcing import rate_on
from rules.policy import table_called
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


def is_accepted_by_finance(act: Act, order: PurchaseOrder, requisition: Requisition, groups: Sequence[str]) -> bool:
    """Tell whether whoever acts clears a hold that was finance's too, as finance. groups: whose hold it was."""
    directory = act.installation.directory
    if act.user_id is None or directory is None or FINANCE not in groups:
        return False
    mandates = directory.mandates(act.session, act.user_id, at=act.now, flow="requisition_to_po")
    is_partial = act.user_id in (order.buyer_id, requisition.requester_id)
    return not is_partial and any(mandate.principal == f"role:{FINANCE}" for mandate in mandates)


def hold_of(act: Act, order: PurchaseOrder, requisition: Requisition, *, is_rise_accepted: bool = False) -> Hold | None:
    """Return what holds an order at this moment, or None when nothing does.

    is_rise_accepted: whether finance has just let it cost more than was set aside.
    """
    found = stops(judge_issue(act.session, order, now=act.now))
    lacking = _released(act, order, requisition)
    if lacking is None and not is_rise_accepted:
        lacking = _risen(act, order, requisition)
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


def set_aside_rise(act: Act, order: PurchaseOrder, requisition: Requisition) -> None:
    """Commit, under the order's own name, what it costs more than its requisition set aside for the same lines."""
    rise = _rise(act, order, requisition)
    document = (order.record_type, order.id)
    if rise > 0:
        encumber(act, requisition.cost_centre, rise, fiscal_year=order.site.local_day(act.now).year, document=document)
    else:
        release(act, document=document)


def _rise(act: Act, order: PurchaseOrder, requisition: Requisition) -> Decimal:
    """Return by how much an order is dearer than what was asked for, at least 0, in the cost centre's currency."""
    asked = sum((line.requisition_line.amount for line in order.lines if line.requisition_line is not None), Decimal(0))
    if order.total <= asked:
        return Decimal(0)
    currency, day = requisition.cost_centre.currency, order.site.local_day(act.now)
    rate = rate_on(act.session, order.currency, company_currency=currency, on=day)
    return convert(order.total - asked, rate, currency=currency)


def _risen(act: Act, order: PurchaseOrder, requisition: Requisition) -> str | None:
    """What it costs more than was set aside must fit the budget that is left now."""
    rise, centre = _rise(act, order, requisition), requisition.cost_centre
    left = availability(act.session, centre, fiscal_year=order.site.local_day(act.now).year)
    if table_called("budget_check").judge(over_percent=left.exact_percent(rise)).row.outputs["outcome"] == "WITHIN":
        return None
    return (
        f"BUDGET: Expected the {rise:,.2f} {centre.currency} that {order.number} costs more than was set aside to fit the"
        f" {left.available:,.2f} left of {centre.code}, but it is over by {left.excess(rise):,.2f}. Finance lets it pass"
        " by clearing this hold, or its buyer withdraws the order."
    )


def _released(act: Act, order: PurchaseOrder, requisition: Requisition) -> str | None:
    """The requisition's commitment must still stand; without it nothing was set aside for this order."""
    document = (requisition.record_type, requisition.id)
    if order.total <= 0 or committed_for(act.session, document) > 0:
        return None
    return f"Expected {requisition.cost_centre.code} to have set money aside for {requisition.number}, but it was released."
