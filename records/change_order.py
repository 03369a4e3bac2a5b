"""Change orders: what the plant decided to change, from when, on which baseline, under whose signatures (domain.md 2.23, 2.36)."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, Quantity
from engine.record import Record
from records.calendar import Site
from records.change_request import ChangeRequest, OrderClass
from records.columns import Code, Hash, Login, Name, Note, Text, word
from records.part import PartRevision
from records.transition import move_along, pairs


class ChangeOrderStatus(StrEnum):
    """The life of a change order."""

    DRAFT = "DRAFT"
    IMPACT = "IMPACT"
    REVIEW = "REVIEW"
    APPROVED = "APPROVED"
    IMPLEMENTING = "IMPLEMENTING"
    VERIFYING = "VERIFYING"
    CLOSED = "CLOSED"
    RETURNED = "RETURNED"
    REJECTED = "REJECTED"
    CONFLICT = "CONFLICT"
    WITHDRAWN = "WITHDRAWN"
    EMERGENCY_ACTIVE = "EMERGENCY_ACTIVE"
    OVERDUE_HOLD = "OVERDUE_HOLD"


TRANSITIONS = pairs(
    "DRAFT>IMPACT|EMERGENCY_ACTIVE; IMPACT>REVIEW; REVIEW>APPROVED|RETURNED|REJECTED|IMPACT;"
    " APPROVED>IMPLEMENTING|IMPACT|RETURNED|REJECTED; IMPLEMENTING>VERIFYING|OVERDUE_HOLD;"
    " VERIFYING>CLOSED|IMPLEMENTING; RETURNED>IMPACT; REJECTED>IMPACT; IMPACT|REVIEW|APPROVED>CONFLICT; CONFLICT>IMPACT;"
    " EMERGENCY_ACTIVE>IMPACT|OVERDUE_HOLD; IMPACT|REVIEW|RETURNED|CONFLICT>OVERDUE_HOLD; OVERDUE_HOLD>IMPACT|IMPLEMENTING;"
    " DRAFT|IMPACT|REVIEW|APPROVED|IMPLEMENTING|RETURNED|CONFLICT|EMERGENCY_ACTIVE|OVERDUE_HOLD>WITHDRAWN",
    ChangeOrderStatus,
)
"""Beyond 2.36: a new order in the impact set re-opens it (REVIEW|APPROVED>IMPACT); the customer refuses (APPROVED>RETURNED|REJECTED);
what was returned or rejected is submitted again (>IMPACT); the effectivity passed with tasks open (IMPLEMENTING>OVERDUE_HOLD and back,
once the board moved it); an emergency whose hours end while it is on its way to the board (IMPACT|REVIEW|RETURNED|CONFLICT>
OVERDUE_HOLD); verification failed (VERIFYING>IMPLEMENTING)."""

FREE = (
    ChangeOrderStatus.DRAFT, ChangeOrderStatus.IMPACT, ChangeOrderStatus.RETURNED, ChangeOrderStatus.CONFLICT,
)  # fmt: skip
"""Statuses in which the content of a change order is still being written."""

OVER = (ChangeOrderStatus.CLOSED, ChangeOrderStatus.REJECTED, ChangeOrderStatus.WITHDRAWN)
"""Statuses in which nothing more is expected of it."""

IN_FORCE = (
    ChangeOrderStatus.APPROVED, ChangeOrderStatus.IMPLEMENTING, ChangeOrderStatus.EMERGENCY_ACTIVE,
)  # fmt: skip
"""Statuses in which its signed items may be applied."""


class ChangeType(StrEnum):
    """What kind of thing changes."""

    PRODUCT = "PRODUCT"
    PROCESS = "PROCESS"
    DOCUMENT = "DOCUMENT"
    SUPPLIER = "SUPPLIER"
    LOCATION = "LOCATION"
    SOFTWARE = "SOFTWARE"


class EffectivityKind(StrEnum):
    """What a change takes effect by."""

    DATE = "DATE"
    LOT = "LOT"
    SERIAL = "SERIAL"
    WO = "WO"
    NEXT_BUILD = "NEXT_BUILD"


class FaiDecision(StrEnum):
    """Which first-article inspection a change asks for (AS9102)."""

    NONE = "NONE"
    DELTA = "DELTA"
    FULL = "FULL"


class ChangeOrder(Record, Base):
    """One change, decided as a whole.

    change_class: from rules; CE is an emergency (EC-…). baseline_hash: of the definitions of every affected revision when the baseline
    was taken. impact_hash: of the frozen set of affected orders. content_hash: what the board signs, items and baseline included; None
    while the content is still being written. round: how often it was sent to the board. effectivity_value: a day, a lot, ``0005-0009``,
    a work order's number, or empty for NEXT_BUILD. expires_at: of an emergency. owner, opened_by: principals or people.
    """

    __tablename__ = "change_order"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("round >= 0", name="round_not_negative"),
        CheckConstraint("change_class <> 'CE' OR expires_at IS NOT NULL", name="emergency_expires"),
        CheckConstraint(
            "effectivity_kind IS NULL OR effectivity_kind = 'NEXT_BUILD' OR effectivity_value <> ''",
            name="effectivity_has_a_value",
        ),
        CheckConstraint("status <> 'APPROVED' OR content_hash IS NOT NULL", name="approved_says_what"),
        Index("ix_change_order_status", "status"),
    )

    number: Mapped[Code]
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    change_class: Mapped[OrderClass] = word(OrderClass, "change_class")
    type: Mapped[ChangeType] = word(ChangeType, "type", default=ChangeType.PRODUCT)
    title: Mapped[Name]
    reason: Mapped[Note]
    status: Mapped[ChangeOrderStatus] = word(ChangeOrderStatus, "status", default=ChangeOrderStatus.DRAFT)
    owner: Mapped[Login]
    opened_by: Mapped[Login]
    effectivity_kind: Mapped[EffectivityKind | None] = word(EffectivityKind, "effectivity_kind")
    effectivity_value: Mapped[Name] = mapped_column(default="")
    is_customer_approval_required: Mapped[bool] = mapped_column(default=False)
    customer_approval_ref: Mapped[Name] = mapped_column(default="")
    regulator_notice: Mapped[Name] = mapped_column(default="")
    fai: Mapped[FaiDecision | None] = word(FaiDecision, "fai")
    is_revalidation_required: Mapped[bool] = mapped_column(default=False)
    is_training_required: Mapped[bool] = mapped_column(default=False)
    baseline_hash: Mapped[Hash | None]
    baseline_at: Mapped[Instant | None]
    impact_hash: Mapped[Hash | None]
    content_hash: Mapped[Hash | None]
    round: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[Instant | None]
    approved_at: Mapped[Instant | None]
    effective_at: Mapped[Instant | None]
    closed_at: Mapped[Instant | None]
    ended_reason: Mapped[Text] = mapped_column(default="")

    site: Mapped[Site] = relationship()
    requests: Mapped[list[ChangeOrderRequest]] = relationship(back_populates="change_order")
    affected: Mapped[list[AffectedItem]] = relationship(back_populates="change_order", order_by="AffectedItem.position")
    bounds: Mapped[list[EmergencyBound]] = relationship(
        back_populates="change_order", order_by="EmergencyBound.position"
    )

    @property
    def is_free(self) -> bool:
        """Whether its content may still be written."""
        return self.status in FREE

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected of it."""
        return self.status in OVER

    @property
    def is_in_force(self) -> bool:
        """Whether its signed items may be applied."""
        return self.status in IN_FORCE

    @property
    def is_approved(self) -> bool:
        """Whether its board approved it and it is not over: what it permits may be done."""
        return self.status in (*IN_FORCE, ChangeOrderStatus.VERIFYING)

    @property
    def effective_on(self) -> dt.date | None:
        """The day from which it counts, or None when something else than a day decides."""
        if self.effectivity_kind is not EffectivityKind.DATE or not self.effectivity_value:
            return None
        return dt.date.fromisoformat(self.effectivity_value)


