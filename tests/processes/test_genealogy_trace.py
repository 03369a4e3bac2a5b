"""A trace finds what a naive walk finds, says when it is cut, and the reports tell what held at the time."""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

import pytest

from engine.act import Act, Installation
from processes.genealogy import Event, Source, consume, make_lot, reverse, transform
from processes.genealogy_gaps import GapKind, gaps_of
from processes.genealogy_reports import provenance, transformation
from processes.genealogy_trace import Direction, NodeKind, trace, trace_both
from records.lot import EdgeKind, GenealogyEdge, Lot, LotSource, LotStatus
from records.receipt import Receipt
from records.supplier import ApprovalStatus, move
from records.work_order import WorkOrderStatus
from records.work_order import move as move_work
from tests.clock import SettableClock
from tests.makers import (
    D,
    make_actual,
    make_approval,
    make_cast,
    make_id,
    make_order_to_receive,
    make_person,
    make_receipt,
    make_resource,
    make_reversal,
    make_revision,
    make_site,
    make_stock,
    make_work_order,
)


@pytest.fixture
def act(installation: Installation) -> Iterator[Act]:
    with installation.acting("user:quinn") as act:
        make_site(act)
        make_cast(act)
        yield act


def event() -> Event:
    return Event(make_id())


def numbers(act: Act, lot: Lot, direction: Direction) -> list[str]:
    return sorted(node.number for node in trace(act.session, lot, direction).nodes if node.record is not lot)


def heat_of(act: Act, number: str = "HEAT-7781", quantity: int = 10) -> Lot:
    """Receive a lot of bars on an order and accept it."""
    receipt = make_receipt(act, make_order_to_receive(act).lines[0])
    revision = receipt.order_line.part_revision
    assert revision is not None
    source = Source(LotSource.RECEIPT, ("receipt", receipt.id))
    return make_lot(act, revision, D(quantity), number=number, heat=number, source=source, status=LotStatus.AVAILABLE)


def test_heat_7781_is_traced_into_ten_serials_and_back_and_one_issue_without_a_lot_is_one_gap(act: Act) -> None:
    heat, order = heat_of(act), make_work_order(act, number="WO-7001")
    consume(act, heat, D(10), work_order_id=order.id, event=event(), operation_id=order.operations[0].id)
    revision = make_revision(act)
    source = Source(LotSource.WORK_ORDER, (order.record_type, order.id))
    serials = [
        make_lot(
            act, revision, D(1), number=f"SN-{turn:04d}", source=source, is_serial=True, status=LotStatus.AVAILABLE
        )
        for turn in range(1, 11)
    ]
    assert numbers(act, heat, Direction.FORWARD) == [*(serial.number for serial in serials), "WO-7001"]
    assert numbers(act, serials[6], Direction.BACKWARD) == ["HEAT-7781", "WO-7001"]
    assert gaps_of(act.session, order.id) == []
    missing = consume(act, None, D(1), work_order_id=order.id, event=event(), part_revision=heat.part_revision)
    (gap,) = gaps_of(act.session, order.id)
    assert (gap.kind, gap.event_id) == (GapKind.NO_LOT, missing.event_id)
    reverse(act, missing, reason="Posted again with its lot", event=event())
    assert gaps_of(act.session, order.id) == []


def test_a_lot_without_receipt_or_document_is_a_gap_however_far_back(act: Act) -> None:
    found, first, last = make_stock(act, source_note=""), make_work_order(act), make_work_order(act)
    consume(act, found, D(1), work_order_id=first.id, event=event())
    half = make_lot(
        act, make_revision(act), D(1), number="HALF", status=LotStatus.AVAILABLE,
        source=Source(LotSource.WORK_ORDER, (first.record_type, first.id)),
    )  # fmt: skip
    consume(act, half, D(1), work_order_id=last.id, event=event())
    assert [gap.lot_id for gap in gaps_of(act.session, last.id)] == [found.id]
    assert [gap.kind for gap in gaps_of(act.session, first.id)] == [GapKind.NO_SOURCE]


