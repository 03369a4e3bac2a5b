"""Time the inbox as its reader does: the page opens, sorts by amount, filters by supplier, and shows its counts.

    python -m benchmarks.inbox [--rounds 20] [--sqlite] [--postgresql]

On each database 1,000 open tasks in 20 groups and 10,000 in 200 groups, asked by somebody who is in all of them; whole
pages over HTTP without a network (Flask's test client), rounds of both sizes interleaved. Every figure is the median in
milliseconds; the ratio says how an answer grows with ten times the tasks and groups.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.arguments import kinds, parser_of
from benchmarks.durable_postgres import durable_postgres
from migrations import migrate
from records.demo_people import Member
from records.password import set_password
from records.person import User
from tests.clock import SettableClock
from tests.conftest import folders_under
from tests.crowd import gather
from tests.people import PASSWORD
from tests.story import Story, open_plant
from tests.webapp.browser import Browser
from webapp.app import create_app
from webapp.wiring import wire

QUENTIN = Member("quentin", "Quentin Crowd", "reader of everything", ())
SIZES = ((20, 50), (200, 50))
PAGES = {
    "opens": "/inbox?box=groups",
    "sorts by amount": "/inbox?box=groups&sort=amount",
    "filters by supplier": "/inbox?box=groups&q=quickplate",
}


@contextmanager
def reader_of(url: str, folder: Path, *, groups: int, each: int) -> Iterator[Browser]:
    """Yield quentin's browser on a plant with that many groups and tasks in each."""
    migrate(url)
    clock = SettableClock()
    house = wire(url, settings=folders_under(folder), clock=clock)
    open_plant(house)
    gather(Story(house, clock), {QUENTIN.id: groups}, groups=groups, each=each)
    with house.acting("system:arrange") as act:
        set_password(act, act.session.get_one(User, QUENTIN.id), PASSWORD)
    yield Browser(create_app(house, secret_key="benchmark")).sign_in(QUENTIN)
    house.database.dispose()


def measure(readers: list[Browser], rounds: int) -> None:
    """Print a row for each way to ask: the medians of both sizes and their ratio."""
    print(f"{'':24}{'1,000':>10}{'10,000':>10}{'ratio':>8}")
    for name, path in PAGES.items():
        spent: list[list[float]] = [[] for _ in readers]
        for turn in range(rounds + 2):
            for position, reader in enumerate(readers):
                begun = time.perf_counter()
                status = reader.get(path).status_code
                if status != 200:
                    raise SystemExit(f"Expected the inbox, but it answered {status}")
                if turn > 1:
                    spent[position].append(1000 * (time.perf_counter() - begun))
        small, large = (statistics.median(times) for times in spent)
        print(f"{name:24}{small:10.1f}{large:10.1f}{large / small:8.2f}")


def main() -> None:
    """Measure what the arguments ask for."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lockstep-inbox-") as name:
        folder = Path(name)
        if "sqlite" in kinds(given):
            print("\nSQLite, ms a page")
            with ExitStack() as stack:
                readers = [
                    stack.enter_context(
                        reader_of(f"sqlite:///{folder}/{groups}.db", folder / str(groups), groups=groups, each=each)
                    )
                    for groups, each in SIZES
                ]
                measure(readers, given.rounds)
        if "postgresql" in kinds(given):
            print("\nPostgreSQL, ms a page")
            with ExitStack() as stack:
                readers = []
                for groups, each in SIZES:
                    url = stack.enter_context(durable_postgres())
                    place = folder / f"pg{groups}"
                    readers.append(stack.enter_context(reader_of(url, place, groups=groups, each=each)))
                measure(readers, given.rounds)


if __name__ == "__main__":
    main()
