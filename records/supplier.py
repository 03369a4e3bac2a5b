"""Suppliers, their sites and prices, and the approved supplier list."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Money, Quantity
from engine.errors import Forbidden, Invalid
from engine.record import Record
from records.columns import Code, Codes, Currency, Day, Name, Text, word
from records.origin import Originated
from records.part import PartRevision, process_words
from records.transition import move_along, pairs


class SupplierStatus(StrEnum):
    """How far a supplier is trusted."""

    PROSPECT = "PROSPECT"
    CONDITIONAL = "CONDITIONAL"
    APPROVED = "APPROVED"
    SUSPENDED = "SUSPENDED"
    DISQUALIFIED = "DISQUALIFIED"


SUPPLIER_TRANSITIONS = pairs(
    "PROSPECT>CONDITIONAL|APPROVED|DISQUALIFIED; CONDITIONAL>APPROVED|SUSPENDED|DISQUALIFIED;"
    " APPROVED>CONDITIONAL|SUSPENDED; SUSPENDED>CONDITIONAL|APPROVED|DISQUALIFIED",
    SupplierStatus,
)


class QmsCertificate(StrEnum):
    """The quality management standard a supplier is certified to."""

    AS9100 = "AS9100"
    ISO13485 = "ISO13485"
    ISO9001 = "ISO9001"


class ApprovalSubject(StrEnum):
    """What a supplier approval is about."""

    PART = "PART"
    COMMODITY = "COMMODITY"
    PROCESS = "PROCESS"


class ApprovalBasis(StrEnum):
    """Why a supplier is approved."""

    AUDIT = "AUDIT"
    NADCAP = "NADCAP"
    CUSTOMER_DIRECTED = "CUSTOMER_DIRECTED"
    HISTORY = "HISTORY"


class ApprovalStatus(StrEnum):
    """The life of one row of the approved supplier list."""

    PENDING = "PENDING"
    CONDITIONAL = "CONDITIONAL"
    APPROVED = "APPROVED"
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"


APPROVAL_TRANSITIONS = pairs(
    "PENDING>APPROVED|CONDITIONAL|WITHDRAWN; APPROVED|CONDITIONAL>SUSPENDED|EXPIRED|WITHDRAWN; CONDITIONAL>APPROVED;"
    " SUSPENDED>APPROVED|EXPIRED|WITHDRAWN",
    ApprovalStatus,
)

TRANSITIONS = APPROVAL_TRANSITIONS
"""The transitions of the approved supplier list (domain.md 2.37)."""

SIGNED = "origin = 'ERP' OR status IN ('{unsigned}') OR approved_signature_id IS NOT NULL"


class Supplier(Originated, Record, Base):
    """A company that sells to the plant."""

    __tablename__ = "supplier"
    __table_args__ = (
        UniqueConstraint("supplier_no"),
        CheckConstraint(SIGNED.format(unsigned="PROSPECT', 'DISQUALIFIED"), name="approved_is_signed"),
        CheckConstraint("lead_time_days IS NULL OR lead_time_days >= 0", name="lead_time_not_negative"),
    )

    supplier_no: Mapped[Code]
    name: Mapped[Name]
    status: Mapped[SupplierStatus] = word(SupplierStatus, "status", default=SupplierStatus.PROSPECT)
    currency: Mapped[Currency]
    incoterm: Mapped[Code | None]
    incoterm_place: Mapped[Name | None]
    payment_term: Mapped[Name] = mapped_column(default="")
    email: Mapped[Name] = mapped_column(default="")
    phone: Mapped[Name] = mapped_column(default="")
    lead_time_days: Mapped[int | None]
    qms_certificate: Mapped[QmsCertificate | None] = word(QmsCertificate, "qms_certificate")
    qms_expires_on: Mapped[Day | None]
    has_change_agreement: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    approved_signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))

    sites: Mapped[list[SupplierSite]] = relationship(back_populates="supplier", order_by="SupplierSite.code")
    prices: Mapped[list[CataloguePrice]] = relationship(back_populates="supplier")
    approvals: Mapped[list[SupplierApproval]] = relationship(
        back_populates="supplier", order_by="(SupplierApproval.subject, SupplierApproval.subject_code)"
    )

    @property
    def number(self) -> str:
        """The supplier number."""
        return self.supplier_no


DEFAULT_SITE = text("is_default")


class SupplierSite(Originated, Record, Base):
    """A place a supplier works at; approvals of processes are given per site."""

    __tablename__ = "supplier_site"
    __table_args__ = (
        UniqueConstraint("supplier_id", "code"),
        Index(
            "uq_supplier_site_one_default",
            "supplier_id",
            unique=True,
            sqlite_where=DEFAULT_SITE,
            postgresql_where=DEFAULT_SITE,
        ),
    )

    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    code: Mapped[Code]
    name: Mapped[Name] = mapped_column(default="")
    street: Mapped[Text] = mapped_column(default="")
    postal_code: Mapped[Code] = mapped_column(default="")
    city: Mapped[Name] = mapped_column(default="")
    country: Mapped[Code] = mapped_column(default="")
    email: Mapped[Name] = mapped_column(default="")
    is_default: Mapped[bool] = mapped_column(default=False)

    supplier: Mapped[Supplier] = relationship(back_populates="sites")

    @property
    def number(self) -> str:
        """The site's code under its supplier."""
        return f"{self.supplier.supplier_no}/{self.code}"

    @property
    def address(self) -> str:
        """The address on one line."""
        return ", ".join(filter(None, (self.street, f"{self.postal_code} {self.city}".strip(), self.country)))


