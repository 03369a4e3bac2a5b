"""How strictly a flow is guarded: observe, advise or enforce. The row is guarded itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.answers import once
from engine.canonical import content_hash
from engine.database import Base, Id
from engine.errors import Effect, Finding
from engine.record import Record
from records.columns import Code, Hash, Login, Text, word
from records.transition import move_along, pairs


class Mode(StrEnum):
    """OBSERVE writes findings and lets pass; ADVISE also shows them as warnings; ENFORCE refuses."""

    OBSERVE = "OBSERVE"
    ADVISE = "ADVISE"
    ENFORCE = "ENFORCE"


FLOWS = (
    "amend_order",
    "change_control",
    "order_to_close",
    "outside_processing",
    "requisition_to_po",
    "work_orders",
)
"""The flows that have a mode. A flow without a row is enforced."""


class FlowMode(Record, Base):
    """The mode of one flow. Ships ENFORCE; it changes only by an approved change item, and is never deleted."""

    __tablename__ = "flow_mode"
    __table_args__ = (UniqueConstraint("flow"),)

    flow: Mapped[Code]
    mode: Mapped[Mode] = word(Mode, "mode", default=Mode.ENFORCE)


def mode_of(session: Session, flow: str) -> Mode:
    """Return the mode of a flow."""
    return once(session, ("mode", flow), lambda: _kept_mode(session, flow) or Mode.ENFORCE)


def _kept_mode(session: Session, flow: str) -> Mode | None:
    return session.scalar(select(FlowMode.mode).where(FlowMode.flow == flow))


FLOW_OF = {
    "purchase_order_amendment": "amend_order",
    "outside_link": "outside_processing", "outside_movement": "outside_processing", "outside_serial": "outside_processing",
    "receipt": "order_to_close", "inspection": "order_to_close", "certificate": "order_to_close", "invoice": "order_to_close",
    "invoice_line": "order_to_close", "match_result": "order_to_close", "match_hold": "order_to_close",
    "payable": "order_to_close",
    "work_order": "work_orders", "work_order_operation": "work_orders", "actual": "work_orders",
}  # fmt: skip
"""Which flow's mode counts for what the laws say about a kind of record; purchasing's for any other."""

INTEGRITY = frozenset({"ILLEGAL_TRANSITION", "UNSIGNED", "SIGNED"})
"""Rules that no mode loosens: they keep statuses and signatures true."""


def lenient(session: Session, findings: Sequence[Finding], flow: str) -> list[Finding]:
    """Return findings as the mode of a flow weighs them: whatever is not enforced only warns."""
    if all(finding.effect is Effect.WARN for finding in findings) or mode_of(session, flow) is Mode.ENFORCE:
        return list(findings)
    return [finding if finding.rule in INTEGRITY else replace(finding, effect=Effect.WARN) for finding in findings]


class SwitchStatus(StrEnum):
    """The life of one switch of a mode."""

    PROPOSED = "PROPOSED"
    APPLIED = "APPLIED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"


SWITCH_TRANSITIONS = pairs("PROPOSED>APPLIED|REFUSED|WITHDRAWN", SwitchStatus)


class ModeSwitch(Record, Base):
    """One switch of a flow's mode: who wants it and why; two people sign it before it is applied. Its content never changes.

    approved_hash: of the content, set when it is made; its change item opens the guarded row of the mode once.
    """

    __tablename__ = "mode_switch"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("from_mode <> to_mode", name="another_mode"),
        Index("ix_mode_switch_flow_mode_id", "flow_mode_id"),
    )

    number: Mapped[Code]
    flow_mode_id: Mapped[Id] = mapped_column(ForeignKey("flow_mode.id"))
    flow: Mapped[Code]
    from_mode: Mapped[Mode] = word(Mode, "from_mode")
    to_mode: Mapped[Mode] = word(Mode, "to_mode")
    reason: Mapped[Text]
    requested_by: Mapped[Login]
    approved_hash: Mapped[Hash]
    status: Mapped[SwitchStatus] = word(SwitchStatus, "status", default=SwitchStatus.PROPOSED)

    flow_mode: Mapped[FlowMode] = relationship()


def switch_hash(switch: ModeSwitch) -> str:
    """Return the hash of what the signatures of a switch approve."""
    return content_hash(
        {
            "number": switch.number, "flow": switch.flow, "from_mode": switch.from_mode.value,
            "to_mode": switch.to_mode.value, "reason": switch.reason, "requested_by": switch.requested_by,
        }
    )  # fmt: skip


def move_switch(act: Act, switch: ModeSwitch, to: SwitchStatus, *, reason: str | None = None) -> ModeSwitch:
    """Move a switch. Raises: Conflict ILLEGAL_TRANSITION."""
    move_along(act, switch, to, transitions=SWITCH_TRANSITIONS, reason=reason)
    return switch


def switches_of(session: Session, flow: str | None = None) -> list[ModeSwitch]:
    """Return the switches of a flow, or of all, newest first."""
    wanted = select(ModeSwitch).order_by(ModeSwitch.created_at.desc(), ModeSwitch.number.desc())
    return list(session.scalars(wanted if flow is None else wanted.where(ModeSwitch.flow == flow)))
