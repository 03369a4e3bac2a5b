"""How long records are kept, and which are past that: a list for people, never a deletion."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, cast, func, inspect, select
from sqlalchemy.orm import Session

from engine.audit import AuditEvent
from engine.database import Base
from records.legal_hold import HoldStatus, LegalHold
from rules.policy import examples_of, table_called


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """How long one kind of record is kept: so many years after the last entry in the chain of one that has ended."""

    record_type: str
    name: str
    years: int
    ended: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """A record whose time is over. hold: the number of the legal hold that stands on it, or empty."""

    record_type: str
    record_id: str
    number: str
    status: str
    retention: RetentionClass
    last_entry_at: dt.datetime
    kept_until: dt.date
    hold: str


def classes() -> list[RetentionClass]:
    """Return the class of every kind of record that the table names: each of its rows has an example. Others are kept for good."""
    kinds = dict.fromkeys(str(row["given"]["record_type"]) for row in examples_of("retention")["examples"])
    return [_class_of(kind) for kind in kinds]


def _class_of(record_type: str) -> RetentionClass:
    said = table_called("retention").judge(record_type=record_type).row.outputs
    return RetentionClass(record_type, str(said["class"]), int(said["years"]), tuple(str(said["ended"]).split(",")))


def past_their_time(session: Session, *, now: dt.datetime) -> Iterator[Past]:
    """Yield the records that ended so long ago that they need not be kept, with the holds that keep them all the same."""
    mapped = {one.class_.__tablename__: one.class_ for one in Base.registry.mappers}
    for found in classes():
        if found.record_type in mapped:
            yield from _past(session, mapped[found.record_type], found, now)


def _past(session: Session, mapped: type[Any], retention: RetentionClass, now: dt.datetime) -> Iterator[Past]:
    record_id = cast(mapped.id, Text)
    last = func.max(AuditEvent.at).label("last_entry_at")
    wanted = (
        select(record_id.label("id"), last)
        .join(AuditEvent, (AuditEvent.record_type == retention.record_type) & (AuditEvent.record_id == record_id))
        .where(mapped.status.in_(_statuses(mapped, retention)))
        .group_by(record_id)
        .having(last <= _years_before(now, retention.years))
        .order_by(last, record_id)
    )
    holds = _holds(session, retention.record_type)
    for row in session.execute(wanted).all():
        record = session.get_one(mapped, row.id)
        until = _years_before(row.last_entry_at, -retention.years).date()
        yield Past(
            retention.record_type, row.id, str(getattr(record, "number", row.id)), str(record.status), retention,
            row.last_entry_at, until, holds.get(row.id, ""),
        )  # fmt: skip


def _statuses(mapped: type[Any], retention: RetentionClass) -> list[Any]:
    """Return the statuses of the class; a word that is none of the record's own is a mistake of the table."""
    words = inspect(mapped).columns["status"].type.python_type
    return [words(status) for status in retention.ended]


def _holds(session: Session, record_type: str) -> dict[str, str]:
    wanted = select(LegalHold).where(LegalHold.about_type == record_type, LegalHold.status == HoldStatus.STANDING)
    return {hold.about_id: hold.number for hold in session.scalars(wanted)}


def _years_before(moment: dt.datetime, years: int) -> dt.datetime:
    """Return the same day so many years before; the 29th of February becomes the 28th."""
    try:
        return moment.replace(year=moment.year - years)
    except ValueError:
        return moment.replace(year=moment.year - years, day=28)
