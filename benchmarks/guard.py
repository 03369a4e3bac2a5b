"""Time what the guard adds to an act: the same acts in a house with its guard and in one without, side by side in one run.

    python -m benchmarks.guard [--rounds 300] [--sqlite] [--postgresql]

Both houses stand on the same server, or in the same folder, with the same durability. The one without has no flush guard and no
trigger that refuses anything; what notes the events for the next checkpoint stays in both, since that is the audit chain's. Rounds
alternate, each house first in its turn. Figures are medians of milliseconds on the clock and of processor time, which is this
process's and, where the kernel tells it, that of the server process that serves it; what the guard adds is the median of the
differences within a round, which other work on the same machine disturbs less than either figure. A twin of the house with its
guard takes part, too: what the guard seems to add to that is how far two equal houses differ in this run.

Acts: what no policy names (a part's text; a comment on an order that its supplier has), what is free while it is a draft (a draft
order of three lines made whole; the quantity of a draft line), and what an approved change item opens (the drawing of a released
revision).
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sqlalchemy import make_url, text

from benchmarks.arguments import kinds, parser_of
from benchmarks.durable_postgres import durable_postgres
from engine.act import Act, Installation
from engine.errors import Finding, RuleViolation
from migrations import migrate
from processes import change_orders
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.change_request import OrderClass
from records.part import Part, PartRevision
from records.purchase_order import PurchaseOrder
from rules.triggers import remove_refusals
from tests.makers import make_cast, make_order, make_part, make_revision, make_signature, make_site, make_slot
from webapp.wiring import wire

WARMING = 10
"""Rounds before the first that counts."""


class NoGuard:
    """A guard that lets everything pass."""

    def judge(self, act: Act, edits: object) -> Iterable[Finding]:
        """Find nothing."""
        return ()

    def judge_statement(self, act: Act, statement: object) -> Iterable[Finding]:
        """Find nothing."""
        return ()

    def refusal_of(self, error: object) -> RuleViolation | None:
        """Know no refusal."""
        return None

    def may_decide(self, *_given: object, **_named: object) -> Iterable[Finding]:
        """Bar nobody."""
        return ()

    def may_give(self, *_given: object) -> Iterable[Finding]:
        """Keep back no verdict."""
        return ()


@dataclass
class House:
    """One house with the rows that its acts write, and what each act took: (clock, processor) in milliseconds by act."""

    installation: Installation
    rows: dict[str, str] = field(default_factory=dict)
    revisions: list[str] = field(default_factory=list)
    spent: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    order: PurchaseOrder | None = None
    backend: Path | None = None

    def processor(self) -> float:
        """Return milliseconds of processor time of this process, and of the server process that serves the house, if there is one."""
        mine = time.process_time() * 1000
        return mine if self.backend is None else mine + int(self.backend.read_text().split()[0]) / 1_000_000

    def find_backend(self) -> None:
        """Find out which process serves the house; its connection is kept, so that it stays the one."""
        with self.installation.database.connect() as connection:
            if connection.dialect.name == "postgresql":
                told = Path(f"/proc/{connection.scalar(text('SELECT pg_backend_pid()'))}/schedstat")
                self.backend = told if told.exists() else None

    def act(self, name: str, work: Callable[[Act, House, int], None], turn: int) -> None:
        """Do one act and note what it took."""
        processor, clock = self.processor(), time.perf_counter()
        with self.installation.acting("user:bea") as act:
            work(act, self, turn)
        took = (time.perf_counter() - clock) * 1000, self.processor() - processor
        self.spent.setdefault(name, []).append(took)


def write_text(act: Act, house: House, turn: int) -> None:
    """Write a part's description, which no policy names."""
    act.session.get_one(Part, house.rows["part"]).description = f"text {turn}"


def write_comment(act: Act, house: House, turn: int) -> None:
    """Write a free column of an order whose other columns are frozen."""
    act.session.get_one(PurchaseOrder, house.rows["sent"]).comment = f"text {turn}"


def write_draft(act: Act, house: House, turn: int) -> None:
    """Write a line of a draft, with its order at hand as a page has it."""
    house.order = act.session.get_one(PurchaseOrder, house.rows["draft"])
    house.order.lines[0].quantity = Decimal(turn + 6)


def make_draft(act: Act, house: House, turn: int) -> None:
    """Make a draft order of three lines."""
    revision = act.session.get_one(PartRevision, house.rows["revision"])
    make_order(
        act, *[(revision, 5, "42.50")] * 3, supplier=act.session.get_one(PurchaseOrder, house.rows["sent"]).supplier
    )


def change_controlled(act: Act, house: House, turn: int) -> None:
    """Write a frozen column as an approved item says."""
    act.session.get_one(PartRevision, house.revisions[turn]).drawing_rev = "C"


