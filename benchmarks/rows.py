"""What the rows of a completion cost by themselves: what Lockstep sends to the database, played on the driver by hand.

    python -m benchmarks.rows [--rounds 20] [--sqlite] [--postgresql] [--flows linear5 twin requisition_to_po]

Every statement that a completion sends is recorded with its values, from the real program. The same statements are played again,
straight on the driver with a commit and nothing of Lockstep or SQLAlchemy in between, on a second database of the same kind that
was brought to the same state by playing everything before. What that takes is the least that anything takes which keeps these rows.

Lockstep, naive and the bare commit are those of ``benchmarks.complete_task``; all four take turns, a round is one instance of each.
Medians over all completions in milliseconds: on the clock, and processor time of this process (a PostgreSQL server's not included).
sent: statements of a completion, and rows that they write, on average.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from sqlalchemy import Engine, event, func, make_url, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from benchmarks.arguments import kinds, parser_of
from benchmarks.complete_task import FLOWS, Floor, House, Naive, NaiveBase, Spent, databases, median, timed
from benchmarks.models import Model
from engine.audit import AuditEvent
from engine.database import Base, connect
from engine.stored.instance import Activity, Instance


@dataclass(frozen=True, slots=True)
class Sent:
    """One statement as the driver was given it, and the values of each of its rows."""

    text: str
    given: Sequence[Any]


@contextmanager
def recorded(database: Engine) -> Iterator[list[Sent]]:
    """Collect what is sent to a database while the block runs."""
    found: list[Sent] = []

    def listen(_connection: Any, _cursor: Any, statement: str, given: Any, _context: Any, is_many: bool) -> None:
        # Rows that SQLAlchemy put into one statement come as one run of values, although it calls them many.
        are_rows = is_many and not isinstance(given, dict) and isinstance(given[0], tuple | dict)
        found.append(Sent(statement, given if are_rows else [given]))

    event.listen(database, "before_cursor_execute", listen)
    try:
        yield found
    finally:
        event.remove(database, "before_cursor_execute", listen)


def play(connection: DBAPIConnection, sent: Sequence[Sent]) -> None:
    """Send the statements of one transaction as they were sent before, and commit."""
    cursor = connection.cursor()
    for one in sent:
        if len(one.given) == 1:
            cursor.execute(one.text, one.given[0])
        else:
            cursor.executemany(one.text, one.given)
        if cursor.description:
            cursor.fetchall()
    connection.commit()


class Rows:
    """A house that is recorded, and a database of the same kind on which what it sends is played again."""

    def __init__(self, database: Engine, twin: Engine, model: Model) -> None:
        self.database, self.twin, self.model = database, twin, model
        self._held = twin.raw_connection()
        self.connection = cast("DBAPIConnection", self._held.dbapi_connection)
        with recorded(database) as sent:
            self.house = House(database, model)
        play(self.connection, sent)

    def prepare(self) -> tuple[str, list[list[Sent]]]:
        """Let one instance run from its start to its end; return its id and what each completion sent. The start is played."""
        with recorded(self.database) as sent:
            instance_id = self.house.start()
        play(self.connection, sent)
        completions: list[list[Sent]] = []
        for _ in range(self.model.completions):
            task = self.house.waiting(instance_id)
            with recorded(self.database) as sent:
                self.house.complete(task)
            completions.append(sent)
        return instance_id, completions

    def check(self, instance_id: str) -> None:
        """Refuse to measure what was not played whole. Raises: RuntimeError."""
        asked = [
            select(Instance.status, Instance.version, Instance.audit_hash).where(Instance.id == instance_id),
            select(func.count()).select_from(Activity).where(Activity.instance_id == instance_id),
            select(func.count()).select_from(AuditEvent).where(AuditEvent.instance_id == instance_id),
        ]
        with self.database.connect() as one, self.twin.connect() as other:
            if [one.execute(query).all() for query in asked] != [other.execute(query).all() for query in asked]:
                raise RuntimeError(f"Expected {self.model.name} to be played whole, but the databases differ")


def compare(database: Engine, twin: Engine, model: Model, rounds: int) -> tuple[dict[str, Spent], float, float]:
    """Return the medians of each way, and how many statements and rows a completion sends; the first round only warms up."""
    rows, naive, floor = Rows(database, twin, model), Naive(database, model), Floor(database)
    spent: dict[str, list[Spent]] = {}
    completions: list[list[Sent]] = []
    for turn in range(rounds + 1):
        if turn < 2:
            spent = {"lockstep": [], "rows": [], "naive": [], "floor": []}
        # First of all: what the house makes once and remembers, such as a set of candidates, must be played, too.
        played, completions = rows.prepare()
        ours, theirs = rows.house.start(), naive.start()
        for _ in range(model.completions):
            task = rows.house.waiting(ours)
            spent["lockstep"].append(timed(partial(rows.house.complete, task)))
        for sent in completions:
            spent["rows"].append(timed(partial(play, rows.connection, sent)))
        for _ in range(model.completions):
            spent["naive"].append(timed(partial(naive.complete, theirs)))
        for _ in range(model.completions):
            spent["floor"].append(timed(floor.commit))
        rows.check(played)
    statements = statistics.mean(len(sent) for sent in completions)
    written = statistics.mean(sum(map(_written, sent)) for sent in completions)
    return {name: median(values) for name, values in spent.items()}, statements, written


def _written(sent: Sent) -> int:
    return len(sent.given) if sent.text.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "WITH")) else 0


def tell(name: str, found: dict[str, Spent], statements: float, written: float) -> None:
    """Print one comparison as a row of a table."""
    ours, rows, naive, floor = (found[way] for way in ("lockstep", "rows", "naive", "floor"))
    shown = " | ".join(f"{one.clock:.2f} ({one.processor:.2f})" for one in (ours, rows, naive, floor))
    ratios = " | ".join(_ratio(*pair) for pair in ((naive, ours), (naive, rows), (ours, rows), (rows, floor)))
    print(f"| {name} | {statements:.1f}, {written:.1f} | {shown} | {ratios} |", flush=True)


def _ratio(one: Spent, other: Spent) -> str:
    return f"{one.clock / other.clock:.1f}× ({one.processor / other.processor:.1f}×)"


def twin_of(url: str) -> str:
    """Make an empty database beside one, and return its URL."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        return f"{url}.twin"
    database = connect(url)
    with database.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("CREATE DATABASE twin"))
    database.dispose()
    return address.set(database="twin").render_as_string(hide_password=False)


def main() -> None:
    """Run the comparison and print it."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--flows", nargs="*", choices=[*FLOWS], default=[*FLOWS])
    chosen = parser.parse_args()
    with databases(kinds(chosen)) as urls:
        for name, url in urls.items():
            database, twin = connect(url), connect(twin_of(url))
            NaiveBase.metadata.create_all(database)
            for one in (database, twin):
                Base.metadata.create_all(one)
            print(f"\n{name}: ms a completion (processor time), load {os.getloadavg()[0]:.1f}\n")
            print(
                "| | statements, rows | Lockstep | its rows by hand | naive | bare commit | naive / Lockstep | naive / rows"
                " | Lockstep / rows | rows / commit |\n|---|---|---|---|---|---|---|---|---|---|"
            )
            for flow in chosen.flows:
                tell(flow, *compare(database, twin, FLOWS[flow](), chosen.rounds))
            print(f"\nload at the end {os.getloadavg()[0]:.1f}", flush=True)
            database.dispose()
            twin.dispose()


if __name__ == "__main__":
    main()
