"""Time the lists and counts of an inbox on 1,000, 100,000 and 1,000,000 open tasks: how an answer grows with a thousand times as many.

    python -m benchmarks.inbox_at_scale [--tasks 1000000] [--rounds 15] [--sqlite] [--postgresql] [--keep FOLDER]

On each database 1,000 users, each in 20 of 500 groups, and 2,000 distinct sets of one to three groups. What is asked is what the page
asks (``engine.inbox``), each round by somebody else, rounds of all sizes interleaved; medians in milliseconds. The aims are twice
for a page and three times for counts.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from os import getloadavg
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, inspect, select, text
from sqlalchemy.orm import Session

from benchmarks.arguments import kinds, parser_of
from benchmarks.durable_postgres import durable_postgres
from engine import inbox, inbox_query
from engine.act import Act, Installation
from engine.canonical import content_hash
from engine.clock import now_of
from engine.database import new_id
from engine.stored.instance import Instance
from engine.stored.task import CandidateSet, CandidateSetMember, Task, TaskCandidate, TaskWord
from migrations import migrate
from records.person import RoleGrant, User
from tests.clock import SettableClock
from tests.conftest import folders_under
from tests.makers import make_grant, make_user
from tests.people import bea, rita
from tests.story import Story, open_plant
from webapp.wiring import wire

GROUPS, SETS, HELD, SUPPLIERS, USERS = 500, 2_000, 20, 1_000, 1_000
SIZES = (1_000, 100_000)
"""Sizes that the largest is compared with."""

RARELY = 10_007
"""One in so many requests is of somebody who starts few."""

READER = "quentin"
"""In the first groups; the others are in groups all over."""

QUESTIONS: dict[str, dict[str, Any]] = {
    "opens, due first": {},
    "sorts by amount": {"sort": "amount"},
    "sorts by supplier": {"sort": "party"},
    "groups by project": {"sort": "project,due"},
    "two orders": {"sort": "priority,amount"},
    "two, one turned round": {"sort": "party,-amount"},
    "supplier of 1 in 1,000": {"query": "supplier:S0007"},
    "supplier, by amount": {"query": "supplier:S0007", "sort": "amount"},
    "amount above most": {"query": "amount>999000"},
    "due soon, by amount": {"query": "due<9d", "sort": "amount"},
    "one key": {"query": "key:REQ-0000042"},
    "a key of nothing": {"query": "key:REQ-NONE"},
    "a flow": {"query": "flow:requisition"},
    "from a requester": {"query": "from:rita"},
    "from one with few": {"query": "from:bea"},
    "free text, common": {"query": "S0"},
    "free text, one number": {"query": "REQ-0000042"},
    "free text, of nothing": {"query": "zzzzqq"},
}


@contextmanager
def database_of(kind: str, folder: Path, *, is_kept: bool) -> Iterator[str]:
    """Yield the URL of a database of a kind; one that is kept lies in its folder afterwards, and may be there already."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "sqlite":
        yield f"sqlite:///{folder}/lockstep.db"
        return
    with durable_postgres(folder if is_kept else None) as url:
        yield url


@contextmanager
def plant_of(url: str, folder: Path, tasks: int) -> Iterator[Installation]:
    """Yield a plant with that many open tasks, made unless they are there."""
    migrate(url)
    clock = SettableClock()
    house = wire(url, settings=folders_under(folder), clock=clock)
    with house.reading() as session:
        is_there = session.get(User, READER) is not None
    if not is_there:
        _fill(house, clock, tasks)
    yield house
    house.database.dispose()


def _fill(house: Installation, clock: SettableClock, tasks: int) -> None:
    """Open the plant, a flow with one task, and that many more beside it."""
    open_plant(house)
    story = Story(house, clock)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    [template] = story.tasks()

    def arrange(act: Act) -> None:
        reader, grant = make_user(act, READER), make_grant(act, READER, "G000")
        act.session.flush()
        _people(act.session.connection(), reader, grant)
        _pour(act.session.connection(), template.id, tasks)

    story.given(arrange)
    with house.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def users() -> list[str]:
    """Return the ids of everybody who has an inbox, the reader first."""
    return [READER, *(f"clerk{number:03}" for number in range(1, USERS))]


def _people(connection: Connection, reader: User, grant: RoleGrant) -> None:
    """Give the reader all their groups, and write everybody else."""
    person, held = (
        {one.key: getattr(row, one.key) for one in inspect(row).mapper.column_attrs} for row in (reader, grant)
    )
    connection.execute(insert(User), [person | {"id": one, "name": one.title()} for one in users()[1:]])
    grants = [
        held | {"id": new_id(), "user_id": one, "role": f"G{(number * 7 + turn * (25 if number else 1)) % GROUPS:03}"}
        for number, one in enumerate(users())
        for turn in range(HELD)
        if number or turn
    ]
    connection.execute(insert(RoleGrant), grants)