def test_what_is_made_of_nothing_on_record_and_what_was_never_received_are_gaps(act: Act) -> None:
    empty, order = make_work_order(act), make_work_order(act)
    source = Source(LotSource.WORK_ORDER, (empty.record_type, empty.id))
    make_lot(act, make_revision(act), D(1), number="SN-1", source=source, status=LotStatus.AVAILABLE)
    assert [gap.kind for gap in gaps_of(act.session, empty.id)] == [GapKind.NO_MATERIAL]
    heat = heat_of(act)
    consume(act, heat, D(1), work_order_id=order.id, event=event())
    make_reversal(act, act.session.get_one(Receipt, heat.source_id))
    assert [gap.kind for gap in gaps_of(act.session, order.id)] == [GapKind.REVERSED]


def test_a_named_product_is_not_taken_for_part_of_its_neighbours(act: Act) -> None:
    order = make_work_order(act)
    source = Source(LotSource.WORK_ORDER, (order.record_type, order.id))
    valves = [make_stock(act, f"VALVE-{turn}", quantity=D(1)) for turn in (1, 2)]
    bolts, revision = make_stock(act, "BOLTS"), make_revision(act)
    consume(act, bolts, D(8), work_order_id=order.id, event=event())
    for turn, valve in enumerate(valves, start=1):
        consume(act, valve, D(1), work_order_id=order.id, event=event())
        serial = make_lot(act, revision, D(1), number=f"SN-{turn}", source=source, status=LotStatus.AVAILABLE)
        transform(act, valve, serial, quantity=D(1), work_order_id=order.id, event=event())
    assert numbers(act, valves[0], Direction.FORWARD) == ["SN-1"]
    assert numbers(act, bolts, Direction.FORWARD) == sorted(["SN-1", "SN-2", order.number])
    backward = numbers(
        act, act.session.get_one(Lot, trace(act.session, valves[1], Direction.FORWARD).lots[0].id), Direction.BACKWARD
    )
    assert backward == sorted(["VALVE-2", "BOLTS", order.number])


def _recalled(act: Act, lot: Lot) -> tuple[list[str], list[str], list[tuple[str, Decimal]]]:
    """Return what carries a lot for certain, what may, and the pieces without a number that may."""
    found = trace(act.session, lot, Direction.FORWARD)
    return (
        sorted(one.number for one in found.certain), sorted(one.number for one in found.possible),
        [(node.number, node.unnumbered) for node in found.unnumbered],
    )  # fmt: skip


def test_a_recall_names_what_carries_a_heat_and_every_piece_that_may(act: Act) -> None:
    """Ten bars of one heat into ten pieces; two serials are known to hold it, two more exist, six have no number yet."""
    heat, order = heat_of(act), make_work_order(act, number="WO-7001", quantity=D(10))
    consume(act, heat, D(10), work_order_id=order.id, event=event())
    source, revision = Source(LotSource.WORK_ORDER, (order.record_type, order.id)), make_revision(act)
    serials = [
        make_lot(act, revision, D(1), number=f"SN-{turn}", source=source, is_serial=True, status=LotStatus.AVAILABLE)
        for turn in range(1, 5)
    ]
    edges = [transform(act, heat, one, quantity=D(1), work_order_id=order.id, event=event()) for one in serials[:2]]
    assert _recalled(act, heat) == (["SN-1", "SN-2"], ["SN-3", "SN-4"], [("WO-7001", D(6))])
    assert numbers(act, serials[3], Direction.BACKWARD) == ["HEAT-7781", "WO-7001"]
    reverse(act, edges[0], reason="Wrong serial", event=event())
    assert _recalled(act, heat) == (["SN-2"], ["SN-1", "SN-3", "SN-4"], [("WO-7001", D(6))])


