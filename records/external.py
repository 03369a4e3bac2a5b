"""What other systems call our documents, what they say about them, and where they disagree."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.act import Act
from engine.database import Base, Id, Instant, new_id
from engine.record import Record
from records.columns import Code, Hash, Login, Name, Note, Text, word
from records.transition import move_along, pairs


class ExternalRef(Base):
    """The name of a record in another system. last_hash: of what that system last said about it."""

    __tablename__ = "external_ref"
    __table_args__ = (
        UniqueConstraint("system", "native_type", "native_id"),
        Index("ix_external_ref_record", "record_type", "record_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    record_type: Mapped[Code]
    record_id: Mapped[Login]
    system: Mapped[Code]
    native_type: Mapped[Code]
    native_id: Mapped[Name]
    native_rev: Mapped[Code] = mapped_column(default="")
    native_number: Mapped[Name] = mapped_column(default="")
    last_seen_at: Mapped[Instant]
    last_hash: Mapped[Hash]


class Observation(Base):
    """What another system says a field is, beside what we approved; never written over it.

    One row per field, the latest.
    """

    __tablename__ = "observation"
    __table_args__ = (UniqueConstraint("record_type", "record_id", "field", "system"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    record_type: Mapped[Code]
    record_id: Mapped[Login]
    field: Mapped[Name]
    system: Mapped[Code]
    ours: Mapped[Note | None]
    observed: Mapped[Note | None]
    observed_at: Mapped[Instant]


class DiscrepancyKind(StrEnum):
    """What two systems disagree about."""

    MISSING = "MISSING"
    EXTRA = "EXTRA"
    QTY = "QTY"
    PRICE = "PRICE"
    REV = "REV"
    SUPPLIER = "SUPPLIER"
    DATE = "DATE"
    STATUS = "STATUS"
    LOT = "LOT"
    TERMS = "TERMS"
    TEXT = "TEXT"


class Severity(StrEnum):
    """How much a discrepancy matters."""

    MINOR = "MINOR"
    MAJOR = "MAJOR"
    CRITICAL = "CRITICAL"


class DiscrepancyStatus(StrEnum):
    """Whether somebody still has to look."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


TRANSITIONS = pairs("OPEN>RESOLVED; RESOLVED>OPEN", DiscrepancyStatus)


class Discrepancy(Record, Base):
    """A disagreement with another system about one field of a document (CON-18); one row per field and system.

    record_type and document_id name the document; ours and theirs are canonical texts. owner: a principal.
    """

    __tablename__ = "discrepancy"
    __table_args__ = (
        UniqueConstraint("document_type", "document_id", "field", "system"),
        CheckConstraint("status <> 'RESOLVED' OR resolution IS NOT NULL", name="resolved_has_a_resolution"),
        Index("ix_discrepancy_status", "status"),
    )

    document_type: Mapped[Code]
    document_id: Mapped[Login]
    document_number: Mapped[Name]
    field: Mapped[Name]
    system: Mapped[Code]
    kind: Mapped[DiscrepancyKind] = word(DiscrepancyKind, "kind")
    severity: Mapped[Severity] = word(Severity, "severity")
    ours: Mapped[Note | None]
    theirs: Mapped[Note | None]
    owner: Mapped[Login]
    opened_at: Mapped[Instant]
    status: Mapped[DiscrepancyStatus] = word(DiscrepancyStatus, "status", default=DiscrepancyStatus.OPEN)
    resolution: Mapped[Text | None]

    @property
    def number(self) -> str:
        """The document and the field."""
        return f"{self.document_number} {self.field}"


def move(act: Act, discrepancy: Discrepancy, to: DiscrepancyStatus, *, reason: str) -> Discrepancy:
    """Resolve a discrepancy, or open it again. reason: becomes the resolution."""
    move_along(act, discrepancy, to, transitions=TRANSITIONS, reason=reason)
    discrepancy.resolution = reason if to is DiscrepancyStatus.RESOLVED else None
    return discrepancy
