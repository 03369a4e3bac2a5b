"""The history of a document: its decisions, its signatures, and its chain with the proof that it is whole."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Boolean, Date, Enum
from sqlalchemy.orm import Session

from engine.audit import AuditEvent, chain_of, verify_chain
from engine.decisions import Decision
from engine.decisions import of_record as decisions_on
from records.signature import Signature
from records.signing import signatures_on
from webapp import formats, wording
from webapp.formats import words
from webapp.naming import name_of_id, type_of

MOST_EVENTS = 400
FEW = 3
DIGEST = re.compile(r"[0-9a-f]{64}")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
COMPUTED = re.compile(r"(\w+_)?(hash|seq|version)")
"""Fields that follow from others: many rows of them say nothing that the others do not."""
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
PEOPLE = re.compile(r"owner|\w+_by|originator")
"""Fields that hold a principal or a user id."""
LABELS = {"fai": "first article", "uom": "unit", "customer_approval_ref": "reference of the customer's approval"}
VERBS = {
    "INSERT": "set", "UPDATE": "changed", "DELETE": "removed", "REFUSED": "was refused", "SIGNED": "signed",
    "SIGNATURE_SUPERSEDED": "a signature was superseded", "MOVED": "moved it", "SIGNED_IN": "signed in",
    "SIGNED_OUT": "signed out", "INSTANCE_STARTED": "started the process", "DECIDED": "decided",
    "LEGAL_HOLD_PLACED": "placed a hold:", "LEGAL_HOLD_LIFTED": "lifted a hold:", "TABLE_ADOPTED": "adopted the table:",
    "TABLE_FOUND": "took up the installed table:", "RELEASED": "released", "DRAFTED": "stored a draft of",
    "WEBHOOK_MADE": "made it, with the", "WEBHOOK_CHANGED": "changed", "WEBHOOK_PAUSED": "paused it", "WEBHOOK_RESUMED": "resumed it",
    "WEBHOOK_ENDED": "ended it", "WEBHOOK_SECRET_ROTATED": "rotated its secret", "WEBHOOK_REPLAYED": "sent again",
    "KEY_MADE": "made a key", "KEY_REVOKED": "revoked a key",
    "RETURNED": "returned it to", "DECISION": "decided", "TASK_OPENED": "opened the task", "TASK_COMPLETED": "completed",
    "TASK_CANCELLED": "closed the task", "MESSAGE": "heard the message", "TIMER_FIRED": "reached the time of",
    "INSTANCE_COMPLETED": "ended the process at", "COVERED": "approved ahead", "EMERGENCY": "declared the emergency",
    "JOB_COMPLETED": "finished the work of", "JOB_THREW": "threw an error from", "SIGNAL": "heard the signal",
    "MESSAGE_DELETED": "deleted the message", "SIGNAL_HELD": "kept the signal for later:", "SUSPENDED": "suspended the run",
    "RESUMED": "let the run go on, suspended since", "TOKEN_MOVE": "moved a token to", "TOKEN_ADD": "let a token begin at",
    "TOKEN_CANCEL": "ended a token", "TOKEN_SET": "set", "MIGRATED": "moved it to another version of",
    "MIGRATION_REVERTED": "took the move to another version back", "RELOCATION": "ordered runs to be moved, of",
    "CHOSEN": "let begin, by choice,", "RETRIED": "tried again", "INCIDENT": "was stopped at", "INCIDENT_AGAIN": "was stopped again at",
    "INCIDENT_RESOLVED": "was helped on at", "LISTENER_FAILED": "could not tell the listener of",
    "TASK_CHANGE_DENIED": "was denied a change of", "TASK_CORRECTED": "had a listener correct",
    "APPROVAL_STANDS": "an earlier approval stands:", "PASSWORD_SET": "set a password", "CERTIFIED": "certified their signature:",
}  # fmt: skip

OF_RECORD = {("message", "MESSAGE"): "published", ("message", "MESSAGE_WAITS"): "left it waiting:"}
"""What an action is in the history of its own record."""


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
    label: str = ""
    is_value: bool = False
    is_computed: bool = False


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did to a document at once: one row of the chain, or several in one sentence. rows: newest first."""

    rows: Sequence[Event]
    words: str

    @property
    def is_single(self) -> bool:
        """Whether it is one row, which says everything itself."""
        return len(self.rows) == 1

    @property
    def places(self) -> str:
        """Which rows of the chain they are."""
        return f"rows {self.rows[-1].seq} to {self.rows[0].seq}"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was done to a document, newest first. chain_words: whether the chain is whole; about: whose it is.

    cut_words: how much of it this is, empty for everything.
    """

    decisions: Sequence[Decision]
    signatures: Sequence[Signature]
    deeds: Sequence[Deed]
    chain_words: str
    about: tuple[str, str] = ("", "")
    cut_words: str = ""


def ledger_of(session: Session, record_type: str, record_id: str, *, most: int = MOST_EVENTS) -> Ledger:
    """Return the history of a record; its chain is verified row by row. most: events, and decisions, that are shown."""
    rows = chain_of(session, record_type, record_id)
    broken = verify_chain(
        [{column.key: getattr(row, column.key) for column in AuditEvent.__table__.columns} for row in rows]
    )
    whole = (
        f"{formats.plural(len(rows), 'row')}, unbroken"
        if broken is None
        else f"Broken at row {broken}: somebody altered it"
    )
    decided = decisions_on(session, record_type, record_id)
    cut = [
        f"{formats.plural(most, one)} of {len(found):,}"
        for one, found in (("decision", decided), ("row", rows))
        if len(found) > most
    ]
    return Ledger(
        decided[: -most - 1 : -1],
        signatures_on(session, record_type, record_id)[::-1],
        deeds_of([event_of(session, row) for row in rows[: -most - 1 : -1]]),
        whole,
        (record_type, record_id),
        f"The newest {' and '.join(cut)}." if cut else "",
    )


def deeds_of(events: Sequence[Event]) -> list[Deed]:
    """Fold rows that say one thing together: values set in one act, and what was computed anew time after time."""
    folded: list[list[Event]] = []
    for event in events:
        if folded and _belongs(folded[-1][-1], event):
            folded[-1].append(event)
        else:
            folded.append([event])
    return [Deed(tuple(rows), _deed_words(rows)) for group in folded for rows in _unfolded(group)]


def _unfolded(rows: list[Event]) -> list[list[Event]]:
    """Keep few rows apart: they are read faster than opened."""
    return [[row] for row in rows] if len(rows) <= FEW else [rows]


def _belongs(last: Event, event: Event) -> bool:
    if last.is_computed and event.is_computed:
        return True
    if not (last.is_value and event.is_value) or last.is_computed != event.is_computed:
        return False
    return (last.actor, last.at, last.words.split(" ")[0]) == (event.actor, event.at, event.words.split(" ")[0])


def _deed_words(rows: Sequence[Event]) -> str:
    if len(rows) == 1:
        return rows[0].words
    if rows[0].is_computed:
        return f"{' and '.join(dict.fromkeys(row.label for row in rows))} computed anew, {len(rows)} times"
    return f"{rows[0].words.split(' ')[0]} {len(rows)} values"


def event_of(session: Session, row: AuditEvent) -> Event:
    """Return one row of a chain in words."""
    verb = OF_RECORD.get((row.record_type, row.action)) or VERBS.get(row.action, words(row.action).lower())
    field = row.field or ""
    label = LABELS.get(field) or words(field.removesuffix("_id").removeprefix("is_")).lower()
    old, new = (_short(session, row, text) for text in (row.old, row.new))
    return Event(
        row.seq, row.at, row.actor, f"{verb} {label}" if field else verb, old, new, row.reason, row.hash, label,
        is_value=row.action in ("INSERT", "UPDATE") and not row.reason, is_computed=bool(COMPUTED.fullmatch(field)),
    )  # fmt: skip


def _short(session: Session, row: AuditEvent, text: str | None) -> str | None:
    """Return a value as the page shows it: an id by what it stands for, a digest by its first digits, a code in words."""
    if text is None:
        return None
    field = row.field
    if field and (name := name_of_id(session, row.record_type, field, text)) is not None:
        return name
    if DIGEST.fullmatch(text):
        return text[:12]
    if INSTANT.fullmatch(text) and text[:4] not in ("0001", "9999"):
        return formats.instant(dt.datetime.fromisoformat(text), wording.customs())
    kind = type_of(row.record_type, field or "")
    if isinstance(kind, Enum):
        return words(text)
    if isinstance(kind, Boolean) and text in ("true", "false"):
        return "yes" if text == "true" else "no"
    if isinstance(kind, Date) and DAY.fullmatch(text):
        return formats.day(dt.date.fromisoformat(text), wording.customs())
    if field and PEOPLE.fullmatch(field):
        return wording.principal_words(text) if ":" in text else wording.person_name(text)
    shown = DIGEST.sub(lambda found: found[0][:12], text)
    return shown if len(shown) <= 200 else f"{shown[:200]}…"
