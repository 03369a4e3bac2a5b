"""The history of a document: its decisions, its signatures, and its chain with the proof that it is whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from engine.audit import AuditEvent, chain_of, verify_chain
from engine.decisions import Decision
from engine.decisions import of_record as decisions_on
from records.signature import Signature
from records.signing import signatures_on
from webapp.formats import words

MOST_EVENTS = 400
VERBS = {
    "INSERT": "set", "UPDATE": "changed", "DELETE": "removed", "REFUSED": "was refused", "SIGNED": "signed",
    "SIGNATURE_SUPERSEDED": "a signature was superseded", "MOVED": "moved it", "SIGNED_IN": "signed in",
    "SIGNED_OUT": "signed out", "INSTANCE_STARTED": "started the process", "DECIDED": "decided",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the chain in words."""

    seq: int
    at: dt.datetime
    actor: str
    words: str
    old: str | None
    new: str | None
    reason: str | None
    hash: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that was done to a document, newest first. chain_words: whether the chain is whole."""

    decisions: Sequence[Decision]
    signatures: Sequence[Signature]
    events: Sequence[Event]
    chain_words: str


def ledger_of(session: Session, record_type: str, record_id: str) -> Ledger:
    """Return the history of a record; its chain is verified row by row."""
    rows = chain_of(session, record_type, record_id)
    broken = verify_chain([{key: getattr(row, key) for key in row.__mapper__.columns.keys()} for row in rows])
    whole = f"{len(rows)} rows, unbroken" if broken is None else f"Broken at row {broken}: somebody altered it"
    return Ledger(
        decisions_on(session, record_type, record_id)[::-1],
        signatures_on(session, record_type, record_id)[::-1],
        [_event(row) for row in rows[: -MOST_EVENTS - 1 : -1]],
        whole,
    )


def _event(row: AuditEvent) -> Event:
    verb = VERBS.get(row.action, words(row.action).lower())
    said = f"{verb} {words(row.field).lower()}" if row.field else verb
    return Event(row.seq, row.at, row.actor, said, _short(row.old), _short(row.new), row.reason, row.hash)


def _short(text: str | None) -> str | None:
    return None if text is None else text if len(text) <= 200 else f"{text[:200]}…"