FREE: dict[str, Callable[[Act, House, int], None]] = {
    "a part's text": write_text, "a sent order's comment": write_comment, "a draft line's quantity": write_draft,
    "a draft order of three lines": make_draft,
}  # fmt: skip
CONTROLLED: dict[str, Callable[[Act, House, int], None]] = {"a released drawing": change_controlled}


def settle(url: str, rounds: int, *, is_guarded: bool) -> House:
    """Return a house with what the acts need: written through the guard in any case, then perhaps without it."""
    migrate(url)
    house = House(wire(url))
    with house.installation.acting("system:bench") as act:
        make_site(act)
        make_cast(act)
        revision = make_revision(act, make_part(act, "P-1"), "A")
        order = make_order(act, (revision, 5, "42.50"))
        sent = make_order(act, (revision, 5, "42.50"), supplier=order.supplier, status="TRANSMITTED", origin="ERP")
        house.rows = {"part": revision.part_id, "revision": revision.id, "draft": order.id, "sent": sent.id}
        house.revisions = [make_revision(act, make_part(act, f"C-{number}"), "B").id for number in range(rounds)]
    with house.installation.acting("user:ella") as act:
        _approve_drawings(act, house.revisions)
    if not is_guarded:
        house.installation.guard = NoGuard()
        with house.installation.database.execution_options(writes=True).begin() as connection:
            remove_refusals(connection)
    house.find_backend()
    return house


def _approve_drawings(act: Act, revisions: Sequence[str]) -> None:
    order = change_orders.open_order(act, change_class=OrderClass.C4, title="All drawings", reason="A benchmark")
    for revision_id in revisions:
        change_orders.add_edit(act, order, act.session.get_one(PartRevision, revision_id), "drawing_rev", "C")
    move(act, order, ChangeOrderStatus.IMPACT)
    change_orders.send_to_review(act, order)
    _sign(act, order)
    move(act, order, ChangeOrderStatus.APPROVED)


def _sign(act: Act, order: ChangeOrder) -> None:
    content = order.content_hash or ""
    slot = make_slot(act, order, record_hash=content, role="ENG_AUTH")
    slot.signature = make_signature(act, order, content_hash=content, signer="quinn", role="QA_ENG")
    act.session.flush()


def measure(urls: Sequence[str], rounds: int) -> list[House]:
    """Let three houses take turns: one with its guard, its twin, and one without."""
    houses = [settle(url, rounds + WARMING, is_guarded=number < 2) for number, url in enumerate(urls)]
    for turn in range(rounds + WARMING):
        for name, work in (FREE | CONTROLLED).items():
            for house in houses[turn % 3 :] + houses[: turn % 3]:
                house.act(name, work, turn)
    for house in houses:
        house.installation.database.dispose()
    return houses


def told(guarded: House, bare: House, name: str) -> tuple[float, float, float, float]:
    """Return medians after warming: without the guard on the clock, what the guard adds, and both again in processor time."""
    pairs = list(zip(guarded.spent[name][WARMING:], bare.spent[name][WARMING:], strict=True))
    clock = statistics.median(without[0] for _, without in pairs)
    processor = statistics.median(without[1] for _, without in pairs)
    added = statistics.median(with_it[0] - without[0] for with_it, without in pairs)
    worked = statistics.median(with_it[1] - without[1] for with_it, without in pairs)
    return clock, added, processor, worked


def report(name: str, houses: Sequence[House]) -> None:
    """Print one line for each act."""
    guarded, twin, bare = houses
    print(f"{name}, {len(bare.spent['a released drawing']) - WARMING} rounds, milliseconds an act (processor time)")
    for act in FREE | CONTROLLED:
        clock, added, processor, worked = told(guarded, bare, act)
        noise = told(guarded, twin, act)
        print(
            f"  {act:30} without {clock:.2f} ({processor:.2f}), the guard adds {added:+.2f} ({worked:+.2f}) = "
            f"{added / clock:+.1%} ({worked / processor:+.1%}); its twin {noise[1]:+.2f} ({noise[3]:+.2f})"
        )


def _postgresql_urls(url: str) -> Iterator[str]:
    """Make three databases on one server and yield their URLs."""
    database = wire(url).database
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in ("guarded", "twin", "bare"):
            connection.execute(text(f"CREATE DATABASE {name}"))
            yield make_url(url).set(database=name).render_as_string(hide_password=False)
    database.dispose()


def main() -> None:
    """Measure what was asked for."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    asked = parser.parse_args()
    with ExitStack() as stack:
        if "sqlite" in kinds(asked):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            report("SQLite", measure([f"sqlite:///{folder / name}.db" for name in ("a", "b", "c")], asked.rounds))
        if "postgresql" in kinds(asked):
            urls = list(_postgresql_urls(stack.enter_context(durable_postgres())))
            report("PostgreSQL", measure(urls, asked.rounds))


if __name__ == "__main__":
    main()
