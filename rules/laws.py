"""Every law that the guard applies, in one tuple."""

from __future__ import annotations

from rules import blurred_work, duties, goods, order_limits, purchasing, work_order_quantity, work_orders
from rules.law import Law

LAWS: tuple[Law, ...] = (
    *duties.LAWS,
    *purchasing.LAWS,
    *order_limits.LAWS,
    *work_orders.LAWS,
    *work_order_quantity.LAWS,
    *goods.LAWS,
    *blurred_work.LAWS,
)
