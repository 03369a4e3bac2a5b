"""Invoices, what their match found, who holds them, and what became payable."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, Money, Quantity
from engine.record import Record
from records.columns import Code, Currency, Day, Hash, Login, Name, Text, word
from records.money import line_amount, total
from records.purchase_order import PurchaseOrderLine
from records.supplier import Supplier
from records.transition import move_along, pairs


class InvoiceKind(StrEnum):
    """What kind of bill it is. The last two have negative lines: the supplier's credit, and what we charge the supplier."""

    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"
    DEBIT_NOTE = "DEBIT_NOTE"


class InvoiceStatus(StrEnum):
    """How far an invoice is. MATCHED: everything on it is settled."""

    CAPTURED = "CAPTURED"
    HELD = "HELD"
    MATCHED = "MATCHED"
    REJECTED = "REJECTED"


TRANSITIONS = pairs("CAPTURED>HELD|MATCHED|REJECTED; HELD>MATCHED|REJECTED", InvoiceStatus)
STANDING = text("status <> 'REJECTED'")


class Invoice(Record, Base):
    """A bill. supplier_invoice_no: as printed; invoice_key: the same without punctuation, by which a duplicate is known.

    stated_total: as printed, in ``currency``, None when nobody typed it. duplicate_of_id: the invoice that it repeats.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("source_system", "source_event_id"),
        CheckConstraint("due_on IS NULL OR due_on >= invoiced_on", name="due_after_it_is_dated"),
        CheckConstraint("length(invoice_key) > 0", name="has_a_key"),
        CheckConstraint("duplicate_of_id IS NULL OR status = 'REJECTED'", name="a_duplicate_is_rejected"),
        CheckConstraint("(status = 'REJECTED') = (length(refusal) > 0)", name="rejected_has_a_reason"),
        Index(
            "uq_invoice_supplier_id_invoice_key", "supplier_id", "invoice_key", unique=True, sqlite_where=STANDING,
            postgresql_where=STANDING,
        ),
        Index("ix_invoice_status", "status"),
    )  # fmt: skip

    number: Mapped[Code]
    kind: Mapped[InvoiceKind] = word(InvoiceKind, "kind", default=InvoiceKind.INVOICE)
    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    supplier_invoice_no: Mapped[Name]
    invoice_key: Mapped[Name]
    currency: Mapped[Currency]
    invoiced_on: Mapped[Day]
    due_on: Mapped[Day | None]
    stated_total: Mapped[Money | None]
    status: Mapped[InvoiceStatus] = word(InvoiceStatus, "status", default=InvoiceStatus.CAPTURED)
    refusal: Mapped[Text] = mapped_column(default="")
    duplicate_of_id: Mapped[Id | None] = mapped_column(ForeignKey("invoice.id"))
    comment: Mapped[Text] = mapped_column(default="")
    source_system: Mapped[Code]
    source_event_id: Mapped[Name]

    supplier: Mapped[Supplier] = relationship()
    duplicate_of: Mapped[Invoice | None] = relationship(remote_side="Invoice.id")
    lines: Mapped[list[InvoiceLine]] = relationship(back_populates="invoice", order_by="InvoiceLine.line_no")

    @property
    def total(self) -> Decimal:
        """The sum of the rounded amounts of the lines, in ``currency``."""
        return total(line.amount for line in self.lines)


class InvoiceLine(Record, Base):
    """What is billed for one order line. quantity: in the order line's unit, negative on credit and debit notes."""

    __tablename__ = "invoice_line"
    __table_args__ = (
        UniqueConstraint("invoice_id", "line_no"),
        CheckConstraint("line_no > 0", name="line_no_from_one"),
        CheckConstraint("quantity <> 0", name="quantity_not_zero"),
        CheckConstraint("unit_price >= 0", name="unit_price_not_negative"),
        Index("ix_invoice_line_order_line_id", "order_line_id"),
    )

    invoice_id: Mapped[Id] = mapped_column(ForeignKey("invoice.id"))
    line_no: Mapped[int]
    order_line_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order_line.id"))
    quantity: Mapped[Quantity]
    unit_price: Mapped[Money]
    description: Mapped[Text] = mapped_column(default="")

    invoice: Mapped[Invoice] = relationship(back_populates="lines")
    order_line: Mapped[PurchaseOrderLine] = relationship()

    @property
    def number(self) -> str:
        """Invoice and line, ``INV-000004/1``."""
        return f"{self.invoice.number}/{self.line_no}"

    @property
    def amount(self) -> Decimal:
        """Quantity × price, rounded to the minor unit."""
        return line_amount(self.quantity, self.unit_price, currency=self.invoice.currency)


