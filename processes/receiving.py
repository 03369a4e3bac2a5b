"""Goods at the dock (A31 to A33): booked once per event, split where too much came, kept apart where something does not fit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Invalid, RuleViolation
from processes import goods_lots, identity, nonconforming
from processes.documents import plain
from processes.goods_settling import settle
from processes.goods_signature import RECEIVERS, role_for
from processes.matching import rematch_line
from processes.order_progress import lock, order_key, outstanding, settle_statuses, tell_flow, watch
from records.money import EXACT
from records.numbering import next_number
from records.outside import OutsideLink, links_of_line
from records.person import User
from records.purchase_order import SENT, LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.receipt import (
    Quarantine,
    Receipt,
    ReceiptStatus,
    count_receipts,
    keep_apart,
    move,
    receipts_of,
    remaining_counted,
    remaining_quantity,
)
from records.units import check_quantity
from rules.law import block
from rules.tolerances import profile_of

NONE = Decimal(0)
OWN = "LOCKSTEP"
"""The system of what people book here themselves."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came in on one order line.

    quantity: in ``uom``, the line's unit when not given. received_on: site-local, today when not given. revision_on_label: as
    read from the goods, None when nobody read it. system, event_id: the same pair is the same delivery. performer: who received
    it as another system says; the acting person otherwise. link_id: of the outside work whose pieces came back, counted there.
    """

    quantity: Decimal
    event_id: str
    system: str = OWN
    uom: str | None = None
    packing_slip: str = ""
    received_on: dt.date | None = None
    location: str = ""
    revision_on_label: str | None = None
    lot: str = ""
    heat: str = ""
    serials: tuple[str, ...] = ()
    performer: str = ""
    link_id: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """One of the receipts that a delivery becomes. over: the part that is not ordered; first: index of its first serial."""

    quantity: Decimal
    over: Decimal = NONE
    position: int = 1
    first: int = 0


@dataclass(frozen=True, slots=True)
class Booking:
    """What a delivery became. receipts: what counts first, then the excess. is_repeat: it had been booked before."""

    receipts: tuple[Receipt, ...]
    is_repeat: bool = False
    remarks: tuple[str, ...] = field(default=())


def receive(act: Act, order_line: PurchaseOrderLine, quantity: Decimal, *, event_id: str, **more: Any) -> Receipt:
    """Book goods in against one order line and return the (first) receipt.

    more: as in ``Delivery``. Raises: as ``book``.
    """
    return book(act, order_line, Delivery(quantity=quantity, event_id=event_id, **more)).receipts[0]


def book(act: Act, order_line: PurchaseOrderLine, delivery: Delivery) -> Booking:
    """Book a delivery: a receipt for what was ordered, a second one in quarantine for what is over tolerance.

    Raises: Invalid for a quantity, unit or serials that cannot be; Forbidden for people who do not receive; RuleViolation SOD-3
    for the buyer; Conflict when the order takes no goods, another system booked the same packing slip, or the pieces are our own
    and away under a link (BALANCE_OPEN). The same event again returns what it became and moves nothing.
    """
    role_for(act, RECEIVERS, to="book goods in")
    quantity = _in_line_units(order_line, delivery)
    order = lock(act, order_line.order)
    known = _booked_before(act, order_line, delivery)
    if known:
        return Booking(tuple(known), is_repeat=True)
    _refuse_closed(order, order_line)
    if not delivery.link_id:
        _refuse_own_pieces(act.session, order_line)
    _refuse_second_system(act, order_line, delivery)
    watch(act, order)
    shares = _split(act, order_line, quantity)
    receipts = [_write(act, order_line, delivery, share) for share in shares]
    remarks = _sort(act, receipts)
    settle_statuses(act, order)
    rematch_line(act, order_line.id)
    for receipt in receipts:
        announce(act, receipt)
    return Booking(tuple(receipts), remarks=tuple(remarks))


def reverse(
    act: Act, receipt: Receipt, quantity: Decimal | None = None, *, reason: str, event_id: str, system: str = OWN
) -> Receipt:
    """Take a receipt, or a part of it, back by a negative receipt; the first one stays as it was.

    quantity: above 0, in the receipt's unit, all that is left when not given. Raises: Invalid; Conflict when it is a reversal
    itself, nothing is left, its order is closed, or more was paid than would remain.
    """
    role_for(act, RECEIVERS, to="take a receipt back")
    order = lock(act, receipt.order_line.order)
    known = act.session.scalar(
        select(Receipt).where(Receipt.source_system == system, Receipt.source_event_id == event_id)
    )
    if known is not None:
        return known
    if order.status is OrderStatus.CLOSED:
        raise Conflict(f"Expected {order.number} to be open, but it is closed; claim it with a debit note instead")
    made = book_back(
        act, receipt, quantity, reason=reason, event_id=event_id, system=system, received_by=_receiver(act, "")
    )
    settle_statuses(act, order)
    return made


def book_back(
    act: Act,
    receipt: Receipt,
    quantity: Decimal | None = None,
    *,
    reason: str,
    event_id: str,
    system: str = OWN,
    received_by: str | None = None,
    serials: Sequence[str] = (),
) -> Receipt:
    """Write the negative receipt, without asking who acts: a disposition of quality does the same.

    received_by: who takes it back; whoever received the goods when a disposition does. serials: which pieces, any when empty.
    """
    if not reason.strip():
        raise Invalid("Expected a reason for the reversal, but there is none", {"reason": "is required"})
    left = remaining_quantity(act.session, receipt)
    wanted = left if quantity is None else check_quantity(quantity, receipt.uom)
    if receipt.reverses_id is not None or left <= 0 or wanted > left:
        raise Conflict(
            f"Expected at most {plain(max(left, NONE))} {receipt.uom} of {receipt.number} to take back, "
            f"but {plain(wanted)} was asked for",
            code="REVERSED",
        )
    line = receipt.order_line
    counted = min(wanted, remaining_counted(act.session, receipt))
    made = Receipt(
        number=next_number(act, "RCV", site=line.order.site), order_line=line, order_line_id=line.id, quantity=-wanted,
        over_quantity=-(wanted - counted), uom=receipt.uom, stated_quantity=wanted, stated_uom=receipt.uom,
        order_revision=line.order.revision, packing_slip=receipt.packing_slip, received_on=_today(act, line),
        received_by=received_by or receipt.received_by,
        location=receipt.location, reverses=receipt, reverses_id=receipt.id, reason=reason[:4000],
        status=ReceiptStatus.REVERSAL, source_system=system, source_event_id=event_id, serials=tuple(serials),
    )  # fmt: skip
    act.session.add(made)
    count_receipts(act, line)
    goods_lots.take_back(act, receipt, wanted, reason=reason, event_id=f"{system}:{event_id}", serials=serials)
    return made


def announce(act: Act, receipt: Receipt) -> None:
    """Let the flow take up goods that came in."""
    line = receipt.order_line
    about = {
        "id": receipt.id, "number": receipt.number, "line": line.number, "item": line.item, "quantity": receipt.quantity,
        "uom": receipt.uom,
    }  # fmt: skip
    # What the flow will learn of these goods stays with them: names that come with the message are their own.
    own = dict.fromkeys(
        ("goods", "refusal", "kept_as", "decision", "rejects", "sorted_out", "sorted_serials", "findings", "note")
    )
    tell_flow(act, "goods.received", order_key(line.order), {"receipt": about, **own})


def _write(act: Act, line: PurchaseOrderLine, delivery: Delivery, share: Share) -> Receipt:
    receipt = Receipt(
        number=next_number(act, "RCV", site=line.order.site), order_line=line, order_line_id=line.id, quantity=share.quantity,
        over_quantity=share.over, uom=line.uom, stated_quantity=delivery.quantity, stated_uom=delivery.uom or line.uom,
        order_revision=line.order.revision, packing_slip=delivery.packing_slip.strip(),
        received_on=delivery.received_on or _today(act, line), received_by=_receiver(act, delivery.performer),
        location=delivery.location, revision_on_label=delivery.revision_on_label, lot_label=delivery.lot.strip(),
        heat=delivery.heat.strip(), serials=delivery.serials[share.first : share.first + int(share.quantity)],
        source_system=delivery.system, source_event_id=delivery.event_id, position=share.position,
    )  # fmt: skip
    act.session.add(receipt)
    act.session.flush()
    return receipt


def _sort(act: Act, receipts: Sequence[Receipt]) -> list[str]:
    """Count the line, make the lots, and send each receipt to inspection or into quarantine; return what to say of it."""
    remarks: list[str] = []
    for receipt in receipts:
        count_receipts(act, receipt.order_line)
    for receipt in receipts:
        goods_lots.make(act, receipt)
        if receipt.position == 2:
            words = f"{plain(receipt.quantity)} {receipt.uom} more than ordered on {receipt.order_line.number}"
            keep_apart(act, receipt, Quarantine.OVER, reason=words)
            remarks.append(f"{receipt.number}: {words}; kept apart until the buyer and receiving decide.")
            continue
        odd = identity.doubts_about(act, receipt)
        if odd is None:
            move(act, receipt, ReceiptStatus.INSPECTION)
            settle(act, receipt)
            continue
        keep_apart(act, receipt, odd.cause, reason=odd.sentence)
        remarks.append(f"{receipt.number}: {odd.sentence} {odd.way_out}")
        if odd.is_nonconforming:
            nonconforming.raise_on(act, receipt, receipt.quantity, title=odd.title, description=odd.sentence)
    return remarks


def _split(act: Act, line: PurchaseOrderLine, quantity: Decimal) -> list[Share]:
    """Return the receipts a delivery becomes: a little too much within tolerance fits, uncounted and unpaid; more is apart."""
    room = max(min(outstanding(act.session, line), line.quantity - line.quantity_received), NONE)
    over = max(quantity - room, NONE)
    before = sum((one.over_quantity for one in receipts_of(act.session, line) if one.position == 1), NONE)
    if over + before <= profile_of(line).over_allowance(line.quantity, line.uom) or not over:
        return [Share(quantity, over=over)]
    fitting = [Share(room)] if room else []
    return [*fitting, Share(over, over=over, position=2, first=int(room))]


def _in_line_units(line: PurchaseOrderLine, delivery: Delivery) -> Decimal:
    """Return the quantity in the line's unit. Raises: Invalid; RuleViolation CON-12 for a unit without a conversion."""
    uom = delivery.uom or line.uom
    stated = check_quantity(delivery.quantity, uom)
    quantity = stated if uom == line.uom else _converted(line, stated, uom)
    check_quantity(quantity, line.uom)
    if len(set(delivery.serials)) != len(delivery.serials):
        raise Invalid("Expected each serial once, but one is there twice", {"serials": "one is there twice"})
    if delivery.serials and len(delivery.serials) != quantity:
        raise Invalid(
            f"Expected {plain(quantity)} serials, one for each piece, but found {len(delivery.serials)}",
            {"serials": "one for each piece"},
        )
    if not delivery.event_id.strip():
        raise Invalid("Expected the id of the delivery's event, but there is none", {"event_id": "is required"})
    return quantity


