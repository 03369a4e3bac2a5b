"""Genealogy of pieces that came back (B22): the lot or serial that left went into the one that was received."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select

from engine.act import Act
from processes.genealogy import Event, event_called, transform
from processes.notices import tell_role
from processes.outside_receiving import certificates_of_link
from processes.outside_returns import receipts_of_link
from processes.outside_sources import known_lot, labelled, left_in_work
from records.certificate import CertificateStatus
from records.lot import EdgeKind, GenealogyEdge, Lot, LotStatus
from records.outside import OutsideLink
from records.receipt import ACCEPTED

USABLE = (LotStatus.AVAILABLE, LotStatus.CONSUMED)


def write_genealogy(act: Act, link: OutsideLink) -> list[GenealogyEdge]:
    """Write an edge from each lot or serial that was processed to the one it came back as, once; return the new ones.

    The edge names the verified certificates by id. Pieces that came back under no number leave none, nor do serials that left
    in work. A number that is none of ours, and an edge that cannot be written, is told to the planner and is a gap of the work
    order (``outside_sources``).
    """
    papers = [each for each in certificates_of_link(act.session, link) if each.status is CertificateStatus.VERIFIED]
    reason = f"{link.number}, certificates: {', '.join(f'{each.number} ({each.id})' for each in papers) or 'none'}"
    made = []
    for receipt in receipts_of_link(act.session, link):
        if receipt.status not in ACCEPTED:
            continue
        for label, child in labelled(act.session, receipt):
            event = Event(f"outside:{link.id}:{child.id}")
            parent = _sent(act, link, label, child)
            if event_called(act.session, event.id) is not None:
                continue
            if parent is None:
                if not left_in_work(act.session, link, label):
                    _tell_unknown(act, link, label, child)
                continue
            if parent.status not in USABLE or parent.quantity_left < child.quantity or parent.uom != child.uom:
                _tell_planner(act, link, parent, child)
                continue
            made.append(
                transform(
                    act, parent, child, quantity=child.quantity, event=event, work_order_id=link.operation.work_order_id,
                    operation_id=link.operation_id, reason=reason, came_back=True,
                )
            )  # fmt: skip
    return made


def _sent(act: Act, link: OutsideLink, label: str, child: Lot) -> Lot | None:
    """Return the lot that left under a number: the newest one that its pieces were received as since, or itself."""
    found = known_lot(act.session, link, label)
    seen: set[str] = set()
    while found is not None and found.id not in seen and found.quantity_left == Decimal(0):
        seen.add(found.id)
        onward = (
            select(Lot)
            .join(GenealogyEdge, GenealogyEdge.child_id == Lot.id)
            .where(GenealogyEdge.parent_id == found.id, GenealogyEdge.kind == EdgeKind.TRANSFORMED)
            .where(Lot.part_revision_id == link.part_revision_id, Lot.id != child.id, Lot.quantity_left > 0)
            .order_by(Lot.created_at.desc())
        )
        found = act.session.scalars(onward).first() or found
    return found


def _tell_unknown(act: Act, link: OutsideLink, label: str, child: Lot) -> None:
    subject = (
        f"Genealogy of {child.number} is missing: Expected {label} to be a lot or serial of ours that left under {link.number}, but "
        "there is none; its work order cannot close until somebody says where the pieces come from"
    )
    tell_role(act, "PLANNER", subject, key=f"{link.id}:genealogy:{child.id}", record=(link.record_type, link.id))


def _tell_planner(act: Act, link: OutsideLink, parent: Lot, child: Lot) -> None:
    subject = (
        f"Genealogy of {child.number} is missing: Expected {child.quantity.normalize():f} {child.uom} of {parent.number} to be "
        f"usable, but it is {parent.status.value.lower()} with {parent.quantity_left.normalize():f} {parent.uom} left"
    )
    tell_role(act, "PLANNER", subject, key=f"{link.id}:genealogy:{child.id}", record=(link.record_type, link.id))
