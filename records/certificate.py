"""Certificates that come with goods or with work done outside: what they state, and who verified them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.canonical import canonical, content_hash
from engine.database import Base, Id, Quantity
from engine.record import Record
from records.columns import Code, Codes, Day, Hash, Login, Name, Text, word
from records.purchase_order import PurchaseOrderLine
from records.receipt import Receipt
from records.transition import move_along, pairs


class CertificateType(StrEnum):
    """What a certificate certifies: conformance, material, heat treatment, testing, first article, calibration."""

    COC = "COC"
    MTR = "MTR"
    HT = "HT"
    NDT = "NDT"
    FAI = "FAI"
    CAL = "CAL"


class CertificateStatus(StrEnum):
    """Whether anybody has verified what a certificate states."""

    PRESENTED = "PRESENTED"
    VERIFIED = "VERIFIED"
    REJECTED = "REJECTED"


TRANSITIONS = pairs("PRESENTED>VERIFIED|REJECTED", CertificateStatus)


class Certificate(Record, Base):
    """A document of a supplier about the goods of one order line.

    receipt_id: the receipt it came with, None when it covers whatever comes on the line. outside_link_id: the outside operation
    it certifies. document_hash: SHA-256 of the file; the file itself is an attachment of this record. spec, spec_rev: as the
    certificate states them. quantity: what it covers, in the line's unit, None for all. refusal: why it was rejected.
    """

    __tablename__ = "certificate"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("source_system", "source_event_id"),
        CheckConstraint("quantity IS NULL OR quantity > 0", name="quantity_positive"),
        CheckConstraint("length(document_hash) = 64", name="document_hash_is_sha256"),
        CheckConstraint("(status = 'VERIFIED') = (signature_id IS NOT NULL)", name="verified_is_signed"),
        CheckConstraint("(status = 'REJECTED') = (length(refusal) > 0)", name="rejected_has_a_reason"),
        CheckConstraint("status = 'PRESENTED' OR verified_by IS NOT NULL", name="verified_by_somebody"),
        Index("ix_certificate_order_line_id", "order_line_id"),
        Index("ix_certificate_receipt_id", "receipt_id"),
        Index("ix_certificate_outside_link_id", "outside_link_id"),
    )

    number: Mapped[Code]
    type: Mapped[CertificateType] = word(CertificateType, "type")
    order_line_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order_line.id"))
    receipt_id: Mapped[Id | None] = mapped_column(ForeignKey("receipt.id"))
    outside_link_id: Mapped[Id | None]
    issuer: Mapped[Name]
    reference: Mapped[Name] = mapped_column(default="")
    document_hash: Mapped[Hash]
    spec: Mapped[Code | None]
    spec_rev: Mapped[Code | None]
    lots: Mapped[Codes] = mapped_column(default=())
    process_date: Mapped[Day | None]
    quantity: Mapped[Quantity | None]
    status: Mapped[CertificateStatus] = word(CertificateStatus, "status", default=CertificateStatus.PRESENTED)
    refusal: Mapped[Text] = mapped_column(default="")
    verified_by: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))
    source_system: Mapped[Code]
    source_event_id: Mapped[Name]

    order_line: Mapped[PurchaseOrderLine] = relationship()
    receipt: Mapped[Receipt | None] = relationship()


def move(act: Act, certificate: Certificate, to: CertificateStatus, *, reason: str | None = None) -> Certificate:
    """Move a certificate along its life. Raises Conflict ILLEGAL_TRANSITION."""
    move_along(act, certificate, to, transitions=TRANSITIONS, reason=reason)
    return certificate


def certificates_of(session: Session, receipt: Receipt) -> list[Certificate]:
    """Return the certificates that may speak for a receipt: its own, and those of its line that name no other receipt."""
    line_wide = Certificate.receipt_id.is_(None)
    wanted = select(Certificate).where(
        Certificate.order_line_id == receipt.order_line_id, or_(Certificate.receipt_id == receipt.id, line_wide)
    )
    return list(session.scalars(wanted.order_by(Certificate.created_at, Certificate.number)))


def missing_certificates(session: Session, receipt: Receipt) -> list[str]:
    """Return the types that the order asks for and that no verified certificate of these goods shows, sorted.

    A certificate that lists lots speaks only for goods of these lots.
    """
    shown = {
        certificate.type.value
        for certificate in certificates_of(session, receipt)
        if certificate.status is CertificateStatus.VERIFIED and _speaks_for(certificate, receipt)
    }
    return sorted(set(receipt.order_line.certificates) - shown)


def _speaks_for(certificate: Certificate, receipt: Receipt) -> bool:
    if certificate.receipt_id == receipt.id or not certificate.lots:
        return True
    return bool(set(certificate.lots) & {receipt.lot_label, receipt.heat, *receipt.serials})


def certificate_content(certificate: Certificate) -> dict[str, Any]:
    """Return what its verifier signs, in canonical texts."""
    return {
        "type": certificate.type.value,
        "order_line": certificate.order_line_id,
        "receipt": certificate.receipt_id,
        "issuer": certificate.issuer,
        "reference": certificate.reference,
        "document": certificate.document_hash,
        "spec": certificate.spec,
        "spec_rev": certificate.spec_rev,
        "lots": list(certificate.lots),
        "process_date": canonical(certificate.process_date),
        "quantity": canonical(certificate.quantity, scale=6),
    }


def certificate_hash(certificate: Certificate) -> str:
    """Return the hash that the verifier's signature is bound to."""
    return content_hash(certificate_content(certificate))
