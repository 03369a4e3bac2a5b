"""Prices against what was estimated and ordered (A19, A28)."""

from __future__ import annotations

from decimal import Decimal

from engine.errors import Effect, Finding
from records.purchase_order import PurchaseOrder
from rules.policy import Judgement, table_called


def judge_prices(order: PurchaseOrder) -> list[Finding]:
    """Return PRICE-EST for each line whose price is so far over its estimate that the approval plan must run again."""
    found = []
    for line in order.lines:
        asked = line.requisition_line
        if asked is None or asked.estimated_price is None:
            continue
        percent = over_percent(line.unit_price, asked.estimated_price)
        judgement = judge_price("ORDER_OVER_ESTIMATE", percent)
        if judgement.row.outputs["outcome"] == "ACCEPT":
            continue
        found.append(
            Finding(
                str(judgement.row.outputs["rule"]),
                Effect.HOLD,
                f"Expected a price near the estimate of {asked.estimated_price:,.4f} on line {line.line_no}, "
                f"but {line.unit_price:,.4f} is {percent} % over it.",
                order.record_type,
                order.id,
                field=f"lines.{line.line_no}.unit_price",
                old=f"{asked.estimated_price:.4f}",
                new=f"{line.unit_price:.4f}",
                owner="role:BUYER",
                way_out="The approval plan runs again with the order's value.",
                judged_by=judgement.hash,
                row=judgement.row.number,
            )
        )
    return found


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
