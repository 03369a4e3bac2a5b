"""Amendments of purchase orders: what changes on an order that its supplier has, signed, numbered, kept word for word."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, Money
from engine.errors import Conflict
from engine.record import Operation, Record
from records.acknowledgement import SupplierAcknowledgement
from records.columns import Code, Currency, Hash, Login, Name, Note, Text, word
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.transition import move_along, pairs


class AmendmentStatus(StrEnum):
    """The life of an amendment (domain.md 2.32)."""

    DRAFT = "DRAFT"
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    SENT = "SENT"
    ACKED = "ACKED"
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    SUPPLIER_REFUSED = "SUPPLIER_REFUSED"
    REVERTED = "REVERTED"


TRANSITIONS = pairs(
    "DRAFT>PENDING|WITHDRAWN; PENDING>APPROVED|REJECTED|WITHDRAWN|DRAFT; APPROVED>SENT|SUPPLIER_REFUSED;"
    " SENT>ACKED|SUPPLIER_REFUSED; ACKED>APPLIED; SUPPLIER_REFUSED>REVERTED",
    AmendmentStatus,
)
"""PENDING>DRAFT: sent back to be corrected, under its number.
APPROVED>SUPPLIER_REFUSED: the ERP refuses for good what was approved, so that the supplier never sees it."""

OPEN = (
    AmendmentStatus.DRAFT, AmendmentStatus.PENDING, AmendmentStatus.APPROVED, AmendmentStatus.SENT, AmendmentStatus.ACKED,
)  # fmt: skip
"""Statuses in which an order takes no other amendment."""

TOOK_EFFECT = (
    AmendmentStatus.APPROVED, AmendmentStatus.SENT, AmendmentStatus.ACKED, AmendmentStatus.APPLIED,
    AmendmentStatus.SUPPLIER_REFUSED, AmendmentStatus.REVERTED,
)  # fmt: skip
"""Statuses of amendments whose values the order took on."""


class AmendmentKind(StrEnum):
    """What an amendment is for. REVERSAL: restores what a refused one had changed. CANCELLATION: of the whole order."""

    CHANGE = "CHANGE"
    CANCELLATION = "CANCELLATION"
    REVERSAL = "REVERSAL"


class AmendmentClass(StrEnum):
    """How deep the deepest change of an amendment goes; C3 and C4 only under a change order."""

    C1 = "C1"
    C2 = "C2"
    C3 = "C3"
    C4 = "C4"


class AmendmentReason(StrEnum):
    """Why an order is amended."""

    DEMAND = "DEMAND"
    PRICE = "PRICE"
    SCHEDULE = "SCHEDULE"
    TERMS = "TERMS"
    CORRECTION = "CORRECTION"
    COUNTER_OFFER = "COUNTER_OFFER"
    SUPPLIER_REFUSED = "SUPPLIER_REFUSED"
    CANCELLATION = "CANCELLATION"


class ApprovalPlan(StrEnum):
    """Who approves an amendment, as ``amendment_tolerance.dmn`` says."""

    FULL = "FULL"
    LEAD = "LEAD"
    BUYER = "BUYER"
    BUYER_PLANNER = "BUYER_PLANNER"


OPEN_ONLY = text("status IN (" + ", ".join(f"'{status.value}'" for status in OPEN) + ")")
"""The condition of the index that lets one amendment of an order be open."""


class PurchaseOrderAmendment(Record, Base):
    """One amendment of one order. What it says is written once, or once more while it is sent back to be corrected.

    revision: of the order, once approved. content_hash: what the approvers sign, order, changes and classes together.
    hash_before, hash_after: the order's approved hash. money_delta: in ``currency``, cancelled lines counted as 0.
    increase, increase_percent: cumulative since the last full approval, in the site's currency. impact: one sentence a line.
    acknowledgement_id: the counter-offer that it accepts. cancellation_charge: what the supplier asks for a cancellation.
    """

    __tablename__ = "purchase_order_amendment"
    __table_args__ = (
        UniqueConstraint("order_id", "amend_no"),
        CheckConstraint("amend_no > 0", name="amend_no_from_one"),
        CheckConstraint("revision > 0", name="revision_from_one"),
        CheckConstraint(
            "change_class IN ('C1', 'C2') OR change_order_id IS NOT NULL", name="technical_needs_a_change_order"
        ),
        CheckConstraint("(kind = 'REVERSAL') = (reverts_id IS NOT NULL)", name="reversal_names_what_it_reverts"),
        CheckConstraint("cancellation_charge IS NULL OR cancellation_charge >= 0", name="charge_not_negative"),
        Index(
            "uq_purchase_order_amendment_open", "order_id", unique=True,
            sqlite_where=OPEN_ONLY, postgresql_where=OPEN_ONLY,
        ),
        Index("ix_purchase_order_amendment_order_id", "order_id"),
        Index("ix_purchase_order_amendment_reverts_id", "reverts_id"),
        Index("ix_purchase_order_amendment_acknowledgement_id", "acknowledgement_id"),
    )  # fmt: skip

    number: Mapped[Code]
    order_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order.id"))
    amend_no: Mapped[int]
    revision: Mapped[int]
    kind: Mapped[AmendmentKind] = word(AmendmentKind, "kind", default=AmendmentKind.CHANGE)
    change_class: Mapped[AmendmentClass] = word(AmendmentClass, "change_class")
    reason_code: Mapped[AmendmentReason] = word(AmendmentReason, "reason_code")
    reason: Mapped[Text]
    change_order_id: Mapped[Id | None]
    reverts_id: Mapped[Id | None] = mapped_column(ForeignKey("purchase_order_amendment.id"))
    acknowledgement_id: Mapped[Id | None] = mapped_column(ForeignKey("supplier_acknowledgement.id"))
    status: Mapped[AmendmentStatus] = word(AmendmentStatus, "status", default=AmendmentStatus.DRAFT)
    content_hash: Mapped[Hash]
    hash_before: Mapped[Hash]
    hash_after: Mapped[Hash]
    currency: Mapped[Currency]
    total_before: Mapped[Money]
    total_after: Mapped[Money]
    money_delta: Mapped[Money]
    increase: Mapped[Money]
    increase_percent: Mapped[Money]
    plan: Mapped[ApprovalPlan] = word(ApprovalPlan, "plan")
    plan_row: Mapped[int]
    plan_words: Mapped[Text]
    judged_by: Mapped[Hash]
    impact: Mapped[Note] = mapped_column(default="")
    opened_by: Mapped[Login]
    approved_at: Mapped[Instant | None]
    sent_at: Mapped[Instant | None]
    applied_at: Mapped[Instant | None]
    ended_reason: Mapped[Text | None]
    cancellation_charge: Mapped[Money | None]

    order: Mapped[PurchaseOrder] = relationship()
    reverts: Mapped[PurchaseOrderAmendment | None] = relationship(remote_side="PurchaseOrderAmendment.id")
    acknowledgement: Mapped[SupplierAcknowledgement | None] = relationship()
    changes: Mapped[list[AmendmentChange]] = relationship(
        back_populates="amendment", order_by="AmendmentChange.position"
    )

    @property
    def is_open(self) -> bool:
        """Whether the order takes no other amendment meanwhile."""
        return self.status in OPEN


class AmendmentChange(Record, Base):
    """One row of the stored redline: what was and what becomes, never computed again.

    path: ``payment_term``, ``lines.2.quantity``. column_name: empty for what follows from others (a line's amount). old_text,
    new_text: canonical. money_delta: on rows that say an amount.
    """

    __tablename__ = "amendment_change"
    __table_args__ = (
        UniqueConstraint("amendment_id", "position"),
        UniqueConstraint("amendment_id", "path"),
        CheckConstraint("position > 0", name="position_from_one"),
    )

    amendment_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order_amendment.id"))
    position: Mapped[int]
    path: Mapped[Name]
    table_name: Mapped[Code]
    row_id: Mapped[Id]
    column_name: Mapped[Code] = mapped_column(default="")
    operation: Mapped[Operation] = word(Operation, "operation")
    old_text: Mapped[Note | None]
    new_text: Mapped[Note | None]
    change_class: Mapped[AmendmentClass] = word(AmendmentClass, "change_class")
    why: Mapped[Text] = mapped_column(default="")
    money_delta: Mapped[Money] = mapped_column(default=Decimal(0))

    amendment: Mapped[PurchaseOrderAmendment] = relationship(back_populates="changes")

    @property
    def number(self) -> str:
        """The amendment and the path."""
        return f"{self.amendment.number} {self.path}"


def move(
    act: Act, amendment: PurchaseOrderAmendment, to: AmendmentStatus, *, reason: str | None = None
) -> PurchaseOrderAmendment:
    """Move an amendment along 2.32, with the instant that the new status needs. Raises: Conflict ILLEGAL_TRANSITION."""
    if amendment.status is AmendmentStatus.DRAFT and amendment.ended_reason is not None:
        amendment.ended_reason = None
        act.session.flush()  # Why it was sent back is over; what comes next may be written only once.
    with act.session.no_autoflush:
        move_along(act, amendment, to, transitions=TRANSITIONS, reason=reason)
        if to is AmendmentStatus.APPROVED:
            amendment.approved_at = act.now
        elif to is AmendmentStatus.SENT:
            amendment.sent_at = act.now
        elif to is AmendmentStatus.APPLIED:
            amendment.applied_at = act.now
        elif reason is not None:
            amendment.ended_reason = reason[:4000]
    act.session.flush()
    return amendment


def open_amendment_of(session: Session, order: PurchaseOrder) -> PurchaseOrderAmendment | None:
    """Return the amendment of an order that is under way, or None."""
    wanted = select(PurchaseOrderAmendment).where(
        PurchaseOrderAmendment.order_id == order.id, PurchaseOrderAmendment.status.in_(OPEN)
    )
    return session.scalar(wanted)


def standing_on(session: Session, line: PurchaseOrderLine) -> PurchaseOrderAmendment | None:
    """Return the amendment that the work behind a line waits for (domain.md A40.5, A40.10), or None.

    It is under way and touches the line or the whole order; or its supplier refused it, and no later one is applied, so that
    order and supplier do not agree yet.
    """
    held = (*OPEN, AmendmentStatus.SUPPLIER_REFUSED)
    wanted = select(PurchaseOrderAmendment).where(
        PurchaseOrderAmendment.order_id == line.order_id,
        PurchaseOrderAmendment.status.in_((*held, AmendmentStatus.APPLIED)),
    )
    for amendment in session.scalars(wanted.order_by(PurchaseOrderAmendment.amend_no.desc())):
        if amendment.status is AmendmentStatus.APPLIED:
            return None
        if {line.id, line.order_id} & {change.row_id for change in amendment.changes}:
            return amendment
    return None


def is_being_cancelled(session: Session, order: PurchaseOrder) -> bool:
    """Whether the cancellation of an order is under way: it waits for its approval or for the supplier."""
    amendment = open_amendment_of(session, order)
    is_asked = amendment is not None and amendment.kind is AmendmentKind.CANCELLATION
    return is_asked or order.status is OrderStatus.CANCEL_PENDING


def amendments_of(session: Session, order: PurchaseOrder) -> list[PurchaseOrderAmendment]:
    """Return every amendment of an order, oldest first."""
    wanted = select(PurchaseOrderAmendment).where(PurchaseOrderAmendment.order_id == order.id)
    return list(session.scalars(wanted.order_by(PurchaseOrderAmendment.amend_no)))


def next_amend_no(session: Session, order: PurchaseOrder) -> int:
    """Return the number of an order's next amendment; those of rejected ones are not used again."""
    highest = session.scalar(
        select(func.max(PurchaseOrderAmendment.amend_no)).where(PurchaseOrderAmendment.order_id == order.id)
    )
    return (highest or 0) + 1


def refuse_second(session: Session, order: PurchaseOrder) -> None:
    """Refuse an order whose amendment is still under way. Raises: Conflict AMENDMENT_OPEN."""
    found = open_amendment_of(session, order)
    if found is not None:
        raise Conflict(
            f"Expected no open amendment of {order.number}, but {found.number} is {found.status}."
            " Wait for it, or withdraw it while it is being approved.",
            code="AMENDMENT_OPEN", record=(order.record_type, order.id),
        )  # fmt: skip
