"""Meetings of boards: the agenda, who was there, and the minutes that the chair signs."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy import Text as LongText
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant
from engine.record import Record
from records.board import Board
from records.columns import Code, Hash, Login, Name, Text, word
from records.person import User
from records.transition import move_along, pairs
from records.vote import Outcome


class MeetingStatus(StrEnum):
    """The life of a meeting. SIGNED: its minutes are."""

    PLANNED = "PLANNED"
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    SIGNED = "SIGNED"
    CANCELLED = "CANCELLED"

    @property
    def words(self) -> str:
        """The status as a sentence says it."""
        return "called off" if self is MeetingStatus.CANCELLED else self.value.lower()


TRANSITIONS = pairs("PLANNED>OPEN|CANCELLED; OPEN>CLOSED; CLOSED>SIGNED", MeetingStatus)


class Meeting(Record, Base):
    """One meeting of a board. minutes: canonical JSON of what happened, written when it is closed; minutes_hash: what the chair signs."""

    __tablename__ = "board_meeting"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("(minutes IS NULL) = (minutes_hash IS NULL)", name="minutes_have_a_hash"),
        CheckConstraint("status NOT IN ('CLOSED', 'SIGNED') OR minutes IS NOT NULL", name="closed_has_minutes"),
        Index("ix_board_meeting_board_id", "board_id"),
    )

    number: Mapped[Code]
    board_id: Mapped[Id] = mapped_column(ForeignKey("board.id"))
    starts_at: Mapped[Instant]
    place: Mapped[Name] = mapped_column(default="")
    chair_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    status: Mapped[MeetingStatus] = word(MeetingStatus, "status", default=MeetingStatus.PLANNED)
    opened_at: Mapped[Instant | None]
    closed_at: Mapped[Instant | None]
    minutes: Mapped[str | None] = mapped_column(LongText)
    minutes_hash: Mapped[Hash | None]

    board: Mapped[Board] = relationship()
    chair: Mapped[User] = relationship()
    items: Mapped[list[AgendaItem]] = relationship(back_populates="meeting", order_by="AgendaItem.position")
    attendances: Mapped[list[Attendance]] = relationship(back_populates="meeting", order_by="Attendance.joined_at")

    @property
    def agenda(self) -> list[AgendaItem]:
        """What is on the agenda, in its order, without what was taken off."""
        return sorted(
            (item for item in self.items if item.status is not ItemStatus.REMOVED), key=lambda one: one.position
        )

    def is_present(self, user_id: str | None, at: dt.datetime | None = None) -> bool:
        """Whether a person is there now, or was at an instant."""
        return any(
            one.user_id == user_id
            and (
                one.left_at is None if at is None else one.joined_at <= at and (one.left_at is None or at < one.left_at)
            )
            for one in self.attendances
        )


class Attendance(Record, Base):
    """A person who came to a meeting; left_at: None while they stay."""

    __tablename__ = "board_attendance"
    __table_args__ = (
        UniqueConstraint("meeting_id", "user_id"),
        CheckConstraint("left_at IS NULL OR left_at >= joined_at", name="left_after_joining"),
    )

    meeting_id: Mapped[Id] = mapped_column(ForeignKey("board_meeting.id"))
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    joined_at: Mapped[Instant]
    left_at: Mapped[Instant | None]

    meeting: Mapped[Meeting] = relationship(back_populates="attendances")
    user: Mapped[User] = relationship()

    @property
    def number(self) -> str:
        """Who came."""
        return self.user_id


class ItemStatus(StrEnum):
    """What became of an agenda item."""

    OPEN = "OPEN"
    DECIDED = "DECIDED"
    POSTPONED = "POSTPONED"
    REMOVED = "REMOVED"

    @property
    def words(self) -> str:
        """The status as a sentence says it."""
        return "taken off" if self is ItemStatus.REMOVED else self.value.lower()


ITEM_TRANSITIONS = pairs("OPEN>DECIDED|POSTPONED|REMOVED; REMOVED>OPEN; POSTPONED>OPEN", ItemStatus)


class AgendaItem(Record, Base):
    """One document to be decided. target_hash: its content when the item was decided or postponed; note: what the chair adds."""

    __tablename__ = "agenda_item"
    __table_args__ = (
        UniqueConstraint("meeting_id", "target_id"),
        CheckConstraint("position > 0", name="position_from_one"),
        CheckConstraint("(status = 'DECIDED') = (outcome IS NOT NULL)", name="decided_has_an_outcome"),
        Index("ix_agenda_item_target_id", "target_id"),
    )

    meeting_id: Mapped[Id] = mapped_column(ForeignKey("board_meeting.id"))
    position: Mapped[int]
    target_type: Mapped[Code]
    target_id: Mapped[Login]
    target_number: Mapped[Code]
    target_hash: Mapped[Hash | None]
    status: Mapped[ItemStatus] = word(ItemStatus, "status", default=ItemStatus.OPEN)
    outcome: Mapped[Outcome | None] = word(Outcome, "outcome")
    note: Mapped[Text] = mapped_column(default="")

    meeting: Mapped[Meeting] = relationship(back_populates="items")

    @property
    def number(self) -> str:
        """The document's number."""
        return self.target_number


def move_meeting(act: Act, meeting: Meeting, to: MeetingStatus, *, reason: str | None = None) -> Meeting:
    """Move a meeting. Raises: Conflict ILLEGAL_TRANSITION; RuleViolation UNSIGNED for minutes that its chair did not sign."""
    with act.session.no_autoflush:
        move_along(act, meeting, to, transitions=TRANSITIONS, reason=reason)
        if to is MeetingStatus.OPEN:
            meeting.opened_at = act.now
        elif to is MeetingStatus.CLOSED:
            meeting.closed_at = act.now
    act.session.flush()
    return meeting


def meetings_of(session: Session, board: Board) -> list[Meeting]:
    """Return the meetings of a board, newest first."""
    wanted = select(Meeting).where(Meeting.board_id == board.id)
    return list(session.scalars(wanted.order_by(Meeting.starts_at.desc(), Meeting.number.desc())))


def next_meeting(session: Session, board: Board) -> Meeting | None:
    """Return the meeting that is open, or else the next one planned."""
    waiting = [one for one in meetings_of(session, board) if one.status in (MeetingStatus.OPEN, MeetingStatus.PLANNED)]
    waiting.sort(key=lambda one: (one.status is not MeetingStatus.OPEN, one.starts_at))
    return waiting[0] if waiting else None
