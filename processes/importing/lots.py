"""Lots the ERP had before it had receipts of them, what work orders made, and what was issued to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from engine.act import Act
from engine.canonical import canonical
from processes.genealogy import Event, Source, consume, event_called, make_lot
from processes.importing.bringing import Import, Item, Outcome
from processes.importing.reading import Reading
from processes.importing.receipts import HAPPENED, LotPaper, heat_of, read_lots
from processes.importing.requisitions import unit_of
from processes.importing.sheets import Family
from records.lot import Lot, LotSource, LotStatus, free_number
from records.part import LotControl, PartRevision
from records.work_order import WorkOrder

GENEALOGY = "work_order.genealogy"


@dataclass(frozen=True, slots=True)
class Step:
    """What went into a work order or came out of it. item: the native product's code; lot: its number, empty without one."""

    native_id: str
    is_output: bool
    item: str
    quantity: Decimal
    uom: str
    lot: str


def bring_lots(run: Import) -> None:
    """Bring in opening lots, then what work orders made and used, in the order in which they were started."""
    if not (run.has("lots") and run.has("work_orders")):
        return
    steps = _steps(run)
    lots = read_lots(run)
    run.bring("lots", _opening(run, lots, steps))
    run.bring("genealogy", _genealogy(run, steps))


def _steps(run: Import) -> list[tuple[Reading, list[Step], dt.date | None]]:
    """Return the issues and outputs of each work order that happened, oldest start first."""
    found = []
    for family in run.families("work_orders"):
        cells = run.reading("work_orders", family.head)
        steps = _steps_of(run, family)
        if steps is None:
            run.leave_out("genealogy")
        elif steps and run.id_of("work_order", cells.text("id")):
            found.append((cells, steps, cells.day("started_on")))
    return sorted(found, key=lambda each: (each[2] or dt.date.max, int(each[0].row.number)))


def _steps_of(run: Import, family: Family) -> list[Step] | None:
    steps: list[Step] = []
    is_good = True
    for section in ("work_orders.outputs", "work_orders.issues"):
        for row in family.children(run.mapping[section].column("id")):
            cells = run.reading(section, row)
            happened = cells.word("state", run.mapping.words["move_states"]) == HAPPENED
            quantity = cells.decimal("quantity", scale=6, above=Decimal(0))
            uom = unit_of(run, cells) if section.endswith("issues") else ""
            is_good = is_good and cells.is_good and quantity is not None
            if happened and quantity is not None:
                steps.append(
                    Step(
                        cells.text("id"), section.endswith("outputs"), cells.text("item"), quantity, uom,
                        cells.text("lot", limit=40),
                    )
                )  # fmt: skip
    return steps if is_good else None


def _opening(
    run: Import, lots: dict[str, LotPaper], steps: list[tuple[Reading, list[Step], dt.date | None]]
) -> Iterator[Item]:
    """Yield the lots that neither a receipt nor a work order made: what is there now and what was issued of it."""
    came = _sourced(run)
    issued: dict[tuple[str, str], Decimal] = {}
    for _, made, _ in steps:
        for step in made:
            key = (step.item, step.lot)
            issued[key] = issued.get(key, Decimal(0)) + (Decimal(0) if step.is_output else step.quantity)
    for lot in lots.values():
        item = run.codes.get(lot.product, "")
        opening = lot.quantity + issued.get((item, lot.number), Decimal(0))
        if (item, lot.number) in came or opening <= 0:
            continue
        known = run.known.get(("product", lot.product))
        if known is None or known.record_type != "part_revision":
            lot.cells.error("product", "UNKNOWN_PRODUCT", "Expected a part of this extract, but it was not brought in")
            run.leave_out("lots")
            continue
        yield _opening_lot(run, lot, opening, known.record_id)


def _sourced(run: Import) -> set[tuple[str, str]]:
    """Return item and number of every lot that a receipt or a work order stands for, whether it happened or not."""
    found: set[tuple[str, str]] = set()
    if run.has("receipts"):
        for row in run.sheet("receipts").rows:
            cells = run.reading("receipts.moves", row)
            if (lot := run.lots.get(cells.text("lot"))) is not None:
                found.add((run.codes.get(lot.product, ""), lot.number))
    for row in run.sheet("work_orders").rows:
        cells = run.reading("work_orders.outputs", row)
        if cells.text("lot"):
            found.add((cells.text("item"), cells.text("lot")))
    return found


