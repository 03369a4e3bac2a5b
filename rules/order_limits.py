"""The limits of an order under a conditional or one-time approval (SUP-12): copied to the order, and held at every door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy.orm import Session

from engine.clock import now_of
from engine.errors import Finding
from engine.record import Edit, Operation
from records.money import convert, total
from records.order_limit import OrderLimit, limits_on
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from rules.law import Law, block, law, session_of
from rules.supplier_lines import subjects_of

UNBOUND = frozenset({OrderStatus.DRAFT, OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.CLOSED})
"""Statuses in which an order may say anything: it is no promise yet, or none any more."""


@law("SUP-12", on=PurchaseOrder)
def an_order_stays_within_its_limits(edit: Edit) -> Iterator[Finding]:
    """An order under limits is neither submitted nor issued beyond them."""
    order = edit.record
    if edit.operation is Operation.UPDATE and "status" in edit.changes and order.status not in UNBOUND:
        session = session_of(edit)
        issues = order.status is OrderStatus.APPROVED_NOT_TRANSMITTED
        yield from judge_limits(session, order, on=order.site.local_day(now_of(session)) if issues else None)


@law("SUP-12", on=PurchaseOrderLine)
def a_line_stays_within_the_limits_of_its_order(edit: Edit) -> Iterator[Finding]:
    """No line grows beyond them after that, by an amendment or any other way."""
    line = edit.record
    if edit.operation is not Operation.UPDATE or not {"quantity", "unit_price"} & edit.changes.keys():
        return
    if line.order is not None and line.order.status not in UNBOUND:
        yield from judge_limits(session_of(edit), line.order)


LAWS: tuple[Law, ...] = (an_order_stays_within_its_limits, a_line_stays_within_the_limits_of_its_order)


def judge_limits(session: Session, order: PurchaseOrder, *, on: dt.date | None = None) -> list[Finding]:
    """Return SUP-12 for each limit that an order goes beyond. on: the day of its issue, which must not be after their end."""
    return [
        block(
            "SUP-12",
            f"Expected {order.number} to stay within the approval {limit.number}, but {said}.",
            (order.record_type, order.id), field=field, new=value, owner="role:SQ",
            way_out="Order less, or ask supplier quality for another approval.",
        )
        for limit in limits_on(session, order.id)
        for field, said, value in _beyond(order, limit, on)
    ]  # fmt: skip


def _beyond(order: PurchaseOrder, limit: OrderLimit, on: dt.date | None) -> Iterator[tuple[str, str, str]]:
    covered = [line for line in order.lines if line.status is not LineStatus.CANCELLED and _covers(limit, line)]
    quantity = sum((line.quantity for line in covered), Decimal(0))
    if limit.max_quantity is not None and quantity > limit.max_quantity:
        yield (
            "lines.quantity",
            f"it orders {quantity.normalize():f} of at most {limit.max_quantity.normalize():f}",
            f"{quantity:f}",
        )
    if limit.max_value is not None:
        rate = order.fx_rate if order.fx_rate is not None else Decimal(1)
        value = convert(total(line.amount for line in covered), rate, currency=order.site.currency)
        if value > limit.max_value:
            currency = order.site.currency
            yield (
                "lines.unit_price",
                f"it is worth {value:,.2f} of at most {limit.max_value:,.2f} {currency}",
                f"{value:f}",
            )
    if on is not None and on > limit.ends_on:
        yield "status", f"that ended on {limit.ends_on}", on.isoformat()


def _covers(limit: OrderLimit, line: PurchaseOrderLine) -> bool:
    approval = limit.approval
    return (approval.subject, approval.subject_code) in subjects_of(line)
