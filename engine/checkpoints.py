"""Checkpoints: now and then the heads of all chains that grew are put into one Merkle tree, and its root is signed.

No writer ever waits for one. The database notes each event that is written (``unsealed_event``), in the same transaction; a
checkpoint covers what is committed, and takes exactly the notes that it read. An act that is committed later than it was
written is covered by the next one. A checkpoint holds the hash of the one before, so they are a chain themselves.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, text, tuple_
from sqlalchemy.orm import Session

from engine import bulk, merkle
from engine.act import Act
from engine.audit import GENESIS, AuditEvent
from engine.canonical import canonical_json
from engine.checkpoint_key import SigningKey
from engine.stored.checkpoint import Checkpoint, CheckpointKey, CheckpointLeaf, UnsealedEvent
from engine.stored.instance import Instance

LOCK = 0x10C5EA1
"""The PostgreSQL advisory lock under which one checkpoint is made at a time; whoever else comes leaves it."""

AT_ONCE = 500
"""Chains whose heads one statement asks for."""

Head = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What no checkpoint covers yet. events: how many; since: when the oldest was written."""

    events: int
    since: dt.datetime | None
    is_first: bool


def unsealed(session: Session) -> Unsealed:
    """Return what waits for a checkpoint. One small query; before the first checkpoint everything waits."""
    wanted = select(func.count(), func.min(UnsealedEvent.written_at))
    events, since = session.execute(wanted).one()
    is_first = bool(events) and session.scalar(select(Checkpoint.number).limit(1)) is None
    return Unsealed(int(events), since, is_first)


def last(session: Session) -> Checkpoint | None:
    """Return the newest checkpoint."""
    return session.scalar(select(Checkpoint).order_by(Checkpoint.number.desc()).limit(1))


def known_keys(session: Session) -> dict[str, str]:
    """Return the public keys that the database knows, by id, oldest first."""
    wanted = select(CheckpointKey.id, CheckpointKey.public_key).order_by(CheckpointKey.known_since, CheckpointKey.id)
    return {row.id: row.public_key for row in session.execute(wanted)}


def know(act: Act, key: SigningKey) -> None:
    """Let the database know a key, with an event of its own in the chain."""
    if key.id not in known_keys(act.session):
        row = CheckpointKey(id=key.id, public_key=key.public_key, known_since=act.now, made_by=act.actor)
        act.session.add(row)
        act.session.flush()
        act.note("checkpoint_key", key.id, "KEY_MADE", new=key.public_key)


def make(act: Act, key: SigningKey, *, whole: bool = False) -> Checkpoint | None:
    """Make a checkpoint over every chain that grew since the last one; None when there is none, or somebody makes one now.

    whole: over every chain there is, as the first one always is. The database must know the key.
    """
    session = act.session
    if not _alone(session):
        return None
    before = last(session)
    waiting = session.execute(select(UnsealedEvent.id, UnsealedEvent.record_type, UnsealedEvent.record_id)).all()
    if not waiting and not whole:
        return None
    grown = None if whole or before is None else {(row.record_type, row.record_id) for row in waiting}
    heads = sorted([*_heads(session, grown), *_decision_heads(session, grown)])
    made = _sign(act, key, heads, before)
    bulk.insert_now(session, CheckpointLeaf, [_leaf_row(made.number, at, head) for at, head in enumerate(heads)])
    for some in _batches([row.id for row in waiting]):
        session.connection().execute(delete(UnsealedEvent).where(UnsealedEvent.id.in_(some)))
    return made


def statement_of(checkpoint: Checkpoint) -> bytes:
    """Return what a checkpoint's signature is on: canonical JSON."""
    return canonical_json(stated(checkpoint))


def stated(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what a checkpoint says."""
    return {
        "number": checkpoint.number, "made_at": checkpoint.made_at, "leaves": checkpoint.leaves,
        "root": checkpoint.root, "previous": checkpoint.previous, "key": checkpoint.key_id,
    }  # fmt: skip


def leaf_of(record_type: str, record_id: str, seq: int, row_hash: str) -> bytes:
    """Return the leaf that stands for the head of a chain: canonical JSON of a list."""
    return canonical_json([record_type, record_id, seq, row_hash])


def leaf_hashes(session: Session, number: int) -> list[bytes]:
    """Return the hashes of a checkpoint's leaves, in their order."""
    leaf = CheckpointLeaf.__table__.c
    wanted = select(leaf.record_type, leaf.record_id, leaf.seq, leaf.hash).where(leaf.number == number)
    rows = session.connection().execute(wanted.order_by(leaf.position))
    return [merkle.leaf_hash(leaf_of(*row)) for row in rows]


def _alone(session: Session) -> bool:
    """Say whether nobody else makes a checkpoint now; on SQLite an act is alone as it is."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        return True
    return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}))


def _heads(session: Session, grown: Iterable[tuple[str, str]] | None) -> list[Head]:
    """Return the last committed row of each chain. grown: which chains; None for all of them."""
    event = AuditEvent.__table__.c
    about = (event.record_type, event.record_id)
    tops = select(*about, func.max(event.seq).label("seq")).group_by(*about)
    asked = [tops] if grown is None else [tops.where(tuple_(*about).in_(some)) for some in _batches(sorted(grown))]
    found: list[Head] = []
    for query in asked:
        top = query.subquery()
        is_top = (
            (event.record_type == top.c.record_type) & (event.record_id == top.c.record_id) & (event.seq == top.c.seq)
        )
        rows = session.connection().execute(select(*about, event.seq, event.hash).join(top, is_top))
        found += [(row.record_type, row.record_id, row.seq, row.hash) for row in rows]
    return found


def _decision_heads(session: Session, grown: Iterable[tuple[str, str]] | None) -> list[Head]:
    """Return the heads of the chains of decisions, which their instances keep; an act that decides writes to its instance's chain."""
    wanted = select(Instance.id, Instance.decision_seq, Instance.decision_hash).where(Instance.decision_seq > 0)
    ids = None if grown is None else sorted(record_id for record_type, record_id in grown if record_type == "instance")
    asked = [wanted] if ids is None else [wanted.where(Instance.id.in_(some)) for some in _batches(ids)]
    rows = [row for query in asked for row in session.connection().execute(query)]
    return [("decision", str(row[0]), row[1], row[2]) for row in rows]


def _sign(act: Act, key: SigningKey, heads: Sequence[Head], before: Checkpoint | None) -> Checkpoint:
    made = Checkpoint(
        number=before.number + 1 if before is not None else 1, made_at=act.now, leaves=len(heads),
        root=merkle.root([merkle.leaf_hash(leaf_of(*head)) for head in heads]),
        previous=before.hash if before is not None else GENESIS, key_id=key.id,
    )  # fmt: skip
    said = statement_of(made)
    made.signature, made.hash = key.sign(said), hashlib.sha256(said).hexdigest()
    act.session.add(made)
    act.session.flush()
    return made


def _leaf_row(number: int, position: int, head: Head) -> dict[str, Any]:
    names = ("record_type", "record_id", "seq", "hash")
    return {"number": number, "position": position, **dict(zip(names, head, strict=True))}


def _batches(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[at : at + AT_ONCE] for at in range(0, len(items), AT_ONCE))
