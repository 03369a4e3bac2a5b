"""How far an order is: the statuses that follow from its receipts, and the word to the flow that watches over it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import motion
from engine.act import Act
from engine.instances import instances_of
from engine.messages import publish
from engine.stored.instance import InstanceStatus
from processes.documents import order_variable
from records.calendar import MAIN
from records.purchase_order import LINE_TRANSITIONS, LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine, move
from records.receipt import rejected_quantity
from records.transition import move_along
from rules.tolerances import profile_of

PROCESS = "order_to_close"
AT_ONCE = dt.timedelta(0)
"""A word that nobody waits for now is not kept: whoever comes later reads the records."""

DELIVERING = frozenset({OrderStatus.ACKNOWLEDGED, OrderStatus.PARTIALLY_RECEIVED, OrderStatus.RECEIVED})
DONE = frozenset({LineStatus.RCVD, LineStatus.CLOSED, LineStatus.CANCELLED})


def order_key(order: PurchaseOrder) -> str:
    """Return the key that messages about an order carry: its number, with the site where a plant has several."""
    return order.number if order.site.code == MAIN else f"{order.number}@{order.site.code}"


def watch(act: Act, order: PurchaseOrder) -> None:
    """Let ``order_to_close`` watch over an order that the supplier has; the second word for an order starts nothing."""
    order_data = {**order_variable(order), "key": order_key(order)}
    publish(
        act, "po.transmitted", correlation_key=order_key(order), message_id=f"{order.id}:transmitted",
        variables={"business_key": order_key(order), "order": order_data},
    )  # fmt: skip


def lock(act: Act, order: PurchaseOrder) -> PurchaseOrder:
    """Lock an order with its lines, and read both as they are now.

    The flow that watches over it is locked first: whoever moves it locks in that order, too.
    """
    act.session.flush()
    if not motion.is_moving(act):
        for instance in instances_of(act.session, order.record_type, order.id):
            if instance.process_id == PROCESS and instance.status == InstanceStatus.RUNNING:
                motion.lock(act, instance.id)
    wanted = select(PurchaseOrder).where(PurchaseOrder.id == order.id).with_for_update()
    found = act.session.execute(wanted.execution_options(populate_existing=True)).scalar_one()
    lines = select(PurchaseOrderLine).where(PurchaseOrderLine.order_id == order.id)
    act.session.execute(lines.execution_options(populate_existing=True)).all()
    return found


def outstanding(session: Session, line: PurchaseOrderLine) -> Decimal:
    """Return what is still to come on a line: what was rejected must be replaced. Nothing on a line that is closed."""
    if line.status in (LineStatus.CLOSED, LineStatus.CANCELLED):
        return Decimal(0)
    return line.quantity - line.quantity_received + rejected_quantity(session, line)


def settle_statuses(act: Act, order: PurchaseOrder) -> PurchaseOrder:
    """Set the statuses of lines and order to what the receipts say, and tell the flow that something moved."""
    for line in order.lines:
        wanted = _line_status(act, line)
        if wanted is not line.status:
            move_along(act, line, wanted, transitions=LINE_TRANSITIONS, reason=None)
    act.session.flush()
    if order.status in DELIVERING:
        after = _order_status(order)
        if after is not order.status:
            move(act, order, after)
    act.session.flush()
    tell_flow(act, "order.progressed", order_key(order))
    return order


def tell_flow(act: Act, name: str, key: str, variables: Mapping[str, Any] | None = None) -> None:
    """Say a word to whoever waits for it now."""
    publish(act, name, correlation_key=key, variables=variables, ttl=AT_ONCE)


def _line_status(act: Act, line: PurchaseOrderLine) -> LineStatus:
    if line.status in (LineStatus.CLOSED, LineStatus.CANCELLED):
        return line.status
    short = profile_of(line).under_allowance(line.quantity, line.uom)
    if outstanding(act.session, line) <= short and line.quantity_received > 0:
        return LineStatus.RCVD
    return LineStatus.PART_RCVD if line.quantity_received > 0 or line.status is not LineStatus.OPEN else LineStatus.OPEN


def _order_status(order: PurchaseOrder) -> OrderStatus:
    lines = [line for line in order.lines if line.status is not LineStatus.CANCELLED]
    if lines and all(line.status in DONE for line in lines):
        return OrderStatus.RECEIVED
    if order.status is OrderStatus.ACKNOWLEDGED and all(line.status is LineStatus.OPEN for line in lines):
        return OrderStatus.ACKNOWLEDGED
    return OrderStatus.PARTIALLY_RECEIVED
