"""Receipts: what the ERP counted in against order lines, each with the lot that came."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.canonical import canonical
from engine.errors import Invalid
from processes.genealogy import Source, make_lot
from processes.importing.bringing import ACTOR, Import, Item, Outcome
from processes.importing.differences import differ
from processes.importing.papers import Entry
from processes.importing.reading import Reading
from processes.importing.requisitions import unit_of
from processes.importing.sheets import Family
from records.external import ExternalRef
from records.lot import Lot, LotSource, LotStatus, free_number
from records.lot import move as move_lot
from records.part import PartRevision
from records.purchase_order import LINE_TRANSITIONS, LineStatus, PurchaseOrderLine
from records.receipt import TRANSITIONS, Receipt, ReceiptStatus, count_receipts
from records.transition import move_along

MOVE = "receipt.move"
ORDER_LINE = "order.line"
HAPPENED = "DONE"
NOT_HERE = ("ANNOUNCED", "CANCELLED")
WAY = (ReceiptStatus.INSPECTION, ReceiptStatus.ACCEPTED, ReceiptStatus.PUT_AWAY)
"""How goods that the ERP put away came to lie there."""


@dataclass(frozen=True, slots=True)
class Move:
    """Goods against one order line that were read. lot: its native id, empty without one."""

    native_id: str
    order_line: str
    quantity: Decimal
    uom: str
    lot: str


@dataclass(frozen=True, slots=True)
class LotPaper:
    """A lot that was read. quantity: what is there of it now, below 0 where more was issued than came."""

    native_id: str
    number: str
    product: str
    quantity: Decimal
    created_on: dt.date | None
    cells: Reading


def bring_receipts(run: Import) -> None:
    """Bring in every shipment that arrived and whose moves can all be read, with its lots."""
    if not run.has("receipts"):
        return
    run.papers.has_receipts = True
    with run.act() as act:
        lines = order_lines(run, act)
    run.bring("receipts", _receipts(run, lines))


def lines_with_receipts(run: Import) -> set[str]:
    """Return the native order lines that something was received on: their quantities are the sums of the receipts."""
    if not run.has("receipts"):
        return set()
    moves = run.mapping["receipts.moves"]
    words = run.mapping.words["move_states"]
    return {
        row.cells[moves.column("order_line")]
        for row in run.sheet("receipts").rows
        if words.get(row.cells[moves.column("state")]) == HAPPENED
    }


def order_lines(run: Import, act: Act) -> dict[str, str]:
    """Return our order lines by native id; those brought in before lines were remembered by their place."""
    system = run.mapping.system
    wanted = select(ExternalRef.native_id, ExternalRef.record_id).where(
        ExternalRef.system == system, ExternalRef.native_type == ORDER_LINE
    )
    found = dict(act.session.execute(wanted).all())
    placed = select(PurchaseOrderLine.order_id, PurchaseOrderLine.line_no, PurchaseOrderLine.id)
    by_place = {(order, line_no): line for order, line_no, line in act.session.execute(placed)}
    for order in run.papers.orders.values():
        ours = run.id_of("order", order.native_id)
        for line in order.lines:
            if line.native_id not in found and (here := by_place.get((ours or "", line.line_no))):
                found[line.native_id] = here
    return found


def read_lots(run: Import) -> dict[str, LotPaper]:
    """Return the lots that can be read, by native id; read once."""
    if run.has("lots") and not run.lots:
        for row in run.sheet("lots").rows:
            cells = run.reading("lots", row)
            number, quantity = cells.needed("number", limit=40), cells.decimal("quantity", scale=6)
            created = cells.text("created_on", limit=60)[:10]
            day = dt.date.fromisoformat(created) if created else None
            if cells.is_good:
                native = cells.text("id")
                run.lots[native] = LotPaper(native, number, cells.text("product"), quantity or Decimal(0), day, cells)
    return run.lots


def heat_of(run: Import, lot_number: str, revision: PartRevision) -> str:
    """Return the heat: lots of raw material are numbered by it in this ERP."""
    return lot_number if revision.part.commodity == run.default("heat_lots", otherwise="") else ""


def _receipts(run: Import, lines: Mapping[str, str]) -> Iterator[Item]:
    for family in run.families("receipts"):
        cells = run.reading("receipts", family.head)
        state = cells.word("state", run.mapping.words["receipt_states"])
        if state in NOT_HERE:
            continue
        moves = _moves(run, cells, family, lines)
        values = _values(run, cells, family)
        if not cells.is_good or moves is None:
            run.leave_out("receipts")
            continue
        if moves:
            yield _shipment(run, cells, ReceiptStatus(state), values, moves, lines)


def _values(run: Import, cells: Reading, family: Family) -> dict[str, Any]:
    """Return what all receipts of a shipment share. A shipment that is not closed has its day on its moves."""
    day = cells.day("received_on") or run.reading("receipts.moves", family.head).day("received_on")
    if day is None:
        cells.error("received_on", "MISSING_VALUE", "Expected the day on which the goods came, but there is none")
    return {
        "packing_slip": cells.text("reference", limit=200),
        "received_on": day,
        "received_by": _receiver(run, cells, family),
        "number": cells.needed("number", limit=20),
    }


def _receiver(run: Import, cells: Reading, family: Family) -> str:
    """Return who received. The buyer may not (SOD-3): then the ERP stands for what it let happen, and somebody should look."""
    name = cells.text("received_by")
    line = run.mapping["receipts.moves"].column("order_line")
    orders = {run.papers.order_of.get(row.cells.get(line, ""), "") for row in family.rows}
    buyers = {order.buyer for native in orders if (order := run.papers.orders.get(native)) is not None}
    receiver = run.people.get(name, ACTOR)
    if receiver in buyers:
        cells.warn("received_by", "SELF_RECEIVED", f"{name} received in the ERP what they had bought (SOD-3)")
        return ACTOR
    return receiver


def _moves(run: Import, head: Reading, family: Family, lines: Mapping[str, str]) -> list[Move] | None:
    """Return what arrived, or None when one of the moves cannot be read."""
    moves: list[Move] = []
    entries: list[Entry] = []
    is_good = True
    for row in family.children(run.mapping["receipts.moves"].column("id")):
        cells = run.reading("receipts.moves", row)
        if cells.word("state", run.mapping.words["move_states"]) != HAPPENED:
            is_good = is_good and cells.is_good
            continue
        quantity, line = cells.decimal("quantity", scale=6, above=Decimal(0)), cells.text("order_line")
        if line not in lines:
            cells.error("order_line", "UNKNOWN_LINE", "Expected a line of an order that was brought in, but it was not")
        if cells.text("lot") and run.has("lots") and cells.text("lot") not in read_lots(run):
            cells.error("lot", "UNKNOWN_LOT", "Expected a lot of this extract that can be read, but there is none")
        uom = unit_of(run, cells)
        is_good = is_good and cells.is_good and quantity is not None
        if quantity is not None:
            moves.append(Move(cells.text("id"), line, quantity, uom, cells.text("lot")))
            entries.append(
                Entry(
                    f"shipment {head.text('number')}", line, head.text("supplier"), cells.text("currency"),
                    run.codes.get(cells.text("product"), ""), quantity, uom, cells.day("received_on"),
                )
            )  # fmt: skip
    if not is_good:
        return None
    for entry in entries:
        run.papers.receive(entry)
    return moves


def _shipment(
    run: Import,
    cells: Reading,
    status: ReceiptStatus,
    values: Mapping[str, Any],
    moves: list[Move],
    lines: Mapping[str, str],
) -> Item:
    def insert(act: Act) -> Receipt:
        made = [_bring_move(run, act, values, status, move, line_id=lines[move.order_line]) for move in moves]
        return made[0]

    def update(act: Act, first: Receipt) -> Outcome:
        outcome = Outcome.UNCHANGED
        for move in moves:
            known = _known_move(run, act, move)
            if known is None:
                _bring_move(run, act, values, status, move, line_id=lines[move.order_line])
                outcome = Outcome.CHANGED
            elif known.status is ReceiptStatus.ARRIVED and status is ReceiptStatus.PUT_AWAY:
                _put_away(act, known)
                outcome = Outcome.CHANGED
            seen = _differ(run, act, known, move) if known is not None else Outcome.UNCHANGED
            outcome = seen if outcome is Outcome.UNCHANGED else outcome
        return outcome

    content = {
        "status": status.value,
        **{name: canonical(value) for name, value in values.items()},
        "moves": [
            [each.native_id, each.order_line, canonical(each.quantity, scale=6), each.uom, each.lot] for each in moves
        ],
    }
    return Item(Receipt, "receipt", cells.text("id"), values["number"], cells.row, content, insert, update)


def _known_move(run: Import, act: Act, move: Move) -> Receipt | None:
    wanted = select(Receipt).where(
        Receipt.source_system == run.mapping.system, Receipt.source_event_id == f"{MOVE}:{move.native_id}"
    )
    return act.session.scalar(wanted)


def _bring_move(
    run: Import, act: Act, values: Mapping[str, Any], status: ReceiptStatus, move: Move, *, line_id: str
) -> Receipt:
    """Make one receipt with its lot, and count its line. What goes beyond the order is kept as too much, undecided."""
    line = act.session.get_one(PurchaseOrderLine, line_id)
    _check(line, move)
    receipt = Receipt(
        number=f"{run.mapping.system}-{values['number']}/{move.native_id}", order_line=line, order_line_id=line.id,
        order_revision=line.order.revision, quantity=move.quantity, uom=move.uom, stated_quantity=move.quantity,
        stated_uom=move.uom, over_quantity=max(Decimal(0), line.quantity_received + move.quantity - line.quantity),
        packing_slip=values["packing_slip"], received_on=values["received_on"], received_by=values["received_by"],
        source_system=run.mapping.system, source_event_id=f"{MOVE}:{move.native_id}",
        lot_label=run.lots[move.lot].number if move.lot in run.lots else "",
    )  # fmt: skip
    act.session.add(receipt)
    act.session.flush()
    if move.lot in run.lots:
        _bring_lot(run, act, receipt, move)
    if status is ReceiptStatus.PUT_AWAY:
        _put_away(act, receipt)
    else:
        count_receipts(act, line)
    return receipt


def _check(line: PurchaseOrderLine, move: Move) -> None:
    if line.quantity_imported is not None:
        raise Invalid(
            f"Expected nothing received yet on {line.number}, but it arrived closed, with everything received",
            {"order_line": "was counted already"},
        )
    if line.uom != move.uom:
        raise Invalid(
            f"Expected goods of {line.number} in {line.uom}, but they came in {move.uom}", {"uom": "is another unit"}
        )


def _put_away(act: Act, receipt: Receipt) -> None:
    for status in WAY:
        move_along(act, receipt, status, transitions=TRANSITIONS, reason=None)
    lot = act.session.get(Lot, receipt.lot_id) if receipt.lot_id else None
    if lot is not None and lot.status is LotStatus.QUARANTINE:
        move_lot(act, lot, LotStatus.AVAILABLE)
    line = count_receipts(act, receipt.order_line)
    if line.status in (LineStatus.OPEN, LineStatus.PART_RCVD):
        reached = LineStatus.RCVD if line.open_quantity <= 0 else LineStatus.PART_RCVD
        if reached is not line.status:
            move_along(act, line, reached, transitions=LINE_TRANSITIONS, reason=None)


def _bring_lot(run: Import, act: Act, receipt: Receipt, move: Move) -> None:
    lot = run.lots[move.lot]
    revision = act.session.get_one(PartRevision, run.id_of("product", lot.product) or "")
    made = make_lot(
        act, revision, move.quantity, number=free_number(act.session, revision.id, lot.number), uom=move.uom,
        source=Source(LotSource.RECEIPT, (receipt.record_type, receipt.id)), heat=heat_of(run, lot.number, revision),
    )  # fmt: skip
    receipt.lot_id = made.id
    run.remember(act, "lot", lot.native_id, made)


def _differ(run: Import, act: Act, receipt: Receipt, move: Move) -> Outcome:
    """Note what the ERP says otherwise about goods that are booked: a receipt is reversed, never edited."""
    ours = {"quantity": canonical(receipt.quantity, scale=6), "uom": receipt.uom}
    theirs: dict[str, str | None] = {"quantity": canonical(move.quantity, scale=6), "uom": move.uom}
    return differ(act, receipt, ours, theirs, system=run.mapping.system)
