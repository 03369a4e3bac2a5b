"""What of a trace is certain: named steps say so; through a work order it is only possible, unless it made one lot alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.lot import EdgeKind, GenealogyEdge, stands
from records.work_order import WorkOrder, WorkOrderStatus

OVER = (WorkOrderStatus.COMPLETE, WorkOrderStatus.CLOSED)
"""Statuses in which nothing more is made, so that one product is the only one."""

CHUNK = 500
Row = Any


def products_of(
    session: Session, orders: Mapping[str, WorkOrder], rows: Iterable[Row], *, is_forward: bool
) -> dict[str, list[Decimal]]:
    """Return the quantities that each work order made, a lot each.

    rows: the edges of the trace; forward they hold every product. Backward they hold only those on the way, so that what
    else a finished work order made is asked for.
    """
    found: dict[str, list[Decimal]] = {each: [] for each in orders}
    made = (
        [(row.from_node, row.quantity) for row in rows if row.kind == EdgeKind.MADE]
        if is_forward
        else _made(session, orders)
    )
    for order_id, quantity in made:
        if order_id in found:
            found[order_id].append(quantity)
    return found


def sole_products(orders: Mapping[str, WorkOrder], products: Mapping[str, Sequence[Decimal]]) -> set[str]:
    """Return the work orders of which whatever was issued to them can only be in the one lot that they made."""
    return {each for each, order in orders.items() if order.status in OVER and len(products[each]) == 1}


def certain_nodes(
    start: str, kept: Iterable[tuple[Row, tuple[str, str]]], *, sole: Collection[str], is_forward: bool
) -> set[str]:
    """Return the nodes that a chain of named steps leads to from the start; through a work order only one of ``sole``."""
    beside: dict[str, list[str]] = {}
    through = EdgeKind.MADE if is_forward else EdgeKind.CONSUMED
    for row, (source, target) in kept:
        near, far = (source, target) if is_forward else (target, source)
        if row.kind != through or near in sole:
            beside.setdefault(near, []).append(far)
    found, waiting = {start}, [start]
    while waiting:
        for other in beside.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def unnumbered_of(order: WorkOrder, made: Sequence[Decimal]) -> Decimal:
    """Return how many pieces of a work order have no lot or serial of their own; those that were scrapped among them."""
    return max(order.quantity - sum(made, Decimal(0)), Decimal(0))


def _made(session: Session, orders: Mapping[str, WorkOrder]) -> Iterable[tuple[str, Decimal]]:
    over = [each for each, order in orders.items() if order.status in OVER]
    wanted = select(GenealogyEdge.from_node, GenealogyEdge.quantity).where(
        GenealogyEdge.kind == EdgeKind.MADE, stands()
    )
    for begin in range(0, len(over), CHUNK):
        for row in session.execute(wanted.where(GenealogyEdge.from_node.in_(over[begin : begin + CHUNK]))):
            yield row.from_node, row.quantity
