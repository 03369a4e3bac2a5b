"""Webhooks: who outside is told what happens here, and the log of what was told.

They are no Records: neither the secret nor the log enters the audit chain; whoever changes a webhook notes that it changed.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.database import Base, Id, Instant, Versioned, new_id
from records.columns import Code, Codes, Login, Name, Note, Text, word

LONGEST_URL = 2000
LONGEST_ANSWER = 500
"""Characters of an answer that the log keeps."""

RECORD_TYPE = "webhook"


class WebhookState(StrEnum):
    """Whether anything is sent. PAUSED: what happens meanwhile waits. ENDED: nothing is kept any more."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    ENDED = "ENDED"


class DeliveryState(StrEnum):
    """Where a delivery stands. PENDING: to be sent, for the first time or again. CANCELLED: its webhook ended before."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Webhook(Versioned, Base):
    """Somebody outside who is told.

    name: what it is for. owner: the principal in whose name it is told, ``user:ivan``. event_types: words with ``*`` for any.
    paused_because: in words, while it is paused. secret, former_secret: sealed (``processes.webhook_secrets``); the former one signs
    too before ``former_until``. Kept beside the version, by whoever delivers: failing_since, since when nothing arrived;
    rest_until, before which nothing is tried; failures, how often in a row it could not be reached.
    """

    __tablename__ = "webhook"
    __table_args__ = (
        CheckConstraint("length(url) > 0", name="goes_somewhere"),
        CheckConstraint("failures >= 0", name="failures_counted"),
        Index("ix_webhook_owner", "owner"),
        Index("ix_webhook_state", "state"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[Name]
    owner: Mapped[Name]
    url: Mapped[str] = mapped_column(String(LONGEST_URL))
    event_types: Mapped[Codes]
    state: Mapped[WebhookState] = word(WebhookState, "state")
    paused_because: Mapped[Text | None]
    secret: Mapped[Name]
    former_secret: Mapped[Name | None]
    former_until: Mapped[Instant | None]
    failing_since: Mapped[Instant | None]
    rest_until: Mapped[Instant | None]
    failures: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[Instant]
    created_by: Mapped[Name]
    changed_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]

    @property
    def number(self) -> str:
        """What it is called."""
        return self.name

    def is_resting(self, at: dt.datetime) -> bool:
        """Whether nothing is tried at an instant, because its receiver could not be reached just before."""
        return self.rest_until is not None and at < self.rest_until


class WebhookDelivery(Base):
    """One event for one webhook. Its id is the message's: the same at every try and every replay.

    body: exactly what is sent. tries: since it was made or replayed; due_at: of the next one. status, error: of the last one.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index("ix_webhook_delivery_webhook_id_state", "webhook_id", "state", "id"),
        Index("ix_webhook_delivery_webhook_id", "webhook_id", "id"),
        Index(
            "ix_webhook_delivery_due_at_pending", "webhook_id", "due_at",
            sqlite_where=text("state = 'PENDING'"), postgresql_where=text("state = 'PENDING'"),
        ),
        Index("ix_webhook_delivery_created_at", "created_at"),
    )  # fmt: skip

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    webhook_id: Mapped[Id] = mapped_column(ForeignKey("webhook.id"))
    event_type: Mapped[Name]
    record_type: Mapped[Code]
    record_id: Mapped[Login]
    number: Mapped[Name | None]
    body: Mapped[Note]
    state: Mapped[DeliveryState] = word(DeliveryState, "state")
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[Instant]
    status: Mapped[int | None]
    error: Mapped[Text | None]
    created_at: Mapped[Instant]
    finished_at: Mapped[Instant | None]

    attempts: Mapped[list[WebhookAttempt]] = relationship(order_by="WebhookAttempt.id")


class WebhookAttempt(Base):
    """One try. status: what was answered, None when nothing was; answer: its first characters; error: why it does not count."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (Index("ix_webhook_attempt_delivery_id", "delivery_id", "id"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    delivery_id: Mapped[Id] = mapped_column(ForeignKey("webhook_delivery.id"))
    at: Mapped[Instant]
    status: Mapped[int | None]
    milliseconds: Mapped[int]
    error: Mapped[Text | None]
    answer: Mapped[str] = mapped_column(String(LONGEST_ANSWER), default="")
