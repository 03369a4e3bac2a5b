"""Time what must not grow: starts, large definitions, large variables, wide multi-instances, a million timers, parsing, memory.

    python -m benchmarks.at_size [--rounds 15] [--timers 1000000] [--sqlite] [--postgresql]

Every line compares two sizes, or the house with stock SpiffWorkflow, in one run, turn by turn; medians in milliseconds on the clock,
processor time in brackets. Nothing is written to a database for parsing and for memory.
"""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import orjson
from SpiffWorkflow.bpmn.parser import BpmnParser
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from sqlalchemy import Engine, func, select, text

from benchmarks.arguments import kinds, parser_of
from benchmarks.complete_task import House, Naive, NaiveBase, Spent, databases, median, timed
from benchmarks.models import WHO, Model, linear, twin
from benchmarks.shipped import shipped
from engine import definitions, timers
from engine.cache import Cache
from engine.database import Base, connect
from engine.spiff import Flow, read_bundle
from engine.stored.instance import Instance, Variable
from tests.engine.spiff.diagrams import diagram, each, end, node, process, start, timer, user
from tests.engine.spiff.story import House as Host

MEGABYTE = 1_000_000


def row_of(length: int) -> Model:
    """Return a flow of that many tasks in a row."""
    names = [f"t{number}" for number in range(length)]
    flows = " > ".join(["s", *names, "e"])
    ours = process(start(), *(user(name, extensions=WHO) for name in names), end(), flows=flows)
    stock = process(start(), *(f'<bpmn:userTask id="{name}" />' for name in names), end(), flows=flows)
    return Model(f"row of {length}", length, {"p.bpmn": diagram(ours)}, (diagram(stock),))


