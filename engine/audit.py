"""The audit chain: append-only, one hash chain per record, written in the act that causes it.

Events collect in the act and are written in one statement; the head of a chain is read once per act. Row ``seq``
counts from 1 without gaps; ``hash`` is the SHA-256 of the canonical JSON of the row with ``prev_hash``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Index, UniqueConstraint, bindparam, func, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine import bulk
from engine.canonical import canonical, flat_hash
from engine.database import Base, Id, Instant, new_id
from engine.record import Edit

if TYPE_CHECKING:
    from engine.act import Act

GENESIS = "0" * 64
"""The previous hash of the first row of a chain."""


class AuditEvent(Base):
    """One row of the history of one record (instances included). Never updated, never deleted."""

    __tablename__ = "audit_event"
    __table_args__ = (
        UniqueConstraint("record_type", "record_id", "seq"),
        Index("ix_audit_event_at", "at"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    record_type: Mapped[str]
    record_id: Mapped[str]
    seq: Mapped[int]
    action: Mapped[str]
    field: Mapped[str | None]
    old: Mapped[str | None]
    new: Mapped[str | None]
    actor: Mapped[str]
    actor_kind: Mapped[str]
    on_behalf_of: Mapped[str | None]
    reason: Mapped[str | None]
    act_id: Mapped[Id]
    instance_id: Mapped[str | None]
    task_id: Mapped[str | None]
    at: Mapped[Instant]
    prev_hash: Mapped[str]
    hash: Mapped[str]


HASHED = (
    "record_type", "record_id", "seq", "action", "field", "old", "new", "actor", "actor_kind", "on_behalf_of", "reason",
    "act_id", "instance_id", "task_id", "at", "prev_hash",
)  # fmt: skip


KINDS = {"user": "USER", "adapter": "ADAPTER"}
"""Kind of actor by the first word of the principal; anything else is the system."""


DECISIONS = "decisions of"
"""Among the heads of an act: the chain of an instance's decisions, beside the one of its events."""


class ChainOwner(Protocol):
    """A mapped row that keeps the head of its own chain, so that no act has to look it up."""

    audit_seq: int
    audit_hash: str


_LAST = (
    select(AuditEvent.seq, AuditEvent.hash)
    .where(AuditEvent.record_type == bindparam("wanted_type"), AuditEvent.record_id == bindparam("wanted_id"))
    .order_by(AuditEvent.seq.desc())
    .limit(1)
)

FEW = 8
"""Heads of so many chains are looked up one by one: that is quicker than building one statement for all of them."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A refused attempt that belongs in the chain of a record."""

    record_type: str
    record_id: str
    code: str
    message: str


def append(
    act: Act,
    record_type: str,
    record_id: str,
    action: str,
    *,
    field: str | None = None,
    old: Any = None,
    new: Any = None,
    reason: str | None = None,
    subject: str | None = None,
) -> None:
    """Queue one event of a record's chain; it is written with the act.

    subject: what it is about within its record; told to listeners, and no part of the chain.
    """
    act.session.info.setdefault("audit", []).append(
        {
            "id": new_id(),
            "record_type": record_type,
            "record_id": str(record_id),
            "action": action,
            "field": field,
            "old": canonical(old),
            "new": canonical(new),
            "actor": act.actor,
            "actor_kind": KINDS.get(act.actor.partition(":")[0], "SYSTEM"),
            "on_behalf_of": act.on_behalf_of,
            "reason": reason if reason is not None else act.reason,
            "act_id": act.id,
            "instance_id": act.instance_id,
            "task_id": act.task_id,
            "at": act.now,
            "subject": subject,
        }
    )


def append_edit(act: Act, edit: Edit) -> None:
    """Queue the events of one edit: a row for each field that it changes."""
    for name, old, new in edit.texts():
        append(
            act,
            edit.record_type,
            edit.record.id,
            edit.operation.value,
            field=name,
            old=old,
            new=new,
        )


def keep(act: Act, attempt: Attempt) -> None:
    """Write a refused attempt, in an act of its own."""
    append(
        act,
        attempt.record_type,
        attempt.record_id,
        "REFUSED",
        field=attempt.code,
        new=attempt.message,
    )
    write(act)


