"""Walk the genealogy: forward to what was made of a lot, backward to what it was made of.

Nodes are lots and work orders. One recursive statement reaches every node once, whatever the number of ways to it. What was
reversed is not walked. Where named products account for all that was issued of a lot to a work order, its other products are
free of it; where anything is left over, each of them may carry it, and the trace says which is certain (docs/decisions/0032).
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, not_, or_, select
from sqlalchemy.orm import Session, aliased, selectinload

from engine.database import IdType, Scaled
from processes.genealogy_certainty import certain_nodes, products_of, sole_products, unnumbered_of
from records.lot import EdgeKind, GenealogyEdge, Lot, stands
from records.part import PartRevision
from records.work_order import WorkOrder, WorkOrderOperation

DEPTH = 60
SIZE = 2_000
MOST = 20_000
"""How many nodes a trace shows unless it is asked for more, and at most."""

CHUNK = 500


class Direction(StrEnum):
    """Which way a trace goes. FORWARD: where used. BACKWARD: what it was made of."""

    FORWARD = "FORWARD"
    BACKWARD = "BACKWARD"


class NodeKind(StrEnum):
    """What a node of the graph is. UNKNOWN: something was issued and nobody said from which lot."""

    LOT = "LOT"
    WORK_ORDER = "WORK_ORDER"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Node:
    """One node. depth: steps from the lot that was asked for, negative backward. record: the lot or the work order.

    is_certain: it carries the lot (backward: is in it) by named steps alone; else it may. unnumbered: pieces of a work order
    ahead that have no lot or serial of their own, each of which may carry it.
    """

    id: str
    kind: NodeKind
    number: str
    depth: int
    record: Lot | WorkOrder | None = None
    is_certain: bool = True
    unnumbered: Decimal = Decimal(0)


@dataclass
class Step:
    """What went from one node into another, all its edges together. quantity: of what went in, in ``uom``."""

    source: str
    target: str
    kind: EdgeKind
    uom: str
    quantity: Decimal = Decimal(0)
    events: int = 0
    first_at: dt.datetime | None = None
    operations: set[str] = field(default_factory=set)
    work_orders: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Trace:
    """What was found. nodes: nearest first, the lot itself included. cut: in words why something is missing, or empty."""

    start: Lot
    nodes: tuple[Node, ...]
    steps: tuple[Step, ...]
    operations: Mapping[str, WorkOrderOperation]
    cut: str = ""

    @cached_property
    def by_id(self) -> dict[str, Node]:
        """The nodes by id."""
        return {node.id: node for node in self.nodes}

    @property
    def lots(self) -> list[Lot]:
        """The lots that were found, nearest first, without the one that was asked for."""
        return [node.record for node in self.nodes if isinstance(node.record, Lot) and node.record is not self.start]

    @property
    def certain(self) -> list[Lot]:
        """The lots ahead that carry the one asked for, as named steps say."""
        return [
            node.record for node in self.nodes if node.depth > 0 and node.is_certain and isinstance(node.record, Lot)
        ]

    @property
    def possible(self) -> list[Lot]:
        """The lots ahead that may carry it: it was issued to their work order, and nobody said into which pieces."""
        return [
            node.record
            for node in self.nodes
            if node.depth > 0 and not node.is_certain and isinstance(node.record, Lot)
        ]

    @property
    def unnumbered(self) -> list[Node]:
        """The work orders ahead with pieces that have no number of their own yet."""
        return [node for node in self.nodes if node.unnumbered > 0]

    @property
    def work_orders(self) -> list[WorkOrder]:
        """The work orders that were found, nearest first."""
        return [node.record for node in self.nodes if isinstance(node.record, WorkOrder)]

    @property
    def unknown(self) -> list[Node]:
        """Issues of which nobody said the lot."""
        return [node for node in self.nodes if node.kind is NodeKind.UNKNOWN]


Row = Any


def trace(session: Session, lot: Lot, direction: Direction, *, depth: int = DEPTH, size: int = SIZE) -> Trace:
    """Follow a lot one way.

    depth: steps at most. size: nodes at most, up to ``MOST``. What lies beyond is left out and ``cut`` says so; nearest
    nodes come first, so that a cut trace is whole as far as it goes.
    """
    session.flush()
    size = max(1, min(size, MOST))
    rows = _edges(session, select(literal(lot.id, IdType()).label("node")), direction, size=size)
    return _assemble(session, lot, direction, rows, depth=depth, size=size)


def trace_both(session: Session, lot: Lot, *, depth: int = DEPTH, size: int = SIZE) -> Trace:
    """Follow a lot both ways and put the two halves together."""
    back = trace(session, lot, Direction.BACKWARD, depth=depth, size=size)
    ahead = trace(session, lot, Direction.FORWARD, depth=depth, size=size)
    nodes = {node.id: node for node in (*back.nodes, *ahead.nodes)}
    return Trace(
        lot, tuple(nodes.values()), (*back.steps, *ahead.steps), {**back.operations, **ahead.operations},
        " ".join(dict.fromkeys(filter(None, (back.cut, ahead.cut)))),
    )  # fmt: skip


def reached_from(session: Session, lot_ids: Collection[str]) -> list[Row]:
    """Return the edges that lead to any of these lots, as far back as they go, each once."""
    found: dict[str, Row] = {}
    for chunk in _chunks(lot_ids):
        starts = select(Lot.id.label("node")).where(Lot.id.in_(chunk))
        found.update({row.id: row for row in _edges(session, starts, Direction.BACKWARD, size=None)})
    return list(found.values())


def is_reachable(session: Session, start: str, target: str) -> bool:
    """Whether a node can be reached forward from another, over every step that stands."""
    session.flush()
    edge = aliased(GenealogyEdge)
    reached = select(literal(start, IdType()).label("node")).cte("reached", recursive=True)
    onward = (
        select(edge.to_node)
        .join(reached, edge.from_node == reached.columns["node"])
        .where(edge.to_node.is_not(None), stands(edge))
    )
    reached = reached.union(onward)
    found = select(reached.columns["node"]).where(reached.columns["node"] == target).limit(1)
    return session.scalar(found) is not None


def _is_walked(edge: Any) -> ColumnElement[bool]:
    """Return the condition that a step stands, and that something of an issue is not accounted for by named products.

    What is left over went into pieces that nobody named, so that every product of the work order may carry it.
    """
    named, taken = aliased(GenealogyEdge), aliased(GenealogyEdge)
    is_named = exists().where(
        named.parent_id == edge.parent_id,
        named.work_order_id == edge.work_order_id,
        named.kind == EdgeKind.TRANSFORMED,
        stands(named),
    )
    signed = case(
        (taken.kind == EdgeKind.CONSUMED, taken.quantity), (taken.kind == EdgeKind.TRANSFORMED, -taken.quantity)
    )
    left_over = (
        select(func.sum(signed, type_=Scaled(6)))
        .where(taken.parent_id == edge.parent_id, taken.work_order_id == edge.work_order_id)
        .scalar_subquery()
    )
    return and_(stands(edge), or_(edge.kind != EdgeKind.CONSUMED, not_(is_named), left_over > 0))


def _edges(session: Session, starts: Select[Any], direction: Direction, *, size: int | None) -> Sequence[Row]:
    """Return the walked edges next to the nodes that are reached, the first ``size`` of them in the order they are reached."""
    edge = aliased(GenealogyEdge)
    near, far = (edge.from_node, edge.to_node) if direction is Direction.FORWARD else (edge.to_node, edge.from_node)
    reached = starts.cte("reached", recursive=True)
    onward = select(far).join(reached, near == reached.columns["node"]).where(far.is_not(None), _is_walked(edge))
    reached = reached.union(onward)
    nodes = select(reached.columns["node"])
    bounded = (nodes if size is None else nodes.limit(size)).cte("bounded")
    edge = aliased(GenealogyEdge)
    near = edge.from_node if direction is Direction.FORWARD else edge.to_node
    wanted = (
        select(
            edge.id, edge.kind, edge.from_node, edge.to_node, edge.work_order_id, edge.operation_id, edge.quantity, edge.uom,
            edge.happened_at,
        )
        .join(bounded, near == bounded.columns["node"])
        .where(edge.kind != EdgeKind.WITHDRAWN, _is_walked(edge))
    )  # fmt: skip
    return session.execute(wanted).all()


def _assemble(session: Session, lot: Lot, direction: Direction, rows: Sequence[Row], *, depth: int, size: int) -> Trace:
    sign = 1 if direction is Direction.FORWARD else -1
    ends = [_ends(row) for row in rows]
    beside: dict[str, list[str]] = {}
    for source, target in ends:
        near, far = (source, target) if sign > 0 else (target, source)
        beside.setdefault(near, []).append(far)
    depths, reasons = _depths(lot.id, beside, depth=depth, size=size)
    kept = [(row, pair) for row, pair in zip(rows, ends, strict=True) if pair[0] in depths and pair[1] in depths]
    steps = _steps(kept)
    lots = _load_lots(session, depths)
    orders = _load_orders(session, [node for node in depths if node not in lots])
    is_forward = direction is Direction.FORWARD
    products = products_of(session, orders, [row for row, _ in kept], is_forward=is_forward)
    sure = certain_nodes(lot.id, kept, sole=sole_products(orders, products), is_forward=is_forward)
    nodes = tuple(
        _node(node, sign * steps_away, lots, orders, is_certain=node in sure, made=products if is_forward else {})
        for node, steps_away in depths.items()
    )
    operations = _load_operations(session, {each for step in steps for each in step.operations})
    return Trace(lots.get(lot.id, lot), nodes, tuple(steps), operations, _cut_words(direction, reasons, len(nodes)))


def _ends(row: Row) -> tuple[str, str]:
    """Return both ends of an edge. An issue without a lot comes from a node of its own."""
    return row.from_node or f"unknown:{row.id}", row.to_node


def _depths(start: str, beside: Mapping[str, list[str]], *, depth: int, size: int) -> tuple[dict[str, int], set[str]]:
    """Return how far each node is, nearest first, and what stopped the walk."""
    found, waiting, reasons = {start: 0}, deque([start]), set()
    while waiting:
        node = waiting.popleft()
        for other in beside.get(node, ()):
            if other in found:
                continue
            if found[node] >= depth:
                reasons.add(f"{depth} steps away")
            elif len(found) >= size:
                reasons.add(f"{size:,} nodes")
            else:
                found[other] = found[node] + 1
                waiting.append(other)
    return found, reasons


def _cut_words(direction: Direction, reasons: Iterable[str], count: int) -> str:
    if not reasons:
        return ""
    way = "what was made of it" if direction is Direction.FORWARD else "what it was made of"
    return f"Cut: {way} goes on beyond {' and '.join(sorted(reasons))}; the nearest {count:,} are shown."


def _steps(kept: Iterable[tuple[Row, tuple[str, str]]]) -> list[Step]:
    found: dict[tuple[str, str, str], Step] = {}
    for row, (source, target) in kept:
        step = found.setdefault((source, target, row.kind), Step(source, target, row.kind, row.uom))
        step.quantity += row.quantity
        step.events += 1
        step.first_at = min(filter(None, (step.first_at, row.happened_at)))
        if row.operation_id is not None:
            step.operations.add(row.operation_id)
        if row.work_order_id is not None:
            step.work_orders.add(row.work_order_id)
    return list(found.values())


def _node(
    node: str,
    depth: int,
    lots: Mapping[str, Lot],
    orders: Mapping[str, WorkOrder],
    *,
    is_certain: bool,
    made: Mapping[str, Sequence[Decimal]],
) -> Node:
    if node in lots:
        return Node(node, NodeKind.LOT, lots[node].number, depth, lots[node], is_certain)
    if node.startswith("unknown:"):
        return Node(node, NodeKind.UNKNOWN, "No lot named", depth, is_certain=is_certain)
    order = orders.get(node)
    if order is None:
        return Node(node, NodeKind.WORK_ORDER, "Work order", depth, is_certain=is_certain)
    left = unnumbered_of(order, made[node]) if node in made else Decimal(0)
    return Node(node, NodeKind.WORK_ORDER, order.number, depth, order, is_certain, left)


def _load_lots(session: Session, ids: Iterable[str]) -> dict[str, Lot]:
    options = selectinload(Lot.part_revision).selectinload(PartRevision.part)
    return {
        lot.id: lot
        for chunk in _chunks(each for each in ids if not each.startswith("unknown:"))
        for lot in session.scalars(select(Lot).where(Lot.id.in_(chunk)).options(options))
    }


def _load_orders(session: Session, ids: Iterable[str]) -> dict[str, WorkOrder]:
    return {
        order.id: order
        for chunk in _chunks(each for each in ids if not each.startswith("unknown:"))
        for order in session.scalars(select(WorkOrder).where(WorkOrder.id.in_(chunk)))
    }


def _load_operations(session: Session, ids: Iterable[str]) -> dict[str, WorkOrderOperation]:
    return {
        operation.id: operation
        for chunk in _chunks(ids)
        for operation in session.scalars(select(WorkOrderOperation).where(WorkOrderOperation.id.in_(chunk)))
    }


def _chunks(ids: Iterable[str]) -> Iterable[list[str]]:
    whole = list(ids)
    return (whole[begin : begin + CHUNK] for begin in range(0, len(whole), CHUNK))
