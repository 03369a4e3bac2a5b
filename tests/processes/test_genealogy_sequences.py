"""Whatever is taken, transformed and reversed in whatever order: no lot is negative, no circle closes, two never take one piece."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Conflict, Refused
from processes.genealogy import Event, Source, consume, make_lot, reverse, transform, withdraw
from processes.genealogy_trace import is_reachable
from records.lot import EdgeKind, GenealogyEdge, Lot, LotSource, LotStatus, quantity_taken
from tests.clock import SettableClock
from tests.conftest import opened, wired
from tests.databases import Databases
from tests.makers import D, make_cast, make_id, make_revision, make_site, make_stock

ORDERS = [make_id() for _ in range(2)]
number = st.integers(0, 5)
STEP = st.tuples(
    st.sampled_from(["consume", "transform", "withdraw", "make", "reverse"]), number, number, st.integers(1, 7)
)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def shared(request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory):
    """Yield one house for all examples: each makes lots of its own."""
    folder: Path = tmp_path_factory.mktemp("lots")
    with opened(databases, request.param) as engine, wired(engine, SettableClock(), folder) as house:
        with house.acting("user:quinn") as act:
            make_site(act)
            make_cast(act)
        yield house


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(STEP, max_size=14))
def test_no_sequence_makes_a_lot_negative_or_closes_a_circle(
    shared: Installation, steps: list[tuple[str, int, int, int]]
) -> None:
    with shared.acting("user:quinn") as act:
        revision = make_revision(act)
        orders = [make_id() for _ in ORDERS]
        lots = [make_stock(act, revision=revision) for _ in range(3)]
        edges: list[GenealogyEdge] = []
        for verb, first, second, quantity in steps:
            try:
                with act.attempt():
                    _step(act, verb, lots, edges, orders, first, second, quantity)
            except Refused:
                continue
        for lot in lots:
            act.session.refresh(lot)
            assert 0 <= lot.quantity_left == lot.quantity - quantity_taken(act.session, lot)
            assert (lot.status is LotStatus.CONSUMED) == (lot.quantity_left == 0)
        for node in [*(lot.id for lot in lots), *orders]:
            standing = act.session.scalars(select(GenealogyEdge).where(GenealogyEdge.from_node == node))
            reversed_ids = set(act.session.scalars(select(GenealogyEdge.reverses_id)))
            for edge in standing:
                if edge.to_node and edge.reverses_id is None and edge.id not in reversed_ids:
                    assert not is_reachable(act.session, edge.to_node, node)


def _step(
    act: Act,
    verb: str,
    lots: list[Lot],
    edges: list[GenealogyEdge],
    orders: list[str],
    first: int,
    second: int,
    quantity: int,
) -> None:
    lot, other, order = lots[first % len(lots)], lots[second % len(lots)], orders[second % len(orders)]
    event = Event(make_id())
    if verb == "consume":
        edges.append(consume(act, lot, D(quantity), work_order_id=order, event=event))
    elif verb == "transform":
        edges.append(transform(act, lot, other, quantity=D(quantity), event=event, work_order_id=order))
    elif verb == "withdraw":
        edges.append(withdraw(act, lot, D(quantity), reason="Scrap", event=event))
    elif verb == "make":
        source = Source(LotSource.WORK_ORDER, ("work_order", order))
        lots.append(
            make_lot(act, lot.part_revision, D(quantity), number=make_id(), source=source, status=LotStatus.AVAILABLE)
        )
    elif edges:
        reverse(act, edges[first % len(edges)], reason="Random", event=event)


def test_of_many_who_want_the_last_pieces_only_as_many_get_them(shared: Installation) -> None:
    with shared.acting("user:quinn") as act:
        lot, order = make_stock(act, quantity=D(3)), make_id()
    answers: list[str] = []

    def take(turn: int) -> None:
        try:
            with shared.acting("user:quinn") as act:
                consume(
                    act, act.session.get_one(Lot, lot.id), D(1), work_order_id=order, event=Event(f"{order}-{turn}")
                )
            answers.append("taken")
        except Conflict as refusal:
            answers.append(refusal.code)
        except Refused as refusal:
            answers.append(refusal.code)

    threads = [threading.Thread(target=take, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with shared.reading() as session:
        stored = session.get_one(Lot, lot.id)
        taken = session.scalars(select(GenealogyEdge).where(GenealogyEdge.parent_id == lot.id)).all()
    assert (answers.count("taken"), stored.quantity_left, len(taken)) == (3, D(0), 3)
    assert set(answers) <= {"taken", "NOT_ENOUGH", "CON-16", "STALE_VERSION"}


def test_one_event_that_two_systems_deliver_at_once_counts_once(shared: Installation) -> None:
    with shared.acting("user:quinn") as act:
        lot, order = make_stock(act, quantity=D(3)), make_id()
    met = threading.Barrier(2)
    answers: list[str] = []

    def deliver(system: str) -> None:
        met.wait()
        try:
            with shared.acting(f"adapter:{system}") as act:
                event = Event(f"issue-{order}", system=system.upper())
                consume(act, act.session.get_one(Lot, lot.id), D(1), work_order_id=order, event=event)
            answers.append("known")
        except Refused as refusal:
            answers.append(refusal.code)

    threads = [threading.Thread(target=deliver, args=(system,)) for system in ("mes", "erp")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with shared.reading() as session:
        edges = session.scalars(select(GenealogyEdge).where(GenealogyEdge.parent_id == lot.id)).all()
        assert [edge.kind for edge in edges] == [EdgeKind.CONSUMED]
        assert session.get_one(Lot, lot.id).quantity_left == D(2)
    assert answers == ["known", "known"]
