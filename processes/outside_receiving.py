"""What receiving, inspection, certificates and invoices say about pieces that came back from outside."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.act import Act
from processes.outside_returns import SYSTEM, receipts_of_link
from processes.receiving import Delivery, book
from records.certificate import Certificate, CertificateStatus
from records.invoice import HoldStatus, InvoiceLine, MatchHold
from records.outside import MovementKind, OutsideLink, OutsideMovement
from records.receipt import ACCEPTED, RULED_OUT, WAITING, Quarantine, Receipt, ReceiptStatus


def receive_pieces(
    act: Act,
    link: OutsideLink,
    movements: Sequence[OutsideMovement],
    *,
    packing_slip: str,
    location: str,
    revision: str | None,
) -> None:
    """Receive what came back good against the order line; scrap of the supplier is not received, so never paid."""
    for movement in movements:
        if movement.kind is not MovementKind.RETURN_GOOD:
            continue
        delivery = Delivery(
            quantity=movement.quantity * link.conversion_factor, event_id=movement.event_id, system=SYSTEM,
            packing_slip=packing_slip, received_on=movement.moved_on, location=location, revision_on_label=revision,
            lot=movement.lots[0] if movement.lots else "", serials=tuple(each.serial for each in movement.serials),
            link_id=link.id,
        )  # fmt: skip
        book(act, link.order_line, delivery)


def certificates_of_link(session: Session, link: OutsideLink) -> list[Certificate]:
    """Return the certificates that speak for a link: its own, those of its receipts, those of the whole line."""
    receipts = [receipt.id for receipt in receipts_of_link(session, link)]
    line_wide = (Certificate.receipt_id.is_(None)) & (Certificate.outside_link_id.is_(None))
    wanted = select(Certificate).where(
        Certificate.order_line_id == link.order_line_id,
        or_(Certificate.outside_link_id == link.id, Certificate.receipt_id.in_(receipts), line_wide),
    )
    return list(session.scalars(wanted.order_by(Certificate.created_at, Certificate.number)))


def missing_types(session: Session, link: OutsideLink) -> list[str]:
    """Return the certificate types that the order asks for and no verified certificate shows, sorted.

    Where nothing good came back, and nothing is to come, there is nothing that a certificate could vouch for.
    """
    if link.shipped and not link.good and not link.at_supplier:
        return []
    shown = {
        each.type.value for each in certificates_of_link(session, link) if each.status is CertificateStatus.VERIFIED
    }
    return sorted(set(link.order_line.certificates) - shown)


def certificate_state(session: Session, link: OutsideLink) -> str:
    """Return ``none needed``, ``missing``, ``rejected``, ``presented`` or ``verified``."""
    if not link.order_line.certificates:
        return "none needed"
    if not missing_types(session, link):
        return "verified"
    states = {each.status for each in certificates_of_link(session, link)}
    if CertificateStatus.PRESENTED in states:
        return "presented"
    return "rejected" if CertificateStatus.REJECTED in states else "missing"


def is_inspected(session: Session, link: OutsideLink) -> bool:
    """Whether every receipt of a link is decided; pieces that wait for a certificate alone are as good as inspected."""
    return not any(
        receipt.status in WAITING and receipt.quarantine is not Quarantine.CERTIFICATE
        for receipt in receipts_of_link(session, link)
    )


def rejected_receipts(session: Session, link: OutsideLink) -> list[Receipt]:
    """Return the receipts of a link that quality rejected and has not disposed of."""
    return [each for each in receipts_of_link(session, link) if each.status is ReceiptStatus.REJECTED]


def returned_to_supplier(session: Session, link: OutsideLink) -> Decimal:
    """Return how many pieces quality sent back to the supplier and no movement has taken there yet, in the link's unit."""
    sent = sum(
        (
            -movement.quantity
            for movement in link.movements
            if movement.kind is MovementKind.RETURN_GOOD and movement.quantity < 0
        ),
        Decimal(0),
    )
    back = sum(
        (
            each.quantity / link.conversion_factor
            for each in receipts_of_link(session, link)
            if each.status is ReceiptStatus.RETURNED
        ),
        Decimal(0),
    )
    return back - sent


def accepted_pieces(session: Session, link: OutsideLink) -> Decimal:
    """Return the pieces of a link that quality accepted, in the link's unit."""
    receipts = receipts_of_link(session, link)
    if not receipts:
        return link.good
    counted = sum((each.counted_quantity for each in receipts if each.status in ACCEPTED), Decimal(0))
    return counted / link.conversion_factor


def is_ruled_out(receipt: Receipt) -> bool:
    """Whether a receipt's pieces do not serve the order."""
    return receipt.status in RULED_OUT


def is_invoiced(session: Session, link: OutsideLink) -> bool:
    """Whether what was accepted of the line is invoiced and no hold stands on it; nothing is billed where nothing was accepted."""
    line = link.order_line
    if not link.at_supplier and accepted_pieces(session, link) == 0:
        return not _holds(session, link)
    if line.quantity_accepted <= 0 or line.quantity_invoiced < line.quantity_accepted:
        return False
    return not _holds(session, link)


def _holds(session: Session, link: OutsideLink) -> list[MatchHold]:
    wanted = (
        select(MatchHold)
        .join(InvoiceLine, InvoiceLine.id == MatchHold.invoice_line_id)
        .where(InvoiceLine.order_line_id == link.order_line_id, MatchHold.status == HoldStatus.OPEN)
    )
    return list(session.scalars(wanted))
