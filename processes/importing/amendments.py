"""Amendments of the ERP: observed beside the order they changed. Their redline is lost: the extract has only what became."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import select

from engine.act import Act
from processes.importing.bringing import Import, Item, Outcome
from processes.importing.papers import Change
from processes.importing.reading import Reading
from processes.importing.sheets import Family
from records.external import Observation
from records.purchase_order import PurchaseOrder

IN_FORCE = "IN_FORCE"


def bring_amendments(run: Import) -> None:
    """Keep every amendment that can be read as an observation of its order, in force or only proposed."""
    if run.has("amendments"):
        run.bring("amendments", _amendments(run))


def _amendments(run: Import) -> Iterator[Item]:
    for family in run.families("amendments"):
        cells = run.reading("amendments", family.head)
        state = cells.word("state", run.mapping.words["amendment_states"])
        day, order = cells.day("day"), cells.text("order")
        if day is None:
            cells.error("day", "MISSING_VALUE", "Expected the date of the amendment, but the cell is empty")
        if run.id_of("order", order) is None:
            cells.error("order", "UNKNOWN_ORDER", "Expected an order of this extract, but it was not brought in")
        changes = _changes(run, family)
        if not cells.is_good or changes is None or day is None:
            run.leave_out("amendments")
            continue
        if state == IN_FORCE:
            for line, price, supplier, _ in changes:
                run.papers.change(Change(order, day, line, price, supplier))
        yield _amendment(run, cells, state, [words for *_, words in changes])


def _changes(run: Import, family: Family) -> list[tuple[str, Decimal | None, str, str]] | None:
    """Return (native line, price, native supplier, words) of each line, or None when one cannot be read."""
    found: list[tuple[str, Decimal | None, str, str]] = []
    is_good = True
    for row in family.children(run.mapping["amendments.lines"].column("id")):
        cells = run.reading("amendments.lines", row)
        quantity, price = cells.decimal("quantity", scale=6), cells.decimal("unit_price", scale=4)
        supplier = cells.text("supplier")
        is_good = is_good and cells.is_good
        found.append((cells.text("line"), price, supplier, _words(run, cells, quantity, price)))
    return found if is_good else None


def _words(run: Import, cells: Reading, quantity: Decimal | None, price: Decimal | None) -> str:
    native = cells.text("line")
    order = run.papers.orders.get(run.papers.order_of.get(native, ""))
    line_no = next((line.line_no for line in order.lines if line.native_id == native), 0) if order else 0
    said = [
        f"line {line_no}" if line_no else "",
        f"quantity {quantity.normalize():f}" if quantity is not None else "",
        f"price {price:f}" if price is not None else "",
        f"supplier {run.papers.suppliers.get(cells.text('supplier'), '')}" if cells.text("supplier") else "",
        f"“{cells.text('description')}”" if cells.text("description") else "",
    ]
    return ", ".join(filter(None, said))


def _amendment(run: Import, cells: Reading, state: str, said: list[str]) -> Item:
    standing = "in force" if state == IN_FORCE else "proposed, not in force"
    reason = f" ({cells.text('description')})" if cells.text("description") else ""
    text = f"{cells.text('day')}, {standing}: {'; '.join(said) or 'nothing'}{reason}"[:20000]
    field = f"amendment {cells.text('id')}"

    def write(act: Act) -> PurchaseOrder:
        order = act.session.get_one(PurchaseOrder, run.id_of("order", cells.text("order")) or "")
        wanted = select(Observation).where(
            Observation.record_type == order.record_type, Observation.record_id == order.id,
            Observation.field == field, Observation.system == run.mapping.system,
        )  # fmt: skip
        seen = act.session.scalar(wanted)
        if seen is None:
            seen = Observation(
                record_type=order.record_type, record_id=order.id, field=field, system=run.mapping.system
            )
            act.session.add(seen)
        seen.observed, seen.observed_at = text, act.now
        return order

    def update(act: Act, _order: PurchaseOrder) -> Outcome:
        write(act)
        return Outcome.CHANGED

    content = {"order": cells.text("order"), "text": text}
    return Item(PurchaseOrder, "amendment", cells.text("id"), field, cells.row, content, write, update)
