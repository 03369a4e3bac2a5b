"""Boards: who decides about changes together, each for one function, with weight, veto and deputy (domain.md 3C C08)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.canonical import content_hash
from engine.database import Base, Id, Instant
from engine.record import Record
from records.calendar import Site
from records.columns import Code, Codes, Hash, Login, Name, codes
from records.person import User
from records.signature import Signature


class Board(Record, Base):
    """A body that decides about change orders.

    classes: of the change orders it decides about. chair_id: who leads its meetings and signs their minutes. keeper_role: who
    appoints its members. quorum_percent: of the members without a conflict of interest who must be present to vote in a meeting.
    content_hash: of its settings, as signature_id signed them; None of a board that the plant was set up with.
    """

    __tablename__ = "board"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("quorum_percent BETWEEN 1 AND 100", name="quorum_is_a_share"),
    )

    code: Mapped[Code]
    name: Mapped[Name]
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    classes: Mapped[Codes]
    chair_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    keeper_role: Mapped[Code]
    quorum_percent: Mapped[int]
    is_active: Mapped[bool] = mapped_column(default=True)
    content_hash: Mapped[Hash | None]
    signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))

    signature: Mapped[Signature | None] = relationship()
    site: Mapped[Site] = relationship()
    chair: Mapped[User] = relationship()
    members: Mapped[list[Membership]] = relationship(back_populates="board", order_by="Membership.created_at")

    @property
    def number(self) -> str:
        """Its code."""
        return self.code

    def members_at(self, at: dt.datetime) -> list[Membership]:
        """Return the memberships that count at an instant, by function and person."""
        standing = [member for member in self.members if member.is_valid(at)]
        return sorted(standing, key=lambda member: (member.function, member.user_id))


class Membership(Record, Base):
    """One person's place on a board. It is appointed by a signature and never edited: it ends, and another begins.

    function: what the member speaks for. role: which the member must hold when voting, and signs under. weight: what a vote counts
    where the function decides by weight. deputy_id: who votes instead, under the same role. content_hash: what was signed.
    end_signature_id: of whoever ended it.
    """

    __tablename__ = "board_membership"
    __table_args__ = (
        CheckConstraint("weight > 0", name="weight_positive"),
        CheckConstraint("deputy_id IS NULL OR deputy_id <> user_id", name="deputy_is_another"),
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="valid_range_in_order"),
        Index("ix_board_membership_board_id", "board_id"),
        Index("ix_board_membership_user_id", "user_id"),
    )

    board_id: Mapped[Id] = mapped_column(ForeignKey("board.id"))
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    function: Mapped[Code]
    role: Mapped[Code]
    weight: Mapped[int] = mapped_column(default=1)
    has_veto: Mapped[bool] = mapped_column(default=False)
    deputy_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    valid_from: Mapped[Instant]
    valid_to: Mapped[Instant | None]
    content_hash: Mapped[Hash]
    signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))
    end_signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))

    board: Mapped[Board] = relationship(back_populates="members")
    user: Mapped[User] = relationship(foreign_keys=[user_id])
    deputy: Mapped[User | None] = relationship(foreign_keys=[deputy_id])
    signature: Mapped[Signature | None] = relationship(foreign_keys=[signature_id])
    end_signature: Mapped[Signature | None] = relationship(foreign_keys=[end_signature_id])

    @property
    def number(self) -> str:
        """Who sits for what."""
        return f"{self.user_id} for {self.function}"

    def is_valid(self, at: dt.datetime) -> bool:
        """Whether the place is taken at an instant."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


def membership_hash(member: Membership) -> str:
    """Return the hash of what the signature of an appointment says."""
    return content_hash(
        {
            "board": member.board_id, "user": member.user_id, "function": member.function, "role": member.role,
            "weight": member.weight, "has_veto": member.has_veto, "deputy": member.deputy_id, "valid_from": member.valid_from,
        }
    )  # fmt: skip


def settings_hash(board_id: str, settings: Mapping[str, Any]) -> str:
    """Return the hash of what the signature of a board's settings says."""
    said = {name: settings[name] for name in ("code", "name", "chair_id", "keeper_role", "quorum_percent", "is_active")}
    return content_hash({"board": board_id, "classes": list(codes(settings["classes"])), **said})


def end_hash(member: Membership, at: dt.datetime) -> str:
    """Return the hash of what the signature under the end of a place says."""
    return content_hash({"membership": member.id, "appointed": member.content_hash, "valid_to": at})


def boards_of(session: Session) -> list[Board]:
    """Return every board, by code."""
    return list(session.scalars(select(Board).order_by(Board.code)))


def board_for(session: Session, change_class: str) -> Board | None:
    """Return the first active board, by code, that decides about a class of change orders."""
    return next((board for board in boards_of(session) if board.is_active and change_class in board.classes), None)
