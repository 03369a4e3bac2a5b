"""Company sign in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261123_2280"
down_revision = "20261123_2270"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep who somebody is at the company, what their sessions began with, and what was proved there."""
    with op.batch_alter_table("sign_in_session") as table:
        table.add_column(sa.Column("browser", sa.String(length=200), nullable=False, server_default=""))
        table.add_column(sa.Column("method", sa.String(length=40), nullable=False, server_default="PASSWORD"))
    with op.batch_alter_table("sign_in_session") as table:
        table.alter_column("browser", server_default=None)
        table.alter_column("method", server_default=None)
    with op.batch_alter_table("role_grant") as table:
        table.add_column(sa.Column("of_group", sa.String(length=200), nullable=False, server_default=""))
    with op.batch_alter_table("role_grant") as table:
        table.alter_column("of_group", server_default=None)
    op.create_table(
        "company_identity",
        sa.Column("user_id", sa.String(length=60), nullable=False),
        sa.Column("issuer", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_company_identity_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_company_identity")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_company_identity_issuer_subject")),
        sa.UniqueConstraint("issuer", "user_id", name=op.f("uq_company_identity_issuer_user_id")),
    )
    op.create_table(
        "company_session",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("sid", sa.String(length=200), nullable=False),
        sa.Column("id_token", sa.String(length=20000), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sign_in_session.id"], name=op.f("fk_company_session_session_id")),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_company_session")),
    )
    op.create_index("ix_company_session_issuer_sid", "company_session", ["issuer", "sid"])
    op.create_table(
        "step_up",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("user_id", sa.String(length=60), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("subjects", sa.JSON(), nullable=False),
        sa.Column("path", sa.String(length=4000), nullable=False),
        sa.Column("form", sa.JSON(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("proven_at", database.InstantType(), nullable=True),
        sa.Column("proof", sa.String(length=64), nullable=True),
        sa.Column("used", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_step_up_user_id")),
        sa.ForeignKeyConstraint(["session_id"], ["sign_in_session.id"], name=op.f("fk_step_up_session_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_step_up")),
        sa.UniqueConstraint("proof", name=op.f("uq_step_up_proof")),
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_table("step_up")
    op.drop_table("company_session")
    op.drop_table("company_identity")
    with op.batch_alter_table("role_grant") as table:
        table.drop_column("of_group")
    with op.batch_alter_table("sign_in_session") as table:
        table.drop_column("method")
        table.drop_column("browser")