class CataloguePrice(Originated, Record, Base):
    """What a supplier asks for a part revision (or a service) from a quantity on. valid_to is inclusive."""

    __tablename__ = "catalogue_price"
    __table_args__ = (
        CheckConstraint("unit_price >= 0", name="unit_price_not_negative"),
        CheckConstraint("min_quantity >= 0", name="min_quantity_not_negative"),
        CheckConstraint("lead_time_days IS NULL OR lead_time_days >= 0", name="lead_time_not_negative"),
        CheckConstraint("(part_revision_id IS NULL) <> (service_code IS NULL)", name="of_a_part_or_a_service"),
        CheckConstraint(
            "valid_to IS NULL OR valid_from IS NULL OR valid_to >= valid_from", name="valid_range_in_order"
        ),
        UniqueConstraint(
            "supplier_id", "part_revision_id", "currency", "min_quantity", "valid_from", "supplier_part_no"
        ),
        Index("ix_catalogue_price_part_revision_id", "part_revision_id"),
    )

    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    part_revision_id: Mapped[Id | None] = mapped_column(ForeignKey("part_revision.id"))
    service_code: Mapped[Code | None] = mapped_column(ForeignKey("part.part_no"))
    supplier_part_no: Mapped[Name] = mapped_column(default="")
    supplier_part_name: Mapped[Name] = mapped_column(default="")
    min_quantity: Mapped[Quantity]
    uom: Mapped[Code] = mapped_column(default="EA")
    unit_price: Mapped[Money]
    currency: Mapped[Currency]
    lead_time_days: Mapped[int | None]
    valid_from: Mapped[Day | None]
    valid_to: Mapped[Day | None]
    is_active: Mapped[bool] = mapped_column(default=True)

    supplier: Mapped[Supplier] = relationship(back_populates="prices")
    part_revision: Mapped[PartRevision | None] = relationship()

    @property
    def number(self) -> str:
        """The supplier's own number of the article, or ours."""
        return self.supplier_part_no or self.service_code or (self.part_revision.number if self.part_revision else "")