def _converted(line: PurchaseOrderLine, stated: Decimal, uom: str) -> Decimal:
    stock = line.part_revision.part.base_uom if line.part_revision is not None else None
    if uom != stock or line.uom == stock:
        raise RuleViolation(
            [
                block(
                    "CON-12",
                    f"Expected {line.number} to be received in {line.uom}, but {plain(stated)} {uom} came and there is no "
                    "conversion.",
                    (line.order.record_type, line.order_id),
                    field="uom", old=line.uom, new=uom, owner="role:BUYER",
                    way_out=f"Weigh or count it in {line.uom}.",
                )
            ]
        )  # fmt: skip
    quantity = EXACT.divide(stated, line.conversion_factor)
    if quantity != quantity.quantize(Decimal("0.000001")):
        raise Invalid(
            f"Expected a quantity that is exact in {line.uom}, but {plain(stated)} {uom} is not",
            {"quantity": "is not exact"},
        )
    return quantity.quantize(Decimal("0.000001"))


def _refuse_closed(order: PurchaseOrder, line: PurchaseOrderLine) -> None:
    status = order.held_from if order.status is OrderStatus.ON_HOLD and order.held_from else order.status
    takes = SENT - {OrderStatus.SUPPLIER_REJECTED, OrderStatus.CLOSED}
    about = (order.record_type, order.id)
    if status not in takes:
        raise Conflict(
            f"Expected {order.number} to be at its supplier, but it is {status}; send the goods back or call the buyer",
            code="ORDER_NOT_OPEN", record=about,
        )  # fmt: skip
    if line.status in (LineStatus.CLOSED, LineStatus.CANCELLED):
        raise Conflict(
            f"Expected line {line.number} to be open, but it is {line.status}; send the goods back or call the buyer",
            code="ORDER_NOT_OPEN", record=about,
        )  # fmt: skip