class ChangeOrderRequest(Record, Base):
    """A request that a change order answers."""

    __tablename__ = "change_order_request"
    __table_args__ = (
        UniqueConstraint("change_order_id", "change_request_id"),
        Index("ix_change_order_request_change_request_id", "change_request_id"),
    )

    change_order_id: Mapped[Id] = mapped_column(ForeignKey("change_order.id"))
    change_request_id: Mapped[Id] = mapped_column(ForeignKey("change_request.id"))

    change_order: Mapped[ChangeOrder] = relationship(back_populates="requests")
    change_request: Mapped[ChangeRequest] = relationship()

    @property
    def number(self) -> str:
        """The request's number."""
        return self.change_request.number


class ItemAction(StrEnum):
    """What happens to an affected revision."""

    REVISE = "REVISE"
    SUPERSEDE = "SUPERSEDE"
    OBSOLETE = "OBSOLETE"
    DOC_ONLY = "DOC_ONLY"


class Interchangeable(StrEnum):
    """Whether new and old pieces may stand for each other. ONE_WAY: new for old only."""

    YES = "YES"
    NO = "NO"
    ONE_WAY = "ONE_WAY"


class AffectedItem(Record, Base):
    """One part revision that a change order is about.

    part_revision_to_id: the revision that follows; None where nothing follows (OBSOLETE, DOC_ONLY). baseline: JSON of revision and
    definition hashes as they were when the baseline was taken; baseline_hash: of it.
    """

    __tablename__ = "affected_item"
    __table_args__ = (
        UniqueConstraint("change_order_id", "part_revision_from_id"),
        UniqueConstraint("change_order_id", "position"),
        CheckConstraint(
            "(action IN ('REVISE', 'SUPERSEDE')) = (part_revision_to_id IS NOT NULL)", name="what_follows_is_named"
        ),
        CheckConstraint("part_revision_to_id <> part_revision_from_id", name="follows_another"),
        CheckConstraint("position > 0", name="position_from_one"),
        Index("ix_affected_item_part_revision_from_id", "part_revision_from_id"),
        Index("ix_affected_item_part_revision_to_id", "part_revision_to_id"),
    )

    change_order_id: Mapped[Id] = mapped_column(ForeignKey("change_order.id"))
    position: Mapped[int]
    part_revision_from_id: Mapped[Id] = mapped_column(ForeignKey("part_revision.id"))
    part_revision_to_id: Mapped[Id | None] = mapped_column(ForeignKey("part_revision.id"))
    action: Mapped[ItemAction] = word(ItemAction, "action", default=ItemAction.REVISE)
    interchangeable: Mapped[Interchangeable] = word(Interchangeable, "interchangeable", default=Interchangeable.NO)
    baseline: Mapped[Note] = mapped_column(default="")
    baseline_hash: Mapped[Hash | None]

    change_order: Mapped[ChangeOrder] = relationship(back_populates="affected")
    part_revision_from: Mapped[PartRevision] = relationship(foreign_keys=[part_revision_from_id])
    part_revision_to: Mapped[PartRevision | None] = relationship(foreign_keys=[part_revision_to_id])

    @property
    def number(self) -> str:
        """What becomes of which revision, ``P-200/B -> P-200/C``."""
        after = f" -> {self.part_revision_to.number}" if self.part_revision_to is not None else ""
        return f"{self.part_revision_from.number}{after}"