def with_variable(size: int) -> Model:
    """Return five tasks in a row beside one variable of that many bytes, which nobody touches."""
    lines = [{"part": f"P-{number:08}", "note": "x" * 60} for number in range(size // 100)]
    few = linear()
    return Model("variable", 5, few.ours, few.stock, variables={"lines": lines})


def wide(count: int) -> Model:
    """Return one decision by that many at once."""
    vote = user("vote", each("=members", element="member"), extensions=WHO)
    ours = process(start(), vote, end(), flows="s > vote > e")
    as_many = (
        '<bpmn:multiInstanceLoopCharacteristics isSequential="false">'
        f"<bpmn:loopCardinality>{count}</bpmn:loopCardinality></bpmn:multiInstanceLoopCharacteristics>"
    )
    stock = process(start(), f'<bpmn:userTask id="vote">{as_many}</bpmn:userTask>', end(), flows="s > vote > e")
    files = {"p.bpmn": diagram(ours)}
    return Model("wide", count, files, (diagram(stock),), variables={"members": list(range(count))})


def resting() -> Model:
    """Return a flow that waits for one timer."""
    ours = process(
        start(), node("intermediateCatchEvent", "rest", timer("duration", "P30D")), end(), flows="s > rest > e"
    )
    return Model("resting", 0, {"p.bpmn": diagram(ours)}, ())


def tell(what: str, one: Spent, other: Spent, *, names: tuple[str, str], aim: str = "") -> None:
    """Print one comparison as a row of a table: the second over the first."""
    print(
        f"| {what} | {names[0]} {one.clock:.2f} ({one.processor:.2f}) | {names[1]} {other.clock:.2f} ({other.processor:.2f})"
        f" | {other.clock / one.clock:.2f} ({other.processor / max(one.processor, 1e-6):.2f}) | {aim} |",
        flush=True,
    )


def in_turns(rounds: int, *works: Callable[[], object]) -> list[Spent]:
    """Return the median of each, done in turns; the first round only warms up."""
    spent: list[list[Spent]] = [[] for _ in works]
    for turn in range(rounds + 1):
        for taken, work in zip(spent, works, strict=True):
            found = timed(work)
            if turn:
                taken.append(found)
    return [median(taken) for taken in spent]


def completions(houses: Sequence[House | Naive], rounds: int, *, most: int) -> list[Spent]:
    """Return the medians of the first completions of fresh instances."""
    spent: list[list[Spent]] = [[] for _ in houses]
    for turn in range(rounds + 1):
        for taken, house in zip(spent, houses, strict=True):
            instance_id: Any = house.start()
            for _ in range(most):
                work = (
                    partial(house.complete, house.waiting(instance_id))
                    if isinstance(house, House)
                    else partial(house.complete, instance_id)
                )
                found = timed(work)
                if turn:
                    taken.append(found)
    return [median(taken) for taken in spent]


def starts(database: Engine, rounds: int) -> None:
    """Print what a start takes."""
    for model in (shipped(), linear()):
        house, naive = House(database, model), Naive(database, model)
        ours, theirs = in_turns(rounds, house.start, naive.start)
        tell(f"start of {model.name}", ours, theirs, names=("Lockstep", "naive"))


def definition_size(database: Engine, rounds: int) -> None:
    """Print a completion in a small and in a large diagram."""
    few, many = House(database, row_of(10)), House(database, row_of(1000))
    tell(
        "a completion, 10 and 1,000 tasks in the diagram",
        *completions((few, many), rounds, most=5), names=("10", "1,000"), aim="aim 1.2",
    )  # fmt: skip
    # Stock SpiffWorkflow cannot read 1,000 elements in a row: its parser calls itself for each.
    less, naive = House(database, row_of(100)), Naive(database, row_of(100))
    tell("the same, 100", *completions((less, naive), 3, most=2), names=("Lockstep", "naive"))


def variable_size(database: Engine, rounds: int) -> None:
    """Print a completion beside a small and a large variable, and what is stored of it."""
    few, many = House(database, with_variable(1_000)), House(database, with_variable(MEGABYTE))
    tell(
        "a completion beside 1 kB and 1 MB of variables",
        *completions((few, many), rounds, most=5), names=("1 kB", "1 MB"),
    )  # fmt: skip
    naive = Naive(database, with_variable(MEGABYTE))
    tell("the same, 1 MB", *completions((many, naive), 3, most=2), names=("Lockstep", "naive"), aim="aim 10")
    instance_id = many.start()
    with many.plant.reading() as session:
        query = select(func.sum(func.length(Variable.value))).where(Variable.instance_id == instance_id)
        stored = int(session.scalar(query) or 0)
    payload = len(orjson.dumps(with_variable(MEGABYTE).variables))
    print(f"| stored of 1 MB | JSON {payload:,} B | Lockstep {stored:,} B | {stored / payload:.2f} | aim 1.05 |")


def width(database: Engine, rounds: int) -> None:
    """Print a decision of one among 10 and among 1,000."""
    few, many = House(database, wide(10)), House(database, wide(1000))
    tell(
        "a decision of one of 10 and one of 1,000",
        *completions((few, many), max(2, rounds // 5), most=8), names=("10", "1,000"),
    )  # fmt: skip
    naive = Naive(database, wide(1000))
    tell("the same, 1,000", *completions((many, naive), 1, most=3), names=("Lockstep", "naive"))
    ours = timed(many.start)
    print(f"| start of 1,000 at once | {ours.clock:.0f} ({ours.processor:.0f}) | {ours.clock / 1000:.2f} each | | |")


def due_timers(database: Engine, rounds: int, *, more: int) -> None:
    """Print a look for due timers among 1,000 waiting instances and among very many."""
    house = House(database, resting())
    house.start()
    look = partial(timers.fire_due, house.plant.installation)
    _multiply(database, house, 1000)
    few = in_turns(rounds, look)[0]
    _multiply(database, house, more)
    many = in_turns(rounds, look)[0]
    tell(f"a look for due timers, 1,000 and {more:,}", few, many, names=("1,000", f"{more:,}"), aim="aim 1.5")


def _multiply(database: Engine, house: House, count: int) -> None:
    """Make waiting instances up to a count as copies of one, in the database itself; they are never moved."""
    with house.plant.reading() as session:
        one = session.scalars(select(Instance).where(Instance.wake_at.is_not(None)).limit(1)).one()
        there = session.scalar(select(func.count()).where(Instance.wake_at.is_not(None))) or 0
    on_sqlite = database.dialect.name == "sqlite"
    made = {
        "id": "printf('%08x-0000-7000-8000-%012x', n, n)" if on_sqlite else "gen_random_uuid()",
        "business_key": "'T-' || n",
        "wake_at": "strftime('%Y-%m-%dT%H:%M:%f', wake_at, '+' || n || ' seconds') || '000Z'"
        if on_sqlite
        else "wake_at + n * interval '1 second'",
    }
    names = [column.name for column in Instance.__table__.columns]
    numbers = (
        "(WITH RECURSIVE up(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM up WHERE n < :last) SELECT n FROM up)"
        if on_sqlite
        else "generate_series(cast(:first AS integer), cast(:last AS integer)) AS n"
    )
    copies = text(
        f"INSERT INTO instance ({', '.join(names)}) SELECT {', '.join(made.get(name, name) for name in names)}"
        f" FROM instance, {numbers} WHERE instance.id = :one"
    )
    with database.execution_options(writes=True).begin() as connection:
        connection.execute(copies, {"first": there, "last": count - 1, "one": one.id})
        connection.exec_driver_sql("ANALYZE")


def parsing(rounds: int) -> None:
    """Print reading a definition anew and taking it from the cache."""
    for model in (twin(), row_of(100)):
        files: Mapping[str, bytes] = model.ours
        ours, theirs = in_turns(max(3, rounds // 5), partial(read_bundle, files), partial(_parse_stock, model))
        tell(f"reading {model.name}", ours, theirs, names=("Lockstep", "stock"))


def _parse_stock(model: Model) -> tuple[Any, Any]:
    parser = BpmnParser()
    for diagram_text in model.stock:
        parser.add_bpmn_str(diagram_text)
    return parser.get_spec(model.process_id), parser.get_subprocess_specs(model.process_id)


def cached(database: Engine, rounds: int) -> None:
    """Print the first and a later use of a stored definition by one process, for 100 definitions."""
    house = House(database, twin())
    made = []
    with house.plant.acting("pat") as act:
        for number in range(100):
            name = f"d{number}"
            drawn = process(start(), user("a", extensions=WHO), end(), id=name, flows="s > a > e")
            made.append(definitions.deploy(act, {f"{name}.bpmn": diagram(drawn)}, process_id=name).id)

    def use_all() -> None:
        with house.plant.reading() as session:
            for definition_id in made:
                definitions.parsed(session, definition_id)

    def forget_and_use() -> None:
        house.plant.installation.definitions = Cache(400)
        use_all()

    first, later = in_turns(max(3, rounds // 5), forget_and_use, use_all)
    tell("100 definitions, from the database and cached", later, first, names=("cached", "read"))


def memory() -> None:
    """Print what 1,000 live instances take in memory while they are loaded; between acts Lockstep holds none."""
    model = twin()
    bundle = read_bundle(dict(model.ours))
    spec, subs = _parse_stock(model)
    serializer = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure())

    def ours() -> Any:
        return Flow.start(bundle, "p", dict(model.variables), Host())

    def theirs() -> Any:
        workflow = BpmnWorkflow(spec, subs)
        workflow.get_tasks()[0].data.update(model.variables)
        workflow.do_engine_steps()
        return serializer.deserialize_json(serializer.serialize_json(workflow))

    sizes = []
    for make, count in ((ours, 1000), (theirs, 100)):
        make()
        gc.collect()
        tracemalloc.start()
        kept = [make() for _ in range(count)]
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0] / count)
        tracemalloc.stop()
        del kept
    print(
        f"| memory of 10,000 loaded instances | naive {sizes[1] / 100:,.0f} MB | Lockstep {sizes[0] / 100:,.0f} MB"
        f" | {sizes[0] / sizes[1]:.2f} | aim 0.2 |"
    )


def main() -> None:
    """Measure everything and print it."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--timers", type=int, default=1_000_000)
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; ms on the clock (processor time)\n")
    print("| no database | | | ratio | |\n|---|---|---|---|---|")
    parsing(given.rounds)
    memory()
    with databases(kinds(given)) as urls:
        for name, url in urls.items():
            database = connect(url)
            Base.metadata.create_all(database)
            NaiveBase.metadata.create_all(database)
            print(f"\n| {name}, load {os.getloadavg()[0]:.1f} | | | ratio | |\n|---|---|---|---|---|", flush=True)
            for measure in (starts, definition_size, variable_size, width, cached):
                measure(database, given.rounds)
            due_timers(database, given.rounds, more=given.timers)
            print(f"\nload at the end {os.getloadavg()[0]:.1f}")
            database.dispose()


if __name__ == "__main__":
    main()
