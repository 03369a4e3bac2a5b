"""What the ERP shipped to customers: taken out of stock once, or, where it should have stayed, a mismatch that quality settles.

A shipment is a fact of another system: it is never refused, since the goods are gone; but what was on hold is not booked away either.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select

from engine.act import Act
from engine.errors import Invalid
from processes import genealogy
from processes.documents import plain
from processes.genealogy import Event
from processes.notices import tell_role
from records.external import Discrepancy, DiscrepancyKind, DiscrepancyStatus, Severity, move
from records.lot import GenealogyEdge, Lot
from rules.shipping import must_stay

OWNER = "role:QA_ENG"
TOLD = ("QA_ENG", "OPS_DIR")


@dataclass(frozen=True, slots=True)
class Shipped:
    """What became of a shipment that was told: the step out of stock, or the mismatch that it is."""

    edge: GenealogyEdge | None = None
    discrepancy: Discrepancy | None = None
    is_duplicate: bool = False


def report(
    act: Act, lot: Lot, quantity: Decimal, *, customer: str, delivery: str, shipped_on: dt.date, event: Event
) -> Shipped:
    """Keep that pieces of a lot were shipped to a customer, once for each event.

    quantity: in the lot's unit. delivery: number and line, as the ERP knows it. A lot that should have stayed stays in stock, and quality
    and operations are told at once. Raises: Invalid naming the field; Conflict NOT_ENOUGH for more than there is.
    """
    given = {"customer": customer, "delivery": delivery}
    if missing := {name: "is required" for name, value in given.items() if not value.strip()}:
        raise Invalid(f"Expected {' and '.join(missing)} of the shipment, but there is none", missing)
    if shipped_on > event_day(act, event):
        raise Invalid(
            f"Expected a day up to {event_day(act, event)}, but {shipped_on} lies ahead",
            {"shipped_on": "lies ahead"},
        )
    if (known := genealogy.event_called(act.session, event.id)) is not None:
        edge = genealogy.withdraw(act, lot, quantity, reason=known.reason or delivery, event=event)
        return Shipped(edge, is_duplicate=True)
    told = _known(act, lot, delivery, event)
    if told is not None and told.status is DiscrepancyStatus.OPEN:
        return Shipped(discrepancy=told, is_duplicate=True)
    said = f"{plain(quantity)} {lot.uom} shipped to {customer.strip()} with {delivery.strip()} on {shipped_on}"
    if reasons := must_stay(act.session, lot):
        return Shipped(discrepancy=_flag(act, lot, delivery, event, said, reasons, before=told))
    return Shipped(genealogy.withdraw(act, lot, quantity, reason=said, event=event))


def event_day(act: Act, event: Event) -> dt.date:
    """Return the day on which a system told it, in UTC one day ahead at most: whoever ships may live east of us."""
    return (event.happened_at or act.now).date() + dt.timedelta(days=1)


def _known(act: Act, lot: Lot, delivery: str, event: Event) -> Discrepancy | None:
    wanted = select(Discrepancy).where(
        Discrepancy.document_type == lot.record_type, Discrepancy.document_id == lot.id,
        Discrepancy.field == _field(delivery), Discrepancy.system == event.system,
    )  # fmt: skip
    return act.session.scalar(wanted)


def _field(delivery: str) -> str:
    return f"shipment {delivery.strip()}"[:200]


def _flag(
    act: Act, lot: Lot, delivery: str, event: Event, said: str, reasons: list[str], *, before: Discrepancy | None
) -> Discrepancy:
    """Keep it as a mismatch, one that was settled before opened again, and tell who stops it on its way."""
    found = before or Discrepancy(
        document_type=lot.record_type, document_id=lot.id, document_number=lot.number, field=_field(delivery), system=event.system,
        kind=DiscrepancyKind.LOT, severity=Severity.CRITICAL, ours=" ".join(reasons)[:4000], theirs=said[:4000], owner=OWNER,
        opened_at=act.now,
    )  # fmt: skip
    if before is not None:
        move(act, found, DiscrepancyStatus.OPEN, reason="Told again, and it should have stayed")
    act.session.add(found)
    act.note(
        lot.record_type, lot.id, "SHIPPED_ALTHOUGH_HELD", field=delivery, new=said, reason=" ".join(reasons)[:3900]
    )
    act.session.flush()
    for role in TOLD:
        tell_role(
            act, role, f"{lot.number} was shipped although it should have stayed: {delivery}", key=f"{found.id}:{event.id}:{role}",
            body=f"{said}. {' '.join(reasons)} Stop it on its way, or tell the customer.", record=(lot.record_type, lot.id),
        )  # fmt: skip
    return found
