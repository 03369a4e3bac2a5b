"""Time whole pages of an approver while 100,000 tasks are open: the inbox and the review of one of its tasks.

    python -m benchmarks.pages [--tasks 100000] [--rounds 40] [--sqlite] [--postgresql] [--keep FOLDER]

On each database 1,000 and 100,000 open tasks in 500 groups and 2,000 sets, each of an instance and about a requisition of its own; the
reader is in 20 groups. Whole pages over HTTP without a network (Flask's test client), rounds of both sizes interleaved; milliseconds
on the clock, median and ninth of ten; the processor time of this program (without a server's); the machine's load. The aim is 100 ms.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from benchmarks.arguments import kinds, parser_of
from benchmarks.inbox_at_scale import READER, database_of, plant_of
from engine.stored.instance import InstanceRecord
from engine.stored.task import Task, TaskCandidate
from records.demo_people import Member
from records.password import set_password
from records.person import User
from records.requisition import Requisition, RequisitionLine
from tests.people import PASSWORD
from tests.webapp.browser import Browser
from webapp.app import create_app
from webapp.cli.serving import spare_what_stays

QUENTIN = Member(READER, "Quentin Crowd", "reader of everything", ())
LINES = 8
"""Lines of the requisition that every task is about."""

PAGES = {
    "inbox": "/inbox?box=groups",
    "inbox, by amount": "/inbox?box=groups&sort=amount",
    "inbox, two orders": "/inbox?box=groups&sort=party,-amount",
    "inbox, by free text": "/inbox?box=groups&q=zzzzqq",
    "inbox, of a supplier": "/inbox?box=groups&q=supplier:S0007",
    "inbox, of one's own": "/inbox?box=mine",
    "news of the list": "/inbox/news?box=groups",
    "review": "/tasks/{task}",
    "review, changes": "/tasks/{task}?tab=changes",
    "review, route": "/tasks/{task}?tab=route",
    "review, history": "/tasks/{task}?tab=history",
    "dialog of a verdict": "/tasks/{task}/decide/approve",
}


@dataclass(frozen=True)
class Reader:
    """One reader on one plant, and the tasks they open one after the other."""

    browser: Browser
    tasks: list[str]


@contextmanager
def reader_of(url: str, folder: Path, tasks: int) -> Iterator[Reader]:
    """Yield somebody signed in on a plant with that many open tasks."""
    with plant_of(url, folder, tasks) as house:
        with house.reading() as session:
            is_there = session.get_one(User, READER).credential is not None
        if not is_there:
            with house.database.begin() as connection:
                _give_each_its_own(connection)
            with house.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE"))
            with house.acting("system:arrange") as act:
                set_password(act, act.session.get_one(User, READER), PASSWORD)
        browser = Browser(create_app(house, secret_key="benchmark")).sign_in(QUENTIN)
        with house.reading() as session:
            yield Reader(browser, _tasks_of(session))


def _give_each_its_own(connection: Connection) -> None:
    """Give the instance of every copied task its content, and a requisition with lines that it is about."""
    is_server = connection.dialect.name == "postgresql"

    def own(kind: int, column: str = "t.id", turn: str = "0") -> str:
        """Return a text of an id made of a task's: its third group says of what kind it is, its fourth which turn."""
        group = f"substr(CAST({column} AS TEXT), 1, 9) || '0000-{kind}-' || (8000 + {turn}) || substr(CAST({column} AS TEXT), 24)"
        return f"CAST({group} AS UUID)" if is_server else f"({group})"

    def copy(table: type, source: str, values: dict[str, str]) -> None:
        columns = [column.key for column in table.__table__.columns]
        chosen = ", ".join(values.get(name, f"o.{name}") for name in columns)
        connection.execute(
            text(f"INSERT INTO {table.__tablename__} ({', '.join(columns)}) SELECT {chosen} FROM {source}")
        )

    first = "(SELECT id FROM requisition ORDER BY number LIMIT 1)"
    run = "(SELECT instance_id FROM task WHERE token_id < 1000)"
    taken = ", ".join(f"{name} = (SELECT {name} FROM instance WHERE id = {run})" for name in ("state", "variables"))
    connection.execute(
        text(f"UPDATE instance SET {taken} WHERE id IN (SELECT instance_id FROM task WHERE token_id >= 1000)")
    )
    copy(
        Requisition, f"requisition AS o JOIN task AS t ON o.id = {first} AND t.token_id >= 1000",
        {"id": own(7002), "number": "t.business_key", "status": "'DRAFT'", "submitted_hash": "NULL", "submitted_at": "NULL"},
    )  # fmt: skip
    copy(
        RequisitionLine,
        f"requisition_line AS o JOIN task AS t ON o.requisition_id = {first} AND t.token_id >= 1000",
        {"id": own(7003, turn="o.line_no"), "requisition_id": own(7002)},
    )
    copy(
        InstanceRecord, f"instance_record AS o JOIN task AS t ON o.instance_id = {run} AND t.token_id >= 1000",
        {"id": own(7004), "instance_id": own(7001), "record_id": f"CAST({own(7002)} AS TEXT)"},
    )  # fmt: skip
    connection.execute(
        text(
            f"UPDATE task SET record_id = CAST({own(7002, 'id')} AS TEXT),"
            f" token_id = {connection.scalar(text('SELECT min(token_id) FROM task'))},"
            " candidates = (SELECT principals FROM candidate_set AS c WHERE c.id = task.set_id) WHERE token_id >= 1000"
        )
    )


