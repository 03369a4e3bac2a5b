"""Waivers and switches of a flow's mode, both given by signatures; findings that hold no more, and what waived them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2050"
down_revision = "20261122_2040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_waiver()
    _make_mode_switch()
    op.add_column("finding", sa.Column("settled_at", database.InstantType(), nullable=True))
    op.add_column("finding", sa.Column("waiver_id", database.IdType(), nullable=True))
    op.create_index("ix_finding_at", "finding", ["at"])


def _make_waiver() -> None:
    op.create_table(
        "waiver",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("target_type", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=60), nullable=False),
        sa.Column("record_name", sa.String(length=200), nullable=False),
        sa.Column("quantity_limit", database.Scaled(6), nullable=True),
        sa.Column("serials", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("requested_by", sa.String(length=60), nullable=False),
        sa.Column("approved_hash", sa.String(length=64), nullable=False),
        sa.Column("status", _words("status", "PROPOSED", "GRANTED", "REFUSED", "WITHDRAWN", "REVOKED"), nullable=False),
        *_record(),
        sa.CheckConstraint("expires_on >= starts_on", name=op.f("ck_waiver_valid_range_in_order")),
        sa.CheckConstraint(
            "quantity_limit IS NULL OR quantity_limit > 0", name=op.f("ck_waiver_quantity_limit_positive")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiver")),
        sa.UniqueConstraint("number", name=op.f("uq_waiver_number")),
    )
    op.create_index("ix_waiver_record_id_rule", "waiver", ["record_id", "rule"])


def _make_mode_switch() -> None:
    modes = ("OBSERVE", "ADVISE", "ENFORCE")
    op.create_table(
        "mode_switch",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("flow_mode_id", database.IdType(), nullable=False),
        sa.Column("flow", sa.String(length=40), nullable=False),
        sa.Column("from_mode", _words("from_mode", *modes), nullable=False),
        sa.Column("to_mode", _words("to_mode", *modes), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("requested_by", sa.String(length=60), nullable=False),
        sa.Column("approved_hash", sa.String(length=64), nullable=False),
        sa.Column("status", _words("status", "PROPOSED", "APPLIED", "REFUSED", "WITHDRAWN"), nullable=False),
        *_record(),
        sa.CheckConstraint("from_mode <> to_mode", name=op.f("ck_mode_switch_another_mode")),
        sa.ForeignKeyConstraint(["flow_mode_id"], ["flow_mode.id"], name=op.f("fk_mode_switch_flow_mode_id_flow_mode")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mode_switch")),
        sa.UniqueConstraint("number", name=op.f("uq_mode_switch_number")),
    )
    op.create_index("ix_mode_switch_flow_mode_id", "mode_switch", ["flow_mode_id"])


def _words(name: str, *allowed: str) -> sa.Enum:
    return sa.Enum(*allowed, name=name, native_enum=False, create_constraint=True, length=40)


def _record() -> list[sa.Column[object]]:
    return [
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    ]
