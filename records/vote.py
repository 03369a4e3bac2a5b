"""Votes: which functions must agree to one content, whose seats those are, who declared a conflict, and what each one said."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.database import Base, Id, Instant
from engine.record import Record
from records.board import Membership
from records.columns import Code, Hash, Login, Text, word
from records.person import User
from records.signature import Signature, SignatureStatus


class VoteRule(StrEnum):
    """How the members of one function speak. N_OF: that many approve; WEIGHT: their weights reach it."""

    ALL = "ALL"
    N_OF = "N_OF"
    WEIGHT = "WEIGHT"


class Verdict(StrEnum):
    """What one vote says. SPLIT: the change belongs in several orders."""

    APPROVE = "approve"
    APPROVE_WITH_CONDITION = "approve_with_condition"
    RETURN = "return"
    REJECT = "reject"
    SPLIT = "split"
    ABSTAIN = "abstain"

    @property
    def words(self) -> str:
        """What the vote says, as people read it."""
        return {"return": "to be written again", "split": "in parts"}.get(self.value, self.value.replace("_", " "))


AGREEING = (Verdict.APPROVE, Verdict.APPROVE_WITH_CONDITION)


class Outcome(StrEnum):
    """What the votes on one content come to. SPLIT: everybody voted, and somebody wants it in parts or too many abstained."""

    APPROVE = "APPROVE"
    RETURN = "RETURN"
    REJECT = "REJECT"
    SPLIT = "SPLIT"

    @property
    def words(self) -> str:
        """What a board did, as a sentence ends: the board …."""
        return {"APPROVE": "approved it", "RETURN": "returned it", "REJECT": "rejected it"}.get(self.value, "split it")


class BoardRequirement(Record, Base):
    """A function that must agree to one content, as the table of votes said when it was sent to the board. Written once.

    role: under which it is signed. needed: approvals (N_OF) or weight (WEIGHT); of ALL, every member. has_veto: one refusal ends it.
    """

    __tablename__ = "board_requirement"
    __table_args__ = (
        UniqueConstraint("target_id", "target_hash", "function"),
        CheckConstraint("needed > 0", name="needed_positive"),
        CheckConstraint("position > 0", name="position_from_one"),
    )

    target_type: Mapped[Code]
    target_id: Mapped[Login]
    target_hash: Mapped[Hash]
    position: Mapped[int]
    function: Mapped[Code]
    role: Mapped[Code]
    rule: Mapped[VoteRule] = word(VoteRule, "rule")
    needed: Mapped[int]
    has_veto: Mapped[bool]
    why: Mapped[Text] = mapped_column(default="")
    judged_by: Mapped[Hash]

    seats: Mapped[list[BoardSeat]] = relationship(back_populates="requirement", order_by="BoardSeat.position")

    @property
    def number(self) -> str:
        """The function."""
        return self.function


class BoardSeat(Record, Base):
    """Who may speak for a function on one content. user_id: None for any holder of the role, where the function has no free member."""

    __tablename__ = "board_seat"
    __table_args__ = (
        UniqueConstraint("requirement_id", "position"),
        UniqueConstraint("requirement_id", "user_id"),
        CheckConstraint("weight > 0", name="weight_positive"),
        CheckConstraint("position > 0", name="position_from_one"),
    )

    requirement_id: Mapped[Id] = mapped_column(ForeignKey("board_requirement.id"))
    position: Mapped[int]
    role: Mapped[Code]
    user_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    deputy_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    membership_id: Mapped[Id | None] = mapped_column(ForeignKey("board_membership.id"))
    weight: Mapped[int]
    has_veto: Mapped[bool]

    requirement: Mapped[BoardRequirement] = relationship(back_populates="seats")
    user: Mapped[User | None] = relationship(foreign_keys=[user_id])
    deputy: Mapped[User | None] = relationship(foreign_keys=[deputy_id])
    membership: Mapped[Membership | None] = relationship()
    vote: Mapped[Vote | None] = relationship(back_populates="seat", uselist=False)

    @property
    def number(self) -> str:
        """The function and the seat."""
        return f"{self.requirement.function} {self.position}"


class ConflictOfInterest(Record, Base):
    """A person who does not decide about one document, because it touches an interest of theirs. Declared once, for good."""

    __tablename__ = "conflict_of_interest"
    __table_args__ = (UniqueConstraint("target_id", "user_id"), CheckConstraint("reason <> ''", name="has_a_reason"))

    target_type: Mapped[Code]
    target_id: Mapped[Login]
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    reason: Mapped[Text]
    declared_at: Mapped[Instant]

    user: Mapped[User] = relationship()

    @property
    def number(self) -> str:
        """Who declared it."""
        return self.user_id


class Vote(Record, Base):
    """What one person said about one content, signed; never edited.

    weight: what it counted when it was cast. text: the dissent, the reason or the remark; condition: what an approval waits for.
    meeting_id: where it was cast, None from somebody's own inbox. decision_id: of the task that it completed, if there was one.
    """

    __tablename__ = "board_vote"
    __table_args__ = (
        UniqueConstraint("seat_id"),
        UniqueConstraint("target_id", "target_hash", "voter_id"),
        UniqueConstraint("signature_id"),
        CheckConstraint("(verdict = 'approve_with_condition') = (condition <> '')", name="condition_is_named"),
        CheckConstraint("verdict NOT IN ('reject', 'return', 'split') OR text <> ''", name="refusal_has_a_reason"),
        Index("ix_board_vote_meeting_id", "meeting_id"),
    )

    seat_id: Mapped[Id] = mapped_column(ForeignKey("board_seat.id"))
    target_type: Mapped[Code]
    target_id: Mapped[Login]
    target_hash: Mapped[Hash]
    function: Mapped[Code]
    voter_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    on_behalf_of_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    verdict: Mapped[Verdict] = word(Verdict, "verdict")
    text: Mapped[Text] = mapped_column(default="")
    condition: Mapped[Text] = mapped_column(default="")
    weight: Mapped[int]
    signature_id: Mapped[Id] = mapped_column(ForeignKey("signature.id"))
    decision_id: Mapped[Id | None]
    meeting_id: Mapped[Id | None]
    cast_at: Mapped[Instant]

    seat: Mapped[BoardSeat] = relationship(back_populates="vote")
    voter: Mapped[User] = relationship(foreign_keys=[voter_id])
    on_behalf_of: Mapped[User | None] = relationship(foreign_keys=[on_behalf_of_id])
    signature: Mapped[Signature] = relationship()

    @property
    def number(self) -> str:
        """Who voted for which function."""
        return f"{self.voter_id} for {self.function}"

    @property
    def counts(self) -> bool:
        """Whether its signature still holds."""
        return self.signature.status is SignatureStatus.VALID

    @property
    def agrees(self) -> bool:
        """Whether it counts as an approval."""
        return self.verdict in AGREEING


def requirements_of(session: Session, target_id: str, target_hash: str | None) -> list[BoardRequirement]:
    """Return the functions that must agree to one content, in their order."""
    wanted = select(BoardRequirement).where(
        BoardRequirement.target_id == target_id, BoardRequirement.target_hash == (target_hash or "")
    )
    return list(session.scalars(wanted.order_by(BoardRequirement.position)))


def votes_on(session: Session, target_id: str) -> list[Vote]:
    """Return every vote about a document, of all rounds, oldest first."""
    return list(session.scalars(select(Vote).where(Vote.target_id == target_id).order_by(Vote.cast_at, Vote.id)))


def conflicts_on(session: Session, target_id: str) -> list[ConflictOfInterest]:
    """Return who declared a conflict of interest about a document, by person."""
    wanted = select(ConflictOfInterest).where(ConflictOfInterest.target_id == target_id)
    return list(session.scalars(wanted.order_by(ConflictOfInterest.user_id)))
