"""Stops of work at a supplier: a change reached pieces that are away, and the board says what becomes of them (domain.md B12, B13)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.canonical import content_hash
from engine.database import Base, Id, Instant, Money, Quantity
from engine.record import Record
from records.amendment import PurchaseOrderAmendment
from records.change_order import ChangeOrder
from records.columns import Code, Hash, Login, Name, Text, word
from records.outside import OutsideLink
from records.outside_loss import FollowUp
from records.purchase_order import PurchaseOrderLine
from records.transition import move_along, pairs


class StopCause(StrEnum):
    """What reached the pieces. RULE: order and work do not agree any more, and neither an amendment nor a change order says why."""

    AMENDMENT = "AMENDMENT"
    CHANGE_ORDER = "CHANGE_ORDER"
    RULE = "RULE"


class StopDecision(StrEnum):
    """What becomes of the pieces (B13)."""

    FINISH_AS_OLD = "FINISH_AS_OLD"
    RECALL = "RECALL"
    CONTINUE_TO_NEW = "CONTINUE_TO_NEW"
    SCRAP = "SCRAP"


class StopStatus(StrEnum):
    """The life of a stop. LAPSED: the pieces came home before anybody decided."""

    STOPPED = "STOPPED"
    DECIDED = "DECIDED"
    CARRIED_OUT = "CARRIED_OUT"
    LAPSED = "LAPSED"


TRANSITIONS = pairs("STOPPED>DECIDED|LAPSED; DECIDED>CARRIED_OUT", StopStatus)
STANDING = (StopStatus.STOPPED, StopStatus.DECIDED)
COME_HOME_UNFINISHED = (StopDecision.RECALL, StopDecision.SCRAP)
"""Decisions after which the order is not for these pieces any more."""


class OutsideStop(Record, Base):
    """One change that reached pieces of a link while they were away.

    number: ``LNK-000007/S1``. cause_key: names the cause, so that it stops the pieces once. quantity: away when the notice went out, in
    the link's unit. confirmed_by: at the supplier; empty while nobody confirmed. decided_by: who proposed what was then signed, or the
    change order whose impact said it. quoted_price: of a piece to the new revision, in the order's currency. spec_rev: the new one.
    made_id: of the amendment that carries it out; made_ref: what was made, in words.
    """

    __tablename__ = "outside_stop"
    __table_args__ = (
        UniqueConstraint("link_id", "cause_key"),
        UniqueConstraint("link_id", "turn"),
        CheckConstraint("turn > 0", name="turn_from_one"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("length(cause_text) > 0", name="says_what_changed"),
        CheckConstraint("status NOT IN ('DECIDED', 'CARRIED_OUT') OR decision IS NOT NULL", name="decided_says_what"),
        CheckConstraint("status <> 'CARRIED_OUT' OR carried_out_at IS NOT NULL", name="carried_out_says_when"),
        Index("ix_outside_stop_change_order_id", "change_order_id"),
        Index("ix_outside_stop_status", "status"),
    )

    number: Mapped[Code]
    link_id: Mapped[Id] = mapped_column(ForeignKey("outside_link.id"))
    turn: Mapped[int]
    cause: Mapped[StopCause] = word(StopCause, "cause")
    cause_key: Mapped[Name]
    cause_text: Mapped[Text]
    change_order_id: Mapped[Id | None] = mapped_column(ForeignKey("change_order.id"))
    amendment_id: Mapped[Id | None] = mapped_column(ForeignKey("purchase_order_amendment.id"))
    quantity: Mapped[Quantity]
    notified_at: Mapped[Instant]
    status: Mapped[StopStatus] = word(StopStatus, "status", default=StopStatus.STOPPED)
    confirmed_by: Mapped[Name] = mapped_column(default="")
    confirmed_at: Mapped[Instant | None]
    decision: Mapped[StopDecision | None] = word(StopDecision, "decision")
    reason: Mapped[Text] = mapped_column(default="")
    decided_by: Mapped[Login] = mapped_column(default="")
    decided_at: Mapped[Instant | None]
    decision_hash: Mapped[Hash | None]
    spec_rev: Mapped[Code | None]
    quoted_price: Mapped[Money | None]
    follow_up: Mapped[FollowUp | None] = word(FollowUp, "follow_up")
    addendum_id: Mapped[Id | None] = mapped_column(ForeignKey("change_order_addendum.id"))
    made_id: Mapped[Id | None] = mapped_column(ForeignKey("purchase_order_amendment.id"))
    made_ref: Mapped[Text] = mapped_column(default="")
    carried_out_at: Mapped[Instant | None]

    link: Mapped[OutsideLink] = relationship()
    change_order: Mapped[ChangeOrder | None] = relationship()
    amendment: Mapped[PurchaseOrderAmendment | None] = relationship(foreign_keys=[amendment_id])
    made: Mapped[PurchaseOrderAmendment | None] = relationship(foreign_keys=[made_id])

    @property
    def is_standing(self) -> bool:
        """Whether something is still to be decided or done about it."""
        return self.status in STANDING


def decision_hash(stop: OutsideStop) -> str:
    """Return the hash of what the board signs of a stop."""
    return content_hash(
        {
            "stop": stop.number, "link": stop.link.number, "because": stop.cause_text, "quantity": f"{stop.quantity:.6f}",
            "decision": stop.decision.value if stop.decision is not None else None, "reason": stop.reason, "spec_rev": stop.spec_rev,
            "quoted_price": f"{stop.quoted_price:.4f}" if stop.quoted_price is not None else None,
            "follow_up": stop.follow_up.value if stop.follow_up is not None else None,
        }
    )  # fmt: skip


def move_stop(act: Act, stop: OutsideStop, to: StopStatus, *, reason: str | None = None) -> OutsideStop:
    """Move a stop along its life. Raises: Conflict ILLEGAL_TRANSITION."""
    with act.session.no_autoflush:
        move_along(act, stop, to, transitions=TRANSITIONS, reason=reason)
        if to is StopStatus.CARRIED_OUT:
            stop.carried_out_at = act.now
    act.session.flush()
    return stop


def stops_of(session: Session, link_id: str) -> list[OutsideStop]:
    """Return the stops of a link, oldest first."""
    return list(session.scalars(select(OutsideStop).where(OutsideStop.link_id == link_id).order_by(OutsideStop.turn)))


def next_turn(session: Session, link_id: str) -> int:
    """Return the number of a link's next stop."""
    return 1 + (session.scalar(select(func.max(OutsideStop.turn)).where(OutsideStop.link_id == link_id)) or 0)


def not_coming_processed(session: Session, line: PurchaseOrderLine) -> Decimal:
    """Return how many pieces of a line its supplier has and will not process, since the board recalled or scrapped them; in its unit.

    What was recalled and is home already left the link's counters by itself, and counts no more.
    """
    wanted = (
        select(OutsideStop, OutsideLink)
        .join(OutsideLink, OutsideLink.id == OutsideStop.link_id)
        .where(
            OutsideLink.order_line_id == line.id, OutsideStop.decision.in_(COME_HOME_UNFINISHED),
            OutsideStop.status.in_((StopStatus.DECIDED, StopStatus.CARRIED_OUT)),
        )
    )  # fmt: skip
    found = Decimal(0)
    for stop, link in session.execute(wanted):
        gone = stop.quantity if stop.decision is StopDecision.SCRAP else min(stop.quantity, link.at_supplier)
        found += gone * link.conversion_factor
    return found