def _pour(connection: Connection, template_id: str, tasks: int) -> None:
    """Write the sets, then copies of one instance, its task and its candidates in a few statements; their indexes last."""
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
    own = say | {"instance_id": say["id"].replace("-7000-", "-7001-"), "token_id": "n + 1000", "state": "'OPEN'"}
    run = {
        "id": own["instance_id"],
        "business_key": say["business_key"],
        "state": say["nothing"],
        "variables": say["nothing"],
    }
    run["started_by"] = f"CASE n % {RARELY} WHEN 7 THEN '{bea.id}' ELSE t.started_by END"
    copies = (
        (Instance, run, "JOIN instance t ON t.id = (SELECT instance_id FROM task WHERE id = :template)"),
        (Task, own, f"JOIN numbered ON numbered.place = n % {SETS} JOIN task t ON t.id = :template"),
    )
    for kind, values, joined in copies:
        columns = [column.key for column in kind.__table__.columns]
        chosen = ", ".join(values.get(name, f"t.{name}") for name in columns)
        connection.execute(
            text(
                f"INSERT INTO {kind.__tablename__} ({', '.join(columns)}) SELECT {chosen} FROM {say['series']} {joined}"
            ),
            {"template": template_id, "tasks": tasks},
        )
    connection.execute(
        text(
            "INSERT INTO task_candidate"
            " (principal, task_id, due_at, priority, created_at, amount, party, project, flow, business_key, words)"
            " SELECT m.principal, t.id, t.due_at, t.priority, t.created_at, t.amount, t.party, t.project, t.flow, t.business_key,"
            f" {WORDS} FROM task t JOIN candidate_set_member m ON m.set_id = t.set_id WHERE t.token_id >= 1000"
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


WORDS = "lower('\x02' || t.business_key || '\n' || t.title || '\n' || t.party || '\n' || t.project || '\n' || t.name)"
"""What ``engine.opening.words_of`` says of such a task."""

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
    "nothing": "x''",
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
    "nothing": "CAST('' AS BYTEA)",
}
"""The values of the n-th task in either database; what is not named is the template's."""


def measure(kind: str, plants: list[Installation], sizes: list[int], rounds: int) -> None:
    """Print a table: for each question the medians of all sizes, and the ratio of the largest to the smallest."""
    with plants[-1].reading() as session:
        held = [inbox.counts(session, user_id).groups for user_id in users()[:20]]
        shown = session.scalar(select(func.count()).select_from(Task))
    print(
        f"\n{kind}: {shown:,} tasks, {min(held):,} to {max(held):,} of them in somebody's groups; load {getloadavg()[0]:.1f}"
    )
    head(f"ms, {kind}", sizes)
    for name, asked in QUESTIONS.items():
        row(name, plants, rounds, lambda session, who, asked=asked: _page(session, who, **asked))
    row("counts", plants, rounds, inbox.counts)
    row("a view's count", plants, rounds, lambda session, who: _count(session, who, "supplier:S0007"))


def _page(session: Session, who: str, query: str = "", sort: str = "due") -> inbox.Page:
    return inbox.page(session, who, box="groups", query=query, sort=sort)


def _count(session: Session, who: str, query: str) -> int:
    search = inbox_query.read(session, query, now=now_of(session))
    return inbox.count(session, who, box="groups", query=search, most=100)


def head(title: str, sizes: list[int]) -> None:
    """Print the first lines of a table."""
    print(f"| {title:24} |{'|'.join(f'{size:>10,} ' for size in sizes)}|   ratio |")
    print(f"|{'-' * 26}|{'|'.join('-' * 11 for _ in sizes)}|---------|", flush=True)


def row(name: str, plants: list[Installation], rounds: int, ask: Callable[[Session, str], Any]) -> None:
    """Print how long a question takes in plants of several sizes, asked in turns, each turn by somebody else: medians, their ratio."""
    spent: list[list[float]] = [[] for _ in plants]
    for turn in range(rounds + 2):
        for position, house in enumerate(plants):
            with house.reading() as session:
                begun = time.perf_counter()
                ask(session, users()[turn])
                if turn > 1:
                    spent[position].append(1000 * (time.perf_counter() - begun))
    medians = [statistics.median(times) for times in spent]
    print(
        f"| {name:24} |{'|'.join(f'{each:10.1f} ' for each in medians)}|{medians[-1] / medians[0]:8.2f} |", flush=True
    )


def main() -> None:
    """Measure what the arguments ask for."""
    parser = parser_of(__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--keep", type=Path, help="folder in which the databases stay, to be measured again")
    given = parser.parse_args()
    sizes = [size for size in SIZES if size < given.tasks] + [given.tasks]
    with tempfile.TemporaryDirectory(prefix="lockstep-inbox-") as name:
        folder = given.keep or Path(name)
        for kind in kinds(given):
            with ExitStack() as stack:
                plants = []
                for size in sizes:
                    place = folder / f"{kind}-{size}"
                    url = stack.enter_context(database_of(kind, place, is_kept=bool(given.keep)))
                    plants.append(stack.enter_context(plant_of(url, place, size)))
                measure(kind, plants, sizes, given.rounds)


if __name__ == "__main__":
    main()
