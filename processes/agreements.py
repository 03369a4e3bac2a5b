"""Contracts and blanket orders: what an order draws from them, never beyond their remainder, and what it gives back (2.08)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Effect, Finding, Forbidden, Invalid
from processes.documents import plain
from processes.seats import roles_held
from records.calendar import Site
from records.money import convert, line_amount, total
from records.numbering import next_number
from records.part import Part
from records.purchase_order import LineStatus, PurchaseOrder
from records.requisition import Requisition, RequisitionLine
from records.sourcing import SourcingKind, SourcingRef, SourcingRelease, draw, rate_on
from records.supplier import Supplier

AGREEMENTS = (SourcingKind.CONTRACT, SourcingKind.BLANKET)
KEEPERS = frozenset({"PUR_LEAD", "PUR_MGR"})
"""Roles that write down what was agreed with a supplier."""


def agreement_for(
    act: Act, requisition: Requisition, award: Mapping[str, Any], lines: Sequence[RequisitionLine]
) -> SourcingRef | None:
    """Return a contract or blanket order that covers the whole award, of the named supplier when one is named."""
    today = requisition.site.local_day(act.now)
    parts = {line.part_revision.part_id for line in lines if line.part_revision is not None}
    wanted = select(SourcingRef).where(SourcingRef.kind.in_(AGREEMENTS), SourcingRef.supplier_id.is_not(None))
    if award["supplier_id"] is not None:
        wanted = wanted.where(SourcingRef.supplier_id == award["supplier_id"])
    for reference in act.session.scalars(wanted.order_by(SourcingRef.valid_to, SourcingRef.native_id)):
        covers = reference.part_id is None or parts == {reference.part_id}
        named = reference.part_id is not None or award["supplier_id"] is not None
        units = {line.uom for line in lines}
        fits = reference.uom is None or units == {reference.uom}
        if (
            covers
            and named
            and fits
            and reference.is_valid_on(today)
            and _is_enough(act, requisition, reference, lines)
        ):
            return reference
    return None


def shortfalls(session: Session, order: PurchaseOrder, after: PurchaseOrder, *, on: dt.date) -> list[Finding]:
    """Return RELEASE for each contract that has not enough left for what an order would become. after: an order, or its projection."""
    held = _holding(session, order)
    found = []
    for reference_id, (value, quantity) in sorted(_wanted(session, after, on=on).items()):
        reference = session.get_one(SourcingRef, reference_id)
        held_value, held_quantity = held.get(reference_id, (Decimal(0), Decimal(0)))
        for more, left, unit in (
            (value - held_value, reference.remaining_value, reference.currency or order.currency),
            (quantity - held_quantity, reference.remaining_quantity, reference.uom or ""),
        ):
            if left is not None and more > max(left, Decimal(0)) and more > 0:
                found.append(
                    Finding(
                        "RELEASE", Effect.BLOCK,
                        f"Expected {order.number} to take at most {plain(left)} {unit} more from {reference.number}, but it takes"
                        f" {plain(more)}.",
                        order.record_type, order.id, field="lines.quantity", new=plain(more), owner="role:BUYER",
                        way_out="Order less, or write another agreement down.",
                    )
                )  # fmt: skip
    return found


def keep_delivered(act: Act, order: PurchaseOrder) -> None:
    """Put back into the contracts of an order that ended, closed or cancelled, what was never delivered."""
    today = order.site.local_day(act.now)
    delivered = _wanted(act.session, order, on=today, delivered=True)
    for reference_id in sorted(_holding(act.session, order)):
        value, quantity = delivered.get(reference_id, (Decimal(0), Decimal(0)))
        _settle(act, order, reference_id, value, quantity, reason="ended")


def release_for(act: Act, order: PurchaseOrder, *, reason: str) -> None:
    """Draw from the order's contracts what its lines need now, or give back what they need no more.

    The row of the contract is locked first, so that of two orders that want the same rest one gets it.
    Raises: Conflict OVERDRAWN, REFERENCE_EXPIRED; Invalid NO_EXCHANGE_RATE.
    """
    wanted = _wanted(act.session, order, on=order.site.local_day(act.now))
    for reference_id in sorted({*wanted, *_holding(act.session, order)}):
        _settle(act, order, reference_id, *wanted.get(reference_id, (Decimal(0), Decimal(0))), reason=reason)


def give_back(act: Act, order: PurchaseOrder, *, reason: str) -> None:
    """Put everything that an order drew back into its contracts."""
    for reference_id in sorted(_holding(act.session, order)):
        _settle(act, order, reference_id, Decimal(0), Decimal(0), reason=reason)


def releases_of(session: Session, reference_id: str) -> list[SourcingRelease]:
    """Return what was drawn from a contract and given back, oldest first."""
    wanted = select(SourcingRelease).where(SourcingRelease.sourcing_ref_id == reference_id)
    return list(session.scalars(wanted.order_by(SourcingRelease.id)))


def agree(
    act: Act, site: Site, supplier: Supplier, *, kind: SourcingKind, title: str, currency: str, valid_from: dt.date,
    valid_to: dt.date, value: Decimal | None, quantity: Decimal | None = None, part: Part | None = None,
    unit_price: Decimal | None = None, uom: str | None = None, number: str | None = None,
) -> SourcingRef:  # fmt: skip
    """Write down a contract or blanket order with a supplier.

    value: in ``currency``; quantity: in ``uom``, of ``part``. Raises: Forbidden but for the purchasing lead and manager; Invalid
    naming the field.
    """
    if act.user_id is not None and not roles_held(act) & KEEPERS:
        raise Forbidden("Expected the purchasing lead or manager to write down an agreement, but you are neither")
    problems = {
        name: words
        for name, words, is_wrong in (
            ("kind", "is a contract or a blanket order", kind not in AGREEMENTS),
            ("valid_to", "is before the first day", valid_to < valid_from),
            ("value", "is needed, or a quantity", value is None and quantity is None),
            ("value", "is above 0", value is not None and value <= 0),
            ("quantity", "is above 0", quantity is not None and quantity <= 0),
            ("unit_price", "is not below 0", unit_price is not None and unit_price < 0),
            ("part", "is needed with a price or a quantity", part is None and (unit_price or quantity) is not None),
        )
        if is_wrong
    }
    if problems:
        raise Invalid(f"Expected an agreement that can be drawn from, but {'; '.join(problems)} does not fit", problems)
    native = number or next_number(act, "AGR", site=site)
    known = select(SourcingRef.id).where(
        SourcingRef.system == "LOCKSTEP", SourcingRef.kind == kind, SourcingRef.native_id == native
    )
    if act.session.scalar(known) is not None:
        raise Invalid(f"Expected a new number, but {native} is there already", {"number": "is taken"})
    rate_on(act.session, currency, company_currency=site.currency, on=site.local_day(act.now))
    reference = SourcingRef(
        kind=kind, native_id=native, system="LOCKSTEP", supplier=supplier, supplier_id=supplier.id, part=part, title=title,
        part_id=part.id if part else None, valid_from=valid_from, valid_to=valid_to, currency=currency,
        unit_price=unit_price, uom=uom or (part.base_uom if part is not None else None), agreed_value=value,
        remaining_value=value, agreed_quantity=quantity, remaining_quantity=quantity,
    )  # fmt: skip
    act.session.add(reference)
    act.session.flush()
    return reference


def _is_enough(act: Act, requisition: Requisition, reference: SourcingRef, lines: Sequence[RequisitionLine]) -> bool:
    currency, day = requisition.currency, requisition.site.local_day(act.now)
    quantity = sum((line.open_quantity for line in lines), Decimal(0))
    if reference.unit_price is not None and reference.currency is not None:
        value = line_amount(quantity, reference.unit_price, currency=reference.currency)
    else:
        value = _in_currency_of(
            act.session, reference, total(line.amount for line in lines), currency, requisition.site, on=day
        )
    return (reference.remaining_value is None or reference.remaining_value >= value) and (
        reference.remaining_quantity is None or reference.remaining_quantity >= quantity
    )


def _in_currency_of(
    session: Session, reference: SourcingRef, amount: Decimal, currency: str, site: Site, *, on: dt.date
) -> Decimal:
    """Return an amount in a contract's currency, over the company's where there is no direct rate."""
    if reference.currency is None or reference.currency == currency:
        return amount
    into = rate_on(session, currency, company_currency=site.currency, on=on)
    out_of = rate_on(session, reference.currency, company_currency=site.currency, on=on)
    return convert(amount, into / out_of, currency=reference.currency)


def _wanted(
    session: Session, order: PurchaseOrder, *, on: dt.date, delivered: bool = False
) -> dict[str, tuple[Decimal, Decimal]]:
    """Return value and quantity that an order needs of each contract its lines name. on: where the order has no date of its own."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for line in order.lines:
        reference = session.get(SourcingRef, line.sourcing_ref_id) if line.sourcing_ref_id else None
        if reference is None or reference.kind not in AGREEMENTS or line.status is LineStatus.CANCELLED:
            continue
        pieces = line.quantity_received if delivered else line.quantity
        amount = line_amount(pieces, line.unit_price, currency=order.currency)
        amount = _in_currency_of(session, reference, amount, order.currency, order.site, on=order.order_date or on)
        value, quantity = found.get(reference.id, (Decimal(0), Decimal(0)))
        found[reference.id] = (value + amount, quantity + pieces)
    return found


