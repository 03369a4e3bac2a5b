"""Stored: checkpoints over the heads of the chains, the keys that signed them, and which events none of them covers yet."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from engine.database import Base, Id, Instant


class CheckpointKey(Base):
    """A public key that signs, or once signed, checkpoints. The private one is in a file outside the database.

    id: the first 16 hex digits of the SHA-256 of the public key, which is hex itself.
    """

    __tablename__ = "checkpoint_key"

    id: Mapped[str] = mapped_column(primary_key=True)
    public_key: Mapped[str]
    known_since: Mapped[Instant]
    made_by: Mapped[str]


class Checkpoint(Base):
    """What the heads of the chains were at an instant, in one signed line. Never updated, never deleted.

    number: counts from 1 without gaps. root: of the Merkle tree over its leaves. previous: hash of the checkpoint before.
    hash: SHA-256 of the signed statement; signature: Ed25519 over the statement, hex.
    """

    __tablename__ = "checkpoint"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    made_at: Mapped[Instant]
    leaves: Mapped[int]
    root: Mapped[str]
    previous: Mapped[str]
    key_id: Mapped[str] = mapped_column(ForeignKey("checkpoint_key.id"))
    signature: Mapped[str]
    hash: Mapped[str]


class CheckpointLeaf(Base):
    """The head of one chain as a checkpoint saw it: its record, its last row and that row's hash."""

    __tablename__ = "checkpoint_leaf"
    __table_args__ = (Index("ix_checkpoint_leaf_record_type_record_id_seq", "record_type", "record_id", "seq"),)

    number: Mapped[int] = mapped_column(ForeignKey("checkpoint.number"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    record_type: Mapped[str]
    record_id: Mapped[str]
    seq: Mapped[int]
    hash: Mapped[str]


class UnsealedEvent(Base):
    """An event that no checkpoint covers yet. id: the event's.

    Written by the database with each event, so that nobody waits for anybody and no event goes without; a row that is committed
    later than it was written is found by the next checkpoint.
    """

    __tablename__ = "unsealed_event"

    id: Mapped[Id] = mapped_column(primary_key=True)
    record_type: Mapped[str]
    record_id: Mapped[str]
    written_at: Mapped[Instant]
