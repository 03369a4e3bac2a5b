"""Receipts: goods that came in against one order line. A receipt is never edited; a negative one reverses it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Select, UniqueConstraint, case, func, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship

from engine.act import Act
from engine.answers import of_each
from engine.database import Base, Id, Quantity
from engine.record import Record
from records.columns import Code, Codes, Day, Login, Name, Text, word
from records.purchase_order import PurchaseOrderLine
from records.transition import move_along, pairs


class ReceiptStatus(StrEnum):
    """The life of received goods (domain.md 2.14, 2.37). REVERSAL: a negative receipt, which has no life of its own."""

    ARRIVED = "ARRIVED"
    INSPECTION = "INSPECTION"
    QUARANTINE = "QUARANTINE"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    PUT_AWAY = "PUT_AWAY"
    RETURNED = "RETURNED"
    SCRAPPED = "SCRAPPED"
    REVERSAL = "REVERSAL"


TRANSITIONS = pairs(
    "ARRIVED>INSPECTION|QUARANTINE; INSPECTION>ACCEPTED|REJECTED|QUARANTINE; QUARANTINE>INSPECTION|ACCEPTED|REJECTED;"
    " ACCEPTED>PUT_AWAY|QUARANTINE; PUT_AWAY>QUARANTINE; REJECTED>ACCEPTED|RETURNED|SCRAPPED",
    ReceiptStatus,
)
"""QUARANTINE and REJECTED become ACCEPTED only with the signature of a material review (use as is)."""

ACCEPTED = (ReceiptStatus.ACCEPTED, ReceiptStatus.PUT_AWAY)
"""Statuses whose quantity counts as accepted."""

WAITING = (ReceiptStatus.ARRIVED, ReceiptStatus.INSPECTION, ReceiptStatus.QUARANTINE)
"""Statuses in which somebody still has to decide about the goods."""

RULED_OUT = (ReceiptStatus.REJECTED, ReceiptStatus.RETURNED, ReceiptStatus.SCRAPPED)
"""Statuses whose quantity does not serve the order: a replacement is still to come."""


class Quarantine(StrEnum):
    """Why goods are kept apart."""

    OVER = "OVER"
    IDENTITY = "IDENTITY"
    NOT_ACKNOWLEDGED = "NOT_ACKNOWLEDGED"
    CANCELLATION = "CANCELLATION"
    SUPPLIER = "SUPPLIER"
    DRIFT = "DRIFT"
    CERTIFICATE = "CERTIFICATE"
    NONCONFORMING = "NONCONFORMING"
    DATE = "DATE"
    CHANGE = "CHANGE"


class OverDecision(StrEnum):
    """What becomes of goods beyond the ordered quantity (A32)."""

    RETURN = "RETURN"
    AMEND = "AMEND"
    FREE = "FREE"


class Receipt(Record, Base):
    """Goods received against one order line, in the line's unit.

    quantity: above 0; a reversal's is negative and names what it reverses. over_quantity: the part beyond the order, which
    does not count as received and is never paid until decided. stated_quantity, stated_uom: as the slip says, before
    conversion. order_revision: of the order when the goods came. revision_on_label: as read from the goods. lot_id,
    nonconformance_id: set once. source_system, source_event_id, position: one event may make two receipts (what was
    ordered, and what is too much); the same event never makes a third.
    """

    __tablename__ = "receipt"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("source_system", "source_event_id", "position"),
        CheckConstraint("quantity <> 0", name="quantity_not_zero"),
        CheckConstraint("(quantity < 0) = (reverses_id IS NOT NULL)", name="a_reversal_is_negative"),
        CheckConstraint("(quantity < 0) = (status = 'REVERSAL')", name="a_reversal_has_no_life"),
        CheckConstraint("quantity > 0 OR length(reason) > 0", name="a_reversal_has_a_reason"),
        CheckConstraint(
            "(quantity > 0 AND over_quantity BETWEEN 0 AND quantity)"
            " OR (quantity < 0 AND over_quantity BETWEEN quantity AND 0)",
            name="over_quantity_within_quantity",
        ),
        CheckConstraint("status <> 'QUARANTINE' OR quarantine IS NOT NULL", name="quarantine_has_a_cause"),
        CheckConstraint("order_revision >= 0", name="order_revision_from_zero"),
        Index("ix_receipt_order_line_id", "order_line_id"),
        Index("ix_receipt_status", "status"),
        Index("ix_receipt_reverses_id", "reverses_id"),
    )

    number: Mapped[Code]
    order_line_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order_line.id"))
    order_revision: Mapped[int]
    quantity: Mapped[Quantity]
    uom: Mapped[Code]
    stated_quantity: Mapped[Quantity]
    stated_uom: Mapped[Code]
    over_quantity: Mapped[Quantity] = mapped_column(default=Decimal(0))
    packing_slip: Mapped[Name] = mapped_column(default="")
    received_on: Mapped[Day]
    received_by: Mapped[Login]
    location: Mapped[Name] = mapped_column(default="")
    revision_on_label: Mapped[Code | None]
    lot_label: Mapped[Name] = mapped_column(default="")
    heat: Mapped[Name] = mapped_column(default="")
    serials: Mapped[Codes] = mapped_column(default=())
    status: Mapped[ReceiptStatus] = word(ReceiptStatus, "status", default=ReceiptStatus.ARRIVED)
    quarantine: Mapped[Quarantine | None] = word(Quarantine, "quarantine")
    quarantine_reason: Mapped[Text] = mapped_column(default="")
    over_decision: Mapped[OverDecision | None] = word(OverDecision, "over_decision")
    reverses_id: Mapped[Id | None] = mapped_column(ForeignKey("receipt.id"))
    reason: Mapped[Text] = mapped_column(default="")
    lot_id: Mapped[Id | None]
    nonconformance_id: Mapped[Id | None]
    review_signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))
    source_system: Mapped[Code]
    source_event_id: Mapped[Name]
    position: Mapped[int] = mapped_column(default=1)

    order_line: Mapped[PurchaseOrderLine] = relationship()
    reverses: Mapped[Receipt | None] = relationship(remote_side="Receipt.id")

    @property
    def counted_quantity(self) -> Decimal:
        """What counts as received against the order."""
        return self.quantity - self.over_quantity


class ShortCloseStatus(StrEnum):
    """Whether the planner agreed that the rest of a line does not come."""

    PROPOSED = "PROPOSED"
    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"


SHORT_CLOSE_TRANSITIONS = pairs("PROPOSED>CONFIRMED|REFUSED", ShortCloseStatus)


class ShortClose(Record, Base):
    """The rest of a line that is given up: proposed by the buyer, confirmed by a planner, with what it means for work orders."""

    __tablename__ = "short_close"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("length(reason) > 0", name="has_a_reason"),
        CheckConstraint("(status = 'PROPOSED') = (decided_by IS NULL)", name="decided_by_somebody"),
        CheckConstraint("decided_by IS NULL OR decided_by <> proposed_by", name="decided_by_another_person"),
        Index("ix_short_close_order_line_id", "order_line_id"),
    )

    order_line_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order_line.id"))
    quantity: Mapped[Quantity]
    reason: Mapped[Text]
    impact: Mapped[Text] = mapped_column(default="")
    status: Mapped[ShortCloseStatus] = word(ShortCloseStatus, "status", default=ShortCloseStatus.PROPOSED)
    proposed_by: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    decided_by: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    answer: Mapped[Text] = mapped_column(default="")

    order_line: Mapped[PurchaseOrderLine] = relationship()

    @property
    def number(self) -> str:
        """The line it is about."""
        return self.order_line.number


def move(act: Act, receipt: Receipt, to: ReceiptStatus, *, reason: str | None = None) -> Receipt:
    """Move goods along their life and count the line anew.

    Raises: Conflict ILLEGAL_TRANSITION; RuleViolation where an inspection, a certificate or a signature is missing.
    """
    move_along(act, receipt, to, transitions=TRANSITIONS, reason=reason)
    count_receipts(act, receipt.order_line)
    return receipt


def keep_apart(act: Act, receipt: Receipt, cause: Quarantine, *, reason: str) -> Receipt:
    """Put goods into quarantine, with cause and reason. Goods that are there already get the new cause."""
    with act.session.no_autoflush:
        if receipt.status is not ReceiptStatus.QUARANTINE:
            move_along(act, receipt, ReceiptStatus.QUARANTINE, transitions=TRANSITIONS, reason=reason)
        receipt.quarantine, receipt.quarantine_reason = cause, reason[:4000]
    count_receipts(act, receipt.order_line)
    return receipt


def count_receipts(act: Act, line: PurchaseOrderLine) -> PurchaseOrderLine:
    """Set what is received and accepted on a line to the sums of its receipts; nothing else ever sets it."""
    act.session.flush()
    before = line.quantity_imported or Decimal(0)
    received, accepted = received_quantity(act.session, line), accepted_quantity(act.session, line)
    line.quantity_received, line.quantity_accepted = before + received, before + accepted
    act.session.flush()
    return line


def receipts_of(session: Session, line: PurchaseOrderLine) -> list[Receipt]:
    """Return the receipts of a line, reversals included, oldest first."""
    return of_each(session, line, "receipts_of", lambda lines: _receipts_of(session, lines), otherwise=[])


def _receipts_of(session: Session, lines: Sequence[PurchaseOrderLine]) -> dict[str, list[Receipt]]:
    wanted = select(Receipt).where(Receipt.order_line_id.in_([line.id for line in lines]))
    found: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in session.scalars(wanted.order_by(Receipt.created_at, Receipt.number)):
        found[receipt.order_line_id].append(receipt)
    return found


def received_quantity(session: Session, line: PurchaseOrderLine) -> Decimal:
    """Return what counts as received on a line by its receipts alone."""
    counted = func.sum(Receipt.quantity - Receipt.over_quantity)
    return _sum(session, select(counted).where(Receipt.order_line_id == line.id))


def accepted_quantity(session: Session, line: PurchaseOrderLine) -> Decimal:
    """Return what counts as accepted on a line by its receipts alone; a reversal counts as what it reverses."""
    return _in_statuses(session, line, ACCEPTED)


def rejected_quantity(session: Session, line: PurchaseOrderLine) -> Decimal:
    """Return what came and was rejected, and has not been sent back or scrapped by a negative receipt yet."""
    return _in_statuses(session, line, RULED_OUT)


def remaining_quantity(session: Session, receipt: Receipt) -> Decimal:
    """Return what of a receipt has not been reversed."""
    reversed_ = select(func.sum(Receipt.quantity)).where(Receipt.reverses_id == receipt.id)
    return receipt.quantity + _sum(session, reversed_)


def remaining_counted(session: Session, receipt: Receipt) -> Decimal:
    """Return what of a receipt's counted quantity has not been reversed."""
    counted = func.sum(Receipt.quantity - Receipt.over_quantity)
    return receipt.counted_quantity + _sum(session, select(counted).where(Receipt.reverses_id == receipt.id))


def _in_statuses(session: Session, line: PurchaseOrderLine, statuses: tuple[ReceiptStatus, ...]) -> Decimal:
    asked = ("quantity in", statuses)
    return of_each(session, line, asked, lambda lines: _sums_in(session, lines, statuses), otherwise=Decimal(0))


def _sums_in(
    session: Session, lines: Sequence[PurchaseOrderLine], statuses: tuple[ReceiptStatus, ...]
) -> dict[str, Decimal]:
    original = aliased(Receipt)
    counted = func.sum(Receipt.quantity - Receipt.over_quantity)
    status = case((Receipt.reverses_id.is_not(None), original.status), else_=Receipt.status)
    wanted = select(Receipt.order_line_id, counted).join_from(
        Receipt, original, original.id == Receipt.reverses_id, isouter=True
    )
    wanted = wanted.where(
        Receipt.order_line_id.in_([line.id for line in lines]), status.in_([one.value for one in statuses])
    )
    return {
        line_id: quantity or Decimal(0) for line_id, quantity in session.execute(wanted.group_by(Receipt.order_line_id))
    }


def _sum(session: Session, wanted: Select[Decimal]) -> Decimal:
    return session.scalar(wanted) or Decimal(0)
