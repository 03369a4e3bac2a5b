"""Lots and serials, and what each was made of: an append-only graph from lots into work orders and out of them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from itertools import chain, count
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    and_,
    case,
    exists,
    func,
    not_,
    select,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, Quantity, Scaled
from engine.errors import NotFound
from engine.record import Record
from records.columns import Code, Day, Name, Text, word
from records.part import PartRevision
from records.transition import move_along, pairs


class LotSource(StrEnum):
    """Where a lot came from: goods received, something made here, or a documented source that is neither."""

    RECEIPT = "RECEIPT"
    WORK_ORDER = "WORK_ORDER"
    ADJUSTMENT = "ADJUSTMENT"


class LotStatus(StrEnum):
    """Whether a lot may be used (domain.md 2.20). CONSUMED: nothing of it is left."""

    QUARANTINE = "QUARANTINE"
    AVAILABLE = "AVAILABLE"
    HOLD = "HOLD"
    REJECTED = "REJECTED"
    CONSUMED = "CONSUMED"


TRANSITIONS = pairs(
    "QUARANTINE>AVAILABLE|REJECTED; AVAILABLE>HOLD|QUARANTINE|CONSUMED; HOLD>AVAILABLE|REJECTED; REJECTED>AVAILABLE;"
    " CONSUMED>AVAILABLE",
    LotStatus,
)
"""HOLD>AVAILABLE and REJECTED>AVAILABLE need a new signature on the lot (or, for a material review, on the receipt it came
from); CONSUMED>AVAILABLE is what a reversed consumption leaves."""

BORN = (LotStatus.QUARANTINE, LotStatus.AVAILABLE)
"""Statuses a lot may begin in."""


class EdgeKind(StrEnum):
    """What an edge says.

    CONSUMED: issued to a work order. TRANSFORMED: went into exactly this lot. MADE: a work order made this lot.
    WITHDRAWN: left stock without being used (scrapped, sent back, its receipt reversed).
    """

    CONSUMED = "CONSUMED"
    TRANSFORMED = "TRANSFORMED"
    MADE = "MADE"
    WITHDRAWN = "WITHDRAWN"


class Lot(Record, Base):
    """Pieces of one part revision that share their history; a serial is a lot of one piece.

    heat: the supplier's melt or batch, empty when there is none. source_type and source_id: the record that it came from
    (``receipt``, ``work_order``); source_note: the document of an ADJUSTMENT, which makes it a documented source.
    quantity: as received or made, in ``uom``; quantity_left: what the edges leave of it. expires_on: the last day it may
    be used. release_signature_id: the signature that ended the last hold,
    or let a rejected lot be used as it is.
    """

    __tablename__ = "lot"
    __table_args__ = (
        UniqueConstraint("part_revision_id", "number"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("quantity_left >= 0 AND quantity_left <= quantity", name="never_negative"),
        CheckConstraint("status <> 'CONSUMED' OR quantity_left = 0", name="consumed_is_empty"),
        CheckConstraint("status <> 'AVAILABLE' OR quantity_left > 0", name="available_is_not_empty"),
        CheckConstraint("status <> 'HOLD' OR hold_reason IS NOT NULL", name="hold_has_a_reason"),
        CheckConstraint("length(number) > 0", name="has_a_number"),
        CheckConstraint("(source_type IS NULL) = (source_id IS NULL)", name="source_has_type_and_id"),
        Index("ix_lot_number", "number"),
        Index("ix_lot_heat", "heat"),
        Index("ix_lot_source_id", "source_id"),
        Index("ix_lot_status", "status"),
    )

    number: Mapped[Code]
    part_revision_id: Mapped[Id] = mapped_column(ForeignKey("part_revision.id"))
    heat: Mapped[Name] = mapped_column(default="")
    source: Mapped[LotSource] = word(LotSource, "source")
    source_type: Mapped[Code | None]
    source_id: Mapped[Id | None]
    source_note: Mapped[Text] = mapped_column(default="")
    quantity: Mapped[Quantity]
    quantity_left: Mapped[Quantity]
    uom: Mapped[Code] = mapped_column(default="EA")
    is_serial: Mapped[bool] = mapped_column(default=False)
    status: Mapped[LotStatus] = word(LotStatus, "status", default=LotStatus.QUARANTINE)
    expires_on: Mapped[Day | None]
    hold_reason: Mapped[Text | None]
    release_signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))

    part_revision: Mapped[PartRevision] = relationship()

    @property
    def is_documented(self) -> bool:
        """Whether the lot itself names a receipt or another document that it came from."""
        if self.source is LotSource.ADJUSTMENT:
            return bool(self.source_note.strip())
        return self.source is LotSource.RECEIPT and self.source_id is not None


class GenealogyEdge(Record, Base):
    """One step of genealogy; written once, corrected by a reversing row.

    parent_id: None when a work order made the lot, or when something was issued and nobody said from which lot (a gap).
    child_id: None while nobody said what it went into. from_node and to_node: the same step between nodes of the graph,
    a lot or a work order, which traces walk. quantity: of the parent, in its unit (of the child for MADE); negative on
    a reversal. event_id: the source system's; the same one twice is one event. part_revision_id: what was issued where
    no lot is named.
    """

    __tablename__ = "genealogy_edge"
    __table_args__ = (
        UniqueConstraint("event_id"),
        UniqueConstraint("reverses_id"),
        CheckConstraint("(reverses_id IS NULL) = (quantity > 0)", name="only_a_reversal_is_negative"),
        CheckConstraint("quantity <> 0", name="quantity_not_zero"),
        CheckConstraint("parent_id IS NULL OR child_id IS NULL OR parent_id <> child_id", name="never_its_own_parent"),
        CheckConstraint("operation_id IS NULL OR work_order_id IS NOT NULL", name="operation_of_a_work_order"),
        CheckConstraint(
            "kind <> 'CONSUMED' OR (child_id IS NULL AND work_order_id IS NOT NULL"
            " AND to_node IS NOT NULL AND to_node = work_order_id)",
            name="consumed_in_a_work_order",
        ),
        CheckConstraint(
            "kind <> 'TRANSFORMED' OR (parent_id IS NOT NULL AND child_id IS NOT NULL"
            " AND to_node IS NOT NULL AND to_node = child_id)",
            name="transformed_from_lot_to_lot",
        ),
        CheckConstraint(
            "kind <> 'MADE' OR (parent_id IS NULL AND child_id IS NOT NULL AND work_order_id IS NOT NULL"
            " AND from_node IS NOT NULL AND from_node = work_order_id AND to_node IS NOT NULL AND to_node = child_id)",
            name="made_by_a_work_order",
        ),
        CheckConstraint(
            "kind <> 'WITHDRAWN' OR (parent_id IS NOT NULL AND child_id IS NULL AND to_node IS NULL)",
            name="withdrawn_from_a_lot",
        ),
        CheckConstraint(
            "kind = 'MADE' OR (parent_id IS NULL AND from_node IS NULL)"
            " OR (from_node IS NOT NULL AND from_node = parent_id)",
            name="leaves_its_parent",
        ),
        Index("ix_genealogy_edge_from_node", "from_node"),
        Index("ix_genealogy_edge_to_node", "to_node"),
        Index("ix_genealogy_edge_parent_id_work_order_id", "parent_id", "work_order_id"),
        Index("ix_genealogy_edge_child_id", "child_id"),
        Index("ix_genealogy_edge_work_order_id", "work_order_id"),
    )

    kind: Mapped[EdgeKind] = word(EdgeKind, "kind")
    parent_id: Mapped[Id | None] = mapped_column(ForeignKey("lot.id"))
    child_id: Mapped[Id | None] = mapped_column(ForeignKey("lot.id"))
    work_order_id: Mapped[Id | None]
    operation_id: Mapped[Id | None]
    from_node: Mapped[Id | None]
    to_node: Mapped[Id | None]
    part_revision_id: Mapped[Id | None] = mapped_column(ForeignKey("part_revision.id"))
    quantity: Mapped[Quantity]
    uom: Mapped[Code]
    event_id: Mapped[Name]
    source_system: Mapped[Code] = mapped_column(default="LOCKSTEP")
    happened_at: Mapped[Instant]
    performer: Mapped[Name] = mapped_column(default="")
    reason: Mapped[Text] = mapped_column(default="")
    reverses_id: Mapped[Id | None] = mapped_column(ForeignKey("genealogy_edge.id"))

    parent: Mapped[Lot | None] = relationship(foreign_keys=parent_id)
    child: Mapped[Lot | None] = relationship(foreign_keys=child_id)
    reverses: Mapped[GenealogyEdge | None] = relationship(remote_side="GenealogyEdge.id")

    @property
    def number(self) -> str:
        """The id of the event that it keeps."""
        return self.event_id


def move(act: Act, lot: Lot, to: LotStatus, *, reason: str | None = None) -> Lot:
    """Move a lot along its statuses. Raises Conflict ILLEGAL_TRANSITION; leaving HOLD has its own verb ``release_lot``."""
    move_along(act, lot, to, transitions=TRANSITIONS, reason=reason)
    if to is not LotStatus.HOLD:
        lot.hold_reason = None
    return lot


def lot_of(session: Session, lot_id: str) -> Lot:
    """Return a lot. Raises NotFound."""
    found = session.get(Lot, lot_id)
    if found is None:
        raise NotFound("Expected a lot, but there is none with this id")
    return found


def stands(edge: Any = GenealogyEdge) -> ColumnElement[bool]:
    """Return the condition that an edge is neither a reversal nor reversed."""
    back = aliased(GenealogyEdge)
    # A reversal is what has a negative quantity. Asked by ``reverses_id IS NULL``, which is true of nearly every row, SQLite
    # takes the index of that column and reads the whole table.
    return and_(edge.quantity > 0, not_(exists().where(back.reverses_id == edge.id)))


def quantity_taken(session: Session, lot: Lot) -> Decimal:
    """Return how much of a lot the edges took, in its unit.

    What was transformed at a work order comes out of what was issued to it; only what goes beyond takes more.
    """
    zero = Decimal(0)
    taken = zero
    for consumed, transformed, withdrawn in session.execute(
        select(_sum_of(EdgeKind.CONSUMED), _sum_of(EdgeKind.TRANSFORMED), _sum_of(EdgeKind.WITHDRAWN))
        .where(GenealogyEdge.parent_id == lot.id)
        .group_by(GenealogyEdge.work_order_id)
    ):
        taken += max(consumed or zero, transformed or zero) + (withdrawn or zero)
    return taken


def _sum_of(kind: EdgeKind) -> ColumnElement[Decimal]:
    return func.sum(case((GenealogyEdge.kind == kind, GenealogyEdge.quantity), else_=None), type_=Scaled(6))


def free_number(session: Session, part_revision_id: str, wanted: str) -> str:
    """Return the number a new lot may carry: the wanted one, or ``HEAT-7781-2`` when a delivery before took it."""
    taken = set(
        session.scalars(
            select(Lot.number).where(
                Lot.part_revision_id == part_revision_id, Lot.number.startswith(wanted, autoescape=True)
            )
        )
    )
    return next(number for number in chain([wanted], (f"{wanted}-{turn}" for turn in count(2))) if number not in taken)
