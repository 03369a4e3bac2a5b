"""Running and finished instances.

Their live state, their variables, the history of what left, the records they are about.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.audit import GENESIS
from engine.database import Base, Document, Id, Instant, Listing, Versioned, new_id


class InstanceStatus(StrEnum):
    """Whether an instance still moves."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


_RUNNING = text("status = 'RUNNING'")


RUNNING_KEY = "uq_instance_process_id_business_key"
"""The index that lets one instance of a process and business key run; it speaks when two start one at once."""


class Instance(Versioned, Base):
    """One run of a definition.

    state: the live tokens as bytes. variables: the small ones, packed; a large one has a row of its own. wake_at: the
    earliest timer. ended_at: the end event it ended at, last one first. rounds: per element, how often it was opened.
    suspended_at: since when nothing moves it but operators; None while it goes on by itself.
    The heads of its audit chain and of its decision chain are kept here, so that no act has to look them up.
    """

    __tablename__ = "instance"
    __table_args__ = (
        Index(
            RUNNING_KEY,
            "process_id",
            "business_key",
            unique=True,
            sqlite_where=_RUNNING,
            postgresql_where=_RUNNING,
        ),
        Index("ix_instance_wake_at", "wake_at", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
        Index("ix_instance_started_by_started_at_id", "started_by", "started_at", "id"),
        Index("ix_instance_status_process_id", "status", "process_id"),
        # In the order of characters, so that what a key begins with is found by it.
        Index("ix_instance_business_key", "business_key", postgresql_ops={"business_key": "varchar_pattern_ops"}),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    process_id: Mapped[str]
    definition_id: Mapped[Id] = mapped_column(ForeignKey("definition.id"), index=True)
    definition_hash: Mapped[str]
    business_key: Mapped[str]
    status: Mapped[str]
    state: Mapped[bytes] = mapped_column(LargeBinary)
    variables: Mapped[bytes] = mapped_column(LargeBinary)
    large_variables: Mapped[int] = mapped_column(default=0)
    wake_at: Mapped[Instant | None]
    ended_at: Mapped[str | None]
    started_at: Mapped[Instant]
    started_by: Mapped[str]
    closed_at: Mapped[Instant | None]
    closed_why: Mapped[str | None]
    suspended_at: Mapped[Instant | None]
    suspended_by: Mapped[str | None]
    suspended_why: Mapped[str | None]
    incidents: Mapped[int] = mapped_column(default=0)
    rounds: Mapped[Document] = mapped_column(default=dict)
    audit_seq: Mapped[int] = mapped_column(default=0)
    audit_hash: Mapped[str] = mapped_column(default=GENESIS)
    decision_seq: Mapped[int] = mapped_column(default=0)
    decision_hash: Mapped[str] = mapped_column(default=GENESIS)


class Variable(Base):
    """A variable too large to live in its instance's row, as its own bytes. scope: 0 is the root of the instance."""

    __tablename__ = "variable"

    instance_id: Mapped[Id] = mapped_column(ForeignKey("instance.id"), primary_key=True)
    scope: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)


class Activity(Base):
    """A token that left: one row of append-only history with its lineage."""

    __tablename__ = "activity"
    __table_args__ = (Index("ix_activity_instance_id_left_at_id", "instance_id", "left_at", "id"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    instance_id: Mapped[Id] = mapped_column(ForeignKey("instance.id"))
    token_id: Mapped[int]
    element_id: Mapped[str]
    process_id: Mapped[str]
    kind: Mapped[str]
    outcome: Mapped[str]
    parents: Mapped[Listing]
    arrivals: Mapped[Listing]
    scope_id: Mapped[int]
    instance: Mapped[int | None]
    left_at: Mapped[Instant]
    act_id: Mapped[Id]


class InstanceRecord(Base):
    """Says which business documents an instance is about."""

    __tablename__ = "instance_record"
    __table_args__ = (
        UniqueConstraint("instance_id", "record_type", "record_id"),
        Index("ix_instance_record_record_type_record_id", "record_type", "record_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    instance_id: Mapped[Id] = mapped_column(ForeignKey("instance.id"))
    record_type: Mapped[str]
    record_id: Mapped[str]


class HeldSignal(Base):
    """A signal that came while an instance was suspended; it is heard when the instance goes on."""

    __tablename__ = "held_signal"
    __table_args__ = (Index("ix_held_signal_instance_id", "instance_id"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    instance_id: Mapped[Id] = mapped_column(ForeignKey("instance.id"))
    name: Mapped[str]
    variables: Mapped[bytes] = mapped_column(LargeBinary)
    sent_at: Mapped[Instant]


class Relocation(Base):
    """Several instances that were moved together to another version of their process, by one signature.

    mapping: element of their version to the element of the other one, where these differ. content_hash: what was signed.
    """

    __tablename__ = "relocation"

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    process_id: Mapped[str]
    definition_id: Mapped[Id] = mapped_column(ForeignKey("definition.id"))
    mapping: Mapped[Document]
    reason: Mapped[str]
    content_hash: Mapped[str]
    ordered_at: Mapped[Instant]
    ordered_by: Mapped[str]


class InstanceMove(Base):
    """One instance that was moved to another version of its process, with what it was before: enough to take it back.

    elements: every element that it could stand on, with where that is now. state, variables, tasks, rounds: as they were. after:
    the hash of the state that the move made; an instance that has moved on since has another one.
    """

    __tablename__ = "instance_move"
    __table_args__ = (
        Index("ix_instance_move_instance_id_moved_at", "instance_id", "moved_at"),
        Index("ix_instance_move_relocation_id", "relocation_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    instance_id: Mapped[Id] = mapped_column(ForeignKey("instance.id"))
    relocation_id: Mapped[Id | None] = mapped_column(ForeignKey("relocation.id"))
    from_definition_id: Mapped[Id] = mapped_column(ForeignKey("definition.id"))
    to_definition_id: Mapped[Id] = mapped_column(ForeignKey("definition.id"))
    elements: Mapped[Document]
    state: Mapped[bytes] = mapped_column(LargeBinary)
    variables: Mapped[bytes] = mapped_column(LargeBinary)
    tasks: Mapped[Document]
    rounds: Mapped[Document]
    after: Mapped[str]
    reason: Mapped[str]
    moved_at: Mapped[Instant]
    moved_by: Mapped[str]
    reverted_at: Mapped[Instant | None]
    reverted_by: Mapped[str | None]
    reverted_why: Mapped[str | None]


Values = dict[str, Any]
"""Variables by name."""