def own_chain(act: Act, record_type: str, record_id: str, owner: ChainOwner) -> None:
    """Take a chain's head from the row that owns it; ``seat`` puts it back there. The row must be locked or new."""
    key = (record_type, record_id)
    act.chain_owners[key] = owner
    act.chain_heads.setdefault(key, (owner.audit_seq, owner.audit_hash))


def seat(act: Act) -> None:
    """Put the heads of chains into the rows that own them, when an act has nothing more to say: one UPDATE, not one a flush."""
    for key, owner in act.chain_owners.items():
        head = act.chain_heads.get(key)
        if head is not None and owner.audit_hash != head[1]:
            owner.audit_seq, owner.audit_hash = head
    for instance_id, instance in act.decided.items():
        head = act.chain_heads[DECISIONS, instance_id]
        if instance.decision_hash != head[1]:
            instance.decision_seq, instance.decision_hash = head


def chain(act: Act) -> None:
    """Give every queued event its place in its chain."""
    rows = [row for row in act.session.info.get("audit", ()) if "hash" not in row]
    if not rows:
        return
    missing = {(row["record_type"], row["record_id"]) for row in rows} - act.chain_heads.keys()
    act.chain_heads.update(_heads(act.session, missing))
    for row in rows:
        key = (row["record_type"], row["record_id"])
        seq, prev_hash = act.chain_heads.get(key, (0, GENESIS))
        row["seq"], row["prev_hash"] = seq + 1, prev_hash
        row["hash"] = row_hash(row)
        act.chain_heads[key] = (row["seq"], row["hash"])


def waiting(act: Act) -> list[dict[str, Any]]:
    """Return a copy of the events that are not written yet, to be put back when a savepoint is rolled back."""
    return [dict(row) for row in act.session.info.get("audit", ())]


def write(act: Act) -> None:
    """Chain and insert every queued event, and whatever else is queued."""
    chain(act)
    rows: list[dict[str, Any]] = act.session.info.pop("audit", [])
    bulk.add(act, AuditEvent, rows)
    bulk.write(act.session)
    if rows and (listeners := act.installation.registry.listeners):
        act.told += [row for row in rows if any(wanted(row) for wanted, _ in listeners)]


def is_taken(error: IntegrityError) -> bool:
    """Whether a place in a chain was taken by another act in the meantime."""
    text = str(error.orig)
    return AuditEvent.__tablename__ in text and ("seq" in text) and "unique" in text.lower()


def row_hash(row: dict[str, Any]) -> str:
    """Return the hash a chain row must have. row: column names to Python values."""
    return flat_hash({name: row[name] for name in HASHED})


def _heads(session: Session, keys: set[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, str]]:
    if len(keys) <= FEW:
        found = {}
        for record_type, record_id in keys:
            row = session.connection().execute(_LAST, {"wanted_type": record_type, "wanted_id": record_id}).first()
            if row is not None:
                found[record_type, record_id] = (row.seq, row.hash)
        return found
    table = AuditEvent.__table__
    record = tuple_(table.c.record_type, table.c.record_id)
    last = (
        select(table.c.record_type, table.c.record_id, func.max(table.c.seq).label("seq"))
        .where(record.in_(sorted(keys)))
        .group_by(table.c.record_type, table.c.record_id)
        .subquery()
    )
    wanted = select(table.c.record_type, table.c.record_id, table.c.seq, table.c.hash).join(
        last,
        (table.c.record_type == last.c.record_type)
        & (table.c.record_id == last.c.record_id)
        & (table.c.seq == last.c.seq),
    )
    return {(row.record_type, row.record_id): (row.seq, row.hash) for row in session.connection().execute(wanted)}


def verify_chain(rows: list[dict[str, Any]]) -> int | None:
    """Return the seq of the first broken row of one record's chain, in order of seq, or None when it is whole."""
    previous = GENESIS
    for position, row in enumerate(rows, start=1):
        if row["seq"] != position or row["prev_hash"] != previous or row["hash"] != row_hash(row):
            return position
        previous = row["hash"]
    return None


def chain_of(session: Session, record_type: str, record_id: str) -> list[AuditEvent]:
    """Return the history of a record, oldest first."""
    wanted = select(AuditEvent).where(AuditEvent.record_type == record_type, AuditEvent.record_id == record_id)
    return list(session.scalars(wanted.order_by(AuditEvent.seq)))