def _tasks_of(session: Session) -> list[str]:
    """Return some tasks that the reader may decide."""
    held = select(TaskCandidate.task_id).where(TaskCandidate.principal == "role:G003").order_by(TaskCandidate.due_at)
    return list(session.scalars(select(Task.id).where(Task.id.in_(held.limit(20)))))


def measure(readers: list[Reader], rounds: int) -> None:
    """Print a row for each page: median and ninth of ten of both sizes, the ratio of the medians, processor time of this program."""
    spare_what_stays()
    for name, path in PAGES.items():
        spent: list[list[float]] = [[] for _ in readers]
        busy: list[list[float]] = [[] for _ in readers]
        for turn in range(rounds + 2):
            for position, reader in enumerate(readers):
                address = path.format(task=reader.tasks[turn % len(reader.tasks)])
                begun, worked = time.perf_counter(), time.process_time()
                answer = reader.browser.get(address)
                if turn > 1:
                    spent[position].append(1000 * (time.perf_counter() - begun))
                    busy[position].append(1000 * (time.process_time() - worked))
                if answer.status_code != 200:
                    raise SystemExit(f"Expected {address}, but it answered {answer.status_code}")
        small, large = (statistics.median(times) for times in spent)
        ninth = [statistics.quantiles(times, n=10)[-1] for times in spent]
        figures = f"{small:7.1f} | {ninth[0]:7.1f} | {statistics.median(busy[0]):7.1f}"
        figures += f" | {large:9.1f} | {ninth[1]:7.1f} | {statistics.median(busy[1]):7.1f} | {large / small:5.2f}"
        print(f"| {name:22} | {figures} |", flush=True)


def main() -> None:
    """Measure what the arguments ask for."""
    parser = parser_of(__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--keep", type=Path, help="folder in which the databases stay, to be measured again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lockstep-pages-") as name:
        folder = given.keep or Path(name)
        for kind in kinds(given):
            with ExitStack() as stack:
                readers = []
                for size in (1_000, given.tasks):
                    place = folder / f"{kind}-pages-{size}"
                    url = stack.enter_context(database_of(kind, place, is_kept=bool(given.keep)))
                    readers.append(stack.enter_context(reader_of(url, place, size)))
                print(f"\n{kind}: load {os.getloadavg()[0]:.1f}")
                titles = (
                    f"{1_000:>7,} | {'p90':>7} | {'busy':>7} | {given.tasks:>9,} | {'p90':>7} | {'busy':>7} | ratio"
                )
                print(f"| {'ms, ' + kind:22} | {titles} |\n|{'---|' * 8}", flush=True)
                measure(readers, given.rounds)
                print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