class MatchStatus(StrEnum):
    """What one run of the match says."""

    MATCHED = "MATCHED"
    HELD = "HELD"


class MatchResult(Record, Base):
    """One run of the match over one invoice line, with the figures it saw. Written once; the next run adds another.

    invoiced_before: what was payable on the order line before. payable_quantity: what this run lets through, in the order line's
    unit; payable_amount in the invoice's currency. judged_by: the hash of the table of tolerances.
    """

    __tablename__ = "match_result"
    __table_args__ = (
        UniqueConstraint("invoice_line_id", "run"),
        CheckConstraint("run > 0", name="run_from_one"),
        CheckConstraint("level BETWEEN 2 AND 4", name="level_two_to_four"),
        CheckConstraint(
            "(quantity > 0 AND payable_quantity BETWEEN 0 AND quantity)"
            " OR (quantity < 0 AND payable_quantity BETWEEN quantity AND 0)",
            name="payable_within_quantity",
        ),
    )

    invoice_line_id: Mapped[Id] = mapped_column(ForeignKey("invoice_line.id"))
    run: Mapped[int]
    level: Mapped[int]
    profile: Mapped[Code]
    quantity: Mapped[Quantity]
    ordered: Mapped[Quantity]
    received: Mapped[Quantity]
    accepted: Mapped[Quantity]
    invoiced_before: Mapped[Quantity]
    order_price: Mapped[Money]
    invoice_price: Mapped[Money]
    price_excess: Mapped[Money]
    price_allowance: Mapped[Money]
    status: Mapped[MatchStatus] = word(MatchStatus, "status")
    payable_quantity: Mapped[Quantity]
    payable_amount: Mapped[Money]
    matched_at: Mapped[Instant]
    judged_by: Mapped[Hash]

    invoice_line: Mapped[InvoiceLine] = relationship()

    @property
    def number(self) -> str:
        """The invoice line and the run."""
        return f"{self.invoice_line.number} match {self.run}"


class HoldCode(StrEnum):
    """Why an invoice line is not paid (domain.md 2.15)."""

    QTY_ORD = "QTY_ORD"
    QTY_REC = "QTY_REC"
    QTY_ACC = "QTY_ACC"
    PRICE = "PRICE"
    CERT = "CERT"
    DUP = "DUP"
    CURRENCY = "CURRENCY"


class HoldStatus(StrEnum):
    """OPEN; RELEASED by a person's signature; CLEARED by the next match, because what was missing came."""

    OPEN = "OPEN"
    RELEASED = "RELEASED"
    CLEARED = "CLEARED"


HOLD_TRANSITIONS = pairs("OPEN>RELEASED|CLEARED", HoldStatus)
STILL_OPEN = text("status = 'OPEN'")


class MatchHold(Record, Base):
    """One reason why an invoice line is held, with whose turn it is.

    expected, found: both values, as people read them. owner: a principal. A released hold names who released it and why.
    """

    __tablename__ = "match_hold"
    __table_args__ = (
        CheckConstraint(
            "status <> 'RELEASED' OR (released_by IS NOT NULL AND signature_id IS NOT NULL AND length(reason) > 0)",
            name="released_is_signed",
        ),
        CheckConstraint("(status = 'OPEN') = (ended_at IS NULL)", name="ended_has_an_instant"),
        Index(
            "uq_match_hold_one_open", "invoice_line_id", "code", unique=True, sqlite_where=STILL_OPEN,
            postgresql_where=STILL_OPEN,
        ),
        Index("ix_match_hold_status", "status"),
    )  # fmt: skip

    invoice_line_id: Mapped[Id] = mapped_column(ForeignKey("invoice_line.id"))
    code: Mapped[HoldCode] = word(HoldCode, "code")
    expected: Mapped[Text]
    found: Mapped[Text]
    owner: Mapped[Login]
    status: Mapped[HoldStatus] = word(HoldStatus, "status", default=HoldStatus.OPEN)
    opened_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
    released_by: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    reason: Mapped[Text] = mapped_column(default="")
    signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))

    invoice_line: Mapped[InvoiceLine] = relationship()

    @property
    def number(self) -> str:
        """The invoice line and the code."""
        return f"{self.invoice_line.number} {self.code}"


