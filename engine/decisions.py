"""Decisions: what a person judged, kept append-only in one hash chain per instance.

And what a table decided, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.audit import DECISIONS
from engine.canonical import flat_hash
from engine.database import Base, Document, Id, Instant, Listing, new_id
from engine.record import Judged

if TYPE_CHECKING:
    from engine.act import Act
    from engine.stored.instance import Instance


class DecisionKind(StrEnum):
    """A decision, or the entry that voids one."""

    DECISION = "DECISION"
    VOID = "VOID"


class Decision(Judged, Base):
    """A person's recorded verdict on a task. Never updated, never deleted; a VOID row takes another one's effect away.

    rule_row: the row of the table that asked for this person, as text. method: ``form``, or how it was signed.
    quorum_scope and slot: the multi-instance body and the place in it that this verdict counts for, or None.
    """

    __tablename__ = "decision"
    __table_args__ = (
        UniqueConstraint("instance_id", "seq"),
        Index("ix_decision_actor_id_decided_at_id", "actor_id", "decided_at", "id"),
        Index("ix_decision_record_type_record_id", "record_type", "record_id"),
        Index("ix_decision_task_id", "task_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    instance_id: Mapped[Id] = mapped_column(ForeignKey("instance.id"))
    seq: Mapped[int]
    kind: Mapped[str]
    voids_id: Mapped[Id | None] = mapped_column(ForeignKey("decision.id"))
    task_id: Mapped[Id | None] = mapped_column(ForeignKey("task.id"))
    element_id: Mapped[str]
    round: Mapped[int]
    quorum_scope: Mapped[int | None]
    slot: Mapped[int | None]
    record_type: Mapped[str | None]
    record_id: Mapped[str | None]
    record_hash: Mapped[str | None]
    definition_hash: Mapped[str]
    verdict: Mapped[str]
    meaning: Mapped[str | None]
    reason: Mapped[str]
    actor_id: Mapped[str]
    actor_name: Mapped[str]
    on_behalf_of_id: Mapped[str | None]
    role: Mapped[str | None]
    rule_row: Mapped[str | None]
    method: Mapped[str]
    decided_at: Mapped[Instant]
    prev_hash: Mapped[str]
    hash: Mapped[str]


class DecisionEvaluation(Base):
    """What a decision table answered in a flow: the inputs it saw, the rows that matched, the table's content hash."""

    __tablename__ = "decision_evaluation"
    __table_args__ = (Index("ix_decision_evaluation_instance_id", "instance_id"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    instance_id: Mapped[Id] = mapped_column(ForeignKey("instance.id"))
    element_id: Mapped[str]
    token_id: Mapped[int]
    decision_id: Mapped[str]
    table_hash: Mapped[str]
    inputs: Mapped[Document]
    rows: Mapped[Listing]
    output: Mapped[Listing]
    evaluated_at: Mapped[Instant]


HASHED = tuple(column.key for column in Decision.__table__.columns if column.key != "hash")


def append(act: Act, instance: Instance, decision: Decision) -> Decision:
    """Put a decision at the end of its instance's chain. The instance row is locked; it gets the chain's head as the act ends."""
    key = (DECISIONS, instance.id)
    seq, prev_hash = act.chain_heads.get(key, (instance.decision_seq, instance.decision_hash))
    decision.id = decision.id or new_id()
    decision.instance_id = instance.id
    decision.seq = seq + 1
    decision.prev_hash = prev_hash
    held = vars(decision)
    decision.hash = row_hash({name: held.get(name) for name in HASHED})
    act.chain_heads[key], act.decided[instance.id] = (decision.seq, decision.hash), instance
    act.session.add(decision)
    return decision


def row_hash(row: Mapping[str, Any]) -> str:
    """Return the hash a decision row must have. row: column names to Python values."""
    return flat_hash({name: row[name] for name in HASHED})


def of_instance(session: Session, instance_id: str) -> list[Decision]:
    """Return the decisions of an instance in the order in which they were made, voided ones and voids included."""
    return list(session.scalars(select(Decision).where(Decision.instance_id == instance_id).order_by(Decision.seq)))


def of_record(session: Session, record_type: str, record_id: str) -> list[Decision]:
    """Return every decision upon one business document, oldest first."""
    wanted = select(Decision).where(Decision.record_type == record_type, Decision.record_id == record_id)
    return list(session.scalars(wanted.order_by(Decision.decided_at, Decision.seq)))


def standing(session: Session, instance_id: str) -> Iterator[Decision]:
    """Yield the decisions of an instance that no later entry voids."""
    rows = of_instance(session, instance_id)
    voided = {row.voids_id for row in rows if row.kind == DecisionKind.VOID}
    return (row for row in rows if row.kind == DecisionKind.DECISION and row.id not in voided)


def void(act: Act, instance: Instance, decision: Decision, reason: str) -> Decision:
    """Take the effect of a decision away by a further row; nothing is deleted."""
    row = {name: getattr(decision, name) for name in HASHED}
    row.update(
        id=new_id(), kind=DecisionKind.VOID, voids_id=decision.id, reason=reason, method="void", decided_at=act.now
    )
    person = act.installation.directory and act.installation.directory.person(act.session, act.user_id or "")
    row.update(
        actor_id=act.user_id or act.actor, actor_name=person.name if person else act.user_id or act.actor,
        on_behalf_of_id=act.on_behalf_of, slot=None, quorum_scope=None,
    )  # fmt: skip
    return append(act, instance, Decision(**row))