def link_away(session: Session, line: PurchaseOrderLine) -> OutsideLink | None:
    """Return the link under which pieces of a line are at the supplier, the oldest first."""
    return next((link for link in links_of_line(session, line.id) if link.at_supplier), None)


def _refuse_own_pieces(session: Session, line: PurchaseOrderLine) -> None:
    """Refuse pieces that are counted under a link of outside work: booked here, its balance would never close. Raises: Conflict."""
    link = link_away(session, line)
    if link is not None:
        raise Conflict(
            f"Expected what comes on {line.number} to be counted in under {link.number}, where {plain(link.at_supplier)} {link.uom} "
            f"are away, but it was booked on the order line; take the pieces back on the page of {link.number}",
            code="BALANCE_OPEN", record=(link.record_type, link.id),
        )  # fmt: skip


def _booked_before(act: Act, line: PurchaseOrderLine, delivery: Delivery) -> list[Receipt]:
    wanted = select(Receipt).where(
        Receipt.source_system == delivery.system, Receipt.source_event_id == delivery.event_id
    )
    found = list(act.session.scalars(wanted.order_by(Receipt.position)))
    if any(one.order_line_id != line.id or one.stated_quantity != delivery.quantity for one in found):
        raise Conflict(
            f"Expected the event {delivery.event_id} of {delivery.system} to say the same again, "
            f"but it was booked as {plain(found[0].stated_quantity)} on {found[0].order_line.number}",
            code="EVENT_REUSED",
        )
    return found


