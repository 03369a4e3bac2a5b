"""Quality clauses: the texts that flow down to a supplier with an order line."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.database import Base
from engine.record import Record
from records.columns import Code, Name, Text


class QualityClause(Record, Base):
    """One revision of a clause.

    Which clauses a line gets is decided by rule; the buyer adds, but never removes mandatory ones.
    """

    __tablename__ = "quality_clause"
    __table_args__ = (UniqueConstraint("code", "rev"),)

    code: Mapped[Code]
    rev: Mapped[Code]
    title: Mapped[Name]
    text: Mapped[Text]
    is_mandatory: Mapped[bool] = mapped_column(default=True)
    is_active: Mapped[bool] = mapped_column(default=True)

    @property
    def number(self) -> str:
        """Code and revision as they stand on order lines, ``Q05@2``."""
        return f"{self.code}@{self.rev}"
