"""Walk the genealogy: forward to what was made of a lot, backward to what it was made of.

Nodes are lots and work orders. One recursive statement reaches every node once, whatever the number of ways to it. What was
reversed is not walked, and a lot that went into named lots of a work order is not taken for part of its other products.
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

from sqlalchemy import ColumnElement, Select, and_, exists, literal, not_, select
from sqlalchemy.orm import Session, aliased, selectinload

from engine.database import IdType
from records.lot import EdgeKind, GenealogyEdge, Lot
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
    """One node. depth: steps from the lot that was asked for, negative backward. record: the lot or the work order."""

    id: str
    kind: NodeKind
    number: str
    depth: int
    record: Lot | WorkOrder | None = None


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


def stands(edge: Any = GenealogyEdge) -> ColumnElement[bool]:
    """Return the condition that an edge is neither a reversal nor reversed."""
    back = aliased(GenealogyEdge)
    # A reversal is what has a negative quantity. Asked by ``reverses_id IS NULL``, which is true of nearly every row, SQLite
    # takes the index of that column and reads the whole table.
    return and_(edge.quantity > 0, not_(exists().where(back.reverses_id == edge.id)))


def _is_walked(edge: Any) -> ColumnElement[bool]:
    """Return the condition that a step stands, and that no named product says better where this issue went."""
    named = aliased(GenealogyEdge)
    says_better = exists().where(
        named.parent_id == edge.parent_id,
        named.work_order_id == edge.work_order_id,
        named.kind == EdgeKind.TRANSFORMED,
        stands(named),
    )
    return and_(stands(edge), not_(and_(edge.kind == EdgeKind.CONSUMED, says_better)))


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
    nodes = tuple(_node(node, sign * steps_away, lots, orders) for node, steps_away in depths.items())
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


def _node(node: str, depth: int, lots: Mapping[str, Lot], orders: Mapping[str, WorkOrder]) -> Node:
    if node in lots:
        return Node(node, NodeKind.LOT, lots[node].number, depth, lots[node])
    if node.startswith("unknown:"):
        return Node(node, NodeKind.UNKNOWN, "No lot named", depth)
    order = orders.get(node)
    return Node(node, NodeKind.WORK_ORDER, order.number if order else "Work order", depth, order)


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
