"""How strictly a flow is guarded: observe, advise or enforce. The row is guarded itself."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session

from engine.database import Base
from engine.record import Record
from records.columns import Code, word


class Mode(StrEnum):
    """OBSERVE writes findings and lets pass; ADVISE also shows them as warnings; ENFORCE refuses."""

    OBSERVE = "OBSERVE"
    ADVISE = "ADVISE"
    ENFORCE = "ENFORCE"


FLOWS = ("change_control", "requisition_to_po")
"""The flows that have a mode. A flow without a row is enforced."""


class FlowMode(Record, Base):
    """The mode of one flow. Ships ENFORCE; it changes only by an approved change item, and is never deleted."""

    __tablename__ = "flow_mode"
    __table_args__ = (UniqueConstraint("flow"),)

    flow: Mapped[Code]
    mode: Mapped[Mode] = word(Mode, "mode", default=Mode.ENFORCE)


def mode_of(session: Session, flow: str) -> Mode:
    """Return the mode of a flow."""
    return session.scalar(select(FlowMode.mode).where(FlowMode.flow == flow)) or Mode.ENFORCE
