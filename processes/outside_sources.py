"""Which lot of ours pieces are that came back (B17, B22): what nobody can resolve is kept apart, looked into, and counted as a gap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from processes.genealogy import Event, event_called, name_maker, transform
from processes.nonconformances import DISPOSERS, raise_nonconformance
from processes.outside_returns import receipts_of_link
from records.lot import Lot
from records.nonconformance import Nonconformance, NonconformanceStatus
from records.outside import LinkStatus, OutsideLink, OutsideSerial
from records.receipt import RULED_OUT, Receipt, remaining_quantity
from records.roles import grants_of
from records.work_order import WorkOrderOperation

SETTLED = (LinkStatus.VERIFIED, LinkStatus.CLOSED)
ROLES = (*DISPOSERS, "PLANNER")


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A lot that came back and leads to none of ours. label: as it was read from the goods. sentence: "Expected …, but …"."""

    link: OutsideLink
    receipt: Receipt
    child: Lot
    label: str
    sentence: str


def unresolved_of_work(session: Session, work_order_id: str) -> list[Unresolved]:
    """Return what came back to a work order and leads to no lot of ours, by link."""
    links = _links_of_work(session, work_order_id)
    return [found for link in links for found in unresolved_of_link(session, link)]


def unresolved_of_link(session: Session, link: OutsideLink) -> list[Unresolved]:
    """Return what came back under a link and leads to no lot of ours.

    A label that is none of ours counts from its receipt on; a lot whose step could not be written, once the link is verified.
    """
    return list(_unresolved(session, link))


def investigations_of_work(session: Session, work_order_id: str) -> list[Nonconformance]:
    """Return what quality still has to decide about pieces that came back to a work order, oldest first."""
    links = [link.id for link in _links_of_work(session, work_order_id)]
    wanted = select(Nonconformance).where(
        Nonconformance.about_type == OutsideLink.record_type, Nonconformance.about_id.in_(links),
        Nonconformance.status == NonconformanceStatus.OPEN,
    )  # fmt: skip
    return list(session.scalars(wanted.order_by(Nonconformance.number))) if links else []


def name_source(act: Act, link: OutsideLink, child: Lot, *, lot_no: str, reason: str) -> Lot | None:
    """Say which lot of ours came back under a label that nobody knew; return it, None for pieces that were in work.

    lot_no: our number, empty where the pieces left the work order before they had a lot: then the work order is their source.
    Raises: Forbidden for who is neither quality nor the planner; Invalid naming the field; Conflict when it is settled already;
    RuleViolation CON-16 and Conflict NOT_ENOUGH for a lot that cannot have been sent.
    """
    _need_role(act, link)
    if not reason.strip():
        raise Invalid(
            "Expected the evidence for where the pieces come from, but there is none", {"reason": "is required"}
        )
    if all(found.child.id != child.id for found in unresolved_of_link(act.session, link)):
        raise Conflict(
            f"Expected {child.number} to be without a source, but it has one; reverse that step first if it is wrong",
            code="ILLEGAL_TRANSITION", record=(link.record_type, link.id),
        )  # fmt: skip
    event, why = Event(f"outside:{link.id}:{child.id}"), f"{link.number}: {reason.strip()}"
    work_order = link.operation.work_order
    if not lot_no.strip():
        name_maker(act, child, work_order_id=work_order.id, operation_id=link.operation_id, event=event, reason=why)
        act.note(
            link.record_type, link.id, "SOURCE_NAMED", field=child.number, new=work_order.number, reason=reason.strip()
        )
        return None
    parent = known_lot(act.session, link, lot_no.strip())
    if parent is None or parent.id == child.id:
        number = link.part_revision.number if link.part_revision is not None else "this part"
        raise Invalid(
            f"Expected a lot of {number} that we have, but {lot_no.strip():.40} is none", {"lot_no": "is unknown"}
        )
    transform(
        act, parent, child, quantity=child.quantity, event=event, work_order_id=work_order.id,
        operation_id=link.operation_id, reason=why, came_back=True,
    )  # fmt: skip
    act.note(link.record_type, link.id, "SOURCE_NAMED", field=child.number, new=parent.number, reason=reason.strip())
    return parent


def investigate(
    act: Act, link: OutsideLink, quantity: Decimal, *, serials: str, lot_no: str = "", description: str
) -> Nonconformance:
    """Keep pieces apart that came back and never left: a nonconformance of the link, once for the same words."""
    known = act.session.scalars(
        select(Nonconformance).where(
            Nonconformance.about_type == link.record_type,
            Nonconformance.about_id == link.id,
            Nonconformance.description == description,
        )
    ).first()
    if known is not None:
        return known
    return raise_nonconformance(
        act, link, quantity, uom=link.uom, title=f"{quantity.normalize():f} {link.uom} came back under {link.number} that never left",
        description=description, serials=serials, lot_no=lot_no or None, part_revision=link.part_revision,
    )  # fmt: skip


