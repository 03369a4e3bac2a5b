"""How a function of a board speaks, where its keeper said otherwise than the table of votes does, under a signature."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.canonical import content_hash
from engine.database import Base, Id, Instant
from engine.record import Record
from records.board import Board
from records.columns import Code, Codes, Hash, codes, word
from records.signature import Signature
from records.vote import VoteRule


class BoardRule(Record, Base):
    """How one function speaks on one board. It is never edited: it ends under a signature, and another begins.

    classes: of the change orders that ask the function though the table does not; where the table asks it, this row says how. It never
    takes a function away. needed: approvals (N_OF) or weight (WEIGHT). content_hash: what was signed.
    """

    __tablename__ = "board_rule"
    __table_args__ = (
        CheckConstraint("needed > 0", name="needed_positive"),
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="valid_range_in_order"),
        Index("ix_board_rule_board_id", "board_id"),
    )

    board_id: Mapped[Id] = mapped_column(ForeignKey("board.id"))
    function: Mapped[Code]
    role: Mapped[Code]
    rule: Mapped[VoteRule] = word(VoteRule, "rule")
    needed: Mapped[int] = mapped_column(default=1)
    has_veto: Mapped[bool] = mapped_column(default=False)
    classes: Mapped[Codes] = mapped_column(default=())
    valid_from: Mapped[Instant]
    valid_to: Mapped[Instant | None]
    content_hash: Mapped[Hash]
    signature_id: Mapped[Id] = mapped_column(ForeignKey("signature.id"))
    end_signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))

    board: Mapped[Board] = relationship()
    signature: Mapped[Signature] = relationship(foreign_keys=[signature_id])
    end_signature: Mapped[Signature | None] = relationship(foreign_keys=[end_signature_id])

    @property
    def number(self) -> str:
        """Which function speaks how."""
        return f"{self.function} by {self.rule}"

    @property
    def words(self) -> str:
        """The function as people read it."""
        return self.function.replace("_", " ").lower()

    def is_valid(self, at: dt.datetime) -> bool:
        """Whether it counts at an instant."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


def rule_hash(rule_id: str, board_id: str, said: Mapping[str, Any]) -> str:
    """Return the hash of what the signature of a rule says. said: its columns."""
    names = ("function", "role", "rule", "needed", "has_veto", "valid_from")
    return content_hash(
        {
            "rule": rule_id,
            "board": board_id,
            "classes": list(codes(said["classes"])),
            **{name: said[name] for name in names},
        }
    )


def rule_end_hash(rule: BoardRule, at: dt.datetime) -> str:
    """Return the hash of what the signature under the end of a rule says."""
    return content_hash({"rule": rule.id, "signed": rule.content_hash, "valid_to": at})


def rules_of(session: Session, board: Board) -> list[BoardRule]:
    """Return every rule that a board ever had, by function, the newest first."""
    wanted = select(BoardRule).where(BoardRule.board_id == board.id)
    return list(session.scalars(wanted.order_by(BoardRule.function, BoardRule.valid_from.desc(), BoardRule.id)))


def rules_at(session: Session, board: Board | None, at: dt.datetime) -> dict[str, BoardRule]:
    """Return the rules that count at an instant, by function."""
    return {one.function: one for one in rules_of(session, board) if one.is_valid(at)} if board is not None else {}
