"""Who approves an amendment: the rise since the last full approval decides, not the step alone (domain.md 4a)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from processes.approval_plan import Seat, seats_from
from processes.facts import Asking, amended_facts
from records.amendment import TOOK_EFFECT, ApprovalPlan, PurchaseOrderAmendment, amendments_of
from records.approval import slots_of
from records.money import convert
from records.purchase_order import PurchaseOrder
from records.sourcing import rate_on
from rules.change_item import ChangeClass
from rules.policy import Judgement, table_called
from rules.prices import over_percent

MEANINGS = {"BUYER": "RELEASED", "PLANNER": "REVIEWED"}
"""What a seat's signature says where it does not approve spending: the buyer releases, the planner has seen it."""

BUYER = Seat(
    2, "BUYER", ["The order spends no more than was approved: its buyer releases the change"], meaning="RELEASED"
)
PLANNER = Seat(1, "PLANNER", ["A work order waits for it"], meaning="REVIEWED")


@dataclass(frozen=True, slots=True)
class Weight:
    """What an amendment weighs. increase: cumulative since the last full approval, in the site's currency, with its percentage."""

    total_before: Decimal
    total_after: Decimal
    increase: Decimal
    percent: Decimal
    plan: ApprovalPlan
    judgement: Judgement
    seats: Sequence[Seat]

    @property
    def words(self) -> str:
        """Why these people, in the words of the row that applies."""
        return self.judgement.row.words


def weigh(
    asking: Asking, order: PurchaseOrder, after: PurchaseOrder, *, is_linked: bool, is_technical: bool = False
) -> Weight:
    """Ask who approves. after: the order as the amendment makes it; is_linked: a work order waits for it.

    is_technical: something changes under a change order.
    """
    base = last_fully_approved(asking.session, order)
    rise = _company(asking, order, after.total) - _company(asking, order, base)
    percent = over_percent(after.total, base) if rise else Decimal(0)
    full = _full_plan(asking, after)
    before = {(seat.stage, seat.role) for seat in _full_plan(asking, order, amount=_company(asking, order, base))}
    judgement = table_called("amendment_tolerance").judge(
        technical_path=is_technical,
        increase_amount=rise,
        increase_percent=percent,
        crosses_band=any((seat.stage, seat.role) not in before for seat in full),
        work_order_linked=is_linked,
    )
    plan = ApprovalPlan(judgement.row.outputs["plan"])
    return Weight(order.total, after.total, rise, percent, plan, judgement, _seats(plan, full, judgement))


def with_planner(weight: Weight, change_class: ChangeClass, *, is_linked: bool) -> list[Seat]:
    """Return the seats; a major or technical change of what a work order waits for asks the planner, too."""
    seats = list(weight.seats)
    if is_linked and change_class is not ChangeClass.C1 and not any(seat.role == PLANNER.role for seat in seats):
        seats.insert(0, PLANNER)
    return seats


def seats_of(session: Session, amendment: PurchaseOrderAmendment) -> list[Seat]:
    """Return the seats that were written down with an amendment."""
    slots = slots_of(session, amendment.record_type, amendment.id, amendment.content_hash)
    return [Seat(slot.stage, slot.role, [slot.why], meaning=MEANINGS.get(slot.role, "APPROVED")) for slot in slots]


def last_fully_approved(session: Session, order: PurchaseOrder) -> Decimal:
    """Return the total that the whole plan approved last: amendments that took effect since are taken off."""
    base = order.total
    for amendment in reversed(amendments_of(session, order)):
        if amendment.status not in TOOK_EFFECT:
            continue
        if amendment.plan is ApprovalPlan.FULL:
            break
        base -= amendment.money_delta
    return base


def _seats(plan: ApprovalPlan, full: list[Seat], judgement: Judgement) -> list[Seat]:
    words = judgement.row.words
    if plan is ApprovalPlan.FULL:
        return full or [Seat(2, "BUYER", ["Below the first band: its buyer alone"], meaning="RELEASED")]
    if plan is ApprovalPlan.LEAD:
        return [Seat(2, "PUR_LEAD", [words])]
    return [PLANNER, BUYER] if plan is ApprovalPlan.BUYER_PLANNER else [BUYER]


def _full_plan(asking: Asking, order: PurchaseOrder, *, amount: Decimal | None = None) -> list[Seat]:
    facts = amended_facts(asking, order)
    if amount is not None:
        foreign = {} if facts["foreign_exposure"] == 0 else {"foreign_exposure": amount}
        facts |= {"amount": amount, **foreign}
    judged = table_called("approval_matrix").judge(**facts)
    return seats_from([row.outputs for row in judged.rows], [row.number for row in judged.rows])


def _company(asking: Asking, order: PurchaseOrder, amount: Decimal) -> Decimal:
    site = order.site
    rate = order.fx_rate or rate_on(
        asking.session, order.currency, company_currency=site.currency, on=site.local_day(asking.now)
    )
    return convert(amount, rate, currency=site.currency)
