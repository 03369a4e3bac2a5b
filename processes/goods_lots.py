"""The lots of received goods: made when the goods are booked, released, barred or taken out as the receipt goes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict
from processes.genealogy import Event, Source, make_lot, withdraw
from processes.genealogy_holds import accept_lot, reject_lot
from records.lot import Lot, LotSource, LotStatus, free_number
from records.part import LotControl
from records.receipt import Receipt

ONE = Decimal(1)


def make(act: Act, receipt: Receipt) -> list[Lot]:
    """Make the lot of received parts, one for each serial where serials are listed; services have none.

    A lot is called after the supplier's lot, else the heat, else the receipt, and is kept in the part's base unit.
    """
    line = receipt.order_line
    revision = line.part_revision
    if revision is None:
        return []
    source = Source(LotSource.RECEIPT, (receipt.record_type, receipt.id))
    serials = receipt.serials if revision.part.lot_control is LotControl.SERIAL else ()
    made = [
        make_lot(
            act, revision, ONE, number=free_number(act.session, revision.id, serial), source=source, heat=receipt.heat,
            is_serial=True,
        )
        for serial in serials
    ] or [
        make_lot(
            act, revision, receipt.quantity * line.conversion_factor, source=source, heat=receipt.heat,
            uom=revision.part.base_uom if line.uom != revision.part.base_uom else line.uom,
            number=free_number(act.session, revision.id, (receipt.lot_label or receipt.heat or receipt.number)[:36]),
        )
    ]  # fmt: skip
    receipt.lot_id = made[0].id
    act.session.flush()
    return made


def lots_of(act: Act, receipt: Receipt) -> list[Lot]:
    """Return the lots that came with a receipt."""
    wanted = select(Lot).where(Lot.source_type == receipt.record_type, Lot.source_id == receipt.id)
    return list(act.session.scalars(wanted.order_by(Lot.number)))


def release(act: Act, receipt: Receipt, *, reason: str) -> None:
    """Let the lots of accepted goods be used; what had been rejected and is used as it is gets a lot of its own."""
    for lot in lots_of(act, receipt):
        if lot.status is LotStatus.QUARANTINE and lot.quantity_left > 0:
            accept_lot(act, lot, reason=reason)
        elif lot.status is LotStatus.REJECTED and lot.quantity_left > 0:
            _replace(act, receipt, lot, reason=reason)


def bar(act: Act, receipt: Receipt, *, reason: str) -> None:
    """Bar the lots of rejected goods from ever being used."""
    for lot in lots_of(act, receipt):
        if lot.status in (LotStatus.QUARANTINE, LotStatus.HOLD):
            reject_lot(act, lot, reason=reason)


def take_back(
    act: Act, receipt: Receipt, quantity: Decimal, *, reason: str, event_id: str, serials: Sequence[str] = ()
) -> None:
    """Take pieces out of the lots of a receipt that is reversed.

    quantity: in the receipt's unit. serials: which of them, any when empty. Raises: Conflict NOT_ENOUGH when they were used
    already.
    """
    left = quantity * receipt.order_line.conversion_factor
    lots = [lot for lot in lots_of(act, receipt) if not (serials and lot.is_serial) or _is_called(lot, serials)]
    for number, lot in enumerate(lots, start=1):
        taken = min(left, lot.quantity_left)
        if taken > 0:
            withdraw(act, lot, taken, reason=reason, event=Event(f"receipt-reversal:{event_id}:{number}"[:200]))
            left -= taken
    if left > 0 and lots:
        raise Conflict(
            f"Expected the pieces of {receipt.number} to be in stock, but some of them were used already; "
            "reverse what used them first",
            code="NOT_ENOUGH", record=(receipt.record_type, receipt.id),
        )  # fmt: skip


def _is_called(lot: Lot, serials: Sequence[str]) -> bool:
    """Say whether a lot is one of these pieces; a number that was taken before carries a turn, ``S-1-2``."""
    before, _, turn = lot.number.rpartition("-")
    return lot.number in serials or (turn.isdigit() and before in serials)


def _replace(act: Act, receipt: Receipt, rejected: Lot, *, reason: str) -> None:
    left, uom, revision = rejected.quantity_left, rejected.uom, rejected.part_revision
    withdraw(act, rejected, left, reason=reason, event=Event(f"used-as-is:{rejected.id}"))
    made = make_lot(
        act, revision, left, uom=uom, heat=rejected.heat, is_serial=rejected.is_serial, expires_on=rejected.expires_on,
        source=Source(LotSource.RECEIPT, (receipt.record_type, receipt.id)),
        number=free_number(act.session, revision.id, rejected.number),
    )  # fmt: skip
    accept_lot(act, made, reason=reason)