class BoundKind(StrEnum):
    """What an emergency is bounded by."""

    DOCUMENT = "DOCUMENT"
    WORK_ORDER = "WORK_ORDER"
    LOT = "LOT"
    SERIAL = "SERIAL"


class EmergencyBound(Record, Base):
    """How far an emergency reaches: a document, a work order, a range of lots or serials, and how many pieces.

    first, last: both inclusive, equal for one. max_quantity: None where the range itself says how many.
    """

    __tablename__ = "emergency_bound"
    __table_args__ = (
        UniqueConstraint("change_order_id", "position"),
        CheckConstraint("position > 0", name="position_from_one"),
        CheckConstraint("max_quantity IS NULL OR max_quantity > 0", name="max_quantity_positive"),
    )

    change_order_id: Mapped[Id] = mapped_column(ForeignKey("change_order.id"))
    position: Mapped[int]
    kind: Mapped[BoundKind] = word(BoundKind, "kind")
    record_id: Mapped[Login] = mapped_column(default="")
    first: Mapped[Name]
    last: Mapped[Name]
    max_quantity: Mapped[Quantity | None]

    change_order: Mapped[ChangeOrder] = relationship(back_populates="bounds")

    @property
    def number(self) -> str:
        """The bound in words."""
        kind = self.kind.value.replace("_", " ").capitalize()
        return f"{kind} {self.first}" + (f" to {self.last}" if self.last != self.first else "")