def test_pieces_are_free_of_a_heat_only_when_all_that_was_issued_is_named(act: Act) -> None:
    heat, order = heat_of(act), make_work_order(act, number="WO-7001", quantity=D(3))
    consume(act, heat, D(2), work_order_id=order.id, event=event())
    source, revision = Source(LotSource.WORK_ORDER, (order.record_type, order.id)), make_revision(act)
    serials = [
        make_lot(act, revision, D(1), number=f"SN-{turn}", source=source, is_serial=True, status=LotStatus.AVAILABLE)
        for turn in range(1, 4)
    ]
    for one in serials[:2]:
        transform(act, heat, one, quantity=D(1), work_order_id=order.id, event=event())
    assert _recalled(act, heat) == (["SN-1", "SN-2"], [], [])
    assert numbers(act, serials[2], Direction.BACKWARD) == ["WO-7001"]
    consume(act, heat, D(1), work_order_id=order.id, event=event())
    assert _recalled(act, heat) == (["SN-1", "SN-2"], ["SN-3"], [])


def test_what_may_carry_a_heat_hands_the_doubt_on_and_a_named_step_keeps_certainty(act: Act) -> None:
    heat, first, last = heat_of(act), make_work_order(act, quantity=D(2)), make_work_order(act, quantity=D(1))
    consume(act, heat, D(2), work_order_id=first.id, event=event())
    source, revision = Source(LotSource.WORK_ORDER, (first.record_type, first.id)), make_revision(act)
    sure, maybe = (
        make_lot(act, revision, D(1), number=number, source=source, is_serial=True, status=LotStatus.AVAILABLE)
        for number in ("SN-1", "SN-2")
    )
    transform(act, heat, sure, quantity=D(1), work_order_id=first.id, event=event())
    pump = make_lot(
        act, make_revision(act), D(1), number="PUMP-1", is_serial=True, status=LotStatus.AVAILABLE,
        source=Source(LotSource.WORK_ORDER, (last.record_type, last.id)),
    )  # fmt: skip
    consume(act, maybe, D(1), work_order_id=last.id, event=event())
    assert _recalled(act, heat)[:2] == (["SN-1"], ["PUMP-1", "SN-2"])
    consume(act, sure, D(1), work_order_id=last.id, event=event())
    transform(act, sure, pump, quantity=D(1), work_order_id=last.id, event=event())
    assert _recalled(act, heat)[:2] == (["PUMP-1", "SN-1"], ["SN-2"])


def test_the_one_lot_that_a_finished_work_order_made_carries_all_that_was_issued(act: Act) -> None:
    heat, order = (
        heat_of(act),
        make_work_order(act, number="WO-7001", quantity=D(10), status="IN_PROCESS", operations=()),
    )
    consume(act, heat, D(10), work_order_id=order.id, event=event())
    lot = make_lot(
        act, make_revision(act), D(10), number="LOT-1", status=LotStatus.AVAILABLE,
        source=Source(LotSource.WORK_ORDER, (order.record_type, order.id)),
    )  # fmt: skip
    assert _recalled(act, heat) == ([], ["LOT-1"], []), "more may still be made of it"
    back = trace(act.session, lot, Direction.BACKWARD)
    assert {node.number: node.is_certain for node in back.nodes} == {"LOT-1": True, "WO-7001": True, "HEAT-7781": False}
    move_work(act, order, WorkOrderStatus.COMPLETE)
    act.session.flush()
    assert _recalled(act, heat) == (["LOT-1"], [], [])
    assert all(node.is_certain for node in trace(act.session, lot, Direction.BACKWARD).nodes)


def test_what_was_reversed_is_not_walked(act: Act) -> None:
    lot, order = make_stock(act), make_work_order(act)
    edge = consume(act, lot, D(1), work_order_id=order.id, event=event())
    assert numbers(act, lot, Direction.FORWARD) == [order.number]
    reverse(act, edge, reason="Wrong bin", event=event())
    assert numbers(act, lot, Direction.FORWARD) == []


