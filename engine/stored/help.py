"""Help with a task: a question to somebody, or the task lent to somebody who works on it and gives it back."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.database import Base, Id, Instant, new_id


class HelpKind(StrEnum):
    """What was asked for: words, or work."""

    QUESTION = "QUESTION"
    DELEGATION = "DELEGATION"


class TaskHelp(Base):
    """One question or delegation beside a task. Its answer moves no flow; who decides the task stays the same.

    asked_by, asked: user ids. taken_back: the asker ended it, or the task closed, before there was an answer.
    """

    __tablename__ = "task_help"
    __table_args__ = (
        Index("ix_task_help_task_id", "task_id"),
        Index("ix_task_help_asked_answered_at", "asked", "answered_at"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    task_id: Mapped[Id] = mapped_column(ForeignKey("task.id"))
    kind: Mapped[str] = mapped_column(String(20))
    asked_by: Mapped[str] = mapped_column(String(60))
    asked: Mapped[str] = mapped_column(String(60))
    question: Mapped[str] = mapped_column(String(4000))
    asked_at: Mapped[Instant]
    answer: Mapped[str] = mapped_column(String(4000), default="")
    answered_at: Mapped[Instant | None]
    taken_back: Mapped[bool] = mapped_column(default=False)

    @property
    def is_open(self) -> bool:
        """Whether an answer is still expected."""
        return self.answered_at is None and not self.taken_back
