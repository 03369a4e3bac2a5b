"""What a change touches: the set of rows, computed and frozen, what becomes of each, and what each area says of it (domain.md 2.24)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, and_, select
from sqlalchemy.orm import Mapped, Session, foreign, mapped_column, relationship, selectinload

from engine.database import Base, Id, Instant, Money, Quantity, new_id
from engine.record import Record
from records.change_order import ChangeOrder
from records.columns import Code, Currency, Day, Hash, Login, Name, Note, Text, word
from records.transition import pairs


class ImpactTarget(StrEnum):
    """What kind of thing a row is about. WO: pieces nothing was done to yet; WO_OP: pieces in work, where they stand."""

    STOCK_LOT = "STOCK_LOT"
    PO_LINE = "PO_LINE"
    AT_SUPPLIER = "AT_SUPPLIER"
    WO = "WO"
    WO_OP = "WO_OP"
    PLANNED_ORDER = "PLANNED_ORDER"
    SHIPPED = "SHIPPED"


class PieceState(StrEnum):
    """How far the pieces of a row are."""

    AVAILABLE = "AVAILABLE"
    QUARANTINE = "QUARANTINE"
    HOLD = "HOLD"
    ON_ORDER = "ON_ORDER"
    NOT_SHIPPED = "NOT_SHIPPED"
    AWAY = "AWAY"
    NOT_STARTED = "NOT_STARTED"
    STARTED = "STARTED"
    PLANNED = "PLANNED"
    DELIVERED = "DELIVERED"


class Disposition(StrEnum):
    """What becomes of pieces."""

    USE_AS_IS = "USE_AS_IS"
    USE_UNTIL_EXHAUSTED = "USE_UNTIL_EXHAUSTED"
    REWORK = "REWORK"
    CONVERT = "CONVERT"
    AMEND = "AMEND"
    CANCEL = "CANCEL"
    SCRAP = "SCRAP"
    RETURN = "RETURN"
    FINISH_AS_OLD = "FINISH_AS_OLD"
    RECALL_TO_SHOP = "RECALL_TO_SHOP"
    NO_ACTION = "NO_ACTION"


class RowStatus(StrEnum):
    """How far a row is. RETURNED: its pieces are not what they were when it was decided; its owner decides again."""

    OPEN = "OPEN"
    DISPOSED = "DISPOSED"
    DONE = "DONE"
    RETURNED = "RETURNED"


DISPOSITION_TRANSITIONS = pairs("DISPOSED>DONE|RETURNED; RETURNED>DISPOSED; DONE>DISPOSED", RowStatus)
"""DONE>DISPOSED when what was done is undone."""


class ImpactSnapshot(Record, Base):
    """The set of rows that a change touches, as it was asked for at one instant.

    number: ``CO-000017/I2``; turn: from 1. queried_at: of every row. missing: sources that did not answer, one a line; such a set
    is never frozen. content_hash: of the rows. frozen_at: None while it may still be asked again.
    """

    __tablename__ = "impact_snapshot"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("change_order_id", "turn"),
        CheckConstraint("turn > 0", name="turn_from_one"),
        CheckConstraint("frozen_at IS NULL OR length(missing) = 0", name="frozen_is_complete"),
    )

    number: Mapped[Code]
    change_order_id: Mapped[Id] = mapped_column(ForeignKey("change_order.id"))
    turn: Mapped[int]
    queried_at: Mapped[Instant]
    frozen_at: Mapped[Instant | None]
    missing: Mapped[Note] = mapped_column(default="")
    rows_count: Mapped[int] = mapped_column(default=0)
    content_hash: Mapped[Hash]

    change_order: Mapped[ChangeOrder] = relationship()


class AffectedOrder(Base):
    """One row of a set: pieces of an affected revision in one place and state. Written once, in one statement for the whole set.

    The set is covered by the hash of its snapshot. target_id: of the lot, order line, link, work order, operation, requisition line;
    document_type, document_id: the page to look at. native_ref: as people know it; item: ``P-200/B``. is_counted: False where the same
    pieces stand in another row (processing ordered for pieces of a work order). unit_value: in ``currency``, None when nobody knows
    it. owner: whose turn it is, before somebody is named.
    """

    __tablename__ = "affected_order"
    __table_args__ = (
        UniqueConstraint("snapshot_id", "target", "target_id", "state"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        Index("ix_affected_order_change_order_id", "change_order_id"),
        Index("ix_affected_order_target_id", "target_id"),
        Index("ix_affected_order_document_id", "document_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    change_order_id: Mapped[Id] = mapped_column(ForeignKey("change_order.id"))
    snapshot_id: Mapped[Id] = mapped_column(ForeignKey("impact_snapshot.id"))
    position: Mapped[int]
    target: Mapped[ImpactTarget] = word(ImpactTarget, "target")
    target_id: Mapped[Id]
    state: Mapped[PieceState] = word(PieceState, "state")
    part_revision_id: Mapped[Id | None]
    document_type: Mapped[Code]
    document_id: Mapped[Id]
    native_ref: Mapped[Name]
    item: Mapped[Name]
    place: Mapped[Name]
    quantity: Mapped[Quantity]
    uom: Mapped[Code]
    is_counted: Mapped[bool]
    unit_value: Mapped[Money | None]
    currency: Mapped[Currency]
    default_owner: Mapped[Login]

    snapshot: Mapped[ImpactSnapshot] = relationship()
    dispositions: Mapped[list[RowDisposition]] = relationship(
        primaryjoin=lambda: and_(
            AffectedOrder.change_order_id == foreign(RowDisposition.change_order_id),
            AffectedOrder.target == foreign(RowDisposition.target),
            AffectedOrder.target_id == foreign(RowDisposition.target_id),
            AffectedOrder.state == foreign(RowDisposition.state),
        ),
        order_by="RowDisposition.position", viewonly=True,
    )  # fmt: skip

    @property
    def number(self) -> str:
        """What people call it."""
        return self.native_ref

    @property
    def disposed_quantity(self) -> Decimal:
        """How many of its pieces somebody has decided about."""
        return sum((each.quantity for each in self.dispositions), Decimal(0))

    @property
    def is_disposed(self) -> bool:
        """Whether every piece is decided, none twice."""
        return self.disposed_quantity == self.quantity and self.status is not RowStatus.RETURNED

    @property
    def status(self) -> RowStatus:
        """How far the whole row is."""
        words = {each.status for each in self.dispositions}
        if RowStatus.RETURNED in words:
            return RowStatus.RETURNED
        if not words or self.disposed_quantity != self.quantity:
            return RowStatus.OPEN
        return RowStatus.DONE if words == {RowStatus.DONE} else RowStatus.DISPOSED

    @property
    def disposition(self) -> Disposition | None:
        """What becomes of all its pieces; None while nobody said, or where they are divided."""
        return self.dispositions[0].disposition if len(self.dispositions) == 1 else None

    @property
    def owner(self) -> str:
        """Whose turn it is, a principal."""
        return self.dispositions[0].owner if self.dispositions else self.default_owner

    @property
    def due(self) -> dt.date | None:
        """The first day on which something of it is due."""
        return min((each.due_on for each in self.dispositions if each.due_on is not None), default=None)

    @property
    def cost(self) -> Decimal:
        """What its dispositions cost, in ``currency``."""
        return sum((each.cost for each in self.dispositions), Decimal(0))

    @property
    def evidence(self) -> str:
        """What proves it."""
        return "; ".join(each.evidence for each in self.dispositions if each.evidence)


class RowDisposition(Record, Base):
    """What becomes of some or all pieces of a row; it outlives the set in which the row was found, as long as the pieces are the same.

    position: from 1; a divided row has several, which add up to its quantity. cost: in ``currency``; cost_kind: SCRAP, REWORK,
    CANCELLATION, HANDLING or empty. evidence_hash: SHA-256 of what was shown. done_ref: the document that carried it out.
    """

    __tablename__ = "row_disposition"
    __table_args__ = (
        UniqueConstraint("change_order_id", "target", "target_id", "state", "position"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("position > 0", name="position_from_one"),
        CheckConstraint("cost >= 0", name="cost_not_negative"),
        CheckConstraint("status <> 'RETURNED' OR length(returned_reason) > 0", name="returned_for_a_reason"),
        CheckConstraint("status <> 'OPEN'", name="is_decided"),
        Index("ix_row_disposition_target_id", "target_id"),
    )

    change_order_id: Mapped[Id] = mapped_column(ForeignKey("change_order.id"))
    target: Mapped[ImpactTarget] = word(ImpactTarget, "target")
    target_id: Mapped[Id]
    state: Mapped[PieceState] = word(PieceState, "state")
    position: Mapped[int] = mapped_column(default=1)
    quantity: Mapped[Quantity]
    uom: Mapped[Code] = mapped_column(default="EA")
    disposition: Mapped[Disposition] = word(Disposition, "disposition")
    reason: Mapped[Text] = mapped_column(default="")
    cost: Mapped[Money] = mapped_column(default=Decimal(0))
    cost_kind: Mapped[Code] = mapped_column(default="")
    currency: Mapped[Currency]
    judged_by: Mapped[Hash]
    owner: Mapped[Login]
    due_on: Mapped[Day | None]
    evidence: Mapped[Text] = mapped_column(default="")
    evidence_hash: Mapped[Hash | None]
    status: Mapped[RowStatus] = word(RowStatus, "status", default=RowStatus.DISPOSED)
    returned_reason: Mapped[Text] = mapped_column(default="")
    done_at: Mapped[Instant | None]
    done_ref: Mapped[Name] = mapped_column(default="")

    change_order: Mapped[ChangeOrder] = relationship()

    @property
    def number(self) -> str:
        """What it says in short."""
        return f"{self.disposition} {self.quantity.normalize():f} {self.uom}"

    @property
    def key(self) -> tuple[str, str, str]:
        """The row it is about, in whichever set."""
        return self.target, self.target_id, self.state


class AssessmentAnswer(StrEnum):
    """What an area says. CONCERN: the change is possible only with what the text asks for."""

    NO_IMPACT = "NO_IMPACT"
    IMPACT = "IMPACT"
    CONCERN = "CONCERN"


class AssessmentArea(StrEnum):
    """Who is asked what a change means to them (C05)."""

    ENGINEERING = "ENGINEERING"
    QUALITY = "QUALITY"
    MANUFACTURING = "MANUFACTURING"
    PURCHASING = "PURCHASING"
    PLANNING = "PLANNING"
    COST = "COST"
    CUSTOMER_CONTRACT = "CUSTOMER_CONTRACT"
    SUPPLIER = "SUPPLIER"
    TOOLING = "TOOLING"
    SOFTWARE_LABELS = "SOFTWARE_LABELS"
    TRAINING = "TRAINING"
    FAI = "FAI"
    VALIDATION = "VALIDATION"
    FINANCE = "FINANCE"


class ImpactAssessment(Record, Base):
    """What one area says about a change; said again, the new answer replaces the one before."""

    __tablename__ = "impact_assessment"
    __table_args__ = (
        UniqueConstraint("change_order_id", "area"),
        CheckConstraint("answer = 'NO_IMPACT' OR length(text) > 0", name="an_impact_is_described"),
    )

    change_order_id: Mapped[Id] = mapped_column(ForeignKey("change_order.id"))
    area: Mapped[AssessmentArea] = word(AssessmentArea, "area")
    answer: Mapped[AssessmentAnswer] = word(AssessmentAnswer, "answer")
    text: Mapped[Text] = mapped_column(default="")
    assessed_by: Mapped[Login]
    assessed_at: Mapped[Instant]

    change_order: Mapped[ChangeOrder] = relationship()

    @property
    def number(self) -> str:
        """The area."""
        return self.area.value


def newest_snapshot(session: Session, order: ChangeOrder) -> ImpactSnapshot | None:
    """Return the set that was asked for last, or None."""
    wanted = select(ImpactSnapshot).where(ImpactSnapshot.change_order_id == order.id)
    return session.scalars(wanted.order_by(ImpactSnapshot.turn.desc()).limit(1)).first()


def rows_of(session: Session, snapshot: ImpactSnapshot) -> list[AffectedOrder]:
    """Return the rows of a set in their order, with what is decided about them, in two statements."""
    wanted = select(AffectedOrder).where(AffectedOrder.snapshot_id == snapshot.id).order_by(AffectedOrder.position)
    return list(session.scalars(wanted.options(selectinload(AffectedOrder.dispositions))))


def assessments_of(session: Session, order: ChangeOrder) -> list[ImpactAssessment]:
    """Return what the areas said, by area."""
    wanted = select(ImpactAssessment).where(ImpactAssessment.change_order_id == order.id)
    return list(session.scalars(wanted.order_by(ImpactAssessment.area)))