def test_a_trace_that_is_cut_shows_the_nearest_and_says_so(act: Act) -> None:
    lots = [make_stock(act, f"L-{turn}", source=LotSource.ADJUSTMENT) for turn in range(6)]
    for parent, child in pairwise(lots):
        transform(act, parent, child, quantity=D(1), event=event())
    whole = trace(act.session, lots[0], Direction.FORWARD)
    assert (len(whole.nodes), whole.cut) == (6, "")
    near = trace(act.session, lots[0], Direction.FORWARD, depth=2)
    assert ([node.number for node in near.nodes], "2 steps" in near.cut) == (["L-0", "L-1", "L-2"], True)
    few = trace(act.session, lots[0], Direction.FORWARD, size=3)
    assert ([node.number for node in few.nodes], "3 nodes" in few.cut) == (["L-0", "L-1", "L-2"], True)
    middle = trace_both(act.session, lots[2])
    assert {node.number: node.depth for node in middle.nodes} == {f"L-{turn}": turn - 2 for turn in range(6)}


def test_a_trace_finds_what_a_naive_walk_finds_on_random_graphs(act: Act) -> None:
    rolls = random.Random(7781)
    revision = make_revision(act)
    for graph in range(4):
        lots = [make_stock(act, f"G{graph}-{turn}", revision, quantity=D(1000)) for turn in range(14)]
        orders = [make_id() for _ in range(4)]
        ranks = {node: rank for rank, node in enumerate(rolls.sample([lot.id for lot in lots] + orders, 18))}
        edges: list[GenealogyEdge] = []
        for _ in range(30):
            lot, other = rolls.sample(lots, 2)
            if ranks[lot.id] < ranks[other.id] and rolls.random() < 0.5:
                edges.append(
                    transform(
                        act, lot, other, quantity=D(1), event=event(), work_order_id=rolls.choice([*orders, None])
                    )
                )
            order = rolls.choice(orders)
            if ranks[lot.id] < ranks[order]:
                edges.append(consume(act, lot, D(1), work_order_id=order, event=event()))
        for order in orders:
            later = (lot for lot in rolls.sample(lots, 2) if ranks[order] < ranks[lot.id])
            edges.extend(_made(act, order, lot) for lot in later)
        for edge in rolls.sample([edge for edge in edges if edge.kind is not EdgeKind.MADE], 3):
            reverse(act, edge, reason="Random", event=event())
            edges.remove(edge)
        for lot in lots:
            for direction in Direction:
                found = trace(act.session, lot, direction)
                assert {node.id for node in found.nodes} == _naive(edges, lot.id, direction)


def _made(act: Act, order: str, lot: Lot) -> GenealogyEdge:
    edge = GenealogyEdge(
        kind=EdgeKind.MADE, child_id=lot.id, work_order_id=order, from_node=order, to_node=lot.id, quantity=D(1), uom="EA",
        event_id=make_id(), happened_at=act.now,
    )  # fmt: skip
    act.session.add(edge)
    act.session.flush()
    return edge


def _naive(edges: list[GenealogyEdge], start: str, direction: Direction) -> set[str]:
    """Walk the edges one by one, as the words of the house say it."""
    left: dict[tuple[str | None, str | None], Decimal] = defaultdict(Decimal)
    for edge in edges:
        sign = {EdgeKind.CONSUMED: 1, EdgeKind.TRANSFORMED: -1}.get(edge.kind, 0)
        left[edge.parent_id, edge.work_order_id] += sign * edge.quantity
    walked = [
        edge for edge in edges if edge.kind is not EdgeKind.CONSUMED or left[edge.parent_id, edge.work_order_id] > 0
    ]
    found, waiting = {start}, [start]
    while waiting:
        node = waiting.pop()
        for edge in walked:
            ends = (edge.from_node, edge.to_node) if direction is Direction.FORWARD else (edge.to_node, edge.from_node)
            if ends[0] == node and ends[1] not in found:
                found.add(ends[1])
                waiting.append(ends[1])
    return found


