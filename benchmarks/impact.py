"""Time the impact of a part that thousands of open rows use.

    python -m benchmarks.impact [--rows 10000] [--rounds 5] [--sqlite] [--postgresql]

Half the rows are order lines, a quarter work orders of two operations (every second one begun), a quarter lots. Both databases are as
durable as they are by default; rows are loaded with the guard away and statistics taken once; the collector spares what is
loaded, as in the server. Timed are the queries alone, and ``compute`` with the rows kept, their hash and the commit; every figure is the
median and the slowest in milliseconds.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from benchmarks.arguments import kinds, parser_of
from benchmarks.durable_postgres import durable_postgres
from engine.act import Act, Installation
from engine.database import new_id
from migrations import migrate
from processes import change_orders, impact
from processes.impact_query import find
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.change_request import OrderClass
from records.part import RevisionStatus
from records.work_order import OperationStatus
from rules.guarded import table_of
from rules.triggers import without_guard
from tests import makers
from tests.clock import SettableClock
from tests.conftest import folders_under
from tests.story import open_plant
from webapp.cli.serving import spare_what_stays
from webapp.wiring import wire


def main() -> None:
    """Load one plant and time the impact of its part."""
    parser = parser_of(__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    for kind in kinds(given):
        measure(kind, given.rows, given.rounds)


def measure(kind: str, rows: int, rounds: int) -> None:
    """Print what the impact takes on one kind of database."""
    with _house(kind) as house:
        change = _load(house, rows)
        spare_what_stays()
        asked, kept = [], []
        for _ in range(rounds):
            with house.reading() as session:
                order = session.get_one(ChangeOrder, change)
                began = time.perf_counter()
                found, _ = find(session, order)
                asked.append(time.perf_counter() - began)
            began = time.perf_counter()
            with house.acting("user:ella") as act:
                impact.compute(act, act.session.get_one(ChangeOrder, change))
            kept.append(time.perf_counter() - began)
        print(f"{len(found):,} rows on {kind}; load of the machine {os.getloadavg()[0]:.1f}")
        for name, spent in (("asked", asked), ("computed and kept", kept)):
            print(f"{name:17} {statistics.median(spent) * 1000:8.0f} ms, at most {max(spent) * 1000:.0f} ms")


@contextmanager
def _house(kind: str) -> Iterator[Installation]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'plant.db'}" if kind == "sqlite" else stack.enter_context(durable_postgres())
        migrate(url)
        house = wire(url, settings=folders_under(folder), clock=SettableClock())
        open_plant(house)
        yield house
        house.database.dispose()


def _load(house: Installation, rows: int) -> str:
    with house.acting("user:ella") as act:
        part = makers.make_part(act, "P-9999")
        before = makers.make_revision(act, part, "B")
        after = makers.make_revision(act, part, "C", status=RevisionStatus.DRAFT, origin="LOCKSTEP", released_at=None)
        order = makers.make_order(act, (before, 5, "4.00"))
        work = makers.make_work_order(
            act, before, operations=tuple({"op_no": no, "description": "Mill"} for no in (10, 20))
        )
        lot = makers.make_stock(act, "LOT-0", before)
        change = change_orders.open_order(act, change_class=OrderClass.C4, title="Wider slot", reason="It binds")
        change_orders.add_item(act, change, before, after)
        change_orders.take_baseline(act, change)
        move(act, change, ChangeOrderStatus.IMPACT)
        act.session.flush()
        copies = [(order.lines[0], rows // 2, {}), (lot, rows // 4, {})]
        tables = [(one, count, _like(act, one)) for one, count, _ in copies]
        worked, steps = _like(act, work), [_like(act, one) for one in work.operations]
        change_id = change.id
    with house.database.begin() as connection, without_guard(connection):
        for one, count, row in tables:
            copies_of = [row | {"id": new_id()} | _numbered(row, number) for number in range(2, count + 2)]
            connection.execute(insert(table_of(type(one))), copies_of)
        orders, operations = [], []
        for number in range(rows // 4):
            mine = worked | {"id": new_id(), "number": f"WO-{number + 90000}", "native_id": f"WO-{number + 90000}"}
            orders.append(mine)
            begun = {"status": OperationStatus.STARTED, "quantity_in": 10, "good": 4} if number % 2 else {}
            operations.append(steps[0] | {"id": new_id(), "work_order_id": mine["id"]} | begun)
            operations.append(steps[1] | {"id": new_id(), "work_order_id": mine["id"]})
        connection.execute(insert(table_of(type(work))), orders)
        connection.execute(insert(table_of(type(work.operations[0]))), operations)
    with house.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return change_id


def _like(_act: Act, one: Any) -> dict[str, Any]:
    return {column.key: getattr(one, column.key) for column in table_of(type(one)).columns}


def _numbered(row: dict[str, Any], number: int) -> dict[str, Any]:
    return {"line_no": number} if "line_no" in row else {"number": f"LOT-{number}"}


if __name__ == "__main__":
    main()