class AddendumKind(StrEnum):
    """What an addendum says. WITHDRAWAL: values go back; DELTA: another disposition; EFFECTIVITY: another day."""

    EFFECTIVITY = "EFFECTIVITY"
    WITHDRAWAL = "WITHDRAWAL"
    DELTA = "DELTA"


class AddendumStatus(StrEnum):
    """The life of an addendum."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    DROPPED = "DROPPED"


ADDENDUM_TRANSITIONS = pairs("PROPOSED>APPROVED|DROPPED", AddendumStatus)


class ChangeOrderAddendum(Record, Base):
    """What is decided about an approved change order later, under signatures of its own: its content stays as it was signed.

    content_hash: what the seats sign, written with it and with its items.
    """

    __tablename__ = "change_order_addendum"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("change_order_id", "addendum_no"),
        CheckConstraint("addendum_no > 0", name="addendum_no_from_one"),
    )

    number: Mapped[Code]
    change_order_id: Mapped[Id] = mapped_column(ForeignKey("change_order.id"))
    addendum_no: Mapped[int]
    kind: Mapped[AddendumKind] = word(AddendumKind, "kind")
    reason: Mapped[Text]
    content: Mapped[Note]
    content_hash: Mapped[Hash]
    proposed_by: Mapped[Login]
    status: Mapped[AddendumStatus] = word(AddendumStatus, "status", default=AddendumStatus.PROPOSED)
    approved_at: Mapped[Instant | None]

    change_order: Mapped[ChangeOrder] = relationship()


def open_order_releasing(session: Session, revision: PartRevision) -> ChangeOrder | None:
    """Return the change order that is to release a revision and is not over, or None."""
    wanted = (
        select(ChangeOrder)
        .join(AffectedItem)
        .where(AffectedItem.part_revision_to_id == revision.id, ChangeOrder.status.not_in(OVER))
    )
    return session.scalars(wanted.order_by(ChangeOrder.number)).first()


def move(act: Act, order: ChangeOrder, to: ChangeOrderStatus, *, reason: str | None = None) -> ChangeOrder:
    """Move a change order along 2.36, with the instant that the new status needs.

    Raises: Conflict ILLEGAL_TRANSITION; RuleViolation UNSIGNED for an approval without every signature on its content.
    """
    with act.session.no_autoflush:
        move_along(act, order, to, transitions=TRANSITIONS, reason=reason)
        if to is ChangeOrderStatus.APPROVED:
            order.approved_at = act.now
        elif to in FREE:
            order.approved_at = None
        elif to is ChangeOrderStatus.CLOSED:
            order.closed_at = act.now
        if to in (ChangeOrderStatus.REJECTED, ChangeOrderStatus.WITHDRAWN) and reason:
            order.ended_reason = reason[:4000]
    act.session.flush()
    return order


def move_addendum(
    act: Act, addendum: ChangeOrderAddendum, to: AddendumStatus, *, reason: str | None = None
) -> ChangeOrderAddendum:
    """Move an addendum. Raises: Conflict ILLEGAL_TRANSITION; RuleViolation UNSIGNED."""
    with act.session.no_autoflush:
        move_along(act, addendum, to, transitions=ADDENDUM_TRANSITIONS, reason=reason)
        if to is AddendumStatus.APPROVED:
            addendum.approved_at = act.now
    act.session.flush()
    return addendum