def test_an_issue_without_a_lot_stands_in_the_trace_as_unknown(act: Act) -> None:
    order, revision = make_work_order(act), make_revision(act)
    consume(act, None, D(1), work_order_id=order.id, event=event())
    source = Source(LotSource.WORK_ORDER, (order.record_type, order.id))
    serial = make_lot(act, revision, D(1), number="SN-1", source=source, status=LotStatus.AVAILABLE)
    found = trace(act.session, serial, Direction.BACKWARD)
    assert [node.kind for node in found.nodes] == [NodeKind.LOT, NodeKind.WORK_ORDER, NodeKind.UNKNOWN]


def test_provenance_tells_the_approval_as_it_stood_on_the_day_of_the_receipt(
    installation: Installation, clock: SettableClock
) -> None:
    with installation.acting("user:quinn") as act:
        make_site(act)
        make_cast(act)
        order = make_order_to_receive(act)
        approval = make_approval(act, order.supplier, "MACHINED")
        receipt = make_receipt(act, order.lines[0])
        source = Source(LotSource.RECEIPT, ("receipt", receipt.id))
        lot = make_lot(act, make_revision(act), D(10), number="HEAT-1", source=source, status=LotStatus.AVAILABLE)
    clock.advance(days=5)
    with installation.acting("user:quinn") as act:
        move(act, act.session.get_one(type(approval), approval.id), ApprovalStatus.SUSPENDED, reason="Audit finding")
    with installation.reading() as session:
        (row,) = provenance(session, session.get_one(Lot, lot.id))
        assert (row.order_revision, row.supplier and row.supplier.id) == (receipt.order_revision, order.supplier_id)
        (then,) = row.approvals
        assert (then.status, then.is_valid, row.was_approved) == (ApprovalStatus.APPROVED, True, True)
        assert then.approval.status is ApprovalStatus.SUSPENDED


def test_provenance_says_when_nobody_had_approved_the_supplier(act: Act) -> None:
    (row,) = provenance(act.session, heat_of(act))
    assert not row.was_approved
    assert "COMMODITY" in row.uncovered


def test_transformation_tells_who_did_what_with_which_machine_and_instruction(act: Act) -> None:
    heat, order = heat_of(act), make_work_order(act, number="WO-7001")
    consume(act, heat, D(10), work_order_id=order.id, event=event())
    source = Source(LotSource.WORK_ORDER, (order.record_type, order.id))
    serial = make_lot(
        act, make_revision(act), D(1), number="0007", source=source, is_serial=True, status=LotStatus.AVAILABLE
    )
    mill, otto = make_resource(act, "MILL-3"), make_person(act)
    operation = order.operations[1]
    told = {"operation_id": operation.id, "performer_id": otto.id, "resource_id": mill.id}
    make_actual(act, order, event_time=act.now - dt.timedelta(hours=2), **told)
    make_actual(
        act, order, kind="PROCESS", name="Hardness", value=D("38.5"), unit="HRC", lower=D(36), upper=D(38), **told
    )
    rows = transformation(act.session, serial)
    assert [row.operation.op_no for row in rows] == [10, 20, 30, 40]
    milled = rows[1]
    assert (milled.people, milled.equipment) == (("Otto Brandt (B-1007)",), ("Milling machine (MILL-3)",))
    assert (milled.operation.instruction, milled.operation.instruction_rev) == ("WI-20", "3")
    assert milled.started_at == act.now - dt.timedelta(hours=2)
    assert [(each.name, each.limits, each.is_in_limits) for each in milled.measured] == [
        ("Hardness", "36 to 38", False)
    ]
