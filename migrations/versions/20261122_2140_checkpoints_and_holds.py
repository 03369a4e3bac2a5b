"""Signed checkpoints, retention and legal holds."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2140"
down_revision = "20261122_2130"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; the first checkpoint covers what is there already."""
    _make_checkpoints()
    op.create_table(
        "unsealed_event",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("record_type", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("written_at", database.InstantType(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unsealed_event")),
    )
    op.create_table(
        "rule_table_version",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("seen_at", database.InstantType(), nullable=False),
        sa.PrimaryKeyConstraint("name", "hash", name=op.f("pk_rule_table_version")),
    )
    _make_legal_hold()


def _make_checkpoints() -> None:
    op.create_table(
        "checkpoint_key",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("known_since", database.InstantType(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoint_key")),
    )
    op.create_table(
        "checkpoint",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("made_at", database.InstantType(), nullable=False),
        sa.Column("leaves", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["checkpoint_key.id"], name=op.f("fk_checkpoint_key_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "checkpoint_leaf",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("record_type", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["checkpoint.number"], name=op.f("fk_checkpoint_leaf_number")),
        sa.PrimaryKeyConstraint("number", "position", name=op.f("pk_checkpoint_leaf")),
    )
    op.create_index(
        "ix_checkpoint_leaf_record_type_record_id_seq", "checkpoint_leaf", ["record_type", "record_id", "seq"]
    )


def _make_legal_hold() -> None:
    words: Any = sa.Enum("STANDING", "LIFTED", name="status", native_enum=False, create_constraint=True, length=40)
    op.create_table(
        "legal_hold",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("about_type", sa.String(length=40), nullable=False),
        sa.Column("about_id", sa.String(length=60), nullable=False),
        sa.Column("record_name", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("placed_at", database.InstantType(), nullable=False),
        sa.Column("placed_by", sa.String(length=60), nullable=False),
        sa.Column("placed_hash", sa.String(length=64), nullable=False),
        sa.Column("status", words, nullable=False),
        sa.Column("lifted_at", database.InstantType(), nullable=True),
        sa.Column("lifted_by", sa.String(length=60), nullable=True),
        sa.Column("lift_reason", sa.String(length=4000), nullable=False),
        sa.Column("lifted_hash", sa.String(length=64), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'LIFTED') = (lifted_hash IS NOT NULL)", name=op.f("ck_legal_hold_lifted_has_a_hash")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
        sa.UniqueConstraint("number", name=op.f("uq_legal_hold_number")),
    )
    op.create_index("ix_legal_hold_about_type_about_id", "legal_hold", ["about_type", "about_id"])
