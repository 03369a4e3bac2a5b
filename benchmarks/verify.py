"""Time ``lockstep verify`` on a chain of a million events against merely reading them.

    python -m benchmarks.verify [--events 1000000] [--rounds 3] [--sqlite] [--postgresql]

Half of the events are edits of parts, twenty each, which are compared field by field with what is stored; the others are moves of
chains of ten, which belong to no record. One checkpoint covers them all. Reading means that the driver hands over every row in the
order of the chains, as text and in the quickest way, and nothing is done with it. Rounds of both are interleaved; figures are medians
of seconds on the clock and of processor time of this process, and the ratio is what carries over to another machine.
"""

from __future__ import annotations

import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, text

from benchmarks.arguments import kinds, parser_of
from benchmarks.durable_postgres import durable_postgres
from engine import checkpoint_check, checkpoints, verification
from engine.act import Installation
from engine.audit import GENESIS, AuditEvent, row_hash
from engine.canonical import canonical
from engine.chain_reading import read_rows
from engine.checkpoint_check import Trust
from engine.checkpoint_key import make_key
from engine.database import new_id
from migrations import migrate
from records.part import Part
from rules.guarded import table_of
from rules.triggers import without_guard
from tests.makers import make_site
from webapp.wiring import wire

STARTED = dt.datetime(2026, 1, 5, 8, 0, tzinfo=dt.UTC)
FEW = 20_000
"""Rows that are written at a time."""

Row = dict[str, Any]
Timed = tuple[float, float]


def fill(connection: Connection, events: int) -> None:
    """Write so many events, with the parts that half of them are about, past the guard."""
    waiting: list[Row] = []
    parts: list[Row] = []
    written = 0
    while written < events:
        is_part = len(parts) * 20 <= written / 2
        chain = part_chain(len(parts), parts) if is_part else moves()
        written += len(chain)
        waiting += chain
        if len(waiting) >= FEW:
            connection.execute(insert(AuditEvent), waiting)
            waiting.clear()
    if waiting:
        connection.execute(insert(AuditEvent), waiting)
    for at in range(0, len(parts), FEW):
        connection.execute(insert(table_of(Part)), parts[at : at + FEW])


def part_chain(number: int, parts: list[Row]) -> list[Row]:
    """Add a part and return its chain: the fields it was made with, then changes of its description."""
    born = {
        "created_at": STARTED,
        "created_by": "user:ella",
        "changed_at": STARTED,
        "changed_by": "user:ella",
        "version": 8,
    }
    part: Row = {
        "id": new_id(), "part_no": f"P-{number:06d}", "name": f"Bracket {number}", "description": "", "type": "BUY",
        "base_uom": "EA", "commodity": "MACHINED", "criticality": "STD", "lot_control": "LOT", "shelf_life_days": None,
        "export_class": None, "process_code": None, "is_customer_owned": False, "is_active": True, "origin": "LOCKSTEP",
    }  # fmt: skip
    made = [(name, None, canonical(value)) for name, value in part.items() if name != "id" and value is not None]
    texts = [
        canonical(part["description"]),
        *(f"Milled from bar, drawing {number} issue {issue}" for issue in range(8)),
    ]
    changes = list(zip(["description"] * 8, texts, texts[1:], strict=False))
    part["description"] = texts[-1]
    parts.append(part | born)
    edits = [("INSERT", *one) for one in made] + [("UPDATE", *one) for one in changes]
    return chained("part", part["id"], edits)


def moves() -> list[Row]:
    """Return a chain that belongs to no record."""
    steps = [("TASK_OPENED", "approve", None, f"Approve a request of {step} pieces") for step in range(10)]
    return chained("probe", new_id(), steps)


def chained(record_type: str, record_id: str, edits: list[tuple[Any, ...]]) -> list[Row]:
    """Return the rows of a chain whose hashes hold."""
    rows, previous = [], GENESIS
    for seq, (action, field, old, new) in enumerate(edits, start=1):
        row: Row = {
            "id": new_id(), "record_type": record_type, "record_id": record_id, "seq": seq, "action": action, "field": field,
            "old": old, "new": new, "actor": "user:ella", "actor_kind": "USER", "on_behalf_of": None,
            "reason": "as the drawing says", "act_id": new_id(), "instance_id": None, "task_id": None,
            "at": STARTED + dt.timedelta(minutes=seq), "prev_hash": previous,
        }  # fmt: skip
        row["hash"] = previous = row_hash(row)
        rows.append(row)
    return rows


def read(house: Installation) -> int:
    """Let the driver hand over every row as verifying asks for it, and do nothing with it; return how many."""
    with house.reading() as session:
        return sum(1 for _ in read_rows(session))


def verify(house: Installation) -> int:
    """Verify everything as the command does; return how many chains were looked at."""
    with house.reading() as session:
        told: list[int] = []
        broken = list(verification.verify(session, tell=told.append))
        broken += checkpoint_check.check(session, Trust({}, {}))
        assert broken == [], broken[:3]
        return sum(told)


def timed(work: Callable[[Installation], int], house: Installation) -> Timed:
    """Return seconds on the clock and of processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    work(house)
    return time.perf_counter() - clock, time.process_time() - processor


def measure(url: str, events: int, rounds: int, folder: Path) -> Iterator[str]:
    """Fill a database, and yield a line of figures."""
    migrate(url)
    house = wire(url)
    with house.acting("system:benchmark") as act:
        make_site(act)
    with house.database.execution_options(writes=True).begin() as connection, without_guard(connection):
        fill(connection, events)
    with house.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    with house.acting("system:benchmark") as act:
        key = make_key(folder / "keys")
        checkpoints.know(act, key)
        made = checkpoints.make(act, key, whole=True)
        assert made is not None
    with house.acting("system:benchmark") as act:
        checkpoints.make(act, key)
    reads, verifies = [], []
    for _ in range(rounds):
        reads.append(timed(read, house))
        verifies.append(timed(verify, house))
    (read_clock, read_processor), (clock, processor) = (
        tuple(statistics.median(one[part] for one in found) for part in (0, 1)) for found in (reads, verifies)
    )
    count = read(house)
    yield (
        f"{house.database.dialect.name:10} {count:>9,} events, {made.leaves:,} chains: read {read_clock:.1f} s ({read_processor:.1f}), "
        f"verify {clock:.1f} s ({processor:.1f}), ratio {clock / read_clock:.1f} on the clock, {processor / read_processor:.1f} of "
        "processor time"
    )
    house.database.dispose()


def main() -> None:
    """Print the figures of the databases that were asked for, or of both."""
    parser = parser_of(__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lockstep-benchmark-")))
        if "sqlite" in kinds(asked):
            for line in measure(f"sqlite:///{folder / 'verify.db'}", asked.events, asked.rounds, folder):
                print(line, flush=True)
        if "postgresql" in kinds(asked):
            for line in measure(stack.enter_context(durable_postgres()), asked.events, asked.rounds, folder):
                print(line, flush=True)


if __name__ == "__main__":
    main()
