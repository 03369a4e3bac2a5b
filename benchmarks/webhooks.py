"""Time what webhooks cost whoever completes a task: without them, with nobody who listens, and with somebody who does.

    python -m benchmarks.webhooks [--rounds 20] [--sqlite] [--postgresql]

One house on one database; instances of ``linear5`` take turns, one each way a round. Every way is the same completion as in
``benchmarks.complete_task``. off: nobody listens to the chain. nobody: webhooks are wired and there is none; who wants what is remembered.
asked anew: the same when it is not remembered, as after two seconds. others: one webhook that wants something else. wanted: one that
wants tasks opened and closed, so that each completion keeps two deliveries and a job. Medians in milliseconds, on the clock and of the
processor. Delivery itself happens after the commit, in a worker, and is not in the figures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial

from sqlalchemy import Engine

from benchmarks.arguments import kinds, parser_of
from benchmarks.complete_task import House, Spent, databases, median, timed
from benchmarks.models import linear
from engine import queue
from engine.act import Installation
from engine.database import Base, connect, new_id
from processes import webhook_delivering, webhook_events
from records.webhook import Webhook, WebhookState

WANTED: Mapping[str, tuple[str, ...]] = {
    "off": (), "nobody": (), "asked anew": (), "others": ("receipt.*", "invoice.*"), "wanted": ("task.*",),
}  # fmt: skip


def prepare(installation: Installation, way: str, hook: str) -> None:
    """Let the house be as a way wants it."""
    installation.registry.listeners[:] = [] if way == "off" else [(webhook_events.is_event, webhook_delivering.hear)]
    with installation.acting("system:benchmark") as act:
        row = act.session.get_one(Webhook, hook)
        row.event_types = WANTED[way] or ("*",)
        row.state = WebhookState.ACTIVE if WANTED[way] else WebhookState.ENDED
    webhook_delivering.forget(installation)


def make_hook(installation: Installation) -> str:
    """Make the one webhook of the benchmark."""
    with installation.acting("system:benchmark") as act:
        made = Webhook(
            id=new_id(), name="benchmark", owner="user:ivan", url="https://erp.example/", event_types=("*",), secret="",
            state=WebhookState.ENDED, created_at=act.now, created_by=act.actor, changed_at=act.now, failures=0,
        )  # fmt: skip
        act.session.add(made)
        return made.id


def compare(database: Engine, rounds: int) -> dict[str, Spent]:
    """Return the medians of each way, rounds interleaved; the first round only warms up."""
    house = House(database, linear())
    installation = house.plant.installation
    hook = make_hook(installation)
    if database.dialect.name == "postgresql":
        installation.carrier = queue.Carrier()
    spent: dict[str, list[Spent]] = {}
    for turn in range(rounds + 1):
        if turn == 1:
            spent = {}
        for way in WANTED:
            prepare(installation, way, hook)
            instance = house.start()
            for _ in range(house.model.completions):
                if way == "asked anew":
                    webhook_delivering.forget(installation)
                spent.setdefault(way, []).append(timed(partial(house.complete, house.waiting(instance))))
    return {way: median(values) for way, values in spent.items()}


def measure(url: str, rounds: int, tell: Callable[[str], None] = print) -> None:
    """Measure on one database and print it."""
    database = connect(url)
    Base.metadata.create_all(database)
    with database.begin() as connection:
        queue.install(connection)
    found = compare(database, rounds)
    least = found["off"]
    for way, one in found.items():
        tell(
            f"  {way:11} {one.clock:6.2f} ({one.processor:5.2f})   more than off {one.clock - least.clock:+6.2f}"
            f" ({one.processor - least.processor:+6.2f})"
        )
    database.dispose()


def main() -> None:
    """Run the comparison and print it."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    chosen = parser.parse_args()
    with databases(kinds(chosen)) as urls:
        for name, url in urls.items():
            print(f"\n{name}: ms a completion, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
            measure(url, chosen.rounds)
            print(f"  load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
