"""The history of a document: its decisions, its signatures, and its chain with the proof that it is whole."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from engine.audit import AuditEvent, chain_of, verify_chain
from engine.decisions import Decision
from engine.decisions import of_record as decisions_on
from records.signature import Signature
from records.signing import signatures_on
from webapp import filters, formats
from webapp.formats import words
from webapp.naming import name_of_id

MOST_EVENTS = 400
DIGEST = re.compile(r"[0-9a-f]{64}")
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
CODES = frozenset({"status", "priority", "type", "origin"})
"""Fields whose values are codes, which the page says in words."""
VERBS = {
    "INSERT": "set", "UPDATE": "changed", "DELETE": "removed", "REFUSED": "was refused", "SIGNED": "signed",
    "SIGNATURE_SUPERSEDED": "a signature was superseded", "MOVED": "moved it", "SIGNED_IN": "signed in",
    "SIGNED_OUT": "signed out", "INSTANCE_STARTED": "started the process", "DECIDED": "decided",
    "LEGAL_HOLD_PLACED": "placed a hold:", "LEGAL_HOLD_LIFTED": "lifted a hold:", "TABLE_ADOPTED": "adopted the table:",
    "TABLE_FOUND": "took up the installed table:", "RELEASED": "released", "DRAFTED": "stored a draft of",
    "KEY_MADE": "made a key", "KEY_REVOKED": "revoked a key",
    "RETURNED": "returned it to",
    "APPROVAL_STANDS": "an earlier approval stands:", "PASSWORD_SET": "set a password", "CERTIFIED": "certified their signature:",
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
    """Everything that was done to a document, newest first. chain_words: whether the chain is whole; about: whose it is."""

    decisions: Sequence[Decision]
    signatures: Sequence[Signature]
    events: Sequence[Event]
    chain_words: str
    about: tuple[str, str] = ("", "")


def ledger_of(session: Session, record_type: str, record_id: str) -> Ledger:
    """Return the history of a record; its chain is verified row by row."""
    rows = chain_of(session, record_type, record_id)
    broken = verify_chain(
        [{column.key: getattr(row, column.key) for column in AuditEvent.__table__.columns} for row in rows]
    )
    whole = f"{len(rows)} rows, unbroken" if broken is None else f"Broken at row {broken}: somebody altered it"
    return Ledger(
        decisions_on(session, record_type, record_id)[::-1],
        signatures_on(session, record_type, record_id)[::-1],
        [event_of(session, row) for row in rows[: -MOST_EVENTS - 1 : -1]],
        whole,
        (record_type, record_id),
    )


def event_of(session: Session, row: AuditEvent) -> Event:
    """Return one row of a chain in words."""
    verb = VERBS.get(row.action, words(row.action).lower())
    said = f"{verb} {words(row.field.removesuffix('_id')).lower()}" if row.field else verb
    old, new = (_short(session, row, text) for text in (row.old, row.new))
    return Event(row.seq, row.at, row.actor, said, old, new, row.reason, row.hash)


def _short(session: Session, row: AuditEvent, text: str | None) -> str | None:
    """Return a value as the page shows it: an id by what it stands for, a digest by its first digits, a code in words."""
    if text is None:
        return None
    field = row.field
    if field and (name := name_of_id(session, row.record_type, field, text)) is not None:
        return name
    if DIGEST.fullmatch(text):
        return text[:12]
    if INSTANT.fullmatch(text):
        return formats.instant(dt.datetime.fromisoformat(text), filters.customs())
    shown = words(text) if field in CODES else DIGEST.sub(lambda found: found[0][:12], text)
    return shown if len(shown) <= 200 else f"{shown[:200]}…"
