"""How a part is made, as other systems define it: operations, and the instructions they follow, each with its revision."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, Quantity
from engine.record import Record
from records.columns import Code, Hash, Name, Text, word
from records.part import PartRevision
from records.resource import WorkCentre
from records.transition import move_along, pairs


class OperationKind(StrEnum):
    """Who performs an operation: the plant, or a supplier."""

    INTERNAL = "INTERNAL"
    OUTSIDE = "OUTSIDE"


class InstructionStatus(StrEnum):
    """The life of one revision of an instruction."""

    DRAFT = "DRAFT"
    RELEASED = "RELEASED"
    SUPERSEDED = "SUPERSEDED"


INSTRUCTION_TRANSITIONS = pairs("DRAFT>RELEASED; RELEASED>SUPERSEDED", InstructionStatus)
ONE_RELEASED = text("status = 'RELEASED'")


class WorkInstruction(Record, Base):
    """One revision of a work instruction: its number, revision and hash; its content lives in the system that made it."""

    __tablename__ = "work_instruction"
    __table_args__ = (
        UniqueConstraint("document_no", "rev"),
        Index(
            "uq_work_instruction_one_released", "document_no", unique=True,
            sqlite_where=ONE_RELEASED, postgresql_where=ONE_RELEASED,
        ),
    )  # fmt: skip

    document_no: Mapped[Code]
    rev: Mapped[Code]
    title: Mapped[Name] = mapped_column(default="")
    system: Mapped[Code] = mapped_column(default="PLM")
    content_hash: Mapped[Hash | None]
    status: Mapped[InstructionStatus] = word(InstructionStatus, "status", default=InstructionStatus.DRAFT)
    released_at: Mapped[Instant | None]

    @property
    def number(self) -> str:
        """Document and revision, ``WI-20 rev 3``."""
        return f"{self.document_no} rev {self.rev}"


class RoutingOperation(Record, Base):
    """One step of how a part revision is made. setup_minutes per order, run_minutes per piece.

    A work order copies the steps when it is made and freezes them when it is released: what changes here later never reaches it.
    """

    __tablename__ = "routing_operation"
    __table_args__ = (
        UniqueConstraint("part_revision_id", "op_no"),
        CheckConstraint("op_no > 0", name="op_no_positive"),
        CheckConstraint("setup_minutes >= 0 AND run_minutes >= 0", name="times_not_negative"),
        CheckConstraint("kind = 'INTERNAL' OR process_code IS NOT NULL", name="outside_names_its_process"),
        CheckConstraint("kind = 'OUTSIDE' OR work_centre_id IS NOT NULL", name="inside_names_its_work_centre"),
    )

    part_revision_id: Mapped[Id] = mapped_column(ForeignKey("part_revision.id"))
    op_no: Mapped[int]
    description: Mapped[Text]
    kind: Mapped[OperationKind] = word(OperationKind, "kind", default=OperationKind.INTERNAL)
    work_centre_id: Mapped[Id | None] = mapped_column(ForeignKey("work_centre.id"))
    process_code: Mapped[Code | None]
    is_special: Mapped[bool] = mapped_column(default=False)
    spec: Mapped[Code | None]
    spec_rev: Mapped[Code | None]
    instruction: Mapped[Code | None]
    setup_minutes: Mapped[Quantity] = mapped_column(default=Decimal(0))
    run_minutes: Mapped[Quantity] = mapped_column(default=Decimal(0))
    is_certificate_required: Mapped[bool] = mapped_column(default=False)
    is_inspected_after: Mapped[bool] = mapped_column(default=False)

    part_revision: Mapped[PartRevision] = relationship()
    work_centre: Mapped[WorkCentre | None] = relationship()

    @property
    def number(self) -> str:
        """Part revision and operation, ``P-200/B op 30``."""
        return f"{self.part_revision.number} op {self.op_no}"


def routing_of(session: Session, revision: PartRevision) -> list[RoutingOperation]:
    """Return the steps of a part revision in their order."""
    wanted = select(RoutingOperation).where(RoutingOperation.part_revision_id == revision.id)
    return list(session.scalars(wanted.order_by(RoutingOperation.op_no)))


def released_instruction(session: Session, document_no: str) -> WorkInstruction | None:
    """Return the revision of an instruction that is released now, or None."""
    wanted = select(WorkInstruction).where(
        WorkInstruction.document_no == document_no, WorkInstruction.status == InstructionStatus.RELEASED
    )
    return session.scalar(wanted)


def release_instruction(act: Act, instruction: WorkInstruction) -> WorkInstruction:
    """Release a revision of an instruction; the one released before is superseded. Raises Conflict ILLEGAL_TRANSITION."""
    former = released_instruction(act.session, instruction.document_no)
    if former is not None and former is not instruction:
        move_along(act, former, InstructionStatus.SUPERSEDED, transitions=INSTRUCTION_TRANSITIONS, reason=None)
    move_along(act, instruction, InstructionStatus.RELEASED, transitions=INSTRUCTION_TRANSITIONS, reason=None)
    instruction.released_at = act.now
    return instruction
