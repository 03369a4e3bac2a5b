"""Time the lists and counts of an inbox on 1,000 and on 1,000,000 open tasks: how an answer grows with a thousand times as many.

    python -m benchmarks.inbox_at_scale [--tasks 1000000] [--rounds 15] [--sqlite] [--postgresql]

On each database 500 groups and 2,000 distinct sets of one to three of them; the reader is in 20 groups. What is asked is what the
page asks (``engine.inbox``), rounds of both sizes interleaved; medians in milliseconds. The aims are twice for a page and three times
for counts.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.orm import Session

from benchmarks.durable_postgres import durable_postgres
from engine import inbox, inbox_query
from engine.act import Act, Installation
from engine.canonical import content_hash
from engine.clock import now_of
from engine.database import new_id
from engine.stored.task import CandidateSet, CandidateSetMember, Task, TaskCandidate, TaskWord
from migrations import migrate
from tests.clock import SettableClock
from tests.conftest import folders_under
from tests.makers import make_grant, make_user
from tests.people import rita
from tests.story import Story, open_plant
from webapp.wiring import wire

GROUPS, SETS, HELD, SUPPLIERS = 500, 2_000, 20, 1_000
READER = "quentin"

QUESTIONS: dict[str, dict[str, Any]] = {
    "opens, due first": {},
    "sorts by amount": {"sort": "amount"},
    "sorts by supplier": {"sort": "party"},
    "groups by project": {"sort": "project,due"},
    "two orders, turned": {"sort": "party,-amount"},
    "supplier of 1 in 1,000": {"query": "supplier:S0007"},
    "supplier, by amount": {"query": "supplier:S0007", "sort": "amount"},
    "amount above most": {"query": "amount>999000"},
    "due within a day": {"query": "due<9d", "sort": "amount"},
    "one key": {"query": "key:REQ-0000042"},
    "free text, common": {"query": "S0"},
    "free text of nobody": {"query": "zzzzqq"},
    "two orders, mixed": {"sort": "party,amount"},
}


@contextmanager
def plant_of(url: str, folder: Path, tasks: int) -> Iterator[Installation]:
    """Yield a plant with that many open tasks."""
    migrate(url)
    clock = SettableClock()
    house = wire(url, settings=folders_under(folder), clock=clock)
    open_plant(house)
    story = Story(house, clock)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    [template] = story.tasks()

    def arrange(act: Act) -> None:
        make_user(act, READER)
        for group in range(HELD):
            make_grant(act, READER, f"G{group:03}")
        act.session.flush()
        _pour(act.session.connection(), template.id, tasks)

    story.given(arrange)
    with house.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    yield house
    house.database.dispose()


def _pour(connection: Connection, template_id: str, tasks: int) -> None:
    """Write the sets, then copies of one task and its candidates in a few statements; indexes of the candidates are built last."""
    sets, members = [], []
    for number in range(SETS):
        mine = sorted({(number * 7 + turn * 131) % GROUPS for turn in range(1 + number % 3)})
        principals = [f"role:G{group:03}" for group in mine]
        sets.append({"id": new_id(), "key": content_hash([str(number), *principals]), "principals": principals})
        members += [{"principal": one, "set_id": sets[-1]["id"]} for one in principals]
    connection.execute(insert(CandidateSet), sets)
    connection.execute(insert(CandidateSetMember), members)
    connection.execute(insert(TaskWord), [{"kind": "party", "word": f"S{turn:04} Supply"} for turn in range(SUPPLIERS)])
    connection.execute(text("CREATE TEMPORARY TABLE numbered (place INTEGER PRIMARY KEY, set_id CHAR(36))"))
    connection.execute(
        text("INSERT INTO numbered VALUES (:place, :id)"),
        [{"place": at, "id": one["id"]} for at, one in enumerate(sets)],
    )
    indexes = sorted(TaskCandidate.__table__.indexes, key=lambda index: str(index.name))
    for index in indexes:
        index.drop(connection)
    is_server = connection.dialect.name == "postgresql"
    say = _SERVER if is_server else _SQLITE
    own = {**say, "id": say["id"], "token_id": "n + 1000", "state": "'OPEN'"}
    columns = [column.key for column in Task.__table__.columns]
    values = ", ".join(own.get(name, f"t.{name}") for name in columns)
    connection.execute(
        text(
            f"INSERT INTO task ({', '.join(columns)}) SELECT {values} FROM {say['series']}"
            f" JOIN numbered ON numbered.place = n % {SETS} JOIN task t ON t.id = :template"
        ),
        {"template": template_id, "tasks": tasks},
    )
    connection.execute(
        text(
            "INSERT INTO task_candidate (principal, task_id, due_at, priority, created_at, amount, party, project, flow, business_key)"
            " SELECT m.principal, t.id, t.due_at, t.priority, t.created_at, t.amount, t.party, t.project, t.flow, t.business_key"
            " FROM task t JOIN candidate_set_member m ON m.set_id = t.set_id WHERE t.token_id >= 1000"
        )
    )
    connection.execute(
        text(
            "INSERT INTO queue_count (set_id, queue, tasks) SELECT set_id, flow, count(*) FROM task"
            " WHERE token_id >= 1000 GROUP BY set_id, flow"
        )
    )
    for index in indexes:
        index.create(connection)


_SQLITE = {
    "series": "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n + 1 < :tasks) SELECT n FROM s) AS s",
    "id": "printf('%08x-0000-7000-8000-%012x', n, n)",
    "set_id": "numbered.set_id",
    "due_at": "strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2026-12-01', '+' || (n * 7919 % 99991) || ' minutes')",
    "created_at": "strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2026-11-01', '+' || (n * 31 % 30011) || ' minutes')",
    "priority": "10 * (n % 9)",
    "amount": "(n * 104729 % 1000003) * 10000",
    "party": f"printf('S%04d Supply', n * 17 % {SUPPLIERS})",
    "project": "printf('PRJ-%02d', n % 50)",
    "business_key": "printf('REQ-%07d', n)",
    "record_number": "printf('REQ-%07d', n)",
}
_SERVER = {
    "series": "generate_series(0, CAST(:tasks AS BIGINT) - 1) AS s(n)",
    "id": "CAST(lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0') AS UUID)",
    "set_id": "CAST(numbered.set_id AS UUID)",
    "due_at": "TIMESTAMPTZ '2026-12-01 00:00Z' + (n * 7919 % 99991) * INTERVAL '1 minute'",
    "created_at": "TIMESTAMPTZ '2026-11-01 00:00Z' + (n * 31 % 30011) * INTERVAL '1 minute'",
    "priority": "10 * (n % 9)",
    "amount": "n * 104729 % 1000003",
    "party": f"'S' || lpad(CAST(n * 17 % {SUPPLIERS} AS TEXT), 4, '0') || ' Supply'",
    "project": "'PRJ-' || lpad(CAST(n % 50 AS TEXT), 2, '0')",
    "business_key": "'REQ-' || lpad(CAST(n AS TEXT), 7, '0')",
    "record_number": "'REQ-' || lpad(CAST(n AS TEXT), 7, '0')",
}
"""The values of the n-th task in either database; what is not named is the template's."""


