"""Time the genealogy of a plant that has worked for years: traces both ways, the two reports, and the page of the graph.

    python -m benchmarks.trace [--rounds 10] [--edges 1000000] [--sqlite] [--postgresql]

On each database one plant of 10,000 edges and one of ``--edges``: bars go into parts, parts and bars into modules, modules
into assemblies, each through work orders; one heat in a thousand is used everywhere. Asked are lots that every plant has: a
usual heat forward, an assembly backward, both reports of it, the widest heat, and the page over HTTP without a network
(Flask's test client). Rounds of both sizes interleaved; every figure is the median in milliseconds, the ratio says how an
answer grows with the size of the table. Rows are loaded with the guard away, statistics taken once, nothing else is warmed.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text

from benchmarks.arguments import kinds, parser_of
from benchmarks.durable_postgres import durable_postgres
from engine.act import Installation
from engine.database import new_id
from migrations import migrate
from processes.genealogy_reports import provenance, transformation
from processes.genealogy_trace import Direction, Trace, trace
from records.lot import EdgeKind, GenealogyEdge, Lot, LotSource, LotStatus
from records.work_order import WorkOrder, WorkOrderOperation
from rules.guarded import table_of
from rules.triggers import without_guard
from tests.clock import SettableClock
from tests.conftest import folders_under
from tests.makers import D, make_receipt, make_revision, make_stock, make_work_order
from tests.people import quinn
from tests.story import open_plant
from tests.webapp.browser import Browser
from webapp.app import create_app
from webapp.wiring import wire

SMALL = 10_000
STAGES = (("PART", 3, 2), ("MODULE", 10, 10), ("ASSEMBLY", 10, 10))
"""What is made, how many lots a work order takes, and how many it makes."""
WIDE = 1000
"""One lot in so many is used by every hundredth work order."""

Row = dict[str, Any]


@dataclass
class Plant:
    """One plant to ask. samples: lots by what they are asked for."""

    house: Installation
    browser: Browser
    samples: dict[str, list[str]]
    edges: int


class Loader:
    """Writes rows past the ORM: COPY on PostgreSQL, executemany on SQLite."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.waiting: dict[Table, list[Row]] = {}

    def add(self, table: Table, row: Row) -> None:
        """Queue a row."""
        rows = self.waiting.setdefault(table, [])
        rows.append(row)

    def write(self) -> None:
        """Write what waits, lots before what refers to them."""
        for table in (table_of(WorkOrder), table_of(WorkOrderOperation), table_of(Lot), table_of(GenealogyEdge)):
            rows = self.waiting.pop(table, [])
            if rows and self.connection.dialect.name == "postgresql":
                columns = list(rows[0])
                cursor = self.connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
                with cursor.copy(f"COPY {table.name} ({', '.join(columns)}) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row([row[name] for name in columns])
            elif rows:
                self.connection.execute(insert(table), rows)


def grow(connection: Connection, templates: dict[Table, Row], *, edges: int) -> dict[str, list[str]]:
    """Fill a plant with that many edges and return lots to ask for."""
    rolls, loader = random.Random(7781), Loader(connection)
    lots, made_by, uses = table_of(Lot), table_of(WorkOrder), table_of(GenealogyEdge)
    steps = table_of(WorkOrderOperation)
    per_round = sum(taken + made for _, taken, made in STAGES)
    rounds = max(1, edges // per_round)
    stock: dict[str, list[str]] = {"BAR": [], **{name: [] for name, _, _ in STAGES}}
    for turn in range(rounds * 2):
        stock["BAR"].append(_lot(loader, lots, templates, f"HEAT-{turn:07d}", LotSource.RECEIPT))
    wide, turn_of = stock["BAR"][:: WIDE * 2] or stock["BAR"][:1], 0
    for turn in range(rounds):
        for position, (name, taken, made) in enumerate(STAGES):
            turn_of += 1
            order = new_id()
            loader.add(
                made_by,
                templates[made_by] | {"id": order, "number": f"WO-{turn_of:07d}", "native_id": f"WO-{turn_of:07d}"},
            )
            loader.add(steps, templates[steps] | {"id": new_id(), "work_order_id": order})
            below = stock["BAR"] if position == 0 else stock[STAGES[position - 1][0]]
            recent = below[-200:] if position else below
            chosen = rolls.sample(recent, min(taken, len(recent)))
            if position == 1:
                chosen[-4:] = rolls.sample(stock["BAR"], min(4, len(chosen)))
            if turn % 100 == 0 and position == 0:
                chosen = [rolls.choice(wide), *chosen[1:]]
            for lot in dict.fromkeys(chosen):
                _edge(
                    loader,
                    uses,
                    templates,
                    kind=EdgeKind.CONSUMED,
                    parent_id=lot,
                    from_node=lot,
                    to_node=order,
                    order=order,
                )
            for piece in range(made):
                lot = _lot(loader, lots, templates, f"{name}-{turn:07d}-{piece}", LotSource.WORK_ORDER, order)
                _edge(
                    loader, uses, templates, kind=EdgeKind.MADE, child_id=lot, from_node=order, to_node=lot, order=order
                )
                stock[name].append(lot)
        if turn % 2000 == 0:
            loader.write()
    loader.write()
    middle = {name: rolls.sample(found[len(found) // 3 :], 10) for name, found in stock.items()}
    return {"BAR": middle["BAR"], "PART": middle["PART"], "ASSEMBLY": middle["ASSEMBLY"], "WIDE": wide[:1]}


def _lot(
    loader: Loader, table: Table, templates: dict[Table, Row], number: str, source: LotSource, order: str | None = None
) -> str:
    lot_id = new_id()
    came = {"source": source.value}
    if order is not None:
        came |= {"source_type": "work_order", "source_id": order}
    loader.add(table, templates[table] | {"id": lot_id, "number": number, "heat": number[:12]} | came)
    return lot_id


def _edge(
    loader: Loader, table: Table, templates: dict[Table, Row], *, kind: EdgeKind, order: str, **ends: str
) -> None:
    edge_id = new_id()
    nothing = {"parent_id": None, "child_id": None}
    row = {"id": edge_id, "event_id": edge_id, "kind": kind.value, "work_order_id": order}
    loader.add(table, templates[table] | nothing | row | ends)


@contextmanager
def plant_of(url: str, folder: Path, *, edges: int) -> Iterator[Plant]:
    """Yield a plant with about that many edges."""
    begun = time.perf_counter()
    migrate(url)
    house = wire(url, settings=folders_under(folder), clock=SettableClock())
    open_plant(house)
    with house.acting("user:quinn") as act:
        receipt = make_receipt(act)
        lot = make_stock(
            act, revision=make_revision(act), source=LotSource.RECEIPT, source_type="receipt", source_id=receipt.id,
            quantity=D(100_000), status=LotStatus.AVAILABLE,
        )  # fmt: skip
        order = make_work_order(act)
        edge = GenealogyEdge(
            kind=EdgeKind.CONSUMED, parent_id=lot.id, from_node=lot.id, work_order_id=order.id, to_node=order.id, quantity=D(1),
            uom="EA", event_id="template", happened_at=act.now,
        )  # fmt: skip
        act.session.add(edge)
    with house.database.execution_options(writes=True).begin() as connection, without_guard(connection):
        templates = {
            table_of(type(one)): _row(connection, table_of(type(one)), one.id)
            for one in (lot, order, order.operations[0], edge)
        }
        samples = grow(connection, templates, edges=edges)
    with house.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    with house.reading() as session:
        count = session.scalar(select(func.count()).select_from(GenealogyEdge)) or 0
    print(f"  {count:,} edges in {time.perf_counter() - begun:.0f} s", flush=True)
    browser = Browser(create_app(house, secret_key="benchmark")).sign_in(quinn)
    yield Plant(house, browser, samples, count)
    house.database.dispose()


def _row(connection: Connection, table: Table, row_id: str) -> Row:
    return dict(connection.execute(select(table).where(table.columns["id"] == row_id)).one()._mapping)


def _tracing(direction: Direction) -> Callable[[Plant, str], int]:
    def ask(plant: Plant, lot_id: str) -> int:
        with plant.house.reading() as session:
            found: Trace = trace(session, session.get_one(Lot, lot_id), direction)
            return len(found.nodes)

    return ask


def _bought(plant: Plant, lot_id: str) -> int:
    with plant.house.reading() as session:
        return len(provenance(session, session.get_one(Lot, lot_id)))


def _made(plant: Plant, lot_id: str) -> int:
    with plant.house.reading() as session:
        return len(transformation(session, session.get_one(Lot, lot_id)))


def _opened(plant: Plant, lot_id: str) -> int:
    answer = plant.browser.get(f"/lots/{lot_id}/trace")
    if answer.status_code != 200:
        raise SystemExit(f"Expected the page of a trace, but it answered {answer.status_code}")
    return len(answer.data)


QUESTIONS: tuple[tuple[str, str, Callable[[Plant, str], int]], ...] = (
    ("a heat forward", "BAR", _tracing(Direction.FORWARD)),
    ("an assembly backward", "ASSEMBLY", _tracing(Direction.BACKWARD)),
    ("the widest heat forward", "WIDE", _tracing(Direction.FORWARD)),
    ("provenance", "ASSEMBLY", _bought),
    ("transformation", "ASSEMBLY", _made),
    ("page of the graph", "PART", _opened),
)


def measure(plants: list[Plant], rounds: int) -> None:
    """Print a row for each question: the medians of both sizes, the slowest at the larger, the ratio and what was found."""
    heads = [f"{plant.edges:,}" for plant in plants]
    print(f"{'':26}{heads[0]:>12}{heads[1]:>12}{'slowest':>10}{'ratio':>8}{'found':>9}")
    for name, kind, ask in QUESTIONS:
        spent: list[list[float]] = [[] for _ in plants]
        found = 0
        for turn in range(rounds):
            for position, plant in enumerate(plants):
                sample = plant.samples[kind]
                begun = time.perf_counter()
                found = ask(plant, sample[turn % len(sample)])
                spent[position].append(1000 * (time.perf_counter() - begun))
        small, large = (statistics.median(times) for times in spent)
        print(f"{name:26}{small:12.1f}{large:12.1f}{max(spent[1]):10.1f}{large / small:8.2f}{found:9,}", flush=True)


def main() -> None:
    """Measure what the arguments ask for."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--edges", type=int, default=1_000_000)
    given = parser.parse_args()
    sizes = (SMALL, given.edges)
    with tempfile.TemporaryDirectory(prefix="lockstep-trace-") as name:
        folder = Path(name)
        if "sqlite" in kinds(given):
            print("\nSQLite, ms an answer", flush=True)
            with ExitStack() as stack:
                urls = [f"sqlite:///{folder}/{edges}.db" for edges in sizes]
                measure(
                    [
                        stack.enter_context(plant_of(url, folder / str(edges), edges=edges))
                        for url, edges in zip(urls, sizes, strict=True)
                    ],
                    given.rounds,
                )
        if "postgresql" in kinds(given):
            print("\nPostgreSQL, ms an answer", flush=True)
            with ExitStack() as stack:
                plants = []
                for edges in sizes:
                    url = stack.enter_context(durable_postgres())
                    plants.append(stack.enter_context(plant_of(url, folder / f"pg{edges}", edges=edges)))
                measure(plants, given.rounds)


if __name__ == "__main__":
    main()
