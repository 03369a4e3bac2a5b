"""What follows a loss at a supplier: what becomes of the work order, signed by both sides, and what the supplier owes for it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.canonical import content_hash
from engine.database import Base, Id, Money, Quantity
from engine.record import Record
from records.columns import Code, Hash, Login, Text, word
from records.outside import OutsideLink, OutsideMovement
from records.transition import move_along, pairs
from records.work_order import WorkOrder


class FollowUp(StrEnum):
    """What becomes of the work order whose pieces are lost."""

    REDUCE = "REDUCE"
    REPLENISH = "REPLENISH"


class LossStatus(StrEnum):
    """The life of a loss: declared, then settled when planner and buyer signed what follows, or chosen anew."""

    DECLARED = "DECLARED"
    SETTLED = "SETTLED"
    REPLACED = "REPLACED"


TRANSITIONS = pairs("DECLARED>SETTLED|REPLACED", LossStatus)


class ClaimDecision(StrEnum):
    """Whether the supplier is asked to pay for pieces that came back as scrap or not at all."""

    CLAIMED = "CLAIMED"
    WAIVED = "WAIVED"


class OutsideLoss(Record, Base):
    """Pieces that a supplier lost, and what is to follow. Its content never changes: planner and buyer sign it.

    quantity: in the link's unit. quantity_before, quantity_after: of the work order, set when it is to get fewer pieces.
    replacement_id: the work order that makes the pieces again, set when both have signed.
    """

    __tablename__ = "outside_loss"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("length(statement) > 0", name="with_a_statement"),
        CheckConstraint(
            "(follow_up = 'REDUCE') = (quantity_after IS NOT NULL) AND (quantity_after IS NULL) = (quantity_before IS NULL)",
            name="reduced_to_a_quantity",
        ),
        CheckConstraint("quantity_after IS NULL OR quantity_after > 0", name="something_is_left"),
        Index("ix_outside_loss_link_id", "link_id"),
    )

    number: Mapped[Code]
    link_id: Mapped[Id] = mapped_column(ForeignKey("outside_link.id"))
    movement_id: Mapped[Id] = mapped_column(ForeignKey("outside_movement.id"))
    work_order_id: Mapped[Id] = mapped_column(ForeignKey("work_order.id"))
    quantity: Mapped[Quantity]
    uom: Mapped[Code]
    statement: Mapped[Text]
    follow_up: Mapped[FollowUp] = word(FollowUp, "follow_up")
    quantity_before: Mapped[Quantity | None]
    quantity_after: Mapped[Quantity | None]
    declared_by: Mapped[Login]
    approved_hash: Mapped[Hash]
    status: Mapped[LossStatus] = word(LossStatus, "status", default=LossStatus.DECLARED)
    replacement_id: Mapped[Id | None] = mapped_column(ForeignKey("work_order.id"))

    link: Mapped[OutsideLink] = relationship()
    movement: Mapped[OutsideMovement] = relationship()
    work_order: Mapped[WorkOrder] = relationship(foreign_keys=[work_order_id])
    replacement: Mapped[WorkOrder | None] = relationship(foreign_keys=[replacement_id])


class OutsideClaim(Record, Base):
    """What the buyer decided about pieces that came back as scrap or not at all; written once.

    pieces: in the link's unit. amount: what they were worth when they left. reference: of the debit note or claim.
    """

    __tablename__ = "outside_claim"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("pieces > 0", name="pieces_positive"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        CheckConstraint("decision <> 'WAIVED' OR length(reason) > 0", name="waived_for_a_reason"),
        Index("ix_outside_claim_link_id", "link_id"),
    )

    number: Mapped[Code]
    link_id: Mapped[Id] = mapped_column(ForeignKey("outside_link.id"))
    pieces: Mapped[Quantity]
    amount: Mapped[Money]
    currency: Mapped[Code]
    decision: Mapped[ClaimDecision] = word(ClaimDecision, "decision")
    reference: Mapped[Code] = mapped_column(default="")
    reason: Mapped[Text] = mapped_column(default="")
    decided_by: Mapped[Login]

    link: Mapped[OutsideLink] = relationship()


def loss_hash(loss: OutsideLoss) -> str:
    """Return the hash of what planner and buyer sign."""

    def plain(value: Decimal | None) -> str | None:
        return None if value is None else f"{value:.6f}"

    return content_hash(
        {
            "number": loss.number, "link": loss.link.number, "work_order": loss.work_order.number, "quantity": plain(loss.quantity),
            "uom": loss.uom, "statement": loss.statement, "follow_up": loss.follow_up.value, "declared_by": loss.declared_by,
            "quantity_before": plain(loss.quantity_before), "quantity_after": plain(loss.quantity_after),
        }
    )  # fmt: skip


def move_loss(act: Act, loss: OutsideLoss, to: LossStatus, *, reason: str | None = None) -> OutsideLoss:
    """Move a loss. Raises: Conflict ILLEGAL_TRANSITION."""
    move_along(act, loss, to, transitions=TRANSITIONS, reason=reason)
    return loss


def losses_of(session: Session, link_id: str) -> list[OutsideLoss]:
    """Return the losses of a link that count, oldest first; one that was chosen anew is left out."""
    wanted = select(OutsideLoss).where(OutsideLoss.link_id == link_id, OutsideLoss.status != LossStatus.REPLACED)
    return list(session.scalars(wanted.order_by(OutsideLoss.created_at, OutsideLoss.number)))


def open_losses(session: Session, link_id: str) -> list[OutsideLoss]:
    """Return the losses of a link that planner and buyer have still to sign."""
    return [loss for loss in losses_of(session, link_id) if loss.status is LossStatus.DECLARED]


def claims_of(session: Session, link_id: str) -> list[OutsideClaim]:
    """Return what was claimed or waived under a link, oldest first."""
    wanted = select(OutsideClaim).where(OutsideClaim.link_id == link_id)
    return list(session.scalars(wanted.order_by(OutsideClaim.created_at, OutsideClaim.number)))
