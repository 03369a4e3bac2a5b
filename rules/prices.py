"""Prices against what was estimated and ordered (A19, A28)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy.orm import object_session

from engine.errors import Effect, Finding
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import RequisitionLine
from records.sourcing import rate_on
from rules.policy import Judgement, table_called


def judge_prices(order: PurchaseOrder) -> list[Finding]:
    """Return PRICE-EST for each line whose price is so far over its estimate that the approval plan must run again."""
    found = []
    for line in order.lines:
        asked = line.requisition_line
        if asked is None or asked.estimated_price is None:
            continue
        estimate = _estimate(line, asked)
        percent = over_percent(line.unit_price, estimate)
        judgement = judge_price("ORDER_OVER_ESTIMATE", percent)
        if judgement.row.outputs["outcome"] == "ACCEPT":
            continue
        found.append(
            Finding(
                str(judgement.row.outputs["rule"]),
                Effect.HOLD,
                f"Expected a price near the estimate of {estimate:,.4f} on line {line.line_no}, "
                f"but {line.unit_price:,.4f} is {percent} % over it.",
                order.record_type,
                order.id,
                field=f"lines.{line.line_no}.unit_price",
                old=f"{estimate:.4f}",
                new=f"{line.unit_price:.4f}",
                owner="role:BUYER",
                way_out="The approval plan runs again with the order's value.",
                judged_by=judgement.hash,
                row=judgement.row.number,
            )
        )
    return found


def _estimate(line: PurchaseOrderLine, asked: RequisitionLine) -> Decimal:
    """Return the estimate in the order's currency: a quote may be in another one than the request."""
    estimate, order = asked.estimated_price or Decimal(0), line.order
    session = object_session(line)
    if order.currency == asked.requisition.currency or order.fx_rate is None or session is None:
        return estimate
    day = order.order_date or order.created_at.date()
    rate = rate_on(session, asked.requisition.currency, company_currency=order.site.currency, on=day)
    return (estimate * rate / order.fx_rate).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def judge_price(occasion: str, percent: Decimal) -> Judgement:
    """Ask the table of price tolerances. occasion: ORDER_OVER_ESTIMATE, ACKNOWLEDGEMENT or AMENDMENT."""
    return table_called("price_tolerance").judge(occasion=occasion, over_percent=percent)


def over_percent(price: Decimal, base: Decimal) -> Decimal:
    """Return by how many percent a price is over a base, to two decimals and never rounded to nothing; 100 over a base of 0."""
    if not base:
        return Decimal(100) if price else Decimal(0)
    exact = (price - base) * 100 / base
    rounded = exact.quantize(Decimal("0.01"))
    return rounded if rounded or not exact else Decimal("0.01").copy_sign(exact)