def _opening_lot(run: Import, lot: LotPaper, quantity: Decimal, revision_id: str) -> Item:
    note = f"Opening stock in {run.mapping.system}" + (f" on {lot.created_on}" if lot.created_on else "")

    def insert(act: Act) -> Lot:
        revision = act.session.get_one(PartRevision, revision_id)
        number = free_number(act.session, revision.id, lot.number)
        return make_lot(
            act, revision, quantity, number=number, source=Source(LotSource.ADJUSTMENT, note=note),
            status=LotStatus.AVAILABLE, heat=heat_of(run, lot.number, revision),
        )  # fmt: skip

    def update(_act: Act, _lot: Lot) -> Outcome:
        return Outcome.OBSERVED

    content = {"number": lot.number, "product": lot.product, "quantity": canonical(quantity, scale=6)}
    return Item(Lot, "lot", lot.native_id, lot.number, lot.cells.row, content, insert, update)


def _genealogy(run: Import, steps: list[tuple[Reading, list[Step], dt.date | None]]) -> Iterator[Item]:
    by_code = {code: native for native, code in run.codes.items()}
    natives = {(run.codes.get(lot.product, ""), lot.number): native for native, lot in run.lots.items()}
    for cells, some, day in steps:
        unknown = [step for step in some if step.item not in by_code]
        if unknown:
            cells.error(
                "id", "UNKNOWN_PRODUCT", f"Expected a product {unknown[0].item} of this extract, but there is none"
            )
            run.leave_out("genealogy")
            continue
        yield _made_and_used(run, cells, some, day, by_code, natives)


def _made_and_used(
    run: Import,
    cells: Reading,
    steps: list[Step],
    day: dt.date | None,
    by_code: dict[str, str],
    natives: dict[tuple[str, str], str],
) -> Item:
    native_id = cells.text("id")
    happened_at = dt.datetime.combine(day, dt.time(12), dt.UTC) if day else None

    def write(act: Act) -> WorkOrder:
        order = act.session.get_one(WorkOrder, run.id_of("work_order", native_id) or "")
        for step in steps:
            event = Event(
                f"{run.mapping.system}:{'output' if step.is_output else 'issue'}:{step.native_id}", run.mapping.system,
                happened_at,
            )  # fmt: skip
            if event_called(act.session, event.id) is not None:
                continue
            revision = act.session.get_one(PartRevision, run.id_of("product", by_code[step.item]) or "")
            native = natives.get((step.item, step.lot), "")
            if step.is_output:
                _make(run, act, order, step, revision, native, event)
            else:
                _use(run, act, order, step, revision, native, event)
        return order

    def update(act: Act, _order: WorkOrder) -> Outcome:
        write(act)
        return Outcome.CHANGED

    content = {"steps": [[s.native_id, s.item, canonical(s.quantity, scale=6), s.lot] for s in steps]}
    number = cells.text("number") or native_id
    return Item(WorkOrder, GENEALOGY, native_id, number, cells.row, content, write, update)


def _make(
    run: Import, act: Act, order: WorkOrder, step: Step, revision: PartRevision, native: str, event: Event
) -> None:
    """Make the lot that a work order put out. Without a lot there is nothing to trace to."""
    if not step.lot:
        return
    lot = make_lot(
        act, revision, step.quantity, number=free_number(act.session, revision.id, step.lot), status=LotStatus.AVAILABLE,
        source=Source(LotSource.WORK_ORDER, (order.record_type, order.id)), event=event,
    )  # fmt: skip
    if native:
        run.remember(act, "lot", native, lot)


def _use(
    run: Import, act: Act, order: WorkOrder, step: Step, revision: PartRevision, native: str, event: Event
) -> None:
    """Issue material. What was issued beyond what ever came is issued from a lot of its own that has no source: a gap."""
    if not step.lot:
        if revision.part.lot_control is not LotControl.NONE:
            consume(act, None, step.quantity, work_order_id=order.id, event=event, uom=step.uom, part_revision=revision)
        return
    lot = _lot_of(run, act, native)
    there = (
        min(step.quantity, lot.quantity_left) if lot is not None and lot.status is LotStatus.AVAILABLE else Decimal(0)
    )
    if lot is not None and there:
        consume(act, lot, there, work_order_id=order.id, event=event, uom=step.uom)
    ahead = step.quantity - there
    if ahead:
        early = make_lot(
            act, revision, ahead, number=free_number(act.session, revision.id, step.lot), status=LotStatus.AVAILABLE,
            source=Source(LotSource.ADJUSTMENT), uom=step.uom, heat=heat_of(run, step.lot, revision),
        )  # fmt: skip
        later = event if not there else Event(f"{event.id}:ahead", event.system, event.happened_at)
        consume(act, early, ahead, work_order_id=order.id, event=later, uom=step.uom)


def _lot_of(run: Import, act: Act, native: str) -> Lot | None:
    known = run.known.get(("lot", native))
    lot_id = known.record_id if known else run.remembered(act, "lot", native)
    return act.session.get(Lot, lot_id) if lot_id else None
