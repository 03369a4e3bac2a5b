"""Purchase orders: what is bought, from whom, under what terms."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.act import Act
from engine.canonical import canonical, content_hash
from engine.database import Base, Id, Instant, Money, Quantity, Rate
from engine.errors import Conflict, Invalid
from engine.record import Record
from records.calendar import Site
from records.columns import Code, Codes, Currency, Day, Hash, Login, Name, Note, Text, word
from records.money import convert, line_amount, total
from records.origin import Originated
from records.part import Part, PartRevision
from records.person import User
from records.requisition import PurchaseType, RequisitionLine
from records.sourcing import SourcingRef
from records.supplier import Supplier, SupplierSite
from records.transition import following, illegal, move_along, pairs

if TYPE_CHECKING:
    from records.acknowledgement import SupplierAcknowledgement


class OrderStatus(StrEnum):
    """The life of a purchase order (domain.md 2.31)."""

    DRAFT = "DRAFT"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    APPROVED = "APPROVED"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    APPROVED_NOT_TRANSMITTED = "APPROVED_NOT_TRANSMITTED"
    TRANSMITTED = "TRANSMITTED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    COUNTER_OFFER = "COUNTER_OFFER"
    SUPPLIER_REJECTED = "SUPPLIER_REJECTED"
    PARTIALLY_RECEIVED = "PARTIALLY_RECEIVED"
    RECEIVED = "RECEIVED"
    CLOSED = "CLOSED"
    ON_HOLD = "ON_HOLD"
    CANCEL_PENDING = "CANCEL_PENDING"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


FINAL = frozenset({OrderStatus.CLOSED, OrderStatus.CANCELLED, OrderStatus.REJECTED})
HOLDABLE = frozenset(OrderStatus) - FINAL - {OrderStatus.ON_HOLD, OrderStatus.DRAFT}
"""Statuses an order can be held in, and comes back to when the hold is lifted."""

ADVANCES = pairs(
    "DRAFT>PENDING_APPROVAL|CANCELLED; PENDING_APPROVAL>APPROVED|DRAFT|REJECTED;"
    " APPROVED>APPROVED_NOT_TRANSMITTED|APPROVAL_EXPIRED|DRAFT|CANCELLED;"
    " APPROVAL_EXPIRED>PENDING_APPROVAL|DRAFT|CANCELLED; APPROVED_NOT_TRANSMITTED>TRANSMITTED|DRAFT;"
    " TRANSMITTED>ACKNOWLEDGED|COUNTER_OFFER|SUPPLIER_REJECTED;"
    " COUNTER_OFFER>TRANSMITTED|ACKNOWLEDGED|SUPPLIER_REJECTED; SUPPLIER_REJECTED>CANCELLED;"
    " ACKNOWLEDGED>PARTIALLY_RECEIVED|RECEIVED; PARTIALLY_RECEIVED>RECEIVED; RECEIVED>CLOSED|PARTIALLY_RECEIVED;"
    " TRANSMITTED|ACKNOWLEDGED|COUNTER_OFFER|PARTIALLY_RECEIVED>CANCEL_PENDING;"
    " CANCEL_PENDING>CANCELLED|TRANSMITTED|ACKNOWLEDGED|PARTIALLY_RECEIVED",
    OrderStatus,
)
TRANSITIONS = ADVANCES | {
    pair for status in HOLDABLE for pair in ((status, OrderStatus.ON_HOLD), (OrderStatus.ON_HOLD, status))
}

UNAPPROVED = frozenset({OrderStatus.DRAFT, OrderStatus.PENDING_APPROVAL, OrderStatus.REJECTED, OrderStatus.CANCELLED})
SENT = frozenset(
    {OrderStatus.TRANSMITTED, OrderStatus.ACKNOWLEDGED, OrderStatus.COUNTER_OFFER, OrderStatus.SUPPLIER_REJECTED,
     OrderStatus.PARTIALLY_RECEIVED, OrderStatus.RECEIVED, OrderStatus.CLOSED, OrderStatus.CANCEL_PENDING}
)  # fmt: skip
"""Statuses in which the supplier has the order."""


class LineStatus(StrEnum):
    """How far one line is delivered."""

    OPEN = "OPEN"
    PART_RCVD = "PART_RCVD"
    RCVD = "RCVD"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


LINE_TRANSITIONS = pairs(
    "OPEN>PART_RCVD|RCVD|CLOSED|CANCELLED; PART_RCVD>RCVD|CLOSED|CANCELLED; RCVD>PART_RCVD|CLOSED; CANCELLED>OPEN",
    LineStatus,
)
"""RCVD goes back to PART_RCVD when goods are rejected, a receipt is reversed or more is ordered: something is to come. CANCELLED goes
back to OPEN when the amendment that cancelled the line is reverted."""


class IncotermCode(StrEnum):
    """The Incoterms rules (2020, and DAT of 2010)."""

    EXW = "EXW"
    FCA = "FCA"
    FAS = "FAS"
    FOB = "FOB"
    CPT = "CPT"
    CIP = "CIP"
    CFR = "CFR"
    CIF = "CIF"
    DAP = "DAP"
    DPU = "DPU"
    DDP = "DDP"
    DAT = "DAT"


def _listed(statuses: frozenset[OrderStatus]) -> str:
    return ", ".join(f"'{status.value}'" for status in sorted(statuses))


class PurchaseOrder(Originated, Record, Base):
    """A purchase order with one supplier. proposal_no is ours (PF-…); po_no is the ERP's, and None until it answers.

    fx_rate: company currency units for 1 of ``currency`` at order_date. approved_hash: what the signatures are bound
    to; None on documents that an ERP approved elsewhere. held_from: the status a hold goes back to.
    approval_expires_at: exclusive.
    """

    __tablename__ = "purchase_order"
    __table_args__ = (
        UniqueConstraint("proposal_no"),
        UniqueConstraint("site_id", "po_no"),
        CheckConstraint("revision >= 0", name="revision_from_zero"),
        CheckConstraint("fx_rate IS NULL OR fx_rate > 0", name="fx_rate_positive"),
        CheckConstraint("advance_payment >= 0", name="advance_payment_not_negative"),
        CheckConstraint(
            "(incoterm IS NULL) = (incoterm_place IS NULL) AND (incoterm IS NULL) = (incoterm_edition IS NULL)",
            name="incoterm_with_place_and_edition",
        ),
        CheckConstraint(
            "(status = 'ON_HOLD') = (held_from IS NOT NULL) AND (held_from IS NULL) = (hold_reason IS NULL)",
            name="hold_has_a_reason",
        ),
        CheckConstraint(
            f"origin = 'ERP' OR approved_hash IS NOT NULL OR status = 'ON_HOLD' OR status IN ({_listed(UNAPPROVED)})",
            name="approved_has_a_hash",
        ),
        CheckConstraint(
            f"origin = 'ERP' OR status NOT IN ({_listed(SENT)}) OR (po_no IS NOT NULL AND transmitted_at IS NOT NULL)",
            name="transmitted_has_a_number",
        ),
        CheckConstraint(
            "approval_expires_at IS NULL OR approval_expires_at > approved_at", name="approval_expires_after_it_begins"
        ),
        Index("ix_purchase_order_supplier_id", "supplier_id"),
        Index("ix_purchase_order_status", "status"),
    )

    proposal_no: Mapped[Code]
    po_no: Mapped[Code | None]
    revision: Mapped[int] = mapped_column(default=0)
    type: Mapped[PurchaseType] = word(PurchaseType, "type", default=PurchaseType.STANDARD)
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    supplier_site_id: Mapped[Id | None] = mapped_column(ForeignKey("supplier_site.id"))
    buyer_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    currency: Mapped[Currency]
    fx_rate: Mapped[Rate | None]
    order_date: Mapped[Day | None]
    incoterm: Mapped[IncotermCode | None] = word(IncotermCode, "incoterm")
    incoterm_place: Mapped[Name | None]
    incoterm_edition: Mapped[Code | None]
    payment_term: Mapped[Name] = mapped_column(default="")
    advance_payment: Mapped[Money] = mapped_column(default=Decimal(0))
    ship_to: Mapped[Text] = mapped_column(default="")
    bill_to: Mapped[Text] = mapped_column(default="")
    terms_doc: Mapped[Name | None]
    terms_rev: Mapped[Code | None]
    supplier_reference: Mapped[Name] = mapped_column(default="")
    comment: Mapped[Note] = mapped_column(default="")
    status: Mapped[OrderStatus] = word(OrderStatus, "status", default=OrderStatus.DRAFT)
    approved_hash: Mapped[Hash | None]
    approved_at: Mapped[Instant | None]
    approval_expires_at: Mapped[Instant | None]
    issued_at: Mapped[Instant | None]
    transmitted_at: Mapped[Instant | None]
    hold_reason: Mapped[Text | None]
    held_from: Mapped[OrderStatus | None] = word(OrderStatus, "held_from")
    hold_owner: Mapped[Login | None]

    site: Mapped[Site] = relationship()
    supplier: Mapped[Supplier] = relationship()
    supplier_site: Mapped[SupplierSite | None] = relationship()
    buyer: Mapped[User | None] = relationship()
    lines: Mapped[list[PurchaseOrderLine]] = relationship(
        back_populates="order", cascade="all, delete-orphan", order_by="PurchaseOrderLine.line_no"
    )
    acknowledgements: Mapped[list[SupplierAcknowledgement]] = relationship(
        back_populates="order", order_by="SupplierAcknowledgement.received_at"
    )

    @property
    def number(self) -> str:
        """The ERP's number, or our proposal number until there is one."""
        return self.po_no or self.proposal_no

    @property
    def total(self) -> Decimal:
        """The sum of the rounded amounts of lines that are not cancelled, in ``currency``."""
        return total(line.amount for line in self.lines if line.status is not LineStatus.CANCELLED)

    @property
    def total_company(self) -> Decimal:
        """The total in the site's currency at ``fx_rate``. Raises Invalid without a rate."""
        if self.fx_rate is None:
            raise Invalid(
                f"Expected an exchange rate on {self.number}, but there is none", {"fx_rate": "is missing"},
                code="NO_EXCHANGE_RATE",
            )  # fmt: skip
        return convert(self.total, self.fx_rate, currency=self.site.currency)

    @property
    def incoterm_text(self) -> str:
        """The Incoterm as printed, ``DAP Wichita (Incoterms 2020)``."""
        return f"{self.incoterm} {self.incoterm_place} (Incoterms {self.incoterm_edition})" if self.incoterm else ""

    @property
    def is_approved_elsewhere(self) -> bool:
        """Whether an ERP approved it before Lockstep knew it."""
        return self.origin == "ERP" and self.approved_hash is None and self.status not in UNAPPROVED


