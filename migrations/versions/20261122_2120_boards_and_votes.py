"""Boards, meetings, agenda and votes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database
from records import columns

revision = "20261122_2120"
down_revision = "20261122_2110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "board_requirement",
        sa.Column("target_type", sa.String(length=40), nullable=False),
        sa.Column("target_id", sa.String(length=60), nullable=False),
        sa.Column("target_hash", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("function", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column(
            "rule",
            sa.Enum("ALL", "N_OF", "WEIGHT", name="rule", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("has_veto", sa.Boolean(), nullable=False),
        sa.Column("why", sa.String(length=4000), nullable=False),
        sa.Column("judged_by", sa.String(length=64), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("needed > 0", name=op.f("ck_board_requirement_needed_positive")),
        sa.CheckConstraint("position > 0", name=op.f("ck_board_requirement_position_from_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_requirement")),
        sa.UniqueConstraint(
            "target_id", "target_hash", "function", name=op.f("uq_board_requirement_target_id_target_hash_function")
        ),
    )
    op.create_table(
        "board",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("site_id", database.IdType(), nullable=False),
        sa.Column("classes", columns.CodesType(), nullable=False),
        sa.Column("chair_id", sa.String(length=60), nullable=False),
        sa.Column("keeper_role", sa.String(length=40), nullable=False),
        sa.Column("quorum_percent", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("quorum_percent BETWEEN 1 AND 100", name=op.f("ck_board_quorum_is_a_share")),
        sa.ForeignKeyConstraint(["chair_id"], ["user_account.id"], name=op.f("fk_board_chair_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_board_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board")),
        sa.UniqueConstraint("code", name=op.f("uq_board_code")),
    )
    op.create_table(
        "conflict_of_interest",
        sa.Column("target_type", sa.String(length=40), nullable=False),
        sa.Column("target_id", sa.String(length=60), nullable=False),
        sa.Column("user_id", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("declared_at", database.InstantType(), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_conflict_of_interest_has_a_reason")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_conflict_of_interest_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflict_of_interest")),
        sa.UniqueConstraint("target_id", "user_id", name=op.f("uq_conflict_of_interest_target_id_user_id")),
    )
    op.create_table(
        "board_meeting",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("board_id", database.IdType(), nullable=False),
        sa.Column("starts_at", database.InstantType(), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("chair_id", sa.String(length=60), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PLANNED",
                "OPEN",
                "CLOSED",
                "SIGNED",
                "CANCELLED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("opened_at", database.InstantType(), nullable=True),
        sa.Column("closed_at", database.InstantType(), nullable=True),
        sa.Column("minutes", sa.Text(), nullable=True),
        sa.Column("minutes_hash", sa.String(length=64), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status NOT IN ('CLOSED', 'SIGNED') OR minutes IS NOT NULL",
            name=op.f("ck_board_meeting_closed_has_minutes"),
        ),
        sa.CheckConstraint(
            "(minutes IS NULL) = (minutes_hash IS NULL)", name=op.f("ck_board_meeting_minutes_have_a_hash")
        ),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_board_meeting_board_id")),
        sa.ForeignKeyConstraint(["chair_id"], ["user_account.id"], name=op.f("fk_board_meeting_chair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_meeting")),
        sa.UniqueConstraint("number", name=op.f("uq_board_meeting_number")),
    )
    with op.batch_alter_table("board_meeting", schema=None) as batch_op:
        batch_op.create_index("ix_board_meeting_board_id", ["board_id"], unique=False)

    op.create_table(
        "board_membership",
        sa.Column("board_id", database.IdType(), nullable=False),
        sa.Column("user_id", sa.String(length=60), nullable=False),
        sa.Column("function", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("has_veto", sa.Boolean(), nullable=False),
        sa.Column("deputy_id", sa.String(length=60), nullable=True),
        sa.Column("valid_from", database.InstantType(), nullable=False),
        sa.Column("valid_to", database.InstantType(), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("signature_id", database.IdType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "deputy_id IS NULL OR deputy_id <> user_id", name=op.f("ck_board_membership_deputy_is_another")
        ),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_board_membership_valid_range_in_order")
        ),
        sa.CheckConstraint("weight > 0", name=op.f("ck_board_membership_weight_positive")),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_board_membership_board_id")),
        sa.ForeignKeyConstraint(["deputy_id"], ["user_account.id"], name=op.f("fk_board_membership_deputy_id")),
        sa.ForeignKeyConstraint(["signature_id"], ["signature.id"], name=op.f("fk_board_membership_signature_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_board_membership_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_membership")),
    )
    with op.batch_alter_table("board_membership", schema=None) as batch_op:
        batch_op.create_index("ix_board_membership_board_id", ["board_id"], unique=False)
        batch_op.create_index("ix_board_membership_user_id", ["user_id"], unique=False)

    op.create_table(
        "agenda_item",
        sa.Column("meeting_id", database.IdType(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("target_type", sa.String(length=40), nullable=False),
        sa.Column("target_id", sa.String(length=60), nullable=False),
        sa.Column("target_number", sa.String(length=40), nullable=False),
        sa.Column("target_hash", sa.String(length=64), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "OPEN",
                "DECIDED",
                "POSTPONED",
                "REMOVED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "outcome",
            sa.Enum(
                "APPROVE",
                "RETURN",
                "REJECT",
                "SPLIT",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("note", sa.String(length=4000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'DECIDED') = (outcome IS NOT NULL)", name=op.f("ck_agenda_item_decided_has_an_outcome")
        ),
        sa.CheckConstraint("position > 0", name=op.f("ck_agenda_item_position_from_one")),
        sa.ForeignKeyConstraint(["meeting_id"], ["board_meeting.id"], name=op.f("fk_agenda_item_meeting_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agenda_item")),
        sa.UniqueConstraint("meeting_id", "target_id", name=op.f("uq_agenda_item_meeting_id_target_id")),
    )
    with op.batch_alter_table("agenda_item", schema=None) as batch_op:
        batch_op.create_index("ix_agenda_item_target_id", ["target_id"], unique=False)

    op.create_table(
        "board_attendance",
        sa.Column("meeting_id", database.IdType(), nullable=False),
        sa.Column("user_id", sa.String(length=60), nullable=False),
        sa.Column("joined_at", database.InstantType(), nullable=False),
        sa.Column("left_at", database.InstantType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "left_at IS NULL OR left_at >= joined_at", name=op.f("ck_board_attendance_left_after_joining")
        ),
        sa.ForeignKeyConstraint(["meeting_id"], ["board_meeting.id"], name=op.f("fk_board_attendance_meeting_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_board_attendance_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_attendance")),
        sa.UniqueConstraint("meeting_id", "user_id", name=op.f("uq_board_attendance_meeting_id_user_id")),
    )
    op.create_table(
        "board_seat",
        sa.Column("requirement_id", database.IdType(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=60), nullable=True),
        sa.Column("deputy_id", sa.String(length=60), nullable=True),
        sa.Column("membership_id", database.IdType(), nullable=True),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("has_veto", sa.Boolean(), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("position > 0", name=op.f("ck_board_seat_position_from_one")),
        sa.CheckConstraint("weight > 0", name=op.f("ck_board_seat_weight_positive")),
        sa.ForeignKeyConstraint(["deputy_id"], ["user_account.id"], name=op.f("fk_board_seat_deputy_id")),
        sa.ForeignKeyConstraint(["membership_id"], ["board_membership.id"], name=op.f("fk_board_seat_membership_id")),
        sa.ForeignKeyConstraint(
            ["requirement_id"], ["board_requirement.id"], name=op.f("fk_board_seat_requirement_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_board_seat_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_seat")),
        sa.UniqueConstraint("requirement_id", "position", name=op.f("uq_board_seat_requirement_id_position")),
        sa.UniqueConstraint("requirement_id", "user_id", name=op.f("uq_board_seat_requirement_id_user_id")),
    )
    op.create_table(
        "board_vote",
        sa.Column("seat_id", database.IdType(), nullable=False),
        sa.Column("target_type", sa.String(length=40), nullable=False),
        sa.Column("target_id", sa.String(length=60), nullable=False),
        sa.Column("target_hash", sa.String(length=64), nullable=False),
        sa.Column("function", sa.String(length=40), nullable=False),
        sa.Column("voter_id", sa.String(length=60), nullable=False),
        sa.Column("on_behalf_of_id", sa.String(length=60), nullable=True),
        sa.Column(
            "verdict",
            sa.Enum(
                "approve",
                "approve_with_condition",
                "return",
                "reject",
                "split",
                "abstain",
                name="verdict",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("text", sa.String(length=4000), nullable=False),
        sa.Column("condition", sa.String(length=4000), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("signature_id", database.IdType(), nullable=False),
        sa.Column("decision_id", database.IdType(), nullable=True),
        sa.Column("meeting_id", database.IdType(), nullable=True),
        sa.Column("cast_at", database.InstantType(), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(verdict = 'approve_with_condition') = (condition <> '')", name=op.f("ck_board_vote_condition_is_named")
        ),
        sa.CheckConstraint(
            "verdict NOT IN ('reject', 'return', 'split') OR text <> ''",
            name=op.f("ck_board_vote_refusal_has_a_reason"),
        ),
        sa.ForeignKeyConstraint(["on_behalf_of_id"], ["user_account.id"], name=op.f("fk_board_vote_on_behalf_of_id")),
        sa.ForeignKeyConstraint(["seat_id"], ["board_seat.id"], name=op.f("fk_board_vote_seat_id")),
        sa.ForeignKeyConstraint(["signature_id"], ["signature.id"], name=op.f("fk_board_vote_signature_id")),
        sa.ForeignKeyConstraint(["voter_id"], ["user_account.id"], name=op.f("fk_board_vote_voter_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_vote")),
        sa.UniqueConstraint("seat_id", name=op.f("uq_board_vote_seat_id")),
        sa.UniqueConstraint("signature_id", name=op.f("uq_board_vote_signature_id")),
        sa.UniqueConstraint(
            "target_id", "target_hash", "voter_id", name=op.f("uq_board_vote_target_id_target_hash_voter_id")
        ),
    )
    with op.batch_alter_table("board_vote", schema=None) as batch_op:
        batch_op.create_index("ix_board_vote_meeting_id", ["meeting_id"], unique=False)
