"""Deployed bundles: a version of a process with every file it needs, by content hash."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.database import Base, Id, Instant, new_id


class DefinitionStatus(StrEnum):
    """Where a version stands; only a released one starts instances."""

    DRAFT = "DRAFT"
    IN_REVIEW = "IN_REVIEW"
    RELEASED = "RELEASED"
    RETIRED = "RETIRED"


class Definition(Base):
    """One version of a process: the bundle's content hash and where it stands. Its files never change."""

    __tablename__ = "definition"
    __table_args__ = (
        UniqueConstraint("process_id", "version"),
        Index("ix_definition_process_id_status_version", "process_id", "status", "version"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    process_id: Mapped[str]
    name: Mapped[str]
    version: Mapped[int]
    version_tag: Mapped[str | None]
    hash: Mapped[str]
    status: Mapped[str]
    main_file: Mapped[str]
    deployed_at: Mapped[Instant]
    deployed_by: Mapped[str]
    released_at: Mapped[Instant | None]
    released_by: Mapped[str | None]


class DefinitionFile(Base):
    """One file of a bundle as it was deployed, line ends normalised to LF. kind.

    ``process``, ``form`` or ``decision``.
    """

    __tablename__ = "definition_file"
    __table_args__ = (
        UniqueConstraint("definition_id", "kind", "path"),
        Index("ix_definition_file_kind_key", "kind", "key"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    definition_id: Mapped[Id] = mapped_column(ForeignKey("definition.id"))
    kind: Mapped[str]
    key: Mapped[str]
    path: Mapped[str]
    hash: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
