"""What changed between two states of a document, read from the audit chain: added, removed, changed; each in one sentence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from engine.audit import AuditEvent
from engine.canonical import canonical
from engine.database import Scaled
from engine.record import BOOKKEEPING, Operation, Record
from webapp.formats import words


class Kind(StrEnum):
    """What happened to a value."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


SIGNS = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One counted difference. place: where it is (``Line 2``, ``Header``); old and new are canonical texts."""

    kind: Kind
    place: str
    name: str
    old: str | None
    new: str | None

    @property
    def sign(self) -> str:
        """The sign that says the kind without colour."""
        return SIGNS[self.kind]

    @property
    def sentence(self) -> str:
        """The difference in words, for screen readers and for the list."""
        if self.kind is Kind.ADDED:
            return f"{self.place}: {self.name} was added, {self.new}."
        if self.kind is Kind.REMOVED:
            return f"{self.place}: {self.name} was removed, it was {self.old}."
        return f"{self.place}: {self.name} was {self.old}, and is now {self.new}."


@dataclass(frozen=True, slots=True)
class Part:
    """A row of a document (its header, a line) with the fields a reader cares about: column name to its label."""

    record: Record
    place: str
    fields: Mapping[str, str]


def texts_of(record: Record, names: Iterable[str]) -> dict[str, str | None]:
    """Return the canonical texts of some fields of a record."""
    columns = inspect(type(record)).columns
    return {name: canonical(getattr(record, name), scale=_scale(columns[name].type)) for name in names}


def _scale(kind: Any) -> int | None:
    return kind.scale if isinstance(kind, Scaled) else None


def since(
    session: Session, parts: Sequence[Part], moment: dt.datetime, *, gone: Sequence[Difference] = ()
) -> list[Difference]:
    """Return what changed in the parts after an instant, in the order of the document. gone: rows that are no more."""
    found: list[Difference] = []
    for part in parts:
        found += _of_part(part, _events(session, part.record.record_type, part.record.id, moment))
    return found + list(gone)


def _events(session: Session, record_type: str, record_id: str, moment: dt.datetime) -> list[AuditEvent]:
    wanted = select(AuditEvent).where(
        AuditEvent.record_type == record_type, AuditEvent.record_id == record_id, AuditEvent.at > moment
    )
    return list(session.scalars(wanted.order_by(AuditEvent.seq)))


def _of_part(part: Part, events: Sequence[AuditEvent]) -> list[Difference]:
    if any(event.action == Operation.INSERT for event in events):
        shown = texts_of(part.record, part.fields)
        text = ", ".join(f"{part.fields[name]} {value}" for name, value in shown.items() if value not in (None, ""))
        return [Difference(Kind.ADDED, part.place, "the line", None, text)]
    before: dict[str, str | None] = {}
    for event in events:
        if event.action == Operation.UPDATE and event.field is not None and event.field in part.fields:
            before.setdefault(event.field, event.old)
    now = texts_of(part.record, before)
    return [compare(part.place, part.fields[name], old, now[name]) for name, old in before.items() if old != now[name]]


def compare(place: str, name: str, old: str | None, new: str | None) -> Difference:
    """Return the difference of two texts; an empty text counts as no value."""
    kind = Kind.CHANGED if old and new else Kind.ADDED if new else Kind.REMOVED
    return Difference(kind, place, name, old or None, new or None)


def removed_rows(
    session: Session, record_type: str, *, parent: str, parent_id: str, fields: Mapping[str, str], after: dt.datetime
) -> list[Difference]:
    """Return the rows of a document that were deleted after an instant, with what they said."""
    wanted = select(AuditEvent.record_id).where(
        AuditEvent.at > after, AuditEvent.record_type == record_type, AuditEvent.action == Operation.DELETE,
        AuditEvent.field == parent, AuditEvent.old == parent_id,
    )  # fmt: skip
    found = []
    for record_id in session.scalars(wanted):
        events = [one for one in _events(session, record_type, record_id, after) if one.action == Operation.DELETE]
        old = {event.field: event.old for event in events if event.field not in BOOKKEEPING}
        text = ", ".join(f"{label} {old[name]}" for name, label in fields.items() if old.get(name) not in (None, ""))
        found.append(Difference(Kind.REMOVED, f"Line {old.get('line_no', '?')}", "the line", text, None))
    return found


def moments_of(session: Session, record: Record, status: str) -> list[dt.datetime]:
    """Return when a document came into a status, oldest first."""
    wanted = select(AuditEvent.at).where(
        AuditEvent.record_type == record.record_type, AuditEvent.record_id == record.id, AuditEvent.field == "status",
        AuditEvent.new == status, AuditEvent.action.in_((Operation.UPDATE, Operation.INSERT)),
    )  # fmt: skip
    return list(session.scalars(wanted.order_by(AuditEvent.seq)))


def label(name: str) -> str:
    """Return a column's name in words."""
    return words(name.removesuffix("_id").removeprefix("is_"))