def measure(plants: list[Installation], rounds: int) -> None:
    """Print a row for each question: the medians of both sizes and their ratio."""
    with plants[-1].reading() as session:
        held = inbox.counts(session, READER).groups
        shown = session.scalar(select(func.count()).select_from(Task))
    print(f"{shown:,} tasks in all, {held:,} in the reader's groups")
    for name, asked in QUESTIONS.items():
        row(name, plants, rounds, lambda session, asked=asked: _page(session, **asked))
    row("counts", plants, rounds, lambda session: inbox.counts(session, READER))
    row("a view's count", plants, rounds, lambda session: _count(session, "supplier:S0007"))


def _page(session: Session, query: str = "", sort: str = "due") -> inbox.Page:
    return inbox.page(session, READER, box="groups", query=query, sort=sort)


def _count(session: Session, query: str) -> int:
    search = inbox_query.read(session, query, now=now_of(session))
    return inbox.count(session, READER, box="groups", query=search, most=100)


def row(name: str, plants: list[Installation], rounds: int, ask: Callable[[Session], Any]) -> None:
    """Print how long a question takes in plants of two sizes, asked in turns: both medians and their ratio."""
    spent: list[list[float]] = [[] for _ in plants]
    for turn in range(rounds + 2):
        for position, house in enumerate(plants):
            with house.reading() as session:
                begun = time.perf_counter()
                ask(session)
                if turn > 1:
                    spent[position].append(1000 * (time.perf_counter() - begun))
    small, large = (statistics.median(times) for times in spent)
    print(f"{name:26}{small:10.1f}{large:10.1f}{large / small:8.2f}", flush=True)


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--postgresql", action="store_true")
    given = parser.parse_args()
    both = given.sqlite == given.postgresql
    with tempfile.TemporaryDirectory(prefix="lockstep-inbox-") as name:
        folder = Path(name)
        for kind in ("sqlite", "postgresql"):
            if not (both or getattr(given, kind)):
                continue
            print(f"\n{kind}, ms {1_000:>31,}{given.tasks:>12,}   ratio")
            with ExitStack() as stack:
                plants = []
                for size in (1_000, given.tasks):
                    url = (
                        f"sqlite:///{folder}/{size}.db" if kind == "sqlite" else stack.enter_context(durable_postgres())
                    )
                    plants.append(stack.enter_context(plant_of(url, folder / f"{kind}{size}", size)))
                measure(plants, given.rounds)


if __name__ == "__main__":
    main()