class PayableKind(StrEnum):
    """Why something became payable."""

    MATCHED = "MATCHED"
    PART = "PART"
    RELEASED = "RELEASED"
    CREDITED = "CREDITED"


class Payable(Record, Base):
    """A quantity of an order line that became payable, or, negative, that is claimed back. Written once.

    The line's ``quantity_invoiced`` is the sum of these. amount: in the invoice's currency.
    """

    __tablename__ = "payable"
    __table_args__ = (
        CheckConstraint("quantity <> 0", name="quantity_not_zero"),
        CheckConstraint("(kind = 'CREDITED') = (quantity < 0)", name="a_credit_is_negative"),
        Index("ix_payable_order_line_id", "order_line_id"),
        Index("ix_payable_invoice_line_id", "invoice_line_id"),
    )

    invoice_line_id: Mapped[Id] = mapped_column(ForeignKey("invoice_line.id"))
    order_line_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order_line.id"))
    kind: Mapped[PayableKind] = word(PayableKind, "kind")
    quantity: Mapped[Quantity]
    amount: Mapped[Money]
    reason: Mapped[Text] = mapped_column(default="")

    invoice_line: Mapped[InvoiceLine] = relationship()

    @property
    def number(self) -> str:
        """The invoice line that it is paid for."""
        return self.invoice_line.number


def invoice_key(text_: str) -> str:
    """Return a supplier's invoice number without what people write differently: case, blanks, punctuation, leading zeros."""
    plain = re.sub(r"[^0-9A-Z]", "", text_.upper())
    return plain.lstrip("0") or plain


def move(act: Act, invoice: Invoice, to: InvoiceStatus, *, reason: str | None = None) -> Invoice:
    """Move an invoice along its life; a rejection keeps its reason. Raises Conflict ILLEGAL_TRANSITION."""
    with act.session.no_autoflush:
        move_along(act, invoice, to, transitions=TRANSITIONS, reason=reason)
        if to is InvoiceStatus.REJECTED:
            invoice.refusal = reason or ""
    act.session.flush()
    return invoice


def payable_quantity(session: Session, line: PurchaseOrderLine) -> Decimal:
    """Return what became payable on an order line by its invoices alone."""
    wanted = select(func.sum(Payable.quantity)).where(Payable.order_line_id == line.id)
    return session.scalar(wanted) or Decimal(0)


def count_payable(act: Act, line: PurchaseOrderLine) -> PurchaseOrderLine:
    """Set what is invoiced on a line to the sum of its payables; nothing else ever sets it."""
    act.session.flush()
    line.quantity_invoiced = (line.quantity_imported or Decimal(0)) + payable_quantity(act.session, line)
    act.session.flush()
    return line


def payable_of(session: Session, line: InvoiceLine) -> Decimal:
    """Return what became payable of one invoice line."""
    wanted = select(func.sum(Payable.quantity)).where(Payable.invoice_line_id == line.id)
    return session.scalar(wanted) or Decimal(0)


def holds_of(session: Session, line: InvoiceLine) -> list[MatchHold]:
    """Return the holds of an invoice line, ended ones included, oldest first."""
    wanted = select(MatchHold).where(MatchHold.invoice_line_id == line.id)
    return list(session.scalars(wanted.order_by(MatchHold.opened_at, MatchHold.code)))


def results_of(session: Session, line: InvoiceLine) -> list[MatchResult]:
    """Return the runs of the match over an invoice line, oldest first."""
    wanted = select(MatchResult).where(MatchResult.invoice_line_id == line.id)
    return list(session.scalars(wanted.order_by(MatchResult.run)))