def _holding(session: Session, order: PurchaseOrder) -> dict[str, tuple[Decimal, Decimal]]:
    """Return value and quantity that an order has drawn of each contract."""
    session.flush()
    wanted = (
        select(SourcingRelease.sourcing_ref_id, func.sum(SourcingRelease.value), func.sum(SourcingRelease.quantity))
        .where(SourcingRelease.order_id == order.id)
        .group_by(SourcingRelease.sourcing_ref_id)
    )
    return {reference: (value, quantity) for reference, value, quantity in session.execute(wanted).all()}


def _settle(
    act: Act, order: PurchaseOrder, reference_id: str, value: Decimal, quantity: Decimal, *, reason: str
) -> None:
    held_value, held_quantity = _holding(act.session, order).get(reference_id, (Decimal(0), Decimal(0)))
    more_value, more_quantity = value - held_value, quantity - held_quantity
    if not more_value and not more_quantity:
        return
    reference = act.session.get_one(SourcingRef, reference_id, with_for_update=True, populate_existing=True)
    today = order.site.local_day(act.now)
    draw(act, reference, on=today, value=more_value, quantity=more_quantity)
    act.session.add(
        SourcingRelease(
            reference=reference, sourcing_ref_id=reference.id, order_id=order.id, value=more_value, quantity=more_quantity,
            released_on=today, reason=f"{order.proposal_no}: {reason}"[:200],
        )
    )  # fmt: skip
    act.session.flush()


def remainder_words(reference: SourcingRef) -> str:
    """Return what may still be drawn, in words."""
    said = []
    if reference.remaining_value is not None:
        said.append(f"{reference.remaining_value:,.2f} {reference.currency or ''}".strip())
    if reference.remaining_quantity is not None:
        said.append(f"{plain(reference.remaining_quantity)} {reference.uom or ''}".strip())
    return " and ".join(said) or "without a limit"