@contextmanager
def strays_kept_apart(
    act: Act, link: OutsideLink, quantity: Decimal, *, serials: tuple[str, ...], lot_no: str, event_id: str
) -> Iterator[None]:
    """Open the investigation of a return that another system tells of and CON-13 refuses: nobody there could press the button.

    Nothing of the return is booked; the nonconformance is written after the rollback, once for an event. A person who counts
    pieces in reads the refusal first, since a number misread at the dock is no investigation.
    """
    try:
        yield
    except Conflict as refusal:
        if refusal.code == "CON-13" and act.user_id is None:
            told, link_id, shown = f"Event {event_id}: {refusal.message}", link.id, " ".join(serials)[:4000]

            def keep(second: Act) -> None:
                found = second.session.get_one(OutsideLink, link_id)
                investigate(second, found, quantity, serials=shown, lot_no=lot_no, description=told)

            act.rescues.append(keep)
        raise


def known_lot(session: Session, link: OutsideLink, label: str) -> Lot | None:
    """Return the lot of ours with a number that pieces of a link may carry; what they were received as is none."""
    own = [receipt.id for receipt in receipts_of_link(session, link)]
    wanted = select(Lot).where(Lot.part_revision_id == link.part_revision_id, Lot.number == label)
    found = session.scalar(wanted)
    return None if found is not None and found.source_id in own else found


def labelled(session: Session, receipt: Receipt) -> list[tuple[str, Lot]]:
    """Return the lots of a receipt, each with the number under which its pieces were sent out and came back."""
    wanted = select(Lot).where(Lot.source_type == receipt.record_type, Lot.source_id == receipt.id)
    lots = {lot.number: lot for lot in session.scalars(wanted.order_by(Lot.number))}
    if not any(lot.is_serial for lot in lots.values()):
        return [(receipt.lot_label, lot) for lot in lots.values() if receipt.lot_label]
    taken: list[tuple[str, Lot]] = []
    for serial in receipt.serials:
        number = next((each for each in lots if each == serial or _is_turn_of(each, serial)), None)
        if number is not None:
            taken.append((serial, lots.pop(number)))
    return taken


def left_in_work(session: Session, link: OutsideLink, label: str) -> bool:
    """Whether a number is a serial that left under the link: its piece is still in work, and has no lot of its own yet."""
    wanted = select(OutsideSerial.id).where(OutsideSerial.link_id == link.id, OutsideSerial.serial == label)
    return session.scalars(wanted.limit(1)).first() is not None


def _links_of_work(session: Session, work_order_id: str) -> list[OutsideLink]:
    wanted = (
        select(OutsideLink)
        .join(WorkOrderOperation, WorkOrderOperation.id == OutsideLink.operation_id)
        .where(WorkOrderOperation.work_order_id == work_order_id, OutsideLink.shipped > 0)
    )
    return list(session.scalars(wanted.order_by(OutsideLink.number)))


def _unresolved(session: Session, link: OutsideLink) -> Iterator[Unresolved]:
    for receipt in receipts_of_link(session, link):
        if receipt.status in RULED_OUT or remaining_quantity(session, receipt) <= 0:
            continue
        for label, child in labelled(session, receipt):
            step = event_called(session, f"outside:{link.id}:{child.id}")
            if step is not None:
                continue
            parent = known_lot(session, link, label)
            if parent is None and not left_in_work(session, link, label):
                yield Unresolved(
                    link, receipt, child, label,
                    f"Expected {label}, which came back under {link.number}, to be a lot or serial of ours, but there is none.",
                )  # fmt: skip
            elif parent is not None and link.standing in SETTLED:
                yield Unresolved(
                    link, receipt, child, label,
                    f"Expected {child.number}, which came back under {link.number}, to come from {parent.number}, but that is "
                    f"{parent.status.value.lower()} with {parent.quantity_left.normalize():f} {parent.uom} left.",
                )  # fmt: skip


def _is_turn_of(number: str, serial: str) -> bool:
    """Whether a lot's number is a serial with the count that keeps it apart from an earlier lot: ``SN-1-2``."""
    head, _, turn = number.rpartition("-")
    return head == serial and turn.isdecimal()


def _need_role(act: Act, link: OutsideLink) -> None:
    held = {grant.role for grant in grants_of(act.session, act.user_id, at=act.now)} if act.user_id else set()
    if not held & set(ROLES):
        raise Forbidden(
            f"Expected quality, engineering or the planner to say where pieces of {link.number} come from, but you hold none of "
            "these roles",
            code="NOT_AUTHORISED",
        )  # fmt: skip