class SupplierApproval(Originated, Record, Base):
    """One row of the approved supplier list: a supplier (at a site) may deliver a part, a commodity or a process.

    supplier_site_id: None covers every site. valid_from and valid_to are inclusive site-local days. specs:
    specifications the scope is limited to, empty for all. Limits (max_quantity, max_value in company currency) bind
    CONDITIONAL rows. certificate_expires_on: last day of the Nadcap or laboratory certificate, None where it is not known;
    cycle_months: of the Nadcap accreditation (12, 18 or 24). accreditation_no, accreditation_body, discipline, measuring_range: of a
    calibration laboratory's ISO/IEC 17025 scope.
    """

    __tablename__ = "supplier_approval"
    __table_args__ = (
        CheckConstraint(SIGNED.format(unsigned="PENDING', 'WITHDRAWN"), name="approved_is_signed"),
        CheckConstraint("valid_to >= valid_from", name="valid_range_in_order"),
        CheckConstraint("basis <> 'CUSTOMER_DIRECTED' OR customer_reference IS NOT NULL", name="customer_is_named"),
        CheckConstraint("basis <> 'NADCAP' OR nadcap_certificate_no IS NOT NULL", name="nadcap_certificate_is_named"),
        CheckConstraint("max_quantity IS NULL OR max_quantity > 0", name="max_quantity_positive"),
        CheckConstraint("max_value IS NULL OR max_value > 0", name="max_value_positive"),
        CheckConstraint("cycle_months IS NULL OR cycle_months > 0", name="cycle_positive"),
        Index("ix_supplier_approval_subject", "subject", "subject_code"),
        Index("ix_supplier_approval_supplier_id", "supplier_id"),
    )

    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    supplier_site_id: Mapped[Id | None] = mapped_column(ForeignKey("supplier_site.id"))
    subject: Mapped[ApprovalSubject] = word(ApprovalSubject, "subject")
    subject_code: Mapped[Code]
    scope: Mapped[Text] = mapped_column(default="")
    specs: Mapped[Codes] = mapped_column(default=())
    status: Mapped[ApprovalStatus] = word(ApprovalStatus, "status", default=ApprovalStatus.PENDING)
    valid_from: Mapped[Day]
    valid_to: Mapped[Day]
    basis: Mapped[ApprovalBasis] = word(ApprovalBasis, "basis")
    nadcap_certificate_no: Mapped[Code | None]
    nadcap_commodity: Mapped[Name | None]
    customer_reference: Mapped[Name | None]
    conditions: Mapped[Text] = mapped_column(default="")
    max_quantity: Mapped[Quantity | None]
    max_value: Mapped[Money | None]
    is_one_time: Mapped[bool] = mapped_column(default=False)
    certificate_expires_on: Mapped[Day | None]
    cycle_months: Mapped[int | None]
    accreditation_no: Mapped[Code | None]
    accreditation_body: Mapped[Name | None]
    discipline: Mapped[Name | None]
    measuring_range: Mapped[Name | None]
    approved_signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))

    supplier: Mapped[Supplier] = relationship(back_populates="approvals")
    supplier_site: Mapped[SupplierSite | None] = relationship()

    @property
    def number(self) -> str:
        """Supplier and subject, ``S-0007 PROCESS HEAT_TREAT``."""
        return f"{self.supplier.supplier_no} {self.subject} {self.subject_code}"

    @property
    def subject_words(self) -> str:
        """What it is about inside a sentence: a part by its number, a process or commodity in words."""
        return self.subject_code if self.subject is ApprovalSubject.PART else process_words(self.subject_code)

    def is_valid_on(self, day: dt.date) -> bool:
        """Whether the row permits something on a day."""
        return self.status in (ApprovalStatus.APPROVED, ApprovalStatus.CONDITIONAL) and (
            self.valid_from <= day <= self.valid_to
        )


def move_supplier(
    act: Act, supplier: Supplier, to: SupplierStatus, *, reason: str | None = None, signature_id: str | None = None
) -> Supplier:
    """Move a supplier's status.

    Raises: Forbidden SIGNATURE_REQUIRED for CONDITIONAL or APPROVED without a signature.
    """
    if to in (SupplierStatus.CONDITIONAL, SupplierStatus.APPROVED):
        supplier.approved_signature_id = _needed(signature_id, supplier.number)
    move_along(act, supplier, to, transitions=SUPPLIER_TRANSITIONS, reason=reason)
    return supplier


def move(
    act: Act,
    approval: SupplierApproval,
    to: ApprovalStatus,
    *,
    reason: str | None = None,
    signature_id: str | None = None,
) -> SupplierApproval:
    """Move one row of the approved supplier list.

    Raises: Forbidden SIGNATURE_REQUIRED for CONDITIONAL or APPROVED without quality's signature; Invalid for a
    suspension without a reason; Conflict ILLEGAL_TRANSITION.
    """
    if to in (ApprovalStatus.CONDITIONAL, ApprovalStatus.APPROVED):
        approval.approved_signature_id = _needed(signature_id, approval.number)
    if to is ApprovalStatus.SUSPENDED and not (reason or act.reason):
        raise Invalid("Expected a reason for the suspension, but there is none", {"reason": "is required"})
    move_along(act, approval, to, transitions=APPROVAL_TRANSITIONS, reason=reason)
    return approval


def _needed(signature_id: str | None, number: str) -> str:
    if signature_id is None:
        raise Forbidden(
            f"Expected a signature of quality on the approval of {number}, but there is none", code="SIGNATURE_REQUIRED"
        )
    return signature_id
