"""Parts, their revisions and the documents that define them."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.answers import once
from engine.database import Base, Id, Instant
from engine.record import Record
from records.columns import Code, Codes, Day, Hash, Name, Text, word
from records.origin import Originated
from records.transition import move_along, pairs


class PartType(StrEnum):
    """How a part comes to be."""

    MAKE = "MAKE"
    BUY = "BUY"
    PHANTOM = "PHANTOM"
    SERVICE = "SERVICE"
    TOOL = "TOOL"


class Criticality(StrEnum):
    """What depends on a part."""

    STD = "STD"
    KEY = "KEY"
    FLIGHT_SAFETY = "FLIGHT_SAFETY"
    IMPLANT = "IMPLANT"


class LotControl(StrEnum):
    """How pieces are told apart."""

    NONE = "NONE"
    LOT = "LOT"
    SERIAL = "SERIAL"


class RevisionStatus(StrEnum):
    """The life of a part revision."""

    DRAFT = "DRAFT"
    IN_REVIEW = "IN_REVIEW"
    RELEASED = "RELEASED"
    SUPERSEDED = "SUPERSEDED"
    OBSOLETE = "OBSOLETE"


TRANSITIONS = pairs(
    "DRAFT>IN_REVIEW; IN_REVIEW>DRAFT|RELEASED; RELEASED>SUPERSEDED|OBSOLETE; SUPERSEDED>OBSOLETE", RevisionStatus
)


class Effectivity(StrEnum):
    """What a revision's validity is counted in."""

    DATE = "DATE"
    LOT = "LOT"
    SERIAL = "SERIAL"


class DefinitionKind(StrEnum):
    """What a document defines about a revision."""

    BOM = "BOM"
    ROUTING = "ROUTING"
    INSTRUCTION = "INSTRUCTION"
    INSPECTION_PLAN = "INSPECTION_PLAN"


class Part(Originated, Record, Base):
    """Something bought, made or ordered as a service, under one number whatever its revision."""

    __tablename__ = "part"
    __table_args__ = (
        UniqueConstraint("part_no"),
        CheckConstraint("shelf_life_days IS NULL OR shelf_life_days > 0", name="shelf_life_positive"),
    )

    part_no: Mapped[Code]
    name: Mapped[Name]
    description: Mapped[Text] = mapped_column(default="")
    type: Mapped[PartType] = word(PartType, "type", default=PartType.BUY)
    base_uom: Mapped[Code] = mapped_column(default="EA")
    commodity: Mapped[Code] = mapped_column(default="")
    criticality: Mapped[Criticality] = word(Criticality, "criticality", default=Criticality.STD)
    lot_control: Mapped[LotControl] = word(LotControl, "lot_control", default=LotControl.NONE)
    shelf_life_days: Mapped[int | None]
    export_class: Mapped[Code | None]
    process_code: Mapped[Code | None] = mapped_column(ForeignKey("outside_process.code"))
    is_customer_owned: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)

    revisions: Mapped[list[PartRevision]] = relationship(back_populates="part", order_by="PartRevision.rev")

    @property
    def number(self) -> str:
        """The part number."""
        return self.part_no


WITHOUT_RANGE = text("status = 'RELEASED' AND effectivity IS NULL")


