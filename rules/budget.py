"""The budget check (A05b): whether a request fits what is left of its cost centre's budget."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sqlalchemy.orm import Session

from engine.errors import Effect, Finding
from records.cost_centre import Availability, availability
from records.money import convert
from records.requisition import Requisition
from records.sourcing import rate_on
from rules.policy import table_called


class BudgetOutcome(StrEnum):
    """WITHIN the budget; an EXCEPTION for finance; or a SUPPLEMENT to the budget."""

    WITHIN = "WITHIN"
    EXCEPTION = "EXCEPTION"
    SUPPLEMENT = "SUPPLEMENT"


@dataclass(frozen=True, slots=True)
class BudgetJudgement:
    """What the budget says.

    amount, excess: in the cost centre's currency; percent: of the budget, as it is shown; exact_percent: as it is judged.
    finding: None within.
    """

    outcome: BudgetOutcome
    amount: Decimal
    excess: Decimal
    percent: Decimal
    exact_percent: Decimal
    left: Availability
    finding: Finding | None


def judge_budget(session: Session, requisition: Requisition, *, now: dt.datetime) -> BudgetJudgement:
    """Judge a requisition against the budget of the year of ``now`` at its site. Raises: Invalid NO_EXCHANGE_RATE."""
    today = requisition.site.local_day(now)
    centre = requisition.cost_centre
    rate = rate_on(session, requisition.currency, company_currency=centre.currency, on=today)
    amount = convert(requisition.total, rate, currency=centre.currency)
    left = availability(session, centre, fiscal_year=today.year)
    excess, percent, exact = left.excess(amount), left.excess_percent(amount), left.exact_percent(amount)
    judgement = table_called("budget_check").judge(over_percent=exact)
    outcome = BudgetOutcome(judgement.row.outputs["outcome"])
    if outcome is BudgetOutcome.WITHIN:
        return BudgetJudgement(outcome, amount, excess, percent, exact, left, None)
    finding = Finding(
        "BUDGET",
        Effect.HOLD,
        f"Expected {requisition.number} to fit the {left.available:,.2f} left of {centre.code}, but {amount:,.2f} is over "
        f"by {excess:,.2f} ({percent} % of the budget of {left.budget:,.2f}).",
        requisition.record_type,
        requisition.id,
        owner=str(judgement.row.outputs["owner"]),
        way_out="Finance decides on an exception."
        if outcome is BudgetOutcome.EXCEPTION
        else "A supplementary budget is needed.",
        judged_by=judgement.hash,
        row=judgement.row.number,
    )
    return BudgetJudgement(outcome, amount, excess, percent, exact, left, finding)
