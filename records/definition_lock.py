"""Whether processes and their tables are under change control: once they are, they stay so."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session

from engine.database import Base, Instant
from engine.record import Record
from records.columns import Code, Login, Text

DEFINITIONS = "definitions"


class DefinitionLock(Record, Base):
    """The day from which a process is released by a signed change order alone. Written once, never taken back."""

    __tablename__ = "definition_lock"
    __table_args__ = (UniqueConstraint("scope"),)

    scope: Mapped[Code]
    reason: Mapped[Text]
    locked_by: Mapped[Login]
    locked_at: Mapped[Instant]

    @property
    def number(self) -> str:
        """What is locked."""
        return self.scope


def lock_of(session: Session, scope: str = DEFINITIONS) -> DefinitionLock | None:
    """Return the lock of a scope, or None while it is open."""
    return session.scalar(select(DefinitionLock).where(DefinitionLock.scope == scope))
