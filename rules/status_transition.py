"""The listed transitions, as rows that the triggers read. Written when the guard is installed, sealed from then on."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from engine.database import Base
from records.columns import Code


class StatusTransition(Base):
    """One legal move of one kind of document."""

    __tablename__ = "status_transition"

    record_type: Mapped[Code] = mapped_column(primary_key=True)
    from_status: Mapped[Code] = mapped_column(primary_key=True)
    to_status: Mapped[Code] = mapped_column(primary_key=True)