class PartRevision(Originated, Record, Base):
    """One revision of a part; frozen once released, never deleted.

    rev: 1 to 4 characters, ``-`` for a part that has no revision letter. change_order_id: what released it, if known.
    effectivity: None when it is simply valid from its release; effective_to is inclusive, and open when None.
    """

    __tablename__ = "part_revision"
    __table_args__ = (
        UniqueConstraint("part_id", "rev"),
        CheckConstraint("length(rev) BETWEEN 1 AND 4", name="rev_of_one_to_four"),
        CheckConstraint(
            "effective_to IS NULL OR effective_from IS NULL OR effective_to >= effective_from",
            name="effective_range_in_order",
        ),
        CheckConstraint(
            "status IN ('DRAFT', 'IN_REVIEW') OR origin = 'ERP' OR released_at IS NOT NULL",
            name="released_has_an_instant",
        ),
        Index(
            "uq_part_revision_one_released",
            "part_id",
            unique=True,
            sqlite_where=WITHOUT_RANGE,
            postgresql_where=WITHOUT_RANGE,
        ),
    )

    part_id: Mapped[Id] = mapped_column(ForeignKey("part.id"))
    rev: Mapped[Code]
    status: Mapped[RevisionStatus] = word(RevisionStatus, "status", default=RevisionStatus.DRAFT)
    released_at: Mapped[Instant | None]
    change_order_id: Mapped[Id | None]
    drawing_doc: Mapped[Code | None]
    drawing_rev: Mapped[Code | None]
    specs: Mapped[Codes] = mapped_column(default=())
    effectivity: Mapped[Effectivity | None] = word(Effectivity, "effectivity")
    effective_from: Mapped[Day | None]
    effective_to: Mapped[Day | None]
    effective_first: Mapped[Code | None]
    effective_last: Mapped[Code | None]

    part: Mapped[Part] = relationship(back_populates="revisions")
    definitions: Mapped[list[ProductDefinitionRef]] = relationship(
        back_populates="part_revision", order_by="(ProductDefinitionRef.kind, ProductDefinitionRef.native_id)"
    )

    @property
    def number(self) -> str:
        """Part number and revision, ``P-200/B``."""
        return f"{self.part.part_no}/{self.rev}"

    def is_effective_on(self, day: dt.date) -> bool:
        """Whether the revision is valid on a day as far as dates decide it."""
        return (self.effective_from is None or self.effective_from <= day) and (
            self.effective_to is None or day <= self.effective_to
        )


class ProductDefinitionRef(Record, Base):
    """A document of another system that defines a revision: its id, revision and hash, never its content."""

    __tablename__ = "product_definition_ref"
    __table_args__ = (UniqueConstraint("part_revision_id", "kind", "system", "native_id"),)

    part_revision_id: Mapped[Id] = mapped_column(ForeignKey("part_revision.id"))
    kind: Mapped[DefinitionKind] = word(DefinitionKind, "kind")
    system: Mapped[Code]
    native_id: Mapped[Name]
    native_rev: Mapped[Code] = mapped_column(default="")
    content_hash: Mapped[Hash]

    part_revision: Mapped[PartRevision] = relationship(back_populates="definitions")

    @property
    def number(self) -> str:
        """The document's own id."""
        return self.native_id


class OutsideProcess(Record, Base):
    """A process that is bought outside.

    is_special: its result cannot be verified afterwards, so that the supplier must be approved for it.
    nadcap_commodity: what a Nadcap certificate must name, empty when none is asked for.
    """

    __tablename__ = "outside_process"
    __table_args__ = (UniqueConstraint("code"),)

    code: Mapped[Code]
    name: Mapped[Name]
    is_special: Mapped[bool] = mapped_column(default=False)
    nadcap_commodity: Mapped[Name] = mapped_column(default="")

    @property
    def number(self) -> str:
        """The process code."""
        return self.code


LONGEST_INITIALS = 3


def process_called(session: Session, code: str | None) -> OutsideProcess | None:
    """Return the outside process with a code, or None."""
    if not code:
        return None
    wanted = select(OutsideProcess).where(OutsideProcess.code == code)
    return once(session, ("process_called", code), lambda: session.scalar(wanted))


def process_words(code: str | None) -> str:
    """Return the words of a process or commodity code inside a sentence: ``HEAT_TREAT`` is heat treat, ``FPI`` stays as it is."""
    parts = (code or "").replace("_", " ").split()
    return " ".join(part if len(part) <= LONGEST_INITIALS else part.lower() for part in parts)


def move(act: Act, revision: PartRevision, to: RevisionStatus, *, reason: str | None = None) -> PartRevision:
    """Move a revision along its life. Raises Conflict ILLEGAL_TRANSITION."""
    move_along(act, revision, to, transitions=TRANSITIONS, reason=reason)
    if to is RevisionStatus.RELEASED:
        revision.released_at = act.now
    return revision