class PurchaseOrderLine(Record, Base):
    """One thing bought: a part revision, or a service with its cost object.

    unit_price: per ``uom``, in the order's currency. conversion_factor: stock units per ``uom``. match_level: 2, 3 or 4
    way. quality_clauses: ``code@rev``; certificates: types that must come with the goods. quantity_imported: what an ERP
    had received, accepted and paid before this line was known here, None for nothing; the three quantities are that
    and the sums of the receipts and payables, and nothing else may set them.
    """

    __tablename__ = "purchase_order_line"
    __table_args__ = (
        UniqueConstraint("order_id", "line_no"),
        CheckConstraint("line_no > 0", name="line_no_from_one"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("unit_price >= 0", name="unit_price_not_negative"),
        CheckConstraint("conversion_factor > 0", name="conversion_factor_positive"),
        CheckConstraint("match_level BETWEEN 2 AND 4", name="match_level_two_to_four"),
        CheckConstraint("quantity_accepted >= 0", name="accepted_not_negative"),
        CheckConstraint("quantity_received >= quantity_accepted", name="received_at_least_accepted"),
        CheckConstraint("quantity >= quantity_received", name="quantity_at_least_received"),
        CheckConstraint("quantity_invoiced >= 0", name="invoiced_not_negative"),
        CheckConstraint("quantity_imported IS NULL OR quantity_imported >= 0", name="imported_not_negative"),
        CheckConstraint("part_revision_id IS NULL OR service_code IS NULL", name="a_part_or_a_service"),
        CheckConstraint(
            "length(description) > 0 OR part_revision_id IS NOT NULL OR service_code IS NOT NULL", name="says_what"
        ),
        Index("ix_purchase_order_line_part_revision_id", "part_revision_id"),
        Index("ix_purchase_order_line_requisition_line_id", "requisition_line_id"),
    )

    order_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order.id"))
    line_no: Mapped[int]
    part_revision_id: Mapped[Id | None] = mapped_column(ForeignKey("part_revision.id"))
    service_code: Mapped[Code | None] = mapped_column(ForeignKey("part.part_no"))
    process_code: Mapped[Code | None] = mapped_column(ForeignKey("outside_process.code"))
    spec: Mapped[Code | None]
    spec_rev: Mapped[Code | None]
    cost_object: Mapped[Name | None]
    description: Mapped[Note] = mapped_column(default="")
    quantity: Mapped[Quantity]
    uom: Mapped[Code] = mapped_column(default="EA")
    conversion_factor: Mapped[Quantity] = mapped_column(default=Decimal(1))
    unit_price: Mapped[Money]
    need_by: Mapped[Day | None]
    promised_on: Mapped[Day | None]
    ship_to: Mapped[Text | None]
    tax_code: Mapped[Code | None]
    tolerance_profile: Mapped[Code] = mapped_column(default="STANDARD")
    match_level: Mapped[int] = mapped_column(default=3)
    is_inspection_required: Mapped[bool] = mapped_column(default=False)
    quality_clauses: Mapped[Codes] = mapped_column(default=())
    certificates: Mapped[Codes] = mapped_column(default=())
    customer_reference: Mapped[Name | None]
    status: Mapped[LineStatus] = word(LineStatus, "status", default=LineStatus.OPEN)
    quantity_received: Mapped[Quantity] = mapped_column(default=Decimal(0))
    quantity_accepted: Mapped[Quantity] = mapped_column(default=Decimal(0))
    quantity_invoiced: Mapped[Quantity] = mapped_column(default=Decimal(0))
    quantity_imported: Mapped[Quantity | None]
    requisition_line_id: Mapped[Id | None] = mapped_column(ForeignKey("requisition_line.id"))
    sourcing_ref_id: Mapped[Id | None] = mapped_column(ForeignKey("sourcing_ref.id"))
    work_order_op: Mapped[Name | None]

    order: Mapped[PurchaseOrder] = relationship(back_populates="lines")
    part_revision: Mapped[PartRevision | None] = relationship()
    service: Mapped[Part | None] = relationship()
    requisition_line: Mapped[RequisitionLine | None] = relationship()
    source: Mapped[SourcingRef | None] = relationship()

    @property
    def number(self) -> str:
        """Document number and line, ``4711/1``."""
        return f"{self.order.number}/{self.line_no}"

    @property
    def amount(self) -> Decimal:
        """Quantity × price, rounded to the minor unit."""
        return line_amount(self.quantity, self.unit_price, currency=self.order.currency)

    @property
    def company_price(self) -> Decimal | None:
        """The price per ``uom`` in the site's currency at the order's rate, to four decimals; None where a rate is missing."""
        if self.order.fx_rate is not None:
            return (self.unit_price * self.order.fx_rate).quantize(Decimal("0.0001"), ROUND_HALF_UP)
        return self.unit_price if self.order.currency == self.order.site.currency else None

    @property
    def open_quantity(self) -> Decimal:
        """What is still to come, in ``uom``."""
        return self.quantity - self.quantity_received

    @property
    def item(self) -> str:
        """What is bought, in one short text."""
        return self.part_revision.number if self.part_revision else self.service_code or self.description[:60]


def move(act: Act, order: PurchaseOrder, to: OrderStatus, *, reason: str | None = None) -> PurchaseOrder:
    """Move an order along 2.31, keeping the hashes and instants that the new status needs.

    Raises: Conflict ILLEGAL_TRANSITION, also for holds, which have their own verbs ``hold`` and ``lift_hold``.
    PENDING_APPROVAL binds the approved hash; back in DRAFT nothing of an approval is left.
    """
    if OrderStatus.ON_HOLD in (to, order.status):
        raise illegal(order, to, [] if order.status is OrderStatus.ON_HOLD else following(order.status, ADVANCES))
    # Status and hashes are one edit: a flush between them would freeze the document before its hash is set.
    with act.session.no_autoflush:
        move_along(act, order, to, transitions=ADVANCES, reason=reason)
        if to is OrderStatus.PENDING_APPROVAL:
            order.approved_hash = approved_hash(order)
            order.approved_at = order.approval_expires_at = None
        elif to is OrderStatus.APPROVED:
            order.approved_at = act.now
        elif to is OrderStatus.APPROVED_NOT_TRANSMITTED:
            order.issued_at = act.now
        elif to is OrderStatus.TRANSMITTED:
            order.transmitted_at = act.now
        elif to is OrderStatus.DRAFT:
            order.approved_hash = order.approved_at = order.approval_expires_at = order.issued_at = None
    return order


def hold(act: Act, order: PurchaseOrder, *, reason: str, owner: str) -> PurchaseOrder:
    """Stop the next step of an order.

    owner: the principal who may lift it. Raises: Conflict where it cannot be held.
    """
    if not reason.strip():
        raise Invalid("Expected a reason for the hold, but there is none", {"reason": "is required"})
    before = order.status
    move_along(act, order, OrderStatus.ON_HOLD, transitions=TRANSITIONS, reason=reason)
    order.held_from, order.hold_reason, order.hold_owner = before, reason, owner
    return order


def lift_hold(act: Act, order: PurchaseOrder, *, reason: str) -> PurchaseOrder:
    """Let an order go on from the status it was held in. Who may is for the caller to ask (``hold_owner``)."""
    if order.status is not OrderStatus.ON_HOLD or order.held_from is None:
        raise Conflict(f"Expected {order.number} to be on hold, but it is {order.status}", code="ILLEGAL_TRANSITION")
    move_along(act, order, order.held_from, transitions=TRANSITIONS, reason=reason)
    order.held_from = order.hold_reason = order.hold_owner = None
    return order


def is_approval_valid(order: PurchaseOrder, at: dt.datetime) -> bool:
    """Whether the approval of an order may still be used at an instant."""
    return order.approval_expires_at is None or at < order.approval_expires_at


def approved_content(order: PurchaseOrder) -> dict[str, Any]:
    """Return the part of an order that its approval is bound to (domain.md 2.09), in canonical texts.

    Parts, suppliers and sites stand in it by their numbers, so that an ERP's answer can be compared with it.
    """
    return {
        "type": order.type.value,
        "supplier": order.supplier.supplier_no,
        "supplier_site": order.supplier_site.code if order.supplier_site else None,
        "currency": order.currency,
        "incoterm": canonical(order.incoterm),
        "incoterm_place": order.incoterm_place,
        "incoterm_edition": order.incoterm_edition,
        "payment_term": order.payment_term,
        "ship_to": order.ship_to,
        "terms_doc": order.terms_doc,
        "terms_rev": order.terms_rev,
        "lines": [_line_content(line) for line in sorted(order.lines, key=lambda line: line.line_no)],
    }


def _line_content(line: PurchaseOrderLine) -> dict[str, Any]:
    """Return what is approved of a line. A cancelled one keeps its number and says so; an open one says nothing about it."""
    ended = {"cancelled": True} if line.status is LineStatus.CANCELLED else {}
    return ended | {
        "line_no": line.line_no,
        "part_revision": line.part_revision.number if line.part_revision else None,
        "service": line.service_code,
        "description": line.description,
        "quantity": canonical(line.quantity, scale=6),
        "uom": line.uom,
        "unit_price": canonical(line.unit_price, scale=4),
        "need_by": canonical(line.need_by),
        "ship_to": line.ship_to,
        "spec": line.spec,
        "spec_rev": line.spec_rev,
        "process": line.process_code,
        "quality_clauses": list(line.quality_clauses),
        "certificates": list(line.certificates),
        "cost_object": line.cost_object,
    }


def approved_hash(order: PurchaseOrder) -> str:
    """Return the content hash that an order's approval and transmission are bound to."""
    return content_hash(approved_content(order))
