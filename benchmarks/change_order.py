"""Time one change order of 1,000 items: written, sealed, signed, and above all applied through the guard's triggers.

    python -m benchmarks.change_order [--items 1000] [--rounds 3] [--sqlite] [--postgresql]

Half of the items are drawings of released revisions, half are specifications of them. Everything is what the application does: each
value is judged by 4c, chained, and used up by a trigger when it is written. Figures are medians of seconds on the clock; at the end, of
one act that writes a column which nothing controls.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import select

from benchmarks.arguments import kinds, parser_of
from benchmarks.durable_postgres import durable_postgres
from engine.act import Installation
from migrations import migrate
from processes import change_orders
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.change_request import OrderClass
from records.part import Part, PartRevision
from tests.makers import make_cast, make_part, make_revision, make_signature, make_site, make_slot
from webapp.wiring import wire

ACTS = 50


@contextmanager
def timed(into: dict[str, list[float]], name: str) -> Iterator[None]:
    """Add the seconds of a block to a list."""
    began = time.perf_counter()
    yield
    into.setdefault(name, []).append(time.perf_counter() - began)


def measure(house: Installation, items: int, turn: int) -> dict[str, list[float]]:
    """Take one order of so many items through its life; return seconds by step."""
    spent: dict[str, list[float]] = {}
    with house.acting("user:ella") as act:
        ids = [make_revision(act, make_part(act, f"B-{turn}-{number}"), "B").id for number in range(items // 2)]
    with timed(spent, "write"), house.acting("user:ella") as act:
        order = change_orders.open_order(act, change_class=OrderClass.C4, title="All drawings", reason="A benchmark")
        for revision in act.session.scalars(select(PartRevision).where(PartRevision.id.in_(ids))):
            change_orders.add_edit(act, order, revision, "drawing_rev", "C")
            change_orders.add_edit(act, order, revision, "specs", ("PS-455 D",))
        order_id = order.id
    with timed(spent, "seal"), house.acting("user:ella") as act:
        order = act.session.get_one(ChangeOrder, order_id)
        move(act, order, ChangeOrderStatus.IMPACT)
        change_orders.send_to_review(act, order)
    with house.acting("user:ella") as act:
        order = act.session.get_one(ChangeOrder, order_id)
        content = order.content_hash or ""
        slot = make_slot(act, order, record_hash=content, role="ENG_AUTH")
        slot.signature = make_signature(act, order, content_hash=content, signer="quinn", role="QA_ENG")
        act.session.flush()
        move(act, order, ChangeOrderStatus.APPROVED)
    with timed(spent, "apply"), house.acting("user:ella") as act:
        used = change_orders.apply(act, act.session.get_one(ChangeOrder, order_id))
    if len(used) != items:
        raise RuntimeError(f"Expected {items} items to be applied, but {len(used)} were")
    with timed(spent, "apply again"), house.acting("user:ella") as act:
        change_orders.apply(act, act.session.get_one(ChangeOrder, order_id))
    return spent


def single_acts(house: Installation) -> dict[str, list[float]]:
    """Return seconds of one act that writes a part's free text, which no trigger looks at."""
    spent: dict[str, list[float]] = {}
    with house.acting("user:ella") as act:
        part_id = make_part(act, "FREE-1").id
    for turn in range(ACTS):
        with timed(spent, "free column"), house.acting("user:ella") as act:
            act.session.get_one(Part, part_id).description = f"text {turn}"
    return spent


def run(name: str, url: str, items: int, rounds: int) -> None:
    """Print the medians of one database."""
    house = wire(url)
    with house.acting("system:bench") as act:
        make_site(act)
        make_cast(act)
    found = [measure(house, items, turn) for turn in range(rounds)]
    said = ", ".join(
        f"{step} {statistics.median(seconds for one in found for seconds in one[step]):.2f} s" for step in found[0]
    )
    single = single_acts(house)["free column"]
    print(f"{name}: {items} items, {rounds} rounds: {said}; free column {statistics.median(single) * 1000:.2f} ms")
    house.database.dispose()


def main() -> None:
    """Measure what was asked for."""
    parser = parser_of(__doc__)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with ExitStack() as stack:
        if "sqlite" in kinds(asked):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:///{Path(folder) / 'bench.db'}"
            migrate(url)
            run("SQLite", url, asked.items, asked.rounds)
        if "postgresql" in kinds(asked):
            url = stack.enter_context(durable_postgres())
            migrate(url)
            run("PostgreSQL", url, asked.items, asked.rounds)


if __name__ == "__main__":
    main()