def _refuse_second_system(act: Act, line: PurchaseOrderLine, delivery: Delivery) -> None:
    """Refuse what another system has booked already: one packing slip, lot and quantity on one line is one delivery."""
    if not delivery.packing_slip.strip():
        return
    wanted = select(Receipt).where(
        Receipt.order_line_id == line.id, Receipt.packing_slip == delivery.packing_slip.strip(),
        Receipt.source_system != delivery.system, Receipt.reverses_id.is_(None),
        Receipt.lot_label == delivery.lot.strip(), Receipt.stated_quantity == delivery.quantity,
    )  # fmt: skip
    for twin in act.session.scalars(wanted):
        if remaining_quantity(act.session, twin) > 0:
            raise Conflict(
                f"Expected packing slip {delivery.packing_slip} once on {line.number}, but {twin.source_system} booked it "
                f"as {twin.number}; reverse that one first if both came",
                code="DUPLICATE_RECEIPT", record=(twin.record_type, twin.id),
            )  # fmt: skip


def _receiver(act: Act, performer: str) -> str:
    """Return who received: the acting person, or whom another system names; a user where there is one of that name."""
    if act.user_id is not None:
        return act.user_id
    name = performer.strip()[:60]
    user = act.session.get(User, name.lower()) if name else None
    return user.id if user is not None else name or act.actor[:60]


def _today(act: Act, line: PurchaseOrderLine) -> dt.date:
    return line.order.site.local_day(act.now)
