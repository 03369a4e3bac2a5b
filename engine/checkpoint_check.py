"""Check the checkpoints: their signatures, their own chain, and that every chain still goes through the heads they saw.

A chain whose last rows were cut off, one that was written anew with other hashes, and one that was removed with its record fold
well; only what was signed, and what left the host, tells of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from engine import merkle
from engine.audit import GENESIS, AuditEvent
from engine.canonical import canonical
from engine.checkpoint_key import is_signed
from engine.checkpoints import known_keys, leaf_hashes, stated, statement_of
from engine.database import is_id
from engine.decisions import Decision
from engine.stored.checkpoint import Checkpoint, CheckpointKey, CheckpointLeaf
from engine.verification import Break

MOST = 1_000
"""Heads that are missed, which one run names; more of them say nothing new."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What a verifier believes from outside the database. keys: public keys by id; receipts: what was delivered, by file name.

    Without keys the database's own are taken, which its owner could have made up.
    """

    keys: Mapping[str, str]
    receipts: Mapping[str, Any]


def check(session: Session, trust: Trust) -> Iterator[Break]:
    """Yield every break of the checkpoints, and every chain that does not go through a head that one of them saw."""
    made = list(session.scalars(select(Checkpoint).order_by(Checkpoint.number)))
    keys = trust.keys or known_keys(session)
    previous = GENESIS
    for position, checkpoint in enumerate(made, start=1):
        if checkpoint.number != position:
            yield _about(position, "Expected this checkpoint to be there, but somebody removed it.")
            break
        yield from _broken(session, checkpoint, previous, keys, is_trusted=bool(trust.keys))
        previous = checkpoint.hash
    if not made:
        yield from _all_removed(session)
    yield from _against_receipts(made, trust)
    yield from _missed_heads(session)


def _all_removed(session: Session) -> Iterator[Break]:
    """Yield that no checkpoint is left where the chain tells of a key: each is made together with the first that it signs."""
    row = AuditEvent
    made = session.scalars(
        select(row)
        .where(row.record_type == CheckpointKey.__tablename__, row.action == "KEY_MADE")
        .order_by(row.at)
        .limit(1)
    ).first()
    if made is not None:
        since = f"{made.at:%Y-%m-%d %H:%M} UTC"
        yield _about(
            1, f"Expected what the key {made.record_id} signed since {since}, but somebody removed every checkpoint."
        )


def _about(number: int, sentence: str) -> Break:
    return Break("checkpoint", str(number), None, sentence)


def _broken(
    session: Session, checkpoint: Checkpoint, previous: str, keys: Mapping[str, str], *, is_trusted: bool
) -> Iterator[Break]:
    number, said = checkpoint.number, statement_of(checkpoint)
    if checkpoint.key_id not in keys:
        where = "among the keys you trust" if is_trusted else "in the database"
        yield _about(number, f"Expected a key that is known, but {checkpoint.key_id}, which signed it, is not {where}.")
    elif not is_signed(keys[checkpoint.key_id], said, checkpoint.signature):
        yield _about(number, f"Expected the signature of the key {checkpoint.key_id}, but it is not on this content.")
    if checkpoint.hash != hashlib.sha256(said).hexdigest():
        yield _about(number, "Expected the hash of its content, but it is another: somebody altered it.")
    if checkpoint.previous != previous:
        yield _about(number, f"Expected it to follow checkpoint {number - 1} as it is, but it followed another one.")
    leaves = leaf_hashes(session, number)
    if len(leaves) != checkpoint.leaves or merkle.root(leaves) != checkpoint.root:
        sentence = f"Expected {checkpoint.leaves} heads under its root, but the {len(leaves)} kept make another one."
        yield _about(number, sentence)


def _against_receipts(made: Sequence[Checkpoint], trust: Trust) -> Iterator[Break]:
    """Compare the database with what left the host; what only the receipts know was removed here."""
    known = {checkpoint.number: checkpoint for checkpoint in made}
    for name, receipt in trust.receipts.items():
        told = _stated(receipt)
        if told is None:
            yield Break("checkpoint", name, None, "Expected the receipt of a checkpoint in this file, but it is none.")
            continue
        number = int(told["number"])
        checkpoint = known.get(number)
        if checkpoint is None:
            yield _about(number, f"Expected it as {name} tells of it, but somebody removed it from the database.")
        elif {name: canonical(value) for name, value in told.items()} != _as_stated(checkpoint):
            yield _about(number, f"Expected it as {name} tells of it, but the database has another one.")


def _stated(receipt: Any) -> Mapping[str, Any] | None:
    told = receipt.get("statement") if isinstance(receipt, dict) else None
    return told if isinstance(told, dict) and type(told.get("number")) is int else None


def _as_stated(checkpoint: Checkpoint) -> dict[str, str | None]:
    return {name: canonical(value) for name, value in stated(checkpoint).items()}


def _missed_heads(session: Session) -> Iterator[Break]:
    """Yield the chains without a head that a checkpoint saw, each once, with the first row concerned."""
    told: set[tuple[str, str]] = set()
    for head in (*_audit_heads_missed(session), *_decision_heads_missed(session)):
        about = (head.record_type, head.record_id)
        if about not in told:
            told.add(about)
            yield _missed(session, head)


def _audit_heads_missed(session: Session) -> Iterable[Row[Any]]:
    leaf, event = CheckpointLeaf, AuditEvent
    same = and_(event.record_type == leaf.record_type, event.record_id == leaf.record_id, event.seq == leaf.seq)
    wanted = (
        select(leaf.number, leaf.record_type, leaf.record_id, leaf.seq, event.hash.label("found"))
        .outerjoin(event, same)
        .where(leaf.record_type != Decision.__tablename__, or_(event.hash.is_(None), event.hash != leaf.hash))
        .order_by(leaf.record_type, leaf.record_id, leaf.seq)
        .limit(MOST)
    )
    return session.execute(wanted)


def _decision_heads_missed(session: Session) -> Iterable[Row[Any]]:
    leaf, row = CheckpointLeaf, Decision
    same = and_(cast(row.instance_id, leaf.record_id.type) == leaf.record_id, row.seq == leaf.seq)
    wanted = (
        select(leaf.number, leaf.record_type, leaf.record_id, leaf.seq, row.hash.label("found"))
        .outerjoin(row, same)
        .where(leaf.record_type == Decision.__tablename__, or_(row.hash.is_(None), row.hash != leaf.hash))
        .order_by(leaf.record_id, leaf.seq)
        .limit(MOST)
    )
    return session.execute(wanted)


def _missed(session: Session, head: Row[Any]) -> Break:
    """Say of one missed head what became of its chain."""
    seen = f"Expected row {head.seq} as checkpoint {head.number} saw it"
    if head.found is not None:
        return Break(head.record_type, head.record_id, head.seq, f"{seen}, but the chain was written anew.")
    last = _last_row(session, head)
    if last is None:
        return Break(head.record_type, head.record_id, 1, f"{seen}, but the whole chain was removed.")
    sentence = f"{seen}, but the chain ends with row {last}: its last rows were cut off."
    return Break(head.record_type, head.record_id, last + 1, sentence)


def _last_row(session: Session, head: Row[Any]) -> int | None:
    if head.record_type == Decision.__tablename__:
        wanted = select(func.max(Decision.seq)).where(Decision.instance_id == head.record_id)
        return session.scalar(wanted) if is_id(head.record_id) else None
    return session.scalar(
        select(func.max(AuditEvent.seq)).where(
            AuditEvent.record_type == head.record_type, AuditEvent.record_id == head.record_id
        )
    )
