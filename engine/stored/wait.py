"""What instances wait for beside people, and why one is stuck: timers, messages, signals, incidents."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.database import Base, Id, Instant, new_id


class Timer(Base):
    """A timer that runs, of an instance's token or (instance_id None) of a definition's start event.

    left and every: how a definition's cycle goes on.
    """

    __tablename__ = "timer"
    __table_args__ = (Index("ix_timer_instance_id_token_id", "instance_id", "token_id"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    instance_id: Mapped[Id | None] = mapped_column(ForeignKey("instance.id"))
    definition_id: Mapped[Id | None] = mapped_column(ForeignKey("definition.id"), index=True)
    token_id: Mapped[int]
    element_id: Mapped[str]
    due_at: Mapped[Instant] = mapped_column(index=True)
    left: Mapped[int] = mapped_column(default=1)
    every: Mapped[str | None]


class MessageState(StrEnum):
    """What became of a published message. STORED waits for somebody who waits for it; DELETED was thrown away for a reason."""

    STORED = "STORED"
    CORRELATED = "CORRELATED"
    EXPIRED = "EXPIRED"
    DELETED = "DELETED"


_STORED = text("state = 'STORED'")


class Message(Base):
    """Something from outside that was published; kept, so that a second delivery of its id can be answered."""

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("name", "message_id"),
        Index("ix_message_name_correlation_key_state", "name", "correlation_key", "state"),
        Index("ix_message_id_stored", "id", sqlite_where=_STORED, postgresql_where=_STORED),
        Index("ix_message_expires_at_stored", "expires_at", sqlite_where=_STORED, postgresql_where=_STORED),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    correlation_key: Mapped[str]
    message_id: Mapped[str | None]
    variables: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str]
    published_at: Mapped[Instant]
    published_by: Mapped[str]
    expires_at: Mapped[Instant]
    instance_id: Mapped[Id | None] = mapped_column(ForeignKey("instance.id"))


class MessageSubscription(Base):
    """An instance's token, or a definition's start event, that waits for a message."""

    __tablename__ = "message_subscription"
    __table_args__ = (
        Index("ix_message_subscription_name_correlation_key", "name", "correlation_key"),
        Index("ix_message_subscription_instance_id_token_id", "instance_id", "token_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    instance_id: Mapped[Id | None] = mapped_column(ForeignKey("instance.id"))
    definition_id: Mapped[Id | None] = mapped_column(ForeignKey("definition.id"), index=True)
    token_id: Mapped[int]
    element_id: Mapped[str]
    name: Mapped[str]
    correlation_key: Mapped[str]


class SignalSubscription(Base):
    """An instance's token, or a definition's start event, that waits for a signal."""

    __tablename__ = "signal_subscription"
    __table_args__ = (Index("ix_signal_subscription_instance_id_token_id", "instance_id", "token_id"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    instance_id: Mapped[Id | None] = mapped_column(ForeignKey("instance.id"))
    definition_id: Mapped[Id | None] = mapped_column(ForeignKey("definition.id"), index=True)
    token_id: Mapped[int]
    element_id: Mapped[str]
    name: Mapped[str] = mapped_column(index=True)


class ConditionSubscription(Base):
    """A definition's start event that begins when somebody asks its condition with values that make it true."""

    __tablename__ = "condition_subscription"

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    definition_id: Mapped[Id] = mapped_column(ForeignKey("definition.id"), index=True)
    element_id: Mapped[str]


class Signal(Base):
    """A signal that was sent, kept once however many hear it. hearers: how many were waiting for it or begin with it."""

    __tablename__ = "signal"

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    variables: Mapped[bytes] = mapped_column(LargeBinary)
    sent_at: Mapped[Instant]
    sent_by: Mapped[str]
    hearers: Mapped[int]


class IncidentState(StrEnum):
    """Whether an incident still waits for help."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


class Incident(Base):
    """A job or step that failed and waits for help. cause: one of ``incidents.CAUSES``."""

    __tablename__ = "incident"
    __table_args__ = (
        Index("ix_incident_instance_id_token_id", "instance_id", "token_id"),
        Index(
            "ix_incident_opened_at_open",
            "opened_at",
            sqlite_where=text("state = 'OPEN'"),
            postgresql_where=text("state = 'OPEN'"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    instance_id: Mapped[Id] = mapped_column(ForeignKey("instance.id"))
    token_id: Mapped[int]
    element_id: Mapped[str]
    task_id: Mapped[Id | None] = mapped_column(ForeignKey("task.id"))
    job_id: Mapped[Id | None]
    cause: Mapped[str]
    message: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=1)
    opened_at: Mapped[Instant]
    resolved_at: Mapped[Instant | None]
    resolved_by: Mapped[str | None]
    resolution: Mapped[str | None]
