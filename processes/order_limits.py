"""Copy the limits of the supplier gate to the order that is built under them (A16): what was agreed for one order binds that order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.act import Act
from records.order_limit import OrderLimit
from records.purchase_order import PurchaseOrder


def copy_limits(act: Act, order: PurchaseOrder, gate: Mapping[str, Any] | None) -> list[OrderLimit]:
    """Write the limits that the gate found on a new order. gate: the flow's variable of that name."""
    limits = [
        OrderLimit(
            order_id=order.id, approval_id=each["approval_id"], max_quantity=each["max_quantity"], max_value=each["max_value"],
            ends_on=each["ends_on"], conditions=str(each["conditions"] or ""),
        )
        for each in (gate or {}).get("limits") or ()
        if each.get("approval_id")
    ]  # fmt: skip
    act.session.add_all(limits)
    act.session.flush()
    return limits
